"""The table of checks, and the levels that are configured."""

from __future__ import annotations

from nbpr import config
from nbpr.checks import CHECKS, at_levels
from nbpr.config import Config
from nbpr.findings import Finding


def test_every_check_of_the_table_can_be_configured() -> None:
    assert set(CHECKS) <= set(config.CHECKS)


def test_levels_soften_and_switch_off() -> None:
    found = [
        Finding("clean", "error", "a", "x"),
        Finding("clean", "note", "a", "y"),
        Finding("size", "error", "a", "z"),
    ]
    settings = Config(checks={"clean": "warning", "size": "off"})
    assert [(each.check, each.level) for each in at_levels(found, settings)] == [
        ("clean", "warning"),
        ("clean", "note"),
    ]
    assert list(at_levels(found, Config())) == found
