"""The gate over twenty notebooks that a branch brings, and over twenty of which four changed, against the same loop."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from benchmarks import kernels
from benchmarks.measure import MeasuredProgramFailed, Measurement, Side
from benchmarks.row import Pair, Row
from benchmarks.runrows import COUNT, written
from benchmarks.stage import Stage

#: So many of the notebooks are left as they were.
LEFT = COUNT * 4 // 5


def checkout(stage: Stage, changed: int) -> tuple[Path, list[str]]:
    """A branch `topic` that brings all notebooks, or on which `changed` of them are others; with reference runs."""
    paths = written(stage)
    many, aside = stage.notebooks() / "many", stage.folder / "aside"
    if changed == COUNT:
        shutil.move(many, aside)
    place = stage.repository("gated")
    if changed == COUNT:
        shutil.move(aside, many)
        shutil.copytree(many, place / "notebooks" / "many")
    nbpr = stage.program("nbpr")
    if changed < COUNT:
        stage.call(nbpr, "run", *paths, "--jobs", "2", cwd=place)
        _commit(stage, place, "runs")
        stage.call("git", "push", "-q", "origin", "HEAD:main", cwd=place)
    stage.call("git", "switch", "-q", "-c", "topic", cwd=place)
    for path in paths[COUNT - changed :]:
        file = place / path
        file.write_text(file.read_text(encoding="utf-8").replace('"source": "', '"source": "# again\\n', 1))
    stage.call(nbpr, "run", *paths[COUNT - changed :], "--jobs", "2", cwd=place)
    _commit(stage, place, "a change")
    return place, paths


def _commit(stage: Stage, place: Path, message: str) -> None:
    stage.call("git", "add", "-A", cwd=place)
    stage.call("git", "commit", "-q", "-m", message, cwd=place)


def gated(changed: int) -> Callable[[Stage], Pair]:
    """The gate, with nothing taken from a cache, against what people put into a workflow, which looks at all."""

    def prepare(stage: Stage) -> Pair:
        place, paths = checkout(stage, changed)
        command = (stage.program("nbpr"), "gate", "--base", "main", "--jobs", "2", "--no-cache")
        loop = stage.folder / "loop"
        shutil.copytree(place, loop)
        steps: list[tuple[str, ...]] = []
        for path in paths:
            name = Path(path).name
            out = loop / "notebooks" / "many" / f"run-{name}"
            steps.append((stage.program("nbstripout"), "--verify", "--keep-id", path))
            steps.append((stage.program("papermill"), "--no-progress-bar", "--cwd", str(out.parent), path, str(out)))
            steps.append((stage.program("pytest"), "-q", "--nbval-lax", str(out)))
            steps.append((stage.program("nbdiff"), str(loop / "runs" / "many" / name), str(out)))
        ours = Side(f"nbpr gate, {changed} of {COUNT} changed", (command,), place, stage.env)
        theirs = Side("nbstripout --verify, papermill, nbval, nbdiff in a loop", tuple(steps), loop, stage.env)

        def remarks(measurement: Measurement) -> list[str]:
            returncode, started, printed = kernels.count(command, place, stage.env)
            if returncode != 0:
                raise MeasuredProgramFailed(f"gate: exit {returncode}\n{printed[-500:]}")
            return [f"kernels started: {started}"]

        return Pair(ours, theirs, remarks)

    return prepare


GATE_ROWS: tuple[Row, ...] = (
    Row("gate/twenty", "gate, all 20 new", gated(COUNT), 3, 1, at_least=6),
    Row("gate/four-of-twenty", "gate, 4 of 20 changed", gated(COUNT - LEFT), 3, 1, at_least=25),
)
