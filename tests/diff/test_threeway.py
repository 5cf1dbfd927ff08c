"""Three versions of lines and of JSON become one."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbpr.diff.threeway import ABSENT, merge_lines, merge_values

LINES = st.lists(st.sampled_from("abcde"), max_size=8)


@given(LINES, LINES, st.booleans())
def test_one_sided_changes_are_taken(base: list[str], side: list[str], adjacent: bool) -> None:
    assert merge_lines(base, side, base, adjacent=adjacent) == side
    assert merge_lines(base, base, side, adjacent=adjacent) == side
    assert merge_lines(base, side, side, adjacent=adjacent) == side


@given(LINES, LINES, LINES, st.booleans())
def test_either_way_round_is_the_same(base: list[str], ours: list[str], theirs: list[str], adjacent: bool) -> None:
    assert merge_lines(base, ours, theirs, adjacent=adjacent) == merge_lines(base, theirs, ours, adjacent=adjacent)


@given(st.lists(st.sampled_from("abcde"), min_size=3, max_size=9), st.data())
def test_changes_apart_are_both_there(base: list[str], data: st.DataObject) -> None:
    place = data.draw(st.integers(1, len(base) - 2))
    ours, theirs = ["ours", *base[:place], base[place], *base[place + 1 :]], [*base, "theirs"]
    assert merge_lines(base, ours, theirs) == ["ours", *base, "theirs"]


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "strict", "adjacent"),
    [
        ("abc", "Abc", "abC", "AbC", "AbC"),
        ("ab", "Ab", "aB", None, "AB"),
        ("abcd", "ABcd", "abCD", None, "ABCD"),
        ("abc", "Xbc", "Ybc", None, None),
        ("abc", "axbc", "aybc", None, None),
        ("abc", "axbc", "axbc", "axbc", "axbc"),
        ("abc", "ac", "aBc", None, None),
        ("abc", "ac", "abcd", "acd", "acd"),
        ("abc", "abxc", "aBc", None, None),
        ("", "x", "y", None, None),
        ("abcdef", "aBcdef", "abcdEf", "aBcdEf", "aBcdEf"),
        ("ab", "", "abc", None, None),
        ("ab", "", "ab", "", ""),
    ],
)
def test_touching_and_overlapping(base: str, ours: str, theirs: str, strict: str | None, adjacent: str | None) -> None:
    sides = list(base), list(ours), list(theirs)
    assert merge_lines(*sides) == (None if strict is None else list(strict))
    assert merge_lines(*sides, adjacent=True) == (None if adjacent is None else list(adjacent))


VALUES = st.recursive(
    st.sampled_from([None, 1, 2, True, "x", ABSENT]),
    lambda inner: st.dictionaries(st.sampled_from("abc"), inner.filter(lambda v: v is not ABSENT), max_size=3),
    max_leaves=6,
)


@given(VALUES, VALUES)
def test_one_sided_values_are_taken(base: Any, side: Any) -> None:
    assert merge_values(base, side, base) == (side, [])
    assert merge_values(base, base, side) == (side, [])
    assert merge_values(base, side, side) == (side, [])


@given(VALUES, VALUES, VALUES)
def test_conflicts_are_the_same_either_way_round(base: Any, ours: Any, theirs: Any) -> None:
    kept = copy.copy((base, ours, theirs))
    one, other = merge_values(base, ours, theirs), merge_values(base, theirs, ours)
    assert sorted(one[1]) == sorted(other[1])
    assert one[1] or one[0] == other[0]
    assert (base, ours, theirs) == kept


def test_members_are_merged_and_conflicts_named() -> None:
    base, ours, theirs = (
        {"a": {"x": 1}, "b": 1, "c": 1},
        {"a": {"x": 2}, "b": 2},
        {"a": {"x": 3}, "b": 1, "c": 1, "d": 4},
    )
    assert merge_values(base, ours, theirs) == ({"a": {"x": 3}, "b": 2, "d": 4}, ["a.x"])


def test_true_is_not_one() -> None:
    assert merge_values(1, True, 1) == (True, [])
    assert merge_values(1, True, 1.0) == (1.0, [""])
