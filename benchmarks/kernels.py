"""Counting the kernels that a program starts, by watching its descendants."""

from __future__ import annotations

import subprocess
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil  # type: ignore[import-untyped]

#: Seconds between two looks. A kernel takes half a second to come up and cannot slip through.
INTERVAL = 0.01


def count(argv: Sequence[str], cwd: Path, env: Mapping[str, str]) -> tuple[int, int, str]:
    """Run a program to its end: its return code, how many kernels it started, what it printed.

    A kernel is any descendant with ipykernel on its command line.
    """
    with tempfile.TemporaryFile("w+") as printed:
        process = subprocess.Popen(
            argv, cwd=cwd, env=dict(env), stdin=subprocess.DEVNULL, stdout=printed, stderr=subprocess.DEVNULL
        )
        seen: set[int] = set()
        ended = threading.Event()
        watcher = threading.Thread(target=_watch, args=(process.pid, seen, ended))
        watcher.start()
        returncode = process.wait()
        ended.set()
        watcher.join()
        printed.seek(0)
        return returncode, len(seen), printed.read()


def _watch(root: int, seen: set[int], ended: threading.Event) -> None:
    while not ended.wait(INTERVAL):
        try:
            descendants = psutil.Process(root).children(recursive=True)
        except psutil.NoSuchProcess:
            return
        seen.update(process.pid for process in descendants if process.pid not in seen and _is_kernel(process))


def _is_kernel(process: psutil.Process) -> bool:
    try:
        return any("ipykernel" in word for word in process.cmdline())
    except psutil.Error:
        return False  # it ended, or turned into something else, while we looked
