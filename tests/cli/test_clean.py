"""`nbpr clean` as people call it, and in nbstripout's place."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from nbpr.cli.main import run
from tests.test_filters import DIRTY, clean_text, text_of

Output = pytest.CaptureFixture[bytes]


@pytest.fixture
def dirty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "nb.ipynb"
    path.write_bytes(text_of(DIRTY))
    return path


@pytest.fixture
def piped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text_of(DIRTY))))


def test_files_are_cleaned_in_place(dirty: Path, capfdbinary: Output) -> None:
    assert run(["clean", "nb.ipynb"]) == 0
    assert dirty.read_bytes() == clean_text(DIRTY)
    assert capfdbinary.readouterr() == (b"", b"cleaned nb.ipynb\n")
    assert run(["clean", "nb.ipynb"]) == 0
    assert capfdbinary.readouterr() == (b"", b"clean already: 1 notebook\n")


@pytest.mark.parametrize("option", ["--check", "--verify", "--dry-run", "-n"])
def test_saying_only(option: str, dirty: Path, capfdbinary: Output) -> None:
    assert run(["clean", option, "nb.ipynb"]) == (1 if option in ("--check", "--verify") else 0)
    said = b"not clean: nb.ipynb\n" if option == "--check" else b"Dry run: would have stripped nb.ipynb\n"
    assert capfdbinary.readouterr().out == said
    assert dirty.read_bytes() == text_of(DIRTY)
    dirty.write_bytes(clean_text(DIRTY))
    assert run(["clean", option, "nb.ipynb"]) == 0


def test_as_json(dirty: Path, capfdbinary: Output) -> None:
    (dirty.parent / "other.ipynb").write_bytes(clean_text(DIRTY))
    assert run(["clean", "--json", "nb.ipynb", "other.ipynb"]) == 0
    assert json.loads(capfdbinary.readouterr().out) == {
        "files": [{"path": "nb.ipynb", "changed": True}, {"path": "other.ipynb", "changed": False}]
    }
    assert run(["clean", "--json", "--check", "nb.ipynb"]) == 0
    assert json.loads(capfdbinary.readouterr().out) == {"files": [{"path": "nb.ipynb", "changed": False}]}


@pytest.mark.usefixtures("piped")
@pytest.mark.parametrize("words", [[], ["-"]])
def test_stdin_to_stdout(words: list[str], capfdbinary: Output) -> None:
    assert run(["clean", *words]) == 0
    assert capfdbinary.readouterr().out == clean_text(DIRTY)


@pytest.mark.usefixtures("piped")
def test_saying_only_of_stdin_as_nbstripout_does(capfdbinary: Output) -> None:
    assert run(["clean", "--verify"]) == 1
    assert capfdbinary.readouterr().out == b"Dry run: would have stripped input from stdin\n"


@pytest.mark.usefixtures("piped")
def test_saying_only_of_stdin(capfdbinary: Output) -> None:
    assert run(["clean", "--check", "--json"]) == 1
    assert json.loads(capfdbinary.readouterr().out) == {"files": [{"path": "-", "changed": True}]}


@pytest.mark.usefixtures("piped")
def test_json_and_a_notebook_do_not_go_on_one_stdout(capfdbinary: Output) -> None:
    assert run(["clean", "--json"]) == 2
    assert "stdout is the notebook's" in json.loads(capfdbinary.readouterr().out)["error"]["message"]


def test_a_terminal_is_not_waited_for(monkeypatch: pytest.MonkeyPatch, capfdbinary: Output) -> None:
    terminal = io.TextIOWrapper(io.BytesIO())
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stdin", terminal)
    assert run(["clean"]) == 2
    assert b"stdin is a terminal" in capfdbinary.readouterr().err


def test_textconv_prints_and_leaves_the_file(dirty: Path, capfdbinary: Output) -> None:
    assert run(["clean", "-t", "nb.ipynb"]) == 0
    assert capfdbinary.readouterr().out == clean_text(DIRTY)
    assert dirty.read_bytes() == text_of(DIRTY)
    dirty.write_bytes(b"half")
    assert run(["clean", "--textconv", "nb.ipynb"]) == 0
    said = capfdbinary.readouterr()
    assert said.out == b"half"
    assert said.err.startswith(b"nbpr: warning: nb.ipynb: ")


def test_a_file_that_is_no_notebook_by_name_is_left_unless_forced(dirty: Path, capfdbinary: Output) -> None:
    other = dirty.rename(dirty.with_suffix(".json"))
    assert run(["clean", "nb.json"]) == 0
    assert other.read_bytes() == text_of(DIRTY)
    assert b"nb.json" in capfdbinary.readouterr().err
    assert run(["clean", "--force", "nb.json"]) == 0
    assert other.read_bytes() == clean_text(DIRTY)


def test_bad_files_are_one_line_and_nothing_changes(dirty: Path, capfdbinary: Output) -> None:
    (dirty.parent / "bad.ipynb").write_bytes(b"{")
    for words in (["nb.ipynb", "bad.ipynb"], ["nb.ipynb", "missing.ipynb"], ["-t", "missing.ipynb"]):
        assert run(["clean", *words]) == 2
        said = capfdbinary.readouterr()
        assert said.err.startswith(f"nbpr: {words[1]}: ".encode())
    assert dirty.read_bytes() == text_of(DIRTY)


def test_nbstripouts_options_under_nbstripouts_names(dirty: Path, capfdbinary: Output) -> None:
    cell = {**DIRTY["cells"][0], "metadata": {"deep": {"a": 1}, "collapsed": True, "tags": ["x"]}}
    empty = {"cell_type": "markdown", "id": "b", "metadata": {}, "source": " "}
    tagged = {"cell_type": "markdown", "id": "c", "metadata": {"tags": ["gone"]}, "source": "t"}
    dirty.write_bytes(text_of({**DIRTY, "cells": [cell, empty, tagged], "metadata": {"foo": 1}}))
    words = "--keep-output --keep-count --keep-id --drop-empty-cells --strip-init-cells --max-size 1k".split()
    words += ["--extra-keys", "metadata.foo cell.metadata.deep.a nonsense", "--drop-tagged-cells", "gone other"]
    assert run(["clean", *words, "--keep-metadata-keys", "cell.metadata.collapsed", "nb.ipynb"]) == 0
    after = json.loads(dirty.read_bytes())
    assert after == {
        **DIRTY,
        "cells": [{**cell, "metadata": {"deep": {}, "collapsed": True, "tags": ["x"]}}],
        "metadata": {},
    }
    assert b"nonsense" in capfdbinary.readouterr().err


@pytest.mark.parametrize(
    ("words", "kept"),
    [
        (["--keep-output-type", "error", "stream", "nb.ipynb"], True),
        (["--keep-output-types", "stream", "--keep-output-types", "error", "nb.ipynb"], True),
        (["--keep-output-type", "error", "--force", "nb.ipynb"], False),
        (["--keep-output", "--drop-output-type", "error", "stream:stdout", "nb.ipynb"], False),
        (["nb.ipynb", "--keep-output", "--drop-output-types", "stream:stderr"], True),
        (["--max-size", "11", "nb.ipynb"], False),
        (["--max-size", "14", "nb.ipynb"], True),
    ],
)
def test_output_types_and_sizes(words: list[str], kept: bool, dirty: Path) -> None:
    assert run(["clean", *words]) == 0
    assert bool(json.loads(dirty.read_bytes())["cells"][0]["outputs"]) is kept


def test_settings_of_the_repository_go_below_what_is_given(dirty: Path) -> None:
    (dirty.parent / ".git").mkdir()
    (dirty.parent / "nbpr.toml").write_text("[clean]\nkeep-count = true\n[notebook.'nb.ipynb'.clean]\nmax-size = 14\n")
    assert run(["clean", "nb.ipynb"]) == 0
    cell = json.loads(dirty.read_bytes())["cells"][0]
    assert cell["outputs"]
    assert cell["execution_count"] == 1
    assert run(["clean", "--max-size", "0", "nb.ipynb"]) == 0
    cell = json.loads(dirty.read_bytes())["cells"][0]
    assert (cell["outputs"], cell["execution_count"]) == ([], 1)


def test_settings_that_cannot_be_read_change_nothing(dirty: Path, capfdbinary: Output) -> None:
    (dirty.parent / ".git").mkdir()
    (dirty.parent / "nbpr.toml").write_text("[clean]\nmax-sise = 1\n")
    assert run(["clean", "nb.ipynb"]) == 2
    assert b"max-size" in capfdbinary.readouterr().err
    assert dirty.read_bytes() == text_of(DIRTY)


def test_line_ends_can_be_made_plain(dirty: Path) -> None:
    for data in (text_of(DIRTY), clean_text(DIRTY)):
        dirty.write_bytes(data.replace(b"\n", b"\r\n"))
        assert run(["clean", "--unix-newlines", "nb.ipynb"]) == 0
        assert dirty.read_bytes() == clean_text(DIRTY)


def test_only_notebooks_of_jupyter_are_cleaned(dirty: Path, capfdbinary: Output) -> None:
    assert run(["clean", "--mode", "zeppelin", "nb.ipynb"]) == 2
    assert b"only Jupyter" in capfdbinary.readouterr().err
    assert run(["clean", "-m", "jupyter", "nb.ipynb"]) == 0
    assert dirty.read_bytes() == clean_text(DIRTY)


@pytest.mark.parametrize("size", ["x", "-1", "1T", "", "k"])
def test_a_size_that_is_none(size: str, dirty: Path, capfdbinary: Output) -> None:
    assert run(["clean", "--max-size", size, "nb.ipynb"]) == 2
    assert dirty.read_bytes() == text_of(DIRTY)
    assert b"--max-size" in capfdbinary.readouterr().err


def test_as_a_program_it_imports_nothing_heavy(dirty: Path) -> None:
    code = (
        "import sys; from nbpr.cli.main import run; run(['clean', 'nb.ipynb']);"
        "print([m for m in ('nbformat', 'nbdime', 'git', 'papermill', 'rich', 'yaml') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=dirty.parent)
    assert (done.stdout, done.stderr) == ("[]\n", "cleaned nb.ipynb\n")
