"""`nbpr diff`: what changed in notebooks, cell by cell."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from nbpr.cli.output import AsJson, colours, show, width
from nbpr.cli.pager import page

if TYPE_CHECKING:
    from nbpr.comparison import Comparison

app = typer.Typer()


class Format(StrEnum):
    """How a diff is shown."""

    TEXT = "text"
    MARKDOWN = "markdown"
    HTML = "html"
    JSON = "json"


class _WithPaths(TyperCommand):
    """A command that knows which of its words came after `--`, which the parser forgets."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if "--" in args:
            place = args.index("--")
            ctx.meta["paths"] = args[place + 1 :]
            args = args[:place]
        return super().parse_args(ctx, args)


@app.command("diff", cls=_WithPaths)
def diff(
    context: typer.Context,
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[BASE] [HEAD] [PATH]…", help="Two files or folders, or revisions as git takes them, and paths."
        ),
    ] = None,
    form: Annotated[Format, typer.Option("--format", help="How to show it.")] = Format.TEXT,
    staged: Annotated[
        bool, typer.Option("--staged", "--cached", help="Compare what is staged with HEAD, or with BASE.")
    ] = False,
    exit_code: Annotated[bool, typer.Option("--exit-code", help="Exit with 1 if there are differences.")] = False,
    stat: Annotated[bool, typer.Option("--stat", help="Only count what changed.")] = False,
    no_outputs: Annotated[bool, typer.Option("--no-outputs", help="Leave outputs out.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show what changed in notebooks: sources by line and word, outputs, pictures and scraps.

    One revision is compared with the working copy; none is HEAD. A file that is gone, or that has a revision's
    name, goes after --.

    \b
    Examples:
      nbpr diff
      nbpr diff --staged
      nbpr diff main -- notebooks/health.ipynb
      nbpr diff main...agent/health --stat
      nbpr diff before.ipynb after.ipynb --no-outputs
      nbpr diff HEAD~1 HEAD --format markdown
      nbpr diff main HEAD --format html > review.html
      nbpr diff main HEAD --json --exit-code
    """
    from nbpr import comparison
    from nbpr.errors import BadInput

    if form in (Format.MARKDOWN, Format.HTML) and (stat or no_outputs):
        raise BadInput(f"--stat and --no-outputs are for a terminal, not for --format {form.value}")
    found = comparison.between(words or [], context.meta.get("paths"), staged=staged)
    as_json = as_json or form is Format.JSON
    if as_json:
        show(found.as_json(), as_json)
    elif found.differs:
        _show(found, form, stat, not no_outputs)
    if exit_code and found.differs:
        raise typer.Exit(1)


def _show(found: Comparison, form: Format, stat: bool, outputs: bool) -> None:
    from nbpr.render import RENDERERS, View

    paged = form is Format.TEXT and sys.stdout.isatty()
    view = View(colours(), width(), stat, outputs)
    page(RENDERERS[form.value](found.report(), view) + "\n" * (form is Format.TEXT), paged)
