"""Git's merge driver: notebooks are merged by cell by git itself, and what is no notebook as git would have."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbpr import mergedriver
from nbpr.diff.conflicts import Marks, Shown, markers_in
from nbpr.notebooks import notebook
from nbpr.setup import setup
from tests.conftest import git
from tests.diff.scripts import book, code, edited, markdown, notebooks
from tests.diff.test_conflicts import valid

SETUP, SEE, END = code("rows = load()", "s"), markdown("see", "m"), code("plot(rows)", "e")
BASE = book(SETUP, SEE, END)

#: A conflict; newer versions of git say what the sides are called.
PATTERN = "<<<<<<< .*\n{}\n=======\n{}\n>>>>>>> .*"


def text(data: dict[str, Any]) -> bytes:
    return (json.dumps(data, indent=1) + "\n").encode()


def driven(folder: Path, *sides: bytes | dict[str, Any], words: tuple[str, ...] = ()) -> int:
    """The driver's exit code; the result stands in `ours`."""
    files = [folder / name for name in ("base", "ours", "theirs")]
    for file, side in zip(files, sides, strict=True):
        file.write_bytes(side if isinstance(side, bytes) else text(side))
    return mergedriver.main([*map(str, files), *words])


def result(folder: Path) -> notebook.Notebook:
    return notebook.read(folder / "ours")


# -- the process -------------------------------------------------------------------------------------------------


@given(data=st.data())
def test_it_says_conflict_exactly_where_there_is_one_and_the_file_is_always_valid(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    base = data.draw(notebooks())
    folder = tmp_path_factory.getbasetemp()
    ours, theirs = data.draw(edited(base, "o")), data.draw(edited(base, "t"))
    done = driven(folder, base, ours, theirs)
    merged = result(folder)
    valid(Shown(merged, ()))
    assert done == (1 if markers_in(merged) else 0)


def test_two_changes_become_one_notebook(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    ours, theirs = book(SETUP, SEE, code("plot(rows, 2)", "e")), book(code("rows = load(1)", "s"), SEE, END)
    assert driven(tmp_path, BASE, ours, theirs) == 0
    assert [cell.source for cell in result(tmp_path).cells] == ["rows = load(1)", "see", "plot(rows, 2)"]
    assert capfd.readouterr().err == ""


def test_a_conflict_is_told_with_its_place(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    sides = [book(code(f"rows = load({n})", "s"), SEE, END) for n in (1, 2)]
    words = ("9", "notebooks/\x1b[2Ja.ipynb", "diff3", "1a2b", "HEAD", "topic")
    assert driven(tmp_path, BASE, *sides, words=words) == 1
    lines = result(tmp_path).cells[0].source.split("\n")
    assert lines[::2] == ["<<<<<<<<< HEAD", "||||||||| 1a2b", "=========", ">>>>>>>>> topic"]
    assert lines[1::2] == ["rows = load(1)", "rows = load()", "rows = load(2)"]
    assert capfd.readouterr().err == "nbpr: notebooks/\\x1b[2Ja.ipynb: conflict in cell s (source)\n"


def test_many_conflicts_are_told_in_few_lines(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    sides = [book(*(code(f"x = {n}", f"c{i}") for i in range(12))) for n in range(3)]
    assert driven(tmp_path, *sides) == 1
    said = capfd.readouterr().err.splitlines()
    assert len(said) == 11
    assert said[-1].endswith(": and in 2 more places")


def test_what_git_does_not_know_to_say_is_not_taken_for_a_name() -> None:
    assert mergedriver.marks_of([]) == Marks()
    assert mergedriver.marks_of(["7", "p", "", "%S", "%X", "%Y"]) == Marks()
    assert mergedriver.marks_of(["x", "p", "unknown", "", "HEAD", ""]) == Marks(ours="HEAD")
    assert mergedriver.marks_of(["8", "p", "zdiff3", "b", "o", "t"]) == Marks(8, "zdiff3", "b", "o", "t")


@pytest.mark.parametrize("side", [0, 1, 2])
@pytest.mark.parametrize(
    "broken", [b"{", b"[]", b'{"nbformat": 3, "worksheets": []}', b'<<<<<<< HEAD\n{"cells": []}\n', b"\xff"]
)
def test_what_is_no_notebook_is_left_to_git(
    broken: bytes, side: int, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    sides: list[bytes | dict[str, Any]] = [BASE, BASE, BASE]
    sides[side] = broken
    assert driven(tmp_path, *sides) == 3
    said = capfd.readouterr().err
    assert said.endswith("; merged line by line\n")
    assert said.count("\n") == 1
    assert (tmp_path / "ours").read_bytes() == (broken if side == 1 else text(BASE))


def test_a_bug_of_ours_is_left_to_git(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: Any) -> None:
        raise KeyError("surprise")

    monkeypatch.setattr(mergedriver, "merge_shown", broken)
    assert driven(tmp_path, BASE, BASE, BASE) == 3
    assert "KeyError" in capfd.readouterr().err
    assert (tmp_path / "ours").read_bytes() == text(BASE)
    assert mergedriver.main(["too", "few"]) == 3


def test_nothing_heavy_is_loaded(tmp_path: Path) -> None:
    for name, side in zip(("a", "b", "c"), (BASE, book(SETUP, END), book(SEE, END)), strict=True):
        (tmp_path / name).write_bytes(text(side))
    code = "import sys; from nbpr import mergedriver; mergedriver.main(sys.argv[1:]); print(*sys.modules)"
    words = [sys.executable, "-c", code, *(str(tmp_path / name) for name in "abc")]
    loaded = set(subprocess.run(words, capture_output=True, text=True, check=True).stdout.split())
    assert "nbpr.diff.merge" in loaded
    assert not loaded & {"nbformat", "nbdime", "git", "typer", "subprocess"}


# -- through git -------------------------------------------------------------------------------------------------


def commit(root: Path, content: bytes | dict[str, Any], message: str = "change", name: str = "a b.ipynb") -> None:
    (root / name).write_bytes(content if isinstance(content, bytes) else text(content))
    git(root, "add", "-A")
    git(root, "commit", "-qm", message)


@pytest.fixture
def forked(repository: Path) -> Path:
    """A repository that is set up, on `main`, with a branch `topic` at the same commit."""
    setup.init(repository)
    commit(repository, BASE, "one")
    git(repository, "branch", "topic")
    return repository


def both(root: Path, ours: bytes | dict[str, Any], theirs: bytes | dict[str, Any]) -> None:
    """Commit on both branches; `main` is checked out afterwards."""
    git(root, "switch", "-q", "topic")
    commit(root, theirs, "theirs")
    git(root, "switch", "-q", "main")
    commit(root, ours, "ours")


def merge(root: Path, *options: str) -> subprocess.CompletedProcess[str]:
    words = ["git", *options, "merge", "--no-edit", "topic"]
    return subprocess.run(words, cwd=root, capture_output=True, text=True, check=False)


def sources(root: Path) -> list[str]:
    return [cell.source for cell in notebook.read(root / "a b.ipynb").cells]


@pytest.mark.slow
def test_git_merges_by_cell_what_lines_could_not(forked: Path) -> None:
    both(forked, book(SETUP, code("mine", "x"), SEE, END), book(SETUP, code("yours", "y"), SEE, END))
    done = merge(forked)
    assert done.returncode == 0, done.stderr
    assert sources(forked) == ["rows = load()", "mine", "yours", "see", "plot(rows)"]
    assert git(forked, "status", "--porcelain") == ""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("style", "inside"), [("merge", []), ("diff3", ["rows = load()"]), ("zdiff3", ["rows = load()"])]
)
def test_a_conflict_stands_in_its_cell_and_is_committed_when_resolved(
    style: str, inside: list[str], forked: Path
) -> None:
    both(forked, book(code("rows = load(1)", "s"), SEE, END), book(code("rows = load(2)", "s"), SEE, code("new", "e")))
    done = merge(forked, "-c", f"merge.conflictStyle={style}")
    assert done.returncode == 1
    assert "nbpr: a b.ipynb: conflict in cell s (source)" in done.stderr
    assert "Merge conflict in a b.ipynb" in done.stdout
    first, *rest = sources(forked)
    assert rest == ["see", "new"]
    lines = first.split("\n")
    assert (lines[1], lines[-2]) == ("rows = load(1)", "rows = load(2)")
    assert set(inside) <= set(lines)
    assert git(forked, "status", "--porcelain") == 'UU "a b.ipynb"'
    shown = git(forked, "diff")
    assert " +rows = load(1)\n" in shown
    assert "+ rows = load(2)\n" in shown
    assert '"cells"' not in shown
    commit(forked, book(code("rows = load(12)", "s"), SEE, code("new", "e")))
    assert git(forked, "log", "-1", "--format=%P").count(" ") == 1
    assert git(forked, "status", "--porcelain") == ""


@pytest.mark.slow
def test_metadata_kept_back_goes_with_git_add(forked: Path) -> None:
    both(forked, book(SETUP, SEE, END, author="mine"), book(SETUP, SEE, END, author="yours"))
    assert merge(forked).returncode == 1
    kept = notebook.read(forked / "a b.ipynb").metadata["nbpr"]["conflict"]
    assert kept == {"metadata": {"author": "yours"}}
    git(forked, "add", "-A")
    assert json.loads(git(forked, "show", ":a b.ipynb"))["metadata"] == {"author": "mine"}


@pytest.mark.slow
def test_both_added_it(forked: Path) -> None:
    for branch, cells in (("topic", (SETUP, SEE)), ("main", (SETUP, END))):
        git(forked, "switch", "-q", branch)
        commit(forked, book(*cells), name="new.ipynb")
    done = merge(forked)
    assert done.returncode == 1
    assert "both sides added it, each with cells of its own" in done.stderr
    assert [cell.source for cell in notebook.read(forked / "new.ipynb").cells] == ["rows = load()", "plot(rows)", "see"]


@pytest.mark.slow
def test_what_is_no_notebook_is_merged_by_line(forked: Path) -> None:
    lines = [b"one\n", b"two\n", b"three\n", b"four\n", b"five\n"]
    for branch in ("topic", "main"):
        git(forked, "switch", "-q", branch)
        commit(forked, b"".join(lines), "lines")
    git(forked, "merge", "-q", "topic")
    both(forked, b"".join([b"ONE\n", *lines[1:]]), b"".join([*lines[:-1], b"FIVE\n"]))
    done = merge(forked)
    assert done.returncode == 0
    assert done.stderr.count("; merged line by line") == 1
    assert (forked / "a b.ipynb").read_bytes() == b"ONE\ntwo\nthree\nfour\nFIVE\n"
    both(forked, b"mine\n", b"yours\n")
    assert merge(forked).returncode == 1
    assert re.fullmatch(PATTERN.format("mine", "yours") + "\n", (forked / "a b.ipynb").read_text())


@pytest.mark.slow
def test_what_looks_like_a_program_to_git_keeps_ours(forked: Path) -> None:
    both(forked, b"mine\0\n", b"yours\0\n")
    assert merge(forked).returncode == 1
    assert (forked / "a b.ipynb").read_bytes() == b"mine\0\n"


@pytest.mark.slow
def test_crossed_merges_have_a_base_that_was_merged_with_conflicts(forked: Path) -> None:
    """Git merges the two bases of a criss-cross first, and hands us what came of it."""
    both(forked, book(code("x = 1", "s"), SEE, END), book(code("x = 2", "s"), SEE, END))
    git(forked, "branch", "main-before")
    for branch, other in (("main", "topic"), ("topic", "main-before")):
        git(forked, "switch", "-q", branch)
        done = subprocess.run(["git", "merge", "-q", other], cwd=forked, check=False, capture_output=True)
        assert done.returncode == 1
        commit(forked, book(code(f"x = 3  # {branch}", "s"), SEE, END))
    git(forked, "switch", "-q", "main")
    assert merge(forked).returncode == 1
    assert sources(forked)[1:] == ["see", "plot(rows)"]
    assert re.fullmatch(PATTERN.format("x = 3  # main", "x = 3  # topic"), sources(forked)[0])
