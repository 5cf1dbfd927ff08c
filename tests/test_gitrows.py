"""The benchmark's rows with git filters, with a handful of notebooks: what is measured is what the row says."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from benchmarks import corpus, gitrows, peers
from benchmarks.command import main
from benchmarks.measure import NotToBeHad, take
from benchmarks.row import Row
from benchmarks.stage import Stage, stage
from nbpr import filters

pytestmark = pytest.mark.slow


def blobs(checkout: Path) -> list[bytes]:
    """What was added."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=checkout, capture_output=True, check=True).stdout
    names = [name.decode() for name in listed.split(b"\0") if name.endswith(b".ipynb")]
    argv = ["git", "cat-file", "blob"]
    return [subprocess.run([*argv, f":{n}"], cwd=checkout, capture_output=True, check=True).stdout for n in names]


def test_the_corpus_is_what_it_is_said_to_be(tmp_path: Path) -> None:
    for number, more in enumerate([{}, {"ran": False}, {"ran": False, "edited": True}]):
        corpus.write(tmp_path / str(number), 2, **more)
    ran, clean, edited = ([path.read_bytes() for path in sorted((tmp_path / n).iterdir())] for n in "012")
    assert [filters.cleaned(data, "nb.ipynb") for data in ran] == clean
    assert all(one != other for one, other in zip(clean, edited, strict=True))
    assert len(set(ran)) == 2
    for data in ran:
        cells = json.loads(data)["cells"]
        assert len(cells) == corpus.CELLS
        assert any("image/png" in output.get("data", {}) for cell in cells for output in cell.get("outputs", ()))
        assert 40_000 < len(data) < 60_000


@pytest.mark.parametrize("other", ["no filter", "nbstripout"])
def test_adding_adds_what_each_filter_makes_of_it(other: str) -> None:
    with stage() as place:
        pair = gitrows.add(3, other, 2)(place)
        assert pair.theirs is not None
        for _ in range(2):
            for side in (pair.ours, pair.theirs):
                take(side)
        assert [b"image/png" in data for data in blobs(pair.ours.cwd)] == [False] * 3
        assert [b"image/png" in data for data in blobs(pair.theirs.cwd)] == [other == "no filter"] * 2


def test_status_has_one_notebook_to_look_at() -> None:
    with stage() as place:
        pair = gitrows.status("no filter", 3)(place)
        for side in (pair.ours, pair.theirs):
            assert side is not None
            assert side.before is not None
            side.before()
            fresh = ["git", "diff-files", "--name-only"]
            assert place.call(*fresh, cwd=side.cwd).count("\n") == 1
            assert place.call(*side.steps[0], cwd=side.cwd) == ""


def test_checking_out_writes_every_notebook() -> None:
    with stage() as place:
        pair = gitrows.checkout_between(3)(place)
        for side in (pair.ours, pair.theirs):
            assert side is not None
            take(side)
            assert all(b"edited = True" in path.read_bytes() for path in (side.cwd / "notebooks").iterdir())
            assert side.before is not None
            side.before()
            assert not any(b"edited = True" in path.read_bytes() for path in (side.cwd / "notebooks").iterdir())


def test_a_peer_that_cannot_be_had_is_skipped_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(NotToBeHad) as absence:
        peers.peer("nbwipers", tmp_path)
    assert "\n" not in str(absence.value)

    def absent(stage: Stage) -> gitrows.Pair:
        raise NotToBeHad("nbwipers is not there")

    assert main([], [Row("one", "stand-in", absent, 1)], tmp_path / "R.md") == 0
    printed = capsys.readouterr().out
    assert "skipped: nbwipers is not there" in printed
    assert "failed" not in printed


def test_a_peer_on_the_path_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "nbwipers"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert peers.peer("nbwipers", tmp_path / "no") == str(program)
