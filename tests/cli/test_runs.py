"""`nbpr run`, `nbpr validate` and `nbpr scraps` as people and scripts call them."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from nbpr.cli.main import run
from nbpr.cli.runs import paired
from nbpr.notebooks import notebook
from nbpr.runs import runs
from tests.conftest import git
from tests.kernels import code, markdown
from tests.runs.test_runs import KEYS, NB, files_of, put
from tests.runs.test_scraplist import glued

CELLS = (markdown("# A"), code("n = 1\nname = 'x'", "parameters"), "# NBVAL_CHECK_OUTPUT\nprint(n, name)")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    put(tmp_path, NB, *CELLS)
    git(tmp_path, "init", "-q")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def called(capfd: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = run(words)
    out, err = capfd.readouterr()
    return code, out, err


def as_json(capfd: pytest.CaptureFixture[str], *words: str) -> tuple[int, Any]:
    code, out, _ = called(capfd, *words, "--json")
    return code, json.loads(out)


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["a.ipynb", "-p", "n", "1"], ["a.ipynb", "-p", "n=1"]),
        (["-p", "n", "-1", "-p", "m", "a=b", "a.ipynb"], ["-p", "n=-1", "-p", "m=a=b", "a.ipynb"]),
        (["-p", "n=1", "a.ipynb"], ["-p", "n=1", "a.ipynb"]),
        (["--parameter", "n", "x y"], ["--parameter", "n=x y"]),
        (["-p"], ["-p"]),
        (["-p", "n"], ["-p", "n"]),
        (["--", "-p", "n", "1"], ["--", "-p", "n", "1"]),
    ],
)
def test_parameters_are_two_words(words: list[str], wanted: list[str]) -> None:
    assert paired(words) == wanted


@pytest.mark.kernel
class TestRun:
    def test_the_reference_run_is_written_and_shown(self, here: Path, capfd: pytest.CaptureFixture[str]) -> None:
        code, out, err = called(capfd, "run", NB)
        assert (code, err) == (0, "")
        head, row = (line.split() for line in out.splitlines())
        assert head == ["notebook", "status", "cells", "time", "run"]
        assert (row[0], row[1], row[2], row[-1]) == (NB, "success", "2", "runs/a.ipynb")
        assert files_of(here) == ["runs/a.ipynb"]

    def test_records_as_json_with_parameters(self, here: Path, capfd: pytest.CaptureFixture[str]) -> None:
        (here / "params.yaml").write_text("n: 2\nname: 2026-11-20\n")
        code, found = as_json(capfd, "run", NB, "-f", "params.yaml", "-p", "n", "-3")
        assert code == 0
        assert list(found) == ["runs"]
        (record,) = found["runs"]
        assert list(record) == KEYS
        assert record["parameters"] == {"n": -3, "name": "2026-11-20"}
        assert files_of(here) == ["runs/.gitignore", record["output"]]
        assert notebook.read(here / record["output"]).cells[3].data["outputs"][0]["text"] == ["-3 2026-11-20\n"]

    def test_a_failure_shows_the_cell_and_nothing_obeys_it(self, here: Path, capfd: pytest.CaptureFixture[str]) -> None:
        put(here, NB, "fine = 1", "raise ValueError('\x1b[2Jgone')  # here")
        code, out, _ = called(capfd, "run", NB)
        assert code == 1
        assert f"{NB}: error in cell 1 (c1)\n  | raise ValueError(" in out
        assert "# here" in out
        assert "ValueError: " in out
        assert "\x1b" not in out
        code, found = as_json(capfd, "run", NB)
        assert code == 1
        assert found["runs"][0]["failed_cell"]["ename"] == "ValueError"

    def test_elsewhere_and_outside_of_a_repository(
        self,
        tmp_path_factory: pytest.TempPathFactory,
        monkeypatch: pytest.MonkeyPatch,
        capfd: pytest.CaptureFixture[str],
    ) -> None:
        folder = tmp_path_factory.mktemp("loose")
        (folder / "a.ipynb").write_bytes(put(folder, "x.ipynb", *CELLS).read_bytes())
        (folder / ".git").rmdir()
        monkeypatch.chdir(folder)
        code, _, err = called(capfd, "run", "a.ipynb")
        assert code == 2
        assert "--output" in err
        code, found = as_json(capfd, "run", "a.ipynb", "--output", "out.ipynb")
        assert (code, found["runs"][0]["output"]) == (0, "out.ipynb")
        assert not (folder / "runs").exists()

    def test_limits_are_options(self, here: Path, capfd: pytest.CaptureFixture[str]) -> None:
        put(here, NB, "import time\ntime.sleep(30)")
        for option, reason in (("--cell-timeout", "cell-timeout"), ("--timeout", "deadline")):
            code, found = as_json(capfd, "run", NB, option, "1")
            assert (code, found["runs"][0]["reason"]) == (1, reason)

    def test_the_key_is_of_the_files_in_the_checkout(self, here: Path, capfd: pytest.CaptureFixture[str]) -> None:
        (here / "data.csv").write_text("1\n")
        git(here, "add", "-A")
        git(here, "-c", "user.name=A", "-c", "user.email=a@b", "commit", "-qm", "one")
        files = {"data.csv": git(here, "rev-parse", "HEAD:data.csv")}
        from nbpr.config import Config

        wanted = runs.key_of(notebook.read(here / NB), Config(), files)
        words = ("run", NB, "--output", str(here / "out.ipynb"))
        assert as_json(capfd, *words)[1]["runs"][0]["run_key"] == wanted
        (here / "data.csv").write_text("2\n")
        assert as_json(capfd, *words)[1]["runs"][0]["run_key"] != wanted

    @pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
    def test_an_interrupt_ends_every_process(self, here: Path, how: signal.Signals) -> None:
        for name in "bcd":
            put(here, f"notebooks/{name}.ipynb", f"open('{name}', 'w').close()\nimport time\ntime.sleep(60)")
        words = [sys.executable, "-m", "nbpr", "run", *(f"notebooks/{name}.ipynb" for name in "bcd"), "--jobs", "2"]
        ours = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
        for _ in range(400):
            if (here / "notebooks/b").exists() and (here / "notebooks/c").exists():
                break
            time.sleep(0.05)
        below = psutil.Process(ours.pid).children(recursive=True)
        assert len(below) >= 4  # for each a process of ours and a kernel, and where there is one its sandbox
        ours.send_signal(how)
        *told, last = ours.communicate(timeout=20)[1].splitlines()
        assert last == "nbpr: interrupted"
        assert sorted(line.partition(",")[0] for line in told) == [
            f"notebooks/{name}.ipynb: cancelled" for name in "bc"
        ]
        assert ours.returncode == 130
        assert psutil.wait_procs(below, timeout=5)[1] == []
        assert not (here / "notebooks/d").exists()

    def test_a_terminal_that_is_closed_interrupts(self, here: Path) -> None:
        put(here, "notebooks/b.ipynb", "open('b', 'w').close()\nimport time\ntime.sleep(60)")
        ours, terminal = pty.fork()
        if ours == 0:
            signal.signal(signal.SIGHUP, signal.SIG_DFL)  # tests that are started by `nohup` ignore it
            os.execv(sys.executable, [sys.executable, "-m", "nbpr", "run", "notebooks/b.ipynb"])
        for _ in range(400):
            if (here / "notebooks/b").exists():
                break
            time.sleep(0.05)
        below = psutil.Process(ours).children(recursive=True)
        assert len(below) >= 2
        os.close(terminal)
        assert os.waitstatus_to_exitcode(os.waitpid(ours, 0)[1]) == 130
        assert psutil.wait_procs(below, timeout=5)[1] == []


class TestRunWithoutRunning:
    def test_dry_run_writes_nothing(self, here: Path, capfd: pytest.CaptureFixture[str]) -> None:
        code, found = as_json(capfd, "run", NB, "--dry-run", "-p", "n", "2")
        assert (code, found["runs"]) == (0, [])
        assert found["planned"][0]["parameters"] == {"n": 2}
        code, out, _ = called(capfd, "run", NB, "--dry-run")
        assert (code, "runs/a.ipynb" in out) == (0, True)
        assert not (here / "runs").exists()

    @pytest.mark.kernel
    def test_prepare_only_puts_parameters_in(self, here: Path, capfd: pytest.CaptureFixture[str]) -> None:
        code, found = as_json(capfd, "run", NB, "--prepare-only", "-p", "n", "[1, 2]", "-o", "out.ipynb")
        assert (code, found["runs"][0]["cells_executed"]) == (0, 0)
        cells = notebook.read(here / "out.ipynb").cells
        assert [cell.source for cell in cells][2] == "# Parameters\nn = [1, 2]\n"
        assert all(not cell.outputs for cell in cells)

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (("run",), "Missing argument"),
            (("run", "missing.ipynb"), "no such file"),
            (("run", NB, "-p", "m", "1"), "no parameter 'm'"),
            (("run", NB, "-p", "n"), "a name and a value"),
            (("run", NB, "-p", "n", "[1"), "not JSON"),
            (("run", NB, "-f", "missing.yaml"), "cannot be read"),
            (("run", NB, "--engine", "dask"), "no engine 'dask'"),
            (("run", NB, "--jobs", "0"), "--jobs"),
            (("run", NB, "--python", "nowhere"), "no Python interpreter"),
            (("run", "../outside.ipynb"), "not in"),
            (("validate", "missing.ipynb"), "no such file"),
            (("scraps", "missing"), "no such file"),
            (("scraps", NB, "--csv", "--json"), "exclude each other"),
            (("scraps", NB, "--compare"), "two paths"),
            (("scraps", NB, "--output", "s.xlsx"), "--output s.xlsx: .csv, .json, .parquet"),
        ],
    )
    def test_bad_use_is_one_clear_error(
        self, here: Path, capfd: pytest.CaptureFixture[str], words: tuple[str, ...], said: str
    ) -> None:
        code, out, err = called(capfd, *words)
        assert code == 2
        assert said in out + err
        assert "Traceback" not in err
        assert not (here / "runs").exists()

    def test_a_kernel_that_is_not_there_is_a_failed_run(self, here: Path, capfd: pytest.CaptureFixture[str]) -> None:
        code, out, _ = called(capfd, "run", NB, "--kernel", "klingon")
        assert code == 1
        assert f"{NB}: no-kernel: there is no kernel 'klingon'; there are: " in out


@pytest.mark.kernel
class TestValidate:
    def test_before_and_after_there_is_a_reference_run(self, here: Path, capfd: pytest.CaptureFixture[str]) -> None:
        code, out, _ = called(capfd, "validate", NB)
        assert code == 0
        assert "warning: reference: notebooks/a.ipynb: there is no reference run runs/a.ipynb" in out
        assert out.endswith("\npassed\n")
        called(capfd, "run", NB)
        code, found = as_json(capfd, "validate", NB)
        assert (code, found["verdict"], found["findings"][-1]["message"]) == (0, "passed", "1 of 2 cells checked")
        assert list(found) == ["verdict", "findings", "runs"]

    def test_a_failure_is_exit_1(self, here: Path, capfd: pytest.CaptureFixture[str]) -> None:
        put(here, NB, "1 / 0")
        code, out, _ = called(capfd, "validate", NB)
        assert code == 1
        assert "error: execute: notebooks/a.ipynb [c0]: cell 0: ZeroDivisionError: division by zero" in out
        assert "  | 1 / 0" in out
        assert out.endswith("\nfailed\n")


class TestScraps:
    @pytest.fixture(autouse=True)
    def _runs(self, here: Path) -> None:
        put(here, "runs/a.ipynb", glued(score=0.9, words="=1+1"))
        put(here, "other.ipynb", glued(score=0.8))

    def test_as_a_table(self, capfd: pytest.CaptureFixture[str]) -> None:
        code, out, _ = called(capfd, "scraps", NB)
        assert code == 0
        assert [line.split() for line in out.splitlines()][:2] == [
            ["notebook", "scrap", "data", "encoder"],
            [NB, "score", "0.9", "json"],
        ]
        assert called(capfd, "scraps", "notebooks/..", "--json")[0] == 0

    def test_as_json(self, capfd: pytest.CaptureFixture[str]) -> None:
        code, found = as_json(capfd, "scraps", NB)
        assert code == 0
        assert found == {
            "scraps": [
                {"notebook": NB, "name": "score", "data": 0.9, "encoder": "json"},
                {"notebook": NB, "name": "words", "data": "=1+1", "encoder": "json"},
            ]
        }

    def test_as_csv_that_no_spreadsheet_obeys(self, capfd: pytest.CaptureFixture[str]) -> None:
        _, out, _ = called(capfd, "scraps", NB, "--csv")
        rows = list(csv.reader(io.StringIO(out)))
        assert rows == [
            ["notebook", "name", "data", "encoder"],
            [NB, "score", "0.9", "json"],
            [NB, "words", '"=1+1"', "json"],
        ]

    @pytest.mark.parametrize("ending", ["csv", "json", "parquet"])
    def test_into_a_file(self, here: Path, capfd: pytest.CaptureFixture[str], ending: str) -> None:
        assert called(capfd, "scraps", NB, "--output", f"s.{ending}")[0] == 0
        place = here / f"s.{ending}"
        if ending == "csv":
            assert place.read_text() == called(capfd, "scraps", NB, "--csv")[1]
            return
        if ending == "json":
            rows = json.loads(place.read_text())
        else:
            rows = pytest.importorskip("pyarrow.parquet").read_table(place).to_pylist()
        # One column holds data of every kind, so in Parquet it is JSON.
        data = [0.9, "=1+1"] if ending == "json" else ["0.9", '"=1+1"']
        assert [(row["notebook"], row["name"], row["data"]) for row in rows] == [
            (NB, "score", data[0]),
            (NB, "words", data[1]),
        ]

    def test_two_side_by_side(self, capfd: pytest.CaptureFixture[str]) -> None:
        code, out, _ = called(capfd, "scraps", "runs/a.ipynb", "other.ipynb", "--compare")
        assert code == 0
        assert out.splitlines()[0].split() == ["scrap", "before", "after", "change"]
        assert "0.9" in out
        assert "0.8" in out
        found = as_json(capfd, "scraps", "runs/a.ipynb", "other.ipynb", "--compare")[1]["scraps"]
        assert [(each["name"], each["before"], each["after"]) for each in found] == [
            ("score", 0.9, 0.8),
            ("words", "=1+1", None),
        ]

    def test_none(self, capfd: pytest.CaptureFixture[str]) -> None:
        (Path("notebooks") / "b.ipynb").write_bytes(Path(NB).read_bytes())
        assert called(capfd, "scraps", "notebooks/b.ipynb")[1] == "no scraps\n"
        assert called(capfd, "scraps", "notebooks/b.ipynb", "--csv")[1] == "notebook,name,data,encoder\n"
        assert called(capfd, "scraps", "notebooks/b.ipynb", "--output", "none.csv")[0] == 0
        assert Path("none.csv").read_text() == "notebook,name,data,encoder\n"
