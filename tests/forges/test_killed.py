"""Proposing to a forge on a server, killed at any of its boundaries, and once more: one of everything, nothing left."""

from __future__ import annotations

import json
import random
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from nbpr import config
from nbpr.git.repository import Repository
from nbpr.proposals import announcements, identity
from nbpr.runs import runs
from tests import projects
from tests.conftest import git
from tests.forges import places
from tests.forges.places import Place
from tests.projects import NOTE, NOTEBOOK, RUN
from tests.test_reliability import finish, start

pytestmark = pytest.mark.kernel

PROPOSE = ("propose", NOTEBOOK, "--edits", "edits.json", "--title", "A note", "--label", "notebook", "--json")
BRANCH = "agent/health-a-note"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes | str]:
    """A project whose reference run is in step, so that a note needs no kernel."""
    made = projects.make(tmp_path_factory.mktemp("template") / "first")
    runs.run_notebooks([NOTEBOOK], made.root, config.load(made.root, environ={}))
    notes = {"edits.json": json.dumps([NOTE]), "more.json": json.dumps([NOTE, {**NOTE, "source": "And so on."}])}
    return {NOTEBOOK: projects.health(), RUN: (made.root / RUN).read_bytes(), **notes}


def prepared(place: Place, files: dict[str, bytes | str], how: str) -> tuple[str, ...]:
    """Make ready for the command that is to be killed, and say which it is: one that opens, or one that updates."""
    root = place.repository.root
    projects.write(root, files)
    git(root, "add", "-A")
    git(root, "commit", "-qm", "a notebook")
    place.push(str(place.repository.head), "main")
    if how == "open":
        return PROPOSE
    words = (*PROPOSE, "--key", "k")
    finish(root, words)
    return tuple("more.json" if word == "edits.json" else word for word in words)


def boundaries(
    kind: str, how: str, files: dict[str, bytes | str], folder: Path, patch: pytest.MonkeyPatch
) -> list[str]:
    """The names of the boundaries of a command that nobody kills."""
    folder.mkdir()
    with places.fake(kind, folder, patch) as place:
        done = start(place.repository.root, 0, "self", prepared(place, files, how))
        _, err = done.communicate(timeout=120)
        assert done.returncode == 0, err.decode()
    shutil.rmtree(folder)
    return [line for line in err.decode().splitlines() if line.startswith(("before ", "after "))]


def killed_at(
    kind: str, how: str, files: dict[str, bytes | str], folder: Path, patch: pytest.MonkeyPatch, at: int, whom: str
) -> None:
    """Kill at a boundary, run it again, and look at what there is."""
    folder.mkdir()
    with places.fake(kind, folder, patch) as place:
        words = prepared(place, files, how)
        before = projects.state(place.repository.root)
        died = start(place.repository.root, at, whom, words)
        _, err = died.communicate(timeout=120)
        assert died.returncode == -signal.SIGKILL, err.decode()
        again = finish(place.repository.root, words)
        assert again["operation"] in ("created", "updated", "unchanged")
        holds(place, how)
        assert projects.state(place.repository.root) == before
        assert place.fake is not None
        place.fake.reset()
        third = finish(place.repository.root, words)
        assert third["operation"] == "unchanged"
        assert (place.fake.writes, place.fake.pushes) == ([], 0)
    shutil.rmtree(folder)


def holds(place: Place, how: str) -> None:
    """One pull request, one branch, one claim, one comment, one label, one status of its head; nothing left here."""
    assert place.fake is not None
    repo = place.fake.repos["ada/x"]
    assert len(repo.pulls) == 1
    refs = git(repo.place, "for-each-ref", "--format=%(refname)").splitlines()
    ours = [ref for ref in refs if not ref.startswith("refs/pull/")]
    assert [ref for ref in ours if not ref.startswith("refs/nbpr/claims/")] == [
        f"refs/heads/{BRANCH}",
        "refs/heads/main",
    ]
    assert len(ours) == 3
    pull = place.forge().get(1)
    assert (pull.state, pull.head, pull.title, pull.labels) == ("open", BRANCH, "A note", ("notebook",))
    assert list(repo.labels) == (["notebook"] if place.kind == "gitea" else [])  # GitHub makes them itself
    assert [said.body.startswith(announcements.MARKER) for said in pull.comments] == [True]
    known = identity.read(pull.body)
    assert known is not None
    assert (known.verdict, known.head) == ("passed", pull.head_sha)
    assert str(pull.head_sha)[:12] in pull.comments[0].body
    assert place.on_server(BRANCH) == pull.head_sha
    assert len([one for one in repo.statuses if one["sha"] == pull.head_sha]) == 1
    data = place.repository.read(pull.head_sha, NOTEBOOK) or b""
    assert data.count(b"Lower since November.") == 1
    assert data.count(b"And so on.") == (how == "update")
    clean_behind(place.repository, repo.place)


def clean_behind(repository: Repository, server: Path) -> None:
    for folder in (repository.root / ".git", server):
        assert [path for path in folder.rglob("*.lock") if "/refs/remotes/" not in str(path)] == []
        done = subprocess.run(
            ["git", "fsck", "--strict", "--no-dangling"], cwd=folder, capture_output=True, check=False
        )
        assert done.returncode == 0, done.stderr
    assert not (repository.root / ".git" / "nbpr" / "work").exists()
    assert not (repository.root / ".git" / "worktrees").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "how", "whom"),
    [
        ("gitea", "open", "self"),
        ("gitea", "update", "group"),
        pytest.param("github", "open", "group", marks=pytest.mark.soak),
    ],
)
def test_killed_at_some_boundaries(
    files: dict[str, bytes | str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, how: str, whom: str
) -> None:
    names = boundaries(kind, how, files, tmp_path / "count", monkeypatch)
    writes = [at for at, name in enumerate(names, 1) if name.startswith(("after P", "after git push"))]
    assert len(writes) >= (5 if how == "open" else 4), names
    for at in random.Random(f"{kind} {how} {whom}").sample(writes, 1):
        killed_at(kind, how, files, tmp_path / f"at {at}", monkeypatch, at, whom)


@pytest.mark.soak
@pytest.mark.parametrize("whom", ["self", "group"])
@pytest.mark.parametrize(("kind", "how"), [("gitea", "open"), ("gitea", "update"), ("github", "open")])
def test_killed_at_each_boundary(
    files: dict[str, bytes | str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, how: str, whom: str
) -> None:
    names = boundaries(kind, how, files, tmp_path / "count", monkeypatch)
    for at, boundary in enumerate(names, 1):
        try:
            killed_at(kind, how, files, tmp_path / f"at {at}", monkeypatch, at, whom)
        except AssertionError as error:
            raise AssertionError(f"killed {whom} at {at} of {len(names)}, {boundary}") from error
    print(f"{kind} {how} {whom}: killed at {len(names)} boundaries")
