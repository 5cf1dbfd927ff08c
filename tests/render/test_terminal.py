"""What a person reads at a terminal: real output, and nothing of a notebook's that the terminal would obey."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbpr.diff.notebooks import NotebookDiff, compare
from nbpr.findings import Finding
from nbpr.render import RENDERERS, Link, Report, ScrapRow, View, terminal
from tests.diff.scripts import book, code, display, edited, notebooks, stream
from tests.diff.scripts import markdown as text_cell
from tests.render.test_markdown import HOSTILE, everything, threshold

#: The only escape sequences that we write ourselves.
OURS = re.compile(r"\x1b\[(0|1|2|7|31|32|33|36)(;(1|7|31|32|33|36))?m")


def shown(*diffs: NotebookDiff, **settings: Any) -> str:
    return terminal.render(diffs, **{"colour": False, "width": 80, **settings})


def tamed(text: str, colour: bool) -> None:
    """Nothing in the text is a command to the terminal, but for our colours."""
    rest = OURS.sub("", text) if colour else text
    seen = (sign.isprintable() or sign in "\n\t\u200c\u200d" or unicodedata.category(sign) == "Zs" for sign in rest)
    assert all(seen), repr(rest)


def test_the_change_of_a_threshold() -> None:
    assert shown(threshold()) == (
        "notebooks/fleet.ipynb: 1 of 2 cells changed (+0 −0 ~1)\n"
        "  threshold: 0.95 → 0.90\n"
        "\n"
        "── cell 0 · code · modified · parameters · +1 −1 · params ──────────────────────\n"
        " agent = 'a'\n"
        "-threshold = 0.95\n"
        "+threshold = 0.90\n"
        " window = 7"
    )


def test_in_colour_the_word_is_marked() -> None:
    lines = shown(threshold(), colour=True).split("\n")
    assert "\x1b[31m-\x1b[0m\x1b[31mthreshold = \x1b[0m\x1b[31;7m0.95\x1b[0m" in lines
    assert "\x1b[32m+\x1b[0m\x1b[32mthreshold = \x1b[0m\x1b[32;7m0.90\x1b[0m" in lines


def test_unchanged_notebooks_are_not_mentioned() -> None:
    notebook = book(code("x", "a"))
    assert shown(compare("a.ipynb", notebook, notebook)) == ""


def test_long_cells_are_folded_around_what_changed() -> None:
    sources = ["\n".join([f"line {i}" for i in range(20)] + [end]) for end in ("old", "new")]
    text = shown(compare("a.ipynb", *(book(code(source, "a")) for source in sources)))
    assert text.split("\n")[3:] == ["  … 17 unchanged lines", " line 17", " line 18", " line 19", "-old", "+new"]


def test_outputs_are_shown_and_can_be_left_out() -> None:
    diff = compare("a.ipynb", *(book(code("x", "a", outputs=[stream(f"score {n}\n")])) for n in (1, 2)))
    assert "Outputs:\n-score 1\n+score 2" in shown(diff)
    assert "score" not in shown(diff, outputs=False)


def test_stat_is_one_line_for_each_notebook() -> None:
    assert shown(threshold("a.ipynb"), threshold("notebooks/b.ipynb"), stat=True, notes=["no notebook: x.py"]) == (
        "notebook           added  removed  edited  moved  outputs\n"
        "a.ipynb            0      0        1       0      0\n"
        "notebooks/b.ipynb  0      0        1       0      0\n"
        "2 notebooks changed, 2 of 4 cells changed (+0 −0 ~2)\n"
        "· no notebook: x.py"
    )


def test_scraps_are_a_table() -> None:
    rows = [ScrapRow("a.ipynb", "health", 0.93, 0.9625, "min 0.9"), ScrapRow("a.ipynb", "days", 31, 31)]
    assert terminal.scraps(rows, False, 80) == (
        "scrap   before  after   change            bound\n"
        "health  0.93    0.9625  +0.0325 (+3.5 %)  min 0.9\n"
        "days    31      31      same"
    )
    assert shown(scraps=rows).split("\n")[-1].startswith("health")


def test_a_proposal_in_80_columns() -> None:
    report = Report(
        title="Lower the alert threshold",
        operation="pull request #1 created",
        verdict="passed",
        diffs=(threshold(),),
        findings=(
            Finding("reproduce", "note", "notebooks/fleet.ipynb", "3 of 4 cells checked"),
            Finding("size", "warning", "notebooks/fleet.ipynb", "large " * 20, hint="make it smaller"),
        ),
        scraps=(ScrapRow("notebooks/fleet.ipynb", "alert_count", 12, 9),),
        links=(Link("Review page", "/tmp/page.html"),),
        notes=("hooks of yours did not run",),
        checks=("format", "execute"),
    )
    text = terminal.proposal(report, False, 80)
    assert all(len(line) <= 80 for line in text.split("\n"))
    assert text.startswith("✓ passed  pull request #1 created: Lower the alert threshold\n\n! size: large large")
    parts = text.split("\n\n")
    assert parts[1].endswith(
        "  make it smaller\n· reproduce: 3 of 4 cells checked (notebooks/fleet.ipynb)\n✓ format, execute"
    )
    assert parts[2] == "scrap        before  after  change\nalert_count  12      9      −3 (−25.0 %)"
    assert parts[3] == "notebooks/fleet.ipynb: 1 of 2 cells changed (+0 −0 ~1)\n  threshold: 0.95 → 0.90"
    assert parts[5:] == ["· hooks of yours did not run", "Review page: /tmp/page.html"]


@pytest.mark.parametrize(("verdict", "words"), [("failed", "✗ failed"), (None, "· not validated")])
def test_the_verdict_is_a_word_and_a_sign(verdict: Any, words: str) -> None:
    assert terminal.proposal(Report(title="T", verdict=verdict), False, 80) == f"{words}  T"


@pytest.mark.parametrize("colour", [False, True])
@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_of_a_notebook_reaches_the_terminal_as_a_command(text: str, colour: bool) -> None:
    report = everything(f"a{text}b", f"{text}c")
    for width in (20, 80):
        tamed(terminal.proposal(report, colour, width), colour)
        tamed(RENDERERS["text"](report, View(colour, width)), colour)
        tamed(RENDERERS["text"](report, View(colour, width, stat=True)), colour)


#: What terminals obey, and what lies about what is there, with little else.
COMMANDS = st.text(st.sampled_from("\x1b\x9b[]0;1mHJ\x07\r\n\t\b\x7fa\u202e\u2028\ud83d"), max_size=40)


@given(st.text(max_size=40), COMMANDS)
def test_no_character_that_a_terminal_obeys_passes(text: str, other: str) -> None:
    report = everything(text, other)
    for colour in (False, True):
        tamed(terminal.proposal(report, colour, 80), colour)
        tamed(terminal.render(report.diffs, colour=colour, width=80, scraps=report.scraps, notes=report.notes), colour)


@given(st.data())
def test_any_diff_is_rendered_in_every_format(data: st.DataObject) -> None:
    before = data.draw(notebooks())
    diff = compare("a.ipynb", before, data.draw(edited(before)))
    for render in RENDERERS.values():
        for view in (View(), View(True, 140, outputs=False), View(stat=True)):
            assert isinstance(render(Report(diffs=(diff,)), view).encode(), bytes)


def test_a_huge_line_is_cut() -> None:
    before, after = (book(text_cell("x" * 50_000 + end, "a")) for end in ("old", "new"))
    lines = shown(compare("a.ipynb", before, after)).split("\n")
    assert max(len(line) for line in lines) < 1_100


def test_an_escape_sequence_in_a_source_is_shown() -> None:
    before, after = book(code("x", "a")), book(code("x \x1b]0;title\x07\r", "a"))
    assert "+x ⟨U+001B⟩]0;title⟨U+0007⟩⟨U+000D⟩" in shown(compare("a.ipynb", before, after))


def test_a_picture_is_named() -> None:
    before, after = (book(code("p", "a", outputs=[display(image_png=data * 4000)])) for data in ("QUJD", "QUJE"))
    assert "! picture (png), 12 kB → 12 kB, changed" in shown(compare("a.ipynb", before, after))


def test_several_notebooks_stand_below_a_list_of_them() -> None:
    diffs = [compare(f"{name}.ipynb", book(code("x = 1", "a")), book(code("x = 2", "a"))) for name in ("one", "two")]
    shown = terminal.render(diffs, colour=False, width=80)
    assert shown.startswith(terminal.render(diffs, colour=False, width=80, stat=True) + "\n\none.ipynb: 1 of 1 cell")
    alone = terminal.render(diffs[:1], colour=False, width=80)
    assert alone.startswith("one.ipynb: 1 of 1 cell")


def test_of_long_values_the_part_that_differs_is_shown() -> None:
    one, other = (book(code("x", "a", metadata={"note": "n" * 300 + end})) for end in "12")
    line = next(line for line in shown(compare("a.ipynb", one, other)).split("\n") if "metadata.note" in line)
    before, after = line.split(" → ")
    assert (before[-2:], after[-2:]) == ("n1", "n2")


def test_of_very_many_lines_both_sides_are_shown_and_the_rest_is_counted() -> None:
    one, other = (book(code("x", "a", outputs=[stream("".join(f"{n} {w}\n" for n in range(900)))])) for w in "ab")
    lines = shown(compare("a.ipynb", one, other)).split("\n")
    assert len(lines) < 150
    assert {"-0 a", "+0 b", "  … 840 more removed lines (nbpr diff --json has all)"} <= set(lines)
    assert lines[-1] == "  … 840 more added lines (nbpr diff --json has all)"


def test_of_very_many_places_the_first_are_shown() -> None:
    sides = ["".join(f"line {n}\n{word if n % 2 else n}\n" for n in range(900)) for word in ("old", "new")]
    one, other = (book(code("x", "a", outputs=[stream(text)])) for text in sides)
    lines = shown(compare("a.ipynb", one, other)).split("\n")
    assert sum(line in ("-old", "+new") for line in lines) == 300
    assert "more changed lines" in lines[-1]


def test_one_cell_is_one() -> None:
    one, other = (book(code("x", "a", outputs=[stream(f"took {n} s\n")])) for n in (3, 5))
    assert "1 cell's outputs differ in noise alone" in shown(compare("a.ipynb", one, other))
