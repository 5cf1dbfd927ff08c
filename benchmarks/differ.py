"""One diff in a process of its own, for the benchmark: `differ.py ours|nbdime CASE SECONDS`.

Prints the seconds that the call alone took, of wall time; what does not end within SECONDS is stopped and said to.
"""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path[0] = str(Path(__file__).resolve().parent.parent)


class OutOfTime(Exception):
    """The diff did not end."""


def main(side: str, case: str, seconds: str) -> int:
    """Make the notebooks, time the diff, print `{"seconds", "ended"}`."""
    from benchmarks.diffcases import CASES

    before, after = CASES[case]()
    diff = _ours(before, after) if side == "ours" else _nbdime(before, after)
    signal.signal(signal.SIGALRM, _stop)
    signal.setitimer(signal.ITIMER_REAL, float(seconds))
    begin, ended = time.perf_counter(), True
    try:
        diff()
    except OutOfTime:
        ended = False
    taken = time.perf_counter() - begin
    signal.setitimer(signal.ITIMER_REAL, 0)
    print(json.dumps({"seconds": taken, "ended": ended}))
    return 0


def _ours(before: Any, after: Any) -> Callable[[], object]:
    from nbpr.diff.operations import find

    return lambda: find(before, after)


def _nbdime(before: Any, after: Any) -> Callable[[], object]:
    from nbpr.notebooks.notebook import quick_imports

    quick_imports()
    from nbdime.diffing.notebooks import diff_notebooks
    from nbformat import from_dict

    old, new = from_dict(before), from_dict(after)
    return lambda: diff_notebooks(old, new)


def _stop(*_: object) -> None:
    raise OutOfTime


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:4]))
