"""Where runs are kept: the reference run for git, any other beside it, or a file of the caller's choice."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

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
