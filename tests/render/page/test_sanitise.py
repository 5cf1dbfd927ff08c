"""HTML from notebooks: what a reader needs stays, everything that could do something goes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbpr.render.page import sanitise
from tests.render.payloads import PAYLOADS

PNG = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUg=="


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("<p>a <b>b</b></p>", "<p>a <b>b</b></p>"),
        ("<table border=1 class=dataframe><tr><td rowspan=2>1</td></tr></table>",
         '<table><tbody><tr><td rowspan="2">1</td></tr></tbody></table>'),
        ("<a href='https://x.test/'>x</a>", '<a href="https://x.test/" rel="noopener noreferrer nofollow">x</a>'),
        ("<a href='other.ipynb'>x</a>", '<a rel="noopener noreferrer nofollow">x</a>'),
        ("<a href='//x.test/'>x</a>", '<a rel="noopener noreferrer nofollow">x</a>'),
        (f"<img src='{PNG}' alt=a>", f'<img src="{PNG}" alt="a">'),
        (f"<img src='{PNG}'>", f'<img alt="a picture" src="{PNG}">'),
        ("<img src='data:image/png;base64,AAAA'>", '<img alt="a picture from elsewhere, not loaded">'),
        ("<img src='https://x.test/a.png' alt='<img>'>", '<img alt="&lt;img&gt;">'),
        ("<script>alert(1)</script><style>x</style>", ""),
        ("<td rowspan='2;x'>", ""),
        ("a\x1b\u202e", "a⟨U+001B⟩⟨U+202E⟩"),
    ],
)  # fmt: skip
def test_what_is_left(text: str, left: str) -> None:
    assert sanitise.clean_html(text) == left


@pytest.mark.parametrize("text", PAYLOADS)
def test_cleaning_twice_is_cleaning_once(text: str) -> None:
    """What comes out is read by a browser as what it was taken for: no second meaning is left in it."""
    once = sanitise.clean_html(text)
    assert once is None or sanitise.clean_html(once) == once


@given(st.text("<>/=\"'ab \n&;!-?", max_size=60))
def test_no_element_is_made_of_pieces(text: str) -> None:
    safe = sanitise.clean_html(f"<div>{text}</div>")
    assert safe is not None
    assert sanitise.clean_html(safe) == safe


@pytest.mark.parametrize("text", ["x" * 1_000_001, "<b>" * 201, "<table>" * 400])
def test_what_is_too_much_is_not_rendered(text: str) -> None:
    assert sanitise.clean_html(text) is None
