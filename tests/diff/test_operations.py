"""nbdime's diff, and the law that it leads from one notebook to the other, whatever the notebooks are."""

from __future__ import annotations

import copy
import difflib
import math
import random
import subprocess
import sys
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbpr.diff import operations
from nbpr.diff.operations import diff, same
from nbpr.notebook import quick_imports
from tests.diff.scripts import book, code, display, edited, markdown, notebooks, stream

quick_imports()
from nbdime.diffing import generic, seq_difflib  # noqa: E402
from nbdime.diffing import notebooks as nbdime  # noqa: E402
from nbdime.patching import patch  # noqa: E402


def holds(before: Any, after: Any) -> bool:
    """Whether the diff leads from `before` to `after`, and leaves both alone."""
    kept = copy.deepcopy(before), copy.deepcopy(after)
    found = diff(before, after)
    assert same(before, kept[0])
    assert same(after, kept[1])
    return same(patch(before or {}, found), after or {})


@given(st.data())
def test_patching_the_one_with_the_diff_gives_the_other(data: st.DataObject) -> None:
    before = data.draw(notebooks())
    assert holds(before, data.draw(edited(before)))


@given(notebooks(), notebooks())
def test_unrelated_notebooks_too(before: dict[str, Any], after: dict[str, Any]) -> None:
    assert holds(before, after)


@given(st.data())
def test_the_coarse_diff_keeps_the_same_law(data: st.DataObject) -> None:
    before = data.draw(notebooks())
    after = data.draw(edited(before))
    assert same(patch(before, operations.coarse(before, after)), after)


NESTED = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-2, 2), st.floats(), st.text(max_size=3)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)),
    max_leaves=8,
)


@given(NESTED, NESTED, NESTED, NESTED)
def test_members_that_no_schema_knows(one: Any, other: Any, third: Any, fourth: Any) -> None:
    before = {"cells": [code("x", "a", extra=one), {"cell_type": "code", "source": third}], "x": one}
    after = {"cells": [code("x", "a", extra=other), {"cell_type": "code", "metadata": fourth}], "x": other}
    assert holds(before, after)


ODD: dict[str, tuple[Any, Any]] = {
    "nothing before": (None, book(code("x", "a"))),
    "nothing after": (book(code("x", "a")), None),
    "code without outputs": (book({"cell_type": "code", "source": "x", "metadata": {}}), book(code("y"))),
    "no metadata": (book({"cell_type": "code", "source": "x"}), book({"cell_type": "markdown", "source": "x"})),
    "no source": (book({"cell_type": "code", "id": "a"}), book(code("x", "a"))),
    "sources as lists": (book(code(["a\n", "b"], "a")), book(code(["a\n", "c"], "a"))),  # type: ignore[arg-type]
    "list becomes text": (book(code(["a"], "a")), book(code("a", "a"))),  # type: ignore[arg-type]
    "doubled ids": (book(code("x", "a"), code("y", "a")), book(code("y", "a"), code("x", "a"), code("z", "a"))),
    "ids that are no text": (book(code("x", id=7)), book(code("x", id=["a"]), code("x", id={"a": 1}))),
    "cells that are no objects": (book("x", None, 1), book(["x"], code("y"))),  # type: ignore[arg-type]
    "cells gone": ({"metadata": {}}, book(code("x"))),
    "true is not one": (book(code("x", "a", metadata={"n": 1})), book(code("x", "a", metadata={"n": True}))),
    "one is not 1.0": (book(n=1), book(n=1.0)),
    "NaN becomes a number": (book(n=math.nan), book(n=1)),
    "half a pair": (book(code("\ud83d", "a")), book(code("\udc00", "a"))),
    "outputs that are no list": (book(code("x", "a", outputs="x")), book(code("x", "a", outputs=None))),
    "text of lists": (book(code("x", "a", outputs=[stream(["a"])])), book(code("x", "a", outputs=[stream("b")]))),  # type: ignore[arg-type]
    "rich output of lists": (
        book(code("x", "a", outputs=[display(text_plain=["a"])])),
        book(code("x", "a", outputs=[display(text_plain=["b"])])),
    ),
    "empty cells": (book({}, {}), book({})),
}


@pytest.mark.parametrize("name", ODD)
def test_odd_notebooks(name: str) -> None:
    before, after = ODD[name]
    assert holds(before, after)
    assert diff(before, after) != []


def test_nan_is_like_nan() -> None:
    assert diff(book(n=float("nan")), book(n=float("nan"))) == []


def test_the_order_of_keys_is_no_difference() -> None:
    notebook = book(code("x", "a"))
    assert diff(notebook, dict(reversed(notebook.items()))) == []


def test_equal_notebooks_need_no_nbdime() -> None:
    script = (
        "import sys; from nbpr.diff.notebooks import compare, diff;"
        "nb = {'cells': [{'cell_type': 'code', 'source': 'x'}], 'nbformat': 4};"
        "assert diff(nb, dict(nb)) == [] and compare('nb', nb, nb).status == 'unchanged';"
        "sys.exit(any(name in sys.modules for name in ('nbdime', 'nbformat', 'git', 'typer')))"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_what_the_process_had_set_in_nbdime_neither_counts_nor_gets_lost() -> None:
    nbdime.set_notebook_diff_targets(sources=False)
    try:
        mine = dict(nbdime.notebook_differs)
        assert holds(book(code("x", "a")), book(code("y", "a")))
        assert diff(book(code("x", "a")), book(code("y", "a"))) != []
        assert dict(nbdime.notebook_differs) == mine
    finally:
        nbdime.reset_notebook_differ()


def test_the_settings_come_back_when_nbdime_fails() -> None:
    before = dict(nbdime.notebook_predicates)
    assert holds(*ODD["code without outputs"])
    assert dict(nbdime.notebook_predicates) == before
    assert generic.difflib is difflib
    assert seq_difflib.SequenceMatcher is difflib.SequenceMatcher


def test_an_edited_line_is_nbdimes_own_diff() -> None:
    before, after = book(code("a\nb\nc", "a"), markdown("x", "b")), book(code("a\nB\nc", "a"), markdown("x", "b"))
    quick_imports()
    from nbformat import from_dict

    assert diff(before, after) == nbdime.diff_notebooks(from_dict(before), from_dict(after))


@pytest.mark.slow
def test_one_source_that_is_too_long_to_be_likened_is_diffed_by_lines() -> None:
    sources = ["\n".join(f"x_{i} = {f'{i * step} + ' * 60}0" for i in range(20)) for step in (3, 7)]
    before, after = (book(code(source, "a"), code(f"y = {source[6]}", "b")) for source in sources)
    assert holds(before, after)
    (cells,) = diff(before, after)
    assert [entry["op"] for cell in cells["diff"] for entry in cell["diff"][0]["diff"]][:2] == [
        "addrange",
        "removerange",
    ]


@pytest.mark.slow
def test_what_nbdime_would_take_minutes_for_is_done_in_seconds() -> None:
    numbers = random.Random(7)
    tables = ["".join(f"<td>{numbers.random():.4f}</td>\n" for _ in range(450)) for _ in range(40)]
    before = book(*(code("show()", outputs=[display(text_html=html)]) for html in tables[:20]), minor=4)
    after = book(*(code("show()", outputs=[display(text_html=html)]) for html in tables[20:]), minor=4)
    started = time.perf_counter()
    assert holds(before, after)
    assert time.perf_counter() - started < 20
