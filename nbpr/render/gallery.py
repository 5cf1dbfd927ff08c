"""The pictures that a change is best seen by: those that changed, before and after, for a pull request's own page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from nbpr.diff.changes import CellChange, NotebookDiff
from nbpr.diff.pictures import compare_pictures
from nbpr.render import cells
from nbpr.render.page.pictures import Picture
from nbpr.render.page.units import pairs, units

#: So many pictures stand in a pull request; the others are on the review page.
MOST = 4

#: A picture of more bytes than this is not put into a pull request.
_LARGEST = 2_000_000


@dataclass(frozen=True)
class ChangedPicture:
    """A picture of a cell, before and after, and how much of it changed, in words.

    The names of the two (`Picture.name`) are by their content: what is kept under such a name never changes.
    """

    notebook: str
    index: int
    cell_id: str
    before: Picture
    after: Picture
    words: str

    @property
    def sides(self) -> tuple[tuple[str, Picture], tuple[str, Picture]]:
        """Both, each with the word for it."""
        return ("before", self.before), ("after", self.after)


def changed(diffs: Iterable[NotebookDiff], most: int = MOST) -> tuple[ChangedPicture, ...]:
    """The first `most` pictures that changed; SVG and very large ones are left to the review page."""
    found: list[ChangedPicture] = []
    for diff in diffs:
        for change in diff.cells if len(found) < most else ():
            found += _of_cell(diff.path, change)
    return tuple(found[:most])


def files(diffs: Iterable[NotebookDiff]) -> dict[str, bytes]:
    """Both sides of those pictures, by the names of their content."""
    return {side.name: side.data for one in changed(diffs) for _, side in one.sides}


def _of_cell(path: str, change: CellChange) -> Iterator[ChangedPicture]:
    if not change.outputs_changed:
        return
    for one, other in pairs(units(change.outputs_before), units(change.outputs_after)):
        before, after = (unit.picture if unit else None for unit in (one, other))
        if before is None or after is None or before == after or not (_fits(before) and _fits(after)):
            continue
        words = compare_pictures(before.data, after.data, difference=False).words
        yield ChangedPicture(path, cells.index(change), cells.identifier(change.id), before, after, words)


def _fits(picture: Picture) -> bool:
    return picture.mime != "image/svg+xml" and len(picture.data) <= _LARGEST
