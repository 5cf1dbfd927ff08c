"""The pairs of two sequences, in order, that are worth the most together."""

from __future__ import annotations

from collections.abc import Sequence


def heaviest(weights: Sequence[Sequence[float]]) -> list[tuple[int, int]]:
    """Pairs (x, y) that rise on both sides and whose `weights[x][y]` sum up to the most; those of weight 0 are none.

    Takes time in proportion to the number of weights.
    """
    rows, columns = len(weights), len(weights[0]) if weights else 0
    best = [[0.0] * (columns + 1) for _ in range(rows + 1)]
    for x in reversed(range(rows)):
        for y in reversed(range(columns)):
            best[x][y] = max(best[x + 1][y], best[x][y + 1], best[x + 1][y + 1] + weights[x][y])
    found = []
    x = y = 0
    while x < rows and y < columns:
        if weights[x][y] and best[x][y] == best[x + 1][y + 1] + weights[x][y]:
            found.append((x, y))
            x, y = x + 1, y + 1
        elif best[x][y] == best[x + 1][y]:
            x += 1
        else:
            y += 1
    return found
