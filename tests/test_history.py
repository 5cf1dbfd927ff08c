"""Scraps over the reference runs that git's history holds."""

from __future__ import annotations

import json
from pathlib import Path

from nbpr.config import Config
from nbpr.git.repository import Repository
from nbpr.history import past_runs, scrap_history
from tests.conftest import git
from tests.diff.scripts import book, code


def test_a_scrap_over_time(repository: Path) -> None:
    shas = [_committed(repository, value) for value in (0.5, None, 0.75)]
    (repository / "readme").write_text("no run changed here")
    git(repository, "add", "-A")
    git(repository, "commit", "-q", "-m", "other")
    found = scrap_history(Repository.discover(repository), Config(), "HEAD", "notebooks/fleet.ipynb", "score")
    assert [(commit, value) for commit, _, value in found] == list(zip(shas, [0.5, None, 0.75], strict=True))
    assert [date for _, date, _ in found] == sorted(date for _, date, _ in found)


def test_only_so_many_and_none_that_cannot_be_read(repository: Path) -> None:
    for value in (1.0, 2.0, 3.0):
        _committed(repository, value)
    _written(repository, "no notebook")
    found = past_runs(Repository.discover(repository), Config(), "HEAD", "notebooks/fleet.ipynb", most=3)
    assert [run.scraps["score"] for run in found] == [2.0, 3.0]


def _committed(root: Path, value: float | None) -> str:
    payload = {"name": "score", "data": value, "encoder": "json", "version": 1}
    output = {
        "output_type": "display_data",
        "metadata": {},
        "data": {"application/scrapbook.scrap.json+json": payload},
    }
    return _written(root, json.dumps(book(code("glue()", "a", outputs=[output] if value is not None else []))))


def _written(root: Path, text: str) -> str:
    run = root / "runs" / "fleet.ipynb"
    run.parent.mkdir(exist_ok=True)
    run.write_text(text)
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "run")
    return git(root, "rev-parse", "HEAD")
