"""The review page as text: what stands in it, and its policy."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbpr.diff.notebooks import compare
from nbpr.render import RENDERERS, Report, View, html
from nbpr.render.page.cells import Quiet, views
from nbpr.render.page.pictures import Album
from tests.diff.scripts import book, code, edited, notebooks, stream
from tests.render.pages import hostile
from tests.render.test_markdown import HOSTILE, changed, threshold

VOID = {"meta", "br", "img", "input", "hr", "col", "link"}


class Elements(HTMLParser):
    """The elements of a page: those that are open at the end, and all there were, with their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.found: list[tuple[str, dict[str, Any]]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in VOID and not (self.open and self.open[-1] in ("polyline", "circle", "line")):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: Any) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open[-1] == tag, (tag, self.open[-3:], self.getpos())
        self.open.pop()


def page(text: str) -> Elements:
    found = Elements(text)
    assert found.open == []
    return found


def test_the_policy_names_the_one_style_and_the_one_script() -> None:
    text = html.render(Report(diffs=(threshold(),)))
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)
    assert policy
    for name in ("style", "script"):
        (inner,) = re.findall(rf"<{name}>(.*?)</{name}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(inner.encode()).digest()).decode()
        assert f"{name}-src &#39;sha256-{digest}&#39;" in policy[1]
    assert "default-src &#39;none&#39;" in policy[1]
    assert text.index("Content-Security-Policy") < text.index("<title>")


def test_the_summary_has_verdict_change_and_title() -> None:
    text = html.render(Report(title="Lower it", key="k", verdict="passed", diffs=(threshold(),)))
    assert "<title>Passed: Lower it</title>" in text
    assert '<td class="num"><del>0.95</del></td><td class="num"><ins>0.90</ins></td>' in text
    assert "1 of 2 cells changed (+0 −0 ~1)" in text


def test_a_mere_comparison_has_no_verdict() -> None:
    text = RENDERERS["html"](Report(diffs=(threshold(),)), View())
    assert "Not validated" not in text
    assert "Compared" in text


def test_several_notebooks_have_a_table_of_contents() -> None:
    text = html.render(Report(diffs=(threshold("a.ipynb"), threshold("b.ipynb"))))
    assert '<a href="#n1"><code>a.ipynb</code></a>' in text
    assert '<a href="#n2"><code>b.ipynb</code></a>' in text
    ids = [attributes["id"] for _, attributes in page(text).found if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_cells_that_did_not_change_are_folded_in_their_places() -> None:
    pairs = [(code(f"x{n}", f"c{n}"), code(f"x{n}" + "y" * (n == 3), f"c{n}")) for n in range(6)]
    found = list(views(changed(*pairs), 1, Album()))
    assert [cell.count if isinstance(cell, Quiet) else cell.id for cell in found] == [3, "c3", 2]


def test_other_execution_counts_alone_are_no_change() -> None:
    diff = changed((code("x", "a", execution_count=1), code("x", "a", execution_count=2)))
    assert all(isinstance(cell, Quiet) for cell in views(diff, 1, Album()))


def test_a_change_that_cannot_be_seen_is_said() -> None:
    sides = [{**stream("x"), "name": name} for name in ("stdout", "stderr")]
    diff = changed((code("x", "a", outputs=[sides[0]]), code("x", "a", outputs=[sides[1]])))
    assert "changed in their form or metadata" in html.render(Report(diffs=(diff,)))


def test_ids_of_cells_that_are_doubled_or_strange_are_no_anchors_twice() -> None:
    before = book(code("a", "x"), code("b", "x"), code("c", "y z"))
    after = book(code("a1", "x"), code("b1", "x"), code("c1", "y z"))
    ids = [a["id"] for _, a in page(html.render(Report(diffs=(compare("a.ipynb", before, after),)))).found if "id" in a]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_opens_and_closes_nothing(text: str) -> None:
    found = page(html.render(hostile(text)))
    names = [name for name, _ in found.found]
    assert names.count("script") == names.count("style") == 1
    assert not {"iframe", "object", "embed", "form", "base", "video"} & set(names)
    attributes = {name for _, one in found.found for name in one}
    assert not [name for name in attributes if name.startswith("on") or name in ("style", "srcset", "srcdoc")]


@given(st.data())
def test_any_diff_becomes_a_page(data: st.DataObject) -> None:
    before = data.draw(notebooks())
    text = html.render(Report(diffs=(compare("a.ipynb", before, data.draw(edited(before))),)))
    page(text.encode().decode())
