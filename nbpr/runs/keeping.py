"""Where runs are kept: the reference run for git, any other beside it, or a file of the caller's choice."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from nbpr.config import Config
from nbpr.engines.execution import Partial
from nbpr.errors import BadInput, NbprError, NotAllowed
from nbpr.notebooks import notebook
from nbpr.runs import reference
from nbpr.runs.record import Run
from nbpr.storage import Place, Remote

#: What `runs/.gitignore` holds: runs that are nobody's reference stay out of git.
_IGNORED = "*.runs/\n"


def store(run: Run, root: Path) -> Run:
    """Write a run to its place below `root`: the reference run, or a file that git ignores for any other.

    Raises `BadInput` where a link leads out of the repository, `NotAllowed` where the file system refuses.
    """
    record = run.record
    if run.is_reference:
        path = reference.run_path(record.notebook, run.config)
    else:
        path = reference.other_run_path(record.notebook, run.config, record.run_id)
    check_place(root, path)
    folder = root / run.config.runs
    _write(root / path, run.reference_bytes if run.is_reference else run.whole_bytes)
    if not run.is_reference and not (folder / ".gitignore").exists():
        _write(folder / ".gitignore", _IGNORED.encode())
    return replace(run, record=replace(record, output=path))


def store_at(run: Run, output: Place) -> Run:
    """Write a run, with everything that it put out, to a file of the caller's choice.

    A storage that does not take it loses nothing: the run is then in the current folder, as the error says.
    """
    if isinstance(output, Remote):
        _send(run, output)
    else:
        _write(output, run.whole_bytes)
    return replace(run, record=replace(run.record, output=str(output)))


def _send(run: Run, output: Remote) -> None:
    try:
        output.write_bytes(run.whole_bytes)
    except NbprError as error:
        kept = Path.cwd() / f"{run.record.run_id}.ipynb"
        _write(kept, run.whole_bytes)
        error.hint = f"the run is kept in {kept}" + (f"; {error.hint}" if error.hint else "")
        raise


def partial_of(path: str, config: Config, root: Path, output: Place | None) -> Callable[[str], Partial]:
    """Where what has run of a notebook is kept meanwhile, by the run's id: beside `output`, if that is wanted.

    What goes to a storage is meanwhile kept in the current folder.
    """

    def partial(run_id: str) -> Partial:
        if isinstance(output, Remote):
            return Partial(Path.cwd() / f"{run_id}.partial.ipynb")
        if output is not None:
            return Partial(output.with_name(f"{output.stem}.partial{output.suffix}"))
        place = root / reference.other_run_path(path, config, run_id)
        return Partial(place, (place.with_name(".gitignore"), "*\n"))

    return partial


def drop_partial(partial: Partial, run: Run, root: Path) -> None:
    """Take away what was kept meanwhile, the run itself being stored now; where that is the very file, it stays."""
    if run.record.output is None:
        return
    is_run = (root / run.record.output).absolute() == partial.place.absolute()
    with suppress(OSError):
        if partial.ignored is not None:
            partial.ignored[0].unlink(missing_ok=is_run)
        if not is_run:
            partial.place.unlink()
            if partial.ignored is not None:
                partial.place.parent.rmdir()


def check_place(root: Path, path: str) -> None:
    """Raises `BadInput` where a link leads a path out of the repository."""
    if not (root / path).resolve().is_relative_to(root.resolve()):
        raise BadInput(f"{path}: a link leads out of the repository", hint="runs are kept in the repository itself")


def _write(path: Path, data: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise NotAllowed(f"{path.parent}: cannot be made: {error.strerror}") from None
    notebook.write(path, data)
