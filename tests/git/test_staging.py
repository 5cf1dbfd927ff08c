"""What is staged is what is looked at and mended; what is not staged stays."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from nbpr.errors import Conflict
from nbpr.notebooks import allowlist
from nbpr.setup import setup
from tests.checking import (
    CLEAN,
    DIRTY,
    DOUBLED,
    LEAKING,
    NB,
    OUTPUT,
    TOKEN,
    commit,
    in_checkout,
    index_of,
    staged,
    told,
)
from tests.conftest import git
from tests.projects import cell, dumped, write


@pytest.mark.parametrize("born", [True, False])
def test_what_is_staged_is_looked_at_and_not_the_file(repository: Path, born: bool) -> None:
    if born:
        commit(repository, {"README": "x", "notebooks/old.ipynb": DIRTY})
    write(repository, {NB: DIRTY, "notebooks/not.ipynb": DIRTY, "top.ipynb": LEAKING})
    git(repository, "add", NB, "top.ipynb")
    write(repository, {NB: CLEAN})
    (repository / "top.ipynb").unlink()
    assert told(staged(repository)) == [(NB, "clean", "error"), ("top.ipynb", "secrets", "error")]
    assert (repository / NB).read_bytes() == CLEAN
    assert told(staged(repository, NB, "notebooks/not.ipynb")) == [(NB, "clean", "error")]


def test_a_staged_file_without_other_changes_is_mended_with_the_index(repository: Path) -> None:
    commit(repository, {"README": "x"})
    write(repository, {NB: DIRTY})
    (repository / NB).chmod(0o755)
    git(repository, "add", "-A")
    found = staged(repository, fix=True)
    assert (found.mended, found.findings, found.ok) == ((NB,), (), False)
    assert (repository / NB).read_bytes() == CLEAN == index_of(repository)
    assert git(repository, "ls-files", "-s", NB).startswith("100755")
    assert git(repository, "status", "--porcelain") == f'A  "{NB}"'
    assert staged(repository, fix=True).ok


def test_changes_that_are_not_staged_are_neither_looked_at_nor_lost(repository: Path) -> None:
    commit(repository, {NB: dumped([cell("a", "code", "0")])})
    write(repository, {NB: DIRTY})
    git(repository, "add", "-A")
    later = dumped(
        [cell("a", "code", f"print(2)  # {TOKEN}", execution_count=9, outputs=OUTPUT), cell("a", "code", "")]
    )
    write(repository, {NB: later})
    found = staged(repository, fix=True)
    assert (found.mended, found.findings) == ((NB,), ())
    assert index_of(repository) == CLEAN
    assert (repository / NB).read_bytes() == later
    git(repository, "commit", "-qm", "two")
    assert (repository / NB).read_bytes() == later
    assert git(repository, "status", "--porcelain") == f' M "{NB}"'


def test_a_file_that_is_gone_stays_gone(repository: Path) -> None:
    write(repository, {NB: DIRTY})
    git(repository, "add", "-A")
    (repository / NB).unlink()
    staged(repository, fix=True)
    assert index_of(repository) == CLEAN
    assert not (repository / NB).exists()


def test_a_file_that_a_filter_cleans_keeps_its_outputs(repository: Path) -> None:
    write(repository, {NB: DIRTY})
    git(repository, "add", "-A")
    setup.init(repository)
    found = staged(repository, fix=True)
    assert found.mended == (NB,)
    assert index_of(repository) == CLEAN
    assert (repository / NB).read_bytes() == DIRTY
    assert git(repository, "diff", "--name-only") == ""


def test_under_pre_commit_the_file_is_mended_and_the_index_left_alone(repository: Path) -> None:
    write(repository, {NB: DIRTY})
    git(repository, "add", "-A")
    found = staged(repository, NB, environ={"PRE_COMMIT": "1"}, fix=True)
    assert (found.mended, found.ok) == ((NB,), False)
    assert index_of(repository) == DIRTY
    assert (repository / NB).read_bytes() == CLEAN


def test_line_endings_of_the_checkout_make_no_difference_and_stay(repository: Path) -> None:
    write(repository, {NB: DIRTY.replace(b"\n", b"\r\n"), ".gitattributes": "*.ipynb text eol=crlf\n"})
    git(repository, "add", "-A")
    assert index_of(repository) == DIRTY
    staged(repository, fix=True)
    assert index_of(repository) == CLEAN
    assert (repository / NB).read_bytes() == CLEAN.replace(b"\n", b"\r\n")


def test_the_index_that_git_names_is_the_one(repository: Path) -> None:
    commit(repository, {NB: CLEAN})
    write(repository, {NB: DIRTY})
    other = repository / ".git" / "other-index"
    other.write_bytes((repository / ".git/index").read_bytes())
    git(repository, "-c", "core.excludesFile=", "update-index", NB)
    (repository / ".git/index").rename(other.with_suffix(".new"))
    other.rename(repository / ".git/index")
    found = staged(repository, environ={"GIT_INDEX_FILE": ".git/other-index.new"}, fix=True)
    assert found.mended == (NB,)
    assert staged(repository).looked_at == 0


def test_the_allow_list_is_the_staged_one(repository: Path) -> None:
    write(repository, {NB: LEAKING, allowlist.NAME: f"{allowlist.digest(TOKEN)}  of the docs\n"})
    git(repository, "add", NB)
    assert told(staged(repository)) == [(NB, "secrets", "error")]
    git(repository, "add", "-A")
    assert told(staged(repository)) == []


def test_links_and_a_merge_under_way_are_left_alone(repository: Path) -> None:
    commit(repository, {NB: CLEAN})
    git(repository, "switch", "-qc", "side")
    commit(repository, {NB: dumped([cell("a", "code", "2", outputs=OUTPUT)])})
    git(repository, "switch", "-q", "main")
    commit(repository, {NB: dumped([cell("a", "code", "3", outputs=OUTPUT)])})
    (repository / "link.ipynb").symlink_to(NB)
    commit(repository, {})
    done = subprocess.run(["git", "merge", "-q", "side"], cwd=repository, capture_output=True, check=False)
    assert b"CONFLICT" in done.stdout
    assert told(staged(repository)) == []
    assert told(staged(repository, NB, "link.ipynb")) == []


def test_an_index_that_is_locked_is_a_conflict_and_nothing_is_lost(repository: Path) -> None:
    write(repository, {NB: DIRTY})
    git(repository, "add", "-A")
    write(repository, {NB: DOUBLED})
    (repository / ".git/index.lock").touch()
    with pytest.raises(Conflict, match="cannot be replaced"):
        staged(repository, fix=True)
    assert (repository / NB).read_bytes() == DOUBLED
    assert index_of(repository) == DIRTY


def test_a_clone_without_the_filter_is_told(repository: Path) -> None:
    setup.init(repository)
    commit(repository, {NB: CLEAN})
    write(repository, {NB: dumped([cell("a", "code", "2")])})
    git(repository, "add", "-A")
    assert told(staged(repository)) == []
    for section in ("filter.nbpr", "diff.nbpr"):
        git(repository, "config", "--remove-section", section)
    (finding,) = staged(repository).findings
    assert (finding.check, finding.level, finding.path, finding.hint) == (
        "filter",
        "warning",
        ".gitattributes",
        "nbpr init",
    )


def test_hints_mend_what_is_staged(repository: Path) -> None:
    write(repository, {NB: dumped([cell("a", "code", "1", outputs=OUTPUT), cell("a", "code", "2")])})
    assert {finding.hint for finding in in_checkout(repository).findings} == {
        f"nbpr check --fix '{NB}'",
        f"nbpr clean '{NB}'",
    }
    git(repository, "add", "-A")
    assert {finding.hint for finding in staged(repository).findings} == {"nbpr check --staged --fix"}
