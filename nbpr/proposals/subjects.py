"""The subjects of a plan: each notebook as base and the branch have it, and as it shall be.

A change is a list of edits, applied at the branch's head, or the working copy, merged with it three ways.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import PurePosixPath

from nbpr.config import Config
from nbpr.errors import BadInput
from nbpr.findings import Finding
from nbpr.git.repository import Commit, Repository
from nbpr.notebooks import clean, edits, notebook
from nbpr.notebooks.notebook import Notebook
from nbpr.proposals import identity, workingcopy
from nbpr.proposals.identity import Identity
from nbpr.proposals.plans import Plan, Proposal, Subject, inputs
from nbpr.proposals.workingcopy import File
from nbpr.runs import reference, runs


def with_content(repository: Repository, config: Config, plan: Plan) -> Plan:
    """The plan with its notebooks and files, and whether there is anything to do.

    Raises `BadInput` for what cannot be, `Conflict` for what somebody else changed.
    """
    proposal = plan.proposal
    _refuse_places(repository, config, plan)
    last = last_own_commit(repository, plan)
    ours: dict[str, Notebook] = {}
    if proposal.edits is None:
        ours = {
            path: workingcopy.read_notebook(repository, path, clean.options_for(config, path))
            for path in proposal.notebooks
        }
        changed = [_from_working_copy(repository, config, plan, path, mine) for path, mine in ours.items()]
    else:
        changed = _edited(repository, config, plan, last)
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


# -- notebooks ---------------------------------------------------------------------------------------------


def _load(repository: Repository, commit: str, path: str) -> Notebook | None:
    data = repository.read(commit, path)
    return None if data is None else notebook.parse(data, path)


def _sides(repository: Repository, plan: Plan, path: str) -> tuple[Notebook | None, Notebook | None]:
    return _load(repository, plan.base_sha, path), _load(repository, plan.head_sha, path)


def _edited(repository: Repository, config: Config, plan: Plan, last: Commit | None) -> list[Subject]:
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
        options = clean.options_for(config, path)
        subjects.append(Subject(path, base, head, clean.clean(applied.notebook, options), options))
    return subjects


def _from_working_copy(repository: Repository, config: Config, plan: Plan, path: str, ours: Notebook) -> Subject:
    options = clean.options_for(config, path)
    base = _readable(repository, plan.base_sha, path)
    if base is None and _same_there(repository, plan, path):
        # What stands there is no notebook, or nothing: there is nothing to merge with.
        return Subject(path, None, None, workingcopy.merged_notebook(path, None, ours, None, options), options)
    head = _load(repository, plan.head_sha, path)
    grown_from = workingcopy.ancestor(repository, plan.branch, plan.base_sha, path)
    before = _readable(repository, grown_from, path) if grown_from else None
    theirs = clean.clean(head, options) if head else None
    merged = workingcopy.merged_notebook(path, before, ours, theirs, options)
    return Subject(path, base, head, merged, options)


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


# -- what else changes -------------------------------------------------------------------------------------


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
