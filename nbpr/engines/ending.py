"""What an ipykernel runs at the very last, to end sooner: sent to it as text, it needs nothing of ours.

It leaves the memory of its modules to the operating system. To take every class and function apart costs half a second
after a notebook with pandas and pictures. What the notebook made itself is closed before: exit handlers have run, its
names are gone, garbage is collected once. Where a file is open for writing, what is left in buffers is written first,
which Python itself does not see to for files in cycles; and where one is open after that, all is taken apart as ever.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import gc
import io
import os
import stat
import sys
import time


def prepare(log: tuple[int, int]) -> None:
    """To be called when no cell is left. `log`, a device and a file's number, may stay open for writing."""

    def leave(phase: str, _: object) -> None:
        if not sys.is_finalizing():
            return
        gc.unfreeze()
        is_open = any(_writes(int(name), log) for name in os.listdir("/dev/fd"))  # noqa: PTH208
        if phase == "start" and is_open:
            _flush()
        elif phase == "stop":
            gc.callbacks.remove(leave)
            if not is_open:
                gc.freeze()

    gc.callbacks.append(leave)
    gc.freeze()
    # The thread that was asked to shut down flushes once more, and is waited for: by a main thread that ends sooner,
    # and so stops what flushes, for ten seconds and more.
    atexit.register(time.sleep, 0.02)
    for stream in (sys.stdout, sys.stderr):
        stream.flush_timeout = 0.1  # type: ignore[union-attr]


def _writes(descriptor: int, log: tuple[int, int]) -> bool:
    try:
        mode = fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE
        found = os.fstat(descriptor)
    except OSError:
        return False
    return mode != os.O_RDONLY and stat.S_ISREG(found.st_mode) and (found.st_dev, found.st_ino) != log


def _flush() -> None:
    for each in gc.get_objects():
        if issubclass(type(each), io.IOBase):
            with contextlib.suppress(Exception):
                each.flush()
