"""Proposing: from a change to a pull request. The whole path stands in `propose`, top to bottom."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

from nbpr import keepsakes, reviews
from nbpr.config import Config
from nbpr.diff import notebooks
from nbpr.diff.changes import NotebookDiff
from nbpr.diff.noise import Noise
from nbpr.errors import Conflict, NotAllowed
from nbpr.findings import Finding, Verdict
from nbpr.forges import Forge, Opening, PullRequest, forge_for
from nbpr.forges.pullrequest import people
from nbpr.git import locks, workspaces
from nbpr.git.repository import Entry, Repository, Stale
from nbpr.proposals import announcements, identity, messages, planning, plans, proofs, workingcopy
from nbpr.proposals.plans import Plan, Proposal
from nbpr.proposals.proofs import Proof
from nbpr.render.report import Report

#: How often a proposal is planned anew when somebody else moved its branch first.
ATTEMPTS = 20

Operation = Literal["created", "updated", "unchanged", "blocked", "dry-run"]
Say = Callable[[str], None]


@dataclass(frozen=True)
class Outcome:
    """What came of a proposal; `report` is what people read, `page` where it was written."""

    operation: Operation
    plan: Plan
    pull: PullRequest | None
    head_sha: str | None
    verdict: Verdict | None
    proof: Proof
    diffs: tuple[NotebookDiff, ...]
    page: str | None = None

    @property
    def report(self) -> Report:
        """What there is to say of it, for every renderer."""
        shown = messages.report(self.plan, self.proof, self.diffs, self.verdict, self.in_words)
        if self.operation != "unchanged":
            return shown
        # What is there already was shown when it was proposed; its title is the forge's, not the one given now.
        return replace(shown, title=self.pull.title if self.pull else "", diffs=())

    @property
    def in_words(self) -> str:
        """How it ended, in a few words."""
        name = f"pull request #{self.pull.number}" if self.pull else "nothing to propose"
        words = {"created": f"{name} created", "updated": f"{name} updated", "blocked": "nothing was pushed"}
        unchanged = f"{name}: unchanged" if self.pull else name
        return {**words, "unchanged": unchanged, "dry-run": "dry run: nothing was run or written"}[self.operation]

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What was noticed in planning and in proving."""
        return (*self.plan.findings, *self.proof.findings)

    def as_json(self) -> dict[str, Any]:
        """The object that `nbpr propose --json` prints."""
        short = ("number", "url", "state", "draft")
        return {
            "operation": self.operation,
            "pull_request": {name: getattr(self.pull, name) for name in short} if self.pull else None,
            "branch": self.plan.branch if self.pull or self.operation != "unchanged" else None,
            "base": self.plan.base,
            "head_sha": self.head_sha,
            "key": self.plan.identity.key,
            "verdict": self.verdict,
            "findings": [finding.as_json() for finding in self.findings],
            "runs": list(self.proof.runs),
            "scraps": list(self.proof.scraps),
            "diff": [diff.summary.as_json() for diff in self.diffs],
            "review_page": self.page,
        }


def propose(repository: Repository, config: Config, proposal: Proposal, say: Say = lambda _: None) -> Outcome:
    """Take a change onto a branch of its own, run it, prove it, show it, and open or update its pull request.

    The user's checkout, index, stash and local branches stay as they are. Raises `BadInput`, `Conflict`,
    `NotAllowed` and `OutOfReach`; a validation that fails is no exception but the operation `blocked`.
    """
    proposal = replace(proposal, title=plans.titled(proposal.title))
    forge = forge_for(repository, config)
    say("looking at what is there")
    if proposal.dry_run:
        plan = planning.make(repository, config, forge, proposal)
        return _planned(repository, config, plan)
    has_opened = False
    with workspaces.workspace(repository):
        for attempt in range(ATTEMPTS):
            plan = planning.make(repository, config, forge, proposal)
            try:
                if not plan.has_news:
                    return _as_ours(_unchanged(repository, config, forge, plan), has_opened)
                with _one_at_a_time(repository, plan, say) as waited:
                    # Whoever went first may have done it all, or have taken the branch's name.
                    now = planning.make(repository, config, forge, proposal) if waited else plan
                    if not now.has_news:
                        return _as_ours(_unchanged(repository, config, forge, now), has_opened)
                    if now.branch == plan.branch:
                        return _as_ours(_carry_out(repository, config, forge, now, say), has_opened)
            except Stale as stale:
                has_opened = has_opened or stale.has_opened
                say(f"somebody else was faster; looking again ({attempt + 1})")
    raise Conflict(f"others kept pushing to {plan.branch}; nothing was pushed", hint="run the same command again")


def _as_ours(outcome: Outcome, has_opened: bool) -> Outcome:
    """What came of it, said of one that this command opened before somebody else was faster with the rest."""
    is_done = outcome.operation in ("unchanged", "updated")
    return replace(outcome, operation="created") if has_opened and is_done else outcome


@contextmanager
def _one_at_a_time(repository: Repository, plan: Plan, say: Say) -> Iterator[bool]:
    """Of several proposals with one key, or on one branch, one goes first; the block gets whether it had to wait."""
    names = (f"{plan.identity.author} {plan.identity.key}", plan.branch)
    with ExitStack() as stack:
        waited = False
        for name in names:
            digest = hashlib.sha256(name.encode()).hexdigest()[:16]
            place = repository.own_dir / "locks" / f"{digest}.lock"
            waiting = partial(say, f"another nbpr works on {plan.branch}; waiting for it")
            waited |= stack.enter_context(locks.lock(place, waiting))
        yield waited


def _planned(repository: Repository, config: Config, plan: Plan) -> Outcome:
    if not plan.has_news:
        return _as_it_is(repository, config, plan)
    return Outcome("dry-run", plan, plan.pull, plan.branch_sha, None, Proof(), _diffs(config, plan, Proof()))


def _carry_out(repository: Repository, config: Config, forge: Forge, plan: Plan, say: Say) -> Outcome:
    """Prove, commit, publish. Raises `Stale` if somebody else moved a ref meanwhile."""
    proposal = plan.proposal
    milestone = proposal.milestone
    forge.ready(None if plan.pull is not None and plan.pull.milestone == milestone else milestone)
    proof = proofs.prove(repository, config, plan, say)
    proof = replace(proof, findings=(*proof.findings, *_silenced_hooks(repository)))
    shown = _diffs(config, plan, proof)
    if proof.verdict == "failed" and proposal.on_failure != "draft":
        return Outcome("blocked", plan, plan.pull, plan.branch_sha, "failed", proof, shown)
    head = _commit(repository, plan, proof)
    say("opening the pull request" if plan.pull is None else f"updating pull request #{plan.pull.number}")
    files = keepsakes.wanted(forge, shown, head)
    if files:
        keepsakes.put_by(repository, shown, head)
    pull = _publish(forge, plan, proof, shown, head, files)
    workingcopy.remember(repository, plan.branch, plan.taken)
    operation: Operation = "created" if plan.pull is None else "updated"
    done = Outcome(operation, plan, pull, head, proof.verdict, proof, shown)
    page = reviews.keep(repository, config, pull, head, done.report)
    try:
        pull = keepsakes.hand_over(repository, forge, pull, shown, lambda: page)
    except Stale as stale:
        stale.has_opened = plan.pull is None
        raise
    told = announcements.annotations_of(done.findings, lambda path: repository.read(head, path))
    notes = [*announcements.announce(forge, pull, told), *_auto_merge(forge, pull, proposal)[1]]
    proof = replace(proof, findings=(*proof.findings, *notes))
    return replace(done, pull=pull, proof=proof, page=str(page))


def _auto_merge(forge: Forge, pull: PullRequest, proposal: Proposal) -> tuple[bool, list[Finding]]:
    """Whether auto-merge was turned on, where it is asked for; why it was not, as a warning."""
    if not proposal.auto_merge:
        return False, []
    try:
        return forge.auto_merge(pull), []
    except (NotAllowed, Conflict) as error:
        message = f"pull request #{pull.number} stands, but is not merged by itself: {error.message}"
        return False, [Finding("execute", "warning", "", message, hint=error.hint)]


def _unchanged(repository: Repository, config: Config, forge: Forge, plan: Plan) -> Outcome:
    """Nothing to run or push; labels and people that are new are added, and other words are told of."""
    outcome = _as_it_is(repository, config, plan)
    pull, why = plan.pull, plan.proposal.body.strip()
    if pull is None:
        return outcome
    if why and why not in pull.body:
        message = f"pull request #{pull.number} keeps its description: only a change of content brings a new one"
        note = Finding("execute", "note", "", message, hint=f"nbpr pulls comment {pull.number} says more")
        outcome = replace(outcome, proof=replace(outcome.proof, findings=(*outcome.proof.findings, note)))
    page = partial(reviews.remake, repository, config, pull)
    whole = keepsakes.hand_over(repository, forge, pull, outcome.diffs, page)
    notes = announcements.announce(forge, whole)
    asked = _asked_for(plan)
    if any(getattr(whole, name) != value for name, value in asked.items()):
        whole = forge.update(whole, **asked)
    is_news, warnings = _auto_merge(forge, whole, plan.proposal)
    outcome = replace(outcome, proof=replace(outcome.proof, findings=(*outcome.proof.findings, *notes, *warnings)))
    return replace(outcome, operation="updated", pull=whole) if is_news or whole != pull else outcome


def _asked_for(plan: Plan) -> dict[str, Any]:
    """What stands beside the pull request's text, with what the proposal adds to it."""
    proposal, pull = plan.proposal, plan.pull
    labels = pull.labels if pull else ()
    return {
        "labels": tuple(dict.fromkeys((*labels, *proposal.labels))),
        "reviewers": people(pull.reviewers if pull else (), proposal.reviewers),
        "assignees": people(pull.assignees if pull else (), proposal.assignees),
        "milestone": proposal.milestone or (pull.milestone if pull else None),
    }


def _as_it_is(repository: Repository, config: Config, plan: Plan) -> Outcome:
    if plan.pull is not None and plan.taken and not plan.proposal.dry_run:
        workingcopy.remember(repository, plan.branch, plan.taken)
    known = identity.read(plan.pull.body) if plan.pull else None
    proof = proofs.known(repository, config, plan)
    page = messages.page_path(repository, plan.pull.number) if plan.pull else None
    return Outcome(
        "unchanged",
        plan,
        plan.pull,
        plan.branch_sha,
        known.verdict if known else None,
        proof,
        _diffs(config, plan, proof) if plan.pull else (),
        str(page) if page and page.exists() else None,
    )


def _diffs(config: Config, plan: Plan, proof: Proof) -> tuple[NotebookDiff, ...]:
    """What the pull request as a whole changes: from base to what the branch holds, results included."""
    return tuple(_diff(config.for_notebook(subject.path), subject, proof) for subject in plan.subjects)


def _diff(config: Config, subject: plans.Subject, proof: Proof) -> NotebookDiff:
    return notebooks.compare(
        subject.path,
        subject.clean_base.as_json() if subject.clean_base else None,
        subject.after.as_json() if subject.after else None,
        *proof.outputs.get(subject.path, (None, None)),
        noise=Noise.of(config.diff.ignore, config.diff.ignore_patterns),
        patience=config.diff.patience,
    )


def _silenced_hooks(repository: Repository) -> list[Finding]:
    names = repository.user_hooks("pre-commit", "commit-msg", "prepare-commit-msg", "post-commit", "pre-push")
    if not names:
        return []
    message = f"hooks of yours did not run on these commits: {', '.join(names)}"
    return [Finding("execute", "note", "", message, hint="CI is the place for what they check")]


def _commit(repository: Repository, plan: Plan, proof: Proof) -> str:
    """The proposal's commit, after one that takes away outputs that somebody committed by mistake."""
    parent = plan.head_sha
    dirty: dict[str, bytes | Entry | None] = {
        subject.path: subject.clean_head.to_bytes()
        for subject in plan.subjects
        if subject.after is not None and subject.clean_head is not None and subject.committed_dirty
    }
    if dirty:
        tree = repository.edited_tree(parent, dirty)
        parent = repository.commit(tree, [parent], messages.cleaning(sorted(dirty), plan.identity.key))
    tree = repository.edited_tree(parent, {**proofs.files(repository, plan), **proof.reference_runs})
    if tree == repository.git("rev-parse", parent + "^{tree}"):
        return parent  # reopened, or refreshed without news for these notebooks: there is nothing to commit
    return repository.commit(tree, [parent], messages.commit(plan, proof, repository.author))


def _title(plan: Plan, pull: PullRequest) -> str:
    """The title that was given now, unless a person wrote the one that the pull request has."""
    told = identity.read(pull.body)
    return plan.proposal.title if told is not None and pull.title in told.all_titles else pull.title


def _publish(
    forge: Forge, plan: Plan, proof: Proof, shown: tuple[NotebookDiff, ...], head: str, files: Mapping[str, str]
) -> PullRequest:
    proposal = plan.proposal
    draft = proposal.draft or proof.verdict == "failed"
    mine = replace(plan.identity, verdict=proof.verdict, head=head, branch=plan.branch, draft=draft)
    part = messages.body(plan, proof, shown, mine, files, keepsakes.page_name(head))
    if plan.pull is not None:
        return forge.update(
            plan.pull,
            head_sha=head,
            title=_title(plan, plan.pull),
            body=identity.body_with(plan.pull.body, part),
            draft=draft or plan.is_their_draft,
            state="open",
            **_asked_for(plan),
        )
    return forge.open(
        Opening(
            head=plan.branch,
            head_sha=head,
            base=plan.base,
            title=proposal.title,
            body=part,
            author=forge.login(),
            draft=draft,
            labels=proposal.labels,
            reviewers=proposal.reviewers,
            assignees=proposal.assignees,
            milestone=proposal.milestone,
            head_old=plan.branch_sha,
            # A branch that was asked for by name may stand beside another of the same proposal.
            claim=None if proposal.wanted.branch else f"{plan.identity.author}\n{plan.identity.key}\n{plan.base}",
        )
    )
