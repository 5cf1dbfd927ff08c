"""The whole gate for each event of each forge: what is judged against what, what is told, and nothing twice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from nbpr.gate import posting
from nbpr.git.repository import Repository
from tests.cijobs import ZEROS
from tests.conftest import git
from tests.gate import workshop
from tests.gate.hosted import BOTS, TOKEN, Hosted, hosted
from tests.gate.workshop import path, source, with_outputs

pytestmark = pytest.mark.kernel

BETTER = {path("good"): source("# better\n")}
DIRTY = {path("dirty"): with_outputs(source("# dirty\n"))}
CLEAN = {path("dirty"): source("# dirty\n")}


@pytest.fixture(params=list(BOTS))
def place(
    request: pytest.FixtureRequest,
    project: Repository,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[Hosted]:
    with hosted(request.param, project, tmp_path, monkeypatch, capsys) as found:
        yield found


def mostly(forge: str) -> pytest.MarkDecorator:
    """On one forge in every run of the tests, and on the others where there is time: these events are alike."""
    each = [name if name == forge else pytest.param(name, marks=pytest.mark.soak) for name in BOTS]
    return pytest.mark.parametrize("place", each, indirect=True)


def with_run(place: Hosted) -> dict[str, bytes]:
    """A notebook that changed, with the reference run that belongs to it."""
    workshop.commit(place.project, BETTER)
    return workshop.rerun(place.project, "good")


def moved_main(place: Hosted) -> str:
    """A commit on main that the branch which is checked out does not have."""
    git(place.project.root, "switch", "-q", "main")
    moved = place.push("main", {"README.md": "words\n"})
    git(place.project.root, "switch", "-q", "topic")
    return moved


@mostly("gitea")
def test_a_pull_request_is_opened_synchronised_and_merged(place: Hosted) -> None:
    base = moved_main(place)
    red = place.push("topic", {**with_run(place), **DIRTY})
    number = place.open("topic")
    opened = place.of_pull(number, "opened")
    judged, posted = place.jobs(opened)
    for told in (judged, posted):
        assert (told.code, told.commits) == (1, (base, red))
        assert told.verdicts == {"good": "passed", "dirty": "failed"}
    assert posted.executed == []
    assert place.states == [(red, "failure")]
    assert place.comments == [posted.summary] == [judged.summary]
    assert posted.summary.startswith(f"{posting.MARKER}\n## ❌ Failed · 2 notebooks, 1 failed")
    assert f"Judged `{red[:12]}` since `{base[:12]}`." in posted.summary
    assert place.again(opened).code == 1

    green = place.push("topic", CLEAN)
    synchronised = place.of_pull(number, "synchronize")
    judged, posted = place.jobs(synchronised)
    assert (judged.code, posted.code, posted.commits) == (0, 0, (base, green))
    assert (judged.executed, posted.verdicts) == ([], {"good": "passed"})
    assert place.states == [(red, "failure"), (green, "success")]
    assert place.comments == [posted.summary]
    assert posted.summary.startswith(f"{posting.MARKER}\n## ✅ Passed · 1 notebook\n")
    assert place.again(synchronised).code == 0

    # Closed, it is left as it is; and so it is when one of its jobs is run again, or somebody labels it.
    place.merge(number)
    place.fake.reset()
    closed = place.of_pull(number, "closed")
    for event in (closed, place.of_pull(number, "labeled")):
        for told in place.jobs(event):
            assert (told.code, told.verdicts, told.executed) == (0, {}, [])
            assert "Skipped since the pull request is closed: nothing was looked at." in told.summary
    assert place.job(closed, "--dry-run").out == "nothing is looked at, since the pull request is closed\n"
    assert "left as it is, since nothing was looked at" in place.job(closed, "--write-baseline").err
    assert place.fake.requests == []
    assert place.again(synchronised).commits == (base, green)
    assert len(place.states) == 2


def test_a_fork_s_pull_request_where_the_token_may_only_read(place: Hosted) -> None:
    """On a private Gitea it may not even comment; that is what the fake of Forgejo is here."""
    settings = workshop.SETTINGS + '\n[tool.nbpr.execute]\nsecrets = ["FLEET_KEY"]\n'
    git(place.project.root, "switch", "-q", "main")
    base = place.push("main", {"pyproject.toml": settings})
    git(place.project.root, "switch", "-q", "-C", "topic")
    place.repo.readers.add(place.bot)
    if place.forge == "forgejo":
        place.repo.settings["private"] = True
    fork = place.fake.fork(place.repo, "eve", None)
    place.fake.user("eve", "eve-token-0123456789")
    assert fork is not None
    told_of = source("import os\nassert 'FLEET_KEY' not in os.environ\n")
    head = place.push("topic", {path("good"): told_of, **DIRTY}, fork)
    number = place.open("eve:topic")
    event = place.of_pull(number, "opened")
    with workshop.environment(FLEET_KEY="open-sesame-42"):
        judged, posted = place.jobs(event)
        spoken = place.job(event, "--post")
    assert (judged.code, posted.code, spoken.code) == (1, 1, 1)
    assert posted.commits == (base, head)
    assert posted.verdicts["dirty"] == "failed"
    assert not [row for row in posted.result["notebooks"] if row["run"]["status"] != "success"]
    assert place.states == []
    (note,) = posted.result["notes"]
    nothing = f"pull request #{number} gets no comment, and the" if place.forge == "github" else "the"
    assert note.startswith(f"{nothing} commit gets no status: 127.0.0.1:")
    assert note.count("127.0.0.1") == 1
    log = " ".join(spoken.out.split())
    assert [text.count("commit gets no status: ") for text in (posted.summary, spoken.summary, log)] == [1, 1, 1]
    if place.forge == "gitea":
        assert place.comments == [judged.summary]
    else:
        assert place.comments == []
    everything = [judged, posted, spoken]
    texts = [text.encode() for one in everything for text in (one.out, one.err, one.summary)]
    texts += [file.read_bytes() for file in place.folder.glob("artifact-*/**/*") if file.is_file()]
    assert not [text for text in texts if TOKEN.encode() in text or b"open-sesame-42" in text]
    place.repo.pulls[number]["state"] = "closed"
    over = replace(place.of_pull(number, "closed"), name="pull_request_target")
    assert place.job(over, "--json", "--post").code == 0  # nothing of the fork's is run, so there is nothing to refuse


@mostly("gitea")
def test_a_draft_without_a_notebook_has_the_status_that_is_required_and_no_comment(place: Hosted) -> None:
    head = place.push("topic", {"README.md": "words\n"})
    number = place.open("topic", draft=True)
    draft = place.of_pull(number, "opened")
    assert draft.payload["pull_request"]["draft"]
    judged, posted = place.jobs(draft)
    assert (judged.code, posted.code, posted.commits) == (0, 0, (place.main, head))
    assert place.states == [(head, "success")]
    assert place.comments == []
    assert "## ✅ Passed · no notebook changed" in posted.summary
    assert place.again(place.of_pull(number, "ready_for_review", draft=False)).code == 0


@mostly("forgejo")
def test_a_push_to_the_default_branch_is_held_to_what_that_was(place: Hosted) -> None:
    git(place.project.root, "switch", "-q", "main")
    before = place.main
    place.push("main", {**with_run(place)})
    after = place.push("main", DIRTY)
    event = place.of_push("main", before, after)
    judged, posted = place.jobs(event)
    assert (judged.code, posted.code, posted.commits) == (1, 1, (before, after))
    assert posted.verdicts == {"good": "passed", "dirty": "failed"}
    assert place.states == [(after, "failure")]
    assert "## ❌ Failed · 2 notebooks, 1 failed" in posted.summary
    assert place.comments == []
    assert place.again(event).code == 1


@mostly("github")
def test_the_first_push_of_a_branch_is_held_to_the_default_branch_and_its_end_to_nothing(place: Hosted) -> None:
    base = moved_main(place)
    head = place.push("topic", with_run(place))
    event = place.of_push("topic", ZEROS, head)
    judged, posted = place.jobs(event)
    assert (judged.code, posted.code, posted.commits) == (0, 0, (base, head))
    assert posted.verdicts == {"good": "passed"}
    assert place.states == [(head, "success")]
    assert "## ✅ Passed · 1 notebook" in posted.summary
    assert place.again(event).code == 0
    place.fake.reset()
    for told in place.jobs(place.of_push("topic", head, ZEROS)):
        assert (told.code, told.verdicts) == (0, {})
        assert "Skipped since the branch was deleted: nothing was looked at." in told.summary
    assert place.fake.requests == []
    assert len(place.states) == 1


def test_a_schedule_looks_at_every_notebook_of_the_default_branch(place: Hosted) -> None:
    event = place.of_schedule()
    judged, posted = place.jobs(event)
    assert (judged.code, posted.code, posted.commits) == (0, 0, (place.main, place.main))
    assert posted.verdicts == dict.fromkeys(workshop.NAMES, "passed")
    assert {row["change"] for row in posted.result["notebooks"]} == {"affected"}
    assert place.states == [(place.main, "success")]
    assert "## ✅ Passed · 5 notebooks" in posted.summary
    assert "\n- Every notebook is looked at, changed or not.\n" in posted.summary
    assert posted.result["notes"] == []
    assert place.comments == []
    assert place.again(event).code == 0
