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
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nbpr.engines import strays
from nbpr.engines.parent import Parent
from nbpr.markers import Markers, markers
from nbpr.notebook import INJECTED, quick_imports

#: How long nbclient waits for the rest of a cell's output. XPUB_NODROP makes it come, if late.
_IOPUB_TIMEOUT = 300
#: How long a cell that took too long may take to say where it was interrupted.
_LAST_WORDS = 2.0
#: Longer socket paths are refused by the operating system.
_SOCKET_PATH = 100


class Session:
    """One run: its kernel, what has happened so far, and what that comes to."""

    def __init__(self, request: Mapping[str, Any], parent: Parent) -> None:
        self.request = request
        self.parent = parent
        self.kernel: Any = None
        self.group: int | None = None
        self.stopped: str | None = None
        self.is_ready = False
        self.nb: Any = None
        self.begun = 0
        self.failed: tuple[int, str, str] | None = None

    # -- the kernel ----------------------------------------------------------------------------------------

    def start_kernel(self) -> None:
        """Start the kernel's process; it gets ready by itself."""
        from jupyter_client.manager import AsyncKernelManager
        from jupyter_core.utils import run_sync

        file = str(Path("kernel.json").absolute())
        # A socket file needs no port and shows no output to the network; ipykernel is known to take it.
        sockets = self.request["is_ipykernel"] and len(file) < _SOCKET_PATH
        self.kernel = AsyncKernelManager(
            kernel_name=self.request["kernel"], connection_file=file, transport="ipc" if sockets else "tcp"
        )
        environment = {**self.request["environment"], strays.MARK: os.environ[strays.MARK]}
        with Path("kernel.log").open("wb") as log:
            start = run_sync(self.kernel.start_kernel)
            start(cwd=self.request["cwd"], env=environment, stdout=log, stderr=log)
        self.group = self.kernel.provisioner.pid
        self.parent.say(group=self.group)
        if self.stopped:
            self.kill_kernel()

    def kill_kernel(self) -> None:
        """End the kernel at once."""
        if self.group is not None:
            strays.kill_group(self.group)

    def end_kernel(self) -> None:
        """Let the kernel shut down if all went well, so that what it holds open is closed; else end it."""
        from jupyter_core.utils import run_sync

        if self.kernel is not None and self.kernel.has_kernel:
            well = self.failed is None and not self.stopped
            run_sync(self.kernel.shutdown_kernel)(now=not well)

    def stop(self, why: str) -> None:
        """Stop the run: without its kernel it ends by itself, and with everything that ran."""
        self.stopped = why
        self.kill_kernel()

    # -- the cells -----------------------------------------------------------------------------------------

    @property
    def cells(self) -> list[Any]:
        """The cells as they are now, without the two that papermill adds to a notebook that failed."""
        cells = self.nb.cells if self.nb is not None else []
        return [cell for cell in cells if "papermill-error-cell-tag" not in _tags(cell)]

    def is_left_out(self, cell: Mapping[str, Any]) -> bool:
        """Whether a cell does not run: no code, empty, tagged so (nbclient's tag), or marked for nbval so."""
        if cell["cell_type"] != "code" or not cell["source"].strip() or "skip-execution" in _tags(cell):
            return True
        return bool(self.request["leave_out_skipped"]) and _markers(cell).skip

    def begin(self, index: int) -> None:
        """Note that a cell begins to run."""
        if not _is_injected(self.nb.cells[index]):
            self.begun += 1
            cells = sum(not self.is_left_out(cell) and not _is_injected(cell) for cell in self.nb.cells)
            self.parent.say(cell=self.begun, cells=cells)

    # -- the run -------------------------------------------------------------------------------------------

    def run(self) -> dict[str, Any]:
        """Run the notebook; what came of it, as `result.json` holds it."""
        try:
            self._run()
            error = None
        except Exception as raised:  # noqa: BLE001 - whatever papermill, nbclient and kernels raise is an outcome
            error = raised
        reason, message = self._told(error)
        return {
            "reason": reason,
            "message": message,
            "failed": self.failed,
            "executed": self.begun,
            "cells": self.cells,
        }

    def _run(self) -> None:
        if not self.request["prepare_only"]:
            self.start_kernel()
        quick_imports()
        from papermill.engines import papermill_engines
        from papermill.exceptions import PapermillExecutionError
        from papermill.execute import execute_notebook

        papermill_engines.register("nbpr", _engine(self))
        # papermill raises after the run for every error output, also for those that the notebook expects.
        with contextlib.suppress(PapermillExecutionError):
            self.nb = execute_notebook(
                "notebook.ipynb",
                None,
                self.request["parameters"],
                engine_name="nbpr",
                kernel_name=self.request["kernel"],
                language=self.request["language"],
                prepare_only=self.request["prepare_only"],
                start_timeout=max(1, math.ceil(self.request["startup_timeout"])),
                progress_bar=False,
                request_save_on_cell_execute=False,
            )

    def _told(self, error: Exception | None) -> tuple[str | None, str | None]:
        """The reason and the message of what happened; None for a success."""
        if self.stopped:
            return self.stopped, None
        if self.failed is not None:
            return self._told_of_cell(error)
        if error is None:
            return None, None
        if not self.is_ready and not self.request["prepare_only"] and _is_of_kernel(error):
            # Where it died by itself, it has said why; where we gave up on it, its last words are about that.
            said = _last_line(Path("kernel.log")) if "died" in str(error) else ""
            return "no-kernel", f"the kernel did not start: {said or error}"
        if type(error).__name__ == "DeadKernelError":
            return "kernel-died", "the kernel died after the last cell"
        return "error", f"{type(error).__name__}: {' '.join(str(error).split())}"

    def _told_of_cell(self, error: Exception | None) -> tuple[str | None, str | None]:
        assert self.failed is not None
        index, name, value = self.failed
        if type(error).__name__ == "DeadKernelError":
            return "kernel-died", "the kernel died"
        if type(error).__name__ == "CellTimeoutError":
            return "cell-timeout", value
        if name == "SystemExit" and value in ("", "0", "None"):
            if all(self.is_left_out(cell) for cell in self.cells[index + 1 :]):
                self.failed = None
                return None, None
            return "early-exit", "the cell ended the notebook before its last cell"
        return "error", f"{name}: {value}"


def _engine(session: Session) -> Any:
    """The session as an engine of papermill's."""
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
    from papermill.clientwrap import PapermillNotebookClient
    from papermill.engines import NBClientEngine

    class Client(PapermillNotebookClient):  # type: ignore[misc]
        def execute_cell(self, cell: Any, cell_index: int, **options: Any) -> Any:
            if session.is_left_out(cell):
                return cell
            self.allow_errors = _markers(cell).raises
            session.begin(cell_index)
            try:
                return super().execute_cell(cell, cell_index, **options)
            except CellExecutionError as error:
                session.failed = (cell_index, *_raised(cell, error))
                raise
            except CellTimeoutError:
                session.failed = (cell_index, "CellTimeoutError", _too_long(session.request["cell_timeout"]))
                _interrupt(self, cell, cell_index)
                raise
            except DeadKernelError:
                session.failed = (cell_index, "DeadKernelError", "the kernel died")
                raise

    class Engine(NBClientEngine):  # type: ignore[misc]
        @classmethod
        def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, **options: Any) -> Any:
            session.nb = nb_man.nb
            return Client(
                nb_man,
                km=session.kernel,
                kernel_name=kernel_name,
                startup_timeout=options["start_timeout"],
                timeout_func=lambda cell: session.request["cell_timeout"],
                iopub_timeout=_IOPUB_TIMEOUT,
                raise_on_iopub_timeout=True,
                on_notebook_start=lambda **_: setattr(session, "is_ready", True),
            ).execute()

    return Engine


def _raised(cell: Mapping[str, Any], error: Any) -> tuple[str, str]:
    """What a cell raised, as its output tells it; the kernel's reply knows where there is none, as for magics.

    An exception in `__repr__` is in the output alone: the reply says `NoneType`.
    """
    told = [output for output in cell["outputs"] if output["output_type"] == "error"]
    return (told[-1]["ename"], told[-1]["evalue"]) if told else (error.ename, error.evalue)


def _too_long(seconds: float | None) -> str:
    if seconds is None:
        return f"the cell's output did not end within {_IOPUB_TIMEOUT} s"
    return f"the cell took longer than {seconds:g} s"


def _interrupt(client: Any, cell: Any, index: int) -> None:
    """Interrupt a cell that took too long, and take in the traceback that says where it was."""
    from jupyter_core.utils import run_sync
    from nbclient.util import ensure_async

    async def last_words() -> None:
        await ensure_async(client.km.interrupt_kernel())
        until = time.monotonic() + _LAST_WORDS
        while time.monotonic() < until:
            message = await ensure_async(client.kc.iopub_channel.get_msg(timeout=until - time.monotonic()))
            client.process_message(message, cell, index)
            if message["msg_type"] == "error":
                return

    try:
        run_sync(last_words)()
    except Exception as error:  # noqa: BLE001 - a kernel that does not answer has said all that it will
        client.log.debug("no last words: %r", error)


def _tags(cell: Mapping[str, Any]) -> list[str]:
    return list(cell["metadata"].get("tags", ()))


def _markers(cell: Mapping[str, Any]) -> Markers:
    return markers(cell["source"], _tags(cell))


def _is_injected(cell: Mapping[str, Any]) -> bool:
    return INJECTED in _tags(cell)


def _is_of_kernel(error: Exception) -> bool:
    """Whether this is how jupyter_client says that a kernel did not come up."""
    return isinstance(error, RuntimeError | OSError) or type(error).__name__ == "NoSuchKernel"


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines() if log.exists() else []
    return lines[-1].strip() if lines else ""


def main() -> None:
    """Do what the parent asks, say so, and be gone, whatever threads and sockets libraries have left open."""
    parent = Parent()
    session = Session(parent.first(), parent)
    strays.adopt()
    parent.listen(lambda message: session.stop(message["stop"]))
    result = session.run()
    Path("result.part").write_text(json.dumps(result), encoding="utf-8")
    Path("result.part").replace("result.json")
    session.end_kernel()
    strays.end_below(os.getpid())
    parent.say(done=True)
    os._exit(0)


if __name__ == "__main__":
    main()
