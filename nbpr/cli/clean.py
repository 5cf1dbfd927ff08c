"""`nbpr clean`: notebooks without outputs and run state, in place or from stdin to stdout."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from nbpr.cli.output import AsJson, note, show
from nbpr.errors import BadInput

if TYPE_CHECKING:
    from nbpr.notebooks.clean import Options

app = typer.Typer()

_SEVERAL = ("--drop-output-type", "--drop-output-types", "--keep-output-type", "--keep-output-types")


class _Clean(TyperCommand):
    """Takes several output types after one option, as nbstripout does: `--keep-output-type error stream`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return super().parse_args(ctx, list(_spread(args)))


def _spread(words: Sequence[str]) -> Iterator[str]:
    """The words with the option said again before each further value; a file's name or `-` ends its values."""
    option, first = "", False
    for word in words:
        if word.startswith("-") or word.endswith(".ipynb"):
            option, first = (word, True) if word in _SEVERAL else ("", False)
        elif option and not first:
            yield option
        else:
            first = False
        yield word


@app.command("clean", cls=_Clean)
def clean(
    files: Annotated[
        list[str] | None, typer.Argument(metavar="[FILE]...", help="Notebooks; none, or -, is stdin to stdout.")
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Only say; exit 1 if one is not clean.")] = False,
    verify: Annotated[bool, typer.Option("--verify", help="The same in nbstripout's words.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", "-n", help="Likewise, but exit 0.")] = False,
    textconv: Annotated[bool, typer.Option("--textconv", "-t", help="Print the clean notebooks instead.")] = False,
    keep_output: Annotated[bool, typer.Option("--keep-output", help="Keep all outputs.")] = False,
    keep_count: Annotated[bool, typer.Option("--keep-count", help="Keep execution counts.")] = False,
    keep_id: Annotated[bool, typer.Option("--keep-id", help="Cell ids are always kept.")] = False,
    extra_keys: Annotated[str, typer.Option(help='More keys to drop: "metadata.foo cell.metadata.bar".')] = "",
    keep_metadata_keys: Annotated[str, typer.Option(help="Keys to keep, written likewise.")] = "",
    drop_empty_cells: Annotated[bool, typer.Option("--drop-empty-cells", help="Drop cells without source.")] = False,
    drop_tagged_cells: Annotated[str, typer.Option(help="Drop cells that have one of these tags.")] = "",
    strip_init_cells: Annotated[
        bool, typer.Option("--strip-init-cells", help="Drop the outputs of init_cell cells as well.")
    ] = False,
    max_size: Annotated[
        str | None, typer.Option(metavar="SIZE", help="Keep outputs up to SIZE characters (k, M, G).")
    ] = None,
    drop_output_types: Annotated[
        list[str] | None,
        typer.Option("--drop-output-types", "--drop-output-type", metavar="TYPE...", help="error, stream:stderr, …"),
    ] = None,
    keep_output_types: Annotated[
        list[str] | None,
        typer.Option("--keep-output-types", "--keep-output-type", metavar="TYPE...", help="The same, to keep."),
    ] = None,
    unix_newlines: Annotated[bool, typer.Option("--unix-newlines", help="Write plain newlines.")] = False,
    mode: Annotated[str, typer.Option("--mode", "-m", help="What the files are: jupyter.")] = "jupyter",
    force: Annotated[bool, typer.Option("--force", "-f", help="Clean files not named *.ipynb too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Take outputs, execution counts and run metadata out of notebooks. Cell ids and all other bytes stay.

    The options have nbstripout's names, so that this can stand in for it. They go over what the repository has set
    under [tool.nbpr.clean].

    \b
    Examples:
      nbpr clean notebooks/*.ipynb           clean in place
      nbpr clean --check notebooks/*.ipynb   only say which are not; exit 1 if any
      nbpr clean < nb.ipynb > clean.ipynb    as a filter
      nbpr clean -t nb.ipynb | less          show what would be left
    """
    from nbpr import filters

    if mode != "jupyter":
        raise BadInput(f"--mode {mode}: only Jupyter's notebooks are cleaned")
    given = {
        "keep_output": keep_output,
        "keep_count": keep_count,
        "extra_keys": tuple(_known(extra_keys.split())),
        "keep_metadata_keys": tuple(keep_metadata_keys.split()),
        "drop_empty_cells": drop_empty_cells,
        "drop_tagged_cells": tuple(drop_tagged_cells.split()),
        "strip_init_cells": strip_init_cells,
        "max_size": None if max_size is None else _size(max_size),
        "drop_output_types": tuple(drop_output_types or ()),
        "keep_output_types": tuple(keep_output_types or ()),
        "unix_newlines": unix_newlines,
    }
    options_of = _options(
        {name: value for name, value in given.items() if value not in (None, ()) and value is not False}
    )
    say_only = check or verify or dry_run
    if files in (None, [], ["-"]):
        if not say_only:
            _stream(options_of(None), as_json)
            return
        found = [("-", filters.is_dirty(sys.stdin.buffer.read(), "stdin", options_of(None)))]
    else:
        paths = [Path(name) for name in files or [] if force or _is_notebook(name)]
        if textconv:
            _print(paths, options_of)
            return
        found = filters.clean_files(paths, options_of, write=not say_only)
    result = {"files": [{"path": path, "changed": changed} for path, changed in found]}
    if as_json or say_only:
        show(result, as_json, lambda: _told(found, True) if check else _as_nbstripout(found))
    else:
        note(_told(found, False))
    if (check or verify) and any(changed for _, changed in found):
        raise typer.Exit(1)


def _options(given: Mapping[str, Any]) -> Callable[[Path | None], Options]:
    """The options for a file, or for stdin: what the file's repository has set, and over it what is given."""
    from dataclasses import replace

    from nbpr import config
    from nbpr.notebooks import clean
    from nbpr.places import find_root

    load = cache(config.load)

    def of(path: Path | None) -> Options:
        root = find_root(path or Path("stdin"))
        inside = path.absolute().relative_to(root).as_posix() if path and root else None
        return replace(clean.options_for(load(root), inside), **given)

    return of


def _stream(options: Options, as_json: bool) -> None:
    from nbpr import filters

    if as_json:
        raise BadInput("--json: stdout is the notebook's here", hint="name files, or add --check")
    if sys.stdin.isatty():
        raise BadInput("no file is named, and stdin is a terminal", hint="nbpr clean FILE…")
    filters.clean_stream(sys.stdin.buffer, sys.stdout.buffer, "stdin", options)


def _print(paths: Sequence[Path], options_of: Callable[[Path | None], Options]) -> None:
    from nbpr import filters

    for path in paths:
        try:
            with path.open("rb") as file:
                filters.clean_stream(file, sys.stdout.buffer, str(path), options_of(path))
        except OSError as error:
            raise BadInput(f"{path}: {(error.strerror or 'cannot be read').lower()}") from None


def _is_notebook(name: str) -> bool:
    if name.endswith(".ipynb"):
        return True
    note(f"nbpr: {name} is not named *.ipynb and left as it is (--force cleans it)")
    return False


def _told(found: Sequence[tuple[str, bool]], say_only: bool) -> str:
    dirty = [path for path, changed in found if changed]
    if dirty:
        word = "not clean:" if say_only else "cleaned"
        return "\n".join(f"{word} {path}" for path in dirty)
    return f"clean already: {len(found)} notebook{'s' * (len(found) != 1)}"


def _as_nbstripout(found: Sequence[tuple[str, bool]]) -> str:
    """What nbstripout prints under these options, for scripts that read it."""
    dirty = [path for path, changed in found if changed]
    return "\n".join(f"Dry run: would have stripped {'input from stdin' if path == '-' else path}" for path in dirty)


def _known(keys: Sequence[str]) -> Iterator[str]:
    for key in keys:
        if key.startswith(("metadata.", "cell.")):
            yield key
        else:
            note(f"nbpr: Ignoring invalid extra key `{key}`, which begins with neither metadata. nor cell.")


def _size(text: str) -> int:
    """A number of characters, as nbstripout reads it: 200, 5k, 1M, 1G."""
    factor = {"K": 10**3, "M": 10**6, "G": 10**9}.get(text[-1:].upper(), 1)
    digits = text[:-1] if factor > 1 else text
    if not digits.isdecimal():
        raise BadInput(f"--max-size {text}: a number is wanted, with k, M or G after it if need be")
    return int(digits) * factor
