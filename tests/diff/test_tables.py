"""Tables compared by row and column, as pandas writes them and as scrapbook keeps them."""

from __future__ import annotations

import base64
import io

import pandas as pd
import pytest

from nbpr.diff import frames, htmltable, outputs, results, tables
from nbpr.diff.tables import ValueChange, compare_tables, words
from tests.diff.scripts import display

FLEET = pd.DataFrame({"score": [0.5, 0.75, 1.0], "alerts": [12, 3, 0]}, index=["north", "south", "west"])


def changed(before: pd.DataFrame, after: pd.DataFrame) -> tables.TableChange:
    found = compare_tables(before.to_html(), after.to_html())
    assert found is not None
    return found


def test_a_value_that_changed_has_its_place_and_by_how_much() -> None:
    after = FLEET.copy()
    after.loc["north", "alerts"] = 15
    found = changed(FLEET, after)
    assert found.values == (ValueChange("north", "alerts", "12", "15", 3.0, 0.25),)
    assert words(found) == "1 value changed"
    assert tables.value_words(found.values[0]) == "alerts of row north: 12 → 15 (+3, +25 %)"


def test_rows_are_known_by_their_labels() -> None:
    after = pd.concat([FLEET.loc[["west", "north"]], pd.DataFrame({"score": [0.1], "alerts": [9]}, index=["east"])])
    found = changed(FLEET, after)
    assert [row.label for row in found.rows_added] == ["east"]
    assert [row.label for row in found.rows_removed] == ["south"]
    assert (found.values, found.reordered) == ((), True)
    assert words(found) == "1 row added, 1 row removed, rows in another order"


def test_columns_come_and_go() -> None:
    found = changed(FLEET, FLEET.rename(columns={"alerts": "warnings"}))
    assert (found.columns_added, found.columns_removed, found.values) == (("warnings",), ("alerts",), ())


def test_without_labels_a_row_put_in_front_does_not_change_all_others() -> None:
    before = FLEET.reset_index(drop=True)
    after = pd.concat([pd.DataFrame({"score": [0.1], "alerts": [9]}), before]).reset_index(drop=True)
    found = changed(before, after)
    assert [row.values for row in found.rows_added] == [("0.10", "9")]
    assert (found.values, found.rows_removed) == ((), ())
    assert words(found) == "1 row added, 3 × 2 → 4 × 2"


def test_without_labels_a_row_that_was_edited_is_the_same_row() -> None:
    before = FLEET.reset_index(drop=True)
    after = before.drop(index=1).reset_index(drop=True)
    after.loc[1, "alerts"] = 7
    found = changed(before, after)
    assert [row.values for row in found.rows_removed] == [("0.75", "3")]
    assert [(value.before, value.after) for value in found.values] == [("0", "7")]


def test_tables_of_several_levels_and_styled_ones() -> None:
    index = pd.MultiIndex.from_tuples([("a", 1), ("a", 2)], names=["k", "n"])
    deep = pd.DataFrame({("x", "p"): [1, 2], ("x", "q"): [3, 4]}, index=index)
    table = htmltable.read(deep.to_html())
    assert table is not None
    assert table.columns == ("x / p", "x / q")
    assert [(row.label, row.values) for row in table.rows] == [("a / 1", ("1", "3")), ("a / 2", ("2", "4"))]
    styled = htmltable.read(FLEET.style.to_html())
    assert styled is not None
    assert styled.columns == ("score", "alerts")


def test_what_pandas_left_out_is_said() -> None:
    long = pd.DataFrame({"v": range(1000)})
    found = compare_tables(long._repr_html_(), pd.concat([long, long])._repr_html_())  # type: ignore[operator]
    assert found is not None
    assert (found.partial, found.shape_before, found.shape_after) == (True, (1000, 1), (2000, 1))


def test_the_same_table_does_not_differ() -> None:
    assert not changed(FLEET, FLEET).differs
    assert words(changed(FLEET, FLEET)) == "no value changed"


@pytest.mark.parametrize(
    "markup",
    [
        "",
        "<b>no table</b>",
        "<table></table>",
        FLEET.to_html() * 2,
        "<table>" + "<tr>" + "<td rowspan=99999 colspan=99999>x" * 9,
        "<table>" + "<tr><td rowspan=99999>x" * 2_000,
        "<table>" + "<td " * 100_000,
        "<table>" + "<" * 300_000,
    ],
    ids=["empty", "none", "no rows", "two", "wide", "deep", "unclosed", "signs"],
)
def test_what_is_no_table_is_none_and_does_not_take_long(markup: str) -> None:
    assert compare_tables(markup, FLEET.to_html()) is None or markup.count("rowspan") == 2_000


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1,234.5", 1234.5),
        ("-3", -3),
        ("−3", -3),
        ("12 %", 12),
        ("1e-3", 0.001),
        ("NaN", None),
        ("inf", None),
        ("1_0", None),
    ],
)
def test_numbers(text: str, value: float | None) -> None:
    assert tables.number(text) == value


def glued(frame: pd.DataFrame, name: str = "fleet") -> dict[str, object]:
    raw = io.BytesIO()
    frame.to_parquet(raw)
    payload = {"name": name, "data": base64.b64encode(raw.getvalue()).decode(), "encoder": "pandas", "version": 1}
    bundle = {"application/scrapbook.scrap.pandas+json": payload}
    return {"output_type": "display_data", "metadata": {}, "data": bundle}


def test_a_glued_table_is_compared_as_data() -> None:
    after = FLEET.copy()
    after.loc["south", "score"] = 0.5
    (found,) = results.table_changes([glued(FLEET)], [glued(after)])
    assert found.name == "fleet"
    assert [(value.row, value.column, value.after) for value in found.change.values] == [("south", "score", "0.5")]
    assert frames.read("AAAA") is None
    assert frames.read(None) is None


def test_remarks_on_tables_stand_below_the_lines() -> None:
    after = FLEET.copy()
    after.loc["north", "alerts"] = 15
    shown = [[display(text_plain=repr(frame), text_html=frame.to_html())] for frame in (FLEET, after)]
    lines = [line.tag + line.text for line in outputs.compare(*shown)]
    assert lines[-2:] == ["!table: 1 value changed", "!  alerts of row north: 12 → 15 (+3, +25 %)"]
    assert results.table_changes(shown[0], shown[1] * 2) == []
