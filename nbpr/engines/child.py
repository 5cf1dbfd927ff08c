"""A child process of ours that does one piece of work: in a session of its own, in a private folder, never left.

It is spoken to in lines of JSON: on its standard input, and on its standard output. When its input ends, its
parent is gone, and it ends what it has started and itself.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import selectors
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from nbpr.engines import stem, strays

#: How long a child may take for its last words once it was told to stop, or has said that it is done.
GRACE = 5.0
#: How long it may take to see to the end of what it started, once it has given its result.
LONGEST_END = 15.0


@contextmanager
def private_folder() -> Iterator[Path]:
    """A folder that only we can enter, gone when the block ends. Its path is short, as sockets lie in it.

    Where a stem is kept, it is gone too if we are killed before anybody else knows of it.
    """
    folder = Path(tempfile.gettempdir(), f"nbpr-{secrets.token_hex(5)}")
    stem.take_along(folder)
    folder.mkdir(mode=0o700)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class Started(Protocol):
    """A child's process, however it was started."""

    pid: int

    def has_ended(self, seconds: float) -> bool:
        """Whether it ends within so many seconds."""

    def kill(self) -> None:
        """End it at once."""

    def close(self) -> None:
        """Forget it; it has ended."""


class Program:
    """A process that was started as a program of its own."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self.pid = process.pid

    def has_ended(self, seconds: float) -> bool:
        """Whether it ends within so many seconds."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(max(0, seconds))
            return True
        return False

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()

    def close(self) -> None:
        """Bury it."""
        self._process.wait()


class Child:
    """A running child. `log` holds what it and what it started wrote to standard error.

    `speak` and `listen` are the descriptors of its standard input and output.
    """

    def __init__(self, process: Started, speak: int, listen: int, log: Path, mark: str) -> None:
        self._process = process
        self._speak = speak
        self._listen = listen
        self._log = log
        self._mark = mark
        self._unread = b""
        self._groups: list[int] = []
        self._is_done = False
        self._is_ending = False
        self._selector = selectors.DefaultSelector()
        self._selector.register(listen, selectors.EVENT_READ)

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    def send(self, message: Mapping[str, Any]) -> None:
        """Say one thing to the child; one that is gone hears nothing, and its silence is noticed elsewhere."""
        left = memoryview(json.dumps(message).encode() + b"\n")
        with contextlib.suppress(BrokenPipeError):
            while left:
                left = left[os.write(self._speak, left) :]

    def receive(self, until: float) -> dict[str, Any] | None:
        """The next thing it says; `{}` once it has nothing more to say; None if `until` (monotonic) passes first."""
        while b"\n" not in self._unread:
            if not self._selector.select(max(0.0, until - time.monotonic())):
                return None
            read = os.read(self._listen, 65536)
            if not read:
                return {}
            self._unread += read
        line, _, self._unread = self._unread.partition(b"\n")
        message: dict[str, Any] = json.loads(line)
        if "group" in message:
            self._groups.append(message["group"])
        self._is_done = self._is_done or "done" in message
        self._is_ending = self._is_ending or "result" in message
        return message

    @property
    def last_words(self) -> str:
        """The last line of its log, which is where programs say why they ended."""
        lines = self._log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return lines[-1] if lines else "no message"

    def end(self) -> None:
        """See that nothing of it is left: nicely if it has given its result, else by force."""
        try:
            until = time.monotonic() + LONGEST_END
            while self._is_ending and not self._is_done and self.receive(until):
                pass
            ended = self._is_done and self._process.has_ended(GRACE)
        except BaseException:
            self._force()
            raise
        else:
            if not ended:
                self._force()
        finally:
            self._process.close()
            self._selector.close()
            os.close(self._speak)
            os.close(self._listen)

    def _force(self) -> None:
        """Down from below: as long as the child lives, what loses its parent becomes the child's own."""
        if not self._process.has_ended(0):
            strays.end_below(self._process.pid)
            strays.kill_group(self._process.pid)
            self._process.kill()
            self._process.has_ended(GRACE)
        for group in self._groups:
            strays.kill_group(group)
        strays.kill(strays.marked(self._mark))


@contextmanager
def child(module: str, folder: Path, environment: Mapping[str, str], mark: str) -> Iterator[Child]:
    """Start what `python -m module` does, in `folder`; when the block ends, however it ends, nothing of it is left.

    It is forked from a stem if there is one for its environment. `mark` is what its processes
    carry as `strays.MARK` in their environment.
    """
    log = folder / "log"
    their_input, speak = os.pipe()
    listen, their_output = os.pipe()
    try:
        with log.open("wb") as stderr:
            descriptors = (their_input, their_output, stderr.fileno())
            process = _started(module, folder, {**environment, strays.MARK: mark}, descriptors)
    except BaseException:
        os.close(speak)
        os.close(listen)
        raise
    finally:
        os.close(their_input)
        os.close(their_output)
    running = Child(process, speak, listen, log, mark)
    try:
        yield running
    finally:
        running.end()


def _started(module: str, folder: Path, environment: Mapping[str, str], descriptors: tuple[int, int, int]) -> Started:
    at_hand = stem.at_hand(environment)
    forked = at_hand and at_hand.fork(module, folder, environment, descriptors)
    if forked:
        return forked
    stdin, stdout, stderr = descriptors
    # `-P` keeps the folder that it runs in off its import path.
    argv = [sys.executable, "-P", "-m", module]
    process = subprocess.Popen(
        argv, stdin=stdin, stdout=stdout, stderr=stderr, cwd=folder, env=dict(environment), start_new_session=True
    )
    return Program(process)
