"""The clean check says what a notebook carries, in one finding."""

from __future__ import annotations

import json
from typing import Any

import pytest

from nbpr.checks import clean
from nbpr.notebooks import notebook
from nbpr.notebooks.clean import Options


def parsed(*cells: dict[str, Any], **metadata: Any) -> notebook.Notebook:
    data = {"cells": list(cells), "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    return notebook.parse(json.dumps(data).encode(), "nb.ipynb")


def code(cell_id: str, count: int | None = None, outputs: Any = (), **metadata: Any) -> dict[str, Any]:
    facts = {"cell_type": "code", "id": cell_id, "execution_count": count, "metadata": metadata}
    return {**facts, "outputs": list(outputs), "source": ""}


STREAM = {"output_type": "stream", "name": "stdout", "text": "1"}


def test_a_clean_notebook_has_no_finding() -> None:
    assert clean.check(parsed(code("a"), code("b", tags=["x"])), "nb.ipynb") == []


@pytest.mark.parametrize(
    ("cells", "metadata", "message", "cell_id"),
    [
        ([code("a"), code("b", 3, [STREAM])], {}, "outputs in 1 cell; an execution count in 1 cell", "b"),
        ([code("a", 1), code("b", 2)], {}, "an execution count in 2 cells", None),
        ([code("a", papermill={}, collapsed=True)], {}, "run metadata: collapsed, papermill", "a"),
        ([code("a")], {"papermill": {}, "widgets": {}}, "run metadata: papermill, widgets", None),
    ],
)
def test_what_it_carries_is_told(
    cells: list[dict[str, Any]], metadata: dict[str, Any], message: str, cell_id: str | None
) -> None:
    found = clean.check(parsed(*cells, **metadata), "a/nb.ipynb")
    assert [one.as_json() for one in found] == [
        {
            "check": "clean",
            "level": "error",
            "path": "a/nb.ipynb",
            "message": message,
            "cell_id": cell_id,
            "hint": "nbpr clean a/nb.ipynb",
        }
    ]


def test_what_options_keep_is_no_finding() -> None:
    cells = [code("a", None, [STREAM], tags=["golden"])]
    assert clean.check(parsed(*cells), "nb.ipynb", Options(keep_output_tags=("golden",))) == []
    assert clean.check(parsed(*cells), "nb.ipynb")


def test_cells_that_options_drop_are_a_finding() -> None:
    found = clean.check(parsed(code("a")), "nb.ipynb", Options(drop_empty_cells=True))
    assert [one.message for one in found] == ["cells that are to be dropped"]
