"""The program's door. What is asked most often is answered before anything heavy is imported."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line with the process's arguments and exit."""
    if sys.argv[1:] == ["--version"]:
        from nbpr import __version__

        sys.stdout.write(f"nbpr {__version__}\n")
        return
    if sys.argv[1:2] == ["run"] or (sys.argv[1:2] == ["validate"] and "--no-cache" in sys.argv):
        _get_ready()
    from nbpr.cli.main import run

    sys.exit(run(sys.argv[1:]))


def _get_ready() -> None:
    """Have what runs notebooks get ready while the command line is read, which takes a tenth of a second."""
    from nbpr import process
    from nbpr.engines import stem

    stem.ahead(process.kernel_environment())


if __name__ == "__main__":
    main()
