"""What stands beside a pull request, as options of commands: people, a milestone, a merge that waits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from nbpr.cli.main import run
from nbpr.config import Config
from nbpr.errors import Conflict
from nbpr.forges import Opening, forge_for
from nbpr.git.repository import Repository
from nbpr.proposals import proposals
from nbpr.proposals.plans import Proposal
from tests import projects
from tests.projects import NOTEBOOK


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    made = projects.make(tmp_path, remote=False)
    monkeypatch.chdir(made.root)
    return made


def test_proposing_says_who_and_when(project: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Proposal] = []

    def noted(repository: Repository, settings: Config, proposal: Proposal, say: Any) -> None:
        asked.append(proposal)
        raise Conflict("enough")

    monkeypatch.setattr(proposals, "propose", noted)
    words = ["propose", NOTEBOOK, "--set", "threshold=0.9", "--title", "t"]
    beside = ["--assignee", "ada", "--assignee", "bob", "--milestone", "1.0", "--auto-merge"]
    assert run([*words, *beside]) == 5
    assert (asked[0].assignees, asked[0].milestone, asked[0].auto_merge) == (("ada", "bob"), "1.0", True)
    assert run(words) == 5
    assert (asked[1].assignees, asked[1].milestone, asked[1].auto_merge) == ((), None, False)


def test_showing_and_merging(project: Repository, capsys: pytest.CaptureFixture[str]) -> None:
    head = str(project.head)
    tree = project.edited_tree(head, {"a.txt": b"a\n"})
    opening = Opening("agent/x", project.commit(tree, [head], "x\n"), "main", "T", "why", "Ada Author")
    forge = forge_for(project, Config())
    forge.update(forge.open(opening), assignees=("ada",), milestone="1.0")
    assert run(["pulls", "show", "1", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)["pull_request"]
    assert (shown["assignees"], shown["milestone"]) == (["ada"], "1.0")
    assert run(["pulls", "show", "1"]) == 0
    assert "assigned to: ada\nmilestone: 1.0\n" in capsys.readouterr().out
    assert run(["pulls", "merge", "1", "--auto-merge"]) == 4
    assert "nbpr pulls merge 1" in capsys.readouterr().err
    assert forge_for(project, Config()).get(1).state == "open"
