"""A run and its record: what is known of one execution of one notebook."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any

from nbpr.config import Config
from nbpr.engines import FailedCell, Reason, Status
from nbpr.engines.filling import with_statuses
from nbpr.runs import outputs, reference
from nbpr.runs.interpreters import Environment
from nbpr.runs.reference import OWN


@dataclass(frozen=True)
class RunRecord:
    """What is known of a run. `as_json` is what is printed and cached."""

    status: Status
    reason: Reason | None
    message: str | None
    duration_seconds: float
    cells_executed: int
    failed_cell: FailedCell | None
    scraps: Mapping[str, Any]
    run_id: str
    run_key: str
    notebook: str
    source_sha256: str
    output: str | None
    parameters: Mapping[str, Any]
    engine: str
    kernel: str | None
    environment: Environment | None
    started: str
    finished: str
    cut: tuple[tuple[int, int], ...] = ()
    cached: bool = False

    def as_json(self) -> dict[str, Any]:
        """The record as plain JSON, in the order of the fields."""
        plain = {item.name: getattr(self, item.name) for item in fields(self)}
        plain |= {"scraps": dict(self.scraps), "parameters": dict(self.parameters)}
        plain["failed_cell"] = self.failed_cell and self.failed_cell.as_json()
        plain["cut"] = [{"index": place, "characters": count} for place, count in self.cut]
        plain["environment"] = self.environment and self.environment.as_json()
        return plain


@dataclass(frozen=True)
class Run:
    """A run: its record, the executed notebook with everything it put out, and what it would commit."""

    record: RunRecord
    executed: Mapping[str, Any]
    config: Config
    patterns: outputs.Patterns
    is_reference: bool
    notes: tuple[str, ...] = ()
    #: What it is known by in the cache, where it is kept there.
    proof: str | None = None

    @cached_property
    def reference(self) -> dict[str, Any]:
        """The run as it is committed and compared: the same for the same run."""
        return reference.reference(
            self.executed,
            source_sha256=self.record.source_sha256,
            parameters=self.record.parameters,
            patterns=self.patterns,
            config=self.config,
        )

    @cached_property
    def whole(self) -> dict[str, Any]:
        """The same with everything that it gave, whatever `outputs` lets into the committed one."""
        return replace(self, config=replace(self.config, outputs="all")).reference

    @cached_property
    def reference_bytes(self) -> bytes:
        """The bytes of `reference`."""
        return reference.to_bytes(self.reference)

    @property
    def whole_bytes(self) -> bytes:
        """Everything that it put out, and what it was made from."""
        own = {"parameters": dict(self.record.parameters), "source_sha256": self.record.source_sha256}
        metadata = {**self.executed.get("metadata", {}), OWN: own}
        failed = self.record.failed_cell
        cells = self.executed["cells"]
        if not self.went_well:
            cells = [*with_statuses(cells, (failed.index, failed.source) if failed else None)]
        return reference.to_bytes({**self.executed, "cells": cells, "metadata": metadata})

    @property
    def went_well(self) -> bool:
        """Whether every cell ran that should."""
        return self.record.status == "success"
