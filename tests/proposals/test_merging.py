"""Merging two commits without a checkout."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nbpr.config import Config
from nbpr.errors import Conflict
from nbpr.git.repository import Repository
from nbpr.notebooks import notebook
from nbpr.proposals.merging import MergedTree, merge_trees
from tests import projects
from tests.conftest import git
from tests.projects import NOTEBOOK, RUN

Files = dict[str, bytes | None]


@pytest.fixture
def repo(tmp_path: Path) -> Repository:
    return projects.make(tmp_path, {RUN: projects.health(), "lines.txt": "1\n2\n3\n4\n5\n"}, remote=False)


def side(repo: Repository, files: Files) -> str:
    base = str(repo.head)
    return repo.commit(repo.edited_tree(base, files), [base], "side\n")


def merged(repo: Repository, ours: Files, theirs: Files) -> MergedTree:
    return merge_trees(repo, Config(), str(repo.head), side(repo, ours), side(repo, theirs))


def replaced(old: str, new: str) -> bytes:
    text = projects.health().decode()
    assert old in text
    return text.replace(old, new).encode()


def test_one_side_alone(repo: Repository) -> None:
    made = merged(repo, {}, {"lines.txt": b"other\n", "new": b"n", "README.md": None})
    assert repo.read(made.tree, "lines.txt") == b"other\n"
    assert repo.read(made.tree, "new") == b"n"
    assert repo.read(made.tree, "README.md") is None
    assert (made.notebooks, made.runs) == ((), ())


def test_notebooks_by_cell_either_way_round(repo: Repository) -> None:
    one = {NOTEBOOK: replaced("0.95", "0.90"), "lines.txt": b"one\n2\n3\n4\n5\n"}
    two = {NOTEBOOK: replaced("How many", "Say how many"), "lines.txt": b"1\n2\n3\n4\nfive\n"}
    for ours, theirs in ((one, two), (two, one)):
        made = merged(repo, ours, theirs)
        assert repo.read(made.tree, NOTEBOOK) == replaced("0.95", "0.90").replace(b"How many", b"Say how many")
        assert repo.read(made.tree, "lines.txt") == b"one\n2\n3\n4\nfive\n"
        assert made.notebooks == (NOTEBOOK,)


def test_both_sides_insertions_are_kept(repo: Repository) -> None:
    def with_cell(cell_id: str) -> bytes:
        data = json.loads(projects.health())
        data["cells"].insert(1, projects.cell(cell_id, "markdown", f"about {cell_id}"))
        return json.dumps(data, indent=1, sort_keys=True).encode()

    made = merged(repo, {NOTEBOOK: with_cell("mine")}, {NOTEBOOK: with_cell("yours")})
    nb = notebook.parse(repo.read(made.tree, NOTEBOOK) or b"", NOTEBOOK)
    assert {"mine", "yours"} < {cell.id for cell in nb.cells}
    assert len(nb.cells) == len(projects.SOURCES) + 2


@pytest.mark.parametrize(
    ("ours", "theirs", "told"),
    [
        ({NOTEBOOK: replaced("0.95", "0.90")}, {NOTEBOOK: replaced("0.95", "0.99")}, "cell parameters"),
        ({NOTEBOOK: replaced("0.95", "0.90")}, {NOTEBOOK: None}, "deleted on the other"),
        ({"lines.txt": b"a\n"}, {"lines.txt": b"b\n"}, "lines.txt: the same lines"),
        ({"new.txt": b"a\n"}, {"new.txt": b"b\n"}, "new.txt"),
    ],
)
def test_conflicts_are_named_and_nothing_is_written(repo: Repository, ours: Files, theirs: Files, told: str) -> None:
    refs = git(repo.root, "for-each-ref")
    with pytest.raises(Conflict, match=told):
        merged(repo, ours, theirs)
    assert git(repo.root, "for-each-ref") == refs
    assert git(repo.root, "status", "--porcelain") == ""


def test_runs_are_never_mixed_but_named(repo: Repository) -> None:
    made = merged(repo, {RUN: replaced("0.95", "0.90")}, {RUN: replaced("How many", "Say how many")})
    assert made.runs == (RUN,)
    assert made.notebooks == ()
    assert repo.read(made.tree, RUN) in (replaced("0.95", "0.90"), replaced("How many", "Say how many"))


def test_a_file_that_only_looks_like_a_notebook_is_merged_by_lines(repo: Repository) -> None:
    made = merged(repo, {"bad.ipynb": b"same\n"}, {"bad.ipynb": b"same\n"})
    assert repo.read(made.tree, "bad.ipynb") == b"same\n"
    with pytest.raises(Conflict, match=r"bad\.ipynb"):
        merged(repo, {"bad.ipynb": b"a\n"}, {"bad.ipynb": b"b\n"})
