"""Killed at any boundary or moment, and started again: one pull request, nothing lost, nothing left."""

from __future__ import annotations

import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from nbpr import config, pulls
from nbpr.git.repository import Repository
from tests import projects
from tests.conftest import git
from tests.projects import NOTE, NOTEBOOK, RUN

ROOT = Path(__file__).parent.parent
PROPOSE = ("propose", NOTEBOOK, "--edits", "edits.json", "--title", "A note", "--json")
MERGE = ("pulls", "merge", "1", "--json")
REFRESH = (*PROPOSE, "--refresh")
SYNC = ("sync", "--json")


@dataclass(frozen=True)
class Case:
    """A command to be killed: what is there before, and what must hold after it was run again.

    `keeps`: whether the user's checkout stays as it was.
    """

    words: tuple[str, ...]
    prepare: Callable[[Repository], object]
    holds: Callable[[Repository], None]
    keeps: bool = True


def start(
    root: Path, at: int, whom: str, words: tuple[str, ...], before: tuple[str, ...] = ()
) -> subprocess.Popen[bytes]:
    argv = [*before, sys.executable, "-m", "tests.killed", str(at), whom, *words]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(argv, cwd=root, env=env, start_new_session=True, **pipes)  # type: ignore[call-overload,no-any-return]


def finish(root: Path, words: tuple[str, ...]) -> dict[str, object]:
    done = start(root, 0, "self", words)
    out, err = done.communicate(timeout=120)
    assert done.returncode == 0, out.decode() + err.decode()
    found: dict[str, object] = json.loads(out)
    return found


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose reference run is in step, so that a note needs no kernel."""
    from nbpr.runs import runs

    folder = tmp_path_factory.mktemp("template")
    made = projects.make(folder / "first")
    runs.run_notebooks([NOTEBOOK], made.root, config.load(made.root, environ={}))
    run = (made.root / RUN).read_bytes()
    return projects.make(folder / "second", {RUN: run, "edits.json": json.dumps([NOTE])}).root.parent


@pytest.fixture
def project(template: Path, tmp_path: Path) -> Repository:
    return copied(template, tmp_path / "project")


def copied(template: Path, folder: Path) -> Repository:
    shutil.copytree(template, folder, symlinks=True)
    root = folder / "check out"
    git(root, "remote", "set-url", "origin", str(folder / "remote.git"))
    return Repository.discover(root)


def remote(project: Repository) -> Path:
    return project.root.parent / "remote.git"


def nothing(project: Repository) -> None:
    """Nothing needs to be there before."""


def proposed(project: Repository) -> None:
    finish(project.root, PROPOSE)


def base_moved(project: Repository) -> None:
    proposed(project)
    theirs = projects.clone(project, project.root.parent)
    place = theirs / NOTEBOOK
    place.write_text(place.read_text().replace("How many", "Say how many"))
    git(theirs, "commit", "-qam", "meanwhile")
    git(theirs, "push", "-q")
    shutil.rmtree(theirs)


def work_under_way(project: Repository) -> None:
    """Base has moved, and the checkout holds work on the same notebook, a staged file and an untracked one."""
    theirs = projects.clone(project, project.root.parent)
    place = theirs / NOTEBOOK
    place.write_text(place.read_text().replace("How many", "Say how many"))
    projects.write(theirs, {"new/file of theirs.txt": "theirs\n", "README.md": "Better.\n"})
    git(theirs, "rm", "-q", "edits.json")
    git(theirs, "add", "-A")
    git(theirs, "commit", "-qm", "meanwhile")
    git(theirs, "push", "-q")
    shutil.rmtree(theirs)
    mine = project.root / NOTEBOOK
    mine.write_text(mine.read_text().replace("agents = 24", "agents = 25"))
    projects.write(project.root, {"staged.txt": "staged\n", "untracked.txt": "mine\n"})
    git(project.root, "add", "staged.txt")


def synced(project: Repository) -> None:
    root = project.root
    assert git(root, "rev-parse", "HEAD") == git(remote(project), "rev-parse", "main")
    assert git(root, "symbolic-ref", "HEAD") == "refs/heads/main"
    status = git(root, "status", "--porcelain").splitlines()
    assert sorted(line.strip() for line in status) == ["?? untracked.txt", "A  staged.txt", f"M {NOTEBOOK}"]
    text = (root / NOTEBOOK).read_text()
    assert "Say how many" in text
    assert "agents = 25" in text
    assert (root / "README.md").read_text() == "Better.\n"
    assert (root / "new/file of theirs.txt").read_text() == "theirs\n"
    assert not (root / "edits.json").exists()
    assert not (root / ".git" / "index.lock").exists()


def one_open(project: Repository) -> None:
    assert projects.pulls(project) == ["refs/nbpr/pulls/1/meta"]
    branches = git(remote(project), "for-each-ref", "--format=%(refname:short)", "refs/heads")
    assert branches.splitlines() == ["agent/health-a-note", "main"]
    session = pulls.connect(Repository.discover(project.root), config.load(project.root, environ={}))
    pull = session.get(1)
    assert pull.state == "open"
    assert pull.head_sha == git(remote(project), "rev-parse", pull.head)
    nb = projects.on_branch(project, pull.head)
    assert [cell.source for cell in nb.cells].count(str(NOTE["source"])) == 1


def refreshed(project: Repository) -> None:
    one_open(project)
    text = projects.blob(project, "agent/health-a-note", NOTEBOOK).decode()
    assert "Say how many" in text


def merged(project: Repository) -> None:
    session = pulls.connect(Repository.discover(project.root), config.load(project.root, environ={}))
    assert session.get(1).state == "merged"
    assert projects.blob(project, "main", NOTEBOOK).decode().count("Lower since November.") == 1
    assert git(remote(project), "log", "--merges", "--format=%s", "main").splitlines() == [
        "Merge pull request #1 from agent/health-a-note"
    ]


CASES = {
    "propose": Case(PROPOSE, nothing, one_open),
    "merge": Case(MERGE, proposed, merged),
    "refresh": Case(REFRESH, base_moved, refreshed),
    "sync": Case(SYNC, work_under_way, synced, keeps=False),
}


def check(case: Case, project: Repository, before: dict[str, str]) -> None:
    """What must hold after the command was killed and run again."""
    again = finish(project.root, case.words)
    assert "error" not in again
    case.holds(project)
    assert not case.keeps or projects.state(project.root) == before
    for place in (project.root / ".git", remote(project)):
        assert [path for path in place.rglob("*.lock") if "/refs/remotes/" not in str(path)] == []
        done = subprocess.run(["git", "fsck", "--strict", "--no-dangling"], cwd=place, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
    assert not (project.root / ".git" / "nbpr" / "work").exists()
    assert not (project.root / ".git" / "worktrees").exists()


def boundaries(case: Case, template: Path, folder: Path) -> list[str]:
    made = copied(template, folder)
    case.prepare(made)
    done = start(made.root, 0, "self", case.words)
    _, err = done.communicate(timeout=120)
    names = [line for line in err.decode().splitlines() if line.startswith(("before ", "after "))]
    shutil.rmtree(folder)
    assert len(names) > 10
    return names


def killed_at(case: Case, template: Path, folder: Path, at: int, whom: str) -> None:
    project = copied(template, folder)
    case.prepare(project)
    before = projects.state(project.root)
    died = start(project.root, at, whom, case.words)
    died.communicate(timeout=120)
    assert died.returncode == -signal.SIGKILL
    check(case, project, before)
    shutil.rmtree(folder)


@pytest.mark.slow
@pytest.mark.kernel
@pytest.mark.parametrize(("name", "whom"), [*zip(CASES, ["self", "group"] * len(CASES), strict=False)])
def test_killed_at_some_boundaries(template: Path, tmp_path: Path, name: str, whom: str) -> None:
    case = CASES[name]
    count = len(boundaries(case, template, tmp_path / "count"))
    at = count if whom == "group" else random.Random(name).randint(1, count - 1)
    killed_at(case, template, tmp_path / f"at {at}", at, whom)


@pytest.mark.soak
@pytest.mark.kernel
@pytest.mark.parametrize("whom", ["self", "group"])
@pytest.mark.parametrize("name", CASES)
def test_killed_at_each_boundary(template: Path, tmp_path: Path, name: str, whom: str) -> None:
    case = CASES[name]
    for at, boundary in enumerate(boundaries(case, template, tmp_path / "count"), 1):
        try:
            killed_at(case, template, tmp_path / f"at {at}", at, whom)
        except AssertionError as error:
            raise AssertionError(f"killed {whom} at {at}, {boundary}") from error


def killed_at_random(case: Case, template: Path, folder: Path, seed: int) -> bool:
    """Kill at a random moment; whether it died of that."""
    chance = random.Random(seed)
    project = copied(template, folder)
    case.prepare(project)
    before = projects.state(project.root)
    died = start(project.root, 0, "self", case.words)
    time.sleep(chance.uniform(0.05, 1.2))
    if chance.random() < 0.5:
        os.killpg(died.pid, signal.SIGKILL)
    else:
        died.kill()
    died.communicate(timeout=120)
    check(case, project, before)
    shutil.rmtree(folder)
    return died.returncode == -signal.SIGKILL


@pytest.mark.slow
@pytest.mark.kernel
def test_killed_at_some_random_moments(template: Path, tmp_path: Path) -> None:
    died = [killed_at_random(CASES["propose"], template, tmp_path / str(seed), seed) for seed in range(5)]
    assert any(died)


@pytest.mark.soak
@pytest.mark.kernel
@pytest.mark.parametrize("share", range(10))
def test_killed_at_a_thousand_random_moments(template: Path, tmp_path: Path, share: int) -> None:
    names = list(CASES)
    for seed in range(100 * share, 100 * share + 100):
        killed_at_random(CASES[names[seed % len(names)]], template, tmp_path / str(seed), seed)


@pytest.mark.slow
@pytest.mark.kernel
@pytest.mark.skipif(shutil.which("faketime") is None, reason="needs faketime: apt-get install faketime")
@pytest.mark.parametrize(
    ("name", "jump"),
    [
        *(("propose", "+400d"), ("merge", "-400d"), ("sync", "-400d")),
        *(pytest.param(name, "-400d", marks=pytest.mark.soak) for name in ("propose", "refresh")),
    ],
)
def test_a_clock_that_jumps(template: Path, tmp_path: Path, name: str, jump: str) -> None:
    """Killed half-way with the clock more than a year off, and run again with the right one."""
    case, project = CASES[name], copied(template, tmp_path / "project")
    case.prepare(project)
    before = projects.state(project.root)
    at = random.Random(name + jump).randint(5, 25)
    died = start(project.root, at, "self", case.words, ("faketime", "-f", jump))
    died.communicate(timeout=120)
    check(case, project, before)
    late = start(project.root, 0, "self", case.words, ("faketime", "-f", jump))
    out, err = late.communicate(timeout=120)
    assert late.returncode == 0, out.decode() + err.decode()
    case.holds(project)


#: Sizes that are tried only where there is time.
FURTHER = [("propose", 64), ("propose", 4000), ("merge", 0), ("refresh", 0), ("sync", 64)]


@pytest.mark.slow
@pytest.mark.kernel
@pytest.mark.parametrize(
    ("name", "size"),
    [
        *(("propose", size) for size in (0, 700)),
        *(("merge", size) for size in (300,)),
        *(("refresh", size) for size in (700,)),
        *(("sync", size) for size in (0, 700, 4000)),
        *(pytest.param(*each, marks=pytest.mark.soak) for each in FURTHER),
    ],
)
def test_a_disk_that_is_full(template: Path, tmp_path: Path, name: str, size: int) -> None:
    """No file may grow over `size` bytes: the documented exit code, nothing lost, and the next run finishes."""

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    case, project = CASES[name], copied(template, tmp_path / "project")
    case.prepare(project)
    before = projects.state(project.root)
    argv = [sys.executable, "-B", "-m", "nbpr", *case.words]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(argv, cwd=project.root, env=env, capture_output=True, preexec_fn=limit, check=False)
    assert done.returncode in (0, 4, 6), done.stdout.decode() + done.stderr.decode()
    assert b"Traceback" not in done.stderr
    assert size > 700 or done.returncode != 0
    assert not case.keeps or projects.state(project.root) == before
    check(case, project, before)


@pytest.mark.slow
@pytest.mark.kernel
@pytest.mark.skipif(
    os.geteuid() == 0 and not shutil.which("setpriv"), reason="root may write everywhere without setpriv"
)
def test_permission_lost(template: Path, tmp_path: Path) -> None:
    project = copied(template, tmp_path / "project")
    before = projects.state(project.root)
    locked = remote(project) / "refs"
    locked.chmod(0o500)
    # Root goes without what makes it pass over permissions.
    bound = ("setpriv", "--bounding-set", "-dac_override,-dac_read_search") if os.geteuid() == 0 else ()
    done = start(project.root, 0, "self", PROPOSE, bound)
    out, _ = done.communicate(timeout=120)
    locked.chmod(0o700)
    assert json.loads(out)["error"]["exit_code"] in (4, 6), out
    check(CASES["propose"], project, before)


@pytest.mark.slow
@pytest.mark.kernel
@pytest.mark.parametrize("name", [name for name in CASES if name != "sync"])  # which pushes nothing
def test_the_remote_goes_in_the_middle(template: Path, tmp_path: Path, name: str) -> None:
    case, project = CASES[name], copied(template, tmp_path / "project")
    case.prepare(project)
    before = projects.state(project.root)
    hook = remote(project) / "hooks" / "pre-receive"
    hook.write_text("#!/bin/sh\nkill -9 $PPID\n")  # the other side dies when it has everything
    hook.chmod(0o755)
    done = start(project.root, 0, "self", case.words)
    out, _ = done.communicate(timeout=120)
    assert json.loads(out)["error"]["exit_code"] == 6, out
    hook.unlink()
    check(case, project, before)


class TestCrowds:
    def crowd(self, projects_: list[Repository], commands: list[tuple[str, ...]]) -> list[dict[str, object]]:
        started = [
            start(projects_[number % len(projects_)].root, 0, "self", words) for number, words in enumerate(commands)
        ]
        found = []
        for process in started:
            out, err = process.communicate(timeout=280)
            assert process.returncode == 0, out.decode() + err.decode()
            found.append(json.loads(out))
        return found

    @pytest.mark.slow
    @pytest.mark.kernel
    @pytest.mark.parametrize("clones", [1, 2])
    def test_twenty_at_once_on_one_branch(self, project: Repository, clones: int) -> None:
        places = [project, *self.others(project, clones - 1)]
        commands = [(*PROPOSE[:5], f"A note, take {number}", "--json") for number in range(20)]
        made = self.crowd(places, commands)
        assert projects.pulls(project) == ["refs/nbpr/pulls/1/meta"]
        assert sorted(str(one["operation"]) for one in made) == ["created"] + ["unchanged"] * 19
        assert len({str(one["head_sha"]) for one in made}) == 1

    @pytest.mark.slow
    @pytest.mark.kernel
    @pytest.mark.parametrize(
        ("count", "clones"), [(5, 2), *(pytest.param(20, clones, marks=pytest.mark.soak) for clones in (1, 2))]
    )
    def test_many_at_once_on_as_many_branches(self, project: Repository, count: int, clones: int) -> None:
        places = [project, *self.others(project, clones - 1)]
        commands = [(*PROPOSE, "--agent", f"agent {number}") for number in range(count)]
        made = self.crowd(places, commands)
        numbers = sorted(one["pull_request"]["number"] for one in made)  # type: ignore[index]
        assert numbers == list(range(1, count + 1))
        assert len({str(one["branch"]) for one in made}) == count

    def others(self, project: Repository, count: int) -> list[Repository]:
        found = []
        for number in range(count):
            root = projects.clone(project, project.root.parent, f"clone{number}")
            git(root, "config", "user.name", "Ada Author")
            git(root, "config", "user.email", "ada@example.org")
            found.append(Repository.discover(root))
        return found
