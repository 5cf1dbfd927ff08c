"""Proofs kept for a whole session of tests: for those that look at what is done with a proof, not at how it is made."""

from __future__ import annotations

from typing import Any

import pytest

from nbpr.proposals import proofs

#: What proving gave, by the content and the settings, so that kernels run once for each.
_proven: dict[Any, proofs.Proof] = {}


def once(patch: pytest.MonkeyPatch) -> None:
    """Have what was proven in another test taken as it is."""
    prove = proofs.prove

    def known(repository: Any, settings: Any, plan: Any, say: Any) -> proofs.Proof:
        sides = tuple((subject.path, subject.after and subject.after.to_bytes()) for subject in plan.subjects)
        key = (repr(settings), repository.tree_of(plan.base_sha), sides)
        if key not in _proven:
            _proven[key] = prove(repository, settings, plan, say)
        return _proven[key]

    patch.setattr(proofs, "prove", known)
