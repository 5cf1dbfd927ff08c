"""Checks: each one small module of pure functions, and one row in the table below."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from nbpr.checks import clean, execute, format, reference, reproduce, scraps, secrets, size, weakened  # noqa: A004
from nbpr.config import Config
from nbpr.findings import Finding

#: What each check is called in configuration and findings, and the function that finds. They look at different
#: things, a file, a record, verdicts, so what they take differs; what they give does not.
CHECKS: dict[str, Callable[..., list[Finding]]] = {
    "format": format.check,
    "clean": clean.check,
    "execute": execute.check,
    "reproduce": reproduce.check,
    "reference": reference.check,
    "scraps": scraps.check,
    "secrets": secrets.check,
    "size": size.check,
    "weakened": weakened.check,
}


def at_levels(findings: Iterable[Finding], config: Config) -> Iterator[Finding]:
    """The findings at the levels that are configured: `off` takes a check's away, `warning` softens its errors."""
    for finding in findings:
        level = config.level(finding.check)
        if level == "warning" and finding.level == "error":
            yield replace(finding, level="warning")
        elif level != "off":
            yield finding
