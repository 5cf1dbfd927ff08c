"""The child's side of nbval: its real plugin under pytest, with a real kernel or with one that replays a recording.

nbval collects, reads the markers, sanitises and compares. Only `nbval.plugin.RunningKernel`, which is all that it
knows of kernels, gives way to `Replay` where there is a recording: that leans on nbval's internals, so nbval is
pinned and a test holds both ways to the same verdicts.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nbpr.engines import strays
from nbpr.engines.imports import quick_imports
from nbpr.engines.parent import Parent
from nbpr.runs.reference import LEFT_OUT

_ESCAPES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")


class Verdicts:
    """A pytest plugin that keeps what became of each cell, and which one is running."""

    def __init__(self) -> None:
        self.running: Any = None
        self.found: dict[int, dict[str, Any]] = {}

    def pytest_runtest_setup(self, item: Any) -> None:
        """Note which cell nbval turns to."""
        self.running = item

    def take(self, item: Any, report: Any) -> None:
        """Keep what a report says of a cell. A cell passes only if nothing goes wrong around it either."""
        if report.when != "call" and report.passed:
            return
        self.found[item.cell_num] = {
            "verdict": report.outcome,
            "checked": bool(item.options["check"] and item.cell.execution_count is not None and not report.skipped),
            "message": _ESCAPES.sub("", _said(report)) or None,
        }


def _said(report: Any) -> str:
    if report.skipped:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longreprtext
        return str(reason).removeprefix("Skipped: ").removesuffix("<Skipped instance>")
    return str(report.longreprtext)


class Replay:
    """In place of nbval's `RunningKernel`: answers each cell with the outputs that were recorded for it."""

    recorded: tuple[Any, ...] = ()
    verdicts: Verdicts

    def __init__(self, kernel_name: str, cwd: str | None = None, startup_timeout: float = 60) -> None:
        self._messages: Iterator[dict[str, Any]] = iter(())

    def is_alive(self) -> bool:
        return True

    def execute_cell_input(self, cell_input: str, allow_stdin: bool | None = None) -> str:
        """ "Run" the cell that nbval turned to. One that never ran in the recording is skipped."""
        import pytest

        cell = self.recorded[self.verdicts.running.cell_num]
        ran = cell.execution_count is not None or cell.outputs or LEFT_OUT in cell.metadata
        if not ran and cell_input.strip():
            pytest.skip("it did not run")
        self._messages = _messages(cell.outputs)
        return "replay"

    def await_reply(self, msg_id: str, timeout: float | None = None) -> None:
        """The reply to what was recorded is there at once."""

    def get_message(self, stream: str, timeout: float | None = None) -> dict[str, Any]:
        """The next recorded message of the output channel."""
        return next(self._messages)

    def await_idle(self, parent_id: str, timeout: float) -> None:
        """Let the rest of the cell's messages go by."""
        for _ in self._messages:
            pass

    def stop(self) -> None:
        """There is no process to stop."""


def _messages(outputs: list[Any]) -> Iterator[dict[str, Any]]:
    for output in outputs:
        yield _message(output["output_type"], dict(output))
    yield _message("status", {"execution_state": "idle"})


def _message(kind: str, content: dict[str, Any]) -> dict[str, Any]:
    return {"msg_type": kind, "parent_header": {"msg_id": "replay"}, "content": content}


def _judge(request: dict[str, Any], pytest: Any, plugin: Any) -> dict[int, dict[str, Any]]:
    import nbformat

    verdicts = Verdicts()

    class Hooks:
        pytest_runtest_setup = staticmethod(verdicts.pytest_runtest_setup)

        @pytest.hookimpl(wrapper=True)  # type: ignore[untyped-decorator]
        def pytest_runtest_makereport(self, item: Any, call: Any) -> Any:
            report = yield
            verdicts.take(item, report)
            return report

    if request["recorded"]:
        recorded = nbformat.read(request["recorded"], as_version=4)
        Replay.recorded = tuple(cell for cell in recorded.cells if cell.cell_type == "code")
        Replay.verdicts = verdicts
        plugin.RunningKernel = Replay
    pytest.main(_options(request), plugins=[Hooks()])
    return verdicts.found


def _options(request: dict[str, Any]) -> list[str]:
    """pytest's command line: no configuration, plugin or conftest.py of the repository's has a say."""
    fixed = ("--nbval-lax", "--noconftest", "--color=no", "-q", "-p", "nbval.plugin", "-p", "no:cacheprovider")
    given = {
        "-c": str(Path("pytest.ini").absolute()),
        "--rootdir": str(Path(request["notebook"]).parent),
        "--nbval-sanitize-with": request["sanitize_with"],
        "--nbval-kernel-name": request["kernel"],
        "--nbval-cell-timeout": request["cell_timeout"],
        "--nbval-kernel-startup-timeout": request["startup_timeout"],
    }
    named = [word for name, value in given.items() if value is not None for word in (name, str(value))]
    return [request["notebook"], *fixed, *named]


def main() -> None:
    """Import what takes long, then judge what the parent asks about, and be gone."""
    parent = Parent()
    strays.adopt()
    quick_imports()
    import nbval.plugin
    import pytest

    request = parent.first()
    parent.listen(lambda message: None)
    Path("pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    found = _judge(request, pytest, nbval.plugin)
    Path("result.part").write_text(json.dumps(found), encoding="utf-8")
    Path("result.part").replace("result.json")
    strays.end_below(os.getpid())
    parent.say(done=True)
    os._exit(0)


if __name__ == "__main__":
    main()
