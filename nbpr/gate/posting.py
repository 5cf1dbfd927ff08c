"""Posting: the commit status that can be required, and the one comment that is kept up to date.

The status is `pending` from before the first notebook runs until all has been said, and the comment goes first: what
breaks off half-way leaves no green mark. Where a token may only read, the forge is told nothing, and the log says so.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from nbpr.config import Config, Gate
from nbpr.errors import BadInput, NbprError, NotAllowed
from nbpr.forges import Forge, PullRequest, Status, bring_up_to_date, forge_for
from nbpr.gate import remarking, words
from nbpr.gate.occasion import Occasion
from nbpr.gate.remarking import Range
from nbpr.gate.result import GateResult
from nbpr.gate.revisions import Revisions
from nbpr.git.branches import Branches
from nbpr.git.repository import Repository
from nbpr.render import gatesummary, markdown
from nbpr.steps import step

#: The context of the commit status, which branch protection names.
CONTEXT = "nbpr/gate"

#: How the one comment begins.
MARKER = markdown.marker(gatesummary.KEY)

#: As much of a description as every forge takes.
_LONGEST = 140


@dataclass
class Posting:
    """What is told of one commit on one forge; `pull` is its pull request, if it has one. `notes` say what was not.

    `shown` is what the pull request shows of changes, None where there is no base.
    """

    forge: Forge
    settings: Gate
    head: str
    pull: PullRequest | None
    shown: Range | None = None
    notes: list[str] = field(default_factory=list)
    _is_pending: bool = False
    _refused: dict[str, str] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def pending(self) -> None:
        """Say that the commit is being judged, once: whatever was said of it before holds no more."""
        with self._lock:
            if not self._is_pending:
                self._is_pending = True
                self._status(Status(CONTEXT, "pending", "notebooks are running"))

    def broken_off(self, why: str, *, always: bool = False) -> None:
        """Say that nothing is known of the commit, if it was said to be judged, or `always`."""
        if self._is_pending or always:
            self._status(Status(CONTEXT, "error", f"broken off: {why}"[:_LONGEST]))

    def result(self, result: GateResult) -> None:
        """Say the verdict: the comment, remarks and statuses of single notebooks if wanted, last the required one."""
        self._comment(result)
        self._remark(result)
        for each in result.notebooks if self.settings.statuses else ():
            state: str = "success" if each.verdict == "passed" else "failure"
            self._status(_status(f"{CONTEXT}: {each.path}"[:200], state, words.of_one(each)))
        self._status(_status(CONTEXT, "success" if result.verdict == "passed" else "failure", words.summary(result)))
        if self._refused:
            # In one line, and the same reason once: it is followed by which request it was.
            why = "; ".join(dict.fromkeys(said.rpartition(" (")[0] or said for said in self._refused.values()))
            self.notes.append(f"{', and '.join(self._refused)}: {why}")

    def _comment(self, result: GateResult) -> None:
        if self.pull is None or not self.settings.comment:
            return
        if self.pull.head_sha != self.head:
            self.notes.append(f"pull request #{self.pull.number} has another head by now, whose gate comments")
            return

        def say(pull: PullRequest) -> None:
            login = self.forge.login()
            has_one = any(said.author == login and said.body.startswith(MARKER) for said in pull.comments)
            if result.notebooks or result.findings or has_one:
                self.forge.comment(pull, words.comment(result), marker=MARKER)

        pull = self.pull
        with step("comment"):
            self._tried(lambda: say(pull), f"pull request #{pull.number} gets no comment")

    def _remark(self, result: GateResult) -> None:
        """Say at the cells that changed what is wrong with them, if that is wanted and the pull request shows them."""
        pull, shown = self.pull, self.shown
        if pull is None or shown is None or not self.settings.inline or pull.head_sha != self.head:
            return
        if result.skipped:  # nothing is known of what was said before
            return
        remarks = remarking.remarks(result, shown, self.settings.inline)
        with step("remarks"):
            self._tried(lambda: self.forge.remark(pull, remarks), "the diff gets no remarks")

    def _status(self, status: Status) -> None:
        with step(f"status {status.state}"):
            self._tried(lambda: self.forge.status(self.head, status), "the commit gets no status")

    def _tried(self, work: Callable[[], object], otherwise: str) -> None:
        """Do it; a token that may not is no failure of what was judged, and is not tried again."""
        if otherwise in self._refused:
            return
        try:
            work()
        except NotAllowed as error:
            self._refused[otherwise] = error.message


def _status(context: str, state: str, description: str) -> Status:
    return Status(context, "success" if state == "success" else "failure", description[:_LONGEST])


def connect(
    repository: Repository, config: Config, occasion: Occasion, at: Revisions
) -> tuple[Posting | None, list[str]]:
    """Where to tell of a commit; None where nobody may, and why.

    Raises `BadInput` for a forge that cannot be told, `OutOfReach` for one that does not answer.
    """
    if occasion.may_write is False:
        return None, ["the forge is told nothing: the token of this job may only read"]
    try:
        forge = forge_for(repository, config)
        pull = _pull(repository, config, forge, occasion, at.head)
    except NotAllowed as error:
        return None, [f"the forge is told nothing: {error.message}"]
    shown = Range(repository, at.start, at.head) if at.start else None
    return Posting(forge, config.gate, at.head, pull, shown), []


def _pull(repository: Repository, config: Config, forge: Forge, occasion: Occasion, head: str) -> PullRequest | None:
    if not forge.announces:  # its pull requests are refs, which a plain clone does not carry
        bring_up_to_date(forge, Branches(repository, repository.remote(config.remote)), config)
    if occasion.pull is not None:
        try:
            return forge.get(occasion.pull)
        except BadInput:
            return None
    if occasion.is_event:
        return None
    found = next((pull for pull in forge.find() if pull.head_sha == head), None)
    return forge.get(found.number) if found else None


def reason(error: BaseException) -> str:
    """Why a gate broke off, in words that anybody may read."""
    if isinstance(error, KeyboardInterrupt):
        return "interrupted"
    return error.message if isinstance(error, NbprError) else "a bug of nbpr's"
