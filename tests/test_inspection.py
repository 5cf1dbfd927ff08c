"""Looking at notebooks in a checkout, and mending them there."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from nbpr import inspection
from nbpr.errors import BadInput
from nbpr.findings import Finding
from nbpr.git.checkout import root_of
from nbpr.inspection import Inspection
from nbpr.notebooks import allowlist
from nbpr.setup import setup
from tests.checking import (
    CLEAN,
    DIRTY,
    DOUBLED,
    LEAKING,
    NB,
    OUTPUT,
    RUN,
    TOKEN,
    in_checkout,
    told,
)
from tests.conftest import git
from tests.projects import cell, dumped, write


def test_without_names_the_configured_notebooks_and_the_runs_are_looked_at(repository: Path) -> None:
    write(repository, {NB: DIRTY, RUN: DIRTY, "other.ipynb": DIRTY, ".gitignore": "notebooks/draft*\n"})
    write(repository, {"notebooks/draft.ipynb": DIRTY, "runs/x.ipynb": LEAKING})
    assert told(in_checkout(repository)) == [(NB, "clean", "error"), ("runs/x.ipynb", "secrets", "error")]
    write(repository, {"nbpr.toml": 'notebooks = ["*.ipynb"]\nruns = "elsewhere"\n'})
    assert told(in_checkout(repository)) == [("other.ipynb", "clean", "error")]


def test_outside_of_a_repository_it_is_the_same(tmp_path: Path) -> None:
    write(tmp_path, {NB: DIRTY, RUN: DIRTY})
    assert told(in_checkout(tmp_path)) == [(NB, "clean", "error")]
    assert told(in_checkout(tmp_path, NB, NB)) == [(NB, "clean", "error")]
    assert root_of([], tmp_path) == tmp_path
    assert root_of([tmp_path / NB, tmp_path / "other.ipynb"], tmp_path / "here") == tmp_path


def test_everything_is_a_finding_and_nothing_a_crash(repository: Path) -> None:
    (repository / "folder.ipynb").mkdir()
    write(
        repository, {"text.txt": "no notebook", "nul\n.ipynb": b"\0", "old.ipynb": b'{"nbformat": 3, "worksheets": []}'}
    )
    write(repository, {"lfs.ipynb": "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "shut": b""})
    names = ("missing.ipynb", "folder.ipynb", "text.txt", "nul\n.ipynb", "old.ipynb", "lfs.ipynb")
    found = in_checkout(repository, *names)
    assert told(found) == [*((name, "format", "error") for name in names[:-1]), ("lfs.ipynb", "format", "note")]
    assert not found.ok
    (repository / "shut").chmod(0)
    if not os.access(repository / "shut", os.R_OK):
        assert "Permission denied" in in_checkout(repository, "shut").findings[0].message


def test_mending_leaves_only_what_cannot_be_mended(repository: Path) -> None:
    bad = dumped([cell("a", "code", f"t = '{TOKEN}'", outputs=OUTPUT), cell("a", "code", "2")])
    write(repository, {NB: bad, "notebooks/ok.ipynb": CLEAN, RUN: DOUBLED, "notebooks/no.ipynb": "{"})
    (repository / NB).chmod(0o640)
    found = in_checkout(repository, fix=True)
    assert found.mended == (NB,)
    assert told(found) == [
        (NB, "secrets", "error"),
        ("notebooks/no.ipynb", "format", "error"),
        (RUN, "format", "error"),
    ]
    assert (repository / NB).stat().st_mode & 0o777 == 0o640
    assert (repository / "notebooks/no.ipynb").read_bytes() == b"{"
    assert in_checkout(repository, fix=True).mended == ()
    assert [path.name for path in repository.glob("notebooks/.*")] == []


def test_only_what_is_wanted_is_looked_for_and_mended(repository: Path) -> None:
    bad = dumped([cell("a", "code", f"t = '{TOKEN}'", outputs=OUTPUT), cell("a", "code", "2")])
    write(repository, {NB: bad})
    for check in inspection.STATIC[:3]:
        assert {each for _, each, _ in told(in_checkout(repository, NB, only=(check,)))} == {check}
    in_checkout(repository, NB, only=("clean",), fix=True)
    assert told(in_checkout(repository, NB, only=("format", "clean"))) == [(NB, "format", "error")]


def test_a_link_stays_one_when_its_target_is_mended(repository: Path) -> None:
    write(repository, {NB: DIRTY})
    (repository / "link.ipynb").symlink_to(NB)
    assert in_checkout(repository, "link.ipynb", fix=True).mended == ("link.ipynb",)
    assert (repository / "link.ipynb").is_symlink()
    assert (repository / NB).read_bytes() == CLEAN


@pytest.mark.parametrize("in_a_repository", [True, False])
def test_without_names_no_link_is_followed_out_of_the_checkout(
    in_a_repository: bool, repository: Path, tmp_path: Path
) -> None:
    root = repository if in_a_repository else tmp_path / "plain"
    write(root, {NB: DIRTY, RUN: DIRTY})
    mine = tmp_path / "mine.ipynb"
    mine.write_bytes(DIRTY)
    (root / "notebooks/out.ipynb").symlink_to(mine)
    (root / "notebooks/run.ipynb").symlink_to(root / RUN)
    assert in_checkout(root, fix=True).mended == (NB,)
    assert (mine.read_bytes(), (root / RUN).read_bytes()) == (DIRTY, DIRTY)


def test_levels_limits_and_cleaning_are_those_of_the_settings(repository: Path) -> None:
    settings = 'max-output = 5\n[checks]\nclean = "off"\nsize = "warning"\n'
    write(repository, {NB: DIRTY, "notebooks/b.ipynb": DIRTY, "nbpr.toml": settings})
    own = '[notebook."notebooks/b.ipynb"]\nmax-output = 5000\n'
    (repository / "nbpr.toml").write_text(settings + own)
    found = in_checkout(repository)
    assert told(found) == [(NB, "size", "warning")]
    assert found.ok
    (repository / "nbpr.toml").write_text("[clean]\nmax-size = 1000\nkeep-count = true\n")
    assert told(in_checkout(repository)) == []


def test_where_a_filter_takes_outputs_out_they_are_only_noted_and_stay(repository: Path) -> None:
    write(repository, {NB: DIRTY, "nbpr.toml": "max-output = 5\n"})
    setup.init(repository)
    found = in_checkout(repository, fix=True)
    assert told(found) == [(NB, "clean", "note")]
    assert found.ok
    assert found.findings[0].message.endswith("git takes them out when the file is added")
    assert (repository / NB).read_bytes() == DIRTY
    write(repository, {NB: dumped([cell("a", "code", "1", outputs=OUTPUT), cell("a", "code", "2")])})
    assert in_checkout(repository, fix=True).mended == (NB,)
    assert json.loads((repository / NB).read_bytes())["cells"][0]["outputs"] == OUTPUT
    git(repository, "config", "--remove-section", "filter.nbpr")
    assert ("clean", "error") in [each[1:] for each in told(in_checkout(repository))]


def test_what_is_allowed_there_is_passed_over_and_a_broken_list_refused(repository: Path) -> None:
    write(repository, {NB: LEAKING, allowlist.NAME: f"{allowlist.digest(TOKEN)}  of the docs\n"})
    assert told(in_checkout(repository)) == []
    write(repository, {allowlist.NAME: "nonsense\n"})
    with pytest.raises(BadInput, match=r"^\.nbpr-allowed: line 1"):
        in_checkout(repository)


def test_the_object_that_json_prints() -> None:
    finding = Finding("size", "warning", "a", "m")
    found = Inspection((finding,), ("a",), 2)
    assert found.as_json() == {"ok": True, "findings": [finding.as_json()], "mended": ["a"], "notebooks": 2}
    assert not Inspection((), ("a",), 1, is_stale=True).ok
    assert not Inspection((Finding("size", "error", "a", "m"),), (), 1).ok
