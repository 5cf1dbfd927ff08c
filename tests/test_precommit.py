"""The hooks for pre-commit, under the real program and from a clone of this repository."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import git
from tests.projects import write
from tests.setup.test_hooks import CLEAN, DIRTY, LEAKING, NB, OTHER, TOKEN

ROOT = Path(__file__).parent.parent
PRE_COMMIT = Path(sys.executable).parent / "pre-commit"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not PRE_COMMIT.exists(), reason="pre-commit is not installed"),
]


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with this one's files as they stand, changes that are not committed included."""
    root = tmp_path_factory.mktemp("clone")
    words = ("ls-files", "-z", "--cached", "--others", "--exclude-standard")
    for name in git(ROOT, *words).split("\0"):
        if name and (ROOT / name).is_file():
            write(root, {name: (ROOT / name).read_bytes()})
    git(root, "init", "-q", "-b", "main")
    for setting in ("user.name=Ada", "user.email=ada@example.org"):
        git(root, "config", *setting.split("="))
    git(root, "add", "-A")
    git(root, "commit", "-qm", "one")
    return root


class Project:
    """A repository with pre-commit's hooks, and a cache for it that all tests share."""

    def __init__(self, root: Path, cache: Path, path: str) -> None:
        self.root = root
        self._environ = {**os.environ, "PRE_COMMIT_HOME": str(cache), "PATH": path, "COLUMNS": "200"}

    def run(self, *words: str | Path) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            words, cwd=self.root, capture_output=True, text=True, check=False, env=self._environ, errors="replace"
        )
        assert "An unexpected error" not in done.stdout, done.stdout
        return done

    def stage(self, data: bytes, path: str = NB) -> None:
        write(self.root, {path: data})
        git(self.root, "add", path)


def project(clone: Path, root: Path, cache: Path, *, language: str | None) -> Project:
    """A repository that takes the hooks from the clone; with a `language` they are not installed but run from here."""
    root.mkdir()
    git(root, "init", "-q", "-b", "main")
    for setting in ("user.name=Ada", "user.email=ada@example.org"):
        git(root, "config", *setting.split("="))
    own = f", language: {language}" if language else ""
    hooks = "".join(f"  - {{id: {name}{own}}}\n" for name in ("nbpr-clean", "nbpr-check", "nbpr-check-push"))
    sha = git(clone, "rev-parse", "HEAD")
    config = f"repos:\n- repo: {clone.as_uri()}\n  rev: {sha}\n  hooks:\n{hooks}"
    write(root, {".pre-commit-config.yaml": config, "README": "x"})
    git(root, "add", "-A")
    git(root, "commit", "-qm", "zero")
    folder = root.parent / "bin"
    write(folder, {"nbpr": f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" -m nbpr "$@"\n'})
    (folder / "nbpr").chmod(0o755)
    path = f"{folder}{os.pathsep}{os.environ['PATH']}" if language else os.environ["PATH"]
    made = Project(root, cache, path)
    assert made.run(PRE_COMMIT, "install", "-t", "pre-commit", "-t", "pre-push").returncode == 0
    return made


@pytest.fixture
def here(clone: Path, tmp_path: Path) -> Project:
    return project(clone, tmp_path / "a project", tmp_path / "cache", language="system")


def test_what_is_dirty_is_mended_and_the_commit_fails_once(here: Project) -> None:
    here.stage(DIRTY)
    done = here.run("git", "commit", "-m", "one")
    assert done.returncode == 1
    assert "files were modified by this hook" in done.stderr
    assert (here.root / NB).read_bytes() == CLEAN
    git(here.root, "add", NB)
    assert here.run("git", "commit", "-m", "one").returncode == 0
    assert git(here.root, "status", "--porcelain") == ""


def test_with_partial_staging_nothing_is_lost(here: Project) -> None:
    here.stage(OTHER)
    write(here.root, {NB: LEAKING})
    assert here.run("git", "commit", "-m", "one").returncode == 0
    assert (here.root / NB).read_bytes() == LEAKING
    here.stage(DIRTY)
    unstaged = DIRTY.replace(b'"1\\n"', b'"2\\n"')
    write(here.root, {NB: unstaged})
    done = here.run("git", "commit", "-m", "two")
    assert done.returncode == 1
    assert (here.root / NB).read_bytes() == unstaged
    assert git(here.root, "cat-file", "blob", f":{NB}").encode() + b"\n" == DIRTY
    words = [sys.executable, "-m", "nbpr", "check", "--staged", "--fix"]
    assert subprocess.run(words, cwd=here.root, capture_output=True, check=False).returncode == 1
    done = here.run("git", "commit", "-m", "two")
    assert (done.returncode, (here.root / NB).read_bytes()) == (0, unstaged), done.stderr


def test_a_credential_stops_the_commit_and_is_not_repeated(here: Project) -> None:
    here.stage(LEAKING)
    done = here.run("git", "commit", "-m", "one")
    assert done.returncode == 1
    assert f"{NB}: secrets: cell 0, its source, line 1: a GitHub token" in done.stderr
    assert TOKEN not in done.stdout + done.stderr


def test_other_files_start_nothing_and_all_files_are_looked_at_on_request(here: Project) -> None:
    write(here.root, {"README": "y"})
    assert "no files to check" in here.run("git", "commit", "-am", "one").stderr
    here.stage(LEAKING)
    git(here.root, "commit", "-qm", "two", "--no-verify")
    done = here.run(PRE_COMMIT, "run", "--all-files")
    assert (done.returncode, "a GitHub token" in done.stdout) == (1, True)


def test_a_push_is_stopped_for_what_is_in_its_history(here: Project) -> None:
    git(here.root.parent, "init", "-q", "--bare", "remote.git")
    git(here.root, "remote", "add", "origin", "../remote.git")
    here.stage(CLEAN)
    git(here.root, "commit", "-qm", "one", "--no-verify")
    assert here.run("git", "push", "origin", "main").returncode == 0  # a root commit: pre-commit names no ids
    for data in (LEAKING, OTHER):
        here.stage(data)
        git(here.root, "commit", "-qm", "two", "--no-verify")
    done = here.run("git", "push", "origin", "main")
    assert (done.returncode, "a GitHub token" in done.stdout + done.stderr) == (1, True)
    done = here.run("git", "push", "origin", "main:new")
    assert (done.returncode, "a GitHub token" in done.stdout + done.stderr) == (1, True)


@pytest.mark.timeout(600)
def test_installed_by_pre_commit_itself_it_works(clone: Path, tmp_path: Path) -> None:
    """Takes some ten seconds of processor time, and what the package index takes."""
    installed = project(clone, tmp_path / "a project", tmp_path / "cache", language=None)
    done = installed.run(PRE_COMMIT, "install-hooks")
    assert done.returncode == 0, done.stdout
    installed.stage(LEAKING)
    done = installed.run("git", "commit", "-m", "one")
    assert (done.returncode, "a GitHub token" in done.stderr) == (1, True), done.stderr
    installed.stage(CLEAN)
    done = installed.run("git", "commit", "-m", "one")
    assert done.returncode == 0, done.stderr
    found = next((tmp_path / "cache").glob("repo*/py_env-*/bin/nbpr"))
    assert not list(found.parent.parent.glob("lib/*/site-packages/papermill"))
