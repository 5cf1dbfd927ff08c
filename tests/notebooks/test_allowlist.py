"""The allow-list: a pure function of bytes, one line an entry, each with a reason."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbpr.errors import BadInput
from nbpr.notebooks import allowlist


def test_entries_comments_and_empty_lines() -> None:
    one, other = allowlist.digest("one"), allowlist.digest("other")
    data = f"\ufeff# what is none\n\n{one}  the example of the docs\r\n  {other}\tdummy  # of the tests\n".encode()
    assert allowlist.parse(data) == {one: "the example of the docs", other: "dummy  # of the tests"}
    assert allowlist.parse(b"") == {}


@pytest.mark.parametrize(
    "line", ["0123456789abcdef", "0123456789abcdef  ", "0123  short", "hunter2x why", "ABCDEF0123456789 x"]
)
def test_a_line_that_is_no_entry_is_named(line: str) -> None:
    with pytest.raises(BadInput, match="line 2 is no entry") as raised:
        allowlist.parse(f"# x\n{line}\n".encode())
    assert "hunter2x" not in raised.value.message
    assert "16 hex digits and a reason" in str(raised.value.hint)


def test_a_list_that_is_not_utf8_is_refused() -> None:
    with pytest.raises(BadInput, match="not UTF-8"):
        allowlist.parse(b"\xff\xfe")


@given(st.text(min_size=1))
def test_the_line_for_a_value_is_read_back_and_does_not_hold_it(value: str) -> None:
    entry = allowlist.entry(value)
    assert list(allowlist.parse(entry.encode())) == [allowlist.digest(value)]
    assert len(value) < 6 or value not in allowlist.digest(value)
