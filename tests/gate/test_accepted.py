"""Accepted findings: a file that people can review, and that nothing but its own entries is let pass by."""

from __future__ import annotations

import pytest

from nbpr.errors import BadInput
from nbpr.findings import Finding
from nbpr.gate import accepted

OLD = Finding("execute", "error", "a.ipynb", "cell 3: NameError: x", "c3", "mend it")


def known(*findings: Finding) -> accepted.Accepted:
    return accepted.parse(accepted.to_bytes(findings), "f.json")


def test_what_is_accepted_is_a_note_and_what_is_new_fails() -> None:
    new = Finding("execute", "error", "a.ipynb", "cell 3: NameError: y", "c3")
    levels = [each.level for each in known(OLD).applied([OLD, new])]
    assert levels == ["note", "error"]


def test_a_cell_that_moved_is_the_same() -> None:
    moved = Finding("execute", "error", "a.ipynb", "cell 7: NameError: x", "c3")
    assert [each.message for each in known(OLD).applied([moved])] == ["accepted: cell 7: NameError: x"]


@pytest.mark.parametrize(
    "other",
    [
        Finding("reproduce", "error", "a.ipynb", OLD.message, "c3"),
        Finding("execute", "error", "b.ipynb", OLD.message, "c3"),
        Finding("execute", "error", "a.ipynb", OLD.message, "c4"),
        Finding("execute", "error", "a.ipynb", "cell 3: outputs in 2 cells", "c3"),
    ],
)
def test_anything_else_is_another_one(other: Finding) -> None:
    assert [each.level for each in known(OLD).applied([other])] == ["error"]


def test_another_credential_in_the_same_place_is_new() -> None:
    one, two = (
        Finding("secrets", "error", "a.ipynb", "cell 1, source, line 2: an AWS key", "c1", f"add: {digest}  why")
        for digest in ("0123456789abcdef", "fedcba9876543210")
    )
    assert [each.level for each in known(one).applied([one, two])] == ["note", "error"]


def test_the_file_is_sorted_and_the_same_twice_and_leaves_notes_out() -> None:
    other = Finding("clean", "warning", "z.ipynb", "outputs in 1 cell")
    note = Finding("reproduce", "note", "a.ipynb", "3 of 4 cells checked")
    data = accepted.to_bytes([OLD, other, note, OLD])
    assert data == accepted.to_bytes([other, OLD])
    assert data.count(b"\n") == 4
    assert len(accepted.parse(data, "f")) == 2
    assert accepted.parse(accepted.to_bytes([]), "f") == accepted.Accepted()
    assert accepted.parse(None, "f") == accepted.Accepted()


@pytest.mark.parametrize(
    "data", [b"{", b"{}", b'[{"check": "a"}]', b'[{"check": 1, "path": "", "cell": "", "message": ""}]']
)
def test_another_file_is_refused(data: bytes) -> None:
    with pytest.raises(BadInput, match=r"f\.json"):
        accepted.parse(data, "f.json")
