"""Notebooks as plain JSON, and random scripts of edits on them: what the laws of diff and merge are tried on."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import strategies as st

LINES = [
    "import numpy as np",
    "threshold = 0.95",
    "window = 7",
    "",
    "    return x",
    "print('ok')",
    "x",
    "# a note",
    "é🦆",
]
TAGS = ["parameters", "note", "NBVAL_SKIP"]

sources = st.lists(st.sampled_from(LINES), max_size=6).map("\n".join)
texts = st.one_of(sources, st.text(max_size=30))


def code(source: str, cell_id: str | None = None, **members: Any) -> dict[str, Any]:
    """A code cell that was not run."""
    cell = {"cell_type": "code", "metadata": {}, "source": source, "outputs": [], "execution_count": None}
    return {**cell, **({"id": cell_id} if cell_id else {}), **members}


def markdown(source: str, cell_id: str | None = None, **members: Any) -> dict[str, Any]:
    """A Markdown cell."""
    cell = {"cell_type": "markdown", "metadata": {}, "source": source}
    return {**cell, **({"id": cell_id} if cell_id else {}), **members}


def book(*cells: dict[str, Any], minor: int = 5, **metadata: Any) -> dict[str, Any]:
    """A notebook of those cells."""
    return {"cells": list(cells), "metadata": metadata, "nbformat": 4, "nbformat_minor": minor}


def stream(text: str, name: str = "stdout") -> dict[str, Any]:
    """What a cell printed."""
    return {"output_type": "stream", "name": name, "text": text}


def display(**data: Any) -> dict[str, Any]:
    """A rich output; `image_png` stands for image/png."""
    bundle = {name.replace("_", "/", 1): value for name, value in data.items()}
    return {"output_type": "display_data", "metadata": {}, "data": bundle}


outputs = st.one_of(
    texts.map(stream),
    texts.map(lambda text: display(text_plain=text)),
    st.binary(max_size=12).map(lambda data: display(text_plain="<Figure>", image_png=data.hex())),
    texts.map(lambda text: {"output_type": "error", "ename": "ValueError", "evalue": text, "traceback": [text]}),
)


@st.composite
def cells(draw: st.DrawFn, ids: bool = True) -> dict[str, Any]:
    """A cell; its id, where wanted, is put in by `notebooks`."""
    tags = draw(st.lists(st.sampled_from(TAGS), max_size=2, unique=True))
    metadata = {"tags": tags} if tags else {}
    if draw(st.booleans()):
        return markdown(draw(texts), metadata=metadata)
    return code(draw(texts), metadata=metadata, outputs=draw(st.lists(outputs, max_size=2)))


@st.composite
def notebooks(draw: st.DrawFn, ids: bool | None = None) -> dict[str, Any]:
    """A valid notebook with ids, or one of 4.4 without."""
    named = draw(st.booleans()) if ids is None else ids
    found = draw(st.lists(cells(), max_size=7))
    if named:
        found = [{**cell, "id": f"c{index}"} for index, cell in enumerate(found)]
    return book(*found, minor=5 if named else 4, **draw(st.sampled_from([{}, {"kernelspec": {"name": "python3"}}])))


@st.composite
def edited(draw: st.DrawFn, notebook: dict[str, Any], prefix: str = "n", runs: bool = True) -> dict[str, Any]:
    """The notebook after a few random edits. New cells get ids that begin with `prefix`."""
    result = copy.deepcopy(notebook)
    for step in range(draw(st.integers(0, 4))):
        _edit(draw, result, f"{prefix}{step}", runs)
    return result


def _edit(draw: st.DrawFn, notebook: dict[str, Any], name: str, runs: bool) -> None:
    found = notebook["cells"]
    operation = draw(st.sampled_from(["insert", "delete", "move", "line", "replace", "tag", "outputs", "metadata"]))
    if operation == "insert" or not found:
        cell = draw(cells())
        new = {**cell, "id": name} if notebook["nbformat_minor"] >= 5 else cell
        found.insert(draw(st.integers(0, len(found))), new)
        return
    place = draw(st.integers(0, len(found) - 1))
    cell = found[place]
    if operation == "delete":
        del found[place]
    elif operation == "move":
        found.insert(draw(st.integers(0, len(found) - 1)), found.pop(place))
    elif operation == "line":
        lines = cell["source"].split("\n")
        lines[draw(st.integers(0, len(lines) - 1))] = draw(st.sampled_from([*LINES, name]))
        cell["source"] = "\n".join(lines)
    elif operation == "replace":
        cell["source"] = draw(texts)
    elif operation == "tag":
        cell["metadata"] = {"tags": draw(st.lists(st.sampled_from(TAGS), unique=True))}
    elif operation == "metadata":
        notebook["metadata"] = {**notebook["metadata"], name: draw(st.integers(0, 2))}
    elif runs and cell["cell_type"] == "code":
        cell["outputs"] = draw(st.lists(outputs, max_size=2))
