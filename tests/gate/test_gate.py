"""A pull request from its first gate to a green one: findings, statuses, one comment, and nothing said twice."""

from __future__ import annotations

import pytest

from nbpr.forges import Opening, PullRequest
from nbpr.forges.local import LocalForge
from nbpr.gate import posting
from nbpr.git.repository import Repository
from tests.conftest import git
from tests.gate.workshop import Seen, commit, gate, path, rerun, said, source, with_outputs

pytestmark = pytest.mark.kernel


def open_pull(project: Repository, branch: str = "topic") -> PullRequest:
    """The branch, pushed, with a pull request on the local forge."""
    sha = git(project.root, "rev-parse", "HEAD")
    forge = LocalForge(project, "origin")
    project.fetch("origin", *forge.refspecs(), "+refs/heads/*:refs/nbpr/remotes/origin/heads/*")
    return forge.open(Opening(branch, sha, "main", "A change", "why", forge.login()))


def the_pull(project: Repository) -> PullRequest:
    """The one pull request, as a new command sees it."""
    forge = LocalForge(project, "origin")
    project.fetch("origin", *forge.refspecs(), "+refs/heads/*:refs/nbpr/remotes/origin/heads/*")
    return forge.get(1)


def statuses(project: Repository, sha: str) -> dict[str, str]:
    forge = LocalForge(project, "origin")
    project.fetch("origin", *forge.refspecs())
    return {context: status.state for context, status in forge.statuses(sha).items()}


def test_five_notebooks_get_their_findings_one_comment_and_turn_green(project: Repository) -> None:
    good = source("# better\n")
    commit(project, {path("good"): good})
    bad = {
        **rerun(project, "good"),
        path("dirty"): with_outputs(source("# dirty\n")),
        path("failing"): source("raise ValueError('no such table')\n"),
        path("shaky"): source("import time\n").replace(b"print('of', 3", b"print(time.time_ns(), 3"),
        path("low"): source("# low\n", 0.1),
    }
    commit(project, bad)
    commit(project, {**rerun(project, "shaky", keep=False), **rerun(project, "low")})
    pull = open_pull(project)
    seen = Seen()
    result = gate(project, seen=seen, post=True)
    assert {each.path: each.verdict for each in result.notebooks} == {
        path("good"): "passed", path("dirty"): "failed", path("failing"): "failed", path("shaky"): "failed",
        path("low"): "failed",
    }  # fmt: skip
    assert said(result, "clean")[0][0] == path("dirty")
    assert "no such table" in said(result, "execute")[0][1]
    assert said(result, "reproduce")[0][0] == path("shaky")
    low = [message for where, message in said(result, "scraps") if where == path("low")]
    assert low == [
        "score is 0.1, below min 0.5 (base: 0.9)",
        "score dropped by 88.9% from 0.9 to 0.1; max-drop is 10%",
    ]
    assert any("1 of 3 cells checked" in message for _, message in said(result, "reproduce", "note"))
    assert statuses(project, pull.head_sha) == {posting.CONTEXT: "failure"}
    first = the_pull(project).comments
    assert len(first) == 1
    assert first[0].body.startswith(posting.MARKER)
    assert "no such table" in first[0].body

    mended = {
        path("dirty"): source("# dirty\n"),
        path("failing"): source("# mended\n"),
        path("shaky"): source("# shaky\n"),
        path("low"): source("# low\n"),
    }
    commit(project, mended)
    for name in ("failing", "shaky", "low"):
        rerun(project, name)
    head = commit(project, {})
    git(project.root, "push", "-q", "origin", "HEAD:topic")
    green = gate(project, post=True)
    assert green.verdict == "passed", green.as_json()
    assert statuses(project, head) == {posting.CONTEXT: "success"}
    second = the_pull(project).comments
    assert len(second) == 1
    assert second[0].body != first[0].body

    before = git(project.root, "ls-remote", "origin")
    again = Seen()
    assert gate(project, seen=again, post=True).verdict == "passed"
    assert again.ran == 0
    assert again.cells == []
    assert git(project.root, "ls-remote", "origin") == before


def test_without_a_change_the_status_is_posted_all_the_same(project: Repository) -> None:
    head = commit(project, {"README.md": "words\n"})
    open_pull(project)
    result = gate(project, post=True)
    assert (result.verdict, result.notebooks) == ("passed", ())
    assert statuses(project, head) == {posting.CONTEXT: "success"}
    assert the_pull(project).comments == ()
