"""What people do on the server while a proposal is under way, and what its next one makes of it: nothing is undone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from nbpr import keepsakes
from nbpr.config import Config
from nbpr.errors import Conflict, NotAllowed
from nbpr.forges import http, server
from nbpr.forges.gitea import GiteaApi
from nbpr.forges.github import GithubApi
from nbpr.git.repository import Repository, Stale
from nbpr.proposals import proofs, proposals, subjects
from nbpr.proposals.plans import Plan
from nbpr.proposals.proofs import Proof
from nbpr.proposals.proposals import Operation, Outcome
from tests import projects
from tests.forges import places
from tests.forges.places import Place
from tests.forges.serving import Reply
from tests.forges.test_proposing import with_notebook
from tests.projects import NOTEBOOK, set_threshold

pytestmark = pytest.mark.slow

Meanwhile = list[Callable[[], None]]


@pytest.fixture(params=["gitea", "forgejo", "github"])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    with places.fake(request.param, tmp_path, monkeypatch) as found:
        yield with_notebook(found)


@pytest.fixture(autouse=True)
def meanwhile(monkeypatch: pytest.MonkeyPatch) -> Meanwhile:
    """What is done, once, while the notebooks run, which none does here."""
    todo: Meanwhile = []

    def prove(repository: Repository, config: Config, plan: Plan, say: Any) -> Proof:
        while todo:
            todo.pop()()
        return Proof(checks=("format",))

    monkeypatch.setattr(proofs, "prove", prove)
    monkeypatch.setattr(subjects, "stale_runs", lambda *given: ())
    return todo


def propose(place: Place, value: float, **options: Any) -> dict[str, Any]:
    return projects.propose(place.repository, set_threshold(value), **options)


def test_words_that_are_written_during_the_push_stay(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    assert place.by_api is not None
    propose(place, 0.93)
    publish, edited = Repository.publish, []

    def pushed(self: Repository, remote: str | None, updates: Any, **more: Any) -> Any:
        done = publish(self, remote, updates, **more)
        if remote is not None and not edited:
            body = place.by_api("GET", "/pulls/1")["body"] + "\n\nBob: please hold"  # type: ignore[misc]
            edited.append(place.by_api("PATCH", "/pulls/1", {"body": body}))  # type: ignore[misc]
        return done

    monkeypatch.setattr(Repository, "publish", pushed)
    assert propose(place, 0.9)["operation"] == "updated"
    assert edited
    pull = place.forge().get(1)
    assert pull.body.endswith("Bob: please hold")
    assert pull.head_sha[:12] in pull.comments[0].body
    assert b"threshold = 0.9 " in (place.repository.read(pull.head_sha, NOTEBOOK) or b"")
    assert propose(place, 0.9)["operation"] == "unchanged"


def test_what_people_change_beside_the_text_stays(place: Place, meanwhile: Meanwhile) -> None:
    assert place.fake is not None
    repo = place.fake.repos["ada/x"]
    repo.milestones.update(v1=901, v2=902)
    propose(place, 0.93, milestone="v1", labels=("one", "two"), reviewers=("bob",), assignees=("bob",))

    def by_hand() -> None:
        repo.pulls[1]["milestone"] = "v2"
        for name, gone in (("labels", "one"), ("reviewers", "bob"), ("assignees", "bob")):
            repo.pulls[1][name].remove(gone)

    meanwhile.append(by_hand)
    assert propose(place, 0.9, labels=("three",))["operation"] == "updated"
    pull = place.forge().get(1)
    assert (pull.milestone, sorted(pull.labels)) == ("v2", ["three", "two"])
    assert (pull.reviewers, pull.assignees) == ((), ())


def test_labels_in_other_capitals_are_others_but_on_github(place: Place) -> None:
    propose(place, 0.93, labels=("bug",))
    propose(place, 0.93, labels=("Bug",))
    assert place.forge().get(1).labels == (("bug",) if place.kind == "github" else ("bug", "Bug"))
    assert propose(place, 0.93, labels=("Bug",))["operation"] == "unchanged"


def test_a_draft_that_a_person_made_stays_one(place: Place) -> None:
    assert place.fake is not None
    propose(place, 0.9)
    _turned(place, True)
    assert propose(place, 0.9)["operation"] == "unchanged"
    assert propose(place, 0.92)["operation"] == "updated"
    assert place.forge().get(1).draft
    _turned(place, False)
    assert propose(place, 0.93)["pull_request"]["draft"] is False


def test_a_draft_of_ours_becomes_ready(place: Place) -> None:
    propose(place, 0.9, draft=True)
    assert propose(place, 0.9, draft=True)["operation"] == "unchanged"
    assert propose(place, 0.9)["pull_request"]["draft"] is False
    assert not place.forge().get(1).draft


def _turned(place: Place, draft: bool) -> None:
    assert place.fake is not None
    assert place.by_api is not None
    if place.kind == "github":
        place.fake.repos["ada/x"].pulls[1]["draft"] = draft
    else:
        title = place.by_api("GET", "/pulls/1")["title"].removeprefix("WIP: ")
        place.by_api("PATCH", "/pulls/1", {"title": f"WIP: {title}" if draft else title})


def test_a_copied_body_is_left_to_who_copied_it(place: Place) -> None:
    assert place.by_api is not None
    first = propose(place, 0.93)
    body = place.forge().get(1).body
    place.push(place.child(str(place.repository.head), "bob's", "note.txt"), "bob/backport")
    place.by_api("POST", "/pulls", {"head": "bob/backport", "base": "main", "title": "Backport", "body": body})
    theirs = place.on_server("bob/backport")
    again = propose(place, 0.93)
    assert (again["operation"], again["pull_request"]["number"]) == ("unchanged", 1)
    revised = propose(place, 0.9)
    assert (revised["operation"], revised["pull_request"]["number"]) == ("updated", 1)
    assert (place.on_server("bob/backport"), revised["branch"]) == (theirs, first["branch"])


def test_the_half_of_another_agent_is_not_taken_over(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def by(agent: str, words: str) -> dict[str, Any]:
        changed = projects.health().replace(b"How many", words.encode())
        (place.repository.root / NOTEBOOK).write_bytes(changed)
        return projects.propose(place.repository, agent=agent, title=f"By {agent}")

    def refused(api: Any, opening: Any) -> None:
        raise NotAllowed("no pull requests today")

    api = GithubApi if place.kind == "github" else GiteaApi
    with monkeypatch.context() as patched:
        patched.setattr(api, "create", refused)
        with pytest.raises(NotAllowed):
            by("one", "Say how many")
    left = "agent/health-by-one"
    other = by("two", "Tell how many")
    assert (other["operation"], other["branch"]) == ("created", "agent/health-by-two")
    assert not place.repository.is_ancestor(str(place.on_server(left)), other["head_sha"])
    again = by("one", "Say how many")
    assert (again["operation"], again["branch"], again["pull_request"]["number"]) == ("created", left, 2)


@pytest.mark.parametrize("where", ["in opening it", "in handing its pictures over"])
def test_who_opened_it_says_so_though_somebody_was_faster_with_the_rest(
    place: Place, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    room, name = (server.ServerForge, "_made_so") if where == "in opening it" else (keepsakes, "hand_over")
    done, met = getattr(room, name), []

    def slower(*given: Any) -> Any:
        if not met:
            met.append(where)
            raise Stale("somebody edited it meanwhile")
        return done(*given)

    monkeypatch.setattr(room, name, slower)
    assert propose(place, 0.9)["operation"] == "created"
    assert met
    assert [pull.number for pull in place.forge().find()] == [1]
    assert propose(place, 0.9)["operation"] == "unchanged"


@pytest.mark.parametrize("operation", ["blocked", "dry-run", "created"])
def test_no_other_outcome_is_called_created_for_that(operation: Operation) -> None:
    outcome = Outcome(operation, cast(Plan, None), None, None, "failed", Proof(), ())
    assert proposals._as_ours(outcome, True).operation == operation


def test_what_is_closed_for_us_is_by_its_branch(place: Place) -> None:
    assert place.by_api is not None
    propose(place, 0.93)
    place.by_api("PATCH", "/pulls/1", {"state": "closed"})
    with pytest.raises(Conflict, match="was closed without merging"):
        propose(place, 0.93)


def test_a_server_that_breaks_on_what_is_not_there_says_nothing_of_the_token(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert place.fake is not None
    answer = place.fake.answer

    def broken(method: str, path: str, *given: Any) -> Reply:
        is_probe = path.endswith(("/pulls/0", "/comments/0"))
        return Reply(500, {"message": ""}) if is_probe else answer(method, path, *given)

    monkeypatch.setattr(place.fake, "answer", broken)
    monkeypatch.setattr(http, "pause", lambda seconds: None)
    assert propose(place, 0.9)["operation"] == "created"
