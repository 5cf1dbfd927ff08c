"""The notebooks that the gate's tests judge, and what is done to them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nbpr import config
from nbpr.gate import delivery
from nbpr.gate.gate import Ground, Wanted
from nbpr.gate.occasion import Occasion
from nbpr.gate.result import GateResult, Judged
from nbpr.git.repository import Repository
from nbpr.runs import presence, runs
from tests import projects
from tests.conftest import git
from tests.projects import cell, dumped

GLUE = """from IPython.display import display
scrap = {"name": "score", "data": score, "encoder": "json", "version": 1}
display({"application/scrapbook.scrap.json+json": scrap}, raw=True, metadata={"scrapbook": {"name": "score"}})
"""

SETTINGS = """[tool.nbpr]
inputs = ["data/**"]

[tool.nbpr.scraps.score]
min = 0.5
max-drop = "10%"
"""

#: Without a sandbox kernels start sooner.
OVERRIDES = {"execute": {"sandbox": "none"}}

NAMES = ("good", "dirty", "failing", "shaky", "low")


def source(extra: str = "", score: float = 0.9) -> bytes:
    """A notebook with a checked cell, an unmarked one and a scrap."""
    return dumped(
        [
            cell("data", "code", f"{extra}score = {score}\nscore"),
            cell("check", "code", "# NBVAL_CHECK_OUTPUT\nprint('of', 3, 'rows')"),
            cell("glue", "code", GLUE),
        ]
    )


def path(name: str) -> str:
    return f"notebooks/{name}.ipynb"


def make(folder: Path) -> Path:
    """The project with its reference runs, committed and pushed; `folder` itself."""
    home, cache = folder / "home", folder / "cache"
    home.mkdir()
    files: dict[str, bytes | str] = {path(name): source(f"# {name}\n") for name in NAMES}
    files |= {"pyproject.toml": SETTINGS, "src/rules.py": "limit = 3\n"}
    with environment(HOME=str(home), NBPR_CACHE_DIR=str(cache), MPLCONFIGDIR=str(home / "mpl")):
        root = folder / "first"
        root.mkdir()
        git(root, "init", "-q", "-b", "main")
        git(root, "config", "user.name", "Ada Author")
        git(root, "config", "user.email", "ada@example.org")
        projects.write(root, files)
        git(root, "add", "-A")
        run(root, *NAMES)
        git(root, "add", "-A")
        git(root, "commit", "-qm", "notebooks and their runs")
        git(folder, "clone", "-q", "--bare", str(root), "remote.git")
    return folder


def run(root: Path, *names: str, keep: bool = True) -> None:
    """Make reference runs, as `nbpr run --resume` does: what is proven is taken, what is run is kept, if wanted."""
    settings = config.load(root, OVERRIDES, environ={})
    ways = runs.Ways(proven=presence.proven_here(root, settings) if keep else None)
    runs.run_jobs([runs.Job(path(name), None) for name in names], root, settings, ways=ways)


@contextmanager
def environment(**values: str) -> Iterator[None]:
    """Variables of the environment, for as long as the block lasts."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def commit(project: Repository, files: Mapping[str, bytes | str | None], message: str = "a change") -> str:
    """Change files (None: take away) on the branch that is checked out; the commit's id."""
    projects.write(project.root, {name: data for name, data in files.items() if data is not None})
    for name in (name for name, data in files.items() if data is None):
        (project.root / name).unlink()
    git(project.root, "add", "-A")
    git(project.root, "commit", "-q", "--allow-empty", "-m", message)
    return git(project.root, "rev-parse", "HEAD")


def edited(project: Repository, name: str, change: Callable[[str], str]) -> dict[str, bytes]:
    """A file of the checkout with its text changed."""
    text = (project.root / name).read_text(encoding="utf-8")
    after = change(text)
    assert after != text
    return {name: after.encode()}


def rerun(project: Repository, name: str, *, keep: bool = True) -> dict[str, bytes]:
    """The reference run of a notebook as it stands in the checkout."""
    run(project.root, name, keep=keep)
    return {f"runs/{name}.ipynb": (project.root / f"runs/{name}.ipynb").read_bytes()}


class Seen:
    """A watcher that remembers."""

    def __init__(self) -> None:
        self.ground: Ground | None = None
        self.ran = 0
        self.cells: list[str] = []
        self.notebooks: list[str] = []

    def begins(self, ground: Ground) -> None:
        self.ground = ground

    def runs(self) -> None:
        self.ran += 1

    def at_cell(self, path: str, at: Any) -> None:
        self.cells.append(path)

    def judged(self, found: Judged) -> None:
        self.notebooks.append(found.path)


def gate(project: Repository, occasion: Occasion | None = None, seen: Seen | None = None, **how: Any) -> GateResult:
    """The gate of the branch against main."""
    wanted = Wanted(occasion or Occasion(base="main"), {**OVERRIDES, **how.pop("overrides", {})})
    return delivery.carry_out(project, wanted, seen or Seen(), **how)


def said(result: GateResult, check: str, level: str = "error") -> list[tuple[str, str]]:
    """The findings of a check, as path and message."""
    return [(each.path, each.message) for each in result.all_findings if (each.check, each.level) == (check, level)]


def with_outputs(data: bytes) -> bytes:
    """A notebook with an output that somebody left in it."""
    nb = json.loads(data)
    nb["cells"][0] |= {
        "execution_count": 1,
        "outputs": [{"name": "stdout", "output_type": "stream", "text": ["0.9\n"]}],
    }
    return (json.dumps(nb, indent=1, sort_keys=True) + "\n").encode()
