"""Outputs and files over their limit are found, the rest is let be."""

from __future__ import annotations

from typing import Any

import pytest

from nbpr.checks import size


def nb(*outputs: Any, **members: Any) -> dict[str, Any]:
    return {"cells": [{"cell_type": "markdown"}, {"id": "big", "outputs": list(outputs), **members}]}


def stream(length: int) -> dict[str, Any]:
    return {"output_type": "stream", "name": "stdout", "text": "x" * length}


def test_what_keeps_to_its_limits_is_let_be() -> None:
    output = stream(100)
    assert size.check(nb(output), "nb.ipynb", 500, max_output=size.output_size(output), max_run=500) == []


def test_an_output_over_its_limit_names_cell_and_sizes() -> None:
    found = size.check(nb(stream(10), stream(2_345_678)), "runs/nb.ipynb", 0)
    assert [(one.level, one.path, one.cell_id) for one in found] == [("error", "runs/nb.ipynb", "big")]
    assert found[0].message == "an output of cell 1 has 2.3 MB; at most 1.0 MB"


def test_a_file_over_its_limit() -> None:
    found = size.check(nb(), "runs/nb.ipynb", 10_000_001)
    assert [one.message for one in found] == ["10.0 MB in all; at most 10.0 MB"]


def test_sizes_are_bytes_and_half_surrogates_do_no_harm() -> None:
    assert size.output_size({"text": "é"}) == size.output_size({"text": "e"}) + 1
    assert size.output_size({"text": "\ud800"}) == size.output_size({"text": "e"}) + 2


@pytest.mark.parametrize("odd", [{}, {"cells": None}, {"cells": [None, {"outputs": None}, {"outputs": [None, 1]}]}])
def test_malformed_notebooks_do_no_harm(odd: dict[str, Any]) -> None:
    assert size.check(odd, "nb.ipynb", 1) == []


@pytest.mark.parametrize(
    ("count", "words"),
    [(0, "0 bytes"), (999, "999 bytes"), (1000, "1.0 kB"), (1_000_000, "1.0 MB"), (12_345_678_901, "12345.7 MB")],
)
def test_sizes_for_people(count: int, words: str) -> None:
    assert size.readable(count) == words
