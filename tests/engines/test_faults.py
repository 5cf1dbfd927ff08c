"""Every way in which a run has been seen to go wrong: what is told of it, what is kept, and that nothing is left.

`run` fails by itself where a process is left. The same faults, with papermill alone beside us, are measured by
`python -m benchmarks.faults`, which makes the table of docs/execution.md.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from nbpr.engines import Executed
from nbpr.runs.interpreters import KernelChoice
from tests.kernels import notebook, run, texts

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="some are of Linux alone"),
]

MEGABYTE = 1_000_000
DEAF = "import ctypes, signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nctypes.PyDLL(None).sleep(90)"
LATER = (
    "import os, threading, time\nthreading.Thread(target=lambda: (time.sleep({0}), os.kill(os.getpid(), 9))).start()"
)


def is_valid(executed: Executed) -> bool:
    """Whether what is left is a notebook by nbformat's schema."""
    import nbformat

    nbformat.validate(nbformat.from_dict(executed.notebook))
    return True


def ended(executed: Executed, reason: str, index: int) -> None:
    """It ended for that reason at the second cell of three: the first is all there, the third never ran."""
    assert (executed.status, executed.reason) == ("error", reason)
    assert executed.failed_cell is not None
    assert executed.failed_cell.index == index
    assert texts(executed.notebook)[0] == "ran\n"
    assert [cell["execution_count"] for cell in executed.notebook["cells"][index + 1 :]] == [None]
    assert [cell["outputs"] for cell in executed.notebook["cells"][index + 1 :]] == [[]]
    assert is_valid(executed)


FAULTS = {
    "killed in a cell": ("import os\nos.kill(os.getpid(), 9)", "kernel-died", {}),
    "killed before a cell": ("import time\ntime.sleep(60)", "kernel-died", {}),
    "os._exit": ("import os\nos._exit(0)", "kernel-died", {}),
    "segmentation fault": ("import ctypes\nctypes.string_at(0)", "kernel-died", {}),
    "abort": ("import os\nos.abort()", "kernel-died", {}),
    "deaf native code": (DEAF, "cell-timeout", {"cell_timeout": 1.0}),
    "sys.exit(0)": ("import sys\nsys.exit(0)", "early-exit", {}),
    "input()": ("input('name? ')", "error", {}),
    "asyncio.run": ("import asyncio\nasyncio.run(asyncio.sleep(0))", "error", {}),
    "MemoryError": ("raise MemoryError", "error", {}),
    "a recursion without end": ("def f(): return f()\nf()", "error", {}),
    "an endless loop": ("while True: pass", "deadline", {"timeout": 6.0}),
    "endless printing": ("while True: print('x' * 100)", "deadline", {"timeout": 6.0, "max_output": 50_000}),
    "endless displays": ("while True: display('x' * 100)", "deadline", {"timeout": 6.0, "max_output": 50_000}),
}


@pytest.mark.parametrize("fault", list(FAULTS))
def test_the_reason_is_told_and_the_failing_cell_is_named(tmp_path: Path, fault: str) -> None:
    source, reason, options = FAULTS[fault]
    first = LATER.format(2) if fault == "killed before a cell" else ""
    executed = run(notebook(f"{first}\nprint('ran')", source, "print('no')"), tmp_path, **options)
    ended(executed, reason, 1)


def test_a_kernel_killed_after_the_last_cell_is_no_success(tmp_path: Path) -> None:
    source = "import os, subprocess, sys\nprint('ran')\n" + (
        "get_ipython().events.register('post_run_cell', lambda *_: os.kill(os.getpid(), 9))"
    )
    executed = run(notebook(source), tmp_path)
    assert (executed.status, executed.reason) == ("error", "kernel-died")


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("import time; time.sleep(60)", "didn't respond"),
        ("import sys; sys.exit('no such thing')", "no such thing"),
        ("import os; os.kill(os.getpid(), 9)", "the kernel did not start"),
    ],
)
def test_a_kernel_that_never_gets_ready(tmp_path: Path, program: str, said: str) -> None:
    argv = [sys.executable, "-c", program, "{connection_file}"]
    kernel = KernelChoice("odd", {"argv": argv, "display_name": "x", "language": "python"}, argv[0], "a test")
    executed = run(notebook("print(1)"), tmp_path, kernel=kernel, startup_timeout=1)
    assert (executed.reason, executed.cells_executed) == ("no-kernel", 0)
    assert said in (executed.message or "")
    assert is_valid(executed)


# -- what is left ------------------------------------------------------------------------------------------

CHILDREN = """
import multiprocessing, os, subprocess, sys, time
sleep = [sys.executable, "-c", "import time; time.sleep(90)"]
for _ in range(3):
    multiprocessing.get_context("fork").Process(target=time.sleep, args=(90,)).start()
subprocess.Popen(["sh", "-c", "setsid sleep 90 & setsid sh -c 'sleep 90 & sleep 90' &"])
subprocess.Popen(sleep, start_new_session=True)
print("ran")
"""


@pytest.mark.parametrize(
    ("end", "reason"),
    [("import os\nos._exit(3)", "kernel-died"), ("1 / 0", "error"), ("import time\ntime.sleep(60)", "deadline")],
)
def test_no_process_is_left_whatever_was_started(tmp_path: Path, end: str, reason: str) -> None:
    ended(run(notebook(CHILDREN, end, "print('no')"), tmp_path, timeout=8), reason, 1)


def test_children_of_a_run_that_went_well_are_ended_too(tmp_path: Path) -> None:
    assert run(notebook(CHILDREN), tmp_path).status == "success"


# -- limits ------------------------------------------------------------------------------------------------

EATS = "blocks = []\nfor _ in range(400):\n    blocks.append(b'x' * 5_000_000)\n    import time; time.sleep(0.02)"
EATS_BELOW = f"""
import subprocess, sys
subprocess.run([sys.executable, "-c", {EATS!r}])
"""


@pytest.mark.parametrize("source", [EATS, EATS_BELOW], ids=["the kernel", "a process below it"])
def test_memory_is_limited_for_a_kernel_and_all_below(tmp_path: Path, source: str) -> None:
    executed = run(notebook("print('ran')", source, "print('no')"), tmp_path, memory=300 * MEGABYTE)
    ended(executed, "out-of-memory", 1)
    assert executed.message == "the notebook took over 300,000,000 bytes of memory"
    assert executed.failed_cell is not None
    assert executed.failed_cell.ename == "OutOfMemory"


def test_memory_that_processes_share_counts_once(tmp_path: Path) -> None:
    source = (
        "import multiprocessing, time\nblock = b'x' * 150_000_000\n"
        "fork = multiprocessing.get_context('fork')\n"
        "all = [fork.Process(target=time.sleep, args=(1,)) for _ in range(6)]\n"
        "[each.start() for each in all]\n[each.join() for each in all]\nprint('shared')"
    )
    assert texts(run(notebook(source), tmp_path, memory=600 * MEGABYTE).notebook) == ["shared\n"]


def test_the_number_of_processes_is_limited(tmp_path: Path) -> None:
    source = "import subprocess, time\nfor _ in range(60):\n    subprocess.Popen(['sleep', '60'])\ntime.sleep(60)"
    executed = run(notebook("print('ran')", source, "print('no')"), tmp_path, processes=40)
    ended(executed, "too-many-processes", 1)
    assert executed.message == "the notebook started over 40 processes"


@pytest.mark.soak
def test_a_fork_bomb_is_ended(tmp_path: Path) -> None:
    bomb = "import os\nwhile True:\n    try:\n        os.fork()\n    except OSError:\n        pass"
    ended(run(notebook("print('ran')", bomb, "print('no')"), tmp_path, processes=100), "too-many-processes", 1)


# -- much output -------------------------------------------------------------------------------------------

#: The next cell says how much memory the process that runs the notebook has taken at most.
PEAK = "import os, re\nprint(re.search(r'VmHWM:\\s+(\\d+)', open(f'/proc/{os.getppid()}/status').read())[1])"


def peak(executed: Executed) -> int:
    return int(texts(executed.notebook)[-1]) * 1024


@pytest.mark.parametrize(
    ("lines", "flush"),
    [
        (20_000, True),
        pytest.param(100_000, True, marks=pytest.mark.soak),
        pytest.param(1_000_000, False, marks=pytest.mark.soak),
    ],
)
def test_every_line_is_there(tmp_path: Path, lines: int, flush: bool) -> None:
    load = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(os.cpu_count() or 1)]
    try:
        executed = run(notebook(f"for k in range({lines}):\n    print(k, flush={flush})"), tmp_path, timeout=280)
    finally:
        for each in load:
            each.kill()
            each.wait()
    assert executed.status == "success"
    assert executed.cut == ()
    assert texts(executed.notebook)[0] == "".join(f"{k}\n" for k in range(lines))


@pytest.mark.parametrize("megabytes", [20, pytest.param(200, marks=pytest.mark.soak)])
@pytest.mark.parametrize("how", ["print", "display"])
def test_much_output_is_cut_and_the_rest_counted(tmp_path: Path, megabytes: int, how: str) -> None:
    line = "x" * 99 + "\\n"
    prints = f"import sys\nfor k in range({megabytes}):\n    sys.stdout.write('{line}' * 10_000)\nsys.stdout.flush()"
    displays = f"for k in range({megabytes}):\n    display({{'text/plain': 'x' * 1_000_000}}, raw=True)"
    source = {"print": prints, "display": displays}[how]
    executed = run(notebook(source, PEAK), tmp_path, max_output=4 * MEGABYTE, timeout=200)
    assert executed.status == "success"
    ((place, cut),) = executed.cut
    size = sum(len(output.get("text", "")) + len(str(output.get("data", ""))) for output in _outputs(executed, 0))
    assert place == 0
    assert 2 * MEGABYTE < size < 4.1 * MEGABYTE
    assert abs(size + cut - megabytes * MEGABYTE) < 50_000
    assert any(f"[nbpr: {cut:,} characters" in output.get("text", "") for output in _outputs(executed, 0))
    # What the kernel says at a time is one message, which has to be read whole; so it is not the cap alone.
    assert peak(executed) < (300 + 1.5 * megabytes) * MEGABYTE
    assert is_valid(executed)


def _outputs(executed: Executed, index: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = executed.notebook["cells"][index]["outputs"]
    return found


def test_the_error_is_kept_however_much_was_printed_before(tmp_path: Path) -> None:
    executed = run(notebook("print('x' * 5_000_000)\n1 / 0"), tmp_path, max_output=100_000, max_run=100_000)
    assert executed.message == "ZeroDivisionError: division by zero"
    assert [output["output_type"] for output in _outputs(executed, 0)] == ["stream", "error"]


def test_what_is_written_over_and_over_is_not_counted(tmp_path: Path) -> None:
    source = (
        "from IPython.display import clear_output, display, HTML\n"
        "for k in range(300):\n    clear_output(wait=True)\n    print(k, 'x' * 1000)\n"
        "handle = display(HTML('0'), display_id=True)\n"
        "for k in range(300):\n    handle.update(HTML(f'{k} ' + 'x' * 1000))"
    )
    executed = run(notebook(source), tmp_path, max_output=20_000)
    assert executed.cut == ()
    assert texts(executed.notebook)[0] == f"299 {'x' * 1000}\n"
    assert _outputs(executed, 0)[-1]["data"]["text/html"].startswith("299 ")


# -- when it is stopped ------------------------------------------------------------------------------------


def test_output_before_a_death_is_kept(tmp_path: Path) -> None:
    source = "import os, sys, time\nprint('x' * 100, flush=True)\ntime.sleep(0.5)\nos.kill(os.getpid(), 9)"
    executed = run(notebook(source), tmp_path)
    assert texts(executed.notebook) == ["x" * 100 + "\n"]


@pytest.mark.parametrize("source", ["while True: pass", "while True: print('x' * 1000)", DEAF])
def test_a_stop_is_quick_and_keeps_what_ran(tmp_path: Path, source: str) -> None:
    stop = threading.Event()

    def told(at: Any) -> None:
        if at.cell == 2:
            threading.Timer(0.5, stop.set).start()

    ended(run(notebook("print('ran')", source, "print('no')"), tmp_path, stop=stop, progress=told), "cancelled", 1)


def test_signals_that_a_notebook_sends_up_are_told_of(tmp_path: Path) -> None:
    executed = run(
        notebook(f"import os\nos.kill(os.getppid(), {int(signal.SIGTERM)})\nimport time; time.sleep(9)"), tmp_path
    )
    assert executed.reason == "error"
    assert "ended without an answer" in (executed.message or "")
