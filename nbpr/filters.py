"""Git's filter, one file at a time: a notebook comes in on a stream, the clean one goes out.

`python -P -m nbpr.filters clean NAME` is what `nbpr init` configures. It goes around the command line on
purpose: git starts it once for every notebook that it looks at, so nothing is imported that cleaning does not
need. (`-P` keeps the folder git starts it in, the user's checkout, off the import path.)
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO

from nbpr import jsonscan, jsontext, notebook
from nbpr.clean import DEFAULT, Options, clean, clean_worksheets
from nbpr.errors import BadInput

USAGE = "usage: python -m nbpr.filters clean [NAME]"


def cleaned(data: bytes, name: str, options: Options = DEFAULT) -> bytes:
    """The clean notebook's bytes; the very same object if `data` is clean. BadInput if it is no notebook.

    Notebooks from before version 4, which nothing else here reads, are cleaned too: their outputs have no more
    business in a commit than others.
    """
    try:
        before = notebook.parse(data, name)
    except BadInput:
        old = _cleaned_of_old(data, options)
        if old is None:
            raise
        return old
    after = clean(before, options)
    return data if after is before else after.to_bytes()


def _cleaned_of_old(data: bytes, options: Options) -> bytes | None:
    """As `cleaned`, for a notebook of version 2 or 3; None for anything else."""
    try:
        text = data.decode()
        top = jsonscan.parse(text)
    except (UnicodeDecodeError, jsonscan.JsonError):
        return None
    if not isinstance(top, dict) or "nbformat" not in top or not isinstance(top.get("worksheets"), list):
        return None
    after = clean_worksheets(top, options)
    if after is top:
        return data
    at = jsonscan.start(text)
    end = jsonscan.value(text, at)[1]
    written = jsontext.rewrite(text, at, end, top, after, jsontext.detect(text), 0)
    return (text[:at] + written + text[end:]).encode()


def is_dirty(data: bytes, name: str, options: Options = DEFAULT) -> bool:
    """Whether cleaning would change anything. BadInput if it is no notebook."""
    return cleaned(data, name, options) is not data


def clean_files(paths: Sequence[Path], options: Options = DEFAULT, *, write: bool = True) -> list[tuple[str, bool]]:
    """Clean files in place, each whole or not at all, and say for each whether it was not clean.

    All are read before the first is written: BadInput, for one that is no notebook, changes none. A link's
    target is written, not the link.
    """
    found = [(path, *_read(path, options)) for path in paths]
    for path, before, after in found:
        if write and after is not before:
            notebook.write(path.resolve(), after)
    return [(str(path), after is not before) for path, before, after in found]


def _read(path: Path, options: Options) -> tuple[bytes, bytes]:
    """A file's bytes and what they are when clean."""
    try:
        before = path.read_bytes()
    except OSError as error:
        raise BadInput(f"{path}: {(error.strerror or 'cannot be read').lower()}") from None
    return before, cleaned(before, str(path), options)


def warn(message: str) -> None:
    """One line on stderr, where git passes it on to the user; what a terminal would obey is spelled out."""
    shown = "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in message)
    sys.stderr.write(f"nbpr: warning: {shown}\n")


def clean_stream(
    stdin: BinaryIO,
    stdout: BinaryIO,
    name: str,
    options: Options = DEFAULT,
    warn: Callable[[str], None] = warn,
) -> None:
    """Read a notebook to its end and write it cleaned. What is no notebook is written as it came, with a warning.

    Nothing is written before everything was read and cleaned, so that a failure leaves no half a file.
    """
    data = stdin.read()
    try:
        result = cleaned(data, name, options)
    except BadInput as error:
        warn(f"{error.message}; kept as it is")
        result = data
    stdout.write(result)
    stdout.flush()


def main(argv: Sequence[str] | None = None) -> int:
    """The filter as a process. Any other code than 0 makes git refuse the file rather than store half of it."""
    words = list(sys.argv[1:] if argv is None else argv)
    if not words or words[0] != "clean" or len(words) > 2:
        sys.stderr.write(USAGE + "\n")
        return 2
    name = words[1] if len(words) > 1 else "stdin"
    try:
        clean_stream(sys.stdin.buffer, sys.stdout.buffer, name)
    except Exception as error:  # noqa: BLE001 - this is a process's error boundary: one line, and git stops
        sys.stderr.write(f"nbpr: {name} could not be cleaned: {type(error).__name__}: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
