"""What a forge keeps beside a pull request: pictures, the zipped review page, findings at their cells."""

from __future__ import annotations

import io
import re
import time
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nbpr import keepsakes
from nbpr.errors import OutOfReach
from nbpr.forges import http
from nbpr.render import places as marks
from tests import projects
from tests.conftest import git
from tests.forges import places
from tests.forges.gitea_server import Gitea
from tests.forges.places import ME, Place
from tests.forges.serving import Fault, Repo
from tests.forges.test_forks import without_rights
from tests.forges.test_proposing import KINDS, _quick, propose, with_notebook  # noqa: F401

pytestmark = pytest.mark.kernel

IMAGE = re.compile(r"\[!\[(before|after)\]\(<([^>]+)>\)\]\(<\2>\)")
PAGE = re.compile(r"\[review page\]\(<([^>]+)>\)")
PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(params=["gitea", "github"])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    with places.fake(request.param, tmp_path, monkeypatch) as found:
        yield with_notebook(found, projects.PICTURED)


@pytest.fixture
def gitea_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    with places.fake("gitea", tmp_path, monkeypatch) as found:
        yield with_notebook(found, projects.PICTURED)


@pytest.fixture
def github_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    with places.fake("github", tmp_path, monkeypatch) as found:
        yield with_notebook(found, projects.PICTURED)


def repo_of(place: Place) -> Repo:
    assert place.fake is not None
    return next(repo for repo in place.fake.repos.values() if repo.parent is None)


def kept(place: Place, url: str) -> bytes:
    """What stands at an address, for a fake."""
    if place.kind == "gitea":
        return next(bytes(one["data"]) for one in repo_of(place).assets if url.endswith(one["uuid"]))
    commit, name = re.fullmatch(r".*/ada/x/blob/(\w+)/([^?]+)\?raw=true", url).groups()  # type: ignore[union-attr]
    return repo_of(place).file(commit, name)


def looks_right(place: Place, body: str) -> None:
    """The body shows the picture before and after, and waits for nothing."""
    assert not marks.is_waiting(body)
    assert "nbpr-file" not in body
    shown = IMAGE.findall(body)
    assert [side for side, _ in shown] == ["before", "after"]
    before, after = (kept(place, url) for _, url in shown)
    assert before.startswith(PNG)
    assert after.startswith(PNG)
    assert before != after


def test_pictures_stand_in_the_pull_request(place: Place) -> None:
    assert place.fake is not None
    assert propose(place)["operation"] == "created"
    pull = place.forge().get(1)
    looks_right(place, pull.body)
    refs = repo_of(place).refs("refs/nbpr/pictures")
    assert len(refs) == (place.kind == "github")
    for title in ("Lower the threshold", "Quite another title"):
        place.fake.reset()
        assert propose(place, title=title)["operation"] == "unchanged"
        assert (place.fake.writes, place.fake.pushes) == ([], 0)
        assert len(place.fake.requests) <= 6, place.fake.requests
    assert repo_of(place).refs("refs/nbpr/pictures") == refs


def test_other_content_keeps_what_was_shown_before(place: Place) -> None:
    propose(place, 0.93)
    old = [url for _, url in IMAGE.findall(place.forge().get(1).body)]
    propose(place)
    body = place.forge().get(1).body
    looks_right(place, body)
    new = [url for _, url in IMAGE.findall(body)]
    assert new[1] != old[1]
    assert all(kept(place, url).startswith(PNG) for url in (*old, *new))
    if place.kind == "gitea":
        assert new[0] == old[0]  # base's picture is the same, and is not sent again


def test_the_review_page_is_attached(gitea_place: Place) -> None:
    propose(gitea_place)
    pull = gitea_place.forge().get(1)
    found = PAGE.search(pull.body)
    assert found
    with zipfile.ZipFile(io.BytesIO(kept(gitea_place, found[1]))) as archive:
        assert archive.namelist() == ["1.html"]
        assert b"Lower the threshold" in archive.read("1.html")
    assert {one["name"] for one in repo_of(gitea_place).assets} >= {keepsakes.page_name(pull.head_sha)}
    assert len(repo_of(gitea_place).assets) == 3


@pytest.mark.parametrize(
    ("settings", "images", "page"),
    [
        ({"enabled": False}, 0, False),
        ({"allowed_types": ".png"}, 2, False),
        ({"allowed_types": "image/*|.zip"}, 2, True),
        ({"allowed_types": ""}, 2, True),
    ],
)
def test_a_server_that_allows_less(gitea_place: Place, settings: dict[str, Any], images: int, page: bool) -> None:
    assert gitea_place.fake is not None
    gitea_place.fake.attachment |= settings  # type: ignore[attr-defined]
    assert propose(gitea_place)["operation"] == "created"
    body = gitea_place.forge().get(1).body
    assert len(IMAGE.findall(body)) == images
    assert bool(PAGE.search(body)) == page
    assert not marks.is_waiting(body)
    assert ("| Picture | Before | After |" in body) == bool(images)
    assert "% of pixels changed" in body
    gitea_place.fake.reset()
    assert propose(gitea_place)["operation"] == "unchanged"
    assert gitea_place.fake.writes == []


def test_a_server_that_refuses_them_after_all(gitea_place: Place) -> None:
    assert gitea_place.fake is not None
    gitea_place.fake.attachment["max_size"] = 0  # type: ignore[attr-defined]
    assert propose(gitea_place)["operation"] == "created"
    body = gitea_place.forge().get(1).body
    assert "% of pixels changed" in body
    assert not IMAGE.search(body)
    assert not marks.is_waiting(body)
    assert propose(gitea_place)["operation"] == "unchanged"


@pytest.mark.slow
@pytest.mark.parametrize("step", [3, pytest.param(1, marks=pytest.mark.soak)])
def test_what_was_cut_off_is_done_by_the_next_command(place: Place, step: int) -> None:
    assert place.fake is not None
    propose(place)
    count = len(place.fake.requests)
    whole = place.forge().get(1).body
    for number in range(6, count, step):
        place.fake.repos.clear()
        place.fake.repo(ME, "x")
        for ref in place.repository.refs("refs/nbpr"):
            git(place.repository.root, "update-ref", "-d", ref)
        place.push(str(place.repository.head), "main")
        place.fake.reset({at: Fault("503") for at in range(number, number + 30)})
        with pytest.raises(OutOfReach):
            propose(place)
        place.fake.reset()
        assert propose(place)["operation"] in ("created", "updated", "unchanged")
        now = place.forge().get(1).body
        assert IMAGE.sub("", PAGE.sub("", now)).count("\n") == IMAGE.sub("", PAGE.sub("", whole)).count("\n")
        looks_right(place, now)
        assert len(repo_of(place).pulls) == 1
        names = [one["name"] for one in repo_of(place).assets]
        assert len(names) == len(set(names)) == (3 if place.kind == "gitea" else 0)


@pytest.mark.parametrize("kind", KINDS)
def test_from_a_fork(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Gitea takes them from the author; on GitHub their ref would be on the fork, which may go away."""
    with places.fake(kind, tmp_path, monkeypatch) as found:
        place = without_rights(found, projects.PICTURED)
        assert propose(place)["operation"] == "created"
        body = place.forge().get(1).body
        assert "% of pixels changed" in body
        assert not marks.is_waiting(body)
        assert len(IMAGE.findall(body)) == (2 if kind == "gitea" else 0)
        assert ("| Picture | Before | After |" in body) == (kind == "gitea")


def test_a_server_that_takes_no_such_ref(github_place: Place) -> None:
    hook = repo_of(github_place).place / "hooks" / "update"
    hook.write_text('#!/bin/sh\ncase "$1" in refs/nbpr/pictures/*) echo declined >&2; exit 1;; esac\n')
    hook.chmod(0o755)
    assert propose(github_place)["operation"] == "created"
    body = github_place.forge().get(1).body
    assert "% of pixels changed" in body
    assert not IMAGE.search(body)
    assert not marks.is_waiting(body)


def test_what_somebody_wrote_meanwhile_stays(gitea_place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """An edit of the body while the pictures are on their way."""
    zipped = keepsakes.zipped
    edits = ["I was faster."]

    def late(page: Path) -> bytes:
        if edits:
            body = repo_of(gitea_place).pulls[1]["body"]
            assert gitea_place.by_api is not None
            gitea_place.by_api("PATCH", "/pulls/1", {"body": f"{body}\n\n{edits.pop()}"})
        return zipped(page)

    monkeypatch.setattr(keepsakes, "zipped", late)
    propose(gitea_place)
    body = gitea_place.forge().get(1).body
    assert body.endswith("I was faster.")
    looks_right(gitea_place, body)


# -- findings at their cells -----------------------------------------------------------------------------------


@pytest.mark.parametrize("bot", ["github-actions[bot]", "our-app[bot]"])
def test_a_check_run_where_the_token_may(github_place: Place, bot: str) -> None:
    assert github_place.fake is not None
    github_place.fake.users[places.TOKEN] = bot
    github_place.fake.apps.add(bot)
    done = propose(github_place)
    assert done["operation"] == "created"
    assert [finding for finding in done["findings"] if "Apps" in finding["message"]] == []
    (run,) = repo_of(github_place).check_runs
    assert (run["name"], run["conclusion"], run["sha"]) == ("nbpr", "success", done["head_sha"])
    assert f"- `{projects.NOTEBOOK}`" in run["output"]["summary"]
    github_place.fake.reset()
    assert propose(github_place)["operation"] == "unchanged"
    assert github_place.fake.writes == []
    assert len(github_place.fake.requests) <= 7  # that it is an App's is one more question
    assert propose(github_place, title="Another title")["operation"] == "unchanged"
    (comment,) = github_place.forge().get(1).comments
    assert comment.author == bot


def test_a_plain_token_is_told_once(github_place: Place) -> None:
    assert github_place.fake is not None
    done = propose(github_place)
    told = [finding for finding in done["findings"] if "check runs" in finding["message"]]
    assert [finding["level"] for finding in told] == ["note"]
    assert len([one for one in github_place.fake.writes if "check-runs" in one]) == 1
    assert [one["context"] for one in repo_of(github_place).statuses] == ["nbpr"]
    again = propose(github_place)
    assert [finding for finding in again["findings"] if "check runs" in finding["message"]] == []


# -- a real Gitea ----------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_pictures_on_a_real_gitea(gitea: Gitea, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with places.real(gitea, tmp_path.name, tmp_path, monkeypatch) as place:
        monkeypatch.setattr(http, "pause", time.sleep)
        with_notebook(place, projects.PICTURED)
        assert propose(place)["operation"] == "created"
        pull = place.forge().get(1)
        shown = IMAGE.findall(pull.body)
        page = PAGE.search(pull.body)
        assert [side for side, _ in shown] == ["before", "after"]
        assert page
        for url, start in ((shown[0][1], PNG), (shown[1][1], PNG), (page[1], b"PK")):
            asked = urllib.request.Request(url, headers={"Authorization": f"token {gitea.other}"})
            with urllib.request.urlopen(asked, timeout=30) as answer:
                assert answer.read(len(start)) == start
        assert propose(place)["operation"] == "unchanged"
        assert propose(place, 0.93, title="Lower the threshold")["operation"] == "updated"
        rows = gitea.api("GET", f"/repos/boss/{tmp_path.name}/issues/1/assets", None, gitea.token)
        names = [row["name"] for row in rows]
        assert len(names) == len(set(names)) == 5  # base's picture once, two others, two pages
