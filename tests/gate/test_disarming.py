"""A change that would disarm its own gate: found, named, and not obeyed."""

from __future__ import annotations

import json

import pytest

from nbpr.git.repository import Repository
from tests.conftest import git
from tests.gate.workshop import SETTINGS, commit, edited, gate, path, said, source

pytestmark = pytest.mark.kernel


def test_settings_are_base_s(project: Repository) -> None:
    """A bound that is widened, reproduce = false and a check that is off, in the change that needs them."""
    lax = SETTINGS.replace("min = 0.5", "min = 0.0").replace('max-drop = "10%"\n', "")
    lax = lax.replace("[tool.nbpr]\n", '[tool.nbpr]\nreproduce = false\noutputs = "none"\nchecks = {clean = "off"}\n')
    forged = (project.root / "runs/good.ipynb").read_bytes().replace(b"of 3 rows", b"of 4 rows")
    commit(project, {"pyproject.toml": lax, path("low"): source("# low\n", 0.1), "runs/good.ipynb": forged})
    result = gate(project)
    told = [message for where, message in said(result, "weakened") if where == "pyproject.toml"]
    assert sorted(told) == [
        "checks.clean is off now, was error",
        "outputs is none now, was all",
        "reproduce is false now, was auto",
        "score: max-drop 10% is taken away",
        "score: min is 0.0 now, was 0.5",
    ]
    assert ("notebooks/low.ipynb", "score is 0.1, below min 0.5 (base: 0.9)") in said(result, "scraps")
    assert any(where == path("good") and "of 4 rows" in message for where, message in said(result, "reproduce"))


def test_a_forged_result_is_named_and_reviewers_see_the_gate_s_own(project: Repository) -> None:
    forged = (project.root / "runs/good.ipynb").read_bytes()
    lines = forged.replace(b'"data": 0.9,', b'"data": 0.95,').replace(b'"0.9"', b'"0.95"')
    assert lines != forged
    commit(project, {"runs/good.ipynb": lines})
    result = gate(project)
    (judged,) = result.notebooks
    assert judged.change == "modified"
    assert len(said(result, "reference", "warning")) == 2
    assert judged.scraps == ({"name": "score", "before": 0.9, "after": 0.9, "bound": "min 0.5, max-drop 10%"},)
    assert judged.executed is not None
    assert b"0.95" not in judged.executed


def test_a_marked_cell_without_its_outputs_is_not_let_pass(project: Repository) -> None:
    run = json.loads((project.root / "runs/good.ipynb").read_bytes())
    run["cells"][1] |= {"outputs": [], "execution_count": None}
    commit(project, {"runs/good.ipynb": json.dumps(run, indent=1, sort_keys=True) + "\n"})
    assert said(gate(project), "reference") == [
        (path("good"), "cell 1: it is marked, and runs/good.ipynb has no outputs of it")
    ]


def test_markers_runs_and_lists(project: Repository) -> None:
    bare = source("# good\n").replace(b"# NBVAL_CHECK_OUTPUT\\n", b"")
    entries = [{"check": "clean", "path": path("dirty"), "cell": "", "message": "outputs in 1 cell"}]
    commit(
        project,
        {
            path("good"): bare,
            "runs/shaky.ipynb": None,
            ".nbpr-allowed": "0123456789abcdef  only a test\n",
            ".nbpr-accepted.json": json.dumps(entries),
        },
    )
    told = said(gate(project), "weakened")
    assert (path("good"), "a cell's output is not checked any more (NBVAL_CHECK_OUTPUT)") in told
    assert (path("shaky"), "the reference run runs/shaky.ipynb is taken away, so nothing is compared any more") in told
    assert (".nbpr-allowed", "the allow-list gets 0123456789abcdef (only a test)") in told
    assert (".nbpr-accepted.json", "1 finding more is accepted") in told


def test_settings_that_cannot_be_read_are_no_way_out(project: Repository) -> None:
    commit(project, {"pyproject.toml": "[tool.nbpr\n", path("low"): source("# low\n", 0.1)})
    result = gate(project)
    assert any("cannot be read" in message for _, message in said(result, "weakened"))
    assert said(result, "scraps")


def test_a_notebook_that_moves_keeps_its_rules(project: Repository) -> None:
    own = SETTINGS + '\n[tool.nbpr.notebook."notebooks/low.ipynb".scraps.score]\nmin = 0.8\n'
    git(project.root, "switch", "-q", "main")
    commit(project, {"pyproject.toml": own})
    git(project.root, "push", "-q", "origin", "main")
    git(project.root, "switch", "-q", "-C", "topic")
    git(project.root, "mv", path("low"), path("moved"))
    commit(project, edited(project, path("moved"), lambda text: text.replace("score = 0.9", "score = 0.7")))
    result = gate(project)
    (judged,) = result.notebooks
    assert (judged.path, judged.path_before, judged.change) == (path("moved"), path("low"), "modified")
    assert "score is 0.7, below min 0.8 (base: 0.9)" in [message for _, message in said(result, "scraps")]
