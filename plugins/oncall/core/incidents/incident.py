"""An incident: one promise, one report date, from first warning to resolution. State and what is owed; no I/O."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Literal

from oncall.core.message import Message, Recipient
from oncall.core.promises.promise import PromiseKey
from oncall.core.promises.why import CAUSE_WORDS, Why
from oncall.core.redaction import redacted

Channel = Literal["pager", "chat"]
PUBLISHED = ("kept", "late")  # the verdicts of a report that is there
# The verdict of an incident that a person ended, while its report was not published.
RESOLVED_BY_HAND = "resolved_by_hand"
REMOVED, MOVED = BY_CONFIGURATION = "removed", "moved"  # what it ended goes on once it is as it was again
Op = Literal["page", "close", "note", "acknowledge", "post", "update"]
# owed: to be tried; accepted: the far side has a request; done: it has truly taken it; cancelled: not wanted any more.
State = Literal["owed", "accepted", "done", "cancelled"]


@dataclass(frozen=True)
class Incident:
    """What is remembered of one incident between two looks.

    `key` is `<pipeline>:<report date>` (with `drill-…:` before and `:r2` … after it where they apply). `leader` is
    the key of the incident that speaks for this one ("" when it speaks for itself). `paged_at` is when this
    round of the escalation began; `escalation_round` counts the rounds before it (another begins after
    a handoff, or after an acknowledgement that was taken back). `cause` to `kind` are those of the last look's
    Why, `first_cause` and `first_detail` those for which somebody was paged first: under them the incident is filed.
    `acked`: the aliases that the pager has shown as acknowledged. `seen_at`: the look that described it last. `report`:
    what is promised, whatever the DAG is called by now.

    Several copies may live side by side (in `oncall_db`, in a watcher's memory): `merging.merged` makes them one.
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
    brief: str = ""
    error: str = ""
    waits_on: tuple[str, ...] = ()
    rests_on: tuple[str, ...] = ()
    kind: str = ""
    first_cause: str = ""
    first_detail: str = ""
    warned: tuple[str, ...] = ()
    failure: str = ""
    failures: int = 0
    changes: int = 0
    paged_at: dt.datetime | None = None
    escalation_round: int = 0
    acknowledged_at: dt.datetime | None = None
    acknowledged_by: str = ""
    acked: tuple[str, ...] = ()
    reminders: int = 0
    resolved_at: dt.datetime | None = None
    late_s: float | None = None
    seen_at: dt.datetime | None = None
    report: str = ""

    @property
    def promise_key(self) -> PromiseKey:
        """The promise that it is about, which may have had incidents before."""
        return self.dag_id, self.report_date, self.drill

    @property
    def open(self) -> bool:
        return self.resolved_at is None

    @property
    def paged(self) -> bool:
        return self.paged_at is not None

    @property
    def why(self) -> Why | None:
        """The cause that the last look saw; None where it saw none."""
        if self.cause not in CAUSE_WORDS:
            return None
        return Why(**{each.name: getattr(self, each.name) for each in fields(Why)})

    def told(self, why: Why | None) -> Incident:
        """The same with this cause; without one what was told before stands."""
        return replace(self, **{each.name: getattr(why, each.name) for each in fields(Why)}) if why else self

    @property
    def filed_as(self) -> tuple[str, str]:
        """Its cause and detail in history: for what somebody was paged first, else what was seen last."""
        return (self.first_cause, self.first_detail) if self.first_cause else (self.cause, self.detail)

    @property
    def published(self) -> bool:
        """Its report is there: in time or late, and a run after that may have failed."""
        return self.verdict in PUBLISHED

    @property
    def acknowledged(self) -> bool:
        """Somebody has it. What was acknowledged before this round began (a warning, an older shift) is not this."""
        return self.acknowledged_at is not None and (
            self.paged_at is None or self.acknowledged_at >= self.paged_at
        )


@dataclass(frozen=True)
class Notification:
    """One thing to be done on one channel, written down before it is done. Unique by key, step and channel."""

    key: str
    step: str
    channel: Channel
    op: Op
    message: Message
    alias: str = ""
    user: str = ""


@dataclass(frozen=True)
class NotificationStatus:
    """What became of one thing owed, as the rules see it. `person`: the name of whom the last try was for ("" for
    nobody), `person_id`: their id in the roster, `account`: the pager's username for them (either "" where unknown).

    `maybe_taken`: the far side may have taken it, though that is not known. `unreached`: why the person is not woken
    by it although the channel works ("" when nothing is known against it).
    """

    step: str
    channel: Channel
    op: Op
    alias: str = ""
    state: State = "owed"
    person: str = ""
    owed_at: dt.datetime | None = None
    done_at: dt.datetime | None = None
    maybe_taken: bool = False
    unreached: str = ""
    account: str = ""
    person_id: str = ""

    def was_for(self, person: Recipient) -> bool:
        """Whether the last try was for this person, whatever the roster names them now, or for their account."""
        if self.account and not self._elsewhere(person):
            return True
        return self.person_id == person.id if self.person_id and person.id else self.person == person.name

    def calls(self, person: Recipient) -> bool:
        """Whether this person is called by it: not where it did not reach them, and they have another account now."""
        return self.was_for(person) and not (self.unreached and self.account and self._elsewhere(person))

    def _elsewhere(self, person: Recipient) -> bool:
        return (person.opsgenie or "").casefold() != self.account.casefold()

    @property
    def refused(self) -> bool:
        """Whether the far side certainly took it from nobody, because of whom it is for."""
        return self.state == "owed" and bool(self.unreached) and not self.maybe_taken

    @property
    def alive(self) -> bool:
        """Whether it was, or still may be, taken."""
        return self.state != "cancelled"

    @property
    def alerting(self) -> bool:
        """Whether an alert of this alias may be open at the far side."""
        return self.op == "page" and (self.state in ("accepted", "done") or self.maybe_taken)


Said = Sequence[NotificationStatus]  # what became of all that an incident ever owed


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
    owed: tuple[Notification, ...] = ()
    events: tuple[Event, ...] = ()
    cancelled: tuple[str, ...] = field(default=())  # keys of which nothing unsent must go out any more

    @classmethod
    def of(cls, plans: Iterable[Plan]) -> Plan:
        """One plan of all of them."""
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


# In a key, between an incident's and the channel of other people who are told of it: a thread of its own.
OTHERS = "@"
# What a person is first called with; who is called after them; everything else.
URGENT, FURTHER = 0, 1


def incident_of(key: str) -> str:
    """Of the key of anything owed: the incident's, also where other people are told of it."""
    return key.partition(OTHERS)[0]


def urgency(owed: Notification) -> int:
    """Smaller goes first: the first call of a broken promise, further ones, then by priority; alerts' notes last,
    and what other people's channels are told.

    A thread keeps its own order.
    """
    priority = int(owed.message.priority[1:])
    if OTHERS in owed.key:
        return 9
    if owed.channel == "chat":
        return priority
    if owed.op != "page":
        return 9
    if priority > 1:
        return priority
    return URGENT if owed.step.startswith("page-1-") else FURTHER
