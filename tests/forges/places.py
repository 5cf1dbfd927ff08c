"""Places to propose in, on each forge alike: a clone, its remote, and what other people do there."""

from __future__ import annotations

import time
import urllib.error
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from nbpr import config
from nbpr.config import Config
from nbpr.forges import Forge, Opening, bring_up_to_date, forge_for
from nbpr.git.branches import Branches
from nbpr.git.repository import Repository
from tests.conftest import git
from tests.forges.fake_forgejo import FakeForgejo
from tests.forges.fake_gitea import FakeGitea
from tests.forges.fake_github import FakeGithub
from tests.forges.gitea_server import Gitea
from tests.forges.serving import FakeForge, serving

#: The fakes by the names of the forges.
FAKES: dict[str, type[FakeForge]] = {"gitea": FakeGitea, "forgejo": FakeForgejo, "github": FakeGithub}

#: Everybody in these tests: the token's owner, and somebody else.
ME, OTHER = "ada", "bob"
TOKEN, OTHERS_TOKEN = "ada-token-0123456789", "bob-token-0123456789"


@dataclass
class Place:
    """A clone on a forge. `by_api` sends a request as somebody else, `by_owner` as who may set it up, `by_me` as we do.

    All have the path below the repository.
    """

    kind: str
    repository: Repository
    fake: FakeForge | None = None
    by_api: Callable[..., Any] | None = None
    by_owner: Callable[..., Any] | None = None
    by_me: Callable[..., Any] | None = None
    overrides: dict[str, Any] = field(default_factory=dict)

    @property
    def config(self) -> Config:
        return config.load(self.repository.root, self.overrides, environ={})

    def forge(self) -> Forge:
        """The forge as a new command sees it."""
        forge = forge_for(self.repository, self.config)
        bring_up_to_date(forge, Branches(self.repository, self.repository.remote()), self.config, ["main"])
        return forge

    def child(self, parent: str, text: str, name: str = "a.txt") -> str:
        """A commit that changes a file."""
        tree = self.repository.edited_tree(parent, {name: text.encode()})
        return self.repository.commit(tree, [parent], text + "\n")

    def opening(self, head: str = "agent/x", text: str = "b", **changes: Any) -> Opening:
        sha = self.child(str(self.repository.head), text)
        body = f'why\n\n<!-- nbpr-proposal {{"head": "{sha}"}} -->'
        fields = {"head_sha": sha, "base": "main", "title": "Über x", "body": body, "author": ME, **changes}
        return Opening(head=head, **fields)

    def push(self, sha: str, branch: str, *, force: bool = False) -> None:
        """What a person does with git."""
        url = self.repository.git("config", "by-hand.url")
        git(self.repository.root, "push", "-q", *(["--force"] if force else []), url, f"{sha}:refs/heads/{branch}")

    def on_server(self, branch: str) -> str | None:
        """Where a branch is on the server."""
        url = self.repository.git("config", "by-hand.url")
        said = git(self.repository.root, "ls-remote", url, f"refs/heads/{branch}")
        return said.split()[0] if said else None


def clone(folder: Path, url: str, by_hand: str) -> Repository:
    """A repository with one commit on `main`, pushed to a remote. The URL with rights is not in a remote's way."""
    root = folder / "clone"
    root.mkdir(parents=True)
    git(root, "init", "-q", "-b", "main")
    git(root, "config", "user.name", "Ada Author")
    git(root, "config", "user.email", "ada@example.org")
    (root / "a.txt").write_text("a\n")
    git(root, "add", ".")
    git(root, "commit", "-qm", "one")
    git(root, "remote", "add", "origin", url)
    # Not a remote's own section: `git remote` would list it.
    git(root, "config", "by-hand.url", by_hand)
    git(root, "push", "-q", by_hand, "main")
    return Repository.discover(root)


def elsewhere(place: Place, folder: Path) -> Place:
    """The same in another clone of the same person's, that knows nothing of what was done in the first one."""
    url = place.repository.git("config", "by-hand.url")
    git(folder, "clone", "-q", url, "elsewhere")
    root = folder / "elsewhere"
    git(root, "remote", "set-url", "origin", place.repository.remote_url("origin"))
    git(root, "config", "by-hand.url", url)
    for name in ("user.name", "user.email"):
        git(root, "config", name, place.repository.git("config", name))
    return replace(place, repository=Repository.discover(root))


@contextmanager
def local(folder: Path) -> Iterator[Place]:
    bare = folder / "remote.git"
    git(folder, "init", "-q", "--bare", "-b", "main", str(bare))
    yield Place("local", clone(folder, str(bare), str(bare)))


@contextmanager
def fake(name: str, folder: Path, patch: pytest.MonkeyPatch) -> Iterator[Place]:
    """A fake forge with one repository, `ada/x`, and the environment that a person has."""
    make = FAKES[name]
    kind = make.kind
    with serving(make, folder / "server") as served:
        served.user(ME, TOKEN)
        served.user(OTHER, OTHERS_TOKEN)
        served.repo(ME, "x")
        say_token(kind, served.root, TOKEN, patch)
        by_hand = served.root.replace("://", f"://{OTHER}:{OTHERS_TOKEN}@")
        repository = clone(folder, f"{served.root}/{ME}/x.git", f"{by_hand}/{ME}/x.git")

        def by_api(method: str, path: str, body: Any = None) -> Any:
            return served.handled(method, f"{served.api}/repos/{ME}/x{path}", {}, body, OTHERS_TOKEN).data

        def by_owner(method: str, path: str, body: Any = None) -> Any:
            """What an administrator does; the fakes have no rules for branches, so they are set as they are kept."""
            if path == "/branch_protections":
                served.repos[f"{ME}/x"].required[body["rule_name"]] = body["status_check_contexts"]
                return None
            return by_api(method, path, body)

        def by_me(method: str, path: str, body: Any = None) -> Any:
            return served.handled(method, f"{served.api}/repos/{ME}/x{path}", {}, body, TOKEN).data

        served.reset()
        yield Place(kind, repository, served, by_api, by_owner, by_me)


@contextmanager
def real(gitea: Gitea, name: str, folder: Path, patch: pytest.MonkeyPatch) -> Iterator[Place]:
    """A new repository on a real Gitea."""
    gitea.api("POST", "/user/repos", {"name": name, "default_branch": "main"}, gitea.admin)
    for login in (ME, OTHER):
        gitea.api("PUT", f"/repos/boss/{name}/collaborators/{login}", {"permission": "write"})
    say_token("gitea", gitea.root, gitea.token, patch)
    by_hand = gitea.root.replace("://", f"://{OTHER}:{gitea.other}@")
    repository = clone(folder, f"{gitea.root}/boss/{name}.git", f"{by_hand}/boss/{name}.git")
    _until_it_is_there(gitea, name)

    def by_api(method: str, path: str, body: Any = None) -> Any:
        return gitea.api(method, f"/repos/boss/{name}{path}", body, gitea.other)

    def by_owner(method: str, path: str, body: Any = None) -> Any:
        return gitea.api(method, f"/repos/boss/{name}{path}", body)

    def by_me(method: str, path: str, body: Any = None) -> Any:
        return gitea.api(method, f"/repos/boss/{name}{path}", body, gitea.token)

    yield Place("gitea", repository, None, by_api, by_owner, by_me)


def _until_it_is_there(gitea: Gitea, name: str) -> None:
    """A busy Gitea answers 404 for a moment where it has just made a repository or let somebody in."""
    for _ in range(100):
        try:
            gitea.api("GET", f"/repos/boss/{name}/pulls", None, gitea.token)
        except urllib.error.HTTPError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError(f"{name} is not there after 10 s")


def say_token(kind: str, root: str, token: str, patch: pytest.MonkeyPatch) -> None:
    """What a person sets once."""
    if kind == "gitea":
        patch.setenv("GITEA_TOKEN", token)
        patch.setenv("GITEA_SERVER_URL", root)
    else:
        patch.setenv("GH_ENTERPRISE_TOKEN", token)
        patch.setenv("GH_HOST", root.partition("://")[2])
