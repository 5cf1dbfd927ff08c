"""Which two sides are compared, by real git: files, revisions, ranges, the working copy."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from nbpr import comparison
from nbpr.comparison import Comparison, between
from nbpr.errors import BadInput
from tests.conftest import git
from tests.diff.scripts import book, code, stream


def notebook(value: str, *outputs: Any) -> dict[str, Any]:
    return book(
        code(f"threshold = {value}", "params", metadata={"tags": ["parameters"]}),
        code("show(threshold)", "show", outputs=list(outputs)),
    )


def put(root: Path, path: str, content: dict[str, Any] | str) -> None:
    place = root / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(content if isinstance(content, str) else json.dumps(content, indent=1) + "\n")


def commit(root: Path, **files: dict[str, Any] | str) -> str:
    for path, content in files.items():
        put(root, path.replace("__", "/").replace("_ipynb", ".ipynb"), content)
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "change")
    return git(root, "rev-parse", "HEAD")


@pytest.fixture
def history(repository: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`main` has 0.95, then `a/fleet.ipynb` 0.9 on `agent`; `main` goes on with another notebook."""
    commit(repository, a__fleet_ipynb=notebook("0.95"), b_ipynb=notebook("1"), readme="one\n")
    git(repository, "checkout", "-q", "-b", "agent")
    commit(repository, a__fleet_ipynb=notebook("0.9"), readme="two\n")
    git(repository, "checkout", "-q", "main")
    commit(repository, b_ipynb=notebook("2"))
    monkeypatch.chdir(repository)
    return repository


def told(found: Comparison) -> list[str]:
    """Each notebook with its parameters before and after, then the other files."""
    values = [f"{diff.path} {one.before} {one.after}" for diff in found.diffs for one in diff.parameters]
    return values + [f"{other.path} {other.status}" for other in found.others]


@pytest.mark.parametrize(
    ("words", "paths", "expected"),
    [
        (["main", "agent"], None, ["a/fleet.ipynb 0.95 0.9", "b.ipynb 2 1", "readme modified"]),
        (["main..agent"], None, ["a/fleet.ipynb 0.95 0.9", "b.ipynb 2 1", "readme modified"]),
        (["main...agent"], None, ["a/fleet.ipynb 0.95 0.9", "readme modified"]),
        (["..agent"], None, ["a/fleet.ipynb 0.95 0.9", "b.ipynb 2 1", "readme modified"]),
        (["agent.."], None, ["a/fleet.ipynb 0.9 0.95", "b.ipynb 1 2", "readme modified"]),
        (["main", "agent", "a"], None, ["a/fleet.ipynb 0.95 0.9"]),
        (["main", "agent"], ["b.ipynb", "readme"], ["b.ipynb 2 1", "readme modified"]),
        (["main", "agent"], ["."], ["a/fleet.ipynb 0.95 0.9", "b.ipynb 2 1", "readme modified"]),
        (["main", "agent"], ["gone.ipynb"], []),
        (["agent"], None, ["a/fleet.ipynb 0.9 0.95", "b.ipynb 1 2", "readme modified"]),
        (["agent", "b.ipynb"], None, ["b.ipynb 1 2"]),
        ([], None, []),
        (["HEAD~1", "HEAD"], None, ["b.ipynb 1 2"]),
    ],
)
def test_revisions(history: Path, words: list[str], paths: list[str] | None, expected: list[str]) -> None:
    assert told(between(words, paths)) == expected


def test_the_working_copy_edited_staged_deleted_and_new(history: Path) -> None:
    put(history, "a/fleet.ipynb", notebook("0.5"))
    put(history, "new.ipynb", notebook("3"))
    put(history, "staged.ipynb", book(code("something_wholly_different()", "other", metadata={"x": [1, 2, 3]})))
    git(history, "add", "staged.ipynb")
    (history / "b.ipynb").unlink()
    found = between([])
    assert {diff.path: diff.status for diff in found.diffs} == {
        "a/fleet.ipynb": "modified",
        "b.ipynb": "deleted",
        "staged.ipynb": "added",
    }
    assert told(between([], ["a"])) == ["a/fleet.ipynb 0.95 0.5"]
    assert told(between(["a/fleet.ipynb"])) == ["a/fleet.ipynb 0.95 0.5"]


def test_from_a_folder_paths_are_told_from_there(history: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(history / "a")
    assert told(between(["main", "agent", "fleet.ipynb"])) == ["a/fleet.ipynb 0.95 0.9"]
    assert told(between(["main", "agent", "../b.ipynb"])) == ["b.ipynb 2 1"]
    assert told(between(["main", "agent"])) == ["a/fleet.ipynb 0.95 0.9", "b.ipynb 2 1", "readme modified"]


def test_outputs_in_the_working_copy_are_no_change_where_none_are_kept(history: Path) -> None:
    put(history, "b.ipynb", notebook("2", stream("2\n")))
    assert not between([]).differs


def test_reference_runs_keep_their_outputs(history: Path) -> None:
    commit(history, runs__b_ipynb=notebook("2", stream("score 1\n")))
    put(history, "runs/b.ipynb", notebook("2", stream("score 2\n")))
    (diff,) = between([]).diffs
    assert (diff.path, diff.summary.outputs_changed) == ("runs/b.ipynb", 1)


def test_scraps_of_runs_are_compared(history: Path) -> None:
    def run(value: float) -> dict[str, Any]:
        payload = {"name": "health", "data": value, "encoder": "json", "version": 1}
        data = {"application/scrapbook.scrap.json+json": payload}
        return notebook("2", {"output_type": "display_data", "metadata": {}, "data": data})

    commit(history, runs__b_ipynb=run(0.9))
    commit(history, runs__b_ipynb=run(0.8))
    (row,) = between(["HEAD~1", "HEAD"]).report().scraps
    assert (row.notebook, row.name, row.before, row.after) == ("runs/b.ipynb", "health", 0.9, 0.8)


def test_a_notebook_that_moved_is_compared_with_what_it_was(history: Path) -> None:
    git(history, "mv", "a/fleet.ipynb", "moved.ipynb")
    commit(history, moved_ipynb={**notebook("0.7")})
    (diff,) = between(["HEAD~1", "HEAD"]).diffs
    assert (diff.path, diff.path_before, diff.status) == ("moved.ipynb", "a/fleet.ipynb", "modified")
    git(history, "mv", "moved.ipynb", "again.ipynb")
    (diff,) = between([]).diffs
    assert (diff.path, diff.path_before, diff.status) == ("again.ipynb", "moved.ipynb", "unchanged")


def test_what_cannot_be_read_is_named_and_the_rest_is_compared(history: Path) -> None:
    commit(history, a__fleet_ipynb="{ truncated", b_ipynb=notebook("5"))
    found = between(["HEAD~1", "HEAD"])
    assert told(found) == ["b.ipynb 2 5"]
    ((path, message),) = found.unreadable
    assert path == "a/fleet.ipynb"
    assert message.startswith("a/fleet.ipynb: ")
    assert found.report().notes == (f"not shown: {message}",)


def test_a_link_is_no_notebook(history: Path) -> None:
    (history / "link.ipynb").symlink_to("/etc/passwd")
    git(history, "add", "link.ipynb")
    assert told(between([])) == ["link.ipynb added"]
    (history / "b.ipynb").unlink()
    (history / "b.ipynb").symlink_to("/etc/passwd")
    assert told(between([])) == ["b.ipynb changed its type", "link.ipynb added"]


def test_a_filter_of_the_users_does_not_run(history: Path) -> None:
    (history / ".git/info/attributes").write_text("*.ipynb filter=evil\n")
    git(history, "config", "filter.evil.clean", f"touch {history}/ran; cat")
    put(history, "b.ipynb", notebook("7"))
    assert told(between([])) == ["b.ipynb 2 7"]
    assert not (history / "ran").exists()


def test_nothing_is_written(history: Path) -> None:
    put(history, "b.ipynb", notebook("7"))
    os.utime(history / "a/fleet.ipynb", (1, 1))
    index = (history / ".git/index").read_bytes()
    between([])
    assert (history / ".git/index").read_bytes() == index


# -- files -------------------------------------------------------------------------------------------------------


def test_two_files_are_compared_with_each_other(history: Path) -> None:
    found = between(["a/fleet.ipynb", "b.ipynb"])
    assert told(found) == ["b.ipynb 0.95 2"]
    assert found.diffs[0].path_before == "a/fleet.ipynb"


def test_two_files_outside_of_a_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    put(tmp_path, "x.ipynb", notebook("1"))
    put(tmp_path, "y.ipynb", notebook("2"))
    assert told(between(["x.ipynb", str(tmp_path / "y.ipynb")])) == [f"{tmp_path}/y.ipynb 1 2"]
    assert [diff.status for diff in between([os.devnull, "y.ipynb"]).diffs] == ["added"]
    assert [diff.status for diff in between(["x.ipynb", os.devnull]).diffs] == ["deleted"]
    assert not between(["x.ipynb", "x.ipynb"]).differs
    with pytest.raises(BadInput, match="not in a git repository"):
        between(["x.ipynb"])


def test_the_same_content_laid_out_otherwise_is_no_difference(tmp_path: Path) -> None:
    put(tmp_path, "x.ipynb", notebook("1"))
    (tmp_path / "y.ipynb").write_text(json.dumps(notebook("1"), indent=4, sort_keys=True))
    assert not comparison.files(tmp_path / "x.ipynb", tmp_path / "y.ipynb").differs


def test_a_file_that_is_no_notebook_is_bad_input(tmp_path: Path) -> None:
    put(tmp_path, "x.ipynb", notebook("1"))
    put(tmp_path, "y.txt", "text")
    with pytest.raises(BadInput, match=r"y\.txt"):
        comparison.files(tmp_path / "x.ipynb", tmp_path / "y.txt")


# -- revision or file --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nope"], "neither a revision nor a file"),
        (["nope..main"], "neither a revision nor a file"),
        (["b.ipynb", "main"], "'main': no such file"),
        (["main", "agent", "main"], "more than two revisions"),
        (["main..agent", "main"], "more than two revisions"),
        (["--output=x"], "neither a revision nor a file"),
        (["main", "/etc/passwd"], "outside the repository"),
    ],
)
def test_words_that_cannot_be(history: Path, words: list[str], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        between(words)


def test_a_word_that_is_both_is_ambiguous_until_it_is_told_which(history: Path) -> None:
    put(history, "agent", notebook("9"))
    git(history, "add", "agent")
    with pytest.raises(BadInput, match="'agent' is a revision and a file"):
        between(["agent"])
    with pytest.raises(BadInput, match="'agent' is a revision and a file"):
        between(["agent", "b.ipynb"])
    assert told(between(["agent"], []))[0] == "a/fleet.ipynb 0.9 0.95"
    assert told(between([], ["agent"])) == ["agent added"]


def test_after_two_dashes_revisions_have_to_be_known(history: Path) -> None:
    with pytest.raises(BadInput, match="there is no revision 'nope'"):
        between(["nope"], ["b.ipynb"])


def test_histories_without_a_common_ancestor(history: Path) -> None:
    git(history, "checkout", "-q", "--orphan", "alone")
    commit(history, b_ipynb=notebook("8"))
    with pytest.raises(BadInput, match="no common ancestor"):
        between(["main...alone"])
    assert told(between(["main..alone", "b.ipynb"])) == ["b.ipynb 2 8"]


def test_a_repository_without_commits(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(repository)
    with pytest.raises(BadInput, match="no commits yet"):
        between([])


def test_what_is_staged(history: Path) -> None:
    put(history, "b.ipynb", notebook("3"))
    git(history, "add", "b.ipynb")
    put(history, "b.ipynb", notebook("4"))
    put(history, "a/fleet.ipynb", notebook("0.8"))
    assert told(between([], staged=True)) == ["b.ipynb 2 3"]
    assert told(between(["HEAD~1"], staged=True)) == ["b.ipynb 1 3"]
    assert told(between(["HEAD~1"], ["a"], staged=True)) == []
    with pytest.raises(BadInput, match="one commit, not two"):
        between(["main", "agent"], staged=True)


def test_two_folders(history: Path, tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    for place, value in ((old, "1"), (new, "2")):
        put(place, "deep/same.ipynb", notebook("0"))
        put(place, "deep/other.ipynb", notebook(value))
        put(place, ".ipynb_checkpoints/other-checkpoint.ipynb", notebook(value))
    put(old, "gone.ipynb", notebook("0"))
    put(new, "new.ipynb", notebook("0"))
    put(new, "broken.ipynb", "{")
    found = between([str(old), str(new)])
    assert [(diff.path, diff.status) for diff in found.diffs] == [
        ("deep/other.ipynb", "modified"),
        ("gone.ipynb", "deleted"),
        ("new.ipynb", "added"),
    ]
    assert [path for path, _ in found.unreadable] == ["broken.ipynb"]


def test_noise_is_what_the_repository_configures(history: Path) -> None:
    put(history, "x.ipynb", notebook("1", stream("p95: 12.3 ms\n")))
    put(history, "y.ipynb", notebook("1", stream("p95: 13.1 ms\n")))
    assert between(["x.ipynb", "y.ipynb"]).diffs[0].summary.outputs_changed == 1
    put(history, "nbpr.toml", '[diff]\nignore = ["durations"]\n')
    (diff,) = between(["x.ipynb", "y.ipynb"]).diffs
    assert (diff.summary.outputs_changed, diff.noisy) == (0, 1)
    put(history, "nbpr.toml", '[diff]\nignore = ["nonsense"]\n')
    with pytest.raises(BadInput, match="there is no noise 'nonsense'"):
        between(["x.ipynb", "y.ipynb"])


def test_a_change_in_the_tick_of_the_clock_in_which_the_index_was_written_is_seen(history: Path) -> None:
    place, index = history / "b.ipynb", history / ".git/index"
    at = 1_700_000_000_000_000_000
    os.utime(place, ns=(at, at))
    git(history, "update-index", "--refresh")
    place.write_text(place.read_text().replace("= 2", "= 7"))  # in place, and as long as before
    for each in (place, index):
        os.utime(each, ns=(at, at))
    assert told(between([])) == ["b.ipynb 2 7"]
