"""`nbpr cache`, `--no-cache`, `--resume`, sweeps: as people and scripts call them, kernels counted from outside."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks import kernels
from nbpr.cli.main import run
from tests.conftest import git
from tests.kernels import code
from tests.projects import GLUE
from tests.runs.test_runs import NB, put

OTHER = "notebooks/b.ipynb"
SCRAPS = GLUE.replace("alerts", "n").replace("0.875", "m")


@pytest.fixture
def here(repository: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    put(repository, NB, code("n = 1\nm = 2", "parameters"), "assert n < 3", SCRAPS)
    put(repository, OTHER, "print(2)")
    (repository / "nbpr.toml").write_text('[execute]\nsandbox = "none"\n')
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "one")
    monkeypatch.chdir(repository)
    return repository


def as_json(capfd: pytest.CaptureFixture[str], *words: str) -> tuple[int, Any]:
    code = run([*words, "--json"])
    return code, json.loads(capfd.readouterr().out)


def counted(root: Path, *words: str) -> tuple[int, int, Any]:
    """Exit code, how many kernels were started, and the object."""
    returncode, started, printed = kernels.count([sys.executable, "-m", "nbpr", *words, "--json"], root, os.environ)
    return returncode, started, json.loads(printed)


@pytest.mark.kernel
@pytest.mark.slow
def test_no_kernel_is_started_for_what_is_proven(here: Path) -> None:
    words = ("validate", NB, OTHER, "--jobs", "2")
    first, again, anew = (counted(here, *words, *more) for more in ((), (), ("--no-cache",)))
    assert [each[:2] for each in (first, again, anew)] == [(0, 2), (0, 0), (0, 2)]
    cached = [[each["cached"] for each in found[2]["runs"]] for found in (first, again, anew)]
    assert cached == [[False, False], [True, True], [False, False]]
    assert [each["started"] for each in first[2]["runs"]] == [each["started"] for each in again[2]["runs"]]
    assert [each["notebook"] for each in again[2]["runs"]] == [NB, OTHER]


@pytest.mark.kernel
def test_list_show_and_clear(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert as_json(capfd, "cache", "list")[1]["runs"] == []
    assert as_json(capfd, "cache", "show", NB)[1]["run"] is None
    _, found = as_json(capfd, "validate", NB)
    code, listed = as_json(capfd, "cache", "list")
    assert (code, [each["notebook"] for each in listed["runs"]]) == (0, [NB])
    assert listed["folder"] == str(here / ".git/nbpr/cache")
    assert 0 < listed["size"] < listed["max_size"]
    shown = as_json(capfd, "cache", "show", NB)[1]
    assert (shown["key"], shown["run"]["run_id"]) == (listed["runs"][0]["key"], found["runs"][0]["run_id"])
    assert run(["cache", "show", NB]) == run(["cache", "list"]) == 0
    out = capfd.readouterr().out
    assert f"{NB} is proven: run {found['runs'][0]['run_id']}" in out
    assert "of 1000 MB in" in out
    assert as_json(capfd, "cache", "clear")[1]["cleared"] >= 1
    assert as_json(capfd, "cache", "list")[1]["runs"] == []
    assert as_json(capfd, "cache", "clear")[1] == {"cleared": 0}


def test_why_there_can_be_no_proof(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    put(here, NB, "!ls")
    assert run(["cache", "show", NB]) == 0
    assert capfd.readouterr().out == f"nothing can be kept of {NB}: cell 0 runs a shell command (!ls)\n"
    (here / "nbpr.toml").write_text("[cache]\nmax-size = 0\n")
    code, found = as_json(capfd, "cache", "list")
    assert (code, "there is no cache" in found["error"]["message"]) == (2, True)


@pytest.mark.kernel
@pytest.mark.slow
def test_a_sweep_its_table_and_what_is_resumed(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    words = ("run", NB, "--sweep", "n=1,2,3", "--sweep", "m=5", "--scraps", "results.csv")
    code, found = as_json(capfd, *words)
    assert code == 1
    records = found["runs"]
    assert [each["parameters"] for each in records] == [{"n": n, "m": 5} for n in (1, 2, 3)]
    assert [each["status"] for each in records] == ["success", "success", "error"]
    assert all((here / each["output"]).is_file() and "/a.runs/" in each["output"] for each in records)
    rows = list(csv.DictReader((here / "results.csv").open()))
    assert [row["scraps.alert_count"] for row in rows] == ["1", "2", ""]
    assert [row["parameters.m"] for row in rows] == ["5"] * 3
    again = as_json(capfd, *words, "--resume")[1]["runs"]
    assert [each["cached"] for each in again] == [True, True, False]
    assert [each["run_id"] for each in again][:2] == [each["run_id"] for each in records][:2]
    run([*words, "--resume"])
    lines = capfd.readouterr().out.splitlines()
    assert lines[0].split() == ["n", "m", "alert_count", "health_score", "status", "time"]
    assert lines[1].split()[:5] == ["1", "5", "1", "5", "earlier"]


@pytest.mark.kernel
def test_the_first_failure_ends_it_where_that_is_wanted(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (here / "runs.json").write_text('[{"n": 5}, {"n": 1}]')
    code, found = as_json(capfd, "run", NB, "--sweep-file", "runs.json", "--fail-fast", "--jobs", "1")
    assert (code, len(found["runs"]), found["left"]) == (1, 1, [f"{NB} n=1"])
    put(here, OTHER, "1 / 0")
    code, found = as_json(capfd, "validate", OTHER, NB, "--fail-fast", "--jobs", "1")
    assert (code, [each["notebook"] for each in found["runs"]]) == (1, [OTHER])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--sweep", "n"), "a name and its values"),
        (("--sweep", "x=1"), "no parameter 'x'"),
        (("--sweep", "n=1", "--output", "x.ipynb"), "takes no sweep"),
        (("--sweep-file", "missing.csv"), "cannot be read"),
        (("s3://lab/a.ipynb", "--sweep", "n=1"), "no sweep over a notebook in a storage"),
        (("--scraps", "x.xlsx"), ".csv, .json, .parquet"),
        (("--resume", "--no-cache"), "exclude each other"),
    ],
)
def test_bad_use_is_one_clear_error(
    here: Path, capfd: pytest.CaptureFixture[str], words: tuple[str, ...], said: str
) -> None:
    code, found = as_json(capfd, "run", NB, *words)
    assert (code, said in found["error"]["message"]) == (2, True)
    assert not (here / "runs").exists()


@pytest.mark.kernel
@pytest.mark.slow
def test_an_interrupted_batch_is_resumed(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    put(here, OTHER, "import time\nopen('begun', 'w').close()\ntime.sleep(600)")
    words = [sys.executable, "-m", "nbpr", "run", NB, OTHER, "--jobs", "1"]
    ours = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
    assert ours.stderr is not None
    assert ours.stderr.readline().startswith(f"{NB}: success")
    ours.send_signal(signal.SIGINT)
    assert ours.communicate(timeout=60)[1].endswith("nbpr: interrupted\n")
    assert ours.returncode == 130
    (here / "notebooks/begun").unlink(missing_ok=True)
    put(here, OTHER, "print(2)")
    code, found = as_json(capfd, "run", NB, OTHER, "--resume")
    assert (code, [each["cached"] for each in found["runs"]]) == (0, [True, False])
