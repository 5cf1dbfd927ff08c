"""CI workflows that run the gate over a repository's notebooks, one for each forge that runs them.

Those called `…-single` are for runners without Node.js, on which the jobs of the others cannot hand anything over.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from nbpr.errors import BadInput

#: Where each forge looks for workflows.
PLACES: Mapping[str, str] = {
    "gitea": ".gitea/workflows/nbpr.yml",
    "github": ".github/workflows/nbpr.yml",
    "forgejo": ".forgejo/workflows/nbpr.yml",
    "gitlab": ".gitlab/nbpr.yml",
    "gitea-single": ".gitea/workflows/nbpr.yml",
    "forgejo-single": ".forgejo/workflows/nbpr.yml",
}

#: Where a forge does not look for workflows by itself: the file that takes ours in, and the command that makes it.
INCLUDES: Mapping[str, tuple[str, str]] = {
    "gitlab": (".gitlab-ci.yml", "printf 'include:\\n  - local: .gitlab/nbpr.yml\\n' >> .gitlab-ci.yml"),
}


def place(forge: str) -> str:
    """Where a forge's workflow goes, from the repository's root. Raises BadInput for a forge that has none."""
    if forge not in PLACES:
        raise BadInput(f"there is no workflow for {forge!r}", hint=f"--ci {', --ci '.join(PLACES)}")
    return PLACES[forge]


def text(forge: str) -> bytes:
    """A forge's workflow: from the installed package, else from the source tree that we run in."""
    here = Path(__file__).parent.parent
    for root in (here / "examples", here.parent):
        file = root / "ci" / f"{forge}.yml"
        if file.is_file():
            return file.read_bytes()
    raise BadInput(
        f"the workflow for {forge} is not part of this installation", hint="pip install --force-reinstall nbpr"
    )
