"""Terminal colours as spans."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbpr.render.page.ansi import coloured


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain <b>", "plain &lt;b&gt;"),
        ("\x1b[31mred\x1b[0m no", '<span class="a31">red</span> no'),
        ("\x1b[1;32mbold\x1b[22m green", '<span class="a1 a32">bold</span><span class="a32"> green</span>'),
        ("\x1b[31m\x1b[44mx\x1b[39my\x1b[49mz", '<span class="a31 a44">x</span><span class="a44">y</span>z'),
        ("\x1b[38;5;208mx\x1b[48;2;1;2;31my", "xy"),
        ("\x1b[31mone\ntwo", '<span class="a31">one\ntwo</span>'),
        ("\x1b]0;title\x07\x1b[2Jx\x1b[10;10Hy", "xy"),
        ("\x1b[31;92mx", '<span class="a92">x</span>'),
        ("a\x1b", "a⟨U+001B⟩"),
        ("50%\r100%\x07", "50%\n100%⟨U+0007⟩"),
        ('\x1b[31" onmouseover="alert(1)mx', "nmouseover=&#34;alert(1)mx"),
    ],
)
def test_what_is_shown(text: str, shown: str) -> None:
    assert coloured(text) == shown


@given(st.text('\x1b[]0123456789;m\\\x07ab<"', max_size=40))
def test_nothing_but_our_spans_comes_of_it(text: str) -> None:
    rest = re.sub(r'<span class="(a\d+ ?)+">|</span>', "", coloured(text))
    assert "<" not in rest
    assert "\x1b" not in rest
