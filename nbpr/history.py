"""A notebook's results over time: the scraps of the reference runs that git's history holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from nbpr.config import Config
from nbpr.git.repository import Repository
from nbpr.notebooks import scraps
from nbpr.runs import reference

#: So many runs are looked at, newest first, and none that is larger, in bytes.
RUNS = 20
_LARGEST = 3_000_000


@dataclass(frozen=True)
class PastRun:
    """A reference run as a commit left it: when that was, and its scraps as a run record holds them."""

    commit: str
    date: datetime
    scraps: Mapping[str, Any]


def past_runs(repository: Repository, config: Config, head: str, path: str, most: int = RUNS) -> list[PastRun]:
    """The reference runs of the notebook at `path` in the history of `head`, oldest first, at most `most` of them.

    A commit counts that changed the run. Runs that cannot be read are left out.
    """
    place = reference.run_path(path, config)
    words = (f"--max-count={most}", "--format=%H %cI", "--end-of-options", head, "--", f":(top,literal){place}")
    found: list[PastRun] = []
    for line in reversed(repository.git("log", *words).splitlines()):
        commit, _, date = line.partition(" ")
        data = repository.read(commit, place)
        run = reference.readable(data, place) if data is not None and len(data) <= _LARGEST else None
        if run is not None:
            found.append(PastRun(commit, datetime.fromisoformat(date), scraps.values(run)))
    return found


def scrap_history(
    repository: Repository, config: Config, head: str, path: str, name: str
) -> list[tuple[str, datetime, Any]]:
    """What a scrap was in the past reference runs: commit, date and value, oldest first; None where it was not."""
    return [(run.commit, run.date, run.scraps.get(name)) for run in past_runs(repository, config, head, path)]
