"""The working copy: the checkout's own files as the source of a change.

A change made there is merged into the branch three ways, so that a stale checkout never takes back what is newer
on the branch. Its ancestor is what this checkout last proposed there, else where the checkout left base.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from nbpr import clean, edits, notebook
from nbpr.diff import merge
from nbpr.errors import BadInput, Conflict
from nbpr.notebook import Notebook
from nbpr.repository import RefUpdate, Repository

#: Where a checkout keeps what it last proposed; git keeps these refs for each worktree of the user's apart.
PROPOSED = "refs/worktree/nbpr/proposed/"


def read_notebook(repository: Repository, path: str) -> Notebook:
    """The notebook as it stands in the checkout, cleaned. Raises `BadInput` for one that cannot be merged by cell."""
    place = repository.root / path
    if not place.is_file():
        raise BadInput(f"{path}: no such file in the working copy", hint="to take a notebook away: --delete")
    found = replace(notebook.read(place), name=path)
    edits.check_ids(found)
    return clean.clean(found)


def read_file(repository: Repository, path: str) -> bytes:
    """The content of another file of the checkout."""
    if path.endswith(".ipynb"):
        raise BadInput(f"--include {path}: a notebook is named beside the others, not included")
    place = repository.root / path
    if not place.is_file():
        raise BadInput(f"--include {path}: no such file in the working copy")
    return place.read_bytes()


def merged_notebook(path: str, before: Notebook | None, ours: Notebook, theirs: Notebook) -> Notebook:
    """The working copy's notebook with what is newer on the branch. Raises `Conflict` that names the cells."""
    if ours.to_bytes() == theirs.to_bytes():
        return theirs
    merged = merge.merge(before and clean.clean(before), ours, theirs)
    if merged.conflicts:
        places = ", ".join(conflict.place for conflict in merged.conflicts)
        raise Conflict(
            f"{path}: changed here and on the branch in the same place, {places}; nothing was changed",
            hint="bring the checkout up to date with the branch, mend the cell, and propose again",
        )
    return merged.notebook


def merged_file(path: str, before: bytes | None, ours: bytes, theirs: bytes | None) -> bytes:
    """An included file with what is newer on the branch, by lines. Raises `Conflict`."""
    if theirs is None or theirs in (ours, before):
        return ours
    if ours == before:
        return theirs
    text, conflict = merge.merge_text(before or b"", ours, theirs)
    if conflict:
        raise Conflict(f"{path}: changed here and on the branch in the same lines; nothing was changed")
    return text


def ancestor(repository: Repository, branch: str, base_sha: str) -> str | None:
    """The commit that the working copy grew from, or None for unrelated histories."""
    proposed = repository.refs(PROPOSED + branch).get(PROPOSED + branch)
    head = repository.head
    return proposed or (repository.merge_base(head, base_sha) if head else None)


def remember(repository: Repository, branch: str, notebooks: Sequence[str], include: Sequence[str]) -> None:
    """Keep what the working copy held when it was proposed on `branch`: the ancestor of what comes next."""
    contents = {path: read_notebook(repository, path).to_bytes() for path in notebooks}
    contents |= {path: read_file(repository, path) for path in include}
    tree = repository.edited_tree(None, contents)
    sha = repository.commit(tree, [], "What the working copy held when it was proposed\n", own=True)
    ref = PROPOSED + branch
    repository.publish(None, [RefUpdate(ref, repository.refs(ref).get(ref), sha)])
