"""The log of a gate: a line for each cell that begins, and for each notebook that is judged; on stderr."""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING, Any

from nbpr.cli.progress import Board
from nbpr.render.escape import one_line, without_commands

if TYPE_CHECKING:
    from nbpr.engines import Progress
    from nbpr.gate.gate import Ground
    from nbpr.gate.result import Judged


class Log:
    """A watcher that tells. On a terminal the lines are rewritten in place, elsewhere there is one for each cell."""

    def __init__(self, stream: Any = None) -> None:
        self._stream = stream or sys.stderr
        self._is_live = self._stream.isatty()
        self._board: Board | None = None
        self._lock = threading.Lock()

    def __enter__(self) -> Log:
        return self

    def __exit__(self, *_: object) -> None:
        if self._board is not None:
            self._board.clear()

    def begins(self, ground: Ground) -> None:
        """Say which commits, and which notebooks."""
        at = ground.at
        self._say(f"head {at.head[:12]}, base {at.base[:12] if at.base else 'none'}")
        for each in at.notes:
            self._say(one_line(each))
        for subject in ground.scope.subjects:
            self._say(
                f"{one_line(subject.path)}: {subject.change}" + (f", {one_line(subject.why)}" if subject.why else "")
            )
        if self._is_live:
            self._board = Board([subject.path for subject in ground.scope.subjects], self._stream, is_live=True)

    def runs(self) -> None:
        """Nothing: the cells say it."""

    def at_cell(self, path: str, at: Progress) -> None:
        """A cell has begun."""
        if self._board is not None:
            self._board.at_cell(path, at)
        else:
            self._say(f"{one_line(path)}: cell {at.cell} of {at.cells}")

    def judged(self, found: Judged) -> None:
        """A notebook is judged."""
        from nbpr.gate import words

        cached = ", proven before" if found.run is not None and found.run["cached"] else ""
        said = words.of_one(found) + cached
        if self._board is not None:
            self._board.done(found.path, said)
        else:
            self._say(f"{one_line(found.path)}: {said}")

    def _say(self, line: str) -> None:
        with self._lock:
            self._stream.write(without_commands(line) + "\n")
            self._stream.flush()
