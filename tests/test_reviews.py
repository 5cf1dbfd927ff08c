"""The review page of a pull request: from its proposal, and from any other clone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nbpr import config, pulls, reviews
from nbpr.errors import BadInput
from nbpr.git.repository import Repository
from nbpr.render import Report, html
from tests import projects
from tests.conftest import git
from tests.projects import NOTE, NOTEBOOK, propose, set_threshold
from tests.render.pages import large


@pytest.fixture(scope="module")
def proposed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Repository, dict[str, Any]]:
    """A project in which the threshold was proposed to be lower, and what that answered."""
    repository = projects.make(tmp_path_factory.mktemp("reviews"))
    body = "They recover *by themselves*.\n\nWithin the hour."
    return repository, propose(repository, set_threshold(0.9), NOTE, body=body, refs=(7,))


def connected(root: Path) -> tuple[Repository, config.Config, pulls.Session]:
    repository = Repository.discover(root)
    settings = config.load(root, None, environ={})
    return repository, settings, pulls.connect(repository, settings)


def of_first(root: Path) -> Report:
    repository, settings, session = connected(root)
    pull = session.get(1)
    return reviews.of_pull(repository, settings, pull, session.branches.sha(pull.base))


@pytest.mark.kernel
def test_a_proposal_writes_its_page(proposed: tuple[Repository, dict[str, Any]]) -> None:
    repository, answer = proposed
    page = Path(answer["review_page"])
    assert page == repository.own_dir / "review" / "1.html"
    text = page.read_text(encoding="utf-8")
    assert "<title>Passed: Lower the threshold</title>" in text
    assert "They recover <em>by themselves</em>" in text
    assert "alert_count" in text


@pytest.mark.kernel
def test_the_same_page_comes_of_the_pull_request(proposed: tuple[Repository, dict[str, Any]]) -> None:
    repository, answer = proposed
    report = of_first(repository.root)
    assert report.verdict == "passed"
    assert report.why == "They recover *by themselves*.\n\nWithin the hour.\n\nRefs #7"
    assert [finding.as_json() for finding in report.findings] == answer["findings"]
    assert [(row.name, row.before, row.after) for row in report.scraps] == [
        (row["name"], None, row["after"]) for row in answer["scraps"]
    ]
    assert [diff.summary.as_json() | {"outputs_changed": 0} for diff in report.diffs] == [
        summary | {"outputs_changed": 0} for summary in answer["diff"]
    ]
    assert report.checks
    assert [run["role"] for run in report.runs] == [run["role"] for run in answer["runs"]]


@pytest.mark.kernel
def test_another_clone_knows_what_git_and_the_body_say(
    proposed: tuple[Repository, dict[str, Any]], tmp_path: Path
) -> None:
    repository, answer = proposed
    theirs = projects.clone(repository, tmp_path)
    report = of_first(theirs)
    assert report.verdict == "passed"
    assert report.why.startswith("They recover *by themselves*.")
    assert [change.kind for change in report.diffs[0].changed_cells][:2] == ["modified", "added"]
    assert {row.name: row.after for row in report.scraps}["alert_count"] == 4
    assert [finding.as_json() for finding in report.findings] == answer["findings"]
    assert report.findings  # that there was no reference run to compare with, for one
    assert replace(report, links=()) == replace(of_first(repository.root), links=())
    page = html.render(report)
    assert "<title>Passed: Lower the threshold</title>" in page
    assert all(check in page for check in report.passed_checks)
    assert "is what the pull request&#39;s body says" in page


@pytest.mark.kernel
def test_facts_of_another_head_are_not_told(proposed: tuple[Repository, dict[str, Any]]) -> None:
    repository, settings, session = connected(proposed[0].root)
    pull = session.get(1)
    parent = git(repository.root, "rev-parse", f"{pull.head_sha}^")
    older = reviews.of_pull(repository, settings, replace(pull, head_sha=parent), session.branches.sha("main"))
    assert older.verdict is None
    assert older.checks == ()
    with pytest.raises(BadInput, match="left main is not known"):
        reviews.of_pull(repository, settings, pull, None)


@pytest.mark.kernel
def test_what_failed_stands_on_the_page_of_another_clone(tmp_path: Path) -> None:
    repository = projects.make(tmp_path)
    edit = {"op": "replace", "cell": "count", "source": "alerts = 1 // 0  # <!-- /nbpr --> @ada"}
    answer = propose(repository, edit, on_failure="draft", config={"reproduce": False})
    assert (answer["operation"], answer["verdict"]) == ("created", "failed")
    report = of_first(projects.clone(repository, tmp_path))
    assert report.verdict == "failed"
    assert [finding.as_json() for finding in report.findings] == answer["findings"]
    assert [run["failed_cell"]["ename"] for run in report.runs if "failed_cell" in run] == ["ZeroDivisionError"]
    page = html.render(report)
    assert "<title>Failed: Lower the threshold</title>" in page
    assert "ZeroDivisionError: integer division or modulo by zero" in page


@pytest.mark.kernel
def test_a_body_that_says_nothing_of_the_checks_is_no_verdict(proposed: tuple[Repository, dict[str, Any]]) -> None:
    repository, settings, session = connected(proposed[0].root)
    pull = session.get(1)
    silent = replace(pull, body=pull.body.replace("<!-- nbpr-checks ", "<!-- "))
    report = reviews.of_pull(repository, settings, silent, session.branches.sha("main"))
    assert (report.verdict, report.checks, report.findings, report.runs) == (None, (), (), ())
    assert report.notes[-1] == "the pull request's body does not say what the checks found at this commit"


@pytest.mark.kernel
def test_numbers_are_followed_through_the_runs_in_git(tmp_path: Path) -> None:
    repository = projects.make(tmp_path)
    for value in (0.92, 0.93, 0.94):
        made = propose(repository, set_threshold(value), config={"reproduce": False}, title=f"T {value}")
        _, _, session = connected(repository.root)
        pulls.merge(session, made["pull_request"]["number"])
        git(repository.root, "pull", "-q", "--ff-only")
    made = propose(repository, set_threshold(0.90), config={"reproduce": False}, title="last")
    repository, settings, session = connected(repository.root)
    pull = session.get(made["pull_request"]["number"])
    report = reviews.of_pull(repository, settings, pull, session.branches.sha("main"))
    row = next(row for row in report.scraps if row.name == "alert_count")
    assert row.history == (8, 10, 12, 4)
    assert 'class="sparkline"' in Path(made["review_page"]).read_text(encoding="utf-8")
    merged = reviews.of_pull(repository, settings, session.get(1), session.branches.sha("main"))
    assert [diff.path for diff in merged.diffs] == [NOTEBOOK]
    assert merged.operation == "pull request #1, merged"


def test_pictures_that_do_not_fit_go_beside_the_page_and_away_again(tmp_path: Path) -> None:
    page = tmp_path / "deep" / "1.html"
    reviews.write(page, large(10, 10, 12_000_000))
    files = sorted((tmp_path / "deep" / "1.files").iterdir())
    text = page.read_text(encoding="utf-8")
    assert files
    assert all(f'href="1.files/{file.name}"' in text for file in files)
    reviews.write(page, large(10, 10, 10_000))
    assert sorted(tmp_path.joinpath("deep").iterdir()) == [page]
