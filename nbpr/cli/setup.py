"""`nbpr init` and `nbpr doctor`: setting a repository up, and saying what is missing."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from nbpr.cli.output import AsJson, DryRun, colours, show
from nbpr.errors import BadInput

app = typer.Typer()

_COLOURS = {"error": "31", "warning": "33", "note": "36", "ok": "32"}


@app.command("init")
def init(
    outputs: Annotated[
        str | None, typer.Option(metavar="POLICY", help="What reference runs keep: all, marked, scraps or none.")
    ] = None,
    write_config: Annotated[bool, typer.Option("--write-config", help="Write a commented nbpr.toml.")] = False,
    hooks: Annotated[bool, typer.Option("--hooks", help="Check notebooks before each commit and push.")] = False,
    ci: Annotated[
        list[str] | None,
        typer.Option(metavar="FORGE", help="Write a CI workflow: gitea, github, forgejo or gitlab; repeatable."),
    ] = None,
    everywhere: Annotated[
        bool, typer.Option("--global", help="For all your repositories: git's global configuration; touches none.")
    ] = False,
    undo: Annotated[bool, typer.Option("--undo", help="Take away what init wrote.")] = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Set this repository up: filter, diff and merge drivers, .gitattributes, runs/. Commits nothing.

    \b
    Examples:
      nbpr init
      nbpr init --dry-run
      nbpr init --outputs marked
      nbpr init --hooks --ci gitea
      nbpr init --global
      nbpr init --undo
    """
    from nbpr.setup import setup, usersetup
    from nbpr.setup.hooks import NAMES

    names = NAMES if hooks else ()
    wanted = setup.Wanted(outputs=outputs, write_config=write_config, hooks=names, ci=tuple(ci or ()))
    if everywhere and wanted != setup.Wanted():
        raise BadInput("--global is about no repository, so there is nothing to write into one")
    if everywhere:
        result = (usersetup.undo if undo else usersetup.init)(dry_run=dry_run)
    elif undo:
        result = setup.undo(Path.cwd(), dry_run=dry_run)
    else:
        result = setup.init(Path.cwd(), wanted=wanted, dry_run=dry_run)
    show(result, as_json, lambda: _done(result, colours()))


@app.command("doctor")
def doctor(
    fix: Annotated[
        bool, typer.Option("--fix", help="End phantom modifications; take away what killed commands left.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Say what is set up here, what is missing and how to mend it; exit 1 if something must be mended.

    \b
    Examples:
      nbpr doctor
      nbpr doctor --fix
      nbpr doctor --json
    """
    from nbpr.setup.doctor import doctor as examine

    result = examine(Path.cwd(), fix=fix)
    show(result, as_json, lambda: _examined(result, colours()))
    if not result["ok"]:
        raise typer.Exit(1)


def _done(result: Mapping[str, Any], colour: bool) -> str:
    word = "would do" if result["dry_run"] else "done"
    lines = [_line(word, step, colour) for step in result["done"]]
    if "configuration" in result and lines:
        lines += ["", f"Written: {result['configuration']} and {result['attributes']}"]
    if not lines:
        lines.append("Nothing to do: all of it is so already.")
    for finding in result["findings"]:
        lines += _finding(finding, colour)
    if result["next"]:
        lines += ["", "Next:", *(f"  {command}" for command in result["next"])]
    return "\n".join(lines)


def _examined(result: Mapping[str, Any], colour: bool) -> str:
    lines = [_line("mended", words, colour) for words in result["mended"]]
    lines += [_line("ok", words, colour) for words in result["well"]]
    for finding in sorted(result["findings"], key=lambda found: list(_COLOURS).index(found["level"]), reverse=True):
        lines += _finding(finding, colour)
    count = sum(finding["level"] == "error" for finding in result["findings"])
    lines += ["", f"{count} to mend." if count else "All is well."]
    return "\n".join(lines)


def _finding(finding: Mapping[str, Any], colour: bool) -> list[str]:
    said = [_line(finding["level"], f"{finding['path']}: {finding['message']}", colour)]
    return [*said, _line("", finding["hint"], colour)] if finding["hint"] else said


def _line(word: str, text: str, colour: bool) -> str:
    """A word of at most eight letters, in its colour, and what it is about, as wide as the terminal is."""
    from nbpr.render.escape import one_line

    code = _COLOURS.get(word, "32")
    start, end = (f"\033[{code}m", "\033[0m") if colour and word else ("", "")
    width = shutil.get_terminal_size().columns - 10 if sys.stdout.isatty() else 10_000
    lines = textwrap.wrap(one_line(text), max(width, 30), break_long_words=False, break_on_hyphens=False)
    return f"{start}{word:<8}{end}  " + ("\n" + " " * 10).join(lines)
