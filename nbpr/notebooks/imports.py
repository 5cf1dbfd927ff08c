"""What code names: the modules that it imports, folders that it puts on the path, words that may be files.

Read from the source alone; nothing runs. What is no Python is read line by line.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

#: Lines that are the shell's or IPython's, and no Python.
_MAGIC = re.compile(r"^[^\S\n]*(?:[!%?]|\w[\w, ]*=\s*[!%]).*$", re.MULTILINE)
_LINE = re.compile(r"^\s*(?:from\s+(?P<origin>\.*[\w.]*)\s+import\s+(?P<names>[\w, ]+)|import\s+(?P<modules>[\w., ]+))")
_PATH = re.compile(r"sys\.path\.(?:append|insert)\([^\"'\n]{0,200}[rbuf]{0,2}([\"'])(?P<place>[^\"'\n]+)\1")


@dataclass(frozen=True)
class Names:
    """What code names. `modules` are dotted, relative ones with their dots; `paths` what it puts on `sys.path`."""

    modules: frozenset[str] = frozenset()
    paths: tuple[str, ...] = ()
    text: str = field(default="", repr=False)


def of_code(sources: Iterable[str]) -> Names:
    """What the code of some cells, or of a file, names."""
    every = list(sources)
    modules = frozenset(name for source in every for name in _modules(source))
    text = "\n".join(every)
    return Names(modules, tuple(found["place"] for found in _PATH.finditer(text)), text)


def _modules(source: str) -> Iterator[str]:
    try:
        tree = ast.parse(_MAGIC.sub("pass", source))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        yield from _by_line(source)
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            origin = "." * node.level + (node.module or "")
            yield from _from(origin, [alias.name for alias in node.names])
        elif isinstance(node, ast.Call) and _is_import(node):
            yield from (str(each.value) for each in node.args[:1] if isinstance(each, ast.Constant))


def _is_import(node: ast.Call) -> bool:
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    return name in ("import_module", "__import__", "run_module")


def _from(origin: str, names: Iterable[str]) -> Iterator[str]:
    """`from a import b` names a, and b may be a module of it."""
    yield origin
    yield from (f"{origin}{name}" if origin.endswith(".") else f"{origin}.{name}" for name in names if name != "*")


def _by_line(source: str) -> Iterator[str]:
    for line in source.splitlines():
        found = _LINE.match(line)
        if found is None:
            continue
        if found["modules"]:
            yield from (part.split(" as ")[0].strip() for part in found["modules"].split(",") if part.strip())
        else:
            yield from _from(found["origin"], [part.strip() for part in found["names"].split(",")])
