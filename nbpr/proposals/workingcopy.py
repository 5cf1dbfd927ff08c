"""The working copy: the checkout's own files as the source of a change.

They are read once, as `git add` would store them, with nbpr's cleaning on top. A change is merged into the branch
three ways, path by path, so that a stale checkout never takes back what is newer there: its ancestor is what this
checkout last proposed on the branch, else where the checkout left base.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace

from nbpr.diff import merge
from nbpr.errors import BadInput, Conflict
from nbpr.git.repository import RefUpdate, Repository
from nbpr.notebooks import clean, edits, notebook
from nbpr.notebooks.clean import Options
from nbpr.notebooks.notebook import Notebook

#: Where a checkout keeps what it last proposed; git keeps these refs for each worktree of the user's apart.
PROPOSED = "refs/worktree/nbpr/proposed/"


@dataclass(frozen=True)
class File:
    """A file's content and git's mode for it ("100644", "100755", "120000" for a link)."""

    data: bytes
    mode: str = "100644"


def read_notebook(repository: Repository, path: str, options: Options = clean.DEFAULT) -> Notebook:
    """The notebook as it stands in the checkout, cleaned. Raises `BadInput` for one that cannot be merged by cell."""
    place = repository.root / path
    if not place.is_file():
        raise BadInput(f"{path}: no such file in the working copy", hint="to take a notebook away: --delete")
    notebook.read(place)  # for its message, should it be unreadable
    found = notebook.parse(repository.normalised(path, place.read_bytes()), path)
    edits.check_ids(found)
    return clean.clean(found, options)


def read_file(repository: Repository, path: str) -> File:
    """Another file of the checkout, as git would store it. Raises `BadInput` for what cannot be taken along."""
    if path.endswith(".ipynb"):
        raise BadInput(f"--include {path}: a notebook is named beside the others, not included")
    place = repository.root / path
    if place.is_symlink():
        return File(os.fsencode(place.readlink()), "120000")
    if not place.is_file():
        raise BadInput(f"--include {path}: no such file in the working copy")
    if repository.attribute(path, "filter") == "lfs":
        raise BadInput(
            f"--include {path}: is kept in Git LFS, whose objects nbpr does not push",
            hint="commit and push it on the branch yourself, or leave it out",
        )
    mode = "100755" if os.access(place, os.X_OK) else "100644"
    return File(repository.normalised(path, place.read_bytes()), mode)


def merged_notebook(
    path: str, before: Notebook | None, ours: Notebook, theirs: Notebook | None, options: Options = clean.DEFAULT
) -> Notebook | None:
    """The working copy's notebook with what is newer on the branch; None if it is gone there and was left alone here.

    Raises `Conflict` that names the cells.
    """
    old = before and clean.clean(before, options)
    if theirs is None:
        if old is None:
            return ours.with_ids()
        if old.to_bytes() == ours.to_bytes():
            return None
        raise Conflict(f"{path}: deleted on the branch and changed here; nothing was changed", hint=_MEND)
    if ours.to_bytes() == theirs.to_bytes():
        return theirs
    merged = merge.merge(old, ours, theirs)
    if merged.conflicts:
        places = ", ".join(conflict.place for conflict in merged.conflicts)
        message = f"{path}: changed here and on the branch in the same place, {places}; nothing was changed"
        raise Conflict(message, hint=_MEND)
    return merged.notebook


_MEND = "bring the checkout up to date with the branch, mend it there, and propose again"


def merged_file(path: str, before: File | None, ours: File, theirs: File | None) -> File | None:
    """An included file with what is newer on the branch, by lines; None if it is gone there and was left alone here."""
    if theirs is None:
        if before == ours:
            return None
        if before is not None:
            raise Conflict(f"{path}: deleted on the branch and changed here; nothing was changed", hint=_MEND)
        return ours
    if ours in (before, theirs):
        return theirs
    mode = ours.mode if before is None or ours.mode != before.mode else theirs.mode
    if before is not None and theirs.data == before.data:
        return File(ours.data, mode)
    text, conflict = merge.merge_text(before.data if before else b"", ours.data, theirs.data)
    if conflict:
        raise Conflict(f"{path}: changed here and on the branch in the same lines; nothing was changed", hint=_MEND)
    return File(text, mode)


def file_at(repository: Repository, commit: str | None, path: str) -> File | None:
    """A file as a commit has it, or None."""
    entry = repository.entry_at(commit, path) if commit else None
    return File(repository.read_blob(entry.sha), entry.mode) if entry and entry.mode != "160000" else None


def ancestor(repository: Repository, branch: str, base_sha: str, path: str) -> str | None:
    """The commit whose `path` the working copy's file grew from, or None for unrelated histories."""
    proposed = _proposed(repository, branch)
    if proposed is not None and repository.entry_at(proposed, path) is not None:
        return proposed
    head = repository.head
    return repository.merge_base(head, base_sha) if head else None


def remember(repository: Repository, branch: str, taken: Mapping[str, File]) -> None:
    """Keep what was read from the working copy and is now on `branch`: the ancestor of what comes next there."""
    before = _proposed(repository, branch)
    entries = {path: replace(repository.blob_entry(path, file.data), mode=file.mode) for path, file in taken.items()}
    tree = repository.edited_tree(before, entries)
    if before is not None and repository.tree_of(before) == tree:
        return
    sha = repository.commit(tree, [], "What the working copy held when it was proposed\n", own=True)
    repository.publish(None, [RefUpdate(PROPOSED + branch, before, sha)])


def _proposed(repository: Repository, branch: str) -> str | None:
    return repository.refs(PROPOSED + branch).get(PROPOSED + branch)
