"""Cleaning: outputs and run state taken out of a notebook, everything else left as it stands.

The same JSON as nbstripout with its default options and `--keep-id` gives, and besides that without what
papermill and hosted notebooks record of a run. Works on the notebook as it was read, whatever nbformat's
schema says of it: a member that is not there is not invented, one that is malformed stops nothing.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from nbpr.notebooks.notebook import Cell, Notebook
from nbpr.notebooks.runstate import CLEANED_KEYS

if TYPE_CHECKING:
    from nbpr.config import Config


@dataclass(frozen=True)
class Options:
    """What to keep and what else to drop, under nbstripout's names and with its defaults.

    `keep_output` None leaves it to the notebook's own `metadata.keep_output`. Keys are written
    `metadata.a.b` for the notebook's metadata and `cell.metadata.a` for the cells'. An output type is
    `error`, or `stream:stderr` with a name. Outputs of up to `max_size` characters are kept.
    `unix_newlines` is for those who write the bytes: the line ends of the file become plain newlines.
    """

    keep_output: bool | None = None
    keep_output_tags: tuple[str, ...] = ("keep_output",)
    keep_count: bool = False
    extra_keys: tuple[str, ...] = ()
    keep_metadata_keys: tuple[str, ...] = ()
    drop_empty_cells: bool = False
    drop_tagged_cells: tuple[str, ...] = ()
    strip_init_cells: bool = False
    drop_output_types: tuple[str, ...] = ()
    keep_output_types: tuple[str, ...] = ()
    max_size: int = 0
    unix_newlines: bool = False

    @cached_property
    def notebook_keys(self) -> tuple[str, ...]:
        """The keys that go from the notebook's metadata, without their `metadata.`."""
        return self._keys("metadata.")

    @cached_property
    def cell_keys(self) -> tuple[str, ...]:
        """The keys that go from each cell, without their `cell.`."""
        return self._keys("cell.")

    @cached_property
    def cell_names(self) -> tuple[frozenset[str], frozenset[str]]:
        """What a cell, and what its metadata, must have one of for any key to go from it."""
        inner = [key.removeprefix("metadata.") for key in self.cell_keys if key.startswith("metadata.")]
        outer = [key.partition(".")[0] for key in self.cell_keys if not key.startswith("metadata.")]
        return frozenset([*self.cell_keys, *outer]), frozenset([*inner, *(key.partition(".")[0] for key in inner)])

    def _keys(self, space: str) -> tuple[str, ...]:
        keys = (*CLEANED_KEYS, *self.extra_keys)
        kept = self.keep_metadata_keys
        return tuple(key.removeprefix(space) for key in keys if key.startswith(space) and key not in kept)


DEFAULT = Options()


def options_for(config: Config, path: str | None = None) -> Options:
    """How notebooks are cleaned for a commit as the repository has it set; `path` is that of one, from its root."""
    wanted = (config if path is None else config.for_notebook(path)).clean
    return Options(
        keep_output_tags=wanted.keep_output,
        keep_count=wanted.keep_count,
        extra_keys=wanted.extra_keys,
        keep_metadata_keys=wanted.keep_metadata_keys,
        drop_empty_cells=wanted.drop_empty_cells,
        drop_tagged_cells=wanted.drop_tagged_cells,
        max_size=wanted.max_size,
    )


def clean(notebook: Notebook, options: Options = DEFAULT) -> Notebook:
    """The notebook without outputs and run state; the very same object if there are none.

    Cleaning twice is cleaning once, and every byte that is not cleaned stays. Never fails.
    """
    keep = keeps_by_default(notebook, options)
    cells = [_cleaned(cell, options, keep) for cell in notebook.cells if not _dropped(cell.data, options)]
    if not _same_items(cells, notebook.cells):
        notebook = notebook.with_cells(cells)
    metadata = clean_metadata(notebook, options)
    return notebook if metadata is notebook.data.get("metadata") else notebook.with_metadata(metadata)


def is_clean(notebook: Notebook, options: Options = DEFAULT) -> bool:
    """Whether cleaning would change nothing."""
    return clean(notebook, options) is notebook


def clean_worksheets(top: dict[str, Any], options: Options = DEFAULT) -> dict[str, Any]:
    """The JSON of a notebook from before version 4, whose cells stand in worksheets, cleaned likewise."""
    keep = _keeps(top.get("metadata"), options)
    sheets = [_clean_sheet(sheet, options, keep) for sheet in top["worksheets"]]
    cleaned = {"metadata": _without_all(top.get("metadata"), options.notebook_keys), "worksheets": sheets}
    if _same_items(sheets, top["worksheets"]):
        cleaned["worksheets"] = top["worksheets"]
    changed = {key: value for key, value in cleaned.items() if key in top and value is not top[key]}
    return {**top, **changed} if changed else top


def clean_versionless(top: dict[str, Any], options: Options = DEFAULT) -> dict[str, Any]:
    """The JSON of a notebook that does not say its version, cleaned likewise."""
    sheet: dict[str, Any] = _clean_sheet(top, options, _keeps(top.get("metadata"), options))
    metadata = _without_all(top.get("metadata"), options.notebook_keys)
    return sheet if metadata is top.get("metadata") else {**sheet, "metadata": metadata}


def _clean_sheet(sheet: Any, options: Options, keep: bool) -> Any:
    cells = sheet.get("cells") if isinstance(sheet, Mapping) else None
    if not isinstance(cells, list):
        return sheet
    kept = [
        clean_cell(cell, options, keep) if isinstance(cell, dict) else cell
        for cell in cells
        if not isinstance(cell, Mapping) or not _dropped(cell, options)
    ]
    return sheet if _same_items(kept, cells) else {**sheet, "cells": kept}


def clean_metadata(notebook: Notebook, options: Options = DEFAULT) -> Any:
    """The notebook's own metadata without run state, the very same object if there is none."""
    return _without_all(notebook.data.get("metadata"), options.notebook_keys)


def keeps_by_default(notebook: Notebook, options: Options = DEFAULT) -> bool:
    """Whether outputs are kept in cells that do not say themselves: as the options say, else the notebook."""
    return _keeps(notebook.data.get("metadata"), options)


def _keeps(metadata: Any, options: Options) -> bool:
    if options.keep_output is None and isinstance(metadata, Mapping):
        return bool(metadata.get("keep_output", False))
    return bool(options.keep_output)


def clean_cell(cell: dict[str, Any], options: Options = DEFAULT, keep: bool = False) -> dict[str, Any]:
    """One cell's JSON without outputs and run state, the very same object if there are none.

    `keep` says whether outputs are kept where the cell itself says nothing.
    """
    changes: dict[str, Any] = {}
    if "outputs" in cell:
        changes["outputs"] = _outputs(cell["outputs"], options, _keeps_output(cell, options, keep))
    if not options.keep_count:
        # prompt_number is version 3's name for it, which some tools still write.
        changes |= {name: None for name in ("execution_count", "prompt_number") if name in cell}
    if any(cell[name] is not value for name, value in changes.items()):
        cell = {**cell, **changes}
    outer, inner = options.cell_names
    metadata = cell.get("metadata")
    if outer.isdisjoint(cell) and not (isinstance(metadata, dict) and not inner.isdisjoint(metadata)):
        return cell
    without: dict[str, Any] = _without_all(cell, options.cell_keys)
    return without


def _cleaned(cell: Cell, options: Options, keep: bool) -> Cell:
    data = clean_cell(cell.data, options, keep)
    return cell if data is cell.data else replace(cell, data=data)


def _same_items(some: Sequence[Any], others: Sequence[Any]) -> bool:
    """Whether these are the very same objects in the same order."""
    return len(some) == len(others) and all(map(operator.is_, some, others))


def _keeps_output(cell: Mapping[str, Any], options: Options, default: bool) -> bool:
    """What the cell says about its outputs, else `default`.

    Where `keep_output` is false and the tag says otherwise, on which nbstripout gives up, false goes first:
    better an output too few in a commit than one that somebody did not want there.
    """
    metadata = cell.get("metadata")
    if not isinstance(metadata, Mapping):
        return default
    if "init_cell" in metadata:
        return bool(metadata["init_cell"]) and not options.strip_init_cells
    if "keep_output" in metadata:
        return bool(metadata["keep_output"])
    return default or _has_tag(cell, options.keep_output_tags)


def _has_tag(cell: Mapping[str, Any], wanted: Sequence[str]) -> bool:
    metadata = cell.get("metadata")
    tags = metadata.get("tags") if isinstance(metadata, Mapping) else None
    return isinstance(tags, list) and any(tag in wanted for tag in tags)


def _dropped(cell: Mapping[str, Any], options: Options) -> bool:
    if options.drop_empty_cells and not any(line.strip() for line in _lines(cell.get("source"))):
        return True
    return bool(options.drop_tagged_cells) and _has_tag(cell, options.drop_tagged_cells)


def _lines(source: Any) -> Sequence[str]:
    if isinstance(source, list):
        return [line for line in source if isinstance(line, str)]
    return [source] if isinstance(source, str) else []


def _outputs(outputs: Any, options: Options, keep: bool) -> Any:
    """The outputs that stay; the very same list if all do."""
    if not isinstance(outputs, list):
        return outputs if keep else []
    # Counts go first: None is longer than most of them, and an output that stays must stay the next time too.
    uncounted = [_uncounted(output, options) for output in outputs]
    kept = [output for output in uncounted if _stays(output, options, keep)]
    return outputs if _same_items(kept, outputs) else kept


def _stays(output: Any, options: Options, keep: bool) -> bool:
    if any(_matches(output, wanted) for wanted in options.drop_output_types):
        return False
    if keep and not options.keep_output_types:
        return True
    chosen = any(_matches(output, wanted) for wanted in options.keep_output_types)
    if chosen or (not options.max_size and _has_type(output)):
        return chosen
    return size_of(output) <= options.max_size


def _has_type(output: Any) -> bool:
    """Whether an output names its type, so that it has some characters, whatever else there is in it."""
    kind = output.get("output_type") if isinstance(output, dict) else None
    return isinstance(kind, str) and bool(kind)


def _matches(output: Any, wanted: str) -> bool:
    if not isinstance(output, Mapping):
        return False
    kind, _, name = wanted.partition(":")
    return output.get("output_type") == kind and (not name or output.get("name") == name)


def _uncounted(output: Any, options: Options) -> Any:
    if options.keep_count or not isinstance(output, Mapping) or output.get("execution_count") is None:
        return output
    return {**output, "execution_count": None}


def size_of(value: Any) -> int:
    """The characters in a value, keys not counted, as nbstripout's `--max-size` counts them."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, Mapping):
        return sum(map(size_of, value.values()))
    if isinstance(value, list):
        return sum(map(size_of, value))
    return len(str(value))


def _without_all(value: Any, keys: Sequence[str]) -> Any:
    for key in keys:
        value = _without(value, key)
    return value


def _without(value: Any, key: str) -> Any:
    """The object without a key that may be nested (`a.b`); the very same one if it is not there."""
    if not isinstance(value, Mapping):
        return value
    if key in value:
        return {name: item for name, item in value.items() if name != key}
    head, dot, tail = key.partition(".")
    if not dot or head not in value:
        return value
    inner = _without(value[head], tail)
    return value if inner is value[head] else {**value, head: inner}
