"""Comparing notebooks: two files or folders, two revisions, or a revision with the working copy or the index."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

from nbpr import config
from nbpr.config import Config
from nbpr.diff.noise import Noise
from nbpr.diff.notebooks import NotebookDiff, compare
from nbpr.errors import BadInput
from nbpr.git.repository import Repository
from nbpr.notebooks import clean, notebook, scraps
from nbpr.notebooks.notebook import Notebook
from nbpr.ranges import Range, commit_pair, parsed
from nbpr.render.report import Report, ScrapRow

_SETTINGS = Config()

#: Git's letters for what happened to a file, in words.
_STATUS = {"A": "added", "D": "deleted", "M": "modified", "R": "renamed", "T": "changed its type", "U": "unmerged"}


@dataclass(frozen=True)
class Changed:
    """One file that differs, as git lists it: modes and blob ids on both sides, a status in words."""

    path: str
    path_before: str
    status: str
    modes: tuple[str, str]
    shas: tuple[str, str]

    @property
    def is_notebook(self) -> bool:
        """Whether it is a plain file, on the sides that have it, with a notebook's name."""
        plain = all(mode in ("000000", "100644", "100755") for mode in self.modes)
        return plain and self.path.endswith(".ipynb") and self.path_before.endswith(".ipynb")


@dataclass(frozen=True)
class Comparison:
    """What was found: the notebooks that differ, other files that do, and notebooks that cannot be read."""

    diffs: tuple[NotebookDiff, ...]
    others: tuple[Changed, ...] = ()
    unreadable: tuple[tuple[str, str], ...] = ()

    @property
    def differs(self) -> bool:
        """Whether there is any difference."""
        return bool(self.diffs or self.others or self.unreadable)

    def as_json(self) -> dict[str, Any]:
        """`{"files": [{"path", "diff", "summary"}]}`, and what was not compared as `others` and `unreadable`."""
        return {
            "files": [
                {
                    "path": diff.path,
                    "path_before": diff.path_before or diff.path,
                    "status": diff.status,
                    "diff": diff.diff,
                    "summary": diff.summary.as_json(),
                    "outputs_noise": diff.noisy,
                    "coarse": diff.coarse,
                }
                for diff in self.diffs
            ],
            "others": [{"path": other.path, "status": other.status} for other in self.others],
            "unreadable": [{"path": path, "message": message} for path, message in self.unreadable],
        }

    def report(self) -> Report:
        """The same as what renderers take."""
        notes = [f"not shown: {message}" for _, message in self.unreadable]
        notes += [f"no notebook: {other.path} ({other.status})" for other in self.others]
        rows = tuple(row for diff in self.diffs for row in _scraps(diff))
        return Report(diffs=self.diffs, scraps=rows, notes=tuple(notes))


def between(words: Sequence[str], paths: Sequence[str] | None = None, *, staged: bool = False) -> Comparison:
    """What `nbpr diff WORDS -- PATHS` compares; `paths` None where there was no `--`.

    Two words that are files, or both folders, and no revisions are compared with each other, also outside of a
    repository. With `staged` the index is compared with HEAD, or with the one commit that is named.
    """
    two = paths is None and len(words) == 2 and not staged
    two_places = two and any(all(map(kind, words)) for kind in (_is_file, _is_folder))
    try:
        repository = Repository.discover()
    except BadInput:
        if two_places:
            return files(Path(words[0]), Path(words[1]))
        raise
    lookup = cache(partial(commit_pair, repository))
    if two_places and not any(map(lookup, words)):
        return files(Path(words[0]), Path(words[1]), config.load(repository.root))
    return revisions(repository, parsed(repository, lookup, words, paths, staged))


def files(before: Path, after: Path, settings: Config = _SETTINGS) -> Comparison:
    """Compare two files, or all notebooks in two folders, by name; the null device is no notebook.

    Raises `BadInput` for a file that cannot be read; in folders those are named.
    """
    if not before.is_dir():
        found = _two_files(before, after, settings)
        return Comparison((found,) if found.differs else ())
    diffs: list[NotebookDiff] = []
    unreadable: list[tuple[str, str]] = []
    for name in sorted({*_notebooks_in(before), *_notebooks_in(after)}):
        one, other = (place if (place := folder / name).is_file() else Path(os.devnull) for folder in (before, after))
        try:
            # In both folders it is one notebook: only one that is new or gone has another path.
            found = replace(_two_files(one, other, settings.for_notebook(name)), path=name, path_before=None)
        except BadInput as error:
            unreadable.append((name, error.message))
            continue
        diffs += [found] if found.differs else []
    return Comparison(tuple(diffs), (), tuple(unreadable))


def _two_files(before: Path, after: Path, settings: Config) -> NotebookDiff:
    sides = [None if str(path) == os.devnull else notebook.read(path) for path in (before, after)]
    path = after if sides[1] is not None else before
    found = _differences(str(path), sides[0], sides[1], settings)
    renamed = None not in sides and before != after and found.status != "unchanged"
    return replace(found, path_before=str(before)) if renamed else found


def _notebooks_in(folder: Path) -> Iterator[str]:
    """The notebooks in a folder and below, hidden folders (checkpoints, git's own) left out."""
    for path in folder.rglob("*.ipynb"):
        inner = path.relative_to(folder)
        if path.is_file() and not any(part.startswith(".") for part in inner.parts):
            yield inner.as_posix()


def _differences(path: str, before: Notebook | None, after: Notebook | None, settings: Config) -> NotebookDiff:
    """The diff of two notebooks, under the settings for this one."""
    noise = Noise.of(settings.diff.ignore, settings.diff.ignore_patterns)
    old, new = (side.as_json() if side else None for side in (before, after))
    return compare(path, old, new, noise=noise, patience=settings.diff.patience)


def revisions(repository: Repository, wanted: Range) -> Comparison:
    """Compare what git says has changed. Notebooks that cannot be read are named, not an error."""
    diffs: list[NotebookDiff] = []
    others: list[Changed] = []
    unreadable: list[tuple[str, str]] = []
    settings = config.load(repository.root)
    for changed in _changed(repository, wanted):
        if not changed.is_notebook:
            others.append(changed)
            continue
        try:
            diffs.append(_compared(repository, changed, settings.for_notebook(changed.path)))
        except BadInput as error:
            unreadable.append((changed.path, error.message))
    return Comparison(tuple(diff for diff in diffs if diff.differs), tuple(others), tuple(unreadable))


def _is_file(word: str) -> bool:
    """Whether it can be read as a file: a plain one, the null device, or the shell's `<(command)`."""
    try:
        mode = Path(word).stat().st_mode
    except (OSError, ValueError):
        return False
    return word == os.devnull or stat.S_ISREG(mode) or stat.S_ISFIFO(mode)


def _is_folder(word: str) -> bool:
    try:
        return Path(word).is_dir()
    except (OSError, ValueError):
        return False


def _changed(repository: Repository, wanted: Range) -> Iterator[Changed]:
    """The files that differ. The user's filters do not run: what they clean is cleaned here."""
    fields = iter(_listed(repository, wanted).decode("utf-8", "surrogateescape").split("\0"))
    seen: set[str] = set()
    for facts in fields:
        if not facts.startswith(":"):
            continue
        old, new, sha_old, sha_new, status = facts[1:].split(" ")
        before = next(fields)
        path = next(fields) if status[0] in "RC" else before
        if path not in seen:
            yield Changed(path, before, _STATUS.get(status[0], "changed"), (old, new), (sha_old, sha_new))
        seen.add(path)


def _listed(repository: Repository, wanted: Range) -> bytes:
    """What `git diff --raw` says, each file with its whole ids."""
    commits = [*(["--cached"] if wanted.staged else []), wanted.before, *([wanted.after] if wanted.after else [])]
    words = ("diff", "--raw", "-z", "-M", "--abbrev=64", "--no-ext-diff", "--no-textconv", "--no-relative")
    below = [f":(top,literal){path}" for path in wanted.paths]
    with _index(repository) as env:
        return repository.run(*words, *commits, "--", *below, env=env, settings=repository.safe_filters).stdout


@contextmanager
def _index(repository: Repository) -> Iterator[dict[str, str]]:
    """A copy of the index for git to work with: `git diff` notes in it which files it has looked at."""
    with tempfile.TemporaryDirectory(prefix="nbpr-") as folder:
        copy = Path(folder) / "index"
        with suppress(FileNotFoundError):
            # With its time: by that, git knows which files may have changed in the tick of the clock that it is of.
            shutil.copy2(repository.git_dir / "index", copy)
        yield {"GIT_INDEX_FILE": str(copy)}


def _compared(repository: Repository, changed: Changed, settings: Config) -> NotebookDiff:
    before = _blob(repository, changed.path_before, changed.modes[0], changed.shas[0])
    after = _blob(repository, changed.path, changed.modes[1], changed.shas[1])
    options = clean.options_for(settings, changed.path)
    if before is not None and after is not None and _in_checkout(changed.shas[1]) and clean.is_clean(before, options):
        # The working copy as git would store it: its outputs are nobody's change where none are kept.
        after = clean.clean(after, options)
    found = _differences(changed.path, before, after, settings)
    return replace(found, path_before=changed.path_before) if changed.path != changed.path_before else found


def _blob(repository: Repository, path: str, mode: str, sha: str) -> Notebook | None:
    if mode == "000000":
        return None
    if not _in_checkout(sha):
        return notebook.parse(repository.read_blob(sha), path)
    try:
        return notebook.parse((repository.root / path).read_bytes(), path)
    except OSError as error:
        raise BadInput(f"{path}: cannot be read: {error.strerror}") from None


def _in_checkout(sha: str) -> bool:
    """Whether git names no object, since the content lies in the working copy alone."""
    return set(sha) == {"0"}


def _scraps(diff: NotebookDiff) -> Iterator[ScrapRow]:
    sides = [scraps.collect(side) if side else {} for side in (diff.before, diff.after)]
    for row in scraps.compare(*sides):
        yield ScrapRow(diff.path, row["name"], row["before"], row["after"])
