"""`nbpr gate`: all checks over what changed, one verdict, and where it is told."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nbpr.cli.output import AsJson, DryRun, colours, show, width

if TYPE_CHECKING:
    from nbpr.gate.result import GateResult

app = typer.Typer()


@app.command("gate")
def gate(
    base: Annotated[
        str | None, typer.Option(metavar="REV", help="What head goes into; else what CI says, else the default branch.")
    ] = None,
    head: Annotated[
        str | None, typer.Option(metavar="REV", help="What is judged; else what CI says, else HEAD.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Look at every notebook, changed or not.")] = False,
    junit: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the result as JUnit XML.")] = None,
    sarif: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the findings as SARIF.")] = None,
    html: Annotated[Path | None, typer.Option(metavar="DIR", help="Write review pages and an index.")] = None,
    output: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write everything: what a second job posts (--from).")
    ] = None,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Run all anew, whatever is proven already.")] = False,
    jobs: Annotated[int | None, typer.Option(metavar="N", help="How many notebooks to run at a time.", min=1)] = None,
    python: Annotated[str | None, typer.Option(metavar="PATH", help="Run with this interpreter.")] = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Check the notebooks that changed, and those that hang on what changed. Exit 1 if the verdict is failed.

    The rules are base's: settings, bounds, allow-list. What head takes away of them is told, and not obeyed.

    \b
    Examples:
      nbpr gate                              what this branch changes against the default branch
      nbpr gate --base main --head HEAD --json
      nbpr gate --output gate/ --junit gate.xml
    """
    from nbpr.gate import gate as gates

    overrides = {
        "execute": {"jobs": jobs, "python": python and str(Path(python).expanduser().absolute())},
        "cache": {"read": False if no_cache else None},
    }
    from nbpr.cli.gatelog import Log
    from nbpr.git.repository import Repository

    repository = Repository.discover()
    wanted = gates.Wanted(_occasion(base, head), overrides, every=every)
    with Log() as log:
        result = gates.run(repository, wanted, log)
    show(result.as_json(), as_json, lambda: _told(result))
    if result.verdict == "failed":
        raise typer.Exit(1)


def _occasion(base: str | None, head: str | None) -> Any:
    from nbpr.gate.occasion import Occasion

    return Occasion(base=base, head=head)


def _told(result: GateResult) -> str:
    from nbpr.gate import words
    from nbpr.render import terminal

    return terminal.proposal(words.report(result), colour=colours(), width=width())
