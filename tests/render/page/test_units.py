"""Outputs as the units in which they are read, and as HTML before and after."""

from __future__ import annotations

from nbpr.render.page import outputs
from nbpr.render.page.pictures import Album
from nbpr.render.page.units import pairs, units
from tests.diff.scripts import stream
from tests.render.pages import error, picture, png, scrap, shows


def shown(before: object, after: object, album: Album | None = None) -> str:
    found = outputs.shown(before, after, album or Album())  # type: ignore[arg-type]
    return "\n".join(found.blocks)


def test_texts_that_follow_each_other_are_one() -> None:
    found = units([stream("a\n"), stream("b", "stderr"), shows(text__plain="c"), error("d"), stream("e")])
    assert [(unit.kind, unit.text) for unit in found] == [("text", "a\nb\nc\n"), ("error", "d: d"), ("text", "e\n")]


def test_the_best_form_is_shown() -> None:
    kinds = {
        "picture": shows(image__png=picture(png()), text__plain="<Figure>"),
        "html": shows(text__html="<p>x</p>", text__plain="x"),
        "text": shows(text__html="<script>x</script>", text__plain="x"),
        "markdown": shows(text__markdown="x", text__plain="x"),
        "latex": shows(text__latex="$x$", text__plain="x"),
        "json": shows(application__json={"a": 1}),
        "scrap": scrap("a", 1),
        "other": {"output_type": "display_data", "data": {"application/vnd.jupyter.widget-view+json": {}}},
    }
    assert {kind: [unit.kind for unit in units([output])] for kind, output in kinds.items()} == {
        kind: [kind] for kind in kinds
    }


def test_a_picture_that_is_none_is_not_shown_as_one() -> None:
    assert [unit.kind for unit in units([shows(image__png="AAAA", text__plain="x")])] == ["text"]


def test_units_are_paired_by_their_kind() -> None:
    one, other = [stream("a"), scrap("n", 1)], [shows(image__png=picture(png())), stream("b"), scrap("n", 2)]
    found = [(a and a.kind, b and b.kind) for a, b in pairs(units(one), units(other))]
    assert found == [(None, "picture"), ("text", "text"), ("scrap", "scrap")]


def test_texts_are_compared_by_line_and_same_outputs_are_counted() -> None:
    found = outputs.shown([stream("a 1\n"), scrap("x", 1)], [stream("a 2\n"), scrap("x", 1)], Album())
    assert found.same == 1
    assert "a <del>1</del>" in found.blocks[0]
    assert "a <ins>2</ins>" in found.blocks[0]


def test_pictures_stand_side_by_side_with_the_share_that_changed() -> None:
    sides = [[shows(image__png=picture(png(20, 10, seed)))] for seed in (1, 2)]
    text = shown(*sides)
    assert text.count("<figure>") == 2
    assert "100 % of pixels changed" in text
    assert "Where it changed" in text
    assert text.count("data:image/png;base64,") == 3


def test_pictures_without_room_are_named_or_linked() -> None:
    sides = [[shows(image__png=picture(png(20, 10, seed)))] for seed in (1, 2)]
    assert "left out, as this page would be too large" in shown(*sides, Album(room=0))
    album = Album("1.files", room=0)
    assert '<a href="1.files/' in shown(*sides, album)
    assert len(album.beside) == 2


def test_values_of_a_table_that_changed_are_listed() -> None:
    head = "<table><thead><tr><th></th><th>n</th></tr></thead>"
    table = head + "<tbody><tr><th>a&amp;</th><td>{}</td></tr><tr><th>b</th><td>7</td></tr></tbody></table>"
    text = shown([shows(text__html=table.format(2))], [shows(text__html=table.format(3))])
    assert "Table: 1 value changed" in text
    assert "<td>a&amp;</td><td>n</td>" in text
    assert "+1 (+50.0 %)" in text


def test_what_does_not_run_is_said_to() -> None:
    widget = {"application/vnd.jupyter.widget-view+json": {"model_id": "a"}, "text/plain": "Slider()"}
    other = {**widget, "application/vnd.jupyter.widget-view+json": {"model_id": "b"}}
    text = shown([{"output_type": "display_data", "data": widget}], [{"output_type": "display_data", "data": other}])
    assert "holds a widget, which does not run on this page" in text


def test_a_traceback_keeps_its_colours() -> None:
    assert '<pre class="error"><span class="a31">no</span>' in shown(None, [error("\x1b[31mno\x1b[0m")])
