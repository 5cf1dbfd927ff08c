"""The local forge: pull requests made of git refs alone.

Pull request N is `refs/nbpr/pulls/N/meta`: one commit per change of state, `pull.json` in its tree, the state
before as first parent, the branch's head as second, and a nonce in the message so that no two are equal.
`refs/nbpr/open/<branch>` stands as long as the branch has an open pull request, and `refs/nbpr/claims/<digest>` as
long as a proposal has one, whatever its branch is called. Branch, meta, open and claim move in one `push --atomic`.
Where there is a remote, its refs are the authority: a number is taken by pushing a ref that must not exist yet. A plain
clone does not carry these refs; they are fetched into `refs/nbpr/remotes/<remote>/`.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, fields, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from nbpr.errors import BadInput, Conflict, NotAllowed
from nbpr.forges.pullrequest import Comment, Opening, PullRequest, State
from nbpr.forges.remarks import Remark
from nbpr.forges.status import Check, Status
from nbpr.git.repository import RefUpdate, Repository, Stale, without_credentials

#: How often a number is tried for again when somebody else took it.
ATTEMPTS = 50


#: What `pull.json` says of a pull request, besides its comments; the URL hangs on where the repository is.
_FACTS = {field.name for field in fields(PullRequest)} - {"url", "comments"}
#: What every `pull.json` has.
_NEEDED = {"number", "title", "state", "draft", "head", "base", "head_sha", "author"}


class LocalForge:
    """The pull requests of one repository, or of its remote."""

    name = "local"
    announces = False
    has_checks = False

    def __init__(self, repository: Repository, remote: str | None, now: Callable[[], datetime] | None = None) -> None:
        self._repository = repository
        self._remote = remote
        self._now = now or (lambda: datetime.now(UTC))

    # -- reading -------------------------------------------------------------------------------------------

    def find(self, *, state: State | None = "open") -> list[PullRequest]:
        """The pull requests in a state, or all; oldest first."""
        heads = self._heads()
        pulls = [self._pull(data, heads) for _, sha in sorted(self._metas().items()) if (data := self._state(sha))]
        return [pull for pull in pulls if state is None or pull.state == state]

    def get(self, number: int) -> PullRequest:
        """One pull request. Raises `BadInput` for an unknown number."""
        metas = self._metas()
        if number not in metas:
            known = ", ".join(f"#{n}" for n in sorted(metas)) or "none yet"
            raise BadInput(f"there is no pull request #{number}", hint=f"there are: {known}")
        data = self._state(metas[number])
        if data is None:
            ref = f"refs/nbpr/pulls/{number}/meta"
            raise BadInput(f"pull request #{number}: what stands at {ref} is not of nbpr", hint=f"git show {ref}")
        return self._pull(data, self._heads())

    def refspecs(self) -> list[str]:
        """The remote's pull requests, open marks and claims, into refs of ours."""
        space = f"refs/nbpr/remotes/{self._remote}"
        kinds = ("pulls", "open", "claims", "statuses")
        return [f"+refs/nbpr/{kind}/*:{space}/{kind}/*" for kind in kinds] if self._remote else []

    def forget(self) -> None:
        """Nothing is kept here but refs, which a fetch brings up to date."""

    def ready(self, milestone: str | None = None) -> None:
        """Whoever can push can do everything, and a push says so itself; any word is a milestone."""

    def branches(self) -> set[str]:
        """Those of every pull request that is not closed: whether it is merged shows in them."""
        pulls = (pull for pull in self.find(state=None) if pull.state != "closed")
        return {name for pull in pulls for name in (pull.head, pull.base)}

    def catch_up(self, prefixes: Iterable[str]) -> None:
        """Nothing: all of it is on the remote."""

    def fetch_head(self, number: int) -> None:
        """Nothing: each state has the head as a parent."""

    def login(self) -> str:
        """Git's author, since there is nobody to log in to."""
        return self._repository.author

    def _fetch(self) -> None:
        if self._remote is not None:
            self._repository.fetch(self._remote, *self.refspecs())

    def _metas(self) -> dict[int, str]:
        """The newest state of each pull request.

        Branch, mark and meta are moved together, but a server that is killed in the middle may have moved only
        some, in this order: then the mark is ahead, and tells as much as the meta would.
        """
        found = self._written()
        for sha in set(self._marks().values()) - set(found.values()):
            number = self._number(sha)
            known = found.get(number)
            if number and (known is None or self._repository.is_ancestor(known, sha)):
                found[number] = sha
        return found

    def _written(self) -> dict[int, str]:
        space = f"refs/nbpr/remotes/{self._remote}/pulls" if self._remote else "refs/nbpr/pulls"
        found: dict[int, str] = {}
        for ref, sha in self._repository.refs(space).items():
            match = re.fullmatch(re.escape(space) + r"/(\d+)/meta", ref)
            if match:
                found[int(match.group(1))] = sha
        return found

    def _state(self, sha: str) -> dict[str, Any] | None:
        """What a state says; None for what somebody else put there."""
        try:
            data = json.loads(self._repository.read(sha, "pull.json") or b"{}")
        except ValueError:
            return None
        return data if isinstance(data, dict) and data.keys() >= _NEEDED else None

    def _number(self, sha: str) -> int:
        """The number of the pull request that a state is of, or 0."""
        return int((self._state(sha) or {"number": 0})["number"])

    def _pull(self, data: dict[str, Any], heads: Mapping[str, str]) -> PullRequest:
        comments = tuple(Comment(**comment) for comment in data.get("comments", ()))
        facts: dict[str, Any] = {key: value for key, value in data.items() if key in _FACTS}
        facts |= {name: tuple(data.get(name, ())) for name in ("labels", "reviewers", "assignees")}
        return self._with_branch(PullRequest(url=self._url(data["number"]), comments=comments, **facts), heads)

    def _with_branch(self, pull: PullRequest, heads: Mapping[str, str]) -> PullRequest:
        """An open pull request follows its branch, to which people push without nbpr.

        One whose head is reachable from base is merged, however that was done.
        """
        if pull.state != "open":
            return pull
        head, base = heads.get(pull.head) or pull.head_sha, heads.get(pull.base)
        merged = base is not None and self._repository.is_ancestor(head, base)
        return replace(pull, head_sha=head, state="merged" if merged else "open")

    def _heads(self) -> dict[str, str]:
        """Where each branch is."""
        space = f"refs/nbpr/remotes/{self._remote}/heads/" if self._remote else "refs/heads/"
        return {ref.removeprefix(space): sha for ref, sha in self._repository.refs(space).items()}

    def _branch_sha(self, branch: str) -> str | None:
        return self._heads().get(branch)

    def _url(self, number: int) -> str:
        return f"{self._place}#nbpr/{number}"

    @cached_property
    def _place(self) -> str:
        place = without_credentials(self._repository.remote_url(self._remote)) if self._remote else ""
        return place if "://" in place else Path(self._repository.root, place).resolve().as_uri()

    # -- writing -------------------------------------------------------------------------------------------

    def open(self, opening: Opening) -> PullRequest:
        """Create branch, pull request and its open mark together, under the next free number.

        Raises `Stale` when the branch exists meanwhile or the claim is held, `Conflict` when it is checked out here.
        """
        self._refuse_checked_out(opening.head)
        for _ in range(ATTEMPTS):
            number = max(self._metas(), default=0) + 1
            facts = {key: value for key, value in asdict(opening).items() if key in _FACTS}
            pull = PullRequest(number, state="open", url=self._url(number), **facts)
            meta = self._meta(pull, None)
            updates = [
                RefUpdate(f"refs/heads/{pull.head}", opening.head_old, pull.head_sha),
                RefUpdate(f"refs/nbpr/pulls/{number}/meta", None, meta),
                RefUpdate(f"refs/nbpr/open/{pull.head}", None, meta),
                *self._claimed(opening.claim, meta),
            ]
            try:
                self._repository.publish(self._remote, updates)
            except Stale:
                self._fetch()
                if number not in self._metas():
                    raise  # not the number was lost but the branch
            else:
                self._remember(updates)
                return pull
        raise Conflict(f"no free pull request number after {ATTEMPTS} attempts", hint="run it again")

    def update(self, pull: PullRequest, *, head_sha: str | None = None, **changes: Any) -> PullRequest:
        """Move the branch forwards and write the next state, together."""
        changed = replace(pull, **changes, head_sha=head_sha or pull.head_sha)
        if changed == pull:
            return pull
        updates = []
        branch = self._branch_sha(pull.head)
        if head_sha and head_sha != branch:
            self._refuse_checked_out(pull.head)
            updates.append(RefUpdate(f"refs/heads/{pull.head}", branch, head_sha))
        return self._write(pull, changed, updates)

    def comment(self, pull: PullRequest, body: str, *, marker: str | None = None) -> PullRequest:
        """Add a comment by git's author. With a `marker`, the one of theirs that starts with it is kept up to date."""
        said = Comment(self._repository.author, body, self._stamp())
        ours = [old for old in pull.comments if marker and old.author == said.author and old.body.startswith(marker)]
        if not ours:
            return self.update(pull, comments=(*pull.comments, said))
        kept = replace(ours[0], body=body)
        comments = (kept if old == ours[0] else old for old in pull.comments if old not in ours[1:])
        return self.update(pull, comments=tuple(comments))

    def status(self, sha: str, status: Status) -> None:
        """Keep a commit's status in `refs/nbpr/statuses/<commit>`, unless it has it."""
        said = self.statuses(sha)
        if said.get(status.context) == status:
            return
        rows = [asdict(one) for one in {**said, status.context: status}.values()]
        text = json.dumps(rows, ensure_ascii=False, indent=1) + "\n"
        tree = self._repository.edited_tree(None, {"statuses.json": text.encode()})
        old = self._named("statuses").get(sha)
        parents = [old] if old else []
        new = self._repository.commit(tree, parents, f"Status of {sha}\n\nnonce {secrets.token_hex(8)}\n", own=True)
        updates = [RefUpdate(f"refs/nbpr/statuses/{sha}", old, new)]
        self._repository.publish(self._remote, updates)
        self._remember(updates)

    def statuses(self, sha: str) -> dict[str, Status]:
        """The status of each context that a commit has."""
        place = self._named("statuses").get(sha)
        rows = json.loads(self._repository.read(place, "statuses.json") or b"[]") if place else []
        return {row["context"]: Status(**row) for row in rows}

    def annotate(self, sha: str, check: Check) -> None:
        """Nothing: there is no page that would show it."""

    def remark(self, pull: PullRequest, remarks: Sequence[Remark]) -> None:
        """Nothing: the review page shows findings at their cells."""

    def takes(self, names: Iterable[str]) -> set[str]:
        """None: pictures are on the review page."""
        return set()

    def keep(self, pull: PullRequest, files: Mapping[str, bytes]) -> dict[str, str]:
        """None of them."""
        return {}

    def auto_merge(self, pull: PullRequest) -> bool:
        """Raises `NotAllowed`: whoever merges here checks as they do it, and nothing runs meanwhile."""
        raise NotAllowed(
            "the local forge runs no checks that a merge could wait for", hint=f"nbpr pulls merge {pull.number}"
        )

    def merge(self, pull: PullRequest, merge_sha: str, base_sha: str, *, when_ready: bool = False) -> PullRequest:
        """Move base to the merge commit and mark the pull request merged, together.

        A base that is checked out here moves with its checkout; raises `Conflict` unless that is clean.
        """
        if when_ready:
            self.auto_merge(pull)
        changed = pull.with_state("merged", merge_sha=merge_sha)
        place = None if self._remote else self._repository.checked_out().get(pull.base)
        if place is None:
            return self._write(pull, changed, [RefUpdate(f"refs/heads/{pull.base}", base_sha, merge_sha)])
        # Base first: killed between the two, the head is reachable from base, which reads as merged.
        self._repository.advance_checkout(place, merge_sha)
        return self._write(pull, changed, [])

    def close(self, pull: PullRequest, *, delete_branch: bool = False) -> PullRequest:
        """Close without merging; the branch stays unless `delete_branch`. Its commits stay in any case."""
        updates = []
        if delete_branch and self._branch_sha(pull.head):
            self._refuse_checked_out(pull.head)
            updates.append(RefUpdate(f"refs/heads/{pull.head}", pull.head_sha, None))
        return self._write(pull, pull.with_state("closed"), updates)

    def _write(self, before: PullRequest, after: PullRequest, updates: list[RefUpdate]) -> PullRequest:
        meta = self._meta(after, self._metas()[before.number])
        old = self._written().get(before.number)
        mark = f"refs/nbpr/open/{after.head}"
        opened = self._marks().get(after.head)
        updates = [*updates, RefUpdate(f"refs/nbpr/pulls/{after.number}/meta", old, meta)]
        if after.state == "open" or opened:
            updates.append(RefUpdate(mark, opened, meta if after.state == "open" else None))
        if after.state != "open":
            updates += self._released(after.number)
        self._repository.publish(self._remote, updates)
        self._remember(updates)
        return after

    def _marks(self) -> dict[str, str]:
        """Where the newest state of each branch's open pull request is."""
        return self._named("open")

    def _named(self, kind: str) -> dict[str, str]:
        space = f"refs/nbpr/remotes/{self._remote}/{kind}/" if self._remote else f"refs/nbpr/{kind}/"
        return {ref.removeprefix(space): sha for ref, sha in self._repository.refs(space).items()}

    def _claimed(self, claim: str | None, meta: str) -> list[RefUpdate]:
        """What takes a claim, also of what was merged by hand. Raises `Stale` if an open one has it."""
        if claim is None:
            return []
        digest = hashlib.sha256(claim.encode("utf-8", "surrogateescape")).hexdigest()[:32]
        held = self._named("claims").get(digest)
        holder = self._metas().get(self._number(held)) if held else None
        state = self._state(holder) if holder else None
        if state is not None and self._pull(state, self._heads()).state == "open":
            raise Stale("somebody else opened a pull request for the same meanwhile; nothing was pushed")
        return [RefUpdate(f"refs/nbpr/claims/{digest}", held, meta)]

    def _released(self, number: int) -> list[RefUpdate]:
        """What lets go of the claims of a pull request that is open no more."""
        held = self._named("claims").items()
        return [RefUpdate(f"refs/nbpr/claims/{name}", sha, None) for name, sha in held if self._number(sha) == number]

    def _meta(self, pull: PullRequest, previous: str | None) -> str:
        data = asdict(pull)
        del data["url"]
        text = json.dumps({**data, "changed": self._stamp()}, ensure_ascii=False, indent=1) + "\n"
        tree = self._repository.edited_tree(None, {"pull.json": text.encode()})
        message = f"Pull request #{pull.number}: {pull.state}\n\nnonce {secrets.token_hex(8)}\n"
        parents = [parent for parent in (previous, pull.head_sha) if parent]
        return self._repository.commit(tree, parents, message, own=True)

    def _remember(self, updates: list[RefUpdate]) -> None:
        """Keep our copies of the remote's refs in step with what was just pushed, without asking again."""
        if self._remote is None:
            return
        space = f"refs/nbpr/remotes/{self._remote}/"
        known = self._repository.refs(space)
        copies = []
        for update in updates:
            ref = space + update.ref.removeprefix("refs/").removeprefix("nbpr/")
            if update.new or ref in known:
                copies.append(RefUpdate(ref, known.get(ref), update.new))
        self._repository.publish(None, copies)

    def _refuse_checked_out(self, branch: str) -> None:
        """Without a remote, moving a branch that is checked out would change somebody's checkout under them."""
        place = None if self._remote else self._repository.checked_out().get(branch)
        if place is not None:
            raise Conflict(
                f"the branch {branch} is checked out in {place}; nothing was changed",
                hint=f"switch to another branch there: git -C {place} switch --detach",
            )

    def _stamp(self) -> str:
        return self._now().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
