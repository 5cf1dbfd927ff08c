"""A notebook to edit, short words for editing it, and scripts: lists of edits with what they come to."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from nbpr.notebooks import notebook
from nbpr.notebooks.edits import Applied, apply, parse
from nbpr.notebooks.notebook import Notebook
from tests.generated import Layout, tags, texts_of_cells

CELL_TYPES = ("code", "markdown", "raw")
HASH = "sha256:" + "0" * 64


def cell(cell_id: str | None, source: str, cell_type: str = "code", **members: Any) -> dict[str, Any]:
    made = {"cell_type": cell_type, "metadata": {}, "source": source.splitlines(keepends=True), **members}
    if cell_type == "code":
        made = {
            "outputs": [{"name": "stdout", "output_type": "stream", "text": ["out\n"]}],
            "execution_count": 1,
        } | made
    return made if cell_id is None else {**made, "id": cell_id}


def tagged(*names: str) -> dict[str, Any]:
    return {"metadata": {"tags": list(names)}}


def book(*cells: dict[str, Any], minor: int = 5) -> Notebook:
    data = {"cells": list(cells), "metadata": {}, "nbformat": 4, "nbformat_minor": minor}
    return notebook.parse(Layout().write(data), "nb.ipynb")


def some(minor: int = 5) -> Notebook:
    """Four cells: parameters, a note with an attachment, two of code."""
    cells = [
        cell("pars", "a = 1\nb = 'x'  # é\n", **tagged("parameters")),
        cell("note", "# Title\n", "markdown", attachments={"a.png": {"image/png": "AAAA"}}),
        cell("load", "x = 1\ny = 1\n", **tagged("one", "two")),
        cell("show", "print(x)"),
    ]
    if minor < 5:
        for each in cells:
            del each["id"]
    return book(*cells, minor=minor)


def run(found: Notebook, *wanted: dict[str, Any], **versions: Notebook) -> Applied:
    return apply(found, parse(list(wanted), ["nb.ipynb"]), **versions)


def sources(found: Notebook) -> list[str]:
    return [each.source for each in found.cells]


def reread(found: Notebook) -> Notebook:
    return notebook.parse(found.to_bytes(), found.name)


class Script:
    """A list of edits, made while its effect on plain data is worked out."""

    def __init__(self, draw: st.DrawFn, found: Notebook) -> None:
        self.draw = draw
        self.names = [f"index:{index}" for index in range(len(found.cells))]
        #: Each cell: how edits name it, its data, and which of the old ones it is.
        self.cells = [
            [name, copy.deepcopy(each.data), index]
            for index, (name, each) in enumerate(zip(self.names, found.with_ids().cells, strict=True))
        ]
        self.has_ids = found.has_ids
        self.edits: list[dict[str, Any]] = []
        self.touched: set[int] = set()

    def step(self) -> None:
        ops = [self.insert] + ([self.replace, self.substitute, self.tag, self.move, self.delete] if self.cells else [])
        self.draw(st.sampled_from(ops))()

    def pick(self) -> list[Any]:
        """A cell that edits can name; one of no name and no effect if none is left."""
        empty: list[Any] = ["", {"source": "", "cell_type": "raw", "metadata": {}}, None]
        return self.draw(st.sampled_from([each for each in self.cells if each[0]] or [empty]))

    def place(self, others: Sequence[list[Any]]) -> tuple[dict[str, str], int]:
        """Where to put a cell: as an edit says it, and the index among the others."""
        choices: list[tuple[dict[str, str], int]] = [({"at": "start"}, 0), ({"at": "end"}, len(others))]
        for index, (name, *_) in enumerate(others):
            if name:
                choices += [({"before": name}, index), ({"after": name}, index + 1)]
        return self.draw(st.sampled_from(choices))

    def change(self, chosen: list[Any], op: dict[str, Any], **members: Any) -> None:
        if not chosen[0]:
            return
        self.edits.append({"cell": chosen[0], **op})
        if any(chosen[1].get(key) != value for key, value in members.items()):
            chosen[1] |= members
            self.touched.add(chosen[2])

    def rewrite(self, chosen: list[Any], op: dict[str, Any], text: str) -> None:
        if text == _joined(chosen[1].get("source", "")):
            self.change(chosen, op)
            return
        source = text if isinstance(chosen[1]["source"], str) else text.splitlines(keepends=True)
        unrun = {"outputs": [], "execution_count": None} if chosen[1]["cell_type"] == "code" else {}
        self.change(chosen, op, source=source, **unrun)

    def replace(self) -> None:
        text = self.draw(texts_of_cells)
        self.rewrite(self.pick(), {"op": "replace", "source": text}, text)

    def substitute(self) -> None:
        chosen, new = self.pick(), self.draw(texts_of_cells)
        text = _joined(chosen[1].get("source", ""))
        once = [part for at in range(len(text)) for part in [text[at : at + 2]] if _count(text, part) == 1]
        if once:
            old = self.draw(st.sampled_from(once))
            done = _count(text, new) == 1 and _count(new, old) == 1
            after = text if done else text.replace(old, new)
            self.rewrite(chosen, {"op": "substitute", "old": old, "new": new}, after)

    def tag(self) -> None:
        chosen, add, remove = self.pick(), self.draw(st.lists(tags, max_size=2)), self.draw(st.lists(tags, max_size=2))
        remove = [name for name in remove if name not in add]
        if chosen[0] and (add or remove):
            metadata = chosen[1]["metadata"]
            before = metadata.get("tags", [])
            kept = [name for name in before if name not in remove]
            after = kept + [name for name in dict.fromkeys(add) if name not in kept]
            others = {key: value for key, value in metadata.items() if key != "tags"}
            op = {"op": "tag", "add": add, "remove": remove}
            new = metadata if after == before else {**others, "tags": after} if after else others
            self.change(chosen, op, metadata=new)

    def delete(self) -> None:
        chosen = self.pick()
        if chosen[0]:
            self.edits.append({"op": "delete", "cell": chosen[0]})
            self.cells = [each for each in self.cells if each is not chosen]

    def move(self) -> None:
        chosen = self.pick()
        if chosen[0]:
            others = [each for each in self.cells if each is not chosen]
            place, index = self.place(others)
            self.edits.append({"op": "move", "cell": chosen[0], **place})
            others.insert(index, chosen)
            self.cells = others

    def insert(self) -> None:
        place, index = self.place(self.cells)
        cell_type, source = self.draw(st.sampled_from(CELL_TYPES)), self.draw(texts_of_cells)
        if not self.has_ids:
            # Without ids, a cell like it in that place is taken for it.
            source += f"# {len(self.edits)} of mine"
        edit = {"op": "insert", "cell_type": cell_type, "source": source, **place}
        if all({**edit, "op": "insert"} != other for other in self.edits):
            unrun = {"outputs": [], "execution_count": None} if cell_type == "code" else {}
            data = {"cell_type": cell_type, "metadata": {}, "source": source.splitlines(keepends=True), **unrun}
            self.edits.append(edit)
            self.cells.insert(index, ["", data, None])


def _joined(source: str | list[str]) -> str:
    return "".join(source)


def _count(text: str, part: str) -> int:
    return sum(text.startswith(part, at) for at in range(len(text))) if part else 0
