"""Diffs of large notebooks, against nbdime's own `diff_notebooks` where that is to be had in reasonable time."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks.diffcases import CASES
from benchmarks.measure import Measurement, Side
from benchmarks.row import Pair, Row
from benchmarks.stage import REPOSITORY, Stage

#: Seconds after which nbdime is stopped. Then a ratio is "at least".
PATIENCE = 60

DIFFER = str(Path(__file__).with_name("differ.py"))


def call(case: str) -> Callable[[Stage], Pair]:
    """The call alone, ours and nbdime's, each in a process of its own that makes the notebooks first."""

    def prepare(stage: Stage) -> Pair:
        def side(word: str, name: str) -> Side:
            argv = (sys.executable, DIFFER, word, case, str(PATIENCE))
            return Side(f"{name}, the call alone", (argv,), REPOSITORY, stage.env, timed=_seconds)

        return Pair(side("ours", "nbpr.diff"), side("nbdime", "diff_notebooks"), _stopped)

    return prepare


def command(case: str) -> Callable[[Stage], Pair]:
    """The whole command on two files, so that reading, comparing and printing count too."""

    def prepare(stage: Stage) -> Pair:
        files = [stage.folder / name for name in ("before.ipynb", "after.ipynb")]
        for file, book in zip(files, CASES[case](), strict=True):
            file.write_text(json.dumps(book), encoding="utf-8")
        words = (stage.program("nbpr"), "diff", *map(str, files))
        return Pair(Side("nbpr diff of two files, as text", (words,), stage.folder, stage.env), None)

    return prepare


def _seconds(said: str) -> float:
    """What a differ says that its call took."""
    return float(json.loads(said.strip().splitlines()[-1])["seconds"])


def _stopped(measurement: Measurement) -> list[str]:
    """That nbdime did not end, if so: the time it was given is what was counted."""
    longest = max(one.theirs.wall for one in measurement.rounds if one.theirs)
    return [f"nbdime was stopped after {PATIENCE} s: the ratio is at least this"] if longest >= PATIENCE else []


#: One round where nbdime does not end: the one before it, which does not count, is as long.
DIFF_ROWS: tuple[Row, ...] = (
    Row("diff/ids-kept", "500 cells, 5 MB, few edits", call("ids-kept"), 5, 2, at_least=5),
    Row("diff/ids-missing", "the same without ids", call("ids-missing"), 1, 1, at_least=10),
    Row("diff/ids-regenerated", "500 clean cells, other ids", call("ids-regenerated"), 1, 1, at_least=10),
    Row("diff/every-source", "500 sources changed", call("every-source"), 3, 1, at_least=10),
    Row("diff/every-source-no-ids", "the same without ids", call("every-source-no-ids"), 1, 1, at_least=10),
    Row("diff/every-output", "500 outputs changed", call("every-output"), 3, 1, at_least=20),
    Row("diff/every-output-no-ids", "the same without ids", call("every-output-no-ids"), 1, 1, at_least=20),
    Row("diff/one-cell-300-outputs", "300 texts in a cell", call("one-cell-300-outputs"), 3, 1, at_least=20),
    Row("diff/5000-cells", "nbpr diff, 5,000 cells", command("5000-cells"), 3, 1, at_most=5),
    Row("diff/5000-cells-no-ids", "the same without ids", command("5000-cells-no-ids"), 3, 1, at_most=5),
    Row("diff/50-MB", "nbpr diff, 50 MB changed", command("50-MB"), 3, 1, at_most=10, within=1_000),
    Row("diff/50-MB-no-ids", "the same without ids", command("50-MB-no-ids"), 3, 1, at_most=10, within=1_000),
)
