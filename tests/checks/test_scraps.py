"""Bounds on scraps: what breaks them is told with value, bound and baseline."""

from __future__ import annotations

import math
from typing import Any

import pytest

from nbpr.checks import scraps
from nbpr.config import Bound
from nbpr.errors import BadInput


def check(bound: Bound, value: Any = None, base: Any = None) -> list[tuple[str, str]]:
    values = {} if value is None else {"score": value}
    baseline = {} if base is None else {"score": base}
    found = scraps.check(values, {"score": bound}, "nb.ipynb", baseline)
    assert all((one.check, one.path) == ("scraps", "nb.ipynb") for one in found)
    return [(one.level, one.message) for one in found]


@pytest.mark.parametrize(
    ("bound", "value", "base"),
    [
        (Bound(min=0.9), 0.9, None),
        (Bound(max=0.9), 0.9, None),
        (Bound(min=0, max=2), 1, None),
        (Bound(equals="ok"), "ok", None),
        (Bound(equals=1), 1.0, None),
        (Bound(equals=True), True, None),
        (Bound(equals=[1, {"a": 2}]), [1, {"a": 2}], None),
        (Bound(max_drop="5%"), 0.95, 1.0),
        (Bound(max_drop="5%"), 0.665, 0.7),
        (Bound(max_drop=0.05), 0.95, 1.0),
        (Bound(max_drop="5%"), 2.0, 1.0),
        (Bound(max_rise="10%"), -9.0, -10.0),
        (Bound(max_rise=2), 5, 3),
        (Bound(max_rise="0%"), 0, 0),
        (Bound(), "anything", None),
    ],
)
def test_values_that_keep_to_their_bounds(bound: Bound, value: Any, base: Any) -> None:
    assert check(bound, value, base) == []


@pytest.mark.parametrize(
    ("bound", "value", "base", "message"),
    [
        (Bound(min=0.9), 0.81, 0.94, "score is 0.81, below min 0.9 (base: 0.94)"),
        (Bound(max=5), 7, None, "score is 7, above max 5"),
        (Bound(equals="ok"), "bad", "ok", 'score is "bad", not "ok" (base: "ok")'),
        (Bound(equals=1), True, None, "score is true, not 1"),
        (Bound(equals=False), 0, None, "score is 0, not false"),
        (Bound(max_drop="5%"), 0.94, 1.0, "score dropped by 6% from 1 to 0.94; max-drop is 5%"),
        (Bound(max_drop=0.05), 0.94, 1.0, "score dropped by 0.06 from 1 to 0.94; max-drop is 0.05"),
        (Bound(max_rise="10%"), -8.0, -10.0, "score rose by 20% from -10 to -8; max-rise is 10%"),
        (Bound(max_rise="0%"), 1, 0, "score rose by 1 from 0 to 1; max-rise is 0%"),
        (Bound(min=0), "nan", 1.0, 'score is "nan", not a number; its bounds cannot be checked (base: 1)'),
        (Bound(min=0), True, None, "score is true, not a number; its bounds cannot be checked"),
        (Bound(max_drop=1), math.inf, 1.0, "score is inf, not a number; its bounds cannot be checked (base: 1)"),
        (Bound(min=0), 10**400, None, f"score is 1{'0' * 56}…, not a number; its bounds cannot be checked"),
    ],
)
def test_values_that_break_their_bounds(bound: Bound, value: Any, base: Any, message: str) -> None:
    assert check(bound, value, base) == [("error", message)]


def test_each_broken_bound_is_told() -> None:
    messages = check(Bound(min=1, max_drop="5%"), 0.5, 1.0)
    assert [level for level, _ in messages] == ["error", "error"]


def test_a_scrap_that_was_not_glued_is_an_error() -> None:
    assert check(Bound(min=0)) == [("error", "score has a bound and was not glued")]


def test_nothing_to_compare_with_is_a_note() -> None:
    assert check(Bound(max_drop="5%"), 1.0) == [
        ("note", 'score: max-drop "5%" not checked: the base has no such scrap')
    ]
    assert check(Bound(max_rise=1), 1.0, "nan") == [("note", 'score: max-rise 1 not checked: the base\'s is "nan"')]


@pytest.mark.parametrize("limit", ["5 percent", "", "%", "-5%", -1, "nan%", True, [5]])
def test_a_bound_that_is_none_is_bad_input(limit: Any) -> None:
    with pytest.raises(BadInput, match=r"scraps\.score\.max-drop"):
        check(Bound(max_drop=limit), 1.0, 1.0)


def test_what_is_shown_fits_a_line() -> None:
    (level, message), *_ = check(Bound(equals="x"), "line\n\x1b[31m" + "y" * 500)
    assert level == "error"
    assert len(message) < 100
    assert message.isprintable()
