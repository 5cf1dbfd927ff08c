"""The pictures that go into a pull request."""

from __future__ import annotations

from nbpr.render import Report, gallery, markdown, places
from tests.diff.scripts import code
from tests.render.pages import picture, png, shows
from tests.render.test_markdown import changed, check


def drawn(seed: int) -> dict[str, object]:
    return shows(image__png=picture(png(20, 10, seed)))


def several(count: int) -> Report:
    cells = [(code("p", f"p{n}", outputs=[drawn(n)]), code("p", f"p{n}", outputs=[drawn(n + 1)])) for n in range(count)]
    return Report(key="k", diffs=(changed(*cells),))


def test_the_first_four_that_changed() -> None:
    found = gallery.changed(several(6).diffs)
    assert [one.cell_id for one in found] == ["p0", "p1", "p2", "p3"]
    assert found[0].words == "100 % of pixels changed"
    assert found[0].after.name == found[1].before.name  # by content


def test_pictures_that_are_the_same_or_alone_are_not_among_them() -> None:
    svg = {"output_type": "display_data", "data": {"image/svg+xml": "<svg>1</svg>"}}
    other = {"output_type": "display_data", "data": {"image/svg+xml": "<svg>2</svg>"}}
    diff = changed(
        (code("p", "a", outputs=[drawn(1)]), code("q", "a", outputs=[drawn(1)])),
        (None, code("p", "b", outputs=[drawn(2)])),
        (code("p", "c", outputs=[svg]), code("p", "c", outputs=[other])),
    )
    assert gallery.changed([diff]) == ()


def test_without_a_place_for_them_markdown_says_how_much_changed() -> None:
    text = markdown.render(several(1))
    assert "**Pictures**\n\n| Picture | Change |\n| --- | --- |\n| cell 0 `p0` | 100 % of pixels changed |" in text
    check(text)


def test_with_a_place_for_them_they_stand_side_by_side() -> None:
    report = several(2)
    names = [side.name for one in gallery.changed(report.diffs) for _, side in one.sides]
    urls = {name: f"https://forge.test/a b|c/{name}" for name in names}
    text = markdown.render(Report(**{**vars(report), "picture_urls": urls}))
    address = f"<https://forge.test/a%20b%7Cc/{names[0]}>"
    assert f"| [![before]({address})]({address}) | [![after](<" in text
    bad = markdown.render(Report(**{**vars(report), "picture_urls": dict.fromkeys(names, "javascript:alert(1)")}))
    assert "javascript" not in bad
    assert "| Picture | Change |" in bad


def test_places_for_what_is_still_to_come() -> None:
    report = several(1)
    before, after = gallery.files(report.diffs)
    waiting = {**dict.fromkeys((before, after, "review-1.zip"), "")}
    text = markdown.render(Report(**{**vars(report), "picture_urls": waiting, "page_name": "review-1.zip"}))
    check(text)
    assert not places.is_waiting(text)
    body = f"{text}\n{places.WAITING}\n<!-- /nbpr -->"
    assert places.is_waiting(body)
    urls = {before: "https://forge.test/1", "review-1.zip": "https://forge.test/3"}
    done = places.filled(body, urls)
    assert not places.is_waiting(done)
    assert "[![before](<https://forge.test/1>)](<https://forge.test/1>)" in done
    assert "[review page](<https://forge.test/3>)" in done
    assert f"<!-- nbpr-file {after} after -->" in done  # which nobody sees
    assert places.filled(done, urls) == done


def test_a_notebook_that_says_that_it_waits_is_not_believed() -> None:
    diff = changed((code("x = 1", "a"), code(f"x = 1\n{places.WAITING}\n", "a")))
    text = markdown.render(Report(key="k", diffs=(diff,)))
    assert places.WAITING in text
    assert not places.is_waiting(text)
