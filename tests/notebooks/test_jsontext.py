"""Writing one value over another keeps every character of what is the same."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbpr.notebooks import jsontext
from nbpr.notebooks.jsontext import JsonError, Style, detect, dumps, elements, members, parse, rewrite, same
from tests.generated import Layout, layouts, values

objects = st.dictionaries(st.text("abc\né", max_size=3), values, max_size=4)


def rewritten(text: str, new: Any) -> str:
    return rewrite(text, 0, len(text), parse(text), new, detect(text) if text[0] == "{" else Style(), 0)


def written(layout: Layout, data: Any) -> str:
    return layout.write(data).decode().removeprefix("\ufeff").rstrip("\r\n")


@given(objects, objects, layouts())
def test_the_new_value_stands_there(old: Any, new: Any, layout: Layout) -> None:
    text = rewritten(written(layout, old), new)
    assert same(parse(text), new)
    assert rewritten(text, new) == text


@given(objects, layouts())
def test_the_same_value_is_the_same_text(old: Any, layout: Layout) -> None:
    text = written(layout, old)
    assert rewritten(text, json.loads(text)) == text


@given(objects, st.data(), layouts())
def test_other_members_keep_their_characters(old: dict[str, Any], data: st.DataObject, layout: Layout) -> None:
    text = written(layout, {**old, "z": 1})
    key = data.draw(st.sampled_from([*old, "z"]))
    after = rewritten(text, {**parse(text), key: "another value"})
    before, now = ({part.key: part for part in members(side, 0)[0]} for side in (text, after))
    assert list(before) == list(now)
    for other in before.keys() - {key}:
        assert (
            after[now[other].key_start : now[other].value_end]
            == (text[before[other].key_start : before[other].value_end])
        )


@given(objects.filter(len), st.sampled_from([1, 2, 4, "\t", None]), st.booleans())
def test_what_is_written_anew_looks_as_its_file(data: dict[str, Any], indent: Any, ensure_ascii: bool) -> None:
    layout = Layout(indent=indent, ensure_ascii=ensure_ascii, order="given")
    whole = {"a": "é", "b": {"c": data}}
    style = detect(written(layout, whole))
    assert dumps(whole, style) == written(layout, whole)
    assert rewritten(written(layout, {"a": "é", "b": {}}), whole) == written(layout, whole)


@pytest.mark.parametrize(
    ("text", "new", "expected"),
    [
        ('{"a": 1, "b": 2}', {"a": 1, "b": 3}, '{"a": 1, "b": 3}'),
        ('{"a":1,"b":2}', {"a": 1, "b": 2, "c": 3}, '{"a":1,"b":2,"c":3}'),
        ('{"b": 1, "a": 2}', {"b": 1, "a": 2, "0": 3}, '{"b": 1, "a": 2, "0": 3}'),
        ('{"a": 1, "c": 2}', {"a": 1, "c": 2, "b": 3}, '{"a": 1, "b": 3, "c": 2}'),
        ('{ "a" : [ 1 , 2 ] }', {"a": [1, 3]}, '{ "a" : [ 1 , 3 ] }'),
        ('{ "a" : [ 1 , 2 ] }', {"a": [0, 1, 2]}, '{ "a" : [ 0 , 1 , 2 ] }'),
        ('{"a": 1, "b": 2}', {"b": 2}, '{"b": 2}'),
        ('{"a": 1, "b": 2}', {}, "{}"),
        ('{"a": "\\u00e9", "b": 2}', {"a": "\u00e9", "b": "ü"}, '{"a": "\\u00e9", "b": "\\u00fc"}'),
        ('{"a": "\\\\u00e9", "b": 2}', {"a": "\\u00e9", "b": "ü"}, '{"a": "\\\\u00e9", "b": "ü"}'),
        ('{"a": "\\u001b", "b": 2}', {"a": "\x1b", "b": "ü"}, '{"a": "\\u001b", "b": "ü"}'),
        ('{"a": "\\ud83d\\ude00", "b": 2}', {"a": "😀", "b": "ü"}, '{"a": "\\ud83d\\ude00", "b": "\\u00fc"}'),
        ('{"a": "\\ud83d", "b": 2}', {"a": "\ud83d", "b": "ü\ud83d"}, '{"a": "\\ud83d", "b": "ü\\ud83d"}'),
        ('{\n "a": {"x": 1},\n "b": []\n}', {"a": {"x": [1]}, "b": [2]}, '{\n "a": {"x": [1]},\n "b": [\n  2\n ]\n}'),
        ('{\n "a": [\n  [1, 2],\n  [3]\n ]\n}', {"a": [[1, 2], [3], [4, 5]]}, None),
        ('{"a": 1, "a": 2}', {"a": 3}, '{"a": 1, "a": 3}'),
        ('{"a": 1, "a": 2, "b": 1}', {"b": 1}, '{"b": 1}'),
        ('{"a": 1}', {"a": True}, '{"a": true}'),
        ('{"a": 1.0}', {"a": 1}, '{"a": 1}'),
        ('{"a":1 ,"b":2,  "c":3}', {"a": 0, "b": 2, "c": 3}, '{"a":0 ,"b":2,  "c":3}'),
        ('{"a":[1 ,2,  3]}', {"a": [1, 2, 4, 5]}, '{"a":[1 ,2 ,4 ,5]}'),
        ('{"a": NaN, "b": 1}', {"a": float("nan"), "b": 2}, '{"a": NaN, "b": 2}'),
        ('{"a": 1e5, "b": 1}', {"a": 1e5, "b": 2}, '{"a": 1e5, "b": 2}'),
    ],
)
def test_rewrite(text: str, new: Any, expected: str | None) -> None:
    expected = expected or '{\n "a": [\n  [1, 2],\n  [3],\n  [4, 5]\n ]\n}'
    assert rewritten(text, new) == expected


def test_places() -> None:
    text = ' {"a" : [1, {"b": 2}] , "c":null}'
    parts, end = members(text, 1)
    assert end == len(text)
    assert [(text[part.key_start : part.value_start], text[part.value_start : part.value_end]) for part in parts] == [
        ('"a" : ', '[1, {"b": 2}]'),
        ('"c":', "null"),
    ]
    inner, _ = elements(text, parts[0].value_start)
    assert [text[part.start : part.end] for part in inner] == ["1", '{"b": 2}']


@pytest.mark.parametrize(
    ("text", "line", "column", "truncated"),
    [
        ("", 1, 1, True),
        ('{"a": 1', 1, 8, True),
        ('{"a": "unfinished', 1, 7, True),
        ('{"a": tru', 1, 7, True),
        ('{\n"a": "x\\u12', 2, 9, True),
        ('{\n"a": 1,\n', 3, 1, True),
        ('{\n "a": 1\n "b": 2}', 3, 2, False),
        ('{"a": 1,}', 1, 9, False),
        ('{"a": 1} x', 1, 10, False),
        ('{"a" 1}', 1, 6, False),
        ("{'a': 1}", 1, 2, False),
        ('{"a": "x\ny"}', 1, 9, False),
        ('{"a": ' + "[" * 200_000, 1, 7, False),
        ('{"a": ' + "1" * 5000 + "}", 1, 7, False),
    ],
)
def test_errors_have_a_place(text: str, line: int, column: int, truncated: bool) -> None:
    with pytest.raises(JsonError) as caught:
        jsontext.check_end(text, members(text, 0)[1]) if text[:1] == "{" else parse(text)
    assert (caught.value.line, caught.value.column, caught.value.truncated) == (line, column, truncated)
