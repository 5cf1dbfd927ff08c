"""The Python face: the public names, and each method once for real."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import nbpr
from nbpr import BadInput, NotebookExecutor
from tests import projects
from tests.projects import NOTE, NOTEBOOK


@pytest.fixture
def executor(tmp_path: Path) -> NotebookExecutor:
    return NotebookExecutor(projects.make(tmp_path).root)


def test_public_names_are_pinned() -> None:
    assert nbpr.__all__ == [
        "BadInput",
        "CheckFailed",
        "Conflict",
        "NbprError",
        "NotAllowed",
        "NotebookExecutor",
        "OutOfReach",
    ]
    assert all(getattr(nbpr, name).__name__ == name for name in nbpr.__all__)
    methods = [name for name in vars(NotebookExecutor) if not name.startswith("_")]
    assert methods == [
        "propose",
        "execute",
        "collect_outputs",
        "inspect_parameters",
        "read_notebook",
        "write_notebook",
        "diff_notebooks",
        "validate",
    ]
    with pytest.raises(AttributeError):
        nbpr.nothing  # noqa: B018


@pytest.mark.kernel
def test_execute_and_collect(executor: NotebookExecutor, tmp_path: Path) -> None:
    record = executor.execute(NOTEBOOK, tmp_path / "out.ipynb", {"threshold": 0.90}, timeout=60)
    assert record["status"] == "success"
    assert record["scraps"] == {"alert_count": 4, "health_score": 0.875}
    assert set(record) >= {"reason", "duration_seconds", "cells_executed", "failed_cell", "run_id", "run_key"}
    assert executor.collect_outputs(tmp_path / "out.ipynb") == {"alert_count": 4, "health_score": 0.875}


@pytest.mark.kernel
def test_validate(executor: NotebookExecutor) -> None:
    found = executor.validate(NOTEBOOK)
    assert found["verdict"] == "passed"
    assert set(found) == {"verdict", "findings", "runs"}


@pytest.mark.kernel
def test_propose(executor: NotebookExecutor) -> None:
    made = executor.propose(NOTEBOOK, [NOTE], "A note", agent="seven", labels=["x"])
    assert (made["operation"], made["verdict"]) == ("created", "passed")
    assert executor.propose(NOTEBOOK, [NOTE], "Other", agent="seven")["operation"] == "unchanged"
    with pytest.raises(BadInput, match="nonsense"):
        executor.propose(NOTEBOOK, [NOTE], "x", nonsense=1)


def test_parameters(executor: NotebookExecutor) -> None:
    assert executor.inspect_parameters(NOTEBOOK)[0] == {
        "name": "threshold",
        "default": "0.95",
        "type": "float",
        "help": "share of heartbeats",
    }


def test_writing_back_what_was_read_changes_no_byte(executor: NotebookExecutor, tmp_path: Path) -> None:
    place = tmp_path / "check out" / NOTEBOOK
    odd = json.dumps(json.loads(place.read_text()), indent=3).replace("\n", "\r\n").encode()
    place.write_bytes(odd)
    nb = executor.read_notebook(NOTEBOOK)
    executor.write_notebook(nb, NOTEBOOK)
    assert place.read_bytes() == odd
    changed = json.loads(json.dumps(nb))
    changed["cells"][1]["source"] = ["# Other\n"]
    executor.write_notebook(changed, NOTEBOOK)
    assert executor.read_notebook(NOTEBOOK)["cells"][1]["source"] == ["# Other\n"]
    untouched = odd.partition(b'"cell_type": "markdown"')[0]
    assert place.read_bytes().startswith(untouched)
    assert executor.diff_notebooks(nb, NOTEBOOK) != []
    assert executor.diff_notebooks(NOTEBOOK, NOTEBOOK) == []


def test_writing_a_new_file_and_refusing_what_is_no_notebook(executor: NotebookExecutor, tmp_path: Path) -> None:
    nb = executor.read_notebook(NOTEBOOK)
    executor.write_notebook(nb, "new.ipynb")
    assert executor.read_notebook("new.ipynb") == nb
    with pytest.raises(BadInput):
        executor.write_notebook({"cells": 3}, NOTEBOOK)
    assert executor.read_notebook(NOTEBOOK) == nb
