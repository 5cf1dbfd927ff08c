"""What is shown of a changed cell, and in which words, whatever it is rendered as."""

from __future__ import annotations

import re
from collections.abc import Sequence

from nbpr.diff.changes import CellChange, Detail, NotebookDiff
from nbpr.diff.likeness import common_ends
from nbpr.diff.lines import Line, tagged
from nbpr.render import escape
from nbpr.render.folding import Fold, fold, shortened
from nbpr.render.report import value_text

_KINDS = {"outputs": "outputs only"}
_TYPES = frozenset({"code", "markdown", "raw"})
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


def source(change: CellChange) -> list[Line | Fold]:
    """The lines of the cell's source worth showing, after remarks on what else of it changed."""
    remarks = list(tagged("!", [detail_text(detail) for detail in change.details]))
    if change.moved:
        remarks.append(Line("!", f"moved from index {change.index_before} to index {change.index_after}"))
    whole = change.kind in ("added", "removed", "moved") or change.source_changed
    return [*remarks, *(fold(change.source_lines) if whole else ())]


def outputs(change: CellChange) -> list[Line | Fold]:
    """The lines of the cell's outputs worth showing: none if they are the same, or went with the cell.

    Of very many the first: what is left out is said.
    """
    if change.kind == "removed" or not any(line.tag != " " for line in change.output_lines):
        return []
    return shortened(fold(change.output_lines))


def outputs_title(change: CellChange) -> str:
    """What stands above the outputs."""
    unknown = change.outputs_before is None and change.before is not None
    return "Outputs (there is no earlier run to compare with)" if unknown else "Outputs"


def badges(change: CellChange) -> list[str]:
    """The cell's type, what happened to it and what it is, in words of ours, and how many lines changed."""
    words = [change.cell_type if change.cell_type in _TYPES else "cell", _KINDS.get(change.kind, change.kind)]
    words += ["moved"] if change.moved and change.kind != "moved" else []
    words += ["parameters"] if change.is_parameters else []
    words += ["injected"] if change.is_injected else []
    if change.kind == "modified" and change.source_changed:
        tags = [line.tag for line in change.source_lines]
        words.append(f"+{tags.count('+')} −{tags.count('-')}")
    return words + (["outputs changed"] if change.outputs_changed and change.kind != "outputs" else [])


def index(change: CellChange) -> int:
    """Where the cell stands, from 0; where it stood if it is gone."""
    found = change.index_after if change.index_after is not None else change.index_before
    return found or 0


def identifier(cell_id: object) -> str:
    """The id, if it is made of what ids are made of; else nothing."""
    return cell_id if isinstance(cell_id, str) and _ID.fullmatch(cell_id) else ""


def worth_showing(diff: NotebookDiff) -> list[CellChange]:
    """The changed cells, those whose outputs alone changed after the others, without mere execution counts."""
    shown = [change for change in diff.changed_cells if change.kind != "outputs" or change.outputs_changed]
    return sorted(shown, key=lambda change: change.kind == "outputs")


def remarks(diff: NotebookDiff) -> list[str]:
    """What changed in the notebook beside its cells' sources and outputs, a line each."""
    stale = [change for change in diff.cells if change.kind == "outputs" and not change.outputs_changed]
    counted = sum(not change.outputs_noise for change in stale)
    found = [f"before: {diff.path_before}"] if diff.path_before else []
    found += [detail_text(detail) for detail in diff.details]
    if diff.ids_changed:
        found.append(f"{diff.ids_changed} cell ids changed, the cells did not")
    if counted:
        found.append(f"{counted} execution counts changed, the outputs did not")
    if diff.noisy:
        whose = "cell's" if diff.noisy == 1 else "cells'"
        found.append(f"{diff.noisy} {whose} outputs differ in noise alone (times taken, addresses, random ids)")
    if diff.coarse:
        found.append("so much differs that cells may be shown as replaced which were edited")
    return found


def detail_text(detail: Detail) -> str:
    """A change of a member on one line; of long values the part that differs."""
    texts = value_text(detail.before), value_text(detail.after)
    before, after = (escape.cut(text, 100, common_ends(*texts)[0]) for text in texts)
    return f"{detail.name}: {before} → {after}"


def fitted(lines: Sequence[str], most: int, size: int) -> list[str]:
    """At most so many lines of at most so many bytes together, and a line that says how many more there are."""
    shown: list[str] = []
    for line in lines[:most]:
        size -= len(line.encode()) + 1
        if size < 0:
            break
        shown.append(line)
    left = len(lines) - len(shown)
    return shown + ([f"… {left:,} more line{'' if left == 1 else 's'}"] if left else [])
