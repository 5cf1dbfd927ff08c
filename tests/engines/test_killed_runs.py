"""Runs that something is killed of, at a random moment: each ends in the state that it claims, and nothing is left.

Killed are the kernel, the process that runs it, the stem that this was forked from, nbpr itself, and nbpr with its
group. What is left is looked for by a mark in the environment, in the folder for temporary files and beside the
notebook.
"""

from __future__ import annotations

import json
import os
import random
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest

from nbpr.engines import strays
from nbpr.engines.strays import descendants
from nbpr.runs import sandbox
from tests.kernels import notebook

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="what is left is found through /proc"),
]

SOURCES = (
    "import subprocess\nsubprocess.Popen(['setsid', 'sleep', '300'])\nprint('one')",
    "import time\nfor k in range(5):\n    print(k, flush=True)\n    time.sleep(0.05)",
    "print('x' * 1000)",
    "import time\ntime.sleep(0.2)\nprint('four')",
)
SAID = ("one\n", "0\n1\n2\n3\n4\n", "x" * 1000 + "\n", "four\n")
VARIABLE = "NBPR_TRIAL"
VICTIMS = ("kernel", "child", "stem", "nbpr", "group")
#: How a run may have ended, if it says so itself, by what was killed.
REASONS: dict[str, set[str | None]] = {
    "kernel": {None, "kernel-died", "no-kernel"},
    "child": {None, "error"},
    "stem": {None},
    "nbpr": set(),
    "group": set(),
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("killed")
    subprocess.run(["git", "init", "-q", str(root)], check=True)
    nb = notebook(*SOURCES, kernelspec={"name": "python3", "display_name": "x", "language": "python"})
    (root / "a.ipynb").write_text(json.dumps(nb))
    return root


@pytest.mark.parametrize("victim", VICTIMS)
def test_a_few(project: Path, victim: str) -> None:
    for number in range(2 if victim in ("kernel", "nbpr", "child") else 1):
        trial(project, random.Random(f"{victim} {number}"), victim)


@pytest.mark.soak
@pytest.mark.timeout(8 * 3600)
def test_a_thousand(project: Path) -> None:
    log = os.environ.get("TRIALS_LOG")
    for number in range(int(os.environ.get("TRIALS_FROM", "0")), int(os.environ.get("TRIALS", "1000"))):
        told = trial(project, random.Random(number))
        if log:
            with Path(log).open("a", encoding="utf-8") as file:
                file.write(f"{number} {told.splitlines()[0][:100]}\n")


def trial(root: Path, chance: random.Random, victim: str | None = None) -> str:
    """One run of which something is killed; what it was, and how the run ended."""
    victim = victim or chance.choice(VICTIMS)
    mark, tmp = secrets.token_hex(8), root / "tmp"
    shutil.rmtree(root / "runs", ignore_errors=True)
    tmp.mkdir(exist_ok=True)
    kind = chance.choice(("none", "auto")) if sandbox.problem() is None else "none"
    environment = {**os.environ, VARIABLE: mark, "NBPR_EXECUTE_ENV": VARIABLE, "TMPDIR": str(tmp)}
    words = [sys.executable, "-m", "nbpr", "run", "a.ipynb", "--json", "--sandbox", kind, "--timeout", "60"]
    started = subprocess.Popen(
        words, cwd=root, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    )
    before = chance.choice(("early", "late"))
    found = kill_one(started, victim, mark, chance.uniform(0, 0.3 if before == "early" else 2.5))
    out, err = started.communicate(timeout=120)
    told = f"{victim} ({kind}), killed: {found}, exit {started.returncode}: {out.decode()[-400:]} {err.decode()[-400:]}"
    until(
        lambda: not marked(mark) and not list(tmp.iterdir()),
        lambda: f"{told}\nleft: {marked(mark)} {list(tmp.rglob('*'))}",
    )
    assert not [path.name for path in root.rglob("*.tmp")], told
    if victim in ("nbpr", "group") and found:
        assert started.returncode == -signal.SIGKILL, told
    else:
        holds(root, json.loads(out)["runs"][0], REASONS[victim] if found else {None}, told)
    for path in (root / "runs").rglob("*.ipynb"):
        is_true(path, is_whole=path.parent.name == "runs")
    return told


def kill_one(started: subprocess.Popen[bytes], victim: str, mark: str, delay: float) -> list[int]:
    """Kill the victim, so long after it has come to be; which processes that were, none if the run was over first."""
    while started.poll() is None:
        pids = of(victim, started.pid, mark)
        if pids:
            time.sleep(delay)
            if started.poll() is None and (victim != "group") and pids[0] in [*alive(), started.pid]:
                strays.kill(pids[:1])
                return pids[:1]
            if victim == "group" and started.poll() is None:
                os.killpg(started.pid, signal.SIGKILL)
                return pids
            return []
        time.sleep(0.01)
    return []


def alive() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").glob("[0-9]*")]


def of(victim: str, pid: int, mark: str) -> list[int]:
    """The processes that a victim is."""
    if victim in ("nbpr", "group"):
        return [pid]
    below = descendants(pid)
    stems = [each for each in below if "nbpr.engines.stem_child" in words_of(each) and parent_of(each) == pid]
    if victim == "stem":
        return stems
    if victim == "child":
        return [each for each in below if parent_of(each) in stems]
    return [each for each in below if "ipykernel_launcher" in words_of(each) and "bwrap" not in words_of(each)]


def words_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
    except OSError:
        return ""


def parent_of(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def marked(mark: str) -> list[str]:
    """The processes that carry the trial's mark and live."""
    found = []
    for pid in alive():
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
            if state not in "ZX" and f"{VARIABLE}={mark}".encode() in Path(f"/proc/{pid}/environ").read_bytes():
                found.append(f"{pid} {words_of(pid)}")
        except OSError:
            continue
    return found


def until(so: Callable[[], bool], told: Callable[[], str]) -> None:
    for _ in range(400):
        if so():
            return
        time.sleep(0.05)
    raise AssertionError(told())


def holds(root: Path, record: dict[str, Any], reasons: set[str | None], told: str) -> None:
    """The record is right about how it ended, and about what is in the notebook that it names."""
    assert record["reason"] in reasons, told
    assert (record["status"] == "success") == (record["reason"] is None), told
    cells = nbformat.read(root / record["output"], as_version=4).cells
    ran = [cell.execution_count is not None for cell in cells]
    failed = record["failed_cell"]["index"] if record["failed_cell"] else None
    if record["status"] == "success":
        assert all(ran), told
        assert record["cells_executed"] == len(cells), told
    elif record["reason"] == "kernel-died" and failed is not None:
        assert record["cells_executed"] == failed + 1, told
        assert all(text(cell) == said for cell, said in zip(cells[:failed], SAID[:failed], strict=True)), told
        assert not any(cell.outputs for cell in cells[failed + 1 :]), told
        assert cells[failed].metadata.papermill.status == "failed", told


def is_true(path: Path, *, is_whole: bool) -> None:
    """A notebook that was left is valid, and what it calls completed is all there."""
    left = nbformat.read(path, as_version=4)
    nbformat.validate(left)
    for cell, said in zip(left.cells, SAID, strict=True):
        status = cell.metadata.get("papermill", {}).get("status", "completed" if is_whole else "pending")
        assert status != "completed" or text(cell) == said
        assert status != "pending" or not cell.outputs


def text(cell: Any) -> str:
    return "".join(output.text for output in cell.outputs if output.output_type == "stream")
