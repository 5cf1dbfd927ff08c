"""What an engine is asked for, and what it answers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from nbpr.runs.interpreters import KernelChoice
from nbpr.runs.sandbox import Sandbox

Status = Literal["success", "error"]
Reason = Literal[
    "error",
    "cell-timeout",
    "deadline",
    "kernel-died",
    "out-of-memory",
    "too-many-processes",
    "no-kernel",
    "cancelled",
    "early-exit",
]

#: How long a first cell is waited for, in seconds.
_PATIENCE = 5.0


@dataclass(frozen=True)
class Partial:
    """Where what has run is kept while the run goes on; it stays if the run never comes to its end.

    `ignored` is a file that keeps it out of git, and what is written there if there is none.
    """

    place: Path
    ignored: tuple[Path, str] | None = None


@dataclass(frozen=True)
class Request:
    """One execution of one notebook.

    `source` is the notebook's nbformat JSON and is not changed; `timeout` is for the whole run, `cell_timeout`
    for each cell, all in seconds. `environment` is everything that the kernel gets, besides what its interpreter
    adds. With `leave_out_skipped`, cells marked NBVAL_SKIP do not run; with `prepare_only`, none does.

    `memory` (bytes) and `processes` are for the kernel and all that it starts. `max_output` is how many characters
    of its output a cell may keep, `max_run` how many the whole run; None is no limit. `secrets` are parameters
    that the kernel gets and that stand as a mask in everything that comes of the run. `partial`
    is where what has run is kept meanwhile.
    """

    source: Mapping[str, Any]
    cwd: Path
    kernel: KernelChoice
    parameters: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    timeout: float | None = None
    cell_timeout: float | None = None
    startup_timeout: float = 60
    leave_out_skipped: bool = False
    prepare_only: bool = False
    run_id: str = "run"
    memory: int | None = None
    processes: int | None = None
    max_output: int | None = 10_000_000
    max_run: int | None = 50_000_000
    sandbox: Sandbox | None = None
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    partial: Partial | None = None


@dataclass(frozen=True)
class Progress:
    """The `cell`th of `cells` code cells that will run has begun (counted from 1)."""

    cell: int
    cells: int


@dataclass(frozen=True)
class FailedCell:
    """The cell a run failed at. `index` counts in the notebook as it was given, without injected cells."""

    index: int
    id: str | None
    source: str
    ename: str
    evalue: str

    def as_json(self) -> dict[str, Any]:
        """`{"index", "id", "source", "ename", "evalue"}`."""
        return {
            "index": self.index,
            "id": self.id,
            "source": self.source,
            "ename": self.ename,
            "evalue": self.evalue,
        }


@dataclass(frozen=True)
class Executed:
    """What came of a request.

    `notebook` is the source's JSON with the outputs of every cell that ran, the injected parameters cell put in
    and nothing else changed. `message` says in one line why it is an error. `cells_executed` counts the source's
    code cells that began to run. `cut` are places of cells in the source, and how many characters of the output of
    each are left out.
    """

    status: Status
    reason: Reason | None
    message: str | None
    failed_cell: FailedCell | None
    notebook: dict[str, Any]
    cells_executed: int
    duration_seconds: float
    started: str
    finished: str
    cut: tuple[tuple[int, int], ...] = ()


class Ready(Protocol):
    """A run whose kernel is started for it, and that has not begun."""

    def run(self, progress: Callable[[Progress], None] | None = None, stop: threading.Event | None = None) -> Executed:
        """Run the notebook, telling `progress` of each cell that begins, until it ends or `stop` is set; once."""

    def end(self) -> None:
        """See that no process is left, and that whatever the kernel writes at its end is written."""


class Begun:
    """Hands on what is told of a run, and lets what can be done beside its cells wait for the first of them.

    Until then there is a kernel to be waited for, and nothing better to do with a core than to start it.
    """

    def __init__(self, progress: Callable[[Progress], None] | None) -> None:
        self._progress = progress
        self._event = threading.Event()

    def __call__(self, at: Progress) -> None:
        self._event.set()
        if self._progress is not None:
            self._progress(at)

    def __enter__(self) -> Begun:
        return self

    def __exit__(self, *error: object) -> None:
        self.end()

    def end(self) -> None:
        """Keep nobody waiting any more."""
        self._event.set()

    def wait(self) -> None:
        """Wait for the first cell, or for the end of the block, but not for ever."""
        self._event.wait(_PATIENCE)
