"""The other end of `child`: how a child process of ours hears and speaks, and what it does when left alone."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn, TextIO

from nbpr.engines import strays


class Parent:
    """The process that started this one, at the other end of standard input and output."""

    def __init__(self) -> None:
        # What libraries print must not end up among our messages.
        self._out: TextIO = os.fdopen(os.dup(1), "w", encoding="utf-8")
        os.dup2(2, 1)
        self._lock = threading.Lock()
        self._lines = _lines(0)
        self._folder = Path.cwd()

    def say(self, **message: Any) -> None:
        """Say one thing to the parent. If it is gone, whoever listens to it ends this process, and we wait for that."""
        try:
            with self._lock:
                self._out.write(json.dumps(message) + "\n")
                self._out.flush()
        except BrokenPipeError:
            threading.Event().wait()

    def first(self) -> dict[str, Any]:
        """The first thing that the parent says: what there is to do. If it is gone before, so are we."""
        line = next(self._lines, None)
        if line is None:
            self._end()
        request: dict[str, Any] = json.loads(line)
        return request

    def listen(self, hear: Callable[[dict[str, Any]], None], leave: Callable[[], None] = lambda: None) -> None:
        """Give everything that the parent says from now on to `hear`, in a thread.

        If it goes away, so do we, once we have taken `leave`, with all that we have started and with the private
        folder that it gave us.
        """

        def listening() -> None:
            for line in self._lines:
                hear(json.loads(line))
            with contextlib.suppress(Exception):
                leave()
            self._end()

        threading.Thread(target=listening, daemon=True).start()

    def _end(self) -> NoReturn:
        strays.end_below(os.getpid())
        shutil.rmtree(self._folder, ignore_errors=True)
        os._exit(1)


def _lines(descriptor: int) -> Iterator[bytes]:
    """Lines of a file descriptor, read without Python's buffered streams: those lock at the interpreter's end."""
    unread = b""
    while read := os.read(descriptor, 65536):
        *lines, unread = (unread + read).split(b"\n")
        yield from lines
