"""The doors to the outside, as Protocols: what the use case asks of a store and of the world.

Adapters raise `DeliveryFailed` (may be tried again; `uncertain=True` when the far side may have taken it),
`Rejected` (will fail again) or `Unreadable`; nothing else leaves an adapter.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Protocol

from oncall.core.incidents.incident import Channel, Incident, NotificationStatus, Op, Plan, State
from oncall.core.message import Message
from oncall.core.promises.facts import RUN, Dag, Facts, Task, TypicalDurations, still_over
from oncall.core.promises.promise import Pipeline
from oncall.usecases.channel_ports import Posted

# One report on one day: (dag_id, report date).
ReportKey = tuple[str, dt.date]


class WarehouseReader(Protocol):
    """What the warehouse says: publications, upstream loads, failed checks."""

    def read(
        self,
        wanted: Sequence[tuple[Pipeline, dt.date]],
        published: Sequence[Pipeline] = (),
        since: dt.date | None = None,
    ) -> Mapping[ReportKey, Facts]:
        """Facts (publication, loads, failed checks, changed_since) of each wanted report, and of each stale one.

        Stale: of these `published` pipelines, for a day from `since` on, with an upstream that was loaded again after
        it was read. Raises Unreadable.
        """
        ...


@dataclass(frozen=True)
class OutboxEntry:
    """One thing owed to one channel, with the words of its last try. `attempts` counts the claims.

    `maybe_taken`: an earlier try may have reached the far side. `requested_at`: when the far side was last asked,
    `pending_since`: since when it has a request that it has not carried out. `request_id`: its last requests, a line
    each, the newest first; any of them may still be carried out. `posted` is where a chat message stands.
    `unreached`: see `NotificationStatus`.
    """

    id: int
    key: str
    step: str
    channel: Channel
    op: Op
    alias: str
    user: str
    message: Message
    state: State
    attempts: int
    request_id: str
    owed_at: dt.datetime
    done_at: dt.datetime | None = None
    posted: Posted | None = None
    error: str = ""
    maybe_taken: bool = False
    unreached: str = ""
    requested_at: dt.datetime | None = None
    pending_since: dt.datetime | None = None

    @property
    def pends(self) -> bool:
        """Whether the far side has a request of it, and what came of that is to be asked."""
        return self.state == "accepted"

    @property
    def person(self) -> str:
        """Whom it is for; "" for nobody in particular."""
        return self.message.recipients[0].name if self.message.recipients else ""

    @property
    def entry(self) -> NotificationStatus:
        """The same as the rules see it."""
        to = next(iter(self.message.recipients), None)
        return NotificationStatus(
            self.step, self.channel, self.op, self.alias, self.state, self.person, self.owed_at, self.done_at,
            self.maybe_taken, self.unreached, (to.opsgenie or "") if to else "", to.id if to else "",
        )  # fmt: skip


class Lane(NamedTuple):
    """What is sent side by side with other things: how urgent it is, from the first to the last of these numbers."""

    first: int
    last: int


# Somebody's first call, whoever is called after them, and all the rest.
PRIMARIES, FURTHER_STEPS, REST, EVERYTHING = Lane(0, 0), Lane(1, 1), Lane(2, 99), Lane(0, 99)
LANES = (PRIMARIES, FURTHER_STEPS, REST)
# Nothing is as urgent as that: whether anything could be claimed is asked without claiming it.
NOTHING_AT_ALL = Lane(-1, -1)
# In the chat: our own channels, and those of other teams, which must not delay them.
OUR_CHANNELS, OTHERS_CHANNELS = Lane(0, 8), Lane(9, 9)


@dataclass(frozen=True)
class IncidentFile:
    """Everything on record of one incident. `followers`: those that it speaks for."""

    incident: Incident
    followers: tuple[Incident, ...] = ()
    entries: tuple[NotificationStatus, ...] = ()


@dataclass(frozen=True)
class Drill:
    """A promise made to be broken: another due time for one pipeline and report date, marked DRILL."""

    name: str
    dag_id: str
    report_date: dt.date
    warn_at: dt.datetime
    due_at: dt.datetime


@dataclass(frozen=True)
class EvaluationInputs:
    """What a look begins with. `notes`: those of the asked names that are known; `open`: the reports and days of the
    open incidents, without those of drills; `drills`: begun within the last day."""

    notes: Mapping[str, str]
    open: Sequence[ReportKey]
    drills: Sequence[Drill]


class DecisionTransaction(Protocol):
    """The store while one look decides: nobody else decides at the same time."""

    def incidents(self, of: Collection[ReportKey] = ()) -> list[Incident]:
        """The open ones, those resolved within two days, and all that ever were of these reports and days."""
        ...

    def told(self, of: Collection[ReportKey] = ()) -> list[tuple[Incident, tuple[NotificationStatus, ...]]]:
        """The same, each with what became of all that it ever owed."""
        ...

    def file(self, key: str) -> IncidentFile | None:
        """All that is on record of one incident now."""
        ...

    def said(self, keys: Sequence[str]) -> Mapping[str, list[OutboxEntry]]:
        """All that was ever owed for these keys, in the order it was owed."""
        ...

    def record(self, plan: Plan, at: dt.datetime) -> None:
        """Write incidents, what is owed, events. What is owed already stays as it is; what was withdrawn is owed
        again."""
        ...


@dataclass(frozen=True)
class Snapshot:
    """Incidents, deliveries and notes as one store has them, to carry over to another."""

    incidents: tuple[Incident, ...] = ()
    deliveries: tuple[OutboxEntry, ...] = ()
    notes: Mapping[str, str] = field(default_factory=dict)


class Store(Protocol):
    """What must survive: incidents, the outbox, who said what. Raises Unreadable when it cannot be reached."""

    def evaluation_inputs(self, at: dt.datetime, names: Sequence[str]) -> EvaluationInputs:
        """What was noted under these names, what is open and which drills there are: as it is just now."""
        ...

    def decision_lock(self) -> AbstractContextManager[DecisionTransaction]:
        """Within it nobody else decides: what is read stays true until what was recorded is committed, at its end."""
        ...

    def claim(self, channel: Channel, lane: Lane, lease: dt.timedelta) -> OutboxEntry | None:
        """The most urgent delivery of this lane that is due, for this caller alone until the lease ends.

        By the store's own clock: a caller whose clock is wrong takes nothing from others. From here on it may have
        been taken, until the caller says otherwise.
        """
        ...

    def file(self, key: str) -> IncidentFile | None:
        """All that is on record of one incident now; None for what is no incident."""
        ...

    def bound(self, delivery: OutboxEntry, message: Message) -> None:
        """What is about to be sent, and to whom."""
        ...

    def accepted(self, delivery: OutboxEntry, request_id: str, at: dt.datetime, wait: dt.timedelta) -> None:
        """The far side has a request for it, which is asked for again after `wait`."""
        ...

    def done(
        self, delivery: OutboxEntry, at: dt.datetime, posted: Posted | None = None, unreached: str = ""
    ) -> None:
        """The far side has carried it out. `posted`: where a message stands; `unreached`: why nobody was woken by
        it."""
        ...

    def failed(
        self, delivery: OutboxEntry, reason: str, wait: dt.timedelta, *, uncertain: bool, unreached: str = ""
    ) -> None:
        """It is tried again after `wait`. Unless `uncertain`, this try certainly has not reached anybody."""
        ...

    def withdraw(self, delivery: OutboxEntry, why: str) -> None:
        """It is not wanted any more (and was not sent by this try)."""
        ...

    def waiting(self) -> int:
        """How many deliveries are not done."""
        ...

    def thread(self, key: str) -> Posted | None:
        """Where the incident's chat thread begins; None before its first message was posted."""
        ...

    def said_at(self, key: str, posted: Posted) -> Message | None:
        """The incident's chat message that stands there; None when this store knows of none."""
        ...

    def get_note(self, name: str) -> str | None:
        """What was noted under this name; None when nothing was."""
        ...

    def set_note(self, name: str, value: str) -> None:
        """Note it under this name, in the place of what was noted before."""
        ...

    def snapshot(self) -> Snapshot:
        """Everything that another store would need to go on from here."""
        ...

    def merge(self, snapshot: Snapshot) -> None:
        """Take in what another store knows; nothing that either knows is lost."""
        ...


@dataclass(frozen=True)
class TaskRuns:
    """`tasks`: of the newest run for a report and day, in the order they started; `runs`: what became of that run as a
    whole; `failed_before`: what failed in an earlier run and was not mended; `dags`: what Airflow said of each."""

    tasks: Mapping[ReportKey, tuple[Task, ...]] = field(default_factory=dict)
    dags: Mapping[str, Dag] = field(default_factory=dict)
    runs: Mapping[ReportKey, Task] = field(default_factory=dict)
    failed_before: Mapping[ReportKey, tuple[Task, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class RunSaid:
    """One run and what is on record of its tasks, by id (of the run as a whole under `RUN`)."""

    dag_id: str
    run_id: str
    report_date: dt.date
    said: dict[str, Task]

    @property
    def over(self) -> Task | None:
        """What ended the run as a whole, as far as it is on record."""
        return still_over(self.said.get(RUN), (t for t in self.said.values() if t.task_id != RUN))


class TaskRunReader(Protocol):
    """What the tasks said of themselves (their callbacks wrote it down)."""

    def read(self, wanted: Mapping[ReportKey, dt.datetime | None], failed_since: dt.datetime) -> TaskRuns:
        """What ran for these reports and days, and for every other one that has a task failed for good since then.

        For one that is known to be published at an instant, only if a task is open, or has started or failed, since.
        """
        ...

    def usual(self, since: dt.date) -> Mapping[str, TypicalDurations]:
        """How long the steps of each DAG (by its id) took in the runs since that day. Raises Unreadable."""
        ...


@dataclass(frozen=True)
class Reading:
    """One number for whoever watches the on-call system. `tags` are (name, value), in the order of its measure.

    `kind`: count (what happened since the last reading), gauge (how it is now), seconds (how long something took).
    """

    name: str
    kind: Literal["count", "gauge", "seconds"]
    value: float
    tags: tuple[tuple[str, str], ...] = ()


class Metrics(Protocol):
    """Where the numbers go."""

    def tell(self, readings: Iterable[Reading]) -> None:
        """Never raises: nobody is paged later because a number could not be told."""
        ...
