"""`reference`: how a committed run stands to its notebook, and to what a run gives now."""

from __future__ import annotations

import copy

from nbpr.checks.reference import check, differing
from tests.kernels import code, markdown, notebook

PATH, RUN = "notebooks/a.ipynb", "runs/a.ipynb"


def test_a_missing_run_is_a_warning_unless_it_is_required() -> None:
    (found,) = check(PATH, RUN, "missing")
    assert (found.check, found.level, found.path, found.hint) == ("reference", "warning", PATH, f"nbpr run {PATH}")
    assert RUN in found.message
    assert [each.level for each in check(PATH, RUN, "missing", required=True)] == ["error"]


def test_a_run_of_something_else_is_an_error() -> None:
    (found,) = check(PATH, RUN, "out of step")
    assert (found.level, found.message) == ("error", f"{RUN} is not a run of this notebook as it stands")


def test_cells_that_differ_unmarked_are_warnings() -> None:
    assert check(PATH, RUN, "in step") == []
    found = check(PATH, RUN, "in step", differing=[(1, "c1"), (4, None)])
    assert [(each.level, each.cell_id) for each in found] == [("warning", "c1"), ("warning", None)]
    assert found[0].message.startswith("cell 1: ")


def test_which_cells_differ() -> None:
    before = notebook(
        markdown("m"), "same", "other", "# NBVAL_CHECK_OUTPUT\nmarked", "# NBVAL_IGNORE_OUTPUT\nignored",
        code("n = 1", "injected-parameters"), "last",
    )  # fmt: skip
    after = copy.deepcopy(before)
    for cell in after["cells"][2:]:
        cell["outputs"] = [{"output_type": "stream", "name": "stdout", "text": ["x"]}]
    assert differing(before, after) == [(2, "c2"), (5, "c6")]
    assert differing(before, before) == []
