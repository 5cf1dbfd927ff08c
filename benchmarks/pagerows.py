"""The review page of a large change in a headless Chromium, where there is one."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import pytest

from benchmarks.measure import NotToBeHad, Side
from benchmarks.row import Pair, Row
from benchmarks.stage import REPOSITORY, Stage

OPENER = str(Path(__file__).with_name("reviewpage.py"))


def ready(stage: Stage) -> Pair:
    """Every cell of 500 changed, with 5 MB of pictures: written once, opened in a new browser in each round."""
    from nbpr.render import html
    from tests.render.browser import chromium
    from tests.render.pages import large

    try:
        with chromium():
            pass
    except pytest.skip.Exception as absence:
        raise NotToBeHad(str(absence)) from None
    report = large()
    start = time.perf_counter()
    text = html.render(report)
    written = f"written in {time.perf_counter() - start:.2f} s, {len(text) / 1e6:.1f} MB"
    page = stage.folder / "page.html"
    page.write_text(text, encoding="utf-8")
    side = Side(
        "the page, opened until ready", ((sys.executable, OPENER, str(page)),), REPOSITORY, stage.env, timed=_seconds
    )
    return Pair(side, None, lambda measurement: [written])


def _seconds(said: str) -> float:
    return float(json.loads(said.strip().splitlines()[-1])["seconds"])


PAGE_ROWS: tuple[Row, ...] = (Row("page/500-cells", "page, 500 cells, 5 MB", ready, 5, 2, at_most=3),)
