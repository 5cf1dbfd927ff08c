"""Parameters and scraps of several runs as one table, in three formats."""

from __future__ import annotations

import csv
import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from nbpr.errors import BadInput
from nbpr.runs import scraptable


def record(run_id: str, parameters: dict[str, Any], scraps: dict[str, Any], **members: Any) -> dict[str, Any]:
    facts = {"notebook": "a.ipynb", "run_id": run_id, "status": "success", "reason": None, "duration_seconds": 1.5}
    return {**facts, "parameters": parameters, "scraps": scraps, **members}


RECORDS = [
    record("1", {"alpha": 0.1}, {"score": 1, "name": "=1+1", "list": [1]}),
    record("2", {"alpha": 0.2, "beta": True}, {"score": 2.5, "late": None}),
    record("3", {"alpha": 0.3}, {}, status="error", reason="deadline"),
]
NAMES = [*scraptable.FACTS, *(f"parameters.{n}" for n in ("alpha", "beta"))]
NAMES += [f"scraps.{n}" for n in ("score", "name", "list", "late")]


def test_every_row_has_every_column() -> None:
    made = scraptable.rows(RECORDS)
    assert [list(row) for row in made] == [NAMES] * 3
    assert [row["scraps.score"] for row in made] == [1, 2.5, None]
    assert [row["parameters.beta"] for row in made] == [None, True, None]
    assert scraptable.rows([]) == []


def test_as_json(tmp_path: Path) -> None:
    scraptable.write(RECORDS, tmp_path / "t.json")
    assert json.loads((tmp_path / "t.json").read_text()) == scraptable.rows(RECORDS)


def test_as_csv_that_no_spreadsheet_obeys(tmp_path: Path) -> None:
    scraptable.write(RECORDS, tmp_path / "t.csv")
    head, *rows = csv.reader(io.StringIO((tmp_path / "t.csv").read_text()))
    assert head == NAMES
    assert rows[0] == ["a.ipynb", "1", "success", "", "1.5", "0.1", "", "1", '"=1+1"', "[1]", ""]
    assert rows[2][2:4] == ["error", "deadline"]
    scraptable.write([], tmp_path / "none.csv")
    assert (tmp_path / "none.csv").read_text() == ",".join(scraptable.FACTS) + "\n"


def test_as_parquet_with_types(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    scraptable.write(RECORDS, tmp_path / "t.parquet")
    table = parquet.read_table(tmp_path / "t.parquet")
    assert table.column_names == NAMES
    kinds = {name: str(table.schema.field(name).type) for name in NAMES}
    assert (kinds["parameters.alpha"], kinds["parameters.beta"], kinds["scraps.list"]) == ("double", "bool", "string")
    assert table.column("scraps.score").to_pylist() == [1.0, 2.5, None]
    assert table.column("scraps.list").to_pylist() == ["[1]", None, None]


def test_without_pyarrow_it_is_said_before_anything_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(BadInput, match="needs pyarrow") as caught:
        scraptable.check(tmp_path / "t.parquet")
    assert "pip install pyarrow" in str(caught.value.hint)
    scraptable.check(tmp_path / "t.csv")


@pytest.mark.parametrize(("name", "said"), [("t.xlsx", r"\.csv, \.json, \.parquet"), ("no/t.csv", "no such folder")])
def test_what_is_no_place_for_a_table(tmp_path: Path, name: str, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        scraptable.check(tmp_path / name)
