"""Small plots as inline SVG: no style attributes, no scripts, nothing from elsewhere, colours from the page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

_MARGIN = 3.0


class _Scale(NamedTuple):
    """Where values lie in a plot: the least at the bottom, the greatest at the top."""

    low: float
    high: float
    places: int
    width: int
    height: int

    def point(self, place: int, value: float) -> str:
        step = (self.width - 2 * _MARGIN) / max(1, self.places - 1)
        return f"{_MARGIN + step * place:.1f},{self.level(value):.1f}"

    def level(self, value: float) -> float:
        # Halves first: the span of two floats may be more than a float.
        span = self.high / 2 - self.low / 2
        share = (value / 2 - self.low / 2) / span if span else 0.5
        return self.height - _MARGIN - share * (self.height - 2 * _MARGIN)


def sparkline(
    values: Sequence[float | int | None],
    *,
    label: str = "",
    low: float | None = None,
    high: float | None = None,
    width: int = 120,
    height: int = 28,
) -> str:
    """Numbers over time as a line, oldest first, the newest marked by a dot; "" where there is no number.

    None, NaN and infinities are gaps. `low` and `high` are bounds, drawn as dashed lines. The SVG is to stand
    inline in a page: it takes the colour of the text (classes `sparkline`, `sparkline-bound`), and is named by its
    `label`, which is escaped, and the first and last value, for who cannot see it.
    """
    known = [(place, value) for place, value in enumerate(map(_number, values)) if value is not None]
    if not known:
        return ""
    bounds = [bound for bound in map(_number, (low, high)) if bound is not None]
    seen = [value for _, value in known] + bounds
    scale = _Scale(min(seen), max(seen), len(values), width, height)
    lines = "".join(_bound(scale, bound) for bound in bounds)
    runs = "".join(_run(scale, run) for run in _runs(known))
    x, y = scale.point(*known[-1]).split(",")
    name = _escaped(f"{label}: {_said([value for _, value in known])}".removeprefix(": "))
    return (
        f'<svg class="sparkline" role="img" aria-label="{name}" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg"><title>{name}</title>'
        f'{lines}{runs}<circle cx="{x}" cy="{y}" r="2.5" fill="currentColor"/></svg>'
    )


def _number(value: float | int | None) -> float | None:
    try:
        found = math.nan if value is None or isinstance(value, bool) else float(value)
    except OverflowError:
        return None
    return found if math.isfinite(found) else None


def _runs(known: Sequence[tuple[int, float]]) -> list[list[tuple[int, float]]]:
    """The values in runs without a gap."""
    runs: list[list[tuple[int, float]]] = []
    for place, value in known:
        if runs and runs[-1][-1][0] == place - 1:
            runs[-1].append((place, value))
        else:
            runs.append([(place, value)])
    return runs


def _run(scale: _Scale, run: Sequence[tuple[int, float]]) -> str:
    points = [scale.point(place, value) for place, value in run]
    if len(points) == 1:
        x, y = points[0].split(",")
        return f'<circle cx="{x}" cy="{y}" r="1" fill="currentColor"/>'
    line = " ".join(points)
    return f'<polyline points="{line}" fill="none" stroke="currentColor" stroke-width="1.5" stroke-linejoin="round"/>'


def _bound(scale: _Scale, value: float) -> str:
    y = f"{scale.level(value):.1f}"
    ends = f'x1="0" x2="{scale.width}" y1="{y}" y2="{y}"'
    return f'<line class="sparkline-bound" {ends} stroke="currentColor" stroke-opacity="0.5" stroke-dasharray="3 3"/>'


def _said(values: Sequence[float]) -> str:
    if len(values) == 1:
        return f"{values[0]:.6g}"
    first, last, least, most = (f"{value:.6g}" for value in (values[0], values[-1], min(values), max(values)))
    return f"{len(values)} values from {first} to {last}, least {least}, most {most}"


def _escaped(text: str) -> str:
    signs = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;"}
    return "".join(signs.get(sign, sign) for sign in text if sign.isprintable())
