"""`nbpr gate`: all checks over what changed, one verdict, and where it is told."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nbpr.cli.output import AsJson, DryRun, colours, note, show, width
from nbpr.errors import BadInput, NotAllowed

if TYPE_CHECKING:
    from nbpr.cienv import Event
    from nbpr.config import Config
    from nbpr.gate.gate import Wanted
    from nbpr.gate.result import GateResult
    from nbpr.git.repository import Repository

app = typer.Typer()

#: The names that the forms of a result have in the folder of `--output`.
NAMES = {"junit": "junit.xml", "sarif": "gate.sarif", "html": "html"}


@app.command("gate")
def gate(
    base: Annotated[
        str | None, typer.Option(metavar="REV", help="What head goes into; else what CI says, else the default branch.")
    ] = None,
    head: Annotated[str | None, typer.Option(metavar="REV", help="What is judged; else CI's, else HEAD.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Look at every notebook, changed or not.")] = False,
    output: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write everything there: what --from posts in a second job.")
    ] = None,
    junit: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the result as JUnit XML.")] = None,
    sarif: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the findings as SARIF.")] = None,
    html: Annotated[Path | None, typer.Option(metavar="DIR", help="Write review pages and an index.")] = None,
    post: Annotated[
        bool, typer.Option("--post/--no-post", help="Tell the forge: commit status and comment.", show_default=True)
    ] = False,
    source: Annotated[
        Path | None, typer.Option("--from", metavar="DIR", help="Run nothing; take what --output left in another job.")
    ] = None,
    baseline: Annotated[
        str | None, typer.Option(metavar="FILE", help="The file of accepted findings, as base has it.")
    ] = None,
    write_baseline: Annotated[
        bool, typer.Option("--write-baseline", help="Accept what is found in all notebooks now: write that file.")
    ] = False,
    fix: Annotated[bool, typer.Option("--fix", help="Mend the files: outputs, ids, stale reference runs.")] = False,
    update: Annotated[
        bool, typer.Option("--update", help="Commit renewed reference runs onto the branch, and push it.")
    ] = False,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Run all anew, whatever is proven already.")] = False,
    jobs: Annotated[int | None, typer.Option(metavar="N", help="How many notebooks to run at a time.", min=1)] = None,
    python: Annotated[str | None, typer.Option(metavar="PATH", help="Run with this interpreter.")] = None,
    forge: Annotated[str | None, typer.Option(metavar="KIND", help="auto, local, gitea or github.")] = None,
    token_file: Annotated[str | None, typer.Option(metavar="FILE", help="Where the forge's token is.")] = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Check the notebooks that changed, and those that hang on what changed. Exit 1 if the verdict is failed.

    The rules are base's: settings, bounds, allow-list. What head takes away of them is told, and not obeyed.

    \b
    Examples:
      nbpr gate                              what this branch changes against the default branch
      nbpr gate --base main --head HEAD --json
      nbpr gate --post                       in CI: judge, and tell the forge
      nbpr gate --output gate/               in a job without a token
      nbpr gate --from gate/ --post          in the job after it, with one
      nbpr gate --fix                        mend what can be mended
    """
    from nbpr import cienv
    from nbpr.gate import delivery
    from nbpr.gate.gate import Wanted
    from nbpr.gate.occasion import Occasion, of_event
    from nbpr.git.repository import Repository

    _refuse_pairs(source=source is not None, fix=fix, update=update, write=write_baseline, dry_run=dry_run)
    repository = Repository.discover()
    event = cienv.event(os.environ)
    local = _settings(repository)
    occasion = of_event(event, base, head) if event else Occasion(base, head, local.base)
    _refuse_target(event, is_run=source is None and not dry_run and not occasion.over)
    overrides = {
        "execute": {"jobs": jobs, "python": python and str(Path(python).expanduser().absolute())},
        "cache": {"read": False if no_cache else None},
        "forge": forge,
        "token_file": token_file,
    }
    wanted = Wanted(
        occasion,
        overrides,
        every=every or write_baseline,
        accepted=baseline,
        remote=local.remote,
        fetches=not dry_run,
    )
    if dry_run:
        _planned(repository, wanted, as_json)
        return
    forms = {"junit": junit, "sarif": sarif, "html": html}

    def written(result: GateResult) -> None:
        _write(result, output, forms)

    def carried_out(wanted: Wanted) -> GateResult:
        from nbpr.cli.gatelog import Log

        with Log() as log:
            return delivery.carry_out(repository, wanted, log, post=post, leavings=source, write=written)

    result = carried_out(wanted)
    if update:
        result = _updated(repository, wanted, result, carried_out)
    _summarise(event, result)
    show(result.as_json(), as_json, lambda: _told(result))
    _annotate(event, result, as_json)
    is_failed = result.verdict == "failed"
    if fix:
        is_failed = _fixed(repository, overrides, result) or is_failed
    if write_baseline:
        _accept(repository, wanted, result)
        return
    if is_failed:
        raise typer.Exit(1)


def _settings(repository: Repository) -> Config:
    """The checkout's own settings, for which remote and branch are meant; what is wrong with them is told later."""
    from nbpr import config

    try:
        return config.load(repository.root)
    except BadInput:
        return config.Config()


def _refuse_pairs(**given: bool) -> None:
    named = {"source": "--from", "write": "--write-baseline"}
    both = [named.get(name, f"--{name.replace('_', '-')}") for name, is_given in given.items() if is_given]
    if len(both) > 1:
        raise BadInput(f"{both[0]} and {both[1]} exclude each other")


def _refuse_target(event: Event | None, *, is_run: bool) -> None:
    """Base's workflow has base's secrets: nothing that a fork brought may run in it."""
    if is_run and event is not None and event.name == "pull_request_target" and event.is_fork:
        raise NotAllowed(
            "pull_request_target has this repository's secrets, and the pull request is a fork's: nothing was run",
            hint="run notebooks on pull_request, and post from a second job: nbpr gate --from DIR --post",
        )


def _planned(repository: Repository, wanted: Wanted, as_json: bool) -> None:
    from tempfile import TemporaryDirectory

    from nbpr.gate import gate as gates
    from nbpr.render.escape import one_line

    if wanted.occasion.over:
        nothing: dict[str, Any] = {"verdict": None, "base": None, "head": wanted.occasion.head}
        nothing |= {"findings": [], "notebooks": []}
        show(nothing, as_json, lambda: f"nothing is looked at, since {wanted.occasion.over}")
        return
    with TemporaryDirectory() as folder:
        ground = gates.found(repository, wanted, Path(folder))
    rows = [{"path": each.path, "change": each.change, "why": each.why} for each in ground.scope.subjects]
    findings = [each.as_json() for each in ground.findings]
    plan = {"verdict": None, "base": ground.at.base, "head": ground.at.head, "findings": findings, "notebooks": rows}
    lines = [
        ", ".join(filter(None, [f"{one_line(row['path'])}: {row['change']}", one_line(row["why"])])) for row in rows
    ]
    show(plan, as_json, lambda: "\n".join(lines) or "no notebook changed")


# -- what is written ---------------------------------------------------------------------------------------


def _write(result: GateResult, output: Path | None, forms: dict[str, Path | None]) -> None:
    from nbpr.gate import leavings
    from nbpr.notebooks import notebook
    from nbpr.render import gatepages, junit, sarif

    if output is not None:
        forms = {form: place or output / NAMES[form] for form, place in forms.items()}
        output.mkdir(parents=True, exist_ok=True)
        (output / leavings.RESULT).unlink(missing_ok=True)
    for form, render in (("junit", junit.text), ("sarif", sarif.text)):
        place = forms[form]
        if place is not None:
            place.parent.mkdir(parents=True, exist_ok=True)
            notebook.write(place, render(result).encode("utf-8", "backslashreplace"))
    pages = forms["html"]
    if pages is not None:
        gatepages.write(result, pages)
    if output is not None:
        leavings.write(result, output)


def _summarise(event: Event | None, result: GateResult) -> None:
    """The step summary, which a job shows beside its log."""
    from nbpr.gate import words

    if event is not None and event.summary_file:
        with Path(event.summary_file).open("a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(words.comment(result))


def _annotate(event: Event | None, result: GateResult, as_json: bool) -> None:
    """Lines that a forge shows at the files themselves, where it knows such."""
    from nbpr.render.annotations import lines

    if event is not None and not as_json:
        for line in lines(result, event.forge):
            sys.stdout.write(line + "\n")


def _told(result: GateResult) -> str:
    """What a person reads: the report, and at the end what failed, with source and traceback."""
    from nbpr.gate import words
    from nbpr.render import records, terminal
    from nbpr.render.escape import without_commands

    shown = terminal.proposal(words.report(result), colour=colours(), width=width())
    failures = [
        "\n".join([records.failure(each.run), *words.traceback(each)])
        for each in result.notebooks
        if each.run is not None and each.run["status"] != "success"
    ]
    return without_commands("\n\n".join([shown, *failures, words.summary(result)]))


# -- what is mended ----------------------------------------------------------------------------------------


def _updated(repository: Repository, wanted: Wanted, result: GateResult, again: Any) -> GateResult:
    from dataclasses import replace

    from nbpr import config
    from nbpr.gate import mending

    settings = config.load(repository.root, wanted.overrides)
    new = mending.on_branch(repository, settings, wanted.occasion, result)
    if new is None:
        note("nothing to update: the reference runs are what the notebooks give")
        return result
    note(f"reference runs renewed: {new[:12]}")
    renewed: GateResult = again(replace(wanted, occasion=replace(wanted.occasion, head=new)))
    return renewed


def _fixed(repository: Repository, overrides: dict[str, Any], result: GateResult) -> bool:
    """Mend the files; whether there is something to commit, or left."""
    from nbpr import config
    from nbpr.gate import mending

    mended = mending.in_files(repository, config.load(repository.root, overrides), result)
    for path in mended.paths:
        note(f"mended    {path}")
    for path in mended.failed:
        note(f"failed    {path}: its run fails, so there is no reference run to renew")
    if mended.paths:
        note("          see git status, then commit")
    return bool(mended.paths or mended.failed)


def _accept(repository: Repository, wanted: Wanted, result: GateResult) -> None:
    from nbpr import config
    from nbpr.gate import accepted
    from nbpr.notebooks import notebook

    name = wanted.accepted or config.load(repository.root, wanted.overrides).gate.accepted
    if result.skipped:
        note(f"{name}: left as it is, since nothing was looked at")
        return
    data = accepted.to_bytes(result.all_findings)
    notebook.write(repository.root / name, data)
    note(f"{name}: accepts {max(0, len(data.splitlines()) - 2)} findings, once it is on the base branch")
