"""Measuring whole processes: wall time, CPU time and peak memory of two commands, in turn, in the same run.

Machines differ and change their pace while one looks, so nothing here is compared across runs: every round takes
one side and then the other, and the ratio is taken within the round.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

#: Seconds after which a measured program counts as hung.
PATIENCE = 900.0

#: What `ru_maxrss` counts in: kilobytes, but bytes on macOS (getrusage(2) of each).
_RSS_UNIT = 1 if sys.platform == "darwin" else 1024


class MeasuredProgramFailed(Exception):
    """A program under measurement failed: its command, its return code, the end of what it said."""


class NotToBeHad(Exception):
    """A program to compare with is not installed and cannot be fetched: one line that says so."""


@dataclass(frozen=True)
class Side:
    """One side of a comparison: `steps` are run one after the other and count together.

    `before` runs before every round and is not measured: it puts back what the steps change. `timed` reads from what a
    program printed how many seconds of it count, where that is not the whole process.
    """

    label: str
    steps: tuple[tuple[str, ...], ...]
    cwd: Path
    env: Mapping[str, str]
    before: Callable[[], None] | None = None
    timed: Callable[[str], float] | None = None


@dataclass(frozen=True)
class Sample:
    """Seconds of wall time, seconds of CPU time (user and system), peak resident bytes of the largest process.

    CPU and memory are the kernel's count for the process and every descendant that was waited for. A process
    begins as a copy of this one, so that nothing smaller than the harness itself (some 20 MB) can be told apart.
    """

    wall: float
    cpu: float
    rss: int

    def __add__(self, other: Sample) -> Sample:
        return Sample(self.wall + other.wall, self.cpu + other.cpu, max(self.rss, other.rss))


@dataclass(frozen=True)
class Round:
    """What one round measured; `theirs` is None where there is nothing to compare with."""

    ours: Sample
    theirs: Sample | None


@dataclass(frozen=True)
class Spread:
    """The least, the median and the greatest of some numbers."""

    low: float
    median: float
    high: float


@dataclass(frozen=True)
class Measurement:
    """All rounds of one comparison."""

    ours: Side
    theirs: Side | None
    rounds: tuple[Round, ...] = field(repr=False)

    def median(self, side: str, what: str) -> float | None:
        """The median over the rounds of `wall`, `cpu` or `rss` of "ours" or "theirs"; None without that side."""
        samples = [getattr(one, side) for one in self.rounds]
        if None in samples:
            return None
        return float(statistics.median(getattr(sample, what) for sample in samples))

    def ratio(self, what: str = "wall") -> Spread | None:
        """How many times ours fits into theirs, round by round."""
        ratios = [getattr(one.theirs, what) / getattr(one.ours, what) for one in self.rounds if one.theirs]
        return Spread(min(ratios), statistics.median(ratios), max(ratios)) if ratios else None


def compare(ours: Side, theirs: Side | None, rounds: int) -> Measurement:
    """Measure both sides in turn, `rounds` times, after one round that does not count.

    Raises `MeasuredProgramFailed` when a step of either side does.
    """
    taken = tuple(_rounds(ours, theirs, rounds + 1))
    return Measurement(ours, theirs, taken[1:])


def _rounds(ours: Side, theirs: Side | None, rounds: int) -> Iterator[Round]:
    for _ in range(rounds):
        yield Round(take(ours), take(theirs) if theirs else None)


def take(side: Side) -> Sample:
    """One measurement of one side."""
    if side.before:
        side.before()
    total = Sample(0.0, 0.0, 0)
    for argv in side.steps:
        total += _process(argv, side)
    return total


def _process(argv: tuple[str, ...], side: Side) -> Sample:
    with tempfile.TemporaryFile() as said:
        begin = time.perf_counter()
        process = subprocess.Popen(
            argv, cwd=side.cwd, env=dict(side.env), stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.STDOUT
        )
        impatience = threading.Timer(PATIENCE, process.kill)
        impatience.start()
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - begin
        impatience.cancel()
        # Popen must not wait again for a process that is gone.
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            said.seek(0)
            raise MeasuredProgramFailed(complaint(argv, process.returncode, said.read().decode("utf-8", "replace")))
        if side.timed:
            said.seek(0)
            wall = side.timed(said.read().decode("utf-8", "replace"))
    return Sample(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * _RSS_UNIT)


def complaint(argv: Sequence[str], returncode: int, said: str) -> str:
    """What to say of a program that failed: its command, its return code, the end of what it said."""
    name = " ".join((Path(argv[0]).name, *argv[1:]))
    return "\n".join([f"{name}: exit {returncode}", *said.strip().splitlines()[-8:]])
