"""Columns on a terminal."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from nbpr.render.columns import display_width, fit, table

TEXTS = st.text("ab 漢é👩\u0301\x1b\n", max_size=30)


@given(st.lists(st.lists(TEXTS, min_size=3, max_size=3), max_size=5), st.integers(12, 100))
def test_no_line_is_wider_than_the_terminal(rows: list[list[str]], width: int) -> None:
    lines = table(["name", "before", "after"], rows, width).split("\n")
    assert len(lines) == len(rows) + 1
    assert all(display_width(line) <= width for line in lines)
    assert not any("\x1b" in line for line in lines)


@given(TEXTS, st.integers(1, 20))
def test_fitting_cuts_at_the_width(text: str, width: int) -> None:
    shown = fit(text, width)
    assert display_width(shown) <= width or text == shown
    assert shown == text or shown.endswith("…")


def test_columns_are_aligned_by_what_is_seen() -> None:
    assert table(["name", "n"], [["漢字", "1"], ["e\u0301", "22"], ["abcd", "3"]], 80) == (
        "name  n\n漢字  1\ne\u0301     22\nabcd  3"
    )


def test_the_widest_column_gives_way() -> None:
    assert table(["id", "source"], [["e5f6", "x" * 40]], 20) == "id    source\ne5f6  xxxxxxxxxxxxx…"


def test_headers_are_bold_in_colour() -> None:
    assert table(["id"], [["a"]], 20, True) == "\x1b[1mid\x1b[0m\na"
