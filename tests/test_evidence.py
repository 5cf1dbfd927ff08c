"""What the checks found, written into a pull request's body and read out of it again."""

from __future__ import annotations

import json
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbpr import evidence
from nbpr.evidence import Evidence
from nbpr.findings import Finding, Level

RUN = {"role": "reference", "notebook": "a.ipynb", "status": "success", "duration_seconds": 1.25, "cells_executed": 3}
SPEAKING = ("-->", "<!-- /nbpr -->", "--!>", "@ada closes #7", "<b>&amp;", "\n\r\u2028")
WORDS = st.text(max_size=60) | st.sampled_from(SPEAKING)


def found(**changes: Any) -> Evidence:
    facts: dict[str, Any] = {"head": "f" * 40, "verdict": "passed", "findings": (), "checks": (), "runs": ()}
    return Evidence(**{**facts, "bounds": {}, **changes})


def findings() -> st.SearchStrategy[Finding]:
    levels = st.sampled_from(get_args(Level))
    return st.builds(Finding, WORDS, levels, WORDS, WORDS, st.none() | WORDS, st.none() | WORDS)


@given(st.lists(findings(), max_size=5).map(tuple), st.lists(WORDS, max_size=3).map(tuple), st.data())
def test_what_is_written_is_read(told: tuple[Finding, ...], checks: tuple[str, ...], data: st.DataObject) -> None:
    bounds = data.draw(st.dictionaries(WORDS, WORDS, max_size=3))
    written = found(findings=told, checks=checks, runs=(RUN,), bounds=bounds)
    comment = written.comment(100_000)
    assert comment.isascii()
    assert len(comment.splitlines()) == 1
    inner = comment.removeprefix("<!--").removesuffix("-->")
    assert not set("<>@#&") & set(inner)
    assert "--" not in inner
    assert evidence.read(f"text\n\n{comment}\nmore") == written


@given(st.lists(findings(), max_size=30).map(tuple), st.integers(600, 6_000))
def test_it_keeps_to_its_room_and_says_how_much_it_left_out(told: tuple[Finding, ...], room: int) -> None:
    comment = found(findings=told, runs=(RUN,)).comment(room)
    assert len(comment) <= room
    read = evidence.read(comment)
    assert read is not None
    assert read.left_out == len(told) - len(read.findings)
    rest = iter(told)
    assert all(finding in rest for finding in read.findings)  # in their order


def test_errors_are_kept_before_notes() -> None:
    notes = [Finding("size", "note", "a.ipynb", f"{number}" * 100) for number in range(9)]
    error = Finding("execute", "error", "a.ipynb", "it fails")
    read = evidence.read(found(findings=(*notes, error)).comment(900))
    assert read is not None
    assert read.findings[-1] == error
    assert read.left_out == 10 - len(read.findings) > 0


def test_of_a_run_what_is_shown_travels_and_nothing_else() -> None:
    environment = {"python": "3.11.7", "executable": "/home/ada/.venv/bin/python", "packages_sha256": "x"}
    failed = {"index": 2, "id": "c", "ename": "KeyError", "evalue": "k", "source": "x" * 9_000, "traceback": "…"}
    record = {**RUN, "environment": environment, "parameters": {"token": "t"}, "failed_cell": failed, "reason": None}
    read = evidence.read(found(runs=(record,)).comment())
    assert read is not None
    kept = {**{key: failed[key] for key in ("index", "id", "ename", "evalue")}, "source": "x" * 2_000}
    assert read.runs == ({**RUN, "environment": {"python": "3.11.7"}, "failed_cell": kept},)


@pytest.mark.parametrize(
    "change",
    [
        {"verdict": "splendid"},
        {"findings": [{"check": "format"}]},
        {"findings": [{**Finding("a", "error", "b", "c").as_json(), "level": "worst"}]},
        {"findings": 7},
        {"runs": [1]},
        {"bounds": []},
        {"left_out": "many"},
        {"head": ...},
    ],
)
def test_what_somebody_edited_is_as_good_as_nothing(change: dict[str, Any]) -> None:
    comment = found().comment()
    facts = {**json.loads(comment.removeprefix("<!-- nbpr-checks ").removesuffix(" -->")), **change}
    facts = {key: value for key, value in facts.items() if value is not ...}
    assert evidence.read(comment) is not None
    assert evidence.read(f"<!-- nbpr-checks {json.dumps(facts)} -->") is None


@pytest.mark.parametrize("body", ["", "words", "<!-- nbpr-checks {} -->", "<!-- nbpr-checks {broken} -->"])
def test_a_body_without_it_says_nothing(body: str) -> None:
    assert evidence.read(body) is None
