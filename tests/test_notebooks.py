"""The example notebooks: sound, clean, and doing for real what the demo, the docs and the benchmarks say they do."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from nbpr.notebooks.notebook import quick_imports

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").rglob("*.ipynb"))
FLEET = ROOT / "notebooks/fleet_health_check.ipynb"
CLEANING = ROOT / "notebooks/cleaning/sensor_cleaning.ipynb"
BROKEN = ROOT / "notebooks/failing/broken_report.ipynb"

#: What would tell one run or one machine from another.
TELLTALE = re.compile(r"0x[0-9a-f]{6,}|/tmp/|/home/|/root/|/work/|ipykernel_\d|site-packages")

every_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def source(cell: Mapping[str, Any]) -> str:
    return "".join(cell["source"])


def cell(notebook: Mapping[str, Any], cell_id: str) -> dict[str, Any]:
    return next(cell for cell in notebook["cells"] if cell["id"] == cell_id)


def text_of(cell: Mapping[str, Any]) -> str:
    """All that a cell printed or showed as text."""
    return "".join("".join(out.get("text") or out.get("data", {}).get("text/plain", "")) for out in cell["outputs"])


def scraps_of(notebook: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What was glued, by name: the payloads as scrapbook wrote them."""
    displayed = (out["data"] for cell in notebook["cells"] for out in cell.get("outputs", []) if "data" in out)
    payloads = (data for bundle in displayed for mime, data in bundle.items() if "scrapbook.scrap" in mime)
    return {payload["name"]: payload for payload in payloads}


def outputs_of(notebook: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Each cell's outputs, with what was printed in one piece: where the kernel flushed is chance."""
    return {cell["id"]: _joined(cell["outputs"]) for cell in notebook["cells"] if cell["cell_type"] == "code"}


def _joined(outputs: list[dict[str, Any]]) -> list[Any]:
    joined: list[Any] = []
    for out in outputs:
        if out["output_type"] == "stream" and joined and joined[-1][0] == out["name"]:
            joined[-1] = (out["name"], joined[-1][1] + "".join(out["text"]))
        else:
            joined.append((out["name"], "".join(out["text"])) if out["output_type"] == "stream" else out)
    return joined


def checked(notebook: Mapping[str, Any]) -> dict[str, str]:
    """The text of each cell that is marked to be compared."""
    marked = [cell for cell in notebook["cells"] if source(cell).startswith("# NBVAL_CHECK_OUTPUT")]
    return {cell["id"]: text_of(cell) for cell in marked}


def test_the_three_are_there() -> None:
    assert {FLEET, CLEANING, BROKEN} <= set(NOTEBOOKS)


@every_notebook
def test_is_what_jupyter_would_write(path: Path) -> None:
    quick_imports()
    import nbformat

    text = path.read_text(encoding="utf-8")
    notebook = nbformat.reads(text, as_version=nbformat.NO_CONVERT)
    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    assert notebook.metadata.kernelspec.name == "python3"
    assert notebook.metadata.kernelspec.language == notebook.metadata.language_info.name == "python"
    assert json.dumps(json.loads(text), indent=1, ensure_ascii=False) + "\n" == text


@every_notebook
def test_cell_ids_are_words_and_unique(path: Path) -> None:
    ids = [cell["id"] for cell in read(path)["cells"]]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", one) and len(one) <= 32 for one in ids)
    assert not any(re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]+)*", one) for one in ids), "one that a machine made up"


@pytest.mark.slow
@every_notebook
def test_nbstripout_finds_nothing_to_take_away(path: Path) -> None:
    argv = [str(Path(sys.executable).with_name("nbstripout")), "--keep-id", "--textconv", str(path)]
    cleaned = subprocess.run(argv, capture_output=True, check=True).stdout
    assert json.loads(cleaned) == read(path)


@every_notebook
def test_every_parameter_has_a_help_text(path: Path) -> None:
    import papermill

    parameters = papermill.inspect_notebook(str(path))
    assert parameters
    assert all(parameter["help"] for parameter in parameters.values())


@every_notebook
def test_has_a_story_and_a_parameters_cell(path: Path) -> None:
    notebook = read(path)
    assert notebook["cells"][0]["cell_type"] == "markdown"
    assert source(notebook["cells"][0]).startswith("# ")
    assert [cell["id"] for cell in notebook["cells"] if "parameters" in cell["metadata"].get("tags", [])] == [
        "parameters"
    ]


def test_fleet_threshold_is_where_the_docs_say() -> None:
    notebook = read(FLEET)
    whole = "\n".join(source(cell) for cell in notebook["cells"])
    assert whole.count("threshold = 0.95") == 1
    assert "\nthreshold = 0.95  # " in source(cell(notebook, "parameters"))
    assert sum(cell["cell_type"] == "code" for cell in notebook["cells"]) == 15


def test_a_day_is_the_same_in_every_period_that_holds_it() -> None:
    short, long = _telemetry("2026-03-05", "2026-03-06"), _telemetry("2026-02-20", "2026-03-20")
    shared = long[long["time"].between(short["time"].min(), short["time"].max())].reset_index(drop=True)
    assert len(short) == 24 * 24 * 2
    assert shared.equals(short)


def _telemetry(first: str, last: str) -> Any:
    """The fleet notebook's data for a period, from its own cells."""
    import numpy
    import pandas

    names: dict[str, Any] = {"np": numpy, "pd": pandas, "date": date}
    exec(source(cell(read(FLEET), "parameters")), names)
    exec("from datetime import timedelta", names)
    names |= {"first": date.fromisoformat(first), "last": date.fromisoformat(last)}
    names["days"] = (names["last"] - names["first"]).days + 1
    for cell_id in ("fleet", "load-data"):
        exec(source(cell(read(FLEET), cell_id)), names)
    return names["telemetry"]


class Runs:
    """Runs of the example notebooks by papermill, each in a fresh kernel and made once.

    The first one finds an empty home: whatever matplotlib has to say about that must not be in the output.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.made: dict[str, Path] = {}

    def path(self, notebook: Path, name: str, **parameters: Any) -> Path:
        if name not in self.made:
            self.made[name] = self._run(notebook, self.folder / f"{name}.ipynb", parameters)
        return self.made[name]

    def of(self, notebook: Path, name: str, **parameters: Any) -> dict[str, Any]:
        return read(self.path(notebook, name, **parameters))

    def fleet(self, threshold: float = 0.95) -> dict[str, Any]:
        return self.of(FLEET, f"fleet-{threshold}", threshold=threshold)

    @staticmethod
    def _run(notebook: Path, out: Path, parameters: dict[str, Any]) -> Path:
        import papermill

        papermill.execute_notebook(str(notebook), str(out), parameters, progress_bar=False, cwd=str(out.parent))
        return out


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(home))
        patch.setenv("MPLCONFIGDIR", str(home / "mpl"))
        yield Runs(tmp_path_factory.mktemp("runs"))


@pytest.mark.kernel
def test_fleet_glues_what_it_promises(runs: Runs) -> None:
    scraps = scraps_of(runs.fleet())
    assert {name: scrap["encoder"] for name, scrap in scraps.items()} == {
        "health_score": "json",
        "alert_count": "json",
        "worst_agents": "pandas",
    }
    assert scraps["health_score"]["data"] == 0.9409
    assert scraps["alert_count"]["data"] == 12


@pytest.mark.kernel
def test_fleet_table_comes_back_as_a_table(runs: Runs) -> None:
    import scrapbook

    path = runs.path(FLEET, "fleet-0.95", threshold=0.95)
    table = scrapbook.read_notebook(str(path)).scraps["worst_agents"].data
    assert list(table["agent"])[:2] == ["agent-03", "agent-16"]
    assert list(table.columns) == ["agent", "region", "version", "success_rate", "presence", "health", "alerts"]


@pytest.mark.kernel
def test_fleet_with_a_lower_threshold_raises_fewer_alerts_and_is_as_healthy(runs: Runs) -> None:
    before, after = runs.fleet(0.95), runs.fleet(0.9)
    assert scraps_of(after)["alert_count"]["data"] == 5
    assert scraps_of(after)["health_score"] == scraps_of(before)["health_score"]
    changed = {name for name, text in checked(before).items() if checked(after)[name] != text}
    assert changed == {"alert-table", "by-version"}
    assert {"data-quality", "health-score"} <= checked(before).keys()
    assert _picture(before, "plot-fleet") != _picture(after, "plot-fleet")


def _picture(notebook: dict[str, Any], cell_id: str) -> bytes:
    pictures = [
        out["data"]["image/png"] for out in cell(notebook, cell_id)["outputs"] if "image/png" in out.get("data", {})
    ]
    assert len(pictures) == 1
    png = base64.b64decode(pictures[0])
    assert png.startswith(b"\x89PNG\r\n")
    return png


@pytest.mark.kernel
@pytest.mark.parametrize("path", [FLEET, CLEANING], ids=lambda path: path.stem)
def test_a_second_run_gives_the_same_bytes(path: Path, runs: Runs) -> None:
    first = runs.fleet() if path == FLEET else runs.of(path, path.stem)
    second = runs.of(path, f"{path.stem}-again", **({"threshold": 0.95} if path == FLEET else {}))
    # papermill's own cell, with the parameters, gets another id each time.
    injected = {cell["id"] for run in (first, second) for cell in run["cells"]} - {c["id"] for c in read(path)["cells"]}
    one, other = ({k: v for k, v in outputs_of(run).items() if k not in injected} for run in (first, second))
    assert one == other
    assert any(one.values())


@pytest.mark.kernel
@pytest.mark.parametrize("path", [FLEET, CLEANING], ids=lambda path: path.stem)
def test_outputs_say_nothing_about_the_machine(path: Path, runs: Runs) -> None:
    run = runs.fleet() if path == FLEET else runs.of(path, path.stem)
    outputs = [out for cell in run["cells"] for out in cell.get("outputs", [])]
    assert not [out for out in outputs if out.get("name") == "stderr" or out["output_type"] == "error"]
    texts = [text_of(cell) for cell in run["cells"] if cell["cell_type"] == "code"]
    assert not [text for text in texts if TELLTALE.search(text)]


@pytest.mark.kernel
@pytest.mark.parametrize("path", [FLEET, CLEANING], ids=lambda path: path.stem)
def test_nbval_reproduces_it(path: Path, runs: Runs) -> None:
    executed = runs.path(FLEET, "fleet-0.95", threshold=0.95) if path == FLEET else runs.path(path, path.stem)
    argv = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--nbval-lax", "--nbval-cell-timeout=60"]
    done = subprocess.run([*argv, str(executed)], cwd=executed.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert len(checked(read(executed))) >= 2


@pytest.mark.kernel
def test_cleaning_keeps_its_books(runs: Runs) -> None:
    run = runs.of(CLEANING, CLEANING.stem)
    scraps = {name: scrap["data"] for name, scrap in scraps_of(run).items()}
    assert scraps == {"rows_in": 1021, "rows_out": 999, "share_imputed": 0.049}
    tables = [out["data"]["text/html"] for out in cell(run, "audit")["outputs"]]
    assert "<table" in "".join(tables[0])


@pytest.mark.kernel
def test_broken_report_breaks_in_the_middle(runs: Runs) -> None:
    from papermill.exceptions import PapermillExecutionError

    with pytest.raises(PapermillExecutionError, match="KeyError: 'refunds'"):
        runs.path(BROKEN, "broken")
    run = read(runs.folder / "broken.ipynb")
    assert "18,940.50 EUR" in text_of(cell(run, "revenue"))
    assert [out["ename"] for out in cell(run, "refunds")["outputs"]] == ["KeyError"]
    assert [cell(run, name)["outputs"] for name in ("refund-table", "conclusion")] == [[], []]
