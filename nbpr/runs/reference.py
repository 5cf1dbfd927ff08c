"""Reference runs: the executed copy of a notebook that is committed, the same bytes for the same run.

It is the cleaned notebook with the outputs of its code cells, where nothing tells when, where or by whom it was run.
What it was run from stands in its metadata, so that a run alone says whether it is of a given notebook.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from nbpr.config import Config
from nbpr.errors import BadInput
from nbpr.notebooks import jsontext, notebook
from nbpr.notebooks.cell import Cell, source_lines
from nbpr.notebooks.markers import markers
from nbpr.notebooks.notebook import INJECTED, Notebook
from nbpr.runs import outputs
from nbpr.runs.outputs import Output, Patterns

#: Where a run keeps what it was made from, in the notebook's metadata.
OWN = "nbpr"
#: The metadata of a cell of which not all outputs are in the run: why that is.
LEFT_OUT = "nbpr-left-out"
#: The tag of a cell whose outputs never enter a reference run.
PRIVATE = "nbpr-private"
#: Left out of run paths, so that `notebooks/a.ipynb` and its run have names alike.
_LEFT_OUT = "notebooks/"

#: Metadata that only a run writes, or that holds the random ids of one.
_OF_RUNS = ("papermill", "execution", "widgets", "nbpr-left-out")


# -- where -------------------------------------------------------------------------------------------------


def is_run(path: str, config: Config) -> bool:
    """Whether a path (POSIX, from the root) is one of a run."""
    return path.startswith(config.runs.rstrip("/") + "/") and path.endswith(".ipynb")


def run_path(path: str, config: Config) -> str:
    """The path of a notebook's reference run. Raises `BadInput` for what is a run itself."""
    if is_run(path, config):
        raise BadInput(f"{path}: is a run", hint="name the notebook that it is a run of")
    return f"{config.runs.rstrip('/')}/{path.removeprefix(_LEFT_OUT)}"


def other_run_path(path: str, config: Config, run_id: str) -> str:
    """The path of a run that is nobody's reference: one with other parameters, or one that failed."""
    return f"{run_path(path, config).removesuffix('.ipynb')}.runs/{run_id}.ipynb"


def run_paths(paths: Iterable[str], config: Config) -> dict[str, str]:
    """Each notebook's reference run. Raises `BadInput` if two of them would share one."""
    found: dict[str, str] = {}
    for path in dict.fromkeys(paths):
        run = run_path(path, config)
        other = next((known for known, its in found.items() if its == run), None)
        if other is not None:
            raise BadInput(f"{other} and {path} would share the run {run}", hint="rename one of them")
        found[path] = run
    return found


# -- making ------------------------------------------------------------------------------------------------


def reference(
    executed: Mapping[str, Any],
    *,
    source_sha256: str,
    parameters: Mapping[str, Any],
    patterns: Patterns,
    config: Config,
) -> dict[str, Any]:
    """The reference run of an executed notebook: the same for the same run, wherever it ran.

    `patterns` are those of `outputs.patterns`; `config` says which outputs are kept. A cell whose outputs were
    all left out has no execution count, which is how nbval knows that there is nothing to compare.
    """
    own = {"parameters": dict(parameters), "source_sha256": source_sha256}
    metadata = {**_without_state(executed.get("metadata")), OWN: own}
    cells = [_cell(cell, patterns, config) for cell in executed["cells"]]
    return {**executed, "metadata": metadata, "cells": _fitting(cells, config.max_run)}


def _without_state(metadata: Any) -> dict[str, Any]:
    found = metadata if isinstance(metadata, Mapping) else {}
    return {key: value for key, value in found.items() if key not in _OF_RUNS}


def _cell(cell: Mapping[str, Any], patterns: Patterns, config: Config) -> dict[str, Any]:
    made = {**cell, "metadata": _without_state(cell.get("metadata"))}
    if cell.get("cell_type") != "code":
        return made
    known = Cell(made)
    settled = outputs.settle(known.outputs, patterns)
    checked, private = bool(markers(known.source, known.tags).check), PRIVATE in known.tags
    kept = outputs.keep(settled, config.outputs, checked=checked, private=private)
    made |= {"outputs": outputs.cap(kept, config.max_output), "execution_count": cell.get("execution_count")}
    if len(kept) < len(settled):
        made["metadata"][LEFT_OUT] = "private" if private else f'outputs = "{config.outputs}"'
        made["execution_count"] = made["execution_count"] if kept else None
    return made


def _fitting(cells: list[dict[str, Any]], most: int) -> list[dict[str, Any]]:
    """The cells with so many of their largest outputs shortened that all outputs together have `most` bytes."""
    sizes = {
        (at, which): outputs.size_of(output)
        for at, cell in enumerate(cells)
        for which, output in enumerate(cell.get("outputs", ()))
    }
    total = sum(sizes.values())
    for (at, which), size in sorted(sizes.items(), key=lambda item: (-item[1], item[0])):
        if total <= most:
            break
        shown: list[Output] = list(cells[at]["outputs"])
        shown[which] = outputs.shortened(shown[which])
        total += outputs.size_of(shown[which]) - size
        cells[at] = {**cells[at], "outputs": shown}
    return cells


def to_bytes(run: Mapping[str, Any]) -> bytes:
    """A run's file, as nbformat writes notebooks: sorted keys, one space of indent, texts as lists of lines."""
    written = {**run, "cells": [_in_lines(cell) for cell in run["cells"]]}
    text = json.dumps(written, ensure_ascii=False, indent=1, sort_keys=True)
    return (jsontext.escape_surrogates(text) + "\n").encode()


def _in_lines(cell: Mapping[str, Any]) -> dict[str, Any]:
    made = {**cell, "source": source_lines(Cell(dict(cell)).source)}
    if "outputs" in made:
        made["outputs"] = [_output_in_lines(output) for output in made["outputs"]]
    return made


def _output_in_lines(output: Output) -> Output:
    if output.get("output_type") == "stream":
        return {**output, "text": source_lines(outputs.text_of(output.get("text", "")))}
    if "data" not in output:
        return output
    return {**output, "data": {mime: _value_in_lines(mime, value) for mime, value in output["data"].items()}}


def _value_in_lines(mime: str, value: Any) -> Any:
    splits = mime.startswith("text/") or mime in ("application/javascript", "image/svg+xml")
    return source_lines(value) if splits and isinstance(value, str) else value


# -- reading -----------------------------------------------------------------------------------------------


def load(data: bytes, name: str) -> dict[str, Any]:
    """The run that a file holds. Raises `BadInput` if it is no notebook."""
    return notebook.parse(data, name).as_json()


def readable(data: bytes, name: str) -> dict[str, Any] | None:
    """The run that a file holds; None if it is none, which is as if there were no run."""
    try:
        return load(data, name)
    except BadInput:
        return None


def parameters_of(run: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters that a run was made with."""
    found = _own(run).get("parameters")
    return dict(found) if isinstance(found, Mapping) else {}


def _own(run: Mapping[str, Any]) -> Mapping[str, Any]:
    metadata = run.get("metadata")
    own = metadata.get(OWN) if isinstance(metadata, Mapping) else None
    return own if isinstance(own, Mapping) else {}


def in_step(run: Mapping[str, Any], of: Notebook, parameters: Mapping[str, Any]) -> bool:
    """Whether a run is of this notebook's code with these parameters.

    Decided from the run alone: what it says it was made from, and that its own cells are still that. Tags count,
    since they decide what runs, what may raise and what is kept.
    """
    told, sha = _own(run), notebook.source_sha256(of)
    if told.get("source_sha256") != sha or not _same(parameters_of(run), parameters):
        return False
    own = as_notebook(run, of.name)
    tags = [[cell.tags for cell in _code(side)] for side in (own, of)]
    return notebook.source_sha256(own) == sha and tags[0] == tags[1]


def as_notebook(run: Mapping[str, Any], name: str) -> Notebook:
    """A run, or any plain notebook, as a `Notebook`."""
    top = {key: value for key, value in run.items() if key != "cells"}
    return Notebook(name, top, tuple(Cell(cell) for cell in run["cells"]))


def _same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two sets of parameters are the same in a file: 1 is not 1.0, and true is not 1."""
    return json.dumps(one, sort_keys=True, default=str) == json.dumps(other, sort_keys=True, default=str)


def _code(of: Notebook) -> Iterator[Cell]:
    return (cell for cell in of.cells if cell.is_code and INJECTED not in cell.tags)


def markdown_taken_over(run: Mapping[str, Any], of: Notebook) -> dict[str, Any]:
    """The reference run of a notebook whose code `run` is of (`in_step`), made without running it.

    What is not code is the notebook's, outputs are the run's; the same as a new run would give.
    """
    ran = as_notebook(run, of.name)
    metadata = {**_without_state(of.metadata), OWN: dict(_own(run))}
    return {**of.data, "metadata": metadata, "cells": list(_taken_over(ran, of.with_ids()))}


def _taken_over(ran: Notebook, of: Notebook) -> Iterator[dict[str, Any]]:
    done = iter(list(_code(ran)))
    injected = [cell.data for cell in ran.cells if cell.is_code and INJECTED in cell.tags]
    # papermill puts its cell in the place of an earlier one, else after the parameters cell, else at the top.
    has_own = any(INJECTED in cell.tags for cell in of.cells)
    after = None if has_own else of.parameters_cell
    if not has_own and after is None:
        yield from injected
    for cell in of.cells:
        if cell.is_code and INJECTED in cell.tags:
            yield from injected
            continue
        made = {**cell.data, "metadata": _without_state(cell.metadata)}
        if cell.is_code:
            old = next(done)
            left_out = {key: value for key, value in old.metadata.items() if key == LEFT_OUT}
            made |= {
                "outputs": old.outputs,
                "execution_count": old.data.get("execution_count"),
                "metadata": {**made["metadata"], **left_out},
            }
        yield made
        if cell is after:
            yield from injected
