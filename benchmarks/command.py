"""Measure nbpr against the tools that people would use instead.

Fails (1) when a measured program does, never because of a number; 2 for bad use.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.measure import MeasuredProgramFailed, NotToBeHad, compare
from benchmarks.report import Result, markdown, table
from benchmarks.rows import ROWS, Row
from benchmarks.stage import stage

RESULTS = Path(__file__).with_name("RESULTS.md")

#: The heading from which on the file is kept.
TRIALS = "## Trials"

#: The load from which on we say that something else is running.
BUSY = 0.5


def main(words: Sequence[str] | None = None, rows: Sequence[Row] = ROWS, results_file: Path = RESULTS) -> int:
    """Run the rows that were asked for, print the table, write it down if wanted; the exit code."""
    wanted = _options(words)
    chosen = [row for row in rows if not wanted.only or any(row.name.startswith(name) for name in wanted.only)]
    if not chosen:
        return _misuse(f"no row begins with {' or '.join(wanted.only)}: there are {', '.join(r.name for r in rows)}")
    if wanted.write and wanted.only:
        return _misuse("--write keeps what all rows gave: leave --only out")
    load = os.getloadavg()[0]
    if load > BUSY:
        print(f"the machine is busy (load {load:.2f}): ratios are worth something, seconds less", file=sys.stderr)
    results = [_measured(row, wanted.quick) for row in chosen]
    print(table(results))
    if wanted.write:
        results_file.write_text(markdown(results, load, quick=wanted.quick) + _trials(results_file), encoding="utf-8")
    return 1 if any(result.failure for result in results) else 0


def _trials(results_file: Path) -> str:
    """The part of the file that `make soak` is the source of, which is written by hand."""
    text = results_file.read_text(encoding="utf-8") if results_file.exists() else ""
    _, heading, rest = text.partition(TRIALS)
    return f"\n{heading}{rest}" if heading else ""


def _measured(row: Row, quick: bool) -> Result:
    print(f"{row.name} …", file=sys.stderr, flush=True)
    with stage() as place:
        try:
            pair = row.prepare(place)
            measurement = compare(pair.ours, pair.theirs, row.quick if quick else row.rounds)
            return Result(row, measurement, tuple(pair.remarks(measurement)))
        except MeasuredProgramFailed as failure:
            return Result(row, None, failure=str(failure))
        except NotToBeHad as absence:
            return Result(row, None, (f"skipped: {absence}",))


def _options(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks/bench.py", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few rounds: does it work, and roughly how fast")
    parser.add_argument(
        "--only", action="append", metavar="NAME", default=[], help="rows whose name begins so; repeatable"
    )
    parser.add_argument("--write", action="store_true", help=f"write {RESULTS.name} as well")
    return parser.parse_args(words)


def _misuse(message: str) -> int:
    print(message, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
