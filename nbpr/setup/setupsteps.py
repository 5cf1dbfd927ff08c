"""The steps of setting up: settings of git and files, each looked at first, so that what is so already stays."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from nbpr.errors import BadInput, NotAllowed
from nbpr.git.repository import Repository
from nbpr.notebooks import notebook
from nbpr.process import ProcessFailed

Scope = Literal["--local", "--global"]


@dataclass(frozen=True)
class Step:
    """One thing to set up: what it is, whether it is so already, and how it is done."""

    what: str
    is_done: bool
    do: Callable[[], object]


def carried_out(steps: Sequence[Step], dry_run: bool) -> dict[str, Any]:
    """Do what is not so yet: `{"done", "already", "findings": [], "next": [], "dry_run"}`.

    Raises NotAllowed where git or the file system refuses.
    """
    pending = [step for step in steps if not step.is_done]
    for step in () if dry_run else pending:
        try:
            step.do()
        except ProcessFailed as failure:
            raise NotAllowed(f"{step.what}: {failure.completed.complaint}") from None
        except OSError as error:
            raise NotAllowed(f"{step.what}: {error.strerror or error}") from None
    return {
        "done": [step.what for step in pending],
        "already": [step.what for step in steps if step.is_done],
        "findings": [],
        "next": [],
        "dry_run": dry_run,
    }


# -- git's configuration -----------------------------------------------------------------------------------


def settings_steps(repository: Repository, settings: Mapping[str, str], scope: Scope = "--local") -> Iterator[Step]:
    """A step for each setting of git's; one that stands there several times is set once."""
    words = "git config --global" if scope == "--global" else "git config"
    for name, value in settings.items():
        write = partial(repository.git, "config", scope, "--replace-all", name, value)
        yield Step(f"{words} {name}", _values(repository, name, scope) == [value], write)


def _values(repository: Repository, name: str, scope: Scope) -> list[str]:
    said = repository.run("config", scope, "-z", "--get-all", name, accept=(0, 1)).stdout
    return said.decode("utf-8", "replace").split("\0")[:-1]


def section_step(repository: Repository, section: str, scope: Scope = "--local") -> Step:
    """A section of git's configuration taken out."""
    pattern = "^" + section.replace(".", "[.]") + "[.]"
    is_gone = bool(repository.run("config", scope, "--get-regexp", pattern, accept=(0, 1)).returncode)
    words = "git config --global" if scope == "--global" else "git config"
    return Step(f"{words} --remove-section {section}", is_gone, partial(_remove_section, repository, section, scope))


def _remove_section(repository: Repository, section: str, scope: Scope) -> None:
    """Take out the section, as often as it stands there."""
    while repository.run("config", scope, "--remove-section", section, accept=(0, 128)).returncode == 0:
        pass


# -- files -------------------------------------------------------------------------------------------------


def file_step(root: Path, name: str, change: Callable[[bytes], bytes], what: str, label: str | None = None) -> Step:
    """A file below `root` changed by a pure function of its content; none at all is as an empty one.

    Raises BadInput for a link. `label` is what the file is called, if not by its `name`.
    """
    path = root / name
    if path.is_symlink():
        raise BadInput(f"{name}: a symlink, which git does not read here", hint="replace it by a file")
    before = path.read_bytes() if path.is_file() else b""
    after = change(before)
    return Step(f"{label or name}: {what}", after == before, partial(_write, root, path, after))


def _write(root: Path, path: Path, content: bytes) -> None:
    """Write the file, or take it away, and its folders below `root`, where nothing is left of them."""
    if content:
        path.parent.mkdir(parents=True, exist_ok=True)
        notebook.write(path, content)
        return
    path.unlink()
    folder = path.parent
    while folder != root and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent
