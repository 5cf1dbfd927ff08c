"""Pairs of notebooks that differ in one way each, made from a seed: what diffs are measured on."""

from __future__ import annotations

import base64
import copy
import random
from collections.abc import Callable, Mapping
from typing import Any

Book = dict[str, Any]

_NAMES = "frame sensor agent score window threshold latency region fleet status model batch loss rate total".split()
_CALLS = "load group_by merge resample rolling fillna plot describe sort_values to_numeric drop_duplicates".split()


def _line(dice: random.Random) -> str:
    one, other, third = (dice.choice(_NAMES) for _ in range(3))
    return f"{one}_{dice.randrange(100)} = {other}.{dice.choice(_CALLS)}({third}, n={dice.randrange(1000)})"


def _source(dice: random.Random) -> str:
    return "\n".join(_line(dice) for _ in range(dice.randint(4, 16)))


def _printed(dice: random.Random, lines: int) -> str:
    return "".join(f"{dice.choice(_NAMES)} {n}: {dice.random():.6f} {dice.random():.6f}\n" for n in range(lines))


def _stream(text: str) -> dict[str, Any]:
    return {"output_type": "stream", "name": "stdout", "text": text}


def _picture(dice: random.Random, size: int) -> dict[str, Any]:
    data = {
        "text/plain": "<Figure size 640x480 with 1 Axes>",
        "image/png": base64.b64encode(dice.randbytes(size)).decode(),
    }
    return {"output_type": "display_data", "metadata": {}, "data": data}


def _cell(dice: random.Random, outputs: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "cell_type": "code",
        "id": f"{dice.getrandbits(32):08x}",
        "metadata": {},
        "execution_count": None,
        "source": _source(dice),
        "outputs": outputs,
    }


def notebook(cells: int, size: int = 0, seed: int = 1) -> Book:
    """A notebook of so many code cells, and of about `size` bytes of outputs: texts, and a picture in every fifth."""
    dice = random.Random(seed)
    each = size // cells

    def outputs(place: int) -> list[dict[str, Any]]:
        if not size:
            return []
        return [_picture(dice, each * 3 // 4)] if place % 5 == 0 else [_stream(_printed(dice, max(1, each // 30)))]

    found = [_cell(dice, outputs(place)) for place in range(cells)]
    return {"cells": found, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


def edited(before: Book, seed: int = 2) -> Book:
    """The notebook after a person's day: one cell in twenty edited, a few put in, taken out and moved."""
    dice, after = random.Random(seed), copy.deepcopy(before)
    cells = after["cells"]
    for cell in dice.sample(cells, len(cells) // 20):
        lines = cell["source"].split("\n")
        lines[dice.randrange(len(lines))] = _line(dice)
        cell["source"] = "\n".join(lines)
    for _ in range(5):
        cells.insert(dice.randrange(len(cells)), _cell(dice, []))
        del cells[dice.randrange(len(cells))]
        cells.insert(dice.randrange(len(cells)), cells.pop(dice.randrange(len(cells))))
    return after


def without_ids(book: Book) -> Book:
    """The notebook as format 4.4 has it."""
    cells = [{key: value for key, value in cell.items() if key != "id"} for cell in book["cells"]]
    return {**book, "cells": cells, "nbformat_minor": 4}


def with_other_ids(book: Book) -> Book:
    """The notebook after a tool that makes ids anew."""
    dice = random.Random(9)
    return {**book, "cells": [{**cell, "id": f"{dice.getrandbits(32):08x}"} for cell in book["cells"]]}


def with_other_sources(book: Book) -> Book:
    """Every source has a line edited and one more."""
    dice, after = random.Random(3), copy.deepcopy(book)
    for cell in after["cells"]:
        lines = cell["source"].split("\n")
        place = dice.randrange(len(lines))
        lines[place] = lines[place].replace("n=", "count=")
        cell["source"] = "\n".join([*lines, _line(dice)])
    return after


def with_other_outputs(book: Book) -> Book:
    """Every output is what another run gave: other numbers, other pictures."""
    dice, after = random.Random(4), copy.deepcopy(book)
    for cell in after["cells"]:
        for output in cell["outputs"]:
            if "text" in output:
                lines = output["text"].splitlines(keepends=True)
                output["text"] = "".join(f"{line.rsplit(' ', 1)[0]} {dice.random():.6f}\n" for line in lines)
            else:
                size = len(output["data"]["image/png"]) * 3 // 4
                output["data"]["image/png"] = base64.b64encode(dice.randbytes(size)).decode()
    return after


def _many_outputs() -> tuple[Book, Book]:
    """One cell that printed three hundred times, and another run of it."""
    before = notebook(1)
    dice = random.Random(5)
    before["cells"][0]["outputs"] = [_stream(_printed(dice, 8)) for _ in range(300)]
    return before, with_other_outputs(before)


def _pair(before: Book, change: Callable[[Book], Book], ids: bool = True) -> tuple[Book, Book]:
    after = change(before)
    return (before, after) if ids else (without_ids(before), without_ids(after))


CASES: Mapping[str, Callable[[], tuple[Book, Book]]] = {
    "ids-kept": lambda: _pair(notebook(500, 5_000_000), edited),
    "ids-missing": lambda: _pair(notebook(500, 5_000_000), edited, ids=False),
    "ids-regenerated": lambda: _pair(notebook(500), lambda book: with_other_ids(edited(book))),
    "every-source": lambda: _pair(notebook(500), with_other_sources),
    "every-source-no-ids": lambda: _pair(notebook(500), with_other_sources, ids=False),
    "every-output": lambda: _pair(notebook(500, 300_000), with_other_outputs),
    "every-output-no-ids": lambda: _pair(notebook(500, 300_000), with_other_outputs, ids=False),
    "one-cell-300-outputs": _many_outputs,
    "5000-cells": lambda: _pair(notebook(5_000, 5_000_000), edited),
    "5000-cells-no-ids": lambda: _pair(notebook(5_000, 5_000_000), edited, ids=False),
    "50-MB": lambda: _pair(notebook(500, 50_000_000), with_other_outputs),
    "50-MB-no-ids": lambda: _pair(notebook(500, 50_000_000), with_other_outputs, ids=False),
}
