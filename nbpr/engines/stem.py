"""A stem: a process that has imported what takes long, from which children are forked, each for one piece of work.

It never runs anything itself, holds no token, and has one thread, so that a child forked from it is what a new
process would be once it had imported the same. Kernels are not forked: each is a program started anew, since what a
notebook computes must not hang on what another process had imported, nor share its hash seed.

There is a stem only while somebody keeps one (`kept`), and for as long as that, or from a moment before (`ahead`);
without one, children are started as programs, which takes half a second of processor time more each.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from nbpr.engines import strays

#: More than this is not sent to a stem: sockets take only so much at a time.
_MESSAGE = 100_000
#: How long a stem may take to fork. It may be importing: the largest step of that takes a good part of a second.
_PATIENCE = 60.0
#: How long one that is not needed any more may take to end.
_LAST = 1.0
#: What of a child's environment is another one for each. Nothing that a stem imports looks at it before the fork.
_OF_A_RUN = (strays.MARK, "JUPYTER_PATH", "JUPYTER_RUNTIME_DIR", "PYTEST_DISABLE_PLUGIN_AUTOLOAD")


class Forked:
    """A process that a stem forked: known by its descriptor, so that no other can be taken for it."""

    def __init__(self, pid: int, descriptor: int) -> None:
        self.pid = pid
        self._descriptor = descriptor

    def has_ended(self, seconds: float) -> bool:
        """Whether it ends within so many seconds."""
        poll = select.poll()
        poll.register(self._descriptor, select.POLLIN)
        return bool(poll.poll(max(0, seconds) * 1000))

    def kill(self) -> None:
        """End it at once."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            signal.pidfd_send_signal(self._descriptor, signal.SIGKILL)

    def close(self) -> None:
        """Forget it."""
        os.close(self._descriptor)


class Stem:
    """A stem with one environment, which may fork several at a time."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._lock = threading.Lock()
        self._has_forked = False
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket.settimeout(_PATIENCE)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "nbpr.engines.stem_child", str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                cwd="/",
                env=dict(environment),
                start_new_session=True,
            )

    def fork(
        self, module: str, folder: Path, environment: Mapping[str, str], descriptors: Sequence[int]
    ) -> Forked | None:
        """A child that does what `module` does, in `folder`, with the three standard `descriptors`; None if not."""
        asked = json.dumps({"module": module, "folder": str(folder), "environment": dict(environment)}).encode()
        if len(asked) > _MESSAGE:
            return None
        try:
            with self._lock:
                socket.send_fds(self._socket, [asked], list(descriptors))
                told, given, _, _ = socket.recv_fds(self._socket, 1000, 1)
        except OSError:
            # It may have forked and only be late to say so: not to be used any more, and with its end its child's.
            self.end()
            return None
        self._has_forked = True
        return Forked(int(told), given[0]) if told and given else None

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    def take_along(self, folder: Path) -> None:
        """Have it take a folder away when we are gone and have not done so ourselves."""
        with contextlib.suppress(OSError), self._lock:
            self._socket.send(json.dumps({"folder": str(folder)}).encode())

    def end(self) -> None:
        """End the stem. What it has forked goes on until whoever asked for it ends it."""
        self._socket.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            # One that has forked buries its children first, so that what they took is counted.
            self._process.wait(_LAST if self._has_forked else 0)
        self._process.kill()
        self._process.wait()


_lock = threading.Lock()
_keepers = 0
_stems: dict[tuple[tuple[str, str], ...], Stem] = {}


@contextmanager
def kept(environment: Mapping[str, str] | None = None) -> Iterator[None]:
    """Keep stems for the block: one starts when it is first needed, or now for children of that `environment`."""
    global _keepers
    with _lock:
        _keepers += 1
    try:
        if environment is not None:
            at_hand(environment)
        yield
    finally:
        with _lock:
            _keepers -= 1
            ended = [] if _keepers else list(_stems.values())
            if not _keepers:
                _stems.clear()
        for stem in ended:
            stem.end()


def at_hand(environment: Mapping[str, str]) -> Stem | None:
    """The stem for children of that environment; None where nobody keeps any, or none can be."""
    with _lock:
        return _of(environment) if _keepers else None


def ahead(environment: Mapping[str, str]) -> None:
    """Have a stem import before anybody keeps it; one that nobody does, ends with us."""
    with _lock:
        _of(environment)


def _of(environment: Mapping[str, str]) -> Stem | None:
    if sys.platform != "linux" or not hasattr(os, "pidfd_open"):
        return None
    own = {name: value for name, value in environment.items() if name not in _OF_A_RUN}
    key = tuple(sorted(own.items()))
    if key not in _stems:
        with contextlib.suppress(OSError):
            _stems[key] = Stem(own)
    return _stems.get(key)


def take_along(folder: Path) -> None:
    """Have the stems that there are take a folder away if we are killed before we do it; before it is made."""
    with _lock:
        stems = list(_stems.values())
    for each in stems:
        each.take_along(folder)
