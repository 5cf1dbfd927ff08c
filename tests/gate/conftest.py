"""A project of five notebooks on a bare remote, whose reference runs were made once, for all tests of the gate."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from nbpr.git.repository import Repository
from tests.conftest import git
from tests.gate import workshop


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the checkout, its remote, a home and a cache, in which runs of the same are found again."""
    return workshop.make(tmp_path_factory.mktemp("workshop"))


@pytest.fixture
def project(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    """A copy of the project, on a branch `topic`; runs that were made in another copy are proven here too."""
    monkeypatch.setenv("HOME", str(made / "home"))
    monkeypatch.setenv("NBPR_CACHE_DIR", str(made / "cache"))
    monkeypatch.setenv("MPLCONFIGDIR", str(made / "home/mpl"))  # kernels have it, so runs hang on it
    shutil.copytree(made / "remote.git", tmp_path / "remote.git")
    root = tmp_path / "checkout"
    git(tmp_path, "clone", "-q", str(tmp_path / "remote.git"), str(root))
    git(root, "config", "user.name", "Ada Author")
    git(root, "config", "user.email", "ada@example.org")
    git(root, "switch", "-q", "-c", "topic")
    return Repository.discover(root)
