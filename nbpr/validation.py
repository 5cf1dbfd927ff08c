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

from nbpr import config as configuration
from nbpr import notebook, reference, runs
from nbpr.checks import CHECKS, at_levels
from nbpr.checks.reference import State, differing
from nbpr.config import Config
from nbpr.engines import Progress
from nbpr.engines.nbval import Comparer, sanitize_file
from nbpr.errors import BadInput
from nbpr.findings import Finding, Verdict, verdict
from nbpr.notebook import Notebook
from nbpr.places import path_below, root_of
from nbpr.record import Run
from nbpr.runs import AS_CONFIGURED, Follow, Options


@dataclass(frozen=True)
class Validated:
    """What a validation found of one notebook: `run` is None where it could not be read."""

    path: str
    findings: tuple[Finding, ...]
    run: Run | None = None


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
    paths: Sequence[str], root: Path, config: Config, options: Options = AS_CONFIGURED, *, follow: Follow | None = None
) -> Validation:
    """Validate notebooks (POSIX paths below `root`) against their reference runs there; writes nothing.

    One that cannot be read or fails does not keep the others from being validated. Raises `BadInput` for a notebook
    that is not there, `Missing` where papermill or nbval is not installed.
    """
    reference.run_paths(paths, config)
    for path in paths:
        if not (root / path).is_file():
            raise BadInput(f"{path}: no such file")

    def one(path: str, stop: threading.Event) -> Validated:
        def told(progress: Progress) -> None:
            if follow is not None:
                follow(path, progress)

        return _validate(path, root, config.for_notebook(path), options, told, stop)

    return Validation(tuple(runs.at_once(one, list(dict.fromkeys(paths)), config.execute.jobs)))


def validate_paths(places: Sequence[Path], overrides: Mapping[str, Any] | None = None) -> Validation:
    """Validate notebooks of one checkout under its own settings. Outside of one there is no reference run."""
    root = root_of(places)
    settings = configuration.load(root, overrides)
    return validate([path_below(root, place) for place in places], root, settings)


def _validate(
    path: str, root: Path, config: Config, options: Options, told: Callable[[Progress], None], stop: threading.Event
) -> Validated:
    data = (root / path).read_bytes()
    try:
        source = notebook.parse(data, path)
    except BadInput:
        return Validated(path, tuple(at_levels(CHECKS["format"](data, path), config)))
    with ThreadPoolExecutor(1) as beside, Expectation.of(source, root, config) as expectation:
        # While the notebook runs, nbval gets ready in its process, and nbformat's schema is checked here.
        well_formed = beside.submit(CHECKS["format"], data, path)
        run = runs.execute(source, path, root, config, options, told, stop)
        found = [*well_formed.result(), *findings_of(run), *expectation.findings(run)]
    return Validated(path, tuple(at_levels(found, config)), run)


def findings_of(run: Run) -> list[Finding]:
    """What a run alone says: whether it went well, and what to know of its interpreter."""
    notes = [Finding("execute", "note", run.record.notebook, note) for note in run.notes]
    return [*CHECKS["execute"](run.record.as_json()), *notes]


class Expectation:
    """What a notebook is expected to give: its reference run, and nbval ready to compare with it."""

    def __init__(self, source: Notebook, expected: Mapping[str, Any] | None, state: State, config: Config) -> None:
        self._source = source
        self._expected = expected
        self._state = state
        self._config = config
        self._comparer: Comparer | None = None
        self._sanitize_with: Path | None = None

    @classmethod
    @contextmanager
    def of(cls, source: Notebook, root: Path, config: Config) -> Iterator[Expectation]:
        """What the files below `root` have a notebook expect. Raises `BadInput` for a sanitize file that is not there.

        A run that is of another source, or cannot be read, is not compared with: its outputs are not expected here.
        """
        place = root / reference.run_path(source.name, config)
        expected, state = _expected(place, source, config)
        made = cls(source, expected, state, config)
        made._sanitize_with = sanitize_file(root / config.sanitize_with) if config.sanitize_with else None
        with ExitStack() as stack:
            if state == "in step":
                made._comparer = stack.enter_context(Comparer())
            yield made

    def findings(self, run: Run) -> list[Finding]:
        """How a run keeps to it: whether the reference run is of this source, and nbval's verdicts on each cell."""
        path = self._source.name
        place = reference.run_path(path, self._config)
        if self._expected is None or self._comparer is None:
            return CHECKS["reference"](path, place, self._state, required=self._config.require_reference)
        if run.record.cells_executed == 0:
            return []
        verdicts = self._comparer.compare(self._expected, run.reference, self._sanitize_with)
        # The cell that the run failed at is told of already.
        failed = run.record.failed_cell.index if run.record.failed_cell else None
        told = [verdict for verdict in verdicts if verdict.index != failed]
        cells = differing(self._expected, reference.load(run.reference_bytes, place)) if run.went_well else []
        return [*CHECKS["reference"](path, place, self._state, differing=cells), *CHECKS["reproduce"](told, path)]


def _expected(place: Path, source: Notebook, config: Config) -> tuple[dict[str, Any] | None, State]:
    if not place.is_file():
        return None, "missing"
    try:
        expected = reference.load(place.read_bytes(), place.name)
    except BadInput:
        return None, "out of step"
    return expected, "in step" if reference.in_step(expected, source, config.parameters) else "out of step"
