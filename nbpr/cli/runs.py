"""`nbpr run`, `nbpr validate`: notebooks executed, and proved."""

from __future__ import annotations

import re
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from nbpr.cli.output import AsJson, DryRun, colours, note, show, width
from nbpr.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nbpr.config import Config
    from nbpr.storage import Place

app = typer.Typer()

Notebooks = Annotated[list[Path], typer.Argument(metavar="NB...", help="The notebooks.", show_default=False)]
Sources = Annotated[
    list[str], typer.Argument(metavar="NB...", help="The notebooks, files or s3:// addresses.", show_default=False)
]
Kernel = Annotated[str | None, typer.Option(metavar="NAME", help="Run with this kernelspec.")]
Python = Annotated[str | None, typer.Option(metavar="PATH", help="Run with this interpreter, or this environment's.")]
Timeout = Annotated[float | None, typer.Option(metavar="SECONDS", help="For the whole run; 0: no limit.", min=0)]
CellTimeout = Annotated[float | None, typer.Option(metavar="SECONDS", help="For each cell; 0: no limit.", min=0)]
StartupTimeout = Annotated[float | None, typer.Option(metavar="SECONDS", help="For a kernel to start.", min=0)]
Memory = Annotated[
    str | None, typer.Option(metavar="SIZE", help="For a kernel and all that it starts: 500M, 2G. 0: no limit.")
]
MaxOutput = Annotated[
    str | None, typer.Option(metavar="SIZE", help="Characters of its output that a cell keeps. 0: no limit.")
]
SandboxKind = Annotated[str | None, typer.Option("--sandbox", metavar="KIND", help="auto, bwrap or none.")]
Secrets = Annotated[
    list[str] | None,
    typer.Option("--secret", metavar="NAME=env:VAR", help="A parameter that only the kernel sees; repeatable."),
]
Jobs = Annotated[int | None, typer.Option(metavar="N", help="How many notebooks to run at a time.", min=1)]
NoCache = Annotated[bool, typer.Option("--no-cache", help="Run all anew, whatever is proven here already.")]
KeepGoing = Annotated[
    bool, typer.Option("--keep-going/--fail-fast", help="Whether one that fails stops the others.", show_default=True)
]
Engine = Annotated[str, typer.Option(metavar="NAME", help="What carries out the runs.")]


class _PairedOptions(TyperCommand):
    """A command whose `-p` takes two words, as papermill's does; Typer has no list of pairs."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        parsed: list[str] = super().parse_args(ctx, paired(args))
        return parsed


def paired(args: list[str]) -> list[str]:
    """The command line with each `-p NAME VALUE` as `-p NAME=VALUE`, which stays as it is where it is written so."""
    words, left = [], list(args)
    while left:
        word = left.pop(0)
        words.append(word)
        if word == "--":
            return [*words, *left]
        if word in ("-p", "--parameter") and left:
            name = left.pop(0)
            words.append(name if "=" in name or not left else f"{name}={left.pop(0)}")
    return words


@app.command("run", cls=_PairedOptions)
def run(
    sources: Sources,
    parameter: Annotated[
        list[str] | None, typer.Option("-p", "--parameter", metavar="NAME VALUE", help="Set a parameter; repeatable.")
    ] = None,
    params_file: Annotated[
        Path | None, typer.Option("-f", "--params-file", metavar="FILE", help="Parameters as YAML or JSON.")
    ] = None,
    output: Annotated[
        str | None,
        typer.Option("-o", "--output", metavar="PATH", help="Where to write the run, s3:// too; several: a folder."),
    ] = None,
    prepare_only: Annotated[
        bool, typer.Option("--prepare-only", help="Put the parameters in and write the notebook; run nothing.")
    ] = False,
    kernel: Kernel = None,
    python: Python = None,
    timeout: Timeout = None,
    cell_timeout: CellTimeout = None,
    startup_timeout: StartupTimeout = None,
    memory: Memory = None,
    max_output: MaxOutput = None,
    sandbox: SandboxKind = None,
    secret: Secrets = None,
    jobs: Jobs = None,
    sweep: Annotated[
        list[str] | None, typer.Option(metavar="NAME=V,V", help="Run with each of the values; repeatable: with all.")
    ] = None,
    sweep_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Run with each row of a JSON or CSV file of parameters.")
    ] = None,
    scraps_to: Annotated[
        Path | None, typer.Option("--scraps", metavar="FILE", help="Write scraps as .csv, .json or .parquet.")
    ] = None,
    keep_going: KeepGoing = True,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with what did not finish: what went well is not run again.")
    ] = False,
    no_cache: NoCache = False,
    engine: Engine = "papermill",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Run notebooks, each in a fresh kernel, and write their reference runs.

    Runs with other parameters than the configured ones, and runs that fail, go to runs/NAME.runs/ instead, which
    git ignores. A reference run leaves out cells marked NBVAL_SKIP, as validating does.

    \b
    Examples:
      nbpr run notebooks/health.ipynb
      nbpr run notebooks/*.ipynb --jobs 2
      nbpr run notebooks/health.ipynb -p threshold 0.9 -p regions '["eu"]'
      nbpr run analysis.ipynb -f params.yaml --output /tmp/analysis.ipynb
      nbpr run analysis.ipynb --sweep alpha=0.1,0.2 --sweep beta=1,2 --scraps results.csv
      nbpr run analysis.ipynb --sweep-file runs.csv --jobs 4 --resume
      nbpr run s3://bucket/in.ipynb --output s3://bucket/out.ipynb
    """
    from nbpr.cli.progress import board
    from nbpr.render import records
    from nbpr.runs import presence, runs, scraptable, sweeps
    from nbpr.storage import place

    more = _limits(startup_timeout, memory, max_output, sandbox, secret)
    files, to = [place(each) for each in sources], place(output) if output is not None else None
    root, paths, config = _settled(
        files, kernel, python, timeout, cell_timeout, jobs, more, is_elsewhere=output is not None
    )
    given = _parameters(parameter or [], params_file)
    options = runs.Options(parameters=given or None, files=_tracked(root), engine=engine, prepare_only=prepare_only)
    if dry_run:
        plan = runs.planned(paths, root, config, options, output=to)
        show({"runs": [], "planned": plan}, as_json, lambda: records.planned(plan, width()))
        return
    if resume and no_cache:
        raise BadInput("--resume and --no-cache exclude each other")
    is_sweep = bool(sweep) or sweep_file is not None
    if is_sweep and any(not isinstance(file, Path) for file in files):
        raise BadInput(
            "no sweep over a notebook in a storage", hint="copy it into a repository, where its runs are kept"
        )
    if is_sweep and output is not None:
        raise BadInput("--output takes no sweep", hint="its runs go to runs/NAME.runs/")
    if scraps_to is not None:
        scraptable.check(scraps_to)
    sets = sweeps.combined(sweep or [], sweep_file, given) if is_sweep else [given or None]
    wanted = [runs.Job(path, each) for path in paths for each in sets]
    own = [each for each in (scraps_to, sweep_file, params_file, to) if isinstance(each, Path)]
    reading = replace(config, cache=replace(config.cache, read=resume))
    with _engine_ready(config, is_wanted=not resume):
        proven = presence.proven_here(root, reading, own, batch=True)
        if resume and proven is None:
            note("note: nothing is kept of runs here (no repository, or [tool.nbpr.cache] says so): all are run")
        with board([job.name for job in wanted]) as told:
            ways = runs.Ways(told.at_cell, told.ran, proven, keep_going)
            made = runs.run_jobs(wanted, root, config, options, ways, output=to)
    done = [each for each in made if each is not None]
    for path, said in dict.fromkeys((each.record.notebook, said) for each in done for said in each.notes):
        note(f"note: {path}: {said}")
    plain = [each.record.as_json() for each in done]
    if scraps_to is not None:
        scraptable.write(plain, scraps_to)
    left = [job.name for job, each in zip(wanted, made, strict=True) if each is None]
    result = {"runs": plain, **({"left": left} if left else {})}
    shown = records.swept if is_sweep else records.ran
    show(result, as_json, lambda: shown(plain, width(), colours()))
    if left:
        note(f"note: {len(left)} not begun, since one failed (--keep-going runs all; --resume what is left)")
    _exit_if(not all(each.went_well for each in done))


@app.command("validate")
def validate(
    files: Notebooks,
    kernel: Kernel = None,
    python: Python = None,
    timeout: Timeout = None,
    cell_timeout: CellTimeout = None,
    startup_timeout: StartupTimeout = None,
    memory: Memory = None,
    max_output: MaxOutput = None,
    sandbox: SandboxKind = None,
    secret: Secrets = None,
    jobs: Jobs = None,
    keep_going: KeepGoing = True,
    no_cache: NoCache = False,
    as_json: AsJson = False,
) -> None:
    """Check that notebooks are valid, that every cell runs, and that they give what their reference runs say.

    Each runs once, in a fresh kernel; nbval (lax) compares what it gave. Nothing is written. What is proven here
    already, and hangs on nothing that changed since, is not run again (nbpr cache).

    \b
    Examples:
      nbpr validate notebooks/health.ipynb
      nbpr validate notebooks/*.ipynb --jobs 2 --json
      nbpr validate notebooks/*.ipynb --no-cache --fail-fast
    """
    more = _limits(startup_timeout, memory, max_output, sandbox, secret)
    root, paths, config = _settled(files, kernel, python, timeout, cell_timeout, jobs, more, no_cache=no_cache)
    with _engine_ready(config, is_wanted=no_cache):
        from nbpr.cli.progress import board
        from nbpr.render import records
        from nbpr.runs import presence, runs, validation

        options = runs.Options(files=_tracked(root))
        proven = presence.proven_here(root, config)
        with board(paths) as told:
            found = validation.validate(
                paths, root, config, options, proven=proven, keep_going=keep_going,
                follow=told.at_cell, ended=told.validated,
            )  # fmt: skip
    result = found.as_json()
    show(result, as_json, lambda: records.validated(result))
    _exit_if(result["verdict"] == "failed")


# -- what is given -----------------------------------------------------------------------------------------


def _settled(
    files: Sequence[Place],
    kernel: str | None,
    python: str | None,
    timeout: float | None,
    cell_timeout: float | None,
    jobs: int | None,
    more: dict[str, Any],
    *,
    is_elsewhere: bool = True,
    no_cache: bool = False,
) -> tuple[Path, list[str], Config]:
    """The repository's root, the notebooks' paths below it, and its settings under the given flags."""
    from nbpr import config
    from nbpr.places import find_root, path_below, root_of
    from nbpr.runs import sandbox

    # What lies in a storage is run here.
    local = [file if isinstance(file, Path) else Path.cwd() / file.name for file in files]
    if find_root(local[0]) is None and not is_elsewhere:
        hint = "say where the run goes: --output PATH"
        raise BadInput(f"{files[0]}: not in a repository, so there is no place for its run", hint=hint)
    limits = {"timeout": timeout, "cell_timeout": cell_timeout, "jobs": jobs}
    chosen = {"kernel": kernel, "python": python and str(Path(python).expanduser().absolute())}
    root = root_of(local)
    reading = {"read": False if no_cache else None}
    settled = config.load(root, {"execute": {**limits, **chosen, **more}, "cache": reading})
    if (absence := sandbox.absence(settled.execute.sandbox)) is not None:
        note(f"note: {absence}")
    return (
        root,
        [path_below(root, file) if isinstance(file, Path) else file.url for file in files],
        settled,
    )


def _engine_ready(config: Config, *, is_wanted: bool) -> AbstractContextManager[None]:
    """Have what runs notebooks get ready in the block, from now on if it is sure that some will run."""
    from nbpr import process
    from nbpr.engines import stem

    return stem.kept(process.kernel_environment(config.execute.env) if is_wanted else None)


def _limits(
    startup_timeout: float | None,
    memory: str | None,
    max_output: str | None,
    sandbox: str | None,
    secret: list[str] | None,
) -> dict[str, Any]:
    """What these flags say, as settings."""
    sizes = {"memory": size(memory, "--memory"), "max_output": size(max_output, "--max-output")}
    return {**sizes, "startup_timeout": startup_timeout, "sandbox": sandbox, "secrets": secret or None}


def size(word: str | None, option: str) -> int | None:
    """The number that `500M` and `2G` mean, in thousands. Raises `BadInput`."""
    if word is None:
        return None
    found = re.fullmatch(r"(\d+(?:\.\d+)?) ?([kKMGT]?)B?", word)
    if found is None:
        raise BadInput(f"{option} {word}: a size is wanted", hint=f"{option} 500M, {option} 2G")
    thousands: int = 1000 ** " KMGT".index(found[2].upper() or " ")
    return round(float(found[1]) * thousands)


def _tracked(root: Path) -> dict[str, str]:
    """The tracked files as they are in the checkout, with their blob ids; none outside of a repository."""
    from nbpr.git.repository import Repository
    from nbpr.places import find_root

    if find_root(root / "-") is None:
        return {}
    repository = Repository.discover(root)
    if repository.head is None:
        return {}
    found = {entry.path: entry.sha for entry in repository.entries("HEAD")}
    for path in repository.edited():
        place = root / path
        found.pop(path, None)
        if place.is_file() and not path.endswith(".ipynb"):
            found[path] = repository.added(path, place.read_bytes(), write=False).sha
    return found


def _parameters(pairs: list[str], file: Path | None) -> dict[str, Any]:
    """The parameters of a file and of `-p`, which go over the file's."""
    from nbpr.notebooks.parameters import read_value
    from nbpr.runs.paramsfile import read

    found = read(file) if file else {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name.strip():
            raise BadInput(f"-p {pair}: a name and a value are wanted", hint="-p threshold 0.9")
        found[name] = read_value(value)
    return found


def _exit_if(failed: bool) -> None:
    if failed:
        raise typer.Exit(1)
