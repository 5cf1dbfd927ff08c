"""Lines of code as HTML."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from nbpr.diff import lines
from nbpr.render.folding import shortened
from nbpr.render.page import code


def text(shown: str) -> str:
    return re.sub("<[^>]*>", "", shown)


def test_words_that_changed_are_marked_within_their_colours() -> None:
    shown = code.diff(lines.compare(["x = 0.95  # low"], ["x = 0.90  # low"]), "python")
    assert '<del><span class="m">0.95</span></del>' in shown
    assert '<ins><span class="m">0.90</span></ins>' in shown
    assert '<span class="c"># low</span>' in shown


def test_numbers_are_those_of_each_side() -> None:
    shown = code.diff(lines.compare(["a", "b", "c"], ["b", "x", "c"]))
    found = re.findall(r'<div class="l ?(\w?)"(?: aria-hidden="true")? data-n="(\d+)">(\w)', shown)
    assert found == [("o", "1", "a"), ("", "2", "b"), ("w", "1", "b"), ("n", "2", "x"), ("", "3", "c"), ("w", "3", "c")]


def test_numbers_go_on_after_lines_that_are_left_out() -> None:
    found = lines.compare([*"abcdef", "end"], [*"uvwxyz", "end"])
    shown = code.diff(shortened(found, run=2))
    assert "… 4 more removed lines not shown" in shown
    assert 'data-n="7">end' in shown
    assert shown.count('class="l o"') == shown.count('class="l n"') == 2


def test_what_did_not_change_is_folded_and_still_there() -> None:
    both = [f"line {n}" for n in range(30)]
    shown = code.diff(lines.compare([*both, "a"], [*both, "b"]))
    assert "<summary>27 unchanged lines</summary>" in shown
    assert "line 0<" in shown


def test_one_sided_changes_have_one_column() -> None:
    assert '"diff one"' in code.diff(lines.tagged("+", ["a"]))
    assert '"diff one"' in code.listing("a\nb")
    assert '"diff one"' not in code.diff(lines.compare(["a"], ["a", "b"]))


def test_hidden_characters_are_shown_and_marked() -> None:
    assert '<b class="u">⟨U+202E⟩</b>' in code.diff(lines.tagged("+", ["a\u202e"]), "python")


def test_what_is_too_long_is_cut_and_said_to_be() -> None:
    shown = code.diff(lines.tagged("+", ["x"] * 2_500))
    assert "… 500 more lines not shown" in shown
    assert len(code.diff(lines.tagged("+", ["x " * 50_000]))) < 3_000


@given(st.lists(st.text("ab'\"#\\ (\n\t=1é%!", max_size=20), max_size=4))
def test_a_language_changes_no_text(given_lines: list[str]) -> None:
    texts = [line.replace("\n", "") for line in given_lines]
    for name in ("python", "r", "bash", "no such language"):
        assert ["".join(part for _, part in line) for line in code.tokens(tuple(texts), name)] == texts
