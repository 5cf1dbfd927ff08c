"""The stem's side of `stem`: imports step by step what its children will need, and forks them when it is asked to.

A child that is wanted before all is imported is forked at once, and imports the rest itself.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import select
import shutil
import socket
import sys
import time
from collections.abc import Iterable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

from nbpr.engines import strays
from nbpr.engines.imports import quick_imports

#: In this order: what starts a kernel, what runs a notebook, what compares it.
_STEPS = (
    "nbpr.engines.papermill_child",
    "zmq.asyncio",
    "jupyter_client.manager",
    "nbpr.engines.kernel",
    "nbformat",
    "requests",
    "papermill.execute",
    "nbpr.engines.nbval_child",
    "pytest",
    "nbval.plugin",
)
_RUNS = "papermill.execute"
#: How long it leaves the cores to a child that has to import that itself, and to its kernel, in seconds.
_REST = 0.7
#: How long its children may take to end when its parent is gone, in seconds.
_LAST = 15.0


def main() -> None:
    """Serve until the other end of the socket, which is our parent's, is closed."""
    wanted = socket.socket(fileno=int(sys.argv[1]))
    quick_imports()
    left = list(_STEPS)
    watches: dict[int, int] = {}
    folders: list[str] = []
    heard = wanted.fileno()
    rests_until = 0.0
    while True:
        rest = max(0.0, rests_until - time.monotonic()) if left else None
        ready = select.select([heard, *watches], [], [], rest)[0]
        for watch in (each for each in ready if each != heard):
            os.waitpid(watches.pop(watch), 0)  # so that what it took is counted as ours, and as our parent's
            os.close(watch)
        if heard in ready:
            message, descriptors, _, _ = socket.recv_fds(wanted, 200_000, 3)
            if not message:
                _leave(watches, folders)
            asked = json.loads(message)
            if "module" not in asked:
                folders.append(asked["folder"])
                continue
            watch, pid = _fork(wanted, asked, descriptors, watches)
            watches[watch] = pid
            if _RUNS in left:
                rests_until = time.monotonic() + _REST
        elif left and not ready:
            # What is not installed is told of by the child that wants it.
            with contextlib.suppress(Exception):
                import_module(left.pop(0))


def _leave(children: Mapping[int, int], folders: Iterable[str]) -> NoReturn:
    """The parent is gone, of which its children take notice themselves: wait for them, and see that nothing is left.

    One that does not get to notice it, in a regular expression without an end, is ended with all that is below it.
    """
    until = time.monotonic() + _LAST
    for watch, pid in children.items():
        if not select.select([watch], [], [], max(0.0, until - time.monotonic()))[0]:
            strays.end_below(pid)
            strays.kill([pid])
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, 0)
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
    os._exit(0)


def _fork(
    wanted: socket.socket, asked: dict[str, Any], descriptors: list[int], others: Iterable[int]
) -> tuple[int, int]:
    """Fork a child, and tell of it; a descriptor that says when it ends, and its number."""
    if len(list(Path("/proc/self/task").iterdir())) > 1:
        # A fork has one thread only: a lock that another one held would never be given back.
        os._exit(1)
    gc.freeze()
    pid = os.fork()
    if pid == 0:
        for descriptor in (wanted.detach(), *others):
            os.close(descriptor)
        _become(asked, descriptors)
    watch = os.pidfd_open(pid)
    socket.send_fds(wanted, [str(pid).encode()], [watch])
    for descriptor in descriptors:
        os.close(descriptor)
    return watch, pid


def _become(asked: dict[str, Any], descriptors: list[int]) -> None:
    """Be a process like one that was started as a program, and do the work."""
    try:
        os.setsid()
        for descriptor, number in zip(descriptors, range(3), strict=True):
            os.dup2(descriptor, number)
            os.close(descriptor)
        os.chdir(asked["folder"])
        os.environ.clear()
        os.environ.update(asked["environment"])
        import_module(asked["module"]).main()
    except BaseException as error:  # noqa: BLE001 - nothing may go back into the stem's own loop
        _write_down(error)
    os._exit(1)


def _write_down(error: BaseException) -> None:
    import traceback

    with contextlib.suppress(OSError):
        os.write(2, "".join(traceback.format_exception(error)).encode(errors="replace"))


if __name__ == "__main__":
    main()
