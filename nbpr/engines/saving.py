"""What has run so far, saved while the run goes on: the last good file is there until a newer one is, whole.

A save writes everything, so it is done as seldom as it takes long: saving takes a twentieth of a run at most, however
much it puts out, and a run that is over in a moment saves nothing. What has run since the last save is lost only if
this process dies too: when its parent does, it saves once more.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from nbpr.engines.filling import filled_in, with_statuses
from nbpr.errors import NotAllowed
from nbpr.notebooks.notebook import write
from nbpr.runs import reference

#: The notebook as it was given, in the run's private folder.
WHOLE = "whole.json"
#: How often it is saved at most, in seconds, and how many times longer than it took the last time is waited.
_OFTEN = 2.0
_RARELY = 20.0

#: The cells so far, by their places, and place and source of the one that fails.
Cells = Callable[[], tuple[list[dict[str, Any]], tuple[int, str] | None]]


class Saving:
    """Saves where it is `asked` to, in a thread of its own, when something has changed and it is time."""

    def __init__(self, asked: Mapping[str, Any], cells: Cells, often: float = _OFTEN) -> None:
        self.place = Path(asked["place"])
        self._ignored = asked["ignored"]
        self.took: list[float] = []
        self._cells = cells
        self._often = often
        self._source: Mapping[str, Any] = json.loads(Path(WHOLE).read_bytes())
        self._changed = threading.Event()
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._save_in_time, daemon=True)
        self._thread.start()

    def changed(self) -> None:
        """Note that there is something to save."""
        self._changed.set()

    def end(self) -> None:
        """Save no more; one save that is being done is waited for."""
        self._ended.set()
        self._changed.set()
        self._thread.join()

    def save(self) -> None:
        """Save now. What the disk does not take is left out; what was saved before stays."""
        began = time.monotonic()
        try:
            with self._lock:
                cells, failed = self._cells()
                made = [*with_statuses(filled_in(self._source, cells), failed)]
                data = reference.to_bytes({**self._source, "cells": made})
                self.place.parent.mkdir(parents=True, exist_ok=True)
                write(self.place, data)
                self._keep_out()
        except (OSError, NotAllowed, RuntimeError):
            # No room, or (RuntimeError) an output that grew while it was written down: another time.
            self._changed.set()
        self.took.append(time.monotonic() - began)

    def _keep_out(self) -> None:
        """See that git does not take it for something to commit."""
        if self._ignored and not Path(self._ignored[0]).exists():
            write(Path(self._ignored[0]), self._ignored[1].encode())

    def _save_in_time(self) -> None:
        wait = self._often
        while not self._ended.wait(wait):
            self._changed.wait()
            if self._ended.is_set():
                return
            self._changed.clear()
            self.save()
            wait = max(self._often, _RARELY * self.took[-1])
