"""`nbpr check` as people call it."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from nbpr.cli.main import run
from tests.conftest import git
from tests.projects import cell, dumped, write

Output = pytest.CaptureFixture[str]
NB = "notebooks/nb.ipynb"
TOKEN = "gh" + "p_" + "a1B2c3D4e5F6" * 3
OUTPUT = [{"name": "stdout", "output_type": "stream", "text": ["1\n"]}]
CLEAN = dumped([cell("a", "code", "print(1)")])
DIRTY = dumped([cell("a", "code", "print(1)", outputs=OUTPUT)])
LEAKING = dumped([cell("a", "code", f"token = '{TOKEN}'")])


@pytest.fixture
def here(repository: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write(repository, {NB: DIRTY, "notebooks/ok.ipynb": CLEAN})
    monkeypatch.chdir(repository)
    monkeypatch.setenv("COLUMNS", "80")
    return repository


def test_for_people(here: Path, capfd: Output) -> None:
    write(here, {"notebooks/leak.ipynb": LEAKING})
    assert run(["check"]) == 1
    said = capfd.readouterr()
    lines = said.out.splitlines()
    assert lines[0] == "error     notebooks/leak.ipynb: secrets: cell 0, its source, line 1: a GitHub"
    assert lines[-2:] == ["          nbpr clean notebooks/nb.ipynb", "2 errors in 3 notebooks"]
    assert max(map(len, lines)) <= 80
    assert TOKEN not in said.out + said.err
    assert "\x1b" not in said.out


def test_as_json(here: Path, capfd: Output) -> None:
    assert run(["check", NB, "--json"]) == 1
    found = json.loads(capfd.readouterr().out)
    assert found["ok"] is False
    assert found["mended"] == []
    assert found["notebooks"] == 1
    assert found["findings"] == [
        {
            "check": "clean",
            "level": "error",
            "path": NB,
            "message": "outputs in 1 cell",
            "cell_id": "a",
            "hint": f"nbpr clean {NB}",
        }
    ]
    assert run(["check", "notebooks/ok.ipynb", "--json"]) == 0
    assert json.loads(capfd.readouterr().out) == {"ok": True, "findings": [], "mended": [], "notebooks": 1}


def test_mending(here: Path, capfd: Output) -> None:
    assert run(["check", "--fix"]) == 0
    assert capfd.readouterr().out == f"mended    {NB}\n2 notebooks checked\n"
    assert (here / NB).read_bytes() == CLEAN
    assert run(["check", "--fix"]) == 0
    assert capfd.readouterr().out == "2 notebooks checked\n"


def test_what_is_staged(here: Path, capfd: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PRE_COMMIT", raising=False)
    git(here, "add", "-A")
    write(here, {NB: LEAKING})
    monkeypatch.chdir(here / "notebooks")
    assert run(["check", "--staged", "nb.ipynb"]) == 1
    assert f"error     {NB}: clean: outputs in 1 cell (cell a)\n" in capfd.readouterr().out
    assert run(["check", "--staged", "--fix", "--json"]) == 1
    assert json.loads(capfd.readouterr().out) == {"ok": False, "findings": [], "mended": [NB], "notebooks": 2}
    assert run(["check", "--staged", "--fix"]) == 0
    assert (here / NB).read_bytes() == LEAKING


def test_what_is_pushed(here: Path, capfd: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PRE_COMMIT_FROM_REF", "PRE_COMMIT_TO_REF", "PRE_COMMIT_LOCAL_BRANCH", "PRE_COMMIT_REMOTE_NAME"):
        monkeypatch.delenv(name, raising=False)
    write(here, {NB: LEAKING})
    git(here, "add", "-A")
    git(here, "commit", "-qm", "one")
    assert run(["check", "--pushed", "--json"]) == 1
    assert [each["check"] for each in json.loads(capfd.readouterr().out)["findings"]] == ["secrets"]
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"(delete) {'0' * 40} refs/heads/x {'0' * 40}\n"))
    assert run(["check", "--pushed", "--remote", "origin", "-"]) == 0
    assert capfd.readouterr().out == "0 notebooks checked\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--only", "execute"], "--only execute: no such check"),
        (["--pushed", "--staged"], "--pushed looks at commits"),
        (["--pushed", NB], "--pushed looks at commits"),
        (["--pushed", "--fix", "-"], "--pushed looks at commits"),
        (["../elsewhere.ipynb", NB], "not in"),
        (["--staged", "../elsewhere.ipynb"], "outside the repository"),
    ],
)
def test_bad_use_is_one_line(here: Path, words: list[str], said: str, capfd: Output) -> None:
    if words[-1] == NB and "elsewhere" in words[0]:
        words = [words[-1], words[0]]
    assert run(["check", *words]) == 2
    assert said in capfd.readouterr().err
    assert (here / NB).read_bytes() == DIRTY


def test_outside_of_a_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Output) -> None:
    write(tmp_path, {NB: DIRTY})
    monkeypatch.chdir(tmp_path)
    assert run(["check"]) == 1
    assert "1 error in 1 notebook\n" in capfd.readouterr().out
    for option in ("--staged", "--pushed"):
        assert run(["check", option]) == 2
        assert "not in a git repository" in capfd.readouterr().err


def test_names_that_no_terminal_should_obey_are_spelled_out(here: Path, capfd: Output) -> None:
    name = "notebooks/\x1b[31mred\u202e.ipynb"
    write(here, {name: DIRTY})
    assert run(["check", name]) == 1
    assert "\x1b" not in capfd.readouterr().out
    assert run(["check", name, "--json"]) == 1
    assert json.loads(capfd.readouterr().out)["findings"][0]["path"] == name


def test_a_name_that_is_not_utf8(here: Path, capfd: Output) -> None:
    name = b"notebooks/\xff.ipynb".decode(errors="surrogateescape")
    write(here, {name: LEAKING})
    git(here, "add", "-A")
    for words in ([], ["--staged"], [name]):
        assert run(["check", *words]) == 1
        assert "secrets" in capfd.readouterr().out
        assert run(["check", "--json", *words]) == 1
        json.loads(capfd.readouterr().out)


def test_looking_for_credentials_alone_imports_no_nbformat(here: Path) -> None:
    code = (
        "import sys; from nbpr.cli.main import run; run(['check', '--staged', '--only', 'secrets']);"
        "print([m for m in ('nbformat', 'nbdime', 'git', 'papermill', 'rich', 'yaml') if m in sys.modules])"
    )
    git(here, "add", "-A")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=here)
    assert done.stdout.splitlines() == ["2 notebooks checked", "[]"]
