"""One contract, every forge: the local one, fakes of Gitea, Forgejo and GitHub, a real Gitea if there is a binary."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from nbpr.errors import BadInput, NbprError, NotAllowed
from nbpr.forges import access, forge_for, http
from nbpr.forges.choice import Address
from nbpr.tokens import Token
from tests.conftest import git
from tests.forges import places
from tests.forges.contract import Contract
from tests.forges.gitea_server import Gitea
from tests.forges.places import Place
from tests.forges.serving import Reply

pytestmark = pytest.mark.slow


@pytest.fixture(
    params=[
        "local",
        "fake gitea",
        pytest.param("fake forgejo", marks=[pytest.mark.soak]),  # all but Gitea's; the gate's events have it each time
        "fake github",
        "real gitea",
    ]
)
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    word, _, kind = request.param.rpartition(" ")
    if word != "real":
        monkeypatch.setattr(http, "pause", lambda seconds: None)
        made = places.fake(kind, tmp_path, monkeypatch) if word else places.local(tmp_path)
        with made as found:
            yield found
        return
    gitea: Gitea = request.getfixturevalue("gitea")
    with places.real(gitea, tmp_path.name, tmp_path, monkeypatch) as found:
        yield found


class TestForges(Contract):
    """The contract on each of them."""


@pytest.mark.parametrize(
    ("settings", "error", "words"),
    [
        ({"has_pull_requests": False}, NotAllowed, "pull requests are turned off"),
        ({"mirror": True}, NotAllowed, "is a mirror"),
        ({"empty": True}, BadInput, "has no commits yet"),
    ],
)
def test_a_gitea_repository_without_pull_requests(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, bool], error: type[NbprError], words: str
) -> None:
    with places.fake("gitea", tmp_path, monkeypatch) as place:
        assert place.fake is not None
        place.fake.repos["ada/x"].settings |= settings
        with pytest.raises(error, match=words):
            place.forge().find()


def test_pull_requests_that_are_turned_off(gitea: Gitea, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with places.real(gitea, tmp_path.name, tmp_path, monkeypatch) as place:
        gitea.api("PATCH", f"/repos/boss/{tmp_path.name}", {"has_pull_requests": False})
        with pytest.raises(NotAllowed, match="pull requests are turned off"):
            place.forge().find()


def test_a_repository_without_commits(gitea: Gitea, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with places.real(gitea, tmp_path.name, tmp_path, monkeypatch) as place:
        gitea.api("POST", "/user/repos", {"name": f"{tmp_path.name}-empty"}, gitea.admin)
        gitea.api("PUT", f"/repos/boss/{tmp_path.name}-empty/collaborators/ada", {"permission": "write"})
        url = place.repository.remote_url("origin").replace(tmp_path.name, f"{tmp_path.name}-empty")
        git(place.repository.root, "remote", "set-url", "origin", url)
        with pytest.raises(BadInput, match="has no commits yet"):
            forge_for(place.repository, place.config).find()


def test_one_is_found_after_its_owner_was_renamed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with places.fake("github", tmp_path, monkeypatch) as place:
        assert place.fake is not None
        handled, root = place.fake.handled, place.fake.root

        def moved(method: str, path: str, query: dict[str, str], body: Any, token: str | None) -> Reply:
            if "/repos/old/" not in path:
                return handled(method, path, query, body, token)
            return Reply(
                301, None, {"Location": f"{root}{path.replace('/repos/old/', '/repos/ada/')}?{urlencode(query)}"}
            )

        monkeypatch.setattr(place.fake, "handled", moved)
        token = Token(places.TOKEN, root.partition("://")[2], "GH_ENTERPRISE_TOKEN", "http")
        api, opening = access.api(Address(root, "old", "x"), "github", token), place.opening()
        place.push(opening.head_sha, opening.head)
        assert [api.create(opening).number for _ in range(2)] == [1, 1]


def test_labels_of_an_organisation(gitea: Gitea, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are taken, which a token with the scopes that we ask for cannot list, and only what is missing is made."""
    name, owner = tmp_path.name, f"{tmp_path.name}-org"
    gitea.api("POST", "/orgs", {"username": owner})
    gitea.api("POST", f"/orgs/{owner}/labels", {"name": "bug", "color": "#ff0000"})
    with places.real(gitea, name, tmp_path, monkeypatch) as place:
        gitea.api("POST", f"/repos/boss/{name}/transfer", {"new_owner": owner})
        gitea.api("PUT", f"/repos/{owner}/{name}/collaborators/ada", {"permission": "write"})
        for key in ("remote.origin.url", "by-hand.url"):
            git(place.repository.root, "config", key, place.repository.git("config", key).replace("boss/", f"{owner}/"))
        gitea.api("POST", f"/repos/{owner}/{name}/labels", {"name": "mine", "color": "#00ff00"})
        place.forge().open(place.opening(labels=("bug", "mine", "new")))
        assert set(place.forge().get(1).labels) == {"bug", "mine", "new"}
        listed = gitea.api("GET", f"/repos/{owner}/{name}/labels")
        assert sorted(one["name"] for one in listed) == ["mine", "new"]
