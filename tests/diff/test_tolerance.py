"""How far results may be from what is expected: numbers in texts, tables and JSON, and pictures."""

from __future__ import annotations

import base64
import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbpr.diff.tolerance import NoTolerance, Tolerance, near, pictures_differ, settled, tolerance_of
from nbpr.notebooks.cell import Cell


def cell(source: str, **own: Any) -> Cell:
    return Cell({"cell_type": "code", "source": source, "metadata": {"nbpr": own} if own else {}})


@pytest.mark.parametrize(
    ("given_cell", "wanted"),
    [
        (cell("x"), Tolerance()),
        (cell("# NBPR_TOLERANCE 1e-6\nx"), Tolerance(1e-6)),
        (cell("# NBVAL_CHECK_OUTPUT\n  ## NBPR_TOLERANCE 0.5 # why\nx"), Tolerance(0.5)),
        (cell("# NBPR_PIXELS 2%\n# NBPR_TOLERANCE 0"), Tolerance(0, 0.02)),
        (cell("# NBPR_PIXELS 0.25"), Tolerance(None, 0.25)),
        (cell("x", tolerance=1e-3, pixels=0.1), Tolerance(1e-3, 0.1)),
        (cell("# NBPR_TOLERANCE 1e-6\nx", tolerance=1, pixels=1), Tolerance(1e-6, 1)),
        (cell("print('# NBPR_TOLERANCE 1e-6')"), Tolerance()),
        (cell("# NBPR_TOLERANCES 1e-6"), Tolerance()),
    ],
)
def test_where_it_stands(given_cell: Cell, wanted: Tolerance) -> None:
    assert tolerance_of(given_cell) == wanted


@pytest.mark.parametrize(
    "given_cell",
    [
        cell("# NBPR_TOLERANCE"),
        cell("# NBPR_TOLERANCE little"),
        cell("# NBPR_TOLERANCE -1"),
        cell("# NBPR_TOLERANCE nan"),
        cell("# NBPR_TOLERANCE inf"),
        cell("# NBPR_TOLERANCE 5%"),
        cell("# NBPR_PIXELS 1.5"),
        cell("# NBPR_PIXELS 150%"),
        cell("x", tolerance=True),
        cell("x", tolerance=None),
        cell("x", pixels=[1]),
    ],
)
def test_what_is_none(given_cell: Cell) -> None:
    with pytest.raises(NoTolerance, match="is wanted"):
        tolerance_of(given_cell)


@pytest.mark.parametrize(
    ("ours", "theirs", "is_same"),
    [
        ("0.1234567", "0.1234568", True),
        ("0.123456", "0.123556", False),
        ("a = 1000000.1, b = 1.0", "a = 1000000.2, b = 1.0", True),
        ("1e-9", "2e-9", True),
        ("-0.0000", "0.0000", True),
        ("1.0000001", "1", True),
        ("[1. 2.]", "[1. 2.0000001]", True),
        ("x  9.9999999\ny  1.0000000", "x 10.0\ny  1.0", True),
        ("12.0000001 %", "12 %", True),
        ("0.5000001s", "0.5s", True),
        # Whole numbers, versions, dates, words and the rest of the text have to be the same.
        ("1000000001", "1000000002", False),
        ("1.10.2", "1.10.3", False),
        ("2026-11-20", "2026-11-21", False),
        ("a 1.0", "b 1.0", False),
        ("1.0\n2.0", "1.0 2.0", False),
        ("1.0 2.0", "1.0", False),
        ("nan 1.0", "inf 1.0", False),
        ("x1.0000001", "x1.0", False),
        ("", "", True),
    ],
)
def test_numbers_in_a_text(ours: str, theirs: str, is_same: bool) -> None:
    assert (near(ours, theirs, 1e-6) == theirs) is is_same


def test_numbers_that_are_too_far_off_stay_for_nbval_to_tell_of() -> None:
    assert near("a 1.0000001 b 2.5", "a 1.0 b 2.0", 1e-6) == "a 1.0 b 2.5"


@given(
    st.lists(st.floats(-1e12, 1e12, allow_nan=False), min_size=1, max_size=8),
    st.floats(1e-12, 1e-1),
    st.floats(-0.9, 0.9),
)
def test_within_is_the_same_and_beyond_is_not(values: list[float], most: float, share: float) -> None:
    """Each value moved by a share of what it may is the same; moved by twice as much it is not."""
    text = "\n".join(f"row {place}: {value!r}" for place, value in enumerate(values))

    def moved(factor: float) -> list[float]:
        return [value + factor * most * max(1.0, abs(value)) for value in values]

    def shown(numbers: list[float]) -> str:
        return "\n".join(f"row {place}: {value!r}" for place, value in enumerate(numbers))

    assert near(shown(moved(share)), text, most) == text
    far = moved(2.5)
    assert near(shown(far), text, most) == shown(far)


def test_every_kind_of_output() -> None:
    def outputs(number: float, flag: Any = True) -> list[dict[str, Any]]:
        return [
            {"output_type": "stream", "name": "stdout", "text": [f"a {number}\n", "b\n"]},
            {
                "output_type": "execute_result",
                "data": {
                    "text/plain": f"x {number}",
                    "text/html": [f"<td>{number}</td>"],
                    "application/json": {"x": [number, "1.5", flag, 3], "y": None},
                    "image/png": str(number),
                },
            },
            {"output_type": "error", "ename": "E", "evalue": "1.0", "traceback": []},
        ]

    found = settled(outputs(1.0000001), outputs(1.0), 1e-6)
    assert found[0]["text"] == "a 1.0\nb\n"
    data = found[1]["data"]
    assert (data["text/plain"], data["text/html"]) == ("x 1.0", "<td>1.0</td>")
    assert data["application/json"] == {"x": [1.0, "1.5", True, 3], "y": None}
    assert data["image/png"] == "1.0000001"
    assert found[2] == outputs(1.0)[2]
    assert settled(outputs(1.0, 1), outputs(1.0, True), 1e-6)[1]["data"]["application/json"]["x"][2] == 1
    assert settled(outputs(1.5)[:2], outputs(1.5), 1e-6) == outputs(1.5)[:2]


def picture(changed: int, kind: str = "PNG", size: tuple[int, int] = (10, 10)) -> str:
    """A picture of 100 pixels, of which so many are black."""
    from PIL import Image

    made = Image.new("RGB", size, "white")
    for place in range(changed):
        made.putpixel((place % size[0], place // size[0]), (0, 0, 0))
    out = io.BytesIO()
    made.save(out, kind)
    return base64.b64encode(out.getvalue()).decode()


def shown(*data: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"output_type": "display_data", "data": each, "metadata": {}} for each in data]


@pytest.mark.parametrize(
    ("changed", "share", "said"),
    [
        (0, 0.0, None),
        (2, 0.02, None),
        (3, 0.02, "picture 1: 3.0 % of pixels changed (NBPR_PIXELS 0.02)"),
        (3, None, None),
    ],
)
def test_pictures_by_share(changed: int, share: float | None, said: str | None) -> None:
    pytest.importorskip("PIL")
    ours, theirs = shown({"image/png": picture(changed)}), shown({"image/png": picture(0)})
    assert pictures_differ(ours, theirs, Tolerance(pixels=share)) == said


def test_pictures_that_are_missing_others_or_broken() -> None:
    pytest.importorskip("PIL")
    most = Tolerance(pixels=0.5)
    one = {"image/png": picture(0)}
    assert pictures_differ(shown(one), shown(one, one), most) == (
        "pictures: 1, and 2 in the reference run (NBPR_PIXELS)"
    )
    assert "image/png became image/gif" in str(pictures_differ(shown({"image/gif": "x"}), shown(one), most))
    wide = {"image/png": picture(0, size=(30, 10))}
    assert "67 % of pixels changed, 10 × 10 → 30 × 10" in str(pictures_differ(shown(wide), shown(one), most))
    broken, other = {"image/png": "AAAA"}, {"image/png": "AAAB"}
    assert pictures_differ(shown(broken), shown(broken), most) is None
    assert "not compared by pixel" in str(pictures_differ(shown(broken), shown(other), most))
