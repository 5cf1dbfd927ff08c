"""`reproduce`: nbval's verdicts as findings, and how much they say."""

from __future__ import annotations

from typing import Any, Literal

import pytest

from nbpr.checks.reproduce import CellVerdict, check, summary
from nbpr.engines import nbval

Outcome = Literal["passed", "failed", "skipped"]


def cell(index: int, verdict: Outcome = "passed", checked: bool = False, message: str | None = None) -> CellVerdict:
    return CellVerdict(index, f"c{index}", verdict, checked, message)


def test_it_always_says_how_many_were_checked() -> None:
    (found,) = check([cell(0), cell(1, checked=True), cell(2, "skipped")], "a.ipynb")
    assert (found.level, found.message, found.path) == ("note", "1 of 2 cells checked", "a.ipynb")


def test_none_is_a_warning_unless_nothing_ran() -> None:
    (found,) = check([cell(0), cell(1)], "a.ipynb")
    assert (found.level, found.message[:20]) == ("warning", "0 of 2 cells checked")
    assert "NBVAL_CHECK_OUTPUT" in (found.hint or "")
    assert [found.level for found in check([], "a.ipynb")] == ["note"]


def test_each_failure_is_an_error_on_its_cell() -> None:
    found = check([cell(0, "failed", True, "Cell 0: Cell outputs differ\n\nInput:\nx\n"), cell(4, "failed")], "a.ipynb")
    assert [(each.level, each.cell_id) for each in found] == [("error", "c0"), ("error", "c4"), ("note", None)]
    assert found[1].message == "cell 4: it failed"


def ran(source: str, *outputs: dict[str, Any]) -> dict[str, Any]:
    made = {
        "cell_type": "code",
        "id": "a",
        "metadata": {},
        "source": source,
        "execution_count": 1,
        "outputs": list(outputs),
    }
    return {"cells": [made], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


def stream(text: str) -> dict[str, Any]:
    return {"output_type": "stream", "name": "stdout", "text": text}


@pytest.mark.parametrize(
    ("before", "after", "wanted"),
    [
        ([stream("one\n")], [stream("two\n")], (r"outputs differ: stdout: 'one\n' became 'two\n'",)),
        ([stream("one\n")], [], ("outputs differ:", "stdout")),
        (
            [stream("one\n")],
            [{"output_type": "error", "ename": "ValueError", "evalue": "bad", "traceback": ["a", "ValueError: bad"]}],
            ("Cell execution caused an exception: ValueError: bad",),
        ),
    ],
)
def test_nbvals_own_message_on_one_line(before: list[Any], after: list[Any], wanted: tuple[str, ...]) -> None:
    source = "# NBVAL_CHECK_OUTPUT\nprint('x')"
    (verdict,) = nbval.compare(ran(source, *before), ran(source, *after))
    found = summary(verdict.message or "")
    assert "\n" not in found
    assert all(word in found for word in wanted), found
    assert "Input" not in found
    assert len(found) <= 320
