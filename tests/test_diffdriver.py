"""Git's diff driver shows notebooks by cell, and never makes git give up a diff."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from nbpr import diffdriver

NOTHING = Path(os.devnull)


def code(source: str, outputs: Any = ()) -> dict[str, Any]:
    facts = {"cell_type": "code", "id": "a", "execution_count": None, "metadata": {}}
    return {**facts, "outputs": list(outputs), "source": source}


def stream(text: str) -> dict[str, Any]:
    return {"output_type": "stream", "name": "stdout", "text": text}


def written(path: Path, *cells: dict[str, Any]) -> Path:
    data = {"cells": list(cells), "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps(data, indent=1))
    return path


def shown(old: Path, new: Path, colour: bool = False) -> str:
    return diffdriver.difference("dir/nb.ipynb", old, new, colour=colour, width=80)


def test_a_changed_line_is_shown_in_its_cell(tmp_path: Path) -> None:
    text = shown(written(tmp_path / "a", code("x = 1\ny = 2")), written(tmp_path / "b", code("x = 1\ny = 3")))
    assert "dir/nb.ipynb" in text
    assert "\n-y = 2\n+y = 3\n" in text
    assert '"cells"' not in text


def test_the_working_copy_is_cleaned_if_the_other_side_is_clean(tmp_path: Path) -> None:
    dirty = written(tmp_path / "b", code("x = 2", [stream("secret")]))
    assert "secret" not in shown(written(tmp_path / "a", code("x = 1")), dirty)


def test_outputs_of_runs_are_compared(tmp_path: Path) -> None:
    text = shown(
        written(tmp_path / "a", code("x", [stream("one")])), written(tmp_path / "b", code("x", [stream("two")]))
    )
    assert "-one" in text
    assert "+two" in text


def test_a_new_and_a_deleted_notebook(tmp_path: Path) -> None:
    file = written(tmp_path / "a", code("x = 1"))
    assert "+x = 1" in shown(NOTHING, file)
    assert "-x = 1" in shown(file, NOTHING)


def test_another_layout_is_no_difference(tmp_path: Path) -> None:
    one = written(tmp_path / "a", code("x"))
    other = tmp_path / "b"
    other.write_text(json.dumps(json.loads(one.read_text())))
    assert shown(one, other) == "dir/nb.ipynb: the same but for its layout\n\n"


@pytest.mark.parametrize("broken", [b"", b"{", b'<<<<<<< HEAD\n{"a": \xff\n', b"[]"])
def test_what_is_no_notebook_is_shown_line_by_line(broken: bytes, tmp_path: Path) -> None:
    file = tmp_path / "b"
    file.write_bytes(broken)
    text = shown(written(tmp_path / "a", code("x = 1")), file)
    assert text.startswith("(dir/nb.ipynb: ")
    assert "shown line by line" in text
    assert '-   "source": "x = 1"' in text


def test_malformed_cells_are_shown_all_the_same(tmp_path: Path) -> None:
    without = {"cell_type": "code", "metadata": None, "source": ["x = ", "1"]}
    assert "x = 1" in shown(written(tmp_path / "a", without), written(tmp_path / "b", code("y = 2")))


def test_nothing_in_a_notebook_is_obeyed_by_the_terminal(tmp_path: Path) -> None:
    evil = written(tmp_path / "b", code("print('\x1b[2J')", [stream("\x1b]0;title\x07")]))
    broken = tmp_path / "c"
    broken.write_bytes(b"{\x1b[2J")
    for new in (evil, broken):
        assert "\x1b" not in shown(written(tmp_path / "a", code("x", [stream("y")])), new)


def started(tmp_path: Path, *more: str) -> list[str]:
    old, new = written(tmp_path / "a", code("x = 1")), written(tmp_path / "b", code("x = 2"))
    return ["nb.ipynb", str(old), "0" * 40, "100644", str(new), "1" * 40, "100644", *more]


def test_colours_only_where_a_pager_or_terminal_shows_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for setting, wanted in (({}, False), ({"GIT_PAGER_IN_USE": "true"}, True), ({"NO_COLOR": "1"}, False)):
        for name, value in setting.items():
            monkeypatch.setenv(name, value)
        assert diffdriver.main(started(tmp_path)) == 0
        assert ("\x1b[" in capfd.readouterr().out) is wanted


def test_a_renamed_file_says_so(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert diffdriver.main(started(tmp_path, "new/nb.ipynb", "similarity index 90%\n")) == 0
    assert capfd.readouterr().out.startswith("nb.ipynb is renamed to new/nb.ipynb\n")


def test_a_bug_of_ours_does_not_end_gits_diff(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: Any, **__: Any) -> str:
        raise KeyError("surprise")

    monkeypatch.setattr(diffdriver, "difference", broken)
    assert diffdriver.main(started(tmp_path)) == 0
    assert "could not be shown (KeyError" in capfd.readouterr().out


def test_bad_use(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["diffdriver", "a", "b"])
    assert diffdriver.main() == 2
    assert diffdriver.main(["unmerged.ipynb"]) == 0
    assert capfd.readouterr().out == "* unmerged: unmerged.ipynb\n"
