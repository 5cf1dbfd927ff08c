"""What a run leaves that did not get to its end, and what the command line's limits come to."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import nbformat
import pytest

from nbpr import config
from nbpr.cli.runs import size
from nbpr.config import Config, Execute
from nbpr.errors import BadInput
from nbpr.runs import runs, sandbox
from nbpr.runs.attempt import Options
from tests.kernels import code, markdown, notebook

NB = "notebooks/a.ipynb"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "notebooks").mkdir()
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    return tmp_path


@pytest.mark.kernel
@pytest.mark.parametrize("end", ["1 / 0", "import os\nos._exit(1)", "import sys\nsys.exit(0)"])
def test_the_cells_say_what_became_of_them(project: Path, end: str) -> None:
    ok = {"kernelspec": {"name": "python3", "display_name": "x", "language": "python"}}
    nb = notebook(code("n = 1", "parameters"), markdown("text"), "print(n)", end, "print('no')", end, **ok)
    (project / NB).write_text(json.dumps(nb))
    (run,) = runs.run_notebooks([NB], project, Config(), Options(parameters={"n": 2}))
    assert not run.went_well
    assert run.record.output is not None
    left = nbformat.read(project / run.record.output, as_version=4)
    nbformat.validate(left)
    told = [cell.metadata.papermill.status for cell in left.cells if cell.cell_type == "code"]
    assert told == ["completed", "completed", "completed", "failed", "pending", "pending"]
    assert [cell.metadata.papermill.exception for cell in left.cells if cell.cell_type == "code"].count(True) == 1


@pytest.mark.kernel
def test_a_cut_is_in_the_record_and_noted(project: Path) -> None:
    (project / NB).write_text(json.dumps(notebook("print('x' * 100_000)")))
    (run,) = runs.run_notebooks([NB], project, Config(execute=Execute(max_output=10_000, kernel="python3")))
    record = run.record.as_json()
    assert record["cut"] == [{"index": 0, "characters": record["cut"][0]["characters"]}]
    assert 85_000 < record["cut"][0]["characters"] <= 100_000
    assert any("execute.max-output" in note for note in run.notes)


@pytest.mark.parametrize(
    ("word", "number"),
    [(None, None), ("0", 0), ("12", 12), ("500M", 500_000_000), ("1.5GB", 1_500_000_000), ("2k", 2000)],
)
def test_sizes_are_read_as_people_write_them(word: str | None, number: int | None) -> None:
    assert size(word, "--memory") == number


@pytest.mark.parametrize("word", ["", "much", "-1", "5X", "1 2"])
def test_what_is_no_size_is_refused(word: str) -> None:
    with pytest.raises(BadInput, match="a size is wanted"):
        size(word, "--memory")


def test_the_choices_of_settings_are_read() -> None:
    found = config.load(None, {"cwd": "repository", "execute": {"sandbox": "none"}})
    assert (found.cwd, found.execute.sandbox) == ("repository", "none")
    with pytest.raises(BadInput, match="'docker' is none of none, auto, bwrap"):
        config.load(None, {"execute": {"sandbox": "docker"}})


def test_that_there_is_no_sandbox_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "problem", lambda: "bubblewrap is not installed")
    assert "bubblewrap is not installed" in (sandbox.absence("auto") or "")
    assert sandbox.absence("none") is None
