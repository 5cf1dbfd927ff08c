"""`nbpr check`: what can be said of notebooks without running them."""

from __future__ import annotations

import os
import sys
import textwrap
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nbpr.cli.output import AsJson, colours, progress_line, show, width
from nbpr.errors import BadInput

if TYPE_CHECKING:
    from nbpr.findings import Finding
    from nbpr.inspection import Inspection

app = typer.Typer()

_COLOURS = {"error": "31", "warning": "33", "note": "36", "mended": "32"}


@app.command("check")
def check(
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[FILE]...", help="Notebooks; none is those of the settings, or all that are staged."),
    ] = None,
    fix: Annotated[bool, typer.Option("--fix", help="Mend outputs, missing ids and doubled ids.")] = False,
    staged: Annotated[bool, typer.Option("--staged", help="Look at what is staged, not at the files.")] = False,
    pushed: Annotated[
        bool, typer.Option("--pushed", help="Look at commits not pushed yet; `-` reads what git tells its hook.")
    ] = False,
    remote: Annotated[str | None, typer.Option(metavar="NAME", help="With --pushed: the remote pushed to.")] = None,
    only: Annotated[
        list[str] | None, typer.Option(metavar="CHECK", help="Only this check: format, clean, secrets or size.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check notebooks without running them: format, ids, outputs, credentials, size. Exit 1 if one has to be mended.

    \b
    Examples:
      nbpr check                             all notebooks that the settings name
      nbpr check notebooks/*.ipynb --fix     mend what can be mended
      nbpr check --staged                    what the next commit would hold
      nbpr check --pushed                    what no remote has yet
      nbpr check --only secrets --json
    """
    from nbpr import inspection

    wanted = tuple(only or inspection.STATIC)
    unknown = [name for name in wanted if name not in inspection.STATIC]
    if unknown:
        raise BadInput(f"--only {unknown[0]}: no such check", hint=f"checks are {', '.join(inspection.STATIC)}")
    if pushed and (staged or fix or (files or [Path("-")]) != [Path("-")]):
        raise BadInput("--pushed looks at commits: it takes no files, and neither --staged nor --fix")
    with progress_line() as say:
        found = _inspected(tuple(files or ()), wanted, remote, fix=fix, staged=staged, pushed=pushed, say=say)
    show(found.as_json(), as_json, lambda: _told(found, colours()))
    if not found.ok:
        raise typer.Exit(1)


def _inspected(
    files: Sequence[Path],
    only: Collection[str],
    remote: str | None,
    *,
    fix: bool,
    staged: bool,
    pushed: bool,
    say: Callable[[str], None],
) -> Inspection:
    from nbpr import config, inspection
    from nbpr.git.checkout import Checkout, root_of
    from nbpr.git.pushed import Pushed
    from nbpr.git.repository import Repository
    from nbpr.git.staging import Staging

    def follow(path: str) -> None:
        say(f"checking {path}")

    source: inspection.Source
    is_passing = False
    if not (staged or pushed):
        root = root_of(files, Path.cwd())
        settings = config.load(root)
        source = Checkout.of(root, settings, files)
        return inspection.inspect(source, settings, only=only, fix=fix, follow=follow)
    repository = Repository.discover()
    settings = config.load(repository.root)
    if staged:
        source = Staging(repository, settings, tuple(repository.path_of(file) for file in files))
        is_passing = source.is_passing
    else:
        lines = sys.stdin if files else []
        source = Pushed.of(repository, lines, os.environ, remote)
    return inspection.inspect(
        source, settings, only=only, fix=fix, is_commit=staged, is_passing=is_passing, follow=follow
    )


def _told(found: Inspection, colour: bool) -> str:
    lines = [line for path in found.mended for line in _line("mended", path, colour)]
    for finding in found.findings:
        lines += _finding(finding, colour)
    if found.is_stale:
        lines += _line("", "see git status, then commit again", colour)
    return "\n".join([*lines, _sum(found)])


def _finding(finding: Finding, colour: bool) -> list[str]:
    identity = f" (cell {finding.cell_id})" if finding.cell_id else ""
    said = _line(finding.level, f"{finding.path}: {finding.check}: {finding.message}{identity}", colour)
    return [*said, *_line("", finding.hint, colour)] if finding.hint else said


def _line(word: str, text: str, colour: bool) -> list[str]:
    """A word of at most eight letters, in its colour, and what it is about, as wide as the terminal is."""
    from nbpr.render.escape import one_line

    start, end = (f"\033[{_COLOURS[word]}m", "\033[0m") if colour and word else ("", "")
    room = max(width() - 10, 30)
    first, *rest = textwrap.wrap(one_line(text), room, break_long_words=False, break_on_hyphens=False) or [""]
    return [f"{start}{word:<8}{end}  {first}".rstrip(), *(" " * 10 + line for line in rest)]


def _sum(found: Inspection) -> str:
    counted = [
        f"{count} {word}{'s' * (count != 1)}"
        for word in ("error", "warning")
        if (count := sum(finding.level == word for finding in found.findings))
    ]
    subject = f"{found.looked_at} notebook{'s' * (found.looked_at != 1)}"
    return f"{', '.join(counted)} in {subject}" if counted else f"{subject} checked"
