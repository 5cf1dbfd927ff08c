"""What branches are called."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from nbpr.config import Config
from nbpr.git.branches import new_name, slug
from nbpr.git.repository import Repository


def name(title: str, *taken: str, notebook: str = "notebooks/a b.ipynb") -> str:
    return new_name(Config(), notebook, title, "0123456789abcdef", taken)


def test_notebook_and_title_make_the_name() -> None:
    assert name("Lower the Threshold!") == "agent/a-b-lower-the-threshold"
    assert name("Schwellwert für Größe") == "agent/a-b-schwellwert-fur-groe"
    assert name("日本語") == "agent/a-b-01234567"


def test_taken_names_are_numbered() -> None:
    assert name("x", "agent/a-b-x", "agent/a-b-x-2") == "agent/a-b-x-3"
    assert name("x", "agent/a-b-x/below") == "agent/a-b-x-2"


@given(st.text())
def test_slugs_are_short_and_plain(text: str) -> None:
    made = slug(text)
    assert len(made) <= 48
    assert made == made.strip("-")
    assert all(char.isascii() and (char.isalnum() or char == "-") for char in made)


@given(title=st.text(), notebook=st.text(min_size=1))
def test_git_takes_every_name(repository: Path, title: str, notebook: str) -> None:
    repo = Repository.discover(repository)
    made = new_name(Config(), notebook, title, "0123456789abcdef", ())
    assert repo.branch_name(made) == made
