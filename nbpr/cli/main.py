"""The command line as a whole: which commands there are, and the one place where errors become exit codes."""

from __future__ import annotations

import contextlib
import io
import math
import os
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from nbpr import __version__, process, redaction
from nbpr.errors import BadInput, Interrupted, NbprError, NotAllowed

#: Each command and the file that has it, in the order of the help page. A file is loaded when it is needed.
COMMANDS: dict[str, str] = {
    "demo": "demo",
    "init": "setup",
    "doctor": "setup",
    "cells": "cells",
    "edit": "cells",
    "params": "cells",
    "clean": "clean",
    "check": "check",
    "diff": "diff",
    "run": "runs",
    "validate": "runs",
    "scraps": "scraps",
    "cache": "cache",
    "propose": "propose",
    "pulls": "pulls",
    "review": "review",
    "gate": "gate",
    "sync": "sync",
}


class _Commands(TyperGroup):
    """Commands that are imported when they are asked for: a filter call must not pay for a renderer."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in COMMANDS:
            return None
        family = import_module(f"nbpr.cli.{COMMANDS[cmd_name]}").app
        family.rich_markup_mode = None  # plain help, in which examples keep their lines
        group = typer.main.get_group(family)
        return group if cmd_name == group.name else group.get_command(ctx, cmd_name)


app = typer.Typer(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"nbpr {__version__}\n")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Pull requests for notebooks: edit, run, prove that it reproduces, show what changed, open the pull request."""


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code. The one boundary: no traceback of ours passes it, and no secret."""
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        # A terminal of another encoding than UTF-8 gets what it cannot show spelled out, instead of nothing.
        sys.stdout.reconfigure(errors="backslashreplace")
    secrets = tuple(process.secrets())
    if secrets:
        process.guard()
    with redaction.standard_streams(*secrets):
        return _run(arguments)


def _run(arguments: Sequence[str]) -> int:
    as_json = "--json" in arguments
    _end_as_if_interrupted()
    try:
        command = typer.main.get_command(app)
        result = command.main(list(arguments) or ["--help"], prog_name="nbpr", standalone_mode=False)
    except typer.TyperException as error:
        context = getattr(error, "ctx", None)
        usage = f"{context.command_path if context else 'nbpr'} --help"
        return _report(BadInput(error.format_message().rstrip("."), hint=usage), as_json)
    except NbprError as error:
        return _report(error, as_json)
    except (KeyboardInterrupt, typer.Abort):
        return _report(Interrupted("interrupted"), as_json)
    except BrokenPipeError:
        # The reader went away (`nbpr diff | head`); that is their business, and nothing is left to say.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        refused = NotAllowed(f"{where}{error.strerror or error}", hint="see the space and the permissions there")
        return _report(refused, as_json)
    except Exception as error:  # noqa: BLE001 - the boundary: whatever gets here is a bug of ours
        return _report(_bug(error, arguments), as_json)
    # Typer makes an interruption an exit of its own, with the shell's code for it.
    return _report(Interrupted("interrupted"), as_json) if result == 130 else int(result or 0)


def _end_as_if_interrupted() -> None:
    """Make SIGTERM, and the SIGHUP of a closed terminal, what ^C is, so that kernels and worktrees go with us then."""
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:  # `nohup` has it so
                signal.signal(number, _interrupt)
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # in the background it may be ignored
            signal.signal(signal.SIGINT, _interrupt)


class _Interrupt:
    """Raises `KeyboardInterrupt`, once for all signals of a second.

    `timeout` sends two, one to us and one to our group. The second would be raised inside of what puts locks in order
    after the first.
    """

    def __init__(self) -> None:
        self._last = -math.inf

    def __call__(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if now - self._last >= _TOGETHER:
            self._last = now
            raise KeyboardInterrupt


#: Signals that come within so many seconds are one interruption.
_TOGETHER = 1.0
_interrupt = _Interrupt()


def _report(error: NbprError, as_json: bool) -> int:
    from nbpr.cli.output import colours, print_json

    with contextlib.suppress(OSError):  # whoever was to read it may have closed the terminal
        if as_json:
            print_json(error.as_json())
        else:
            red, end = ("\033[31m", "\033[0m") if colours(sys.stderr) else ("", "")
            sys.stderr.write(f"{red}nbpr: {error.message}{end}\n")  # a stream without secrets
            if error.hint:
                sys.stderr.write(f"      {error.hint}\n")
    return error.exit_code


def _bug(error: BaseException, arguments: Sequence[str]) -> NbprError:
    """Keep what is known of a bug in a file, since a traceback on the screen helps nobody who did not write it."""
    folder = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "nbpr"
    text = f"nbpr {__version__}, Python {sys.version.split()[0]}, {sys.platform}\nnbpr {' '.join(arguments[:1])} …\n\n"
    text += "".join(traceback.format_exception(error))
    text = redaction.text(text)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        log = folder / "last-bug.log"
        log.unlink(missing_ok=True)
        written = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError:
        written, name = tempfile.mkstemp(suffix=".log", prefix="nbpr-")
        log = Path(name)
    with os.fdopen(written, "w", encoding="utf-8", errors="replace") as file:
        file.write(text)
    return NbprError(f"a bug of ours: {type(error).__name__}: {error}", hint=f"please report it with {log}")
