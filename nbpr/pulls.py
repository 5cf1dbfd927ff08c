"""Pull requests after they were opened: listing, closing, and the merge, by cell, with reference runs made anew."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from nbpr.config import Config
from nbpr.errors import BadInput, CheckFailed, Conflict
from nbpr.findings import Finding
from nbpr.forges import Forge, PullRequest, bring_up_to_date, forge_for
from nbpr.git import workspaces
from nbpr.git.branches import Branches
from nbpr.git.repository import Repository, Stale
from nbpr.notebooks import notebook
from nbpr.proposals import identity, merging, proofs
from nbpr.proposals import subjects as subjects_of
from nbpr.proposals.identity import Identity
from nbpr.proposals.plans import Plan, Proposal, Subject
from nbpr.runs import reference

Say = Callable[[str], None]

#: How often a merge is made anew when base moved meanwhile.
ATTEMPTS = 10


@dataclass(frozen=True)
class Session:
    """A repository and its forge, up to date with the remote."""

    repository: Repository
    config: Config
    forge: Forge
    branches: Branches

    def get(self, number: int) -> PullRequest:
        """One pull request. Raises `BadInput` for an unknown number."""
        return self.forge.get(number)

    def at_hand(self, number: int) -> PullRequest:
        """One pull request with base and head here, be it somebody's own, from a fork, or of a branch that is gone.

        Raises `BadInput` for an unknown number.
        """
        pull = self.get(number)
        if pull.base not in self.forge.branches():  # the bases of ours were fetched with them
            self.branches.fetch([f"{pull.base}*"])
        if self.repository.resolve(pull.head_sha) is None:
            self.forge.fetch_head(number)
        return pull


@dataclass(frozen=True)
class Merge:
    """A merge: the pull request afterwards, the findings and the records of the runs made for it."""

    pull: PullRequest
    findings: tuple[Finding, ...] = ()
    runs: tuple[Any, ...] = ()


def connect(repository: Repository, config: Config, *, fetch: bool = True) -> Session:
    """The repository's forge, after a fetch of everything that its pull requests are made of."""
    forge = forge_for(repository, config)
    branches = Branches(repository, repository.remote(config.remote))
    if fetch:
        bring_up_to_date(forge, branches, config)
    return Session(repository, config, forge, branches)


def listed(session: Session, state: str) -> list[PullRequest]:
    """The pull requests in a state, or with `all` every one. Raises `BadInput` for a state that is none."""
    if state not in ("open", "closed", "merged", "all"):
        raise BadInput(f"--state {state!r} is none of open, closed, merged, all")
    return [pull for pull in session.forge.find(state=None) if state in ("all", pull.state)]


def text(pull: PullRequest) -> str:
    """A pull request for a person at the terminal: heading, body without our markers, what was said."""
    from nbpr.render.escape import visible

    draft = " (draft)" if pull.draft else ""
    facts = {"labels": pull.labels, "reviewers": pull.reviewers, "assigned to": pull.assignees}
    beside = [f"{name}: {', '.join(values)}" for name, values in facts.items() if values]
    beside += [f"milestone: {pull.milestone}"] if pull.milestone else []
    first = f"#{pull.number} {pull.title}\n{pull.state}{draft}: {pull.head} into {pull.base}, by {pull.author}"
    head = "\n".join([first, *beside, pull.url])
    said = [f"{comment.author}, {comment.created}:\n{_unmarked(comment.body)}" for comment in pull.comments]
    parts = [part for part in (head, _unmarked(pull.body), *said) if part]
    return "\n\n".join("\n".join(visible(line) for line in part.split("\n")) for part in parts)


def _unmarked(body: str) -> str:
    lines = (line for line in body.splitlines() if not line.startswith(("<!-- nbpr", "<!-- /nbpr")))
    return "\n".join(lines).strip()


def checkout(session: Session, number: int) -> str:
    """Switch the checkout to a pull request's branch, brought up to date; its name.

    What is on somebody's fork gets the name `<owner>/<branch>` here, and follows nothing, as does a branch that is
    gone; where the fork is gone, too, or there never was a branch, it is `pulls/<number>`. Raises `Conflict` where git
    would have to overwrite what is being worked on, or the local branch has commits of its own.
    """
    pull = session.at_hand(number)
    name, remote = pull.head.replace(":", "/"), session.branches.remote
    if pull.head.startswith(("?:", "refs/")):
        name = f"pulls/{number}"
    # Another branch of the remote's may have the name of one on a fork.
    if remote is not None and session.repository.remote_sha(remote, pull.head) == pull.head_sha:
        session.repository.take_branch(remote, name)
    else:
        session.repository.put_branch(name, pull.head_sha)
    session.repository.switch(name)
    return name


def close(session: Session, number: int, *, delete_branch: bool = False) -> PullRequest:
    """Close a pull request without merging it. Raises `Conflict` for one that was merged."""
    pull = session.get(number)
    if pull.state == "merged":
        raise Conflict(f"pull request #{number} was merged already")
    return pull if pull.state == "closed" else session.forge.close(pull, delete_branch=delete_branch)


def merge(
    session: Session, number: int, *, dry_run: bool = False, when_ready: bool = False, say: Say = lambda _: None
) -> Merge:
    """Merge a pull request into its base, or with `when_ready` have the forge do it when its checks have passed.

    Notebooks are merged by cell, other files by line. Reference runs that are not of the result are made anew; if
    that fails, nothing is merged (`CheckFailed`). Raises `Conflict` for what cannot be merged, by cell, `NotAllowed`
    where there is nothing to wait for.
    """
    if dry_run:
        return _merge(session, number, dry_run, when_ready, say)
    with workspaces.workspace(session.repository):
        for _ in range(ATTEMPTS):
            try:
                return _merge(session, number, dry_run, when_ready, say)
            except Stale:
                say("somebody else was faster; looking again")
                session = connect(session.repository, session.config)
    raise Conflict(f"others kept pushing to the base of #{number}; nothing was merged", hint="run it again")


def _merge(session: Session, number: int, dry_run: bool, when_ready: bool, say: Say) -> Merge:
    pull = _mergeable(session, number, dry_run=dry_run)
    if pull.state == "merged":
        return Merge(pull)
    if when_ready and not session.forge.has_checks:
        session.forge.auto_merge(pull)  # which says why not, before anything is run
    repository, config = session.repository, session.config
    base_sha = session.branches.sha(pull.base)
    if base_sha is None:
        raise BadInput(f"the base branch {pull.base!r} of pull request #{number} does not exist any more")
    if dry_run:
        return Merge(pull)
    say(f"merging #{number} into {pull.base}")
    tree, merged = _tree(repository, config, pull, base_sha)
    proof = _proof(session, pull, base_sha, tree, merged, say)
    if proof.verdict == "failed":
        told = next(finding for finding in proof.findings if finding.level == "error")
        raise CheckFailed(
            f"merged with {pull.base}, {told.path} fails: {told.message}; nothing was merged",
            hint=f"mend it on the branch: nbpr propose … --pull {number} --refresh",
        )
    message = f"Merge pull request #{number} from {pull.head}\n\n{pull.title}\n"
    files = dict(proof.reference_runs)
    whole = repository.edited_tree(tree, files) if files else tree
    sha = repository.commit(whole, [base_sha, pull.head_sha], message)
    merged_pull = session.forge.merge(pull, sha, base_sha, when_ready=when_ready)
    return Merge(merged_pull, proof.findings, proof.runs)


def _mergeable(session: Session, number: int, *, dry_run: bool) -> PullRequest:
    pull = session.get(number) if dry_run else session.at_hand(number)
    if pull.state == "closed":
        raise Conflict(f"pull request #{number} is closed", hint="propose it again with --reopen")
    if pull.draft and pull.state == "open":
        told = identity.read(pull.body)
        failed = told is not None and told.verdict == "failed"
        hint = "its validation failed: mend it first" if failed else "propose it again without --draft"
        raise Conflict(f"pull request #{number} is a draft", hint=hint)
    return pull


def _tree(
    repository: Repository, config: Config, pull: PullRequest, base_sha: str
) -> tuple[str, merging.MergedTree | None]:
    """The merged tree; None beside it if base has not moved, so that it is the branch's own."""
    ancestor = repository.merge_base(base_sha, pull.head_sha)
    if ancestor is None:
        raise Conflict(f"{pull.head} and {pull.base} have no common history")
    if ancestor == base_sha:
        return repository.git("rev-parse", pull.head_sha + "^{tree}"), None
    merged = merging.merge_trees(repository, config, ancestor, base_sha, pull.head_sha)
    return merged.tree, merged


def _proof(
    session: Session,
    pull: PullRequest,
    base_sha: str,
    tree: str,
    merged: merging.MergedTree | None,
    say: Say,
) -> proofs.Proof:
    """Fresh runs of the notebooks that either side changed, or whose run on the branch is not of them as they are."""
    repository, config = session.repository, session.config
    probe = pull.head_sha
    if merged is not None:
        probe = repository.commit(tree, [base_sha, pull.head_sha], "A merge on trial\n", own=True)
    subjects = tuple(
        Subject(path, _load(repository, base_sha, path), found, found)
        for path in _to_run(repository, config, pull, base_sha, merged)
        for found in [_load(repository, probe, path)]
        if found is not None
    )
    who = identity.read(pull.body) or Identity(pull.author, "merge", (), pull.title)
    proposal = Proposal(pull.title, tuple(subject.path for subject in subjects))
    plan = Plan(proposal, who, pull.base, base_sha, pull.head, probe, probe, pull, subjects)
    stale = frozenset(proposal.notebooks)
    if merged is None:
        stale = frozenset(
            subjects_of.stale_runs(repository, config, plan, subjects_of.last_own_commit(repository, plan))
        )
    needed = tuple(subject for subject in subjects if subject.path in stale)
    once = replace(config, reproduce=False)  # it was proven to reproduce when it was proposed
    return proofs.prove(repository, once, replace(plan, subjects=needed, stale_runs=stale), say)


def _to_run(
    repository: Repository, config: Config, pull: PullRequest, base_sha: str, merged: merging.MergedTree | None
) -> list[str]:
    """The notebooks of the pull request, and those whose run both sides changed."""
    changed = set(repository.changed_paths(base_sha, pull.head_sha, merge_base=True))
    changed |= {*merged.notebooks, *merged.runs} if merged else set()
    notebooks = {path for path in changed if path.endswith(".ipynb") and not reference.is_run(path, config)}
    runs = {path for path in changed if reference.is_run(path, config)}
    every = [entry.path for entry in repository.entries(pull.head_sha) if entry.path.endswith(".ipynb")]
    of_runs = {
        path for path in every if not reference.is_run(path, config) and reference.run_path(path, config) in runs
    }
    return sorted(notebooks | of_runs)


def _load(repository: Repository, commit: str, path: str) -> notebook.Notebook | None:
    data = repository.read(commit, path)
    return None if data is None else notebook.parse(data, path)
