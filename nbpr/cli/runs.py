"""`nbpr run`, `nbpr validate`, `nbpr scraps`: notebooks executed, proved, and what they gave."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from nbpr.cli.output import AsJson, DryRun, colours, note, progress_line, show, width
from nbpr.errors import BadInput

if TYPE_CHECKING:
    from nbpr.config import Config

app = typer.Typer()

Notebooks = Annotated[list[Path], typer.Argument(metavar="NB...", help="The notebooks.", show_default=False)]
Kernel = Annotated[str | None, typer.Option(metavar="NAME", help="Run with this kernelspec.")]
Python = Annotated[str | None, typer.Option(metavar="PATH", help="Run with this interpreter, or this environment's.")]
Timeout = Annotated[float | None, typer.Option(metavar="SECONDS", help="For the whole run; 0: no limit.", min=0)]
CellTimeout = Annotated[float | None, typer.Option(metavar="SECONDS", help="For each cell; 0: no limit.", min=0)]
Jobs = Annotated[int | None, typer.Option(metavar="N", help="How many notebooks to run at a time.", min=1)]
Engine = Annotated[str, typer.Option(metavar="NAME", help="What carries out the runs.")]


class _PairedOptions(TyperCommand):
    """A command whose `-p` takes two words, as papermill's does; Typer has no list of pairs."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        parsed: list[str] = super().parse_args(ctx, paired(args))
        return parsed


def paired(args: list[str]) -> list[str]:
    """The command line with each `-p NAME VALUE` as `-p NAME=VALUE`, which stays as it is where it is written so."""
    words, left = [], list(args)
    while left:
        word = left.pop(0)
        words.append(word)
        if word == "--":
            return [*words, *left]
        if word in ("-p", "--parameter") and left:
            name = left.pop(0)
            words.append(name if "=" in name or not left else f"{name}={left.pop(0)}")
    return words


@app.command("run", cls=_PairedOptions)
def run(
    files: Notebooks,
    parameter: Annotated[
        list[str] | None, typer.Option("-p", "--parameter", metavar="NAME VALUE", help="Set a parameter; repeatable.")
    ] = None,
    params_file: Annotated[
        Path | None, typer.Option("-f", "--params-file", metavar="FILE", help="Parameters as YAML or JSON.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="PATH", help="Where to write the run; several: a folder.")
    ] = None,
    prepare_only: Annotated[
        bool, typer.Option("--prepare-only", help="Put the parameters in and write the notebook; run nothing.")
    ] = False,
    kernel: Kernel = None,
    python: Python = None,
    timeout: Timeout = None,
    cell_timeout: CellTimeout = None,
    jobs: Jobs = None,
    engine: Engine = "papermill",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Run notebooks, each in a fresh kernel, and write their reference runs.

    Runs with other parameters than the configured ones, and runs that fail, go to runs/NAME.runs/ instead, which
    git ignores. A reference run leaves out cells marked NBVAL_SKIP, as validating does.

    \b
    Examples:
      nbpr run notebooks/health.ipynb
      nbpr run notebooks/*.ipynb --jobs 2
      nbpr run notebooks/health.ipynb -p threshold 0.9 -p regions '["eu"]'
      nbpr run analysis.ipynb -f params.yaml --output /tmp/analysis.ipynb
    """
    from nbpr import runs
    from nbpr.render import records

    root, paths, config = _settled(files, kernel, python, timeout, cell_timeout, jobs, is_elsewhere=output is not None)
    given = _parameters(parameter or [], params_file)
    options = runs.Options(parameters=given or None, files=_tracked(root), engine=engine, prepare_only=prepare_only)
    if dry_run:
        plan = runs.planned(paths, root, config, options, output=output)
        show({"runs": [], "planned": plan}, as_json, lambda: records.planned(plan, width()))
        return
    with progress_line() as say:
        done = runs.run_notebooks(
            paths, root, config, options, output=output,
            follow=lambda path, at: say(f"{path}: cell {at.cell} of {at.cells}"),
        )  # fmt: skip
    for each in done:
        _notes(each.record.notebook, each.notes)
    plain = [each.record.as_json() for each in done]
    show({"runs": plain}, as_json, lambda: records.ran(plain, width(), colours()))
    _exit_if(not all(each.went_well for each in done))


@app.command("validate")
def validate(
    files: Notebooks,
    kernel: Kernel = None,
    python: Python = None,
    timeout: Timeout = None,
    cell_timeout: CellTimeout = None,
    jobs: Jobs = None,
    as_json: AsJson = False,
) -> None:
    """Check that notebooks are valid, that every cell runs, and that they give what their reference runs say.

    Each runs once, in a fresh kernel; nbval (lax) compares what it gave. Nothing is written.

    \b
    Examples:
      nbpr validate notebooks/health.ipynb
      nbpr validate notebooks/*.ipynb --jobs 2 --json
    """
    from nbpr import runs, validation
    from nbpr.render import records

    root, paths, config = _settled(files, kernel, python, timeout, cell_timeout, jobs)
    options = runs.Options(files=_tracked(root))
    with progress_line() as say:
        found = validation.validate(
            paths, root, config, options, follow=lambda path, at: say(f"{path}: cell {at.cell} of {at.cells}")
        )
    result = found.as_json()
    show(result, as_json, lambda: records.validated(result))
    _exit_if(result["verdict"] == "failed")


@app.command("scraps")
def scraps(
    places: Annotated[
        list[Path], typer.Argument(metavar="PATH...", help="Notebooks, runs or folders.", show_default=False)
    ],
    compare: Annotated[bool, typer.Option("--compare", help="Show two runs side by side.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print them as CSV, data as JSON.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show scraps: the values that notebooks recorded with scrapbook's glue.

    A notebook's scraps are those of its reference run. With --compare, the two paths are before and after.

    \b
    Examples:
      nbpr scraps notebooks/health.ipynb
      nbpr scraps runs --csv > scraps.csv
      nbpr scraps runs/health.ipynb runs/health.runs/20261120T211005Z-77391969.ipynb --compare
    """
    from nbpr import scraplist

    if as_csv and as_json:
        raise BadInput("--csv and --json exclude each other")
    if compare and len(places) != 2:
        raise BadInput(f"--compare takes two paths, not {len(places)}")
    rows: list[Any] = scraplist.compare(places[0], places[1]) if compare else scraplist.of_places(places)
    plain = [row.as_json() for row in rows]
    show({"scraps": plain}, as_json, lambda: _csv(plain) if as_csv else _listed(plain, compare))


# -- what is given -----------------------------------------------------------------------------------------


def _settled(
    files: list[Path],
    kernel: str | None,
    python: str | None,
    timeout: float | None,
    cell_timeout: float | None,
    jobs: int | None,
    *,
    is_elsewhere: bool = True,
) -> tuple[Path, list[str], Config]:
    """The repository's root, the notebooks' paths below it, and its settings under the given flags."""
    from nbpr import config
    from nbpr.places import find_root, path_below, root_of

    if find_root(files[0]) is None and not is_elsewhere:
        hint = "say where the run goes: --output PATH"
        raise BadInput(f"{files[0]}: not in a repository, so there is no place for its run", hint=hint)
    limits = {"timeout": timeout, "cell_timeout": cell_timeout, "jobs": jobs}
    chosen = {"kernel": kernel, "python": python and str(Path(python).expanduser().absolute())}
    root = root_of(files)
    return root, [path_below(root, file) for file in files], config.load(root, {"execute": {**limits, **chosen}})


def _tracked(root: Path) -> dict[str, str]:
    """The tracked files as they are in the checkout, with their blob ids; none outside of a repository."""
    from nbpr.places import find_root
    from nbpr.repository import Repository

    if find_root(root / "-") is None:
        return {}
    repository = Repository.discover(root)
    if repository.head is None:
        return {}
    found = {entry.path: entry.sha for entry in repository.entries("HEAD")}
    for path in repository.edited():
        place = root / path
        found.pop(path, None)
        if place.is_file() and not path.endswith(".ipynb"):
            found[path] = repository.added(path, place.read_bytes(), write=False).sha
    return found


def _parameters(pairs: list[str], file: Path | None) -> dict[str, Any]:
    """The parameters of a file and of `-p`, which go over the file's."""
    from nbpr.parameters import read_value
    from nbpr.paramsfile import read

    found = read(file) if file else {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name.strip():
            raise BadInput(f"-p {pair}: a name and a value are wanted", hint="-p threshold 0.9")
        found[name] = read_value(value)
    return found


def _exit_if(failed: bool) -> None:
    if failed:
        raise typer.Exit(1)


def _notes(path: str, notes: tuple[str, ...]) -> None:
    for each in notes:
        note(f"note: {path}: {each}")


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
