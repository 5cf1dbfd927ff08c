"""Runs: one execution of one notebook, its record, and where it is kept."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nbpr import batch, engines, process
from nbpr import config as configuration
from nbpr.config import Config
from nbpr.engines import Begun, Progress, stem
from nbpr.errors import BadInput
from nbpr.notebooks import notebook
from nbpr.notebooks.clean import clean
from nbpr.notebooks.notebook import Notebook
from nbpr.places import path_below, root_of
from nbpr.runs import interpreters, reference
from nbpr.runs.attempt import Attempt, Options, check_limits, check_parameters
from nbpr.runs.interpreters import Environment, NoKernel
from nbpr.runs.keeping import check_place, drop_partial, partial_of, store, store_at
from nbpr.runs.proven import Proven
from nbpr.runs.record import Run, RunRecord
from nbpr.runs.runkey import is_input, key_of
from nbpr.storage import Place, Remote, is_remote

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

Follow = Callable[[str, Progress], None]

AS_CONFIGURED = Options()


def attempt(source: Notebook, path: str, root: Path, config: Config, options: Options) -> Attempt:
    """A notebook ready to be run: cleaned, with ids, under its own settings. Raises `BadInput`."""
    own = config.for_notebook(path)
    given = options.parameters or {}
    check_parameters(source, {**given, **dict.fromkeys(word.partition("=")[0] for word in own.execute.secrets)})
    return Attempt(clean(source).with_ids(), path, root, own, options, {**own.parameters, **given})


def execute(
    source: Notebook,
    path: str,
    root: Path,
    config: Config,
    options: Options = AS_CONFIGURED,
    progress: Callable[[Progress], None] | None = None,
    stop: threading.Event | None = None,
    proven: Proven | None = None,
    notes: Callable[[], Iterable[str]] = tuple,
    turn: batch.Turn | None = None,
    meanwhile: Callable[[Run], object] = lambda run: None,
) -> Run:
    """Run the notebook `source`, which lies at `path` (POSIX) below `root`, and write nothing in the repository.

    What went well is kept in the cache of `proven`, if there is one; `notes` are asked for when it has run. Its kernel
    starts at once, its cells when it is its `turn`, and `meanwhile` is called while it ends. What goes wrong in the
    notebook or with its kernel stands in the record. Raises `BadInput` for an unknown parameter, engine or interpreter,
    `Missing` where a package is not installed.
    """
    engine = engines.named(options.engine)
    engine.check()
    # Whatever stands in our own environment, a kernel of the same user is not to read it from us.
    process.guard()
    check_limits(config.for_notebook(path))
    tried = attempt(source, path, root, config, options)
    try:
        choice = tried.choose()
    except NoKernel as error:
        run = tried.without_kernel(error)
        meanwhile(run)
        return run

    with ExitStack() as stack:
        # The kernel starts while it is looked up what the run hangs on, and while others have their turn.
        ready = stack.enter_context(engine.ready(tried.request(choice)))

        def described(begun: Begun) -> Environment:
            begun.wait()
            return interpreters.environment(choice)

        def carry_out() -> Run:
            with ThreadPoolExecutor(1) as beside, Begun(progress) as begun:
                with turn.taken() if turn else nullcontext():
                    environment = beside.submit(described, begun)
                    executed = ready.run(begun, stop)
                begun.end()
                run = tried.run(executed, choice, batch.outcome(environment))
                ended = beside.submit(ready.end)
                meanwhile(run)
                batch.outcome(ended)
                return replace(run, notes=(*run.notes, *notes()))

        return proven.carried_out(tried, choice, carry_out) if proven else carry_out()


def recall(
    source: Notebook, path: str, root: Path, config: Config, options: Options, proven: Proven | None
) -> Run | None:
    """The run that `execute` would make, if it is proven here already and may be taken for it; nothing runs."""
    if proven is None:
        return None
    tried = attempt(source, path, root, config, options)
    try:
        return proven.run(tried, tried.choose())
    except NoKernel:
        return None


def told_of(source: Notebook, path: str, root: Path, config: Config, proven: Proven) -> dict[str, Any]:
    """Whether a notebook is proven: `{"notebook", "key", "why", "facts", "run"}`, `why` where there can be no proof."""
    tried = attempt(source, path, root, config, AS_CONFIGURED)
    try:
        choice = tried.choose()
    except NoKernel as error:
        return {"notebook": path, "key": None, "why": error.message, "facts": {}, "run": None}
    asked, run = proven.question(tried, choice), proven.run(tried, choice)
    record = run.record.as_json() if run else None
    return {"notebook": path, "key": asked.key, "why": asked.why, "facts": dict(asked.facts), "run": record}


# -- several -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Job:
    """One run that is wanted: a notebook (POSIX path below the root), and its parameters if not the configured ones."""

    path: str
    parameters: Mapping[str, Any] | None = None

    @property
    def name(self) -> str:
        """What it is called where there are several: the path, with what tells it from others of the notebook."""
        given = (f"{name}={value}" for name, value in (self.parameters or {}).items())
        return " ".join((self.path, *given))


@dataclass(frozen=True)
class Ways:
    """How several runs are done: what is told of them meanwhile, what is kept and taken from before, when it ends.

    `follow` is told of each cell that begins, `ended` of each run, both by the job's name.
    """

    follow: Follow | None = None
    ended: Callable[[str, Run], None] | None = None
    proven: Proven | None = None
    keep_going: bool = True
    executor: Callable[[int], Executor] = ThreadPoolExecutor


PLAINLY = Ways()


def run_notebooks(
    paths: Sequence[str],
    root: Path,
    config: Config,
    options: Options = AS_CONFIGURED,
    *,
    output: Place | None = None,
    follow: Follow | None = None,
) -> list[Run]:
    """Run notebooks (POSIX paths below `root`), so many at a time as `execute.jobs` says, and store the runs.

    One that fails does not keep the others from running. Everything is read before anything runs. With `output`,
    a file for one notebook or a folder for several, runs go there. Only what is to become a reference run leaves
    cells out that are marked NBVAL_SKIP.
    """
    jobs = [Job(path, options.parameters) for path in dict.fromkeys(paths)]
    return [run for run in run_jobs(jobs, root, config, options, Ways(follow), output=output) if run]


def run_jobs(
    jobs: Sequence[Job],
    root: Path,
    config: Config,
    options: Options = AS_CONFIGURED,
    ways: Ways = PLAINLY,
    *,
    output: Place | None = None,
) -> list[Run | None]:
    """The runs of jobs, in their order, each stored as soon as it is made; as `run_notebooks` says.

    None stands for one that was never begun, since another had failed and `ways` is not to keep going.
    """
    paths = list(dict.fromkeys(job.path for job in jobs))
    sources = _sources(paths, root, config, output)
    for job in jobs:
        check_parameters(sources[job.path], job.parameters or {})
    places = _places(sources, output)

    def one(job: Job, turn: batch.Turn) -> Run:
        def told(progress: Progress) -> None:
            if ways.follow is not None:
                ways.follow(job.name, progress)

        own = replace(options, parameters=job.parameters)
        partial = partial_of(job.path, config.for_notebook(job.path), root, places.get(job.path))
        own = replace(own, validating=_makes_reference(own, output), partial=partial)
        asked = (sources[job.path], job.path, root, config, own)
        run = recall(*asked, ways.proven) or execute(*asked, told, turn.stop, ways.proven, turn=turn)
        run = store(run, root) if output is None else store_at(run, places[job.path])
        drop_partial(partial(run.record.run_id), run, root)
        if ways.ended is not None:
            ways.ended(job.name, run)
        return run

    with stem.kept():
        return batch.results(
            one,
            jobs,
            config.execute.jobs or batch.default_jobs(),
            is_enough=lambda run: not (ways.keep_going or run.went_well),
            executor=ways.executor,
        )


def _sources(paths: Sequence[str], root: Path, config: Config, output: Place | None) -> dict[str, Notebook]:
    if output is None:
        if remote := next(filter(is_remote, paths), None):
            hint = "say where the run goes: --output PATH"
            raise BadInput(f"{remote}: lies in no repository, so there is no place for its run", hint=hint)
        for run in reference.run_paths(paths, config).values():
            check_place(root, run)
    return {path: _source(path, root) for path in dict.fromkeys(paths)}


def _source(path: str, root: Path) -> Notebook:
    if is_remote(path):
        return notebook.parse(Remote(path).read_bytes(), path)
    return replace(notebook.read(root / path), name=path)


def _makes_reference(options: Options, output: Place | None) -> bool:
    return output is None and not options.parameters and not options.prepare_only


def planned(
    paths: Sequence[str], root: Path, config: Config, options: Options = AS_CONFIGURED, *, output: Place | None = None
) -> list[dict[str, Any]]:
    """What `run_notebooks` would do, one by one: `{"notebook", "kernel", "executable", "why", "parameters", "output"}`.

    Nothing is run or written. Raises `BadInput`, and `NoKernel` for a notebook that cannot run here.
    """
    sources = _sources(paths, root, config, output)
    for source in sources.values():
        check_parameters(source, options.parameters or {})
    places = _places(sources, output)
    return [_plan(attempt(source, path, root, config, options), places.get(path)) for path, source in sources.items()]


def _plan(tried: Attempt, place: Place | None) -> dict[str, Any]:
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


def _places(paths: Mapping[str, Any], output: Place | None) -> dict[str, Place]:
    if output is None:
        return {}
    if isinstance(output, Remote):
        output.check()
    if len(paths) == 1 and not output.is_dir():
        return dict.fromkeys(paths, output)
    if output.suffix == ".ipynb":
        raise BadInput(f"--output {output}: one file for {len(paths)} notebooks", hint="name a folder")
    places = {path: output / Path(path).name for path in paths}
    if len(set(places.values())) < len(places):
        raise BadInput("two of the notebooks have the same name", hint="run them one by one, each with its --output")
    return places


def execute_to(
    place: Place, output: Place, parameters: Mapping[str, Any] | None = None, *, timeout: float | None = None
) -> RunRecord:
    """Run the notebook at `place` into `output`, under the settings of its repository if it lies in one.

    One in a storage is run in the current folder, under the settings of the repository there.
    """
    root = root_of([place if isinstance(place, Path) else Path.cwd() / place.name])
    settings = configuration.load(root, {"execute": {"timeout": timeout}})
    options = Options(parameters=parameters or {})
    path = path_below(root, place) if isinstance(place, Path) else place.url
    return run_notebooks([path], root, settings, options, output=output)[0].record
