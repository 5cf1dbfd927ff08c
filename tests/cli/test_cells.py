"""`nbpr cells`, `nbpr edit` and `nbpr params` as people and agents call them."""

from __future__ import annotations

import hashlib
import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from nbpr.cli.main import run
from tests.generated import Layout

CELLS: list[dict[str, Any]] = [
    {"cell_type": "code", "id": "pars", "metadata": {"tags": ["parameters"]}, "outputs": [], "execution_count": None,
     "source": ["\n", "threshold = 0.95  # the limit\n", "names: list = ['é']"]},
    {"cell_type": "markdown", "id": "note", "metadata": {}, "source": "# 漢字 " + "long " * 40},
    {"cell_type": "code", "id": "show", "metadata": {}, "outputs": [{"output_type": "error"}],
     "execution_count": 1, "source": "print(threshold)\n\x1b[31m\u202e"},
]  # fmt: skip


class Command:
    """The program, run in this process."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.capsys = capsys

    def __call__(self, *words: Any, code: int = 0) -> str:
        """What it printed; its exit code has to be `code`. Of an error, what it said on stderr."""
        returned = run([str(word) for word in words])
        out, err = self.capsys.readouterr()
        assert returned == code, err + out
        return out if code == 0 or "--json" in words else err

    def json(self, *words: Any, code: int = 0) -> Any:
        return json.loads(self(*words, "--json", code=code))


@pytest.fixture
def nbpr(capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(capsys)


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COLUMNS", "80")
    folder = tmp_path / "a ä"
    folder.mkdir()
    path = folder / "n b.ipynb"
    metadata = {"kernelspec": {"name": "python3"}}
    path.write_bytes(Layout().write({"cells": CELLS, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}))
    return path


def sources(file: Path) -> list[str]:
    return ["".join(cell["source"]) for cell in json.loads(file.read_bytes())["cells"]]


# -- cells ----------------------------------------------------------------------------------------------------


def test_cells_as_json(nbpr: Command, file: Path) -> None:
    found = nbpr.json("cells", file)
    assert {key: found[key] for key in ("notebook", "kernel")} == {"notebook": str(file), "kernel": "python3"}
    source = "\nthreshold = 0.95  # the limit\nnames: list = ['é']"
    assert found["cells"][0] == {
        "index": 0,
        "id": "pars",
        "cell_type": "code",
        "tags": ["parameters"],
        "source": source,
        "source_hash": "sha256:" + hashlib.sha256(source.encode()).hexdigest(),
    }
    assert [cell["id"] for cell in found["cells"]] == ["pars", "note", "show"]
    one = nbpr.json("cells", file, "tag:parameters")
    assert one == {**found, "cells": found["cells"][:1]}


def test_cells_as_a_table(nbpr: Command, file: Path) -> None:
    lines = nbpr("cells", file).splitlines()
    assert [line.split()[:3] for line in lines] == [
        ["index", "id", "type"],
        ["0", "pars", "code"],
        ["1", "note", "markdown"],
        ["2", "show", "code"],
    ]
    assert lines[1].endswith("parameters  threshold = 0.95 # the limit")
    assert lines[2].endswith("…")
    assert all(len(line) + line.count("漢") + line.count("字") <= 80 for line in lines)


def test_one_cell_shows_its_source_and_no_control_character(nbpr: Command, file: Path) -> None:
    assert nbpr("cells", file, "show") == "print(threshold)\n⟨U+001B⟩[31m⟨U+202E⟩\n"


def test_ids_that_are_missing_can_be_used(nbpr: Command, file: Path) -> None:
    file.write_bytes(file.read_bytes().replace(b'"id": "note"', b'"x": "note"'))
    cell_id = nbpr.json("cells", file)["cells"][1]["id"]
    assert nbpr.json("cells", file, cell_id)["cells"][0]["index"] == 1
    assert nbpr.json("edit", file, "--delete", cell_id)["cells"] == [cell_id]


def test_before_4_5_ids_are_null(nbpr: Command, file: Path) -> None:
    file.write_bytes(file.read_bytes().replace(b'minor": 5', b'minor": 4'))
    assert {cell["id"] for cell in nbpr.json("cells", file)["cells"]} == {None}
    assert "index:2" in nbpr("cells", file, "index:3", code=2)


def test_half_a_surrogate_pair_can_be_printed(nbpr: Command, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding="utf-8"))
    file.write_bytes(file.read_bytes().replace(b"print(threshold)", b"\\ud800"))
    assert run(["cells", str(file), "show"]) == 0
    sys.stdout.flush()
    assert "⟨U+D800⟩" in sys.stdout.buffer.getvalue().decode()  # type: ignore[attr-defined]


@pytest.mark.parametrize("command", ["cells", "params", "edit"])
def test_what_cannot_be_read(nbpr: Command, file: Path, command: str) -> None:
    more = ("--append", "--source", "x") if command == "edit" else ()
    assert nbpr(command, file.parent, *more, code=2).count("\n") == 1
    assert "no such file" in nbpr(command, file.parent / "missing.ipynb", *more, code=2)
    file.write_bytes(b'{"cells": [')
    error = nbpr.json(command, file, *more, code=2)["error"]
    assert error["exit_code"] == 2
    assert error["message"] == f"{file}: truncated: the JSON ends early (line 1, column 12)"


# -- params ---------------------------------------------------------------------------------------------------


def test_params(nbpr: Command, file: Path) -> None:
    assert nbpr.json("params", file) == {
        "parameters": [
            {"name": "threshold", "default": "0.95", "type": "float", "help": "the limit"},
            {"name": "names", "default": "['é']", "type": "list", "help": None},
        ]
    }
    assert nbpr("params", file).splitlines() == [
        "name       type   default  help",
        "threshold  float  0.95     the limit",
        "names      list   ['é']",
    ]
    nbpr("edit", file, "--tag", "pars", "--remove", "parameters")
    assert nbpr.json("params", file) == {"parameters": []}
    assert nbpr("params", file) == "no parameters\n"


# -- edit -----------------------------------------------------------------------------------------------------


def test_edits_from_a_file_and_from_stdin(
    nbpr: Command, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = [{"op": "set_parameter", "name": "threshold", "value": 0.9}, {"op": "delete", "cell": "note"}]
    (tmp_path / "edits.json").write_text(json.dumps(wanted[:1]))
    assert nbpr.json("edit", file, "--edits", tmp_path / "edits.json") == {
        "notebook": str(file),
        "changed": True,
        "cells": ["pars"],
        "inserted": [],
    }
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(json.dumps(wanted).encode())))
    assert nbpr.json("edit", file, "--edits", "-")["cells"] == ["note"]
    assert "missing.json: cannot be read" in nbpr("edit", file, "--edits", "missing.json", code=2)


def test_nothing_to_do_writes_nothing(nbpr: Command, file: Path) -> None:
    before = (file.read_bytes(), file.stat().st_ino)
    assert nbpr("edit", file, "--set", "threshold=0.950") == f"{file}: unchanged\n"
    assert nbpr.json("edit", file, "--set", "threshold=0.95")["changed"] is False
    assert (file.read_bytes(), file.stat().st_ino) == before


def test_set(nbpr: Command, file: Path) -> None:
    said = nbpr("edit", file, "--set", "threshold=0.9", "--set", 'names=["x=1", null]')
    assert said == f"{file}: changed 1 cell: pars\n"
    assert sources(file)[0] == '\nthreshold = 0.9  # the limit\nnames: list = ["x=1", None]'
    nbpr("edit", file, "--set", "threshold=")
    assert 'threshold = ""  #' in sources(file)[0]


def test_replace_and_its_way_back(nbpr: Command, file: Path, tmp_path: Path) -> None:
    source = tmp_path / "source.py"
    source.write_text("é = 1\nprint(é)\n", encoding="utf-8")
    nbpr("edit", file, "--replace", "index:2", "--source-file", source)
    assert sources(file)[2] == "é = 1\nprint(é)"
    source.write_text(nbpr("cells", file, "show"), encoding="utf-8")
    assert nbpr.json("edit", file, "--replace", "show", "--source-file", source)["changed"] is False
    nbpr("edit", file, "--replace", "show", "--source", "1\n")
    source.write_text(nbpr("cells", file, "show"), encoding="utf-8")
    assert nbpr.json("edit", file, "--replace", "show", "--source-file", source)["changed"] is False


@pytest.mark.parametrize(
    ("words", "place"),
    [(("--insert-after", "pars"), 1), (("--insert-before", "index:0"), 0), (("--append",), 3)],
)
def test_insert(nbpr: Command, file: Path, words: tuple[str, ...], place: int) -> None:
    command = ("edit", file, *words, "--type", "markdown", "--source", "## é")
    found = nbpr.json(*command)
    data = json.loads(file.read_bytes())["cells"][place]
    assert data == {"cell_type": "markdown", "id": data["id"], "metadata": {}, "source": ["## é"]}
    assert found["inserted"] == found["cells"] == [data["id"]]
    if words[-1] != "index:0":
        assert nbpr.json(*command)["changed"] is False


def test_substitute_tag_and_delete(nbpr: Command, file: Path) -> None:
    nbpr("edit", file, "--substitute", "show", "--old", "print(", "--new", "repr(", "--tag", "note", "--add", "a",
         "--add", "b", "--delete", "pars")  # fmt: skip
    assert sources(file)[1].startswith("repr(threshold)")
    assert json.loads(file.read_bytes())["cells"][0]["metadata"] == {"tags": ["a", "b"]}
    assert len(sources(file)) == 2


def test_dry_run_shows_the_change_and_writes_nothing(nbpr: Command, file: Path) -> None:
    before = file.read_bytes()
    command = ("edit", file, "--replace", "show", "--source", "\x1b[32m1", "--dry-run")
    said = nbpr(*command)
    assert '-   "source": "print(threshold)\\n\\u001b[31m⟨U+202E⟩"' in said.splitlines()
    assert said.endswith(f"{file}: would change 1 cell: show\n")
    found = nbpr.json(*command)
    assert found["changed"] is True
    assert found["diff"].splitlines()[-1].startswith(" ")
    assert file.read_bytes() == before
    assert [each.name for each in file.parent.iterdir()] == [file.name]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "no edit is given"),
        (("--set", "threshold"), "--set 'threshold' has to be NAME=VALUE"),
        (("--set", "=1"), "has to be NAME=VALUE"),
        (("--set", "nope=1"), "no parameter 'nope'; the parameters cell assigns: threshold, names"),
        (("--set", "names=[1"), "value '[1' is not JSON"),
        (("--replace", "show"), "the cell's source is needed once"),
        (("--replace", "show", "--source", "1", "--source-file", "x"), "the cell's source is needed once"),
        (("--replace", "show", "--append", "--source", "1"), "one source goes to one cell"),
        (("--source", "1"), "--source needs --replace"),
        (("--append", "--source", "1", "--type", "heading"), "cell_type has to be code, markdown or raw"),
        (("--append", "--source-file", "missing.py"), "missing.py: cannot be read"),
        (("--substitute", "show", "--old", "1"), "--substitute CELL, --old TEXT and --new TEXT go together"),
        (("--old", "1", "--new", "2"), "go together"),
        (("--tag", "show"), "--tag CELL goes together with --add TAG or --remove TAG"),
        (("--add", "x"), "--tag CELL goes together"),
        (("--delete", "index:-1"), "no cell 'index:-1'"),
        (("--delete", "nope"), "edit 1 (delete): "),
    ],
)  # fmt: skip
def test_wrong_use_is_said_and_changes_nothing(nbpr: Command, file: Path, words: tuple[str, ...], message: str) -> None:
    before = file.read_bytes()
    assert message in nbpr("edit", file, *words, code=2)
    assert message in nbpr.json("edit", file, *words, code=2)["error"]["message"]
    assert file.read_bytes() == before


def test_a_stale_cell_is_a_conflict(nbpr: Command, file: Path, tmp_path: Path) -> None:
    edit = {"op": "replace", "cell": "show", "source": "1", "expect": "sha256:" + "0" * 64}
    (tmp_path / "edits.json").write_text(json.dumps([edit]))
    before = file.read_bytes()
    assert "cell 'show' is not as it was read" in nbpr("edit", file, "--edits", tmp_path / "edits.json", code=5)
    assert file.read_bytes() == before
