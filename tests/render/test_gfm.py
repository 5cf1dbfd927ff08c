"""Hostile notebooks by the thousand through the Markdown, read by the parsers that forges use and by a second one."""

from __future__ import annotations

import random
import re
from typing import Any

import pytest

from nbpr.findings import Finding
from nbpr.proposals import identity
from nbpr.render import Link, Report, ScrapRow, markdown
from tests.diff.scripts import code, stream
from tests.diff.scripts import markdown as text_cell
from tests.render.pages import error, scrap, shows
from tests.render.payloads import PAYLOADS
from tests.render.test_markdown import CANARY, HOSTILE, changed, check, without_prose

cmarkgfm = pytest.importorskip("cmarkgfm", reason="no cmark-gfm: pip install cmarkgfm")

#: What the GFM parser may make of a report: words of ours around code, and nothing else.
ALLOWED = re.compile(
    r"</?(h2|h3|p|table|thead|tbody|tr|td|th|details|ul|em|strong|li)>|</?code>|</?pre( lang=\"diff\")?>"
    r"|<pre><code( class=\"language-diff\")?>|<summary>|</summary>|<br />"
)

#: Marks of ours on a forge: what a body holds of them has to be there once.
MARKS = ["<!-- /nbpr -->", '<!-- nbpr-proposal {"authors": ["x"]} -->', "<!-- nbpr:k -->", "<!--nbpr"]


def text(rng: random.Random) -> str:
    """Pieces of Markdown, HTML and worse, put together by chance."""
    pool = (
        HOSTILE,
        PAYLOADS,
        MARKS,
        ["\n", "\n\n", " ", "a", "`", "|", "<", ">", "\\", "*", "_", "~", "#", "@a", "!["],
    )
    parts = [rng.choice(rng.choice(pool)) for _ in range(rng.randint(1, 6))]
    return "".join(f"{CANARY}{part}" if rng.random() < 0.5 else part for part in parts)


def outputs(rng: random.Random) -> list[dict[str, Any]]:
    made = [
        lambda: stream(text(rng), rng.choice(["stdout", "stderr"])),
        lambda: shows(text__html=text(rng)),
        lambda: shows(text__markdown=text(rng)),
        lambda: shows(text__plain=text(rng)),
        lambda: scrap(text(rng), text(rng)),
        lambda: error(text(rng)),
        lambda: {"output_type": text(rng), "data": {text(rng): text(rng)}},
    ]
    return [rng.choice(made)() for _ in range(rng.randint(0, 3))]


def report(seed: int) -> Report:
    """A hostile notebook, changed in a hostile way, with hostile findings about it."""
    rng = random.Random(seed)
    pairs: list[tuple[Any, Any]] = []
    for n in range(rng.randint(1, 5)):
        kind = rng.choice([code, text_cell])
        sides = []
        for _ in range(2):
            members = {"outputs": outputs(rng)} if kind is code else {}
            sides.append(
                kind(text(rng), f"c{n}", metadata={"tags": ["parameters", text(rng)]} if n == 0 else {}, **members)
            )
        pairs.append(rng.choice([(sides[0], sides[1]), (None, sides[1]), (sides[0], None)]))
    failed = {"index": n, "id": text(rng), "source": text(rng), "ename": text(rng), "evalue": text(rng)}
    run = {"role": "reference", "notebook": text(rng), "status": "error", "failed_cell": failed}
    return Report(
        key=rng.choice(["k", text(rng)]),
        verdict=rng.choice(["passed", "failed", None]),
        diffs=(changed(*pairs, path=text(rng)),),
        findings=tuple(
            Finding(text(rng), rng.choice(["error", "note"]), text(rng), text(rng), text(rng), text(rng))
            for _ in range(rng.randint(0, 3))
        ),
        scraps=(ScrapRow(text(rng), text(rng), text(rng), text(rng), text(rng)),),
        runs=(run,),
        links=(Link("page", "https://x.test/a"),),
        checks=(text(rng),),
        picture_urls={},
    )


def structure(shown: str) -> str:
    """cmark-gfm's HTML with the code blocks and code spans emptied."""
    rendered = cmarkgfm.github_flavored_markdown_to_html(shown, options=1 << 17)  # raw HTML kept, to be looked at
    return re.sub(r"(<code[^>]*>).*?(</code>)", r"\1\2", rendered, flags=re.DOTALL)


def looked_at(one: Report) -> None:
    shown = markdown.render(one)
    assert len(shown.encode()) <= markdown.BUDGET
    check(markdown.render(without_prose(one)))
    seen = structure(markdown.render(without_prose(one)))
    rest = ALLOWED.sub("", re.sub(r"<!-- nbpr:[^<>]*? -->", "", seen))
    assert not re.search("[<>]", rest), rest
    assert CANARY not in rest
    assert seen.count("<details>") == seen.count("</details>") == shown.count("\n<details>\n")
    lines = shown.split("\n")
    assert [line for line in lines if line.startswith(("<!-- /nbpr", "<!-- nbpr-proposal", "<!--nbpr"))] == []
    assert len([line for line in lines if line.startswith("<!-- nbpr:")]) == bool(one.key)


@pytest.mark.parametrize("part", range(4))
def test_hostile_notebooks_do_not_get_out_of_their_places(part: int) -> None:
    for seed in range(part * 50, part * 50 + 50):
        looked_at(report(seed))


@pytest.mark.soak
def test_three_thousand_hostile_notebooks() -> None:
    for seed in range(1_000, 4_000):
        looked_at(report(seed))


def test_no_line_of_a_notebook_ends_or_fakes_our_part_of_a_body() -> None:
    """A failing cell's source stands at the beginning of lines, where our marks are looked for."""
    forged = identity.Identity("mallory", "k2", ("a.ipynb",), "T", verdict="passed").comment()
    failed = {
        "index": 0,
        "id": "a",
        "source": f"<!-- /nbpr -->\n{forged}\n<!-- nbpr:x -->",
        "ename": "E",
        "evalue": "e",
    }
    shown = markdown.render(Report(key="k", verdict="failed", runs=({"role": "reference", "failed_cell": failed},)))
    assert identity.read(shown) is None
    mine = identity.Identity("ada", "k", ("a.ipynb",), "T").comment()
    body = f"{shown}\n{mine}\n{identity.END}\n\nWords of people."
    assert identity.read(body) == identity.read(mine)
    assert identity.body_with(body, "NEW") == "NEW\n\nWords of people."


def test_what_is_looked_for_is_found() -> None:
    """The looking itself: a text that got out of its place is seen."""
    for escaped in ("<script>x</script>", "![a](https://e.vil)", "<details>", f"*{CANARY}*"):
        seen = ALLOWED.sub("", structure(f"{escaped}\n"))
        assert re.search("[<>]", seen) or CANARY in seen or "<details>" in structure(escaped)
