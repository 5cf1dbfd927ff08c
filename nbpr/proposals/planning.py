"""Planning: from a proposal to its plan, decided on blobs before anything is checked out or run."""

from __future__ import annotations

import re
from dataclasses import replace

from nbpr.config import Config
from nbpr.errors import BadInput, Conflict
from nbpr.forges import Forge, PullRequest, bring_up_to_date
from nbpr.git.branches import Branches, Tip, new_name
from nbpr.git.repository import Repository
from nbpr.notebooks import editlist
from nbpr.proposals import identity, merging
from nbpr.proposals.identity import Identity
from nbpr.proposals.plans import Plan, Proposal
from nbpr.proposals.subjects import with_content


def make(repository: Repository, config: Config, forge: Forge, proposal: Proposal) -> Plan:
    """Decide what `proposal` would do. Fetches, unless it is a dry run, and writes no object but for a refresh.

    Raises `BadInput` for what cannot be, `Conflict` for what somebody else changed.
    """
    _check_names(repository, proposal)
    mine = _identity(repository, forge, proposal)
    branches = Branches(repository, repository.remote(config.remote))
    base = _fetched_base(config, branches, forge, proposal)
    wanted = replace(proposal.wanted, base=proposal.base)
    pulls, login = forge.find(), forge.login()
    if not identity.is_among(pulls, mine, wanted, login):
        pulls = forge.find(state=None)  # a server may have thousands: only where the open ones do not tell
    pull = identity.find(pulls, mine, wanted, login)
    if pull is not None:
        base = pull.base
    base_sha = _base_sha(branches, base, proposal)
    branch = pull.head if pull else _new_branch(config, branches, pulls, proposal, mine)
    if branch == base:
        raise BadInput(f"the branch {branch} is the base itself", hint="name another branch, or leave out --branch")
    branch_sha = branches.remembered_sha(branch) if proposal.dry_run else branches.sha(branch)
    if pull is not None and branch_sha is None:
        branch_sha = _looked_for(config, branches, forge, proposal, pull)
    start = branch_sha or (pull.head_sha if pull else None)
    head_sha = _refreshed(repository, config, start, base_sha, proposal)
    plan = Plan(proposal, mine.after(pull), base, base_sha, branch, branch_sha, head_sha, pull)
    return with_content(repository, config, plan)


def _looked_for(config: Config, branches: Branches, forge: Forge, proposal: Proposal, pull: PullRequest) -> str | None:
    """Where a pull request's branch is that is not known here; None if its head, which is here then, has to do.

    Raises `Conflict` for an open one whose branch was deleted, `BadInput` for what a dry run would have to fetch.
    """
    is_known = branches.repository.resolve(pull.head_sha) is not None
    if proposal.dry_run:
        if not is_known:
            raise BadInput(
                f"the head of pull request #{pull.number} is not known here, and a dry run fetches nothing",
                hint=f"git fetch {branches.remote} refs/pull/{pull.number}/head",
            )
    elif pull.state == "open":
        # One that fetches here at the same moment takes away what the remote has not, a fork's branch with it.
        bring_up_to_date(forge, branches, config, [pull.base, pull.head])
        found = branches.sha(pull.head)
        if found is None:
            raise Conflict(
                f"the branch {pull.head} of pull request #{pull.number} was deleted",
                hint=f"close it with nbpr pulls close {pull.number}, then propose again",
            )
        return found
    elif not is_known:
        forge.fetch_head(pull.number)
    return None


def _check_names(repository: Repository, proposal: Proposal) -> None:
    for name in (proposal.base, proposal.wanted.branch):
        if name is not None:
            repository.branch_name(name)
    if proposal.wanted.key is not None:
        identity.checked_key(proposal.wanted.key)
    for author in proposal.co_authors:
        if not re.fullmatch(r"[^\x00-\x1f<>]+ <[^\x00-\x20<>]+>", author):
            raise BadInput(
                f"--co-author {author!r}: a name and a mail address are wanted, as in 'Ada <ada@example.org>'"
            )
    if "\0" in f"{proposal.body}{proposal.message}":
        raise BadInput("--body: holds a NUL character, which no commit can")
    words = {"--title": proposal.title, "--body": proposal.body, "--message": proposal.message or ""}
    words |= {"--agent": proposal.agent or "", "--milestone": proposal.milestone or ""}
    for option, text in {**words, "--label": "".join(proposal.labels)}.items():
        if not _is_unicode(text):
            raise BadInput(f"{option}: is not UTF-8", hint="use a UTF-8 locale, as in LC_ALL=C.UTF-8")


def _is_unicode(text: str) -> bool:
    """Whether a text is one at all: bytes that are not UTF-8 come from the command line as lone surrogates."""
    return not any(0xD800 <= ord(char) <= 0xDFFF for char in text)


def _identity(repository: Repository, forge: Forge, proposal: Proposal) -> Identity:
    login, name = forge.login(), proposal.agent or repository.author
    author = name if name == login else f"{name} for {login}"
    canonical = None if proposal.edits is None else editlist.normalise(proposal.parsed())
    extra = () if canonical is None else (*proposal.include, *(f"delete {path}" for path in proposal.delete))
    key = proposal.wanted.key or identity.key_of(proposal.subjects, canonical, extra)
    return Identity(author, key, proposal.subjects, proposal.title)


def _fetched_base(config: Config, branches: Branches, forge: Forge, proposal: Proposal) -> str:
    """The base's name, after a fetch of everything that the plan looks at."""
    wanted = proposal.base or config.base
    if proposal.dry_run:
        return wanted or branches.known_default()
    if branches.remote is None and branches.repository.head is None:
        raise _no_commits()
    base = wanted or branches.default()
    own = [proposal.wanted.branch] if proposal.wanted.branch else []
    bring_up_to_date(forge, branches, config, [base, *own])
    return base


def _base_sha(branches: Branches, base: str, proposal: Proposal) -> str:
    sha = branches.remembered_sha(base) if proposal.dry_run else branches.sha(base)
    if sha is None and branches.repository.head is None:
        raise _no_commits()
    if sha is None:
        place = f"on {branches.remote}" if branches.remote else "here"
        raise BadInput(f"the base branch {base!r} does not exist {place}", hint="name another one: --base BRANCH")
    return sha


def _no_commits() -> BadInput:
    return BadInput("this repository has no commits yet", hint="commit the notebooks once, then propose changes")


def _new_branch(
    config: Config, branches: Branches, pulls: list[PullRequest], proposal: Proposal, mine: Identity
) -> str:
    wanted = proposal.wanted.branch
    if wanted is None:
        agent = " ".join((proposal.agent or "").split()) or None
        made = _half_made(config, branches, pulls, Tip(mine.key, branches.repository.author, agent))
        if made is not None:
            return made
        taken = branches.names() | {pull.head for pull in pulls}
        name = new_name(config, proposal.subjects[0], proposal.title, mine.key, taken)
        return branches.repository.branch_name(name)
    spent = [pull for pull in pulls if pull.head == wanted and pull.state == "merged"]
    if spent:
        raise Conflict(
            f"the branch {wanted} is spent: pull request #{spent[-1].number} was merged",
            hint="name another branch, or leave out --branch",
        )
    return wanted


def _half_made(config: Config, branches: Branches, pulls: list[PullRequest], mine: Tip) -> str | None:
    """The branch that a killed command of this very proposal pushed without getting to its pull request."""
    known = {pull.head for pull in pulls}
    ours = (name for name, tip in branches.tips().items() if tip == mine and name not in known)
    return next((name for name in ours if name.startswith(config.branch_prefix)), None)


def _refreshed(
    repository: Repository, config: Config, branch_sha: str | None, base_sha: str, proposal: Proposal
) -> str:
    """What to build on: the branch's head, with base merged in where that is wanted; base for a new branch."""
    if branch_sha is None:
        return base_sha
    if not proposal.refresh or proposal.dry_run or repository.is_ancestor(base_sha, branch_sha):
        return branch_sha
    ancestor = repository.merge_base(branch_sha, base_sha)
    if ancestor is None:
        raise Conflict("the branch and its base have no common history", hint="propose again without --branch")
    merged = merging.merge_trees(repository, config, ancestor, branch_sha, base_sha)
    return repository.commit(merged.tree, [branch_sha, base_sha], "Take in what is new in base\n")
