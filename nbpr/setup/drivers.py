"""What git's configuration says of nbpr: the filter, the diff driver and the merge driver, as commands.

Git hands each command to a shell. Each begins by looking whether its interpreter is still there, since environments
move: then it says which command mends it, and does what is safe without us.
"""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from nbpr.errors import BadInput
from nbpr.git.attributes import DRIVER

#: The sections of git's configuration that are ours.
SECTIONS = (f"filter.{DRIVER}", f"diff.{DRIVER}", f"merge.{DRIVER}")

#: Where git keeps the texts that the diff driver gave it, so that it asks for each version once.
CACHE = f"refs/notes/textconv/{DRIVER}"

#: The version of those texts: git throws away what it kept when the command is another one.
TEXT_VERSION = 1

#: What answers git where our interpreter is gone: what is checked out comes as it is stored, and nothing is added.
#: Git takes a file away before it asks for the content of its new version: no answer, and the notebook is gone.
_STAND_IN = (
    'take() { dd ibs=1 count="$1" 2>/dev/null; }; '
    'list() { while head=$(take 4); [ "${head:-0000}" != 0000 ]; do printf %s "$head"; take $((0x$head - 4)); done; }; '
    r"list >/dev/null; printf '0016git-filter-server\n000eversion=2\n0000'; "
    r"list >/dev/null; printf '0015capability=clean\n0016capability=smudge\n0000'; "
    "kept=$(mktemp) || exit 1; trap 'rm -f \"$kept\"' EXIT; "
    'while asked=$(list); [ -n "$asked" ]; do list >"$kept"; case $asked in '
    r"""????command=smudge*) printf '0013status=success\n0000'; cat "$kept"; printf 00000000;; """
    r"*) printf '0011status=error\n0000';; esac; done; exit"
)
_PLAIN_DIFF = (
    f"git --no-pager -c filter.{DRIVER}.process= -c filter.{DRIVER}.clean= -c filter.{DRIVER}.required=false "
    'diff --no-index --no-ext-diff --no-textconv -- "$2" "$5"; exit 0'
)
_PLAIN_MERGE = "git merge-file --quiet --marker-size=%L -L ours -L base -L theirs %A %O %B || exit 1"


def settings(python: str | None = None) -> dict[str, str]:
    """What `init` writes into git's configuration, by name. The commands start `python`, else this interpreter."""
    path = interpreter(python)
    return {
        # One process for all the notebooks of a command; `clean` is for git's relatives that do not know it.
        f"filter.{DRIVER}.process": _guarded(path, "nbpr.filters process", _STAND_IN),
        f"filter.{DRIVER}.clean": _guarded(path.replace("%", "%%"), "nbpr.filters clean %f"),
        # Git wants a smudge command wherever a filter is required.
        f"filter.{DRIVER}.smudge": "cat",
        # A filter that cannot start fails `git add` rather than let outputs into the repository unseen. It
        # blocks nobody who never ran init: a driver that a clone does not know is passed over by git.
        f"filter.{DRIVER}.required": "true",
        f"diff.{DRIVER}.command": diff_command(path),
        f"diff.{DRIVER}.textconv": _guarded(path, f"nbpr.diffdriver --text {TEXT_VERSION}"),
        f"diff.{DRIVER}.cachetextconv": "true",
        f"diff.{DRIVER}.xfuncname": "^── .*$",
        f"merge.{DRIVER}.name": "notebooks, cell by cell",
        f"merge.{DRIVER}.driver": merge_command(path),
    }


def diff_command(path: str) -> str:
    """The command of `git diff`. Whether there are colours is git's to say; without us it is git's own diff."""
    colour = f"if git config --get-colorbool color.diff; then set -- --colour {_ALL}; fi"
    return f"{_guard(path, _PLAIN_DIFF)}; {colour}; {_started(path, 'nbpr.diffdriver')}"


def merge_command(path: str) -> str:
    """The command that merges a notebook; what it leaves to the lines, git merges."""
    escaped = path.replace("%", "%%")
    words = 'nbpr.mergedriver %O %A %B %L %P "$(git config merge.conflictStyle)" %S %X %Y'
    started = _started(escaped, words).removeprefix("exec ")
    found = f"if [ -x {shlex.quote(escaped)} ]; then {started}; case $? in 0) exit 0;; 1) exit 1;; esac"
    return f"{found}; else {_said(escaped)}; fi; {_PLAIN_MERGE}"


def interpreter(python: str | None = None) -> str:
    """The interpreter that the commands start, as an absolute path that a shell understands."""
    path = python or sys.executable
    if not path:
        raise BadInput("this Python does not know its own path", hint="run nbpr from a virtual environment")
    return Path(path).as_posix()


def interpreter_of(command: str) -> str | None:
    """The interpreter that a command of ours starts, None if it is none of ours."""
    try:
        words = shlex.split(command)
    except ValueError:
        return None
    starts = (at for at in range(1, len(words) - 2) if words[at : at + 2] == ["-P", "-m"])
    found = next((words[at - 1] for at in starts if words[at + 2].startswith("nbpr.")), None)
    return found.replace("%%", "%") if found else None


_ALL = '"$@"'


def _guarded(path: str, words: str, otherwise: str = "exit 1") -> str:
    return f"{_guard(path, otherwise)}; {_started(path, words)}"


def _guard(path: str, otherwise: str) -> str:
    return f"[ -x {shlex.quote(path)} ] || {{ {_said(path)}; {otherwise}; }}"


def _said(path: str) -> str:
    return f"echo {shlex.quote(f'nbpr: {path} is gone: run nbpr init again')} >&2"


def _started(path: str, words: str) -> str:
    """`-P` keeps the folder that git starts it in, the user's checkout, off the import path."""
    return f"exec {shlex.quote(path)} -P -m {words}"
