"""The review page in a real browser: nothing runs, nothing is asked for, everything can be read and used."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nbpr.findings import Finding
from nbpr.render import Link, Report, ScrapRow, html
from tests.diff.scripts import code, stream
from tests.diff.scripts import markdown as text_cell
from tests.render.browser import Watched, axe, chromium
from tests.render.pages import error, hostile, large, picture, png, scrap, shows
from tests.render.payloads import PAYLOADS
from tests.render.test_markdown import changed

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as running:
        yield running


def report() -> Report:
    """A report with one of everything that a page shows."""
    table = "<table><tr><th></th><th>n</th></tr><tr><th>a</th><td>{}</td></tr><tr><th>b</th><td>2</td></tr></table>"
    outputs = [
        [
            stream(f"\x1b[31mred {n}\x1b[0m\n"),
            shows(image__png=picture(png(400, 200, n))),
            shows(text__html=table.format(n)),
            shows(text__markdown=f"*so* {n}, $x^{n}$ <img src=https://evil.test/a.png>"),
            scrap("alerts", 12 - n),
            {"output_type": "display_data", "metadata": {}, "data": {"application/javascript": f"alert({n})"}},
        ]
        for n in (1, 2)
    ]
    parameters = {"tags": ["parameters"]}
    lines = "\n".join(f"line_{i} = {i}  # {i}" for i in range(20))
    diff = changed(
        (
            code("threshold = 0.95", "params", metadata=parameters),
            code("threshold = 0.9", "params", metadata=parameters),
        ),
        (text_cell("# Old\n\n| a | b |\n| - | - |\n| 1 | 2 |", "text"), text_cell("# New\n\nwords", "text")),
        *[(code(f"same = {n}", f"same{n}"), code(f"same = {n}", f"same{n}")) for n in range(3)],
        (code(lines + "\nx = 'a'", "long"), code(lines + "\nx = 'b'", "long")),
        (code("show()", "show", outputs=outputs[0]), code("show()", "show", outputs=outputs[1])),
        (code("gone()", "gone"), None),
        (None, code("raise ValueError\n\u202e", "new", outputs=[error("\x1b[31mno\x1b[0m"), stream("x")])),
        path="notebooks/fleet.ipynb",
    )
    return Report(
        title="Lower the threshold",
        key="k",
        verdict="failed",
        operation="pull request #1 created",
        why="Because **it** pages.",
        diffs=(diff,),
        findings=(
            Finding("execute", "error", "notebooks/fleet.ipynb", "ValueError", "new", "mend it"),
            Finding("size", "warning", "notebooks/fleet.ipynb", "large"),
            Finding("reproduce", "note", "notebooks/fleet.ipynb", "4 of 5 cells checked"),
        ),
        scraps=(
            ScrapRow("notebooks/fleet.ipynb", "alerts", 11, 10, "max 11", (9, 10, 11, 10), None, 11),
            ScrapRow("notebooks/fleet.ipynb", "days", 3, 3),
        ),
        runs=({"role": "reference", "notebook": "a", "status": "error", "duration_seconds": 1.5, "cells_executed": 2},),
        links=(Link("pull request", "https://forge.test/1"), Link("branch", "agent/x")),
        notes=("a note",),
        checks=("format", "execute"),
    )


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "1.html"
    path.write_text(html.render(report()), encoding="utf-8")
    return path


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_opens_from_a_file_without_a_complaint(browser: Any, page: Path, scheme: str) -> None:
    watched = Watched(browser, color_scheme=scheme)
    shown = watched.open(page)
    assert watched.told == []
    assert shown.title() == "Failed: Lower the threshold"
    assert shown.evaluate("document.documentElement.className") == "on"  # the script is let run, and did
    colour = shown.evaluate("getComputedStyle(document.body).backgroundColor")
    assert colour == {"light": "rgb(255, 255, 255)", "dark": "rgb(15, 19, 24)"}[scheme]  # and the style
    pictures = shown.evaluate("[...document.images].filter(image => image.src).map(image => image.naturalWidth)")
    assert len(pictures) >= 2
    assert all(pictures)
    watched.close()


@pytest.mark.parametrize("width", [1280, 420])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(browser: Any, page: Path, scheme: str, width: int) -> None:
    # Bypassed for axe alone, whose script the page's policy would not let run.
    watched = Watched(browser, color_scheme=scheme, bypass_csp=True, viewport={"width": width, "height": 800})
    source = axe()
    shown = watched.open(page)
    shown.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    shown.evaluate(source)
    found = shown.evaluate("axe.run(document, {resultTypes: ['violations']})")
    grave = [
        (one["id"], [(node["html"][:120], node["failureSummary"]) for node in one["nodes"][:3]])
        for one in found["violations"]
        if one["impact"] in ("serious", "critical")
    ]
    assert grave == []
    assert len(found["passes"]) > 15
    watched.close()


@pytest.mark.parametrize("width", [1280, 420])
def test_no_part_is_wider_than_the_window(browser: Any, page: Path, width: int) -> None:
    watched = Watched(browser, viewport={"width": width, "height": 800})
    shown = watched.open(page)
    assert shown.evaluate("document.documentElement.scrollWidth") <= width
    out = """[...document.querySelectorAll('.card *')].filter(
        part => part.getBoundingClientRect().right > part.closest('.card').getBoundingClientRect().right + 1).length"""
    assert shown.evaluate(out) == 0
    watched.close()


def test_results_of_several_notebooks_fit_a_narrow_window(browser: Any, tmp_path: Path) -> None:
    paths = ["notebooks/quarterly/05.05-Naive-Bayes.ipynb", "notebooks/quarterly/02.07-Fancy-Indexing.ipynb"]
    diffs = tuple(changed((code("x = 1", "a"), code("x = 2", "a")), path=path) for path in paths)
    rows = [ScrapRow(path, name, 0.81, 0.93, "min 0.9") for path in paths for name in ("accuracy", "rows_seen")]
    place = tmp_path / "several.html"
    place.write_text(html.render(Report(title="T", key="k", diffs=diffs, scraps=tuple(rows))), encoding="utf-8")
    watched = Watched(browser, viewport={"width": 400, "height": 800})
    shown = watched.open(place)
    assert shown.evaluate("document.documentElement.scrollWidth") <= 400
    assert shown.locator(".facts th[scope=rowgroup]").all_inner_texts() == paths
    watched.close()


def test_words_for_a_picture_that_is_not_loaded_can_be_read_in_the_dark(browser: Any, page: Path) -> None:
    watched = Watched(browser, color_scheme="dark")
    shown = watched.open(page)
    ground = "getComputedStyle(document.querySelector('img:not([src])')).backgroundColor"
    assert shown.evaluate(ground) == "rgba(0, 0, 0, 0)"
    watched.close()


def test_without_scripts_everything_is_there_and_the_toggles_work(browser: Any, page: Path) -> None:
    watched = Watched(browser, java_script_enabled=False)
    shown = watched.open(page)
    assert shown.locator("h1").inner_text() == "Lower the threshold"
    assert shown.locator("#show .pair img").count() == 0  # ids are those of the page, not of notebooks
    assert shown.locator("#n1-show .pair img").count() == 2
    assert shown.locator(".slide").count() == 0
    old, new = (shown.locator(f"#n1-params .l.{kind}").bounding_box() for kind in "on")
    assert old["y"] == new["y"]
    shown.locator("#unified").check()
    old, new = (shown.locator(f"#n1-params .l.{kind}").bounding_box() for kind in "on")
    assert old["y"] < new["y"]
    assert shown.locator("#n1-show .outputs").is_visible()
    shown.locator("#hide-outputs").check()
    assert not shown.locator("#n1-show").is_visible()
    fold = shown.locator("#n1-long details.fold")
    assert fold.locator("summary").inner_text() == "17 unchanged lines"
    assert not fold.locator(".l").first.is_visible()
    fold.locator("summary").click()
    assert fold.locator(".l").first.is_visible()
    shown.locator("details.quiet summary").click()
    assert shown.get_by_text("same = 1").first.is_visible()
    assert watched.told == []
    watched.close()


def test_the_keys_move_between_cells_and_turn_things_on_and_off(browser: Any, page: Path) -> None:
    watched = Watched(browser)
    shown = watched.open(page)
    seen = []
    for key in "jjk":
        shown.keyboard.press(key)
        seen.append(shown.evaluate("document.activeElement.id"))
    assert seen == ["n1-params", "n1-text", "n1-params"]
    shown.keyboard.press("u")
    assert shown.locator("#unified").is_checked()
    shown.keyboard.press("o")
    assert shown.locator("#hide-outputs").is_checked()
    watched.close()


def test_two_pictures_can_be_laid_over_each_other(browser: Any, page: Path) -> None:
    watched = Watched(browser)
    shown = watched.open(page)
    shown.get_by_role("button", name="Lay over each other").click()
    before, after = (shown.locator("#n1-show .pair img").nth(n).bounding_box() for n in (0, 1))
    assert (before["x"], before["y"]) == (after["x"], after["y"])
    shown.locator("input[type=range]").fill("80")
    assert "80%" in shown.evaluate("getComputedStyle(document.querySelectorAll('.pair figure')[1]).clipPath")
    assert watched.told == []
    watched.close()


def test_what_counts_is_seen_without_scrolling(browser: Any, page: Path) -> None:
    watched = Watched(browser, viewport={"width": 1280, "height": 800})
    shown = watched.open(page)
    parts = {".verdict": "Failed", ".facts": "threshold", "#what ~ .facts ins": "0.9", "#did ~ .facts": "alerts"}
    parts |= {".change": "−1 (−9.1\u00a0%)", ".checks .error": "ValueError", "#what ~ .facts del": "0.95"}
    for place, words in parts.items():
        part = shown.locator(place).filter(has_text=words).first
        box = part.bounding_box()
        assert box["y"] + box["height"] <= 800, words
    watched.close()


#: Everything in a page is poked, as a reader's pointer and keyboard would; links are looked at, not followed.
POKE = """() => {
  for (const one of document.querySelectorAll('*')) {
    if (one.tagName === 'DETAILS') one.open = true;
    for (const name of 'mouseover mouseenter focus blur copy toggle load error begin start'.split(' '))
      one.dispatchEvent(new Event(name));
    if (one.tagName !== 'A') one.dispatchEvent(new MouseEvent('click', {bubbles: false}));
  }
  const links = [...document.links].map(link => link.getAttribute('href'));
  return {
    pwned: window.pwned === 1,
    links: links.filter(href => !/^(https?:|mailto:|#)/.test(href)),
    scripts: document.scripts.length, styles: document.querySelectorAll('style,[style]').length,
    active: document.querySelectorAll('iframe,object,embed,form,meta[http-equiv=refresh],base,link,video,audio').length,
    ids: [...document.querySelectorAll('#unified')].length,
    handlers: [...document.querySelectorAll('*')].flatMap(e => [...e.attributes]).filter(a => /^on/.test(a.name))
      .length,
    pictures: [...document.querySelectorAll('img')].filter(i => !i.src.startsWith('data:image/')).length,
  };
}"""


@pytest.mark.parametrize("part", range(4))
def test_hostile_notebooks_do_nothing_even_without_the_policy(browser: Any, tmp_path: Path, part: int) -> None:
    watched = Watched(browser, bypass_csp=True)
    path = tmp_path / "page.html"
    for text in PAYLOADS[part::4]:
        path.write_text(html.render(hostile(text)), encoding="utf-8")
        shown = watched.open(path)
        found = shown.evaluate(POKE)
        shown.wait_for_timeout(30)
        assert watched.told == [], text
        # Pictures without an address are shown by their alternative text.
        assert found.pop("pictures") == shown.locator("img:not([src])").count(), text
        assert found == {
            "pwned": False, "links": [], "scripts": 1, "styles": 1, "active": 0, "ids": 1, "handlers": 0
        }, text  # fmt: skip
        assert shown.locator("footer").count() == 1, text
        assert shown.locator("body > footer, body > main, body > header").count() == 3, text
    watched.close()


def test_the_payloads_are_live(browser: Any, tmp_path: Path) -> None:
    """Where nothing is taken out of them they do run and ask: the test above can fail."""
    path = tmp_path / "page.html"
    plain = [
        text for text in PAYLOADS if text.startswith(("<script>", "<img src=x", '<img src="h', "<svg on", "<details"))
    ]
    for text in plain:
        path.write_text(f"<!doctype html><body>{text}<p>x", encoding="utf-8")
        watched = Watched(browser, bypass_csp=True)
        watched.open(path)
        watched.page.wait_for_timeout(100)
        assert watched.told, text
        watched.close()
    assert len(plain) >= 5


def test_the_policy_alone_stops_a_script_that_got_in(browser: Any, page: Path, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    got_in = "<script>window.pwned=1</script><img src='https://evil.test/a.png' onerror='window.pwned=1'>"
    path.write_text(page.read_text(encoding="utf-8").replace("<main>", f"<main>{got_in}"), encoding="utf-8")
    watched = Watched(browser)
    blocked: list[tuple[str, str]] = []
    watched.page.on("requestfailed", lambda request: blocked.append((request.url, request.failure)))
    shown = watched.open(path)
    assert shown.evaluate("window.pwned") is None
    assert blocked == [("https://evil.test/a.png", "csp")]
    assert len([told for told in watched.told if "Content Security Policy" in told]) == 3  # script, picture, handler
    watched.close()


def test_a_large_change_is_all_there(browser: Any, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text(html.render(large()), encoding="utf-8")
    watched = Watched(browser)
    shown = watched.open(path)
    assert shown.locator("article.cell").count() == 500
    assert shown.evaluate("[...document.images].filter(i => i.complete && i.naturalWidth > 0).length") == 150
    assert watched.told == []
    watched.close()
