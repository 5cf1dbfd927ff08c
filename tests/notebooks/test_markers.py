"""Markers are read as nbval reads them."""

from __future__ import annotations

import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbpr.notebooks.markers import Markers, markers

LINES = st.sampled_from(
    [
        "# NBVAL_CHECK_OUTPUT",
        "#NBVAL_IGNORE_OUTPUT",
        "  ## NBVAL_SKIP  ",
        "# NBVAL_RAISES_EXCEPTION",
        "# PYTEST_VALIDATE_IGNORE_OUTPUT",
        "# NBVAL_SKIP this one",
        "print('# NBVAL_SKIP')",
        "x = 1  # NBVAL_CHECK_OUTPUT",
        "",
    ]
)
TAGS = st.sampled_from(
    [
        "nbval-check-output",
        "nbval-ignore-output",
        "nbval-skip",
        "nbval-raises-exception",
        "raises-exception",
        "pytest-validate-ignore-output",
        "NBVAL_SKIP",
        "parameters",
    ]
)


@given(st.lists(LINES, max_size=4).map("\n".join), st.lists(TAGS, max_size=3))
def test_as_nbval_reads_them(source: str, tags: list[str]) -> None:
    from nbpr.notebooks.notebook import quick_imports

    quick_imports()
    from nbval import plugin

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wanted = dict(plugin.find_metadata_tags({"tags": tags})) | dict(plugin.find_comment_markers(source))
    found = markers(source, tags)
    assert found == Markers(
        check=wanted.get("check"),
        raises=wanted.get("check_exception", False),
        skip=wanted.get("skip", False),
    )


@pytest.mark.parametrize(
    ("source", "tags", "wanted"),
    [
        ("1", (), Markers()),
        ("# NBVAL_CHECK_OUTPUT\n1", (), Markers(check=True)),
        ("# NBVAL_IGNORE_OUTPUT\n1", ("nbval-check-output",), Markers(check=False)),
        ("1", ("raises-exception",), Markers(raises=True)),
        ("#   NBVAL_SKIP", (), Markers(skip=True)),
    ],
)
def test_examples(source: str, tags: tuple[str, ...], wanted: Markers) -> None:
    assert markers(source, tags) == wanted
