"""What is compared with what: one row each, in the literal table at the end."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

from benchmarks import kernels
from benchmarks.diffrows import DIFF_ROWS
from benchmarks.freshrows import FRESH_ROWS
from benchmarks.gaterows import GATE_ROWS
from benchmarks.gitrows import GIT_ROWS
from benchmarks.measure import MeasuredProgramFailed, Measurement, Side
from benchmarks.pagerows import PAGE_ROWS
from benchmarks.row import Pair, Row
from benchmarks.runrows import RUN_ROWS
from benchmarks.stage import Stage

FLEET = "notebooks/fleet_health_check.ipynb"
CLEANING = "notebooks/cleaning/sensor_cleaning.ipynb"
CHANGE = ("propose", FLEET, "--set", "threshold=0.90", "--title", "Lower the alert threshold")


def against(*ours: str, theirs: tuple[str, ...]) -> Callable[[Stage], Pair]:
    """A row of two plain commands that change nothing, run beside a copy of the example notebooks."""

    def prepare(stage: Stage) -> Pair:
        stage.notebooks()
        return Pair(_side(stage, *ours), _side(stage, *theirs))

    return prepare


def propose_again(stage: Stage) -> Pair:
    """The same propose a second time, against the first, which runs the notebook and opens the pull request."""
    nbpr = stage.program("nbpr")
    checkout = stage.repository("proposed")
    kernels_first = _proposed(stage, checkout, "created")

    def remarks(measurement: Measurement) -> list[str]:
        kernels_again = _proposed(stage, checkout, "unchanged")
        return [f"kernels started: {kernels_first} by the first propose, {kernels_again} by the repeated one"]

    fresh = stage.folder / "fresh"
    again = Side("propose, nothing new", ((nbpr, *CHANGE),), checkout, stage.env)
    first = Side("the first propose", ((nbpr, *CHANGE),), fresh, stage.env, before=lambda: _anew(stage, fresh.name))
    return Pair(again, first, remarks)


def _anew(stage: Stage, name: str) -> None:
    stage.repository(name)


def _proposed(stage: Stage, checkout: Path, operation: str) -> int:
    """Propose under watch, and hold the answer to what it should be; how many kernels were started."""
    argv = (stage.program("nbpr"), *CHANGE, "--json")
    returncode, started, printed = kernels.count(argv, checkout, stage.env)
    answer = json.loads(printed or "{}")
    said = answer.get("operation") or answer.get("error", {}).get("message")
    if said != operation:
        raise MeasuredProgramFailed(f"propose: exit {returncode}, {said!r} where {operation!r} was due")
    return started


def validate(notebook: str) -> Callable[[Stage], Pair]:
    """nbpr validate with a reference run at hand, against executing with papermill and then again with nbval."""

    def prepare(stage: Stage) -> Pair:
        checkout = stage.repository("validated")
        stage.call(stage.program("nbpr"), "run", notebook, cwd=checkout)
        out = stage.folder / "papermill" / Path(notebook).name
        out.parent.mkdir(exist_ok=True)
        shutil.copytree(stage.notebooks(), stage.folder / "papermill" / "notebooks", dirs_exist_ok=True)
        command = (stage.program("nbpr"), "validate", notebook, "--no-cache")
        ours = Side("nbpr validate", (command,), checkout, stage.env)
        steps = (
            (stage.program("papermill"), "--no-progress-bar", notebook, str(out)),
            (stage.program("pytest"), "-q", "--nbval-lax", str(out)),
        )
        theirs = Side("papermill, then pytest --nbval-lax", steps, out.parent, stage.env)

        def remarks(measurement: Measurement) -> list[str]:
            return [_beyond_cells(out, measurement), _in_a_kernel(command, checkout, stage)]

        return Pair(ours, theirs, remarks)

    return prepare


def validate_trivial(stage: Stage) -> Pair:
    """A notebook that does next to nothing: what is left is what validating itself costs."""
    cell: dict[str, object] = {"cell_type": "code", "execution_count": None, "id": "sum", "metadata": {}, "outputs": []}
    cell["source"] = ["# NBVAL_CHECK_OUTPUT\n", "print(sum(range(10)))"]
    kernel = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    notebook = {"cells": [cell], "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}
    (stage.notebooks() / "trivial.ipynb").write_text(json.dumps(notebook, indent=1) + "\n", encoding="utf-8")
    return validate("notebooks/trivial.ipynb")(stage)


def _beyond_cells(executed: Path, measurement: Measurement) -> str:
    """How much of our wall time is not the notebook's own, going by the cell times that papermill recorded."""
    cells = json.loads(executed.read_text(encoding="utf-8"))["cells"]
    spent = sum(cell["metadata"].get("papermill", {}).get("duration") or 0.0 for cell in cells)
    wall = measurement.median("ours", "wall") or 0.0
    return f"cells took {spent:.2f} s under papermill: {wall - spent:.2f} s of ours are not the notebook's"


def _in_a_kernel(command: tuple[str, ...], checkout: Path, stage: Stage) -> str:
    """How many kernels one validation starts; none would mean that an answer was kept and nothing was measured."""
    returncode, started, printed = kernels.count(command, checkout, stage.env)
    if returncode != 0 or not started:
        raise MeasuredProgramFailed(f"validate: exit {returncode}, {started} kernels\n{printed[-500:]}")
    return f"kernels started by one validation: {started}"


def diff_edited(stage: Stage) -> Pair:
    """The fleet notebook against itself with another threshold and a note."""
    before, after = stage.notebooks() / "fleet_health_check.ipynb", stage.folder / "after.ipynb"
    _edited(before, after)
    return Pair(
        _side(stage, "nbpr", "diff", str(before), str(after), "--json"),
        _side(stage, "nbdiff", str(before), str(after)),
    )


def _edited(before: Path, after: Path) -> None:
    notebook = json.loads(before.read_text(encoding="utf-8"))
    place = next(n for n, cell in enumerate(notebook["cells"]) if cell["id"] == "parameters")
    source = notebook["cells"][place]["source"]
    notebook["cells"][place]["source"] = [line.replace("threshold = 0.95", "threshold = 0.90") for line in source]
    note = {"cell_type": "markdown", "id": "note", "metadata": {}, "source": ["Lowered, see the runbook."]}
    notebook["cells"].insert(place + 1, note)
    after.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _side(stage: Stage, program: str, *words: str) -> Side:
    label = " ".join((program, *(Path(word).name if word.startswith("/") else word for word in words)))
    return Side(label, ((stage.program(program), *words),), stage.folder, stage.env)


_CELLS = ("nbpr", "cells", FLEET, "--json")
_NBSTRIPOUT, _NBDIFF = ("nbstripout", "--version"), ("nbdiff", "--version")

ROWS: tuple[Row, ...] = (
    Row("version/nbstripout", "start", against("nbpr", "--version", theirs=_NBSTRIPOUT), 10, 3, at_least=10),
    Row("version/nbdiff", "start", against("nbpr", "--version", theirs=_NBDIFF), 10, 3, at_least=10),
    Row("cells/nbstripout", "list the cells", against(*_CELLS, theirs=_NBSTRIPOUT), 10, 3, at_least=5),
    Row("cells/nbdiff", "list the cells", against(*_CELLS, theirs=_NBDIFF), 10, 3, at_least=5),
    Row("diff/edited", "diff of two files", diff_edited, 10, 3),
    Row("validate/fleet", "validate one notebook", validate(FLEET), 5, 1, at_least=3),
    Row("validate/trivial", "validate one notebook", validate_trivial, 5, 1, at_least=3),
    Row("validate/cleaning", "validate one notebook", validate(CLEANING), 5, 1, at_least=3),
    Row("propose/unchanged", "propose with nothing new", propose_again, 5, 1, at_most=1.0),
    *RUN_ROWS,
    *GATE_ROWS,
    *FRESH_ROWS,
    *DIFF_ROWS,
    *GIT_ROWS,
    *PAGE_ROWS,
)
