"""Git with a notebook filter: ours, other people's, and none at all."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks import corpus
from benchmarks.measure import Measurement, Side
from benchmarks.peers import peer
from benchmarks.row import Pair, Row
from benchmarks.stage import Stage

#: What sets a filter up in the repository of the current folder, as its own makers have it.
Install = Callable[[Stage, Path], None]


def _none(stage: Stage, checkout: Path) -> None:
    """No filter."""


def _nbpr(stage: Stage, checkout: Path) -> None:
    """Git's long-running filter process."""
    command = f"{shlex.quote(sys.executable)} -P -m nbpr.filters process"
    for name, value in (("process", command), ("required", "true")):
        stage.call("git", "config", f"filter.nbpr.{name}", value, cwd=checkout)
    (checkout / ".git" / "info" / "attributes").write_text("*.ipynb filter=nbpr\n", encoding="utf-8")


def _nbstripout(stage: Stage, checkout: Path) -> None:
    stage.call(stage.program("nbstripout"), "--install", cwd=checkout)


def _nbwipers(stage: Stage, checkout: Path) -> None:
    stage.call(peer("nbwipers"), "install", "local", cwd=checkout)


def _nb_clean(stage: Stage, checkout: Path) -> None:
    program = peer("nb-clean")
    stage.call(program, "add-filter", cwd=checkout)
    # It is written down by its name alone, for which PATH would have to have it.
    stage.call("git", "config", "filter.nb-clean.clean", f"{shlex.quote(program)} clean", cwd=checkout)


FILTERS: dict[str, Install] = {
    "no filter": _none,
    "nbpr": _nbpr,
    "nbstripout": _nbstripout,
    "nbwipers": _nbwipers,
    "nb-clean": _nb_clean,
}


def _repository(stage: Stage, name: str, count: int, *, ran: bool = True) -> Path:
    """A repository with so many notebooks that nobody has added, and no filter."""
    checkout = stage.folder / name
    stage.call("git", "init", "-q", "-b", "main", str(checkout))
    corpus.write(checkout / "notebooks", count, ran=ran)
    return checkout


def _anew(stage: Stage, checkout: Path, filter_name: str) -> Callable[[], None]:
    """Puts the repository back to where nothing was added, its filter set up."""

    def before() -> None:
        shutil.rmtree(checkout / ".git")
        stage.call("git", "init", "-q", "-b", "main", str(checkout))
        FILTERS[filter_name](stage, checkout)

    return before


def _per_notebook(ours: int, theirs: int) -> Callable[[Measurement], list[str]]:
    """What one notebook took on either side, which had so many of them each."""

    def remarks(measurement: Measurement) -> list[str]:
        mine, other = measurement.median("ours", "wall"), measurement.median("theirs", "wall")
        if mine is None or other is None:
            return []
        each = mine / ours, other / theirs
        return [f"per notebook {each[0] * 1e3:.2f} ms, {each[1] * 1e3:.2f} ms: {each[1] / each[0]:.1f}×"]

    return remarks


def add(count: int, other: str, others: int | None = None) -> Callable[[Stage], Pair]:
    """`git add` of so many notebooks behind our filter, against another one, which may get fewer."""

    def prepare(stage: Stage) -> Pair:
        def side(name: str, many: int) -> Side:
            checkout = _repository(stage, name.replace(" ", "-"), many)
            anew = _anew(stage, checkout, name)
            anew()  # a peer that is not to be had is said before anything is measured
            return Side(f"git add, {name}, {many}", (("git", "add", "."),), checkout, stage.env, anew)

        theirs = side(other, others or count)
        return Pair(side("nbpr", count), theirs, _per_notebook(count, others or count))

    return prepare


def status(other: str, count: int = 5) -> Callable[[Stage], Pair]:
    """`git status` after one notebook was touched and nothing changed."""

    def prepare(stage: Stage) -> Pair:
        def side(name: str) -> Side:
            checkout = _repository(stage, name.replace(" ", "-"), count)
            FILTERS[name](stage, checkout)
            stage.call("git", "add", ".", cwd=checkout)
            stage.call("git", "commit", "-q", "-m", "Notebooks", cwd=checkout)
            _settle(stage, checkout)
            steps = (("git", "status", "--porcelain"),)
            return Side(f"git status, {name}", steps, checkout, stage.env, lambda: _touch(checkout))

        return Pair(side("nbpr"), side(other))

    return prepare


def _touch(checkout: Path) -> None:
    """Give one notebook another time: git has to look into it."""
    path = next((checkout / "notebooks").iterdir())
    moment = path.stat().st_mtime - 2
    os.utime(path, (moment, moment))


def _settle(stage: Stage, checkout: Path) -> None:
    """Wait until git can tell from times alone that no file has changed since the index was written."""
    time.sleep(1.1)
    stage.call("git", "status", "--porcelain", cwd=checkout)


def checkout_between(count: int) -> Callable[[Stage], Pair]:
    """`git checkout` of a branch in which so many notebooks are different, against no filter."""

    def prepare(stage: Stage) -> Pair:
        def side(name: str) -> Side:
            checkout = _repository(stage, name.replace(" ", "-"), count, ran=False)
            for branch in ("main", "edited"):
                stage.call("git", "checkout", "-q", "-B", branch, cwd=checkout)
                corpus.write(checkout / "notebooks", count, ran=False, edited=branch == "edited")
                stage.call("git", "add", ".", cwd=checkout)
                stage.call("git", "commit", "-q", "-m", branch, cwd=checkout)
            FILTERS[name](stage, checkout)

            def before() -> None:
                stage.call("git", "checkout", "-q", "main", cwd=checkout)
                _settle(stage, checkout)

            steps = (("git", "checkout", "-q", "edited"),)
            return Side(f"git checkout, {name}, {count}", steps, checkout, stage.env, before)

        return Pair(side("nbpr"), side("no filter"), _per_notebook(count, count))

    return prepare


#: nbstripout takes minutes for what others do in a second: one round, and the one before it that does not count.
GIT_ROWS: tuple[Row, ...] = (
    Row("git-add/100/none", "add 100 notebooks", add(100, "no filter"), 5, 2, at_least=0.5),
    Row("git-add/100/nbwipers", "add 100 notebooks", add(100, "nbwipers"), 5, 2, at_least=3),
    Row("git-add/100/nb-clean", "add 100 notebooks", add(100, "nb-clean"), 5, 2),
    Row("git-add/1000/none", "add 1,000 notebooks", add(1000, "no filter"), 3, 1, at_least=0.5),
    Row("git-add/1000/nbwipers", "add 1,000 notebooks", add(1000, "nbwipers"), 3, 1, at_least=3),
    Row("git-add/1000/nb-clean", "add 1,000 notebooks", add(1000, "nb-clean"), 3, 1),
    # A thousand times per notebook, since ours adds ten times as many.
    Row("git-add/1000/nbstripout", "add 1,000, they 100", add(1000, "nbstripout", 100), 1, 1, at_least=100),
    Row("git-status/nbstripout", "status, one touched", status("nbstripout"), 10, 2, at_least=8),
    Row("git-status/none", "status, one touched", status("no filter"), 10, 2),
    # Within 1.2 times of no filter.
    Row("git-checkout/500/none", "500 notebooks differ", checkout_between(500), 5, 2, at_least=1 / 1.2),
)
