"""`nbpr cells`, `nbpr edit`, `nbpr params`: one notebook's cells read and changed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nbpr.cli.flags import EditsFile, Flags, Settings, gather
from nbpr.cli.output import AsJson, DryRun, show

if TYPE_CHECKING:
    from nbpr.notebooks.notebook import Notebook

app = typer.Typer()

File = Annotated[Path, typer.Argument(metavar="NB", help="The notebook.", show_default=False)]


@app.command("cells")
def cells(
    file: File,
    cell: Annotated[
        str | None, typer.Argument(metavar="[CELL]", help="One cell: its id, id:ID, index:N or tag:NAME.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List a notebook's cells, or show the source of one.

    \b
    Examples:
      nbpr cells notebooks/health.ipynb
      nbpr cells notebooks/health.ipynb tag:parameters
      nbpr cells notebooks/health.ipynb index:3 --json
    """
    from nbpr.notebooks import notebook

    found = notebook.read(file)
    wanted = range(len(found.cells)) if cell is None else [notebook.select(found, cell)]
    result = {"notebook": str(file), "kernel": found.kernel, "cells": [_as_json(found, index) for index in wanted]}
    show(result, as_json, lambda: _listed(found) if cell is None else _shown(found.cells[wanted[0]].source))


@app.command("params")
def params(file: File, as_json: AsJson = False) -> None:
    """List a notebook's parameters: what its cell tagged "parameters" assigns.

    \b
    Examples:
      nbpr params notebooks/health.ipynb
      nbpr params notebooks/health.ipynb --json
    """
    from nbpr.notebooks import notebook, parameters

    found = parameters.inspect(notebook.read(file))
    rows = [(each.name, each.type or "", each.default, each.help or "") for each in found]
    show(
        {"parameters": [each.as_json() for each in found]},
        as_json,
        lambda: _table(("name", "type", "default", "help"), rows) if rows else "no parameters",
    )


@app.command("edit")
def edit(
    file: File,
    edits: EditsFile = None,
    settings: Settings = None,
    replace: Annotated[str | None, typer.Option(metavar="CELL", help="Replace this cell's source.")] = None,
    insert_after: Annotated[str | None, typer.Option(metavar="CELL", help="Insert a cell after this one.")] = None,
    insert_before: Annotated[str | None, typer.Option(metavar="CELL", help="Insert a cell before this one.")] = None,
    append: Annotated[bool, typer.Option("--append", help="Insert a cell at the end.")] = False,
    source: Annotated[str | None, typer.Option(help="The source for --replace or a new cell.")] = None,
    source_file: Annotated[
        str | None, typer.Option(metavar="FILE", help="The same from a file, without its last line end; - is stdin.")
    ] = None,
    cell_type: Annotated[str, typer.Option("--type", help="A new cell's type: code, markdown or raw.")] = "code",
    substitute: Annotated[str | None, typer.Option(metavar="CELL", help="Put --new for --old in this cell.")] = None,
    old: Annotated[str | None, typer.Option(help="The text to be replaced; it has to be there once.")] = None,
    new: Annotated[str | None, typer.Option(help="The text to put there.")] = None,
    tag: Annotated[str | None, typer.Option(metavar="CELL", help="Change this cell's tags.")] = None,
    add: Annotated[list[str] | None, typer.Option(metavar="TAG", help="A tag to add; may be repeated.")] = None,
    remove: Annotated[list[str] | None, typer.Option(metavar="TAG", help="A tag to remove; may be repeated.")] = None,
    delete: Annotated[list[str] | None, typer.Option(metavar="CELL", help="Delete this cell; may be repeated.")] = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Edit a notebook's cells, all or none. Only what is edited changes in the file.

    \b
    Examples:
      nbpr edit nb.ipynb --set threshold=0.9 --set 'regions=["eu", "us"]'
      nbpr edit nb.ipynb --replace tag:load --source-file load.py
      nbpr edit nb.ipynb --insert-after e5f6 --type markdown --source '## Results'
      nbpr edit nb.ipynb --substitute index:2 --old 'limit = 5' --new 'limit = 6'
      nbpr edit nb.ipynb --edits edits.json --dry-run
    """
    flags = Flags(
        settings or (), replace, insert_after, insert_before, append, source, source_file, cell_type, substitute,
        old, new, tag, add or (), remove or (), delete or (),
    )  # fmt: skip
    from nbpr.notebooks.edits import edit_file

    applied = edit_file(file, gather(edits, flags), dry_run=dry_run)
    result = {"notebook": str(file), **applied.as_json()}
    if dry_run:
        result["diff"] = _diff(file, applied.notebook)
    show(result, as_json, lambda: _said(result, dry_run))


def _diff(file: Path, after: Notebook) -> str:
    """The change of the file's text as a unified diff, for reading."""
    import difflib

    from nbpr.notebooks import notebook
    from nbpr.render.escape import visible

    old, new = (side.to_bytes().decode().splitlines() for side in (notebook.read(file), after))
    lines = difflib.unified_diff(old, new, str(file), str(file), lineterm="")
    return "".join(visible(line) + "\n" for line in lines)


# -- for a person --------------------------------------------------------------------------------------------


def _as_json(found: Notebook, index: int) -> dict[str, Any]:
    cell = found.cells[index]
    return {
        "index": index,
        "id": found.ids[index],
        "cell_type": cell.cell_type,
        "tags": list(cell.tags),
        "source": cell.source,
        "source_hash": cell.source_hash,
    }


def _listed(found: Notebook) -> str:
    rows = [
        (str(index), found.ids[index] or "", cell.cell_type, ", ".join(cell.tags), _first_line(cell.source))
        for index, cell in enumerate(found.cells)
    ]
    return _table(("index", "id", "type", "tags", "source"), rows) if rows else "no cells"


def _first_line(source: str) -> str:
    return next((line.strip()[:400] for line in source.splitlines() if line.strip()), "")


def _shown(source: str) -> str:
    from nbpr.render.escape import visible

    # Always one line end more, so that `--source-file`, which takes one away, gets the very source.
    return "".join(visible(line) + "\n" for line in source.split("\n"))


def _said(result: dict[str, Any], dry_run: bool) -> str:
    from nbpr.render.escape import one_line

    name = one_line(result["notebook"])
    if not result["changed"]:
        return f"{name}: unchanged"
    count = len(result["cells"])
    ids = " ".join(one_line(cell_id) for cell_id in result["cells"] if cell_id)
    verb = "would change" if dry_run else "changed"
    said = f"{name}: {verb} {count} cell{'s' if count != 1 else ''}" + (f": {ids}" if ids else "")
    return result["diff"] + said if dry_run else said


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as they have to be, the last ones cut so that a line fits the terminal."""
    import shutil

    from nbpr.render.escape import one_line

    shown = [head, *([one_line(text) for text in row] for row in rows)]
    left = shutil.get_terminal_size().columns
    lines = [""] * len(shown)
    for column in range(len(head)):
        rest = len(head) - 1 - column
        width = min(max(_width(row[column]) for row in shown), max(left - 7 * rest, 6))
        lines = [line + _fitted(row[column], width) + "  " for line, row in zip(lines, shown, strict=True)]
        left -= width + 2
    return "\n".join(line.rstrip() for line in lines)


def _width(text: str) -> int:
    """How many columns a text takes on a terminal."""
    from unicodedata import combining, east_asian_width

    return sum(0 if combining(sign) else 1 + (east_asian_width(sign) in "WF") for sign in text)


def _fitted(text: str, width: int) -> str:
    if _width(text) > width:
        text = text[:width]
        while _width(text) > width - 1:
            text = text[:-1]
        text += "…"
    return text + " " * (width - _width(text))
