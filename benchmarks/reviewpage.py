"""The review page of a large change: written, then opened in a headless Chromium until it is ready.

`python -m benchmarks.reviewpage` prints the seconds for 500 cells that all changed, with 5 MB of pictures. Run from
the repository's root; it needs Chromium and Playwright, as the tests of the page do.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

from nbpr.render import html
from tests.render.browser import Watched, chromium
from tests.render.pages import large

ROUNDS = 5

#: What a page has when nothing more comes: every picture in it decoded.
READY = "[...document.images].every(image => image.complete && image.naturalWidth > 0)"


def main() -> None:
    """Print how long the page takes to write, and to be ready in the browser, median and worst of some rounds."""
    report = large()
    start = time.perf_counter()
    text = html.render(report)
    print(f"written in {time.perf_counter() - start:.2f} s, {len(text) / 1e6:.1f} MB")
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        page = Path(folder) / "page.html"
        page.write_text(text, encoding="utf-8")
        seconds = [_ready(browser, page) for _ in range(ROUNDS)]
    print(f"ready in {statistics.median(seconds):.2f} s, at worst {max(seconds):.2f} s (wanted: 3 s)")


def _ready(browser: object, page: Path) -> float:
    watched = Watched(browser)
    start = time.perf_counter()
    watched.open(page).wait_for_function(READY)
    taken = time.perf_counter() - start
    watched.close()
    return taken


if __name__ == "__main__":
    main()
