"""Engines: how runs are carried out. An engine is one small module and one row in the table below."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol

from nbpr.engines.execution import Begun, Executed, FailedCell, Progress, Ready, Reason, Request, Status
from nbpr.engines.papermill import Papermill
from nbpr.errors import BadInput

__all__ = [
    "ENGINES",
    "Begun",
    "Engine",
    "Executed",
    "FailedCell",
    "Progress",
    "Ready",
    "Reason",
    "Request",
    "Status",
    "named",
]


class Engine(Protocol):
    """What runs a notebook in a fresh kernel."""

    name: str

    def check(self) -> None:
        """Raises `Missing` where the engine's package is not installed."""

    def ready(self, request: Request) -> AbstractContextManager[Ready]:
        """Start what a run needs, its kernel above all, and nothing of the notebook: it waits in the block for `run`.

        It is for this one request, and thrown away if it is not run. Raises `Missing`.
        """

    def run(
        self,
        request: Request,
        progress: Callable[[Progress], None] | None = None,
        stop: threading.Event | None = None,
    ) -> Executed:
        """Run one notebook, telling `progress` of each cell that begins, until it ends or `stop` is set.

        What happens in the notebook is an answer and never raised; `Missing` is, where the engine's package is
        not installed. No process is left behind.
        """


ENGINES: dict[str, Engine] = {
    "papermill": Papermill(),
}


def named(name: str) -> Engine:
    """The engine of that name. Raises `BadInput` that lists those there are."""
    if name not in ENGINES:
        raise BadInput(f"there is no engine {name!r}", hint=f"there are: {', '.join(ENGINES)}")
    return ENGINES[name]
