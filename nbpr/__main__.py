"""The program's door. What is asked most often is answered before anything heavy is imported."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line with the process's arguments and exit."""
    if sys.argv[1:] == ["--version"]:
        from nbpr import __version__

        sys.stdout.write(f"nbpr {__version__}\n")
        return
    from nbpr.cli.main import run

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
