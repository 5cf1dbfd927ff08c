"""Proposing without the right to push: from a fork, found or made, as often and as safely as with it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from nbpr import pulls
from nbpr.errors import Conflict, NotAllowed, OutOfReach
from nbpr.forges import http
from tests import projects
from tests.conftest import git
from tests.forges import places
from tests.forges.gitea_server import Gitea
from tests.forges.places import ME, OTHER, Place
from tests.forges.serving import Fault
from tests.forges.test_proposing import KINDS, _quick, at_once, propose, with_notebook  # noqa: F401

pytestmark = pytest.mark.kernel

BRANCH = "agent/health-lower-the-threshold"


def without_rights(place: Place, sources: Any = projects.SOURCES) -> Place:
    """A repository of somebody else's that we may only read."""
    assert place.fake is not None
    repo = place.fake.repos.pop("ada/x")
    repo.owner = OTHER
    moved = place.fake.folder / OTHER
    moved.mkdir()
    repo.place = repo.place.rename(moved / "x.git")
    place.fake.repos[repo.full_name] = repo
    repo.readers.add(ME)
    for setting in ("remote.origin.url", "by-hand.url"):
        url = git(place.repository.root, "config", setting)
        git(place.repository.root, "config", setting, url.replace("/ada/x.git", "/bob/x.git"))
    place.by_api = lambda method, path, body=None: (
        place.fake.handled(
            method,
            f"{place.fake.api}/repos/bob/x{path}",
            {},
            body,
            places.OTHERS_TOKEN,
        ).data
    )
    return with_notebook(place, sources)


@pytest.fixture(params=["gitea", pytest.param("github", marks=pytest.mark.soak)])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    with places.fake(request.param, tmp_path, monkeypatch) as found:
        yield without_rights(found)


@pytest.fixture
def real(gitea: Gitea, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    monkeypatch.setattr(http, "pause", time.sleep)
    with places.real(gitea, tmp_path.name, tmp_path, monkeypatch) as found:
        gitea.api("DELETE", f"/repos/boss/{tmp_path.name}/collaborators/{ME}")
        yield with_notebook(found)


def the_fork(place: Place) -> str:
    url = place.repository.git("config", "by-hand.url").replace(
        f"{OTHER}:{places.OTHERS_TOKEN}", f"{ME}:{places.TOKEN}"
    )
    return url.replace("/bob/", "/ada/")


def on(place: Place, url: str) -> list[str]:
    """The branches at an address."""
    said = git(place.repository.root, "ls-remote", "--heads", url)
    return sorted(line.split("refs/heads/")[1] for line in said.splitlines())


def one_from_the_fork(place: Place, first: dict[str, object]) -> None:
    assert (first["operation"], first["verdict"], first["branch"]) == ("created", "passed", BRANCH)
    found = place.forge().find(state=None)
    assert [(pull.number, pull.head, pull.state) for pull in found] == [(1, BRANCH, "open")]
    assert place.on_server(BRANCH) is None
    pull = place.forge().get(1)
    assert len(pull.comments) == 1
    assert pull.head_sha == first["head_sha"]


def test_the_first_time_and_again(place: Place) -> None:
    assert place.fake is not None
    first = propose(place)
    one_from_the_fork(place, first)
    assert on(place, the_fork(place)) == [BRANCH, "main"]
    assert place.fake.repos["bob/x"].pulls[1]["head"] == f"ada:{BRANCH}"
    assert "pull request #1 got no commit status: ada may not write to bob/x" in [
        note["message"] for note in first["findings"]
    ]
    for title in ("Lower the threshold", "Quite another title"):
        place.fake.reset()
        again = propose(place, title=title)
        assert (again["operation"], again["pull_request"]["number"]) == ("unchanged", 1)
        assert (place.fake.writes, place.fake.pushes) == ([], 0)
        assert len(place.fake.requests) <= 6, place.fake.requests
    assert len(place.fake.repos["bob/x"].pulls) == 1


def test_new_content_updates_it(place: Place) -> None:
    propose(place, 0.93)
    second = propose(place)
    assert (second["operation"], second["pull_request"]["number"]) == ("updated", 1)
    assert len(place.forge().find(state=None)) == 1
    data = place.repository.read(place.forge().get(1).head_sha, "notebooks/health.ipynb") or b""
    assert b"threshold = 0.9 " in data


def test_what_the_maintainer_wrote_and_committed_stays(place: Place) -> None:
    assert place.by_api is not None
    assert place.fake is not None
    propose(place, 0.93)
    pull = place.forge().get(1)
    place.by_api("PATCH", "/pulls/1", {"body": f"{pull.body}\n\nI will, Bob."})
    theirs = place.child(pull.head_sha, "by a person", "note.txt")
    git(place.repository.root, "push", "-q", the_fork(place), f"{theirs}:refs/heads/{BRANCH}")
    propose(place)
    now = place.forge().get(1)
    assert now.body.endswith("\n\nI will, Bob.")
    assert place.repository.is_ancestor(theirs, now.head_sha)


def test_a_fork_under_another_name_is_found(place: Place) -> None:
    assert place.fake is not None
    place.fake.fork(place.fake.repos["bob/x"], ME, "my-copy")
    propose(place)
    assert on(place, the_fork(place).replace("/x.git", "/my-copy.git")) == [BRANCH, "main"]
    assert "ada/x" not in place.fake.repos


def test_a_name_that_is_taken(place: Place) -> None:
    assert place.fake is not None
    place.fake.repo(ME, "x")
    propose(place)
    (fork,) = place.fake.forks(place.fake.repos["bob/x"])
    assert fork.sha(BRANCH) is not None
    assert place.fake.repos["ada/x"].sha(BRANCH) is None


def test_where_no_fork_can_be_made(place: Place) -> None:
    assert place.fake is not None
    place.fake.takes_forks = False
    # A Gitea is asked without a fork then, which this one declines too.
    told = "declined" if place.kind == "gitea" else "no fork of it can be made"
    with pytest.raises(NotAllowed, match=told):
        propose(place)
    assert place.fake.repos["bob/x"].pulls == {}


def test_another_clone_finds_it(place: Place, tmp_path: Path) -> None:
    propose(place)
    for ref in place.repository.refs("refs/nbpr"):
        place.repository.git("update-ref", "-d", ref)
    assert propose(place)["operation"] == "unchanged"


def test_half_made_on_the_fork(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """The branch got there, the pull request did not; another clone goes on."""
    assert place.fake is not None
    propose(place)
    place.fake.repos["bob/x"].pulls.clear()
    place.fake.repos["bob/x"].comments.clear()
    for ref in place.repository.refs("refs/nbpr"):
        place.repository.git("update-ref", "-d", ref)
    again = propose(place)
    one_from_the_fork(place, again)
    assert on(place, the_fork(place)) == [BRANCH, "main"]


def test_the_maintainer_merges_it(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    assert place.fake is not None
    propose(place)
    with pytest.raises((Conflict, NotAllowed)):
        pulls.merge(pulls.connect(place.repository, place.config), 1)
    places.say_token(place.kind, place.fake.root, places.OTHERS_TOKEN, monkeypatch)
    assert pulls.merge(pulls.connect(place.repository, place.config), 1).pull.state == "merged"
    places.say_token(place.kind, place.fake.root, places.TOKEN, monkeypatch)
    assert [pull.state for pull in place.forge().find(state=None)] == ["merged"]


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("step", [5, pytest.param(1, marks=pytest.mark.soak)])
def test_a_fault_at_each_request(kind: str, step: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer that is lost, at each request of the way over a fork: one pull request, one comment, one fork."""
    for number in range(0, 30, step):
        folder = tmp_path / str(number)
        folder.mkdir()
        with places.fake(kind, folder, monkeypatch) as place:
            without_rights(place)
            assert place.fake is not None
            place.fake.reset({number: Fault("reset", after=True), number + 1: Fault("502")})
            with suppress(NotAllowed, Conflict, OutOfReach):
                propose(place)
            struck = list(place.fake.struck)
            place.fake.reset()
            propose(place)
            repo = place.fake.repos["bob/x"]
            assert (len(repo.pulls), len(repo.comments), len(place.fake.forks(repo))) == (1, 1, 1)
        if not struck:
            break
    assert not struck, "more requests than were tried"


@pytest.mark.slow
def test_on_a_real_gitea(real: Place) -> None:
    first = propose(real)
    one_from_the_fork(real, first)
    for title in ("Lower the threshold", "Quite another title"):
        assert propose(real, title=title)["operation"] == "unchanged"
    second = propose(real, 0.85)
    assert second["operation"] in ("created", "updated")
    assert propose(real, 0.85)["operation"] == "unchanged"


@pytest.mark.slow
def test_neither_rights_nor_forks_on_a_real_gitea(gitea: Gitea, real: Place) -> None:
    """By a push to `refs/for/main`: the same proposal is the same pull request, killed half-way too."""
    limit = {"source_id": 0, "login_name": ME, "max_repo_creation": 0}
    gitea.api("PATCH", f"/admin/users/{ME}", limit)
    try:
        first = propose(real)
        one_from_the_fork(real, first)
        for title in ("Lower the threshold", "Quite another title"):
            again = propose(real, title=title)
            assert (again["operation"], again["pull_request"]["number"]) == ("unchanged", 1)
        second = propose(real, 0.85)
        assert (second["operation"], second["pull_request"]["number"]) == ("updated", 1)
        pull = real.forge().get(1)
        assert pull.head_sha == second["head_sha"] != first["head_sha"]
        assert real.repository.is_ancestor(str(first["head_sha"]), pull.head_sha)
        made_of_it = pull.body
        gitea.api(
            "PATCH",
            f"/repos/boss/{real.repository.remote_url('origin').split('/')[-1][:-4]}/pulls/1",
            {"body": f"<!-- nbpr-topic {BRANCH} -->"},
        )
        for ref in real.repository.refs("refs/nbpr"):
            real.repository.git("update-ref", "-d", ref)
        half = propose(real, 0.85)
        assert half["pull_request"]["number"] == 1
        now = real.forge().find(state=None)
        assert [(found.number, found.head) for found in now] == [(1, BRANCH)]
        assert "nbpr-proposal" in made_of_it
        assert "nbpr-proposal" in now[0].body
        assert len(real.forge().get(1).comments) == 1
        assert real.by_me is not None
        real.by_me("PATCH", "/pulls/1", {"state": "closed"})
        with pytest.raises(Conflict, match="#1 for this was closed"):
            propose(real, 0.85)
        again = propose(real, 0.85, reopen=True)
        assert (again["pull_request"]["number"], again["pull_request"]["state"]) == (1, "open")
        assert propose(real, 0.85)["operation"] == "unchanged"
    finally:
        gitea.api("PATCH", f"/admin/users/{ME}", {**limit, "max_repo_creation": -1})


def test_a_branch_of_the_same_name_on_the_remote_is_another_one(place: Place, tmp_path: Path) -> None:
    made = propose(place)
    place.push(place.child(str(place.repository.head), "theirs", "note.txt"), BRANCH)
    other = places.elsewhere(place, tmp_path)
    assert pulls.checkout(pulls.connect(other.repository, other.config), 1) == BRANCH
    assert other.repository.head == made["head_sha"]


@pytest.mark.parametrize("branch", [BRANCH, "my/own"])
def test_one_whose_branch_is_gone_from_the_fork_is_opened_again(place: Place, branch: str) -> None:
    made = propose(place, branch=branch)
    git(place.repository.root, "push", "-q", the_fork(place), f":{branch}")
    with pytest.raises(Conflict, match=r"#1 for this was closed|was deleted"):
        propose(place, branch=branch)
    again = propose(place, branch=branch, reopen=True)
    assert (again["pull_request"], again["head_sha"]) == (made["pull_request"], made["head_sha"])
    assert on(place, the_fork(place)) == sorted([branch, "main"])
    assert propose(place, branch=branch)["operation"] == "unchanged"


@pytest.mark.slow
@pytest.mark.parametrize("clones", [pytest.param(1, marks=pytest.mark.soak), 3])
def test_several_at_once(place: Place, tmp_path: Path, clones: int) -> None:
    """One fork, one pull request, one comment."""
    assert place.fake is not None
    at_once(place, tmp_path, 6, clones)
    repo = place.fake.repos["bob/x"]
    assert (len(repo.pulls), len(repo.comments), len(place.fake.forks(repo))) == (1, 1, 1)
