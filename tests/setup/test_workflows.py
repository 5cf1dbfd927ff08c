"""The CI workflows that `init` writes: valid, of one kind, and their steps do what they say."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from nbpr.errors import BadInput
from nbpr.setup import workflows
from tests.conftest import git
from tests.setup.test_setup import notebook, put

ROOT = Path(__file__).parent.parent.parent
FORGES = list(workflows.PLACES)
_EXPRESSION = re.compile(r"\$\{\{ github\.(\w+) \}\}")


def parsed(forge: str) -> dict[Any, Any]:
    import yaml

    found = yaml.safe_load(workflows.text(forge))
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize("forge", FORGES)
def test_they_are_those_of_the_source_tree_and_valid(forge: str) -> None:
    assert workflows.text(forge) == (ROOT / "ci" / f"{forge}.yml").read_bytes()
    found = parsed(forge)
    assert set(found) == {"name", True, "permissions", "jobs"}  # YAML 1.1 reads "on" as true
    assert set(found[True]) == {"push", "pull_request"}
    assert found["permissions"] == {"contents": "read"}
    (job,) = found["jobs"].values()
    assert [set(step) - {"name", "env"} for step in job["steps"]] == [{"run"}] * 4  # no action, which needs Node.js
    assert [step["name"] for step in job["steps"] if "TOKEN" in str(step)] == ["Check out"]
    assert f"--ci {forge}`".encode() in workflows.text(forge)


def test_they_differ_in_the_runner_alone() -> None:
    texts = {forge: workflows.text(forge).decode() for forge in FORGES}
    same = {re.sub(r"--ci \w+|runs-on: [\w-]+", "", text) for text in texts.values()}
    assert len(same) == 1


def test_a_forge_that_there_is_not() -> None:
    with pytest.raises(BadInput, match="no workflow for 'x'"):
        workflows.place("x")


@pytest.fixture
def remote(repository: Path) -> Path:
    """A repository that a runner can fetch from, with a notebook that is sound and a run."""
    put(repository, "analysis/a b.ipynb", notebook("1 + 1", outputs=[], execution_count=None))
    put(repository, "runs/c.ipynb", notebook())
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "one")
    return repository


def environment(home: Path) -> dict[str, str]:
    """What a job in a container has: a home, git, and Python with nbpr in it; installing does nothing."""
    programs = home / "bin"
    programs.mkdir(parents=True)
    python = programs / "python"
    python.write_text(f'#!/bin/sh\n[ "$2" = pip ] && exit 0\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    (programs / "nbpr").symlink_to(Path(sys.executable).parent / "nbpr")
    return {
        "PATH": f"{programs}:{os.defpath}:{Path(str(shutil.which('git'))).parent}",
        "HOME": str(home),
        "LC_ALL": "C.UTF-8",
    }


def run(forge: str, remote: Path, folder: Path) -> list[tuple[str, int, str]]:
    """Each step that was taken, its exit code and what it said; after one that fails no more are."""
    context = {
        "server_url": remote.parent.as_uri(),
        "repository": remote.name,
        "sha": git(remote, "rev-parse", "HEAD"),
        "ref": "refs/heads/main",
        "token": "a-token",
    }
    job = parsed(forge)["jobs"]["nbpr"]
    (folder / "work").mkdir(parents=True)
    base = environment(folder / "home")
    taken = []
    for step in job["steps"]:
        given = {**job["env"], **step.get("env", {})}
        own = {
            key: re.sub(r"\$\{\{ github\.(\w+) \}\}", lambda m: context[m[1]], value) for key, value in given.items()
        }
        done = subprocess.run(
            ["sh", "-e", "-c", step["run"]], cwd=folder / "work", env={**base, **own}, capture_output=True, check=False
        )
        taken.append((step["name"], done.returncode, (done.stdout + done.stderr).decode()))
        if done.returncode:
            break
    return taken


@pytest.mark.slow
@pytest.mark.kernel
def test_its_steps_pass_where_all_is_well(remote: Path, tmp_path: Path) -> None:
    taken = run("gitea", remote, tmp_path / "job")
    assert [(name, code) for name, code, _ in taken] == [
        ("Check out", 0),
        ("Install", 0),
        ("Check", 0),
        ("Validate", 0),
    ], taken
    assert (tmp_path / "job/work/analysis/a b.ipynb").exists()
    assert "a-token" not in (tmp_path / "job/work/.git/config").read_text()


@pytest.mark.slow
def test_outputs_in_a_commit_fail_it(remote: Path, tmp_path: Path) -> None:
    put(remote, "analysis/unclean.ipynb", notebook())
    git(remote, "add", "-A")
    git(remote, "commit", "-qm", "two")
    *_, (name, code, said) = run("github", remote, tmp_path / "job")
    assert name == "Check"
    assert code != 0
    assert "analysis/unclean.ipynb" in said


@pytest.mark.slow
def test_nothing_to_check_is_well(repository: Path, tmp_path: Path) -> None:
    put(repository, "README.md", b"text\n")
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "one")
    assert [code for _, code, _ in run("forgejo", repository, tmp_path / "job")] == [0, 0, 0, 0]
