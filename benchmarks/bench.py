"""`make bench`: nbpr measured against the tools that people would use instead. The options are in command.py."""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":
    # As a script this folder is what Python looks in; the package is one up.
    sys.path[0] = str(Path(__file__).resolve().parent.parent)
    from benchmarks.command import main

    sys.exit(main())
