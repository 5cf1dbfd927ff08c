"""`nbpr review` as a command: where the page is written, its JSON, when it is opened."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from nbpr.git.repository import Repository
from tests import projects
from tests.conftest import git
from tests.projects import NOTE, propose

pytestmark = pytest.mark.kernel


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    repository = projects.make(tmp_path_factory.mktemp("review"))
    propose(repository, NOTE, config={"reproduce": False})
    return repository


@pytest.fixture
def opener(tmp_path: Path) -> Path:
    """A folder with programs that stand in for the platform's openers and note what they were given."""
    for name in ("xdg-open", "open"):
        program = tmp_path / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(f'#!/bin/sh\necho "$1" > "{tmp_path}/part" && mv "{tmp_path}/part" "{tmp_path}/opened"\n')
        program.chmod(0o755)
    return tmp_path


def environment(opener: Path) -> dict[str, str]:
    path = f"{opener / 'bin'}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "PATH": path}


def nbpr(cwd: Path, opener: Path, *words: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "nbpr", "review", *words]
    return subprocess.run(argv, cwd=cwd, env=environment(opener), capture_output=True, text=True, check=False)


def test_the_page_is_written_and_its_path_printed(project: Repository, opener: Path) -> None:
    done = nbpr(project.root, opener, "1")
    assert (done.returncode, done.stderr) == (0, "")
    assert Path(done.stdout.strip()) == project.own_dir / "review" / "1.html"
    assert not (opener / "opened").exists()  # this is no terminal


def test_json_and_another_place(project: Repository, opener: Path) -> None:
    page = opener / "a page.html"
    done = nbpr(project.root, opener, "1", "--output", str(page), "--json")
    answer = json.loads(done.stdout)
    assert answer["review_page"] == str(page)
    assert answer["pull_request"]["number"] == 1
    assert answer["opened"] is False
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert page.stat().st_mode & 0o777 == 0o666 & ~_umask()


def _umask() -> int:
    found = os.umask(0)
    os.umask(found)
    return found


def test_the_checkout_stays_as_it_was(project: Repository, opener: Path) -> None:
    before = projects.state(project.root)
    assert nbpr(project.root, opener, "1").returncode == 0
    assert projects.state(project.root) == before
    assert git(project.root, "status", "--porcelain") == ""


@pytest.mark.parametrize(("words", "opened"), [((), True), (("--no-open",), False)])
def test_on_a_terminal_it_is_opened(project: Repository, opener: Path, words: tuple[str, ...], opened: bool) -> None:
    ours, theirs = pty.openpty()
    argv = [sys.executable, "-m", "nbpr", "review", "1", *words]
    done = subprocess.run(argv, cwd=project.root, env=environment(opener), stdout=theirs, stderr=theirs, check=False)
    os.close(theirs)
    os.close(ours)
    assert done.returncode == 0
    for _ in range(100):
        if not opened or (opener / "opened").exists():
            break
        subprocess.run(["sleep", "0.1"], check=True)
    assert (opener / "opened").exists() == opened
    if opened:
        assert Path((opener / "opened").read_text().strip()) == project.own_dir / "review" / "1.html"


def test_no_such_pull_request(project: Repository, opener: Path) -> None:
    done = nbpr(project.root, opener, "99")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
