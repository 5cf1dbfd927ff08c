"""What a cell gave, before and after, as HTML: pictures side by side, tables by value, texts by line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from nbpr.diff import lines, tables
from nbpr.diff import outputs as told
from nbpr.diff.pictures import compare_pictures
from nbpr.render import escape
from nbpr.render.folding import shortened
from nbpr.render.page import ansi, code, prose, sanitise
from nbpr.render.page.pictures import Album, Picture
from nbpr.render.page.units import Unit, pairs, units

#: So many changed values of a table are listed; the tables themselves stand below.
_VALUES = 20


@dataclass(frozen=True)
class Outputs:
    """What is shown of a cell's outputs: blocks of HTML, and how many outputs are the same and are not shown."""

    blocks: tuple[Markup, ...]
    same: int = 0

    def __bool__(self) -> bool:
        return bool(self.blocks)


def shown(before: Sequence[Any] | None, after: Sequence[Any] | None, album: Album) -> Outputs:
    """The outputs of a cell. None is a side of which nothing is known, or on which there is no cell."""
    old, new = units(before), units(after)
    if before is None or after is None:
        side = "only after" if before is None else "only before"
        return Outputs(tuple(_alone(unit, side, album) for unit in (new if before is None else old)))
    found = list(pairs(old, new))
    changed = [(one, other) for one, other in found if one != other]
    return Outputs(tuple(block for pair in changed for block in _changed(*pair, album)), len(found) - len(changed))


def _changed(before: Unit | None, after: Unit | None, album: Album) -> Iterator[Markup]:
    if before is None or after is None:
        unit = after or before
        assert unit is not None
        yield _alone(unit, "added" if before is None else "removed", album)
    elif before.picture is not None and after.picture is not None:
        yield _pictures(before.picture, after.picture, album)
    elif after.kind == "html":
        yield _tables(before, after)
    else:
        yield _texts(before, after, album)
        if after.kind in ("markdown", "latex"):
            yield _two(_rendered(before, album), _rendered(after, album))


# -- one side --------------------------------------------------------------------------------------------------


def _alone(unit: Unit, side: str, album: Album) -> Markup:
    """An output that has no counterpart."""
    word = {"added": "Added output", "removed": "Removed output"}.get(side, "Output")
    return Markup('<div class="unit {}"><p class="unit-title">{}</p>{}</div>').format(
        side.replace(" ", "-"), word, _rendered(unit, album)
    )


def _rendered(unit: Unit, album: Album) -> Markup:
    if unit.picture is not None:
        return _image(unit.picture, "Picture", album)
    if unit.kind == "html":
        return _safe(unit) + _live(unit)
    if unit.kind == "markdown":
        return _prose(prose.rendered(unit.content), unit)
    if unit.kind == "latex":
        return _prose(prose.formula(unit.content), unit)
    if unit.kind == "error":
        return Markup('<pre class="error">{}</pre>').format(ansi.coloured(_capped(unit.content)))
    if unit.kind == "other":
        return _live(unit) + (_plain(unit.text) if unit.text else Markup())
    return _plain(unit.text)


def _plain(text: str) -> Markup:
    return Markup("<pre>{}</pre>").format(ansi.coloured(_capped(text.removesuffix("\n"))))


def _prose(rendered: Markup | None, unit: Unit) -> Markup:
    return _plain(unit.text) if rendered is None else Markup('<div class="prose">{}</div>').format(rendered)


def _safe(unit: Unit) -> Markup:
    safe = sanitise.clean_html(unit.content)
    if safe is None:
        return Markup('<p class="remark">HTML of {}: too large to be shown here.</p>').format(
            told.size(len(unit.content))
        )
    return Markup('<div class="prose html">{}</div>').format(safe)


def _live(unit: Unit) -> Markup:
    if not unit.live:
        return Markup()
    text = "This output holds {}, which does not run on this page: see the executed notebook."
    return Markup('<p class="remark">{}</p>').format(text.format(escape.cut(escape.one_line(unit.live), 80)))


def _capped(text: str) -> str:
    """The text with as many lines as a page shows, and lines as long."""
    found = text.split("\n")
    kept = [escape.cut(line, code.LINE) for line in found[: code.LINES]]
    left = len(found) - len(kept)
    return "\n".join([*kept, *([f"… {left:,} more lines not shown"] if left else [])])


# -- two sides -------------------------------------------------------------------------------------------------


def _two(before: Markup, after: Markup) -> Markup:
    half = Markup('<div><p class="unit-title">{}</p>{}</div>')
    return Markup('<div class="two">{}{}</div>').format(half.format("Before", before), half.format("After", after))


def _texts(before: Unit, after: Unit, album: Album) -> Markup:
    """The texts by line; where they say the same and are not, the forms that differ are named."""
    old, new = (_lines(unit) for unit in (before, after))
    run = album.run(len(old) + len(new))
    found = lines.compare(old, new, run)
    if any(line.tag != " " for line in found):
        body = code.diff(shortened(found, run, 4 * run))
        return Markup('<div class="unit">{}{}</div>').format(body, _live(after))
    what = _live(after) or Markup('<p class="remark">Changed, with the same text.</p>')
    return Markup('<div class="unit">{}</div>').format(what)


def _lines(unit: Unit) -> list[str]:
    text = unit.content if unit.kind == "error" else unit.text
    return told.texts([{"output_type": "stream", "text": text}])


def _tables(before: Unit, after: Unit) -> Markup:
    """What changed in a table, in words and by value; then the tables, or whatever HTML it is, as they are."""
    found = tables.compare_tables(before.content, after.content)
    whole = _two(_safe(before), _safe(after)) + _live(after)
    if found is None or not found.differs:
        return Markup('<div class="unit">{}</div>').format(whole)
    folded = Markup("<details><summary>The tables, before and after</summary>{}</details>").format(whole)
    listed = _values(found.values)
    body = listed + folded if listed and not (found.rows_added or found.rows_removed) else whole
    return Markup('<div class="unit"><p class="unit-title">Table: {}</p>{}</div>').format(tables.words(found), body)


def _values(values: Sequence[tables.ValueChange]) -> Markup:
    """The values that changed, one to a row; nothing where there are too many to read."""
    if not 0 < len(values) <= _VALUES:
        return Markup()
    number = '<td class="num">{}</td>'
    row = Markup(
        f"<tr><td>{{}}</td><td>{{}}</td>{number.format('<del>{}</del>')}{number.format('<ins>{}</ins>')}{number}</tr>"
    )
    rows = Markup().join(
        row.format(*map(_short, (value.row, value.column, value.before, value.after, _difference(value))))
        for value in values
    )
    names = [("", "Row"), ("", "Column"), ("num", "Before"), ("num", "After"), ("num", "Change")]
    head = Markup().join(Markup('<th class="{}">{}</th>').format(*name) for name in names)
    return Markup('<table class="facts"><thead><tr>{}</tr></thead><tbody>{}</tbody></table>').format(head, rows)


def _short(text: str) -> str:
    return escape.cut(escape.one_line(text), 80)


def _difference(value: tables.ValueChange) -> str:
    if value.change is None:
        return ""
    share = f" ({value.share:+.1%})".replace("%", " %") if value.share is not None else ""
    return f"{value.change:+.6g}{share}".replace("-", "−")


# -- pictures --------------------------------------------------------------------------------------------------


def _pictures(before: Picture, after: Picture, album: Album) -> Markup:
    """Two pictures side by side, which a script can lay over each other, and where they differ."""
    change = compare_pictures(before.data, after.data)
    title = change.words if change.share is not None else "not compared by pixel"
    marked = Picture("image/png", change.difference_png) if change.difference_png else None
    figures = [_figure(word, picture, album) for word, picture in (("Before", before), ("After", after))]
    pair = Markup('<div class="pair">{}{}</div>').format(*figures)
    where = Markup()
    if marked is not None and album.spare(marked):
        where = Markup("<details><summary>Where it changed</summary>{}</details>").format(
            _image(marked, "The changed pixels, marked", album)
        )
    return Markup('<div class="unit pictures"><p class="unit-title">Picture: {}</p>{}{}</div>').format(
        title, pair, where
    )


def _figure(word: str, picture: Picture, album: Album) -> Markup:
    return Markup("<figure><figcaption>{}</figcaption>{}</figure>").format(
        word, _image(picture, f"{word} the change", album)
    )


def _image(picture: Picture, alt: str, album: Album) -> Markup:
    """The picture in the page, else a link to its file beside it, else a note of what is missing."""
    size = told.size(len(picture.data))
    if album.inline(picture):
        return Markup('<img alt="{}" src="{}" decoding="async">').format(alt, picture.uri)
    file = album.file(picture)
    if file is not None:
        return Markup('<p class="remark"><a href="{}">{}, {}</a>, beside this page</p>').format(file, alt, size)
    return Markup('<p class="remark">{}, {}: left out, as this page would be too large.</p>').format(alt, size)
