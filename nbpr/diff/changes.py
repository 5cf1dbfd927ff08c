"""What changed, as data: of a notebook, of its cells, and how much of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from nbpr.diff import cells
from nbpr.diff.lines import Line
from nbpr.diff.parameters import Assignment

Kind = Literal["added", "removed", "modified", "moved", "outputs", "unchanged"]
Status = Literal["added", "deleted", "modified", "unchanged"]


@dataclass(frozen=True)
class Detail:
    """A change that is neither source nor output: "tags", "cell_type", "metadata.x"; None is "not there"."""

    name: str
    before: Any
    after: Any


@dataclass(frozen=True)
class CellChange:
    """One cell before and after; None where it is not there. `before` and `after` are plain JSON.

    The kind is the gravest that applies: a cell that was edited and moved is `modified`, with `moved` set.
    `outputs` is a cell of which nothing but outputs or execution counts changed; `outputs_changed` says whether its
    results did, `outputs_noise` that they differ in noise alone (times taken, addresses, random ids). Outputs are
    None where none are known, as for a notebook that has not been run; without a change there are no `output_lines`.
    """

    kind: Kind
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    index_before: int | None
    index_after: int | None
    source_lines: tuple[Line, ...]
    outputs_before: list[Any] | None
    outputs_after: list[Any] | None
    output_lines: tuple[Line, ...]
    outputs_changed: bool
    moved: bool
    details: tuple[Detail, ...]
    outputs_noise: bool = False

    @property
    def cell(self) -> dict[str, Any]:
        """The cell as it is now, or as it was last."""
        return self.after if self.after is not None else self.before or {}

    @property
    def id(self) -> str | None:
        """The cell's id, if it has one."""
        return cells.identity(self.cell)

    @property
    def cell_type(self) -> str:
        """`code`, `markdown` or `raw`."""
        return str(self.cell.get("cell_type", "raw"))

    @property
    def is_parameters(self) -> bool:
        """Whether this is the parameters cell, which papermill reads."""
        return "parameters" in cells.tags(self.cell)

    @property
    def is_injected(self) -> bool:
        """Whether papermill wrote this cell."""
        return "injected-parameters" in cells.tags(self.cell)

    @property
    def source_changed(self) -> bool:
        """Whether a line of the source came or went."""
        return any(line.tag != " " for line in self.source_lines)


@dataclass(frozen=True)
class Summary:
    """How much changed. An edited cell that also moved counts in both; outputs count where both are known."""

    notebook: str
    cells_added: int
    cells_removed: int
    cells_modified: int
    cells_moved: int
    outputs_changed: int

    def as_json(self) -> dict[str, Any]:
        """`{"notebook", "cells_added", "cells_removed", "cells_modified", "cells_moved", "outputs_changed"}`."""
        return dict(vars(self))


@dataclass(frozen=True)
class NotebookDiff:
    """Everything that changed in one notebook. `diff` is nbdime's, from `before` to `after`.

    `path_before` is where it was before, if that is another place. `coarse`: so much differs that some of it is said
    to be replaced where it may have been edited.
    """

    path: str
    status: Status
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    diff: list[Any]
    cells: tuple[CellChange, ...]
    details: tuple[Detail, ...]
    parameters: tuple[Assignment, ...]
    path_before: str | None = None
    coarse: bool = False

    @cached_property
    def summary(self) -> Summary:
        """The counts of what changed."""
        kinds = [change.kind for change in self.cells]
        return Summary(
            notebook=self.path,
            cells_added=kinds.count("added"),
            cells_removed=kinds.count("removed"),
            cells_modified=kinds.count("modified"),
            cells_moved=sum(change.moved for change in self.cells),
            outputs_changed=sum(change.outputs_changed for change in self.cells),
        )

    @property
    def differs(self) -> bool:
        """Whether there is anything to show: a change, or a new place."""
        return self.status != "unchanged" or self.path_before is not None

    @property
    def noisy(self) -> int:
        """How many cells' outputs differ in noise alone."""
        return sum(change.outputs_noise for change in self.cells)

    @property
    def ids_changed(self) -> int:
        """How many cells are what they were but for their id."""
        return sum(
            change.kind in ("unchanged", "outputs") and cells.identity(change.before) != cells.identity(change.after)
            for change in self.cells
        )

    @property
    def changed_cells(self) -> tuple[CellChange, ...]:
        """The cells of which something changed, in the notebook's order."""
        return tuple(change for change in self.cells if change.kind != "unchanged")
