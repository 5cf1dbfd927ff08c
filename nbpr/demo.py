"""The main job on an embedded example, with no set-up: a repository, a change, a run, a proof, a pull request."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from nbpr import config
from nbpr.errors import BadInput
from nbpr.git.repository import Repository
from nbpr.proposals import proposals
from nbpr.proposals.plans import Proposal
from nbpr.setup import setup

NOTEBOOK = "notebooks/fleet_health_check.ipynb"
RUN = "runs/fleet_health_check.ipynb"
TITLE = "Lower the alert threshold to 0.90"
WHY = "0.95 pages the on-call for agents that recover by themselves within the hour."
NOTE = (
    "**Note.** The threshold is 0.90 since the review of November: agents between 0.90 and 0.95 recover by "
    "themselves within the hour, and nobody had to act on their alerts."
)


@dataclass(frozen=True)
class Demo:
    """What the demo made: where, in which steps, and what came of the proposal."""

    root: Path
    steps: tuple[str, ...]
    outcome: proposals.Outcome


def run(into: Path | None = None, say: Callable[[str], None] = lambda _: None) -> Demo:
    """Make a repository with a remote in `into` (else a new temporary folder) and propose a change in it.

    Raises `BadInput` if `into` exists and is not empty.
    """
    folder = _empty(into)
    say("making a repository with a remote")
    root = _repository(folder)
    repository = Repository.discover(root)
    edits = (
        {"op": "substitute", "cell": "tag:parameters", "old": "threshold = 0.95", "new": "threshold = 0.90"},
        {"op": "insert", "after": "tag:parameters", "cell_type": "markdown", "source": NOTE},
    )
    proposal = Proposal(TITLE, (NOTEBOOK,), edits=edits, body=WHY)
    outcome = proposals.propose(repository, config.load(root), proposal, say)
    steps = (
        f"made a repository in {root} and its remote beside it",
        f"proposed to set threshold from 0.95 to 0.90 in {NOTEBOOK}, with a note",
        "ran it with papermill in a worktree, twice, and compared with nbval",
        f"opened pull request #{outcome.pull.number}" if outcome.pull else "opened no pull request",
    )
    return Demo(root, steps, outcome)


def _empty(into: Path | None) -> Path:
    if into is None:
        return Path(tempfile.mkdtemp(prefix="nbpr-demo-"))
    if into.exists() and (not into.is_dir() or any(into.iterdir())):
        raise BadInput(f"{into}: exists and is not empty", hint="name a new folder: nbpr demo --into FOLDER")
    into.mkdir(parents=True, exist_ok=True)
    return into.absolute()


def _repository(folder: Path) -> Path:
    """A clone with the example notebook and its reference run on `main`, and the bare remote it came from."""
    root = folder / "checkout"
    root.mkdir()
    repository = Repository.create(root, folder / "remote.git")
    for path in (NOTEBOOK, RUN):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(embedded(path))
    setup.init(root)
    repository.commit_all("Check the health of the fleet")
    repository.git("push", "--quiet", "origin", "main")
    return root


def embedded(path: str) -> bytes:
    """The example at `path`: from the installed package, else from the source tree that we run in."""
    here = Path(__file__).parent
    for root in (here / "examples", here.parent):
        if (root / path).is_file():
            return (root / path).read_bytes()
    raise BadInput(f"the example {path} is not part of this installation", hint="pip install --force-reinstall nbpr")
