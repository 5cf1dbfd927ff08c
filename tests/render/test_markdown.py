"""The Markdown that a forge renders: what stands in it, and that no notebook's text gets out of its place."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from nbpr.diff.notebooks import NotebookDiff, compare
from nbpr.findings import Finding
from nbpr.render import Link, Report, ScrapRow, markdown
from tests.diff.scripts import book, code, display, stream
from tests.diff.scripts import markdown as text_cell

#: Stands in everything that notebooks bring; where it shows up, their text is.
CANARY = "CANARY"

HTML = re.compile(
    r"<!-- nbpr:[^<>]*? -->\n?|<!-- nbpr-file [0-9a-z-]+\.[a-z]+ [a-z ]+ -->\n?|</details>\n?"
    r"|<details>\n<summary>[A-Za-z0-9 ·+−_-]*(<code>[A-Za-z0-9_-]+</code>)?</summary>\n?"
)

HOSTILE = [
    "```", "````", "`" * 40, "~~~", "~" * 40, "```diff", "</details>", "</summary>", "-->", "<!--",
    "<script>alert(1)</script>", "<img src=x onerror=y>", "@mention", "#12", "GH-12", "org/repo#3", "\r",
    "\r\n", "\n", "\n\n", "\x1b[31mred\x1b[0m",
    "\x1b]0;title\x07", "\u202e", "\u2066", "\u2028", "\x00", "\x85", "\ud83d", "|", "\\|", "\\", "`|`",
    "[a](http://e.vil)", "![a](http://e.vil)", "http://e.vil", "# heading", "> quote", "- item", "    indented", "\t",
    "$x$", "&lt;", "---", "+++", "@@ -1 +1 @@", "A" * 400, "🦆" * 90, "iVBORw0KGgo" * 60,
]  # fmt: skip

hostile = st.lists(st.sampled_from(HOSTILE), min_size=1, max_size=8).map(lambda parts: CANARY + CANARY.join(parts))


def parsed(text: str) -> list[Token]:
    return MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).parse(text)


def flat(tokens: list[Token]) -> list[Token]:
    return [inner for token in tokens for inner in [token, *flat(token.children or [])]]


def check(text: str) -> None:
    """Everything that a notebook brought stands in a fence or a code span, and what is HTML is ours."""
    html = ""
    for token in flat(parsed(text)):
        if token.type in ("html_block", "html_inline"):
            assert HTML.fullmatch(token.content), token.content
            html += token.content
        elif token.type in ("text", "link_open", "image"):
            assert CANARY not in token.content, token.content
            assert CANARY not in str(token.attrs), token.attrs
        assert token.type not in ("code_block", "image", "hr", "blockquote_open")
    assert re.fullmatch("(<details></details>)*", "".join(re.findall("</?details>", html)))


def changed(*pairs: tuple[Any, Any], path: str = "a.ipynb") -> NotebookDiff:
    before, after = zip(*pairs, strict=True)
    return compare(path, book(*filter(None, before)), book(*filter(None, after)))


PARAMETERS = {"tags": ["parameters"]}


def threshold(path: str = "notebooks/fleet.ipynb") -> NotebookDiff:
    before, after = (f"agent = 'a'\nthreshold = {value}\nwindow = 7" for value in ("0.95", "0.90"))
    cells = [code(source, "params", metadata=PARAMETERS) for source in (before, after)]
    return changed((cells[0], cells[1]), (code("x", "x"), code("x", "x")), path=path)


# -- what stands in it -------------------------------------------------------------------------------------------


def test_marker_heading_and_the_change_of_a_threshold() -> None:
    report = Report(key="a1b2", verdict="passed", diffs=(threshold(),))
    assert markdown.render(report) == (
        "<!-- nbpr:a1b2 -->\n"
        "## ✅ Passed · `notebooks/fleet.ipynb`: 1 of 2 cells changed (+0 −0 ~1), all checks passed\n"
        "\n"
        "**Parameters**\n"
        "\n"
        "| Parameter | Before | After |\n"
        "| --- | --- | --- |\n"
        "| `threshold` | `0.95` | `0.90` |\n"
        "\n"
        "<details>\n"
        "<summary>Cell 0 · code · modified · parameters · +1 −1 · <code>params</code></summary>\n"
        "\n"
        "```diff\n"
        " agent = 'a'\n"
        "-threshold = 0.95\n"
        "+threshold = 0.90\n"
        " window = 7\n"
        "```\n"
        "\n"
        "</details>\n"
    )


def test_failures_come_first_and_are_counted() -> None:
    findings = (
        Finding("reproduce", "note", "a.ipynb", "3 of 4 cells checked"),
        Finding("size", "warning", "a.ipynb", "2 MB"),
        Finding("execute", "error", "a.ipynb", "ValueError: x | y", cell_id="e5f6", hint="mend it"),
    )
    report = Report(key="k", verdict="failed", diffs=(threshold(),), findings=findings, checks=("clean", "execute"))
    text = markdown.render(report)
    assert "## ❌ Failed · " in text
    assert "(+0 −0 ~1), 1 check failed, 1 warning\n" in text
    rows = [line for line in text.split("\n") if line.startswith("|")][:6]
    assert rows[2:] == [
        "| ❌ | `execute` | `a.ipynb` cell `e5f6` | `ValueError: x \\| y` `mend it` |",
        "| ⚠️ | `size` | `a.ipynb` | `2 MB` |",
        "| ℹ️ | `reproduce` | `a.ipynb` | `3 of 4 cells checked` |",
        "| ✅ | `clean` |  | passed |",
    ]


def test_scraps_with_their_change_those_that_changed_first() -> None:
    rows = (
        ScrapRow("a.ipynb", "days", 31, 31),
        ScrapRow("a.ipynb", "health", 0.8, 0.9, "min 0.9"),
        ScrapRow("a.ipynb", "alerts", 12, None),
        ScrapRow("a.ipynb", "table", None, {"encoder": "pandas", "size": 1234, "sha256": "ab" * 32}),
    )
    text = markdown.render(Report(diffs=(threshold("a.ipynb"),), scraps=rows))
    assert [line for line in text.split("\n") if line.startswith("|")][3:] == [
        "| Scrap | Before | After | Change | Bound |",
        "| --- | --- | --- | --- | --- |",
        "| `health` | `0.8` | `0.9` | +0.1 (+12.5 %) | `min 0.9` |",
        "| `alerts` | `12` | – | gone |  |",
        "| `table` | – | `pandas, 1,234 bytes, abababab` | new |  |",
        "| `days` | `31` | `31` | same |  |",
    ]


def test_cells_whose_outputs_alone_changed_come_last_and_pictures_are_named() -> None:
    before = code("plot()", "plot", outputs=[display(image_png="QUJD" * 3000)])
    after = code("plot()", "plot", outputs=[display(image_png="QUJE" * 3000)])
    text = markdown.render(Report(diffs=(changed((before, after), (code("a = 1", "z"), code("a = 2", "z"))),)))
    summaries = re.findall("<summary>(.*)</summary>", text)
    assert [s.split(" · ")[0] for s in summaries] == ["Cell 1", "Cell 0"]
    assert summaries[1] == "Cell 0 · code · outputs only · <code>plot</code>"
    assert "Outputs:\n\n```diff\n! picture (png), 9 kB → 9 kB, changed\n```" in text


def test_several_notebooks_are_told_apart() -> None:
    text = markdown.render(Report(diffs=(threshold("a.ipynb"), threshold("b.ipynb"))))
    assert text.startswith("## 2 notebooks: 2 of 4 cells changed (+0 −0 ~2)\n")
    assert "### `a.ipynb`: modified, 1 of 2 cells changed (+0 −0 ~1)\n" in text
    assert "| `b.ipynb` | `threshold` | `0.95` | `0.90` |" in text


def test_execution_counts_alone_get_no_block() -> None:
    diff = changed((code("x", "a", execution_count=1), code("x", "a", execution_count=2)))
    text = markdown.render(Report(diffs=(diff,)))
    assert "<details>" not in text
    assert "1 execution counts changed" in text


def test_the_failing_cell_is_shown() -> None:
    failed = {"index": 3, "id": "e5", "source": "raise ValueError", "ename": "ValueError", "evalue": "no"}
    text = markdown.render(Report(verdict="failed", runs=({"role": "reference", "failed_cell": failed},)))
    assert "Cell `3 e5` failed: `ValueError: no`\n\n```\nraise ValueError\n```" in text


def test_links_lead_to_the_web_and_paths_are_shown() -> None:
    links = (Link("Run", "https://x.y/a b>(c)"), Link("Page", "/tmp/p.html"), Link("Bad", "javascript:alert(1)"))
    text = markdown.render(Report(links=links))
    assert "[Run](<https://x.y/a%20b%3E(c)>) · Page: `/tmp/p.html` · Bad: `javascript:alert(1)`" in text
    assert [t.attrs["href"] for t in flat(parsed(text)) if t.type == "link_open"] == ["https://x.y/a%20b%3E(c)"]


def test_a_change_far_into_a_long_line_is_shown() -> None:
    lines = [f"x = [{'1, ' * 2000}{last}]" for last in ("before", "after")]
    text = markdown.render(Report(diffs=(changed((code(lines[0], "a"), code(lines[1], "a"))),)))
    shown = [line for line in text.split("\n") if line.startswith(("-x", "+x", "-⟨", "+⟨"))]
    assert ["before]" in shown[0], "after]" in shown[1]] == [True, True]
    assert all(len(line) < 300 for line in shown)


def test_two_long_base64_texts_do_not_look_alike() -> None:
    text = markdown.render(Report(diffs=(changed((code("A" * 5000, "a"), code("A" * 4999 + "B", "a"))),)))
    shown = [line[1:] for line in text.split("\n") if line.startswith(("-A", "+A"))]
    assert len(set(shown)) == 2
    assert "5,000 characters of base64" in shown[0]


# -- what cannot get out of it -----------------------------------------------------------------------------------


def everything(text: str, other: str) -> Report:
    """A report in which everything that can come from outside is hostile."""
    cells = [
        (code(text, "a", metadata=PARAMETERS), code(other, "a", metadata={"tags": ["parameters", text]})),
        (text_cell(text, "b"), text_cell(other, "b")),
        (
            code("x", "c", outputs=[stream(text), display(text_html=text)]),
            code("x", "c", outputs=[stream(other, "stderr")]),
        ),
        (None, {**code(other, "d"), "id": text, "cell_type": text}),
        (code(f"p = {text!r}", "e"), None),
    ]
    diff = changed(*cells, path=text)
    shown = NotebookDiff(**{**vars(diff), "path": text, "parameters": diff.parameters})
    failed = {"index": 1, "id": text, "source": other, "ename": text, "evalue": other}
    return Report(
        key=text,
        verdict="failed",
        diffs=(shown, threshold(other)),
        findings=(Finding(text, "error", text, other, cell_id=text, hint=text),),
        scraps=(ScrapRow(text, other, text, other, text), ScrapRow(other, text, [text], {other: text})),
        runs=(
            {"role": text, "notebook": text, "status": other, "failed_cell": failed, "environment": {"python": text}},
        ),
        links=(Link(text, text), Link(text, "https://x.y/")),
        notes=(other, text),
        checks=(other,),
    )


#: The one place where text from outside is prose; it may be shown there, as nothing but text.
def without_prose(report: Report) -> Report:
    return Report(**{**vars(report), "links": (), "notes": ()})


@given(hostile, hostile)
def test_hostile_notebooks_stay_in_their_places(text: str, other: str) -> None:
    report = without_prose(everything(text, other))
    blocks = markdown.blocks(report)
    for end in range(1, len(blocks) + 1):
        check("\n\n".join(blocks[:end]))


@pytest.mark.parametrize("text", HOSTILE)
def test_each_hostile_text_alone(text: str) -> None:
    check(markdown.render(without_prose(everything(CANARY + text, text + CANARY))))


@given(hostile, hostile)
def test_prose_is_nothing_but_text(text: str, other: str) -> None:
    report = Report(notes=(text, other), links=(Link(text, other), Link(other, "https://x.y/")))
    rendered = markdown.render(report)
    blocks = ("paragraph", "heading", "bullet_list", "list_item")
    allowed = {"inline", "text", "text_special", "code_inline", "link_open", "link_close"}
    allowed |= {f"{kind}_{end}" for kind in blocks for end in ("open", "close")}
    tokens = flat(parsed(rendered))
    assert {token.type for token in tokens} <= allowed
    assert {token.attrs["href"] for token in tokens if token.type == "link_open"} == {"https://x.y/"}
    prose = "".join(token.content for token in tokens if token.type in ("text", "text_special"))
    assert not re.search(r"@\w|#\d|GH-\d|://", prose)


@given(hostile, hostile)
def test_the_proposers_words_end_with_their_quote(text: str, other: str) -> None:
    report = Report(key="k", verdict="failed", diffs=(threshold(),), notes=(other,))
    alone = [(t.type, t.content) for t in flat(parsed(markdown.render(report)))]
    tokens = parsed(markdown.render(Report(**{**vars(report), "why": text})))
    start, end = (next(i for i, t in enumerate(tokens) if t.type == f"blockquote_{word}") for word in ("open", "close"))
    level = [i for i, t in enumerate(tokens) if t.type == "blockquote_close" and t.level == 0]
    assert len(level) == 1
    assert [(t.type, t.content) for t in flat(tokens[:start] + tokens[level[0] + 1 :])] == alone
    assert end <= level[0]
    assert not any("html" in t.type for t in flat(tokens[start : level[0]]))


@given(hostile, hostile)
def test_nobody_is_mentioned_in_a_mail(text: str, other: str) -> None:
    diff = changed((text_cell(text, "a"), text_cell(other, "a")), (None, code("x", "b", outputs=[stream(text)])))
    assert not re.search(r"@\w", markdown.render(Report(diffs=(diff,))).replace("@@ ", ""))


def test_control_and_bidirectional_characters_are_shown() -> None:
    diff = changed((code("a", "a"), code("a \u202e\x1b[31m \x00 \ud83d", "a")))
    text = markdown.render(Report(diffs=(diff,)))
    assert "+a ⟨U+202E⟩⟨U+001B⟩[31m ⟨U+0000⟩ ⟨U+D83D⟩" in text


def test_a_lone_carriage_return_starts_a_line_with_the_same_sign() -> None:
    text = markdown.render(Report(diffs=(changed((code("a", "a"), code("a\rb", "a"))),)))
    assert "-a\n+a\n+b\n" in text


@pytest.mark.parametrize("key", ["a--b", "-->", "--><script>", "a-", "x y", "é", "-", "--!>"])
def test_no_key_ends_the_marker(key: str) -> None:
    marker = markdown.marker(key)
    (token,) = parsed(marker)
    assert token.type == "html_block"
    assert marker.count("--") == 2
    assert re.fullmatch(r"<!-- nbpr:[A-Za-z0-9%._~-]+ -->", marker)


def test_keys_have_markers_of_their_own() -> None:
    assert markdown.marker("sha256-0a1b") == "<!-- nbpr:sha256-0a1b -->"
    assert len({markdown.marker(key) for key in ("a-b", "a--b", "a b", "a%20b", "a/b")}) == 5


# -- the budget --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("budget", [1_000, 4_000, 60_000])
@pytest.mark.parametrize("size", [1, 40])
def test_the_budget_is_kept_and_what_is_left_out_is_counted(budget: int, size: int) -> None:
    text = (CANARY + "`|é🦆\u202e@x ") * size
    cells = [(code(f"{text}{i}\n" * 4, f"c{i}"), code(f"{text}{i}!\n" * 4, f"c{i}")) for i in range(40)]
    report = without_prose(everything(text, text + "!"))
    many = {"scraps": report.scraps * 400, "findings": report.findings * 400}
    report = Report(**{**vars(report), "key": "k", "diffs": (changed(*cells),), **many})
    rendered = markdown.render(report, budget)
    assert len(rendered.encode()) <= budget
    check(rendered)
    shown = rendered.count("<summary>Cell")
    assert f"*{40 - shown} more changed cells are not shown here.*" in rendered
    assert shown <= 30
    assert "more rows are not shown" in rendered


def test_a_huge_cell_is_cut_at_a_line_with_the_number_of_lines_left() -> None:
    text = markdown.render(
        Report(diffs=(changed((code("", "a"), code("\n".join(f"line {i}" for i in range(5000)), "a"))),))
    )
    assert "+line 199\n… 4,800 more lines\n```" in text
