"""What nbpr writes into a repository's `.gitattributes`: its own lines between two comment lines.

Pure functions over the file's bytes. What other people wrote stays byte for byte, line endings included.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from nbpr.errors import BadInput

#: The name of our filter and diff drivers in git's configuration.
DRIVER = "nbpr"
BEGIN = "# >>> nbpr: nbpr init writes the lines up to the end mark anew"
END = "# <<< nbpr"
_PART = re.compile(rb"^# >>> nbpr[^\n]*\n(?:[^\n]*\n)*?# <<< nbpr[^\n]*(?:\n|\Z)", re.MULTILINE)
_MARK = re.compile(rb"^# (?:>>>|<<<) nbpr", re.MULTILINE)


def lines(runs: str, *, filtered: bool = True) -> tuple[str, ...]:
    """The rules: notebooks are filtered; runs keep their outputs, and two of them are never mixed into one."""
    ours = f"filter={DRIVER} diff={DRIVER} merge={DRIVER}" if filtered else f"diff={DRIVER} merge={DRIVER}"
    return f"*.ipynb {ours}", f"{_pattern(runs)} -filter -text -merge linguist-generated"


def everywhere(runs: str) -> tuple[str, ...]:
    """The rules for all of a user's repositories: only notebooks are runs in those that know nothing of nbpr."""
    return lines(runs)[0], f"{_pattern(runs, '/**/*.ipynb')} -filter -merge"


def with_part(content: bytes, rules: Sequence[str]) -> bytes:
    """The file with our part in it: where it stands already, else at the end, where it goes before the rest.

    Raises BadInput if one of the two marks is missing.
    """
    newline = b"\r\n" if b"\r\n" in content else b"\n"
    part = b"".join(line.encode() + newline for line in (BEGIN, *rules, END))
    _check_marks(content)
    found = _PART.search(content)
    if found:
        after = _PART.sub(b"", content[found.end() :])
        return content[: found.start()] + (part if found[0].endswith(b"\n") else part.removesuffix(newline)) + after
    if content and not content.endswith(b"\n"):
        # A last line without an end stays the mark of such a file, by which `without_part` gives it back.
        return content + newline + part.removesuffix(newline)
    return content + part


def other_filter(content: bytes) -> str | None:
    """The filter that the file, but for our part, sends notebooks through; None if that is none, or ours."""
    name = None
    for line in _PART.sub(b"", content).decode("utf-8", "replace").splitlines():
        words = line.split()
        if words and words[0].endswith("*.ipynb"):
            name = next((word[7:] for word in reversed(words[1:]) if word.startswith("filter=")), name)
    return None if name == DRIVER else name


def without_part(content: bytes) -> bytes:
    """The file without our part. Raises BadInput if one of the two marks is missing."""
    _check_marks(content)
    rest = _PART.sub(b"", content)
    parts = _PART.findall(content)
    if parts and content.endswith(parts[-1]) and not parts[-1].endswith(b"\n"):
        return rest.removesuffix(b"\r\n" if b"\r\n" in parts[-1] else b"\n")
    return rest


def _check_marks(content: bytes) -> None:
    left = _MARK.search(_PART.sub(b"", content))
    if left:
        mark = content[content.index(left[0]) :].splitlines()[0].decode("utf-8", "replace")
        raise BadInput(
            f".gitattributes: nbpr's part is cut in two at {mark!r}",
            hint=f"take its lines out, from {BEGIN[:10]!r} to {END!r}, and run again",
        )


def _pattern(folder: str, what: str = "/**") -> str:
    """Everything below a folder, as `.gitattributes` spells it."""
    escaped = re.sub(r"([\\*?\[]|^!)", r"\\\1", folder.strip("/")) + what
    if not re.search(r'[\s"\\]', escaped) and escaped[0] != "#":
        return escaped
    return '"' + escaped.replace("\\", "\\\\").replace('"', '\\"') + '"'


def problem(found: Mapping[str, str], *, is_run: bool) -> str | None:
    """What is wrong with the filter that holds for a file, as `git check-attr` names it, or None."""
    value = found.get("filter", "unspecified")
    if is_run:
        return None if value in ("unset", "unspecified") else f"runs go through the filter {value}"
    if value == DRIVER:
        return None
    return "no filter cleans it" if value in ("unset", "unspecified", "set") else f"its filter is {value}"
