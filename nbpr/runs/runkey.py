"""The run key: what a run depends on, in one digest. Two runs with the same key are expected to give the same.

The interpreter and its packages are left out on purpose: the same change proposed from another machine is no news.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from functools import lru_cache
from typing import Any

from nbpr.config import Config
from nbpr.notebooks.notebook import Notebook, source_sha256

#: Tracked files that no run depends on, unless `inputs` says so: documents, licences, settings of CI and editors.
_NO_INPUTS = re.compile(
    r"""
    .*\.(ipynb | md | markdown | rst)
    | (.*/)? (licen[cs]e | copying | notice | authors | contributors | codeowners) ([.-][^/]*)?
    | \.(github | gitea | forgejo | gitlab | circleci | buildkite | vscode | idea | devcontainer)/ .*
    | (.*/)? \.(editorconfig | gitignore | gitattributes | mailmap | pre-commit-[^/]* | travis\.yml | gitlab-ci\.yml)
    | (.*/)? (azure-pipelines\.ya?ml | jenkinsfile | [^/]*\.code-workspace)
    """,
    re.VERBOSE | re.IGNORECASE,
)


def is_input(path: str, config: Config) -> bool:
    """Whether runs depend on a tracked file (POSIX, from the root): what `inputs` declares, else almost all."""
    if config.inputs:
        return matches(path, config.inputs)
    return not path.startswith(config.runs.rstrip("/") + "/") and not _NO_INPUTS.fullmatch(path)


def matches(path: str, globs: Iterable[str]) -> bool:
    """Whether a path (POSIX, from the root) is one that globs name, as git reads them."""
    return any(_pattern(glob).fullmatch(path) for glob in globs)


def inputs_of(entries: Iterable[tuple[str, str]], config: Config) -> tuple[tuple[str, str], ...]:
    """Of tracked files, as pairs of path and blob id, those that runs depend on, sorted."""
    return tuple(sorted((path, sha) for path, sha in entries if is_input(path, config)))


@lru_cache(maxsize=256)
def _pattern(glob: str) -> re.Pattern[str]:
    """A glob as git reads it under `:(glob)`: `*` stays within a folder, `**/` is any folders, `x/**` all below."""
    parts = re.split(r"(\*\*/|/\*\*$|\*|\?|\[!?[^\]]+\])", glob)
    return re.compile("".join(_GLOBS.get(part) or _literal(part) for part in parts))


_GLOBS = {"**/": "(?:.*/)?", "/**": "/.*", "*": "[^/]*", "?": "[^/]"}


def _literal(part: str) -> str:
    return part.replace("[!", "[^", 1) if part.startswith("[") and part.endswith("]") else re.escape(part)


def run_key(
    source: Notebook,
    parameters: Mapping[str, Any],
    kernel: str | None,
    limits: Mapping[str, Any],
    inputs: Iterable[tuple[str, str]],
) -> str:
    """`sha256:` and the digest of everything that decides what a run gives.

    Tags of code cells belong to the source here: they decide what is left out, what may raise and what is kept.
    """
    facts = {
        "source": source_sha256(source),
        "tags": [list(cell.tags) for cell in source.cells if cell.is_code],
        "parameters": dict(parameters),
        "kernel": kernel,
        "limits": dict(limits),
        "inputs": sorted(inputs),
    }
    text = json.dumps(facts, sort_keys=True, default=str)
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def key_of(
    source: Notebook, config: Config, files: Mapping[str, str], parameters: Mapping[str, Any] | None = None
) -> str:
    """The run key of a notebook under its own settings; `files` are the tracked files with their blob ids.

    `parameters` are those of the run, by default the configured ones.
    """
    wanted = config.parameters if parameters is None else parameters
    kernel = config.execute.kernel or source.kernel
    return run_key(source, wanted, kernel, _limits(config), inputs_of(files.items(), config))


def _limits(config: Config) -> dict[str, Any]:
    """What of the settings a run's outcome hangs on."""
    # Which interpreter it is differs from machine to machine, and how many run at once changes nothing.
    execute = {key: value for key, value in asdict(config.execute).items() if key not in ("python", "kernel", "jobs")}
    kept = {"cwd": config.cwd, "outputs": config.outputs, "max_output": config.max_output, "max_run": config.max_run}
    return {**execute, **kept}
