"""Which commits a gate is about: shallow clones, merges, pushes, forks, and no base at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from nbpr.errors import BadInput
from nbpr.gate import revisions
from nbpr.gate.occasion import Occasion
from nbpr.git.repository import Repository
from tests import projects
from tests.conftest import git

pytestmark = pytest.mark.slow


def commit(root: Path, name: str) -> str:
    (root / name).write_text(name)
    git(root, "add", "-A")
    git(root, "commit", "-qm", name)
    return git(root, "rev-parse", "HEAD")


@pytest.fixture
def there(tmp_path: Path) -> Repository:
    """A remote where `topic` left `main` sixty commits ago, of which main has one more and topic all."""
    made = projects.make(tmp_path)
    start = git(made.root, "rev-parse", "HEAD")
    commit(made.root, "on-main")
    git(made.root, "push", "-q", "origin", "main")
    git(made.root, "switch", "-q", "-c", "topic", start)
    steps = [f"commit refs/heads/topic\ncommitter A <a@b> {n} +0000\ndata 1\nx\n" for n in range(60)]
    steps[0] += f"from {start}\n"
    git(made.root, "fast-import", "--quiet", "--force", stdin="\n".join(steps).encode())
    git(made.root, "reset", "-q", "--hard")
    commit(made.root, "on-topic")
    git(made.root, "push", "-q", "origin", "topic")
    return made


def sha(made: Repository, name: str) -> str:
    return git(made.root, "rev-parse", name)


def shallow(made: Repository, folder: Path, branch: str = "topic") -> Repository:
    """What a CI job checks out: one commit."""
    root = folder / "ci"
    url = f"file://{made.remote_url('origin')}"
    git(folder, "clone", "-q", "--depth", "1", "--branch", branch, url, str(root))
    return Repository.discover(root)


def settle(made: Repository, **occasion: object) -> revisions.Revisions:
    return revisions.settle(made, Occasion(**occasion), "origin")  # type: ignore[arg-type]


def test_a_branch_against_where_it_left_its_base(there: Repository) -> None:
    found = settle(there, base="main")
    assert (found.head, found.base, found.start) == (sha(there, "topic"), sha(there, "main"), sha(there, "main~1"))
    assert found == settle(there)  # the default branch


def test_one_commit_of_history_is_enough(there: Repository, tmp_path: Path) -> None:
    made = shallow(there, tmp_path)
    found = settle(made, base_branch="main", base_sha="1" * 40, head=sha(there, "topic"), pull=7, is_event=True)
    assert (found.base, found.start) == (sha(there, "main"), sha(there, "main~1"))
    assert made.is_shallow is False or made.merge_base(found.base, found.head) == found.start


def test_the_merge_that_a_server_made_is_not_what_is_judged(there: Repository, tmp_path: Path) -> None:
    git(there.root, "switch", "-q", "--detach", "main")
    git(there.root, "merge", "-q", "--no-ff", "-m", "merge", "topic")
    git(there.root, "push", "-q", "origin", "HEAD:refs/heads/merged")
    made = shallow(there, tmp_path, "merged")
    found = settle(made, base_branch="main", head=sha(there, "topic"), pull=7, is_event=True)
    assert (found.head, found.start) == (sha(there, "topic"), sha(there, "main~1"))


def test_a_remote_that_is_gone_says_which_option_to_set(there: Repository, tmp_path: Path) -> None:
    made = shallow(there, tmp_path)
    git(made.root, "remote", "set-url", "origin", str(tmp_path / "gone"))
    with pytest.raises(BadInput, match="no such commit") as told:
        settle(made, base=sha(there, "main"))
    assert "fetch-depth: 0" in str(told.value.hint)
    git(made.root, "remote", "set-url", "origin", f"file://{there.remote_url('origin')}")
    made.fetch_history("origin", sha(there, "main"), how="--depth=1")
    git(made.root, "remote", "set-url", "origin", str(tmp_path / "gone"))
    with pytest.raises(BadInput, match="where head left its base") as cut:
        settle(made, base=sha(there, "main"))
    assert "fetch-depth: 0" in str(cut.value.hint)


def test_what_a_branch_was_before_a_push_is_no_base_for_it(there: Repository) -> None:
    pushed = {"head": sha(there, "topic"), "branch": "topic", "before": sha(there, "topic~1"), "is_event": True}
    assert settle(there, **pushed).base == sha(there, "main")


def test_a_push_to_the_default_branch(there: Repository) -> None:
    pushed = {"head": sha(there, "main"), "branch": "main", "is_event": True}
    assert settle(there, **pushed, before=sha(there, "main~1")).base == sha(there, "main~1")
    first = settle(there, **pushed)
    assert (first.base, first.start) == (None, None)
    assert "there is no base" in first.notes[-1]
    gone = settle(there, **pushed, before="1" * 40)
    assert gone.base is None
    assert "is gone" in gone.notes[0]


def test_a_schedule_of_the_default_branch_is_about_all_that_it_has(there: Repository) -> None:
    timed = {"head": sha(there, "main"), "is_event": True, "brings_change": False, "default_branch": "main"}
    found = settle(there, **timed, branch="main")
    assert (found.base, found.start, found.is_whole) == (found.head, found.head, True)
    by_hand = settle(there, **{**timed, "head": sha(there, "topic")}, branch="topic")
    assert (by_hand.base, by_hand.start, by_hand.is_whole) == (sha(there, "main"), sha(there, "main~1"), False)
    assert not settle(there, **timed, branch="main", base="main~1").is_whole


def test_the_default_branch_is_the_one_that_the_event_says(there: Repository, tmp_path: Path) -> None:
    """A job's clone may remember none, and the remote of a private repository does not tell without a token."""
    git(there.root, "switch", "-q", "--detach", "topic")
    git(there.root, "branch", "-q", "-D", "main", "topic")
    git(there.root, "update-ref", "-d", "refs/remotes/origin/HEAD")
    git(there.root, "remote", "set-url", "origin", str(tmp_path / "gone"))
    pushed = {"head": sha(there, "HEAD"), "branch": "topic", "is_event": True}
    with pytest.raises(BadInput, match="which branch is the base"):
        settle(there, **pushed)
    assert settle(there, **pushed, default_branch="main").base == sha(there, "origin/main")


def test_a_pull_request_that_was_merged_since_its_event(there: Repository) -> None:
    before, head = sha(there, "main"), sha(there, "topic")
    asked = {"base_branch": "main", "head": head, "pull": 7, "is_event": True}
    git(there.root, "switch", "-q", "main")
    git(there.root, "merge", "-q", "--no-ff", "-m", "merge", "topic")
    git(there.root, "push", "-q", "origin", "main")
    found = settle(there, **asked, base_sha=before)
    assert (found.base, found.start) == (before, sha(there, f"{before}~1"))
    merged = sha(there, "main")
    assert settle(there, **asked, base_sha=merged).base == merged
    assert settle(there, **asked, base_sha="1" * 40).base == merged


def test_a_base_branch_that_is_gone(there: Repository) -> None:
    asked = {"base_branch": "gone", "head": sha(there, "topic"), "pull": 7, "is_event": True}
    assert settle(there, **asked, base_sha=sha(there, "main~1")).base == sha(there, "main~1")
    with pytest.raises(BadInput, match="the base branch gone"):
        settle(there, **asked)


def test_unrelated_histories_have_rules_but_no_start(there: Repository) -> None:
    git(there.root, "switch", "-q", "--orphan", "other")
    commit(there.root, "alone")
    found = settle(there, base="main")
    assert (found.base, found.start) == (sha(there, "main"), None)


def test_a_dry_run_fetches_nothing(there: Repository, tmp_path: Path) -> None:
    made = shallow(there, tmp_path)
    before = git(made.root, "count-objects", "-v"), git(made.root, "for-each-ref")
    with pytest.raises(BadInput, match="no such commit"):
        revisions.settle(made, Occasion(base=sha(there, "main")), "origin", fetches=False)
    assert (git(made.root, "count-objects", "-v"), git(made.root, "for-each-ref")) == before


@pytest.mark.parametrize("given", [{"base": "nowhere"}, {"head": "nowhere"}, {"head": "--all"}])
def test_names_that_are_none(there: Repository, given: dict[str, str]) -> None:
    with pytest.raises(BadInput):
        settle(there, **given)
