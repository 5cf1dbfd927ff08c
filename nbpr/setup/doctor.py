"""What is set up in a repository, what is missing and how to mend it.

Each part looks at one thing; a part with nothing to say is well. Nothing is written unless it is to be mended, and
nobody on the network is asked.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from nbpr import process
from nbpr.config import Config, load
from nbpr.errors import BadInput, NbprError
from nbpr.findings import Finding, Level
from nbpr.git.repository import Repository
from nbpr.git.tracked import Tracked, overridden
from nbpr.git.workspaces import left_behind, sweep
from nbpr.runs import interpreters
from nbpr.setup import driverstate, hooks
from nbpr.setup.phantoms import phantoms, refresh

MINIMUM_GIT = (2, 25)
RUN_PACKAGES = ("papermill", "nbval", "scrapbook", "ipykernel")
#: How many notebooks of a kind are named one by one.
NAMED = 10


def doctor(root: Path, config: Config | None = None, *, fix: bool = False) -> dict[str, Any]:
    """Examine the repository around `root`: `{"ok", "findings", "well": [what is as it should be], "mended"}`.

    `ok` is false if something must be mended. With `fix`, what killed commands left is taken away first, and git
    looks anew at notebooks that it calls modified although nothing of them is to be committed. Raises BadInput
    where there is no repository.
    """
    repository = Repository.discover(root)
    mended = list(_mended(repository)) if fix else []
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


def _mended(repository: Repository) -> Iterator[str]:
    yield from (f"removed {path}" for path in sweep(repository))
    yield from (f"{path} is no longer called modified" for path in refresh(repository, phantoms(repository)))


def _say(part: str, level: Level, path: str, message: str, hint: str | None = None) -> Finding:
    return Finding(part, level, path, message, hint=hint)


def _git(tracked: Tracked) -> Iterator[Finding]:
    version = tracked.repository.version
    if version < MINIMUM_GIT:
        have, wanted = (".".join(map(str, parts)) for parts in (version, MINIMUM_GIT))
        yield _say("version", "error", f"git {have}", f"too old; {wanted} is needed", "install a newer git")


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
    folder = hooks.place(tracked.repository, "any").parent
    files = [file for file in folder.iterdir() if file.is_file()] if folder.is_dir() else []
    ours = {file.name for file in files if file.name in hooks.NAMES and file.read_bytes() == hooks.text(file.name)}
    names = sorted(file.name for file in files if file.suffix != ".sample" and file.name not in ours)
    python = tracked.repository.setting(hooks.PYTHON)
    if ours and python and not os.access(python, os.X_OK):
        message = f"nbpr's hooks start a program that is gone: {python}"
        yield _say("hooks", "error", ", ".join(sorted(ours)), message, "nbpr init --hooks")
    if names:
        yield _say("hooks", "note", ", ".join(names), "your hooks do not run when nbpr commits and pushes")


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
    ("the clean filter starts and cleans", driverstate.filtering),
    ("git filters notebooks and leaves runs alone", overridden),
    ("diff and merge by cell are set up", driverstate.showing),
    ("nothing makes git slow here", driverstate.speed),
    ("reference runs can be committed", _ignored),
    ("notebooks are found", _notebooks),
    ("notebooks in the index are clean", _index),
    ("no notebook is called modified for nothing", driverstate.modified),
    ("what runs need is installed", _run),
    ("no notebook lacks a kernel", _kernels),
    ("no hook is left out", _hooks),
    ("nothing is left of killed commands", _workspaces),
    ("the remote is known", _remote),
)
