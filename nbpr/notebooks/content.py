"""A notebook's content as it stands somewhere: in the checkout, in the index, in a commit; and what mends it.

Pure functions over bytes. Where the bytes come from and go to is the business of the rooms above.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

from nbpr import filters
from nbpr.errors import BadInput
from nbpr.notebooks import notebook
from nbpr.notebooks.cell import Cell, derived_id
from nbpr.notebooks.clean import DEFAULT, Options
from nbpr.notebooks.notebook import Notebook

#: What nbformat's schema takes as an id.
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
#: How a file that Git LFS keeps elsewhere begins, as git stores it.
_POINTER = b"version https://git-lfs.github.com/spec/"


@dataclass(frozen=True)
class Content:
    """One notebook to be looked at. `data` is None where it cannot be read, and `problem` says why.

    `is_filtered` is whether git takes outputs out of the file when it is added. `commit` is the commit that holds
    the content, where a later one among those looked at has another.
    """

    path: str
    data: bytes | None
    problem: str | None = None
    is_filtered: bool = False
    commit: str | None = None

    @property
    def is_pointer(self) -> bool:
        """Whether Git LFS keeps the content, and this only says which."""
        return self.data is not None and self.data.startswith(_POINTER)


def mended(data: bytes, name: str, options: Options = DEFAULT, *, clean: bool = True, ids: bool = True) -> bytes:
    """The content with outputs and run state out, and an id of its own in each cell; the same object if all is well.

    What is no notebook stays as it is.
    """
    try:
        if clean:
            # Without options of its own a notebook is cleaned by a quicker way.
            data = filters.cleaned(data, name, None if options == DEFAULT else options)
        found = notebook.parse(data, name) if ids else None
    except BadInput:
        return data
    after = found and with_own_ids(found)
    return data if after is None or after is found else after.to_bytes()


def with_own_ids(before: Notebook) -> Notebook:
    """The notebook with an id of its own in each cell, itself if it is so; nothing before nbformat 4.5.

    Of cells with the same id the first keeps it. The others, and cells without one that the schema takes, get one
    that follows from what they hold, so that the same mend on two branches gives the same ids.
    """
    if not before.has_ids:
        return before
    taken = {cell.id or "" for cell in before.cells if _is_valid(cell)}
    counted: Counter[tuple[str, str]] = Counter()
    kept: set[str | None] = set()
    cells = []
    for cell in before.cells:
        if not _is_valid(cell) or cell.id in kept:
            kind = (cell.cell_type, cell.source)
            made = derived_id(*kind, counted[kind], taken)
            cell = cell.replace(id=made)
            counted[kind] += 1
            taken.add(made)
        kept.add(cell.id)
        cells.append(cell)
    is_same = all(new is old for new, old in zip(cells, before.cells, strict=True))
    return before if is_same else before.with_cells(cells)


def _is_valid(cell: Cell) -> bool:
    return cell.id is not None and _ID.fullmatch(cell.id) is not None
