"""`nbpr sync`: what is new in base taken into the checkout."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from nbpr.cli.output import AsJson, DryRun, progress_line, show

if TYPE_CHECKING:
    pass

app = typer.Typer()


@app.command("sync")
def sync(dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """Bring the checkout up to date with its branch on the remote, keeping what is being worked on.

    Also where git pull refuses, as it does after a proposal from the working copy was merged: notebooks that were
    changed on both sides are merged by cell, other files by line.

    \b
    Examples:
      nbpr sync
      nbpr sync --dry-run
    """
    from nbpr import config, sync
    from nbpr.git.repository import Repository

    repository = Repository.discover()
    with progress_line() as say:
        done = sync.sync(repository, config.load(repository.root), dry_run=dry_run, say=say)
    result = {
        "branch": done.branch,
        "before": done.before,
        "after": done.after,
        "updated": list(done.updated),
        "merged": list(done.merged),
    }
    show(
        result, as_json, lambda: _told(done.branch, done.before == done.after, len(done.updated), done.merged, dry_run)
    )


def _told(branch: str, is_current: bool, updated: int, merged: tuple[str, ...], dry_run: bool) -> str:
    if is_current:
        return f"{branch} is up to date"
    verb = "would be brought" if dry_run else "brought"
    lines = [f"{branch}: {verb} up to date, {updated} file{'' if updated == 1 else 's'} taken as they are"]
    return "\n".join([*lines, *(f"  merged with what is being worked on: {path}" for path in merged)])
