"""The proof of a proposal: its notebooks run, in worktrees of our own, and what the runs show.

A notebook runs once for its reference run and, at the same time in a worktree of its own, once more, to see that it
reproduces. What base gave is taken from base's reference run, or base is run too.
"""

from __future__ import annotations

import math
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from nbpr import batch
from nbpr.checks import at_levels, execute, format, reproduce, size  # noqa: A004
from nbpr.checks import scraps as bounds
from nbpr.checks.reproduce import CellVerdict
from nbpr.config import Config
from nbpr.engines import Progress, stem
from nbpr.engines.nbval import Comparer
from nbpr.findings import Finding, Verdict, verdict
from nbpr.git.repository import Entry, Repository
from nbpr.notebooks import clean, scraps
from nbpr.notebooks.notebook import Notebook
from nbpr.proposals.plans import Plan, Subject, inputs
from nbpr.runs import reference, runs
from nbpr.runs.presence import proven_in
from nbpr.runs.proven import compared, file_digest, when
from nbpr.runs.record import Run
from nbpr.runs.treeruns import TreeRuns

Say = Callable[[str], None]
Json = Mapping[str, Any]


@dataclass(frozen=True)
class Proof:
    """What the runs of a proposal showed.

    `runs` are records with their role, `reference_runs` the files to commit, `run_keys` what they were made from,
    `outputs` the runs before and after of each notebook.
    """

    runs: tuple[Json, ...] = ()
    findings: tuple[Finding, ...] = ()
    scraps: tuple[Json, ...] = ()
    reference_runs: Mapping[str, bytes] = field(default_factory=dict)
    run_keys: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[str, tuple[Json | None, Json | None]] = field(default_factory=dict)
    bounds: Mapping[str, str] = field(default_factory=dict)
    checks: tuple[str, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """`failed` if one of the findings is an error."""
        return verdict(self.findings)

    def __add__(self, other: Proof) -> Proof:
        return Proof(
            (*self.runs, *other.runs),
            (*self.findings, *other.findings),
            (*self.scraps, *other.scraps),
            {**self.reference_runs, **other.reference_runs},
            {**self.run_keys, **other.run_keys},
            {**self.outputs, **other.outputs},
            {**self.bounds, **other.bounds},
            tuple(dict.fromkeys((*self.checks, *other.checks))),
        )


def prove(repository: Repository, config: Config, plan: Plan, say: Say) -> Proof:
    """Run and judge every notebook that the plan leaves there."""
    tree = repository.edited_tree(plan.head_sha, files(repository, plan))
    tracked = inputs(repository, plan)
    proof = Proof()
    for subject in plan.subjects:
        if subject.after is None:
            proof += _taken_away(repository, config, plan, subject)
        else:
            one = _Proving(repository, config.for_notebook(subject.path), plan, subject, tree, tracked, say)
            proof += one.prove()
    return proof


def known(repository: Repository, config: Config, plan: Plan) -> Proof:
    """What is known without a run: scraps and outputs of the reference runs that are there."""
    proof = Proof()
    for subject in plan.subjects:
        before, after = (_committed(repository, config, sha, subject.path) for sha in (plan.base_sha, plan.head_sha))
        proof += Proof(scraps=_side_by_side(subject.path, before, after), outputs={subject.path: (before, after)})
    return proof


def files(repository: Repository, plan: Plan) -> dict[str, bytes | Entry | None]:
    """What the proposal sets in the branch's tree, besides reference runs."""
    included: dict[str, bytes | Entry | None] = {
        path: repository.blob_entry(path, file.data, file.mode) if file else None for path, file in plan.files.items()
    }
    return {**plan.contents, **included}


def _committed(repository: Repository, config: Config, commit: str, path: str) -> dict[str, Any] | None:
    run = reference.run_path(path, config)
    data = repository.read(commit, run)
    return None if data is None else reference.readable(data, run)


def _side_by_side(path: str, before: Json | None, after: Json | None) -> tuple[Json, ...]:
    old, new = (scraps.values(run) if run else {} for run in (before, after))
    return tuple({"notebook": path, **row} for row in scraps.compare(old, new))


def _taken_away(repository: Repository, config: Config, plan: Plan, subject: Subject) -> Proof:
    before = _committed(repository, config, plan.base_sha, subject.path)
    return Proof(scraps=_side_by_side(subject.path, before, None), outputs={subject.path: (before, None)})


@dataclass(frozen=True)
class _Proving:
    """The proof of one notebook while it is being made."""

    repository: Repository
    config: Config
    plan: Plan
    subject: Subject
    tree: str
    tracked: Mapping[str, str]
    say: Say

    @property
    def path(self) -> str:
        return self.subject.path

    @property
    def after(self) -> Notebook:
        assert self.subject.after is not None
        return self.subject.after

    @property
    def run_path(self) -> str:
        return reference.run_path(self.path, self.config)

    def prove(self) -> Proof:
        static = [*format.check(self.after.to_bytes(), self.path)]
        if verdict(static) == "failed":
            return self._judged(static, [], None, None)
        taken_over = self._without_a_run()
        if taken_over is not None:
            before = _committed(self.repository, self.config, self.plan.base_sha, self.path)
            note = Finding("reference", "note", self.path, "no code changed: the outputs are those of the run before")
            return self._judged([*static, note], [], before, taken_over)
        return self._run(static)

    # -- without a run -------------------------------------------------------------------------------------

    def _without_a_run(self) -> dict[str, Any] | None:
        """The branch's reference run with the Markdown of now, where no code and no input changed."""
        run = _committed(self.repository, self.config, self.plan.head_sha, self.path)
        moved = self.plan.branch_sha is not None and self.plan.head_sha != self.plan.branch_sha
        is_input = any(runs.is_input(path, self.config) for path in self.plan.files)
        if run is None or moved or is_input or self.path in self.plan.stale_runs:
            return None
        same = reference.in_step(run, self.after, self.config.parameters)
        return reference.markdown_taken_over(run, self.after) if same else None

    # -- with runs -----------------------------------------------------------------------------------------

    def _run(self, findings: list[Finding]) -> Proof:
        with stem.kept(), ExitStack() as stack:
            known = self._recalled(self.tree, self.after)
            verdicts = self._known_to_reproduce(known) if known else None
            # nbval gets ready while the notebook runs.
            comparer = stack.enter_context(Comparer()) if verdicts is None else None
            first, second = (known, None) if known and verdicts is not None else self._twice(known)
            records = [_record(first, "reference", self.run_path if first.is_reference else None)]
            findings += [*execute.check(first.record.as_json()), *_told((*first.notes, *when(first)), self.path)]
            if not first.went_well:
                findings = self._with_hint(findings, first)
                return self._judged(findings, records, None, None)
            if verdicts is not None:
                findings += reproduce.check(verdicts, self.path)
            elif second is None or comparer is None:
                findings.append(self._not_reproduced(first))
            else:
                records.append(_record(second, "reproduce", None))
                findings += self._compared(comparer, first, second)
        before, more = self._baseline(first)
        records += more
        findings += self._changed_results(before, first.reference)
        return self._judged(findings, records, before, first.reference, first.whole)

    def _runs(self, commit: str, tree: str) -> TreeRuns:
        return TreeRuns(self.repository, self.config, commit, tree, self.tracked)

    def _recalled(self, tree: str, source: Notebook) -> Run | None:
        """The run of a notebook in a tree, if it is proven here already."""
        return self._runs(self.plan.head_sha, tree).recall(source, self.path)

    def _known_to_reproduce(self, run: Run) -> list[CellVerdict] | None:
        """nbval's verdicts on the second run that there was of a run that is proven; none where it is to have none."""
        proven = proven_in(self.repository, self.config, self.tree)
        return proven.known_verdicts(*self._proof(run)) if proven else None

    def _proof(self, run: Run) -> tuple[Any, ...]:
        """What that a run reproduces hangs on: all that the run does, and what it gave."""
        return "reproduced", run.proof, reference.to_bytes(run.whole), file_digest(self._sanitize_with())

    def _twice(self, known: Run | None) -> tuple[Run, Run | None]:
        """The run, and at the same time one more, unless that is switched off or takes too long."""
        if known is not None:
            self.say(f"{self.path}: seeing whether it reproduces")
            if self.config.reproduce == "auto" and known.record.duration_seconds > self.config.reproduce_below:
                return known, None
            return known, self._execute(self.plan.head_sha, self.tree, self.after, self._told("running again"))
        halt, enough = threading.Event(), threading.Event()
        commit, tree, source = self.plan.head_sha, self.tree, self.after
        with ThreadPoolExecutor(2) as pool:
            try:
                first = pool.submit(self._execute, commit, tree, source, self._told("running"), halt)
                if self.config.reproduce is False:
                    return batch.outcome(first), None
                second = pool.submit(self._execute, commit, tree, source, None, enough)
                ran = self._in_time(first)
                if ran is None or not ran.went_well:
                    enough.set()
                    return batch.outcome(first), None
                self.say(f"{self.path}: seeing whether it reproduces")
                return ran, batch.outcome(second)
            except BaseException:
                halt.set()
                enough.set()
                raise

    def _in_time(self, first: Future[Run]) -> Run | None:
        """The first run; None when it takes so long that a second one is left out."""
        patience = math.inf if self.config.reproduce is True else self.config.reproduce_below
        return first.result() if batch.ends(first, patience) else None

    def _execute(
        self,
        commit: str,
        tree: str,
        source: Notebook,
        progress: Callable[[Progress], None] | None,
        stop: threading.Event | None = None,
    ) -> Run:
        return self._runs(commit, tree).execute(source, self.path, progress, stop)

    def _told(self, what: str) -> Callable[[Progress], None]:
        return lambda progress: self.say(f"{self.path}: {what}, cell {progress.cell} of {progress.cells}")

    def _not_reproduced(self, first: Run) -> Finding:
        seconds = first.record.duration_seconds
        why = "reproduce = false" if self.config.reproduce is False else f"the run took {seconds:.0f} s"
        message = f"not run a second time ({why}), so whether it reproduces is not known"
        return Finding("reproduce", "note", self.path, message, hint="reproduce = true always does")

    def _compared(self, comparer: Comparer, first: Run, second: Run) -> list[Finding]:
        if not second.went_well:
            return [
                replace(found, check="reproduce", message=f"the second run failed: {found.message}")
                for found in execute.check(second.record.as_json())
            ]
        verdicts = comparer.compare(first.whole, second.whole, self._sanitize_with())
        proven = proven_in(self.repository, self.config, self.tree)
        if proven is not None and first.proof and first.proof == second.proof:
            proven.judged(verdicts, *self._proof(first))
            # Whoever validates what is committed here finds the second run, and that it was compared.
            proven.judged(verdicts, *compared(first.reference, second.reference, self._sanitize_with()))
        return reproduce.check(verdicts, self.path)

    def _sanitize_with(self) -> Path | None:
        return self.repository.root / self.config.sanitize_with if self.config.sanitize_with else None

    def _with_hint(self, findings: Sequence[Finding], run: Run) -> list[Finding]:
        """Where a file is missed that the checkout has, the way to give it to runs."""
        failed = run.record.failed_cell
        missed = re.search(r"No such file or directory: '([^']+)'", failed.evalue) if failed else None
        if missed is None:
            return list(findings)
        folder = self.repository.root if self.config.cwd == "repository" else (self.repository.root / self.path).parent
        place = (folder / missed.group(1)).resolve()
        if not place.exists() or not place.is_relative_to(self.repository.root.resolve()):
            return list(findings)
        relative = place.relative_to(self.repository.root.resolve()).as_posix()
        hint = f'the checkout has {relative}, but git does not: link = ["{relative}"] in [tool.nbpr], or --include it'
        return [replace(found, hint=hint) if found.check == "execute" else found for found in findings]

    # -- what was before -----------------------------------------------------------------------------------

    def _baseline(self, first: Run) -> tuple[dict[str, Any] | None, list[Json]]:
        """What base gave: its reference run if that is in step, else base is run, under the rule of second runs."""
        base = self.subject.base
        if base is None:
            return None, []
        run = _committed(self.repository, self.config, self.plan.base_sha, self.path)
        if run is not None and reference.in_step(run, base, self.config.parameters):
            return run, []
        seconds = first.record.duration_seconds
        if self.config.reproduce is False or (
            self.config.reproduce == "auto" and seconds > self.config.reproduce_below
        ):
            return run, []
        tree = self.repository.git("rev-parse", self.plan.base_sha + "^{tree}")
        source = clean.clean(base, self.subject.options)
        ran = self._recalled(tree, source)
        if ran is None:
            self.say(f"{self.path}: running base, for what it gave before")
            ran = self._execute(self.plan.base_sha, tree, source, self._told("running base"))
        return (ran.reference if ran.went_well else None), [_record(ran, "baseline", None)]

    def _changed_results(self, before: Json | None, after: Json) -> Iterator[Finding]:
        """Which checked outputs are others than base's: the change may be the point, so it is only told."""
        if before is None:
            return
        with Comparer() as comparer:
            verdicts = comparer.compare(before, after, self._sanitize_with())
        for cell in verdicts:
            if cell.checked and cell.verdict == "failed":
                message = f"cell {cell.index}: a checked output is another one than base's"
                yield Finding("reproduce", "note", self.path, message, cell.cell_id)

    # -- judging -------------------------------------------------------------------------------------------

    def _judged(
        self,
        findings: Iterable[Finding],
        records: Iterable[Json],
        before: Json | None,
        after: Json | None,
        whole: Json | None = None,
    ) -> Proof:
        """The proof; `after` is what is committed of the run, `whole` what it gave, where that is more."""
        every = list(findings)
        made: dict[str, bytes] = {}
        if after is not None:
            data = reference.to_bytes(after)
            made = {self.run_path: data}
            old, new = (scraps.values(run) if run else {} for run in (before, whole or after))
            every += bounds.check(new, self.config.scraps, self.path, old)
            limits = {"max_output": self.config.max_output, "max_run": self.config.max_run}
            every += size.check(self.after.as_json(), self.path, len(self.after.to_bytes()), **limits)
        return Proof(
            runs=tuple(records),
            findings=tuple(at_levels(every, self.config)),
            scraps=_side_by_side(self.path, before, whole or after) if after is not None else (),
            reference_runs=made,
            # Of a failed run too, so that the same is not run again for nothing.
            run_keys={self.run_path: runs.key_of(self.after, self.config, self.tracked)},
            outputs={self.path: (before, after)},
            bounds={name: bounds.bound_text(bound) for name, bound in self.config.scraps.items()},
            checks=("format", "execute", "reproduce", "scraps", "size") if made else ("format", "execute"),
        )


def _record(run: Run, role: str, output: str | None) -> Json:
    return {**replace(run.record, output=output).as_json(), "role": role}


def _told(notes: Iterable[str], path: str) -> list[Finding]:
    return [Finding("execute", "note", path, note) for note in notes]
