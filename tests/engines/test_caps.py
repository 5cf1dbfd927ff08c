"""What a run keeps of its output: all of it if it is little, else beginning and end, and the rest is counted."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbpr.engines.caps import Caps, Cell

MOST = 40_000


def make(name: str) -> dict[str, Any]:
    return {"output_type": "stream", "name": name, "text": ""}


def note(text: str) -> dict[str, Any]:
    return {"output_type": "stream", "name": "stderr", "text": f"{text}\n"}


def written(cell: Cell, pieces: list[tuple[str, str]]) -> list[dict[str, Any]]:
    outs: list[dict[str, Any]] = []
    for name, text in pieces:
        cell.write(name, text, outs, make)
    return outs


def of(outs: list[dict[str, Any]], name: str) -> str:
    return "".join(output["text"] for output in outs if output["name"] == name)


@given(st.lists(st.tuples(st.sampled_from(["stdout", "stderr"]), st.text(max_size=30)), max_size=60))
def test_what_fits_is_kept_as_it_was_written(pieces: list[tuple[str, str]]) -> None:
    caps = Caps(MOST, None)
    cell = caps.begin()
    outs = written(cell, pieces)
    assert caps.end(cell, outs, note) == 0
    for name in ("stdout", "stderr"):
        assert of(outs, name) == "".join(text for its, text in pieces if its == name)
    names = [output["name"] for output in outs]
    assert all(one != other for one, other in pairwise(names))


@given(st.integers(50_000, 150_000), st.sampled_from([11, 100, 9_000, 60_000, 1_000_000]))
def test_of_more_the_beginning_and_the_end_are_kept_and_the_rest_is_counted(size: int, piece: int) -> None:
    text = "".join(f"{number}\n" for number in range(size // 6))
    caps = Caps(MOST, None)
    cell = caps.begin()
    outs = written(cell, [("stdout", text[at : at + piece]) for at in range(0, len(text), piece)])
    cut = caps.end(cell, outs, note)
    head, middle, tail = outs[0]["text"].partition(f"[nbpr: {cut:,} characters of output left out here]\n")
    assert middle
    assert text.startswith(head)
    assert text.endswith(tail)
    assert len(head) + len(tail) + cut == len(text)
    assert MOST - 5_000 < len(head) + len(tail) <= MOST
    assert head.endswith("\n")
    assert text[: -len(tail)].endswith("\n")


def test_how_it_was_cut_into_messages_does_not_matter() -> None:
    text = "".join(f"line {number}\n" for number in range(50_000))
    kept = []
    for piece in (7, 13, 10_000, 10**9):
        caps = Caps(MOST, None)
        cell = caps.begin()
        outs = written(cell, [("stdout", text[at : at + piece]) for at in range(0, len(text), piece)])
        kept.append((caps.end(cell, outs, note), outs[0]["text"]))
    assert all(each == kept[0] for each in kept)


def test_a_million_outputs_that_alternate_are_bounded_too() -> None:
    caps = Caps(MOST, None)
    cell = caps.begin()
    outs = written(cell, [("stdout", "a\n"), ("stderr", "b\n")] * 30_000)
    assert caps.end(cell, outs, note) > 0
    assert len(outs) < 1_000
    assert of(outs, "stdout").startswith("a\na\n")


def test_a_secret_is_not_cut_in_two() -> None:
    secret = "hunter2-" * 8
    for shift in range(0, 70, 3):
        text = "x" * (MOST // 2 - 70 + shift) + secret + "y" * 200_000 + secret + "z" * (MOST // 2 - 70 + shift)
        caps = Caps(MOST, None, clean=lambda text: text.replace(secret, "***"))
        cell = caps.begin()
        outs = written(cell, [("stdout", text)])
        assert caps.end(cell, outs, note) > 0
        assert "hunter" not in outs[0]["text"]
        assert "2-***" not in outs[0]["text"]


def test_what_a_cell_took_back_does_not_count() -> None:
    caps = Caps(MOST, None)
    cell = caps.begin()
    outs = written(cell, [("stdout", "x" * 100_000)])
    outs.clear()
    cell.forget()
    cell.write("stdout", "kept\n", outs, make)
    assert caps.end(cell, outs, note) == 0
    assert outs[0]["text"] == "kept\n"


def test_cells_share_what_a_run_may_keep_and_each_keeps_a_little() -> None:
    caps = Caps(MOST, MOST)
    sizes = []
    for _ in range(4):
        cell = caps.begin()
        outs = written(cell, [("stdout", "x" * 1_000_000)])
        caps.end(cell, outs, note)
        sizes.append(len(outs[0]["text"]))
    assert MOST - 300 < sizes[0] < MOST + 300
    assert all(9_000 < size < 11_000 for size in sizes[1:])


def test_no_limit_is_none() -> None:
    caps = Caps(None, None)
    cell = caps.begin()
    outs = written(cell, [("stdout", "x" * 1_000_000)])
    assert caps.end(cell, outs, note) == 0
    assert cell.displays.fitting({"data": {"a": "x" * 1_000_000}})["data"]["a"]


def display(text: str, display_id: str | None = None) -> dict[str, Any]:
    transient = {"display_id": display_id} if display_id else {}
    return {"output_type": "display_data", "data": {"text/plain": text}, "metadata": {}, "transient": transient}


def shown(cell: Cell, contents: list[dict[str, Any]]) -> list[dict[str, Any]]:
    outs = []
    for content in contents:
        fitting = cell.displays.fitting(content)
        if cell.displays.has_room(fitting):
            outs.append(fitting)
        else:
            cell.displays.keep_last(fitting)
    return outs


def test_of_many_displays_the_first_and_the_last_are_kept() -> None:
    caps = Caps(MOST, None)
    cell = caps.begin()
    outs = shown(cell, [display(f"{number}") for number in range(100_000)])
    outs.append({"output_type": "error"})
    cut = caps.end(cell, outs, note)
    assert outs[0]["data"]["text/plain"] == "0"
    assert outs[-2]["data"]["text/plain"] == "99999"
    assert [output["text"] for output in outs if output["output_type"] == "stream"] == [
        f"[nbpr: {cut:,} characters of output left out here]\n"
    ]
    assert len(outs) < 2 * MOST / 200


def test_one_display_that_is_too_large_is_a_note() -> None:
    caps = Caps(MOST, None)
    cell = caps.begin()
    outs = shown(cell, [display("x" * 1_000_000), display("small")])
    assert caps.end(cell, outs, note) == 1_000_000
    assert [output["data"]["text/plain"] for output in outs] == [
        "[nbpr: 1,000,000 characters of output left out here]",
        "small",
    ]


@pytest.mark.parametrize(("size", "is_kept"), [(100, True), (39_000, True), (50_000, False)])
def test_a_display_that_is_updated_without_end_stays_within_its_share(size: int, is_kept: bool) -> None:
    caps = Caps(MOST, None)
    cell = caps.begin()
    shown(cell, [display("", "bar")])
    for _ in range(10_000):
        content = cell.displays.update(display("x" * size, "bar"))
    assert (content["data"]["text/plain"] == "x" * size) == is_kept
