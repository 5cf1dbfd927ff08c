"""Validating notebooks: valid nbformat, every cell runs, and the outputs are those of the reference run.

One execution serves all of it: nbval compares what papermill recorded.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbpr import batch, process
from nbpr import config as configuration
from nbpr.checks import CHECKS, at_levels
from nbpr.checks.reference import State, differing
from nbpr.checks.reproduce import CellVerdict
from nbpr.config import Config
from nbpr.engines import Begun, Progress, stem
from nbpr.engines.nbval import Comparer, sanitize_file
from nbpr.errors import BadInput
from nbpr.findings import Finding, Verdict, verdict
from nbpr.notebooks import notebook
from nbpr.notebooks.notebook import Notebook
from nbpr.places import path_below, root_of
from nbpr.runs import presence, reference, runs
from nbpr.runs.proven import Proven, compared, when
from nbpr.runs.record import Run
from nbpr.runs.runs import AS_CONFIGURED, Follow, Options


@dataclass(frozen=True)
class Validated:
    """What a validation found of one notebook: `run` is None where it could not be read."""

    path: str
    findings: tuple[Finding, ...]
    run: Run | None = None

    @property
    def failed(self) -> bool:
        """Whether one of the findings is an error."""
        return verdict(self.findings) == "failed"


@dataclass(frozen=True)
class Validation:
    """What a validation found of several notebooks."""

    notebooks: tuple[Validated, ...]

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The findings of all of them."""
        return tuple(finding for each in self.notebooks for finding in each.findings)

    @property
    def runs(self) -> tuple[Run, ...]:
        """The runs that were made."""
        return tuple(each.run for each in self.notebooks if each.run is not None)

    @property
    def verdict(self) -> Verdict:
        """`failed` if one of the findings is an error."""
        return verdict(self.findings)

    def as_json(self) -> dict[str, Any]:
        """`{"verdict", "findings", "runs"}`."""
        return {
            "verdict": self.verdict,
            "findings": [finding.as_json() for finding in self.findings],
            "runs": [run.record.as_json() for run in self.runs],
        }


def validate(
    paths: Sequence[str],
    root: Path,
    config: Config,
    options: Options = AS_CONFIGURED,
    *,
    follow: Follow | None = None,
    ended: Callable[[str, Validated], None] | None = None,
    proven: Proven | None = None,
    keep_going: bool = True,
) -> Validation:
    """Validate notebooks (POSIX paths below `root`) against their reference runs there; writes nothing there.

    What is `proven` is not done again. One that cannot be read or fails does not keep the others from being validated,
    unless `keep_going` says so: then those that were not begun are not in the answer. Raises `BadInput` for a notebook
    that is not there, `Missing` where papermill or nbval is not installed.
    """
    reference.run_paths(paths, config)
    for path in paths:
        if not (root / path).is_file():
            raise BadInput(f"{path}: no such file")

    def one(path: str, turn: batch.Turn) -> Validated:
        def told(progress: Progress) -> None:
            if follow is not None:
                follow(path, progress)

        own = config.for_notebook(path)
        found = _Validating(path, root, own, options, proven).validated(told, turn)
        if ended is not None:
            ended(path, found)
        return found

    jobs = config.execute.jobs or batch.default_jobs()
    with stem.kept():
        found = batch.results(
            one, list(dict.fromkeys(paths)), jobs, is_enough=lambda each: not keep_going and each.failed
        )
    return Validation(tuple(each for each in found if each is not None))


def validate_paths(places: Sequence[Path], overrides: Mapping[str, Any] | None = None) -> Validation:
    """Validate notebooks of one checkout under its own settings. Outside of one there is no reference run."""
    root = root_of(places)
    settings = configuration.load(root, overrides)
    proven = presence.proven_here(root, settings)
    return validate([path_below(root, place) for place in places], root, settings, proven=proven)


@dataclass(frozen=True)
class _Validating:
    """The validation of one notebook, while it is being done."""

    path: str
    root: Path
    config: Config
    options: Options
    proven: Proven | None

    def validated(self, told: Callable[[Progress], None], turn: batch.Turn) -> Validated:
        data = (self.root / self.path).read_bytes()
        try:
            source = notebook.parse(data, self.path)
        except BadInput:
            return self._judged(CHECKS["format"](data, self.path), None)
        asked = (source, self.path, self.root, self.config, self.options)
        with Expectation.of(source, self.root, self.config, self.proven) as expectation:
            run = runs.recall(*asked, self.proven)
            if run is not None and expectation.is_known_of(run):
                well_formed = self._well_formed(data)
                return self._judged([*well_formed, *findings_of(run), *expectation.findings(run)], run)
            with ThreadPoolExecutor(1) as beside, Begun(told) as begun:
                # While the notebook runs, nbval gets ready in its process, and nbformat's schema is checked here.
                expectation.get_ready(turn.stop)
                checked = beside.submit(self._in_time, data, begun)
                kept_to: list[Finding] = []
                run = runs.execute(
                    *asked, begun, turn.stop, self.proven, turn=turn,
                    meanwhile=lambda run: kept_to.extend(expectation.findings(run)),
                )  # fmt: skip
                begun.end()
                return self._judged([*batch.outcome(checked), *findings_of(run), *kept_to], run)

    def _in_time(self, data: bytes, begun: Begun) -> list[Finding]:
        begun.wait()
        return self._well_formed(data)

    def _well_formed(self, data: bytes) -> list[Finding]:
        if self.proven is None:
            return list(CHECKS["format"](data, self.path))
        return self.proven.sound(self.path, data, lambda: CHECKS["format"](data, self.path))

    def _judged(self, findings: Sequence[Finding], run: Run | None) -> Validated:
        return Validated(self.path, tuple(at_levels(findings, self.config)), run)


def findings_of(run: Run) -> list[Finding]:
    """What a run alone says: whether it went well, and what to know of its interpreter."""
    notes = [Finding("execute", "note", run.record.notebook, note) for note in (*run.notes, *when(run))]
    return [*CHECKS["execute"](run.record.as_json()), *notes]


class Expectation:
    """What a notebook is expected to give: its reference run, and nbval ready to compare with it."""

    def __init__(
        self,
        source: Notebook,
        expected: dict[str, Any] | None,
        state: State,
        config: Config,
        proven: Proven | None = None,
    ) -> None:
        self._source = source
        self._expected = expected
        self._state = state
        self._config = config
        self._proven = proven
        self._comparer: Comparer | None = None
        self._stack = ExitStack()
        self._sanitize_with: Path | None = None

    @classmethod
    @contextmanager
    def of(cls, source: Notebook, root: Path, config: Config, proven: Proven | None = None) -> Iterator[Expectation]:
        """What the files below `root` have a notebook expect. Raises `BadInput` for a sanitize file that is not there.

        A run that is of another source, or cannot be read, is not compared with: its outputs are not expected here.
        """
        place = root / reference.run_path(source.name, config)
        data = place.read_bytes() if place.is_file() else None
        with cls.of_run(source, data, config, root, proven) as made:
            yield made

    @classmethod
    @contextmanager
    def of_run(
        cls, source: Notebook, data: bytes | None, config: Config, rules: Path, proven: Proven | None = None
    ) -> Iterator[Expectation]:
        """The same of a reference run's bytes, None for none; the sanitize file is below `rules`."""
        expected, state = _expected(data, source, config)
        made = cls(source, expected, state, config, proven)
        made._sanitize_with = sanitize_file(rules / config.sanitize_with) if config.sanitize_with else None
        with made._stack:
            yield made

    @property
    def in_step(self) -> dict[str, Any] | None:
        """The reference run, if it is of this source."""
        return self._expected if self._state == "in step" else None

    def get_ready(self, stop: threading.Event | None = None) -> None:
        """Have nbval start, in a process of its own, if there is something to compare with; it ends after `stop`."""
        if self._state == "in step" and self._comparer is None:
            environment = process.kernel_environment(self._config.execute.env)
            self._comparer = self._stack.enter_context(Comparer(environment, stop))

    def is_known_of(self, run: Run) -> bool:
        """Whether a run that was recalled says how the notebook keeps to it.

        The reference run may have been made of that very run, and would then be compared with itself: only what a run
        of its own was compared with, when it ran, is known.
        """
        if self.in_step is None:
            return True
        return self._proven is not None and self._proven.known_verdicts(*self._parts(self.in_step, run)) is not None

    def findings(self, run: Run) -> list[Finding]:
        """How a run keeps to it: whether the reference run is of this source, and nbval's verdicts on each cell."""
        path = self._source.name
        place = reference.run_path(path, self._config)
        if self._expected is None or self._state != "in step":
            return CHECKS["reference"](path, place, self._state, required=self._config.require_reference)
        if run.record.cells_executed == 0:
            return []
        verdicts = self._verdicts(self._expected, run)
        # The cell that the run failed at is told of already.
        failed = run.record.failed_cell.index if run.record.failed_cell else None
        told = [verdict for verdict in verdicts if verdict.index != failed]
        cells = differing(self._expected, reference.load(run.reference_bytes, place)) if run.went_well else []
        return [*CHECKS["reference"](path, place, self._state, differing=cells), *CHECKS["reproduce"](told, path)]

    def _verdicts(self, expected: Mapping[str, Any], run: Run) -> list[CellVerdict]:
        if self._proven is None:
            return self._compared(expected, run)
        return self._proven.verdicts(*self._parts(expected, run), made=lambda: self._compared(expected, run))

    def _parts(self, expected: Mapping[str, Any], run: Run) -> tuple[Any, ...]:
        return compared(expected, run.reference, self._sanitize_with)

    def _compared(self, expected: Mapping[str, Any], run: Run) -> list[CellVerdict]:
        self.get_ready()
        assert self._comparer is not None
        return self._comparer.compare(expected, run.reference, self._sanitize_with)


def _expected(data: bytes | None, source: Notebook, config: Config) -> tuple[dict[str, Any] | None, State]:
    if data is None:
        return None, "missing"
    expected = reference.readable(data, source.name)
    if expected is None:
        return None, "out of step"
    return expected, "in step" if reference.in_step(expected, source, config.parameters) else "out of step"
