"""The benchmark harness, tried on programs of known behaviour: what it measures, in which order, and how it fails."""

from __future__ import annotations

import os
import resource
import sys
from pathlib import Path

import pytest

from benchmarks import kernels
from benchmarks.command import main
from benchmarks.measure import MeasuredProgramFailed, Measurement, Round, Sample, Side, compare, take
from benchmarks.pagerows import PAGE_ROWS
from benchmarks.report import Result, budget, markdown, standing
from benchmarks.rows import ROWS, Pair, Row
from benchmarks.stage import Stage, stage

pytestmark = pytest.mark.slow

ENV = {"PATH": os.environ["PATH"]}


def python(folder: Path, *programs: str, label: str = "stand-in") -> Side:
    """A side that runs these Python programs."""
    return Side(label, tuple((sys.executable, "-c", program) for program in programs), folder, ENV)


def appending(folder: Path, word: str) -> Side:
    return python(folder, f"open('order', 'a').write({word!r})")


def test_sides_take_turns_after_a_round_that_does_not_count(tmp_path: Path) -> None:
    measurement = compare(appending(tmp_path, "a"), appending(tmp_path, "b"), 3)
    assert (tmp_path / "order").read_text() == "ab" * 4
    assert len(measurement.rounds) == 3


def test_steps_count_together_and_preparation_does_not(tmp_path: Path) -> None:
    nap, prepare = "import time; time.sleep(0.1)", python(tmp_path, "import time; time.sleep(1)")
    side = python(tmp_path, nap, nap)
    sample = take(Side(side.label, side.steps, side.cwd, side.env, before=lambda: take(prepare) and None))
    assert 0.2 <= sample.wall < 1.2
    assert sample.cpu < 0.8


def test_cpu_and_memory_of_grandchildren_count(tmp_path: Path) -> None:
    spin = "t = time.process_time()\nwhile time.process_time() - t < 0.4: pass"
    heavy = f"import time; x = bytearray(150_000_000); {spin}"
    sample = take(python(tmp_path, f"import subprocess, sys; subprocess.run([sys.executable, '-c', {heavy!r}])"))
    assert sample.cpu >= 0.4
    # Linux counts what the process that started it had, until it runs a program of its own.
    ours = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    assert 150_000_000 < sample.rss < max(400_000_000, 1.1 * ours)


def test_ratios_are_taken_within_the_round(tmp_path: Path) -> None:
    side = python(tmp_path, "")
    rounds = tuple(Round(Sample(a, 1, 1), Sample(b, 1, 1)) for a, b in ((1, 2), (10, 100), (1, 5)))
    ratio = Measurement(side, side, rounds).ratio()
    assert ratio is not None
    assert (ratio.low, ratio.median, ratio.high) == (2, 5, 10)


@pytest.mark.parametrize(
    ("at_least", "at_most", "said"),
    [(2, None, "met"), (3, None, "missed"), (None, 1.0, "met"), (2, 0.9, "missed"), (None, None, "")],
)
def test_a_budget_is_met_or_missed_by_medians(
    at_least: float | None, at_most: float | None, said: str, tmp_path: Path
) -> None:
    row = Row("a", "b", lambda place: Pair(python(tmp_path, ""), None), 1, at_least=at_least, at_most=at_most)
    rounds = (Round(Sample(1.0, 1, 1), Sample(2.0, 1, 1)),)
    assert standing(row, Measurement(python(tmp_path, ""), python(tmp_path, ""), rounds)) == said


@pytest.mark.parametrize(("within", "said"), [(5, "met"), (3, "missed")])
def test_a_budget_of_memory_is_met_or_missed_too(within: float, said: str, tmp_path: Path) -> None:
    row = Row("a", "b", lambda place: Pair(python(tmp_path, ""), None), 1, at_most=2, within=within)
    rounds = (Round(Sample(1.0, 1, 4_000_000), None),)
    assert standing(row, Measurement(python(tmp_path, ""), None, rounds)) == said
    assert budget(row) == f"≤ 2 s, ≤ {within} MB"


def test_a_program_that_fails_is_said_with_what_it_said(tmp_path: Path) -> None:
    with pytest.raises(MeasuredProgramFailed, match=r"(?s)exit 7.*no such notebook"):
        take(python(tmp_path, "import sys; print('no such notebook'); sys.exit(7)"))


def test_kernels_are_counted_among_all_descendants(tmp_path: Path) -> None:
    nap = "import time; time.sleep(0.5)"
    words = (
        ["ipykernel_launcher", "a.json"],
        ["ipykernel_launcher", "b.json"],
        ["ipykernel_launcher", "b.json"],
        ["x"],
    )
    start = "; ".join(f"p = subprocess.Popen([sys.executable, '-c', {nap!r}, *{w}])" for w in words)
    program = f"import subprocess, sys; {start}; p.wait(); print('done')"
    # From a file, so that its own command line does not hold the word.
    script = tmp_path / "program.py"
    script.write_text(program)
    argv = [sys.executable, str(script)]
    assert kernels.count(argv, tmp_path, ENV) == (0, 2, "done\n")
    assert kernels.count([sys.executable, "-c", nap], tmp_path, ENV) == (0, 0, "")


def row(name: str, program: str, **more: float) -> Row:
    def prepare(place: Stage) -> Pair:
        side = python(place.folder, program)
        return Pair(side, side, lambda measurement: ["a remark"])

    return Row(name, "stand-in", prepare, 2, 1, **more)


def test_numbers_never_fail_it_and_programs_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([], [row("slow", "pass", at_least=1e9)], tmp_path / "R.md") == 0
    assert "missed" in capsys.readouterr().out
    assert main([], [row("bad", "1/0"), row("good", "pass")], tmp_path / "R.md") == 1
    printed = capsys.readouterr().out
    assert "bad: " in printed
    assert "ZeroDivisionError" in printed
    assert "good: a remark" in printed
    assert not (tmp_path / "R.md").exists()


def test_results_are_written_with_what_they_depend_on(tmp_path: Path) -> None:
    results = tmp_path / "RESULTS.md"
    assert main(["--write"], [row("one", "pass", at_most=60)], results) == 0
    text = results.read_text(encoding="utf-8")
    for part in ("make bench", "processor", "load when it began", "Python 3", "nbstripout ", "| ≤ 60 s | met |"):
        assert part in text


def test_the_trials_that_stand_there_stay(tmp_path: Path) -> None:
    results = tmp_path / "RESULTS.md"
    results.write_text("old\n\n## Trials\n\n1,000 kills\n", encoding="utf-8")
    for _ in range(2):
        assert main(["--write"], [row("one", "pass")], results) == 0
    text = results.read_text(encoding="utf-8")
    assert "old" not in text
    assert text.endswith("\n\n## Trials\n\n1,000 kills\n")
    assert text.count("## Trials") == 1


def test_bad_use_is_2_and_names_the_rows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--only", "nope"], [row("one", "pass")], tmp_path / "R.md") == 2
    assert "one" in capsys.readouterr().err
    assert main(["--write", "--only", "one"], [row("one", "pass")], tmp_path / "R.md") == 2


def test_only_takes_rows_by_the_beginning_of_their_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--only", "a/", "--quick"], [row("a/x", "pass"), row("b/x", "1/0")], tmp_path / "R.md") == 0
    assert "a/x" in capsys.readouterr().out


def test_the_stage_is_a_pushed_repository_and_knows_no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", "ghp_never")
    with stage() as place:
        checkout = place.repository("work")
        again = place.repository("work")
        assert checkout == again
        assert place.call("git", "status", "--porcelain", "--branch", cwd=checkout).strip() == "## main...origin/main"
        assert (checkout / "notebooks/fleet_health_check.ipynb").is_file()
        assert "GITHUB_TOKEN" not in place.env
    assert not checkout.exists()


def test_without_a_browser_its_row_is_skipped_in_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main([], PAGE_ROWS, tmp_path / "R.md") == 0
    assert "page/500-cells: skipped: no Chromium: apt-get install chromium" in capsys.readouterr().out


def test_row_names_are_unique_and_quick_is_quick() -> None:
    assert len({one.name for one in ROWS}) == len(ROWS)
    assert all(1 <= one.quick <= one.rounds for one in ROWS)


def test_markdown_has_a_row_for_what_failed(tmp_path: Path) -> None:
    text = markdown([Result(row("one", "pass"), None, failure="it broke\nat length")], 0.0)
    assert "| one | stand-in | failed |" in text
    assert "* `one`: it broke\n" in text
