"""What nbpr writes of a proposal: commit messages, the pull request's body, the words at the terminal."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from nbpr.diff.changes import NotebookDiff
from nbpr.evidence import Evidence
from nbpr.findings import Verdict
from nbpr.git.repository import Repository
from nbpr.proposals.identity import END, Identity
from nbpr.proposals.plans import Plan, Proposal
from nbpr.proposals.proofs import Proof
from nbpr.render import blocks, markdown, places
from nbpr.render.report import Report, ScrapRow


def commit(plan: Plan, proof: Proof, signer: str) -> str:
    """The message of the proposal's commit: title, why, and the trailers that say what it was made from."""
    proposal = plan.proposal
    references = "\n".join(_references(proposal))
    why = proposal.message if proposal.message is not None else proposal.body
    paragraphs = [proposal.title, _wrapped(why), references, "\n".join(_trailers(plan, proof, signer))]
    return "\n\n".join(paragraph for paragraph in paragraphs if paragraph) + "\n"


def cleaning(paths: Sequence[str], key: str) -> str:
    """The message of the commit that takes away outputs committed by mistake."""
    listed = "\n".join(f"Nbpr-Notebook: {path}" for path in paths)
    what = "a notebook" if len(paths) == 1 else f"{len(paths)} notebooks"
    why = "Outputs belong into reference runs; here somebody had committed them by mistake."
    return f"Clean the outputs of {what}\n\n{why}\n\nNbpr-Key: {key}\n{listed}\n"


def _references(proposal: Proposal) -> Iterable[str]:
    yield from (f"Refs #{number}" for number in proposal.refs)
    yield from (f"Closes #{number}" for number in proposal.closes)


def _trailers(plan: Plan, proof: Proof, signer: str) -> Iterable[str]:
    yield f"Nbpr-Key: {plan.identity.key}"
    yield from (f"Nbpr-Notebook: {subject.path}" for subject in plan.subjects)
    yield from (f"Nbpr-Run: {run} {key}" for run, key in proof.run_keys.items())
    yield f"Nbpr-Base: {plan.base_sha}"
    if plan.proposal.agent:
        yield f"Nbpr-Agent: {' '.join(plan.proposal.agent.split())}"
    yield from (f"Co-authored-by: {author}" for author in plan.proposal.co_authors)
    if plan.proposal.signoff:
        yield f"Signed-off-by: {signer}"


def _wrapped(text: str) -> str:
    """Paragraphs at 72 columns; lists, code and quotes stay as they are."""
    paragraphs = re.split(r"\n\s*\n", text.strip())
    return "\n\n".join(
        paragraph if re.search(r"^(\s|[-*>#|`]|\d+\.)", paragraph, re.MULTILINE) else textwrap.fill(paragraph, 72)
        for paragraph in paragraphs
    )


def report(
    plan: Plan,
    proof: Proof,
    diffs: tuple[NotebookDiff, ...],
    verdict: Verdict | None,
    operation: str = "",
) -> Report:
    """What there is to say of a proposal, for every renderer."""
    proposal = plan.proposal
    why = "\n\n".join(part for part in (proposal.body.strip(), "\n".join(_references(proposal))) if part)
    return Report(
        title=proposal.title,
        key=plan.identity.key,
        verdict=verdict,
        operation=operation,
        why=why,
        diffs=diffs,
        findings=(*plan.findings, *proof.findings),
        scraps=tuple(ScrapRow(**scrap, bound=proof.bounds.get(scrap["name"], "")) for scrap in proof.scraps),
        runs=proof.runs,
        checks=proof.checks,
    )


def body(
    plan: Plan,
    proof: Proof,
    diffs: tuple[NotebookDiff, ...],
    identity: Identity,
    kept: Mapping[str, str] | None = None,
    page: str = "",
) -> str:
    """nbpr's part of the pull request's body, from its first marker to its last.

    `kept` are addresses of pictures and of the zipped review page `page`; it waits for those that are "".
    """
    whole = replace(report(plan, proof, diffs, proof.verdict), picture_urls=kept or {}, page_name=page)
    told = whole.findings, whole.checks, whole.runs, proof.bounds
    found = Evidence(identity.head or "", proof.verdict, *told).comment()
    waiting = f"{places.WAITING}\n" if "" in (kept or {}).values() else ""
    rendered = markdown.render(whole, blocks.BUDGET - len(found)).rstrip("\n")
    return f"{rendered}\n\n{found}\n{identity.comment()}\n{waiting}{END}"


def page_path(repository: Repository, number: int) -> Path:
    """Where the review page of a pull request is written."""
    return repository.own_dir / "review" / f"{number}.html"
