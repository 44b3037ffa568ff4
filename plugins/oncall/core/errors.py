"""The one error tree.

OncallError
├── ConfigError        a file of `include/` is wrong; carries every Problem found
├── DeliveryFailed     the far side did not take a message; may be tried again
│   └── Rejected       the far side refused it for good: the same call will fail again
│       ├── UnknownPerson  … because of whom it is for: the same message to somebody else may be taken
│       ├── Gone           … because what it is about (a message, a thread, an alert) is not there any more
│       └── LockedOut      … and every other one: nothing gets through before somebody mends the connection
└── Unreadable         a source of facts (warehouse, Airflow, oncall_db, the far side) cannot be read now
    └── NotAllowed     … because the key or role behind the connection lacks the right to read it
"""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from dataclasses import dataclass

from oncall.core.redaction import redacted


def kept(text: str) -> str:
    """The text as a database keeps it: without NUL, and without halves of letters that no encoding has."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")


def trace(error: BaseException) -> str:
    """Where it came from, as plain text for the log: structlog's own way shows every local variable."""
    return redacted(kept("".join(traceback.format_exception(error))))


class OncallError(Exception):
    """Root of every error this package raises on purpose. What others said may be in it, their secrets are not."""

    def __init__(self, reason: str = "") -> None:
        super().__init__(redacted(kept(reason)))


@dataclass(frozen=True, order=True)
class Problem:
    """One thing wrong in a configuration file, said in the words of the file its reader edits."""

    file: str
    key: str
    found: str
    write: str

    def __post_init__(self) -> None:
        for name in ("key", "found", "write"):
            object.__setattr__(self, name, redacted(getattr(self, name)) or "nothing")

    def __str__(self) -> str:
        return f"{self.file}: {self.key}: found {self.found}; write {self.write}"


class ConfigError(OncallError):
    """Every problem of the configuration at once."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class DeliveryFailed(OncallError):
    """A message was not taken or, if `uncertain` (a lost answer, a 5xx after the request was sent), may have been.

    `retry_after`: seconds the far side asked to wait; 0: it did not say how many. `refused`: it takes other messages,
    and not this one.
    """

    refused = False

    def __init__(self, reason: str, *, retry_after: float | None = None, uncertain: bool = False) -> None:
        super().__init__(reason)
        self.retry_after = retry_after
        self.uncertain = uncertain


class Rejected(DeliveryFailed):
    """The far side refused the message for good."""

    refused = True


class UnknownPerson(Rejected):
    """The far side does not know somebody whom the message is for."""


class Gone(Rejected):
    """What the message changes or answers is not there any more, for good: there is nothing left to do to it."""


class LockedOut(Rejected):
    """The far side refuses the connection itself: nothing gets through before somebody mends it."""

    refused = False


class Unreadable(OncallError):
    """A source of facts cannot be read; the message says which and why."""


class NotAllowed(Unreadable):
    """It may not be read: it stays so until somebody gives the right that the message names."""
