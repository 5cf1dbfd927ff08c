"""A page opened in a headless Chromium until it is ready, for the benchmark: `reviewpage.py PAGE`.

Prints the seconds from opening to the last picture decoded, `{"seconds"}`; starting the browser does not count.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

if __name__ == "__main__":
    # As a script this folder is what Python looks in; the packages are one up.
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from tests.render.browser import Watched, chromium

#: What a page has when nothing more comes: every picture in it decoded.
READY = "[...document.images].every(image => image.complete && image.naturalWidth > 0)"


def main(page: str) -> int:
    """Open the page, wait until it is ready, print how long that took."""
    with chromium() as browser:
        watched = Watched(browser)
        start = time.perf_counter()
        watched.open(Path(page).resolve()).wait_for_function(READY)
        print(json.dumps({"seconds": time.perf_counter() - start}))
        watched.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
