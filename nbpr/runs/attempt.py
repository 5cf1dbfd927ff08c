"""An attempt: one notebook about to be run under its settings, and the run that it becomes."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from nbpr import process, redaction
from nbpr.config import Config
from nbpr.engines import Executed, Request
from nbpr.engines.execution import Partial
from nbpr.errors import BadInput
from nbpr.notebooks import notebook, scraps
from nbpr.notebooks.notebook import Notebook
from nbpr.notebooks.parameters import inspect
from nbpr.redaction import MASK
from nbpr.runs import interpreters, outputs, sandbox
from nbpr.runs.interpreters import Environment, KernelChoice, NoKernel
from nbpr.runs.record import Run, RunRecord
from nbpr.runs.runkey import key_of
from nbpr.runs.sandbox import Sandbox
from nbpr.storage import is_remote


@dataclass(frozen=True)
class Options:
    """How a run is done, besides what is configured. None of `parameters` means the configured ones.

    `checkout` is the user's checkout where the run is in a worktree; `files` are the tracked files with their blob
    ids, for the run key.
    """

    parameters: Mapping[str, Any] | None = None
    checkout: Path | None = None
    files: Mapping[str, str] = field(default_factory=dict)
    engine: str = "papermill"
    prepare_only: bool = False
    validating: bool = True
    partial: Callable[[str], Partial] | None = None


def check_parameters(source: Notebook, given: Mapping[str, Any]) -> None:
    """Raises `BadInput` for a parameter that is given and that the notebook's parameters cell does not assign.

    Where there is no parameters cell, papermill puts them on top, and nothing is known of what is right.
    """
    if not given or source.parameters_cell is None or source.language != "python":
        return
    known = [parameter.name for parameter in inspect(source)]
    unknown = [name for name in given if name not in known]
    if unknown:
        there = ", ".join(known) or "none"
        raise BadInput(f"{source.name}: no parameter {unknown[0]!r}; the parameters cell assigns: {there}")


def check_limits(config: Config) -> None:
    """Raises `BadInput` for a limit that is asked for and cannot be kept here: better no run than one without it."""
    if config.execute.memory and sys.platform != "linux":
        raise BadInput(
            "execute.memory can be kept on Linux only", hint="leave it out, and limit the whole command (ulimit -v)"
        )
    sandbox.wanted(config.execute.sandbox)


def secrets_of(wanted: Sequence[str], environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The parameters that `NAME=env:VARIABLE` name, with their values, which are kept out of all that is said.

    Raises `BadInput` for a variable that is not set, one that holds a forge's token, and a value that is too short to
    be told from ordinary text: it could not be kept out of the outputs.
    """
    found = dict(_secret(each, environ) for each in wanted)
    if found:
        # The variables stand in our own environment, where a kernel of the same user could read them.
        process.guard()
        redaction.know(*found.values())
    return found


def _secret(wanted: str, environ: Mapping[str, str]) -> tuple[str, str]:
    name, _, place = wanted.partition("=")
    kind, _, variable = place.partition(":")
    if not name.isidentifier() or kind != "env" or not variable:
        raise BadInput(f"--secret {name}: NAME=env:VARIABLE is wanted", hint="--secret api_key=env:API_KEY")
    if variable in process.TOKEN_VARIABLES:
        raise BadInput(f"--secret {name}: {variable} is a forge's token, which no kernel gets")
    value = environ.get(variable, "")
    if not value:
        raise BadInput(f"--secret {name}: the variable {variable} is not set")
    if any(len(line.strip()) < redaction.SHORTEST for line in value.splitlines()):
        raise BadInput(f"--secret {name}: too short to be kept out of outputs: {redaction.SHORTEST} characters a line")
    return name, value


@dataclass(frozen=True)
class Attempt:
    """One notebook, `source`, which lies at `path` (POSIX) below `root`, to be run with `parameters`."""

    source: Notebook
    path: str
    root: Path
    config: Config
    options: Options
    parameters: Mapping[str, Any]
    run_id: str = field(default_factory=lambda: f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}")

    @property
    def checkout(self) -> Path:
        """The user's checkout: `root`, unless that is a worktree."""
        return self.options.checkout or self.root

    @property
    def folder(self) -> str:
        """The folder that it lies in, from the root; one in a storage is run at the root."""
        return "." if is_remote(self.path) else str(Path(self.path).parent)

    @cached_property
    def environment(self) -> dict[str, str]:
        """What its kernel gets to know of our environment."""
        return process.kernel_environment(self.config.execute.env)

    def choose(self) -> KernelChoice:
        """The kernel that it runs with. Raises `BadInput` and `NoKernel`."""
        return interpreters.choose(
            self.checkout / self.folder,
            self.checkout,
            kernel=self.source.kernel,
            language=self.source.language,
            execute=self.config.execute,
            root=self.root,
            environment=self.environment,
        )

    def request(self, kernel: KernelChoice) -> Request:
        """What the engine is asked for."""
        limits = self.config.execute
        return Request(
            source=self.source.as_json(),
            cwd=self.root if self.config.cwd == "repository" else self.root / self.folder,
            kernel=kernel,
            parameters=self.parameters,
            environment=self.environment,
            timeout=limits.timeout,
            cell_timeout=limits.cell_timeout,
            startup_timeout=limits.startup_timeout,
            leave_out_skipped=self.options.validating,
            prepare_only=self.options.prepare_only,
            run_id=self.run_id,
            memory=limits.memory,
            processes=limits.processes,
            max_output=limits.max_output,
            max_run=limits.max_run,
            sandbox=self.sandbox,
            secrets=self.secrets,
            partial=self.options.partial(self.run_id) if self.options.partial else None,
        )

    @cached_property
    def secrets(self) -> dict[str, str]:
        """Its secret parameters. Raises `BadInput` for one that is not there."""
        return secrets_of(self.config.execute.secrets)

    @property
    def sandbox(self) -> Sandbox | None:
        """The sandbox that its kernel runs in, if it does."""
        limits = self.config.execute
        if not sandbox.wanted(limits.sandbox):
            return None
        links = (_fixed_part(pattern) for pattern in self.config.link)
        readable = (*links, *(str(Path(place).expanduser()) for place in limits.readable))
        return Sandbox(self.root, self.checkout, tuple(self.checkout / place for place in readable), limits.network)

    @property
    def shown_parameters(self) -> dict[str, Any]:
        """Its parameters as they may be shown: a mask for each that is a secret."""
        return {**self.parameters, **dict.fromkeys(self.secrets, MASK)}

    def run(self, executed: Executed, choice: KernelChoice | None, environment: Environment | None) -> Run:
        """The run that came of it."""
        record = RunRecord(
            status=executed.status,
            reason=executed.reason,
            message=executed.message,
            duration_seconds=executed.duration_seconds,
            cells_executed=executed.cells_executed,
            failed_cell=executed.failed_cell,
            scraps=scraps.values(executed.notebook),
            run_id=self.run_id,
            run_key=key_of(self.source, self.config, self.options.files, self.shown_parameters),
            notebook=self.path,
            source_sha256=notebook.source_sha256(self.source),
            output=None,
            parameters=self.shown_parameters,
            engine=self.options.engine,
            kernel=choice.name if choice else self.source.kernel,
            environment=environment,
            started=executed.started,
            finished=executed.finished,
            cut=executed.cut,
        )
        return Run(
            record=record,
            executed=executed.notebook,
            config=self.config,
            patterns=self.patterns(environment),
            is_reference=executed.status == "success" and not self.options.prepare_only and self.is_configured,
            notes=(*(choice.notes if choice else ()), *_cuts(executed)),
        )

    def without_kernel(self, error: NoKernel) -> Run:
        """The run that it becomes where there is no kernel for it."""
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        message = f"{error.message} ({error.hint})"
        nothing = Executed("error", "no-kernel", message, None, self.source.as_json(), 0, 0.0, now, now)
        return self.run(nothing, None, None)

    @property
    def is_configured(self) -> bool:
        """Whether it is made as reference runs are: configured parameters, and cells left out as nbval does."""
        return self.options.validating and self.parameters == self.config.parameters

    def patterns(self, environment: Environment | None) -> outputs.Patterns:
        """What of its outputs tells where it ran, and what stands for it."""
        folders = environment.folders if environment else {}
        places = {self.root: "<repo>", self.checkout: "<repo>", Path.home(): outputs.HOME}
        return outputs.patterns([*folders.items(), *places.items()])


def _fixed_part(pattern: str) -> str:
    """The folder below which everything lies that a glob can name."""
    parts = Path(pattern).parts
    fixed = next((place for place, part in enumerate(parts) if set(part) & set("*?[")), len(parts))
    return str(Path(*parts[:fixed]))


def _cuts(executed: Executed) -> tuple[str, ...]:
    """What a reader has to know of outputs that are not all there."""
    return tuple(
        f"cell {place}: {count:,} characters of its output are left out (execute.max-output)"
        for place, count in executed.cut
    )
