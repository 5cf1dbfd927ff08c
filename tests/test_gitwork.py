"""Everyday work with git, in a clone that is set up: notebooks behave as plain text files do."""

from __future__ import annotations

import io
import json
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest

from nbpr.notebooks import notebook
from nbpr.setup import setup
from tests.conftest import git
from tests.diff.scripts import stream

pytestmark = pytest.mark.slow

NB = "notebooks/a nb.ipynb"
RUN = "runs/a nb.ipynb"
SOURCES = {"load": "rows = load()\nlen(rows)", "see": "# What we see", "plot": "plot(rows)"}


def text(sources: dict[str, str], *, ran: bool = False) -> bytes:
    """A notebook of those cells, by id; `ran` as Jupyter leaves it, with outputs and counts."""
    cells: list[dict[str, Any]] = []
    for count, (name, source) in enumerate(sources.items(), 1):
        lines = source.splitlines(keepends=True)
        if source.startswith("#"):
            cells.append({"cell_type": "markdown", "id": name, "metadata": {}, "source": lines})
            continue
        state = {"execution_count": count, "outputs": [stream("ran\n")]} if ran else {}
        unrun = {"cell_type": "code", "execution_count": None, "id": name, "metadata": {}, "outputs": []}
        cells.append({**unrun, **state, "source": lines})
    spec = {"display_name": "Python 3", "language": "python", "name": "python3"}
    data = {"cells": cells, "metadata": {"kernelspec": spec}, "nbformat": 4, "nbformat_minor": 5}
    return (json.dumps(data, indent=1) + "\n").encode()


@pytest.fixture
def clone(repository: Path) -> Path:
    """A clone of a repository with a notebook and its run; there `nbpr init` was done."""
    setup.init(repository)
    for name, ran in ((NB, False), (RUN, True)):
        (repository / name).parent.mkdir(exist_ok=True)
        (repository / name).write_bytes(text(SOURCES, ran=ran))
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "one")
    place = repository.parent / "clone"
    git(repository.parent, "clone", "-q", str(repository), str(place))
    git(place, "config", "user.name", "Bob")
    git(place, "config", "user.email", "bob@example.org")
    assert setup.init(place)["next"] == []
    return place


def work(root: Path, **changes: str) -> bytes:
    """Edit cells of the notebook and run it, as a person does in Jupyter; new cells go to the end."""
    there = {str(cell.id): cell.source for cell in notebook.read(root / NB).cells}
    (root / NB).write_bytes(text({**there, **changes}, ran=True))
    return (root / NB).read_bytes()


def commit(root: Path, message: str = "change", **changes: str) -> str:
    work(root, **changes)
    git(root, "commit", "-qam", message)
    return git(root, "rev-parse", "HEAD")


def sources(root: Path, revision: str = "HEAD") -> dict[str, str]:
    """The cells of the notebook in a commit (or "" for the index), which must be clean there."""
    data = git(root, "show", f"{revision}:{NB}")
    found = notebook.parse(data.encode(), NB)
    assert all(cell.outputs == [] for cell in found.cells)
    return {str(cell.id): cell.source for cell in found.cells}


def at_rest(root: Path) -> None:
    """Nothing is modified, nor called so, and nothing is left of git's steps; the run kept its outputs."""
    assert git(root, "status", "--porcelain") == ""
    assert git(root, "diff") == ""
    assert git(root, "diff-index", "HEAD") == ""
    assert git(root, "stash", "list") == ""
    assert git(root, "rev-parse", f"HEAD:{RUN}") == git(root, "hash-object", "--no-filters", RUN)
    git(root, "fsck", "--strict")


def test_edit_run_and_commit(clone: Path) -> None:
    at_rest(clone)
    written = work(clone, load="rows = load(1)")
    assert git(clone, "status", "--porcelain") == f' M "{NB}"'
    git(clone, "add", NB)
    shown = git(clone, "diff", "--cached")
    assert "+rows = load(1)" in shown
    assert "ran" not in shown
    assert git(clone, "diff") == ""
    git(clone, "commit", "-qm", "two")
    assert (clone / NB).read_bytes() == written  # what ran stays in sight
    assert sources(clone)["load"] == "rows = load(1)"
    at_rest(clone)


def test_running_again_is_no_change_once_git_has_looked(clone: Path) -> None:
    """To `git status` another size is a change. `git add` and `nbpr doctor --fix` have it look."""
    work(clone)
    assert git(clone, "diff") == ""
    git(clone, "add", "-A")
    at_rest(clone)


def test_stash_and_pop(clone: Path) -> None:
    work(clone, load="rows = load(1)")
    git(clone, "stash", "-q")
    assert git(clone, "status", "--porcelain") == ""
    assert notebook.read(clone / NB).cells[0].source == SOURCES["load"]
    commit(clone, see="# Seen")
    git(clone, "stash", "pop", "-q")
    found = {str(cell.id): cell.source for cell in notebook.read(clone / NB).cells}
    assert (found["load"], found["see"]) == ("rows = load(1)", "# Seen")
    git(clone, "commit", "-qam", "both")
    at_rest(clone)


def test_merge_of_two_branches_that_touched_one_notebook(clone: Path) -> None:
    git(clone, "switch", "-qc", "topic")
    commit(clone, load="rows = load(1)", mine="mine = 1")
    git(clone, "switch", "-q", "main")
    commit(clone, plot="plot(rows, 2)", yours="yours = 1")
    git(clone, "merge", "-q", "--no-edit", "topic")
    assert sources(clone) == {
        "load": "rows = load(1)",
        "see": SOURCES["see"],
        "plot": "plot(rows, 2)",
        "yours": "yours = 1",
        "mine": "mine = 1",
    }
    at_rest(clone)


def test_rebase_and_pull_rebase(clone: Path, repository: Path) -> None:
    commit(clone, load="rows = load(1)")
    commit(clone, extra="extra = 1")
    commit(repository, plot="plot(rows, 2)", theirs="theirs = 1")
    git(clone, "pull", "-q", "--rebase")
    assert list(sources(clone)) == ["load", "see", "plot", "theirs", "extra"]
    assert sources(clone)["load"] == "rows = load(1)"
    assert git(clone, "log", "--format=%s").count("\n") == 3
    at_rest(clone)
    git(clone, "push", "-q", "origin", "HEAD:refs/heads/pushed")
    assert git(repository, "rev-parse", "pushed") == git(clone, "rev-parse", "HEAD")


def test_a_rebase_that_stops_at_a_conflict_goes_on(clone: Path) -> None:
    git(clone, "switch", "-qc", "topic")
    commit(clone, load="rows = load(1)")
    commit(clone, see="# Seen")
    git(clone, "switch", "-q", "main")
    commit(clone, load="rows = load(2)")
    git(clone, "switch", "-q", "topic")
    done = subprocess.run(["git", "rebase", "-q", "main"], cwd=clone, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f"nbpr: {NB}: conflict in cell load (source)" in done.stderr
    assert "=======\nrows = load(1)\n>>>>>>> " in notebook.read(clone / NB).cells[0].source
    work(clone, load="rows = load(12)")
    git(clone, "add", NB)
    git(clone, "-c", "core.editor=true", "rebase", "--continue")
    assert (sources(clone)["load"], sources(clone)["see"]) == ("rows = load(12)", "# Seen")
    at_rest(clone)


def test_cherry_pick_and_revert(clone: Path) -> None:
    git(clone, "switch", "-qc", "topic")
    commit(clone, load="rows = load(1)")
    picked = commit(clone, extra="extra = 1")
    git(clone, "switch", "-q", "main")
    commit(clone, plot="plot(rows, 2)", other="other = 1")
    git(clone, "cherry-pick", picked)
    assert list(sources(clone)) == ["load", "see", "plot", "other", "extra"]
    assert sources(clone)["load"] == SOURCES["load"]
    at_rest(clone)
    git(clone, "revert", "--no-edit", "HEAD~1")
    assert list(sources(clone)) == ["load", "see", "plot", "extra"]
    assert sources(clone)["plot"] == SOURCES["plot"]
    at_rest(clone)


def test_a_linked_worktree(clone: Path) -> None:
    place = clone.parent / "linked worktree"
    git(clone, "worktree", "add", "-q", "-b", "topic", str(place))
    at_rest(place)
    commit(place, load="rows = load(1)")
    at_rest(place)
    assert sources(clone, "topic")["load"] == "rows = load(1)"
    git(clone, "merge", "-q", "topic")
    at_rest(clone)
    git(clone, "worktree", "remove", str(place))


def test_some_hunks_are_staged_and_some_are_not(clone: Path) -> None:
    work(clone, load="rows = load(1)\nlen(rows)", plot="plot(rows, 2)")
    git(clone, "add", "-p", stdin=b"y\nn\n")
    assert sources(clone, "")["load"] == "rows = load(1)\nlen(rows)"
    assert sources(clone, "")["plot"] == SOURCES["plot"]
    assert "+plot(rows, 2)" in git(clone, "diff")
    assert "load(1)" not in git(clone, "diff")
    git(clone, "commit", "-qm", "the first alone")
    assert notebook.read(clone / NB).cells[2].source == "plot(rows, 2)"
    git(clone, "commit", "-qam", "the rest")
    at_rest(clone)


def test_some_hunks_are_taken_back(clone: Path) -> None:
    (clone / NB).write_bytes(text({**SOURCES, "load": "rows = load(1)\nlen(rows)", "plot": "plot(rows, 2)"}))
    git(clone, "checkout", "-p", stdin=b"y\nn\n")
    found = {str(cell.id): cell.source for cell in notebook.read(clone / NB).cells}
    assert found == {**SOURCES, "plot": "plot(rows, 2)"}
    git(clone, "stash", "push", "-q", "-p", stdin=b"y\n")
    at_rest_but_stashed = git(clone, "status", "--porcelain")
    assert at_rest_but_stashed == ""
    git(clone, "stash", "pop", "-q")
    git(clone, "restore", ".")
    at_rest(clone)


def test_moved_and_edited(clone: Path) -> None:
    git(clone, "switch", "-qc", "topic")
    git(clone, "mv", NB, "notebooks/moved.ipynb")
    git(clone, "commit", "-qm", "moved")
    git(clone, "switch", "-q", "main")
    commit(clone, load="rows = load(1)")
    git(clone, "merge", "-q", "--no-edit", "topic")
    assert "rows = load(1)" in git(clone, "show", "HEAD:notebooks/moved.ipynb")
    assert git(clone, "log", "--follow", "--format=%s", "notebooks/moved.ipynb").splitlines()[-1] == "one"
    at_rest(clone)


def test_back_and_forth_through_history(clone: Path) -> None:
    shas = [git(clone, "rev-parse", "HEAD"), *(commit(clone, load=f"rows = load({n})") for n in range(4))]
    for sha in (shas[0], shas[2], shas[1]):
        git(clone, "checkout", "-q", sha)
        at_rest(clone)
    git(clone, "switch", "-q", "main")
    git(clone, "bisect", "start", "HEAD", shas[0])
    said = git(clone, "bisect", "run", "sh", "-c", f"! grep -q 'load(2)' '{NB}' && ! grep -q 'load(3)' '{NB}'")
    assert f"{shas[3]} is the first bad commit" in said
    git(clone, "bisect", "reset")
    at_rest(clone)
    git(clone, "reset", "-q", "--hard", shas[1])
    assert sources(clone)["load"] == "rows = load(0)"
    git(clone, "restore", "-s", shas[0], "--", NB)
    assert "-rows = load(0)\n+rows = load()" in git(clone, "diff")
    git(clone, "checkout", "-q", ".")
    at_rest(clone)


def test_amend_squash_and_fixup(clone: Path) -> None:
    commit(clone, load="rows = load(1)")
    work(clone, load="rows = load(2)")
    git(clone, "commit", "-q", "--amend", "--no-edit", "-a")
    commit(clone, "fixup! change", load="rows = load(3)")
    git(clone, "-c", "sequence.editor=true", "rebase", "-q", "-i", "--autosquash", "HEAD~2")
    assert git(clone, "log", "--format=%s") == "change\none"
    assert sources(clone)["load"] == "rows = load(3)"
    at_rest(clone)


def test_an_archive_holds_what_was_committed(clone: Path) -> None:
    work(clone, load="not committed")
    done = subprocess.run(["git", "archive", "HEAD"], cwd=clone, capture_output=True, check=True)
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        held = {name: archive.extractfile(name) for name in (NB, RUN)}
        assert [file.read() for file in held.values() if file] == [text(SOURCES), text(SOURCES, ran=True)]
    git(clone, "checkout", "-q", ".")
    at_rest(clone)


def test_two_runs_are_never_mixed_into_one(clone: Path) -> None:
    ran = {**SOURCES, "plot": "plot(rows, 2)"}
    git(clone, "switch", "-qc", "topic")
    (clone / RUN).write_bytes(text(ran, ran=True))
    git(clone, "commit", "-qam", "theirs")
    git(clone, "switch", "-q", "main")
    mine = text({**SOURCES, "load": "rows = load(1)"}, ran=True)
    (clone / RUN).write_bytes(mine)
    git(clone, "commit", "-qam", "ours")
    done = subprocess.run(["git", "merge", "topic"], cwd=clone, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert (clone / RUN).read_bytes() == mine
    git(clone, "merge", "--abort")
    at_rest(clone)
