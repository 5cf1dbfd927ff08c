"""The local forge on real git: with a bare remote and without one, the same tests."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from nbpr.errors import BadInput, Conflict
from nbpr.forges import Opening, PullRequest, is_path
from nbpr.forges.local import LocalForge
from nbpr.git.branches import Branches
from nbpr.git.repository import Repository, Stale, without_credentials
from tests.conftest import git

pytestmark = pytest.mark.slow


@pytest.fixture(params=["remote", "alone"])
def place(request: pytest.FixtureRequest, repository: Path, tmp_path: Path) -> Repository:
    (repository / "a.txt").write_text("a\n")
    git(repository, "add", ".")
    git(repository, "commit", "-qm", "one")
    if request.param == "remote":
        bare = tmp_path / "remote.git"
        git(tmp_path, "init", "-q", "--bare", "-b", "main", str(bare))
        git(repository, "remote", "add", "origin", str(bare))
        git(repository, "push", "-q", "origin", "main")
    return Repository.discover(repository)


def forge_of(repository: Repository) -> LocalForge:
    forge = LocalForge(repository, repository.remote())
    Branches(repository, repository.remote()).fetch(["*"], forge.refspecs())
    return forge


def child(repository: Repository, parent: str, text: str) -> str:
    return repository.commit(repository.edited_tree(parent, {"a.txt": text.encode()}), [parent], text + "\n")


def opening(repository: Repository, head: str = "agent/x", text: str = "b", **changes: object) -> Opening:
    sha = child(repository, str(repository.head), text)
    fields = {"title": "Über x", "body": "why", "author": repository.author, **changes}
    return Opening(head=head, head_sha=sha, base="main", **fields)  # type: ignore[arg-type]


def refs(repository: Repository) -> str:
    where = Path(repository.remote_url("origin")) if repository.remote() else repository.root
    return git(where, "for-each-ref", "--format=%(refname)", "refs/heads/agent", "refs/nbpr")


def test_opening_makes_branch_pull_request_and_mark(place: Repository) -> None:
    pull = forge_of(place).open(opening(place, labels=("x",), draft=True))
    assert (pull.number, pull.state, pull.draft, pull.base) == (1, "open", True, "main")
    expected = ["refs/heads/agent/x", "refs/nbpr/open/agent/x", "refs/nbpr/pulls/1/meta"]
    assert [ref for ref in refs(place).splitlines() if "remotes" not in ref] == expected
    assert forge_of(place).get(1) == pull
    assert forge_of(place).find() == [pull]


def test_numbers_go_up_and_one_branch_has_one_pull_request(place: Repository) -> None:
    forge = forge_of(place)
    first = forge.open(opening(place))
    assert forge.open(opening(place, "agent/y", "c")).number == 2
    with pytest.raises(Stale):
        forge.open(opening(place, text="d"))
    assert [pull.number for pull in forge_of(place).find()] == [1, 2]
    assert forge_of(place).get(1) == first


def test_a_claim_is_held_by_one_open_pull_request(place: Repository) -> None:
    forge = forge_of(place)
    first = forge.open(opening(place, claim="ada a1b2"))
    with pytest.raises(Stale, match="for the same"):
        forge.open(opening(place, "agent/y", "c", claim="ada a1b2"))
    assert "refs/heads/agent/y" not in refs(place)
    assert forge.open(opening(place, "agent/z", "d", claim="ada c3d4")).number == 2
    forge.close(first)
    assert refs(place).count("refs/nbpr/claims/") == 1
    assert forge_of(place).open(opening(place, "agent/y", "c", claim="ada a1b2")).number == 3


def test_two_clones_meet_at_the_claim(repository: Path, tmp_path: Path) -> None:
    """Each has fetched before the other opened; the second learns of it from the push alone."""
    (repository / "a.txt").write_text("a\n")
    git(repository, "add", ".")
    git(repository, "commit", "-qm", "one")
    git(tmp_path, "clone", "-q", "--bare", str(repository), "remote.git")
    git(repository, "remote", "add", "origin", str(tmp_path / "remote.git"))
    git(tmp_path, "clone", "-q", str(tmp_path / "remote.git"), "other")
    places = [Repository.discover(repository), Repository.discover(tmp_path / "other")]
    one, other = (forge_of(place) for place in places)
    one.open(opening(places[0], claim="ada a1b2"))
    with pytest.raises(Stale):
        other.open(opening(places[1], "agent/y", "c", claim="ada a1b2"))
    assert [pull.head for pull in forge_of(places[1]).find()] == ["agent/x"]


def test_a_claim_of_what_was_merged_by_hand_is_free(place: Repository) -> None:
    pull = forge_of(place).open(opening(place, claim="ada a1b2"))
    where = place.remote()
    if where:
        git(place.root, "push", "-q", "origin", f"{pull.head_sha}:refs/heads/main")
    else:
        git(place.root, "merge", "-q", pull.head_sha)
    assert forge_of(place).open(opening(place, "agent/y", "c", claim="ada a1b2")).number == 2


def test_what_somebody_else_put_there_is_no_pull_request(place: Repository) -> None:
    root = Path(place.remote_url("origin")) if place.remote() else place.root
    git(root, "update-ref", "refs/nbpr/pulls/7/meta", "HEAD")
    assert forge_of(place).find(state=None) == []
    with pytest.raises(BadInput, match="not of nbpr"):
        forge_of(place).get(7)
    assert forge_of(place).open(opening(place)).number == 8


def test_each_state_is_a_commit_with_the_head_as_second_parent(place: Repository) -> None:
    forge = forge_of(place)
    pull = forge.open(opening(place))
    newer = child(place, pull.head_sha, "c")
    moved = forge.update(pull, head_sha=newer, body="other")
    ref = "refs/nbpr/remotes/origin/pulls/1/meta" if place.remote() else "refs/nbpr/pulls/1/meta"
    latest = place.commits(ref)[0]
    assert latest.parents[1] == newer == moved.head_sha
    before = json.loads(place.read(latest.parents[0], "pull.json") or b"")
    assert (before["body"], before["head_sha"]) == ("why", pull.head_sha)
    data = json.loads(place.read(latest.sha, "pull.json") or b"")
    assert (data["body"], data["head_sha"], data["state"]) == ("other", newer, "open")


def test_nothing_new_writes_nothing(place: Repository) -> None:
    forge = forge_of(place)
    pull = forge.open(opening(place))
    before = refs(place), place.refs("refs")
    assert forge.update(pull, head_sha=pull.head_sha, body=pull.body, labels=pull.labels) == pull
    assert (refs(place), place.refs("refs")) == before


def test_a_pull_request_follows_what_people_push(place: Repository) -> None:
    pull = forge_of(place).open(opening(place))
    newer = child(place, pull.head_sha, "by hand")
    if place.remote():
        git(place.root, "push", "-q", "origin", f"{newer}:refs/heads/agent/x")
    else:
        git(place.root, "update-ref", "refs/heads/agent/x", newer)
    assert forge_of(place).get(1).head_sha == newer


def test_update_does_not_overwrite_what_somebody_pushed_meanwhile(place: Repository) -> None:
    forge = forge_of(place)
    pull = forge.open(opening(place))
    theirs = child(place, pull.head_sha, "theirs")
    ours = child(place, pull.head_sha, "ours")
    if place.remote():
        git(place.root, "push", "-q", "origin", f"{theirs}:refs/heads/agent/x")
    else:
        git(place.root, "update-ref", "refs/heads/agent/x", theirs)
    with pytest.raises(Stale):
        forge.update(pull, head_sha=ours)
    assert forge_of(place).get(1).head_sha == theirs
    assert forge_of(place).get(1).body == "why"


def test_comments_are_kept_in_order(place: Repository) -> None:
    forge = forge_of(place)
    pull = forge.comment(forge.open(opening(place)), "first: ü")
    forge.comment(pull, "second")
    said = forge_of(place).get(1).comments
    assert [comment.body for comment in said] == ["first: ü", "second"]
    assert said[0].author == "Ada Author <ada@example.org>"


def test_merging_moves_base_and_takes_the_mark_away(place: Repository) -> None:
    forge = forge_of(place)
    pull = forge.open(opening(place))
    base = str(place.head)
    if not place.remote():
        git(place.root, "switch", "-q", "--detach")
    tree = place.git("rev-parse", pull.head_sha + "^{tree}")
    merge = place.commit(tree, [base, pull.head_sha], "Merge\n")
    merged = forge.merge(pull, merge, base)
    assert (merged.state, merged.merge_sha) == ("merged", merge)
    assert forge_of(place).find() == []
    assert forge_of(place).get(1) == merged
    assert "refs/nbpr/open" not in refs(place).replace("refs/nbpr/remotes", "")
    assert Branches(place, place.remote()).sha("main") == merge


@pytest.mark.parametrize("place", ["alone"], indirect=True)
def test_a_base_that_is_checked_out_moves_only_when_clean(place: Repository) -> None:
    forge = forge_of(place)
    pull = forge.open(opening(place))
    base = str(place.head)
    merge = place.commit(place.git("rev-parse", pull.head_sha + "^{tree}"), [base, pull.head_sha], "Merge\n")
    (place.root / "a.txt").write_text("being worked on\n")
    with pytest.raises(Conflict, match="checked out"):
        forge.merge(pull, merge, base)
    assert (place.root / "a.txt").read_text() == "being worked on\n"
    assert forge_of(place).get(1).state == "open"
    git(place.root, "checkout", "-q", "a.txt")
    forge.merge(pull, merge, base)
    assert (place.root / "a.txt").read_text() == "b"
    assert git(place.root, "status", "--porcelain") == ""
    assert place.head == merge


def test_closing_keeps_the_commits(place: Repository) -> None:
    forge = forge_of(place)
    pull = forge.open(opening(place))
    closed = forge.close(pull, delete_branch=True)
    assert closed.state == "closed"
    assert forge_of(place).find() == []
    assert "refs/heads/agent/x" not in refs(place)
    assert place.read(forge_of(place).get(1).head_sha, "a.txt") == b"b"
    again = forge_of(place).open(opening(place, text="z"))
    assert again.number == 2


@pytest.mark.parametrize("place", ["alone"], indirect=True)
def test_without_a_remote_a_checked_out_branch_is_left_alone(place: Repository) -> None:
    forge = forge_of(place)
    pull = forge.open(opening(place))
    git(place.root, "switch", "-q", "agent/x")
    with pytest.raises(Conflict, match="checked out in"):
        forge.update(pull, head_sha=child(place, pull.head_sha, "c"))
    assert git(place.root, "status", "--porcelain") == ""


def test_an_unknown_number(place: Repository) -> None:
    with pytest.raises(BadInput, match="no pull request #4"):
        forge_of(place).get(4)


def test_two_clones_share_numbers(repository: Path, tmp_path: Path) -> None:
    (repository / "a.txt").write_text("a\n")
    git(repository, "add", ".")
    git(repository, "commit", "-qm", "one")
    git(tmp_path, "clone", "-q", "--bare", str(repository), "bare.git")
    clones = []
    for name in ("one", "two"):
        git(tmp_path, "clone", "-q", "bare.git", name)
        git(tmp_path / name, "config", "user.name", name)
        git(tmp_path / name, "config", "user.email", f"{name}@example.org")
        clones.append(Repository.discover(tmp_path / name))
    forges = [forge_of(clone) for clone in clones]
    forges[0].open(opening(clones[0], "agent/one"))
    late = forges[1].open(opening(clones[1], "agent/two"))  # has not seen number 1
    assert late.number == 2
    assert [pull.head for pull in forge_of(clones[0]).find()] == ["agent/one", "agent/two"]


@pytest.mark.parametrize(
    ("url", "local"),
    [
        ("/srv/x.git", True),
        ("../x.git", True),
        ("file:///srv/x", True),
        ("./host:x", True),
        ("git@host:x.git", False),
        ("host:x", False),
        ("https://host/x", False),
        ("ssh://git@host:22/x", False),
    ],
)
def test_which_remotes_are_paths(url: str, local: bool) -> None:
    assert is_path(url) is local


def test_urls_lose_credentials() -> None:
    assert without_credentials("https://me:secret@host:3000/a/b.git") == "https://host:3000/a/b.git"
    assert without_credentials("git@host:a/b") == "git@host:a/b"


def test_json_shapes() -> None:
    pull = PullRequest(1, "t", "open", False, "h", "b", "s", "u", "a")
    assert list(pull.as_json()) == ["number", "title", "state", "draft", "head", "base", "url"]
    assert {"body", "comments"} <= set(replace(pull, body="x").as_full_json())
