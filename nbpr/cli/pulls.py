"""`nbpr pulls`: pull requests on the configured forge."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from nbpr.cli.output import AsJson, DryRun, note, progress_line, show, width

app = typer.Typer(name="pulls", help="Pull requests on the configured forge.", no_args_is_help=False)

Number = Annotated[int, typer.Argument(help="The pull request's number.", min=1)]
ForgeName = Annotated[str | None, typer.Option("--forge", help="auto, local, gitea or github.")]
TokenFile = Annotated[str | None, typer.Option("--token-file", metavar="FILE", help="Where the forge's token is.")]


@app.command("list")
def list_(
    state: Annotated[str, typer.Option(help="open, closed, merged or all.")] = "open",
    forge: ForgeName = None,
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """List pull requests.

    \b
    Examples:
      nbpr pulls list
      nbpr pulls list --state all --json
    """
    from nbpr import pulls
    from nbpr.render.columns import table

    found = pulls.listed(_open(forge, token_file), state)
    rows = [(f"#{p.number}", p.state + (" draft" if p.draft else ""), p.title, p.head, p.base) for p in found]
    show(
        {"pulls": [pull.as_json() for pull in found]},
        as_json,
        lambda: table(("", "state", "title", "branch", "base"), rows, width()) if rows else f"no {state} pull requests",
    )


@app.command("show")
def show_(number: Number, forge: ForgeName = None, token_file: TokenFile = None, as_json: AsJson = False) -> None:
    """Show one pull request: its summary and what was said.

    \b
    Examples:
      nbpr pulls show 7
      nbpr pulls show 7 --json
    """
    from nbpr import pulls

    pull = _open(forge, token_file).get(number)
    show({"pull_request": pull.as_full_json()}, as_json, lambda: pulls.text(pull))


@app.command("checkout")
def checkout(number: Number, forge: ForgeName = None, token_file: TokenFile = None, as_json: AsJson = False) -> None:
    """Switch to a pull request's branch, to look at it or to work on it.

    \b
    Examples:
      nbpr pulls checkout 7
    """
    from nbpr import pulls

    branch = pulls.checkout(_open(forge, token_file), number)
    show({"branch": branch}, as_json, lambda: f"on {branch}")


@app.command("comment")
def comment(
    number: Number,
    text: Annotated[str, typer.Argument(help="What to say; - reads standard input.")],
    forge: ForgeName = None,
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Comment on a pull request.

    \b
    Examples:
      nbpr pulls comment 7 "the new threshold is right"
      nbpr pulls comment 7 - < review.md
    """
    import sys

    session = _open(forge, token_file)
    said = sys.stdin.read() if text == "-" else text
    pull = session.forge.comment(session.get(number), said)
    show({"pull_request": pull.as_full_json()}, as_json, lambda: f"commented on #{number}")


@app.command("merge")
def merge(
    number: Number,
    auto_merge: Annotated[
        bool, typer.Option("--auto-merge", help="Have the forge merge it when the checks of its base have passed.")
    ] = False,
    forge: ForgeName = None,
    token_file: TokenFile = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Merge a pull request into its base: notebooks by cell, reference runs made anew.

    \b
    Examples:
      nbpr pulls merge 7
      nbpr pulls merge 7 --auto-merge
    """
    from nbpr import pulls

    with progress_line() as say:
        session = _open(forge, token_file, fetch=not dry_run)
        merged = pulls.merge(session, number, dry_run=dry_run, when_ready=auto_merge, say=say)
    for finding in merged.findings:
        note(f"{finding.level}: {finding.path}: {finding.message}")
    result: dict[str, Any] = {
        "pull_request": merged.pull.as_full_json(),
        "findings": [finding.as_json() for finding in merged.findings],
        "runs": merged.runs,
    }
    word = "would be merged" if dry_run else "merged" if merged.pull.state == "merged" else "will be merged"
    sha = f" ({merged.pull.merge_sha[:12]})" if merged.pull.merge_sha else ""
    show(result, as_json, lambda: f"#{number} {word} into {merged.pull.base}{sha}")


@app.command("close")
def close(
    number: Number,
    delete_branch: Annotated[bool, typer.Option("--delete-branch", help="Delete its branch as well.")] = False,
    forge: ForgeName = None,
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Close a pull request without merging it. Its commits are kept.

    \b
    Examples:
      nbpr pulls close 7 --delete-branch
    """
    from nbpr import pulls

    pull = pulls.close(_open(forge, token_file), number, delete_branch=delete_branch)
    show({"pull_request": pull.as_full_json()}, as_json, lambda: f"#{number} closed")


def _open(forge: str | None, token_file: str | None, *, fetch: bool = True) -> Any:
    from nbpr import config, pulls
    from nbpr.git.repository import Repository

    repository = Repository.discover()
    return pulls.connect(
        repository, config.load(repository.root, {"forge": forge, "token_file": token_file}), fetch=fetch
    )
