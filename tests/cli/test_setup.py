"""`nbpr init` and `nbpr doctor` as people and scripts call them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from nbpr.cli.main import run
from tests.conftest import git
from tests.setup.test_setup import UNFILTERED, everything, notebook, put


@pytest.fixture
def here(repository: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(repository)
    return repository


def called(capfd: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    code = run(words)
    return code, capfd.readouterr().out


def as_json(capfd: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, Any]]:
    code, out = called(capfd, *words, "--json")
    return code, json.loads(out)


def test_init_says_what_it_did_and_what_is_next(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    code, out = called(capfd, "init")
    assert code == 0
    assert "done      .gitattributes: notebooks filtered, runs not\n" in out
    assert out.endswith("\nNext:\n  git add .gitattributes runs/.gitignore\n")
    git(here, "add", "-A")
    assert called(capfd, "init") == (0, "Nothing to do: all of it is so already.\n")


def test_init_as_json(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    before = everything(here)
    code, planned = as_json(capfd, "init", "--dry-run")
    assert (code, planned["dry_run"]) == (0, True)
    assert everything(here) == before
    code, result = as_json(capfd, "init")
    assert (code, result["done"]) == (0, planned["done"])
    assert as_json(capfd, "init")[1]["done"] == []
    assert as_json(capfd, "init", "--undo")[1]["done"] != []
    assert everything(here) == before


def test_what_runs_keep(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert called(capfd, "init", "--outputs", "marked")[0] == 0
    assert '\noutputs = "marked"' in (here / "nbpr.toml").read_text()
    code, result = as_json(capfd, "init", "--outputs", "few")
    assert (code, result["error"]["exit_code"]) == (2, 2)


def test_for_all_repositories(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    before = everything(here)
    code, out = called(capfd, "init", "--global")
    assert code == 0
    home = Path.home()
    assert out.endswith(f"\nWritten: {home}/.gitconfig and {home}/.config/git/attributes\n")
    assert called(capfd, "init", "--global") == (0, "Nothing to do: all of it is so already.\n")
    assert everything(here) == before
    assert called(capfd, "init", "--global", "--hooks")[0] == 2
    code, result = as_json(capfd, "init", "--global", "--undo")
    assert (code, result["configuration"]) == (0, f"{home}/.gitconfig")
    assert everything(home) == {}


def test_hooks_and_workflows(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    before = everything(here)
    code, out = called(capfd, "init", "--hooks", "--ci", "gitea", "--ci", "github")
    assert code == 0
    assert "done      pre-commit hook: notebooks are checked\n" in out
    assert out.endswith(" .gitea/workflows/nbpr.yml .github/workflows/nbpr.yml\n")
    hint = as_json(capfd, "init", "--ci", "svn")[1]["error"]["hint"]
    assert hint == "--ci gitea, --ci github, --ci forgejo, --ci gitlab, --ci gitea-single, --ci forgejo-single"
    assert called(capfd, "init", "--undo")[0] == 0
    assert everything(here) == before


def test_doctor_mends(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    called(capfd, "init")
    put(here, "notebooks/a.ipynb", notebook(outputs=[], execution_count=None))
    git(here, "add", "-A")
    git(here, "commit", "-qm", "one")
    put(here, "notebooks/a.ipynb", notebook())
    assert "but cleaned it is what is in the index" in " ".join(called(capfd, "doctor")[1].split())
    code, out = called(capfd, "doctor", "--fix")
    assert code == 0
    assert out.startswith("mended    notebooks/a.ipynb is no longer called modified\n")
    assert git(here, "status", "--porcelain") == ""


def test_doctor_says_what_is_well_and_what_is_not(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    code, out = called(capfd, "doctor")
    assert code == 1
    assert re.search(r"^ok        git is new enough$", out, re.MULTILINE)
    assert "error     notebooks/example.ipynb: no filter cleans it\n          nbpr init\n" in out
    assert out.endswith("\n2 to mend.\n")
    called(capfd, "init")
    code, out = called(capfd, "doctor")
    assert (code, out.splitlines()[-1]) == (0, "All is well.")


def test_doctor_as_json(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    code, result = as_json(capfd, "doctor")
    assert (code, result["ok"]) == (1, False)
    assert set(result["findings"][0]) == {"check", "level", "path", "cell_id", "message", "hint"}


def test_names_of_files_are_not_obeyed(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    called(capfd, "init")
    put(here, "notebooks/\x1b[2J\u202e.ipynb", notebook())
    git(here, *UNFILTERED, "add", "-A")
    code, out = called(capfd, "doctor")
    assert code == 1
    assert "\x1b" not in out
    assert "\u202e" not in out


@pytest.mark.parametrize("command", ["init", "doctor"])
def test_outside_of_a_repository(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run([command]) == 2
    said = capfd.readouterr()
    assert said.out == ""
    assert "not in a git repository" in said.err
