"""An attempt: one notebook about to be run under its settings, and the run that it becomes."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from nbpr import interpreters, notebook, outputs, process, scraps
from nbpr.config import Config
from nbpr.engines import Executed, Request
from nbpr.errors import BadInput
from nbpr.interpreters import Environment, KernelChoice, NoKernel
from nbpr.notebook import Notebook
from nbpr.parameters import inspect
from nbpr.record import Run, RunRecord
from nbpr.runkey import key_of


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
    """Raises `BadInput` for a limit that is asked for and cannot be kept yet: better no run than one without it."""
    if config.execute.memory is not None:
        raise BadInput(
            "execute.memory cannot be kept yet", hint="leave it out, and limit the whole command (ulimit -v)"
        )
    if config.execute.sandbox == "bwrap":
        raise BadInput(
            'execute.sandbox = "bwrap" is not there yet', hint='use "auto" or "none", and a container around'
        )


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

    @cached_property
    def environment(self) -> dict[str, str]:
        """What its kernel gets to know of our environment."""
        return process.kernel_environment(self.config.execute.env)

    def choose(self) -> KernelChoice:
        """The kernel that it runs with. Raises `BadInput` and `NoKernel`."""
        return interpreters.choose(
            (self.checkout / self.path).parent,
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
            cwd=self.root if self.config.cwd == "repository" else (self.root / self.path).parent,
            kernel=kernel,
            parameters=self.parameters,
            environment=self.environment,
            timeout=limits.timeout,
            cell_timeout=limits.cell_timeout,
            startup_timeout=limits.startup_timeout,
            leave_out_skipped=self.options.validating,
            prepare_only=self.options.prepare_only,
            run_id=self.run_id,
        )

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
            run_key=key_of(self.source, self.config, self.options.files, self.parameters),
            notebook=self.path,
            source_sha256=notebook.source_sha256(self.source),
            output=None,
            parameters=self.parameters,
            engine=self.options.engine,
            kernel=choice.name if choice else self.source.kernel,
            environment=environment,
            started=executed.started,
            finished=executed.finished,
        )
        return Run(
            record=record,
            executed=executed.notebook,
            config=self.config,
            patterns=self.patterns(environment),
            is_reference=executed.status == "success" and not self.options.prepare_only and self.is_configured,
            notes=choice.notes if choice else (),
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
