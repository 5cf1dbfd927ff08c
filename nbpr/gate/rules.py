"""The rules of a gate: settings, allow-list, accepted findings and sanitize files, as a commit has them.

A pull request cannot disarm its own check: what holds is base's. Of head's own settings only those hold that say how
a notebook runs, and nothing of what may go wrong with it.
"""

from __future__ import annotations

import posixpath
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from nbpr import config as configuration
from nbpr.config import Config
from nbpr.errors import BadInput
from nbpr.gate import accepted
from nbpr.gate.accepted import Accepted
from nbpr.git.repository import Repository
from nbpr.notebooks import allowlist, notebook

_SETTINGS = ("nbpr.toml", "pyproject.toml")

#: Files by which a repository is seen to use nbpr, besides its settings, and what they say then.
_SIGNS = (b"nbpr gate", b"filter=nbpr")
_WORKFLOWS = (".github/workflows/", ".gitea/workflows/", ".forgejo/workflows/", ".gitlab-ci.yml", ".gitattributes")


@dataclass(frozen=True)
class Settings:
    """What one commit says. `folder` holds its sanitize files; `is_adopted` is whether it uses nbpr at all.

    `problem` is why its settings, allow-list or accepted findings cannot be read.
    """

    config: Config
    folder: Path
    allowed: Mapping[str, str] = field(default_factory=dict)
    accepted: Accepted = field(default_factory=Accepted)
    sanitizing: Mapping[str, bytes] = field(default_factory=dict)
    is_adopted: bool = False
    problem: str | None = None

    def sanitize(self, path: str) -> bytes | None:
        """The sanitize file of the notebook at `path`, if it has one."""
        name = self.config.for_notebook(path).sanitize_with
        return self.sanitizing.get(name) if name else None


def read(
    repository: Repository,
    commit: str | None,
    folder: Path,
    overrides: Mapping[str, Any],
    accepted_in: str | None = None,
) -> Settings:
    """The settings of a commit, under the environment and the flags; defaults where there is no commit.

    Its files are put into `folder`. `accepted_in` is the file of accepted findings, if not the configured one. Raises
    `BadInput` for what cannot be read.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if commit is None:
        return Settings(configuration.load(None, overrides), folder)
    files = _Files(repository, commit, folder)
    has_settings = files.take_settings()
    config = configuration.load(folder, overrides)
    sanitizing = {name: data for name in _sanitize_files(config) if (data := files.take(name)) is not None}
    allowed = allowlist.parse(repository.read(commit, allowlist.NAME) or b"")
    name = accepted_in or config.gate.accepted
    known = accepted.parse(repository.read(commit, name), name)
    has_runs = any(entry.path.endswith(".ipynb") for entry in repository.entries(commit, config.runs))
    is_adopted = has_settings or bool(allowed) or has_runs or _has_signs(repository, commit)
    return Settings(config, folder, allowed, known, sanitizing, is_adopted)


def read_or_tell(
    repository: Repository, commit: str, folder: Path, overrides: Mapping[str, Any], accepted_in: str | None = None
) -> Settings:
    """The same, with a `problem` and defaults instead of an error."""
    try:
        return read(repository, commit, folder, overrides, accepted_in)
    except BadInput as error:
        return Settings(configuration.load(None, overrides), folder, is_adopted=True, problem=error.message)


def obeyed(rules: Config, theirs: Config, path: str, before: str | None, *, is_fork: bool = False) -> Config:
    """The settings that hold for the notebook at `path`, which was at `before`: base's, but for how it runs.

    Parameters, folder, kernel and paths of modules belong to the notebook, and are head's. What a fork brought gets
    neither secrets nor variables of the environment.
    """
    own, new = rules.for_notebook(before or path), theirs.for_notebook(path)
    execute = replace(own.execute, kernel=new.execute.kernel, python_path=new.execute.python_path)
    if is_fork:
        execute = replace(execute, secrets=(), env=(), readable=())
    return replace(own, parameters=new.parameters, cwd=new.cwd, execute=execute, notebook={})


def workings(config: Config) -> tuple[Any, ...]:
    """What `obeyed` takes from head."""
    return (dict(config.parameters), config.cwd, config.execute.kernel, config.execute.python_path)


def _sanitize_files(config: Config) -> set[str]:
    every = (config, *(config.for_notebook(path) for path in config.notebook))
    return {each.sanitize_with for each in every if each.sanitize_with}


def _has_signs(repository: Repository, commit: str) -> bool:
    entries = repository.entries(commit, *_WORKFLOWS)
    return any(sign in repository.read_blob(entry.sha) for entry in entries for sign in _SIGNS)


@dataclass(frozen=True)
class _Files:
    """Files of a commit, put into a folder."""

    repository: Repository
    commit: str
    folder: Path

    def take_settings(self) -> bool:
        """Put the files with settings there, and what they extend; whether there are any settings in them."""
        found = [(name, data) for name in _SETTINGS if (data := self.take(name)) is not None]
        for name, data in found[:1]:
            try:
                table = tomllib.loads(data.decode())
            except ValueError:
                return True  # what is wrong with it is told when it is loaded
            if name != "nbpr.toml":
                tool = table.get("tool", {})
                table = tool.get("nbpr", {}) if isinstance(tool, dict) else {}
            shared = table.get("extend") if isinstance(table, dict) else None
            # A commit has no say over which files of this machine are read.
            if shared is not None and (not isinstance(shared, str) or self.take(shared) is None):
                raise BadInput(f"{name}: extend: this commit has no file {shared!r}")
            return bool(table)
        return False

    def take(self, name: str) -> bytes | None:
        """Put one file there, if it is one within the repository."""
        place = posixpath.normpath(name)
        if posixpath.isabs(name) or place.startswith(".."):
            return None
        data = self.repository.read(self.commit, place)
        if data is not None:
            target = self.folder / place
            target.parent.mkdir(parents=True, exist_ok=True)
            notebook.write(target, data)
        return data
