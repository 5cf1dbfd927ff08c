"""Sparklines: well-formed, finite, harmless."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbpr.render.plot import sparkline


@given(st.lists(st.one_of(st.none(), st.floats(), st.integers()), max_size=20), st.text(max_size=20))
def test_any_numbers_give_a_picture_within_its_bounds(values: list[float | None], label: str) -> None:
    shown = sparkline(values, label=label)
    if not shown:
        assert not any(isinstance(v, int) or (v is not None and math.isfinite(v)) for v in values if _fits(v))
        return
    root = ET.fromstring(shown)
    for element in root.iter():
        assert not any(name.startswith("on") or name == "style" for name in element.attrib)
        for pair in element.attrib.get("points", "").split():
            x, y = map(float, pair.split(","))
            assert 0 <= x <= 120
            assert 0 <= y <= 28


def _fits(value: float | None) -> bool:
    try:
        return value is not None and math.isfinite(float(value))
    except OverflowError:
        return False


def test_gaps_bounds_and_the_newest_value() -> None:
    root = ET.fromstring(sparkline([1, 2, None, 3], label="<score>", low=0, high=4))
    kinds = [element.tag.rpartition("}")[2] for element in root]
    assert kinds == ["title", "line", "line", "polyline", "circle", "circle"]
    assert root.attrib["aria-label"] == "<score>: 3 values from 1 to 3, least 1, most 3"


@pytest.mark.parametrize("values", [[], [None], [math.nan, math.inf]])
def test_nothing_to_show(values: list[float | None]) -> None:
    assert sparkline(values) == ""
