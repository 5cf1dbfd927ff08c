"""Outputs as lines of text, and what is said to have changed in them."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbpr.diff import outputs
from tests.diff.scripts import display, stream
from tests.diff.scripts import outputs as any_outputs


def said(before: Any, after: Any) -> list[str]:
    return [line.tag + line.text for line in outputs.compare(before, after)]


def picture(data: bytes, mime: str = "image_png") -> dict[str, Any]:
    return display(**{mime: base64.encodebytes(data).decode(), "text_plain": "<Figure>"})


def scrap(name: str, data: Any, encoder: str = "json") -> dict[str, Any]:
    payload = {"name": name, "data": data, "encoder": encoder, "version": 1}
    bundle = {f"application/scrapbook.scrap.{encoder}+json": payload}
    return {"output_type": "display_data", "metadata": {}, "data": bundle}


@pytest.mark.parametrize(
    ("output", "text"),
    [
        (stream("a\nb\n"), ["a", "b"]),
        (stream("careful\n", "stderr"), ["stderr:", "careful"]),
        (stream(["a\n", "b"]), ["a", "b"]),  # type: ignore[arg-type]
        (stream("10%\r20%\r\n"), ["10%", "20%", ""]),
        (stream("\x1b[31mred\x1b[0m \x1b]0;title\x07\x1b(Bend"), ["red end"]),
        (stream("\x1b]8;;http://e.vil\x1b\\link\x1b]8;;\x1b\\"), ["link"]),
        ({"output_type": "error", "ename": "ValueError", "evalue": "no", "traceback": ["x"]}, ["ValueError: no"]),
        (display(text_plain="   x\n0  1", text_html="<table>"), ["   x", "0  1"]),
        (display(text_html="<b>x</b>"), ["<b>x</b>"]),
        (picture(b"x" * 12_345), ["picture (png), 12 kB"]),
        (display(**{"image_svg+xml": "<svg/>"}), ["picture (svg+xml), 6 bytes"]),
        (scrap("score", 0.5), ["scrap score = 0.5"]),
        (scrap("table", "UEFS" * 9, "pandas"), ["scrap table = pandas, 36 bytes (92c61a46)"]),
        (scrap("odd", None, "other"), ["scrap odd = other, 4 bytes (74234e98)"]),
        ({"output_type": "display_data", "data": {"application/x+json": {"a": 1}}}, None),
        ({"output_type": "nonsense"}, []),
        ("text", ["an output that is no object"]),
    ],
)
def test_an_output_as_text(output: Any, text: list[str] | None) -> None:
    found = outputs.texts([output])
    if text is None:
        assert len(found) == 1
        assert len(found[0]) < 130
    else:
        assert found == text


def test_pictures_are_told_apart_by_what_they_are() -> None:
    assert said([picture(b"a" * 2000)], [picture(b"a" * 2000)]) == [" picture (png), 2 kB"]
    assert said([picture(b"a" * 2000)], [picture(b"b" * 2000)]) == [
        "! picture (png), 2 kB → 2 kB, changed".replace("! ", "!")
    ]
    assert said([picture(b"a" * 2000)], []) == ["-picture (png), 2 kB"]
    assert said([], [picture(b"a"), picture(b"b")]) == ["+picture (png), 1 bytes", "+picture (png), 1 bytes"]


def test_text_beside_a_picture_is_still_text() -> None:
    before, after = [stream("a"), picture(b"a")], [stream("b"), picture(b"b")]
    assert said(before, after) == ["-a", "+b", "!picture (png), 1 bytes → 1 bytes, changed"]


def test_a_change_without_a_text_is_remarked() -> None:
    html = [display(text_plain="x", text_html="<b>x</b>")], [display(text_plain="x", text_html="<i>x</i>")]
    assert said(*html) == [" x", "!changed in text/html, same text"]
    assert said([stream("\x1b[31mx")], [stream("x")]) == [" x", "!changed in metadata, same text"]


def test_another_form_is_remarked_beside_lines_that_changed() -> None:
    plots = [{"output_type": "display_data", "metadata": {}, "data": {"text/html": "<div>", "x/plot": n}} for n in "12"]
    found = said([stream("a\n"), plots[0]], [stream("b\n"), plots[1]])
    assert found == ["-a", "+b", " <div>", "! changed in x/plot, same text".replace("! ", "!")]


def test_another_traceback_is_no_metadata() -> None:
    errors = [{"output_type": "error", "ename": "E", "evalue": "v", "traceback": [text]} for text in "ab"]
    assert said(errors[:1], errors[1:]) == [" E: v", "!changed in traceback, same text"]


def test_execution_counts_are_no_result() -> None:
    before, after = ({**display(text_plain="x"), "execution_count": n} for n in (1, 2))
    assert not outputs.changed([before], [after])
    assert said([before], [after]) == [" x"]


def test_endless_output_is_counted_and_still_compared() -> None:
    before, after = stream("line\n" * 5_000), stream("line\n" * 4_999 + "other\n")
    assert outputs.texts([before])[-1].startswith("… 4,000 more lines (")
    assert [line[0] for line in said([before], [after])[-2:]] == ["-", "+"]


@given(st.lists(any_outputs, max_size=3), st.lists(any_outputs, max_size=3))
def test_outputs_that_differ_show_a_difference(before: list[Any], after: list[Any]) -> None:
    assert outputs.changed(before, after) == any(line.tag != " " for line in outputs.compare(before, after))


@pytest.mark.parametrize(("count", "text"), [(999, "999 bytes"), (12_345, "12 kB"), (3_400_000, "3.4 MB")])
def test_sizes(count: int, text: str) -> None:
    assert outputs.size(count) == text
