"""Lines of a diff and the words marked in them."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbpr.diff import lines

LINES = st.lists(st.sampled_from(["a", "b", "c", "threshold = 0.95", "threshold = 0.9", ""]), max_size=12)


@given(LINES, LINES)
def test_the_lines_are_both_texts(before: list[str], after: list[str]) -> None:
    found = lines.compare(before, after)
    assert [line.text for line in found if line.tag in " -"] == before
    assert [line.text for line in found if line.tag in " +"] == after


@given(LINES, LINES)
def test_opcodes_cover_both_sides_and_equal_is_equal(before: list[str], after: list[str]) -> None:
    codes = lines.opcodes(before, after)
    assert [i for _, i1, i2, _, _ in codes for i in range(i1, i2)] == list(range(len(before)))
    assert [j for _, _, _, j1, j2 in codes for j in range(j1, j2)] == list(range(len(after)))
    for op, i1, i2, j1, j2 in codes:
        assert (op == "equal") == (before[i1:i2] == after[j1:j2])


@given(st.text("ab 0.9=", max_size=20), st.text("ab 0.9=", max_size=20))
def test_what_is_not_marked_is_common(before: str, after: str) -> None:
    old, new = lines.marks(before, after)
    if old or new:
        assert _without(before, old) == _without(after, new)


def _without(text: str, marks: lines.Marks) -> str:
    return "".join(sign for i, sign in enumerate(text) if not any(a <= i < b for a, b in marks))


@pytest.mark.parametrize(
    ("before", "after", "old", "new"),
    [
        ("threshold = 0.95", "threshold = 0.90", ["0.95"], ["0.90"]),
        ("x = 1e-3", "x = 1e-4", ["1e-3"], ["1e-4"]),
        ("load(path)", "load(path, all=True)", [], [", all=True"]),
        ("wholly other", "x = [1]", [], []),
    ],
)
def test_words_that_changed_are_marked(before: str, after: str, old: list[str], new: list[str]) -> None:
    marks = lines.marks(before, after)
    assert [before[a:b] for a, b in marks[0]] == old
    assert [after[a:b] for a, b in marks[1]] == new


def test_a_very_long_line_that_changed_at_both_ends_is_not_searched_for_minutes() -> None:
    before, after = (f"x = [{end}, {'1, ' * 5_000}{end}]" for end in ("old", "new"))
    started = time.perf_counter()
    marks = lines.marks(before, after)
    assert time.perf_counter() - started < 1
    assert marks == ((), ())


def test_a_change_at_the_end_of_a_very_long_line_is_marked() -> None:
    before, after = (f"x = [{'1, ' * 5_000}{end}]" for end in ("old", "new"))
    assert [after[a:b] for a, b in lines.marks(before, after)[1]] == ["new"]


def test_line_ends_of_windows_make_no_other_lines() -> None:
    assert lines.split("a\r\nb\r\n") == lines.split("a\nb\n") == ["a", "b", ""]
    assert lines.split("") == []
