"""Proposing to a forge on a server, from edits to the pull request: counted, raced, killed on the wire."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nbpr import config, pulls, reviews
from nbpr.errors import BadInput, Conflict, NbprError, NotAllowed, OutOfReach
from nbpr.forges import PullRequest, http
from nbpr.proposals import announcements, identity, proofs
from nbpr.render import Report, html
from tests import projects, proving
from tests.conftest import git
from tests.forges import places
from tests.forges.fake_gitea import FakeGitea
from tests.forges.fake_github import FakeGithub
from tests.forges.gitea_server import SCOPES, Gitea
from tests.forges.places import OTHER, Place
from tests.forges.serving import FAULTS, HANG, Fault, Reply
from tests.projects import NOTEBOOK, set_threshold

pytestmark = pytest.mark.kernel

KINDS = ("gitea", "github")


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    proving.once(monkeypatch)
    monkeypatch.setattr(http, "pause", lambda seconds: None)


@pytest.fixture(params=["gitea", "github"])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    with places.fake(request.param, tmp_path, monkeypatch) as found:
        yield with_notebook(found)


@pytest.fixture
def real(gitea: Gitea, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    monkeypatch.setattr(http, "pause", time.sleep)  # it does take its time
    with places.real(gitea, tmp_path.name, tmp_path, monkeypatch) as found:
        yield with_notebook(found)


def with_notebook(place: Place, sources: Any = projects.SOURCES) -> Place:
    """The project that these tests propose in, on the server's `main`."""
    root = place.repository.root
    projects.write(root, {NOTEBOOK: projects.health(sources)})
    git(root, "add", "-A")
    git(root, "commit", "-qm", "a notebook")
    place.push(str(place.repository.head), "main")
    if place.fake:
        place.fake.reset()
    return place


def propose(place: Place, value: float = 0.9, **options: Any) -> dict[str, Any]:
    return projects.propose(place.repository, set_threshold(value), **options)


def the_one(place: Place) -> PullRequest:
    """The only pull request, with its comments; it holds what was proposed, and one comment of ours."""
    found = place.forge().find(state=None)
    assert len(found) == 1
    pull = place.forge().get(found[0].number)
    ours = [said for said in pull.comments if said.body.startswith(announcements.MARKER)]
    assert len(ours) == 1
    known = identity.read(pull.body)
    assert known is not None
    assert (known.verdict, known.head) == ("passed", pull.head_sha)
    assert str(known.head)[:12] in ours[0].body
    assert place.on_server(pull.head) == pull.head_sha
    source = place.repository.read(pull.head_sha, NOTEBOOK)
    assert source is not None
    assert b"threshold = 0.9 " in source
    return pull


def test_the_first_time_and_again(place: Place) -> None:
    assert place.fake is not None
    first = propose(place)
    assert (first["operation"], first["verdict"]) == ("created", "passed")
    pull = the_one(place)
    assert "alert_count" in pull.body
    assert first["pull_request"] == {"number": 1, "url": pull.url, "state": "open", "draft": False}
    repo = place.fake.repos["ada/x"]
    assert [(one["context"], one["sha"]) for one in repo.statuses] == [("nbpr", pull.head_sha)]
    before = place.repository.refs("refs/nbpr")
    for title in ("Lower the threshold", "Quite another title"):
        place.fake.reset()
        again = propose(place, title=title)
        assert (again["operation"], again["pull_request"]["number"]) == ("unchanged", 1)
        assert (place.fake.writes, place.fake.pushes) == ([], 0)
        assert len(place.fake.requests) <= 6, place.fake.requests
    assert place.repository.refs("refs/nbpr") == before
    the_one(place)


def test_new_content_updates_it(place: Place) -> None:
    propose(place, 0.93)
    second = propose(place, title="Lower the threshold")
    assert (second["operation"], second["pull_request"]["number"]) == ("updated", 1)
    the_one(place)


def test_a_new_title_comes_with_new_content_and_stays_where_a_person_wrote_another(place: Place) -> None:
    assert place.by_api is not None
    propose(place, 0.93, title="One")
    assert propose(place, 0.93, title="Two")["operation"] == "unchanged"
    assert place.forge().get(1).title == "One"
    propose(place, 0.92, title="Three", pull=1)
    assert place.forge().get(1).title == "Three"
    place.by_api("PATCH", "/pulls/1", {"title": "Say it as we do"})
    propose(place, 0.91, title="Four", pull=1)
    assert place.forge().get(1).title == "Say it as we do"


def test_a_dry_run_writes_nothing(place: Place) -> None:
    assert place.fake is not None
    git(
        place.repository.root,
        "fetch",
        "-q",
        place.repository.git("config", "by-hand.url"),
        "main:refs/remotes/origin/main",
    )
    assert propose(place, dry_run=True)["operation"] == "dry-run"
    assert (place.fake.writes, place.fake.pushes) == ([], 0)


def test_what_people_wrote_around_it_stays(place: Place) -> None:
    assert place.by_api is not None
    propose(place, 0.93)
    body = place.forge().get(1).body
    place.by_api("PATCH", "/pulls/1", {"body": f"Please look.\r\n\r\n{body}\r\n\r\nI will, Bob."})
    propose(place)
    now = the_one(place)
    assert now.body.startswith("Please look.\n\n")
    assert now.body.endswith("\n\nI will, Bob.")


def test_the_page_in_another_clone_says_what_the_checks_found(place: Place, tmp_path: Path) -> None:
    made = propose(place)
    of_server(place, tmp_path, made)


def of_server(place: Place, folder: Path, made: dict[str, Any]) -> None:
    """A clone that did not propose has verdict, findings and runs, as long as the head is the proven one."""
    repository = places.elsewhere(place, folder).repository
    settings = config.load(repository.root, {}, environ={})

    def report() -> Report:
        session = pulls.connect(repository, settings)
        pull = session.get(made["pull_request"]["number"])
        return reviews.of_pull(repository, settings, pull, session.branches.sha(pull.base))

    shown = report()
    assert shown.verdict == made["verdict"] == "passed"
    # That the token may make no check runs is told when the pull request is there already.
    told = [each for each in made["findings"] if not each["message"].startswith("findings stand")]
    assert [finding.as_json() for finding in shown.findings] == told
    assert [run["role"] for run in shown.runs] == [run["role"] for run in made["runs"]]
    assert {"execute", "reproduce"} <= set(shown.passed_checks)
    assert "<title>Passed: " in html.render(shown)
    newer = place.child(made["head_sha"], "by a person", "note.txt")
    place.push(newer, made["branch"])
    assert (report().verdict, report().checks) == (None, ())


def test_what_people_committed_stays(place: Place) -> None:
    propose(place, 0.93)
    pull = place.forge().get(1)
    theirs = place.child(pull.head_sha, "by a person", "note.txt")
    place.push(theirs, pull.head)
    propose(place)
    now = the_one(place)
    assert place.repository.is_ancestor(theirs, now.head_sha)


def test_a_closed_one_is_an_answer(place: Place) -> None:
    assert place.by_api is not None
    propose(place)
    place.by_api("PATCH", "/pulls/1", {"state": "closed"})
    with pytest.raises(Conflict, match="#1 for this was closed"):
        propose(place)
    assert propose(place, reopen=True)["pull_request"]["state"] == "open"
    the_one(place)


@pytest.mark.parametrize("is_mine", [True, False], ids=["here", "in another clone"])
def test_one_whose_branch_was_deleted_is_opened_again(place: Place, tmp_path: Path, is_mine: bool) -> None:
    opened_again(place, place if is_mine else places.elsewhere(place, tmp_path))


def opened_again(place: Place, other: Place) -> None:
    """Its branch is put back where it was, by who opens it again."""
    made = propose(place)
    git(place.repository.root, "push", "-q", place.repository.git("config", "by-hand.url"), f":{made['branch']}")
    with pytest.raises(Conflict, match=r"#1 for this was closed|was deleted"):
        propose(other)
    if place.forge().get(1).state == "open":  # Gitea closes it a moment later, or not at all
        pulls.close(pulls.connect(place.repository, place.config), 1)
    assert place.on_server(made["branch"]) is None
    again = propose(other, reopen=True)
    assert (again["operation"], again["head_sha"]) == ("updated", made["head_sha"])
    assert again["pull_request"] == made["pull_request"]
    the_one(place)
    assert propose(other)["operation"] == "unchanged"


def test_merging_it(place: Place) -> None:
    propose(place)
    session = pulls.connect(place.repository, place.config)
    merged = pulls.merge(session, 1).pull
    assert merged.state == "merged"
    place.forge()
    assert place.on_server("main") == merged.merge_sha
    assert b"threshold = 0.9 " in (place.repository.read(str(merged.merge_sha), NOTEBOOK) or b"")
    again = pulls.connect(place.repository, place.config)
    assert [pull.state for pull in pulls.listed(again, "all")] == ["merged"]
    assert pulls.merge(again, 1).pull.state == "merged"


def test_it_merges_when_its_checks_have_passed(place: Place) -> None:
    assert place.fake is not None
    assert place.by_api is not None
    repo = place.fake.repos["ada/x"]
    done = propose(place, auto_merge=True)
    assert done["operation"] == "created"
    assert [one["level"] for one in done["findings"] if "merged by itself" in one["message"]] == ["warning"]
    repo.required["main"] = ["ci", "nbpr"]
    repo.settings["allow_auto_merge"] = True
    assert propose(place, auto_merge=True)["operation"] == "updated"
    place.fake.reset()
    again = propose(place, auto_merge=True)
    assert (again["operation"], again["pull_request"]["state"]) == ("unchanged", "open")
    assert (place.fake.writes, place.fake.pushes) == ([], 0)
    assert len(place.fake.requests) <= 6, place.fake.requests
    session = pulls.connect(place.repository, place.config)
    assert pulls.merge(session, 1, when_ready=True).pull.state == "open"
    status = {"context": "ci", "state": "success", "description": "", "target_url": ""}
    place.by_api("POST", f"/statuses/{done['head_sha']}", status)
    assert place.forge().get(1).state == "merged"


# -- trouble ---------------------------------------------------------------------------------------------------


def test_an_expired_token(place: Place) -> None:
    assert place.fake is not None
    place.fake.users.pop(places.TOKEN)
    with pytest.raises(NotAllowed, match="does not take the token from G") as caught:
        propose(place)
    assert places.TOKEN not in str(caught.value)
    place.fake.errors.clear()


def test_a_server_that_stays_away(place: Place) -> None:
    assert place.fake is not None
    place.fake.reset({number: Fault("503") for number in range(100)})
    with pytest.raises(OutOfReach, match="503"):
        propose(place)
    assert place.on_server("agent/health-lower-the-threshold") is None


def test_asking_again_for_what_the_server_has_in_its_own_way(place: Place) -> None:
    """On GitHub labels are the same in other capitals, and whoever has reviewed is not among those asked any more."""
    assert place.fake is not None
    assert place.by_api is not None
    place.fake.repos["ada/x"].labels["bug"] = 7
    word = "Bug" if place.kind == "github" else "bug"
    propose(place, labels=(word,), reviewers=(OTHER,))
    event = "APPROVE" if place.kind == "github" else "APPROVED"
    place.by_api("POST", "/pulls/1/reviews", {"event": event, "body": "good"})
    assert place.forge().get(1).labels == ("bug",)
    place.fake.reset()
    again = propose(place, labels=(word,), reviewers=(OTHER,))
    assert (again["operation"], place.fake.writes) == ("unchanged", [])
    assert len(place.fake.requests) <= (7 if place.kind == "github" else 6), place.fake.requests


def test_a_milestone_that_is_not_there_is_told_before_anything_is_run(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert place.fake is not None
    monkeypatch.setattr(proofs, "prove", lambda *_: pytest.fail("it was run"))
    with pytest.raises(BadInput, match="no milestone 'v9'"):
        propose(place, milestone="v9")
    assert (place.fake.writes, place.fake.pushes) == ([], 0)


@pytest.mark.parametrize("place", ["gitea"], indirect=True)
@pytest.mark.parametrize("scopes", [["write:repository"], ["write:issue"], []])
def test_a_scope_that_a_token_lacks_is_named_before_anything_is_run(
    place: Place, monkeypatch: pytest.MonkeyPatch, scopes: list[str]
) -> None:
    assert isinstance(place.fake, FakeGitea)
    needed, place.fake.scopes = place.fake.scopes, set(scopes)
    with monkeypatch.context() as patch:
        patch.setattr(proofs, "prove", lambda *_: pytest.fail("it was run"))
        with pytest.raises(NotAllowed, match="the token lacks write:") as caught:
            propose(place)
    assert all((scope in caught.value.message) == (scope not in scopes) for scope in needed)
    assert place.fake.pushes == 0
    place.fake.scopes = needed
    assert propose(place)["operation"] == "created"
    the_one(place)


@pytest.mark.parametrize("place", ["github"], indirect=True)
@pytest.mark.parametrize(
    ("scopes", "private", "lacks"),
    [
        ({"gist", "read:org"}, False, "repo or public_repo"),
        ({"gist", "public_repo"}, True, "repo"),
        ({"public_repo"}, False, None),
        ({"repo"}, True, None),
        (set(), True, None),  # tokens that have other rights than scopes
    ],
)
def test_a_scope_that_a_classic_token_lacks_is_named_before_anything_is_run(
    place: Place, monkeypatch: pytest.MonkeyPatch, scopes: set[str], private: bool, lacks: str | None
) -> None:
    assert isinstance(place.fake, FakeGithub)
    place.fake.scopes = scopes or None
    place.fake.repos["ada/x"].settings["private"] = private
    if lacks is None:
        assert propose(place)["operation"] == "created"
        return
    monkeypatch.setattr(proofs, "prove", lambda *_: pytest.fail("it was run"))
    with pytest.raises(NotAllowed, match=f"has the scopes {', '.join(sorted(scopes))}, and lacks {lacks}$"):
        propose(place)
    assert (place.fake.writes, place.fake.pushes) == ([], 0)


@pytest.mark.slow
@pytest.mark.parametrize("scope", ["write:repository", "write:issue"])
def test_a_scope_that_a_token_lacks_on_a_real_gitea(
    gitea: Gitea, real: Place, monkeypatch: pytest.MonkeyPatch, scope: str
) -> None:
    scopes = [one for one in SCOPES.split(",") if one != scope] + [scope.replace("write", "read")]
    monkeypatch.setenv("GITEA_TOKEN", gitea.made_token("ada", scopes))
    with pytest.raises(NotAllowed, match=f"the token lacks {scope}"):
        real.forge().ready()
    monkeypatch.setenv("GITEA_TOKEN", gitea.token)
    real.forge().ready()


def test_a_locked_conversation_costs_the_comment_alone(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    assert place.fake is not None
    propose(place, 0.93)
    answer = place.fake.answer

    def locked(method: str, path: str, query: Any, body: Any, login: str | None) -> Reply:
        if method != "GET" and "/comments" in path:
            return Reply(403, {"message": "Unable to create comment because issue is locked."})
        return answer(method, path, query, body, login)

    monkeypatch.setattr(place.fake, "answer", locked)
    for operation in ("updated", "unchanged"):
        told = propose(place)
        assert told["operation"] == operation
        (note,) = (one for one in told["findings"] if "issue is locked" in one["message"])
        assert (note["level"], note["message"].startswith("pull request #1 got no comment")) == ("note", True)
    assert place.fake.repos["ada/x"].statuses[-1]["sha"] == place.forge().get(1).head_sha


def test_no_token_no_pull_request(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GITEA_TOKEN", "GH_ENTERPRISE_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(NotAllowed, match="no token for 127") as caught:
        propose(place)
    wanted = "GITEA_TOKEN with GITEA_SERVER_URL" if place.kind == "gitea" else "GH_ENTERPRISE_TOKEN with GH_HOST"
    assert wanted in str(caught.value.hint)


def requests_of_a_first_time(place: Place) -> int:
    assert place.fake is not None
    propose(place)
    return len(place.fake.requests)


def struck(place: Place, faults: dict[int, Fault], monkeypatch: pytest.MonkeyPatch) -> None:
    """Propose with faults, then once more without: one pull request, one comment, the right content."""
    assert place.fake is not None
    place.fake.reset(faults)
    code = 0
    with monkeypatch.context() as impatient:
        if any(fault.kind == "hang" for fault in faults.values()):
            impatient.setattr(http, "NEXT_BYTES", HANG / 2)
        try:
            propose(place)
        except NbprError as error:
            code = error.exit_code
    place.fake.reset()
    second = propose(place)
    assert code in (0, 4, 5, 6)
    assert code or second["operation"] == "unchanged"
    the_one(place)
    statuses = place.fake.repos["ada/x"].statuses
    assert len(statuses) == 1


SHARE = random.Random(7)
TRIALS = [(kind, fault, number) for kind in KINDS for fault in FAULTS for number in range(20)]


def _ids(trial: tuple[str, Fault, int]) -> str:
    kind, fault, number = trial
    return f"{kind} {'after' if fault.after else 'before'} {fault.kind} {number}"


@pytest.mark.parametrize("trial", SHARE.sample(TRIALS, 10), ids=_ids)
def test_a_fault_at_a_request(trial: tuple[str, Fault, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kind, fault, number = trial
    with places.fake(kind, tmp_path, monkeypatch) as place:
        struck(with_notebook(place), {number: fault}, monkeypatch)


@pytest.mark.soak
@pytest.mark.parametrize("trial", TRIALS, ids=_ids)
def test_each_fault_at_each_request(
    trial: tuple[str, Fault, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind, fault, number = trial
    with places.fake(kind, tmp_path, monkeypatch) as place:
        struck(with_notebook(place), {number: fault}, monkeypatch)


@pytest.mark.parametrize("kind", KINDS)
def test_the_trials_reach_every_request(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with places.fake(kind, tmp_path, monkeypatch) as place:
        count = requests_of_a_first_time(with_notebook(place))
    assert {number for of, _, number in TRIALS if of == kind} >= set(range(count))


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_faults_everywhere(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every second request fails, somehow."""
    chance = random.Random(11)
    with places.fake(kind, tmp_path, monkeypatch) as place:
        quick = [fault for fault in FAULTS if fault.kind != "hang"]
        struck(with_notebook(place), {number: chance.choice(quick) for number in range(0, 60, 2)}, monkeypatch)


@pytest.mark.parametrize("kind", ["gitea", pytest.param("github", marks=pytest.mark.soak)])
def test_a_token_that_expires_in_the_middle(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in (2, 5, 7):
        with places.fake(kind, tmp_path / str(number), monkeypatch) as place:
            (tmp_path / str(number)).mkdir(exist_ok=True)
            struck(with_notebook(place), {number: Fault("401")}, monkeypatch)


# -- often, and at once ----------------------------------------------------------------------------------------


def repeated(place: Place, times: int) -> None:
    propose(place)
    for _ in range(times):
        assert propose(place)["operation"] == "unchanged"
    the_one(place)


def test_repeated(place: Place) -> None:
    repeated(place, 3)


@pytest.mark.soak
def test_a_hundred_repeats(place: Place) -> None:
    assert place.fake is not None
    propose(place)
    place.fake.reset()
    for _ in range(100):
        assert propose(place)["operation"] == "unchanged"
    assert (place.fake.writes, place.fake.pushes) == ([], 0)
    the_one(place)


def at_once(place: Place, folder: Path, count: int, clones: int) -> list[dict[str, Any]]:
    """Several proposals of the same at the same time, from one clone or from several."""
    roots = [place.repository.root]
    for number in range(1, clones):
        root = folder / f"clone {number}"
        git(folder, "clone", "-q", str(roots[0]), str(root))
        for name in ("remote.origin.url", "by-hand.url", "user.name", "user.email"):
            git(root, "config", name, git(roots[0], "config", name))
        roots.append(root)
    words = [
        sys.executable,
        "-m",
        "nbpr",
        "propose",
        NOTEBOOK,
        "--set",
        "threshold=0.9",
        "--title",
        "Lower it",
        "--json",
    ]
    started = [
        subprocess.Popen(words, cwd=roots[number % len(roots)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for number in range(count)
    ]
    done = []
    for process in started:
        said, complaint = process.communicate(timeout=300)
        assert process.returncode == 0, complaint.decode() + said.decode()
        done.append(json.loads(said))
    return done


@pytest.mark.slow
@pytest.mark.parametrize("clones", [pytest.param(1, marks=pytest.mark.soak), 4])
@pytest.mark.parametrize("place", ["gitea", pytest.param("github", marks=pytest.mark.soak)], indirect=True)
def test_twenty_at_once(place: Place, tmp_path: Path, clones: int) -> None:
    assert place.fake is not None
    done = at_once(place, tmp_path, 20, clones)
    # Of several clones more than one may finish what it finds half made, and say that it created it.
    assert {"created"} <= {outcome["operation"] for outcome in done} <= {"created", "unchanged", "updated"}
    opened = place.forge().find()
    assert len(opened) == 1
    comments = place.forge().get(opened[0].number).comments
    assert len(comments) == 1


# -- a real Gitea ----------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_page_in_another_clone_on_a_real_gitea(real: Place, tmp_path: Path) -> None:
    of_server(real, tmp_path, propose(real))


@pytest.mark.slow
def test_one_is_opened_again_on_a_real_gitea(real: Place, tmp_path: Path) -> None:
    opened_again(real, places.elsewhere(real, tmp_path))


def test_on_a_real_gitea(real: Place) -> None:
    first = propose(real, reviewers=(OTHER,), labels=("notebook",))
    assert (first["operation"], first["verdict"]) == ("created", "passed")
    pull = the_one(real)
    assert pull.reviewers == (OTHER,)
    assert first["pull_request"]["url"] == pull.url
    for title in ("Lower the threshold", "Quite another title"):
        again = propose(real, title=title)
        assert (again["operation"], again["pull_request"]["number"]) == ("unchanged", 1)
    session = pulls.connect(real.repository, real.config)
    assert pulls.merge(session, 1).pull.state == "merged"


@pytest.mark.slow
def test_two_on_one_notebook_both_merge_on_a_real_gitea(real: Place) -> None:
    propose(real)
    note = {"op": "insert", "after": "tag:parameters", "cell_type": "markdown", "source": "Lower since November."}
    projects.propose(real.repository, note, title="Say why")
    for number in (2, 1):
        session = pulls.connect(real.repository, real.config)
        assert pulls.merge(session, number).pull.state == "merged"
    real.forge()
    sha = real.on_server("main")
    data = real.repository.read(str(sha), NOTEBOOK) or b""
    assert b"threshold = 0.9 " in data
    assert b"Lower since November." in data
