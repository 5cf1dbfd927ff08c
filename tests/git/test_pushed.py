"""What a push would take along: the last state of each notebook, and credentials in the states before."""

from __future__ import annotations

from pathlib import Path

import pytest

from nbpr import config, inspection
from nbpr.errors import BadInput
from nbpr.git.pushed import Pushed
from nbpr.git.repository import Repository
from nbpr.notebooks import allowlist
from tests.checking import (
    CLEAN,
    DIRTY,
    LEAKING,
    NB,
    TOKEN,
    commit,
    pushed,
    told,
)
from tests.conftest import git
from tests.projects import write

NOTHING = "0" * 40


@pytest.fixture
def with_remote(repository: Path, tmp_path: Path) -> Path:
    """A repository whose only commit the remote has."""
    commit(repository, {NB: CLEAN, "notebooks/old.ipynb": DIRTY})
    git(tmp_path, "init", "-q", "--bare", "remote.git")
    git(repository, "remote", "add", "origin", str(tmp_path / "remote.git"))
    git(repository, "push", "-q", "origin", "main")
    return repository


def test_a_credential_that_a_later_commit_takes_out_is_pushed_all_the_same(with_remote: Path) -> None:
    first = commit(with_remote, {NB: LEAKING})
    last = commit(with_remote, {NB: DIRTY})
    old = git(with_remote, "rev-parse", "origin/main")
    for found in (pushed(with_remote), pushed(with_remote, f"refs/heads/main {last} refs/heads/main {old}")):
        assert told(found) == [(NB, "clean", "error"), (NB, "secrets", "error")]
        assert found.findings[1].message == f"in commit {first[:10]}: cell 0, its source, line 1: a GitHub token"
        assert str(found.findings[1].hint).startswith("a later commit does not take it out of this one: git rebase -i")
        assert found.looked_at == 1


def test_what_the_other_side_has_is_not_looked_at_again(with_remote: Path) -> None:
    commit(with_remote, {"README": "x"})
    assert pushed(with_remote).looked_at == 0
    git(with_remote, "switch", "-qc", "side")
    side = commit(with_remote, {"notebooks/side.ipynb": LEAKING})
    git(with_remote, "switch", "-q", "main")
    commit(with_remote, {"notebooks/main.ipynb": CLEAN})
    git(with_remote, "merge", "-q", "-m", "merge", "side")
    head = git(with_remote, "rev-parse", "HEAD")
    line = f"refs/heads/main {head} refs/heads/main {NOTHING}"
    assert told(pushed(with_remote, line)) == [("notebooks/side.ipynb", "secrets", "error")]
    assert pushed(with_remote, line, remote="origin").looked_at == 2
    assert pushed(with_remote, f"refs/heads/main {head} refs/heads/main {side}").looked_at == 1
    assert told(pushed(with_remote, line, remote="elsewhere")) == [
        ("notebooks/old.ipynb", "clean", "error"),
        ("notebooks/side.ipynb", "secrets", "error"),
    ]


def test_what_a_merge_itself_brings_is_looked_at(with_remote: Path) -> None:
    git(with_remote, "switch", "-qc", "side")
    commit(with_remote, {"x": "1"})
    git(with_remote, "switch", "-q", "main")
    commit(with_remote, {"y": "1"})
    git(with_remote, "merge", "-q", "--no-commit", "side")
    commit(with_remote, {NB: LEAKING})
    commit(with_remote, {NB: CLEAN})
    assert told(pushed(with_remote)) == [(NB, "secrets", "error")]


def test_pre_commit_says_what_is_pushed(with_remote: Path) -> None:
    old = git(with_remote, "rev-parse", "HEAD")
    new = commit(with_remote, {NB: LEAKING})
    git(with_remote, "switch", "-qd", "origin/main")
    assert pushed(with_remote).looked_at == 0
    both = {"PRE_COMMIT_FROM_REF": old, "PRE_COMMIT_TO_REF": new}
    branch = {"PRE_COMMIT_LOCAL_BRANCH": "refs/heads/main", "PRE_COMMIT_REMOTE_NAME": "origin"}
    for environ in (both, branch):
        assert told(pushed(with_remote, environ=environ)) == [(NB, "secrets", "error")]


def test_deletions_tags_and_the_very_first_push(with_remote: Path) -> None:
    assert pushed(with_remote, f"(delete) {NOTHING} refs/heads/x {NOTHING}").looked_at == 0
    commit(with_remote, {NB: LEAKING})
    git(with_remote, "tag", "-am", "x", "v1")
    tag = git(with_remote, "rev-parse", "v1")
    assert told(pushed(with_remote, f"refs/tags/v1 {tag} refs/tags/v1 {NOTHING}")) == [(NB, "secrets", "error")]
    git(with_remote, "remote", "remove", "origin")
    assert pushed(with_remote).looked_at == 2


def test_the_allow_list_is_that_of_the_commits(with_remote: Path) -> None:
    commit(with_remote, {NB: LEAKING})
    write(with_remote, {allowlist.NAME: f"{allowlist.digest(TOKEN)}  of the docs\n"})
    assert told(pushed(with_remote)) == [(NB, "secrets", "error")]
    commit(with_remote, {})
    assert told(pushed(with_remote)) == []


def test_lines_that_are_not_gits_are_refused_and_commits_are_not_mended(with_remote: Path) -> None:
    with pytest.raises(BadInput, match="not a line of a push: hello"):
        pushed(with_remote, "hello")
    commit(with_remote, {NB: DIRTY})
    settings = config.load(with_remote)
    with pytest.raises(BadInput, match="committed already"):
        inspection.inspect(Pushed.of(Repository.discover(with_remote), [], {}), settings, fix=True)
