"""Notebooks as people have them, made from a seed: 20 cells, outputs, a picture; some 48 kB each, 13 kB when clean."""

from __future__ import annotations

import base64
import json
import random
from pathlib import Path
from typing import Any

CELLS = 20
#: The bytes of a small matplotlib figure.
PICTURE = 18_000


def write(folder: Path, count: int, *, ran: bool = True, edited: bool = False) -> None:
    """Write so many notebooks; not `ran`: without outputs, as they are committed; `edited`: with another line each."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        book = notebook(number, edited)
        for cell in book["cells"]:
            if not ran and cell["cell_type"] == "code":
                cell.update(outputs=[], execution_count=None)
        text = json.dumps(book, indent=1, ensure_ascii=False) + "\n"
        (folder / f"notebook_{number:04d}.ipynb").write_text(text, encoding="utf-8")


def notebook(seed: int, edited: bool = False) -> dict[str, Any]:
    """One notebook."""
    dice = random.Random(seed)
    cells = [_text(dice, index) if index % 4 == 0 else _code(dice, index) for index in range(CELLS)]
    if edited:
        cells[1]["source"][1] = "edited = True\n"
    metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python", "version": "3.11.7"},
    }
    return {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


def _text(dice: random.Random, index: int) -> dict[str, Any]:
    source = [f"# Part {index}\n", "\n", f"Readings – {dice.random()} of them – are as before.\n", "More words."]
    return {"cell_type": "markdown", "id": _id(dice), "metadata": {}, "source": source}


def _code(dice: random.Random, index: int) -> dict[str, Any]:
    lines = [f"value_{n} = compute({dice.random()}, 'text')  # as measured\n" for n in range(8)]
    return {
        "cell_type": "code",
        "execution_count": index,
        "id": _id(dice),
        "metadata": {},
        "outputs": _outputs(dice, index),
        "source": ["import numpy as np\n", *lines, "value_3"],
    }


def _outputs(dice: random.Random, index: int) -> list[dict[str, Any]]:
    if index == 7:
        picture = base64.b64encode(dice.randbytes(PICTURE)).decode() + "\n"
        data: dict[str, Any] = {"image/png": picture, "text/plain": ["<Figure size 640x480 with 1 Axes>"]}
        return [{"data": data, "metadata": {}, "output_type": "display_data"}]
    if index % 4 == 1:
        text = [f"line {n}: {dice.random()}\n" for n in range(12)]
        return [{"name": "stdout", "output_type": "stream", "text": text}]
    if index % 4 == 2:
        rows = [f"<tr><td>{dice.random()}</td></tr>\n" for _ in range(20)]
        data = {"text/html": ["<table>\n", *rows], "text/plain": [f"  {dice.random()}\n" for _ in range(20)]}
        return [{"data": data, "execution_count": index, "metadata": {}, "output_type": "execute_result"}]
    return []


def _id(dice: random.Random) -> str:
    return f"{dice.getrandbits(32):08x}"
