"""Git's filter: a notebook comes in on a stream, the clean one goes out.

`python -P -m nbpr.filters process` is what git starts once for all the notebooks of a command, and
`python -P -m nbpr.filters clean NAME`, once for each, where git is too old for that. Both go around the command line
on purpose, and import nothing before it is needed: git starts them whenever it looks at a notebook. (`-P` keeps the
folder git starts them in, the user's checkout, off the import path.)
"""

from __future__ import annotations

import os
import sys

from nbpr import filterprocess, pktline

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from typing import Any, BinaryIO

    from nbpr.config import Config
    from nbpr.notebooks.clean import Options

USAGE = "usage: python -m nbpr.filters process\n       python -m nbpr.filters clean [NAME]"


def cleaned(data: bytes, name: str, options: Options | None = None) -> bytes:
    """The clean notebook's bytes; the very same object if `data` is clean. BadInput if it is no notebook.

    Notebooks from before version 4, and such as do not say their version, which nothing else here reads, are cleaned
    too: their outputs have no more business in a commit than others.
    """
    if options is None or _is_default(options):
        from nbpr.notebooks import cleantext

        quickly = cleantext.cleaned(data)
        if quickly is not None:
            return quickly
    return _cleaned(data, name, options)


def _is_default(options: Options) -> bool:
    from nbpr.notebooks.clean import DEFAULT

    return options == DEFAULT


def _cleaned(data: bytes, name: str, options: Options | None) -> bytes:
    from nbpr.notebooks.clean import DEFAULT

    options = options or DEFAULT
    written = _rewritten(data, name, options)
    # No string in JSON holds a plain line end.
    return written.replace(b"\r\n", b"\n") if options.unix_newlines and b"\r" in written else written


def _rewritten(data: bytes, name: str, options: Options) -> bytes:
    from nbpr.errors import BadInput
    from nbpr.notebooks import clean, notebook

    try:
        before = notebook.parse(data, name)
    except BadInput:
        old = _cleaned_of_old(data, options)
        if old is None:
            raise
        return old
    after = clean.clean(before, options)
    return data if after is before else after.to_bytes()


def _cleaned_of_old(data: bytes, options: Options) -> bytes | None:
    """As `cleaned`, for a notebook of version 2 or 3, or one that does not say its version; None for anything else."""
    from nbpr.notebooks import clean, jsonscan, jsontext

    try:
        text = data.decode()
        top = jsonscan.parse(text)
    except (UnicodeDecodeError, jsonscan.JsonError):
        return None
    if not isinstance(top, dict) or not _holds_cells(top):
        return None
    after = clean.clean_worksheets(top, options) if "nbformat" in top else clean.clean_versionless(top, options)
    if after is top:
        return data
    at = jsonscan.start(text)
    end = jsonscan.value(text, at)[1]
    written = jsontext.rewrite(text, at, end, top, after, jsontext.detect(text), 0)
    return (text[:at] + written + text[end:]).encode()


def _holds_cells(top: dict[str, Any]) -> bool:
    """Whether it is a notebook from before version 4, or one but for the missing version."""
    if "nbformat" in top:
        return isinstance(top.get("worksheets"), list)
    cells = top.get("cells")
    return (
        bool(cells)
        and isinstance(cells, list)
        and all(isinstance(cell, dict) and "cell_type" in cell for cell in cells)
    )


def is_dirty(data: bytes, name: str, options: Options | None = None) -> bool:
    """Whether cleaning would change anything. BadInput if it is no notebook."""
    return cleaned(data, name, options) is not data


def clean_files(
    paths: Sequence[Path],
    options_of: Callable[[Path], Options | None] = lambda path: None,
    *,
    write: bool = True,
) -> list[tuple[str, bool]]:
    """Clean files in place, each whole or not at all, and say for each whether it was not clean.

    All are read before the first is written: BadInput, for one that is no notebook, changes none. A link's
    target is written, not the link.
    """
    from nbpr.notebooks import notebook

    found = [(path, *_read(path, options_of(path))) for path in paths]
    for path, before, after in found:
        if write and after is not before:
            notebook.write(path.resolve(), after)
    return [(str(path), after is not before) for path, before, after in found]


def _read(path: Path, options: Options | None) -> tuple[bytes, bytes]:
    """A file's bytes and what they are when clean."""
    from nbpr.errors import BadInput

    try:
        before = path.read_bytes()
    except OSError as error:
        raise BadInput(f"{path}: {(error.strerror or 'cannot be read').lower()}") from None
    return before, cleaned(before, str(path), options)


def say(message: str) -> None:
    """One line on stderr, where git passes it on to the user; what a terminal would obey is spelled out."""
    shown = "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in message)
    sys.stderr.write(f"nbpr: {shown}\n")


def warn(message: str) -> None:
    """As `say`, for what stops nothing."""
    say(f"warning: {message}")


def passed(data: bytes, name: str, options: Options | None = None, warn: Callable[[str], None] = warn) -> bytes:
    """As `cleaned`, but what is no notebook passes as it came, with a warning."""
    try:
        return cleaned(data, name, options)
    except Exception as error:
        from nbpr.errors import BadInput

        if not isinstance(error, BadInput):
            raise
        # `git blame` sends the text that our diff driver made of a notebook through the filter once more.
        if not data.startswith(b"nbformat 4."):
            warn(f"{error.message}; kept as it is")
        return data


def clean_stream(
    stdin: BinaryIO,
    stdout: BinaryIO,
    name: str,
    options: Options | None = None,
    warn: Callable[[str], None] = warn,
) -> None:
    """Read a notebook to its end and write it cleaned. What is no notebook is written as it came, with a warning.

    Nothing is written before everything was read and cleaned, so that a failure leaves no half a file.
    """
    stdout.write(passed(stdin.read(), name, options, warn))
    stdout.flush()


class Settings:
    """How the notebooks of the repository in the current folder are cleaned, which is where git starts a filter."""

    def __init__(self) -> None:
        self._config: Config | None = None
        if _may_say_something():
            self._config = _loaded()

    def options(self, name: str) -> Options | None:
        """The options for the notebook at `name`, from the repository's top; None for the default ones."""
        if self._config is None:
            return None
        from nbpr.notebooks import clean

        return clean.options_for(self._config, name)


def _may_say_something() -> bool:
    """Whether there can be settings about cleaning: most repositories have none, and reading TOML takes its time."""
    if any(name.startswith("NBPR_CLEAN") for name in os.environ):
        return True
    for name in ("nbpr.toml", "pyproject.toml"):
        try:
            with open(name, "rb") as file:  # noqa: PTH123 - pathlib would have to be imported for it
                text = file.read()
        except OSError:
            continue
        return (b"clean" in text or b"extend" in text) and (name == "nbpr.toml" or b"nbpr" in text)
    return False


def _loaded() -> Config | None:
    """The settings, or None and a warning if they cannot be read: amid a merge they often cannot."""
    from pathlib import Path

    from nbpr import config
    from nbpr.errors import BadInput

    try:
        return config.load(Path())
    except BadInput as error:
        warn(f"{error.message}; notebooks are cleaned as if nothing were set")
        return None


def _process() -> int:
    """Serve git on stdin and stdout; the exit code."""
    settings: list[Settings] = []

    def clean(data: bytes, name: str) -> bytes:
        if not settings:
            settings.append(Settings())
        return passed(data, name, settings[0].options(name))

    _wait_for_whole_requests()
    ends = sys.stdin.fileno(), sys.stdout.fileno()
    try:
        with open(ends[0], "rb", closefd=False) as stdin, open(ends[1], "wb", closefd=False) as stdout:
            filterprocess.serve(stdin, stdout, clean, say)
    except BrokenPipeError:
        return _gone()
    except pktline.BrokenStream as broken:
        say(f"the filter stops: {broken}")
        return 1
    return 0


def _wait_for_whole_requests() -> None:
    """Have Linux not interrupt git for us at each of the six small packets that it writes for a file: what is batch
    work goes on when git waits for it, with all of them at hand. Who chose how it is scheduled has it so."""
    try:
        if os.sched_getscheduler(0) == os.SCHED_OTHER:
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    except (AttributeError, OSError):
        return  # another system, or one that does not let us: then it takes a little longer


def _gone() -> int:
    """The exit code when nobody reads any more; Python is kept from trying once more to write."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1


def _single(name: str) -> int:
    """Clean stdin to stdout; the exit code. Any other than 0 makes git refuse the file."""
    try:
        clean_stream(sys.stdin.buffer, sys.stdout.buffer, name, Settings().options(name))
    except BrokenPipeError:
        return _gone()
    except Exception as error:  # noqa: BLE001 - this is a process's error boundary: one line, and git stops
        say(filterprocess.failure(name, error))
        return 1
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """The filter as a process."""
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        if words == ["process"]:
            return _process()
        if words[:1] == ["clean"] and len(words) <= 2:
            return _single(words[1] if len(words) > 1 else "stdin")
    except KeyboardInterrupt:
        return 130
    sys.stderr.write(USAGE + "\n")
    return 2


if __name__ == "__main__":
    sys.exit(main())
