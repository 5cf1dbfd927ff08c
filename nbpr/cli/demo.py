"""`nbpr demo`: the main job on an embedded example."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nbpr.cli.output import AsJson, progress_line, show

app = typer.Typer()


@app.command("demo")
def demo(
    into: Annotated[Path | None, typer.Option(help="Where to make the repository; a new temporary folder.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show the main job, with no set-up: a repository, a change, a run, a proof, a pull request.

    \b
    Examples:
      nbpr demo
      nbpr demo --into /tmp/try-it
    """
    from nbpr import demo
    from nbpr.cli.propose import written

    with progress_line() as say:
        made = demo.run(into, say)
    outcome = made.outcome
    result = {"done": list(made.steps), "repository": str(made.root), "proposal": outcome.as_json()}
    show(result, as_json, lambda: _told(made.steps, written(outcome), str(made.root)))
    if outcome.verdict != "passed":
        raise typer.Exit(1)


def _told(steps: tuple[str, ...], outcome: str, root: str) -> str:
    done = "\n".join(f"{number}. {step}" for number, step in enumerate(steps, 1))
    further = f"Look around: cd {root!r} && nbpr pulls show 1; merge it: nbpr pulls merge 1"
    return f"{done}\n\n{outcome.rstrip()}\n\n{further}"
