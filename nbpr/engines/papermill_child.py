"""The child's side of the papermill engine: one notebook, run by papermill in a fresh kernel.

The kernel starts while papermill is being imported. What happened is told by what this process has seen itself:
papermill's own statuses call cells completed that never ran when a kernel dies, and call a run with `sys.exit(0)`
in the middle a success. Everything is written to `result.json` in the working directory, then "done" is said.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import signal
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nbpr import process
from nbpr.engines import kernel, saving, strays, watch
from nbpr.engines.caps import Caps
from nbpr.engines.client import engine, markers_of, tags
from nbpr.engines.imports import quick_imports
from nbpr.engines.parent import Parent
from nbpr.notebooks.notebook import INJECTED
from nbpr.redaction import Redactor

#: How long what the kernel has said last may take to be taken in, once the parent is gone, in seconds.
_LAST_SAVE = 5.0


class Session:
    """One run: its kernel, what has happened so far, and what that comes to."""

    def __init__(self, request: Mapping[str, Any], parent: Parent) -> None:
        self.request = request
        self.parent = parent
        self.kernel: Any = None
        self.group: int | None = None
        self.stopped: str | None = None
        self.starting = threading.Lock()
        self.is_leaving = False
        self.is_ready = False
        self.turn = threading.Event()
        self.nb: Any = None
        self.begun = 0
        self.failed: tuple[int, str, str] | None = None
        self.cut: dict[str, int] = {}
        self.redactor = Redactor(request["secrets"].values())
        self.caps = Caps(request["max_output"], request["max_run"], self.redactor.known)
        self.oom_kills = watch.oom_kills()
        self.passed: str | None = None
        self.running: int | None = None
        self.over = threading.Event()
        self.saving = saving.Saving(request["partial"], self.so_far) if request["partial"] else None

    # -- the kernel ----------------------------------------------------------------------------------------

    def start_kernel(self) -> None:
        """Start the kernel's process; it gets ready by itself. None is started once the parent is gone."""
        with self.starting:
            if self.is_leaving:
                threading.Event().wait()  # for the end of this process, which nothing may outlive
            self.kernel = kernel.start(self.request)
        self.group = self.kernel.provisioner.pid
        self.parent.say(group=self.group)
        watch.Watch(os.getpid(), self.request["memory"], self.request["processes"], self.pass_limit)
        if self.stopped:
            self.kill_kernel()

    def pass_limit(self, why: str, message: str) -> None:
        """Stop a run that has passed a limit, with everything that it has started."""
        if self.stopped is None:
            self.stopped, self.passed = why, message
        strays.end_below(os.getpid())

    def kill_kernel(self) -> None:
        """End the kernel at once."""
        if self.group is not None:
            strays.kill_group(self.group)

    def end_kernel(self) -> None:
        """Let the kernel shut down if all went well, so that what it holds open is closed; else end it."""
        if self.kernel is not None:
            kernel.end(self.kernel, well=self.failed is None and not self.stopped)

    def hear(self, message: Mapping[str, Any]) -> None:
        """Take in what the parent says."""
        if "stop" in message:
            self.stop(message["stop"])
        self.turn.set()

    def stop(self, why: str) -> None:
        """Stop the run: without its kernel it ends by itself, and with everything that ran."""
        self.stopped = self.stopped or why
        self.kill_kernel()

    def begin_notebook(self) -> None:
        """The kernel is ready; no cell runs before the parent says so."""
        self.is_ready = True
        self.turn.wait()

    # -- the cells -----------------------------------------------------------------------------------------

    @property
    def cells(self) -> list[Any]:
        """The cells as they are now, without the two that papermill adds to a notebook that failed."""
        cells = self.nb.cells if self.nb is not None else []
        return [cell for cell in cells if "papermill-error-cell-tag" not in tags(cell)]

    def is_left_out(self, cell: Mapping[str, Any]) -> bool:
        """Whether a cell does not run: no code, empty, tagged so (nbclient's tag), or marked for nbval so."""
        if cell["cell_type"] != "code" or not cell["source"].strip() or "skip-execution" in tags(cell):
            return True
        return bool(self.request["leave_out_skipped"]) and markers_of(cell).skip

    def begin(self, index: int) -> None:
        """Note that a cell begins to run."""
        self.running = index
        if not _is_injected(self.nb.cells[index]):
            self.begun += 1
            cells = sum(not self.is_left_out(cell) and not _is_injected(cell) for cell in self.nb.cells)
            self.parent.say(cell=self.begun, cells=cells)

    def end(self, index: int, cut: int) -> None:
        """Note that a cell has ended, and how many characters of its output are left out."""
        self.running = None
        if self.saving:
            self.saving.changed()
        if cut:
            self.cut[self.nb.cells[index]["id"]] = cut

    def death(self) -> str:
        """How the kernel died: by which signal, if by one. A sandbox hands it on as shells do."""
        started = self.kernel.provisioner.process
        code = (started and started.poll()) or 0
        number = -code if code < 0 else code - 128
        known = {int(each): each.name for each in signal.Signals}
        return f"the kernel died ({known[number]})" if number in known else "the kernel died"

    def so_far(self) -> tuple[list[dict[str, Any]], tuple[int, str] | None]:
        """The cells with what they have put out, the running one without; place and source of the one that failed."""
        cells = self.cells
        failed = self.failed and cells[self.failed[0]]
        made = [
            {**cell, "outputs": [], "execution_count": None} if place == self.running else dict(cell)
            for place, cell in enumerate(cells)
        ]
        told = _known(made, self.redactor) if self.redactor.secrets else made
        place = sum(not _is_injected(cell) for cell in cells[: self.failed[0]]) if self.failed else 0
        return told, (place, failed["source"]) if failed else None

    def leave(self) -> None:
        """The parent is gone: end all that was started, and leave behind what has run, if that is wanted."""
        self.stopped = self.stopped or "cancelled"
        self.is_leaving = True
        self.turn.set()
        if self.starting.acquire(timeout=_LAST_SAVE):  # a kernel that is being started is below us then
            self.starting.release()
        strays.end_below(os.getpid())
        if self.saving and self.begun:
            self.over.wait(_LAST_SAVE)
            self.saving.save()

    # -- the run -------------------------------------------------------------------------------------------

    def run(self) -> dict[str, Any]:
        """Run the notebook; what came of it, as `result.json` holds it."""
        try:
            self._run()
            error = None
        except Exception as raised:  # noqa: BLE001 - whatever papermill, nbclient and kernels raise is an outcome
            error = raised
        reason, message = self._told(error)
        self.over.set()
        told = {
            "reason": reason,
            "message": message,
            "failed": self.failed,
            "executed": self.begun,
            "cells": self.cells,
            "cut": self.cut,
        }
        return _known(told, self.redactor) if self.redactor.secrets else told

    def _run(self) -> None:
        if not self.request["prepare_only"]:
            self.start_kernel()
        quick_imports()
        from papermill.engines import papermill_engines
        from papermill.exceptions import PapermillExecutionError
        from papermill.execute import execute_notebook

        papermill_engines.register("nbpr", engine(self))
        parameters = {**self.request["parameters"], **self.request["secrets"]}
        if parameters:
            self._say_language()
        # papermill raises after the run for every error output, also for those that the notebook expects.
        with contextlib.suppress(PapermillExecutionError):
            self.nb = execute_notebook(
                "notebook.ipynb",
                None,
                parameters,
                engine_name="nbpr",
                kernel_name=self.request["kernel"],
                language=self.request["language"],
                prepare_only=self.request["prepare_only"],
                start_timeout=max(1, math.ceil(self.request["startup_timeout"])),
                progress_bar=False,
                request_save_on_cell_execute=False,
            )

    def _say_language(self) -> None:
        """Have papermill write parameters as for the kernel that ours stands for; some it knows by their name alone."""
        from papermill.translators import papermill_translators

        found = papermill_translators.find_translator(self.request["name"], self.request["language"])
        papermill_translators.register(self.request["kernel"], found)

    def _told(self, error: Exception | None) -> tuple[str | None, str | None]:
        """The reason and the message of what happened; None for a success."""
        if self.stopped:
            return self.stopped, self.passed
        if self.failed is not None:
            return self._told_of_cell(error)
        if error is None:
            return None, None
        if not self.is_ready and not self.request["prepare_only"] and _is_of_kernel(error):
            # Where it died by itself, it has said why; where we gave up on it, its last words are about that.
            said = _last_line(Path(kernel.LOG)) if "died" in str(error) else ""
            return "no-kernel", f"the kernel did not start: {said or error}"
        if type(error).__name__ == "DeadKernelError":
            return "kernel-died", "the kernel died after the last cell"
        return "error", f"{type(error).__name__}: {' '.join(str(error).split())}"

    def _told_of_cell(self, error: Exception | None) -> tuple[str | None, str | None]:
        assert self.failed is not None
        index, name, value = self.failed
        if type(error).__name__ == "DeadKernelError":
            if value.endswith("(SIGKILL)") and watch.oom_kills() > self.oom_kills:
                return "out-of-memory", "the operating system ended the kernel for want of memory"
            return "kernel-died", value
        if type(error).__name__ == "CellTimeoutError":
            return "cell-timeout", value
        if name == "SystemExit" and value in ("", "0", "None"):
            if all(self.is_left_out(cell) for cell in self.cells[index + 1 :]):
                self.failed = None
                return None, None
            return "early-exit", "the cell ended the notebook before its last cell"
        return "error", f"{name}: {value}"


def _is_injected(cell: Mapping[str, Any]) -> bool:
    return INJECTED in tags(cell)


def _is_of_kernel(error: Exception) -> bool:
    """Whether this is how jupyter_client says that a kernel did not come up."""
    return isinstance(error, RuntimeError | OSError) or type(error).__name__ == "NoSuchKernel"


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines() if log.exists() else []
    return lines[-1].strip() if lines else ""


def _known(value: Any, redactor: Redactor) -> Any:
    """A JSON value without the secrets that are known; those of them that the notebook was given stand as a mask."""
    if isinstance(value, str):
        return redactor.known(value)
    if isinstance(value, Mapping):
        return {_known(key, redactor): _known(item, redactor) for key, item in value.items()}
    return [_known(item, redactor) for item in value] if isinstance(value, list | tuple) else value


def main() -> None:
    """Do what the parent asks, say so, and be gone, whatever threads and sockets libraries have left open."""
    parent = Parent()
    session = Session(parent.first(), parent)
    strays.adopt()
    if session.redactor.secrets:
        process.guard()
    parent.listen(session.hear, session.leave)
    result = session.run()
    if session.saving:
        session.saving.end()
    Path("result.part").write_text(json.dumps(result), encoding="utf-8")
    Path("result.part").replace("result.json")
    parent.say(result=True)
    session.end_kernel()
    strays.end_below(os.getpid())
    parent.say(done=True)
    os._exit(0)


if __name__ == "__main__":
    main()
