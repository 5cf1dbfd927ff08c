"""A file of parameters, as YAML or JSON, read as papermill's `-f` reads it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nbpr.errors import BadInput, Missing

_DATE = "tag:yaml.org,2002:timestamp"


def read(file: Path) -> dict[str, Any]:
    """The parameters by name; a date stays the text that it is. Raises `BadInput` for any other file."""
    try:
        import yaml
    except ImportError:
        raise Missing("PyYAML") from None
    try:
        found = yaml.load(file.read_text(encoding="utf-8"), _loader(yaml.SafeLoader))
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{file}: cannot be read: {error}") from None
    except yaml.YAMLError as error:
        raise BadInput(f"{file}: not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(found, dict) or not all(isinstance(name, str) for name in found):
        raise BadInput(f"{file}: names and their values are wanted", hint="threshold: 0.9")
    return found


def _loader(safe: Any) -> Any:
    """The safe loader, but for dates: they are no JSON, and papermill leaves them as they are written too."""

    class Loader(safe):  # type: ignore[misc]
        yaml_implicit_resolvers = {  # noqa: RUF012 - yaml's name for it
            sign: [(tag, pattern) for tag, pattern in resolvers if tag != _DATE]
            for sign, resolvers in safe.yaml_implicit_resolvers.items()
        }

    return Loader
