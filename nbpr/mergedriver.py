"""Git's merge driver: `git merge`, `rebase`, `cherry-pick` and `stash pop` merge notebooks cell by cell.

`nbpr init` configures it. Git starts it for each notebook that both sides changed, with the files of the base, ours
and theirs, and takes the result from ours. What is not two notebooks it leaves alone and says so by its exit code:
the configured command then has git merge the lines.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from nbpr.diff.conflicts import STYLES, Marks, Style, merge_shown
from nbpr.errors import BadInput, NbprError
from nbpr.notebooks import notebook
from nbpr.notebooks.notebook import Notebook

USAGE = (
    "usage: python -m nbpr.mergedriver BASE OURS THEIRS [MARKER-SIZE [PATH [STYLE [BASE-NAME OURS-NAME THEIRS-NAME]]]]"
)

MERGED, CONFLICTS, NOT_MERGED = 0, 1, 3

#: How many conflicts are told one by one.
_TOLD = 10


def merge_files(base: Path, ours: Path, theirs: Path, name: str, marks: Marks) -> tuple[str, ...]:
    """Merge `theirs` into the file `ours`, whole or not at all; gives the conflicts, each in a few words.

    An empty base is none, as git has it for a file that both sides added. Raises BadInput if a side is no notebook;
    nothing is written then.
    """
    sides = [_read(file, name, side) for file, side in ((base, "the base"), (ours, "ours"), (theirs, "theirs"))]
    mine, yours = sides[1], sides[2]
    if mine is None or yours is None:
        raise BadInput(f"{name}: {'ours' if mine is None else 'theirs'} is empty")
    shown = merge_shown(sides[0], mine, yours, marks)
    notebook.write(ours, shown.notebook)
    return shown.conflicts


def _read(file: Path, name: str, side: str) -> Notebook | None:
    data = file.read_bytes()
    return notebook.parse(data, f"{name} ({side})") if data else None


def marks_of(words: Sequence[str]) -> Marks:
    """What git's placeholders `%L`, `merge.conflictStyle` and `%S`, `%X`, `%Y` say; one that git does not know
    comes as it was written, and says nothing."""
    size, _, style, *names = [*words, *("" for _ in range(6))][:6]
    base, ours, theirs = (name if name and not name.startswith("%") else "" for name in names)
    return Marks(
        size=int(size) if size.isdecimal() and int(size) > 0 else Marks.size,
        style=cast(Style, style) if style in STYLES else Marks.style,
        base=base or Marks.base,
        ours=ours or Marks.ours,
        theirs=theirs or Marks.theirs,
    )


def main(argv: Sequence[str] | None = None) -> int:
    """The driver as a process: 0 merged, 1 with conflicts in the file, 3 not merged and nothing written."""
    words = list(sys.argv[1:] if argv is None else argv)
    if len(words) < 3:
        sys.stderr.write(USAGE + "\n")
        return NOT_MERGED
    name = words[4] if len(words) > 4 else words[1]
    try:
        conflicts = merge_files(Path(words[0]), Path(words[1]), Path(words[2]), name, marks_of(words[3:]))
    except NbprError as error:
        _say(f"{error.message}; merged line by line")
        return NOT_MERGED
    except Exception as error:  # noqa: BLE001 - a process's error boundary: the lines are merged instead
        _say(f"{name}: could not be merged by cell ({type(error).__name__}: {error}); merged line by line")
        return NOT_MERGED
    for conflict in conflicts[:_TOLD]:
        _say(f"{name}: conflict in {conflict}")
    if len(conflicts) > _TOLD:
        _say(f"{name}: and in {len(conflicts) - _TOLD} more places")
    return CONFLICTS if conflicts else MERGED


def _say(message: str) -> None:
    """One line on stderr; what a terminal would obey is spelled out."""
    shown = "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in message)
    sys.stderr.write(f"nbpr: {shown}\n")


if __name__ == "__main__":
    sys.exit(main())
