"""Parameters are read from Python, and set without touching anything but the value."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from nbpr.errors import BadInput
from nbpr.notebooks import notebook
from nbpr.notebooks.jsontext import same
from nbpr.notebooks.notebook import Notebook
from nbpr.notebooks.parameters import NOT_LITERAL, Parameter, assign, inspect, read_value
from tests.generated import values


def book(source: str, language: str = "python", tags: tuple[str, ...] = ("parameters",)) -> Notebook:
    cell = notebook.new("code", source, metadata={"tags": list(tags)})
    metadata = {"kernelspec": {"name": "k", "language": language}}
    return Notebook("nb.ipynb", {"nbformat": 4, "nbformat_minor": 5, "metadata": metadata}, (cell,))


SOURCE = """%matplotlib inline
!pip install \\
    thing
# é the parameters
threshold = 0.950  # share of heartbeats
window: int = 5   # type: float  days 漢
names = 'é' ; other = "x#y"  # both
config = {
  "a": 1,  # one
  "b": [1, 2],
}
first, (second, third) = 1, (2, None)
files = !ls
where = Path("x")  #
below = -3
both = too = 1
%load_ext thing
thing?
"""


def test_inspect() -> None:
    assert inspect(book(SOURCE)) == [
        Parameter("threshold", "0.950", 0.95, "float", "share of heartbeats"),
        Parameter("window", "5", 5, "int", "days 漢"),
        Parameter("names", "'é'", "é", "str", None),
        Parameter("other", '"x#y"', "x#y", "str", "both"),
        Parameter("config", '{\n  "a": 1,  # one\n  "b": [1, 2],\n}', {"a": 1, "b": [1, 2]}, "dict", None),
        Parameter("first", "1", 1, "int", None),
        Parameter("second", "2", 2, "int", None),
        Parameter("third", "None", None, "None", None),
        Parameter("where", 'Path("x")', NOT_LITERAL, None, None),
        Parameter("below", "-3", -3, "int", None),
        Parameter("both", "1", 1, "int", None),
        Parameter("too", "1", 1, "int", None),
    ]
    assert inspect(book("x = 1  # type: float\nx = 2  # type: float the last one\n")) == [
        Parameter("x", "2", 2, "float", "the last one")
    ]
    assert inspect(book("x = 1", tags=())) == []


@pytest.mark.parametrize(
    ("name", "value", "old", "new"),
    [
        ("threshold", 0.9, "0.950  #", "0.9  #"),
        ("window", 7, ": int = 5  ", ": int = 7  "),
        ("names", "it's\n\\", "'é'", r"'it\'s\n\\'"),
        ("other", 'say "é"\u2028', '"x#y"', r'"say \"é\"\u2028"'),
        ("config", {"b": [1, 5], "a": 1}, "[1, 2]", "[1, 5]"),
        ("config", {"a": 2}, '{\n  "a": 1,  # one\n  "b": [1, 2],\n}', '{"a": 2}'),
        ("second", True, "(2, None)", "(True, None)"),
        ("third", [None, {"k": 1.5}], "(2, None)", '(2, [None, {"k": 1.5}])'),
        ("where", "y", 'Path("x")', '"y"'),
        ("below", 3, "-3", "3"),
        ("below", float("inf"), "-3", 'float("inf")'),
    ],
)
def test_assign_changes_the_value_alone(name: str, value: Any, old: str, new: str) -> None:
    assert SOURCE.count(old) == 1
    changed = assign(SOURCE, name, value)
    assert changed == SOURCE.replace(old, new)
    assert assign(changed, name, value) == changed


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("x = 0.90", 0.9),
        ("x = 1_000", 1000),
        ("x = 'a'", "a"),
        ("x = ('a' 'b')", "ab"),
        ("x = [1,]", [1]),
        ("x=-1", -1),
    ],
)
def test_what_is_so_already_stays(source: str, value: Any) -> None:
    assert assign(source, "x", value) == source


@pytest.mark.parametrize(("source", "value", "after"), [
    ("x = 1", True, "x = True"),
    ("x = True", 1, "x = 1"),
    ("x = 1", 1.0, "x = 1.0"),
    ("x = (1, 2)", [1, 2], "x = [1, 2]"),
    ("x = (\n  1  # one\n)", 2, "x = (\n  2  # one\n)"),
    ("if True:\n  x = 2\nx = 1;y = 2\r\nz = 3", 5, "if True:\n  x = 2\nx = 5;y = 2\r\nz = 3"),
    ("é = 1; x = 'é' # é", "ü", "é = 1; x = 'ü' # é"),
    ("y = '\ud800'; x = 1", 2, "y = '\ud800'; x = 2"),
    ("a = 1\rx = 1\rb = 2", 2, "a = 1\rx = 2\rb = 2"),
    ('d = """\n%s\n"""\nx = 1', 2, 'd = """\n%s\n"""\nx = 2'),
])  # fmt: skip
def test_assign(source: str, value: Any, after: str) -> None:
    assert assign(source, "x", value) == after


@given(values, values, values)
def test_what_was_set_is_read(first: Any, second: Any, other: Any) -> None:
    source = assign("before = 0 # é\nx: Any = None  # the help\nafter = 0\n", "x", first)
    source = assign(source, "before", other)
    source = assign(source, "x", second)
    found = {each.name: each for each in inspect(book(source))}
    assert same(found["x"].value, second) or found["x"].value is NOT_LITERAL
    assert same(found["before"].value, other) or found["before"].value is NOT_LITERAL
    assert (found["x"].help, found["x"].type, found["after"].value) == ("the help", "Any", 0)
    assert assign(source, "x", second) == source


@given(st.text(max_size=20))
def test_any_text_can_be_a_value(text: str) -> None:
    (found,) = inspect(book(assign("x = 'old'", "x", text)))
    assert found.value == text


@pytest.mark.parametrize(
    ("source", "name", "message"),
    [
        ("x = 1\ny = 2", "z", "no parameter 'z'; the parameters cell assigns: x, y"),
        ("", "z", "the parameters cell assigns: none"),
        ("a = b = 1", "a", "shares its value"),
        ("x = (", "x", "the parameters cell is not Python, line 1"),
        ("x = 1\0", "x", "not Python"),
        ("x = " + "(" * 500 + ")" * 500, "x", "not Python"),
        ("a, *b = 1, 2", "b", "no parameter 'b'"),
        ("x += 1", "x", "no parameter 'x'"),
    ],
)
def test_what_cannot_be_set(source: str, name: str, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        assign(source, name, 2)


def test_other_languages_are_refused() -> None:
    with pytest.raises(BadInput, match="of the language julia, not Python"):
        inspect(book("x = 1", language="julia"))


@pytest.mark.parametrize(
    "text",
    [
        "1",
        "-1",
        "1_0",
        " 5 ",
        "0x10",
        "1.5",
        "1e3",
        "nan",
        "inf",
        "True",
        "true",
        "False",
        "None",
        "null",
        "",
        "a b",
        "'q'",
        "01",
    ],
)
def test_values_are_read_as_papermill_reads_them(text: str) -> None:
    notebook.quick_imports()
    from papermill.cli import _resolve_type

    assert same(read_value(text), _resolve_type(text))


@pytest.mark.parametrize(("text", "value"), [("[1, 2]", [1, 2]), ('{"a": null}', {"a": None}), ("[]", [])])
def test_lists_and_objects_are_json(text: str, value: Any) -> None:
    assert read_value(text) == value


@pytest.mark.parametrize("text", ["[1", "{a: 1}", "[1] x", "[" * 100_000])
def test_broken_lists_and_objects_are_refused(text: str) -> None:
    with pytest.raises(BadInput, match="is not JSON"):
        read_value(text)


@given(st.text("0123456789.-+e_xTrueFalsNon ", max_size=8))
def test_every_text_is_read_as_papermill_reads_it(text: str) -> None:
    notebook.quick_imports()
    from papermill.cli import _resolve_type

    assume(text[:1] not in ("[", "{"))
    assert same(read_value(text), _resolve_type(text))
