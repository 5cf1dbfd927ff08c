"""Setting up all of a user's repositories at once: git's global configuration and the user's own attributes file."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import Any

from nbpr.config import Config
from nbpr.errors import BadInput
from nbpr.git import attributes
from nbpr.git.repository import Repository
from nbpr.setup import drivers
from nbpr.setup.setupsteps import Step, carried_out, file_step, section_step, settings_steps


def init(*, dry_run: bool = False) -> dict[str, Any]:
    """Set up filter and drivers for every repository of the user; none is touched. `dry_run` writes nothing.

    Gives `{"configuration": path, "attributes": path, "done", "already", "findings", "next", "dry_run"}`. Raises
    NotAllowed where a file cannot be written.
    """
    home = _home()
    rules = attributes.everywhere(Config().runs)
    steps = [*settings_steps(home, drivers.settings(), "--global")]
    steps.append(_attributes_step(home, partial(attributes.with_part, rules=rules), "notebooks filtered, runs not"))
    return {**_places(home), **carried_out(steps, dry_run)}


def undo(*, dry_run: bool = False) -> dict[str, Any]:
    """Take away what `init` wrote. Gives and raises what it does."""
    home = _home()
    steps = [section_step(home, section, "--global") for section in drivers.SECTIONS]
    steps.append(_attributes_step(home, attributes.without_part, "nbpr's lines out"))
    result = {**_places(home), **carried_out(steps, dry_run)}
    configuration = _configuration()
    if not dry_run and result["done"] and configuration.is_file() and not configuration.read_bytes():
        configuration.unlink()  # git makes the file for the first setting, and leaves it there after the last
    return result


def _home() -> Repository:
    """Git's global configuration as a place to call git in, which need not be a repository."""
    home = Path.home()
    if not home.is_dir():
        raise BadInput(f"{home}: there is no such home folder", hint="set HOME to yours")
    return Repository(home, home, home)


def _places(home: Repository) -> dict[str, str]:
    return {"configuration": str(_configuration()), "attributes": str(_attributes(home))}


def _configuration() -> Path:
    """The file that `git config --global` writes, as git finds it."""
    named = os.environ.get("GIT_CONFIG_GLOBAL")
    own = Path.home() / ".gitconfig"
    shared = _folder() / "git/config"
    return Path(named) if named else shared if shared.exists() and not own.exists() else own


def _attributes(home: Repository) -> Path:
    """The user's own attributes file: where `core.attributesFile` says, else where git looks by itself."""
    done = home.run("config", "--global", "--type=path", "--get", "core.attributesFile", accept=(0, 1))
    return Path.home() / done.text if done.returncode == 0 and done.text else _folder() / "git/attributes"


def _folder() -> Path:
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")


def _attributes_step(home: Repository, change: Any, what: str) -> Step:
    path = _attributes(home)
    # Folders made for it go with it, up to the home folder.
    root = Path.home() if path.is_relative_to(Path.home()) else path.parent
    return file_step(root, str(path.relative_to(root)), change, what, label=str(path))
