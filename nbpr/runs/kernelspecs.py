"""Kernelspecs: the kernels that Jupyter knows on this machine, by name."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nbpr.errors import BadInput, Missing


def named(name: str) -> dict[str, Any] | None:
    """The kernelspec of that name, looked for where Jupyter looks, in its order.

    jupyter_client finds the same, but importing it takes as long as the rest of what we do before a run.
    """
    try:
        from jupyter_core.paths import jupyter_path
    except ImportError:
        raise Missing("jupyter_core") from None
    for folder in jupyter_path("kernels"):
        file = Path(folder) / name / "kernel.json"
        if _is_name(name) and file.is_file():
            return _read(file)
    return every().get(name.lower())


def _read(file: Path) -> dict[str, Any]:
    try:
        spec = json.loads(file.read_text(encoding="utf-8"))
        return _filled({"language": "", **spec, "argv": [*map(str, spec["argv"])]}, str(file.parent))
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise BadInput(
            f"{file}: not a kernelspec: {error!r}", hint="mend it, or jupyter kernelspec remove it"
        ) from None


def _is_name(name: str) -> bool:
    """Whether Jupyter takes this as a kernelspec's name; above all it is no path."""
    return re.fullmatch(r"[a-z0-9._-]+", name, re.IGNORECASE) is not None


def every() -> dict[str, dict[str, Any]]:
    """The kernelspecs that Jupyter knows here, by name; `{resource_dir}` is filled in."""
    try:
        from jupyter_client.kernelspec import KernelSpecManager
    except ImportError:
        raise Missing("jupyter_client") from None
    found = KernelSpecManager().get_all_specs()
    return {name: _filled(entry["spec"], entry["resource_dir"]) for name, entry in found.items()}


def _filled(spec: Mapping[str, Any], folder: str) -> dict[str, Any]:
    return {**spec, "argv": [word.replace("{resource_dir}", folder) for word in spec["argv"]]}
