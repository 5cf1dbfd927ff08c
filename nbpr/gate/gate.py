"""The gate: all checks over what changed between two commits, by base's rules, and one verdict."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from nbpr import batch
from nbpr.checks import at_levels, weakened
from nbpr.config import Config
from nbpr.engines import Progress, stem
from nbpr.errors import BadInput
from nbpr.findings import Finding
from nbpr.forges import http
from nbpr.gate import leaks, revisions, rules, scope
from nbpr.gate.judging import Case, Sides, judge
from nbpr.gate.occasion import Occasion
from nbpr.gate.result import GateResult, Judged
from nbpr.gate.revisions import Revisions
from nbpr.gate.rules import Settings
from nbpr.gate.scope import Scope, Subject
from nbpr.git import workspaces
from nbpr.git.repository import Repository
from nbpr.notebooks import allowlist
from nbpr.runs import reference
from nbpr.runs.presence import proven_in
from nbpr.runs.treeruns import TreeRuns

#: What a commit's message says to have the gate left out.
SKIP = "[skip nbpr]"


class Watcher(Protocol):
    """Who is told how a gate is coming along, from several threads."""

    def begins(self, ground: Ground) -> None:
        """What is judged is known, and by which rules; nothing has run yet."""

    def runs(self) -> None:
        """A notebook is about to run: what was proven before says nothing any more."""

    def at_cell(self, path: str, at: Progress) -> None:
        """A cell has begun."""

    def judged(self, found: Judged) -> None:
        """A notebook is judged."""


@dataclass(frozen=True)
class Wanted:
    """What a gate is asked for: the occasion, settings that flags give, and whether to look at every notebook.

    `accepted` is the file of accepted findings, if not the configured one. Without `fetches`, what is here has to do.
    """

    occasion: Occasion = field(default_factory=Occasion)
    overrides: Mapping[str, Any] = field(default_factory=dict)
    every: bool = False
    accepted: str | None = None
    remote: str | None = None
    fetches: bool = True


@dataclass(frozen=True)
class Ground:
    """What a gate stands on: the commits, base's rules, what head says itself and said before, what is to be judged."""

    at: Revisions
    rules: Settings
    before: Settings
    theirs: Settings
    scope: Scope
    findings: tuple[Finding, ...] = ()
    is_fork: bool = False

    def config_of(self, subject: Subject) -> Config:
        """The settings that hold for a notebook."""
        sides = (self.rules.config, self.theirs.config)
        return rules.obeyed(*sides, subject.path, subject.before, is_fork=self.is_fork)


def run(repository: Repository, wanted: Wanted, watcher: Watcher) -> GateResult:
    """Judge what changed. Raises `BadInput` for revisions and rules that cannot be had."""
    with workspaces.workspace(repository) as folder:
        ground = found(repository, wanted, folder)
        watcher.begins(ground)
        skipped = asked_to_skip(repository, wanted.occasion, ground)
        if skipped.skipped:
            return skipped
        leaked = leaks.find(repository, ground.at, ground.rules, ground.theirs)
        judged = _judged(cases(repository, ground), ground.rules.config, watcher)
    return result(ground, judged, (*skipped.findings, *leaked))


def result(ground: Ground, judged: Iterable[Judged], findings: Iterable[Finding]) -> GateResult:
    """The result, with what base accepts as notes."""
    accepted = ground.rules.accepted
    notebooks = tuple(replace(each, findings=tuple(accepted.applied(each.findings))) for each in judged)
    every = tuple(accepted.applied((*ground.findings, *findings)))
    return GateResult(ground.at.base, ground.at.head, notebooks, every, notes=ground.at.notes)


def found(repository: Repository, wanted: Wanted, folder: Path) -> Ground:
    """What there is to be judged, and by which rules; nothing runs."""
    remote = repository.remote(wanted.remote)
    at = revisions.settle(repository, wanted.occasion, remote, fetches=wanted.fetches)
    asked = (wanted.overrides, wanted.accepted)
    base = rules.read(repository, at.base, folder / "rules", *asked)
    theirs = rules.read_or_tell(repository, at.head, folder / "theirs", *asked)
    findings: list[Finding] = []
    if at.base is None or not base.is_adopted:
        # What there is no rule for yet, head may say; what it says is the first.
        if theirs.problem:
            raise BadInput(theirs.problem)
        base = before = theirs
        findings.append(_note("base has no rules of nbpr's yet: head's are taken"))
    else:
        before = base
        if at.start and at.start != at.base:
            before = rules.read_or_tell(repository, at.start, folder / "start", *asked)
        findings += _lost(before, theirs, _place(repository, at.head))
    looked_at = scope.find(repository, at, base, theirs, every=wanted.every or at.is_whole)
    findings += looked_at.findings
    told = tuple(at_levels(findings, base.config))
    return Ground(at, base, before, theirs, looked_at, told, wanted.occasion.is_fork)


def _note(message: str) -> Finding:
    return Finding("weakened", "note", "", message)


def _place(repository: Repository, commit: str) -> str:
    """The file that has a commit's settings."""
    return "nbpr.toml" if repository.sha_at(commit, "nbpr.toml") else "pyproject.toml"


def _lost(before: Settings, theirs: Settings, place: str) -> Iterator[Finding]:
    """The guards that head's settings, allow-list and accepted findings take away."""
    if theirs.problem:
        yield weakened.unreadable(place, theirs.problem)
        return
    yield from weakened.settings(before.config, theirs.config, place)
    yield from weakened.allowed(before.allowed, theirs.allowed, allowlist.NAME)
    yield from weakened.accepted(len(theirs.accepted - before.accepted), before.config.gate.accepted)


def asked_to_skip(repository: Repository, occasion: Occasion, ground: Ground) -> GateResult:
    """The result of a gate that is skipped, if that is asked for and base's rules allow it; else what to say of it."""
    gate = ground.rules.config.gate
    message = repository.commits(f"{ground.at.head}^!")[0].message if repository.resolve(ground.at.head) else ""
    asked = []
    if gate.skip_label in occasion.labels:
        asked.append(("label", f"by the label {gate.skip_label}"))
    if SKIP in message:
        asked.append(("commit", f"by {SKIP} in the commit's message"))
    allowed = {"never": (), "label": ("label",), "commit": ("label", "commit")}[gate.skip]
    empty = GateResult(ground.at.base, ground.at.head)
    for kind, how in asked:
        if kind in allowed:
            note = Finding("weakened", "note", "", f"skipped {how}: nothing was looked at")
            return replace(empty, findings=(note,), skipped=how)
    refused = (f'asked to be skipped {how}, which gate.skip = "{gate.skip}" does not allow' for _, how in asked)
    return replace(empty, findings=tuple(map(_note, refused)))


# -- the notebooks -----------------------------------------------------------------------------------------


def cases(repository: Repository, ground: Ground) -> list[Case]:
    """The notebooks with all that git holds of them: objects are read here, in one thread."""
    at, config = ground.at, ground.rules.config
    tree = repository.tree_of(at.head)
    tracked = {entry.path: entry.sha for entry in repository.entries(at.head)}
    proven = proven_in(repository, config, tree)
    told = tuple(ground.findings)
    made = []
    for subject in ground.scope.subjects:
        own = ground.config_of(subject)
        runs = TreeRuns(repository, own, at.head, tree, tracked, proven)
        before = subject.before or subject.path
        sanitizing = (ground.before.sanitize(before), ground.theirs.sanitize(subject.path))
        case = Case(
            subject=subject,
            sides=_sides(repository, ground, subject, own),
            config=own,
            was=ground.before.config.for_notebook(before),
            theirs=ground.theirs.config.for_notebook(subject.path),
            folder=ground.rules.folder,
            allowed=ground.rules.allowed,
            told=told,
            sanitizing=sanitizing,
            runs=runs,
        )
        made.append(case)
    return made


def _sides(repository: Repository, ground: Ground, subject: Subject, own: Config) -> Sides:
    at = ground.at

    def read(commit: str | None, path: str | None) -> bytes | None:
        return repository.read(commit, path) if commit and path else None

    def run(path: str | None) -> str | None:
        return reference.run_path(path, own) if path else None

    return Sides(
        before=read(at.start, subject.before),
        after=read(at.head, subject.path) if subject.change != "deleted" else None,
        run_before=read(at.start, run(subject.before)),
        run_after=read(at.head, run(subject.path)),
        base_run=read(at.base, run(subject.before)),
    )


def _judged(listed: list[Case], config: Config, watcher: Watcher) -> list[Judged]:
    reference.run_paths([case.path for case in listed if case.sides.after is not None], config)

    def one(case: Case, turn: batch.Turn) -> Judged:
        def told(progress: Progress) -> None:
            watcher.at_cell(case.path, progress)

        def begin() -> None:
            with http.patient_until(turn.stop):
                watcher.runs()

        made = judge(case, told, turn, begin)
        watcher.judged(made)
        return made

    jobs = config.execute.jobs or batch.default_jobs()
    with stem.kept():
        return [each for each in batch.results(one, listed, jobs) if each is not None]
