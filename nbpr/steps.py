"""Steps: the boundaries at which a command can be killed, named, so that each can be tried.

Every write that others can see, and every run, is a step. Nothing listens outside of tests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

#: Told of every boundary by its name, "before push", "after push". Tests put a killer here.
listener: Callable[[str], None] | None = None


@contextmanager
def step(name: str) -> Iterator[None]:
    """One step: its two boundaries are what lies before and after the block."""
    if listener is not None:
        listener(f"before {name}")
    yield
    if listener is not None:
        listener(f"after {name}")
