"""How long a diff may look for likenesses before it takes a coarser answer."""

from __future__ import annotations

#: Seconds, on an ordinary machine.
SECONDS = 3.0


class Patience:
    """Counts what comparisons cost, in microseconds as estimated; past the limit `coarse` is set.

    Counted, not timed, so that the same two notebooks have the same diff on every machine.
    """

    def __init__(self, seconds: float = SECONDS) -> None:
        self.left = seconds * 1e6
        self.coarse = False

    def allows(self, cost: float) -> bool:
        """Whether there is patience for what costs so much, which is then spent; else the answer is a coarse one."""
        if cost > self.left:
            self.coarse = True
            return False
        self.left -= cost
        return True
