"""Results of the gate: a real one of five notebooks, and one in which everything from outside is hostile."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from nbpr.diff.notebooks import compare
from nbpr.findings import Finding
from nbpr.gate.result import GateResult, Judged
from tests.diff.scripts import book, code, stream
from tests.diff.scripts import markdown as text_cell
from tests.render.pages import every_output, picture, png, scrap, shows

CHECKS = ("format", "clean", "execute", "reproduce", "reference", "scraps", "secrets", "size")
CHECKED = "# NBVAL_CHECK_OUTPUT\n"


def run(path: str, failed: dict[str, Any] | None = None, seconds: float = 1.5) -> dict[str, Any]:
    """A run's record, as far as faces read it."""
    return {
        "status": "error" if failed else "success",
        "reason": "error" if failed else None,
        "duration_seconds": seconds,
        "cells_executed": 3,
        "failed_cell": failed,
        "notebook": path,
        "kernel": "python3",
        "environment": {"python": "3.11.7"},
    }


def _diff(path: str, value: int) -> Any:
    pictures = [shows(image__png=picture(png(60, 40, seed))) for seed in (1, value)]
    before = book(
        code("threshold = 1", "params", metadata={"tags": ["parameters"]}),
        text_cell("# Title", "title"),
        code(f"{CHECKED}print(threshold)", "shown", outputs=[stream("1\n"), pictures[0]]),
        code(f"{CHECKED}print('after')", "after", outputs=[stream("after\n")]),
    )
    after = book(
        code(f"threshold = {value}", "params", metadata={"tags": ["parameters"]}),
        text_cell("# Title", "title"),
        code(f"{CHECKED}print(threshold)", "shown", outputs=[stream(f"{value}\n"), pictures[1]]),
        code(f"{CHECKED}print('after')", "after", outputs=[stream("after\n"), scrap("score", 0.5)]),
    )
    return compare(path, before, after)


def _judged(name: str, *findings: Finding, **members: Any) -> Judged:
    path = f"notebooks/{name}.ipynb"
    shown = {"change": "modified", "checks": CHECKS, "run": run(path), "diff": _diff(path, 2), **members}
    return Judged(path=path, findings=findings, **shown)


def five(seconds: float = 1.5) -> GateResult:
    """A pull request with five notebooks: good, dirty, failing, not reproducing, below a bound; and a widened bound."""
    stopped = {"index": 2, "id": "shown", "source": "print(1 / 0)", "ename": "ZeroDivisionError", "evalue": "division"}
    counted = [
        Finding("reproduce", "note", f"notebooks/{name}.ipynb", "2 of 3 cells checked")
        for name in ("good", "dirty", "failing", "changing", "low")
    ]
    place = "notebooks/{}.ipynb".format
    return GateResult(
        base="1" * 40,
        head="2" * 40,
        findings=(
            Finding("weakened", "error", "pyproject.toml", "the bound scraps.score min = 0.9 became 0.1", hint="ask"),
        ),
        notebooks=(
            _judged("good", counted[0], run=run(place("good"), seconds=seconds)),
            _judged(
                "dirty",
                Finding("clean", "error", place("dirty"), "1 cell has outputs", "shown", "nbpr check --fix"),
                Finding("size", "warning", place("dirty"), "2 MB", hint="size.notebook"),
                counted[1],
            ),
            _judged(
                "failing",
                Finding("execute", "error", place("failing"), "cell 2: ZeroDivisionError: division", "shown"),
                run=run(place("failing"), stopped, seconds),
            ),
            _judged(
                "changing",
                Finding("reproduce", "error", place("changing"), "cell 3: outputs differ: 'a' became 'b'", "after"),
                counted[3],
                change="affected",
            ),
            _judged(
                "low",
                Finding("scraps", "error", place("low"), "score is 0.5, min is 0.9, it was 0.95", hint="mend it"),
                Finding("reproduce", "warning", place("low"), "0 of 3 cells checked: that they ran is all"),
                scraps=({"name": "score", "before": 0.95, "after": 0.5},),
            ),
            Judged("notebooks/gone.ipynb", "deleted"),
        ),
    )


def good() -> GateResult:
    """A pull request of which nothing is wrong."""
    path = "notebooks/good.ipynb"
    counted = Finding("reproduce", "note", path, "2 of 3 cells checked")
    return GateResult("1" * 40, "2" * 40, (_judged("good", counted),))


def nothing() -> GateResult:
    """A pull request in which no notebook changed."""
    return GateResult("1" * 40, "2" * 40)


def hostile(text: str) -> GateResult:
    """A result in which everything that can come from outside is `text`."""
    stopped = {"index": text, "id": text, "source": text, "ename": text, "evalue": text}
    record = {**run(text, stopped), "kernel": text, "environment": {"python": text}}
    before, after = (
        book(
            code(f"{CHECKED}{text}\n{n}", "a", outputs=every_output(text, n)),
            text_cell(f"{text}\n\n{n}", "b"),
            {**code(f"{CHECKED}{text}", "c"), "id": text},
        )
        for n in (1, 2)
    )
    findings = tuple(
        Finding(check, level, text, text, cell_id=text, hint=text)
        for check, level in ((text, "error"), ("reproduce", "error"), (text, "warning"), (text, "note"))
    )
    judged = Judged(
        path=text,
        change="modified",
        findings=findings,  # type: ignore[arg-type]
        checks=("reproduce", text),
        run=record,
        scraps=({"name": text, "before": text, "after": [text], "bound": text},),
        diff=compare(text, before, after),
    )
    beside = (Finding(text, "error", text, text, hint=text), Finding(text, "warning", "", text))
    return GateResult(text or None, text, (judged, Judged(text + "2", "deleted")), beside)


def mixed(seed: int, pool: list[str]) -> str:
    """Pieces of hostile texts, put together by chance."""
    rng = random.Random(seed)
    return "".join(rng.choice(pool) for _ in range(rng.randint(1, 5)))


def placed(result: GateResult, path: str, lines: Mapping[str, range]) -> GateResult:
    """The result with the lines in which a notebook's cells stand."""
    moved = tuple(replace(each, lines=lines) if each.path == path else each for each in result.notebooks)
    return replace(result, notebooks=moved)
