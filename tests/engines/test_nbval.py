"""nbval over recorded outputs gives the verdicts that nbval gives with a kernel of its own."""

from __future__ import annotations

import copy
import threading
from pathlib import Path
from typing import Any

import pytest

from nbpr import process
from nbpr.checks.reproduce import CellVerdict, summary
from nbpr.config import Config
from nbpr.engines import child as children
from nbpr.engines import nbval
from nbpr.errors import BadInput, Missing, NbprError
from nbpr.runs import outputs, reference
from tests.diff.test_tolerance import picture, shown
from tests.kernels import code, markdown, notebook, own_kernel, run

pytestmark = pytest.mark.slow

CHECK = "# NBVAL_CHECK_OUTPUT\n"


def settled(executed: dict[str, Any], folder: Path, **parameters: Any) -> dict[str, Any]:
    """A run as it is committed."""
    patterns = outputs.patterns([(folder, "<repo>")])
    return reference.reference(
        executed, source_sha256="sha256:0", parameters=parameters, patterns=patterns, config=Config()
    )


def recorded(nb: dict[str, Any], folder: Path, **parameters: Any) -> dict[str, Any]:
    executed = run(nb, folder, leave_out_skipped=True, parameters=parameters)
    return settled(executed.notebook, folder, **parameters)


def told(verdicts: list[CellVerdict]) -> list[tuple[int, str | None, str, bool]]:
    return [(each.index, each.cell_id, each.verdict, each.checked) for each in verdicts]


def edited(run: dict[str, Any], index: int, text: str) -> dict[str, Any]:
    """The run with another text in the first output of a cell."""
    cells = [dict(cell) for cell in run["cells"]]
    cells[index]["outputs"] = [{**cells[index]["outputs"][0], "text": text}]
    return {**run, "cells": cells}


CELLS = (
    markdown("# Everything that nbval knows"),
    "print('plain')",
    CHECK + "print('same')",
    CHECK + "import time\nprint(time.time_ns())",
    code("print(time.time_ns())", "nbval-check-output"),
    "# NBVAL_SKIP\n1 / 0",
    "# NBVAL_RAISES_EXCEPTION\nraise ValueError('x')",
    code("1 / 0", "raises-exception"),
    CHECK + "# NBVAL_RAISES_EXCEPTION\nraise ValueError('same')",
    CHECK + "# NBVAL_IGNORE_OUTPUT\nprint(time.time_ns())",
    CHECK + "import sys\nprint('out')\nprint('err', file=sys.stderr)\nprint('out')\n42",
    CHECK + "import sys\nprint('out')\nprint(time.time_ns(), file=sys.stderr)",
    CHECK
    + "from IPython.display import HTML, display\ndisplay(HTML('<table><tr><td>1</td></tr></table>'), 3)\nobject()",
    CHECK + "display({'text/html': f'<b>{time.time_ns()}</b>', 'text/plain': 'same'}, raw=True)",
    "",
    CHECK + "import os\nprint(os.getcwd())",
    CHECK + "print('on', '2026-11-%02d' % (time.time_ns() % 28 + 1))",
    CHECK + "'a' * 3",
)


@pytest.mark.kernel
def test_replayed_and_live_agree_on_every_cell(tmp_path: Path) -> None:
    sanitize = tmp_path / "own.cfg"
    sanitize.write_text("[dates]\nregex: 2026-11-\\d\\d\nreplace: DATE\n")
    first, second = (recorded(notebook(*CELLS), tmp_path) for _ in range(2))
    replayed = nbval.compare(first, second, sanitize_with=sanitize)
    live = nbval.live(
        first,
        cwd=tmp_path,
        kernel=own_kernel(tmp_path),
        environment=process.kernel_environment(),
        patterns=outputs.patterns([(tmp_path, "<repo>")]),
        sanitize_with=sanitize,
        cell_timeout=30,
    )
    assert told(replayed) == told(live)
    failed = [each.index for each in replayed if each.verdict == "failed"]
    assert failed == [3, 4, 11, 13]
    assert [each.index for each in replayed if each.verdict == "skipped"] == [5]
    assert [each.index for each in replayed if each.checked] == [2, 3, 4, 8, 10, 11, 12, 13, 15, 16, 17]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["own.cfg"]


@pytest.mark.kernel
def test_both_agree_on_a_cell_that_errs_and_only_live_goes_on_after_it(tmp_path: Path) -> None:
    expected = recorded(notebook(CHECK + "print(1)", CHECK + "print(2)", CHECK + "print(3)"), tmp_path)
    broken = notebook(CHECK + "print(1)", CHECK + "1 / 0", CHECK + "print(3)")
    live_of = {
        **expected,
        "cells": [*expected["cells"][:1], {**broken["cells"][1], "execution_count": 2}, *expected["cells"][2:]],
    }
    replayed = nbval.compare(expected, recorded(broken, tmp_path))
    environment = process.kernel_environment()
    live = nbval.live(live_of, cwd=tmp_path, kernel=own_kernel(tmp_path), environment=environment, cell_timeout=30)
    assert told(replayed)[:2] == told(live)[:2] == [(0, "c0", "passed", True), (1, "c1", "failed", True)]
    assert [each.verdict for each in (replayed[2], live[2])] == ["skipped", "passed"]
    assert replayed[2].message == "it did not run"
    assert all("ZeroDivisionError" in str(each[1].message) for each in (replayed, live))
    assert "\x1b" not in str(replayed[1].message)


def ran(*pairs: tuple[str, str], minor: int = 5, **metadata: Any) -> dict[str, Any]:
    """A run of cells that print: source, and what it printed."""
    made = notebook(*(source for source, _ in pairs), minor=minor, **metadata)
    for count, (cell, (_, text)) in enumerate(zip(made["cells"], pairs, strict=True), 1):
        stream = [{"output_type": "stream", "name": "stdout", "text": text}] if text else []
        cell |= {"execution_count": count, "outputs": stream}
    return made


def test_cells_are_matched_by_id_whatever_their_source_and_place(tmp_path: Path) -> None:
    before = ran((CHECK + "a", "1\n"), (CHECK + "b", "2\n"), (CHECK + "gone", "3\n"))
    after = ran((CHECK + "new", "9\n"), (CHECK + "b changed", "2\n"), (CHECK + "a changed", "other\n"))
    for cell, name in zip(after["cells"], ("c9", "c1", "c0"), strict=True):
        cell["id"] = name
    found = nbval.compare(before, after)
    assert told(found) == [(0, "c9", "passed", False), (1, "c1", "passed", True), (2, "c0", "failed", True)]
    assert "Cell outputs differ" in str(found[2].message)


def test_before_ids_cells_are_matched_by_content_and_place() -> None:
    before = ran((CHECK + "a", "1\n"), (CHECK + "b", "2\n"), (CHECK + "c", "3\n"), minor=4)
    after = ran((CHECK + "new", "9\n"), (CHECK + "a", "1\n"), (CHECK + "b2", "2\n"), (CHECK + "c", "4\n"), minor=4)
    assert told(nbval.compare(before, after)) == [
        (0, None, "passed", False),
        (1, None, "passed", True),
        (2, None, "passed", True),
        (3, None, "failed", True),
    ]


@pytest.mark.kernel
def test_injected_cells_do_not_count(tmp_path: Path) -> None:
    nb = notebook(markdown("x"), code("n = 1", "parameters"), CHECK + "print(n)")
    five, six = (recorded(nb, tmp_path, n=n) for n in (5, 6))
    assert told(nbval.compare(five, five)) == [(1, "c1", "passed", False), (2, "c2", "passed", True)]
    assert [each.verdict for each in nbval.compare(five, six)] == ["passed", "failed"]
    live = nbval.live(
        five, cwd=tmp_path, kernel=own_kernel(tmp_path), environment=process.kernel_environment(), cell_timeout=30
    )
    assert told(live) == told(nbval.compare(five, five))


def test_outputs_that_were_left_out_are_not_compared() -> None:
    made = ran((CHECK + "a", "secret\n"), (CHECK + "b", "2\n"))
    made["cells"][0]["metadata"] = {"tags": ["nbpr-private"]}
    first = settled(made, Path("/nowhere"))
    made["cells"][0]["outputs"][0]["text"] = "another secret\n"
    assert told(nbval.compare(first, settled(made, Path("/nowhere")))) == [
        (0, "c0", "passed", False),
        (1, "c1", "passed", True),
    ]


def test_no_conftest_and_no_configuration_has_a_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("conftest.py", "pytest.py", "nbval.py"):
        (tmp_path / name).write_text(f"open('{tmp_path}/ran', 'w')\nraise SystemExit('{name}')\n")
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --collect-only\n")
    monkeypatch.setenv("PYTEST_ADDOPTS", "--collect-only")
    made = ran((CHECK + "a", "1\n"))
    assert told(nbval.compare(made, made)) == [(0, "c0", "passed", True)]
    assert not (tmp_path / "ran").exists()


def test_a_sanitize_file_is_nbvals(tmp_path: Path) -> None:
    made, other = ran((CHECK + "a", "took 12 ms\n")), ran((CHECK + "a", "took 345 ms\n"))
    sanitize = tmp_path / "sanitize.cfg"
    sanitize.write_text("[times]\nregex: \\d+ ms\nreplace: TIME\n")
    assert nbval.compare(made, other)[0].verdict == "failed"
    assert nbval.compare(made, other, sanitize_with=sanitize)[0].verdict == "passed"
    with pytest.raises(BadInput, match="no such sanitize file"):
        nbval.compare(made, other, sanitize_with=tmp_path / "missing.cfg")


def test_a_missing_package_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(Missing, match="needs nbval"):
        nbval.compare(ran(("a", "")), ran(("a", "")))


def test_a_comparer_that_is_not_used_is_gone(no_stem: None) -> None:
    import psutil

    before = {each.pid for each in psutil.Process().children()}
    with nbval.Comparer():
        started = [each for each in psutil.Process().children() if each.pid not in before]
        assert len(started) == 1
    assert not started[0].is_running()


def test_what_a_cell_tolerates_is_no_difference() -> None:
    pytest.importorskip("PIL")
    near, few = CHECK + "# NBPR_TOLERANCE 1e-6\n", CHECK + "# NBPR_PIXELS 2%\n"
    before = ran(
        (near + "a", "x 1.0000000\n"), (near + "b", "x 1.0\n"), (CHECK + "c", "x 1.0\n"), (CHECK + "d", "x 1.0\n"),
        (CHECK + "# NBPR_TOLERANCE low\ne", "1\n"), ("# NBPR_TOLERANCE low\nf", "1\n"),
        (few + "g", ""), (few + "h", ""), (CHECK + "i", ""),
    )  # fmt: skip
    after = copy.deepcopy(before)
    for place, text in ((0, "x 0.9999999\n"), (1, "x 1.1\n"), (2, "x 1.0000001\n"), (3, "x 1.0000001\n")):
        after["cells"][place]["outputs"][0]["text"] = text
    after["cells"][3]["metadata"] = {"nbpr": {"tolerance": 1e-6}}
    for place, changed in ((6, 1), (7, 3), (8, 3)):
        for side, count in ((before, 0), (after, changed)):
            side["cells"][place]["outputs"] = shown({"image/png": picture(count)})
    found = nbval.compare(before, after)
    assert [each.verdict for each in found] == [
        "passed", "failed", "failed", "passed", "failed", "passed", "passed", "failed", "passed",
    ]  # fmt: skip
    assert "x 1.1" in str(found[1].message)
    assert found[4].message == "# NBPR_TOLERANCE low: a number from 0 on is wanted"
    assert summary(str(found[7].message)) == "picture 1: 3.0 % of pixels changed (NBPR_PIXELS 0.02)"


def test_a_comparison_without_an_end_ends_soon_once_it_is_to_stop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(children, "GRACE", 0.5)
    output = {"output_type": "stream", "name": "stdout", "text": "a" * 60 + "!"}
    nb = notebook(CHECK + "print('a' * 60 + '!')")
    nb["cells"][0] |= {"outputs": [output], "execution_count": 1}
    place = tmp_path / "sanitize.cfg"
    place.write_text("[endless]\nregex: (a+)+$\nreplace: A\n")
    stop = threading.Event()
    with nbval.Comparer(stop=stop) as comparer:
        threading.Timer(2, stop.set).start()
        with pytest.raises(NbprError, match="gave no verdict: was to stop"):
            comparer.compare(nb, nb, place)
