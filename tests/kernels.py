"""Small notebooks that are really run, and the processes that must not be left of them."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import psutil

from nbpr import process
from nbpr.config import Execute
from nbpr.engines import ENGINES, Executed, Progress, Request
from nbpr.engines.strays import MARK
from nbpr.runs import interpreters
from nbpr.runs.interpreters import KernelChoice


def code(source: str, *tags: str, **members: Any) -> dict[str, Any]:
    """A code cell that has not run."""
    metadata = {"tags": list(tags)} if tags else {}
    return {
        "cell_type": "code",
        "execution_count": None,
        "metadata": metadata,
        "outputs": [],
        "source": source,
        **members,
    }


def markdown(source: str, **members: Any) -> dict[str, Any]:
    return {"cell_type": "markdown", "metadata": {}, "source": source, **members}


def notebook(*cells: str | dict[str, Any], minor: int = 5, **metadata: Any) -> dict[str, Any]:
    """A notebook of these cells; a text is a code cell. From 4.5 on, cells are called c0, c1, …"""
    made = [code(cell) if isinstance(cell, str) else cell for cell in cells]
    if minor >= 5:
        made = [{"id": f"c{index}", **cell} for index, cell in enumerate(made)]
    return {"cells": made, "metadata": metadata, "nbformat": 4, "nbformat_minor": minor}


def own_kernel(folder: Path, **execute: Any) -> KernelChoice:
    """The kernel of the environment that the tests run in."""
    return interpreters.choose(folder, folder, kernel="python3", language="python", execute=Execute(**execute))


def run(
    nb: Mapping[str, Any],
    folder: Path,
    *,
    kernel: KernelChoice | None = None,
    progress: Callable[[Progress], None] | None = None,
    stop: threading.Event | None = None,
    **options: Any,
) -> Executed:
    """The notebook run with papermill in `folder`; fails if a process of it is left."""
    mark = secrets.token_hex(8)
    options = {"environment": process.kernel_environment(), "timeout": 60, **options}
    request = Request(nb, folder, kernel or own_kernel(folder), run_id=mark, **options)
    executed = ENGINES["papermill"].run(request, progress, stop)
    assert left_of(mark) == []
    return executed


def left_of(mark: str) -> list[str]:
    """The processes that carry this mark in their environment."""
    found = []
    for each in psutil.process_iter():
        try:
            if each.environ().get(MARK) == mark:
                found.append(" ".join(each.cmdline()))
        except (psutil.AccessDenied, psutil.NoSuchProcess, psutil.ZombieProcess):
            continue
    return found


def of_runs() -> list[str]:
    """What is alive below this process and belongs to a run; a worker has other children besides, servers and git."""
    found = []
    for each in psutil.Process().children(recursive=True):
        try:
            if MARK in each.environ():
                found.append(" ".join(each.cmdline()))
        except (psutil.AccessDenied, psutil.NoSuchProcess, psutil.ZombieProcess):
            continue
    return found


def texts(nb: Mapping[str, Any]) -> list[str]:
    """What each code cell printed."""
    return [
        "".join(output["text"] for output in cell["outputs"] if output["output_type"] == "stream")
        for cell in nb["cells"]
        if cell["cell_type"] == "code"
    ]
