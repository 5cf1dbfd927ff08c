"""Sweeps: combinations of values, rows of files, and what is no sweep."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbpr.errors import BadInput
from nbpr.runs import sweeps


def test_every_combination_the_last_changing_fastest() -> None:
    assert sweeps.product(["alpha=0.1,0.2", "name=a,b"]) == [
        {"alpha": 0.1, "name": "a"},
        {"alpha": 0.1, "name": "b"},
        {"alpha": 0.2, "name": "a"},
        {"alpha": 0.2, "name": "b"},
    ]
    assert sweeps.product([]) == []


def test_commas_within_brackets_and_quotes_belong_to_the_value() -> None:
    assert sweeps.product(['regions=["eu","us"],[]']) == [{"regions": ["eu", "us"]}, {"regions": []}]
    assert [row["x"] for row in sweeps.product(['x={"a":1,"b":[2,3]},4'])] == [{"a": 1, "b": [2, 3]}, 4]


@given(st.dictionaries(st.sampled_from("abc"), st.lists(st.integers(-9, 9), min_size=1, max_size=4), min_size=1))
def test_a_product_is_itertools_own(axes: dict[str, list[int]]) -> None:
    words = [f"{name}={','.join(map(str, values))}" for name, values in axes.items()]
    wanted = [dict(zip(axes, row, strict=True)) for row in itertools.product(*axes.values())]
    assert sweeps.product(words) == wanted


@pytest.mark.parametrize("word", ["alpha", "=1,2", "alpha=", "alpha=1,,2", "a b=1", "alpha=1,"])
def test_what_is_no_sweep(word: str) -> None:
    with pytest.raises(BadInput, match="--sweep"):
        sweeps.product([word])


def test_a_name_twice_and_too_many() -> None:
    with pytest.raises(BadInput, match="given twice"):
        sweeps.product(["a=1", "a=2"])
    hundred = ",".join(map(str, range(101)))
    with pytest.raises(BadInput, match="10,201 runs"):
        sweeps.product([f"a={hundred}", f"b={hundred}"])


def put(folder: Path, name: str, content: str) -> Path:
    place = folder / name
    place.write_text(content, encoding="utf-8")
    return place


def test_rows_of_csv_and_json(tmp_path: Path) -> None:
    table = put(tmp_path, "a.csv", '\ufeffalpha,name\n0.1,a\n\n0.2,\n,"[1, 2]"\n')
    assert sweeps.rows(table) == [{"alpha": 0.1, "name": "a"}, {"alpha": 0.2}, {"name": [1, 2]}]
    listed = [{"alpha": 0.1}, {"name": None}]
    assert sweeps.rows(put(tmp_path, "a.json", json.dumps(listed))) == listed


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.csv", "", "no runs"),
        ("a.csv", "alpha\n", "no runs"),
        ("a.csv", "alpha,alpha\n1,2\n", "line 1: 'alpha'"),
        ("a.csv", "1,2\n1,2\n", "line 1: '1'"),
        ("a.csv", "a,b\n1\n", "line 2: 1 fields where line 1 has 2"),
        ("a.json", "{", "not JSON"),
        ("a.json", '{"a": 1}', "array of objects"),
        ("a.json", "[]", "no runs"),
    ],
)
def test_what_is_no_file_of_runs(tmp_path: Path, name: str, content: str, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        sweeps.rows(put(tmp_path, name, content))


def test_both_with_what_is_given_for_all_and_nothing_twice(tmp_path: Path) -> None:
    file = put(tmp_path, "a.csv", "alpha\n1\n2\n1\n")
    found = sweeps.combined(["beta=5,6"], file, {"gamma": 0, "alpha": 9})
    wanted: list[dict[str, Any]] = [
        {"gamma": 0, "alpha": alpha, "beta": beta} for alpha, beta in ((1, 5), (1, 6), (2, 5), (2, 6))
    ]
    assert found == wanted
    assert sweeps.combined([], file, {}) == [{"alpha": 1}, {"alpha": 2}]
    with pytest.raises(BadInput, match="says it too"):
        sweeps.combined(["alpha=1"], file, {})
    with pytest.raises(BadInput, match="cannot be read"):
        sweeps.combined([], tmp_path / "missing.csv", {})
