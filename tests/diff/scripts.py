"""Notebooks as plain JSON, and random scripts of edits on them: what the laws of diff and merge are tried on."""

from __future__ import annotations

import copy
import random
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


def scripted(seed: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """A notebook of up to forty cells, and the same after up to thirty edits: much alike in it, and much twice.

    Ids are kept, missing, made anew or doubled. Quicker made than hypothesis' examples, so that there may be many.
    """
    dice = random.Random(seed)
    before = book(*(_random_cell(dice, f"c{n}") for n in range(dice.randrange(40))))
    after = copy.deepcopy(before)
    for step in range(dice.randrange(30)):
        _random_edit(dice, after, f"n{step}")
    return _with_ids(dice, before, after)


def _random_text(dice: random.Random) -> str:
    lines = [f"{dice.choice(LINES)} {dice.randrange(4)}" for _ in range(dice.randrange(8))]
    return dice.choice(["\n", "\n", "\r\n"]).join(lines) + dice.choice(["", "", "\n"])


def _random_output(dice: random.Random) -> dict[str, Any]:
    text = _random_text(dice)
    kinds = [
        stream(text, dice.choice(["stdout", "stderr"])),
        display(text_plain=text, text_html=f"<b>{text}</b>"),
        display(text_plain="<Figure>", image_png=dice.randbytes(9).hex()),
        display(**{"application_json": {"a": [dice.randrange(3), {"b": text}], "c": dice.random()}}),
        {"output_type": "error", "ename": "E", "evalue": text[:5], "traceback": text.split("\n")},
    ]
    return {**dice.choice(kinds), **({"execution_count": dice.randrange(3)} if dice.random() < 0.2 else {})}


def _random_cell(dice: random.Random, name: str) -> dict[str, Any]:
    metadata: dict[str, Any] = {"tags": dice.sample(TAGS, dice.randrange(2))} if dice.random() < 0.3 else {}
    if dice.random() < 0.3:
        files = {"attachments": {"a.png": {"image/png": dice.randbytes(4).hex()}}} if dice.random() < 0.3 else {}
        return markdown(_random_text(dice), name, metadata=metadata, **files)
    outputs = [_random_output(dice) for _ in range(dice.choice([0, 0, 1, 2, 5]))]
    return code(_random_text(dice), name, metadata=metadata, outputs=outputs)


def _random_edit(dice: random.Random, notebook: dict[str, Any], name: str) -> None:
    found = notebook["cells"]
    place = dice.randrange(len(found) + 1)
    if place == len(found) or dice.random() < 0.2:
        found.insert(place, _random_cell(dice, name))
        return
    cell = found[place]
    match dice.randrange(7):
        case 0:
            del found[place]
        case 1:
            found.insert(dice.randrange(len(found)), found.pop(place))
        case 2:
            found.insert(dice.randrange(len(found)), copy.deepcopy({**cell, "id": name}))
        case 3:
            cell["metadata"] = {**cell["metadata"], name: {"deep": [1, True, 1.0, None, float("nan")][place % 5]}}
        case 4 if "outputs" in cell:
            cell["outputs"] = [o for o in cell["outputs"] if dice.random() < 0.7] + [_random_output(dice)]
        case 5 if "attachments" in cell:
            cell["attachments"] = {name: {"image/png": "00"}, **cell["attachments"]}
        case _:
            lines = cell["source"].splitlines(keepends=True)
            spot = dice.randrange(len(lines) + 1)
            cell["source"] = "".join([*lines[:spot], dice.choice(["x", f"{dice.choice(LINES)}\n"]), *lines[spot + 1 :]])


def _with_ids(
    dice: random.Random, before: dict[str, Any], after: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    kind = dice.choice(["kept", "missing", "new", "doubled", "one side"])
    for cell in after["cells"] if kind in ("new", "doubled") else ():
        cell["id"] = "same" if kind == "doubled" and dice.random() < 0.3 else cell["id"] + "x" * (kind == "new")
    sides = {"missing": (before, after), "one side": (before,)}.get(kind, ())
    for side in sides:
        side["nbformat_minor"] = 4
        for cell in side["cells"]:
            del cell["id"]
    return before, after
