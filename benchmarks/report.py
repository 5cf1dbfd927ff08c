"""What was measured, as a table for the terminal and as RESULTS.md."""

from __future__ import annotations

import datetime
import os
import platform
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from benchmarks.measure import Measurement
from benchmarks.rows import Row

MEGABYTE = 1_000_000
PACKAGES = "nbpr nbformat nbdime nbstripout nbval papermill scrapbook ipykernel nbclient pytest pandas typer".split()
COLUMNS = ("row", "what", "ours", "theirs", "ratio (least to most)", "budget", "", "CPU ours / theirs", "memory")


@dataclass(frozen=True)
class Result:
    """One row's outcome: `measurement` is None when it failed, and `failure` says how, or was skipped."""

    row: Row
    measurement: Measurement | None
    remarks: tuple[str, ...] = ()
    failure: str | None = None


def cells(result: Result) -> tuple[str, ...]:
    """A row of the table, as text, in the order of `COLUMNS`."""
    row, measurement = result.row, result.measurement
    if measurement is None:
        return (row.name, row.what, "failed" if result.failure else "skipped", "", "", budget(row), "", "", "")
    ratio = measurement.ratio()
    return (
        row.name,
        row.what,
        _seconds(measurement.median("ours", "wall")),
        _seconds(measurement.median("theirs", "wall")),
        f"{ratio.median:.1f}× ({ratio.low:.1f} to {ratio.high:.1f})" if ratio else "–",
        budget(row),
        standing(row, measurement),
        f"{_seconds(measurement.median('ours', 'cpu'))} / {_seconds(measurement.median('theirs', 'cpu'))}",
        f"{_megabytes(measurement.median('ours', 'rss'))} / {_megabytes(measurement.median('theirs', 'rss'))}",
    )


def budget(row: Row) -> str:
    """What the row should come to."""
    parts = [f"≥ {row.at_least:g}×"] if row.at_least is not None else []
    parts += [f"≤ {row.at_most:g} s"] if row.at_most is not None else []
    parts += [f"≤ {row.within:,g} MB"] if row.within is not None else []
    return ", ".join(parts) or "–"


def standing(row: Row, measurement: Measurement) -> str:
    """ "met", "missed", or nothing where there is no budget. Medians decide."""
    ratio, wall = measurement.ratio(), measurement.median("ours", "wall")
    held = []
    if row.at_least is not None:
        held.append(ratio is not None and ratio.median >= row.at_least)
    if row.at_most is not None:
        held.append(wall is not None and wall <= row.at_most)
    if row.within is not None:
        memory = measurement.median("ours", "rss")
        held.append(memory is not None and memory <= row.within * MEGABYTE)
    return ("met" if all(held) else "missed") if held else ""


def table(results: Sequence[Result]) -> str:
    """The table for a terminal, remarks and failures below."""
    lines = [COLUMNS, *(cells(result) for result in results)]
    widths = [max(len(line[n]) for line in lines) for n in range(len(COLUMNS))]
    text = ["  ".join(word.ljust(width) for word, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    return "\n".join([*text, *(f"{name}: {said}" for name, said in _said(results))])


def markdown(results: Sequence[Result], load: float, *, quick: bool = False) -> str:
    """RESULTS.md: machine, versions, command, date, method, the table, the remarks. `load` is that of before."""
    command = "make bench BENCH='--quick --write'" if quick else "make bench BENCH=--write"
    header = ["| " + " | ".join(COLUMNS) + " |", "|" + "---|" * len(COLUMNS)]
    body = ["| " + " | ".join(cells(result)) + " |" for result in results]
    remarks = [f"* `{name}`: {said.splitlines()[0]}" for name, said in _said(results)]
    sides = [_sides(result.row.name, result.measurement) for result in results if result.measurement]
    return "\n".join(
        [
            "# Benchmark results",
            "",
            f"Written by `{command}` on {datetime.datetime.now(datetime.UTC):%Y-%m-%d, %H:%M} UTC.",
            "",
            *(f"* {name}: {value}" for name, value in machine()),
            f"* load when it began: {load:.2f}",
            f"* versions: {', '.join(f'{name} {version}' for name, version in versions())}",
            "",
            METHOD,
            "",
            *header,
            *body,
            "",
            *remarks,
            "",
            "What was compared:",
            "",
            "| row | ours | theirs | rounds |",
            "|---|---|---|---|",
            *sides,
            "",
        ]
    )


METHOD = """\
Both sides of a row are run in turn, ours, theirs, ours, theirs, after a round that does not count, all from the same
environment. Seconds are medians of wall time for the whole process, from start to exit; the ratio is theirs over ours
within each round, median (least to most). CPU and memory (MB, the largest process) include every process that was
started and waited for. No number here makes the benchmark fail; only a program that fails does."""


def machine() -> Iterable[tuple[str, str]]:
    """What the numbers depend on besides versions. Nothing that names the machine or its owner."""
    yield "system", f"{platform.system()} {platform.release()}, {platform.machine()}"
    yield "processor", f"{_processor()}, {os.cpu_count()} cores"
    yield "memory", f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 1e9:.1f} GB"


def versions() -> Iterable[tuple[str, str]]:
    """Python, git and the packages that take part."""
    yield "Python", platform.python_version()
    yield "git", subprocess.run(["git", "--version"], capture_output=True, text=True, check=True).stdout.split()[2]
    for name in PACKAGES:
        yield name, metadata.version(name)


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    lines = information.read_text(encoding="utf-8").splitlines() if information.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown"


def _sides(name: str, measurement: Measurement) -> str:
    theirs = f"`{measurement.theirs.label}`" if measurement.theirs else "–"
    return f"| {name} | `{measurement.ours.label}` | {theirs} | {len(measurement.rounds)} |"


def _said(results: Sequence[Result]) -> Iterable[tuple[str, str]]:
    for result in results:
        for remark in result.remarks:
            yield result.row.name, remark
        if result.failure:
            yield result.row.name, result.failure


def _seconds(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f} s" if value < 1 else f"{value:.2f} s"


def _megabytes(value: float | None) -> str:
    return "–" if value is None else f"{value / MEGABYTE:.0f}"
