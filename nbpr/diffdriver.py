"""Git's diff driver: `git diff` shows what changed in a notebook cell by cell, instead of lines of JSON.

`python -P -m nbpr.diffdriver` is what `nbpr init` configures. Git starts it for each changed notebook with the
path and, for both sides, a file, its object id and its mode. What is no notebook, or half of one, is shown line by
line: a driver that fails makes git give up the whole diff.
"""

from __future__ import annotations

import difflib
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from nbpr import notebook
from nbpr.clean import clean, is_clean
from nbpr.errors import BadInput
from nbpr.notebook import Notebook
from nbpr.render.escape import visible

USAGE = "usage: python -m nbpr.diffdriver PATH OLD-FILE OLD-HEX OLD-MODE NEW-FILE NEW-HEX NEW-MODE"


def difference(path: str, old: Path, new: Path, *, colour: bool, width: int) -> str:
    """What changed between two files, as text; either may be `os.devnull`, git's word for no file.

    Git hands over a working copy as it lies there, outputs and all. Where the other side is clean it is cleaned,
    as git would before storing it, since that is what the two are compared for.
    """
    try:
        before, after = _read(old, path), _read(new, path)
    except BadInput as error:
        return "".join(_by_line(path, old, new, error.message))
    if before is not None and after is not None and is_clean(before):
        after = clean(after)
    return _by_cell(path, before, after, colour, width)


def _read(file: Path, name: str) -> Notebook | None:
    return None if str(file) == os.devnull else notebook.parse(file.read_bytes(), name)


def _by_cell(path: str, before: Notebook | None, after: Notebook | None, colour: bool, width: int) -> str:
    from nbpr.diff.notebooks import compare
    from nbpr.render import terminal

    old, new = (None if side is None else side.as_json() for side in (before, after))
    text = terminal.render([compare(path, old, new)], colour=colour, width=width)
    return f"{text}\n\n" if text else f"{path}: the same but for its layout\n\n"


def _by_line(path: str, old: Path, new: Path, reason: str) -> Iterator[str]:
    yield visible(f"({reason}; shown line by line)") + "\n"
    for line in difflib.unified_diff(_lines(old), _lines(new), f"a/{path}", f"b/{path}"):
        yield visible(line.rstrip("\r\n")) + "\n"
    yield "\n"


def _lines(file: Path) -> list[str]:
    if str(file) == os.devnull:
        return []
    return file.read_bytes().decode("utf-8", "replace").splitlines(keepends=True)


def main(argv: Sequence[str] | None = None) -> int:
    """The driver as a process. Its arguments are git's; a renamed file brings two more, an unmerged one none."""
    words = list(sys.argv[1:] if argv is None else argv)
    if len(words) == 1:
        sys.stdout.write(f"* unmerged: {words[0]}\n")
        return 0
    if len(words) < 7:
        sys.stderr.write(USAGE + "\n")
        return 2
    # Git's pager shows colours, and git says so: what it is piped into is then no terminal to us.
    pager = sys.stdout.isatty() or os.environ.get("GIT_PAGER_IN_USE") == "true"
    width = shutil.get_terminal_size().columns
    colour = pager and not os.environ.get("NO_COLOR")
    renamed = visible(f"{words[0]} is renamed to {words[7]}") + "\n" if len(words) > 7 else ""
    try:
        text = renamed + difference(words[0], Path(words[1]), Path(words[4]), colour=colour, width=width)
        sys.stdout.buffer.write(text.encode("utf-8", "backslashreplace"))
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader of the pager has seen enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except Exception as error:  # noqa: BLE001 - a process's error boundary: git would give up the whole diff
        sys.stdout.write(f"{words[0]}: changed; it could not be shown ({type(error).__name__}: {error})\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
