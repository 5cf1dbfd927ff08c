"""`init --global`: git's own configuration and the user's attributes file, and no repository."""

from __future__ import annotations

from pathlib import Path

import pytest

from nbpr.setup import doctor, drivers, usersetup
from tests.conftest import git
from tests.setup.test_setup import everything, notebook, put, stored

pytestmark = pytest.mark.slow


@pytest.fixture
def home() -> Path:
    return Path.home()


def test_every_repository_is_filtered_and_none_is_touched(home: Path, repository: Path) -> None:
    before = everything(repository)
    result = usersetup.init()
    assert result["configuration"] == str(home / ".gitconfig")
    assert result["attributes"] == str(home / ".config/git/attributes")
    assert result["done"] == [
        *(f"git config --global {name}" for name in drivers.settings()),
        f"{home}/.config/git/attributes: notebooks filtered, runs not",
    ]
    assert everything(repository) == before
    put(repository, "a.ipynb", notebook())
    put(repository, "runs/a.ipynb", notebook())
    git(repository, "add", "-A")
    assert stored(repository, "a.ipynb")["outputs"] == []
    assert stored(repository, "runs/a.ipynb")["outputs"] != []
    assert doctor.doctor(repository)["ok"]
    assert usersetup.init()["done"] == []


def test_outside_of_any_repository(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert usersetup.init(dry_run=True)["done"]
    assert everything(home) == {}
    assert usersetup.init()["done"]


@pytest.mark.parametrize("config", [None, b"[user]\n\tname = Ada\n", b"[core]\n\tattributesFile = ~/own/attributes\n"])
def test_undo_gives_everything_back(config: bytes | None, home: Path) -> None:
    if config is not None:
        put(home, ".gitconfig", config)
        put(home, "own/attributes", b"*.png binary")
    before = everything(home)
    usersetup.init()
    assert everything(home) != before
    assert usersetup.undo()["done"]
    assert everything(home) == before
    assert not (home / ".config").exists()
    assert usersetup.undo()["done"] == []


def test_the_attributes_file_that_git_reads(home: Path, repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(home, ".gitconfig", b"[core]\n\tattributesFile = ~/own/attributes\n")
    assert usersetup.init()["attributes"] == str(home / "own/attributes")
    assert git(repository, "check-attr", "filter", "a.ipynb").endswith(": nbpr")
    usersetup.undo()
    put(home, ".gitconfig", b"")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "xdg"))
    assert usersetup.init()["attributes"] == str(home / "xdg/git/attributes")
    assert git(repository, "check-attr", "filter", "a.ipynb").endswith(": nbpr")


def test_the_configuration_that_git_writes(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(home, ".config/git/config", b"[user]\n\tname = Ada\n")
    assert usersetup.init()["configuration"] == str(home / ".config/git/config")
    assert not (home / ".gitconfig").exists()
    usersetup.undo()
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(home / "other"))
    assert usersetup.init()["configuration"] == str(home / "other")
    assert (home / "other").exists()


def test_a_repository_s_own_settings_go_first(repository: Path) -> None:
    put(repository, ".gitattributes", b"*.ipynb filter=mine\n")
    git(repository, "config", "filter.mine.clean", "cat")
    usersetup.init()
    put(repository, "a.ipynb", notebook())
    git(repository, "add", "-A")
    assert stored(repository, "a.ipynb")["outputs"] != []
