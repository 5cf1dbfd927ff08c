"""Whether requests and answers have the shapes that the forges' own descriptions give them, where those are at hand.

The descriptions are data that is not part of this project: NBPR_FORGE_API names their folder. Answers are held against
the types of what they hold; fakes leave out much of what a description calls required.
"""

from __future__ import annotations

import json
import os
import re
from functools import cache
from pathlib import Path
from typing import Any

#: Where the descriptions are, beside a checkout or where the environment says.
FOLDER = Path(os.environ.get("NBPR_FORGE_API") or Path(__file__).parents[3] / "shared" / "forge-api")


class Shapes:
    """The shapes of one kind's API below `prefix`."""

    def __init__(self, kind: str, prefix: str) -> None:
        self._kind = kind
        self._prefix = prefix
        self.description = _description(kind)

    def request(self, method: str, path: str, body: Any) -> str | None:
        """What is wrong with a request, or None."""
        operation = self._operation(method, path)
        if operation is None or body is None:
            return None
        if "multipart/form-data" in operation.get("consumes", ()):
            fields = [one["name"] for one in operation["parameters"] if one["in"] == "formData"]
            return None if list(body) == fields else f"{method} {path}: {', '.join(body)} instead of {fields}"
        schema = _request_schema(operation)
        return self._compared(f"{method} {path}", schema, body, required=True, closed=True) if schema else None

    def reply(self, method: str, path: str, status: int, data: Any, *, closed: bool = False) -> str | None:
        """What is wrong with an answer, or None; if `closed`, that it holds what the description does not know, too."""
        operation = self._operation(method, path)
        if operation is None or data is None or status >= 400:
            return None
        found = operation["responses"].get(str(status)) or {}
        response = self._resolved(found)
        schema = response.get("schema") or response.get("content", {}).get("application/json", {}).get("schema")
        return (
            self._compared(f"{method} {path} {status}", schema, data, required=False, closed=closed) if schema else None
        )

    def _operation(self, method: str, path: str) -> dict[str, Any] | None:
        if self.description is None or not path.startswith(self._prefix):
            return None
        below = path.removeprefix(self._prefix)
        found = [
            (template.count("{"), operations[method.lower()])
            for template, operations in self.description["paths"].items()
            if method.lower() in operations
            and re.fullmatch(re.sub(r"\\\{[^}]+\\\}", "[^/]+", re.escape(template)), below)
        ]
        # Of several templates the one that says most in words: `/pulls/{base}/{head}` is not `/pulls/{index}/reviews`.
        operation: dict[str, Any] | None = min(found, key=lambda one: one[0])[1] if found else None
        return operation

    def _resolved(self, node: dict[str, Any]) -> dict[str, Any]:
        while "$ref" in node:
            target: Any = self.description
            for step in node["$ref"].removeprefix("#/").split("/"):
                target = target[step]
            node = target
        return node

    def _compared(self, what: str, schema: dict[str, Any], value: Any, *, required: bool, closed: bool) -> str | None:
        complaint = self._wrong(schema, value, required, closed, 0)
        return f"{what}: {complaint}" if complaint else None

    def _wrong(self, schema: dict[str, Any], value: Any, required: bool, closed: bool, depth: int) -> str | None:
        schema = self._resolved(schema)
        if value is None:
            return None  # neither description is to be trusted about what may be null
        ways = schema.get("anyOf") or schema.get("oneOf") or ()
        if ways:
            # A way may only narrow the members that stand beside it: those count in each of them.
            beside = schema.get("properties") or {}
            narrowed = [
                {**way, "properties": {**beside, **way["properties"]}} if beside and "properties" in way else way
                for way in ways
            ]
            complaints = [self._wrong(way, value, required, closed, depth) for way in narrowed]
            return None if None in complaints else complaints[0]
        kinds: dict[str, Any] = {
            "object": dict,
            "array": list,
            "string": str,
            "integer": int,
            "boolean": bool,
            "number": (int, float),
        }
        kind = schema.get("type")
        if kind in kinds and not isinstance(value, kinds[kind]):
            return f"{str(value)[:60]!r} is no {kind}"
        if "enum" in schema and value not in schema["enum"]:
            return f"{value!r} is none of {schema['enum']}"
        if isinstance(value, dict):
            return self._wrong_member(schema, value, required, closed, depth)
        if isinstance(value, list):
            items = schema.get("items") or {}
            return next(filter(None, (self._wrong(items, one, required, closed, depth + 1) for one in value)), None)
        return None

    def _wrong_member(
        self, schema: dict[str, Any], value: dict[str, Any], required: bool, closed: bool, depth: int
    ) -> str | None:
        members = schema.get("properties") or {}
        # Gitea's description names the members of a merge in lower case only, and takes them capitalised.
        missing = [name for name in schema.get("required", ()) if name not in value and name.capitalize() not in value]
        if required and depth == 0 and missing:
            return f"lacks {', '.join(missing)}"
        unknown = [name for name in value if _plain(name) not in map(_plain, members)]
        if closed and members and unknown:
            return f"has {', '.join(unknown)}, which nobody reads"
        complaints = (
            self._wrong(members[name], one, required, closed, depth + 1)
            for name, one in value.items()
            if name in members
        )
        return next((one for one in complaints if one), None)


def _plain(name: str) -> str:
    return name.replace("_", "").lower()


def _request_schema(operation: dict[str, Any]) -> dict[str, Any] | None:
    for parameter in operation.get("parameters", ()):
        if parameter.get("in") == "body":
            found: dict[str, Any] = parameter["schema"]
            return found
    content = operation.get("requestBody", {}).get("content", {})
    schema: dict[str, Any] | None = content.get("application/json", {}).get("schema")
    return schema


@cache
def _description(kind: str) -> dict[str, Any] | None:
    place = FOLDER / f"{kind}-openapi.json"
    if not place.is_file():
        return None
    read: dict[str, Any] = json.loads(place.read_text(encoding="utf-8"))
    return read
