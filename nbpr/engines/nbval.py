"""nbval's verdicts: on outputs that were recorded already, or with a kernel of its own.

To compare needs no second execution. nbval's own collection, markers, sanitising and comparison run over what
papermill recorded; `live` is the same with a real kernel, for proving that the two agree.
"""

from __future__ import annotations

import importlib.util
import json
import secrets
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from difflib import SequenceMatcher
from pathlib import Path
from types import TracebackType
from typing import Any

from nbpr import process
from nbpr.checks.reproduce import CellVerdict
from nbpr.diff.tolerance import NoTolerance, pictures_differ, settled, tolerance_of
from nbpr.engines import child as children
from nbpr.engines import stem
from nbpr.engines.child import Child, private_folder
from nbpr.errors import BadInput, Missing, NbprError
from nbpr.notebooks.cell import Cell
from nbpr.notebooks.notebook import INJECTED
from nbpr.runs import reference
from nbpr.runs.interpreters import KernelChoice
from nbpr.runs.outputs import Patterns

#: What a comparison of recorded outputs may take at most; it is a matter of moments.
_SECONDS = 300.0
#: How often it is looked whether a comparison is to stop, in seconds.
_LOOK = 0.2
#: nbval notices a dead kernel only when a cell's time is over, and its own limit is 2,000 seconds.
_CELL_SECONDS = 600.0


class Comparer:
    """nbval in a process of its own, for one comparison.

    It gets ready as soon as the block begins, unless a stem makes it ready in a moment when it is asked. Once `stop` is
    set, nothing takes longer than a moment any more.
    """

    def __init__(self, environment: Mapping[str, str] | None = None, stop: threading.Event | None = None) -> None:
        self._stop = stop
        self._environment = process.kernel_environment() if environment is None else environment
        self._stack = ExitStack()
        self._folder = Path()
        self._child: Child | None = None

    def __enter__(self) -> Comparer:
        for package in ("nbval", "pytest"):
            if importlib.util.find_spec(package) is None:
                raise Missing(package)
        if not stem.at_hand(self._environment):
            self._start()
        return self

    def _start(self) -> Child:
        if self._child is not None:
            return self._child
        self._folder = self._stack.enter_context(private_folder())
        mark = secrets.token_hex(8)
        environment = {**self._environment, "JUPYTER_PATH": str(self._folder), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        begun = children.child("nbpr.engines.nbval_child", self._folder, environment, mark)
        self._child = self._stack.enter_context(begun)
        return self._child

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def compare(
        self, run: Mapping[str, Any], recorded: Mapping[str, Any], sanitize_with: Path | None = None
    ) -> list[CellVerdict]:
        """nbval's verdict on each code cell of `recorded`, against the outputs that the reference `run` has.

        Both are as `reference.reference` makes them. Cells are matched by id, before 4.5 by content and place; one
        that the reference has not is not compared. What a cell's own tolerance allows is no difference. Raises
        `BadInput` for a sanitize file that cannot be used.
        """
        wanted = _expected(run, recorded)
        compared, complaints = _within_tolerance(recorded, wanted)
        self._start()
        expected, ran = self._folder / "expected.ipynb", self._folder / "recorded.ipynb"
        expected.write_bytes(reference.to_bytes(wanted))
        ran.write_bytes(reference.to_bytes(compared))
        sanitizing = str(sanitize_file(sanitize_with).absolute()) if sanitize_with else None
        request = {"notebook": str(expected), "recorded": str(ran), "sanitize_with": sanitizing}
        limits = {"kernel": None, "cell_timeout": None, "startup_timeout": None}
        found = self._ask({**request, **limits}, _SECONDS)
        for number, complaint in complaints.items():
            _add(complaint, found.get(str(number)))
        return _verdicts(recorded, found)

    def run(self, request: Mapping[str, Any], kernel: KernelChoice, seconds: float) -> dict[str, Any]:
        """What nbval says of a notebook that it runs itself, with `kernel`."""
        self._start()
        return self._ask({**request, "recorded": None, "kernel": kernel.write(self._folder)}, seconds)

    def private(self, name: str, text: str) -> Path:
        """A file in the private folder."""
        self._start()
        path = self._folder / name
        path.write_text(text, encoding="utf-8")
        return path

    def _ask(self, request: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        child = self._start()
        child.send(request)
        message = _last_of(child, time.monotonic() + seconds, self._stop)
        answer = self._folder / "result.json"
        if not answer.exists():
            late = "was to stop" if self._stop and self._stop.is_set() else f"took more than {seconds:g} s"
            reason = late if message is None else child.last_words
            raise NbprError(f"nbval gave no verdict: {reason}")
        found: dict[str, Any] = json.loads(answer.read_bytes())
        return found


def _last_of(child: Child, until: float, stop: threading.Event | None) -> dict[str, Any] | None:
    """What a child says when it is done or gone; None if neither is so in time."""
    while True:
        message = child.receive(min(until, time.monotonic() + _LOOK))
        if message == {} or (message and "done" in message):
            return message
        if stop is not None and stop.is_set():
            until, stop = min(until, time.monotonic() + children.GRACE), None
        if time.monotonic() >= until:
            return None


def compare(
    run: Mapping[str, Any], recorded: Mapping[str, Any], *, sanitize_with: Path | None = None
) -> list[CellVerdict]:
    """`Comparer.compare`, for when there is nothing to do while it gets ready."""
    with Comparer() as comparer:
        return comparer.compare(run, recorded, sanitize_with)


def live(
    run: Mapping[str, Any],
    *,
    cwd: Path,
    kernel: KernelChoice,
    environment: Mapping[str, str],
    patterns: Patterns = (),
    sanitize_with: Path | None = None,
    cell_timeout: float | None = None,
    startup_timeout: float = 60,
) -> list[CellVerdict]:
    """nbval's verdict on each code cell of the reference `run`, which it runs itself in the folder `cwd`.

    `patterns` make its kernel's outputs comparable with those of the run (`outputs.patterns`).
    """
    cell_seconds = cell_timeout or _CELL_SECONDS
    with Comparer(environment) as comparer, _copy(run, cwd) as copy:
        request = {
            "notebook": str(copy),
            "sanitize_with": str(comparer.private("sanitize.cfg", _sanitizing(patterns, sanitize_with))),
            "cell_timeout": cell_seconds,
            "startup_timeout": startup_timeout,
        }
        seconds = _SECONDS + cell_seconds * len(run["cells"])
        return _verdicts(run, comparer.run(request, kernel, seconds))


@contextmanager
def _copy(run: Mapping[str, Any], folder: Path) -> Iterator[Path]:
    """A copy in the folder, which is where nbval starts its kernel; gone when the block ends."""
    path = folder / f".nbpr-{secrets.token_hex(6)}.ipynb"
    try:
        path.write_bytes(reference.to_bytes(run))
        yield path
    finally:
        path.unlink(missing_ok=True)


def _sanitizing(patterns: Patterns, own: Path | None) -> str:
    """A sanitize file that replaces what runs differ in, and then what the repository's own file says."""
    lines = [f"regex: {pattern.pattern}\nreplace: {word}\n" for pattern, word in patterns]
    return "\n".join([*lines, sanitize_file(own).read_text(encoding="utf-8") if own else ""])


def sanitize_file(path: Path) -> Path:
    """The path itself, if there is such a file. Raises `BadInput`."""
    if not path.is_file():
        raise BadInput(f"{path}: no such sanitize file", hint="see sanitize-with in the configuration")
    return path


def _within_tolerance(
    recorded: Mapping[str, Any], expected: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[int, str]]:
    """The recorded notebook with what cells tolerate as it is expected, and what is wrong with how-manieth code cells.

    nbval knows no tolerance, and does not look at pictures.
    """
    cells, complaints = [], {}
    number = -1
    for data, wanted in zip(recorded["cells"], expected["cells"], strict=True):
        cell, other = Cell(data), Cell(wanted)
        number += cell.is_code
        if cell.is_code:
            try:
                tolerance = tolerance_of(cell)
            except NoTolerance as error:
                complaints[number] = str(error)
            else:
                if complaint := pictures_differ(cell.outputs, other.outputs, tolerance):
                    complaints[number] = complaint
                if tolerance.numbers is not None:
                    data = {**data, "outputs": settled(cell.outputs, other.outputs, tolerance.numbers)}
        cells.append(data)
    return {**recorded, "cells": cells}, complaints


def _add(complaint: str, told: dict[str, Any] | None) -> None:
    """Make nbval's verdict on a cell that it compared, and let pass, a failure."""
    if told is not None and told["verdict"] == "passed" and told["checked"]:
        told |= {"verdict": "failed", "message": complaint}


def _verdicts(notebook: Mapping[str, Any], found: Mapping[str, Mapping[str, Any]]) -> list[CellVerdict]:
    """The verdicts with the cells they are about; those on injected cells are left out unless they failed."""
    verdicts = []
    number = index = -1
    for data in notebook["cells"]:
        cell = Cell(data)
        injected = INJECTED in cell.tags
        number += cell.is_code
        index += not injected
        told = found.get(str(number)) if cell.is_code else None
        if told is not None and not (injected and told["verdict"] != "failed"):
            verdicts.append(CellVerdict(max(index, 0), cell.id, told["verdict"], told["checked"], told["message"]))
    return verdicts


def _expected(run: Mapping[str, Any], recorded: Mapping[str, Any]) -> dict[str, Any]:
    """The recorded notebook with the outputs that the reference has for each of its cells."""
    theirs = [Cell(cell) for cell in run["cells"]]
    ours = [Cell(cell) for cell in recorded["cells"]]
    matched = _matched([cell for cell in ours if cell.is_code], [cell for cell in theirs if cell.is_code])
    return {**recorded, "cells": [_with_outputs_of(cell, matched.get(id(cell))) for cell in ours]}


def _with_outputs_of(cell: Cell, other: Cell | None) -> dict[str, Any]:
    if not cell.is_code:
        return cell.data
    if other is None:
        return cell.replace(outputs=[], execution_count=None).data
    return cell.replace(outputs=other.outputs, execution_count=other.data.get("execution_count")).data


def _matched(ours: Sequence[Cell], theirs: Sequence[Cell]) -> dict[int, Cell]:
    """The reference's cell for each of ours, by the identity of ours."""
    if all(cell.id for cell in (*ours, *theirs)):
        by_id = {cell.id: cell for cell in theirs}
        return {id(cell): by_id[cell.id] for cell in ours if cell.id in by_id}
    found: dict[int, Cell] = {}
    matcher = SequenceMatcher(None, [cell.source for cell in theirs], [cell.source for cell in ours], autojunk=False)
    for kind, start, end, at, until in matcher.get_opcodes():
        if kind == "equal" or (kind == "replace" and end - start == until - at):
            found |= {id(one): other for one, other in zip(ours[at:until], theirs[start:end], strict=True)}
    return found
