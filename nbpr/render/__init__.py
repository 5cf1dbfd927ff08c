"""Renderers: a report in, text out. None of them computes a diff."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from nbpr.render.report import Link, Report, ScrapRow

__all__ = ["RENDERERS", "Link", "Renderer", "Report", "ScrapRow", "View"]


@dataclass(frozen=True)
class View:
    """How a person looks at a report; not every renderer has a use for all of it."""

    colour: bool = False
    width: int = 80
    stat: bool = False
    outputs: bool = True


Renderer = Callable[[Report, View], str]


def _text(report: Report, view: View) -> str:
    from nbpr.render import terminal

    return terminal.render(
        report.diffs,
        colour=view.colour,
        width=view.width,
        stat=view.stat,
        outputs=view.outputs,
        scraps=report.scraps,
        notes=report.notes,
    )


def _markdown(report: Report, view: View) -> str:
    from nbpr.render import markdown

    return markdown.render(report)


def _html(report: Report, view: View) -> str:
    from nbpr.render import html

    return html.render(report)


#: Every renderer, by the name of its format. Each is imported when it is asked for.
RENDERERS: Mapping[str, Renderer] = {"text": _text, "markdown": _markdown, "html": _html}

# The name that the import from the future leaves behind would stand before the room `nbpr.render.annotations`.
del annotations
