"""Where files are told from: the checkout's top folder, found without git, and paths below it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from nbpr.errors import BadInput


def find_root(place: Path) -> Path | None:
    """The top folder of the checkout that a file lies in, or None."""
    here = place.absolute()
    return next((folder for folder in here.parents if (folder / ".git").exists()), None)


def root_of(places: Sequence[Path]) -> Path:
    """The folder that paths are told from: the checkout's top folder, or outside of one what the files share."""
    found = find_root(places[0])
    if found is not None:
        return found
    return Path(os.path.commonpath([place.absolute().parent for place in places]))


def path_below(root: Path, place: Path) -> str:
    """A file's POSIX path from `root`. Raises `BadInput` for one outside of it, or that a link leads out."""
    there = place.parent.resolve() / place.name
    top = root.resolve()
    if not there.is_relative_to(top) or not there.resolve().is_relative_to(top):
        raise BadInput(f"{place}: not in {root}", hint="name notebooks of one repository, or run nbpr in theirs")
    return there.relative_to(top).as_posix()
