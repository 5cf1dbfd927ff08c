"""What the gate found as SARIF 2.1.0, which code scanning reads: a rule per check, a result per error and warning."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from nbpr import __version__
from nbpr.findings import Finding
from nbpr.gate.result import GateResult
from nbpr.render import judgement

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"

#: What each check looks for, as a rule's description.
RULES = {
    "format": "Notebooks are valid nbformat, with ids that are there once.",
    "clean": "Notebooks outside of the reference runs carry no outputs and no run state.",
    "execute": "Every cell runs.",
    "reproduce": "Cells that are checked give the outputs that the reference run has.",
    "reference": "The committed reference run is of this source, and its outputs are what the gate's own run gave.",
    "scraps": "Scraps keep to their bounds.",
    "secrets": "No credential stands in source, outputs, parameters or metadata.",
    "size": "Notebooks, outputs and runs keep to their sizes.",
    "weakened": "The change takes no guard away.",
}


def text(result: GateResult) -> str:
    """The log as JSON.

    Notes are left out: code scanning would open an alert for each notebook of which nothing is wrong.
    """
    found = [finding for finding in judgement.by_level(result.all_findings) if finding.level != "note"]
    checks = sorted({finding.check for finding in found} | {name for one in result.notebooks for name in one.checks})
    driver = {
        "name": "nbpr gate",
        "semanticVersion": __version__,
        "rules": [_rule(check) for check in checks],
    }
    run = {
        "tool": {"driver": driver},
        "automationDetails": {"id": "nbpr/gate/"},
        "columnKind": "unicodeCodePoints",
        "invocations": [{"executionSuccessful": True}],
        "results": list(_results(result, found, checks)),
    }
    log = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(log, ensure_ascii=True, indent=1) + "\n"


def _rule(check: str) -> dict[str, Any]:
    shown = judgement.one_line(check)
    return {
        "id": shown,
        "name": shown,
        "shortDescription": {"text": RULES.get(check, f"The check {shown}.")},
        "properties": {"tags": ["notebook", "jupyter"]},
    }


def _results(gated: GateResult, findings: Iterable[Finding], checks: list[str]) -> Iterable[dict[str, Any]]:
    seen: Counter[str] = Counter()
    for finding in findings:
        key = _what(finding)
        seen[key] += 1
        message = judgement.plain(finding.message) + (f"\n{judgement.plain(finding.hint)}" if finding.hint else "")
        result: dict[str, Any] = {
            "ruleId": judgement.one_line(finding.check),
            "ruleIndex": checks.index(finding.check),
            "level": finding.level,
            "message": {"text": message},
            "partialFingerprints": {"nbprFinding/v1": _digest(key, seen[key])},
        }
        if finding.path:
            result["locations"] = [_location(finding, gated.line_of(finding))]
        yield result


def _location(finding: Finding, line: int) -> dict[str, Any]:
    place = {"artifactLocation": {"uri": quote(finding.path, errors="surrogatepass")}, "region": {"startLine": line}}
    location: dict[str, Any] = {"physicalLocation": place}
    if finding.cell_id:
        name = judgement.one_line(finding.cell_id)
        location["logicalLocations"] = [{"name": name, "fullyQualifiedName": f"cell {name}", "kind": "module"}]
    return location


def _what(finding: Finding) -> str:
    """What a finding is about, whichever numbers its message has this time."""
    return json.dumps([finding.check, finding.path, finding.cell_id, re.sub(r"\d+(?:\.\d+)?", "#", finding.message)])


def _digest(key: str, occurrence: int) -> str:
    return hashlib.sha256(f"{key}:{occurrence}".encode()).hexdigest()
