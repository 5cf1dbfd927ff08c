"""A kernel that is not Python's: parameters, runs, failures and scraps, so that nothing takes Python for granted."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from nbpr.cli.main import run as nbpr
from nbpr.config import Config, Execute
from nbpr.errors import BadInput
from nbpr.notebooks import notebook as notebooks
from nbpr.notebooks import parameters, scraps
from nbpr.runs import interpreters, kernelspecs, runs, sandbox
from nbpr.runs.interpreters import KernelChoice
from nbpr.runs.sandbox import Sandbox
from tests.kernels import code, notebook, run, texts

pytest.importorskip("bash_kernel", reason="no bash_kernel: make .venv/.ready")
pytestmark = [pytest.mark.kernel, pytest.mark.skipif(sys.platform == "win32", reason="there is no bash")]

SPEC = {
    "argv": [sys.executable, "-m", "bash_kernel", "-f", "{connection_file}"],
    "display_name": "Bash",
    "language": "bash",
    "env": {"PS1": "$"},
}
BASH = KernelChoice("bash", SPEC, "bash", "a test")
ABOUT = {"kernelspec": {"name": "bash", "display_name": "Bash", "language": "bash"}}


def test_parameters_are_written_in_the_kernels_language(tmp_path: Path) -> None:
    nb = notebook(code("region=eu\nn=1", "parameters"), 'echo "$region $n"', **ABOUT)
    executed = run(nb, tmp_path, kernel=BASH, parameters={"region": "us west", "n": 3})
    assert executed.status == "success", executed.message
    assert executed.notebook["cells"][1]["source"] == "# Parameters\nregion='us west'\nn=3\n"
    assert texts(executed.notebook)[-1] == "us west 3\n"


@pytest.mark.parametrize(
    ("name", "language", "written"),
    [
        ("ir", "R", "# Parameters\nn = 3\n"),
        ("julia-1.10", "julia", "# Parameters\nn = 3\n"),
        (".net-csharp", "C#", "// Parameters\nvar n = 3;\n"),
        ("sparkkernel", "scala", "// Parameters\nval n = 3\n"),
    ],
)
def test_languages_that_papermill_knows_by_name_or_by_language(
    tmp_path: Path, name: str, language: str, written: str
) -> None:
    kernel = KernelChoice(name, {**SPEC, "language": language}, "bash", "a test")
    executed = run(notebook(code("n", "parameters")), tmp_path, kernel=kernel, parameters={"n": 3}, prepare_only=True)
    assert executed.status == "success", executed.message
    assert executed.notebook["cells"][1]["source"] == written


def test_a_language_that_has_no_parameters_is_named(tmp_path: Path) -> None:
    kernel = KernelChoice("xsql", {**SPEC, "language": "sql"}, "bash", "a test")
    executed = run(notebook("echo ran"), tmp_path, kernel=kernel, parameters={"n": 3})
    assert executed.status == "error"
    assert "kernel 'xsql' or language 'sql'" in str(executed.message)
    assert run(notebook("echo ran"), tmp_path, kernel=kernel).status == "success"


def test_a_command_that_fails_is_a_cell_that_fails(tmp_path: Path) -> None:
    executed = run(notebook("echo ran", "false", "echo no", **ABOUT), tmp_path, kernel=BASH)
    assert executed.reason == "error"
    assert executed.failed_cell is not None
    assert executed.failed_cell.index == 1
    assert texts(executed.notebook) == ["ran\n", "", ""]


@pytest.mark.slow
def test_limits_hold_and_nothing_is_left(tmp_path: Path) -> None:
    executed = run(notebook("setsid sleep 90 &\necho ran", "sleep 60"), tmp_path, kernel=BASH, timeout=12)
    assert (executed.reason, executed.cells_executed) == ("deadline", 2)


@pytest.mark.slow
def test_output_is_cut_and_counted(tmp_path: Path) -> None:
    executed = run(notebook("seq 1 20000"), tmp_path, kernel=BASH, max_output=20_000)
    assert executed.status == "success"
    ((place, cut),) = executed.cut
    assert (place, 85_000 < cut < 95_000) == (0, True)
    assert texts(executed.notebook)[0].startswith("1\n2\n")
    assert texts(executed.notebook)[0].endswith("\n20000\n")


@pytest.mark.skipif(sandbox.problem() is not None, reason=str(sandbox.problem()))
def test_it_runs_in_the_sandbox(tmp_path: Path) -> None:
    executed = run(notebook("ls ~ | wc -l"), tmp_path, kernel=BASH, sandbox=Sandbox(tmp_path, tmp_path))
    assert executed.status == "success", executed.message


def test_a_secret_is_kept_out_of_it(tmp_path: Path) -> None:
    nb = notebook(code("key=", "parameters"), 'echo "${#key} $key"')
    executed = run(nb, tmp_path, kernel=BASH, secrets={"key": "hunter2 hunter2"})
    assert texts(executed.notebook)[-1] == "15 ***\n"
    assert "hunter2" not in json.dumps(executed.notebook)


def test_from_a_checkout_to_a_reference_run_with_its_scraps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """bash_kernel publishes no scraps, so what it displays as HTML stands in; a scrap itself is no language's."""
    kernels = tmp_path / "jupyter" / "kernels" / "bash"
    kernels.mkdir(parents=True)
    (kernels / "kernel.json").write_text(json.dumps(SPEC))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    root = tmp_path / "project"
    (root / "notebooks").mkdir(parents=True)
    subprocess.run(["git", "init", "-q", str(root)], check=True)
    nb = notebook(code("n=1", "parameters"), "echo $n", "echo '<b>x</b>' | displayHTML", **ABOUT)
    (root / "notebooks" / "a.ipynb").write_text(json.dumps(nb))
    (made,) = runs.run_notebooks(["notebooks/a.ipynb"], root, Config(execute=Execute(env=("JUPYTER_PATH",))))
    assert made.went_well, made.record.message
    assert (made.record.kernel, made.record.output) == ("bash", "runs/a.ipynb")
    data = {"application/scrapbook.scrap.json+json": {"name": "n", "data": 1, "encoder": "json", "version": 1}}
    made.executed["cells"][2]["outputs"].append({"output_type": "display_data", "data": data, "metadata": {}})
    assert scraps.values(made.executed) == {"n": 1}


def test_listing_and_editing_its_parameters_say_that_they_know_python_alone(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "a.ipynb"
    place.write_text(json.dumps(notebook(code("n=1", "parameters"), **ABOUT)))
    before = place.read_bytes()
    with pytest.raises(BadInput, match="language bash, not Python"):
        parameters.inspect(notebooks.read(place))
    for words, hint in ((("params", str(place)), "nbpr run -p"), (("edit", str(place), "--set", "n=2"), "substitute")):
        assert nbpr([*words, "--json"]) == 2
        error = json.loads(capfd.readouterr().out)["error"]
        assert "language bash, not Python" in error["message"]
        assert hint in error["hint"]
    assert place.read_bytes() == before


def has_r() -> bool:
    """Whether R and its kernel are installed."""
    return shutil.which("R") is not None and kernelspecs.named("ir") is not None


#: As scrapbook writes one, with what IRkernel displays by.
GLUE_IN_R = """
scrap <- list(name = "n", data = n * 2, encoder = "json", version = 1)
IRdisplay::publish_mimebundle(list("application/scrapbook.scrap.json+json" = scrap))
"""


@pytest.mark.skipif(not has_r(), reason="no R with IRkernel: apt install r-cran-irkernel")
def test_parameters_and_scraps_in_r(tmp_path: Path) -> None:
    about = {"kernelspec": {"name": "ir", "display_name": "R", "language": "R"}}
    nb = notebook(code("n <- 1", "parameters"), "cat(n)", GLUE_IN_R, **about)
    kernel = interpreters.choose(tmp_path, tmp_path, kernel="ir", language="r", execute=Execute())
    executed = run(nb, tmp_path, kernel=kernel, parameters={"n": 3})
    assert executed.status == "success", executed.message
    assert texts(executed.notebook)[2] == "3"
    assert scraps.values(executed.notebook) == {"n": 6}
