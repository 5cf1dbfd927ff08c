"""The second job: it posts what the first one found, and believes none of it that it can see itself."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nbpr.errors import BadInput
from nbpr.gate import leavings, words
from nbpr.git.repository import Repository
from tests.gate.workshop import Seen, commit, gate, path, rerun, said, source, with_outputs

pytestmark = pytest.mark.kernel


@pytest.fixture
def left(project: Repository, tmp_path: Path) -> Path:
    """What the gate of a good and a dirty notebook left."""
    commit(project, {path("good"): source("# mended\n"), path("dirty"): with_outputs(source("# dirty\n"))})
    rerun(project, "good")
    commit(project, {})
    gate(project, write=lambda result: leavings.write(result, tmp_path / "left"))
    return tmp_path / "left"


def relayed(project: Repository, folder: Path, seen: Seen | None = None) -> Any:
    return gate(project, seen=seen, leavings=folder)


def test_it_says_the_same_and_runs_nothing(project: Repository, left: Path) -> None:
    first, seen = gate(project), Seen()
    second = relayed(project, left, seen)
    assert (seen.ran, seen.cells) == (0, [])
    assert second.verdict == "failed"
    assert words.comment(second) == words.comment(first)


def changed(left: Path, change: Callable[[dict[str, Any]], None]) -> None:
    place = left / leavings.RESULT
    data = json.loads(place.read_bytes())
    change(data)
    place.write_text(json.dumps(data))


def test_a_verdict_that_was_made_up_is_not_believed(project: Repository, left: Path) -> None:
    def white(data: dict[str, Any]) -> None:
        data |= {"verdict": "passed", "findings": []}
        for row in data["notebooks"]:
            row |= {"verdict": "passed", "findings": [one for one in row["findings"] if one["level"] == "note"]}

    changed(left, white)
    assert [where for where, _ in said(relayed(project, left), "clean")] == [path("dirty")]


def test_a_notebook_that_it_does_not_speak_of_has_failed(project: Repository, left: Path) -> None:
    def silent(data: dict[str, Any]) -> None:
        data["notebooks"] = [row for row in data["notebooks"] if row["path"] != path("good")]

    changed(left, silent)
    assert said(relayed(project, left), "execute") == [(path("good"), "the job that runs notebooks says nothing of it")]


def test_a_run_of_something_else_has_failed(project: Repository, left: Path) -> None:
    (left / leavings.EXECUTED / path("good")).write_bytes(source("# another\n"))
    assert said(relayed(project, left), "execute") == [(path("good"), "the run that was left is not of this notebook")]
    (left / leavings.EXECUTED / path("good")).unlink()
    assert said(relayed(project, left), "execute")


def test_bounds_are_held_to_the_run_that_was_left(project: Repository, left: Path) -> None:
    place = left / leavings.EXECUTED / path("good")
    data = place.read_bytes()
    assert b'"data": 0.9,' in data
    place.write_bytes(data.replace(b'"data": 0.9,', b'"data": 0.1,'))
    assert (path("good"), "score is 0.1, below min 0.5 (base: 0.9)") in said(relayed(project, left), "scraps")


def test_a_failure_that_is_hidden_has_failed(project: Repository, left: Path) -> None:
    def hidden(data: dict[str, Any]) -> None:
        for row in data["notebooks"]:
            row["findings"] = [one for one in row["findings"] if one["check"] != "reproduce"]

    changed(left, hidden)
    assert (path("good"), "nothing is said of whether it reproduces") in said(relayed(project, left), "reproduce")


def test_another_head_is_nothing_to_post(project: Repository, left: Path) -> None:
    commit(project, {"README.md": "later\n"})
    with pytest.raises(BadInput, match="it is not posted"):
        relayed(project, left)


@pytest.mark.parametrize(
    "odd",
    [
        b"",
        b"[]",
        b"{}",
        b"[" * 100_000,
        json.dumps({"head": "f" * 40, "base": None, "notebooks": "all"}).encode(),
        json.dumps({"head": "--all", "base": None, "notebooks": []}).encode(),
        json.dumps({"head": "f" * 40, "base": None, "notebooks": [{"path": "../x.ipynb", "findings": []}]}).encode(),
        json.dumps({"head": "f" * 40, "base": None, "notebooks": [{"path": "/x.ipynb", "findings": []}]}).encode(),
        json.dumps(
            {"head": "f" * 40, "base": None, "notebooks": [{"path": "x.ipynb", "findings": [{"check": "x"}]}]}
        ).encode(),
        json.dumps(
            {"head": "f" * 40, "base": None, "notebooks": [{"path": "x.ipynb", "findings": [], "run": {"status": 1}}]}
        ).encode(),
    ],
    ids=range(10),
)
def test_what_no_gate_leaves_is_refused(odd: bytes, tmp_path: Path) -> None:
    (tmp_path / leavings.RESULT).write_bytes(odd)
    with pytest.raises(BadInput):
        leavings.read(tmp_path)


def test_links_and_what_is_too_large_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BadInput, match="No such file"):
        leavings.read(tmp_path)
    outside = tmp_path / "outside.json"
    outside.write_text(json.dumps({"head": "f" * 40, "base": None, "notebooks": []}))
    folder = tmp_path / "left"
    folder.mkdir()
    (folder / leavings.RESULT).symlink_to(outside)
    with pytest.raises(BadInput, match="not what a gate leaves"):
        leavings.read(folder)
    (folder / leavings.RESULT).unlink()
    (folder / leavings.RESULT).write_bytes(outside.read_bytes())
    assert leavings.read(folder).head == "f" * 40
    monkeypatch.setattr(leavings, "LARGEST", 10)
    with pytest.raises(BadInput, match="more than 10 bytes"):
        leavings.read(folder)
