"""The identity of a proposal: whose it is, what its key is, and which pull request it already has.

It does not hang on the title, which agents reword. What nbpr knows of a pull request of ours stands in its body,
in a comment that readers do not see, so that every forge can be asked the same way.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, get_args

from nbpr.errors import BadInput, Conflict
from nbpr.findings import Verdict
from nbpr.forges.pullrequest import PullRequest

BEGIN, END = "<!-- nbpr:{key} -->", "<!-- /nbpr -->"
_FACTS = re.compile(r"^<!-- nbpr-proposal (\{.*\}) -->$", re.MULTILINE)
_PART = re.compile(r"^<!-- nbpr:[^\n]*? -->$.*?^<!-- /nbpr -->$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Identity:
    """Whose proposal it is, its key, its notebooks, and every key, author and title that it had before.

    `head` is the commit that nbpr last pushed for it, to `branch`; `draft` is whether it made a draft of it.
    """

    author: str
    key: str
    notebooks: tuple[str, ...]
    title: str
    keys: tuple[str, ...] = ()
    verdict: Verdict | None = None
    authors: tuple[str, ...] = ()
    titles: tuple[str, ...] = ()
    head: str | None = None
    branch: str | None = None
    draft: bool = False

    def comment(self) -> str:
        """The line that the pull request's body carries. `--` would end it, so it is escaped."""
        facts = {
            "authors": list(self.all_authors),
            "keys": list(self.all_keys),
            "notebooks": list(self.notebooks),
            "titles": list(self.all_titles),
            "verdict": self.verdict,
            "head": self.head,
            "branch": self.branch,
            "draft": self.draft,
        }
        text = json.dumps(facts, ensure_ascii=True)
        return f"<!-- nbpr-proposal {text.replace('--', '-' + chr(92) + 'u002d')} -->"

    def after(self, pull: PullRequest | None) -> Identity:
        """This identity with what the pull request has been so far."""
        earlier = read(pull.body) if pull else None
        if earlier is None:
            return self
        keys = tuple(key for key in earlier.all_keys if key != self.key)
        authors = tuple(author for author in earlier.all_authors if author != self.author)
        titles = tuple(title for title in earlier.all_titles if title != self.title)
        return replace(self, keys=keys, authors=authors, titles=titles)

    @property
    def all_authors(self) -> tuple[str, ...]:
        """Everybody who proposed here, the latest last."""
        return (*self.authors, self.author)

    @property
    def all_titles(self) -> tuple[str, ...]:
        """Every title that it was proposed under, the latest last."""
        return (*self.titles, self.title)

    @property
    def all_keys(self) -> tuple[str, ...]:
        """Every key that the pull request had, the newest last."""
        return (*self.keys, self.key)


def read(body: str) -> Identity | None:
    """What a pull request's body says of the proposal, or None if it is none of ours."""
    match = _FACTS.search(body)
    if match is None:
        return None
    try:
        facts = json.loads(match.group(1))
        *keys, key = facts["keys"]
        *authors, author = facts["authors"]
        *titles, title = facts["titles"]
        notebooks, verdict = facts["notebooks"], facts.get("verdict")
        head, branch = facts.get("head"), facts.get("branch")
        words = (*facts["keys"], *facts["authors"], *facts["titles"], *notebooks, head or "", branch or "")
        if verdict not in (*get_args(Verdict), None) or not all(isinstance(word, str) for word in words):
            return None
        known = Identity(author, key, tuple(notebooks), title, tuple(keys), verdict, tuple(authors), tuple(titles))
        return replace(known, head=head, branch=branch, draft=facts.get("draft") is True)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None  # somebody edited it; then it is theirs


def key_of(notebooks: Sequence[str], edits: Sequence[dict[str, Any]] | None, extra: Sequence[str] = ()) -> str:
    """The key: a digest of the notebooks' paths and the edits; for the working copy of the paths alone."""
    facts: list[Any] = [sorted(notebooks), edits, *([sorted(extra)] if extra else [])]
    text = json.dumps(facts, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:20]


def checked_key(key: str) -> str:
    """A key given by hand. Raises `BadInput` unless it is one plain word that fits a trailer and a marker."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._:/+-]{0,99}", key) or "--" in key:
        raise BadInput(f"--key {key!r}: letters, digits and . _ : / + - are wanted, at most 100, no double dash")
    return key


def body_with(body: str, part: str) -> str:
    """The body with nbpr's part in place; what people wrote before and after it stays."""
    match = _PART.search(body)
    if match is None:
        return part if not body.strip() else f"{part}\n\n{body}"
    return body[: match.start()] + part + body[match.end() :]


@dataclass(frozen=True)
class Wanted:
    """How the caller names the pull request, if at all."""

    pull: int | None = None
    branch: str | None = None
    key: str | None = None
    reopen: bool = False
    base: str | None = None


def find(pulls: Iterable[PullRequest], mine: Identity, wanted: Wanted, login: str) -> PullRequest | None:
    """The pull request that this proposal of `login` already has, or None for a new one.

    In this order: by number, by branch, by key, then the open one of the same author for the same notebooks
    under the same title; with a `base`, only those into it. Raises `Conflict` for one that was closed, since that
    is an answer, unless `reopen`.
    """
    newest_first = sorted(pulls, key=lambda pull: -pull.number)
    if wanted.pull is not None:
        return _usable(_numbered(newest_first, wanted), wanted)
    if wanted.branch is not None:
        of_branch = (pull for pull in newest_first if pull.head == wanted.branch and _is_into(pull, wanted))
        return _usable(_best(of_branch), wanted)
    ours = [(pull, known) for pull, known in _ours(newest_first, mine, login) if _is_into(pull, wanted)]
    keyed = _best(pull for pull, known in ours if mine.key in known.all_keys)
    if keyed is not None and keyed.state != "merged":
        return _usable(keyed, wanted)
    same = (pull for pull, known in ours if pull.state == "open" and _same_subject(pull, known, mine))
    return next(same, None)


def is_among(opened: Iterable[PullRequest], mine: Identity, wanted: Wanted, login: str) -> bool:
    """Whether `find` takes one of these open pull requests, whatever closed ones there are besides."""
    if wanted.pull is not None:
        return any(pull.number == wanted.pull for pull in opened)
    of_base = [pull for pull in opened if _is_into(pull, wanted)]
    if wanted.branch is not None:
        return any(pull.head == wanted.branch for pull in of_base)
    ours = _ours(of_base, mine, login)
    return any(pull.head == known.branch and mine.key in known.all_keys for pull, known in ours)


def _is_into(pull: PullRequest, wanted: Wanted) -> bool:
    return wanted.base in (None, pull.base)


def _ours(pulls: Sequence[PullRequest], mine: Identity, login: str) -> list[tuple[PullRequest, Identity]]:
    """The pull requests that `mine` proposed, and what they say.

    Anybody can copy a body into a pull request of their own, and backports do. So a pull request has to be of the
    branch that its body names, in this repository or opened by `login`; or, where none is of that branch, since it was
    renamed on the server, opened by `login`.
    """
    heads = {pull.head for pull in pulls}
    known = [(pull, found) for pull in pulls if (found := read(pull.body)) and mine.author in found.all_authors]
    return [
        (pull, found)
        for pull, found in known
        if (pull.author == login and found.branch not in heads - {pull.head})
        or (pull.head == found.branch and ":" not in pull.head)
    ]


def _numbered(pulls: Iterable[PullRequest], wanted: Wanted) -> PullRequest:
    number = wanted.pull
    found = next((pull for pull in pulls if pull.number == number), None)
    if found is None:
        raise BadInput(f"there is no pull request #{number}", hint="nbpr pulls list --state all")
    if found.state == "merged":
        raise Conflict(f"pull request #{number} was merged; it takes no more changes", hint="leave out --pull")
    if wanted.base not in (None, found.base):
        raise Conflict(
            f"pull request #{number} goes into {found.base}, not {wanted.base}", hint="leave out one of the two"
        )
    return found


def _best(pulls: Iterable[PullRequest]) -> PullRequest | None:
    """An open one goes before a closed one, a newer one before an older one."""
    listed = list(pulls)
    return next((pull for pull in listed if pull.state == "open"), listed[0] if listed else None)


def _usable(pull: PullRequest | None, wanted: Wanted) -> PullRequest | None:
    if pull is None or pull.state == "merged":
        return None
    if pull.state == "closed" and not wanted.reopen:
        raise Conflict(
            f"pull request #{pull.number} for this was closed without merging: {pull.title}",
            hint="--reopen opens it again; --key WORD makes it a proposal of its own",
        )
    return pull


def _same_subject(pull: PullRequest, known: Identity, mine: Identity) -> bool:
    return mine.title in (*known.all_titles, pull.title) and sorted(known.notebooks) == sorted(mine.notebooks)
