"""What the gate found as workflow commands, which GitHub shows at the lines of a pull request.

Gitea's and Forgejo's runners read these commands and do nothing with them but print them; GitLab prints them too. So
there is nothing for those: the log has the findings already, in words for people.
"""

from __future__ import annotations

from collections.abc import Iterator

from nbpr.cienv import Forge
from nbpr.findings import Finding
from nbpr.gate.result import GateResult
from nbpr.render import escape, judgement

#: GitHub shows so many of each level for a step, and drops the others without a word.
MOST = 10

_LEVELS = {"error": "error", "warning": "warning"}


def lines(result: GateResult, forge: Forge) -> list[str]:
    """The commands, one a line; none but for GitHub.

    Where there are more than are shown, the last one of a level says how many more. Notes are no annotations.
    """
    if forge != "github":
        return []
    return [line for level in _LEVELS for line in _of_level(result, level)]


def _of_level(result: GateResult, level: str) -> Iterator[str]:
    found = [finding for finding in result.all_findings if finding.level == level]
    shown = found if len(found) <= MOST else found[: MOST - 1]
    for finding in shown:
        yield _command(level, finding, result.line_of(finding))
    if len(found) > len(shown):
        more = f"{len(found) - len(shown):,} more {level}s are not shown here: they stand in the log and the summary"
        yield f"::{level} title=nbpr gate::{_data(more)}"


def _command(level: str, finding: Finding, line: int) -> str:
    cell = f" (cell {finding.cell_id})" if finding.cell_id else ""
    members = {"title": f"nbpr {finding.check}{cell}"}
    if finding.path:
        members = {"file": finding.path, "line": str(line), **members}
    named = ",".join(f"{key}={_property(value)}" for key, value in members.items())
    message = finding.message + (f"\n{finding.hint}" if finding.hint else "")
    return f"::{level} {named}::{_data(judgement.plain(message))}"


def _data(text: str) -> str:
    """A message as GitHub unescapes it; what could end the line is not in it."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(escape.visible(text)).replace(":", "%3A").replace(",", "%2C")
