"""nbval's markers: what a cell's comments and tags say about how it is validated.

The rules are nbval's own (`nbval.plugin.find_comment_markers`, `find_metadata_tags`), kept here because they
are needed where importing pytest is not; a test holds both equal.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

#: Comment -> what it sets. As a tag: in small letters, with hyphens.
_COMMENTS: dict[str, tuple[str, bool]] = {
    "PYTEST_VALIDATE_IGNORE_OUTPUT": ("check", False),
    "NBVAL_IGNORE_OUTPUT": ("check", False),
    "NBVAL_CHECK_OUTPUT": ("check", True),
    "NBVAL_RAISES_EXCEPTION": ("raises", True),
    "NBVAL_SKIP": ("skip", True),
}
_TAGS = {comment.lower().replace("_", "-"): effect for comment, effect in _COMMENTS.items()}
_TAGS["raises-exception"] = ("raises", True)


@dataclass(frozen=True)
class Markers:
    """Whether a cell's outputs are compared (None: not marked), whether it may raise, whether it is left out."""

    check: bool | None = None
    raises: bool = False
    skip: bool = False


def markers(source: str, tags: Iterable[str] = ()) -> Markers:
    """A code cell's markers as nbval-lax reads them: the last one wins, and comments win over tags."""
    found = {**dict(_of_tags(tags)), **dict(_of_comments(source))}
    return Markers(**found)


def _of_tags(tags: Iterable[str]) -> Iterable[tuple[str, bool]]:
    return (_TAGS[tag] for tag in tags if isinstance(tag, str) and tag in _TAGS)


def _of_comments(source: str) -> Iterable[tuple[str, bool]]:
    for line in source.splitlines():
        text = line.strip()
        if text.startswith("#"):
            comment = text.lstrip("#").strip()
            if comment in _COMMENTS:
                yield _COMMENTS[comment]
