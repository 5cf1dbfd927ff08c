"""What a process of ours need not import: optional parts of libraries that it never uses, and that take long."""

from __future__ import annotations

import sys

from nbpr.notebooks import notebook

#: pyarrow is what papermill reads `hdfs://` with, while a child's notebook is a file in its own folder; with it comes
#: numpy, and numpy's threads, past which nothing can be forked. The rest checks formats that no notebook has.
_NEEDLESS = ("pyarrow", "rfc3986_validator", "isoduration")


def quick_imports() -> None:
    """Keep away what takes long and is not needed; to be called first, and only in a process that is all ours."""
    notebook.quick_imports()
    for name in _NEEDLESS:
        sys.modules.setdefault(name, None)  # type: ignore[arg-type]
