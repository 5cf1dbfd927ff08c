"""Guards that are taken away: each one named, and nothing said of a change that takes none."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from nbpr.checks import weakened
from nbpr.config import Bound, Clean, Config, Execute, Gate
from nbpr.notebooks import notebook
from nbpr.notebooks.notebook import Notebook
from tests.projects import cell, dumped

CHECKED = cell("a", "code", "# NBVAL_CHECK_OUTPUT\nprint(1)")
PLAIN = cell("b", "code", "x = 2")
GLUE = cell("c", "code", "import scrapbook as sb\nsb.glue('score', x)")


def nb(*cells: dict[str, Any]) -> Notebook:
    return notebook.parse(dumped(cells), "n.ipynb")


def said(before: Notebook, after: Notebook) -> list[tuple[str | None, str]]:
    return [(each.cell_id, each.message) for each in weakened.check(before, after, "n.ipynb")]


BASE = nb(CHECKED, PLAIN, GLUE)


@pytest.mark.parametrize(
    ("after", "cell_id", "message"),
    [
        (nb(cell("a", "code", "print(1)"), PLAIN, GLUE), "a", "NBVAL_CHECK_OUTPUT"),
        (nb(cell("new", "code", "print(1)"), PLAIN, GLUE), "new", "NBVAL_CHECK_OUTPUT"),
        (nb(cell("a", "code", "# NBVAL_IGNORE_OUTPUT\nprint(1)"), PLAIN, GLUE), "a", "NBVAL_CHECK_OUTPUT"),
        (nb(PLAIN, GLUE), "a", "taken away"),
        (nb(CHECKED, cell("b", "code", "# NBVAL_IGNORE_OUTPUT\nx = 2"), GLUE), "b", "ignored now"),
        (nb(CHECKED, cell("b", "code", "# NBVAL_SKIP\nx = 2"), GLUE), "b", "NBVAL_SKIP"),
        (nb(CHECKED, cell("b", "code", "x = 2", ["nbval-skip"]), GLUE), "b", "NBVAL_SKIP"),
        (nb(CHECKED, cell("b", "code", "x = 2", ["raises-exception"]), GLUE), "b", "may raise"),
        (nb({**CHECKED, "metadata": {"tags": ["nbpr-private"]}}, PLAIN, GLUE), "a", "nbpr-private"),
        (nb(CHECKED, PLAIN, cell("c", "code", "x")), None, "the scrap score"),
        (nb(CHECKED, PLAIN, cell("c", "code", "# sb.glue('score', x)")), None, "the scrap score"),
        (nb(CHECKED, PLAIN, GLUE, cell("d", "code", "1/0", ["raises-exception"])), "d", "a new cell may raise"),
    ],
)
def test_a_notebook_that_loses_a_guard(after: Notebook, cell_id: str | None, message: str) -> None:
    found = said(BASE, after)
    assert any(where == cell_id and message in text for where, text in found), found


@pytest.mark.parametrize(
    "after",
    [
        BASE,
        nb(CHECKED, cell("b", "code", "x = 3"), GLUE),
        nb(PLAIN, GLUE, CHECKED),
        nb(cell("new", "code", "# NBVAL_CHECK_OUTPUT\nprint(1)"), PLAIN, GLUE),
        nb(cell("a", "code", "print(2)  # more\n# NBVAL_CHECK_OUTPUT"), PLAIN, GLUE),
        nb(CHECKED, cell("b", "code", "# NBVAL_CHECK_OUTPUT\nx = 2"), GLUE, cell("d", "code", "y = 1")),
        nb(CHECKED, PLAIN, cell("c", "code", 'import scrapbook\nscrapbook.glue("score", x + 1)')),
    ],
)
def test_a_notebook_that_keeps_its_guards(after: Notebook) -> None:
    assert said(BASE, after) == []


def test_a_new_notebook_has_none_to_lose() -> None:
    assert weakened.check(None, nb(cell("a", "code", "1/0", ["raises-exception"])), "n.ipynb") == []


CONFIG = Config(
    scraps={"score": Bound(min=0.5, max=0.9, max_drop="5%"), "exact": Bound(equals=3)},
    checks={"clean": "error", "size": "warning"},
    inputs=("data/**", "src/**"),
    require_reference=True,
    reproduce="auto",
    execute=Execute(env=("A",)),
)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"scraps": {}}, "the bounds of score are taken away"),
        ({"scraps": {**CONFIG.scraps, "score": Bound(min=0.4, max=0.9, max_drop="5%")}}, "min is 0.4 now, was 0.5"),
        ({"scraps": {**CONFIG.scraps, "score": Bound(min=0.5, max_drop="5%")}}, "max 0.9 is taken away"),
        ({"scraps": {**CONFIG.scraps, "score": Bound(min=0.5, max=0.9, max_drop="50%")}}, "max-drop is 50% now"),
        ({"scraps": {**CONFIG.scraps, "score": Bound(min=0.5, max=0.9, max_drop=0.01)}}, "max-drop is 0.01 now"),
        ({"scraps": {**CONFIG.scraps, "exact": Bound(equals=4)}}, "equals is 4 now"),
        ({"checks": {"clean": "warning", "size": "warning"}}, "checks.clean is warning now, was error"),
        ({"checks": {"execute": "off"}}, "checks.execute is off now, was error"),
        ({"inputs": ("data/**",)}, "inputs are narrowed: without src/**"),
        ({"require_reference": False}, "require-reference is false now"),
        ({"reproduce": False}, "reproduce is false now, was auto"),
        ({"outputs": "none"}, "outputs is none now, was all"),
        ({"max_output": 10**9}, "max-output is 1000000000 now"),
        ({"sanitize_with": "more.cfg"}, "sanitize-with is more.cfg now"),
        ({"execute": Execute(env=("A", "KEY"))}, "execute.env has KEY more"),
        ({"execute": Execute(env=("A",), sandbox="none")}, "execute.sandbox is none now, was auto"),
        ({"execute": Execute(env=("A",), network=True)}, "execute.network is true now"),
        ({"clean": Clean(keep_output=("keep_output", "figure"))}, "clean.keep-output has figure more"),
        ({"notebooks": ("other/*.ipynb",)}, "looked at no more"),
        ({"gate": Gate(skip="commit")}, "gate.skip is commit now, was never"),
        ({"runs": "elsewhere"}, "runs are kept in elsewhere"),
    ],
)
def test_settings_that_lose_a_guard(changes: dict[str, Any], message: str) -> None:
    after = replace(CONFIG, **changes)
    found = [each.message for each in weakened.settings(CONFIG, after, "pyproject.toml")]
    assert any(message in text for text in found), found


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"scraps": {"score": Bound(min=0.6, max=0.8, max_drop="4%"), "exact": Bound(equals=3), "more": Bound(min=1)}},
        {"checks": {"size": "error"}},
        {"inputs": ("data/**", "src/**", "more/**")},
        {"inputs": ()},
        {"reproduce": True, "parameters": {"n": 3}},
        {"execute": Execute(timeout=5)},
    ],
)
def test_settings_that_keep_theirs(changes: dict[str, Any]) -> None:
    assert weakened.settings(CONFIG, replace(CONFIG, **changes), "pyproject.toml") == []


def test_inputs_where_there_were_none_are_narrower() -> None:
    (found,) = weakened.settings(Config(), Config(inputs=("data/**",)), "nbpr.toml")
    assert "no more every tracked file" in found.message


def test_of_one_notebook_what_all_lose_is_told_once() -> None:
    after = replace(CONFIG, reproduce=False)
    told = weakened.settings(CONFIG, after, "pyproject.toml")
    assert weakened.own_settings(CONFIG, after, "n.ipynb", told=told) == []
    assert len(weakened.own_settings(CONFIG, replace(after, outputs="none"), "n.ipynb", told=told)) == 1


def test_files_that_allow_more() -> None:
    (found,) = weakened.allowed({"a" * 16: "test"}, {"a" * 16: "test", "b" * 16: "why"}, ".nbpr-allowed")
    assert "b" * 16 in found.message
    assert weakened.allowed({"a" * 16: "test"}, {}, ".nbpr-allowed") == []
    before, after = b"[r]\nregex: \\d+\nreplace: N\n", b"[r]\nregex: \\d+\nreplace: N\n[s]\nregex: .*\nreplace: X\n"
    (wider,) = weakened.sanitizing(before, after, "s.cfg")
    assert wider.message.endswith(": .*")
    assert weakened.sanitizing(after, before, "s.cfg") == []
    assert [each.message for each in weakened.accepted(2, "f")] == ["2 findings more are accepted"]


def test_scraps_that_a_run_has_no_more() -> None:
    told = weakened.check(BASE, nb(CHECKED, PLAIN), "n.ipynb")
    assert [each.message for each in told] == ["the scrap score is glued no more"]
    gone = weakened.scraps({"score": 1, "count": 2}, {}, "n.ipynb", told)
    assert [each.message for each in gone] == ["the scrap count is glued no more"]
