"""nbdime's diff, and the law that it leads from one notebook to the other, whatever the notebooks are."""

from __future__ import annotations

import copy
import io
import json
import math
import random
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbpr.diff.notebooks import plain
from nbpr.diff.operations import diff, find, same
from nbpr.notebooks.notebook import quick_imports
from tests.diff.scripts import book, code, display, edited, markdown, notebooks, scripted, stream

quick_imports()
from nbdime.diff_format import validate_diff  # noqa: E402
from nbdime.diffing import notebooks as nbdime  # noqa: E402
from nbdime.patching import patch  # noqa: E402
from nbformat import from_dict  # noqa: E402

ROOT = Path(__file__).parent.parent.parent


def holds(before: Any, after: Any) -> bool:
    """Whether the diff leads from `before` to `after`, and leaves both alone."""
    kept = copy.deepcopy(before), copy.deepcopy(after)
    found = diff(before, after)
    validate_diff(found, deep=True)
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
def test_out_of_patience_it_keeps_the_same_law(data: st.DataObject) -> None:
    before = data.draw(notebooks())
    after = data.draw(edited(before))
    assert same(patch(before, diff(before, after, patience=0)), after)


@pytest.mark.parametrize("hundred", range(2))
def test_edit_scripts(hundred: int) -> None:
    for seed in range(100 * hundred, 100 * (hundred + 1)):
        assert holds(*scripted(seed)), seed


@pytest.mark.soak
@pytest.mark.parametrize("thousand", range(10))
def test_ten_thousand_edit_scripts(thousand: int) -> None:
    for seed in range(1000 * thousand, 1000 * (thousand + 1)):
        assert holds(*scripted(seed)), seed


def test_every_pair_of_this_repository_s_notebooks() -> None:
    found = [path for folder in ("notebooks", "runs", "tests") for path in sorted((ROOT / folder).rglob("*.ipynb"))]
    books = [plain(book) for book in map(_loaded, found) if isinstance(book, dict)]
    assert len(books) >= 4
    for before in books:
        for after in books:
            assert holds(before, after)


def _loaded(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except ValueError:
        return None  # a test's example of what is no notebook


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
    nbdime.set_notebook_diff_targets(sources=False, outputs=False)
    try:
        mine = dict(nbdime.notebook_differs)
        assert holds(book(code("x", "a")), book(code("y", "a", outputs=[stream("z")])))
        assert len(diff(book(code("x", "a")), book(code("y", "a")))) == 1
        assert dict(nbdime.notebook_differs) == mine
    finally:
        nbdime.reset_notebook_differ()


def test_many_diffs_at_once() -> None:
    pairs = [scripted(seed) for seed in range(24)]
    alone = [find(*pair).diff for pair in pairs]
    found: list[Any] = [None] * len(pairs)
    start = threading.Barrier(len(pairs))

    def work(place: int) -> None:
        start.wait()
        found[place] = find(*pairs[place]).diff

    threads = [threading.Thread(target=work, args=(place,)) for place in range(len(pairs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == alone


def test_nbdime_prints_it() -> None:
    from nbdime.prettyprint import PrettyPrintConfig, pretty_print_notebook, pretty_print_notebook_diff

    for seed in range(40):
        before, after = map(from_dict, scripted(seed))
        out = io.StringIO()
        found = diff(before, after)
        pretty_print_notebook_diff("a.ipynb", "b.ipynb", before, found, PrettyPrintConfig(out=out, use_git=False))
        assert bool(out.getvalue()) == bool(found)
        pretty_print_notebook(patch(before, found), PrettyPrintConfig(out=io.StringIO()))


def test_an_edited_line_is_nbdimes_own_diff() -> None:
    before, after = book(code("a\nb\nc", "a"), markdown("x", "b")), book(code("a\nB\nc", "a"), markdown("x", "b"))
    assert diff(before, after) == nbdime.diff_notebooks(from_dict(before), from_dict(after))


def test_ids_are_names_and_a_cell_that_moved_is_taken_out_and_put_in() -> None:
    a, b, c = code("load(everything)", "a"), code("load(everything, again=True)", "b"), markdown("# end", "c")
    before, after = book(a, b, c), book(b, c, {**a, "source": "load(nothing)"})
    (cells,) = diff(before, after)
    assert [(entry["op"], entry["key"]) for entry in cells["diff"]] == [("removerange", 0), ("addrange", 3)]
    assert holds(before, after)


def test_a_cell_in_the_middle_of_equal_ones_keeps_its_outputs() -> None:
    shows = [code("plt.show()", outputs=[stream(f"figure {n}\n")]) for n in range(10)]
    (cells,) = diff(book(*shows, minor=4), book(*shows[:4], *shows[5:], minor=4))
    assert [(entry["op"], entry["key"]) for entry in cells["diff"]] == [("removerange", 4)]


def test_new_ids_everywhere_are_no_other_cells() -> None:
    before, after = scripted(7)
    after = copy.deepcopy(before)
    for number, cell in enumerate(after["cells"]):
        cell["id"] = f"other{number}"
    (cells,) = diff(before, after)
    assert {entry["op"] for entry in cells["diff"]} == {"patch"}


def test_hundreds_of_texts_that_changed_are_paired_by_the_lines_they_share() -> None:
    dice = random.Random(3)
    sources = ["\n".join(f"row_{dice.randrange(10**6)} = {dice.random()}" for _ in range(8)) for _ in range(60)]
    others = [source.replace("\n", "\nprint()\n") for source in sources]
    del others[20:25]
    others.insert(3, "\n".join(f"new_{dice.randrange(10**6)}" for _ in range(8)))
    before, after = (book(*map(code, side), minor=4) for side in (sources, others))
    assert holds(before, after)
    ((cells,),) = ([entry["diff"] for entry in diff(before, after)],)
    operations = [(entry["op"], entry["key"]) for entry in cells if entry["op"] != "patch"]
    assert operations == [("addrange", 3), ("removerange", 20)]


def test_out_of_patience_the_diff_says_that_it_is_coarse() -> None:
    dice = random.Random(5)
    words = [" ".join(dice.choice(["alpha", "beta", "gamma", "delta"]) for _ in range(40)) for _ in range(30)]
    before, after = (book(*map(code, side), minor=4) for side in (words[:15], words[15:]))
    assert not find(before, after).coarse
    assert find(before, after, patience=1e-4).coarse
    assert same(patch(before, diff(before, after, patience=1e-4)), after)


@pytest.mark.slow
def test_what_nbdime_would_take_minutes_for_is_done_in_seconds() -> None:
    numbers = random.Random(7)
    tables = ["".join(f"<td>{numbers.random():.4f}</td>\n" for _ in range(450)) for _ in range(40)]
    before = book(*(code("show()", outputs=[display(text_html=html)]) for html in tables[:20]), minor=4)
    after = book(*(code("show()", outputs=[display(text_html=html)]) for html in tables[20:]), minor=4)
    started = time.process_time()
    assert holds(before, after)
    assert time.process_time() - started < 20


def test_too_many_cells_that_share_nothing_are_replaced_and_the_diff_says_that_it_is_coarse() -> None:
    before, after = (
        book(*(code(f"{word}_{n} = {word}({n}, {n * n})") for n in range(60)), minor=4) for word in ("alpha", "omega")
    )
    assert find(before, after).coarse
    assert holds(before, after)
    few = [{**side, "cells": side["cells"][:40]} for side in (before, after)]
    assert not find(*few).coarse
