"""How several notebooks at a time are coming along: a line for each on a terminal, else a line when one is done."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from nbpr.cli.output import size_of
from nbpr.render.escape import one_line

if TYPE_CHECKING:
    from nbpr.engines import Progress
    from nbpr.runs.record import Run
    from nbpr.runs.validation import Validated

#: How many lines are rewritten at most; those that are done go first.
MOST_LINES = 20


class Board:
    """A line for each piece of work, on `stream`. Work is told of from many threads."""

    def __init__(self, names: Sequence[str], stream: Any, *, is_live: bool) -> None:
        self._states: dict[str, str] = dict.fromkeys(names, "waiting")
        self._stream = stream
        self._is_live = is_live
        self._drawn = 0
        self._lock = threading.Lock()

    def at_cell(self, name: str, at: Progress) -> None:
        """A cell has begun."""
        with self._lock:
            self._states[name] = f"cell {at.cell} of {at.cells}"
            self._draw()

    def ran(self, name: str, run: Run) -> None:
        """A run has ended."""
        record = run.record
        seconds = (
            ("proven before" if run.proof else "done before") if record.cached else f"{record.duration_seconds:.1f} s"
        )
        self._done(name, f"{record.reason or record.status}, {seconds}")

    def validated(self, name: str, found: Validated) -> None:
        """A validation has ended."""
        cached = ", proven before" if found.run and found.run.record.cached else ""
        self._done(name, ("failed" if found.failed else "passed") + cached)

    def done(self, name: str, said: str) -> None:
        """A piece of work has ended, as `said`."""
        self._done(name, said)

    def clear(self) -> None:
        """Take the lines away."""
        with self._lock:
            self._write(self._erased())
            self._drawn = 0

    def _done(self, name: str, said: str) -> None:
        with self._lock:
            self._states[name] = said
            if self._is_live:
                self._draw()
            elif len(self._states) > 1:
                self._write(f"{one_line(name)}: {said}\n")

    def _draw(self) -> None:
        if not self._is_live:
            return
        columns, rows = size_of(self._stream)
        lines = [f"{one_line(name)}: {said}"[: columns - 1] for name, said in self._shown(min(MOST_LINES, rows - 2))]
        self._write(self._erased() + "".join(f"{line}\n" for line in lines))
        self._drawn = len(lines)

    def _shown(self, most: int) -> list[tuple[str, str]]:
        """Those that are under way, then those that wait, and of those that are done how many there are."""
        done = [item for item in self._states.items() if item[1] != "waiting" and not item[1].startswith("cell ")]
        busy = [item for item in self._states.items() if item[1].startswith("cell ")]
        rest = [item for item in self._states.items() if item[1] == "waiting"]
        if len(self._states) <= most:
            return list(self._states.items())
        shown = [*busy, *rest][: max(1, most - 1)]
        return [("done", f"{len(done)} of {len(self._states)}"), *shown]

    def _erased(self) -> str:
        return f"\033[{self._drawn}A\r\033[J" if self._drawn else ""

    def _write(self, text: str) -> None:
        if text:
            self._stream.write(text)
            self._stream.flush()


@contextmanager
def board(names: Sequence[str]) -> Iterator[Board]:
    """A board on stderr, whose lines are gone when the block ends."""
    made = Board(names, sys.stderr, is_live=sys.stderr.isatty())
    try:
        yield made
    finally:
        made.clear()
