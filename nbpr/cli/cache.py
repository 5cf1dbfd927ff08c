"""`nbpr cache`: what is proven here already, why a notebook is not, and how to forget it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nbpr.cli.output import AsJson, colours, show, width
from nbpr.errors import BadInput

if TYPE_CHECKING:
    from nbpr.config import Config
    from nbpr.git.repository import Repository
    from nbpr.runs.runcache import RunCache

app = typer.Typer()
cache_app = typer.Typer(help="What is proven here already, so that it is not run again.", no_args_is_help=True)
app.add_typer(cache_app, name="cache")


@app.callback()
def _family() -> None:
    """Makes `cache` a word of its own, although the family has no other."""


@cache_app.command("list")
def listed(as_json: AsJson = False) -> None:
    """List the runs that are kept, the last used first.

    \b
    Examples:
      nbpr cache list
      nbpr cache list --json
    """
    from nbpr.runs.runcache import RUN

    _, _, cache = _here()
    kept = cache.listed()
    found = [each.as_json() for each in kept if each.kind == RUN]
    result = {"folder": str(cache.folder), "size": sum(each.size for each in kept), "max_size": cache.max_size}
    show({**result, "runs": found}, as_json, lambda: _table(found, result))


@cache_app.command("clear")
def clear(as_json: AsJson = False) -> None:
    """Forget everything that is proven here.

    \b
    Examples:
      nbpr cache clear
    """
    _, _, cache = _here()
    gone = cache.clear()
    show({"cleared": gone}, as_json, lambda: f"{gone} entries taken away" if gone else "there was nothing in it")


@cache_app.command("show")
def show_notebook(
    file: Annotated[Path, typer.Argument(metavar="NB", help="The notebook.", show_default=False)],
    as_json: AsJson = False,
) -> None:
    """Say whether a notebook is proven as it is now, or why nothing can be kept of it.

    \b
    Examples:
      nbpr cache show notebooks/health.ipynb
    """
    from nbpr.notebooks.notebook import read
    from nbpr.places import path_below
    from nbpr.runs.presence import in_checkout
    from nbpr.runs.proven import Proven
    from nbpr.runs.runs import told_of

    repository, config, cache = _here(file)
    path = path_below(repository.root, file)
    proven = Proven(cache, lambda: in_checkout(repository, config, cache))
    result = told_of(read(file), path, repository.root, config, proven)
    show(result, as_json, lambda: _said(result))


def _here(file: Path | None = None) -> tuple[Repository, Config, RunCache]:
    from nbpr import config
    from nbpr.git.repository import Repository
    from nbpr.runs.presence import cache_of

    repository = Repository.discover(file.absolute().parent if file else None)
    settings = config.load(repository.root)
    cache = cache_of(repository, settings)
    if cache is None:
        raise BadInput("there is no cache: cache.max-size or cache.max-age is 0", hint="see [tool.nbpr.cache]")
    return repository, settings, cache


def _table(found: list[dict[str, Any]], result: dict[str, Any]) -> str:
    from nbpr.render import terminal

    share = f"{result['size'] / 1e6:.1f} of {result['max_size'] / 1e6:.0f} MB in {result['folder']}"
    if not found:
        return f"nothing is kept: {share}"
    rows = [
        [each["notebook"], each["started"][:19].replace("T", " "), f"{each['seconds']:.1f} s", each["key"][7:19]]
        for each in found
    ]
    return "\n".join([terminal.table(["notebook", "ran (UTC)", "took", "key"], rows, width(), colours()), share])


def _said(result: dict[str, Any]) -> str:
    from nbpr.render.escape import one_line

    if result["key"] is None:
        return f"nothing can be kept of {result['notebook']}: {one_line(result['why'])}"
    if result["run"] is None:
        return f"{result['notebook']} is not proven as it is now"
    record = result["run"]
    return f"{result['notebook']} is proven: run {record['run_id']}, {record['started']}"
