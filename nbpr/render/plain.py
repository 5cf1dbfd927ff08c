"""A notebook as plain text, cell by cell: what git compares by line where it asks no diff driver for more."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from nbpr.diff import outputs
from nbpr.notebooks.notebook import Cell, Notebook
from nbpr.render import escape

#: What the line above each cell begins with, by which git names the cell that a hunk is in.
HEAD = "── "

_APART = frozenset({"cell_type", "id", "source", "outputs", "execution_count", "metadata"})


def render(notebook: Notebook) -> str:
    """The notebook's metadata, then each cell under a line of its own: type, id and tags, source, outputs.

    Places and execution counts are left out, since they change where nothing did. Forms of an output that are no
    text stand there by their digest, so that none changes unseen.
    """
    return "".join(f"{escape.visible(escape.without_base64(line))}\n" for line in _notebook(notebook))


def _notebook(notebook: Notebook) -> Iterator[str]:
    yield f"nbformat {notebook.nbformat}.{notebook.nbformat_minor}"
    yield from _members("metadata.", notebook.metadata)
    for cell in notebook.cells:
        yield HEAD + " · ".join(filter(None, (cell.cell_type, cell.id, ", ".join(cell.tags))))
        yield from _cell(cell)


def _cell(cell: Cell) -> Iterator[str]:
    yield from _members("metadata.", {key: value for key, value in cell.metadata.items() if key != "tags"})
    yield from _members("", {key: value for key, value in cell.data.items() if key not in _APART})
    yield from cell.source.split("\n") if cell.source else ()
    if cell.outputs:
        yield "outputs:"
    for output in cell.outputs:
        yield from outputs.texts([output])
        yield from _forms(output.get("data"))


def _members(prefix: str, members: Mapping[str, Any]) -> Iterator[str]:
    for key in sorted(members):
        yield f"{prefix}{key} = {json.dumps(members[key], ensure_ascii=False, sort_keys=True)}"


def _forms(bundle: Any) -> Iterator[str]:
    for mime, value in sorted(bundle.items()) if isinstance(bundle, Mapping) else ():
        if mime != "text/plain":
            digest = hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
            yield f"{mime} ({digest[:8]})"
