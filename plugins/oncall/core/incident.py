"""An incident: one promise, one report date, from first warning to resolution. State and what is owed; no I/O."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from oncall.core.message import Message
from oncall.core.redaction import redacted

Channel = Literal["pager", "chat"]
# The verdict of an incident that a person ended, while its report was not published.
RESOLVED_BY_HAND = "resolved_by_hand"
Op = Literal["page", "close", "note", "acknowledge", "post", "update"]


@dataclass(frozen=True)
class Incident:
    """What is remembered of one incident between two looks.

    `key` is `<pipeline>:<report date>` (with `drill-…:` before and `:r2` … after it where they apply). `leader` is
    the key of the incident that speaks for this one ("" when it speaks for itself). `paged_at` is when the ladder
    of pages began, `ladder` counts its beginnings (a handoff begins it anew), `primary` whom it began with.
    """

    key: str
    dag_id: str
    report_date: dt.date
    opened_at: dt.datetime
    due: dt.datetime | None = None
    drill: str = ""
    leader: str = ""
    verdict: str = ""
    cause: str = ""
    detail: str = ""
    names: tuple[str, ...] = ()
    warned: tuple[str, ...] = ()
    failure: str = ""
    failures: int = 0
    changes: int = 0
    paged_at: dt.datetime | None = None
    ladder: int = 0
    primary: str = ""
    acknowledged_at: dt.datetime | None = None
    acknowledged_by: str = ""
    reminders: int = 0
    resolved_at: dt.datetime | None = None
    late_s: float | None = None

    @property
    def open(self) -> bool:
        return self.resolved_at is None

    @property
    def paged(self) -> bool:
        return self.paged_at is not None


@dataclass(frozen=True)
class Owed:
    """One thing to be done on one channel, written down before it is done. Unique by key, step and channel."""

    key: str
    step: str
    channel: Channel
    op: Op
    message: Message
    alias: str = ""
    user: str = ""


@dataclass(frozen=True)
class Event:
    """A line of an incident's timeline."""

    key: str
    at: dt.datetime
    what: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "what", redacted(self.what))


@dataclass(frozen=True)
class Plan:
    """What one look decided: incidents as they are now, what is owed, what happened, what need not be sent."""

    incidents: tuple[Incident, ...] = ()
    owed: tuple[Owed, ...] = ()
    events: tuple[Event, ...] = ()
    cancelled: tuple[str, ...] = field(default=())  # keys whose unsent pages must not go out any more

    @classmethod
    def of(cls, plans: Iterable[Plan]) -> Plan:
        """All of them as one."""
        every = list(plans)
        return cls(
            tuple(each for plan in every for each in plan.incidents),
            tuple(each for plan in every for each in plan.owed),
            tuple(each for plan in every for each in plan.events),
            tuple(each for plan in every for each in plan.cancelled),
        )


def key_of(dag_id: str, report_date: dt.date, drill: str = "", again: int = 1) -> str:
    """The incident's key: the same for everybody who notices it."""
    key = f"{dag_id}:{report_date.isoformat()}"
    key = f"drill-{drill}:{key}" if drill else key
    return key if again == 1 else f"{key}:r{again}"
