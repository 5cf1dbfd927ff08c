"""Outputs made the same wherever they come from, and cut down to what may be kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbpr.runs import outputs
from nbpr.runs.outputs import cap, keep, patterns, settle, shortened, size_of

PLACES = patterns(
    [("/tmp/work/tree-1", "<repo>"), ("/home/ada", "~"), ("/opt/py/lib/site-packages", "<site-packages>")]
)


def stream(text: str, name: str = "stdout") -> dict[str, Any]:
    return {"output_type": "stream", "name": name, "text": text}


def display(data: dict[str, Any], **members: Any) -> dict[str, Any]:
    return {"output_type": "display_data", "data": data, "metadata": {}, **members}


def text_after(text: str) -> str:
    return str(settle([stream(text)], PLACES)[0]["text"])


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("/tmp/work/tree-1/data/a.csv", "<repo>/data/a.csv"),
        ("file:///tmp/work/tree-1", "file://<repo>"),
        ("'/home/ada/notes'", "'~/notes'"),
        ("/home/ada", "~"),
        ("/mnt/home/ada and /home/ada-2 and /home/adamant", "/mnt/home/ada and /home/ada-2 and /home/adamant"),
        ("File /opt/py/lib/site-packages/pandas/a.py:3", "File <site-packages>/pandas/a.py:3"),
        ("/tmp/ipykernel_4711/123456.py:1: UserWarning: x", "<ipykernel>:1: UserWarning: x"),
        ("/var/folders/x/T/ipykernel_1/2.py:3", "<ipykernel>:3"),
        ("<object at 0x7f184b6c70e0>", "<object at 0x…>"),
        ("&lt;Axes at 0x7f184b6c70e0&gt;", "&lt;Axes at 0x…&gt;"),
        ("the register at 0x7f184b6c70e0 is", "the register at 0x7f184b6c70e0 is"),
        ("10%\r50%\r100%\ndone\r\n", "100%\ndone\r\n"),
    ],
)
def test_what_differs_without_meaning_is_replaced(before: str, after: str) -> None:
    assert text_after(before) == after


def test_longer_paths_go_first_also_as_ipython_shortens_them(tmp_path: Path) -> None:
    home, root = tmp_path / "home", tmp_path / "home" / "project" / ".git" / "tree"
    found = patterns([(home, "~"), (home / "project", "<repo>"), (root, "<repo>")])
    for text in (f"{root}/a.py", "~/project/.git/tree/a.py", f"{home}/project/a.py", "~/project/a.py"):
        assert settle([stream(text)], found)[0]["text"] == "<repo>/a.py"


def test_links_are_looked_through(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    found = patterns([(tmp_path / "link", "<repo>")])
    assert settle([stream(f"{tmp_path}/link/a {tmp_path}/real/a")], found)[0]["text"] == "<repo>/a <repo>/a"


def test_a_root_for_a_home_is_left_alone() -> None:
    assert settle([stream("/usr/bin")], patterns([("/", "~")]))[0]["text"] == "/usr/bin"


def test_paths_go_from_errors_data_and_metadata_too() -> None:
    path = "/tmp/work/tree-1/a"
    error = {"output_type": "error", "ename": "E", "evalue": path, "traceback": [f"\x1b[32m{path}\x1b[39m"]}
    shown = display(
        {"text/html": [f"<a href='{path}'>", "</a>"], "application/json": {path: [path, 1]}}, metadata={path: path}
    )
    settled = settle([error, shown], PLACES)
    assert "/tmp/work" not in json.dumps(settled)
    assert settled[0]["traceback"] == ["\x1b[32m<repo>/a\x1b[39m"]
    assert settled[1]["data"]["application/json"] == {"<repo>/a": ["<repo>/a", 1]}
    assert settled[1]["data"]["text/html"] == "<a href='<repo>/a'></a>"


def test_pictures_are_not_touched() -> None:
    data = {"image/png": "abc/home/ada/xyz", "image/svg+xml": "<svg>/home/ada</svg>"}
    assert settle([display(data)], PLACES)[0]["data"] == {
        "image/png": "abc/home/ada/xyz",
        "image/svg+xml": "<svg>~</svg>",
    }


def test_streams_are_joined_between_other_outputs() -> None:
    made = [
        stream("a\n"), stream("x\n", "stderr"), stream("b\n"), display({"text/plain": "1"}),
        stream("y\n", "stderr"), stream(""),
    ]  # fmt: skip
    kinds = [(each.get("name"), each.get("text")) for each in settle(made, PLACES)]
    assert kinds == [("stdout", "a\nb\n"), ("stderr", "x\n"), (None, None), ("stderr", "y\n")]


def test_widgets_views_go_since_their_ids_are_random() -> None:
    view = {"application/vnd.jupyter.widget-view+json": {"model_id": "123"}}
    assert settle([display({**view, "text/plain": "Box()"}), display(view)], PLACES) == [
        display({"text/plain": "Box()"})
    ]


def test_transient_parts_go() -> None:
    assert settle([display({"text/plain": "1"}, transient={"display_id": "x"})], PLACES) == [
        display({"text/plain": "1"})
    ]


TEXTS = st.lists(
    st.sampled_from(
        ["/tmp/work/tree-1", "/home/ada", "~", "/", "x", " ", "\r", "\n", " at 0x7f184b6c70e0", ">", "-", "<repo>"]
    ),
    max_size=12,
).map("".join)
OUTPUTS = st.lists(
    st.builds(stream, TEXTS, st.sampled_from(["stdout", "stderr"]))
    | st.builds(lambda text: display({"text/plain": text, "application/json": {text: [text]}}), TEXTS),
    max_size=5,
)


@given(OUTPUTS)
def test_settling_twice_is_settling_once_and_leaves_no_worktree(made: list[dict[str, Any]]) -> None:
    settled = settle(made, PLACES)
    assert "/tmp/work/tree-1" not in json.dumps(settled)
    assert settle(settled, PLACES) == settled


SCRAP = display({"application/scrapbook.scrap.json+json": {"name": "n", "data": 1, "encoder": "json", "version": 1}})
RECORD = display({"application/papermill.record+json": {"n": 1}})


@pytest.mark.parametrize(
    ("policy", "checked", "private", "kept"),
    [
        ("all", False, False, 3),
        ("marked", True, False, 3),
        ("marked", False, False, 2),
        ("scraps", True, False, 2),
        ("none", True, False, 0),
        ("all", True, True, 0),
    ],
)
def test_each_policy_keeps_what_the_next_stricter_one_does(
    policy: Any, checked: bool, private: bool, kept: int
) -> None:
    made = [SCRAP, RECORD, stream("said\n")]
    assert keep(made, policy, checked=checked, private=private) == made[:kept]


def test_large_outputs_give_way_to_a_note_that_tells_them_apart() -> None:
    lines = "".join(f"line {k}\n" for k in range(1000))
    large = [
        stream(lines),
        display({"image/png": "A" * 5000}),
        {"output_type": "error", "ename": "E", "evalue": "v", "traceback": ["t" * 5000]},
    ]
    short = cap([*large, stream("small")], 4000)
    assert [size_of(each) <= 4000 for each in short] == [True] * 4
    assert short[0]["text"].startswith("line 0\nline 1\n")
    assert f"[left out: {size_of(large[0]):,} bytes, sha256 " in short[0]["text"]
    assert list(short[1]["data"]) == ["text/plain"]
    assert (short[2]["ename"], short[2]["evalue"]) == ("E", "v")
    assert short[3] == stream("small")
    assert shortened(stream(lines)) == short[0]
    assert shortened(stream(lines + "more")) != short[0]
    assert outputs.cap(short, 4000) == short
