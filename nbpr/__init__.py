"""Pull requests for notebooks: edit, run, prove that it reproduces, show what changed, open the pull request.

The names below are the public Python surface. They are loaded when first used, so that `import nbpr` costs nothing.
"""

from __future__ import annotations

# Type checkers take this name for true. `typing` itself takes longer to import than everything else here.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from nbpr.errors import BadInput as BadInput
    from nbpr.errors import CheckFailed as CheckFailed
    from nbpr.errors import Conflict as Conflict
    from nbpr.errors import NbprError as NbprError
    from nbpr.errors import NotAllowed as NotAllowed
    from nbpr.errors import OutOfReach as OutOfReach
    from nbpr.executor import NotebookExecutor as NotebookExecutor

__version__ = "0.1.0"

_PLACES = {
    "NotebookExecutor": "nbpr.executor",
    "NbprError": "nbpr.errors",
    "BadInput": "nbpr.errors",
    "CheckFailed": "nbpr.errors",
    "Conflict": "nbpr.errors",
    "NotAllowed": "nbpr.errors",
    "OutOfReach": "nbpr.errors",
}
__all__ = ["BadInput", "CheckFailed", "Conflict", "NbprError", "NotAllowed", "NotebookExecutor", "OutOfReach"]


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'nbpr' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_PLACES[name]), name)


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
