"""Runs: one execution of one notebook, its record, and where it is kept."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from nbpr import config as configuration
from nbpr import engines, interpreters, notebook, reference
from nbpr.attempt import Attempt, Options, check_limits, check_parameters
from nbpr.clean import clean
from nbpr.config import Config
from nbpr.engines import Progress
from nbpr.errors import BadInput, NotAllowed
from nbpr.interpreters import NoKernel
from nbpr.notebook import Notebook
from nbpr.places import path_below, root_of
from nbpr.record import Run, RunRecord
from nbpr.runkey import is_input, key_of

__all__ = [
    "Options",
    "Run",
    "RunRecord",
    "execute",
    "execute_to",
    "is_input",
    "key_of",
    "planned",
    "run_notebooks",
    "store",
]

#: What `runs/.gitignore` holds: runs that are nobody's reference stay out of git.
_IGNORED = "*.runs/\n"

Follow = Callable[[str, Progress], None]
Item = TypeVar("Item")
Result = TypeVar("Result")

AS_CONFIGURED = Options()


def attempt(source: Notebook, path: str, root: Path, config: Config, options: Options) -> Attempt:
    """A notebook ready to be run: cleaned, with ids, under its own settings. Raises `BadInput`."""
    own = config.for_notebook(path)
    given = options.parameters or {}
    check_parameters(source, given)
    return Attempt(clean(source).with_ids(), path, root, own, options, {**own.parameters, **given})


def execute(
    source: Notebook,
    path: str,
    root: Path,
    config: Config,
    options: Options = AS_CONFIGURED,
    progress: Callable[[Progress], None] | None = None,
    stop: threading.Event | None = None,
) -> Run:
    """Run the notebook `source`, which lies at `path` (POSIX) below `root`, and store nothing.

    What goes wrong in the notebook or with its kernel stands in the record. Raises `BadInput` for an unknown
    parameter, engine or interpreter, `Missing` where a package is not installed.
    """
    engine = engines.named(options.engine)
    engine.check()
    check_limits(config.for_notebook(path))
    tried = attempt(source, path, root, config, options)
    try:
        choice = tried.choose()
    except NoKernel as error:
        return tried.without_kernel(error)
    with ThreadPoolExecutor(1) as beside:
        environment = beside.submit(interpreters.environment, choice)
        executed = engine.run(tried.request(choice), progress, stop)
        return tried.run(executed, choice, environment.result())


# -- keeping -----------------------------------------------------------------------------------------------


def store(run: Run, root: Path) -> Run:
    """Write a run to its place below `root`: the reference run, or a file that git ignores for any other.

    Raises `BadInput` where a link leads out of the repository, `NotAllowed` where the file system refuses.
    """
    record = run.record
    if run.is_reference:
        path = reference.run_path(record.notebook, run.config)
    else:
        path = reference.other_run_path(record.notebook, run.config, record.run_id)
    _check_place(root, path)
    folder = root / run.config.runs
    _write(root / path, run.reference_bytes if run.is_reference else run.whole_bytes)
    if not run.is_reference and not (folder / ".gitignore").exists():
        _write(folder / ".gitignore", _IGNORED.encode())
    return replace(run, record=replace(record, output=path))


def _check_place(root: Path, path: str) -> None:
    if not (root / path).resolve().is_relative_to(root.resolve()):
        raise BadInput(f"{path}: a link leads out of the repository", hint="runs are kept in the repository itself")


def store_at(run: Run, output: Path) -> Run:
    """Write a run, with everything that it put out, to a file of the caller's choice."""
    _write(output, run.whole_bytes)
    return replace(run, record=replace(run.record, output=str(output)))


def _write(path: Path, data: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise NotAllowed(f"{path.parent}: cannot be made: {error.strerror}") from None
    notebook.write(path, data)


# -- several -----------------------------------------------------------------------------------------------


def run_notebooks(
    paths: Sequence[str],
    root: Path,
    config: Config,
    options: Options = AS_CONFIGURED,
    *,
    output: Path | None = None,
    follow: Follow | None = None,
) -> list[Run]:
    """Run notebooks (POSIX paths below `root`), so many at a time as `execute.jobs` says, and store the runs.

    One that fails does not keep the others from running. Everything is read before anything runs. With `output`,
    a file for one notebook or a folder for several, runs go there. Only what is to become a reference run leaves
    cells out that are marked NBVAL_SKIP.
    """
    sources = _sources(paths, root, config, output, options)
    places = _places(sources, output)
    options = replace(options, validating=_makes_reference(options, output))

    def one(path: str, stop: threading.Event) -> Run:
        def told(progress: Progress) -> None:
            if follow is not None:
                follow(path, progress)

        run = execute(sources[path], path, root, config, options, told, stop)
        return store(run, root) if output is None else store_at(run, places[path])

    return at_once(one, list(sources), config.execute.jobs)


def _sources(
    paths: Sequence[str], root: Path, config: Config, output: Path | None, options: Options
) -> dict[str, Notebook]:
    if output is None:
        for run in reference.run_paths(paths, config).values():
            _check_place(root, run)
    sources = {path: replace(notebook.read(root / path), name=path) for path in dict.fromkeys(paths)}
    for source in sources.values():
        check_parameters(source, options.parameters or {})
    return sources


def _makes_reference(options: Options, output: Path | None) -> bool:
    return output is None and not options.parameters and not options.prepare_only


def planned(
    paths: Sequence[str], root: Path, config: Config, options: Options = AS_CONFIGURED, *, output: Path | None = None
) -> list[dict[str, Any]]:
    """What `run_notebooks` would do, one by one: `{"notebook", "kernel", "executable", "why", "parameters", "output"}`.

    Nothing is run or written. Raises `BadInput`, and `NoKernel` for a notebook that cannot run here.
    """
    sources = _sources(paths, root, config, output, options)
    places = _places(sources, output)
    return [_plan(attempt(source, path, root, config, options), places.get(path)) for path, source in sources.items()]


def _plan(tried: Attempt, place: Path | None) -> dict[str, Any]:
    kernel = tried.choose()
    if place is not None:
        output = str(place)
    elif _makes_reference(tried.options, place):
        output = reference.run_path(tried.path, tried.config)
    else:
        output = reference.other_run_path(tried.path, tried.config, tried.run_id)
    return {
        "notebook": tried.path,
        "kernel": kernel.name,
        "executable": kernel.executable,
        "why": kernel.origin,
        "parameters": dict(tried.parameters),
        "output": output,
    }


def _places(paths: Mapping[str, Any], output: Path | None) -> dict[str, Path]:
    if output is None:
        return {}
    if len(paths) == 1 and not output.is_dir():
        return dict.fromkeys(paths, output)
    if output.suffix == ".ipynb":
        raise BadInput(f"--output {output}: one file for {len(paths)} notebooks", hint="name a folder")
    places = {path: output / Path(path).name for path in paths}
    if len(set(places.values())) < len(places):
        raise BadInput("two of the notebooks have the same name", hint="run them one by one, each with its --output")
    return places


def at_once(work: Callable[[Item, threading.Event], Result], items: Sequence[Item], jobs: int) -> list[Result]:
    """The results of `work` on the items, in their order, `jobs` at a time.

    When one raises, or the user interrupts, those that have begun are told to stop.
    """
    stop = threading.Event()
    with ThreadPoolExecutor(max(1, jobs)) as pool:
        waiting = [pool.submit(work, item, stop) for item in items]
        try:
            return [each.result() for each in waiting]
        except BaseException:
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def execute_to(
    place: Path, output: Path, parameters: Mapping[str, Any] | None = None, *, timeout: float | None = None
) -> RunRecord:
    """Run the notebook at `place` into `output`, under the settings of its repository if it lies in one."""
    root = root_of([place])
    settings = configuration.load(root, {"execute": {"timeout": timeout}})
    options = Options(parameters=parameters or {})
    return run_notebooks([path_below(root, place)], root, settings, options, output=output)[0].record
