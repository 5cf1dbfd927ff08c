"""How several notebooks come along, as a person sees it on a terminal and elsewhere."""

from __future__ import annotations

import io
import os

import pytest

from nbpr.cli.progress import Board, board
from nbpr.engines import Progress
from nbpr.findings import Finding
from nbpr.runs.validation import Validated

FAILED = Validated("b", (Finding("execute", "error", "b", "no"),))


class Terminal(io.StringIO):
    def fileno(self) -> int:
        return 2


def shown(text: str) -> list[str]:
    """The lines that a terminal shows after this text, of which only moving up and erasing are understood."""
    lines: list[str] = []
    while text:
        if text.startswith("\033["):
            up, _, text = text[2:].partition("A\r\033[J")
            lines = lines[: -int(up)]
        else:
            line, _, text = text.partition("\n")
            lines.append(line)
    return lines


@pytest.fixture
def size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "get_terminal_size", lambda descriptor: os.terminal_size((40, 10)))


@pytest.mark.usefixtures("size")
def test_a_terminal_has_a_line_for_each_and_none_is_left() -> None:
    stream = Terminal()
    made = Board(["a", "b" * 60], stream, is_live=True)
    made.at_cell("a", Progress(2, 5))
    assert shown(stream.getvalue()) == ["a: cell 2 of 5", "b" * 39]
    made.at_cell("b" * 60, Progress(1, 1))
    made.validated("a", Validated("a", ()))
    assert shown(stream.getvalue()) == ["a: passed", "b" * 39]
    made.clear()
    assert shown(stream.getvalue()) == []


@pytest.mark.usefixtures("size")
def test_more_than_a_screen_shows_what_is_under_way() -> None:
    stream = Terminal()
    made = Board([f"n{number}" for number in range(30)], stream, is_live=True)
    made.validated("n0", Validated("n0", ()))
    made.at_cell("n7", Progress(1, 2))
    found = shown(stream.getvalue())
    assert found[:3] == ["done: 1 of 30", "n7: cell 1 of 2", "n1: waiting"]
    assert len(found) == 8


def test_elsewhere_a_plain_line_when_one_is_done() -> None:
    stream = io.StringIO()
    made = Board(["a\x1b[2J", "b"], stream, is_live=False)
    made.at_cell("b", Progress(1, 1))
    made.validated("b", FAILED)
    made.validated("a\x1b[2J", Validated("a", ()))
    made.clear()
    first, second = stream.getvalue().splitlines()
    assert first == "b: failed"
    assert second.endswith(": passed")
    assert "\x1b" not in second


def test_one_alone_is_not_told_of(capfd: pytest.CaptureFixture[str]) -> None:
    with board(["a"]) as told:
        told.validated("a", FAILED)
    assert capfd.readouterr().err == ""
