"""Comparing notebooks: two files, two revisions, or a revision with the working copy."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

from nbpr import clean, notebook, scraps
from nbpr.diff.notebooks import NotebookDiff, compare
from nbpr.errors import BadInput
from nbpr.notebook import Notebook
from nbpr.render.report import Report, ScrapRow
from nbpr.repository import Repository

#: Git's letters for what happened to a file, in words.
_STATUS = {"A": "added", "D": "deleted", "M": "modified", "R": "renamed", "T": "changed its type", "U": "unmerged"}


@dataclass(frozen=True)
class Range:
    """What to compare: two commits, or with `after` None a commit with the working copy; only below `paths`."""

    before: str
    after: str | None
    paths: tuple[str, ...] = ()


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


def between(words: Sequence[str], paths: Sequence[str] | None = None) -> Comparison:
    """What `nbpr diff WORDS -- PATHS` compares; `paths` None where there was no `--`.

    Two words that are files and no revisions are compared with each other, also outside of a repository.
    """
    two_files = paths is None and len(words) == 2 and all(_is_file(word) for word in words)
    try:
        repository = Repository.discover()
    except BadInput:
        if two_files:
            return files(*map(Path, words))
        raise
    lookup = cache(partial(_commit_pair, repository))
    if two_files and not any(map(lookup, words)):
        return files(*map(Path, words))
    return revisions(repository, _parsed(repository, lookup, words, paths))


def files(before: Path, after: Path) -> Comparison:
    """Compare two files; the null device is no notebook. Raises `BadInput` for one that cannot be read."""
    sides = [None if str(path) == os.devnull else notebook.read(path) for path in (before, after)]
    path = after if sides[1] is not None else before
    found = compare(str(path), *(side.as_json() if side else None for side in sides))
    if None not in sides and before != after:
        found = replace(found, path_before=str(before))
    return Comparison((found,) if found.status != "unchanged" else ())


def revisions(repository: Repository, wanted: Range) -> Comparison:
    """Compare what git says has changed. Notebooks that cannot be read are named, not an error."""
    diffs: list[NotebookDiff] = []
    others: list[Changed] = []
    unreadable: list[tuple[str, str]] = []
    for changed in _changed(repository, wanted):
        if not changed.is_notebook:
            others.append(changed)
            continue
        try:
            diffs.append(_compared(repository, changed))
        except BadInput as error:
            unreadable.append((changed.path, error.message))
    return Comparison(tuple(diff for diff in diffs if diff.differs), tuple(others), tuple(unreadable))


#: Finds out the two commits of a range, one commit and None, or None for what is no revision.
Lookup = Callable[[str], tuple[str, str | None] | None]


def _parsed(repository: Repository, lookup: Lookup, words: Sequence[str], paths: Sequence[str] | None) -> Range:
    """Which revisions the words name, and which paths they and `paths` (None where there was no `--`) keep to.

    As git reads it: revisions first; without `--` every word must be either a revision or a file, not both, and
    after the first file come only files. Raises `BadInput`.
    """
    split = len(words) if paths is not None else _first_path(lookup, words)
    given = _commits(repository, lookup, words[:split])
    below = [*words[split:], *(paths or ())]
    if any(_is_root(repository, path) for path in below):
        return Range(*given)
    return Range(*given, tuple(repository.path_of(path) for path in below))


def _is_file(word: str) -> bool:
    """Whether it can be read as a file: a plain one, the null device, or the shell's `<(command)`."""
    try:
        mode = Path(word).stat().st_mode
    except (OSError, ValueError):
        return False
    return word == os.devnull or stat.S_ISREG(mode) or stat.S_ISFIFO(mode)


def _is_root(repository: Repository, path: str) -> bool:
    return Path(path).resolve() == repository.root.resolve()


def _first_path(lookup: Lookup, words: Sequence[str]) -> int:
    """Where the files begin among words that may be either."""
    for place, word in enumerate(words):
        there, known = os.path.lexists(word), lookup(word) is not None
        if there and known:
            raise BadInput(f"{word!r} is a revision and a file", hint="put -- before the files, or after the revisions")
        if not there and not known:
            raise BadInput(f"{word!r} is neither a revision nor a file here", hint="put -- before a file that is gone")
        if there:
            missing = next((other for other in words[place:] if not os.path.lexists(other)), None)
            if missing is not None:
                raise BadInput(
                    f"{missing!r}: no such file", hint="revisions come first; put -- before a file that is gone"
                )
            return place
    return len(words)


def _commits(repository: Repository, lookup: Lookup, words: Sequence[str]) -> tuple[str, str | None]:
    pairs = [lookup(word) for word in words]
    unknown = next((word for word, pair in zip(words, pairs, strict=True) if pair is None), None)
    if unknown is not None:
        raise BadInput(f"there is no revision {unknown!r}")
    known = [pair for pair in pairs if pair is not None]
    if not known:
        if repository.head is None:
            raise BadInput("this repository has no commits yet, so there is nothing to compare with")
        return repository.head, None
    if len(known) == 1:
        return known[0]
    if len(known) > 2 or any(after is not None for _, after in known):
        raise BadInput(f"more than two revisions: {' '.join(words)}", hint="nbpr diff A B, A..B or A...B")
    return known[0][0], known[1][0]


def _commit_pair(repository: Repository, word: str) -> tuple[str, str | None] | None:
    """What `Lookup` says."""
    dots = next((dots for dots in ("...", "..") if dots in word), None)
    if dots is None:
        sha = repository.resolve(word)
        return None if sha is None else (sha, None)
    before, after = (repository.resolve(name or "HEAD") for name in word.split(dots, 1))
    if before is None or after is None:
        return None
    if dots == "..":
        return before, after
    start = repository.merge_base(before, after)
    if start is None:
        raise BadInput(f"{word}: the two have no common ancestor", hint="compare them as A..B")
    return start, after


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
    commits = [wanted.before, *([wanted.after] if wanted.after else [])]
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
            shutil.copyfile(repository.git_dir / "index", copy)
        yield {"GIT_INDEX_FILE": str(copy)}


def _compared(repository: Repository, changed: Changed) -> NotebookDiff:
    before = _blob(repository, changed.path_before, changed.modes[0], changed.shas[0])
    after = _blob(repository, changed.path, changed.modes[1], changed.shas[1])
    if before is not None and after is not None and _in_checkout(changed.shas[1]) and clean.is_clean(before):
        # The working copy as git would store it: its outputs are nobody's change where none are kept.
        after = clean.clean(after)
    found = compare(changed.path, *(side.as_json() if side else None for side in (before, after)))
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
