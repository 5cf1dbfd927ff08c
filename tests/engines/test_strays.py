"""No process is left of a run: not of kernels, not of what notebooks start, not when we are killed ourselves."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from nbpr.engines import strays
from nbpr.engines.child import child, private_folder
from tests.kernels import left_of, notebook, of_runs, run, texts

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(sys.platform != "linux", reason="strays are found through /proc"),
]


STRAYS = """
import subprocess, sys
sleep = [sys.executable, "-c", "import time; time.sleep(60)"]
subprocess.Popen(sleep)
subprocess.Popen(sleep, start_new_session=True)
twice = f"import subprocess; subprocess.Popen({sleep!r}, start_new_session=True)"
subprocess.Popen([sys.executable, "-c", twice]).wait()
print('started')
"""


@pytest.mark.parametrize("end", ["", "1 / 0", "import os; os._exit(1)", "import time; time.sleep(60)"])
def test_what_a_notebook_starts_ends_with_it(tmp_path: Path, end: str) -> None:
    executed = run(notebook(STRAYS, end or "pass"), tmp_path, timeout=10 if "sleep" in end else 60)
    assert texts(executed.notebook)[0] == "started\n"
    assert of_runs() == []


KILLED = """
import sys
from pathlib import Path
from nbpr import process
from nbpr.runs import interpreters
from nbpr.config import Execute
from nbpr.engines import ENGINES, Request
from tests.kernels import notebook, own_kernel
folder = Path(sys.argv[1])
nb = notebook("import subprocess, sys\\nsubprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'], "
              "start_new_session=True)\\nopen('ready', 'w').close()\\nimport time\\ntime.sleep(60)")
request = Request(nb, folder, own_kernel(folder), environment=process.kernel_environment(), run_id=sys.argv[2])
ENGINES["papermill"].run(request)
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_nothing_is_left_when_we_are_killed(tmp_path: Path, how: signal.Signals) -> None:
    mark = f"killed-{os.getpid()}-{how}"
    words = [sys.executable, "-c", KILLED, str(tmp_path), mark]
    (tmp_path / "tmp").mkdir()
    environment = {**os.environ, "TMPDIR": str(tmp_path / "tmp")}
    ours = subprocess.Popen(words, cwd=Path(__file__).parents[2], stderr=subprocess.DEVNULL, env=environment)
    _until(lambda: (tmp_path / "ready").exists())
    assert len(left_of(mark)) == 3
    ours.send_signal(how)
    ours.wait(10)
    _until(lambda: left_of(mark) == [])
    _until(lambda: list((tmp_path / "tmp").glob("nbpr-*")) == [])


def test_an_engine_that_is_killed_is_told_of(tmp_path: Path) -> None:
    nb = notebook("import os\nos.kill(os.getppid(), 9)\nimport time\ntime.sleep(60)")
    executed = run(nb, tmp_path)
    assert executed.reason == "error"
    assert "ended without an answer" in (executed.message or "")


def _until(holds: Any) -> None:
    for _ in range(200):
        if holds():
            return
        time.sleep(0.05)
    raise AssertionError("still not so after 10 s")


def test_descendants_are_told_parents_first() -> None:
    words = [sys.executable, "-c", "import subprocess, sys; subprocess.run([sys.executable, '-c', 'input()'])"]
    ours = subprocess.Popen(words, stdin=subprocess.PIPE, env={**os.environ, strays.MARK: "told"})
    _until(lambda: len(strays.descendants(ours.pid)) == 1)
    below = strays.descendants(ours.pid)
    # Other tests of this worker may have left children of their own.
    told = [pid for pid in strays.descendants(os.getpid()) if pid in (ours.pid, *below)]
    assert told == [ours.pid, *below]
    assert sorted(strays.marked("told")) == sorted([ours.pid, *below])
    assert strays.marked("tol") == []
    strays.end_below(ours.pid)
    assert strays.descendants(ours.pid) == []
    ours.communicate()
    strays.kill([ours.pid])  # gone already, which is no error
    strays.kill_group(ours.pid)


def test_a_child_that_cannot_start_says_why_and_is_gone(no_stem: None) -> None:
    with private_folder() as folder, child("nbpr.no_such_module", folder, {}, "m") as started:
        started.send({"hear": "nothing"})
        assert started.receive(time.monotonic() + 10) == {}
        assert "No module named nbpr.no_such_module" in started.last_words
        assert folder.stat().st_mode & 0o077 == 0
    assert not folder.exists()


def test_a_child_that_is_silent_is_waited_for_only_so_long() -> None:
    with private_folder() as folder, child("nbpr.engines.papermill_child", folder, {}, "m") as started:
        assert started.receive(time.monotonic() + 0.1) is None
