"""Processes that a run leaves behind: found by parentage and by a mark in their environment, and ended.

Kernels, and what notebooks start, move to sessions of their own, where no signal to a group reaches them. Where
there is no `/proc` (macOS), only groups are ended.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import time
from collections.abc import Collection
from pathlib import Path

#: The variable by which the processes of a run are known: its value is the run's id.
MARK = "NBPR_RUN"

_PR_SET_CHILD_SUBREAPER = 36
_PROC = Path("/proc")


def adopt() -> None:
    """From now on, processes below this one whose parents end become its children, and not those of init."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def descendants(pid: int) -> list[int]:
    """The processes below `pid`, parents first; zombies are left out."""
    children: dict[int, list[int]] = {}
    for entry in _PROC.glob("[0-9]*"):
        parent = _parent(entry)
        if parent is not None:
            children.setdefault(parent, []).append(int(entry.name))
    found, todo = [], [pid]
    while todo:
        below = children.get(todo.pop(), [])
        found += below
        todo += below
    return found


def _parent(entry: Path) -> int | None:
    try:
        state, parent = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()[:2]
    except (OSError, ValueError):
        return None  # it ended meanwhile
    return None if state in "ZX" else int(parent)


def marked(mark: str) -> list[int]:
    """The processes of ours that carry this mark in their environment."""
    wanted = f"{MARK}={mark}".encode()
    found = []
    for entry in _PROC.glob("[0-9]*"):
        # Other people's processes cannot be read, and some end while we look.
        with contextlib.suppress(OSError):
            if wanted in (entry / "environ").read_bytes().split(b"\0"):
                found.append(int(entry.name))
    return found


def kill(pids: Collection[int]) -> None:
    """End processes at once. Those that are gone already, or not ours to end, are passed over."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)


def kill_group(pid: int) -> None:
    """End the process group that `pid` leads."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def end_below(pid: int, seconds: float = 2.0) -> None:
    """End everything below `pid`, also what is started while we are at it, and bury our own children."""
    until = time.monotonic() + seconds
    while (pids := descendants(pid)) and time.monotonic() < until:
        kill(pids)
        _bury()
        time.sleep(0.01)
    _bury()


def _bury() -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
