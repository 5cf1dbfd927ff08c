"""A plan: what a proposal would do where, as data. `planning` makes it, `proofs` prove it, `proposals` carry it out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nbpr.errors import BadInput
from nbpr.findings import Finding
from nbpr.forges import PullRequest
from nbpr.git.repository import Repository, blob_sha
from nbpr.notebooks import clean, editlist
from nbpr.notebooks.clean import Options
from nbpr.notebooks.notebook import Notebook
from nbpr.proposals import identity
from nbpr.proposals.identity import Identity, Wanted
from nbpr.proposals.workingcopy import File


@dataclass(frozen=True)
class Proposal:
    """What we want to propose. Paths are POSIX, from the repository's root. `edits` None: the working copy."""

    title: str
    notebooks: tuple[str, ...]
    edits: tuple[Mapping[str, Any], ...] | None = None
    include: tuple[str, ...] = ()
    delete: tuple[str, ...] = ()
    base: str | None = None
    wanted: Wanted = field(default_factory=Wanted)
    agent: str | None = None
    body: str = ""
    message: str | None = None
    refs: tuple[int, ...] = ()
    closes: tuple[int, ...] = ()
    labels: tuple[str, ...] = ()
    reviewers: tuple[str, ...] = ()
    assignees: tuple[str, ...] = ()
    milestone: str | None = None
    auto_merge: bool = False
    co_authors: tuple[str, ...] = ()
    draft: bool = False
    signoff: bool = False
    refresh: bool = False
    on_failure: str = "stop"
    dry_run: bool = False

    @property
    def subjects(self) -> tuple[str, ...]:
        """Every notebook that it is about, those taken away too."""
        return tuple(dict.fromkeys((*self.notebooks, *self.delete)))

    def parsed(self) -> list[editlist.Edit]:
        """Its edits, checked. Raises `BadInput` that names the edit and what is wrong with it."""
        return editlist.parse([dict(edit) for edit in self.edits or ()], self.notebooks)


@dataclass(frozen=True)
class Subject:
    """One notebook of a plan: as base and the branch's head have it, and as it shall be (None: not there).

    `options` are how this repository cleans it.
    """

    path: str
    base: Notebook | None
    head: Notebook | None
    after: Notebook | None
    options: Options = clean.DEFAULT

    @property
    def clean_base(self) -> Notebook | None:
        """What base has, cleaned."""
        return clean.clean(self.base, self.options) if self.base else None

    @property
    def clean_head(self) -> Notebook | None:
        """What the branch's head has, cleaned."""
        return clean.clean(self.head, self.options) if self.head else None

    @property
    def changed(self) -> bool:
        """Whether the branch would get other content."""
        return _content(self.after) != _content(self.clean_head)

    @property
    def committed_dirty(self) -> bool:
        """Whether the branch's head carries outputs of this notebook that somebody committed by mistake."""
        return self.head is not None and not clean.is_clean(self.head, self.options)


@dataclass(frozen=True)
class Plan:
    """What would be done: on which branch, from which commit, which content, for which pull request.

    `head_sha` is what the next commit builds on: the branch's head, base for a new branch, or with a refresh the
    merge of base into the branch. `branch_sha` is where the branch is now, None for a new one. `unfinished` is a
    proposal of which a killed command left a part: a branch without its pull request, or ahead of what that says.
    `taken` is what was read from the working copy.
    """

    proposal: Proposal
    identity: Identity
    base: str
    base_sha: str
    branch: str
    branch_sha: str | None
    head_sha: str
    pull: PullRequest | None
    subjects: tuple[Subject, ...] = ()
    files: Mapping[str, File | None] = field(default_factory=dict)
    taken: Mapping[str, File] = field(default_factory=dict)
    stale_runs: frozenset[str] = frozenset()
    unfinished: bool = False
    findings: tuple[Finding, ...] = ()

    @property
    def has_news(self) -> bool:
        """Whether there is anything to do: content, files, a run out of step, a refresh, a reopening."""
        reopened = self.pull is not None and (self.pull.state == "closed" or self.becomes_ready)
        refreshed = self.branch_sha is not None and self.head_sha != self.branch_sha
        changed = any(subject.changed for subject in self.subjects)
        return bool(changed or self.files or self.stale_runs or refreshed or reopened or self.unfinished)

    @property
    def becomes_ready(self) -> bool:
        """Whether the pull request is a draft of nbpr's that passed, and is proposed as more than a draft now."""
        if self.pull is None or not self.pull.draft or self.proposal.draft or self.is_their_draft:
            return False
        told = identity.read(self.pull.body)
        return told is not None and told.verdict == "passed"

    @property
    def is_their_draft(self) -> bool:
        """Whether a person made a draft of the pull request, who alone takes that back."""
        told = identity.read(self.pull.body) if self.pull is not None and self.pull.draft else None
        return told is not None and not told.draft

    @property
    def contents(self) -> dict[str, bytes | None]:
        """The content of every notebook that changes; None takes it away."""
        return {subject.path: _content(subject.after) for subject in self.subjects if subject.changed}


def inputs(repository: Repository, plan: Plan) -> dict[str, str]:
    """The files that the branch would have, with their blob ids; what runs depend on is among them."""
    found = {entry.path: entry.sha for entry in repository.entries(plan.head_sha)}
    for path, data in plan.files.items():
        if data is None:
            found.pop(path, None)
        else:
            found[path] = blob_sha(data.data)
    return found


def titled(title: str) -> str:
    """A title that can stand in a subject line. Raises `BadInput` for an empty or broken one."""
    plain = title.strip()
    if not plain or any(ord(char) < 32 or ord(char) == 127 for char in plain):
        raise BadInput("--title: one line of text is wanted")
    return plain


def _content(nb: Notebook | None) -> bytes | None:
    return None if nb is None else nb.to_bytes()
