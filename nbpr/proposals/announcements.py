"""What nbpr says beside the pull request's body, where people follow the forge elsewhere: one comment, one status.

Where the forge has room for annotations and the token may, findings stand at their cells, too. All of it says the same
of the same commit, so that saying it again sends nothing, and what a lost connection cut off is said by the next
command.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from nbpr.errors import NotAllowed
from nbpr.findings import Finding
from nbpr.forges import Annotation, Check, Forge, PullRequest, Status
from nbpr.notebooks.celllines import cell_lines, first_line
from nbpr.proposals import identity
from nbpr.proposals.identity import Identity
from nbpr.render.escape import code_span

#: How the one comment of ours begins.
MARKER = "<!-- nbpr:proposal -->"

#: The context of the commit status.
CONTEXT = "nbpr"


def announce(forge: Forge, pull: PullRequest, annotations: Iterable[Annotation] = ()) -> list[Finding]:
    """Keep comment and status in step with the pull request; what of it was not allowed, as notes."""
    known = identity.read(pull.body)
    if not forge.announces or pull.state != "open" or known is None or known.verdict is None or known.head is None:
        return []
    notes = []
    try:
        forge.comment(pull, comment(known, pull.number), marker=MARKER)
    except NotAllowed as error:  # as where the conversation is locked
        notes = [_note(f"pull request #{pull.number} got no comment: {error.message}", error.hint)]
    if known.head != pull.head_sha:
        return notes  # somebody's commit is newer, of which this verdict says nothing
    if forge.statuses(known.head).get(CONTEXT) == status(known):
        return notes  # it was set last, so that all else was said
    refused = None
    try:
        forge.annotate(known.head, check(known, tuple(annotations)))
    except NotAllowed as error:
        refused = _note(f"findings stand in the pull request alone: {error.message}", error.hint)
    try:
        forge.status(known.head, status(known))
    except NotAllowed as error:
        refused = _note(f"pull request #{pull.number} got no commit status: {error.message}", error.hint)
    return [*notes, refused] if refused else notes


def annotations_of(findings: Iterable[Finding], read: Callable[[str], bytes | None]) -> list[Annotation]:
    """The findings that are of a file, each at its cell's line; `read` gives a file's bytes, or None."""
    found = []
    for finding in findings:
        data = read(finding.path) if finding.path else None
        if data is not None:
            hint = f"\n{finding.hint}" if finding.hint else ""
            line = first_line(cell_lines(data), finding.cell_id)
            found.append(Annotation(finding.path, line, finding.level, finding.message + hint, finding.check))
    return found


def comment(known: Identity, number: int) -> str:
    """What our comment says: which commit has which verdict, and where to look further."""
    icon = {"passed": "✅", "failed": "❌"}[str(known.verdict)]
    notebooks = ", ".join(code_span(path) for path in known.notebooks)
    return (
        f"{MARKER}\n{icon} **{known.verdict}** at {str(known.head)[:12]}: {notebooks}\n\n"
        f"What changed stands in the description above; `nbpr review {number}` shows it cell by cell."
    )


def status(known: Identity) -> Status:
    """The commit's status."""
    count = len(known.notebooks)
    said = f"{known.verdict}: {count} notebook{'' if count == 1 else 's'}"
    return Status(CONTEXT, "success" if known.verdict == "passed" else "failure", said)


def check(known: Identity, annotations: tuple[Annotation, ...]) -> Check:
    """The same at more length."""
    said = status(known)
    listed = "\n".join(f"- {code_span(path)}" for path in known.notebooks)
    return Check(CONTEXT, said.state, said.description, listed, annotations)


def _note(message: str, hint: str | None) -> Finding:
    return Finding("execute", "note", "", message, hint=hint)
