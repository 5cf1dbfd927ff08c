"""The papermill engine: a child process per run, which papermill never leaves with a kernel behind.

A process per run because papermill changes the working directory of its whole process, and so that a deadline can
end everything. What the child writes, the outputs of each cell, is put into the notebook as it was given: papermill
itself upgrades it, invents random ids and adds cells, tags and times.
"""

from __future__ import annotations

import importlib.util
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from nbpr.engines import stem
from nbpr.engines.child import GRACE, Child, child, private_folder
from nbpr.engines.execution import Executed, FailedCell, Partial, Progress, Ready, Reason, Request
from nbpr.engines.filling import filled_in, tags
from nbpr.engines.saving import WHOLE
from nbpr.errors import Missing
from nbpr.runs.interpreters import PRIVATE

#: What of the run's private folder is the kernel's: its kernelspec, its connection file, its sockets.
FOLDER = "kernel"
#: How often a stop that somebody asks for is looked for, in seconds.
_LOOK = 0.2


class Papermill:
    """Runs notebooks with papermill, in a fresh kernel each."""

    name = "papermill"

    def check(self) -> None:
        """Raises `Missing` where papermill is not installed."""
        if importlib.util.find_spec("papermill") is None:
            raise Missing("papermill")

    @contextmanager
    def ready(self, request: Request) -> Iterator[Ready]:
        """Start the kernel of a run, and no cell: in the block it waits for that, and does not outlive it.

        Raises `Missing` where papermill is not installed.
        """
        self.check()
        stem.at_hand(request.environment)
        with ExitStack() as stack:
            folder = stack.enter_context(private_folder())
            _prepare(folder, request)
            jupyter = str(folder / FOLDER)
            environment = {**request.environment, "JUPYTER_PATH": jupyter, "JUPYTER_RUNTIME_DIR": jupyter}
            running = stack.enter_context(child("nbpr.engines.papermill_child", folder, environment, request.run_id))
            running.send(_asked(request))
            yield Waiting(request, folder, running, stack)

    def run(
        self,
        request: Request,
        progress: Callable[[Progress], None] | None = None,
        stop: threading.Event | None = None,
    ) -> Executed:
        """Run one notebook to its end, its deadline, or until `stop` is set.

        Raises `Missing` where papermill is not installed. Whatever happens in the run itself is an answer.
        """
        with self.ready(request) as waiting:
            return waiting.run(progress, stop)


@dataclass(frozen=True)
class Waiting:
    """A run whose kernel has been started, for this one request, and which waits for its turn."""

    request: Request
    folder: Path
    child: Child
    left: ExitStack

    def run(self, progress: Callable[[Progress], None] | None = None, stop: threading.Event | None = None) -> Executed:
        """Run its cells; to be called once. The kernel may still be closing what it holds open."""
        started, clock = _now(), time.monotonic()
        self.child.send({"go": True})
        why = _follow(self.child, self.request, progress or (lambda _: None), stop)
        result = _result(self.folder, self.child, why)
        return _executed(self.request, result, time.monotonic() - clock, started)

    def end(self) -> None:
        """See the kernel to its end, and that nothing is left."""
        self.left.close()


def _prepare(folder: Path, request: Request) -> None:
    (folder / "notebook.ipynb").write_text(json.dumps(_runnable(request.source)), encoding="utf-8")
    if request.partial is not None:
        (folder / WHOLE).write_text(json.dumps(request.source), encoding="utf-8")
    own = folder / FOLDER
    own.mkdir()
    kernel = request.kernel
    if request.sandbox is not None:
        kernel = replace(kernel, spec=request.sandbox.around(kernel.spec, own, kernel.executable))
    kernel.write(own)


def _runnable(source: Mapping[str, Any]) -> dict[str, Any]:
    """What of a notebook a run needs, valid whatever the notebook is; each cell's id is its place."""
    cells = []
    for place, cell in enumerate(source["cells"]):
        metadata = {"tags": tags(cell)}
        made = {"cell_type": cell.get("cell_type"), "id": str(place), "metadata": metadata, "source": _source(cell)}
        is_code = made["cell_type"] == "code"
        cells.append({**made, "outputs": [], "execution_count": None} if is_code else {**made, "cell_type": "raw"})
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells}


def _asked(request: Request) -> dict[str, Any]:
    return {
        "kernel": PRIVATE,
        "is_ipykernel": request.kernel.is_ipykernel,
        "name": request.kernel.name,
        "language": str(request.kernel.spec.get("language") or ""),  # as it is written: papermill knows R, not r
        "cwd": str(request.cwd),
        "environment": dict(request.environment),
        "parameters": dict(request.parameters),
        "cell_timeout": request.cell_timeout,
        "startup_timeout": request.startup_timeout,
        "leave_out_skipped": request.leave_out_skipped,
        "prepare_only": request.prepare_only,
        "is_sandboxed": request.sandbox is not None,
        "memory": request.memory,
        "processes": request.processes,
        "max_output": request.max_output,
        "max_run": request.max_run,
        "secrets": dict(request.secrets),
        "partial": _partial(request.partial),
    }


def _partial(partial: Partial | None) -> dict[str, Any] | None:
    if partial is None:
        return None
    ignored = [str(partial.ignored[0].absolute()), partial.ignored[1]] if partial.ignored else None
    return {"place": str(partial.place.absolute()), "ignored": ignored}


def _follow(
    running: Child, request: Request, progress: Callable[[Progress], None], stop: threading.Event | None
) -> Reason | None:
    """Listen until the child is done or gone; why it was stopped, if it was."""
    deadline = time.monotonic() + request.timeout if request.timeout else float("inf")
    while True:
        message = running.receive(min(deadline, time.monotonic() + _LOOK))
        if message == {} or (message and "result" in message):
            return None
        if message and "cell" in message:
            progress(Progress(message["cell"], message["cells"]))
        if time.monotonic() >= deadline:
            return _stop(running, "deadline")
        if stop is not None and stop.is_set():
            return _stop(running, "cancelled")


def _stop(running: Child, why: Reason) -> Reason:
    """Have the child stop, and give it a moment to hand over what ran."""
    running.send({"stop": why})
    until = time.monotonic() + GRACE
    while (message := running.receive(until)) and "result" not in message:
        pass
    return why


@dataclass(frozen=True)
class _Result:
    """What the child wrote, or what stands for it when it wrote nothing."""

    reason: Reason | None
    message: str | None
    failed: tuple[int, str, str] | None
    executed: int
    cells: list[dict[str, Any]]
    cut: dict[str, int]


def _result(folder: Path, running: Child, why: Reason | None) -> _Result:
    file = folder / "result.json"
    if not file.exists():
        message = None if why else f"the run's process ended without an answer: {running.last_words}"
        return _Result(why or "error", message, None, 0, [], {})
    told = json.loads(file.read_bytes())
    failed = tuple(told["failed"]) if told["failed"] else None
    return _Result(told["reason"], told["message"], cast(Any, failed), told["executed"], told["cells"], told["cut"])


def _executed(request: Request, result: _Result, seconds: float, started: str) -> Executed:
    notebook = {**request.source, "cells": filled_in(request.source, result.cells)}
    stopped = _stopped(result, request)
    failed = _failed_cell(request.source, result, stopped) if result.failed else None
    return Executed(
        status="success" if result.reason is None else "error",
        reason=result.reason,
        message=result.message or (stopped and stopped[1]),
        failed_cell=failed,
        notebook=notebook,
        cells_executed=result.executed,
        cut=tuple((int(place), count) for place, count in result.cut.items() if place.isdecimal()),
        duration_seconds=round(seconds, 3),
        started=started,
        finished=_now(),
    )


def _stopped(result: _Result, request: Request) -> tuple[str, str] | None:
    """What stands for the exception in a cell that was stopped from outside."""
    if result.reason == "deadline":
        return "TimeoutError", f"the run took longer than {request.timeout:g} s"
    if result.reason == "cancelled":
        return "CancelledError", "the run was cancelled"
    name = {"out-of-memory": "OutOfMemory", "too-many-processes": "TooManyProcesses"}.get(result.reason or "")
    return (name, result.message or "") if name else None


def _source(cell: Mapping[str, Any]) -> str:
    source = cell.get("source", "")
    return source if isinstance(source, str) else "".join(source)


def _failed_cell(source: Mapping[str, Any], result: _Result, stopped: tuple[str, str] | None) -> FailedCell:
    assert result.failed is not None
    at, name, value = result.failed
    name, value = stopped or (name, value)
    places = [str(place) for place in range(len(source["cells"]))]
    if result.cells[at]["id"] not in places:
        # The injected cell itself: what is before it, the parameters cell, is where a reader has to look.
        return FailedCell(max(0, at - 1), None, result.cells[at]["source"], name, value)
    place = int(result.cells[at]["id"])
    cell = source["cells"][place]
    return FailedCell(place, cell.get("id"), _source(cell), name, value)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
