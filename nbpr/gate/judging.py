"""Judging: one notebook of a gate, as head has it, by base's rules; one execution serves every check."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from nbpr import batch
from nbpr.checks import CHECKS, at_levels, reference, weakened
from nbpr.checks import secrets as credentials
from nbpr.checks.scraps import bound_text
from nbpr.config import Config
from nbpr.diff.noise import Noise
from nbpr.diff.notebooks import NotebookDiff, compare
from nbpr.engines import Progress
from nbpr.errors import BadInput
from nbpr.findings import Finding, verdict
from nbpr.gate.result import Judged
from nbpr.gate.scope import Subject
from nbpr.inspection import Inspector
from nbpr.notebooks import notebook, scraps
from nbpr.notebooks.celllines import cell_lines
from nbpr.notebooks.content import Content
from nbpr.notebooks.notebook import Notebook
from nbpr.runs.record import Run
from nbpr.runs.reference import as_notebook, readable, run_path, to_bytes
from nbpr.runs.treeruns import TreeRuns
from nbpr.runs.validation import Expectation, findings_of

Json = Mapping[str, Any]
Told = Callable[[Progress], None]

_STATIC = ("format", "clean", "secrets", "size", "weakened")
_RUN = ("execute", "reproduce", "reference", "scraps")


@dataclass(frozen=True)
class Sides:
    """What git holds of a notebook, as bytes, None where it is not there: at the start, at head, and their runs.

    `base_run` is the reference run of base, against which bounds hold.
    """

    before: bytes | None = field(repr=False)
    after: bytes | None = field(repr=False)
    run_before: bytes | None = field(repr=False)
    run_after: bytes | None = field(repr=False)
    base_run: bytes | None = field(repr=False)


@dataclass(frozen=True)
class Case:
    """One notebook to be judged: its sides, the settings that hold for it, and its own at the start and at head.

    `folder` has the sanitize files that hold, `told` are findings of the settings that are not told again, `runs`
    is how it is run.
    """

    subject: Subject
    sides: Sides
    config: Config
    was: Config
    theirs: Config
    folder: Path
    allowed: Mapping[str, str]
    told: tuple[Finding, ...]
    sanitizing: tuple[bytes | None, bytes | None]
    runs: TreeRuns

    @property
    def path(self) -> str:
        return self.subject.path

    @property
    def run_path(self) -> str:
        return run_path(self.path, self.config)


def judge(case: Case, told: Told, turn: batch.Turn, begin: Callable[[], None] = lambda: None) -> Judged:
    """What is found of one notebook. `begin` is called before it runs, if it has to."""
    if case.sides.after is None:
        return taken_away(case)
    found, parsed = static(case, case.sides.after)
    is_sound = parsed is not None and verdict(each for each in found if each.check == "format") == "passed"
    if parsed is None or not is_sound:
        return unrun(case, found, parsed)
    with Expectation.of_run(parsed, case.sides.run_after, case.config, case.folder, case.runs.proven) as expected:
        run = case.runs.recall(parsed, case.path)
        if run is None or (_is_compared(case.config) and not expected.is_known_of(run)):
            if _is_compared(case.config):
                expected.get_ready(turn.stop)
            begin()
            run = case.runs.execute(parsed, case.path, told, turn.stop, turn)
        found += [*_of_run(case, run), *_compared(case, expected, run)]
        found += of_results(case, run.whole, found) if run.went_well else []
    record = {**replace(run.record, output=None).as_json(), "role": "gate"}
    made = relayed(case, found, record, parsed, run.whole)
    return replace(made, reference=run.reference_bytes if run.is_reference else None)


def _is_compared(config: Config) -> bool:
    return config.reproduce is not False


# -- without a run -----------------------------------------------------------------------------------------


def unrun(case: Case, findings: Iterable[Finding], parsed: Notebook | None) -> Judged:
    """A notebook that did not run, with what was found of it all the same."""
    return _judged(case, findings, _STATIC, None, parsed, None)


def relayed(
    case: Case, findings: Iterable[Finding], record: Json | None, parsed: Notebook, whole: dict[str, Any] | None
) -> Judged:
    """A notebook that ran: `whole` is what its run gave."""
    return _judged(case, findings, (*_STATIC, *_RUN), record, parsed, whole)


def static(case: Case, data: bytes) -> tuple[list[Finding], Notebook | None]:
    """What can be said of the files alone, and the notebook if it can be read at all."""
    inspector = Inspector(case.config, case.allowed)
    content = Content(case.path, data)
    found = list(inspector.findings(content))
    if content.is_pointer:
        found.append(Finding("format", "error", case.path, "kept by Git LFS: nothing of it can be judged"))
    if case.sides.run_after is not None:
        found += inspector.findings(Content(case.run_path, case.sides.run_after))
    parsed, before = _parsed(data, case.path), _parsed(case.sides.before, case.path)
    lost = weakened.check(before, parsed, case.path) if parsed is not None else []
    lost += weakened.own_settings(case.was, case.theirs, case.path, told=case.told)
    if case.was.sanitize_with and case.was.sanitize_with == case.theirs.sanitize_with:
        lost += weakened.sanitizing(*case.sanitizing, case.was.sanitize_with)
    if case.sides.run_before is not None and case.sides.run_after is None:
        lost.append(weakened.run_gone(case.path, case.run_path))
    return [*found, *at_levels(lost, case.config)], parsed


def _parsed(data: bytes | None, path: str) -> Notebook | None:
    if data is None:
        return None
    try:
        return notebook.parse(data, path)
    except BadInput:
        return None


def taken_away(case: Case) -> Judged:
    """What there is to say of a notebook that is no more."""
    found = []
    if case.sides.run_after is not None:
        message = f"{case.run_path} is still there, a run of a notebook that is not"
        found.append(Finding("reference", "warning", case.path, message, hint=f"git rm {shlex.quote(case.run_path)}"))
    return _judged(case, list(at_levels(found, case.config)), (), None, None, None)


# -- with a run --------------------------------------------------------------------------------------------


def _of_run(case: Case, run: Run) -> list[Finding]:
    """Whether the run went well. When it was made is left out: the same is said of the same each time."""
    plain = replace(run, record=replace(run.record, cached=False))
    return list(at_levels(findings_of(plain), case.config))


def _compared(case: Case, expected: Expectation, run: Run) -> list[Finding]:
    """How the run keeps to the committed one, and how much of it was checked."""
    if not _is_compared(case.config):
        note = Finding("reproduce", "note", case.path, "not compared with its reference run: reproduce = false")
        state = [] if expected.in_step is not None else expected.findings(run)
        return list(at_levels([*state, note], case.config))
    found = expected.findings(run)
    if expected.in_step is not None and run.went_well:
        found += reference.missing_outputs(case.path, case.run_path, expected.in_step, run.reference)
    if expected.in_step is None and run.went_well:
        count = sum(cell.is_code for cell in as_notebook(run.reference, case.path).cells)
        found.append(Finding("reproduce", "note", case.path, f"0 of {count} cells checked"))
    return list(at_levels(found, case.config))


def of_results(case: Case, whole: dict[str, Any], told: Iterable[Finding]) -> list[Finding]:
    """What a run's own results break, beside what is `told`: bounds, scraps that are gone, credentials put out."""
    values = scraps.values(whole)
    base = _values(case.sides.base_run, case.run_path)
    found = CHECKS["scraps"](values, case.config.scraps, case.path, base)
    found += weakened.scraps(base, values, case.path, told)
    if case.sides.run_after is None or to_bytes(whole) != case.sides.run_after:
        leaks = credentials.check(as_notebook(whole, case.path), case.path, case.allowed)
        known = {(each.cell_id, each.hint) for each in told if each.check == "secrets"}
        found += [leak for leak in leaks if (leak.cell_id, leak.hint) not in known]
    return list(at_levels(found, case.config))


def _values(data: bytes | None, name: str) -> dict[str, Any]:
    run = readable(data, name) if data is not None else None
    return scraps.values(run) if run else {}


# -- what is shown -----------------------------------------------------------------------------------------


def _judged(
    case: Case,
    findings: Iterable[Finding],
    checks: tuple[str, ...],
    record: Json | None,
    parsed: Notebook | None,
    whole: dict[str, Any] | None,
) -> Judged:
    subject = case.subject
    old = _values(case.sides.base_run, case.run_path)
    new = scraps.values(whole) if whole is not None else {}
    return Judged(
        path=case.path,
        change=subject.change,
        findings=tuple(_each_once(findings)),
        checks=checks,
        run=record,
        scraps=tuple(_bounded(scraps.compare(old, new), case.config)) if whole is not None else (),
        diff=difference(case.path, subject.before, case.sides, parsed, whole, case.config),
        path_before=subject.before if subject.before != case.path else None,
        why=subject.why,
        executed=None if whole is None else to_bytes(whole),
        lines={} if case.sides.after is None else cell_lines(case.sides.after),
    )


def _bounded(rows: Iterable[Json], config: Config) -> Iterable[Json]:
    bounds = {name: bound_text(bound) for name, bound in config.scraps.items()}
    return ({**row, "bound": bounds[row["name"]]} if row["name"] in bounds else row for row in rows)


def _each_once(findings: Iterable[Finding]) -> Iterable[Finding]:
    return dict.fromkeys(findings)


def difference(
    path: str, before: str | None, sides: Sides, parsed: Notebook | None, whole: Json | None, config: Config
) -> NotebookDiff | None:
    """What changed in cells and results, from the start with its run to head with the gate's own; None if unknown."""
    old = _parsed(sides.before, path)
    if old is None and parsed is None:
        return None
    old_run = readable(sides.run_before, path) if sides.run_before is not None else None
    noise = Noise.of(config.diff.ignore, config.diff.ignore_patterns)
    sides_shown = (old.as_json() if old else None, parsed.as_json() if parsed else None)
    found = compare(path, *sides_shown, old_run, whole, noise=noise, patience=config.diff.patience)
    return replace(found, path_before=before) if before not in (None, path) else found
