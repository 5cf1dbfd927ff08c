"""`execute`: what a run record says went wrong."""

from __future__ import annotations

from typing import Any

import pytest

from nbpr.checks.execute import check

OK: dict[str, Any] = {
    "status": "success",
    "reason": None,
    "message": None,
    "notebook": "notebooks/a.ipynb",
    "failed_cell": None,
    "environment": {"python": "3.11.7", "executable": "/env/bin/python", "packages_sha256": None},
}
FAILED = {"index": 3, "id": "c3", "source": "1 / 0", "ename": "ZeroDivisionError", "evalue": "division by zero"}


def test_a_success_is_nothing() -> None:
    assert check(OK) == []


def test_a_failure_names_the_cell_and_what_was_raised() -> None:
    message = "ZeroDivisionError: division\nby zero"
    (found,) = check({**OK, "status": "error", "reason": "error", "message": message, "failed_cell": FAILED})
    assert (found.check, found.level, found.path, found.cell_id) == ("execute", "error", "notebooks/a.ipynb", "c3")
    assert found.message == "cell 3: ZeroDivisionError: division by zero"
    assert "raises-exception" in str(found.hint)


@pytest.mark.parametrize(
    ("reason", "hint"),
    [
        ("cell-timeout", "--cell-timeout"),
        ("deadline", "--timeout"),
        ("kernel-died", "memory"),
        ("early-exit", "sys.exit"),
    ],
)
def test_what_mends_it(reason: str, hint: str) -> None:
    (found,) = check({**OK, "status": "error", "reason": reason, "message": "so it was", "failed_cell": FAILED})
    assert found.message == "cell 3: so it was"
    assert hint in (found.hint or "")


def test_a_missing_module_asks_which_interpreter() -> None:
    failed = {**FAILED, "ename": "ModuleNotFoundError"}
    (found,) = check({**OK, "status": "error", "reason": "error", "message": "x", "failed_cell": failed})
    assert "/env/bin/python" in (found.hint or "")


def test_without_a_cell_and_without_a_message() -> None:
    record = {**OK, "status": "error", "reason": "no-kernel", "environment": None}
    (found,) = check({**record, "message": None})
    assert (found.message, found.cell_id) == ("no-kernel", None)
    (found,) = check({**record, "message": "x" * 1000})
    assert len(found.message) == 300
