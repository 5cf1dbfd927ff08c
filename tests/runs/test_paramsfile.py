"""Files of parameters, as papermill reads them."""

from __future__ import annotations

from pathlib import Path

import pytest

from nbpr.errors import BadInput
from nbpr.runs import paramsfile


def test_yaml_and_json_with_dates_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "p.yaml"
    file.write_text("since: 2026-11-20\nn: 1\nx: 1.5\non_: true\nnothing: null\nlist: [a, 2]\n")
    read = {"since": "2026-11-20", "n": 1, "x": 1.5, "on_": True, "nothing": None, "list": ["a", 2]}
    assert paramsfile.read(file) == read
    from papermill.iorw import read_yaml_file

    assert read_yaml_file(str(file)) == read
    file.write_text('{"n": {"a": [1]}}')
    assert paramsfile.read(file) == {"n": {"a": [1]}}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: [", "not YAML"),
        ("- a\n- b\n", "names and their values"),
        ("1: 2\n", "names and"),
        ("a: !!python/name:os.system\n", "not YAML"),
    ],
)
def test_anything_else_is_told(tmp_path: Path, text: str, problem: str) -> None:
    file = tmp_path / "p.yaml"
    file.write_text(text)
    with pytest.raises(BadInput, match=problem):
        paramsfile.read(file)
    with pytest.raises(BadInput, match="cannot be read"):
        paramsfile.read(tmp_path / "missing.yaml")
