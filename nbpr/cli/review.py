"""`nbpr review`: the review page of a pull request, written and opened."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from nbpr.cli.output import AsJson, progress_line, show

app = typer.Typer()


@app.command("review")
def review(
    number: Annotated[int, typer.Argument(help="The pull request's number.", min=1)],
    output: Annotated[Path | None, typer.Option(help="Where to write the page; nbpr's own folder in .git.")] = None,
    no_open: Annotated[bool, typer.Option("--no-open", help="Write the page and leave it at that.")] = False,
    forge: Annotated[str | None, typer.Option("--forge", help="auto, local, gitea or github.")] = None,
    token_file: Annotated[str | None, typer.Option(metavar="FILE", help="Where the forge's token is.")] = None,
    as_json: AsJson = False,
) -> None:
    """Write the review page of a pull request, one HTML file, and open it if this is a terminal.

    \b
    Examples:
      nbpr review 7
      nbpr review 7 --output /tmp/review.html --no-open
      nbpr review 7 --json
    """
    from nbpr import config, pulls, reviews
    from nbpr.git.repository import Repository
    from nbpr.proposals import messages

    repository = Repository.discover()
    settled = config.load(repository.root, {"forge": forge, "token_file": token_file})
    with progress_line() as say:
        say("fetching")
        session = pulls.connect(repository, settled)
        pull = session.at_hand(number)
        say("writing the page")
        page = (output or messages.page_path(repository, number)).absolute()
        reviews.write(page, reviews.of_pull(repository, settled, pull, session.branches.sha(pull.base)))
    opened = not no_open and not as_json and sys.stdout.isatty() and _open(page)
    result = {"pull_request": pull.as_json(), "review_page": str(page), "opened": opened}
    show(result, as_json, lambda: str(page))


def _open(page: Path) -> bool:
    """Hand the page to whatever the platform opens such files with; whether there is any."""
    if sys.platform == "win32":
        os.startfile(page)
        return True
    opener = shutil.which("open" if sys.platform == "darwin" else "xdg-open")
    if opener is None:
        return False
    quiet = subprocess.DEVNULL
    subprocess.Popen([opener, str(page)], stdin=quiet, stdout=quiet, stderr=quiet, start_new_session=True)
    return True
