"""`nbpr propose`: from a change to a pull request."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nbpr.cli.flags import EditsFile, Flags, Settings, gather
from nbpr.cli.output import AsJson, DryRun, colours, progress_line, show, width

if TYPE_CHECKING:
    from nbpr.config import Config
    from nbpr.git.repository import Repository
    from nbpr.proposals.proposals import Outcome

app = typer.Typer()


@app.command("propose")
def propose(
    notebooks: Annotated[list[Path] | None, typer.Argument(metavar="NB…", help="The notebooks.")] = None,
    title: Annotated[str, typer.Option("--title", "-t", help="The pull request's title.")] = "",
    edits: EditsFile = None,
    settings: Settings = None,
    include: Annotated[
        list[Path] | None, typer.Option(metavar="PATH", help="Take another file of the checkout along.")
    ] = None,
    delete: Annotated[list[Path] | None, typer.Option(metavar="NB", help="Take a notebook away, and its run.")] = None,
    base: Annotated[str | None, typer.Option(help="The branch to propose to; the remote's default branch.")] = None,
    pull: Annotated[int | None, typer.Option(min=1, help="Update this pull request.")] = None,
    branch: Annotated[str | None, typer.Option(help="Use this branch.")] = None,
    key: Annotated[str | None, typer.Option(help="A key of your own: the same key is the same proposal.")] = None,
    agent: Annotated[str | None, typer.Option(envvar="NBPR_AGENT", help="Who proposes, beside git's author.")] = None,
    reopen: Annotated[bool, typer.Option("--reopen", help="Open a closed pull request again.")] = False,
    refresh: Annotated[bool, typer.Option("--refresh", help="Take in what is new in base and run anew.")] = False,
    body: Annotated[str | None, typer.Option(help="Why, for the reviewers. Markdown.")] = None,
    body_file: Annotated[str | None, typer.Option(metavar="FILE", help="The same from a file; - is stdin.")] = None,
    message: Annotated[str | None, typer.Option(help="The commit message's body; else that of --body.")] = None,
    refs: Annotated[list[int] | None, typer.Option(metavar="N", help="An issue that this is about.")] = None,
    closes: Annotated[list[int] | None, typer.Option(metavar="N", help="An issue that this closes.")] = None,
    label: Annotated[list[str] | None, typer.Option(help="A label.")] = None,
    reviewer: Annotated[list[str] | None, typer.Option(help="Somebody to review it.")] = None,
    assignee: Annotated[list[str] | None, typer.Option(help="Somebody whom it is assigned to.")] = None,
    milestone: Annotated[str | None, typer.Option(help="The milestone that it belongs to, by its title.")] = None,
    auto_merge: Annotated[
        bool, typer.Option("--auto-merge", help="Have the forge merge it when the checks of its base have passed.")
    ] = False,
    co_author: Annotated[list[str] | None, typer.Option(metavar="'NAME <MAIL>'", help="A co-author.")] = None,
    signoff: Annotated[bool, typer.Option("--signoff", help="Add a Signed-off-by line.")] = False,
    draft: Annotated[bool, typer.Option("--draft", help="Open it as a draft.")] = False,
    on_failure: Annotated[str, typer.Option(help="When the validation fails: stop, or open a draft.")] = "stop",
    kernel: Annotated[str | None, typer.Option(help="Run with this kernel.")] = None,
    python: Annotated[str | None, typer.Option(help="Run with this interpreter.")] = None,
    timeout: Annotated[float | None, typer.Option(help="Seconds for a whole run.")] = None,
    cell_timeout: Annotated[float | None, typer.Option(help="Seconds for one cell.")] = None,
    secret: Annotated[
        list[str] | None,
        typer.Option("--secret", metavar="NAME=env:VAR", help="A parameter that only the kernel sees; repeatable."),
    ] = None,
    forge: Annotated[str | None, typer.Option(help="auto, local, gitea or github.")] = None,
    token_file: Annotated[str | None, typer.Option(metavar="FILE", help="Where the forge's token is.")] = None,
    no_cache: Annotated[
        bool, typer.Option("--no-cache", help="Run all anew, whatever is proven here already.")
    ] = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Propose a change: onto a branch of its own, run, proven, shown, and opened as a pull request.

    The change comes from --edits or --set, or, with none of these, from the files of the working copy. Your
    checkout stays as it is. Proposing the same again changes nothing.

    \b
    Examples:
      nbpr propose notebooks/health.ipynb --set threshold=0.9 --title "Lower the threshold"
      nbpr propose notebooks/health.ipynb --edits edits.json --title "…" --body "Why" --json
      nbpr propose notebooks/a.ipynb notebooks/b.ipynb --include src/rules.py --title "…"
      nbpr propose --delete notebooks/old.ipynb --title "Retire the old report"
    """
    from nbpr import config
    from nbpr.errors import BadInput
    from nbpr.git.repository import Repository
    from nbpr.proposals import plans, proposals
    from nbpr.proposals.identity import Wanted

    repository = Repository.discover()
    if not title:
        raise BadInput("a title is needed", hint='as in --title "Lower the threshold"')
    if on_failure not in ("stop", "draft"):
        raise BadInput(f"--on-failure {on_failure!r} is none of stop, draft")
    if not notebooks and not delete:
        raise BadInput("which notebook?", hint="name it, or take one away with --delete")
    proposal = plans.Proposal(
        title,
        _paths(repository, notebooks),
        edits=tuple(gather(edits, Flags(settings or ()))) if edits or settings else None,
        include=_paths(repository, include),
        delete=_paths(repository, delete),
        base=base,
        wanted=Wanted(pull, branch, key, reopen),
        agent=agent,
        body=_body(body, body_file),
        message=message,
        refs=tuple(refs or ()),
        closes=tuple(closes or ()),
        labels=tuple(label or ()),
        reviewers=tuple(reviewer or ()),
        assignees=tuple(assignee or ()),
        milestone=milestone,
        auto_merge=auto_merge,
        co_authors=tuple(co_author or ()),
        draft=draft,
        signoff=signoff,
        refresh=refresh,
        on_failure=on_failure,
        dry_run=dry_run,
    )
    execute = {
        "kernel": kernel,
        "python": python,
        "timeout": timeout,
        "cell_timeout": cell_timeout,
        "secrets": secret or None,
    }
    reading = {"read": False if no_cache else None}
    flags = {"forge": forge, "token_file": token_file, "execute": execute, "cache": reading}
    settled: Config = config.load(repository.root, flags)
    with progress_line() as say:
        outcome = proposals.propose(repository, settled, proposal, say)
    result: dict[str, Any] = outcome.as_json()
    show(result, as_json, lambda: written(outcome))
    if outcome.verdict == "failed":
        raise typer.Exit(1)


def written(outcome: Outcome) -> str:
    """What a person reads of a proposal: what changed, what it did to the results, where to look further."""
    from dataclasses import replace

    from nbpr.render import terminal
    from nbpr.render.report import Link

    links = [Link("branch", outcome.plan.branch)] if outcome.pull or outcome.operation != "unchanged" else []
    if outcome.pull is not None:
        links.insert(0, Link("pull request", outcome.pull.url))
    if outcome.page is not None:
        links.append(Link("review page", outcome.page))
    shown = replace(outcome.report, links=tuple(links))
    return terminal.proposal(shown, colour=colours(), width=width())


def _paths(repository: Repository, given: list[Path] | None) -> tuple[str, ...]:
    return tuple(dict.fromkeys(repository.path_of(path) for path in given or ()))


def _body(text: str | None, file: str | None) -> str:
    import sys

    from nbpr.errors import BadInput

    if file is None:
        return text or ""
    if text is not None:
        raise BadInput("--body and --body-file are two ways to say the same: give one")
    try:
        return sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"--body-file {file}: cannot be read: {error}") from None
