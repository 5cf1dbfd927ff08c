"""The cells of a notebook as the page shows them: those that changed, and runs of those that did not, folded."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from markupsafe import Markup

from nbpr.diff.cells import text
from nbpr.diff.changes import CellChange, NotebookDiff
from nbpr.diff.lines import Line, tagged
from nbpr.render import cells, escape
from nbpr.render.columns import fit
from nbpr.render.page import code, outputs, prose
from nbpr.render.page.outputs import Outputs
from nbpr.render.page.pictures import Album

#: So many lines of cells that did not change go into a page, for context.
_CONTEXT = 10_000

#: So many characters of sources are shown in the colours of their language; it is what takes the time.
_COLOURED = 400_000

_LANGUAGE = re.compile(r"[A-Za-z0-9+#_-]{1,30}")


@dataclass(frozen=True)
class ChangedCell:
    """A cell that changed: its anchor, what is said of it, and its parts as HTML."""

    anchor: str
    index: int
    kind: str
    badges: tuple[str, ...]
    id: str
    title: str
    source: Markup
    rendered: Markup
    outputs: Outputs
    outputs_title: str
    note: str = ""


@dataclass(frozen=True)
class QuietCell:
    """A cell that did not change, for who wants to see what stands around."""

    index: int
    cell_type: str
    body: Markup


@dataclass(frozen=True)
class Quiet:
    """A run of cells that did not change; `cells` is empty where the page would be too large."""

    count: int
    cells: tuple[QuietCell, ...]


def views(diff: NotebookDiff, number: int, album: Album) -> Iterator[ChangedCell | Quiet]:
    """The cells of the `number`-th notebook in its order. Cells with other execution counts alone count as quiet."""
    language = _language(diff)
    anchors = _anchors(diff, number)
    room = _CONTEXT
    colours = _COLOURED
    for loud, group in groupby(diff.cells, key=_is_shown):
        run = list(group)
        colours -= sum(len(line.text) for change in run for line in change.source_lines)
        language = language if colours > 0 else ""
        if loud:
            yield from (_changed(change, anchors[id(change)], language, album) for change in run)
            continue
        room -= sum(len(change.source_lines) for change in run)
        yield Quiet(len(run), tuple(_quiet(change, language) for change in run) if room > 0 else ())


def _anchors(diff: NotebookDiff, number: int) -> dict[int, str]:
    """An anchor for each cell: by its id, which outlives its place; by place where it has none of its own.

    No id of a cell has a dot in it, as the anchors by place have.
    """
    names = Counter(cells.identifier(change.id) for change in diff.cells)
    found = {}
    for change in diff.cells:
        name = cells.identifier(change.id)
        place = f"was{change.index_before}" if change.after is None else f"{change.index_after}"
        found[id(change)] = f"n{number}-{name}" if name and names[name] == 1 else f"n{number}.{place}"
    return found


def _is_shown(change: CellChange) -> bool:
    return change.kind != "unchanged" and (change.kind != "outputs" or change.outputs_changed)


def _changed(change: CellChange, anchor: str, language: str, album: Album) -> ChangedCell:
    found = Outputs(())
    if (change.kind == "added" and change.outputs_after) or change.outputs_changed or _first_seen(change):
        found = outputs.shown(change.outputs_before, change.outputs_after, album)
    return ChangedCell(
        anchor=anchor,
        index=cells.index(change),
        kind=change.kind,
        badges=tuple(cells.badges(change)),
        id=cells.identifier(change.id),
        title=title(change),
        source=_source(change, language),
        rendered=_rendered(change),
        outputs=found,
        outputs_title=cells.outputs_title(change),
        note=_note(change, found),
    )


def title(change: CellChange) -> str:
    """The first line that changed and says something, as a name for the cell in lists."""
    changed = [line.text for line in change.source_lines if line.tag == "+"] or text(change.cell).split("\n")
    said = [line.replace("**", "").strip(" #>*`") for line in changed]
    return fit(escape.one_line(next((line for line in said if line), "")), 48)


def _first_seen(change: CellChange) -> bool:
    """Whether the cell changed and there is a run after, but none before to compare it with."""
    return change.outputs_before is None and bool(change.outputs_after) and change.before is not None


def _note(change: CellChange, found: Outputs) -> str:
    if change.outputs_changed and not found:
        return "The outputs changed in their form or metadata, not in what is shown of them."
    return ""


def _source(change: CellChange, language: str) -> Markup:
    """The source by line, after remarks on what else changed; nothing where only outputs did."""
    remarks = [cells.detail_text(detail) for detail in change.details]
    if change.moved:
        remarks.append(f"moved from index {change.index_before} to index {change.index_after}")
    parts = [code.diff(tagged("!", remarks))] if remarks else []
    if change.source_changed or change.kind in ("added", "removed"):
        parts.append(code.diff(change.source_lines, _lexer(change, language)))
    elif change.kind == "outputs":
        return _folded("Source", change.source_lines, _lexer(change, language))
    return Markup().join(parts)


def _folded(name: str, source: Sequence[Line], language: str) -> Markup:
    if not source:
        return Markup()
    count = f"{len(source):,} line{'' if len(source) == 1 else 's'}, unchanged"
    body = code.diff(source, language)
    return Markup('<details class="fold"><summary>{}: {}</summary>{}</details>').format(name, count, body)


def _rendered(change: CellChange) -> Markup:
    """A cell of Markdown as it reads, before and after."""
    sides = [(word, cell) for word, cell in (("Before", change.before), ("After", change.after)) if cell is not None]
    if change.cell_type != "markdown" or change.kind in ("outputs", "unchanged", "moved"):
        return Markup()
    panels = [(word, prose.rendered(text(cell), cell.get("attachments"))) for word, cell in sides]
    if any(panel is None for _, panel in panels):
        return Markup('<p class="remark">Too long to be rendered here.</p>')
    if len(panels) == 1:
        return Markup('<div class="prose">{}</div>').format(panels[0][1])
    half = Markup('<div><p class="unit-title">{}</p><div class="prose">{}</div></div>')
    return Markup('<div class="two">{}{}</div>').format(*(half.format(word, panel) for word, panel in panels))


def _quiet(change: CellChange, language: str) -> QuietCell:
    found = change.source_lines
    body = code.diff(found, _lexer(change, language))
    return QuietCell(cells.index(change), cells.badges(change)[0], body)


def _lexer(change: CellChange, language: str) -> str:
    return {"code": language, "markdown": language and "markdown"}.get(change.cell_type, "")


def _language(diff: NotebookDiff) -> str:
    """What the notebook is written in, by its own metadata, as a name that Pygments may know."""
    found: Any = diff.after or diff.before or {}
    metadata = found.get("metadata")
    info: Any = metadata.get("language_info") if isinstance(metadata, dict) else None
    spec: Any = metadata.get("kernelspec") if isinstance(metadata, dict) else None
    for place, keys in ((info, ("pygments_lexer", "name")), (spec, ("language",))):
        for key in keys if isinstance(place, dict) else ():
            name = place.get(key)
            if isinstance(name, str) and _LANGUAGE.fullmatch(name):
                return "python" if name.startswith("ipython") else name
    return "python"
