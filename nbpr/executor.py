"""The Python face: what agents' tools import. A thin layer over the same use cases as the command line."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nbpr.notebooks.notebook import Notebook


class NotebookExecutor:
    """Edit, run, validate and propose notebooks of one repository.

    `root` is any folder in it, by default the current one. Every method raises `nbpr.NbprError` and its kinds
    (`BadInput`, `Conflict`, …), whose `exit_code` is the command line's.
    """

    def __init__(self, root: str | Path | None = None) -> None:
        self._root = Path(root) if root is not None else None

    def propose(
        self,
        path: str | Path | Sequence[str | Path],
        edits: Sequence[Mapping[str, Any]] | None,
        title: str,
        **options: Any,
    ) -> dict[str, Any]:
        """Propose a change to one notebook or several; the object that `nbpr propose --json` prints.

        `edits` None takes the working copy. `options` are the fields of `nbpr.proposals.plans.Proposal`: `body`,
        `include`, `delete`, `agent`, `draft`, `labels`, `dry_run`, … and `branch`, `key`, `pull`, `reopen`.
        """
        from nbpr import config
        from nbpr.errors import BadInput
        from nbpr.git.repository import Repository
        from nbpr.proposals import plans, proposals
        from nbpr.proposals.identity import Wanted

        repository = Repository.discover(self._root)
        paths = [path] if isinstance(path, str | Path) else path
        wanted = Wanted(**{name: options.pop(name) for name in ("pull", "branch", "key", "reopen") if name in options})
        fields: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in options.items()}
        try:
            proposal = plans.Proposal(
                title,
                tuple(self._path(repository, one) for one in paths),
                edits=None if edits is None else tuple(edits),
                wanted=wanted,
                **fields,
            )
        except TypeError as error:
            raise BadInput(f"propose: {error}") from None
        return proposals.propose(repository, config.load(repository.root), proposal).as_json()

    def execute(
        self,
        input_path: str | Path,
        output_path: str | Path,
        parameters: Mapping[str, Any] | None = None,
        timeout: float = 300,
    ) -> dict[str, Any]:
        """Run a notebook into `output_path`; the run record, whose `status` says whether it went well.

        Both may be `s3://` addresses.
        """
        from nbpr.runs import runs
        from nbpr.storage import is_remote, place

        source, output = (
            place(path) if isinstance(path, str) and is_remote(path) else self._place(path)
            for path in (input_path, output_path)
        )
        return runs.execute_to(source, output, dict(parameters or {}), timeout=timeout).as_json()

    def collect_outputs(self, path: str | Path) -> dict[str, Any]:
        """The scraps of an executed notebook by name: JSON data itself, other data described."""
        from nbpr.notebooks import scraps

        found = scraps.collect(self._read(path).as_json())
        return {name: scraps.as_json(scrap) for name, scrap in found.items()}

    def inspect_parameters(self, path: str | Path) -> list[dict[str, Any]]:
        """The notebook's parameters: `{"name", "default", "type", "help"}` each."""
        from nbpr.notebooks import parameters

        return [parameter.as_json() for parameter in parameters.inspect(self._read(path))]

    def read_notebook(self, path: str | Path) -> dict[str, Any]:
        """The notebook as plain nbformat JSON."""
        plain: dict[str, Any] = self._read(path).as_json()
        return plain

    def write_notebook(self, nb: Mapping[str, Any], path: str | Path) -> None:
        """Write a notebook atomically. Where there is one already, what is equal in it keeps its bytes."""
        from nbpr.notebooks import notebook
        from nbpr.notebooks.cell import Cell

        place = self._place(path)
        plain = json.loads(json.dumps(nb))
        given = notebook.parse(json.dumps(plain).encode(), str(path))
        if place.exists():
            notebook.write(place, _over(notebook.read(place), plain))
        else:
            notebook.write(place, dataclasses.replace(given, document=None, cells=tuple(map(Cell, plain["cells"]))))

    def diff_notebooks(self, a: str | Path | Mapping[str, Any], b: str | Path | Mapping[str, Any]) -> list[Any]:
        """What leads from `a` to `b`, in nbdime's diff format. Both are paths or notebooks."""
        from nbpr.diff import notebooks

        before, after = (dict(side) if isinstance(side, Mapping) else self.read_notebook(side) for side in (a, b))
        return notebooks.diff(notebooks.plain(before), notebooks.plain(after))

    def validate(self, path: str | Path) -> dict[str, Any]:
        """Run a notebook and compare with its reference run: `{"verdict", "findings", "runs"}`."""
        from nbpr.runs import validation

        return validation.validate_paths([self._place(path)]).as_json()

    def _place(self, path: str | Path) -> Path:
        return Path(path) if self._root is None else self._root / path

    def _path(self, repository: Any, path: str | Path) -> str:
        found: str = repository.path_of(path, self._root.absolute() if self._root else None)
        return found

    def _read(self, path: str | Path) -> Any:
        from nbpr.notebooks import notebook

        return notebook.read(self._place(path))


def _over(old: Notebook, plain: Mapping[str, Any]) -> Notebook:
    """What a file holds with other content put over it: a cell of the same id, else in the same place, stays its."""
    from nbpr.notebooks.cell import Cell

    by_id = {cell.id: cell for cell in old.cells if cell.id}
    rest = iter([cell for cell in old.cells if not cell.id])
    cells = []
    for data in plain["cells"]:
        known = by_id.pop(data.get("id"), None) or next(rest, None)
        cells.append(dataclasses.replace(known, data=data) if known else Cell(dict(data)))
    top = {key: value for key, value in plain.items() if key != "cells"}
    return dataclasses.replace(old, data=top, cells=tuple(cells))
