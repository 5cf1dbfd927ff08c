"""What a row of the benchmark is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from benchmarks.measure import Measurement, Side
from benchmarks.stage import Stage


@dataclass(frozen=True)
class Pair:
    """Two sides, set up and ready; `remarks` looks at what was measured and says more, not measured itself."""

    ours: Side
    theirs: Side | None
    remarks: Callable[[Measurement], list[str]] = field(default=lambda measurement: [])


@dataclass(frozen=True)
class Row:
    """One comparison: how it is set up, how often it is run, and what it should come to.

    `at_least` is how many times faster than the other side it should be, `at_most` how many seconds it may take, and
    `within` how many megabytes of memory.
    """

    name: str
    what: str
    prepare: Callable[[Stage], Pair]
    rounds: int
    quick: int = 2
    at_least: float | None = None
    at_most: float | None = None
    within: float | None = None
