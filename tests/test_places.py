"""Where files are told from."""

from __future__ import annotations

from pathlib import Path

import pytest

from nbpr.errors import BadInput
from nbpr.places import find_root, path_below, root_of


def test_the_top_folder_is_the_nearest_with_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / "sub" / "deep").mkdir(parents=True)
    assert find_root(tmp_path / "sub" / "deep" / "a.ipynb") == tmp_path
    (tmp_path / "sub" / ".git").write_text("gitdir: elsewhere\n")
    assert find_root(tmp_path / "sub" / "deep" / "a.ipynb") == tmp_path / "sub"
    monkeypatch.chdir(tmp_path / "sub" / "deep")
    assert root_of([Path("a.ipynb")]) == tmp_path / "sub"


def test_outside_of_a_checkout_it_is_what_the_files_share(tmp_path: Path) -> None:
    assert find_root(tmp_path / "a.ipynb") is None
    assert root_of([tmp_path / "x" / "a.ipynb", tmp_path / "y" / "b.ipynb"]) == tmp_path


def test_paths_are_posix_from_the_top(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path / "sub")
    assert path_below(tmp_path, Path("../sub/a.ipynb")) == "sub/a.ipynb"


def test_nothing_outside_of_it_not_by_a_link_either(tmp_path: Path) -> None:
    top = tmp_path / "top"
    top.mkdir()
    (tmp_path / "a.ipynb").touch()
    (top / "link.ipynb").symlink_to(tmp_path / "a.ipynb")
    (top / "out").symlink_to(tmp_path)
    (top / "in.ipynb").touch()
    (top / "fine.ipynb").symlink_to("in.ipynb")
    for place in (tmp_path / "a.ipynb", top / "link.ipynb", top / "out" / "a.ipynb"):
        with pytest.raises(BadInput, match="not in"):
            path_below(top, place)
    assert path_below(top, top / "fine.ipynb") == "fine.ipynb"
