"""The fast way to clean gives the very bytes of the general one, or leaves the notebook to it."""

from __future__ import annotations

import json
import random
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbpr import filters
from nbpr.errors import BadInput
from nbpr.notebooks import cleantext, notebook
from nbpr.notebooks.clean import DEFAULT, clean
from nbpr.notebooks.runstate import CLEANED_KEYS
from tests.generated import Layout, layouts
from tests.notebooks.test_clean import NOTEBOOKS, code, nb, result, stream


def generally(data: bytes) -> bytes | None:
    """What the general way makes of it; None where that refuses it."""
    try:
        before = notebook.parse(data, "nb.ipynb")
    except BadInput:
        return None
    after = clean(before, DEFAULT)
    return data if after is before else after.to_bytes()


def agrees(data: bytes) -> bool:
    """Hold the fast way to the general one; whether it had an answer."""
    quickly = cleantext.cleaned(data)
    if quickly is None:
        return False
    assert quickly == generally(data)
    assert cleantext.cleaned(quickly) is quickly
    assert (quickly is data) == (quickly == data)
    return True


def text(data: Any) -> bytes:
    return (json.dumps(data, indent=1, ensure_ascii=False) + "\n").encode()


PLAIN = nb(
    {"cell_type": "markdown", "id": "m", "metadata": {"tags": ["a"]}, "source": ["# é漢😀"]},
    code(outputs=[stream(), result()], metadata={"jupyter": {"outputs_hidden": True}}),
    code(outputs=[]),
    kernelspec={"name": "python3"},
)


def test_an_ordinary_notebook_is_cleaned_fast() -> None:
    assert agrees(text(PLAIN))
    assert agrees(b"\xef\xbb\xbf" + text(PLAIN).replace(b"\n", b"\r\n") + b" \t\r\n")


def test_what_is_cleaned_stays_the_same_object() -> None:
    once = cleantext.cleaned(text(PLAIN))
    assert once is not None
    assert cleantext.cleaned(once) is once


@pytest.mark.parametrize("metadata", [{key.rpartition(".")[2]: True} for key in CLEANED_KEYS if key[0] == "c"])
def test_run_state_in_a_cell_is_left_to_the_general_way(metadata: dict[str, Any]) -> None:
    assert not agrees(text(nb(code(metadata=metadata))))


@pytest.mark.parametrize("key", [key for key in CLEANED_KEYS if key[0] == "m"])
def test_run_state_of_the_notebook_is_left_to_the_general_way(key: str) -> None:
    assert not agrees(text(nb(**{key.removeprefix("metadata."): {}})))


def test_every_key_is_of_the_notebooks_metadata_or_a_cells() -> None:
    assert all(key.startswith(("metadata.", "cell.metadata.")) for key in CLEANED_KEYS)


ODD: list[dict[str, Any]] = [
    nb(code(outputs=[stream()], metadata={"tags": ["keep_output"]})),
    nb(code(outputs=[stream()], metadata={"init_cell": True})),
    nb(code(outputs=[stream()], metadata={"keep_output": True})),
    nb(code(outputs=[stream()]), keep_output=True),
    nb(code(outputs=[{}])),
    nb(code(outputs=[""])),
    nb(code(outputs=[{"output_type": ""}])),
    nb(code(outputs=[{"output_type": [""]}])),
    nb(code(**{"metadata.collapsed": 1})),
    {**nb(code()), "nbformat": 3},
    {**nb(code()), "nbformat": 4.0},
    {**nb(code()), "nbformat": True},
    {**nb(code()), "cells": {"a": 1}},
    {**nb(code()), "cells": [[]]},
    {"cells": []},
    {"nbformat": 4},
]


@pytest.mark.parametrize("data", ODD)
def test_what_is_odd_is_left_to_the_general_way(data: dict[str, Any]) -> None:
    assert not agrees(text(data))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"cells": [', b'"cells": 1, "cells": ['),
        (b'"nbformat": 4,', b'"nbformat": 3, "nbformat": 4,'),
        (b'"execution_count": 3', b'"execution_count": 3, "execution_count": null'),
        (b'"outputs": []', b'"outputs": [1], "outputs": []'),
        (b'"metadata": {\n    "jup', b'"metadata": {}, "metadata": {\n    "jup'),
        (b'"outputs"', b'"outp\\u0075ts"'),
        (b"\n}\n", b"\n}\n}"),
        (b"\n}\n", b"\n"),
        (b"# ", b"\xff"),
        (b"# ", b"\xed\xa0\x80"),
        (b"# ", b"\x01"),
        (b"# ", b"\\x"),
        (b"# ", b'"'),
        (b"3", b"03"),
        (b"3", b"9" * 5000),
        (b'"outputs": []', b'"outputs": ' + b"[" * 100_000),
        (b'"cells": [', b'"cells": [,'),
        (b'"outputs": [],', b'"outputs": [],,'),
        (b'"outputs": []', b'"outputs": [] 1'),
        (b'"outputs": []', b"outputs: []"),
    ],
)
def test_what_is_broken_or_doubled_is_left_to_the_general_way(old: bytes, new: bytes) -> None:
    data = text(PLAIN).replace(old, new)
    assert data != text(PLAIN)
    assert not agrees(data)


def test_big_notebooks_are_checked_to_be_utf8_to_the_last_byte(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cleantext, "_PORTION", 7)
    assert agrees(text(PLAIN))
    for place in range(20):
        cell = {"cell_type": "raw", "metadata": {}, "source": "x" * place + "漢"}
        data = text(nb(cell)).replace(b"\xbc\xa2", b"\xbc")
        assert not agrees(data)
    assert not agrees(text(PLAIN) + b"\xe6\xbc")


def ordinary(data: dict[str, Any]) -> dict[str, Any]:
    """The notebook without what would leave it to the general way."""

    def kept(metadata: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in metadata.items() if name in ("tags", "jupyter", "a", "kernelspec")}

    cells = [{**cell, "metadata": kept(cell["metadata"])} for cell in data["cells"]]
    return {**data, "cells": cells, "metadata": kept(data["metadata"])}


SOME = NOTEBOOKS | NOTEBOOKS.map(ordinary)


@given(SOME, layouts())
def test_generated_notebooks(data: dict[str, Any], layout: Any) -> None:
    agrees(layout.write(data))


@given(SOME, layouts(), st.data())
def test_mutated_notebooks(data: dict[str, Any], layout: Any, draw: st.DataObject) -> None:
    agrees(mutated(layout.write(data), draw))


#: What a mutation puts into a text: what JSON is made of, and what it is not.
PIECES = st.sampled_from(
    [*(bytes([sign]) for sign in b'{}[],:"\\0-e. \n\r\t\x00\x1f\x7f\x80\xff'), b"null", b"1e400", b"\xc3\xa9", b"\\u00"]
) | st.binary(min_size=1, max_size=3)


def mutated(data: bytes, draw: st.DataObject) -> bytes:
    """A text with a few pieces cut out, put in or written twice."""
    for _ in range(draw.draw(st.integers(1, 3))):
        start = draw.draw(st.integers(0, len(data)))
        end = draw.draw(st.integers(start, min(len(data), start + 30)))
        instead = draw.draw(PIECES | st.just(b"") | st.just(data[start:end] * 2))
        data = data[:start] + instead + data[end:]
    return data


def sources(data: bytes) -> list[Any]:
    """Of notebooks that do not say their version, too, which `notebook.parse` refuses."""
    return [cell.get("source") for cell in json.loads(data.decode("utf-8-sig", "surrogatepass"))["cells"]]


@given(SOME, layouts(), st.data())
def test_nothing_is_lost_and_nothing_crashes_and_twice_is_once(
    data: dict[str, Any], layout: Any, draw: st.DataObject
) -> None:
    """What the filter does to anything: a source keeps every byte, what is no notebook is not touched."""
    raw = layout.write(data)
    if draw.draw(st.booleans()):
        raw = mutated(raw, draw)
    warnings: list[str] = []
    once = filters.passed(raw, "nb.ipynb", None, warnings.append)
    if warnings:
        assert once is raw
        return
    assert filters.passed(once, "nb.ipynb", None, warnings.append) is once
    assert not warnings
    try:
        before = sources(raw)
    except KeyError:
        return  # of an old version, without cells of its own
    assert json.dumps(sources(once)) == json.dumps(before)


# -- ten thousand of them ----------------------------------------------------------------------------------

SIGNS = ["x", "\n", "\t", '"', "\\", "é", "漢", "😀", "\ud800", "\u2028", "\x7f", "{", "]", "outputs", "<<<<<<< "]
WORDS = ["collapsed", "tags", "scrolled", "papermill", "jupyter", "é", "keep_output", "execution", "init_cell", "a.b"]


def any_text(dice: random.Random) -> str | list[str]:
    text = "".join(dice.choices(SIGNS, k=dice.randrange(12)))
    return text.splitlines(keepends=True) if dice.random() < 0.5 else text


def any_value(dice: random.Random, depth: int = 2) -> Any:
    kind = dice.randrange(8 if depth else 6)
    if kind == 6:
        return [any_value(dice, depth - 1) for _ in range(dice.randrange(3))]
    if kind == 7:
        return {dice.choice(WORDS): any_value(dice, depth - 1) for _ in range(dice.randrange(3))}
    return [None, dice.random() < 0.5, dice.randrange(-9, 10**20), dice.random(), float("nan"), any_text(dice)][kind]


def any_cell(dice: random.Random) -> dict[str, Any]:
    kind = dice.choice(["code", "code", "markdown", "raw"])
    cell: dict[str, Any] = {"cell_type": kind, "metadata": {}, "source": any_text(dice)}
    if dice.random() < 0.3:
        cell["metadata"] = {dice.choice(WORDS): any_value(dice) for _ in range(dice.randrange(3))}
    if kind == "code":
        outputs = [stream(str(any_text(dice))), result(), {"output_type": "error", "traceback": any_text(dice)}, {}]
        cell["outputs"] = dice.choices(outputs, weights=[9, 9, 9, 1], k=dice.randrange(3))
        cell["execution_count"] = dice.choice([None, 1, 12])
    for name in [name for name in cell if dice.random() < 0.01]:
        cell[name] = any_value(dice)
    items = list(cell.items())
    dice.shuffle(items)
    return dict(items)


def any_notebook(dice: random.Random) -> bytes:
    data = nb(*(any_cell(dice) for _ in range(dice.randrange(6))), minor=dice.randrange(6))
    if dice.random() < 0.2:
        data["metadata"] = {dice.choice(WORDS): any_value(dice)}
    layout = Layout(
        indent=dice.choice([1, 1, 2, None, "\t"]),
        newline=dice.choice(["\n", "\n", "\r\n"]),
        final_newline=dice.random() < 0.8,
        ensure_ascii=dice.random() < 0.3,
        mark=dice.random() < 0.1,
        order=dice.choice(["sorted", "given"]),
    )
    raw = layout.write(data)
    for _ in range(dice.choice([0, 0, 0, 1, 1, 2])):
        start = dice.randrange(len(raw))
        end = min(len(raw), start + dice.choice([0, 1, 1, 9]))
        raw = raw[:start] + dice.choice([b"", b'"', b",", b"}", b"\\", b"0", b"\xff", raw[start:end] * 2]) + raw[end:]
    return raw


@pytest.mark.parametrize("trials", [400, pytest.param(10_000, marks=pytest.mark.soak)])
def test_any_notebook_goes_through(trials: int) -> None:
    """Never a crash, never a lost byte of source; twice is once; the fast way and the general one agree."""
    came = Counter[str]()
    for seed in range(trials):
        raw = any_notebook(random.Random(seed))
        warnings: list[str] = []
        once = filters.passed(raw, "nb.ipynb", None, warnings.append)
        if warnings:
            assert once is raw, seed
            came["no notebook"] += 1
            continue
        came["fast" if agrees(raw) else "general"] += 1
        assert filters.passed(once, "nb.ipynb", None, warnings.append) is once, seed
        assert json.dumps(sources(once)) == json.dumps(sources(raw)), seed
    # All three kinds are there, so that this is a test of something.
    assert all(came[kind] > trials // 10 for kind in ("no notebook", "fast", "general")), came
