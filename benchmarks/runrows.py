"""Twenty notebooks at once, and the same with nothing changed, against a loop of the two commands that people use."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from benchmarks import kernels
from benchmarks.measure import MeasuredProgramFailed, Measurement, Side
from benchmarks.row import Pair, Row
from benchmarks.stage import Stage

#: What the notebooks are made of: as many of each kind, in turn.
COUNT = 20

_PLAIN = (
    "# NBVAL_CHECK_OUTPUT\nprint(sum(k * k for k in range({n} * 1000)))",
    "words = 'a b c'.split() * {n}\nlen(words)",
)
_FILE = (
    "import csv\nwith open('values.csv') as file:\n    rows = list(csv.reader(file))",
    "# NBVAL_CHECK_OUTPUT\nprint(len(rows), sum(int(row[1]) for row in rows[1:]) + {n})",
)
_PANDAS = (
    "import pandas as pd\nvalues = pd.read_csv('values.csv')",
    "# NBVAL_CHECK_OUTPUT\nvalues.groupby(values['value'] % {n})['value'].agg(['count', 'mean'])",
    "values.describe()",
)
_PLOT = (
    "import matplotlib.pyplot as plt\nimport pandas as pd\nvalues = pd.read_csv('values.csv')",
    "values['value'].rolling({n}).mean().plot(title='{n}')\nplt.show()",
    "# NBVAL_CHECK_OUTPUT\nprint(values['value'].max() + {n})",
)
_KINDS = (_PLAIN, _FILE, _PANDAS, _PLOT, _PLAIN)


def _notebook(number: int) -> str:
    sources = [source.replace("{n}", str(number + 2)) for source in _KINDS[number % len(_KINDS)]]
    cells: list[dict[str, object]] = [
        {"cell_type": "code", "execution_count": None, "id": f"c{n}", "metadata": {}, "outputs": [], "source": source}
        for n, source in enumerate(sources)
    ]
    kernel = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    return json.dumps({"cells": cells, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}, indent=1) + "\n"


def written(stage: Stage) -> list[str]:
    """The notebooks, with the file that some of them read, among the example notebooks; their paths."""
    folder = stage.notebooks() / "many"
    folder.mkdir()
    rows = "".join(f"{n},{n * 37 % 101}\n" for n in range(500))
    (folder / "values.csv").write_text("number,value\n" + rows, encoding="utf-8")
    names = [f"n{number:02}.ipynb" for number in range(COUNT)]
    for number, name in enumerate(names):
        (folder / name).write_text(_notebook(number), encoding="utf-8")
    return [f"notebooks/many/{name}" for name in names]


def _checkout(stage: Stage) -> tuple[Path, list[str]]:
    """A repository with the notebooks and their reference runs."""
    paths = written(stage)
    checkout = stage.repository("many")
    stage.call(stage.program("nbpr"), "run", *paths, "--jobs", "2", cwd=checkout)
    return checkout, paths


def all_anew(stage: Stage) -> Pair:
    """All of them run and compared, on two cores, against a loop of papermill and then nbval."""
    checkout, paths = _checkout(stage)
    command = (stage.program("nbpr"), "validate", *paths, "--jobs", "2", "--no-cache")
    loop = stage.folder / "loop"
    shutil.copytree(stage.notebooks(), loop / "notebooks")
    folder = loop / "notebooks" / "many"
    steps: list[tuple[str, ...]] = []
    for path in paths:
        # Beside its notebook, since nbval works in the folder of what it runs.
        out = folder / f"run-{Path(path).name}"
        steps.append((stage.program("papermill"), "--no-progress-bar", "--cwd", str(folder), path, str(out)))
        steps.append((stage.program("pytest"), "-q", "--nbval-lax", str(out)))
    ours = Side(f"nbpr validate of {COUNT}, --jobs 2", (command,), checkout, stage.env)
    theirs = Side("papermill, pytest --nbval-lax in a loop", tuple(steps), loop, stage.env)

    def remarks(measurement: Measurement) -> list[str]:
        spent = sum(_cell_seconds(folder / f"run-{Path(path).name}") for path in paths)
        wall = measurement.median("ours", "wall") or 0.0
        bound = spent / 2
        return [
            f"cells took {spent:.1f} s under papermill, {bound:.1f} s on two cores: ours {wall / bound:.1f} times that",
            f"kernels started: {_kernels(command, checkout, stage)}",
        ]

    return Pair(ours, theirs, remarks)


def nothing_changed(stage: Stage) -> Pair:
    """The same once more, with nothing changed since."""
    checkout, paths = _checkout(stage)
    command = (stage.program("nbpr"), "validate", *paths, "--jobs", "2")
    # Twice: the first asks nbval, and keeps what it says.
    stage.call(*command, cwd=checkout)

    def remarks(measurement: Measurement) -> list[str]:
        started = _kernels(command, checkout, stage)
        if started:
            raise MeasuredProgramFailed(f"validate with nothing changed: {started} kernels")
        return ["kernels started: 0"]

    return Pair(Side(f"nbpr validate of {COUNT}, nothing changed", (command,), checkout, stage.env), None, remarks)


def _kernels(command: tuple[str, ...], checkout: Path, stage: Stage) -> int:
    returncode, started, printed = kernels.count(command, checkout, stage.env)
    if returncode != 0:
        raise MeasuredProgramFailed(f"validate: exit {returncode}\n{printed[-500:]}")
    return started


def _cell_seconds(executed: Path) -> float:
    cells = json.loads(executed.read_text(encoding="utf-8"))["cells"]
    return float(sum(cell["metadata"].get("papermill", {}).get("duration") or 0.0 for cell in cells))


RUN_ROWS: tuple[Row, ...] = (
    Row("validate/twenty", "validate 20, two cores", all_anew, 3, 1, at_least=6),
    Row("validate/twenty-again", "the same, nothing changed", nothing_changed, 5, 1, at_most=1.0),
)
