"""papermill's client of a kernel, made to tell what happens and to keep no more than a run may keep."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Protocol

from nbpr.engines import caps, kernel
from nbpr.notebooks.markers import Markers, markers

#: How long nbclient waits for the rest of a cell's output. XPUB_NODROP makes it come, if late.
IOPUB_TIMEOUT = 300
#: How long a cell that took too long may take to say where it was interrupted.
_LAST_WORDS = 2.0
#: How long a message of a kernel that is gone may take to come.
_LEFT_BEHIND = 0.2
#: How often it is looked whether the kernel is alive, in seconds.
_LOOK = 0.2
#: How much widgets may say in a run, in characters. They end in no output, and their state is kept until the end.
_WIDGETS = 50_000_000


class Session(Protocol):
    """What the client tells of, and asks."""

    request: Mapping[str, Any]
    kernel: Any
    caps: caps.Caps
    nb: Any
    failed: tuple[int, str, str] | None

    def is_left_out(self, cell: Mapping[str, Any]) -> bool:
        """Whether a cell does not run."""

    def begin_notebook(self) -> None:
        """Wait for the notebook's turn; its kernel is ready."""

    def begin(self, index: int) -> None:
        """Note that a cell begins to run."""

    def end(self, index: int, cut: int) -> None:
        """Note that a cell has ended, and how many characters of its output are left out."""

    def death(self) -> str:
        """How the kernel died, which it has."""


def engine(session: Session) -> Any:
    """The session as an engine of papermill's."""
    from papermill.engines import NBClientEngine

    client = _client(session)

    class Engine(NBClientEngine):  # type: ignore[misc]
        @classmethod
        def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, **options: Any) -> Any:
            session.nb = nb_man.nb
            return client(
                nb_man,
                km=session.kernel,
                kernel_name=kernel_name,
                startup_timeout=options["start_timeout"],
                timeout_func=lambda cell: session.request["cell_timeout"],
                iopub_timeout=IOPUB_TIMEOUT,
                raise_on_iopub_timeout=True,
                on_notebook_start=lambda **_: session.begin_notebook(),
            ).execute()

    return Engine


def _client(session: Session) -> Any:
    import asyncio

    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
    from papermill.clientwrap import PapermillNotebookClient

    class Client(PapermillNotebookClient):  # type: ignore[misc]
        kept = session.caps.begin()
        said_by_widgets = 0
        asked: str | None = None

        def execute_cell(self, cell: Any, cell_index: int, **options: Any) -> Any:
            if session.is_left_out(cell):
                return cell
            self.allow_errors = markers_of(cell).raises
            self.kept = session.caps.begin()
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
                session.failed = (cell_index, "DeadKernelError", session.death())
                _take_in(self, cell, cell_index, _LEFT_BEHIND)
                raise
            finally:
                session.end(cell_index, session.caps.end(self.kept, cell.outputs, _note))

        def papermill_execute_cells(self) -> None:
            super().papermill_execute_cells()
            if session.failed is None and session.request["is_ipykernel"]:
                # papermill asks the kernel what it is afterwards, and so waits until this is done.
                self.kc.execute(kernel.last_cell(), silent=True, store_history=False, allow_stdin=False)

        async def _async_poll_kernel_alive(self) -> None:
            while True:
                await asyncio.sleep(_LOOK)
                try:
                    await self._async_check_alive()
                except DeadKernelError:
                    self.task_poll_for_reply.cancel()
                    return

        def process_message(self, msg: Any, cell: Any, cell_index: int) -> Any:
            self.asked = msg["parent_header"].get("msg_id")
            if msg["msg_type"] == "update_display_data":
                msg = {**msg, "content": self.kept.displays.update(msg["content"])}
            return super().process_message(msg, cell, cell_index)

        def output(self, outs: Any, msg: Any, display_id: str | None, cell_index: int) -> Any:
            if self.output_hook_stack[msg["parent_header"].get("msg_id")]:
                return super().output(outs, msg, display_id, cell_index)
            if self.clear_before_next_output:
                self._clear(outs, cell_index)
            content = msg["content"]
            if msg["msg_type"] == "stream":
                self.kept.write(content["name"], content["text"], outs, _stream)
                return None
            if msg["msg_type"] not in ("display_data", "execute_result"):
                return super().output(outs, msg, display_id, cell_index)
            msg = {**msg, "content": self.kept.displays.fitting(content)}
            if self.kept.displays.has_room(msg["content"]):
                return super().output(outs, msg, display_id, cell_index)
            last: list[Any] = []
            super().output(last, msg, None, cell_index)
            self.kept.displays.keep_last(last[0])
            return None

        def _clear(self, outs: Any, cell_index: int) -> None:
            outs[:] = []
            self.clear_display_id_mapping(cell_index)
            self.clear_before_next_output = False
            self.kept.forget()

        def clear_output(self, outs: Any, msg: Any, cell_index: int) -> None:
            super().clear_output(outs, msg, cell_index)
            if not outs:
                self.kept.forget()

        def handle_comm_msg(self, outs: Any, msg: Any, cell_index: int) -> None:
            self.said_by_widgets += len(str(msg["content"]))
            if self.said_by_widgets < _WIDGETS:
                super().handle_comm_msg(outs, msg, cell_index)

    return Client


def _stream(name: str, text: str = "") -> Any:
    from nbformat.v4 import new_output

    return new_output("stream", name=name, text=text)


def _note(text: str) -> Any:
    return _stream("stderr", f"{text}\n")


def _raised(cell: Mapping[str, Any], error: Any) -> tuple[str, str]:
    """What a cell raised, as its output tells it; the kernel's reply knows where there is none, as for magics.

    An exception in `__repr__` is in the output alone: the reply says `NoneType`.
    """
    told = [output for output in cell["outputs"] if output["output_type"] == "error"]
    return (told[-1]["ename"], told[-1]["evalue"]) if told else (error.ename, error.evalue)


def _too_long(seconds: float | None) -> str:
    if seconds is None:
        return f"the cell's output did not end within {IOPUB_TIMEOUT} s"
    return f"the cell took longer than {seconds:g} s"


def _interrupt(client: Any, cell: Any, index: int) -> None:
    """Interrupt a cell that took too long, and take in the traceback that says where it was."""
    from jupyter_core.utils import run_sync
    from nbclient.util import ensure_async

    async def interrupt() -> None:
        await ensure_async(client.km.interrupt_kernel())

    try:
        run_sync(interrupt)()
    except Exception as error:  # noqa: BLE001 - a kernel that cannot be interrupted is ended all the same
        client.log.debug("not interrupted: %r", error)
    _take_in(client, cell, index, _LAST_WORDS, until_error=True)


def _take_in(client: Any, cell: Any, index: int, patience: float, *, until_error: bool = False) -> None:
    """Take in what a kernel has said and nobody has read, until nothing comes for `patience` seconds, or too much."""
    from jupyter_core.utils import run_sync
    from nbclient.util import ensure_async

    async def last_words() -> None:
        until = time.monotonic() + _LAST_WORDS
        while time.monotonic() < until:
            message = await ensure_async(client.kc.iopub_channel.get_msg(timeout=patience))
            # An interruption that was asked for by a message begins and ends with messages of its own.
            if message["parent_header"].get("msg_id") != client.asked:
                continue
            client.process_message(message, cell, index)
            if until_error and message["msg_type"] == "error":
                return

    try:
        run_sync(last_words)()
    except Exception as error:  # noqa: BLE001 - a kernel that does not answer has said all that it will
        client.log.debug("no last words: %r", error)


def tags(cell: Mapping[str, Any]) -> list[str]:
    """A cell's tags."""
    return list(cell["metadata"].get("tags", ()))


def markers_of(cell: Mapping[str, Any]) -> Markers:
    """What a cell's tags and comments ask for."""
    return markers(cell["source"], tags(cell))
