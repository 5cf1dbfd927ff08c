"""Which pull request a proposal already has."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbpr.errors import BadInput, Conflict
from nbpr.forges import PullRequest, State
from nbpr.proposals import identity
from nbpr.proposals.identity import Identity, Wanted

ADA = "Ada <ada@example.org>"


def mine(key: str = "k1", title: str = "T", notebooks: tuple[str, ...] = ("a.ipynb",), author: str = ADA) -> Identity:
    return Identity(author, key, notebooks, title)


def pull(number: int, known: Identity, state: State = "open", head: str | None = None, login: str = ADA) -> PullRequest:
    head = head or f"agent/{number}"
    known = replace(known, branch=known.branch or head)
    body = f"<!-- nbpr:{known.key} -->\ntext\n{known.comment()}\n<!-- /nbpr -->"
    return PullRequest(number, known.title, state, False, head, "main", "0", "", login, body)


def find(pulls: list[PullRequest], who: Identity, wanted: Wanted | None = None) -> int | None:
    found = identity.find(pulls, who, wanted or Wanted(), ADA)
    return found.number if found else None


def test_the_same_key_under_any_title() -> None:
    pulls = [pull(1, mine("other", "O")), pull(2, mine("k1"))]
    assert find(pulls, mine("k1", title="reworded")) == 2


def test_a_revision_has_the_same_author_notebooks_and_title() -> None:
    pulls = [pull(1, mine("k1"))]
    assert find(pulls, mine("k2")) == 1
    assert find(pulls, mine("k2", title="U")) is None
    assert find(pulls, mine("k2", notebooks=("b.ipynb",))) is None
    assert find(pulls, mine("k2", author="agent seven")) is None


def test_an_earlier_key_still_counts() -> None:
    first = pull(1, mine("k1"))
    revised = pull(1, mine("k2").after(first))
    assert find([revised], mine("k1", title="quite another")) == 1


def test_whoever_proposed_once_is_still_an_author() -> None:
    first = pull(1, mine())
    other = pull(1, mine("k2", author="somebody").after(first))
    assert find([other], mine()) == 1
    assert find([other], mine("k2", author="somebody")) == 1
    assert find([other], mine(author="nobody")) is None


def test_every_title_counts_and_the_forges_too() -> None:
    first = pull(1, mine("k1"))
    second = pull(1, mine("k2", title="U").after(first))
    retitled = replace(second, title="By hand")
    for title in ("T", "U", "By hand"):
        assert find([retitled], mine("k3", title=title)) == 1
    assert find([retitled], mine("k3", title="V")) is None


def test_a_body_that_was_copied_makes_nobodys_pull_request_ours() -> None:
    ours = pull(1, mine(), head="agent/ours")
    theirs = replace(pull(2, mine(), head="bob/backport"), body=ours.body, author="bob", base="release")
    assert find([ours, theirs], mine()) == 1
    for state in ("closed", "merged"):
        assert find([theirs, replace(ours, state=state)], mine(), Wanted(reopen=True)) in (1, None)
    assert find([theirs], mine("k2")) is None
    # On a fork it may even name its own branch: nothing of it is ours, and its being closed is no answer to us.
    fork = replace(pull(3, mine(), "closed", "bob:evil"), author="bob")
    assert find([fork], mine()) is None
    # One's own copy, as for a backport, is another pull request too.
    own = replace(theirs, author=ADA)
    for wanted in (Wanted(), Wanted(base="release")):
        assert find([own, replace(ours, state="merged")], mine(), wanted) is None
        assert not identity.is_among([own], mine(), wanted, ADA)


def test_a_branch_that_was_renamed_on_the_server_is_still_ours() -> None:
    renamed = replace(pull(1, mine(), head="agent/ours"), head="feature/better")
    assert find([renamed], mine()) == 1
    assert find([renamed], mine("k2")) == 1
    assert find([replace(renamed, author="bob")], mine()) is None


def test_another_base_is_another_pull_request() -> None:
    assert find([pull(1, mine())], mine(), Wanted(base="main")) == 1
    assert find([pull(1, mine())], mine(), Wanted(base="release")) is None
    with pytest.raises(Conflict, match="goes into main"):
        find([pull(1, mine())], mine(), Wanted(pull=1, base="release"))


def test_merged_is_spent_and_closed_is_an_answer() -> None:
    assert find([pull(1, mine(), "merged")], mine()) is None
    with pytest.raises(Conflict, match="#1 for this was closed"):
        find([pull(1, mine(), "closed")], mine())
    assert find([pull(1, mine(), "closed")], mine(), Wanted(reopen=True)) == 1
    assert find([pull(1, mine(), "closed"), pull(2, mine(), "open")], mine()) == 2
    assert find([pull(1, mine("k1"), "closed")], mine("k2")) is None


def test_by_number_and_by_branch() -> None:
    pulls = [pull(1, mine("x", author="somebody"), head="topic"), pull(2, mine("y"), "merged", "done")]
    assert find(pulls, mine(), Wanted(pull=1)) == 1
    assert find(pulls, mine(), Wanted(branch="topic")) == 1
    assert find(pulls, mine(), Wanted(branch="new")) is None
    assert find(pulls, mine(), Wanted(branch="done")) is None
    with pytest.raises(BadInput, match="no pull request #3"):
        find(pulls, mine(), Wanted(pull=3))
    with pytest.raises(Conflict, match="#2 was merged"):
        find(pulls, mine(), Wanted(pull=2))


@given(st.text(), st.text(), st.lists(st.text(min_size=1), min_size=1))
def test_what_a_body_says_comes_back(author: str, title: str, notebooks: list[str]) -> None:
    past = {"keys": ("j",), "authors": (title,), "titles": (author,), "head": "0" * 40, "branch": title, "draft": True}
    known = Identity(author, "k", tuple(notebooks), title, verdict="passed", **past)
    body = f"before\n\n{known.comment()}\nafter"
    assert identity.read(body) == known
    assert "-->" not in known.comment()[:-3]
    assert "\n" not in known.comment()


def test_a_body_that_somebody_broke_is_none_of_ours() -> None:
    assert identity.read("<!-- nbpr-proposal {broken} -->") is None
    assert identity.read('<!-- nbpr-proposal {"keys": []} -->') is None
    assert identity.read("just words") is None


@pytest.mark.parametrize(
    "odd",
    [
        {"verdict": "odd"},
        {"verdict": ["passed"]},
        {"notebooks": [1, "x"]},
        {"head": 5},
        {"keys": [None]},
        {"titles": 7},
    ],
)
def test_a_marker_that_somebody_edited_is_theirs(odd: dict[str, Any]) -> None:
    facts = {"authors": ["a"], "keys": ["k"], "notebooks": ["n"], "titles": ["t"], "verdict": None, "head": None}
    assert identity.read(f"<!-- nbpr-proposal {json.dumps(facts)} -->") is not None
    assert identity.read(f"<!-- nbpr-proposal {json.dumps({**facts, **odd})} -->") is None


def test_what_people_write_around_our_part_stays() -> None:
    ours = "<!-- nbpr:k1 -->\nold\n<!-- /nbpr -->"
    body = f"Dear team,\n\n{ours}\n\nThanks!"
    new = "<!-- nbpr:k2 -->\nnew\n<!-- /nbpr -->"
    assert identity.body_with(body, new) == f"Dear team,\n\n{new}\n\nThanks!"
    assert identity.body_with("by hand", new).endswith("\n\nby hand")
    assert identity.body_with("", new) == new


@pytest.mark.parametrize("key", ["", "a b", "a\nb", "a--b", "-a", "ü", "a" * 101, "x -->"])
def test_keys_that_do_not_fit_a_marker(key: str) -> None:
    with pytest.raises(BadInput):
        identity.checked_key(key)


def test_keys_hang_on_paths_and_edits_alone() -> None:
    edits = [{"op": "delete", "cell": "a"}]
    assert identity.key_of(["a", "b"], edits) == identity.key_of(["b", "a"], edits)
    assert identity.key_of(["a"], edits) != identity.key_of(["a"], None)
    assert identity.key_of(["a"], None) != identity.key_of(["a"], None, ["data.csv"])


def test_after_keeps_every_key_once() -> None:
    first = pull(1, mine("k1"))
    back = mine("k1").after(replace(first, body=pull(1, mine("k2").after(first)).body))
    assert back.all_keys == ("k2", "k1")
