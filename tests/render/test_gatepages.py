"""The gate's pages: an index and a page for each notebook, in a real browser, whatever they are given."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nbpr.gate.result import GateResult, Judged
from nbpr.render import gatepages
from tests.render.browser import Watched, axe, chromium
from tests.render.gateresults import five, good, hostile, nothing
from tests.render.payloads import PAYLOADS


def index(result: GateResult) -> str:
    return gatepages.pages(result)[gatepages.INDEX].decode()


def test_an_index_and_a_page_for_each_notebook() -> None:
    files = gatepages.pages(five())
    assert next(iter(files)) == "index.html"
    assert len(files) == 7
    shown = files["index.html"].decode()
    assert set(re.findall(r'href="([^"#]+)"', shown)) == set(files) - {"index.html"}
    assert "<h1>6 notebooks, 4 failed, 1 error beside them, 2 warnings</h1>" in shown
    assert "2 of 3" in shown
    assert "ZeroDivisionError: division" in shown
    assert gatepages.pages(five()) == files
    assert "No notebook changed." in index(nothing())


def test_names_are_of_paths_and_of_nothing_in_them() -> None:
    paths = [
        "a/b.ipynb",
        "a b.ipynb",
        "a/../../etc/passwd",
        "<script>",
        "\udcff",
        "",
        "日本.ipynb",
        "index.html",
        "a" * 999,
    ]
    names = [gatepages.page_name(path) for path in paths]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{1,80}\.html", name) for name in names)
    assert "index.html" not in names


def test_writing_gives_what_pages_has(tmp_path: Path) -> None:
    place = gatepages.write(five(), tmp_path / "gate" / "html")
    assert place == tmp_path / "gate/html/index.html"
    written = {path.relative_to(place.parent).as_posix(): path.read_bytes() for path in place.parent.rglob("*.*")}
    assert written == gatepages.pages(five())
    gatepages.write(good(), tmp_path / "gate" / "html")
    assert place.read_bytes() == gatepages.pages(good())["index.html"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as running:
        yield running


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return gatepages.write(five(), tmp_path_factory.mktemp("gate")).parent


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_they_open_from_a_folder_without_a_complaint(browser: Any, folder: Path, scheme: str) -> None:
    watched = Watched(browser, color_scheme=scheme)
    shown = watched.open(folder / "index.html")
    assert shown.title() == "Failed: 6 notebooks, 4 failed, 1 error beside them, 2 warnings"
    colour = shown.evaluate("getComputedStyle(document.body).backgroundColor")
    assert colour == {"light": "rgb(255, 255, 255)", "dark": "rgb(15, 19, 24)"}[scheme]
    shown.locator("table a").first.click()
    assert shown.locator("h1").inner_text() == "notebooks/changing.ipynb"
    assert shown.locator("article.cell").count() == 3
    assert watched.told == []
    watched.close()


@pytest.mark.slow
@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 420)])
def test_axe_finds_nothing_serious(browser: Any, folder: Path, scheme: str, width: int) -> None:
    watched = Watched(browser, color_scheme=scheme, bypass_csp=True, viewport={"width": width, "height": 800})
    source = axe()
    for place in ("index.html", gatepages.page_name("notebooks/failing.ipynb")):
        shown = watched.open(folder / place)
        shown.evaluate(source)
        found = shown.evaluate("axe.run(document, {resultTypes: ['violations']})")
        grave = [
            (one["id"], [(node["html"][:120], node["failureSummary"]) for node in one["nodes"][:3]])
            for one in found["violations"]
            if one["impact"] in ("serious", "critical")
        ]
        assert grave == []
        assert len(found["passes"]) > 12
        assert shown.evaluate("document.documentElement.scrollWidth") <= width
    watched.close()


@pytest.mark.slow
def test_nothing_runs_and_nothing_is_asked_for_whatever_they_hold(browser: Any, tmp_path: Path) -> None:
    """With the policy bypassed, so that escaping alone has to hold; all payloads at once, each in a notebook."""
    notebooks = tuple(
        one for number, text in enumerate(PAYLOADS) for one in hostile(f"{text}{number}").notebooks if one.findings
    )
    beside = tuple(finding for text in PAYLOADS for finding in hostile(text).findings)
    long = Judged("a" * 3_000 + ".ipynb", "added")
    place = gatepages.write(GateResult(PAYLOADS[0], PAYLOADS[1], (*notebooks, long), beside), tmp_path)
    watched = Watched(browser, bypass_csp=True)
    shown = watched.open(place)
    assert shown.locator("script").count() == 0
    assert shown.locator("table a").count() == len(notebooks) + 1
    assert set(shown.locator("a").evaluate_all("all => all.map(one => one.getAttribute('href'))")) <= {
        "#notebooks",
        *(gatepages.page_name(one.path) for one in (*notebooks, long)),
    }
    for one in notebooks[::7]:
        watched.open(place.parent / gatepages.page_name(one.path))
    assert watched.told == []
    watched.close()
