"""A watch over what a run has started: how much memory it takes, and how many processes it is.

Limits of the operating system hold for one process each, and address space is not memory. So the proportional set
size, in which shared memory counts once, is added up over everything below us; `/proc` is read for it (Linux only).
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from itertools import pairwise
from pathlib import Path

from nbpr.engines import strays

#: How often the watch looks, in seconds. What is taken between two looks is not seen in time.
_LOOK = 0.1
_PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
_PROC = Path("/proc")


class Watch:
    """Looks at the processes below `pid` until it ends or a limit is passed: then `passed` is told which, once."""

    def __init__(self, pid: int, memory: int | None, processes: int | None, passed: Callable[[str, str], None]) -> None:
        self._pid = pid
        self._memory = memory
        self._processes = processes
        self._passed = passed
        self._ended = threading.Event()
        if (memory or processes) and _PROC.is_dir():
            threading.Thread(target=self._watch, daemon=True).start()

    def end(self) -> None:
        """Look no more."""
        self._ended.set()

    def _watch(self) -> None:
        while not self._ended.wait(_LOOK):
            pids = strays.descendants(self._pid)
            if self._processes and len(pids) > self._processes:
                return self._passed("too-many-processes", f"the notebook started over {self._processes} processes")
            if self._memory and memory_over(pids, self._memory):
                return self._passed("out-of-memory", f"the notebook took over {self._memory:,} bytes of memory")
        return None


def memory_over(pids: Iterable[int], most: int) -> bool:
    """Whether processes take more memory than that together. What they share is only told apart if it matters."""
    alive = list(pids)
    return sum(map(_resident, alive)) > most and sum(map(proportional, alive)) > most


def _resident(pid: int) -> int:
    try:
        return int((_PROC / str(pid) / "statm").read_bytes().split()[1]) * _PAGE
    except (OSError, IndexError):
        return 0  # it ended meanwhile


def proportional(pid: int) -> int:
    """The bytes that a process takes, shared ones divided by those who share them; all of them where that is secret."""
    try:
        lines = (_PROC / str(pid) / "smaps_rollup").read_bytes().splitlines()
    except OSError:
        return _resident(pid)
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(b"Pss:")), 0)


def oom_kills() -> int:
    """How often the operating system has ended a process for want of memory, in all of it or in our group."""
    places = (_PROC / "vmstat", *Path("/sys/fs/cgroup").glob("memory.events"))
    return max(map(_oom_kills, places), default=0)


def _oom_kills(place: Path) -> int:
    try:
        words = place.read_text(encoding="ascii", errors="replace").split()
    except OSError:
        return 0
    return next((int(count) for name, count in pairwise(words) if name == "oom_kill"), 0)
