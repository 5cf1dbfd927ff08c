"""Mending: what a gate found and can put right, in the working tree or by a commit on the branch."""

from __future__ import annotations

from dataclasses import dataclass

from nbpr import inspection
from nbpr.config import Config
from nbpr.errors import BadInput
from nbpr.gate.occasion import Occasion
from nbpr.gate.result import GateResult, Judged
from nbpr.git.checkout import Checkout
from nbpr.git.repository import RefUpdate, Repository
from nbpr.runs import reference, runs

_CHECKS = ("format", "clean")


@dataclass(frozen=True)
class Mended:
    """The files that were put right, and what is left to mend."""

    paths: tuple[str, ...]
    failed: tuple[str, ...] = ()


def in_files(repository: Repository, config: Config, result: GateResult) -> Mended:
    """Mend the files of the working tree: outputs out, ids in, reference runs that are not of their notebook anew."""
    root = repository.root
    there = [each for each in result.notebooks if (root / each.path).is_file()]
    if not there:
        return Mended(())
    source = Checkout.of(root, config, [root / each.path for each in there])
    done = list(inspection.inspect(source, config, only=_CHECKS, fix=True).mended)
    stale = [each.path for each in there if is_stale(each)]
    made = runs.run_notebooks(stale, root, config) if stale else []
    done += [str(run.record.output) for run in made if run.is_reference]
    return Mended(tuple(done), tuple(run.record.notebook for run in made if not run.went_well))


def is_stale(judged: Judged) -> bool:
    """Whether its reference run is missing, of another source, or not what it gives now."""
    return any(each.check == "reference" and each.level != "note" for each in judged.findings)


def on_branch(repository: Repository, config: Config, occasion: Occasion, result: GateResult) -> str | None:
    """Commit the gate's own runs as reference runs onto the branch, and push that; the new head, None for no news.

    Raises `BadInput` where the branch is not known, `Stale` if it is somewhere else by now, `NotAllowed` where it may
    not be pushed to. It only ever moves forwards.
    """
    files: dict[str, bytes] = {}
    for each in result.notebooks:
        if each.reference is None or each.verdict_of("execute") == "failed":
            continue
        path = reference.run_path(each.path, config)
        if repository.read(result.head, path) != each.reference:
            files[path] = each.reference
    if not files:
        return None
    branch = occasion.branch or repository.current_branch
    if branch is None:
        raise BadInput("which branch to update is not known: HEAD is detached", hint="git switch BRANCH")
    tree = repository.edited_tree(result.head, dict(files))
    listed = "\n".join(f"- {path}" for path in sorted(files))
    new = repository.commit(tree, [result.head], f"Renew reference runs\n\n{listed}\n")
    place = repository.checked_out().get(branch)
    remote = repository.remote(config.remote)
    update = RefUpdate(f"refs/heads/{branch}", result.head, new)
    if remote is not None:
        repository.publish(remote, [update])
    if place is not None:
        repository.advance_checkout(place, new)
    elif remote is None:
        repository.publish(None, [update])
    return new
