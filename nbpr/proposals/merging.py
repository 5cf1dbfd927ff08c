"""Merging two commits into a tree, without a checkout: notebooks by cell, other files by line, runs not at all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from nbpr.config import Config
from nbpr.diff import merge
from nbpr.errors import BadInput, Conflict
from nbpr.git.repository import Entry, Repository
from nbpr.notebooks import clean, notebook
from nbpr.notebooks.clean import Options
from nbpr.runs import reference


@dataclass(frozen=True)
class MergedTree:
    """A tree made of two: its id, the notebooks merged by cell, and the reference runs to be made anew."""

    tree: str
    notebooks: tuple[str, ...]
    runs: tuple[str, ...]


#: The stages of an unmerged path: common ancestor, ours, theirs.
Stages = dict[int, Entry]


def merge_trees(repository: Repository, config: Config, ancestor: str, ours: str, theirs: str) -> MergedTree:
    """Merge `theirs` into `ours`. Raises `Conflict` that names every cell and file that cannot be merged."""
    with repository.scratch_index() as index:
        repository.run("read-tree", "-i", "-m", "--aggressive", ancestor, ours, theirs, env=index)
        listed = repository.run("ls-files", "--unmerged", "-z", env=index).stdout
        unmerged = _stages(listed.decode("utf-8", "surrogateescape"))
        resolved, conflicts, runs = _resolve_all(repository, config, unmerged)
        if conflicts:
            raise Conflict(
                "both sides changed the same: " + "; ".join(conflicts),
                hint="merge base into the branch by hand, mend it there and push: git merge",
            )
        lines = [line for path, entry in resolved.items() for line in _index_lines(path, entry)]
        stdin = "".join(line + "\0" for line in lines).encode("utf-8", "surrogateescape")
        repository.run("update-index", "-z", "--index-info", stdin=stdin, env=index)
        tree = repository.run("write-tree", env=index).text
    notebooks = tuple(path for path in resolved if path.endswith(".ipynb") and path not in runs)
    return MergedTree(tree, notebooks, tuple(runs))


def _stages(listed: str) -> dict[str, Stages]:
    found: dict[str, Stages] = {}
    for line in filter(None, listed.split("\0")):
        facts, _, path = line.partition("\t")
        mode, sha, stage = facts.split(" ")
        found.setdefault(path, {})[int(stage)] = Entry(mode, sha, path)
    return found


def _resolve_all(
    repository: Repository, config: Config, unmerged: dict[str, Stages]
) -> tuple[dict[str, Entry | None], list[str], list[str]]:
    resolved: dict[str, Entry | None] = {}
    conflicts: list[str] = []
    runs = [path for path in unmerged if reference.is_run(path, config)]
    for path, stages in unmerged.items():
        try:
            resolved[path] = _any_side(stages) if path in runs else _resolve(repository, config, path, stages)
        except Conflict as conflict:
            conflicts.append(conflict.message)
    return resolved, conflicts, runs


def _any_side(stages: Stages) -> Entry | None:
    """A run is never mixed of two; whichever stands here is replaced by one that somebody really ran."""
    return stages.get(2) or stages.get(3)


def _resolve(repository: Repository, config: Config, path: str, stages: Stages) -> Entry | None:
    if 2 not in stages or 3 not in stages:
        if 1 in stages and len(stages) == 1:
            return None
        raise Conflict(f"{path}: changed on one side, deleted on the other")
    before, ours, theirs = (stages.get(stage) for stage in (1, 2, 3))
    assert ours is not None
    assert theirs is not None
    if ours.mode != theirs.mode or ours.mode not in ("100644", "100755"):
        raise Conflict(f"{path}: another kind of file on either side")
    contents = [repository.read_blob(entry.sha) if entry else None for entry in (before, ours, theirs)]
    options = clean.options_for(config, path)
    data = _merged(path, contents[0], contents[1] or b"", contents[2] or b"", options)
    return Entry(ours.mode, repository.store(data), path)


def _merged(path: str, before: bytes | None, ours: bytes, theirs: bytes, options: Options) -> bytes:
    if path.endswith(".ipynb"):
        try:
            return _merged_notebook(path, before, ours, theirs, options)
        except BadInput:
            pass  # one side cannot be read as a notebook: lines are all there is
    text, conflict = merge.merge_text(before or b"", ours, theirs)
    if conflict:
        raise Conflict(f"{path}: the same lines")
    return text


def _merged_notebook(path: str, before: bytes | None, ours: bytes, theirs: bytes, options: Options) -> bytes:
    sides = [notebook.parse(data, path) if data is not None else None for data in (before, ours, theirs)]
    base, mine, yours = (clean.clean(side, options) if side else None for side in sides)
    assert mine is not None
    assert yours is not None
    merged = merge.merge(base, mine, yours)
    if merged.conflicts:
        places = ", ".join(conflict.place for conflict in merged.conflicts)
        raise Conflict(f"{path}: {places}")
    return merged.notebook.to_bytes()


def _index_lines(path: str, entry: Entry | None) -> Iterator[str]:
    yield f"0 {'0' * 40}\t{path}"
    if entry is not None:
        yield f"{entry.mode} {entry.sha}\t{path}"
