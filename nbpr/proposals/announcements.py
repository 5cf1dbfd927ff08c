"""What nbpr says beside the pull request's body, where people follow the forge elsewhere: one comment, one status.

Both say the same of the same commit, so that saying them again sends nothing, and what a lost connection cut off is
said by the next command.
"""

from __future__ import annotations

from nbpr.errors import NotAllowed
from nbpr.findings import Finding
from nbpr.forges import Forge, PullRequest, Status
from nbpr.proposals import identity
from nbpr.proposals.identity import Identity
from nbpr.render.escape import code_span

#: How the one comment of ours begins.
MARKER = "<!-- nbpr:proposal -->"

#: The context of the commit status.
CONTEXT = "nbpr"


def announce(forge: Forge, pull: PullRequest) -> list[Finding]:
    """Keep comment and status in step with the pull request; what of it was not allowed, as notes."""
    known = identity.read(pull.body)
    if not forge.announces or pull.state != "open" or known is None or known.verdict is None or known.head is None:
        return []
    forge.comment(pull, comment(known, pull.number), marker=MARKER)
    if known.head != pull.head_sha:
        return []  # somebody's commit is newer, of which this verdict says nothing
    try:
        forge.status(known.head, status(known))
    except NotAllowed as error:
        message = f"pull request #{pull.number} got no commit status: {error.message}"
        return [Finding("execute", "note", "", message, hint=error.hint)]
    return []


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
