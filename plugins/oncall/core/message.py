"""What is said to people, before any far side's format. One frozen thing crosses from the rules to the adapters."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

from oncall.core.redaction import redacted

MOST_TITLE = 100  # characters: what a lock screen shows; Opsgenie would take 130, Slack 150


@dataclass(frozen=True)
class Recipient:
    """A person as the far sides know them: an Opsgenie username (e-mail) and a Slack member id; either may be None.

    `id`: the roster's ("" for somebody that it does not know).
    """

    name: str
    opsgenie: str | None = None
    slack: str | None = None
    id: str = field(default="", compare=False)


@dataclass(frozen=True)
class Message:
    """One thing to say, in plain text and markdown; adapters escape, cut and format it.

    `key` and `step` name the delivery and make it findable again (alias, metadata). `title` is one plain line of at
    most MOST_TITLE characters (what is longer ends in an ellipsis), `summary` a few plain lines, `facts` label → value
    in plain text, `steps` the runbook's matching section in markdown, `links` label → absolute URL. `priority` is P1 …
    P5. `recipients` are paged and mentioned. `channel` is the chat channel it is for, "" for that of the roster at the
    top.

    Whatever it is made of, what looks like a secret is not in it: it goes to far sides, into a database and on a page.
    """

    key: str
    step: str
    title: str
    summary: str = ""
    facts: tuple[tuple[str, str], ...] = ()
    steps: str = ""
    links: tuple[tuple[str, str], ...] = ()
    priority: str = "P3"
    recipients: tuple[Recipient, ...] = ()
    tags: tuple[str, ...] = field(default=())
    channel: str = ""

    def __post_init__(self) -> None:
        for name in ("title", "summary", "steps"):
            object.__setattr__(self, name, redacted(getattr(self, name)))
        object.__setattr__(self, "title", one_line(self.title))
        for name in ("facts", "links"):
            pairs = tuple((label, redacted(value)) for label, value in getattr(self, name))
            object.__setattr__(self, name, pairs)

    @property
    def alias(self) -> str:
        """The dedup key of this step's alert."""
        return f"{self.key}:{self.step}"

    def ended_by(self, end: Message) -> Message:
        """The first message of a thread once it is over: its title and facts, how it ended, and nothing to do."""
        return replace(self, summary=end.title, steps="")


def one_line(title: str, most: int = MOST_TITLE) -> str:
    """A title as every far side shows it whole: one line; what is too long ends after a word, in an ellipsis."""
    title = " ".join(title.split())
    if len(title) <= most:
        return title
    head = title[: most - 1]
    word = head.rfind(" ", most // 2)
    head = head[:word] if word > 0 and title[most - 1] != " " else head
    return re.sub(r" and(?: \d+)?$", "", head).rstrip(" ,;:—(…") + "…"  # not "a, b and 6…" of "6 more"
