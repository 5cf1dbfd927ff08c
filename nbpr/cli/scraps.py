"""`nbpr scraps`: what runs gave."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from nbpr.cli.output import AsJson, colours, show, width
from nbpr.errors import BadInput

app = typer.Typer()


@app.command("scraps")
def scraps(
    places: Annotated[
        list[Path], typer.Argument(metavar="PATH...", help="Notebooks, runs or folders.", show_default=False)
    ],
    compare: Annotated[bool, typer.Option("--compare", help="Show two runs side by side.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print them as CSV, data as JSON.")] = False,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="Write them as .csv, .json or .parquet.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show scraps: the values that notebooks recorded with scrapbook's glue.

    A notebook's scraps are those of its reference run. With --compare, the two paths are before and after.

    \b
    Examples:
      nbpr scraps notebooks/health.ipynb
      nbpr scraps runs --csv > scraps.csv
      nbpr scraps runs --output scraps.parquet
      nbpr scraps runs/health.ipynb runs/health.runs/20261120T211005Z-77391969.ipynb --compare
    """
    from nbpr.runs import scraplist, scraptable

    if output is not None:
        scraptable.check(output, "--output")
    if as_csv and as_json:
        raise BadInput("--csv and --json exclude each other")
    if compare and len(places) != 2:
        raise BadInput(f"--compare takes two paths, not {len(places)}")
    rows: list[Any] = scraplist.compare(places[0], places[1]) if compare else scraplist.of_places(places)
    plain = [row.as_json() for row in rows]
    if output is not None:
        scraptable.write_scraps(plain, output)
    show({"scraps": plain}, as_json, lambda: _csv(plain) if as_csv else _listed(plain, compare))


# -- what is shown -----------------------------------------------------------------------------------------


def _listed(rows: list[dict[str, Any]], compared: bool) -> str:
    from nbpr.render import terminal
    from nbpr.render.report import ScrapRow, value_text

    if not rows:
        return "no scraps"
    if compared:
        sides = [ScrapRow("", row["name"], row["before"], row["after"]) for row in rows]
        return terminal.scraps(sides, colours(), width())
    cells = [[row["notebook"], row["name"], value_text(row["data"]), row["encoder"]] for row in rows]
    return terminal.table(["notebook", "scrap", "data", "encoder"], cells, width(), colours())


def _csv(rows: list[dict[str, Any]]) -> str:
    """CSV whose data are JSON, which also keeps a spreadsheet from taking a text for a formula."""
    import csv
    import io
    import json

    if not rows:
        return "notebook,name,data,encoder\n"
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    values = ("data", "before", "after")
    for row in rows:
        encoded = {key: json.dumps(value, ensure_ascii=False) for key, value in row.items() if key in values}
        writer.writerow({**row, **encoded})
    return out.getvalue()
