"""Text made safe to show."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbpr.render import escape


@pytest.mark.slow
def test_nothing_that_hides_or_commands_is_passed_on() -> None:
    shown = "".join(map(chr, range(0x110000)))
    kinds = {sign: unicodedata.category(sign) for sign in set(escape.visible(shown))}
    assert {sign for sign, kind in kinds.items() if kind[0] == "C" or kind in ("Zl", "Zp")} == {
        "\t",
        "\u200c",
        "\u200d",
    }


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, é, 漢, 👩‍🚀, \u00a0", "plain, é, 漢, 👩‍🚀, \u00a0"),
        ("\x1b[31m", "⟨U+001B⟩[31m"),
        ("a\u202eb", "a⟨U+202E⟩b"),
        ("\ud83d", "⟨U+D83D⟩"),
        ("\U000e0041", "⟨U+E0041⟩"),
        ("a\r\n", "a⟨U+000D⟩⟨U+000A⟩"),
        ("\u3164\U000e0100", "⟨U+3164⟩⟨U+E0100⟩"),
    ],
)
def test_what_is_shown(text: str, shown: str) -> None:
    assert escape.visible(text) == shown


@given(st.text(max_size=400), st.integers(0, 400))
def test_a_cut_keeps_the_place_in_view(text: str, place: int) -> None:
    place = min(place, max(len(text) - 1, 0))
    shown = escape.cut(text, 100, around=place)
    assert len(shown) <= 100 + 60
    assert text[place : place + 1] in shown
    assert (shown == text) == (len(text) <= 100)


@given(st.lists(st.text("`~ab \n", max_size=30), max_size=5))
def test_a_fence_is_longer_than_what_is_in_it(texts: list[str]) -> None:
    lines = [line.replace("\n", "") for line in texts]
    opening, *body, closing = escape.fence(lines, "diff").split("\n")
    bar = opening.removesuffix("diff")
    assert closing == bar
    assert set(bar) <= {"`"} or set(bar) <= {"~"}
    assert not any(bar in line for line in body)
    assert len(bar) <= 13
    assert [line.replace(escape.ZERO_WIDTH_SPACE, "") for line in body] == lines


def test_a_fence_is_of_the_sign_that_makes_it_shorter() -> None:
    assert escape.fence(["`````"]) == "~~~\n`````\n~~~"
    assert escape.fence(["~~~"]) == "```\n~~~\n```"
    assert escape.fence([]) == "```\n```"


@pytest.mark.parametrize(
    ("text", "span"),
    [("a", "`a`"), ("", "` `"), ("`", "`` ` ``"), ("a\n b", "`a b`"), ("x|y", "`x|y`"), ("a@b", "`a@\u200bb`")],
)
def test_code_spans(text: str, span: str) -> None:
    assert escape.code_span(text) == span


def test_pipes_in_tables() -> None:
    assert escape.table_code("a|b\\|c") == "`a\\|b\\\u200b\\|c`"


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "/tmp/x", "http://", "data:text/html,x", "https:// x", "HTTP:x"]
)
def test_no_address(url: str) -> None:
    assert escape.address(url) is None


def test_base64_is_shortened_and_still_told_apart() -> None:
    one, other = (escape.without_base64(f"x = '{'QUJD' * 100}{end}'") for end in ("QUJD", "QUJE"))
    assert len(one) < 100
    assert one != other
    assert "404 characters of base64" in one
    assert escape.without_base64("a" * 60) == "a" * 60


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("::add-mask::x", "⟨:⟩:add-mask::x"),
        ("fine\n  ::stop-commands::x", "fine\n  ⟨:⟩:stop-commands::x"),
        ("a ##[error]b", "a ⟨#⟩#[error]b"),
        ("a[::2] and std::cout # comment", "a[::2] and std::cout # comment"),
    ],
)
def test_a_log_holds_no_line_that_a_runner_obeys(text: str, shown: str) -> None:
    assert escape.without_commands(text) == shown
