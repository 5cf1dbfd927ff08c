"""What is proven here already: runs that went well, found again by all that they hang on, and never run twice.

A key is made of the run key, of every file that the notebook may read, of its interpreter and all that is installed
there, and of the kernel's environment. It is made before a run and after it: only where both are the same, and the run
went well, is the run kept. What could make a kept pass untrue, and cannot be known, keeps a run out
(`surroundings.why_not_known`).
"""

from __future__ import annotations

import hmac
import json
import platform
import re
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any

from nbpr import __version__
from nbpr.checks.reproduce import CellVerdict
from nbpr.findings import Finding, verdict
from nbpr.runs import reference
from nbpr.runs.attempt import Attempt
from nbpr.runs.installed import Installed, installed
from nbpr.runs.interpreters import Environment, KernelChoice
from nbpr.runs.record import Run, RunRecord
from nbpr.runs.runcache import DONE, FORMAT, RUN, VERDICTS, RunCache, digest
from nbpr.runs.runkey import key_of
from nbpr.runs.surroundings import Surroundings, why_not_known

#: What of ours decides how a run goes, what is kept of it and how it is compared.
_OURS = ("papermill", "nbclient", "nbval", "nbformat", "jupyter_client")
#: Of a kernel's environment what is another one in every session, and decides nothing.
_PASSING = ("XDG_RUNTIME_DIR",)


@dataclass(frozen=True)
class Question:
    """What a run hangs on, in one digest; or why that is not known, and then `key` is None."""

    key: str | None
    why: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)


class Proven:
    """The cache as one command uses it. `look` tells what lies about its runs; without `reads` all is run anew.

    Runs that are done anew replace what was kept, and one that fails takes it away. `batch` is for what may be
    interrupted and gone on with: it keeps, and takes, runs that are no proof (`_done_key`).
    """

    def __init__(
        self, cache: RunCache, look: Callable[[], Surroundings], *, reads: bool = True, batch: bool = False
    ) -> None:
        self.cache = cache
        self._look = look
        self._reads = reads
        self._batch = batch
        self._lock = threading.Lock()
        self._running = 0
        self._seen: Surroundings | None = None

    # -- runs ----------------------------------------------------------------------------------------------

    def run(self, tried: Attempt, choice: KernelChoice) -> Run | None:
        """The run that would come of an attempt, if it is proven: as it was, and `cached` in its record."""
        if not self._reads:
            return None
        asked = self.question(tried, choice)
        found = self.cache.read(RUN, asked.key) if asked.key else None
        if found is not None:
            return _restored(found, tried, asked.key)
        done = self._done_key(tried, choice)
        found = self.cache.read(DONE, done) if done else None
        run = _restored(found, tried, None) if found else None
        return run and replace(run, notes=(*run.notes, _done_before(asked.why)))

    def carried_out(self, tried: Attempt, choice: KernelChoice, work: Callable[[], Run]) -> Run:
        """A run, made by `work`, and kept if it went well and nothing that it hangs on changed meanwhile."""
        before, done = self.question(tried, choice), self._done_key(tried, choice)
        ready = installed(choice, tried.environment)
        with self._lock:
            self._running += 1
        try:
            run = work()
        finally:
            with self._lock:
                self._running -= 1
                self._seen = None
        if not run.went_well:
            if run.record.reason != "cancelled":
                self._forget(before.key, done)
        elif before.key and ready.is_still() and self.question(tried, choice).key == before.key:
            if self._keep(RUN, before.key, run):
                self._forget(None, done)
                return replace(run, proof=before.key)
        elif done:
            self._keep(DONE, done, run)
        return run

    def _keep(self, kind: str, key: str, run: Run) -> bool:
        record = run.record
        about = {"notebook": record.notebook, "started": record.started, "seconds": record.duration_seconds}
        return self.cache.write(kind, key, _stored(run), **about, parameters=record.parameters)

    def _forget(self, proof: str | None, done: str | None) -> None:
        for kind, key in ((RUN, proof), (DONE, done)):
            if key:
                self.cache.drop(kind, key)

    def _done_key(self, tried: Attempt, choice: KernelChoice) -> str | None:
        """What a batch knows a run by that nothing can prove, or that changes files beside those of git.

        It is of the same source, parameters, settings, tracked files and packages. What else it hangs on is not
        known, and taken to be the same by who asks to go on.
        """
        if not self._batch or tried.options.prepare_only or tried.config.execute.secrets:
            return None
        found = installed(choice, tried.environment)
        return digest("done", {**self._facts(tried, choice, found, self._around()), "files": None})

    def question(self, tried: Attempt, choice: KernelChoice) -> Question:
        """What a run hangs on now."""
        around = self._around()
        shut_in = tried.sandbox is not None and not tried.config.execute.network
        why = why_not_known(tried.source, tried.config, is_shut_in=shut_in)
        why = why or around.why_unknown(tried.source, tried.config)
        if why is not None:
            return Question(None, why)
        if not (tried.config.cache.max_size and tried.config.cache.max_age):
            return Question(None, "nothing is to be kept of it: cache.max-size or cache.max-age is 0")
        if tried.options.prepare_only:
            return Question(None, "nothing is run")
        found = installed(choice, tried.environment)
        if found.sha256 is None:
            return Question(None, f"what is installed for {choice.name} is not known")
        facts = self._facts(tried, choice, found, around)
        return Question(digest(facts), facts=facts)

    def _facts(self, tried: Attempt, choice: KernelChoice, has: Installed, around: Surroundings) -> dict[str, Any]:
        environment = {name: value for name, value in tried.environment.items() if name not in _PASSING}
        # Where the repository's own code goes first on the path, the path names the worktree.
        spec = json.dumps(dict(choice.spec), sort_keys=True, default=str).replace(str(tried.root.absolute()), "<repo>")
        secret = hmac.new(self.cache.salt, json.dumps([environment, spec], sort_keys=True).encode(), "sha256")
        return {
            "run_key": key_of(tried.source, tried.config, around.tracked, tried.parameters),
            "notebook": tried.path,
            "files": digest(around.of_run(tried.source, tried.config)),
            "installed": has.sha256,
            "environment": secret.hexdigest(),
            "engine": tried.options.engine,
            "skips": tried.options.validating,
            "sandboxed": tried.sandbox is not None,
            "nbpr": _versions(),
        }

    def _around(self) -> Surroundings:
        with self._lock:
            if self._seen is None or self._running:
                self._seen = self._look()
            return self._seen

    # -- judgements ----------------------------------------------------------------------------------------

    def verdicts(self, *parts: Any, made: Callable[[], list[CellVerdict]]) -> list[CellVerdict]:
        """nbval's verdicts on what `parts` are, from the cache or `made`; only those that all passed are kept."""
        known = self.known_verdicts(*parts)
        return self.judged(made(), *parts) if known is None else known

    def known_verdicts(self, *parts: Any) -> list[CellVerdict] | None:
        """nbval's verdicts on what `parts` are, if they are known."""
        found = self.cache.read(VERDICTS, _judging(parts)) if self._reads else None
        return None if found is None else [CellVerdict(**each) for each in found["cells"]]

    def judged(self, verdicts: list[CellVerdict], *parts: Any) -> list[CellVerdict]:
        """The verdicts, kept if all passed; kept ones are forgotten if not."""
        if all(each.verdict != "failed" for each in verdicts):
            self.cache.write(VERDICTS, _judging(parts), {"cells": [vars(each) for each in verdicts]})
        else:
            self.cache.drop(VERDICTS, _judging(parts))
        return verdicts

    def sound(self, path: str, data: bytes, made: Callable[[], Iterable[Finding]]) -> list[Finding]:
        """The findings of a check of a file alone, from the cache or `made`; only those without an error are kept."""
        key = digest("format", _versions(), path, data)
        found = self.cache.read(FORMAT, key) if self._reads else None
        if found is not None:
            return [Finding(**each) for each in found["findings"]]
        findings = list(made())
        if verdict(findings) == "passed":
            self.cache.write(FORMAT, key, {"findings": [each.as_json() for each in findings]})
        return findings


def _judging(parts: tuple[Any, ...]) -> str:
    return digest("verdicts", _versions(), *parts)


@lru_cache(maxsize=1)
def _versions() -> tuple[str, ...]:
    return (__version__, platform.python_version(), *map(_version, _OURS))


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "none"


# -- a run as it is kept -----------------------------------------------------------------------------------


def _stored(run: Run) -> dict[str, Any]:
    return {
        "record": {**run.record.as_json(), "output": None},
        "executed": run.executed,
        "patterns": [[pattern.pattern, pattern.flags, word] for pattern, word in run.patterns],
        "is_reference": run.is_reference,
        "notes": list(run.notes),
    }


def _restored(found: Mapping[str, Any], tried: Attempt, key: str | None) -> Run | None:
    """The run, of the notebook as it is now: what is not code may have changed since."""
    told = dict(found["record"])
    if told["status"] != "success":
        return None
    environment = told["environment"] and Environment(**told["environment"])
    cut = tuple((each["index"], each["characters"]) for each in told["cut"])
    record = RunRecord(**{**told, "environment": environment, "cut": cut, "cached": True})
    executed = reference.markdown_taken_over(found["executed"], tried.source)
    return Run(
        record=record,
        executed=executed,
        config=tried.config,
        patterns=[*_patterns(found["patterns"]), *tried.patterns(environment)],
        is_reference=found["is_reference"],
        notes=tuple(found["notes"]),
        proof=key,
    )


def _done_before(why: str | None) -> str:
    """That a run was taken which is no proof, and why it is none."""
    return f"done before, and not proven: {why or 'it changes files that lie about it'}"


def _patterns(kept: Iterable[tuple[str, int, str]]) -> list[tuple[re.Pattern[str], str]]:
    return [(re.compile(pattern, flags & ~re.UNICODE), word) for pattern, flags, word in kept]


def compared(expected: Mapping[str, Any], ran: Mapping[str, Any], sanitize_with: Path | None) -> tuple[Any, ...]:
    """What nbval's verdicts on a run hang on: the code cells of both sides, and the sanitize file."""
    sides = ([cell for cell in run["cells"] if cell["cell_type"] == "code"] for run in (expected, ran))
    return (*(json.dumps(cells, sort_keys=True) for cells in sides), file_digest(sanitize_with))


def when(run: Run) -> list[str]:
    """When a run was made that was not made now, for a note."""
    if not run.record.cached:
        return []
    return [f"proven before: it ran {run.record.started[:19].replace('T', ' ')} UTC (--no-cache runs it again)"]


def file_digest(place: Path | None) -> str | None:
    """The digest of a file's bytes; None where there is none."""
    return digest(place.read_bytes()) if place is not None and place.is_file() else None
