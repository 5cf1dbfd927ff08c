"""Setting up a repository: filter, diff and merge drivers, `.gitattributes`, the folder of runs, hooks, a workflow.

Nothing is committed or staged. Run twice, the second time changes nothing and says so.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from nbpr.config import Config, load
from nbpr.errors import BadInput
from nbpr.findings import Finding
from nbpr.git import attributes
from nbpr.git.repository import Repository
from nbpr.git.tracked import Tracked, overridden
from nbpr.notebooks import notebook
from nbpr.setup import drivers, hooks, workflows
from nbpr.setup.setupsteps import Step, carried_out, file_step, section_step, settings_steps

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
class Wanted:
    """What to set up besides what always is.

    `outputs`: which outputs reference runs keep, where that is to be written down. `hooks`: their names. `ci`: the
    forges whose workflow to write.
    """

    outputs: str | None = None
    write_config: bool = False
    hooks: tuple[str, ...] = ()
    ci: tuple[str, ...] = ()


def init(
    root: Path, config: Config | None = None, wanted: Wanted | None = None, *, dry_run: bool = False
) -> dict[str, Any]:
    """Set up the repository around `root`, with or without commits; `dry_run` writes nothing.

    Gives `{"repository", "done": [what was done], "already": [what was so before], "findings": [what is in the
    way], "next": [commands left to the user], "dry_run"}`. Raises BadInput where there is no repository, NotAllowed
    where a file cannot be written.
    """
    wanted = wanted or Wanted()
    repository = Repository.discover(root)
    config = config or load(repository.root)
    load(None, {"outputs": wanted.outputs}, {})  # says which policies there are
    hooks.refuse(repository, wanted.hooks)
    steps = [*settings_steps(repository, drivers.settings()), *_file_steps(repository, config)]
    if wanted.write_config or (wanted.outputs is not None and wanted.outputs != config.outputs):
        steps.append(_config_step(repository, wanted.outputs))
    steps += [_hook_step(repository, name) for name in wanted.hooks]
    found = [_workflow(repository, forge) for forge in wanted.ci]
    steps += [step for step in found if isinstance(step, Step)]
    result = {"repository": str(repository.root), **carried_out(steps, dry_run)}
    changed = [finding for finding in found if isinstance(finding, Finding)]
    result["findings"] = [finding.as_json() for finding in changed]
    if not dry_run:
        tracked = Tracked(repository, config)
        result["findings"] += [finding.as_json() for finding in overridden(tracked)]
        result["next"] = list(_next(tracked, wanted.ci))
    return result


def undo(root: Path, config: Config | None = None, *, dry_run: bool = False) -> dict[str, Any]:
    """Take away what `init` wrote, nbpr.toml excepted. Gives and raises what `init` does."""
    repository = Repository.discover(root)
    config = config or load(repository.root)
    steps = [section_step(repository, section) for section in drivers.SECTIONS]
    steps.append(_cache_step(repository))
    steps += [_no_hook_step(repository, name) for name in hooks.NAMES]
    steps.append(_file_step(repository, ".gitattributes", attributes.without_part, "nbpr's lines out"))
    steps.append(_file_step(repository, f"{config.runs}/.gitignore", _noticed, "partial runs not ignored"))
    steps += [_no_workflow(repository, forge) for forge in workflows.PLACES]
    return {"repository": str(repository.root), **carried_out(steps, dry_run)}


def _next(tracked: Tracked, ci: Sequence[str]) -> Iterator[str]:
    """The commands that are left to the user."""
    ours = (".gitattributes", f"{tracked.config.runs}/.gitignore", *map(workflows.place, ci))
    if tracked.repository.git("ls-files", "--others", "--modified", "--", *ours):
        yield f"git add {shlex.join(ours)}"
    for forge in ci:
        yield from _not_included(tracked.repository, forge)
    if tracked.unclean and tracked.is_filtered:
        yield "git add --renormalize ."


def _not_included(repository: Repository, forge: str) -> Iterator[str]:
    """The command that takes a forge's workflow in, where it has to be and is not."""
    if forge in workflows.INCLUDES:
        name, command = workflows.INCLUDES[forge]
        file = repository.root / name
        if not (file.is_file() and workflows.place(forge).encode() in file.read_bytes()):
            yield command


def _cache_step(repository: Repository) -> Step:
    """What git keeps of the texts that the diff driver gave it, taken away."""
    is_gone = not repository.refs(drivers.CACHE)
    return Step(
        f"git update-ref -d {drivers.CACHE}", is_gone, partial(repository.git, "update-ref", "-d", drivers.CACHE)
    )


def _hook_step(repository: Repository, name: str) -> Step:
    is_done = hooks.is_installed(repository, name)
    return Step(f"{name} hook: notebooks are checked", is_done, partial(hooks.install, repository, [name]))


def _no_hook_step(repository: Repository, name: str) -> Step:
    path = hooks.place(repository, name)
    is_gone = not (path.is_file() and b"# >>> nbpr" in path.read_bytes())
    return Step(f"{name} hook: nbpr's lines out", is_gone, partial(hooks.remove, repository, [name]))


# -- files -------------------------------------------------------------------------------------------------


def _file_steps(repository: Repository, config: Config) -> Iterator[Step]:
    part = partial(_with_part, runs=config.runs)
    yield _file_step(repository, ".gitattributes", part, "notebooks filtered, runs not")
    yield _file_step(repository, f"{config.runs}/.gitignore", _ignoring, "partial runs ignored")


def _with_part(content: bytes, runs: str) -> bytes:
    """Our part; where the file has another filter, that goes on cleaning: other clones may not know ours."""
    return attributes.with_part(content, attributes.lines(runs, filtered=attributes.other_filter(content) is None))


def _file_step(repository: Repository, name: str, change: Any, what: str) -> Step:
    """A file of the checkout. Raises BadInput for a link or a place outside."""
    repository.path_of(name, cwd=repository.root)
    return file_step(repository.root, name, change, what)


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


def _workflow(repository: Repository, forge: str) -> Step | Finding:
    """The forge's workflow as a step, or what is in its way: a file that somebody changed is not written over."""
    name, text = workflows.place(forge), workflows.text(forge)
    there = repository.root / name
    if there.is_file() and there.read_bytes() != text:
        hint = f"move it away and run nbpr init --ci {forge} again to have the one that comes with nbpr"
        return Finding("workflow", "warning", name, "is another workflow than nbpr's; left as it is", hint=hint)
    return _file_step(repository, name, lambda _: text, "notebooks are checked in CI")


def _no_workflow(repository: Repository, forge: str) -> Step:
    text = workflows.text(forge)
    return _file_step(
        repository, workflows.place(forge), lambda there: b"" if there == text else there, "no workflow of nbpr's"
    )


def _ignoring(content: bytes) -> bytes:
    """The file with a line for partial runs; a last line without an end stays one."""
    if PARTIAL_RUNS.encode() in content.split():
        return content
    newline = b"\r\n" if b"\r\n" in content else b"\n"
    if content and not content.endswith(b"\n"):
        return content + newline + PARTIAL_RUNS.encode()
    return content + PARTIAL_RUNS.encode() + newline


def _noticed(content: bytes) -> bytes:
    lines = content.splitlines(keepends=True)
    kept = b"".join(line for line in lines if line.strip() != PARTIAL_RUNS.encode())
    if lines and lines[-1] == PARTIAL_RUNS.encode():
        return kept.removesuffix(b"\n").removesuffix(b"\r")
    return kept
