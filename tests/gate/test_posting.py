"""What a forge is told: on fakes of Gitea and GitHub, by tokens that may and may not, and cut off half-way."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from nbpr import steps
from nbpr.config import Config, Execute, Gate
from nbpr.errors import BadInput, OutOfReach
from nbpr.findings import Finding
from nbpr.forges import http
from nbpr.gate import gate as gates
from nbpr.gate import posting
from nbpr.gate.gate import Wanted
from nbpr.gate.occasion import Occasion
from nbpr.gate.result import GateResult, Judged
from nbpr.gate.revisions import Revisions
from nbpr.git.repository import Repository
from tests.forges import places
from tests.forges.places import ME, Place
from tests.forges.serving import Fault
from tests.gate.workshop import Seen

pytestmark = pytest.mark.slow

RUN = {"status": "success", "cached": False, "duration_seconds": 1.0}


@pytest.fixture(params=["gitea", "github"])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    monkeypatch.setattr(http, "pause", lambda seconds: None)
    with places.fake(request.param, tmp_path, monkeypatch) as found:
        yield found


#: Many trials: with each kind of forge only where there is time.
ON_ONE = pytest.mark.parametrize("place", ["gitea", pytest.param("github", marks=pytest.mark.soak)], indirect=True)


@dataclass
class Told:
    """A gate whose notebooks are judged beforehand, so that no kernel is needed to see what is told of them."""

    place: Place
    head: str
    pull: int | None
    ground: gates.Ground | None = None

    def __call__(self, result: GateResult, *, runs: bool = True, breaks: BaseException | None = None) -> GateResult:
        from nbpr.gate import delivery

        def run(repository: Repository, wanted: Wanted, watcher: gates.Watcher) -> GateResult:
            if self.ground is None:  # what is there to be judged is no matter of these tests
                ground = gates.found(repository, wanted, Path(repository.git_dir) / "ground")
                self.ground = replace(ground, rules=replace(ground.rules, config=self.settings))
            watcher.begins(self.ground)
            if runs:
                watcher.runs()
                watcher.runs()
            if breaks is not None:
                raise breaks
            return replace(result, head=self.head)

        occasion = Occasion(base="main", head=self.head, pull=self.pull, is_event=True)
        patch = pytest.MonkeyPatch()
        patch.setattr(gates, "run", run)
        try:
            return delivery.carry_out(self.place.repository, Wanted(occasion), Seen(), post=True)
        finally:
            patch.undo()

    @property
    def settings(self) -> Config:
        return replace(self.place.config, gate=Gate(statuses=False))

    @property
    def repo(self) -> Any:
        assert self.place.fake is not None
        return self.place.fake.repos["ada/x"]

    @property
    def statuses(self) -> list[str]:
        """Every state that the required context had, oldest first."""
        return [one.get("state") or one["status"] for one in self.repo.statuses if one["context"] == posting.CONTEXT]


@pytest.fixture
def told(place: Place) -> Told:
    pull = place.forge().open(place.opening())
    assert place.fake is not None
    place.fake.reset()
    return Told(place, pull.head_sha, pull.number)


def result(*errors: str) -> GateResult:
    findings = tuple(Finding("execute", "error", "n.ipynb", message) for message in errors)
    return GateResult("0" * 40, "0" * 40, (Judged("n.ipynb", "modified", findings, ("execute",), RUN),))


def test_one_status_one_comment_and_nothing_twice(told: Told) -> None:
    told(result("cell 1: no such table"))
    assert told.statuses == ["pending", "failure"]
    assert len(told.repo.comments) == 1
    assert "no such table" in told.repo.comments[0]["body"]
    assert told.place.fake is not None
    told(result("cell 1: no such table"), runs=False)
    assert told.statuses == ["pending", "failure"]
    told.place.fake.reset()
    told(result(), runs=True)
    assert told.statuses == ["pending", "failure", "pending", "success"]
    assert len(told.repo.comments) == 1
    assert "no such table" not in told.repo.comments[0]["body"]
    told.place.fake.reset()
    told(result(), runs=False)
    assert told.place.fake.writes == []


def test_nothing_changed_is_said_by_the_status_alone(told: Told) -> None:
    told(GateResult("0" * 40, "0" * 40), runs=False)
    assert told.statuses == ["success"]
    assert told.repo.comments == []


def test_a_comment_that_is_there_is_brought_up_to_date_when_nothing_is_left(told: Told) -> None:
    told(result("cell 1: no such table"))
    told(GateResult("0" * 40, "0" * 40), runs=False)
    assert len(told.repo.comments) == 1
    assert "No notebook changed" in told.repo.comments[0]["body"]


def test_a_token_that_may_only_read_leaves_log_and_exit_code(told: Told) -> None:
    told.repo.readers.add(ME)
    found = told(result("cell 1: no such table"))
    assert found.verdict == "failed"
    assert told.statuses == []
    (note,) = [each for each in found.notes if "status" in each]
    assert note.startswith("the commit gets no status: ")


def test_no_token_is_said_in_one_line(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GITEA_TOKEN", "GH_ENTERPRISE_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    found = told(result())
    assert found.verdict == "passed"
    (note,) = found.notes
    assert note.startswith("the forge is told nothing: there is no token")
    assert told.statuses == []


def test_a_token_that_is_known_to_read_only_is_not_tried(told: Told) -> None:
    occasion = Occasion(head=told.head, may_write=False)
    desk, notes = posting.connect(told.place.repository, told.settings, occasion, Revisions(told.head, None, None))
    assert desk is None
    assert len(notes) == 1
    assert told.place.fake is not None
    assert told.place.fake.requests == []


@pytest.mark.parametrize("error", [OutOfReach("gone"), KeyboardInterrupt(), ValueError("a bug"), OSError(28, "full")])
def test_what_breaks_off_leaves_no_green_mark(told: Told, error: BaseException) -> None:
    told(result())
    with pytest.raises((OutOfReach, KeyboardInterrupt, ValueError)):
        told(result(), breaks=error)
    assert told.statuses == ["pending", "success", "pending", "error"]
    told(result())
    assert told.statuses[-1] == "success"
    assert len(told.repo.comments) == 1


def test_who_interrupts_does_not_wait_for_a_forge_that_wants_rest(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = told.place.fake
    assert fake is not None
    monkeypatch.setattr(http, "pause", http._pause)
    with pytest.raises(KeyboardInterrupt):
        told(result(), breaks=KeyboardInterrupt())
    assert told.repo.statuses[-1]["description"] == "broken off: interrupted"
    total = len(fake.requests)
    fake.reset({total - 1: Fault("503")})
    with pytest.raises(KeyboardInterrupt):
        told(result(), breaks=KeyboardInterrupt())
    assert len(fake.requests) == total


def test_a_notebook_whose_forge_wants_rest_holds_up_nobody_who_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    rests = threading.Event()

    class Watching(Seen):
        def runs(self) -> None:
            if rests.is_set():
                raise KeyboardInterrupt
            rests.set()
            http._pause(600)

    def judge(case: Any, told: object, turn: object, begin: Callable[[], None]) -> None:
        assert case.path == "a.ipynb" or rests.wait(30)
        begin()

    monkeypatch.setattr(gates, "judge", judge)
    cases: Any = [SimpleNamespace(path=f"{name}.ipynb", sides=SimpleNamespace(after=None)) for name in "ab"]
    with pytest.raises(KeyboardInterrupt):
        gates._judged(cases, Config(execute=Execute(jobs=2)), Watching())


def test_killed_while_it_runs_it_stays_pending(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(posting.Posting, "broken_off", lambda self, why, always=False: None)
    with pytest.raises(SystemExit):
        told(result(), breaks=SystemExit())
    assert told.statuses == ["pending"]


class Killed(BaseException):
    """What ends a command without its being asked."""


@ON_ONE
def test_killed_at_any_boundary_it_is_not_green_and_the_next_one_says_all(
    told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(posting.Posting, "broken_off", lambda self, why, always=False: None)
    told(result())
    told.repo.statuses.clear()
    told.repo.comments.clear()
    passed: list[str] = []
    monkeypatch.setattr(steps, "listener", passed.append)
    told(result())
    ours = [at for at, name in enumerate(passed) if any(word in name for word in ("status", "comment"))]
    assert len(ours) >= 12
    for last in ours:
        told.repo.statuses.clear()
        told.repo.comments.clear()
        left = [last]

        def kill(name: str, left: list[int] = left) -> None:
            left[0] -= 1
            if left[0] < 0:
                raise Killed

        monkeypatch.setattr(steps, "listener", kill)
        with pytest.raises(Killed):
            told(result())
        assert told.statuses[-1:] != ["success"] or len(told.repo.comments) == 1
        monkeypatch.setattr(steps, "listener", None)
        told(result())
        assert told.statuses[-1] == "success"
        assert len(told.repo.comments) == 1


def test_without_what_the_first_job_left_the_second_says_so(told: Told, tmp_path: Path) -> None:
    from nbpr.gate import delivery

    told(result())
    assert told.statuses[-1] == "success"
    occasion = Occasion(base="main", head=told.head, pull=told.pull, is_event=True)
    with pytest.raises(BadInput):
        delivery.carry_out(told.place.repository, Wanted(occasion), Seen(), post=True, leavings=tmp_path / "none")
    assert told.statuses[-1] == "error"


@ON_ONE
def test_cut_off_half_way_it_is_not_green_and_the_next_one_says_all(told: Told) -> None:
    """Each request in turn does not come back, for as long as it is tried."""
    fake = told.place.fake
    assert fake is not None
    told(result())
    total = len(fake.requests)
    for first in range(total):
        told.repo.statuses.clear()
        told.repo.comments.clear()
        fake.reset({number: Fault("reset") for number in range(first, first + 100)})
        with pytest.raises(OutOfReach):
            told(result())
        assert told.statuses[-1:] != ["success"]
        fake.reset()
        told(result())
        assert told.statuses[-1] == "success"
        assert len(told.repo.comments) == 1


def test_a_pull_request_that_went_on_gets_no_comment_of_an_old_head(told: Told) -> None:
    newer = told.place.child(told.head, "newer")
    told.place.push(newer, "agent/x")
    found = told(result("cell 1: old"))
    assert told.repo.comments == []
    assert told.statuses == ["pending", "failure"]
    assert "another head by now" in found.notes[-1]


def test_comments_of_others_are_left_alone(told: Told) -> None:
    assert told.place.by_api is not None
    told.place.by_api("POST", f"/issues/{told.pull}/comments", {"body": f"{posting.MARKER}\nmine"})
    told(result())
    assert sorted(one["body"].count("mine") for one in told.repo.comments) == [0, 1]


def test_descriptions_are_short_and_statuses_of_notebooks_are_asked_for(told: Told) -> None:
    settings = Gate(statuses=True)
    occasion, at = Occasion(pull=told.pull, is_event=True), Revisions(told.head, None, None)
    desk, _ = posting.connect(told.place.repository, replace(told.settings, gate=settings), occasion, at)
    assert desk is not None
    desk.result(replace(result("x" * 500), head=told.head))
    contexts = {one["context"]: one["description"] for one in told.repo.statuses}
    assert set(contexts) == {posting.CONTEXT, f"{posting.CONTEXT}: n.ipynb"}
    assert all(len(text) <= 140 for text in contexts.values())
