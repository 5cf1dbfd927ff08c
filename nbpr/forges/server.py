"""A forge on a server: git carries the branch there, then its API the pull request.

The two cannot go together, so each half is found again by the next command: a branch that was pushed without its pull
request by its commit's trailers, a pull request that exists already by its branch. What differs between the kinds of
servers is behind the Protocol `Api`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from nbpr.errors import BadInput, Conflict, NotAllowed
from nbpr.forges import pictures
from nbpr.forges import remarks as remarking
from nbpr.forges.agit import Agit
from nbpr.forges.api import Api, Said
from nbpr.forges.delivery import Delivery, Pushed
from nbpr.forges.forks import Fork
from nbpr.forges.pullrequest import Opening, PullRequest, State, people
from nbpr.forges.remarks import Remark
from nbpr.forges.status import Check, Status
from nbpr.git.repository import RefUpdate, Repository, Stale

#: What the body of a pull request of ours has, on a line of its own.
OURS = "<!-- nbpr-proposal "


class ServerForge:
    """The pull requests of a remote on a server."""

    announces = True
    has_checks = True

    def __init__(self, api: Api, repository: Repository, remote: str) -> None:
        self.name = api.name
        self._api = api
        self._repository = repository
        self._remote = remote
        self._login: str | None = None
        self._space = f"refs/nbpr/remotes/{remote}"
        self._fork = Fork(api, repository, remote, self._space, self.login)
        self._agit = Agit(repository, remote, self._space, self.login)
        self._delivery = Delivery(repository, self._fork, self._agit, self._space)
        self._listed: dict[str, list[PullRequest]] = {}

    # -- reading -------------------------------------------------------------------------------------------

    def refspecs(self) -> list[str]:
        """The claims: refs that stand for as long as a proposal is on the server, whatever its branch is called."""
        return [f"+refs/nbpr/claims/*:{self._space}/claims/*"]

    def forget(self) -> None:
        """Ask the server anew from here on."""
        self._listed.clear()

    def catch_up(self, prefixes: Iterable[str]) -> None:
        """Fetch the branches that are on the token owner's fork, if open pull requests are made of such."""
        self._fork.fetch(prefixes)
        self._agit.fetch()

    def fetch_head(self, number: int) -> None:
        """Bring the head of a pull request here, by the ref that servers keep it in as long as that one exists."""
        self._repository.fetch_history(self._remote, f"refs/pull/{number}/head")

    def branches(self) -> set[str]:
        """The branches of this repository that open pull requests of ours are made of."""
        ours = [pull for pull in self.find() if OURS in pull.body]
        return {name for pull in ours for name in (pull.head, pull.base) if ":" not in name}

    def login(self) -> str:
        """Whose token it is."""
        if self._login is None:
            self._login = self._api.login()
        return self._login

    def find(self, *, state: State | None = "open") -> list[PullRequest]:
        """The pull requests in a state, or all; oldest first. They are listed once, until `forget`."""
        kinds = ("open",) if state == "open" else ("open", "closed")
        for kind in kinds:
            if kind not in self._listed:
                self._listed[kind] = list(self._api.pulls(kind))
        by_number = {pull.number: pull for kind in kinds for pull in self._listed[kind]}
        pulls = [self._as_merged(self._named(pull)) for _, pull in sorted(by_number.items())]
        return [pull for pull in pulls if state is None or pull.state == state]

    def get(self, number: int) -> PullRequest:
        """One pull request, with its comments. Raises `BadInput` for an unknown number."""
        pull = self._current(number)
        return replace(pull, comments=tuple(said.comment for said in self._api.comments(number)))

    def ready(self, milestone: str | None = None) -> None:
        """See what the token may, and whether branches go to a fork.

        Raises `Stale` if that one has to be looked at before planning, `NotAllowed` for a token that lacks a scope,
        `BadInput` for a `milestone` that is not there.
        """
        if milestone is not None:
            self._api.milestone(milestone)
        self._api.check_token()
        if self._api.may_push() or self._fork.is_needed:
            return
        if self._fork.look():
            raise Stale("there is something of ours on the fork, which was not looked at yet")

    def _current(self, number: int) -> PullRequest:
        pull = self._api.pull(number)
        if pull is None:
            raise BadInput(f"there is no pull request #{number} in {self._api.repo}", hint="nbpr pulls list")
        return self._as_merged(self._named(pull))

    def _named(self, pull: PullRequest) -> PullRequest:
        """A pull request of ours by the name that its branch has here, be it on a fork or not."""
        pull = self._agit.named_here(pull, OURS)
        return self._fork.named_here(pull) if OURS in pull.body else pull

    def _as_merged(self, pull: PullRequest) -> PullRequest:
        """One whose head is reachable from base is merged, also where the server did not notice."""
        if pull.state != "open" or OURS not in pull.body:
            return pull
        base, head = self._delivery.copy(pull.base), self._delivery.copy(pull.head)
        if base is None or head != pull.head_sha or not self._repository.is_ancestor(head, base):
            return pull
        return replace(pull, state="merged")

    # -- writing -------------------------------------------------------------------------------------------

    def open(self, opening: Opening) -> PullRequest:
        """Push the branch, then open its pull request, or take over the one that it has.

        Raises `Stale` if the branch is not where it was, `BadInput` if it holds nothing that base has not.
        """
        self._refuse_empty(opening)
        if self._fork.is_needed:
            self._take_elsewhere(opening)
        branch = RefUpdate(f"refs/heads/{opening.head}", opening.head_old, opening.head_sha)
        self._delivery.publish_claimed(branch, opening.claim)
        with Pushed(opening.head, opening.head_sha):
            pull = self._named(self._made(opening))
            self.forget()
            theirs = pull.body if OURS not in pull.body else ""
            wanted = replace(
                pull,
                body=f"{opening.body}\n\n{theirs}" if theirs.strip() else opening.body,
                draft=opening.draft,
                labels=_both(pull.labels, opening.labels),
                reviewers=people(pull.reviewers, opening.reviewers),
                assignees=people(pull.assignees, opening.assignees),
                milestone=opening.milestone or pull.milestone,
            )
            try:
                return self._made_so(pull, wanted)
            except Stale as stale:
                stale.has_opened = True
                raise

    def _take_elsewhere(self, opening: Opening) -> None:
        """Have the branch go to a fork, or be a topic where a server that knows such makes none."""
        if self._agit.holds(opening.head):
            return
        try:
            self._fork.take(opening.head)
        except NotAllowed:
            if self.name != "gitea":
                raise
            self._agit.take(opening)

    def _made(self, opening: Opening) -> PullRequest:
        if self._agit.holds(opening.head):
            return self._agit.opened(opening, self._api.pulls("open"))
        return self._api.create(replace(opening, head=self._fork.named_there(opening.head)))

    def update(self, pull: PullRequest, *, head_sha: str | None = None, **changes: Any) -> PullRequest:
        """Push the branch forwards, then change what differs. Nothing that is so already is sent.

        Of one that is opened again the branch may have been deleted: servers close at once what has none, or refuse.

        Raises `Stale` if somebody moved the branch or edited the body since `pull` was read.
        """
        changes = dict(self._api.news(pull, changes))
        wanted = replace(pull, **changes)
        copy = self._delivery.copy(pull.head)
        is_gone = copy is None and (pull.state, wanted.state) == ("closed", "open") and self._has_branch(pull)
        moved = head_sha is not None and head_sha != (copy or (None if is_gone else pull.head_sha))
        if wanted == pull and not moved:
            return pull
        now = self._as_read(pull)
        if head_sha is not None and moved:
            self._delivery.push(pull.head, copy, head_sha)
        with Pushed(pull.head, head_sha or pull.head_sha):
            self.forget()
            if moved:
                now = self._as_read(pull)  # a push takes its time, and what was written meanwhile is not written over
            return replace(self._made_so(now, _onto(now, pull, changes)), head_sha=head_sha or pull.head_sha)

    def _as_read(self, pull: PullRequest) -> PullRequest:
        """The pull request as it is now. Raises `Stale` if its text or state is another than when it was read."""
        now = self._current(pull.number)
        if (now.body, now.state) != (pull.body, pull.state):
            raise Stale(f"somebody edited pull request #{pull.number} meanwhile")
        return now

    def _has_branch(self, pull: PullRequest) -> bool:
        """Whether a pull request is, or was, of a branch that is ours to push; a topic is in the pull request alone."""
        return ":" not in pull.head and not pull.head.startswith("refs/") and not self._agit.is_topic(pull)

    def comment(self, pull: PullRequest, body: str, *, marker: str | None = None) -> PullRequest:
        """Comment; with a `marker`, in the one comment of ours that starts with it, and only if it says otherwise.

        Two that comment in the same moment both find none: then the older one stays.
        """
        said = self._api.comments(pull.number)
        ours = self._ours(said, marker)
        if not ours:
            self._api.say(pull.number, body, [one.number for one in said])
            said = self._api.comments(pull.number)
            ours = self._ours(said, marker)
        elif ours[0].comment.body != body:
            self._api.reword(ours[0], body)
            said = [replace(one, comment=replace(one.comment, body=body)) if one == ours[0] else one for one in said]
        for further in ours[1:]:
            self._api.unsay(further)
        gone = {one.number for one in ours[1:]}
        return replace(pull, comments=tuple(one.comment for one in said if one.number not in gone))

    def _ours(self, said: Iterable[Said], marker: str | None) -> list[Said]:
        if marker is None:
            return []
        login = self.login()
        return [one for one in said if one.comment.author == login and one.comment.body.startswith(marker)]

    def remark(self, pull: PullRequest, remarks: Sequence[Remark]) -> None:
        """Have the pull request carry these remarks of ours, at lines of its head."""
        remarking.bring_up_to_date(self._api.reviews, pull.number, pull.head_sha, remarks, self.login())

    def statuses(self, sha: str) -> dict[str, Status]:
        """The newest status of each context that a commit has; none where we may set none."""
        return {} if self._is_elsewhere else self._api.statuses(sha)

    def status(self, sha: str, status: Status) -> None:
        """Set a commit's status, unless it has it. Who proposes from a fork may not."""
        self._refuse_elsewhere()
        if self._api.statuses(sha).get(status.context) != status:
            self._api.report(sha, status)

    def annotate(self, sha: str, check: Check) -> None:
        """Say more than a status does, where the server has room for it."""
        self._refuse_elsewhere()
        self._api.annotate(sha, check)

    @property
    def _is_elsewhere(self) -> bool:
        """Whether what is ours is not on the repository itself, to which the token may not write then."""
        return self._fork.is_used or self._agit.is_used

    def _refuse_elsewhere(self) -> None:
        if self._is_elsewhere:
            raise NotAllowed(f"{self.login()} may not write to {self._api.repo}")

    def takes(self, names: Iterable[str]) -> set[str]:
        """Which files the server would keep for a pull request; where that is done in git, none of a fork's."""
        return set() if self._api.keeps_in_git and self._is_elsewhere else self._api.takes(names)

    def keep(self, pull: PullRequest, files: Mapping[str, bytes]) -> dict[str, str]:
        """Keep files for a pull request, on the server or in a ref of their own."""

        def in_git(wanted: Mapping[str, bytes]) -> str | None:
            return pictures.publish(self._repository, self._remote, wanted)

        with Pushed(pull.head, pull.head_sha):
            return self._api.keep(pull.number, files, in_git) if files else {}

    def auto_merge(self, pull: PullRequest) -> bool:
        """Have the server merge it when the checks that its base asks for have passed."""
        if pull.draft:
            raise NotAllowed(f"pull request #{pull.number} is a draft, which nothing merges", hint="without --draft")
        return self._api.auto_merge(pull)

    def merge(self, pull: PullRequest, merge_sha: str, base_sha: str, *, when_ready: bool = False) -> PullRequest:
        """Have the server merge what `merge_sha` holds, so that its rules for the base branch apply.

        Where the result is not what the branch holds (base moved, runs were made anew), it goes onto the branch
        first, as a merge of base into it. Raises `Stale` if base moved meanwhile.
        """
        message = self._repository.commits(f"{merge_sha}^!")[0].message
        head = self._with_result(pull, merge_sha, base_sha)
        if when_ready:
            with Pushed(pull.head, head):
                self.auto_merge(replace(pull, head_sha=head))
            return replace(pull, head_sha=head)
        with Pushed(pull.head, head):
            merged = self._api.merge(pull, head, message)
        self.forget()
        return replace(merged, head_sha=head)

    def _with_result(self, pull: PullRequest, merge_sha: str, base_sha: str) -> str:
        """The head whose tree is the result of the merge, pushed where it is a new one."""
        tree = self._repository.git("rev-parse", f"{merge_sha}^{{tree}}")
        same = tree == self._repository.git("rev-parse", f"{pull.head_sha}^{{tree}}")
        if same and self._repository.is_ancestor(base_sha, pull.head_sha):
            return pull.head_sha
        if ":" in pull.head:
            raise Conflict(
                f"the branch {pull.head} of #{pull.number} is in another repository, and has to be brought up to date",
                hint="its author can: nbpr propose … --refresh",
            )
        message = f"Take in what is new in {pull.base}\n"
        head = self._repository.commit(tree, [pull.head_sha, base_sha], message)
        self._delivery.push(pull.head, pull.head_sha, head)
        return head

    def close(self, pull: PullRequest, *, delete_branch: bool = False) -> PullRequest:
        """Close without merging; the branch stays unless `delete_branch`. Its commits stay in any case.

        Raises `NotAllowed` once it is closed for a branch that is to go and is on somebody's fork.
        """
        closed = self._api.edit(pull, {"state": "closed"})
        self.forget()
        if delete_branch:
            # Of branches that are people's own there is no copy here.
            branch = self._delivery.copy(pull.head) or self._repository.remote_sha(self._remote, pull.head)
            if branch is not None:
                self._delivery.push(pull.head, branch, None)
            elif ":" in pull.head:
                raise NotAllowed(f"#{pull.number} is closed, but its branch {pull.head} is not ours to delete")
        return replace(closed, comments=pull.comments)

    def _made_so(self, pull: PullRequest, wanted: PullRequest) -> PullRequest:
        """Send what differs."""
        names = ("title", "body", "state", "draft")
        changes = {name: getattr(wanted, name) for name in names if getattr(wanted, name) != getattr(pull, name)}
        made = self._api.edit(pull, changes) if changes else pull
        labels, reviewers, assignees = (_news(name, pull, getattr(wanted, name)) for name in _JOINED)
        if labels:
            self._api.label(pull, labels)
        if reviewers:
            self._api.ask(pull, reviewers)
        if assignees:
            self._api.assign(pull, assignees)
        if wanted.milestone and wanted.milestone != pull.milestone:
            self._api.plan(pull, wanted.milestone)
        return replace(
            made,
            labels=_both(made.labels, labels),
            reviewers=people(made.reviewers, reviewers),
            assignees=people(made.assignees, assignees),
            milestone=wanted.milestone,
        )

    def _refuse_empty(self, opening: Opening) -> None:
        base = self._delivery.copy(opening.base)
        if base is not None and not self._repository.changed_paths(base, opening.head_sha, merge_base=True):
            raise BadInput(f"{opening.head} holds nothing that {opening.base} has not; there is nothing to propose")


def _onto(now: PullRequest, pull: PullRequest, changes: Mapping[str, Any]) -> PullRequest:
    """The pull request as it is now, with `changes` to `pull`, as read before: what people changed since stays."""
    wanted = {name: value for name, value in changes.items() if value != getattr(pull, name)}
    lists = {
        name: _JOINED[name](getattr(now, name), _news(name, pull, wanted[name])) for name in _JOINED & wanted.keys()
    }
    return replace(now, **{**wanted, **lists})


def _news(name: str, pull: PullRequest, wanted: Iterable[str]) -> tuple[str, ...]:
    """What a list of a pull request's lacks of what is wanted there."""
    had = getattr(pull, name)
    return _JOINED[name](had, wanted)[len(had) :]


def _both(had: Iterable[str], more: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*had, *more)))


#: What stands beside the text of a pull request, each a list that is only ever added to, and how that is done.
_JOINED = {"labels": _both, "reviewers": people, "assignees": people}
