"""What is set up in a repository, what is missing and how to mend it.

Each part looks at one thing; a part with nothing to say is well. Nothing is written, and nobody on the network
is asked.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
from collections.abc import Callable, Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path
from subprocess import TimeoutExpired
from typing import Any

from nbpr import interpreters, notebook, process
from nbpr.attributes import DRIVER
from nbpr.clean import is_clean
from nbpr.config import Config, load
from nbpr.errors import BadInput, NbprError
from nbpr.findings import Finding, Level
from nbpr.process import ProcessFailed
from nbpr.repository import Repository
from nbpr.tracked import Tracked, overridden
from nbpr.workspaces import left_behind, sweep

MINIMUM_GIT = (2, 25)
RUN_PACKAGES = ("papermill", "nbval", "scrapbook", "ipykernel")
#: How many notebooks of a kind are named one by one.
NAMED = 10

_INIT = "nbpr init"
_PROBE = b"""{"cells": [{"cell_type": "code", "execution_count": 1, "id": "probe", "metadata": {},
 "outputs": [{"name": "stdout", "output_type": "stream", "text": "probe"}], "source": ""}],
 "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
"""


def doctor(root: Path, config: Config | None = None, *, fix: bool = False) -> dict[str, Any]:
    """Examine the repository around `root`: `{"ok", "findings", "well": [what is as it should be], "mended"}`.

    `ok` is false if something must be mended. With `fix`, what killed commands left is taken away first. Raises
    BadInput where there is no repository.
    """
    repository = Repository.discover(root)
    mended = [str(path) for path in sweep(repository)] if fix else []
    tracked = Tracked(repository, config or load(repository.root))
    found: list[Finding] = []
    well: list[str] = []
    for words, look in PARTS:
        of_part = list(look(tracked))
        found += of_part
        if not of_part:
            well.append(words)
    ok = not any(finding.level == "error" for finding in found)
    return {"ok": ok, "findings": [finding.as_json() for finding in found], "well": well, "mended": mended}


def _say(part: str, level: Level, path: str, message: str, hint: str | None = None) -> Finding:
    return Finding(part, level, path, message, hint=hint)


def _git(tracked: Tracked) -> Iterator[Finding]:
    version = tracked.repository.version
    if version < MINIMUM_GIT:
        have, wanted = (".".join(map(str, parts)) for parts in (version, MINIMUM_GIT))
        yield _say("version", "error", f"git {have}", f"too old; {wanted} is needed", "install a newer git")


# -- the filter --------------------------------------------------------------------------------------------


def _filter(tracked: Tracked) -> Iterator[Finding]:
    setting = tracked.repository.setting
    command = setting(f"filter.{DRIVER}.clean")
    if not command:
        message = f"there is no filter {DRIVER} here: notebooks are committed with their outputs"
        yield _say("filter", "error", ".git/config", message, _INIT)
        return
    problem = _failure(tracked.repository.root, command)
    if problem:
        yield _say("filter", "error", ".git/config", problem, f"{_INIT} writes it anew")
    if setting(f"filter.{DRIVER}.required") != "true":
        message = "the filter is not required: where it cannot start, outputs are committed"
        yield _say("filter", "warning", ".git/config", message, _INIT)
    elif not setting(f"filter.{DRIVER}.smudge"):
        yield _say("filter", "error", ".git/config", "no smudge command: git checks no notebook out", _INIT)


def _failure(root: Path, command: str) -> str | None:
    """What is wrong with the filter's command, tried on a notebook of ours, or None."""
    try:
        words = [word.replace("%f", "probe.ipynb") for word in shlex.split(command)]
    except ValueError:
        return f"the filter's command cannot be read: {command}"
    if not words or not shutil.which(words[0]):
        return f"the filter's program is gone: {words[0] if words else command}"
    try:
        done = process.run(words, cwd=root, stdin=_PROBE, timeout=60)
        is_cleaned = is_clean(notebook.parse(done.stdout, "probe.ipynb"))
    except ProcessFailed as failure:
        return f"the filter fails: {failure.completed.complaint}"
    except (NbprError, OSError, TimeoutExpired) as error:
        return f"the filter does not work: {error}"
    return None if is_cleaned else f"the filter does not clean: {command}"


# -- attributes and content --------------------------------------------------------------------------------


def _ignored(tracked: Tracked) -> Iterator[Finding]:
    runs = tracked.config.runs
    done = tracked.repository.run("check-ignore", "-v", "--no-index", f"{runs}/example.ipynb", accept=(0, 1, 128))
    if done.returncode == 0:
        rule = done.text.partition("\t")[0]
        hint = f"take that rule out, or add !/{runs}/ after it"
        yield _say("runs", "error", runs, f"git ignores reference runs, by {rule}", hint)


def _notebooks(tracked: Tracked) -> Iterator[Finding]:
    patterns = ", ".join(tracked.config.notebooks)
    if not tracked.notebooks and tracked.others:
        message = f"no notebook matches {patterns}, but {tracked.others[0]} is one"
        hint = 'notebooks = ["…"] in nbpr.toml says which to look at'
        yield _say("notebooks", "warning", tracked.others[0], message, hint)
    elif not tracked.notebooks:
        yield _say("notebooks", "note", patterns, "git tracks no such notebook yet")


def _index(tracked: Tracked) -> Iterator[Finding]:
    paths = tracked.unclean
    hint = "git add --renormalize . && git commit"
    for path in paths[:NAMED]:
        yield _say("clean", "error", path, "has outputs or run state in the index", hint)
    if len(paths) > NAMED:
        yield _say("clean", "error", paths[NAMED], f"likewise, and {len(paths) - NAMED - 1} more", hint)


# -- running -----------------------------------------------------------------------------------------------


def _run(_tracked: Tracked) -> Iterator[Finding]:
    missing = [name for name in RUN_PACKAGES if find_spec(name) is None]
    if missing:
        message = f"run, validate and propose need {', '.join(missing)}"
        yield _say("run", "warning", "nbpr", message, "pip install 'nbpr[run]'")


def _kernels(tracked: Tracked) -> Iterator[Finding]:
    """Which interpreter each notebook runs with, and whether it starts."""
    if find_spec("jupyter_client") is None:
        return
    said: set[str] = set()
    for path, fact in tracked.facts.items():
        found = _kernel(tracked, path, fact.kernel, fact.language)
        if found.message not in said:
            said.add(found.message)
            yield found


def _kernel(tracked: Tracked, path: str, kernel: str | None, language: str) -> Finding:
    root, execute = tracked.repository.root, tracked.config.for_notebook(path).execute
    environment = process.kernel_environment(execute.env, os.environ)
    folder = (root / path).parent
    try:
        choice = interpreters.choose(
            folder, root, kernel=kernel, language=language, execute=execute, environment=environment
        )
    except NbprError as error:
        return _say("kernel", "error", path, error.message, error.hint)
    facts = interpreters.environment(choice)
    if choice.language == "python" and facts.python is None:
        hint = "make the environment anew, or name another interpreter: execute.python"
        return _say("kernel", "error", path, f"its interpreter does not start: {choice.executable}", hint)
    version = f" (Python {facts.python})" if facts.python else ""
    return _say("kernel", "note", path, f"runs with {choice.executable}{version}, {choice.origin}")


# -- what else is there ------------------------------------------------------------------------------------


def _hooks(tracked: Tracked) -> Iterator[Finding]:
    names = _hook_names(tracked.repository)
    if names:
        yield _say("hooks", "note", ", ".join(names), "your hooks do not run when nbpr commits and pushes")


def _hook_names(repository: Repository) -> list[str]:
    """The user's hooks, where git would look for them. (Our own calls are told that there are none.)"""
    words = ("config", "--show-scope", "--get-all", "core.hooksPath")
    scoped = [line.partition("\t") for line in repository.run(*words, accept=(0, 1)).text.splitlines()]
    paths = [path for scope, _, path in scoped if scope != "command"]
    folder = repository.root / Path(paths[-1]).expanduser() if paths else repository.common_dir / "hooks"
    files = folder.iterdir() if folder.is_dir() else []
    return sorted(file.name for file in files if file.is_file() and file.suffix != ".sample")


def _workspaces(tracked: Tracked) -> Iterator[Finding]:
    for path in left_behind(tracked.repository):
        message = "left by a command that was killed; nothing in it is yours"
        yield _say("workspaces", "note", str(path), message, "nbpr doctor --fix, or the next nbpr propose, removes it")


def _remote(tracked: Tracked) -> Iterator[Finding]:
    try:
        name = tracked.repository.remote(tracked.config.remote)
    except BadInput as error:
        yield _say("remote", "error", "remote", error.message, error.hint)
        return
    if name is None:
        yield _say("remote", "note", "no remote", "pull requests are kept in this repository")
    else:
        url = re.sub(r"//[^@/]*@", "//", tracked.repository.remote_url(name))
        yield _say("remote", "note", name, f"proposals go to {url} (not asked whether it answers)")


#: Each part, under the words that say it is well.
PARTS: tuple[tuple[str, Callable[[Tracked], Iterable[Finding]]], ...] = (
    ("git is new enough", _git),
    ("the clean filter starts and cleans", _filter),
    ("git filters notebooks and leaves runs alone", overridden),
    ("reference runs can be committed", _ignored),
    ("notebooks are found", _notebooks),
    ("notebooks in the index are clean", _index),
    ("what runs need is installed", _run),
    ("no notebook lacks a kernel", _kernels),
    ("no hook is left out", _hooks),
    ("nothing is left of killed commands", _workspaces),
    ("the remote is known", _remote),
)
