"""Runs of notebooks as a tree of git's has them: recalled if they are proven, else each in a worktree of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from nbpr import batch
from nbpr.config import Config
from nbpr.engines import Progress
from nbpr.git.repository import Repository
from nbpr.git.worktrees import Worktree, worktree
from nbpr.notebooks import notebook
from nbpr.notebooks.notebook import Notebook
from nbpr.runs import runs
from nbpr.runs.presence import proven_in
from nbpr.runs.proven import Proven
from nbpr.runs.record import Run
from nbpr.steps import step


@dataclass(frozen=True)
class TreeRuns:
    """Runs in the worktree of a tree, whose HEAD is `commit`; `tracked` are the files for the run key.

    `proven` is what is known of the tree already; None looks for it anew each time.
    """

    repository: Repository
    config: Config
    commit: str
    tree: str
    tracked: Mapping[str, str]
    proven: Proven | None = field(default=None, repr=False)

    def recall(self, source: Notebook, path: str) -> Run | None:
        """The run of a notebook in the tree, if it is proven here already."""
        root = self.repository.root
        return runs.recall(source, path, root, self.config, self._options, self.known())

    def execute(
        self,
        source: Notebook,
        path: str,
        progress: Callable[[Progress], None] | None = None,
        stop: threading.Event | None = None,
        turn: batch.Turn | None = None,
    ) -> Run:
        """Run a notebook in the tree, its cells when it is its `turn`, and keep what went well."""
        with worktree(self.repository, self.commit, self.tree, self.config.link) as made:
            notebook.write(made.root / path, source)
            asked = (source, path, made.root, self.config, self._options)
            with step(f"run {path}"):
                return runs.execute(*asked, progress, stop, self.known(), lambda: _of_worktree(made), turn)

    def known(self) -> Proven | None:
        """What is proven of the tree; None where nothing is to be kept."""
        return self.proven or proven_in(self.repository, self.config, self.tree)

    @property
    def _options(self) -> runs.Options:
        return runs.Options(checkout=self.repository.root, files=self.tracked)


def _of_worktree(made: Worktree) -> Iterator[str]:
    """What a run had that CI may not have, and what it changed that it must not."""
    if made.linked:
        names = ", ".join(linked.path for linked in made.linked[:3]) + (" …" if len(made.linked) > 3 else "")
        yield f"it read ignored files through link ({names}): unproven for CI, which does not have them"
    spoilt = [linked.path for linked in made.linked if not linked.is_untouched()]
    if spoilt:
        yield f"it wrote to files of the checkout that were linked because of their size: {', '.join(spoilt)}"
    yield from made.notes
