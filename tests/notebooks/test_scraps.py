"""Scraps are read as scrapbook reads them, from notebooks that scrapbook would refuse as well."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbpr.notebooks import scraps
from nbpr.notebooks.scraps import Scrap


def glued(name: Any, data: Any, encoder: str = "json", **payload: Any) -> dict[str, Any]:
    """An output as `scrapbook.glue` leaves it."""
    content = {"name": name, "data": data, "encoder": encoder, "version": 1, **payload}
    return {
        "output_type": "display_data",
        "data": {f"application/scrapbook.scrap.{encoder}+json": content},
        "metadata": {"scrapbook": {"name": name, "data": True, "display": False}},
    }


def displayed(name: str, data: dict[str, Any]) -> dict[str, Any]:
    """What `glue(…, display=True)` writes besides."""
    mark = {"name": name, "data": False, "display": True}
    return {"output_type": "display_data", "data": data, "metadata": {"scrapbook": mark}}


def notebook(*cells: list[Any]) -> dict[str, Any]:
    """A notebook of code cells with these outputs."""
    return {
        "cells": [
            {"cell_type": "code", "metadata": {}, "source": "", "execution_count": 1, "outputs": outputs}
            for outputs in cells
        ],
        "metadata": {},
        "nbformat": 4,
        "nbformat_minor": 4,
    }


def test_values_of_every_json_kind_come_back() -> None:
    data = {"score": 0.94, "count": 12, "names": ["a", "b"], "table": {"x": [1, {"y": False}]}, "flag": True}
    nb = notebook(*([glued(name, value)] for name, value in data.items()))
    assert scraps.values(nb) == data
    assert scraps.values(nb)["flag"] is True


def test_text_stays_text_even_if_it_looks_like_a_number() -> None:
    nb = notebook([glued("version", "12", "text"), glued("odd", 7, "text")])
    assert scraps.collect(nb) == {"version": Scrap("version", "12", "text"), "odd": Scrap("odd", "7", "text")}


def test_the_last_glue_of_a_name_wins_and_stands_in_its_own_cells_place() -> None:
    nb = notebook([glued("a", 1), glued("b", 2)], [glued("c", 3)], [glued("a", 4)])
    assert list(scraps.values(nb).items()) == [("b", 2), ("c", 3), ("a", 4)]


def test_within_one_cell_scraps_stand_in_the_order_of_outputs() -> None:
    nb = notebook([glued("z", 1), glued("a", 2), glued("m", 3)])
    assert list(scraps.values(nb)) == ["z", "a", "m"]


def test_what_is_not_json_is_shown_by_size_and_digest() -> None:
    stored = base64.b64encode(b"parquet bytes").decode()
    shown = scraps.values(notebook([glued("frame", stored, "pandas")]))["frame"]
    digest = hashlib.sha256(stored.encode()).hexdigest()
    assert shown == {"encoder": "pandas", "size": len(stored), "sha256": digest}


def test_an_encoder_that_nobody_knows_is_shown_the_same_way() -> None:
    one, other = (scraps.values(notebook([glued("x", data, "arrow")]))["x"] for data in ({"a": 1}, {"a": 2}))
    assert (one["encoder"], one["size"]) == ("arrow", len('{"a":1}'))
    assert one["sha256"] != other["sha256"]


def test_a_picture_glued_for_display_is_a_scrap_of_its_own() -> None:
    nb = notebook([displayed("plot", {"image/png": "iVBORw0KGgo="})])
    assert scraps.collect(nb)["plot"].encoder == "display"
    assert set(scraps.values(nb)["plot"]) == {"encoder", "size", "sha256"}


def test_a_value_that_is_also_displayed_keeps_its_value() -> None:
    nb = notebook([glued("table", "text", "text"), displayed("table", {"text/html": "<table/>"})])
    assert scraps.values(nb) == {"table": "text"}


def test_a_display_in_a_later_cell_wins_over_an_earlier_value() -> None:
    nb = notebook([glued("x", 1)], [displayed("x", {"text/plain": "one"})])
    assert scraps.collect(nb)["x"].encoder == "display"


def test_papermills_old_records_count() -> None:
    output = {"output_type": "display_data", "data": {"application/papermill.record+json": {"n": 3}}, "metadata": {}}
    assert scraps.values(notebook([output])) == {"n": 3}


def test_nan_is_carried_as_a_word() -> None:
    nb = notebook([glued("a", "nan"), glued("b", float("nan")), glued("c", {"d": [float("-inf")]}), glued("e", "NaN")])
    shown = scraps.values(nb)
    assert shown == {"a": "nan", "b": "nan", "c": {"d": ["-inf"]}, "e": "nan"}
    json.dumps(shown, allow_nan=False)


MALFORMED = [
    None,
    "text",
    7,
    {},
    {"output_type": "stream", "name": "stdout", "text": "x"},
    {"data": None},
    {"data": ["application/scrapbook.scrap.json+json"]},
    {"data": {"application/scrapbook.scrap.json+json": None}},
    {"data": {"application/scrapbook.scrap.json+json": "{}"}},
    {"data": {"application/scrapbook.scrap.json+json": {"data": 1}}},
    {"data": {"application/scrapbook.scrap+json": {"name": "x", "data": 1}}},
    {"data": {"application/papermill.record+json": [1]}},
    {"data": {"application/papermill.record+json": {"x": None}}},
    glued("x", None),
    glued("x", "null"),
    glued("", 1),
    glued(None, 1),
    glued(["x"], 1),
    {**glued("x", 1), "data": {"application/scrapbook.scrap.json+json": {"name": "x", "data": 1, "encoder": 5}}},
    {"data": {}, "metadata": {"scrapbook": "yes"}},
    {"data": {}, "metadata": {"scrapbook": {"display": True}}},
    {"data": {}, "metadata": None},
]


@pytest.mark.parametrize("output", MALFORMED, ids=range(len(MALFORMED)))
def test_what_is_malformed_is_left_out_and_takes_nothing_along(output: Any) -> None:
    assert scraps.values(notebook([glued("before", 1), output, glued("after", 2)])) == {"before": 1, "after": 2}


@pytest.mark.parametrize("nb", [{}, {"cells": None}, {"cells": [None, 3, {"outputs": {}}, {"outputs": None}]}])
def test_a_notebook_without_outputs_has_no_scraps(nb: dict[str, Any]) -> None:
    assert scraps.collect(nb) == {}


def test_a_scrap_that_is_nested_too_deep_to_decode_stays_a_string() -> None:
    deep = "[" * 100_000
    assert scraps.values(notebook([glued("deep", deep)])) == {"deep": deep}


def test_two_runs_side_by_side() -> None:
    before = scraps.collect(notebook([glued("score", 0.95), glued("gone", 1)]))
    after = scraps.values(notebook([glued("new", "x"), glued("score", 0.9)]))
    assert scraps.compare(before, after) == [
        {"name": "new", "before": None, "after": "x"},
        {"name": "score", "before": 0.95, "after": 0.9},
        {"name": "gone", "before": 1, "after": None},
    ]
    assert scraps.compare(None, {"a": 1}) == [{"name": "a", "before": None, "after": 1}]
    assert scraps.compare({}, None) == []


JSON_DATA = st.recursive(
    st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
GLUES = st.lists(
    st.lists(
        st.tuples(st.sampled_from("abcd"), JSON_DATA, st.just("json"))
        | st.tuples(st.sampled_from("abcd"), st.text(max_size=8), st.just("text")),
        max_size=3,
    ),
    max_size=4,
)


@given(GLUES)
def test_the_same_scraps_as_scrapbook_reads(glues: list[list[tuple[str, Any, str]]]) -> None:
    import nbformat
    import scrapbook

    nb = notebook(*([glued(*glue) for glue in cell] for cell in glues))
    theirs = {name: scrap for name, scrap in _read(scrapbook, nbformat, nb).items() if scrap.data is not None}
    ours = scraps.collect(nb)
    # As text, so that NaN is NaN and True is not 1.
    assert {name: (json.dumps(scrap.data), scrap.encoder) for name, scrap in ours.items()} == {
        name: (json.dumps(scrap.data), scrap.encoder) for name, scrap in theirs.items()
    }


def _read(scrapbook: Any, nbformat: Any, nb: dict[str, Any]) -> Any:
    return scrapbook.models.Notebook(nbformat.from_dict(nb)).scraps


def test_reading_scraps_imports_neither_scrapbook_nor_pandas() -> None:
    code = (
        "import sys, nbpr.notebooks.scraps; print([m for m in ('scrapbook', 'pandas', 'nbformat') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
