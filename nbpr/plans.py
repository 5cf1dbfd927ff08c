"""The plan of a proposal: what would change where, decided on blobs before anything is checked out or run."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import Any

from nbpr import clean, editlist, edits, identity, merging, notebook, reference, runs, workingcopy
from nbpr.branches import Branches, new_name
from nbpr.config import Config
from nbpr.errors import BadInput, Conflict
from nbpr.findings import Finding
from nbpr.forges import Forge, PullRequest, bring_up_to_date
from nbpr.identity import Identity, Wanted
from nbpr.notebook import Notebook
from nbpr.repository import Commit, Repository, blob_sha
from nbpr.workingcopy import File


@dataclass(frozen=True)
class Proposal:
    """What we want to propose. Paths are POSIX, from the repository's root. `edits` None: the working copy."""

    title: str
    notebooks: tuple[str, ...]
    edits: tuple[Mapping[str, Any], ...] | None = None
    include: tuple[str, ...] = ()
    delete: tuple[str, ...] = ()
    base: str | None = None
    wanted: Wanted = field(default_factory=Wanted)
    agent: str | None = None
    body: str = ""
    message: str | None = None
    refs: tuple[int, ...] = ()
    closes: tuple[int, ...] = ()
    labels: tuple[str, ...] = ()
    reviewers: tuple[str, ...] = ()
    co_authors: tuple[str, ...] = ()
    draft: bool = False
    signoff: bool = False
    refresh: bool = False
    on_failure: str = "stop"
    dry_run: bool = False

    @property
    def subjects(self) -> tuple[str, ...]:
        """Every notebook that it is about, those taken away too."""
        return tuple(dict.fromkeys((*self.notebooks, *self.delete)))

    def parsed(self) -> list[editlist.Edit]:
        """Its edits, checked. Raises `BadInput` that names the edit and what is wrong with it."""
        return editlist.parse([dict(edit) for edit in self.edits or ()], self.notebooks)


@dataclass(frozen=True)
class Subject:
    """One notebook of a plan: as base and the branch's head have it, and as it shall be (None: not there)."""

    path: str
    base: Notebook | None
    head: Notebook | None
    after: Notebook | None

    @property
    def changed(self) -> bool:
        """Whether the branch would get other content."""
        return _content(self.after) != _content(self.head and clean.clean(self.head))

    @property
    def committed_dirty(self) -> bool:
        """Whether the branch's head carries outputs of this notebook that somebody committed by mistake."""
        return self.head is not None and not clean.is_clean(self.head)


@dataclass(frozen=True)
class Plan:
    """What would be done: on which branch, from which commit, which content, for which pull request.

    `head_sha` is what the next commit builds on: the branch's head, base for a new branch, or with a refresh the
    merge of base into the branch. `branch_sha` is where the branch is now, None for a new one. `unfinished` is a
    proposal of which a killed command left a part: a branch without its pull request, or ahead of what that says.
    `taken` is what was read from the working copy.
    """

    proposal: Proposal
    identity: Identity
    base: str
    base_sha: str
    branch: str
    branch_sha: str | None
    head_sha: str
    pull: PullRequest | None
    subjects: tuple[Subject, ...] = ()
    files: Mapping[str, File | None] = field(default_factory=dict)
    taken: Mapping[str, File] = field(default_factory=dict)
    stale_runs: frozenset[str] = frozenset()
    unfinished: bool = False
    findings: tuple[Finding, ...] = ()

    @property
    def has_news(self) -> bool:
        """Whether there is anything to do: content, files, a run out of step, a refresh, a reopening."""
        reopened = self.pull is not None and (self.pull.state == "closed" or self.becomes_ready)
        refreshed = self.branch_sha is not None and self.head_sha != self.branch_sha
        changed = any(subject.changed for subject in self.subjects)
        return bool(changed or self.files or self.stale_runs or refreshed or reopened or self.unfinished)

    @property
    def becomes_ready(self) -> bool:
        """Whether the pull request is a draft that passed, and is proposed as more than a draft now."""
        if self.pull is None or not self.pull.draft or self.proposal.draft:
            return False
        told = identity.read(self.pull.body)
        return told is not None and told.verdict == "passed"

    @property
    def contents(self) -> dict[str, bytes | None]:
        """The content of every notebook that changes; None takes it away."""
        return {subject.path: _content(subject.after) for subject in self.subjects if subject.changed}


def make(repository: Repository, config: Config, forge: Forge, proposal: Proposal) -> Plan:
    """Decide what `proposal` would do. Fetches, unless it is a dry run, and writes no object but for a refresh.

    Raises `BadInput` for what cannot be, `Conflict` for what somebody else changed.
    """
    _check_names(repository, proposal)
    mine = _identity(repository, forge, proposal)
    branches = Branches(repository, repository.remote(config.remote))
    base = _fetched_base(config, branches, forge, proposal)
    wanted = replace(proposal.wanted, base=proposal.base)
    pulls = forge.find()
    if not identity.is_among(pulls, mine, wanted):
        pulls = forge.find(state=None)  # a server may have thousands: only where the open ones do not tell
    pull = identity.find(pulls, mine, wanted)
    if pull is not None:
        base = pull.base
    base_sha = _base_sha(branches, base, proposal)
    branch = pull.head if pull else _new_branch(config, branches, pulls, proposal, mine)
    if branch == base:
        raise BadInput(f"the branch {branch} is the base itself", hint="name another branch, or leave out --branch")
    branch_sha = branches.sha(branch)
    if pull is not None and pull.state == "open" and branch_sha is None:
        raise Conflict(
            f"the branch {pull.head} of pull request #{pull.number} was deleted",
            hint=f"close it with nbpr pulls close {pull.number}, then propose again",
        )
    start = branch_sha or (pull.head_sha if pull else None)
    head_sha = _refreshed(repository, config, start, base_sha, proposal)
    plan = Plan(proposal, mine.after(pull), base, base_sha, branch, branch_sha, head_sha, pull)
    return _with_content(repository, config, plan)


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
    for option, text in {**words, "--agent": proposal.agent or "", "--label": "".join(proposal.labels)}.items():
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
        made = _half_made(config, branches, pulls, mine)
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


def _half_made(config: Config, branches: Branches, pulls: list[PullRequest], mine: Identity) -> str | None:
    """The branch that a killed command of this very proposal pushed without getting to its pull request."""
    known = {pull.head for pull in pulls}
    ours = (name for name, key in branches.keys().items() if key == mine.key and name not in known)
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


# -- content -----------------------------------------------------------------------------------------------


def _with_content(repository: Repository, config: Config, plan: Plan) -> Plan:
    proposal = plan.proposal
    _refuse_places(repository, config, plan)
    last = last_own_commit(repository, plan)
    ours: dict[str, Notebook] = {}
    if proposal.edits is None:
        ours = {path: workingcopy.read_notebook(repository, path) for path in proposal.notebooks}
        changed = [_from_working_copy(repository, plan, path, mine) for path, mine in ours.items()]
    else:
        changed = _edited(repository, plan, last)
    included = {path: workingcopy.read_file(repository, path) for path in proposal.include}
    planned = replace(
        plan,
        subjects=(*changed, *(_deleted(repository, plan, path) for path in proposal.delete)),
        files=_files(repository, config, plan, included),
        taken={**{path: File(mine.to_bytes()) for path, mine in ours.items()}, **included},
        findings=(*_replaced_as_a_whole(repository, plan, changed), *_warnings(repository, config, proposal)),
    )
    stale = frozenset(stale_runs(repository, config, planned, last))
    return replace(planned, stale_runs=stale, unfinished=_is_unfinished(repository, plan, last))


def _refuse_places(repository: Repository, config: Config, plan: Plan) -> None:
    """Raises `BadInput` for paths in submodules, and for notebooks that would share a run with another one."""
    proposal = plan.proposal
    both = sorted({*proposal.notebooks} & {*proposal.delete})
    if both:
        raise BadInput(f"{both[0]}: to be changed and to be taken away", hint="leave out one of the two")
    entries = repository.entries(plan.head_sha)
    modules = {entry.path for entry in entries if entry.mode == "160000"}
    for path in (*proposal.subjects, *proposal.include):
        inside = next((str(parent) for parent in PurePosixPath(path).parents if str(parent) in modules), None)
        if inside is not None:
            raise BadInput(f"{path}: in the submodule {inside}", hint="propose it in the submodule's own repository")
    notebooks = (entry.path for entry in entries if entry.path.endswith(".ipynb"))
    others = {path for path in notebooks if not reference.is_run(path, config)} - {*proposal.delete}
    owners: dict[str, str] = {}
    for path in (*proposal.notebooks, *sorted(others)):
        run = reference.run_path(path, config)
        owner = owners.setdefault(run, path)
        if owner != path and owner in proposal.notebooks:
            raise BadInput(f"{owner} and {path} would share the run {run}", hint="rename one of them")


def _is_unfinished(repository: Repository, plan: Plan, last: Commit | None) -> bool:
    key = last.trailer("Nbpr-Key") if last else None
    if key is None or plan.pull is None:
        return key == plan.identity.key and plan.branch_sha is not None
    told = identity.read(plan.pull.body)
    if told is None:
        return False
    return key not in told.all_keys or _is_behind(repository, told, last)


def _is_behind(repository: Repository, told: Identity, last: Commit | None) -> bool:
    """Whether more was pushed than the body tells of: on a server the two do not go together."""
    pushed = repository.resolve(told.head) if told.head else None
    if last is None or pushed is None or pushed == last.sha:
        return False
    return repository.is_ancestor(pushed, last.sha)


def last_own_commit(repository: Repository, plan: Plan) -> Commit | None:
    """The newest commit on the branch that nbpr made, or None.

    Where somebody amended or rebased it, what carries our trailers now is theirs: then it is the one we pushed.
    """
    if plan.branch_sha is None:
        return None
    told = identity.read(plan.pull.body) if plan.pull else None
    pushed = repository.resolve(told.head) if told and told.head else None
    if pushed is not None and not repository.is_ancestor(pushed, plan.branch_sha):
        return repository.commits(f"{pushed}^!")[0]
    own = repository.commits(f"{plan.base_sha}..{plan.branch_sha}")
    return next((commit for commit in own if commit.trailer("Nbpr-Key")), None)


def _load(repository: Repository, commit: str, path: str) -> Notebook | None:
    data = repository.read(commit, path)
    return None if data is None else notebook.parse(data, path)


def _sides(repository: Repository, plan: Plan, path: str) -> tuple[Notebook | None, Notebook | None]:
    return _load(repository, plan.base_sha, path), _load(repository, plan.head_sha, path)


def _edited(repository: Repository, plan: Plan, last: Commit | None) -> list[Subject]:
    wanted = plan.proposal.parsed()
    subjects = []
    for path in plan.proposal.notebooks:
        base, head = _sides(repository, plan, path)
        if head is None:
            raise BadInput(
                f"{path}: not on {plan.branch if plan.branch_sha else plan.base}, so there is nothing to edit",
                hint="propose it from the working copy first: leave out the edits",
            )
        mine = [edit for edit in wanted if edit.notebook == path]
        before = _load(repository, last.sha, path) if last and last.sha != plan.head_sha else None
        applied = edits.apply(head, mine, base=base, last=before)
        subjects.append(Subject(path, base, head, clean.clean(applied.notebook)))
    return subjects


def _from_working_copy(repository: Repository, plan: Plan, path: str, ours: Notebook) -> Subject:
    base = _readable(repository, plan.base_sha, path)
    if base is None and _same_there(repository, plan, path):
        # What stands there is no notebook, or nothing: there is nothing to merge with.
        return Subject(path, None, None, workingcopy.merged_notebook(path, None, ours, None))
    head = _load(repository, plan.head_sha, path)
    grown_from = workingcopy.ancestor(repository, plan.branch, plan.base_sha, path)
    before = _readable(repository, grown_from, path) if grown_from else None
    theirs = clean.clean(head) if head else None
    return Subject(path, base, head, workingcopy.merged_notebook(path, before, ours, theirs))


def _same_there(repository: Repository, plan: Plan, path: str) -> bool:
    """Whether the branch has something at this path, and the same as base."""
    sha = repository.sha_at(plan.head_sha, path)
    return sha is not None and sha == repository.sha_at(plan.base_sha, path)


def _readable(repository: Repository, commit: str, path: str) -> Notebook | None:
    """A notebook as a commit has it; None also for what is none."""
    try:
        return _load(repository, commit, path)
    except BadInput:
        return None


def _replaced_as_a_whole(repository: Repository, plan: Plan, subjects: Iterable[Subject]) -> Iterable[Finding]:
    for subject in subjects:
        if subject.base is None and subject.head is None and _same_there(repository, plan, subject.path):
            message = f"what {plan.base} has there is no notebook; it is replaced as a whole"
            yield Finding("format", "warning", subject.path, message)


def _deleted(repository: Repository, plan: Plan, path: str) -> Subject:
    base, head = (_readable(repository, sha, path) for sha in (plan.base_sha, plan.head_sha))
    there = (repository.sha_at(sha, path) for sha in (plan.base_sha, plan.head_sha))
    if not any(there) and not repository.was_deleted(path, plan.base_sha):
        raise BadInput(f"--delete {path}: there is no such notebook on {plan.base}")
    return Subject(path, base, head, None)


def _files(repository: Repository, config: Config, plan: Plan, included: Mapping[str, File]) -> dict[str, File | None]:
    """What else changes: included files that differ from the branch's, runs of notebooks taken away."""
    files: dict[str, File | None] = {}
    for path, ours in included.items():
        grown_from = workingcopy.ancestor(repository, plan.branch, plan.base_sha, path)
        theirs = workingcopy.file_at(repository, plan.head_sha, path)
        before = workingcopy.file_at(repository, grown_from, path)
        merged = workingcopy.merged_file(path, before, ours, theirs)
        if merged != theirs:
            files[path] = merged
    for path in plan.proposal.delete:
        if _readable(repository, plan.head_sha, path) is None and repository.sha_at(plan.head_sha, path) is not None:
            files[path] = None  # what is no notebook goes as any other file does
        run = reference.run_path(path, config)
        if repository.sha_at(plan.head_sha, run) is not None:
            files[run] = None
    return files


def stale_runs(repository: Repository, config: Config, plan: Plan, last: Commit | None) -> Iterable[str]:
    """Notebooks of a branch of ours whose reference run is not of what the branch would hold."""
    if last is None:
        return
    keys = dict(value.rsplit(" ", 1) for name, value in last.trailers if name == "Nbpr-Run" and " " in value)
    tracked = inputs(repository, plan)
    told = identity.read(plan.pull.body) if plan.pull else None
    failed = told is not None and told.verdict == "failed" and not plan.proposal.refresh
    for subject in plan.subjects:
        if subject.after is None:
            continue
        run = reference.run_path(subject.path, config)
        data = repository.read(plan.head_sha, run)
        key = runs.key_of(subject.after, config.for_notebook(subject.path), tracked)
        if failed and keys.get(run) == key:
            continue  # it would fail again; --refresh tries
        parameters = config.for_notebook(subject.path).parameters
        ran = None if data is None else reference.readable(data, run)
        if ran is None or keys.get(run, key) != key or not reference.in_step(ran, subject.after, parameters):
            yield subject.path


def inputs(repository: Repository, plan: Plan) -> dict[str, str]:
    """The files that the branch would have, with their blob ids; what runs depend on is among them."""
    found = {entry.path: entry.sha for entry in repository.entries(plan.head_sha)}
    for path, data in plan.files.items():
        if data is None:
            found.pop(path, None)
        else:
            found[path] = blob_sha(data.data)
    return found


def _warnings(repository: Repository, config: Config, proposal: Proposal) -> Iterable[Finding]:
    """What the runs will not see: files edited in the checkout that are not part of the proposal."""
    for path in repository.edited() if repository.head else ():
        # Settings are read from the checkout, edited or not.
        if path.endswith(".ipynb") or path == "nbpr.toml" or path in proposal.include:
            continue
        if not runs.is_input(path, config):
            continue
        message = f"{path} is edited in the checkout but not part of this proposal; the run used the committed one"
        yield Finding("execute", "warning", path, message, hint=f"--include {path} takes it along")


def _content(nb: Notebook | None) -> bytes | None:
    return None if nb is None else nb.to_bytes()


def titled(title: str) -> str:
    """A title that can stand in a subject line. Raises `BadInput` for an empty or broken one."""
    plain = title.strip()
    if not plain or any(ord(char) < 32 or ord(char) == 127 for char in plain):
        raise BadInput("--title: one line of text is wanted")
    return plain
