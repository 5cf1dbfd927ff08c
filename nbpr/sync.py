"""Sync: what is new in base taken into the checkout, without losing what is being worked on there.

Where a file of the checkout was changed on both sides, notebooks are merged by cell and other files by line, also
where a plain `git pull` refuses. Files are written before the branch moves, each whole or not at all, and a merge of
what was merged already changes nothing: killed at any moment, the same command finishes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from nbpr.config import Config
from nbpr.diff import merge
from nbpr.errors import BadInput, Conflict
from nbpr.forges import forge_for
from nbpr.git import workspaces
from nbpr.git.branches import Branches
from nbpr.git.repository import RefUpdate, Repository
from nbpr.notebooks import notebook
from nbpr.steps import step

Say = Callable[[str], None]


@dataclass(frozen=True)
class Synced:
    """What sync did: from which commit to which, the files brought up to date, and those that were merged."""

    branch: str
    before: str
    after: str
    updated: tuple[str, ...] = ()
    merged: tuple[str, ...] = ()


def sync(repository: Repository, config: Config, *, dry_run: bool = False, say: Say = lambda _: None) -> Synced:
    """Take the checkout forwards to the remote's state of the branch that is checked out.

    Raises `BadInput` without a remote or a branch, `Conflict` for commits of the user's own that the remote does not
    have, for staged changes, and for what was changed on both sides in the same place; nothing is changed then.
    """
    remote = repository.remote(config.remote)
    branch = repository.run("symbolic-ref", "--short", "--quiet", "HEAD", accept=(0, 1)).text
    head = repository.head
    if remote is None or not branch or head is None:
        raise BadInput("sync needs a remote and a branch that is checked out", hint="git switch main")
    with nullcontext() if dry_run else workspaces.workspace(repository):
        say(f"looking at {branch} on {remote}")
        branches = Branches(repository, remote)
        if not dry_run:
            branches.fetch([f"{branch}*"], forge_for(repository, config).refspecs())
        target = branches.remembered_sha(branch) if dry_run else branches.sha(branch)
        if target is None:
            raise BadInput(f"{remote} has no branch {branch}", hint="switch to the one that proposals are merged into")
        if repository.is_ancestor(target, head):
            return Synced(branch, head, head)
        if not repository.is_ancestor(head, target):
            hint = f"git pull --rebase {remote} {branch}"
            raise Conflict(f"{branch} has commits that {remote} does not have", hint=hint)
        plan = _plan(repository, head, target)
        done = Synced(branch, head, target, plan.updated, tuple(plan.merged))
        if not dry_run:
            say(f"bringing {len(plan.updated) + len(plan.merged)} files up to date")
            _carry_out(repository, branch, head, target, plan)
        return done


@dataclass(frozen=True)
class _Plan:
    """What base changed: files that nobody touched here, merged ones with their content, and those kept as they are."""

    updated: tuple[str, ...]
    merged: dict[str, bytes]
    kept: tuple[str, ...]


def _plan(repository: Repository, head: str, target: str) -> _Plan:
    changed = repository.changed_paths(head, target)
    _refuse_staged(repository, head, target, changed)
    updated, kept, conflicts = [], [], []
    merged: dict[str, bytes] = {}
    for path in changed:
        mine = _mine(repository, path)
        if mine is None or _holds(repository, head, path, mine):
            updated.append(path)
        elif _holds(repository, target, path, mine) or _same_source(repository, target, path, mine):
            kept.append(path)
        else:
            try:
                merged[path] = _merged(repository, head, target, path, mine)
            except Conflict as conflict:
                conflicts.append(conflict.message)
    if conflicts:
        raise Conflict("; ".join(conflicts), hint="mend it in the checkout, or commit and git pull")
    return _Plan(tuple(updated), merged, tuple(kept))


def _refuse_staged(repository: Repository, head: str, target: str, changed: list[str]) -> None:
    """What is staged differs from HEAD; what a killed sync staged does not differ from the target."""
    differing = []
    for commit in (head, target):
        listed = repository.run("diff-index", "--cached", "--name-only", "-z", commit, "--", *changed).stdout
        differing.append(set(filter(None, listed.decode("utf-8", "surrogateescape").split("\0"))))
    staged = sorted(differing[0] & differing[1]) if changed else []
    if staged:
        raise Conflict(f"{', '.join(staged)}: staged here and changed on the remote", hint="commit or unstage it first")


def _mine(repository: Repository, path: str) -> bytes | None:
    place = repository.root / path
    return place.read_bytes() if place.is_file() and not place.is_symlink() else None


def _holds(repository: Repository, commit: str, path: str, mine: bytes) -> bool:
    """Whether a file holds what the commit has, as git would add it without a filter of ours."""
    return repository.added(path, mine, write=False).sha == repository.sha_at(commit, path)


def _same_source(repository: Repository, commit: str, path: str, mine: bytes) -> bool:
    """Whether a notebook is the commit's but for its outputs, which are its reader's to keep."""
    theirs = repository.read(commit, path) if path.endswith(".ipynb") else None
    if theirs is None:
        return False
    try:
        cells = [[_facts(cell) for cell in notebook.parse(data, path).with_ids().cells] for data in (mine, theirs)]
    except BadInput:
        return False
    return cells[0] == cells[1]


def _facts(cell: notebook.Cell) -> tuple[object, ...]:
    return cell.id, cell.cell_type, cell.source, cell.tags


def _merged(repository: Repository, head: str, target: str, path: str, mine: bytes) -> bytes:
    before, theirs = repository.read(head, path), repository.read(target, path)
    if theirs is None:
        raise Conflict(f"{path}: changed here and deleted on the remote")
    if before is None:
        raise Conflict(f"{path}: new on the remote, and an untracked file of that name is here")
    if path.endswith(".ipynb"):
        base, new, own = (notebook.parse(data, path) for data in (before, theirs, mine))
        # The checkout's own file keeps its layout, and the outputs that its reader sees.
        result = merge.merge(base, new, own)
        if result.conflicts:
            places = ", ".join(conflict.place for conflict in result.conflicts)
            raise Conflict(f"{path}: changed here and on the remote in the same place, {places}")
        return result.notebook.to_bytes()
    text, conflict = merge.merge_text(before, theirs, mine)
    if conflict:
        raise Conflict(f"{path}: changed here and on the remote in the same lines")
    return text


def _carry_out(repository: Repository, branch: str, head: str, target: str, plan: _Plan) -> None:
    for path, data in plan.merged.items():
        with step(f"write {path}"):
            notebook.write(repository.root / path, data)
    targets = {entry.path: entry for entry in repository.entries(target)}
    for path in plan.updated:
        if path not in targets:
            with step(f"remove {path}"):
                (repository.root / path).unlink(missing_ok=True)
            _remove_empty(repository, path)
    _put_in_place(repository, target, [path for path in plan.updated if path in targets])
    # What is staged elsewhere stays staged: only what base changed moves in the index.
    paths = (*plan.updated, *plan.merged, *plan.kept)
    repository.stage({path: targets.get(path) for path in paths})
    repository.publish(None, [RefUpdate(f"refs/heads/{branch}", head, target)], "nbpr sync")


def _put_in_place(repository: Repository, target: str, paths: list[str]) -> None:
    """Files as `git checkout` would write them, each made beside and put in place whole."""
    with repository.scratch_index() as index:
        folder = Path(index["GIT_INDEX_FILE"]).parent / "files"
        repository.run("read-tree", target, env=index)
        words = ("checkout-index", "-f", "-z", f"--prefix={folder}/", "--stdin")
        repository.run(*words, stdin=_joined(paths), env=index, settings=repository.safe_filters)
        for path in paths:
            place = repository.root / path
            place.parent.mkdir(parents=True, exist_ok=True)
            with step(f"write {path}"):
                (folder / path).replace(place)


def _joined(lines: Iterable[str]) -> bytes:
    return "".join(line + "\0" for line in lines).encode("utf-8", "surrogateescape")


def _remove_empty(repository: Repository, path: str) -> None:
    """Remove the folders that a removed file leaves empty, as git does."""
    folder = (repository.root / path).parent
    while folder != repository.root and folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent
