"""Mending a content: outputs out, an id of its own for each cell, everything else as it stands."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbpr.checks import CHECKS
from nbpr.notebooks import content, notebook
from tests import generated as notebooks
from tests.projects import cell, dumped


def ids(data: bytes) -> list[Any]:
    return [each.get("id") for each in json.loads(data)["cells"]]


def test_of_cells_with_one_id_the_first_keeps_it() -> None:
    data = dumped([cell("a", "code", "1"), cell("a", "code", "2"), cell("b", "code", "2"), cell("a", "code", "2")])
    after = ids(content.mended(data, "nb"))
    assert [after[0], after[2]] == ["a", "b"]
    assert len(set(after)) == 4
    assert after[1] == notebook.derived_id("code", "2", 0, ())
    assert after[3] == notebook.derived_id("code", "2", 1, ())


def test_missing_and_impossible_ids_are_derived() -> None:
    cells = [cell("no spaces", "code", "1"), cell("x" * 65, "code", "2"), cell("ok", "code", "3")]
    without = {key: value for key, value in cell("x", "code", "4").items() if key != "id"}
    after = content.mended(dumped([*cells, without, {**without, "id": 7}]), "nb")
    assert ids(after)[2] == "ok"
    assert CHECKS["format"](after, "nb") == []


def test_before_4_5_there_are_no_ids() -> None:
    nb = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 4}
    nb["cells"] = [{"cell_type": "markdown", "metadata": {}, "source": "x"}] * 2
    data = json.dumps(nb).encode()
    assert content.mended(data, "nb") is data


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"\xff", b"version https://git-lfs.github.com/spec/v1\n"])
def test_what_is_no_notebook_stays_as_it_is(data: bytes) -> None:
    assert content.mended(data, "nb") is data


def test_what_is_asked_for_is_mended_and_no_more() -> None:
    data = dumped([cell("a", "code", "1", execution_count=3), cell("a", "code", "1")])
    assert ids(content.mended(data, "nb", ids=False)) == ["a", "a"]
    assert json.loads(content.mended(data, "nb", clean=False))["cells"][0]["execution_count"] == 3


def doubled(data: bytes, places: list[int]) -> bytes:
    """The notebook with the ids of some cells made that of the first."""
    nb = json.loads(data.decode("utf-8-sig"))
    for place in places:
        if place < len(nb["cells"]) and nb["nbformat_minor"] >= 5 and "id" in nb["cells"][0]:
            nb["cells"][place]["id"] = nb["cells"][0]["id"]
    return json.dumps(nb).encode()


@given(notebooks.texts(minors=(5,)), st.lists(st.integers(1, 5)))
def test_mending_is_done_once_keeps_sources_and_leaves_nothing_to_mend(data: bytes, places: list[int]) -> None:
    before = doubled(data, places)
    after = content.mended(before, "nb")
    assert content.mended(after, "nb") is after
    parsed, was = notebook.parse(after, "nb"), notebook.parse(before, "nb")
    assert [each.source for each in parsed.cells] == [each.source for each in was.cells]
    assert len({each.id for each in parsed.cells}) == len(parsed.cells)
    assert CHECKS["clean"](parsed, "nb") == []
    assert content.mended(before, "other") == after


def test_a_pointer_of_git_lfs_is_known_as_one() -> None:
    assert content.Content("nb", b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n").is_pointer
    assert not content.Content("nb", b"{}").is_pointer
    assert not content.Content("nb", None).is_pointer
