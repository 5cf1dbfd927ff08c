"""One notebook: read, select a cell, change cells, write, the bytes of all that did not change kept.

A notebook keeps the text it was read from, and each cell its place in it. Editing makes new data; `to_bytes` writes
it over the old text. What the wild holds is read as it is (cells without outputs, tags that are no list, half
surrogate pairs, NaN); only what is no notebook of version 4 is refused.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shlex
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from nbpr.errors import BadInput, NotAllowed
from nbpr.notebooks import jsonscan, jsontext, wholefile
from nbpr.notebooks.cell import Cell, Document, Origin, complete_ids, derived_id, source_lines

__all__ = ["Cell", "Notebook", "derived_id", "parse", "quick_imports", "read", "select", "source_sha256", "write"]

PARAMETERS = "parameters"
INJECTED = "injected-parameters"


def quick_imports() -> None:
    """Keep away the grammar that jsonschema would compile for 1.2 s; to be called before nbformat is imported."""
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Notebook:
    """A notebook of version 4: `data` is its top level without the cells. `name` is for messages."""

    name: str
    data: dict[str, Any]
    cells: tuple[Cell, ...]
    document: Document | None = field(default=None, compare=False, repr=False)

    @property
    def nbformat(self) -> int:
        return int(self.data["nbformat"])

    @property
    def nbformat_minor(self) -> int:
        """The minor version; 0 where the file does not say."""
        found = self.data.get("nbformat_minor")
        return found if type(found) is int else 0

    @property
    def metadata(self) -> dict[str, Any]:
        found = self.data.get("metadata")
        return found if isinstance(found, dict) else {}

    @property
    def kernel(self) -> str | None:
        """The name of the kernel that the notebook asks for."""
        return _text_at(self.metadata, "kernelspec", "name")

    @property
    def language(self) -> str:
        """The kernel's language in lower case; python where the notebook does not say."""
        named = _text_at(self.metadata, "language_info", "name") or _text_at(self.metadata, "kernelspec", "language")
        return (named or "python").lower()

    @property
    def has_ids(self) -> bool:
        """Whether this version of the format gives cells ids (from 4.5)."""
        return self.nbformat_minor >= 5

    @cached_property
    def ids(self) -> tuple[str | None, ...]:
        """Each cell's id, the derived one where it is missing; None before 4.5."""
        if not self.has_ids:
            return (None,) * len(self.cells)
        return tuple(complete_ids(self.cells))

    @property
    def parameters_cell(self) -> Cell | None:
        """The first code cell tagged `parameters`."""
        return next((cell for cell in self.cells if cell.is_code and PARAMETERS in cell.tags), None)

    def index_of(self, cell: Cell) -> int:
        """Where this very cell stands; ValueError if it does not."""
        for index, mine in enumerate(self.cells):
            if mine is cell:
                return index
        raise ValueError(f"not a cell of {self.name}")

    def with_cells(self, cells: Iterable[Cell]) -> Notebook:
        return dataclasses.replace(self, cells=tuple(cells))

    def with_metadata(self, metadata: dict[str, Any]) -> Notebook:
        return dataclasses.replace(self, data={**self.data, "metadata": metadata})

    def with_ids(self) -> Notebook:
        """The notebook with an id in every cell, missing ones derived; itself if none is missing, or before 4.5."""
        if not self.has_ids or all(cell.id for cell in self.cells):
            return self
        pairs = zip(self.cells, self.ids, strict=True)
        return self.with_cells(cell if cell.id else cell.replace(id=cell_id) for cell, cell_id in pairs)

    def as_json(self) -> dict[str, Any]:
        """The plain dict of nbformat. It shares its values with the notebook: copy before changing."""
        return {"cells": [cell.data for cell in self.cells], **self.data}

    def to_bytes(self) -> bytes:
        """The file: what was read and not changed is the same bytes. Without a file: as nbformat writes it."""
        try:
            return self._text().encode()
        except (RecursionError, jsonscan.JsonError):
            raise BadInput(f"{self.name}: nested too deep to be written") from None

    def _text(self) -> str:
        if self.document:
            return self.document.write(self.data, self.cells)
        text = json.dumps(self.as_json(), ensure_ascii=False, indent=1, sort_keys=True)
        return jsontext.escape_surrogates(text) + "\n"


def _text_at(metadata: dict[str, Any], group: str, key: str) -> str | None:
    inner = metadata.get(group)
    found = inner.get(key) if isinstance(inner, dict) else None
    return found if isinstance(found, str) and found else None


def new(cell_type: str, source: str, **members: Any) -> Cell:
    """A cell that was in no file: keys as nbformat sorts them; a code cell has not run."""
    unrun: dict[str, Any] = {"outputs": [], "execution_count": None} if cell_type == "code" else {}
    data = {"cell_type": cell_type, "metadata": {}, "source": source_lines(source), **unrun, **members}
    return Cell({key: data[key] for key in sorted(data)})


def source_sha256(notebook: Notebook) -> str:
    """`sha256:` and the digest of the code cells' sources in order, those that papermill injected left out."""
    sources = [cell.source for cell in notebook.cells if cell.is_code and INJECTED not in cell.tags]
    return f"sha256:{hashlib.sha256(json.dumps(sources).encode()).hexdigest()}"


def parse(data: bytes, name: str) -> Notebook:
    """The notebook that a file holds. BadInput, naming the file and the place, if it holds none of version 4."""
    text = _decoded(data, name)
    try:
        document, top = _scan(text)
    except jsonscan.JsonError as error:
        raise _not_json(text, name, error) from None
    _check_top(top, document, name)
    cells = tuple(Cell(cell.value, Origin(document, at, cell.value)) for at, cell in enumerate(document.cells))
    return Notebook(name, document.top, cells, document)


def _decoded(data: bytes, name: str) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        utf16 = data[:2] in (b"\xff\xfe", b"\xfe\xff")
        hint = "the file seems to be UTF-16; save it as UTF-8" if utf16 else "save the file as UTF-8"
        raise BadInput(f"{name}: not UTF-8, at byte {error.start}", hint=hint) from None


def _scan(text: str) -> tuple[Document, dict[str, Any]]:
    """The document, and its top level; a value that is no object is refused as one without members."""
    at = jsonscan.start(text)
    cells: list[jsonscan.Element] = []

    def read_cells(text: str, at: int) -> tuple[Any, int]:
        if text[at : at + 1] != "[":
            return jsonscan.value(text, at)
        found, end = jsonscan.elements(text, at)
        cells[:] = found
        return [cell.value for cell in found], end

    if text[at : at + 1] == "{":
        parts, end = jsonscan.members(text, at, lambda key: read_cells if key == "cells" else jsonscan.value)
    else:
        parts, end = [], jsonscan.value(text, at)[1]
    jsonscan.check_end(text, end)
    top = {part.key: part.value for part in parts}
    rest = {key: value for key, value in top.items() if key != "cells"}
    return Document(text, at, end, parts, cells, rest), top


def _not_json(text: str, name: str, error: jsonscan.JsonError) -> BadInput:
    if not text.strip("\ufeff \t\r\n"):
        return BadInput(f"{name}: the file is empty", hint="restore it, or save a notebook there first")
    place = f"line {error.line}, column {error.column}"
    if "\n<<<<<<< " in text:
        hint = "git's conflict markers stand in the file; take one side, or merge it again"
        return BadInput(f"{name}: not JSON: {error.problem} ({place})", hint=hint)
    if error.truncated:
        return BadInput(f"{name}: truncated: the JSON ends early ({place})", hint="restore it from git or a checkpoint")
    return BadInput(f"{name}: not JSON: {error.problem} ({place})")


def _check_top(top: dict[str, Any], document: Document, name: str) -> None:
    version = top.get("nbformat")
    if type(version) is int and version > 4:
        raise BadInput(f"{name}: nbformat {version} is newer than nbpr knows (4)", hint="save it as nbformat 4")
    if (type(version) is int and version < 4) or (version is None and "worksheets" in top):
        hint = f"jupyter nbconvert --to notebook --nbformat 4 --inplace {shlex.quote(name)}"
        raise BadInput(f"{name}: nbformat {version or 'of old'} is not supported, only 4", hint=hint)
    if version != 4 or type(version) is not int:
        raise BadInput(f"{name}: not a notebook: " + ("no nbformat" if version is None else f"nbformat {version!r}"))
    if not isinstance(top.get("cells"), list):
        raise BadInput(f"{name}: not a notebook: " + ("cells is no list" if "cells" in top else "no cells"))
    if sum(part.key == "cells" for part in document.members) > 1:
        raise BadInput(f"{name}: two members are called cells; keep one of them")
    for index, cell in enumerate(document.cells):
        if not isinstance(cell.value, dict):
            raise BadInput(f"{name}: not a notebook: cell {index} is no object")


def read(path: Path) -> Notebook:
    """The notebook at `path`; BadInput if it is missing, unreadable or no notebook."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise BadInput(f"{path}: no such file") from None
    except IsADirectoryError:
        raise BadInput(f"{path}: a folder, not a notebook") from None
    except OSError as error:
        raise BadInput(f"{path}: cannot be read: {error.strerror}") from None
    except ValueError:
        raise BadInput(f"{str(path)!r}: not a path") from None
    return parse(data, str(path))


def write(path: Path, notebook: Notebook | bytes) -> None:
    """Put a notebook at `path`, whole or not at all, with the mode of the file that was there.

    NotAllowed if the file system refuses; the old file is then as it was.
    """
    data = notebook if isinstance(notebook, bytes) else notebook.to_bytes()
    try:
        wholefile.put(path, data)
    except OSError as error:
        raise NotAllowed(f"{path}: cannot be written: {error.strerror}") from None


def select(notebook: Notebook, selector: str) -> int:
    """The index of the cell that `selector` names: an id, `id:ID`, `index:N` (from 0) or `tag:NAME`.

    BadInput, listing what there is, if it names no cell or more than one.
    """
    found = matching(notebook, selector)
    if len(found) == 1:
        return found[0]
    raise unselected(notebook, selector, found)


def matching(notebook: Notebook, selector: str) -> list[int]:
    """The indices of all cells that `selector` names."""
    kind, colon, rest = selector.partition(":")
    if colon and kind == "index":
        known = rest.isascii() and rest.isdigit() and len(rest) < 12 and int(rest) < len(notebook.cells)
        return [int(rest)] if known else []
    if colon and kind == "tag":
        return [index for index, cell in enumerate(notebook.cells) if rest in cell.tags]
    wanted = rest if colon and kind == "id" else selector
    return [index for index, cell_id in enumerate(notebook.ids) if cell_id == wanted]


def unselected(notebook: Notebook, selector: str, found: Sequence[int]) -> BadInput:
    """The error for a selector that names no cell, or several."""
    if found:
        message = f"{notebook.name}: {selector!r} names {len(found)} cells: {listing(notebook, found)}"
        return BadInput(message, hint="name one by its index, as in index:" + str(found[0]))
    there = listing(notebook, range(len(notebook.cells)))
    return BadInput(f"{notebook.name}: no cell {selector!r}", hint=f"cells there are: {there}" if there else "no cells")


def listing(notebook: Notebook, indices: Sequence[int], most: int = 30) -> str:
    """Cells in one line: index, id, type and tags of each."""
    shown = [_described(notebook, index) for index in indices[:most]]
    more = [f"and {len(indices) - most} more"] if len(indices) > most else []
    return ", ".join(shown + more)


def _described(notebook: Notebook, index: int) -> str:
    cell = notebook.cells[index]
    words = [f"index:{index}", notebook.ids[index] or "", cell.cell_type, *(f"tag:{tag}" for tag in cell.tags)]
    return " ".join(word for word in words if word)
