"""Pull requests after they were opened: merged by cell, in either order, with runs made anew."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nbpr import config, pulls
from nbpr.errors import CheckFailed, Conflict
from nbpr.git.repository import Repository
from tests import projects
from tests.conftest import git
from tests.projects import NOTE, NOTEBOOK, RUN, propose, set_threshold

pytestmark = pytest.mark.kernel
QUICK = {"reproduce": False}


def connect(project: Repository) -> pulls.Session:
    return pulls.connect(Repository.discover(project.root), config.load(project.root, environ={}))


@pytest.fixture(params=["remote", "alone"])
def project(request: pytest.FixtureRequest, tmp_path: Path) -> Repository:
    made = projects.make(tmp_path, remote=request.param == "remote")
    if request.param == "alone":
        git(made.root, "switch", "-q", "--detach")
    return made


@pytest.fixture
def shared(tmp_path: Path) -> Repository:
    return projects.make(tmp_path)


def test_base_that_has_not_moved_takes_the_branch_as_it_is(project: Repository) -> None:
    made = propose(project, set_threshold(0.90), config=QUICK)
    before = projects.state(project.root)
    merged = pulls.merge(connect(project), 1)
    assert (merged.pull.state, merged.runs) == ("merged", ())
    assert projects.blob(project, "main", RUN) == projects.blob(project, made["branch"], RUN)
    after = projects.state(project.root)
    assert {k: v for k, v in after.items() if "heads/main" not in k and "remotes" not in k} == {
        k: v for k, v in before.items() if "heads/main" not in k and "remotes" not in k
    }
    assert pulls.merge(connect(project), 1).pull.state == "merged"  # again: nothing to do


@pytest.mark.parametrize("order", [pytest.param((1, 2), marks=pytest.mark.soak), (2, 1)])
def test_two_that_change_different_cells_both_merge(project: Repository, order: tuple[int, int]) -> None:
    propose(project, set_threshold(0.90), config=QUICK, agent="one")
    edit = {"op": "substitute", "cell": "check", "old": "alerts below", "new": "agents below"}
    propose(project, edit, config=QUICK, title="Better words", agent="two")
    pulls.merge(connect(project), order[0])
    merged = pulls.merge(connect(project), order[1])
    assert merged.pull.state == "merged"
    assert [run["role"] for run in merged.runs] == ["reference"]
    text = projects.blob(project, "main", NOTEBOOK).decode()
    assert "threshold = 0.9 " in text
    assert "agents below" in text
    run = json.loads(projects.blob(project, "main", RUN))
    said = [output["text"] for cell in run["cells"] for output in cell.get("outputs", []) if "text" in output]
    assert said == [["4 agents below 0.9\n"]]


def test_two_that_change_the_same_line_conflict_by_cell(shared: Repository) -> None:
    propose(shared, set_threshold(0.90), config=QUICK, agent="one")
    propose(shared, set_threshold(0.80), config=QUICK, agent="two")
    pulls.merge(connect(shared), 1)
    with pytest.raises(Conflict, match="cell parameters"):
        pulls.merge(connect(shared), 2)
    assert connect(shared).get(2).state == "open"


def test_a_merge_that_fails_is_not_made(shared: Repository, tmp_path: Path) -> None:
    propose(shared, set_threshold(0.90), config=QUICK)
    theirs = projects.clone(shared, tmp_path)
    place = theirs / NOTEBOOK
    place.write_text(place.read_text().replace("alerts = sum(1 for k", "alerts = 1 / 0 + sum(1 for k"))
    git(theirs, "commit", "-qam", "break it")
    git(theirs, "push", "-q")
    before = git(Path(shared.remote_url("origin")), "for-each-ref")
    with pytest.raises(CheckFailed, match="ZeroDivisionError"):
        pulls.merge(connect(shared), 1)
    assert git(Path(shared.remote_url("origin")), "for-each-ref") == before


def test_refresh_takes_base_in_and_runs_anew(shared: Repository, tmp_path: Path) -> None:
    made = propose(shared, set_threshold(0.90), config=QUICK)
    theirs = projects.clone(shared, tmp_path)
    place = theirs / NOTEBOOK
    place.write_text(place.read_text().replace("agents = 24", "agents = 12"))
    git(theirs, "commit", "-qam", "fewer")
    git(theirs, "push", "-q")
    refreshed = propose(shared, set_threshold(0.90), config=QUICK, refresh=True)
    assert refreshed["operation"] == "updated"
    assert shared.is_ancestor(shared.git("rev-parse", "refs/nbpr/remotes/origin/heads/main"), refreshed["head_sha"])
    run = projects.blob(shared, made["branch"], RUN).decode()
    assert "4 alerts below 0.9" in run
    text = projects.blob(shared, made["branch"], NOTEBOOK).decode()
    assert "agents = 12" in text
    assert "threshold = 0.9 " in text
    assert propose(shared, set_threshold(0.90), config=QUICK, refresh=True)["operation"] == "unchanged"


def test_drafts_and_closed_ones_are_not_merged(shared: Repository) -> None:
    propose(shared, NOTE, config=QUICK, draft=True)
    with pytest.raises(Conflict, match="draft"):
        pulls.merge(connect(shared), 1)
    pulls.close(connect(shared), 1)
    with pytest.raises(Conflict, match="closed"):
        pulls.merge(connect(shared), 1)


def test_what_show_prints(shared: Repository) -> None:
    propose(shared, set_threshold(0.90), config=QUICK, body="Fewer pages at night.", title="Grüße \\ *x*")
    session = connect(shared)
    session.forge.comment(session.get(1), "fine\x1b[31m")
    shown = pulls.text(session.get(1))
    assert shown.startswith("#1 Grüße \\ *x*\nopen: agent/health-grue-x into main, by Ada Author")
    assert "Fewer pages at night." in shown
    assert "<!--" not in shown
    assert "\x1b" not in shown


def test_a_stale_run_is_made_anew_also_where_base_has_not_moved(shared: Repository, tmp_path: Path) -> None:
    made = propose(shared, set_threshold(0.90), config=QUICK)
    theirs = projects.clone(shared, tmp_path)
    git(theirs, "switch", "-q", made["branch"])
    place = theirs / NOTEBOOK
    good = place.read_text()
    place.write_text(good.replace("alerts = sum(1 for k", "alerts = 1 / 0 + sum(1 for k"))
    git(theirs, "commit", "-qam", "break it")
    git(theirs, "push", "-q")
    with pytest.raises(CheckFailed, match="ZeroDivisionError"):
        pulls.merge(connect(shared), 1)
    place.write_text(good.replace("agents = 24", "agents = 12"))
    git(theirs, "commit", "-qam", "mend it")
    git(theirs, "push", "-q")
    merged = pulls.merge(connect(shared), 1)
    assert [run["role"] for run in merged.runs] == ["reference"]
    assert "4 alerts below 0.9" in projects.blob(shared, "main", RUN).decode()


def test_a_draft_that_passed_becomes_ready_by_proposing_it_as_more(shared: Repository) -> None:
    assert propose(shared, NOTE, config=QUICK, draft=True)["pull_request"]["draft"]
    assert propose(shared, NOTE, config=QUICK, draft=True)["operation"] == "unchanged"
    ready = propose(shared, NOTE, config=QUICK)
    assert (ready["operation"], ready["pull_request"]["draft"]) == ("updated", False)
    assert propose(shared, NOTE, config=QUICK)["operation"] == "unchanged"
