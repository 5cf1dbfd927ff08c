"""A run's process whose parent is gone: nothing that it starts may outlive it."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import pytest

from nbpr.engines import papermill_child
from nbpr.engines.papermill_child import Session

REQUEST: dict[str, Any] = {
    **{"secrets": {}, "max_output": None, "max_run": None, "partial": None, "memory": None, "processes": None},
    "prepare_only": False,
}


class Scene:
    """A session whose kernel takes as long to start as `goes_on` is not set, and what happens in it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.happened: list[str] = []
        self.began, self.goes_on = threading.Event(), threading.Event()
        monkeypatch.setattr(papermill_child.kernel, "start", self.start)
        monkeypatch.setattr(papermill_child.strays, "end_below", lambda _: self.happened.append("all was ended"))
        monkeypatch.setattr(papermill_child.watch, "Watch", lambda *_: None)
        self.session = Session(REQUEST, SimpleNamespace(say=lambda **_: None))  # type: ignore[arg-type]

    def start(self, _: Any) -> Any:
        self.began.set()
        assert self.goes_on.wait(30)
        self.happened.append("a kernel was started")
        return SimpleNamespace(provisioner=SimpleNamespace(pid=2**22 + 1))

    def begin(self) -> threading.Thread:
        thread = threading.Thread(target=self.session.start_kernel, daemon=True)
        thread.start()
        return thread


def test_a_kernel_that_is_being_started_is_ended_with_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene(monkeypatch)
    scene.begin()
    assert scene.began.wait(30)
    leaving = threading.Thread(target=scene.session.leave)
    leaving.start()
    leaving.join(0.2)
    assert scene.happened == []
    scene.goes_on.set()
    leaving.join(30)
    assert scene.happened == ["a kernel was started", "all was ended"]


def test_none_is_started_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene(monkeypatch)
    scene.goes_on.set()
    scene.session.leave()
    scene.begin().join(0.2)
    assert scene.happened == ["all was ended"]
