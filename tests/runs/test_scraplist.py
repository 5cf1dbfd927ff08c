"""The scraps of notebooks, runs and folders."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from nbpr.errors import BadInput
from nbpr.runs import scraplist
from tests.kernels import notebook
from tests.runs.test_runs import put


def glued(**values: Any) -> dict[str, Any]:
    """A cell that has glued values."""
    outputs = [
        {
            "output_type": "display_data",
            "metadata": {},
            "data": {"application/scrapbook.scrap.json+json": {"name": k, "data": v, "encoder": "json", "version": 1}},
        }
        for k, v in values.items()
    ]
    return {"cell_type": "code", "id": "g", "metadata": {}, "source": "", "execution_count": 1, "outputs": outputs}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    put(tmp_path, "notebooks/a.ipynb", "1")
    put(tmp_path, "runs/a.ipynb", glued(score=0.9, count=2))
    put(tmp_path, "runs/a.runs/x.ipynb", glued(score=0.8, new=[1]))
    put(tmp_path, "runs/b/c.ipynb", glued(score=1))
    put(tmp_path, "runs/.ipynb_checkpoints/a.ipynb", glued(score=-1))
    put(tmp_path, "own.ipynb", glued(score=3))
    return tmp_path


def rows(*places: Path) -> list[tuple[str, str, Any]]:
    return [(Path(row.notebook).name, row.name, row.data) for row in scraplist.of_places(places)]


def test_a_notebooks_scraps_are_its_runs(project: Path) -> None:
    assert rows(project / "notebooks/a.ipynb") == [("a.ipynb", "score", 0.9), ("a.ipynb", "count", 2)]
    assert rows(project / "own.ipynb") == [("own.ipynb", "score", 3)]
    assert rows(project / "runs/a.runs/x.ipynb") == [("x.ipynb", "score", 0.8), ("x.ipynb", "new", [1])]


def test_a_folders_are_those_of_its_notebooks_without_partial_runs(project: Path) -> None:
    assert rows(project / "runs") == [("a.ipynb", "score", 0.9), ("a.ipynb", "count", 2), ("c.ipynb", "score", 1)]


def test_outside_of_a_checkout(tmp_path: Path) -> None:
    place = tmp_path / "loose.ipynb"
    place.write_text(json.dumps(notebook(glued(score=1))))
    assert rows(place) == [("loose.ipynb", "score", 1)]


def test_two_side_by_side(project: Path) -> None:
    found = scraplist.compare(project / "notebooks/a.ipynb", project / "runs/a.runs/x.ipynb")
    assert [(each.row.name, each.before, each.after) for each in found] == [
        ("score", 0.9, 0.8),
        ("new", None, [1]),
        ("count", 2, None),
    ]
    shown = found[0].as_json()
    assert (shown["data"], shown["encoder"], shown["before"], shown["after"]) == (0.8, "json", 0.9, 0.8)


def test_what_is_not_there(project: Path) -> None:
    with pytest.raises(BadInput, match="no such file"):
        scraplist.of_places([project / "missing.ipynb"])
    with pytest.raises(BadInput, match="no such file"):
        scraplist.compare(project / "missing.ipynb", project / "own.ipynb")
