"""Pull requests that a clone has nothing of: a person's own, from a fork, or of a branch that is gone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nbpr import pulls, reviews
from nbpr.errors import BadInput, Conflict, NotAllowed
from nbpr.forges import http
from nbpr.render import Report
from tests import projects, proving
from tests.conftest import git
from tests.forges import places
from tests.forges.gitea_server import Gitea
from tests.forges.places import OTHER, OTHERS_TOKEN, Place
from tests.projects import NOTEBOOK

pytestmark = pytest.mark.slow

BRANCH = "feature/words"


@pytest.fixture(params=["gitea", "github"])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    monkeypatch.setattr(http, "pause", lambda seconds: None)
    with places.fake(request.param, tmp_path, monkeypatch) as found:
        yield found


def told(place: Place) -> str:
    """A notebook on `main`, then a person's commit that changes a cell of it; the commit."""
    root = place.repository.root
    projects.write(root, {NOTEBOOK: projects.health()})
    git(root, "add", "-A")
    git(root, "commit", "-qm", "a notebook")
    place.push(str(place.repository.head), "main")
    words = projects.health().replace(b"How many", b"Just how many")
    tree = place.repository.edited_tree(str(place.repository.head), {NOTEBOOK: words})
    return place.repository.commit(tree, [str(place.repository.head)], "Say it better\n")


def opened(place: Place, head: str) -> None:
    assert place.by_api is not None
    place.by_api("POST", "/pulls", {"head": head, "base": "main", "title": "Say it better", "body": "By hand."})


def a_persons(place: Place) -> str:
    sha = told(place)
    place.push(sha, BRANCH)
    opened(place, BRANCH)
    return BRANCH


def gone(place: Place) -> str:
    a_persons(place)
    assert place.by_api is not None
    place.by_api("PATCH", "/pulls/1", {"state": "closed"})
    git(place.repository.root, "push", "-q", place.repository.git("config", "by-hand.url"), f":{BRANCH}")
    return BRANCH


def forked(place: Place) -> str:
    sha = told(place)
    assert place.fake is not None
    assert place.fake.fork(place.fake.repos["ada/x"], OTHER, None) is not None
    url = place.repository.remote_url("origin").replace("/ada/", "/bob/").replace("://", f"://{OTHER}:{OTHERS_TOKEN}@")
    git(place.repository.root, "push", "-q", url, f"{sha}:refs/heads/{BRANCH}")
    opened(place, f"{OTHER}:{BRANCH}")
    return f"{OTHER}/{BRANCH}"


MAKERS = pytest.mark.parametrize("make", [a_persons, gone, forked])


def shown(place: Place, number: int = 1) -> Report:
    session = pulls.connect(place.repository, place.config)
    pull = session.at_hand(number)
    return reviews.of_pull(place.repository, place.config, pull, session.branches.sha(pull.base))


def is_that_change(report: Report) -> bool:
    assert [diff.path for diff in report.diffs] == [NOTEBOOK]
    assert report.diffs[0].summary.as_json()["cells_modified"] == 1
    return report.verdict is None


@MAKERS
def test_it_is_reviewed(place: Place, tmp_path: Path, make: Callable[[Place], str]) -> None:
    make(place)
    assert is_that_change(shown(places.elsewhere(place, tmp_path)))


@MAKERS
def test_it_is_shown_from_where_it_left_base_now(place: Place, tmp_path: Path, make: Callable[[Place], str]) -> None:
    """A clone that looked at an older base must not show what is new on base as what the pull request changes."""
    before = str(place.repository.head)
    other = places.elsewhere(place, tmp_path)
    with pytest.raises(BadInput, match="no pull request #1"):
        shown(other)
    other.forge()  # which fetches the base of then
    make(place)
    assert place.repository.head != before
    assert is_that_change(shown(other))


@MAKERS
def test_it_is_checked_out(place: Place, tmp_path: Path, make: Callable[[Place], str]) -> None:
    name = make(place)
    other = places.elsewhere(place, tmp_path)
    root = other.repository.root
    for _ in range(2):
        assert pulls.checkout(pulls.connect(other.repository, other.config), 1) == name
        assert git(root, "symbolic-ref", "--short", "HEAD") == name
        assert "Just how many" in (root / NOTEBOOK).read_text()
    follows = git(root, "config", "--default", "none", f"branch.{name}.remote")
    assert follows == ("origin" if make is a_persons else "none")
    git(root, "commit", "-q", "--allow-empty", "-m", "mine")
    mine = git(root, "rev-parse", "HEAD")
    if make is not a_persons:
        with pytest.raises(Conflict, match="commits of its own"):
            pulls.checkout(pulls.connect(other.repository, other.config), 1)
    git(root, "switch", "-q", "main")
    with pytest.raises(Conflict, match="commits of its own"):
        pulls.checkout(pulls.connect(other.repository, other.config), 1)
    assert git(root, "rev-parse", name) == mine


def test_it_is_checked_out_after_its_fork_was_deleted(place: Place, tmp_path: Path) -> None:
    assert place.fake is not None
    forked(place)
    del place.fake.repos["bob/x"]
    other = places.elsewhere(place, tmp_path)
    assert pulls.checkout(pulls.connect(other.repository, other.config), 1) == "pulls/1"
    assert "Just how many" in (other.repository.root / NOTEBOOK).read_text()


@pytest.mark.kernel
def test_a_dry_run_fetches_nothing_and_takes_no_branch_for_deleted(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    proving.once(monkeypatch)
    told(place)
    early = places.elsewhere(place, tmp_path)
    (tmp_path / "late").mkdir()

    def proposed(there: Place, value: float, **options: bool) -> str:
        return str(projects.propose(there.repository, projects.set_threshold(value), **options)["operation"])

    assert proposed(place, 0.9) == "created"
    late = places.elsewhere(place, tmp_path / "late")
    assert (proposed(late, 0.9, dry_run=True), proposed(late, 0.8, dry_run=True)) == ("unchanged", "dry-run")
    assert place.fake is not None
    place.fake.reset()
    refs = early.repository.refs()
    with pytest.raises(BadInput, match=r"head of pull request #1 is not known here"):
        proposed(early, 0.9, dry_run=True)
    assert (early.repository.refs(), place.fake.writes, place.fake.pushes) == (refs, [], 0)


@MAKERS
def test_it_is_closed_with_its_branch(place: Place, tmp_path: Path, make: Callable[[Place], str]) -> None:
    make(place)
    other = places.elsewhere(place, tmp_path)
    session = pulls.connect(other.repository, other.config)
    if make is forked:
        with pytest.raises(NotAllowed, match="#1 is closed, but its branch bob:feature/words is not ours"):
            pulls.close(session, 1, delete_branch=True)
    else:
        pulls.close(session, 1, delete_branch=True)
    assert (place.on_server(BRANCH), place.forge().get(1).state) == (None, "closed")


def test_new_commits_are_taken_in(place: Place, tmp_path: Path) -> None:
    """Of a fork, too, where the branch is checked out and where it is not."""
    name = forked(place)
    other = places.elsewhere(place, tmp_path)
    root = other.repository.root
    url = place.repository.remote_url("origin").replace("/ada/", "/bob/").replace("://", f"://{OTHER}:{OTHERS_TOKEN}@")
    for text, before in (("one", None), ("two", name), ("three", "main")):
        if before is not None:
            git(root, "switch", "-q", before)
            git(place.repository.root, "fetch", "-q", url, BRANCH)
            tip = git(place.repository.root, "rev-parse", "FETCH_HEAD")
            git(place.repository.root, "push", "-q", url, f"{place.child(tip, text, 'note.txt')}:refs/heads/{BRANCH}")
        pulls.checkout(pulls.connect(other.repository, other.config), 1)
        assert before is None or (root / "note.txt").read_text() == text


@pytest.mark.kernel
def test_one_from_a_fork_is_merged(place: Place, tmp_path: Path) -> None:
    assert place.fake is not None
    forked(place)
    other = places.elsewhere(place, tmp_path)
    merged = pulls.merge(pulls.connect(other.repository, other.config), 1).pull
    assert merged.state == "merged"
    sha = place.fake.repos["ada/x"].sha("main")
    other.forge()
    assert b"Just how many" in (other.repository.read(str(sha), NOTEBOOK) or b"")


@pytest.mark.parametrize("make", [a_persons, gone])
def test_on_a_real_gitea(
    gitea: Gitea, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[Place], str]
) -> None:
    with places.real(gitea, tmp_path.name.replace("[", "").replace("]", ""), tmp_path, monkeypatch) as place:
        name = make(place)
        other = places.elsewhere(place, tmp_path)
        assert is_that_change(shown(other))
        assert pulls.checkout(pulls.connect(other.repository, other.config), 1) == name
        assert "Just how many" in (other.repository.root / NOTEBOOK).read_text()
