"""Random histories of a person and nbpr on one branch: no commit of the person's is lost, nothing is forced."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from nbpr import config, pulls
from nbpr.engines import Executed, Ready, Request
from nbpr.errors import Conflict
from nbpr.git.repository import Repository
from tests import projects
from tests.conftest import git
from tests.projects import NOTEBOOK

pytestmark = pytest.mark.slow


class History:
    """A project, the person's clone of it, and what both do to each other."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.chance = random.Random(seed)
        self.project = projects.make(folder)
        self.theirs = projects.clone(self.project, folder, "Bob")
        self.log: list[str] = []
        self.stops: list[str] = []

    # -- nbpr ----------------------------------------------------------------------------------------------

    def propose(self) -> None:
        """Propose one of a few notes under one of a few titles, and look at what became of every branch."""
        number = self.chance.randrange(3)
        edits = [{"op": "insert", "at": "end", "cell_type": "markdown", "source": f"note {number}"}]
        if self.chance.random() < 0.3:
            edits.append({"op": "replace", "cell": "story", "source": f"# Story {self.chance.randrange(2)}"})
        title = self.chance.choice(["Note it", "Note it again"])
        before = self.heads()
        options = {"refresh": self.chance.random() < 0.3, "reopen": self.chance.random() < 0.3}
        self.log.append(f"propose {number} {title!r} {options}")
        try:
            made = projects.propose(Repository.discover(self.project.root), *edits, title=title, **options)
            self.log.append(f"  {made['operation']} {made['branch']}")
        except Conflict as conflict:
            self.stops.append(conflict.message)
            self.log.append(f"  stopped: {conflict.message}")
        assert not any("kept pushing" in stop for stop in self.stops), "nobody else is at it"
        self.check(before)

    def check(self, before: dict[str, str]) -> None:
        """Every branch that was there still holds what it held, and one pull request is open for a branch."""
        after = self.heads()
        remote = self.remote
        for branch, old in before.items():
            assert branch in after, f"{branch} is gone"
            git(remote, "merge-base", "--is-ancestor", old, after[branch])
        opened = self.opened()
        assert len(opened) == len(set(opened))
        git(remote, "fsck", "--strict", "--no-dangling")

    def opened(self) -> list[str]:
        """The branches of the open pull requests."""
        session = pulls.connect(Repository.discover(self.project.root), config.load(self.project.root, environ={}))
        return [pull.head for pull in session.forge.find()]

    # -- the person ----------------------------------------------------------------------------------------

    @property
    def remote(self) -> Path:
        return Path(self.project.remote_url("origin"))

    def heads(self) -> dict[str, str]:
        listed = git(self.remote, "for-each-ref", "--format=%(refname:short) %(objectname)", "refs/heads")
        return dict(line.split() for line in listed.splitlines())

    def on(self, branch: str) -> None:
        git(self.theirs, "fetch", "-q", "--prune", "origin")
        git(self.theirs, "checkout", "-q", "-B", branch, f"origin/{branch}")

    def some_branch(self) -> str | None:
        names = [name for name in self.heads() if name != "main"]
        return self.chance.choice(names) if names else None

    def write(self) -> None:
        """Change a cell, or another file."""
        if self.chance.random() < 0.5:
            (self.theirs / f"file{self.chance.randrange(3)}.txt").write_text(f"{self.chance.random()}\n")
        else:
            place = self.theirs / NOTEBOOK
            old, new = self.chance.choice(
                [("agents = 24", "agents = 25"), ("How many", "Just how many"), ("# Health", "#")]
            )
            place.write_text(place.read_text().replace(old, new))
        git(self.theirs, "add", "-A")
        git(self.theirs, "commit", "-q", "--allow-empty", "-m", "by hand")

    def give_up(self, verb: str) -> None:
        """What cannot be merged is left; what git refused from the start, as unrelated histories, needs no abort."""
        self.project.run(verb, "--abort", cwd=self.theirs, accept=(0, 128))

    def commit(self, branch: str) -> None:
        self.on(branch)
        self.write()
        git(self.theirs, "push", "-q", "origin", branch)

    def amend(self, branch: str) -> None:
        self.on(branch)
        git(self.theirs, "commit", "-q", "--amend", "--allow-empty", "-m", f"amended {self.chance.random()}")
        git(self.theirs, "push", "-q", "--force", "origin", branch)

    def squash(self, branch: str) -> None:
        self.on(branch)
        found = self.project.run("merge-base", "origin/main", "HEAD", cwd=self.theirs, accept=(0, 1)).text
        # Where base was rewritten from its first commit on, there is none.
        base = found or git(self.theirs, "rev-list", "--max-parents=0", "HEAD").splitlines()[0]
        git(self.theirs, "reset", "-q", "--soft", base)
        git(self.theirs, "commit", "-q", "--allow-empty", "-m", "all in one")
        git(self.theirs, "push", "-q", "--force", "origin", branch)

    def rebase(self, branch: str) -> None:
        self.on(branch)
        done = self.project.run("rebase", "-q", "origin/main", cwd=self.theirs, accept=(0, 1, 128))
        if done.returncode:
            self.give_up("rebase")
        git(self.theirs, "push", "-q", "--force", "origin", branch)

    def merge_base_in(self, branch: str) -> None:
        self.on(branch)
        done = self.project.run("merge", "-q", "--no-edit", "origin/main", cwd=self.theirs, accept=(0, 1, 128))
        if done.returncode:
            self.give_up("merge")
        git(self.theirs, "push", "-q", "origin", branch)

    def merged(self, branch: str) -> None:
        self.on("main")
        done = self.project.run("merge", "-q", "--no-edit", f"origin/{branch}", cwd=self.theirs, accept=(0, 1, 128))
        if done.returncode:
            self.give_up("merge")
        git(self.theirs, "push", "-q", "origin", "main")

    def delete(self, branch: str) -> None:
        git(self.theirs, "push", "-q", "origin", f":{branch}")

    def move_base(self, _: str) -> None:
        self.commit("main")

    def force_base(self, _: str) -> None:
        self.on("main")
        git(self.theirs, "commit", "-q", "--amend", "--allow-empty", "-m", f"rewritten {self.chance.random()}")
        git(self.theirs, "push", "-q", "--force", "origin", "main")

    def at_the_forge(self, branch: str) -> None:
        """Close, retitle, retarget or mark as a draft what is open for the branch."""
        session = pulls.connect(Repository.discover(self.theirs), config.load(self.theirs, environ={}))
        pull = next((pull for pull in session.forge.find() if pull.head == branch), None)
        if pull is None:
            return
        change = self.chance.choice(["close", "title", "draft", "body"])
        if change == "close":
            session.forge.close(pull)
        else:
            new = {"title": "Retitled", "draft": True, "body": pull.body + "\n\nby hand"}[change]
            session.forge.update(pull, **{change: new})

    def act(self) -> None:
        deeds: list[Callable[[str], None]] = [
            self.commit, self.commit, self.amend, self.squash, self.rebase, self.merge_base_in, self.merged,
            self.delete, self.move_base, self.force_base, self.at_the_forge, self.at_the_forge,
        ]  # fmt: skip
        deed, branch = self.chance.choice(deeds), self.some_branch()
        if branch is not None:
            self.log.append(f"{deed.__name__} {branch}")
            deed(branch)


def lived(folder: Path, seed: int, length: int, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Live through one history; what nbpr stopped with."""
    history = History(folder, seed)
    try:
        for _ in range(length):
            history.propose()
            history.act()
        history.propose()
    except Exception as error:
        raise AssertionError(f"seed {seed}:\n" + "\n".join(history.log)) from error
    for message in history.stops:
        assert any(word in message for word in ("branch", "cell", "agent/", NOTEBOOK, "#", ".txt")), message
    shutil.rmtree(folder)
    return history.stops


@dataclass(frozen=True)
class Waiting:
    """A run that needs no kernel to be over."""

    request: Request

    def run(self, *_: object) -> Executed:
        nb = {**self.request.source, "cells": [dict(cell) for cell in self.request.source["cells"]]}
        return Executed("success", None, None, None, nb, 3, 0.1, "2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z")

    def end(self) -> None:
        """There is nothing."""


@pytest.fixture
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs that cost nothing: what is tried here is whose commits stay, not what notebooks do."""
    from nbpr.engines.papermill import Papermill

    @contextmanager
    def ready(self: Papermill, request: Request) -> Iterator[Ready]:
        yield Waiting(request)

    monkeypatch.setattr(Papermill, "ready", ready)
    monkeypatch.setenv("NBPR_REPRODUCE", "false")
    monkeypatch.setattr("nbpr.proposals.proofs._Proving._changed_results", lambda *_: iter(()))
    load = config.load
    monkeypatch.setattr(config, "load", lambda *a, **k: load(*a, **{**k, "environ": {"NBPR_REPRODUCE": "false"}}))


@pytest.mark.usefixtures("_quick")
@pytest.mark.parametrize("seed", range(2))
def test_some_random_histories(tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    lived(tmp_path / "project", seed, 6, monkeypatch)


@pytest.mark.soak
@pytest.mark.usefixtures("_quick")
@pytest.mark.parametrize("share", range(20))
def test_a_thousand_random_histories(tmp_path: Path, share: int, monkeypatch: pytest.MonkeyPatch) -> None:
    stops = [
        stop
        for seed in range(1000 + 50 * share, 1050 + 50 * share)
        for stop in lived(tmp_path / str(seed), seed, 8, monkeypatch)
    ]
    assert stops
