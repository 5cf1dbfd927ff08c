"""What is said of a commit: a status, which every forge has, and a check with annotations, for which some have room."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Literal

from nbpr.findings import Level

State = Literal["pending", "success", "failure", "error"]


@dataclass(frozen=True)
class Status:
    """What a check says of a commit, `url` where more of it stands. A commit has one status of each `context`."""

    context: str
    state: State
    description: str = ""
    url: str = ""


@dataclass(frozen=True)
class Annotation:
    """A finding at a line (from 1) of a file, as the commit has it. `path` is POSIX, from the repository's root."""

    path: str
    line: int
    level: Level
    message: str
    title: str = ""


@dataclass(frozen=True)
class Check:
    """What a check says of a commit at length: a title, a summary in Markdown, and annotations."""

    name: str
    state: State
    title: str
    summary: str
    annotations: tuple[Annotation, ...] = ()
    url: str = ""

    @property
    def digest(self) -> str:
        """By which it is known that this very thing was said already."""
        return hashlib.sha256(json.dumps(asdict(self)).encode()).hexdigest()[:16]
