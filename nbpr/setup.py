"""Setting up a repository: the clean filter, the diff driver, `.gitattributes` and the folder of runs.

Nothing is committed or staged. Run twice, the second time changes nothing and says so.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from nbpr import attributes, notebook
from nbpr.attributes import DRIVER
from nbpr.config import Config, load
from nbpr.errors import BadInput, NotAllowed
from nbpr.process import ProcessFailed
from nbpr.repository import Repository
from nbpr.tracked import Tracked, overridden

#: Partial and failed runs, which are nobody's reference.
PARTIAL_RUNS = "*.runs/"

TEMPLATE = """\
# Settings of nbpr. What is commented out is the default.
{outputs}
# notebooks = ["notebooks/**/*.ipynb"]   # what init, check and gate look at
# runs = "runs"                          # where reference runs go
# base = "main"                          # what proposals build on; else the remote's default branch
# link = ["data/**"]                     # ignored files that runs need

# [execute]
# timeout = 1800                         # seconds, for a whole run
# python = ".venv/bin/python"            # the project's interpreter

# [scraps.health_score]
# min = 0.9
# max-drop = "5%"
"""


@dataclass(frozen=True)
class Step:
    """One thing to set up: what it is, whether it is so already, and how it is done."""

    what: str
    is_done: bool
    do: Callable[[], object]


def filter_command(python: str | None = None) -> str:
    """The command that git starts for each notebook, with this very interpreter.

    Git hands it to a shell, so the path is quoted; `%f` is the notebook's name, which git quotes itself.
    `filter.nbpr.process`, once there is one, goes before it where git knows it.
    """
    return f"{_quoted(python)} -P -m nbpr.filters clean %f"


def diff_command(python: str | None = None) -> str:
    """The command that git starts to show what changed in a notebook."""
    return f"{_quoted(python)} -P -m nbpr.diffdriver"


def _quoted(python: str | None) -> str:
    path = python or sys.executable
    if not path:
        raise BadInput("this Python does not know its own path", hint="run nbpr from a virtual environment")
    return shlex.quote(Path(path).as_posix())


def settings() -> dict[str, str]:
    """What `init` writes into the repository's git configuration, by name."""
    return {
        f"filter.{DRIVER}.clean": filter_command(),
        # Git wants a smudge command wherever a filter is required.
        f"filter.{DRIVER}.smudge": "cat",
        # A filter that cannot start fails `git add` rather than let outputs into the repository unseen. It
        # blocks nobody who never ran init: a driver that a clone does not know is passed over by git.
        f"filter.{DRIVER}.required": "true",
        f"diff.{DRIVER}.command": diff_command(),
    }


def init(
    root: Path,
    config: Config | None = None,
    *,
    outputs: str | None = None,
    write_config: bool = False,
    dry_run: bool = False,
) -> dict[str, Any]:
    """Set up the repository around `root`, with or without commits; `dry_run` writes nothing.

    `write_config`, or an `outputs` other than configured, writes a commented nbpr.toml as well. Gives
    `{"repository", "done": [what was done], "already": [what was so before], "findings": [what is in the way],
    "next": [commands left to the user], "dry_run"}`. Raises BadInput where there is no repository, NotAllowed
    where a file cannot be written.
    """
    repository = Repository.discover(root)
    config = config or load(repository.root)
    load(None, {"outputs": outputs}, {})  # says which policies there are
    steps = [*_git_steps(repository), *_file_steps(repository, config)]
    if write_config or (outputs is not None and outputs != config.outputs):
        steps.append(_config_step(repository, outputs))
    result = _carried_out(repository, steps, dry_run)
    if not dry_run:
        tracked = Tracked(repository, config)
        result["findings"] = [finding.as_json() for finding in overridden(tracked)]
        result["next"] = list(_next(tracked))
    return result


def undo(root: Path, config: Config | None = None, *, dry_run: bool = False) -> dict[str, Any]:
    """Take away what `init` wrote, nbpr.toml excepted. Gives and raises what `init` does."""
    repository = Repository.discover(root)
    config = config or load(repository.root)
    steps = [_section_step(repository, f"{kind}.{DRIVER}") for kind in ("filter", "diff")]
    steps.append(_file_step(repository, ".gitattributes", attributes.without_part, "nbpr's lines out"))
    steps.append(_file_step(repository, f"{config.runs}/.gitignore", _noticed, "partial runs not ignored"))
    return _carried_out(repository, steps, dry_run)


def _carried_out(repository: Repository, steps: list[Step], dry_run: bool) -> dict[str, Any]:
    pending = [step for step in steps if not step.is_done]
    for step in () if dry_run else pending:
        try:
            step.do()
        except ProcessFailed as failure:
            raise NotAllowed(f"{step.what}: {failure.completed.complaint}") from None
        except OSError as error:
            raise NotAllowed(f"{step.what}: {error.strerror or error}") from None
    return {
        "repository": str(repository.root),
        "done": [step.what for step in pending],
        "already": [step.what for step in steps if step.is_done],
        "findings": [],
        "next": [],
        "dry_run": dry_run,
    }


def _next(tracked: Tracked) -> Iterator[str]:
    """The commands that are left to the user."""
    ours = (".gitattributes", f"{tracked.config.runs}/.gitignore")
    if tracked.repository.git("ls-files", "--others", "--modified", "--", *ours):
        yield f"git add {shlex.join(ours)}"
    if tracked.unclean:
        yield "git add --renormalize ."


# -- git's configuration -----------------------------------------------------------------------------------


def _git_steps(repository: Repository) -> Iterator[Step]:
    for name, value in settings().items():
        write = partial(repository.git, "config", "--local", "--replace-all", name, value)
        yield Step(f"git config {name}", _local(repository, name) == value, write)


def _local(repository: Repository, name: str) -> str | None:
    done = repository.run("config", "--local", "--get", name, accept=(0, 1))
    return None if done.returncode else done.text


def _section_step(repository: Repository, section: str) -> Step:
    pattern = "^" + section.replace(".", "[.]") + "[.]"
    is_gone = bool(repository.run("config", "--local", "--get-regexp", pattern, accept=(0, 1)).returncode)
    remove = partial(repository.git, "config", "--local", "--remove-section", section)
    return Step(f"git config --remove-section {section}", is_gone, remove)


# -- files -------------------------------------------------------------------------------------------------


def _file_steps(repository: Repository, config: Config) -> Iterator[Step]:
    part = partial(attributes.with_part, runs=config.runs)
    yield _file_step(repository, ".gitattributes", part, "notebooks filtered, runs not")
    yield _file_step(repository, f"{config.runs}/.gitignore", _ignoring, "partial runs ignored")


def _config_step(repository: Repository, outputs: str | None) -> Step:
    """A commented nbpr.toml where there are no settings yet. Raises BadInput where they say something else."""
    own, project = repository.root / "nbpr.toml", repository.root / "pyproject.toml"
    has_table = project.is_file() and b"[tool.nbpr" in project.read_bytes()
    if outputs is not None and (own.exists() or has_table):
        place = "nbpr.toml" if own.exists() else "[tool.nbpr] in pyproject.toml"
        raise BadInput(
            f"{place} is there already; nbpr does not rewrite it", hint=f'write outputs = "{outputs}" into it'
        )
    line = f'outputs = "{outputs}"' if outputs else '# outputs = "all"'
    text = TEMPLATE.format(outputs=f"{line:<39}  # what reference runs keep: all, marked, scraps or none")
    write = partial(notebook.write, own, text.encode())
    return Step("nbpr.toml: settings to fill in", own.exists() or has_table, write)


def _file_step(repository: Repository, name: str, change: Callable[[bytes], bytes], what: str) -> Step:
    """A file changed by a pure function of its content. Raises BadInput for a link or a place outside."""
    repository.path_of(name, cwd=repository.root)
    path = repository.root / name
    if path.is_symlink():
        raise BadInput(f"{name}: a symlink, which git does not read here", hint="replace it by a file")
    before = path.read_bytes() if path.is_file() else b""
    after = change(before)
    return Step(f"{name}: {what}", after == before, partial(_write, path, after))


def _write(path: Path, content: bytes) -> None:
    """Write the file, or take it away, and its folder too, where nothing is left of them."""
    if content:
        path.parent.mkdir(parents=True, exist_ok=True)
        notebook.write(path, content)
        return
    path.unlink()
    if not any(path.parent.iterdir()):
        path.parent.rmdir()


def _ignoring(content: bytes) -> bytes:
    if PARTIAL_RUNS.encode() in content.split():
        return content
    newline = b"\r\n" if b"\r\n" in content else b"\n"
    gap = newline if content and not content.endswith(b"\n") else b""
    return content + gap + PARTIAL_RUNS.encode() + newline


def _noticed(content: bytes) -> bytes:
    kept = (line for line in content.splitlines(keepends=True) if line.strip() != PARTIAL_RUNS.encode())
    return b"".join(kept)
