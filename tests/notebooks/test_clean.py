"""Cleaning gives what nbstripout gives, keeps the file's own bytes, and minds nothing that is malformed."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbpr.notebooks import notebook
from nbpr.notebooks.clean import CLEANED_KEYS, Options, clean, clean_cell, clean_worksheets, is_clean, size_of


def code(source: str = "print(1)", outputs: Any = (), **members: Any) -> dict[str, Any]:
    """A code cell that ran."""
    cell = {"cell_type": "code", "execution_count": 3, "id": "c1", "metadata": {}, "outputs": list(outputs)}
    return {**cell, "source": source, **members}


def stream(text: str = "hello", name: str = "stdout") -> dict[str, Any]:
    return {"output_type": "stream", "name": name, "text": text}


def result(text: str = "7") -> dict[str, Any]:
    data = {"output_type": "execute_result", "execution_count": 3, "metadata": {}}
    return {**data, "data": {"text/plain": text}}


def nb(*cells: dict[str, Any], minor: int = 5, **metadata: Any) -> dict[str, Any]:
    return {"cells": list(cells), "metadata": metadata, "nbformat": 4, "nbformat_minor": minor}


def parsed(data: dict[str, Any], indent: int | str | None = 1) -> notebook.Notebook:
    return notebook.parse((json.dumps(data, indent=indent) + "\n").encode(), "nb.ipynb")


def cleaned(data: dict[str, Any], **options: Any) -> dict[str, Any]:
    after = clean(parsed(data), Options(**options))
    written: dict[str, Any] = json.loads(after.to_bytes())
    assert written == after.as_json()
    return written


def nbstripout(data: dict[str, Any], **options: Any) -> dict[str, Any]:
    """What nbstripout leaves of a notebook, its ids kept, given the keys that we clean as well."""
    notebook.quick_imports()
    import nbformat
    from nbstripout import strip_output

    read = nbformat.from_dict(copy.deepcopy(data))
    kept = set(options.pop("keep_metadata_keys", ()))
    keys = [key for key in (*CLEANED_KEYS, *options.pop("extra_keys", ())) if key not in kept]
    settings = {"keep_output": None, "keep_count": False, "keep_id": True, **options}
    return json.loads(json.dumps(strip_output(read, extra_keys=keys, **settings)))  # type: ignore[no-any-return]


# -- what goes ---------------------------------------------------------------------------------------------


def test_outputs_and_counts_go_and_ids_stay() -> None:
    after = cleaned(
        nb(code(outputs=[stream(), result()]), {"cell_type": "markdown", "id": "m", "metadata": {}, "source": "x"})
    )
    assert after["cells"][0] == code(execution_count=None)
    assert after["cells"][1]["id"] == "m"


@pytest.mark.parametrize("key", [key for key in CLEANED_KEYS if key.startswith("metadata.")])
def test_run_state_of_the_notebook_goes(key: str) -> None:
    name = key.removeprefix("metadata.")
    assert cleaned(nb(**{name: {"state": 1}, "kernelspec": {"name": "x"}}))["metadata"] == {"kernelspec": {"name": "x"}}


@pytest.mark.parametrize("key", [key for key in CLEANED_KEYS if key.startswith("cell.")])
def test_run_state_of_a_cell_goes(key: str) -> None:
    name = key.removeprefix("cell.metadata.")
    after = cleaned(nb(code(metadata={name: {"t": 1}, "tags": ["a"]}, execution_count=None)))
    assert after["cells"][0]["metadata"] == {"tags": ["a"]}


def test_what_papermill_leaves_of_a_run_goes() -> None:
    papermill = {"parameters": {"token": "secret"}, "input_path": "/home/ada/nb.ipynb", "exception": None}
    text = json.dumps(cleaned(nb(code(metadata={"papermill": {"duration": 1.5}}), papermill=papermill)))
    assert "secret" not in text
    assert "/home/ada" not in text
    assert "duration" not in text


# -- what stays --------------------------------------------------------------------------------------------


def test_a_clean_notebook_is_the_same_object_and_so_is_each_clean_cell() -> None:
    before = parsed(nb(code(execution_count=None), code("x", id="c2", execution_count=None)))
    assert clean(before) is before
    assert is_clean(before)
    dirty = parsed(nb(code(execution_count=None), code("x", [stream()], id="c2")))
    after = clean(dirty)
    assert not is_clean(dirty)
    assert after.cells[0] is dirty.cells[0]
    assert after.data is dirty.data


def test_only_what_is_cleaned_changes_in_the_file() -> None:
    text = (
        '{"nbformat":4, "nbformat_minor": 5,\r\n\t"metadata": {"z":1,"a" : 2},\r\n\t"cells": [\r\n'
        '\t\t{"id": "b","cell_type": "markdown", "source": ["\\u00e9\\n", "é"],"metadata": {} },\r\n'
        '\t\t{"id": "a", "source": "1\\/2", "cell_type": "code", "metadata": {"odd":  [1.0, 1e3]}, '
        '"execution_count":  12, "outputs":\t[ {"output_type": "stream", "name": "stdout", "text": "x"} ] }\r\n\t]}'
    )
    wanted = text.replace("  12,", "  null,")
    wanted = wanted[: wanted.index("[ {")] + "[]" + wanted[wanted.index(" }\r\n\t]}") :]
    assert clean(notebook.parse(text.encode(), "nb.ipynb")).to_bytes().decode() == wanted


def test_nothing_is_invented_in_a_code_cell_without_outputs() -> None:
    cell = {"cell_type": "code", "metadata": {"collapsed": True}, "source": "1"}
    assert cleaned(nb(cell, minor=4))["cells"][0] == {"cell_type": "code", "metadata": {}, "source": "1"}


@pytest.mark.parametrize(
    "cell",
    [
        {"outputs": None},
        {"outputs": {"a": 1}},
        {"outputs": [None, "x", 3, {"output_type": "stream"}]},
        {"outputs": [], "metadata": None, "execution_count": 1},
        {"outputs": [], "metadata": {"tags": "keep_output"}},
        {"outputs": [{"output_type": 5}], "metadata": {"tags": [["a"], None]}, "source": [None, 1]},
        {},
    ],
)
def test_malformed_cells_are_cleaned_like_others(cell: dict[str, Any]) -> None:
    after = cleaned(nb(cell), drop_tagged_cells=("x",), drop_empty_cells=False)["cells"][0]
    assert after == {**cell, **({"outputs": []} if "outputs" in cell else {})} | (
        {"execution_count": None} if "execution_count" in cell else {}
    )


# -- what is kept by wish ----------------------------------------------------------------------------------

KEPT: list[tuple[dict[str, Any], dict[str, Any], bool]] = [
    ({"tags": ["keep_output"]}, {}, True),
    ({"keep_output": True}, {}, True),
    ({"keep_output": False}, {"keep_output": True}, False),
    ({"init_cell": True}, {}, True),
    ({"init_cell": True}, {"strip_init_cells": True}, False),
    ({"init_cell": False, "tags": ["keep_output"]}, {}, False),
    ({"tags": ["golden"]}, {"keep_output_tags": ("golden",)}, True),
    ({"tags": ["keep_output"]}, {"keep_output_tags": ("golden",)}, False),
    ({}, {"max_size": 40}, True),
    ({}, {"max_size": 4}, False),
    ({}, {"keep_output": True}, True),
    ({}, {"keep_output_types": ("stream",)}, True),
    ({}, {"keep_output_types": ("stream:stderr",)}, False),
    ({}, {"keep_output": True, "drop_output_types": ("stream:stdout",)}, False),
    ({}, {"keep_output": True, "drop_output_types": ("stream:stderr",)}, True),
]


@pytest.mark.parametrize(("metadata", "options", "kept"), KEPT)
def test_outputs_that_stay(metadata: dict[str, Any], options: dict[str, Any], kept: bool) -> None:
    after = cleaned(nb(code(outputs=[stream()], metadata=metadata)), **options)["cells"][0]
    assert after["outputs"] == ([stream()] if kept else [])
    assert after["execution_count"] is None


def test_a_kept_result_loses_its_count_unless_counts_are_kept() -> None:
    data = nb(code(outputs=[result()]))
    assert cleaned(data, keep_output=True)["cells"][0]["outputs"][0]["execution_count"] is None
    assert cleaned(data, keep_output=True, keep_count=True) == data


def test_an_output_that_stays_stays_the_next_time_too() -> None:
    """nbstripout counts the 9 characters of `"execution_count": 3` at first, and the 12 of `null` later."""
    data = nb(code(outputs=[result("x" * 10)]))
    size = size_of({**result("x" * 10), "execution_count": None})
    for max_size, kept in ((size, 1), (size - 1, 0)):
        once = cleaned(data, max_size=max_size)
        assert len(once["cells"][0]["outputs"]) == kept
        assert cleaned(once, max_size=max_size) == once


def test_where_metadata_and_tag_contradict_each_other_the_output_goes() -> None:
    data = nb(code(outputs=[stream()], metadata={"keep_output": False, "tags": ["keep_output"]}))
    assert cleaned(data)["cells"][0]["outputs"] == []


def test_the_notebook_itself_can_keep_its_outputs() -> None:
    data = nb(code(outputs=[stream()]), keep_output=True)
    assert cleaned(data)["cells"][0]["outputs"] == [stream()]
    assert cleaned(data, keep_output=False)["cells"][0]["outputs"] == []


def test_cells_that_are_dropped() -> None:
    cells = [
        code(" \n\t", id="empty"),
        code("x", id="a", metadata={"tags": ["one"]}),
        code("y", id="b", metadata={"tags": ["two"]}),
    ]
    ids = [cell["id"] for cell in cleaned(nb(*cells), drop_empty_cells=True)["cells"]]
    assert ids == ["a", "b"]
    # nbstripout looks at the last of several tags only.
    assert [c["id"] for c in cleaned(nb(*cells), drop_tagged_cells=("one", "two"))["cells"]] == ["empty"]


def test_keys_that_are_added_and_keys_that_are_kept() -> None:
    data = nb(
        code(attachments={"a": 1}, metadata={"collapsed": True, "deep": {"er": 1, "x": 2}}),
        widgets={},
        language_info={"version": "3"},
    )
    options = {
        "extra_keys": (
            "metadata.language_info.version",
            "cell.attachments",
            "cell.metadata.deep.er",
            "cell.metadata.no.such",
        ),
        "keep_metadata_keys": ("cell.metadata.collapsed",),
    }
    after = cleaned(data, **options)
    assert after["metadata"] == {"language_info": {}}
    assert after["cells"][0] == code(metadata={"collapsed": True, "deep": {"x": 2}}, execution_count=None)


def test_sizes_are_counted_as_nbstripout_counts_them() -> None:
    from nbstripout._utils import get_size

    for value in ("äöü", ["ab", "c"], {"key": "v", "n": 12, "f": 1.5, "t": True, "none": None}, [], {}):
        assert size_of(value) == get_size(value)


# -- against nbstripout ------------------------------------------------------------------------------------

TEXT = st.text(max_size=12)
MULTILINE = TEXT | st.lists(TEXT, max_size=3)
# Counts of four digits are as long as None, so that nbstripout's sizes are ours: see the test of max_size.
OUTPUTS = st.one_of(
    st.fixed_dictionaries(
        {"output_type": st.just("stream"), "name": st.sampled_from(["stdout", "stderr"]), "text": MULTILINE}
    ),
    st.fixed_dictionaries(
        {
            "output_type": st.sampled_from(["display_data", "execute_result"]),
            "data": st.dictionaries(
                st.sampled_from(["text/plain", "image/png", "application/x+json"]), MULTILINE, max_size=2
            ),
            "metadata": st.just({}),
        },
        optional={"execution_count": st.none() | st.integers(1000, 9999)},
    ),
    st.fixed_dictionaries(
        {"output_type": st.just("error"), "ename": TEXT, "evalue": TEXT, "traceback": st.lists(TEXT, max_size=2)}
    ),
    st.just({}),
)
NAMES = ["collapsed", "scrolled", "ExecuteTime", "execution", "trusted", "papermill", "executionInfo", "jupyter", "a"]
METADATA = st.fixed_dictionaries(
    {},
    optional={
        "tags": st.lists(st.sampled_from(["keep_output", "drop", "other"]), max_size=2, unique=True),
        "init_cell": st.booleans(),
        "keep_output": st.booleans(),
        "deep": st.dictionaries(st.sampled_from(["x", "y"]), st.integers(0, 3)),
        **{name: st.booleans() | st.just({"x": 1}) for name in NAMES},
    },
).filter(lambda data: not (data.get("keep_output") is False and "keep_output" in data.get("tags", [])))
CELLS = st.one_of(
    st.fixed_dictionaries(
        {"cell_type": st.just("code"), "metadata": METADATA, "source": MULTILINE},
        optional={
            "id": TEXT,
            "execution_count": st.none() | st.integers(0, 9),
            "prompt_number": st.integers(0, 9),
            "outputs": st.lists(OUTPUTS, max_size=3),
        },
    ),
    st.fixed_dictionaries(
        {"cell_type": st.sampled_from(["markdown", "raw"]), "metadata": METADATA, "source": MULTILINE},
        optional={"attachments": st.just({"a.png": {"image/png": "AA"}})},
    ),
)
TOP = st.fixed_dictionaries(
    {},
    optional={
        "keep_output": st.booleans(),
        "papermill": st.just({"parameters": {"x": 1}}),
        "widgets": st.just({"state": {}}),
        "kernelspec": st.just({"name": "python3", "display_name": "P"}),
        "signature": TEXT,
    },
)
NOTEBOOKS = st.builds(
    lambda cells, metadata, minor: {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": minor},
    st.lists(CELLS, max_size=5),
    TOP,
    st.integers(0, 5),
)
TYPES = st.lists(st.sampled_from(["stream", "stream:stderr", "error", "display_data"]), max_size=2, unique=True)
OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "keep_output": st.booleans(),
        "keep_count": st.booleans(),
        "drop_empty_cells": st.booleans(),
        "drop_tagged_cells": st.sampled_from([(), ("drop",)]),
        "strip_init_cells": st.booleans(),
        "drop_output_types": TYPES.map(tuple),
        "keep_output_types": TYPES.map(tuple),
        "max_size": st.integers(0, 60),
        "extra_keys": st.lists(
            st.sampled_from(["cell.metadata.deep.x", "metadata.kernelspec.name", "cell.metadata.a", "cell.attachments"])
        ).map(tuple),
        "keep_metadata_keys": st.lists(st.sampled_from(CLEANED_KEYS)).map(tuple),
    },
)
DUMPS = st.sampled_from(
    [
        lambda data: json.dumps(data, indent=1) + "\n",
        lambda data: json.dumps(data),
        lambda data: json.dumps(data, indent="\t", ensure_ascii=False).replace("\n", "\r\n"),
        lambda data: json.dumps(data, indent=4, ensure_ascii=False, sort_keys=True),
        lambda data: json.dumps(data, separators=(",", ":")) + "\n\n",
    ]
)


@given(NOTEBOOKS, OPTIONS, DUMPS)
def test_the_same_json_as_nbstripout(
    data: dict[str, Any], options: dict[str, Any], dumps: Callable[[Any], str]
) -> None:
    raw = dumps(data).encode("utf-8")
    types = {name: set(options[name]) for name in ("drop_output_types", "keep_output_types") if name in options}
    wanted = nbstripout(json.loads(raw), **{**options, **types})
    before = notebook.parse(raw, "nb.ipynb")
    after = clean(before, Options(**options))
    written = after.to_bytes()
    # As text: 1 is not True and the order of keys counts.
    assert json.dumps(json.loads(written)) == json.dumps(wanted)
    again = notebook.parse(written, "nb.ipynb")
    assert clean(again, Options(**options)) is again
    assert (after is before) == (written == raw) == is_clean(before, Options(**options))
    assert json.loads(raw) == data, "the notebook that was read is not changed in place"


@given(NOTEBOOKS, OPTIONS, st.sampled_from([2, 3]))
def test_notebooks_from_before_version_4_too(data: dict[str, Any], options: dict[str, Any], version: int) -> None:
    notebook.quick_imports()
    import nbformat
    from nbstripout import strip_output

    old = {
        "metadata": data["metadata"],
        "nbformat": version,
        "nbformat_minor": 0,
        "worksheets": [{"cells": data["cells"]}, {"cells": []}],
    }
    keys = [key for key in CLEANED_KEYS if key not in options.get("keep_metadata_keys", ())]
    rest = {key: options[key] for key in ("drop_empty_cells", "strip_init_cells", "max_size") if key in options}
    settings = {"keep_output": options.get("keep_output"), "keep_count": options.get("keep_count", False)}
    wanted = strip_output(nbformat.from_dict(copy.deepcopy(old)), keep_id=True, extra_keys=keys, **settings, **rest)
    kept = options.get("keep_metadata_keys", ())
    after = clean_worksheets(old, Options(**settings, **rest, keep_metadata_keys=kept))
    assert after == json.loads(json.dumps(wanted))
    assert clean_worksheets(after, Options(**settings, **rest, keep_metadata_keys=kept)) is after


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["outputs", "metadata", "tags", "source", "execution_count", "text", "data"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)


@given(
    st.dictionaries(st.sampled_from(["outputs", "metadata", "source", "cell_type", "execution_count", "id"]), JSON),
    OPTIONS,
)
def test_no_cell_is_too_odd(cell: dict[str, Any], options: dict[str, Any]) -> None:
    before = copy.deepcopy(cell)
    after = clean_cell(cell, Options(**options))
    assert repr(cell) == repr(before)
    assert clean_cell(after, Options(**options)) is after
    assert repr(after.get("source")) == repr(before.get("source"))
