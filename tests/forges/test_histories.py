"""Random histories of a person and nbpr on a server: no commit and no word of theirs is lost, nothing is forced."""

from __future__ import annotations

import random
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from nbpr.forges import http
from nbpr.proposals import announcements
from tests import projects
from tests.conftest import git
from tests.forges import places
from tests.forges.places import ME, Place
from tests.projects import NOTEBOOK
from tests.test_histories import History, _quick  # noqa: F401

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("_quick")]

#: Where a person retargets to.
OTHER_BASE = "develop"

#: Notes every branch that nbpr's user moves otherwise than forwards, and each that it deletes.
HOOK = """#!/bin/sh
test "$REMOTE_USER" = "%s" || exit 0
case "$1" in refs/heads/*) ;; *) exit 0 ;; esac
test "$2" = 0000000000000000000000000000000000000000 && exit 0
git merge-base --is-ancestor "$2" "$3" || echo "$1 $2 $3" >>"%s"
"""


class ServedHistory(History):
    """The same with a server between the two, and what a person does to a pull request in a browser."""

    def __init__(self, place: Place, folder: Path, seed: int) -> None:
        self.chance = random.Random(seed)
        self.project, self.place = place.repository, place
        self.log: list[str] = []
        self.stops: list[str] = []
        self.deeds: Counter[str] = Counter()
        #: What the person wrote into the body of each pull request, the titles and bases that they gave it.
        self.words: dict[int, list[str]] = {}
        self.titles: dict[int, str] = {}
        self.bases: dict[int, str] = {}
        root = self.project.root
        projects.write(root, {NOTEBOOK: projects.health(), "README.md": "A project.\n"})
        git(root, "add", "-A")
        git(root, "commit", "-qm", "one")
        for branch in ("main", OTHER_BASE):
            place.push(str(self.project.head), branch)
        self.theirs = folder / "Bob"
        git(folder, "clone", "-q", self.project.git("config", "by-hand.url"), str(self.theirs))
        git(self.theirs, "config", "user.name", "Bob")
        git(self.theirs, "config", "user.email", "bob@example.org")
        self.forced = folder / "forced"
        hook = self.remote / "hooks" / "update"
        hook.write_text(HOOK % (ME, self.forced))
        hook.chmod(0o755)

    @property
    def remote(self) -> Path:
        assert self.place.fake is not None
        return self.place.fake.repos["ada/x"].place

    def opened(self) -> list[str]:
        """As the server has them, so that nobody's reading of them is taken for it."""
        assert self.place.fake is not None
        return [pull["head"] for pull in self.place.fake.repos["ada/x"].pulls.values() if pull["state"] == "open"]

    def some_branch(self) -> str | None:
        names = [name for name in self.heads() if name not in ("main", OTHER_BASE)]
        return self.chance.choice(names) if names else None

    def check(self, before: dict[str, str]) -> None:
        """What holds of every history, and that nbpr left the person's words, titles and bases as they were."""
        super().check(before)
        assert not self.forced.exists(), self.forced.read_text()
        assert self.place.fake is not None
        repo = self.place.fake.repos["ada/x"]
        for number, pull in repo.pulls.items():
            assert all(word in pull["body"] for word in self.words.get(number, ())), pull["body"]
            assert self.titles.get(number, pull["title"]) in pull["title"]
            assert self.bases.get(number, pull["base"]) == pull["base"]
            said = [one for one in repo.comments if one["pull"] == number]
            assert len([one for one in said if one["body"].startswith(announcements.MARKER)]) <= 1
            assert "unwanted" not in pull["labels"]

    def at_the_forge(self, branch: str) -> None:
        """What a person does in the browser to what is open for the branch."""
        assert self.place.fake is not None
        repo = self.place.fake.repos["ada/x"]
        pulls = [pull for pull in repo.pulls.values() if (pull["head"], pull["state"]) == (branch, "open")]
        if not pulls:
            return
        pull, change = (
            self.chance.choice(pulls),
            self.chance.choice(["close", "title", "draft", "body", "base", "label"]),
        )
        self.log.append(f"  {change} #{pull['number']}")
        getattr(self, f"_{change}")(pull["number"], pull)

    def _edit(self, number: int, **body: object) -> None:
        assert self.place.by_api is not None
        self.place.by_api("PATCH", f"/pulls/{number}", body)

    def _close(self, number: int, _: dict[str, object]) -> None:
        self._edit(number, state="closed")

    def _title(self, number: int, _: dict[str, object]) -> None:
        self.titles[number] = f"Retitled {self.chance.random()}"
        self._edit(number, title=self.titles[number])

    def _draft(self, number: int, pull: dict[str, object]) -> None:
        if not str(pull["title"]).startswith("WIP: "):
            self._edit(number, title=f"WIP: {pull['title']}")

    def _body(self, number: int, pull: dict[str, object]) -> None:
        """Words before, after, or both, with the line ends that browsers send."""
        word = f"by hand {self.chance.random()}"
        self.words.setdefault(number, []).append(word)
        before, after = self.chance.choice([(f"{word}\r\n\r\n", ""), ("", f"\r\n\r\n{word}")])
        self._edit(number, body=f"{before}{pull['body']}{after}")

    def _base(self, number: int, pull: dict[str, object]) -> None:
        base = "main" if pull["base"] == OTHER_BASE else OTHER_BASE
        self._edit(number, base=base)
        self.bases[number] = str(pull["base"])  # as it is now: a second one to that base is refused

    def _label(self, number: int, _: dict[str, object]) -> None:
        """Put one on, and take away one that nobody wanted."""
        assert self.place.by_api is not None
        ids = [
            self.place.by_api("POST", "/labels", {"name": name, "color": "#000000"})["id"]
            for name in ("good", "unwanted")
        ]
        self.place.by_api("POST", f"/issues/{number}/labels", {"labels": ids})
        self.place.by_api("DELETE", f"/issues/{number}/labels/{ids[1]}")

    def act(self) -> None:
        deeds: list[Callable[[str], None]] = [
            self.commit, self.commit, self.amend, self.squash, self.rebase, self.merge_base_in, self.merged,
            self.delete, self.move_base, self.force_base, *[self.at_the_forge] * 5,
        ]  # fmt: skip
        deed, branch = self.chance.choice(deeds), self.some_branch()
        if branch is not None:
            self.deeds[deed.__name__] += 1
            self.log.append(f"{deed.__name__} {branch}")
            deed(branch)


def lived(folder: Path, seed: int, length: int, monkeypatch: pytest.MonkeyPatch) -> ServedHistory:
    """Live through one history."""
    monkeypatch.setattr(http, "pause", lambda seconds: None)
    folder.mkdir()
    with places.fake("gitea", folder, monkeypatch) as place:
        history = ServedHistory(place, folder, seed)
        try:
            for _ in range(length):
                history.propose()
                history.act()
            history.propose()
        except Exception as error:
            raise AssertionError(f"seed {seed}:\n" + "\n".join(history.log)) from error
    for message in history.stops:
        assert any(word in message for word in ("branch", "cell", "agent/", NOTEBOOK, "#", ".txt")), message
    shutil.rmtree(folder)
    return history


def test_what_is_forced_would_be_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hook that these histories trust in."""
    with places.fake("gitea", tmp_path, monkeypatch) as place:
        history = ServedHistory(place, tmp_path, 0)
        for login, token in ((places.OTHER, places.OTHERS_TOKEN), (ME, places.TOKEN)):
            assert not history.forced.exists()
            git(history.theirs, "commit", "-q", "--amend", "-m", login)
            url = place.repository.remote_url("origin").replace("://", f"://{login}:{token}@")
            git(history.theirs, "push", "-q", "--force", url, "HEAD:main")
        assert "refs/heads/main" in history.forced.read_text()


@pytest.mark.parametrize("seed", [0])
def test_some_random_histories(tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    lived(tmp_path / "place", seed, 4, monkeypatch)


@pytest.mark.soak
@pytest.mark.parametrize("share", range(50))
def test_a_thousand_random_histories(tmp_path: Path, share: int, monkeypatch: pytest.MonkeyPatch) -> None:
    stops, deeds = 0, Counter[str]()
    for seed in range(1000 + 20 * share, 1020 + 20 * share):
        history = lived(tmp_path / str(seed), seed, 8, monkeypatch)
        stops += len(history.stops)
        deeds += history.deeds
    print(f"histories: 20, stops: {stops}, deeds: {dict(deeds)}")
    assert stops
