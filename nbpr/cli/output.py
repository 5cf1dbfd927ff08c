"""How commands speak: one JSON object on stdout, or text for a person; everything else on stderr."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print exactly one JSON object.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done; write nothing, anywhere.")]


def show(result: dict[str, Any], as_json: bool, text: Callable[[], str] | None = None) -> None:
    """Print a command's result: the object itself under `--json`, else `text()`, made only when wanted."""
    if as_json:
        print_json(result)
    elif text is not None:
        line = text()
        sys.stdout.write(line if line.endswith("\n") or not line else line + "\n")


def print_json(result: dict[str, Any]) -> None:
    """Print one JSON object; half a surrogate pair, which notebooks can hold, stays the escape that it was."""
    from nbpr.notebooks.jsontext import escape_surrogates

    sys.stdout.write(escape_surrogates(json.dumps(result, ensure_ascii=False, indent=2)) + "\n")


def note(message: str) -> None:
    """Say something beside the result, on stderr."""
    sys.stderr.write(message + "\n")


def colours(stream: Any = None) -> bool:
    """Whether to colour what goes to `stream`: only on a terminal, and not under NO_COLOR."""
    stream = stream or sys.stdout
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or stream.isatty()


def width() -> int:
    """How many columns there are to write in; COLUMNS, else the terminal's, else 80."""
    return shutil.get_terminal_size().columns


def size_of(terminal: Any) -> os.terminal_size:
    """How many columns and lines a terminal has; 80 and 24 for one that was closed."""
    try:
        return os.get_terminal_size(terminal.fileno())
    except OSError:
        return os.terminal_size((80, 24))


@contextmanager
def progress_line() -> Iterator[Callable[[str], None]]:
    """A way to say what is being done: one line on stderr, rewritten in place, on a terminal only."""
    if not sys.stderr.isatty():
        yield lambda message: None
        return

    def say(message: str) -> None:
        sys.stderr.write("\r\033[K" + message[: size_of(sys.stderr).columns - 1])
        sys.stderr.flush()

    try:
        yield say
    finally:
        sys.stderr.write("\r\033[K")
        sys.stderr.flush()
