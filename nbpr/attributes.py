"""What nbpr writes into a repository's `.gitattributes`: its own lines between two comment lines.

Pure functions over the file's bytes. What other people wrote stays byte for byte, line endings included.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from nbpr.errors import BadInput

#: The name of our filter and diff drivers in git's configuration.
DRIVER = "nbpr"
BEGIN = "# >>> nbpr: nbpr init writes the lines up to the end mark anew"
END = "# <<< nbpr"
_PART = re.compile(rb"^# >>> nbpr[^\n]*\n(?:[^\n]*\n)*?# <<< nbpr[^\n]*(?:\n|\Z)", re.MULTILINE)
_MARK = re.compile(rb"^# (?:>>>|<<<) nbpr", re.MULTILINE)


def lines(runs: str) -> tuple[str, ...]:
    """The rules: notebooks are filtered; runs keep their outputs, and two of them are never mixed into one."""
    return (
        f"*.ipynb filter={DRIVER} diff={DRIVER}",
        f"{_pattern(runs)} -filter -text -merge linguist-generated",
    )


def with_part(content: bytes, runs: str) -> bytes:
    """The file with our part in it: where it stands already, else at the end, where it goes before the rest.

    Raises BadInput if one of the two marks is missing.
    """
    newline = b"\r\n" if b"\r\n" in content else b"\n"
    part = b"".join(line.encode() + newline for line in (BEGIN, *lines(runs), END))
    _check_marks(content)
    found = _PART.search(content)
    if found:
        return content[: found.start()] + part + _PART.sub(b"", content[found.end() :])
    gap = newline if content and not content.endswith(b"\n") else b""
    return content + gap + part


def without_part(content: bytes) -> bytes:
    """The file without our part. Raises BadInput if one of the two marks is missing."""
    _check_marks(content)
    return _PART.sub(b"", content)


def _check_marks(content: bytes) -> None:
    left = _MARK.search(_PART.sub(b"", content))
    if left:
        mark = content[content.index(left[0]) :].splitlines()[0].decode("utf-8", "replace")
        raise BadInput(
            f".gitattributes: nbpr's part is cut in two at {mark!r}",
            hint=f"take its lines out, from {BEGIN[:10]!r} to {END!r}, and run again",
        )


def _pattern(folder: str) -> str:
    """Everything below a folder, as `.gitattributes` spells it."""
    escaped = re.sub(r"([\\*?\[]|^!)", r"\\\1", folder.strip("/")) + "/**"
    if not re.search(r'[\s"\\]', escaped) and escaped[0] != "#":
        return escaped
    return '"' + escaped.replace("\\", "\\\\").replace('"', '\\"') + '"'


def problem(found: Mapping[str, str], *, is_run: bool) -> str | None:
    """What is wrong with the attributes that hold for a file, as `git check-attr` names them, or None."""
    value = found.get("filter", "unspecified")
    if is_run:
        return None if value in ("unset", "unspecified") else f"runs go through the filter {value}"
    if value == DRIVER:
        return None
    return "no filter cleans it" if value in ("unset", "unspecified", "set") else f"its filter is {value}"
