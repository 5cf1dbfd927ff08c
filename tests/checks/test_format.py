"""The format check: nbformat's schema, ids, and what cannot be read at all."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from nbpr.checks import format as format_check
from nbpr.diff import conflicts
from nbpr.notebooks import clean, notebook


def code(**members: Any) -> dict[str, Any]:
    facts = {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": [], "source": ""}
    return {**facts, **members}


def nb(*cells: dict[str, Any], minor: int = 5, **members: Any) -> bytes:
    data = {"cells": list(cells), "metadata": {}, "nbformat": 4, "nbformat_minor": minor, **members}
    return json.dumps(data).encode()


def told(data: bytes) -> list[tuple[str, str | None, str]]:
    return [(one.level, one.cell_id, one.message) for one in format_check.check(data, "a/nb.ipynb")]


def test_a_valid_notebook_has_no_finding() -> None:
    assert told(nb(code(id="a"), {"cell_type": "markdown", "id": "b", "metadata": {}, "source": ["x"]})) == []
    assert told(nb(code(), code(), minor=4)) == []


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "the file is empty"),
        (b"{,}", "not JSON"),
        (nb()[:-5], "truncated"),
        (b"[]", "not a notebook"),
        (json.dumps({"nbformat": 3, "nbformat_minor": 0, "worksheets": []}).encode(), "nbformat 3"),
        (b"\xff\xfe", "not UTF-8"),
    ],
)
def test_what_cannot_be_read_is_one_finding_that_does_not_repeat_the_path(data: bytes, message: str) -> None:
    ((level, cell_id, text),) = told(data)
    assert (level, cell_id) == ("error", None)
    assert text.startswith(message)


def test_violations_of_the_schema_name_cell_and_place() -> None:
    without = {key: value for key, value in code(id="a").items() if key != "outputs"}
    broken = code(id="b", outputs=[{"output_type": "stream", "name": 5, "text": "x"}])
    assert told(nb(without, broken, code(id="c", extra=1))) == [
        ("error", "a", "cell 0: 'outputs' is a required property"),
        ("error", "b", "cell 1, outputs[0].name: this is not of type 'string'"),
        ("error", "c", "cell 2: Additional properties are not allowed ('extra' was unexpected)"),
    ]
    assert told(nb(metadata=[])) == [("error", None, "notebook, metadata: this is not of type 'object'")]


def test_a_long_instance_is_not_repeated() -> None:
    (found,) = told(nb(code(id="a", source={"x": "y" * 5000})))
    assert len(found[2]) < 200


def test_many_violations_are_cut_short() -> None:
    found = told(nb(*(code(id=f"c{index}", extra=1) for index in range(40))))
    assert len(found) == 11
    assert found[-1] == ("error", None, "more than 10 violations of nbformat's schema")


def test_missing_ids_are_one_finding_and_no_matter_before_4_5() -> None:
    assert told(nb(code(id="a"), code(), code())) == [("error", None, "2 cells have no id")]
    assert told(nb(code(id="a"), code())) == [("error", None, "cell 1 has no id")]
    assert told(nb(code(), minor=4)) == []


def test_an_id_that_is_none_violates_the_schema() -> None:
    (found,) = told(nb(code(id="no spaces allowed")))
    assert found[0] == "error"
    assert found[2].startswith("cell 0, id: this does not match")


def test_doubled_ids_are_named_once_with_their_places() -> None:
    cells = [code(id="a"), code(id="b"), code(id="a"), code(id="a")]
    assert told(nb(*cells)) == [("error", "a", "cells 0, 2 and 3 have the same id 'a'")]


def test_nan_is_a_warning() -> None:
    cells = [code(id="a", metadata={"x": [float("nan")]}), code(id="b"), code(id="c", metadata={"y": float("inf")})]
    assert told(nb(*cells)) == [("warning", None, "NaN or Infinity in cells 0, 2: not JSON to strict readers")]
    assert told(nb(metadata={"x": float("nan")})) == [
        ("warning", None, "NaN or Infinity in the metadata: not JSON to strict readers")
    ]


def test_a_later_minor_version_is_not_refused() -> None:
    assert told(nb(code(id="a"), minor=9)) == []


def test_validating_does_not_compile_the_grammar() -> None:
    code = f"import sys; from nbpr.checks import format; format.check({nb()!r}, 'x')"
    done = subprocess.run(
        [sys.executable, "-c", code + "; print('lark' in sys.modules, 'nbformat' in sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "False True"


CONFLICT = "a = 1\n<<<<<<< ours\nb = 1\n=======\nb = 2\n>>>>>>> theirs\n"


def test_markers_of_a_conflict_in_a_cell_are_a_finding() -> None:
    prose = {"cell_type": "markdown", "id": "b", "metadata": {}, "source": [*"x\n" * 3, *CONFLICT.splitlines(True)]}
    assert told(nb(code(id="a", source=CONFLICT + CONFLICT), prose)) == [
        ("error", "a", "cell 0, line 2: the markers of a merge conflict stand in the source"),
        ("error", "a", "cell 0, line 8: the markers of a merge conflict stand in the source"),
        ("error", "b", "cell 1, line 5: the markers of a merge conflict stand in the source"),
    ]


@pytest.mark.parametrize("source", ["Title\n=======\ntext", "x = a << b", "<<<<<<< only a beginning", ">>>>>>> quoted"])
def test_what_only_looks_like_a_marker_is_none(source: str) -> None:
    assert told(nb(code(id="a", source=source))) == []


@pytest.mark.parametrize("style", conflicts.STYLES)
def test_what_our_merge_leaves_is_found_until_it_is_mended(style: conflicts.Style) -> None:
    base, ours, theirs = (
        notebook.parse(nb(code(id="a", source=f"x\ny = {value}\nz", metadata={"k": value})), "nb") for value in "123"
    )
    shown = conflicts.merge_shown(base, ours, theirs, conflicts.Marks(style=style)).notebook
    assert [(cell_id, message.partition(":")[0]) for _, cell_id, message in told(shown.to_bytes())] == [
        ("a", "cell 0, line 2"),
        ("a", "cell 0"),
    ]
    mended = shown.with_cells([cell.with_source("x\ny = 4\nz") for cell in shown.cells])
    assert told(clean.clean(mended).to_bytes()) == []


def test_a_file_that_git_merged_by_line_is_one_finding_that_says_so() -> None:
    file = nb(code(id="a")).replace(b'"source"', b'\n<<<<<<< HEAD\n"source"')
    (finding,) = format_check.check(file, "nb.ipynb")
    assert finding.message.startswith("not JSON")
    assert finding.hint is not None
    assert "conflict markers" in finding.hint
