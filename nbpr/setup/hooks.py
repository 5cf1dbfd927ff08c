"""The hook scripts that nbpr ships: put into a repository's folder of hooks, and taken out again.

A script is a part between two marks. A file that has the part keeps what else stands in it; one that has it not is
somebody's own, and stays as it is.
"""

from __future__ import annotations

import re
import stat
import sys
from collections.abc import Sequence
from pathlib import Path

from nbpr.errors import BadInput
from nbpr.git.repository import Repository
from nbpr.notebooks import notebook

NAMES = ("pre-commit", "pre-push")
#: The interpreter that the scripts start nbpr with, in git's configuration: hooks run where no environment is active.
PYTHON = "nbpr.python"
#: What somebody adds to a script of their own.
_LINES = {
    "pre-commit": "nbpr check --staged || exit 1",
    "pre-push": 'nbpr check --pushed --remote "$1" - || exit 1',
}
_PART = re.compile(rb"^# >>> nbpr[^\n]*\n(?:[^\n]*\n)*?# <<< nbpr[^\n]*(?:\n|\Z)", re.MULTILINE)


def text(name: str) -> bytes:
    """The script called `name`: from the installed package, else from the source tree that we run in."""
    here = Path(__file__).parent.parent
    for folder in (here / "scripts", here.parent / "hooks"):
        if (folder / name).is_file():
            return (folder / name).read_bytes()
    raise BadInput(f"the hook {name} is not part of this installation", hint="pip install --force-reinstall nbpr")


def place(repository: Repository, name: str) -> Path:
    """Where git looks for the hook: `core.hooksPath`, else the folder that all worktrees share."""
    words = ("config", "--show-origin", "--type=path", "-z", "--get-all", "core.hooksPath")
    said = repository.run(*words, accept=(0, 1)).stdout.decode("utf-8", "surrogateescape").split("\0")
    # What stands on the command line is ours, and silences hooks in our own calls.
    told = [value for origin, value in zip(said[::2], said[1::2], strict=False) if origin != "command line:"]
    return (repository.root / told[-1] if told else repository.common_dir / "hooks") / name


def is_installed(repository: Repository, name: str) -> bool:
    """Whether the hook is there, as this nbpr has it, and starts this nbpr."""
    path = place(repository, name)
    part = _PART.search(text(name))
    is_there = path.is_file() and part is not None and part[0] in path.read_bytes()
    return is_there and bool(path.stat().st_mode & stat.S_IXUSR) and repository.setting(PYTHON) == sys.executable


def refuse(repository: Repository, names: Sequence[str] = NAMES) -> None:
    """Raises BadInput, with the line to add, if one of the hooks is somebody's own; nothing is written."""
    for name in names:
        path = place(repository, name)
        if not any(path.is_relative_to(folder) for folder in (repository.root, repository.common_dir)):
            hint = f"core.hooksPath is for other repositories too; add it there yourself: {_LINES[name]}"
            raise BadInput(f"{path}: outside of this repository", hint=hint)
        if (path.is_symlink() or path.exists()) and not (path.is_file() and _PART.search(path.read_bytes())):
            raise BadInput(f"{path}: a hook that is not nbpr's; it stays as it is", hint=_to_add(path, name))


def install(repository: Repository, names: Sequence[str] = NAMES) -> list[Path]:
    """Put the hooks into place and give the files written, none if all is so already.

    Raises BadInput, before anything is written, if one of them is somebody's own.
    """
    refuse(repository, names)
    if repository.setting(PYTHON) != sys.executable:
        repository.git("config", "--local", "--replace-all", PYTHON, sys.executable)
    written = []
    for name in names:
        path, wanted = place(repository, name), text(name)
        before = path.read_bytes() if path.exists() else b""
        after = _with_part(before, wanted)
        if after != before or not path.stat().st_mode & stat.S_IXUSR:
            path.parent.mkdir(parents=True, exist_ok=True)
            notebook.write(path, after)
            path.chmod(0o755)
            written.append(path)
    return written


def remove(repository: Repository, names: Sequence[str] = NAMES) -> list[Path]:
    """Take the hooks out and give the files changed. What others wrote into them stays."""
    changed = []
    for name in names:
        path = place(repository, name)
        before = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
        if _PART.search(before):
            after = _PART.sub(b"", before)
            changed.append(path)
            if after.strip() in (b"", b"#!/bin/sh"):
                path.unlink()
            else:
                notebook.write(path, after)
    if not any(_is_ours(repository, name) for name in NAMES):
        _forget_python(repository)
    return changed


def _forget_python(repository: Repository) -> None:
    """Take the interpreter out of git's configuration; as a section if it is alone there, or git leaves its head."""
    section = PYTHON.partition(".")[0]
    names = repository.run("config", "--local", "--name-only", "--get-regexp", rf"^{section}\.", accept=(0, 1)).text
    alone = set(names.split("\n")) == {PYTHON}
    words = ("--remove-section", section) if alone else ("--unset-all", PYTHON)
    repository.run("config", "--local", *words, accept=(0, 5))


def _is_ours(repository: Repository, name: str) -> bool:
    path = place(repository, name)
    return path.is_file() and _PART.search(path.read_bytes()) is not None


def _with_part(before: bytes, wanted: bytes) -> bytes:
    part = _PART.search(wanted)
    if not before or part is None:
        return wanted
    found = _PART.search(before)
    return before if found is None else before[: found.start()] + part[0] + before[found.end() :]


def _to_add(path: Path, name: str) -> str:
    if path.is_file() and b"pre-commit.com" in path.read_bytes():
        return "it is pre-commit's: add nbpr's hooks to .pre-commit-config.yaml instead"
    return f"add this line to it: {_LINES[name]}"
