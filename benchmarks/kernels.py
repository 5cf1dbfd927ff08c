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

    A kernel is any descendant with ipykernel_launcher on its command line. Each has a connection file of its own
    there; what has the same one is a copy that the kernel made of itself, on its way to another program.
    """
    with tempfile.TemporaryFile("w+") as printed:
        process = subprocess.Popen(
            argv, cwd=cwd, env=dict(env), stdin=subprocess.DEVNULL, stdout=printed, stderr=subprocess.DEVNULL
        )
        seen: set[tuple[str, ...]] = set()
        ended = threading.Event()
        watcher = threading.Thread(target=_watch, args=(process.pid, seen, ended))
        watcher.start()
        returncode = process.wait()
        ended.set()
        watcher.join()
        printed.seek(0)
        return returncode, len(seen), printed.read()


def _watch(root: int, seen: set[tuple[str, ...]], ended: threading.Event) -> None:
    while not ended.wait(INTERVAL):
        try:
            descendants = psutil.Process(root).children(recursive=True)
        except psutil.NoSuchProcess:
            return
        commands = (_command(process) for process in descendants)
        # A sandbox has its kernel's words at the end of its own.
        inner = (command for command in commands if command and Path(command[0]).name != "bwrap")
        seen.update(command for command in inner if any("ipykernel_launcher" in word for word in command))


def _command(process: psutil.Process) -> tuple[str, ...]:
    try:
        return tuple(process.cmdline())
    except psutil.Error:
        return ()  # it ended while we looked
