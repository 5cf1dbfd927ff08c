"""Annotations: GitHub's commands, escaped as it unescapes them, ten of a level, and none elsewhere."""

from __future__ import annotations

import re

import pytest

from nbpr.cienv import Forge
from nbpr.findings import Finding
from nbpr.gate.result import GateResult
from nbpr.render import annotations as commands
from tests.render.gateresults import five, hostile, mixed, nothing, placed
from tests.render.payloads import PAYLOADS
from tests.render.test_markdown import HOSTILE

#: How a runner reads a line: the command, its members, its message.
COMMAND = re.compile(r"::(?P<command>[a-z-]+)(?: (?P<members>.+?))?::(?P<message>.*)")


def read(line: str) -> tuple[str, dict[str, str], str]:
    """A line as GitHub's runner reads it."""
    found = COMMAND.fullmatch(line)
    assert found, line
    members = {}
    for part in found["members"].split(","):
        key, _, value = part.partition("=")
        for sign, code in ((",", "%2C"), (":", "%3A"), ("\n", "%0A"), ("\r", "%0D"), ("%", "%25")):
            value = value.replace(code, sign)
        members[key] = value
    message = found["message"].replace("%0D", "\r").replace("%0A", "\n").replace("%25", "%")
    return found["command"], members, message


def test_errors_first_at_the_lines_of_their_cells() -> None:
    lines = commands.lines(placed(five(), "notebooks/dirty.ipynb", {"shown": range(5, 9)}), "github")
    assert lines[0] == (
        "::error file=pyproject.toml,line=1,title=nbpr weakened::the bound scraps.score min = 0.9 became 0.1%0Aask"
    )
    assert lines[1] == (
        "::error file=notebooks/dirty.ipynb,line=5,title=nbpr clean (cell shown)::1 cell has outputs%0Anbpr check --fix"
    )
    assert [read(line)[0] for line in lines] == ["error"] * 5 + ["warning"] * 2
    assert commands.lines(nothing(), "github") == []


@pytest.mark.parametrize("forge", ["gitea", "forgejo", "gitlab"])
def test_none_where_they_are_not_shown(forge: Forge) -> None:
    assert commands.lines(five(), forge) == []


def many(errors: int, warnings: int) -> GateResult:
    beside = [Finding("size", "error", "a.ipynb", f"no {n}") for n in range(errors)]
    beside += [Finding("size", "warning", "a.ipynb", f"no {n}") for n in range(warnings)]
    return GateResult(None, "2" * 40, findings=tuple(beside))


def test_ten_of_a_level_are_all_shown_and_of_more_the_last_says_how_many() -> None:
    assert len(commands.lines(many(10, 10), "github")) == 20
    lines = commands.lines(many(11, 1_012), "github")
    assert [read(line)[0] for line in lines] == ["error"] * 10 + ["warning"] * 10
    assert read(lines[9])[2].startswith("2 more errors are not shown here")
    assert read(lines[19])[2].startswith("1,003 more warnings are not shown here")


def test_no_text_begins_a_command_or_leaves_its_own() -> None:
    pool = [*HOSTILE, *PAYLOADS, "::set-env name=PATH::x", "\n::add-mask::a", ",line=9", "::", "%0A", "%25", "a:b,c=d"]
    for seed in range(80):
        text = mixed(seed, pool)
        for line in commands.lines(hostile(text), "github"):
            command, members, message = read(line)
            assert command in ("error", "warning")
            assert set(members) in ({"title"}, {"file", "line", "title"})
            assert "\n" not in line
            assert "\r" not in line
            assert "\x1b" not in line
            assert message or not text.strip()


def test_what_is_escaped_comes_back() -> None:
    beside = (Finding("size", "error", "a,b:c%.ipynb", "50% of: a, b\nand more"),)
    (line,) = commands.lines(GateResult(None, "2" * 40, findings=beside), "github")
    assert read(line) == (
        "error",
        {"file": "a,b:c%.ipynb", "line": "1", "title": "nbpr size"},
        "50% of: a, b\nand more",
    )
