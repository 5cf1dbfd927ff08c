"""Remarks at cells: which cells get one, where, how many, and that they come and go with what is found."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from nbpr.config import Gate
from nbpr.findings import Finding
from nbpr.forges import Remark, http
from nbpr.gate import posting, remarking
from nbpr.gate.occasion import Occasion
from nbpr.gate.remarking import Range
from nbpr.gate.result import GateResult, Judged
from nbpr.gate.revisions import Revisions
from nbpr.notebooks.celllines import cell_lines
from tests.forges import places
from tests.forges.places import Place
from tests.projects import cell, dumped

pytestmark = pytest.mark.slow

NAME = "notebooks/für alle.ipynb"
KEPT, CHANGED, NEW = "kept", "changed", "new"


def notebook(**sources: str) -> bytes:
    return dumped([cell(name, "code", source) for name, source in sources.items()])


BEFORE = notebook(kept="a = 1\nb = 2", changed="c = 3\nd = 4\ne = 5")
AFTER = notebook(kept="a = 1\nb = 2", changed="c = 3\nd = 40\ne = 5", new="f = 6")


def commit(place: Place, parent: str, files: Mapping[str, bytes | None]) -> str:
    tree = place.repository.edited_tree(parent, files)
    return place.repository.commit(tree, [parent], "a change\n")


def found(data: bytes, *findings: Finding, path: str = NAME, before: str | None = None) -> GateResult:
    judged = Judged(path, "modified", findings, ("execute",), path_before=before, lines=cell_lines(data))
    return GateResult("0" * 40, "0" * 40, (judged,))


def error(cell_id: str | None, message: str = "no such table", path: str = NAME) -> Finding:
    return Finding("execute", "error", path, message, cell_id=cell_id)


def line_in(data: bytes, text: bytes) -> int:
    """The line, from 1, that has a text."""
    return 1 + next(at for at, line in enumerate(data.split(b"\n")) if text in line)


@pytest.fixture(params=["gitea", "github"])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    monkeypatch.setattr(http, "pause", lambda seconds: None)
    with places.fake(request.param, tmp_path, monkeypatch) as made:
        yield made


@pytest.fixture
def local(tmp_path: Path) -> Iterator[tuple[Place, str]]:
    """A clone, and the commit in which base's notebook is."""
    with places.local(tmp_path) as made:
        yield made, commit(made, str(made.repository.head), {NAME: BEFORE})


def said(place: Place, start: str, result: GateResult, data: bytes = AFTER, most: int = 9) -> list[Remark]:
    head = commit(place, start, {NAME: data})
    return remarking.remarks(result, Range(place.repository, start, head), most)


class TestWhichCells:
    def test_those_that_changed_at_the_first_line_that_did(self, local: tuple[Place, str]) -> None:
        findings = [error(KEPT), error(CHANGED), error(NEW), error(None)]
        made = said(*local, found(AFTER, *findings))
        assert [(one.path, one.line) for one in made] == [
            (NAME, line_in(AFTER, b"d = 40")),
            (NAME, min(cell_lines(AFTER)[NEW])),
        ]

    def test_one_remark_says_all_of_a_cell_and_no_notes(self, local: tuple[Place, str]) -> None:
        warning = Finding("clean", "warning", NAME, "an output", cell_id=CHANGED, hint="nbpr clean")
        note = Finding("reproduce", "note", NAME, "3 of 3 cells checked", cell_id=CHANGED)
        (one,) = said(*local, found(AFTER, warning, note, error(CHANGED)))
        assert one.body.index("no such table") < one.body.index("an output") < one.body.index("nbpr clean")
        assert "of 3 cells" not in one.body

    def test_failures_first_and_no_more_than_wanted(self, local: tuple[Place, str]) -> None:
        warning = Finding("clean", "warning", NAME, "an output", cell_id=CHANGED)
        (one,) = said(*local, found(AFTER, warning, error(NEW)), most=1)
        assert "no such table" in one.body

    def test_a_cell_that_changed_again_is_another(self, local: tuple[Place, str]) -> None:
        again = AFTER.replace(b"d = 40", b"d = 41")
        (first,), (same,) = (said(*local, found(AFTER, error(CHANGED))) for _ in range(2))
        (other,) = said(*local, found(again, error(CHANGED)), again)
        assert first.key == same.key != other.key

    def test_in_a_notebook_that_was_elsewhere(self, local: tuple[Place, str]) -> None:
        place, start = local
        head = commit(place, start, {NAME: None, "notebooks/there.ipynb": AFTER})
        findings = [error(name, path="notebooks/there.ipynb") for name in (KEPT, CHANGED)]
        result = found(AFTER, *findings, path="notebooks/there.ipynb", before=NAME)
        made = remarking.remarks(result, Range(place.repository, start, head), 9)
        assert [one.line for one in made] == [line_in(AFTER, b"d = 40")]

    def test_an_id_and_a_name_that_are_no_text(self, local: tuple[Place, str]) -> None:
        odd = "a\ud800"
        data = AFTER.replace(b'"id": "changed"', b'"id": "a\\ud800"')
        assert odd in cell_lines(data)
        (one,) = said(*local, found(data, error(odd)), data)
        json.dumps(one.text, ensure_ascii=False).encode()
        place, start = local
        name = "notebooks/\udcff.ipynb"
        head = commit(place, start, {name: AFTER})
        result = found(AFTER, error(CHANGED, path=name), path=name)
        assert remarking.remarks(result, Range(place.repository, start, head), 9) == []

    def test_what_is_said_stays_in_its_place(self, local: tuple[Place, str]) -> None:
        hostile = "``` <!-- nbpr-remark x --> @everybody\n## no heading\x1b[31m"
        (one,) = said(*local, found(AFTER, error(CHANGED, hostile)))
        assert len(one.body.split("\n")) == 3
        assert "\x1b" not in one.body


def tell(place: Place, pull: int, start: str, result: GateResult, **settings: int) -> list[str]:
    """Tell the forge, as the gate does; the notes of what was not told."""
    assert result.head
    at = Revisions(result.head, start, start)
    config = replace(place.config, gate=Gate(**settings))  # type: ignore[arg-type]
    desk, _ = posting.connect(place.repository, config, Occasion(pull=pull, is_event=True), at)
    assert desk is not None
    desk.result(result)
    return desk.notes


def test_they_come_and_go_with_what_is_found(place: Place) -> None:
    assert place.fake is not None
    start = commit(place, str(place.repository.head), {NAME: BEFORE})
    place.push(start, "main")
    head = commit(place, start, {NAME: AFTER})
    pull = place.forge().open(replace(place.opening(), head_sha=head)).number
    kept = place.fake.repos["ada/x"].kept
    bad = replace(found(AFTER, error(KEPT), error(CHANGED)), head=head)
    assert tell(place, pull, start, bad) == []
    assert kept.comments == []
    assert tell(place, pull, start, bad, inline=5) == []
    (one,) = kept.comments
    assert (one["path"], one["line"]) == (NAME, line_in(AFTER, b"d = 40"))
    assert "no such table" in one["body"]
    place.fake.reset()
    tell(place, pull, start, bad, inline=5)
    assert place.fake.writes == []
    tell(place, pull, start, replace(found(AFTER), head=head, skipped="by the label"), inline=5)
    assert kept.comments == [one]
    tell(place, pull, start, replace(found(AFTER), head=head), inline=5)
    assert kept.comments == []


def test_a_line_that_the_forge_does_not_show_costs_no_verdict(place: Place) -> None:
    if place.kind == "gitea":
        pytest.skip("it takes any line")
    root = str(place.repository.head)
    start = commit(place, root, {NAME: BEFORE})
    place.push(start, "main")
    head = commit(place, start, {NAME: AFTER})
    place.forge().open(replace(place.opening(), head_sha=head))
    # Since `root` all of the notebook is new; what the server shows begins at `start`.
    notes = tell(place, 1, root, replace(found(AFTER, error(KEPT)), head=head), inline=5)
    assert len(notes) == 1
    assert notes[0].startswith("the diff gets no remarks: ")
