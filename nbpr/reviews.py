"""The review page of a pull request: made when it is proposed, or anew, for any clone, from what git holds."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from nbpr import evidence
from nbpr.config import Config
from nbpr.diff.changes import NotebookDiff
from nbpr.diff.noise import Noise
from nbpr.diff.notebooks import compare
from nbpr.errors import BadInput
from nbpr.evidence import Evidence
from nbpr.forges.pullrequest import PullRequest
from nbpr.git.branches import Branches
from nbpr.git.repository import Repository
from nbpr.history import past_runs
from nbpr.notebooks import notebook, scraps
from nbpr.proposals import identity, messages
from nbpr.render.report import Link, Report, ScrapRow
from nbpr.runs import reference

Json = Mapping[str, Any]

#: A scrap is plotted over so many reference runs.
RUNS = 20

#: The quote with which nbpr's part of a body begins, after its heading.
_QUOTE = re.compile(r"^<!-- nbpr:[^\n]*\n## [^\n]*\n\n((?:>[^\n]*\n)+)", re.MULTILINE)


def keep(repository: Repository, config: Config, pull: PullRequest, head: str, report: Report) -> Path:
    """Write the review page of what was just proposed; the page's path."""
    page = messages.page_path(repository, pull.number)
    shown = replace(
        report, title=pull.title, links=_links(pull), scraps=_over_time(repository, config, head, report.scraps)
    )
    write(page, shown)
    return page


def remake(repository: Repository, config: Config, pull: PullRequest) -> Path:
    """Write the review page of a pull request anew, from what git holds and its body says; the page's path."""
    page = messages.page_path(repository, pull.number)
    remote = repository.remote(config.remote)
    write(page, of_pull(repository, config, pull, Branches(repository, remote).sha(pull.base)))
    return page


def write(page: Path, report: Report) -> None:
    """Write a report as a page, whole or not at all; pictures that are too many for it go into a folder beside it."""
    from nbpr.render import html
    from nbpr.render.page.pictures import Album

    folder = page.with_suffix(".files")
    album = Album(folder.name)
    text = html.render(report, album)
    page.parent.mkdir(parents=True, exist_ok=True)
    if folder.is_dir():
        shutil.rmtree(folder)
    if album.beside:
        folder.mkdir()
    for name, data in album.beside.items():
        (folder / name).write_bytes(data)
    notebook.write(page, text.encode("utf-8"))


def of_pull(repository: Repository, config: Config, pull: PullRequest, base: str | None) -> Report:
    """What a pull request changes, from where it left `base`, its base branch, to its head.

    Results are those of the reference runs. What the checks found is what the pull request's body says they did, if it
    says it of this head.
    """
    start = _start(repository, pull, base)
    head = pull.head_sha
    changed = repository.changed_paths(start, head)
    subjects = _subjects(repository, config, changed, (start, head))
    found: list[NotebookDiff] = []
    rows: list[ScrapRow] = []
    notes: list[str] = []
    told = evidence.read(pull.body)
    facts = told if told is not None and told.head == head else None
    for path in subjects:
        try:
            before, after = (_load(repository, commit, path) for commit in (start, head))
        except BadInput as error:
            notes.append(f"not shown: {error.message}")
            continue
        old, new = (_run(repository, config, commit, path) for commit in (start, head))
        settings = config.for_notebook(path).diff
        noise = Noise.of(settings.ignore, settings.ignore_patterns)
        found.append(compare(path, before, after, old, new, noise=noise, patience=settings.patience))
        rows += _rows(path, old, new, facts.bounds if facts else {})
    runs_of = {reference.run_path(path, config) for path in subjects}
    others = [path for path in changed if path not in subjects and path not in runs_of]
    notes += [f"no notebook: {path}" for path in others]
    return Report(
        title=pull.title,
        key=pull.head,
        verdict=facts.verdict if facts else None,
        operation=f"pull request #{pull.number}, {pull.state}{', draft' if pull.draft else ''}",
        why=_why(pull),
        diffs=tuple(diff for diff in found if diff.differs),
        findings=facts.findings if facts else (),
        scraps=_over_time(repository, config, head, rows),
        runs=facts.runs if facts else (),
        links=_links(pull),
        notes=(*notes, _source(facts)),
        checks=facts.checks if facts else (),
    )


def _links(pull: PullRequest) -> tuple[Link, ...]:
    """The pull request, where it is on the web, and its branch."""
    web = (Link("pull request", pull.url),) if pull.url.startswith(("https://", "http://")) else ()
    return (*web, Link("branch", pull.head))


def _start(repository: Repository, pull: PullRequest, base: str | None) -> str:
    """Where the pull request left its base. Raises `BadInput` where that is not known here."""
    tip = f"{pull.merge_sha}^1" if pull.merge_sha else base
    commit = repository.resolve(tip) if tip else None
    found = repository.merge_base(commit, pull.head_sha) if commit else None
    if found is None:
        raise BadInput(f"where pull request #{pull.number} left {pull.base} is not known here", hint="git fetch")
    return found


def _subjects(repository: Repository, config: Config, changed: Sequence[str], commits: Iterable[str]) -> list[str]:
    """The notebooks that changed, and those whose reference run did."""
    direct = {path for path in changed if path.endswith(".ipynb") and not reference.is_run(path, config)}
    runs = {path for path in changed if reference.is_run(path, config)}
    every = {entry.path for commit in commits for entry in repository.entries(commit) if entry.path.endswith(".ipynb")}
    sources = {path for path in every if not reference.is_run(path, config)}
    return sorted(direct | {path for path in sources if reference.run_path(path, config) in runs})


def _load(repository: Repository, commit: str, path: str) -> dict[str, Any] | None:
    data = repository.read(commit, path)
    return None if data is None else notebook.parse(data, path).as_json()


def _run(repository: Repository, config: Config, commit: str, path: str) -> dict[str, Any] | None:
    place = reference.run_path(path, config)
    data = repository.read(commit, place)
    return None if data is None else reference.readable(data, place)


def _rows(path: str, before: Json | None, after: Json | None, bounds: Mapping[str, str]) -> list[ScrapRow]:
    old, new = (scraps.values(run) if run else {} for run in (before, after))
    return [ScrapRow(path, **row, bound=bounds.get(row["name"], "")) for row in scraps.compare(old, new)]


def _over_time(repository: Repository, config: Config, head: str, rows: Iterable[ScrapRow]) -> tuple[ScrapRow, ...]:
    """The rows, each numeric one with what it was in the reference runs of `head`'s history."""
    known: dict[str, list[Json]] = {}
    shown = []
    for row in rows:
        if _number(row.after) is None:
            shown.append(row)
            continue
        if row.notebook not in known:
            known[row.notebook] = _past(repository, config, head, row.notebook)
        history = tuple(_number(run.get(row.name)) for run in known[row.notebook])
        bound = config.for_notebook(row.notebook).scraps.get(row.name)
        shown.append(replace(row, history=history, low=bound.min if bound else None, high=bound.max if bound else None))
    return tuple(shown)


def _past(repository: Repository, config: Config, head: str, path: str) -> list[Json]:
    """The scraps of a notebook's last reference runs, oldest first."""
    return [dict(run.scraps) for run in past_runs(repository, config, head, path, RUNS)]


def _number(value: Any) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _why(pull: PullRequest) -> str:
    """The proposer's own words: the quote in nbpr's part of the body, and what people wrote around that part."""
    if identity.read(pull.body) is None:
        return pull.body.strip()
    quoted = _QUOTE.search(pull.body)
    said = re.sub(r"^> ?", "", quoted[1], flags=re.MULTILINE) if quoted else ""
    return "\n\n".join(part for part in (said.strip(), identity.body_with(pull.body, "").strip()) if part)


def _source(facts: Evidence | None) -> str:
    """Where what is said of the checks comes from."""
    if facts is None:
        return "the pull request's body does not say what the checks found at this commit"
    left = f"; {facts.left_out} more findings were left out there" if facts.left_out else ""
    return f"what the checks found is what the pull request's body says{left}"
