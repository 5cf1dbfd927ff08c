"""The relay: the second job, which runs nothing and tells the forge what the first one found.

It looks at everything again that needs no run, so that of the first job only what its runs gave is believed, and
what that job does not say counts as failed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from nbpr.checks import at_levels
from nbpr.errors import BadInput
from nbpr.findings import Finding, verdict
from nbpr.gate import accepted, gate, judging, leaks, leavings
from nbpr.gate.gate import Wanted, Watcher
from nbpr.gate.judging import Case
from nbpr.gate.leavings import Leavings, Told
from nbpr.gate.result import GateResult, Judged
from nbpr.git import workspaces
from nbpr.git.repository import Repository
from nbpr.notebooks.notebook import Notebook
from nbpr.runs import reference

#: What only a run can tell; the rest is looked at again.
_OF_RUNS = ("execute", "reproduce", "reference", "scraps", "secrets", "weakened")


def run(repository: Repository, wanted: Wanted, folder: Path, watcher: Watcher) -> GateResult:
    """The result that a folder of leavings tells of, as far as it can be believed.

    Raises `BadInput` for leavings of other commits than those of this occasion, or that are none.
    """
    with workspaces.workspace(repository) as place:
        ground = gate.found(repository, wanted, place)
        watcher.begins(ground)
        told = leavings.read(folder)
        if told.head != ground.at.head:
            raise BadInput(f"{folder}: of {told.head[:12]}, and head is {ground.at.head[:12]}; it is not posted")
        skipped = gate.asked_to_skip(repository, wanted.occasion, ground)
        if skipped.skipped:
            return skipped
        leaked = leaks.find(repository, ground.at, ground.rules, ground.theirs)
        notebooks = [_relayed(case, told) for case in gate.cases(repository, ground)]
    for each in notebooks:
        watcher.judged(each)
    return gate.result(ground, notebooks, (*skipped.findings, *leaked))


def _relayed(case: Case, told: Leavings) -> Judged:
    if case.sides.after is None:
        return judging.taken_away(case)
    static, parsed = judging.static(case, case.sides.after)
    if parsed is None or verdict(each for each in static if each.check == "format") == "failed":
        return judging.unrun(case, static, parsed)
    known = told.notebooks.get(case.path)
    if known is not None:
        known = replace(known, findings=tuple(map(accepted.restored, known.findings)))
    missing = list(at_levels(_missing(case, known, parsed), case.config))
    if known is None or missing:
        return judging.unrun(case, [*static, *missing], parsed)
    theirs = [each for each in known.findings if each.check in _OF_RUNS and each.path in ("", case.path, case.run_path)]
    findings = [*static, *at_levels([replace(each, path=each.path or case.path) for each in theirs], case.config)]
    executed = reference.readable(known.executed, case.path) if known.executed else None
    if executed is not None and known.run is not None and known.run["status"] == "success":
        findings += judging.of_results(case, executed, findings)
    return judging.relayed(case, findings, known.run, parsed, executed)


def _missing(case: Case, known: Told | None, parsed: Notebook) -> Iterator[Finding]:
    """What the first job would have said of a notebook that it ran."""
    hint = "see the log of the job that ran the notebooks"
    if known is None or known.run is None:
        yield Finding("execute", "error", case.path, "the job that runs notebooks says nothing of it", hint=hint)
        return
    checks = {finding.check for finding in known.findings}
    failed = known.run["status"] != "success"
    if failed and not any(each.check == "execute" and each.level != "note" for each in known.findings):
        yield Finding("execute", "error", case.path, "its run failed, and nothing is said of why", hint=hint)
    if not failed and "reproduce" not in checks:
        yield Finding("reproduce", "error", case.path, "nothing is said of whether it reproduces", hint=hint)
    ran = reference.readable(known.executed, case.path) if known.executed else None
    if not failed and (ran is None or not reference.in_step(ran, parsed, case.config.parameters)):
        yield Finding("execute", "error", case.path, "the run that was left is not of this notebook", hint=hint)
