"""The gate's Markdown: what stands in it, within its budget, and no text gets out of its place."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from nbpr.findings import Finding
from nbpr.gate.result import GateResult, Judged
from nbpr.render import Link, gatesummary
from nbpr.render.blocks import BUDGET
from tests.render.gateresults import five, good, hostile, nothing
from tests.render.payloads import PAYLOADS
from tests.render.test_gfm import MARKS, structure
from tests.render.test_markdown import CANARY, HOSTILE

pytestmark = pytest.mark.slow

#: What the GFM parser may make of it: words of ours around code.
ALLOWED = re.compile(
    r"</?(h2|h3|p|table|thead|tbody|tr|td|th|details|ul|em|strong|li)>|</?code>|</?pre( lang=\"diff\")?>"
    r"|<pre><code( class=\"language-diff\")?>|<summary>|</summary>|<br />"
)


def test_it_begins_with_the_marker_and_one_line_that_says_it_all() -> None:
    first, second, *_ = gatesummary.text(five()).split("\n")
    assert first == "<!-- nbpr:gate -->"
    assert second == "## ❌ Failed · 6 notebooks, 4 failed, 1 error beside them, 2 warnings"
    assert "## ✅ Passed · 1 notebook\n" in gatesummary.text(good())
    assert "## ✅ Passed · no notebook changed\n" in gatesummary.text(nothing())


def test_the_table_has_failures_first_and_how_many_cells_were_checked() -> None:
    shown = gatesummary.text(five())
    rows = [line for line in shown.split("\n") if re.match(r"\| (❌|⚠️|✅) \| `notebooks/", line)][:6]
    assert [re.findall(r"`notebooks/(\w+)", row)[0] for row in rows] == [
        "changing", "dirty", "failing", "low", "gone", "good",
    ]  # fmt: skip
    assert rows[0] == "| ❌ | `notebooks/changing.ipynb` | affected | failed: `reproduce` | 2 of 3 |"
    assert rows[3].endswith("| failed: `scraps` | 0 of 3 |")
    assert rows[5] == "| ✅ | `notebooks/good.ipynb` | 3 of 4 cells changed (+0 −0 ~3) | passed | 2 of 3 |"


def test_what_failed_stands_in_its_own_block() -> None:
    shown = gatesummary.text(five())
    block = shown[shown.index("<summary>❌ <code>notebooks/failing.ipynb</code></summary>") :]
    block = block[: block.index("</details>")]
    assert "ZeroDivisionError: division" in block
    assert "print(1 / 0)" in block
    assert shown.count("<summary>❌") == 4
    assert "score is 0.5, min is 0.9, it was 0.95" in shown
    assert "| `notebooks/low.ipynb` | `score` | `0.95` | `0.5` | −0.45 (−47.4 %) |" in shown
    assert "`weakened`" in shown
    assert "`nbpr check --fix`" in shown


def test_what_the_gates_own_runs_gave_is_shown() -> None:
    shown = gatesummary.text(good())
    assert "<summary>Cell 2 · code · outputs only · <code>shown</code></summary>" in shown
    assert "-1\n+2" in shown


def test_notes_and_links_come_first() -> None:
    told = gatesummary.text(five(), links=[Link("log", "https://forge.test/1")], notes=["no right to comment: @x #1"])
    _, _, _, links, _, note, *_ = told.split("\n")
    assert links == "[log](<https://forge.test/1>)"
    assert note.startswith("- no right to comment")
    assert "@x" not in told


def test_the_same_result_gives_the_same_text_however_long_it_took() -> None:
    assert gatesummary.text(five(1.0)) == gatesummary.text(five(99.5))
    turned = replace(five(), notebooks=five().notebooks[::-1])
    assert [line for line in gatesummary.text(turned).split("\n") if line.startswith("| ❌ |")][:5] == [
        line for line in gatesummary.text(five()).split("\n") if line.startswith("| ❌ |")
    ][:5]


def large(count: int) -> GateResult:
    """Many notebooks that failed, each with many findings."""
    failed = {"index": 0, "id": "a", "source": "x = 1\n" * 500, "ename": "E", "evalue": "v" * 5_000}
    judged = [
        Judged(
            f"notebooks/{number}.ipynb",
            "modified",
            tuple(Finding("execute", "error", f"notebooks/{number}.ipynb", "🦆" * 300, "a") for _ in range(50)),
            run={"failed_cell": failed},
        )
        for number in range(count)
    ]
    return GateResult(
        None, "2" * 40, tuple(judged), tuple(Finding("weakened", "error", "x", "y" * 400) for _ in range(99))
    )


def test_it_keeps_to_its_budget_and_says_what_is_left_out() -> None:
    shown = gatesummary.text(large(200))
    assert len(shown.encode()) <= BUDGET
    assert re.search(r"\*\d+ more notebooks that failed are not shown here\.\*", shown)
    assert re.search(r"\*\d+ more rows are not shown\.\*", shown)
    for budget in (2_000, 5_000, 20_000):
        short = gatesummary.text(large(60), budget=budget)
        assert len(short.encode()) <= budget
        assert short.startswith("<!-- nbpr:gate -->\n## ❌ Failed")


@pytest.mark.parametrize("found", [five(), large(30), hostile("</details>\n```\n<!-- nbpr:gate -->")])
def test_wherever_it_ends_it_parses(found: GateResult) -> None:
    blocks = gatesummary.blocks(found)
    for end in range(1, len(blocks) + 1):
        seen = structure("\n\n".join(blocks[:end]))
        assert seen.count("<details>") == seen.count("</details>")
        assert not re.search("[<>]", ALLOWED.sub("", re.sub(r"<!-- nbpr:[^<>]*? -->", "", seen)))


def test_no_text_gets_out_of_its_place() -> None:
    import random

    pool = [*HOSTILE, *PAYLOADS, *MARKS]
    for seed in range(120):
        rng = random.Random(seed)
        text = "".join(f"{CANARY}{rng.choice(pool)}" for _ in range(rng.randint(1, 5)))
        shown = gatesummary.text(hostile(text))
        assert len(shown.encode()) <= BUDGET
        seen = structure(shown)
        rest = ALLOWED.sub("", re.sub(r"<!-- nbpr:[^<>]*? -->", "", seen))
        assert not re.search("[<>]", rest), rest
        assert CANARY not in rest
        assert seen.count("<details>") == seen.count("</details>")
        assert [line for line in shown.split("\n") if line.startswith("<!--")] == ["<!-- nbpr:gate -->"]
