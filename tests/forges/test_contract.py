"""One contract, every forge: the local one, fakes of Gitea, Forgejo and GitHub, a real Gitea if there is a binary."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from nbpr.forges import http
from tests.forges import places
from tests.forges.contract import Contract
from tests.forges.gitea_server import Gitea
from tests.forges.places import Place

pytestmark = pytest.mark.slow


@pytest.fixture(
    params=[
        "local",
        "fake gitea",
        pytest.param("fake forgejo", marks=[pytest.mark.soak]),  # all but Gitea's; the gate's events have it each time
        "fake github",
        "real gitea",
    ]
)
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    word, _, kind = request.param.rpartition(" ")
    if word != "real":
        monkeypatch.setattr(http, "pause", lambda seconds: None)
        made = places.fake(kind, tmp_path, monkeypatch) if word else places.local(tmp_path)
        with made as found:
            yield found
        return
    gitea: Gitea = request.getfixturevalue("gitea")
    with places.real(gitea, tmp_path.name, tmp_path, monkeypatch) as found:
        yield found


class TestForges(Contract):
    """The contract on each of them."""
