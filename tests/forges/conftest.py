"""A real Gitea, one for all tests of a run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.forges import gitea_server
from tests.forges.gitea_server import Gitea


@pytest.fixture(scope="session")
def gitea(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gitea]:
    """A running Gitea; without a binary the tests that want one are left out."""
    if gitea_server.binary() is None:
        pytest.skip("no Gitea to test with: put one on PATH, or name it in NBPR_TEST_GITEA")
    with gitea_server.running(tmp_path_factory.mktemp("gitea")) as server:
        yield server
