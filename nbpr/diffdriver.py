"""Git's diff driver: git shows what changed in a notebook cell by cell, instead of lines of JSON.

`nbpr init` configures it in two ways, since git has two. `git diff` starts it for each changed notebook with the
path and, for both sides, a file, its object id and its mode. `git log -p`, `git show` and `git blame` ask it for
the text of one version (`--text`) and compare the lines of two. What is no notebook, or half of one, is shown
line by line: a driver that fails makes git give up the whole diff.
"""

from __future__ import annotations

import difflib
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from nbpr.errors import BadInput
from nbpr.filters import Settings
from nbpr.notebooks import notebook
from nbpr.notebooks.clean import DEFAULT, Options, clean, is_clean
from nbpr.notebooks.notebook import Notebook
from nbpr.render.escape import visible

USAGE = """\
usage: python -m nbpr.diffdriver [--colour] PATH OLD-FILE OLD-HEX OLD-MODE NEW-FILE NEW-HEX NEW-MODE [NEW-PATH FACTS]
       python -m nbpr.diffdriver --text VERSION FILE
"""

#: Beyond so many bytes of a file that is no notebook, only that it differs is said: difflib is no match for it.
_LINES = 1_000_000


def difference(path: str, old: Path, new: Path, *, colour: bool, width: int, options: Options | None = None) -> str:
    """What changed between two files, as text; either may be `os.devnull`, git's word for no file.

    Git hands over a working copy as it lies there, outputs and all. Where the other side is clean it is cleaned,
    as git would before storing it, since that is what the two are compared for; `options` say how, None by default.
    """
    try:
        before, after = _read(old, path), _read(new, path)
    except BadInput as error:
        return "".join(_by_line(path, old, new, error.message))
    options = options or DEFAULT
    if before is not None and _bytes(old) == _bytes(new):
        return f"{path}: the same; where git cleans what is added, its outputs will go\n\n"
    if before is not None and after is not None and is_clean(before, options):
        after = clean(after, options)
    return _by_cell(path, before, after, colour, width)


def text_of(file: Path) -> str:
    """One version of a notebook as lines for git to compare; what is no notebook as its own lines."""
    from nbpr.render import plain

    try:
        return plain.render(notebook.parse(file.read_bytes(), "the file"))
    except BadInput as error:
        lines = (visible(line.rstrip("\r\n")) + "\n" for line in _lines(file))
        return "".join([f"(not shown by cell: {visible(error.message)})\n", *lines])


def _read(file: Path, name: str) -> Notebook | None:
    return None if str(file) == os.devnull else notebook.parse(file.read_bytes(), name)


def _by_cell(path: str, before: Notebook | None, after: Notebook | None, colour: bool, width: int) -> str:
    from nbpr.diff.notebooks import compare
    from nbpr.render import terminal

    old, new = (None if side is None else side.as_json() for side in (before, after))
    text = terminal.render([compare(path, old, new)], colour=colour, width=width)
    return f"{text}\n\n" if text else f"{path}: the same but for its layout\n\n"


def _by_line(path: str, old: Path, new: Path, reason: str) -> Iterator[str]:
    if sum(len(_bytes(file)) for file in (old, new)) > _LINES:
        yield visible(f"({reason}; too long for that here: git diff --no-ext-diff)") + "\n\n"
        return
    yield visible(f"({reason}; shown line by line)") + "\n"
    for line in difflib.unified_diff(_lines(old), _lines(new), f"a/{path}", f"b/{path}"):
        yield visible(line.rstrip("\r\n")) + "\n"
    yield "\n"


def _lines(file: Path) -> list[str]:
    return _bytes(file).decode("utf-8", "replace").splitlines(keepends=True)


def _bytes(file: Path) -> bytes:
    return b"" if str(file) == os.devnull else file.read_bytes()


def _facts(words: Sequence[str]) -> str:
    """What else happened to a file: a new name, another mode; `words` are git's arguments."""
    path, old, new = words[0], words[3], words[6]
    lines = [f"{path} is renamed to {words[7]}"] if len(words) > 7 else []
    if old != new and "." not in (old, new):
        lines.append(f"{path}: mode {old} → {new}")
    return "".join(visible(line) + "\n" for line in lines)


def main(argv: Sequence[str] | None = None) -> int:
    """The driver as a process. Its arguments are git's; a renamed file brings two more, an unmerged one none."""
    words = list(sys.argv[1:] if argv is None else argv)
    colour = words[:1] == ["--colour"] and not os.environ.get("NO_COLOR")
    words = words[words[:1] == ["--colour"] :]
    if len(words) == 1:
        return _written(f"* unmerged: {visible(words[0])}\n")
    if words[:1] == ["--text"] and len(words) == 3:
        return _written(_or_said(lambda: text_of(Path(words[2])), "the file"))
    if len(words) < 7:
        sys.stderr.write(USAGE)
        return 2
    return _written(_or_said(lambda: _shown(words, colour), words[0]))


def _shown(words: Sequence[str], colour: bool) -> str:
    """What git's arguments ask for, with the settings of the repository, at whose top git starts a driver."""
    facts, old, new = _facts(words), Path(words[1]), Path(words[4])
    if facts and _bytes(old) == _bytes(new):
        return facts + "\n"
    options = Settings().options(words[0])
    width = shutil.get_terminal_size().columns
    return facts + difference(words[0], old, new, colour=colour, width=width, options=options)


def _or_said(show: Callable[[], str], name: str) -> str:
    """What `show` gives, or that it could not be shown: git would give up the whole diff."""
    try:
        return show()
    except Exception as error:  # noqa: BLE001 - a process's error boundary
        return visible(f"{name}: changed; it could not be shown ({type(error).__name__}: {error})") + "\n"


def _written(text: str) -> int:
    try:
        sys.stdout.buffer.write(text.encode("utf-8", "backslashreplace"))
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader of the pager has seen enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


if __name__ == "__main__":
    sys.exit(main())
