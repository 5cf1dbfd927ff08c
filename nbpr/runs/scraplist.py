"""The scraps of notebooks, of runs and of whole folders, as rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbpr import config
from nbpr.errors import BadInput
from nbpr.notebooks import notebook, scraps
from nbpr.places import find_root, path_below
from nbpr.runs import reference


@dataclass(frozen=True)
class Row:
    """One scrap: of which notebook or run, what it is called, its data as a record shows it, and its encoder."""

    notebook: str
    name: str
    data: Any
    encoder: str

    def as_json(self) -> dict[str, Any]:
        """`{"notebook", "name", "data", "encoder"}`."""
        return {"notebook": self.notebook, "name": self.name, "data": self.data, "encoder": self.encoder}


@dataclass(frozen=True)
class Change:
    """One scrap in two runs; None where a run has no such scrap."""

    row: Row
    before: Any
    after: Any

    def as_json(self) -> dict[str, Any]:
        """The scrap as the later run has it (the earlier one's, where it is gone), with `before` and `after`."""
        return {**self.row.as_json(), "before": self.before, "after": self.after}


def of_places(places: Sequence[Path]) -> list[Row]:
    """The scraps of runs, of notebooks (their reference run's, where there is one) and of what folders hold.

    Raises `BadInput` for what is not there or no notebook.
    """
    return [row for place in _files(places) for row in _rows(place)]


def compare(before: Path, after: Path) -> list[Change]:
    """The scraps of two runs, or of two notebooks' runs, side by side. Raises `BadInput`."""
    old, new = ({row.name: row for row in _rows(place)} for place in (before, after))
    values = [{name: row.data for name, row in side.items()} for side in (old, new)]
    return [
        Change(new.get(each["name"]) or old[each["name"]], each["before"], each["after"])
        for each in scraps.compare(*values)
    ]


def _files(places: Sequence[Path]) -> Iterator[Path]:
    for place in places:
        if place.is_dir():
            yield from sorted(path for path in place.rglob("*.ipynb") if _counts(path.relative_to(place)))
        elif place.exists():
            yield place
        else:
            raise BadInput(f"{place}: no such file")


def _counts(path: Path) -> bool:
    """Whether a folder's scraps are those of this file: Jupyter's checkpoints and partial runs are left out."""
    return not any(part.startswith(".") or part.endswith(".runs") for part in path.parts)


def _rows(place: Path) -> list[Row]:
    found = scraps.collect(_shown(place))
    return [Row(str(place), name, scraps.as_json(scrap), scrap.encoder) for name, scrap in found.items()]


def _shown(place: Path) -> Mapping[str, Any]:
    """What holds a notebook's scraps: its reference run, since the notebook itself is clean; else the file."""
    run = _run_of(place)
    return notebook.read(run if run is not None and run.is_file() else place).as_json()


def _run_of(place: Path) -> Path | None:
    root = find_root(place)
    if root is None:
        return None
    settings = config.load(root)
    path = path_below(root, place)
    return None if reference.is_run(path, settings) else root / reference.run_path(path, settings)
