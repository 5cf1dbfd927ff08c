"""What can go wrong, and how a process says so.

    NbprError                 3   (never raised itself)
    ├── CheckFailed           1   what was checked failed
    ├── BadInput              2   bad use or bad input, nothing changed
    │   └── Missing           2   a package of an extra is not installed
    ├── NotAllowed            4   token, permission
    ├── Conflict              5   a stale cell, somebody else's change
    ├── OutOfReach            6   network or forge, after retries
    └── Interrupted         130

An error owns its message: one line that names file and place. Its hint is the next step to take.
"""

from __future__ import annotations

from typing import Any

from nbpr import redaction


class NbprError(Exception):
    """An expected error: `message` for the reader, `hint` for the next step, `exit_code` for the shell.

    `context` holds further keys for the JSON error object, such as the `branch` that was pushed already. Secrets are
    taken out of message and hint here, since not every face has a boundary of ours.
    """

    exit_code = 3

    def __init__(self, message: str, *, hint: str | None = None, **context: Any) -> None:
        self.message = redaction.text(message)
        self.hint = redaction.text(hint) if hint else hint
        super().__init__(self.message)
        self.context = context

    def as_json(self) -> dict[str, Any]:
        """The object that `--json` prints: `{"error": {"message", "hint", "exit_code"}}`, and the context.

        Without the secrets that became known since the error was raised, too.
        """
        error = {"message": self.message, "hint": self.hint, "exit_code": self.exit_code}
        said: dict[str, Any] = redaction.value({"error": error, **self.context})
        return said


class CheckFailed(NbprError):
    """A run, a validation or the gate failed."""

    exit_code = 1


class BadInput(NbprError):
    """Bad use or bad input; nothing was changed."""

    exit_code = 2


class Missing(BadInput):
    """A package that only some commands need is not installed."""

    def __init__(self, package: str, *, extra: str = "run", what: str | None = None) -> None:
        super().__init__(
            f"{what or 'running notebooks needs'} {package}, which is not installed here",
            hint=f"pip install 'nbpr[{extra}]'",
        )


class NotAllowed(NbprError):
    """The forge or the file system refused: token, permission, protected branch."""

    exit_code = 4


class Conflict(NbprError):
    """Somebody else's change is in the way; nothing was overwritten."""

    exit_code = 5


class OutOfReach(NbprError):
    """Network or forge out of reach for now."""

    exit_code = 6


class Interrupted(NbprError):
    """Stopped by SIGINT or SIGTERM."""

    exit_code = 130
