"""nbpr's part of `.gitattributes`: put in, replaced and taken out without touching what others wrote."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbpr.errors import BadInput
from nbpr.git import attributes

PART = (
    b"# >>> nbpr: nbpr init writes the lines up to the end mark anew\n"
    b"*.ipynb filter=nbpr diff=nbpr merge=nbpr\n"
    b"runs/** -filter -text -merge linguist-generated\n"
    b"# <<< nbpr\n"
)
RULES = attributes.lines("runs")
OTHERS = st.lists(
    st.sampled_from(
        [b"*.png binary", b"# a comment", b"", b"*.ipynb filter=nbstripout", b"# nbpr is near", b"\xff\xfe"]
    )
).map(b"\n".join)


def test_the_lines_are_exactly_these() -> None:
    assert attributes.with_part(b"", RULES) == PART


@given(OTHERS, st.sampled_from([b"\n", b"\r\n"]), st.booleans())
def test_what_others_wrote_stays_byte_for_byte(others: bytes, newline: bytes, ends: bool) -> None:
    content = (others + b"\n" * ends).replace(b"\n", newline)
    after = attributes.with_part(content, RULES)
    assert after.startswith(content)
    assert attributes.with_part(after, RULES) == after
    assert attributes.without_part(after) == content
    assert (b"\r\n" in after) == (b"\r\n" in content)


def test_a_last_line_without_an_end_is_given_back_also_after_another_init() -> None:
    for content in (b"a", b"a\r\nb"):
        older = attributes.with_part(content, ("*.ipynb filter=nbpr",))
        assert attributes.without_part(attributes.with_part(older, RULES)) == content


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"", None),
        (b"*.ipynb filter=nbstripout\n*.ipynb diff=ipynb\n", "nbstripout"),
        (b"**/*.ipynb  diff=x filter=nbwipers", "nbwipers"),
        (b"# *.ipynb filter=nbstripout\n*.py filter=x\n*.ipynb text\n", None),
        (b"*.ipynb filter=nbstripout\n*.ipynb filter=nbpr\n", None),
        (PART, None),
    ],
)
def test_another_filter_of_the_file_is_known(content: bytes, name: str | None) -> None:
    assert attributes.other_filter(content) == name
    assert attributes.other_filter(content + b"\n" + PART) == name


def test_all_of_a_users_repositories() -> None:
    assert attributes.everywhere("runs") == (
        "*.ipynb filter=nbpr diff=nbpr merge=nbpr",
        "runs/**/*.ipynb -filter -merge",
    )


def test_an_older_part_is_replaced_where_it_stands() -> None:
    old = b"a\n# >>> nbpr, some other words\nold lines\n# <<< nbpr\nb\n"
    assert attributes.with_part(old, RULES) == b"a\n" + PART + b"b\n"
    assert attributes.without_part(old) == b"a\nb\n"


def test_a_second_part_goes() -> None:
    assert attributes.with_part(PART + b"b\n" + PART, RULES) == PART + b"b\n"


@pytest.mark.parametrize("cut", [PART.replace(b"# <<< nbpr\n", b""), b"x\n# <<< nbpr\n", PART + b"# >>> nbpr\n"])
def test_a_part_without_its_beginning_or_end_is_not_guessed_at(cut: bytes) -> None:
    with pytest.raises(BadInput, match="cut in two"):
        attributes.with_part(cut, RULES)
    with pytest.raises(BadInput, match="cut in two"):
        attributes.without_part(cut)


@pytest.mark.parametrize("runs", ["runs", "a b/runs", "out/räns", "#runs", "we[ird]*", 'qu"ote', "back\\slash", "!no"])
def test_git_understands_the_folder_of_runs(runs: str, tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    (tmp_path / ".gitattributes").write_bytes(attributes.with_part(b"", attributes.lines(runs)))
    paths = [f"{runs}/a/b.ipynb", "notebooks/b.ipynb"]
    words = ["git", "-C", str(tmp_path), "check-attr", "-z", "filter", "--", *paths]
    said = subprocess.run(words, capture_output=True, check=True).stdout.split(b"\0")
    assert said[2::3][:2] == [b"unset", b"nbpr"]


@pytest.mark.parametrize(
    ("value", "notebook", "run"),
    [
        ("nbpr", None, "runs go through the filter nbpr"),
        ("nbstripout", "its filter is nbstripout", "runs go through the filter nbstripout"),
        ("unset", "no filter cleans it", None),
        ("unspecified", "no filter cleans it", None),
    ],
)
def test_what_is_wrong_with_what_holds(value: str, notebook: str | None, run: str | None) -> None:
    assert attributes.problem({"filter": value}, is_run=False) == notebook
    assert attributes.problem({"filter": value}, is_run=True) == run
