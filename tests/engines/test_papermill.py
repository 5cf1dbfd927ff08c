"""papermill in a process of its own: what it says of every way in which a run can end, with real kernels."""

from __future__ import annotations

import copy
import json
import sys
import threading
import time
from pathlib import Path

import pytest

from nbpr import engines, process
from nbpr.config import Execute
from nbpr.engines import FailedCell, Progress
from nbpr.errors import BadInput, Missing
from nbpr.runs import interpreters
from nbpr.runs.interpreters import KernelChoice
from tests.kernels import code, markdown, notebook, own_kernel, run, texts

pytestmark = pytest.mark.kernel


def test_a_run_fills_in_outputs_and_changes_nothing_else(tmp_path: Path) -> None:
    nb = notebook(
        markdown("# Title", attachments={"a.png": {"image/png": "aGVsbG8="}}),
        code("1 + 1", custom="kept", outputs=[{"output_type": "stream", "name": "stdout", "text": "old"}]),
        "",
        "print('two')",
        mine={"deep": [1]},
    )
    before = copy.deepcopy(nb)
    seen: list[Progress] = []
    executed = run(nb, tmp_path, progress=seen.append)
    assert (executed.status, executed.reason, executed.message, executed.failed_cell) == ("success", None, None, None)
    assert nb == before
    assert executed.cells_executed == 2
    assert seen == [Progress(1, 2), Progress(2, 2)]
    result = {"data": {"text/plain": "2"}, "execution_count": 1, "metadata": {}, "output_type": "execute_result"}
    said = {"name": "stdout", "output_type": "stream", "text": "two\n"}
    before["cells"][1] |= {"outputs": [result], "execution_count": 1}
    before["cells"][3] |= {"outputs": [said], "execution_count": 2}
    assert executed.notebook == before
    assert executed.started < executed.finished
    assert executed.finished.endswith("Z")
    assert 0 < executed.duration_seconds < 60


@pytest.mark.parametrize("minor", [0, 4, 5])
def test_parameters_are_injected_and_the_minor_version_stays(tmp_path: Path, minor: int) -> None:
    nb = notebook(markdown("intro"), code("n = 1", "parameters"), "print(n)", minor=minor)
    first, second = (run(nb, tmp_path, parameters={"n": [5, {"a": None}]}).notebook for _ in range(2))
    assert first == second
    injected = first["cells"][2]
    assert injected["metadata"] == {"tags": ["injected-parameters"]}
    assert injected["source"] == '# Parameters\nn = [5, {"a": None}]\n'
    assert texts(first)[-1] == "[5, {'a': None}]\n"
    assert first["nbformat_minor"] == minor
    assert all(("id" in cell) == (minor >= 5) for cell in first["cells"])
    assert [cell["source"] for cell in first["cells"] if cell is not injected] == [c["source"] for c in nb["cells"]]


def test_an_earlier_injected_cell_gives_way(tmp_path: Path) -> None:
    nb = notebook(code("n = 1", "parameters"), markdown("between"), code("n = 2", "injected-parameters"), "print(n)")
    executed = run(nb, tmp_path, parameters={"n": 3})
    assert [cell["source"] for cell in executed.notebook["cells"]] == [
        "n = 1",
        "between",
        "# Parameters\nn = 3\n",
        "print(n)",
    ]
    assert texts(executed.notebook)[-1] == "3\n"
    assert texts(run(nb, tmp_path).notebook)[-1] == "2\n"


def test_a_failing_cell_is_named_by_its_place_in_the_notebook_as_it_was_given(tmp_path: Path) -> None:
    nb = notebook(
        code("n = 1", "parameters"), markdown("between"), "print('ran')", "print('yes')\n1 / 0", "print('no')"
    )
    executed = run(nb, tmp_path, parameters={"n": 0})
    assert (executed.status, executed.reason) == ("error", "error")
    assert executed.message == "ZeroDivisionError: division by zero"
    source = "print('yes')\n1 / 0"
    assert executed.failed_cell == FailedCell(3, "c3", source, "ZeroDivisionError", "division by zero")
    assert executed.cells_executed == 3
    cells = executed.notebook["cells"]
    assert [cell["source"] for cell in cells][3:] == ["print('ran')", source, "print('no')"]
    assert texts(executed.notebook) == ["", "", "ran\n", "yes\n", ""]
    assert [output["output_type"] for output in cells[4]["outputs"]] == ["stream", "error"]
    assert [cell["execution_count"] for cell in cells if cell["cell_type"] == "code"] == [1, 2, 3, 4, None]
    assert all("papermill" not in json.dumps(cell["metadata"]) for cell in cells)


def test_a_parameter_that_cannot_be_assigned_points_at_the_parameters_cell(tmp_path: Path) -> None:
    executed = run(notebook(markdown("a"), code("n = 1", "parameters")), tmp_path, parameters={"not a name": 1})
    assert executed.reason == "error"
    assert executed.failed_cell is not None
    assert (executed.failed_cell.index, executed.failed_cell.ename) == (1, "SyntaxError")


@pytest.mark.parametrize(
    ("end", "how"), [("os._exit(1)", ""), ("os.kill(os.getpid(), 9)", " (SIGKILL)"), ("os.abort()", " (SIGABRT)")]
)
def test_a_kernel_that_dies_is_noticed_soon(tmp_path: Path, end: str, how: str) -> None:
    nb = notebook("print('ran')", f"import os, time\nopen('at', 'w').write(str(time.time()))\n{end}", "print('no')")
    executed = run(nb, tmp_path)
    assert time.time() - float((tmp_path / "at").read_text()) < 4
    assert (executed.reason, executed.message) == ("kernel-died", f"the kernel died{how}")
    assert executed.failed_cell is not None
    assert (executed.failed_cell.index, executed.failed_cell.ename) == (1, "DeadKernelError")
    assert texts(executed.notebook) == ["ran\n", "", ""]
    assert executed.notebook["cells"][2]["execution_count"] is None


def test_a_cell_over_its_time_says_where_it_was(tmp_path: Path) -> None:
    executed = run(notebook("print('a')\nimport time\ntime.sleep(30)", "print('no')"), tmp_path, cell_timeout=0.5)
    assert (executed.reason, executed.message) == ("cell-timeout", "the cell took longer than 0.5 s")
    assert executed.failed_cell is not None
    assert executed.failed_cell.ename == "CellTimeoutError"
    assert texts(executed.notebook) == ["a\n", ""]
    assert executed.notebook["cells"][0]["outputs"][-1]["ename"] == "KeyboardInterrupt"


def test_a_cell_that_ignores_interrupts_is_ended_all_the_same(tmp_path: Path) -> None:
    deaf = (
        "import signal, time\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nprint('deaf', flush=True)\ntime.sleep(120)"
    )
    began = time.monotonic()
    executed = run(notebook(deaf), tmp_path, cell_timeout=1)
    assert executed.reason == "cell-timeout"
    assert texts(executed.notebook) == ["deaf\n"]
    assert time.monotonic() - began < 100  # not by its own end


def test_the_deadline_ends_a_run_and_keeps_what_ran(tmp_path: Path) -> None:
    executed = run(notebook("print('ran')", "import time\ntime.sleep(60)"), tmp_path, timeout=8)
    assert (executed.reason, executed.message) == ("deadline", "the run took longer than 8 s")
    assert executed.failed_cell is not None
    assert (executed.failed_cell.index, executed.failed_cell.ename) == (1, "TimeoutError")
    assert texts(executed.notebook) == ["ran\n", ""]
    assert 8 <= executed.duration_seconds < 40


def test_a_deadline_before_anything_ran(tmp_path: Path) -> None:
    executed = run(notebook("print('ran')"), tmp_path, timeout=0.05)
    assert (executed.reason, executed.failed_cell) == ("deadline", None)
    assert texts(executed.notebook) == [""]


def test_a_run_can_be_stopped(tmp_path: Path) -> None:
    stop = threading.Event()
    nb = notebook("print('ran')", "import time\ntime.sleep(30)")
    executed = run(nb, tmp_path, stop=stop, progress=lambda at: stop.set() if at.cell == 2 else None)
    assert (executed.reason, executed.message) == ("cancelled", "the run was cancelled")
    assert texts(executed.notebook)[0] == "ran\n"


def test_leaving_early_is_no_success(tmp_path: Path) -> None:
    executed = run(notebook("print('ran')", "import sys\nsys.exit(0)", markdown("end"), "print('no')"), tmp_path)
    assert executed.reason == "early-exit"
    assert executed.failed_cell is not None
    assert executed.failed_cell.index == 1
    assert texts(executed.notebook)[-1] == ""


def test_leaving_at_the_end_is_one_unless_it_says_otherwise(tmp_path: Path) -> None:
    assert run(notebook("print('ran')", "import sys\nsys.exit()", "", markdown("end")), tmp_path).status == "success"
    failed = run(notebook("import sys\nsys.exit('bad data')"), tmp_path)
    assert (failed.reason, failed.message) == ("error", "SystemExit: bad data")


def test_asking_for_input_and_unknown_magics_fail(tmp_path: Path) -> None:
    asked = run(notebook("input('name? ')"), tmp_path)
    assert asked.failed_cell is not None
    assert (asked.reason, asked.failed_cell.ename) == ("error", "StdinNotImplementedError")
    magic = run(notebook("%nonsense"), tmp_path)
    assert magic.failed_cell is not None
    assert (magic.reason, magic.failed_cell.ename) == ("error", "UsageError")


def test_what_a_repr_raises_is_what_is_told(tmp_path: Path) -> None:
    executed = run(notebook("class Odd:\n    def __repr__(self):\n        raise KeyError('odd')\nOdd()"), tmp_path)
    assert executed.message == "KeyError: 'odd'"


@pytest.mark.parametrize("leave_out", [False, True])
def test_markers_decide_what_may_raise_and_what_is_left_out(tmp_path: Path, leave_out: bool) -> None:
    nb = notebook(
        code("1 / 0", "raises-exception"),
        "# NBVAL_RAISES_EXCEPTION\n[][0]",
        code("{}[0]", "nbval-raises-exception"),
        "# NBVAL_SKIP\nprint('skipped')",
        code("print('never')", "skip-execution"),
        "print('end')",
    )
    executed = run(nb, tmp_path, leave_out_skipped=leave_out)
    assert (executed.status, executed.failed_cell) == ("success", None)
    assert [cell["outputs"][0]["ename"] for cell in executed.notebook["cells"][:3]] == [
        "ZeroDivisionError",
        "IndexError",
        "KeyError",
    ]
    assert texts(executed.notebook)[3:] == ["" if leave_out else "skipped\n", "", "end\n"]
    assert executed.cells_executed == (4 if leave_out else 5)


def test_an_expected_exception_does_not_hide_one_that_is_not(tmp_path: Path) -> None:
    executed = run(notebook(code("1 / 0", "raises-exception"), markdown("x"), "[][0]"), tmp_path)
    assert executed.failed_cell is not None
    assert (executed.failed_cell.index, executed.failed_cell.ename) == (2, "IndexError")
    early = run(notebook(code("1 / 0", "raises-exception"), "import sys; sys.exit(0)", "print('no')"), tmp_path)
    assert (early.reason, early.failed_cell and early.failed_cell.index) == ("early-exit", 1)


def test_preparing_starts_no_kernel(tmp_path: Path) -> None:
    broken = KernelChoice("none", {"argv": ["/nonexistent"], "language": "python"}, "/nonexistent", "a test")
    nb = notebook(code("n = 1", "parameters"), "print(n)")
    executed = run(nb, tmp_path, kernel=broken, prepare_only=True, parameters={"n": 2})
    assert (executed.status, executed.cells_executed) == ("success", 0)
    assert [cell["source"] for cell in executed.notebook["cells"]] == ["n = 1", "# Parameters\nn = 2\n", "print(n)"]


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["/nonexistent/python", "{connection_file}"], "No such file"),
        ([sys.executable, "-c", "import sys; sys.exit('no ipykernel here')"], "no ipykernel here"),
    ],
)
def test_a_kernel_that_does_not_start(tmp_path: Path, argv: list[str], said: str) -> None:
    broken = KernelChoice("broken", {"argv": argv, "display_name": "x", "language": "python"}, argv[0], "a test")
    executed = run(notebook("print(1)"), tmp_path, kernel=broken)
    assert (executed.reason, executed.failed_cell, executed.cells_executed) == ("no-kernel", None, 0)
    assert said in (executed.message or "")


def test_a_kernel_that_never_gets_ready(tmp_path: Path) -> None:
    argv = [sys.executable, "-c", "import time; time.sleep(60)", "{connection_file}"]
    deaf = KernelChoice("deaf", {"argv": argv, "display_name": "x", "language": "python"}, argv[0], "a test")
    executed = run(notebook("print(1)"), tmp_path, kernel=deaf, startup_timeout=1)
    assert executed.reason == "no-kernel"
    assert "didn't respond" in (executed.message or "")


def test_the_kernel_runs_in_the_given_folder_and_knows_only_what_it_may(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_TOKEN", "hunter2")
    monkeypatch.setenv("ALLOWED", "yes")
    (tmp_path / "papermill.py").write_text("raise AssertionError('the folder is on the import path of our own')")
    nb = notebook("import os\nprint(os.getcwd())\nprint(sorted(os.environ))")
    executed = run(nb, tmp_path, environment=process.kernel_environment(["ALLOWED"]))
    where, known = texts(executed.notebook)[0].splitlines()
    assert where == str(tmp_path)
    assert "'ALLOWED'" in known
    assert "SECRET_TOKEN" not in known
    assert "JUPYTER_RUNTIME_DIR" not in known


def test_the_projects_own_code_goes_first(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "fleet.py").write_text("place = __file__\n")
    executed = run(
        notebook("import fleet\nprint(fleet.place)"), tmp_path, kernel=own_kernel(tmp_path, python_path=("src",))
    )
    assert texts(executed.notebook) == [f"{tmp_path}/src/fleet.py\n"]


def test_nothing_of_the_users_jupyter_is_read_or_written(tmp_path: Path) -> None:
    home = Path.home()
    startup = home / ".ipython" / "profile_default" / "startup"
    startup.mkdir(parents=True)
    (startup / "00.py").write_text("mine = 1\n")
    before = sorted(home.rglob("*"))
    executed = run(notebook("mine"), tmp_path)
    assert executed.failed_cell is not None
    assert executed.failed_cell.ename == "NameError"
    assert sorted(home.rglob("*")) == before


def test_no_output_is_lost(tmp_path: Path) -> None:
    """5,000 flushed lines are more than ZeroMQ keeps for a slow reader: without XPUB_NODROP, this loses some."""
    executed = run(notebook("for k in range(5_000):\n    print(k, flush=True)", "_"), tmp_path)
    assert texts(executed.notebook)[0].split() == [str(k) for k in range(5_000)]
    assert executed.notebook["cells"][1]["outputs"][0]["data"] == {"text/plain": "''"}


def test_what_no_schema_allows_runs_all_the_same(tmp_path: Path) -> None:
    cells = [
        {"cell_type": "code", "source": ["print(", "1)"]},
        {"cell_type": "heading", "source": "old", "level": 1},
        {"cell_type": "code", "source": "print(2)", "metadata": {"tags": "no list"}, "outputs": None},
    ]
    executed = run({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 2}, tmp_path)
    assert texts(executed.notebook) == ["1\n", "2\n"]
    assert executed.notebook["cells"][1] == cells[1]


def test_a_missing_package_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(Missing, match="needs papermill"):
        run(notebook("1"), tmp_path)


def test_an_engine_is_a_row_in_a_table() -> None:
    assert engines.named("papermill").name == "papermill"
    with pytest.raises(BadInput, match="no engine 'dask'"):
        engines.named("dask")


def test_a_language_that_papermill_cannot_write_is_told(tmp_path: Path) -> None:
    choice = interpreters.choose(tmp_path, tmp_path, kernel="python3", language="python", execute=Execute())
    klingon = KernelChoice("k", {**choice.spec, "language": "klingon"}, choice.executable, "a test")
    executed = run(notebook("1"), tmp_path, kernel=klingon, parameters={"n": 1})
    assert executed.reason == "error"
    assert "klingon" in (executed.message or "")


#: A module whose object only a cycle holds, so that nothing but Python's own last collection takes it apart.
HELD = """
import os, atexit

class Held:
    def __init__(self, name, **more):
        self.name, self.itself = name, self
        self.__dict__ |= more

    def __del__(self):
        descriptor = os.open(self.name, os.O_CREAT | os.O_WRONLY)
        os.close(descriptor)

held = Held("of the module")
atexit.register(lambda: os.close(os.open("at exit", os.O_CREAT | os.O_WRONLY)))
"""


def test_a_kernel_ends_soon_and_closes_what_the_notebook_holds(tmp_path: Path) -> None:
    (tmp_path / "held.py").write_text(HELD)
    nb = notebook(
        "import held\nmine = held.Held('of the notebook')\nmine.file = open('mine', 'w')\nmine.file.write('x')"
    )
    assert run(nb, tmp_path).status == "success"
    assert (tmp_path / "of the notebook").exists()
    assert (tmp_path / "mine").read_text() == "x"
    assert (tmp_path / "at exit").exists()
    # Python would take the module's apart too, which is what takes long, and which it does not promise.
    assert not (tmp_path / "of the module").exists()


@pytest.mark.parametrize("mode", ["w", "r+", "a"])
def test_a_file_that_only_a_module_holds_is_written_all_the_same(tmp_path: Path, mode: str) -> None:
    (tmp_path / "held.py").write_text(HELD)
    (tmp_path / "theirs").touch()
    nb = notebook(f"import held\nheld.held.file = open('theirs', '{mode}')\nheld.held.file.write('x')\nNone")
    assert run(nb, tmp_path).status == "success"
    assert (tmp_path / "theirs").read_text() == "x"
    assert (tmp_path / "of the module").exists()


def test_a_notebook_that_breaks_what_its_end_needs_ends_as_ever(tmp_path: Path) -> None:
    nb = notebook("import gc\nexec = gc.freeze = gc.unfreeze = None", "print('last')")
    executed = run(nb, tmp_path)
    assert (executed.status, texts(executed.notebook)[-1]) == ("success", "last\n")
