"""Markdown and mathematics as HTML."""

from __future__ import annotations

import pytest

from nbpr.render.page import prose
from tests.render.pages import picture, png


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("# Title", "<h4>Title</h4>"),
        ("**a** ~~b~~", "<p><strong>a</strong> <s>b</s></p>"),
        ("| a |\n| - |\n| 1 |", "<td>1</td>"),
        ("so $x^2$ is", "<msup><mi>x</mi><mn>2</mn></msup>"),
        ("$$\n\\frac{a}{b}\n$$", '<math display="block"><mrow><mfrac>'),
        ("it costs $5 and $6", "it costs $5 and $6"),
        ("`$x$`", "<code>$x$</code>"),
        ("$\\frac$", "<code>\\frac</code>"),
        ("[a](https://x.test)", 'href="https://x.test"'),
        ("<u>raw</u>", "<u>raw</u>"),
    ],
)
def test_what_becomes_of_it(text: str, part: str) -> None:
    assert part in (prose.rendered(text) or "")


def test_a_cell_s_own_pictures_are_shown() -> None:
    held = {"a.png": {"image/png": picture(png())}, "b.png": {"image/png": "AAAA"}}
    shown = prose.rendered("![one](attachment:a.png) ![two](attachment:b.png) ![](attachment:c.png)", held)
    assert shown is not None
    assert shown.count('src="data:image/png;base64,') == 1
    assert shown.count("src=") == 1


def test_too_long_a_text_is_not_rendered() -> None:
    assert prose.rendered("a" * 100_001) is None
    assert "<code>" in (prose.rendered(f"${'{' * 200}x$") or "")
