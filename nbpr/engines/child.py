"""A child process of ours that does one piece of work: in a session of its own, in a private folder, never left.

It is spoken to in lines of JSON: on its standard input, and on its standard output. When its input ends, its
parent is gone, and it ends what it has started and itself.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nbpr.engines import strays

#: How long a child may take for its last words once it was told to stop, or has said that it is done.
GRACE = 5.0


@contextmanager
def private_folder() -> Iterator[Path]:
    """A folder that only we can enter, gone when the block ends. Its path is short, as sockets lie in it."""
    folder = Path(tempfile.mkdtemp(prefix="nbpr-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class Child:
    """A running child. `log` holds what it and what it started wrote to standard error."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path, mark: str) -> None:
        self._process = process
        self._log = log
        self._mark = mark
        self._unread = b""
        self._groups: list[int] = []
        self._is_done = False
        self._selector = selectors.DefaultSelector()
        assert process.stdout is not None
        self._selector.register(process.stdout, selectors.EVENT_READ)

    def send(self, message: Mapping[str, Any]) -> None:
        """Say one thing to the child; one that is gone hears nothing, and its silence is noticed elsewhere."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps(message).encode() + b"\n")
            self._process.stdin.flush()

    def receive(self, until: float) -> dict[str, Any] | None:
        """The next thing it says; `{}` once it has nothing more to say; None if `until` (monotonic) passes first."""
        assert self._process.stdout is not None
        while b"\n" not in self._unread:
            if not self._selector.select(max(0.0, until - time.monotonic())):
                return None
            read = os.read(self._process.stdout.fileno(), 65536)
            if not read:
                return {}
            self._unread += read
        line, _, self._unread = self._unread.partition(b"\n")
        message: dict[str, Any] = json.loads(line)
        if "group" in message:
            self._groups.append(message["group"])
        self._is_done = self._is_done or "done" in message
        return message

    @property
    def last_words(self) -> str:
        """The last line of its log, which is where programs say why they ended."""
        lines = self._log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return lines[-1] if lines else "no message"

    def end(self) -> None:
        """See that nothing of it is left: nicely if it has said that it is done, else by force."""
        try:
            if self._is_done:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._process.wait(GRACE)
        finally:
            if self._process.returncode != 0:
                self._force()
            self._selector.close()
            for stream in (self._process.stdin, self._process.stdout):
                assert stream is not None
                with contextlib.suppress(BrokenPipeError):
                    stream.close()

    def _force(self) -> None:
        """Down from below: as long as the child lives, what loses its parent becomes the child's own."""
        if self._process.poll() is None:
            strays.end_below(self._process.pid)
            strays.kill_group(self._process.pid)
            self._process.wait()
        for group in self._groups:
            strays.kill_group(group)
        strays.kill(strays.marked(self._mark))


@contextmanager
def child(module: str, folder: Path, environment: Mapping[str, str], mark: str) -> Iterator[Child]:
    """Start `python -m module` in `folder`; when the block ends, however it ends, nothing of it is left.

    `-P` keeps the folder that it runs in off its import path. `mark` is what its processes carry as
    `strays.MARK` in their environment.
    """
    log = folder / "log"
    with log.open("wb") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            cwd=folder,
            env={**environment, strays.MARK: mark},
            start_new_session=True,
        )
    running = Child(process, log, mark)
    try:
        yield running
    finally:
        running.end()
