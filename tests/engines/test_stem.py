"""Stems: children forked from a process that has imported what takes long, each a process like any other."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from nbpr import process
from nbpr.engines import stem, strays
from nbpr.engines.child import child, private_folder
from tests.conftest import git
from tests.kernels import left_of, notebook, run, texts

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="stems are for Linux"),
    pytest.mark.usefixtures("no_stem"),
]

ENVIRONMENT = process.kernel_environment()


def until(holds: Callable[[], bool]) -> None:
    for _ in range(400):
        if holds():
            return
        time.sleep(0.05)
    raise AssertionError("still not so after 20 s")


def test_there_is_none_unless_somebody_keeps_one() -> None:
    assert stem.at_hand(ENVIRONMENT) is None
    with stem.kept():
        with stem.kept():
            first = stem.at_hand(ENVIRONMENT)
        assert first is not None
        assert stem.at_hand({**ENVIRONMENT, strays.MARK: "a run's own", "JUPYTER_PATH": "/x"}) is first
        assert stem.at_hand({**ENVIRONMENT, "OTHER": "1"}) is not first
    assert stem.at_hand(ENVIRONMENT) is None
    assert first.pid not in [each.pid for each in psutil.process_iter()]


def test_one_that_is_asked_for_ahead_is_there_once_somebody_keeps_one() -> None:
    before = psutil.Process().children()
    stem.ahead({**ENVIRONMENT, strays.MARK: "a run's own"})
    stem.ahead(ENVIRONMENT)
    assert stem.at_hand(ENVIRONMENT) is None
    begun = [each for each in psutil.Process().children() if each not in before]
    with stem.kept():
        first = stem.at_hand(ENVIRONMENT)
        assert first is not None
        assert [first.pid] == [each.pid for each in begun]
    assert psutil.wait_procs(begun, timeout=10)[1] == []


@pytest.mark.kernel
@pytest.mark.parametrize("words", [("run",), ("validate", "--no-cache")])
def test_a_command_has_one_stem_and_none_is_left(tmp_path: Path, words: tuple[str, ...]) -> None:
    git(tmp_path, "init", "-q")
    (tmp_path / "a.ipynb").write_text(json.dumps(notebook("open('began', 'w').close()\nimport time\ntime.sleep(3)")))
    ours = subprocess.Popen([sys.executable, "-m", "nbpr", words[0], "a.ipynb", *words[1:]], cwd=tmp_path)
    until((tmp_path / "began").exists)
    below = psutil.Process(ours.pid).children(recursive=True)
    own = [each for each in below if _parent_and_words(each)[0] == ours.pid]
    assert len([each for each in own if "nbpr.engines.stem_child" in _parent_and_words(each)[1]]) == 1
    assert ours.wait(60) == 0
    assert psutil.wait_procs(below, timeout=5)[1] == []


@pytest.mark.parametrize("words", [("run", "--no-such-option"), ("run", "no-such-file.ipynb"), ("run", "--help")])
def test_a_command_that_runs_nothing_leaves_none(tmp_path: Path, words: tuple[str, ...]) -> None:
    mark = {**os.environ, "HOME": str(tmp_path)}  # which a stem gets, whose environment is scrubbed
    subprocess.run([sys.executable, "-m", "nbpr", *words], cwd=tmp_path, env=mark, capture_output=True, check=False)
    until(lambda: not [each for each in psutil.process_iter() if _is_of(each, str(tmp_path))])


def _parent_and_words(process: psutil.Process) -> tuple[int, list[str]]:
    try:
        return process.ppid(), process.cmdline()
    except psutil.Error:
        return 0, []  # it ended while we looked


def _is_of(process: psutil.Process, mark: str) -> bool:
    try:
        return process.environ().get("HOME") == mark
    except psutil.Error:
        return False


@pytest.mark.kernel
def test_a_run_from_a_stem_is_a_run_like_any_other(tmp_path: Path) -> None:
    seen = "import os, sys\nprint(os.getsid(0) == os.getpid(), os.getcwd(), 'papermill' in sys.modules)"
    seeds = "import sys\nprint(hash('a text'), sys.flags.hash_randomization)"
    with stem.kept(ENVIRONMENT):
        found = [run(notebook(seen, seeds), tmp_path) for _ in range(2)]
    assert [each.status for each in found] == ["success", "success"]
    assert texts(found[0].notebook)[0] == f"True {tmp_path} False\n"
    # A kernel is a program started anew: what hangs on the order of a set does not repeat itself.
    assert texts(found[0].notebook)[1] != texts(found[1].notebook)[1]


@pytest.mark.kernel
def test_one_without_its_stem_goes_on_and_the_next_is_started_as_a_program(tmp_path: Path) -> None:
    with stem.kept(ENVIRONMENT):
        at_hand = stem.at_hand(ENVIRONMENT)
        assert at_hand is not None

        def kill(_: object) -> None:
            strays.kill([at_hand.pid])

        assert run(notebook("print(1)"), tmp_path, progress=kill).status == "success"
        assert run(notebook("print(1)"), tmp_path).status == "success"


def test_it_has_one_thread_once_all_is_imported() -> None:
    # Past another thread nothing can be forked; a library that starts one at its import would make all slow.
    with stem.kept(ENVIRONMENT):
        at_hand = stem.at_hand(ENVIRONMENT)
        assert at_hand is not None
        maps = Path(f"/proc/{at_hand.pid}/stat")
        # It waits, and uses no processor, when it has imported everything.
        until(lambda: maps.read_text().rpartition(")")[2].split()[0] == "S" and _is_idle(at_hand.pid))
        assert len(list(Path(f"/proc/{at_hand.pid}/task").iterdir())) == 1


def _is_idle(pid: int) -> bool:
    before = psutil.Process(pid).cpu_times()
    time.sleep(0.3)
    return before[:2] == psutil.Process(pid).cpu_times()[:2] and before.user > 0.1


KILLED = """
import sys, time
from pathlib import Path
from nbpr import process
from nbpr.engines import stem
from nbpr.engines.child import child, private_folder
environment = process.kernel_environment(["NBPR_HERE"])
with stem.kept(environment), private_folder() as folder:
    if sys.argv[1] == "with a child":
        with child("nbpr.engines.papermill_child", folder, environment, "m") as begun:
            begun.receive(time.monotonic() + 1)
            print("ready", flush=True)
            time.sleep(60)
    print("ready", flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("which", ["with a child", "with a folder alone"])
def test_nothing_is_left_when_its_parent_is_killed(tmp_path: Path, which: str) -> None:
    mark = f"stem-{os.getpid()}-{which}"
    environment = {**os.environ, "TMPDIR": str(tmp_path), "NBPR_HERE": mark}
    words = [sys.executable, "-c", KILLED, which]
    ours = subprocess.Popen(words, stdout=subprocess.PIPE, env=environment, cwd=Path(__file__).parents[2])
    assert ours.stdout is not None
    assert ours.stdout.readline() == b"ready\n"
    assert list(tmp_path.iterdir())
    ours.send_signal(signal.SIGKILL)
    ours.communicate()
    until(lambda: not list(tmp_path.iterdir()) and not _of(mark))


def _of(mark: str) -> list[int]:
    found = []
    for each in psutil.process_iter():
        try:
            if each.environ().get("NBPR_HERE") == mark:
                found.append(each.pid)
        except psutil.Error:
            continue
    return found


def test_a_child_that_fails_says_so_in_its_log() -> None:
    with (
        stem.kept(ENVIRONMENT),
        private_folder() as folder,
        child("nbpr.no_such_module", folder, ENVIRONMENT, "m") as started,
    ):
        assert started.receive(time.monotonic() + 20) == {}
        assert "No module named" in started.last_words
    assert left_of("m") == []


def test_a_child_is_forked_where_there_is_a_stem() -> None:
    with stem.kept(ENVIRONMENT), private_folder() as folder:
        at_hand = stem.at_hand(ENVIRONMENT)
        with child("nbpr.engines.nbval_child", folder, ENVIRONMENT, "m") as begun:
            assert at_hand is not None
            assert psutil.Process(begun.pid).ppid() == at_hand.pid
    assert left_of("m") == []


LEFT = """
import os, subprocess, sys, time
from nbpr.engines import stem_child
stem_child._LAST = 0.5
reader, writer = os.pipe()
pid = os.fork()
if pid == 0:
    os.setsid()
    below = subprocess.Popen(["sleep", "600"], start_new_session=True)
    os.write(writer, b"%d" % below.pid)
    while True:
        time.sleep(1)
print(pid, os.read(reader, 100).decode(), flush=True)
stem_child._leave({os.pidfd_open(pid): pid}, [sys.argv[1]])
"""


def test_a_child_that_does_not_notice_that_all_are_gone_is_ended_with_what_is_below_it(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    stays = subprocess.Popen([sys.executable, "-c", LEFT, str(folder)], stdout=subprocess.PIPE, text=True)
    assert stays.stdout is not None
    pids = [int(pid) for pid in stays.stdout.readline().split()]
    try:
        assert stays.wait(60) == 0
        assert not folder.exists()
        until(lambda: not any(map(psutil.pid_exists, pids)))
    finally:
        stays.kill()
        strays.kill(pids)
