"""What is told in numbers: of a look, of a round of sending, of the watcher itself. Knows no StatsD and no clock.

`MEASURES` is the whole list, and nothing else is ever told. Names are Airflow's manner: dots, small letters; Airflow
puts its own prefix ("airflow.") before them. Tags are values of few kinds: a pipeline, never a person or a report date.
"""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from oncall.core.incidents.incident import Channel
from oncall.core.promises.evaluation import Verdict
from oncall.usecases.delivery_round import Sent
from oncall.usecases.evaluate import Evaluation
from oncall.usecases.ports import OutboxEntry, Reading, Snapshot

# The step that tells the first person of a broken promise.
FIRST_PAGE = re.compile(r"page-1-[a-z]+")
# `oncall.promise`: how a promise stands, the worst of its reports that are looked at.
CODES: Mapping[Verdict, int] = {"waiting": 0, "kept": 1, "at_risk": 2, "late": 3, "broken": 4, "unknown": 5}


@dataclass(frozen=True)
class Measure:
    """A kind of number: its name, what it means, and the names of its tags."""

    name: str
    kind: Literal["count", "gauge", "seconds"]
    meaning: str
    tags: tuple[str, ...] = ()

    def of(self, value: float, *tags: str) -> Reading:
        """A reading of this measure; the tags in the order of its own."""
        return Reading(self.name, self.kind, float(value), tuple(zip(self.tags, tags, strict=True)))


TICKS = Measure("oncall.ticks", "count", "looks of the watcher")
TICK_AGE = Measure(
    "oncall.tick_age_seconds", "gauge", "how long ago the watcher had looked, when it was asked"
)
LOOK_TIME = Measure("oncall.look_duration", "seconds", "how long a look took")
VERDICT = Measure(
    "oncall.verdict", "gauge", "how many reports that are looked at have this verdict", ("state",)
)
PROMISE = Measure(
    "oncall.promise",
    "gauge",
    "how a promise stands: 0 waiting, 1 kept, 2 at risk, 3 late, 4 broken",
    ("pipeline",),
)
OPEN = Measure("oncall.incidents_open", "gauge", "open incidents, drills among them")
READABLE = Measure("oncall.readable", "gauge", "1 when this database could be read", ("database",))
ROSTER_VALID = Measure("oncall.roster_valid", "gauge", "1 when the files on disk have no problem")
OWED = Measure("oncall.outbox_owed", "gauge", "deliveries of incidents that the far side has not taken")
OWED_AGE = Measure("oncall.outbox_oldest_seconds", "gauge", "how long the oldest of them is owed")
SENT = Measure("oncall.sent", "count", "deliveries that the far side has taken", ("channel", "op"))
RETRIES = Measure("oncall.retries", "count", "deliveries tried again after a failure", ("channel",))
FAILURES = Measure("oncall.failures", "count", "tries that the far side did not take", ("channel",))
CHANNEL_UP = Measure("oncall.channel_up", "gauge", "1 unless what was last sent there failed", ("channel",))
PAGE_DELAY = Measure("oncall.page_delay", "seconds", "from the due instant until the first page was taken")
DELIVERY_TIME = Measure("oncall.delivery_duration", "seconds", "from owed until taken", ("channel",))

MEASURES = (
    TICKS, TICK_AGE, LOOK_TIME, VERDICT, PROMISE, OPEN, READABLE, ROSTER_VALID, OWED, OWED_AGE, SENT, RETRIES,
    FAILURES, CHANNEL_UP, PAGE_DELAY, DELIVERY_TIME,
)  # fmt: skip


def of_tick(age: dt.timedelta | None, took_s: float) -> Iterator[Reading]:
    """The watcher looked: how long after its look before (None: this is its first), and for how long."""
    yield TICKS.of(1)
    yield LOOK_TIME.of(took_s)
    if age is not None:
        yield TICK_AGE.of(age.total_seconds())


def of_look(seen: Evaluation, *, roster_valid: bool, store_readable: bool) -> Iterator[Reading]:
    """The promises and what could be read of them. Drills are no promises."""
    statuses = [one for one in seen.statuses if one.pipeline.promise and not one.drill]
    states = Counter(one.verdict for one in statuses)
    for state in get_args(Verdict):
        yield VERDICT.of(states[state], state)
    codes: dict[str, int] = {}
    for one in statuses:
        dag_id = one.pipeline.dag_id
        codes[dag_id] = max(codes.get(dag_id, 0), CODES[one.verdict])
    for dag_id, code in codes.items():
        yield PROMISE.of(code, dag_id)
    blind = any(
        "warehouse" in reason.partition(":")[0] for one in seen.statuses for reason in one.facts.unreadable
    )
    yield READABLE.of(not blind, "warehouse")
    yield READABLE.of(store_readable, "oncall_db")
    yield ROSTER_VALID.of(roster_valid)


def of_snapshot(snapshot: Snapshot, at: dt.datetime) -> Iterator[Reading]:
    """What is open, and what is owed for it."""
    yield OPEN.of(sum(incident.open for incident in snapshot.incidents))
    owed = [one.owed_at for one in snapshot.deliveries if one.state in ("owed", "accepted")]
    yield OWED.of(len(owed))
    yield OWED_AGE.of((at - min(owed, default=at)).total_seconds())


def of_sending(channel: Channel, sent: Sent, up: bool, due: Mapping[str, dt.datetime]) -> Iterator[Reading]:
    """One round of sending on one channel. `due`: when the promise of an incident (by its key) was due.

    Counts of nothing are told too: a series that begins with its first failure shows no increase.
    """
    tried = [one for one, _ in sent.taken] + list(sent.failed)
    told: Counter[str] = Counter(one.op for one, _ in sent.taken)
    for op in sorted({*told, "page" if channel == "pager" else "post"}):
        yield SENT.of(told[op], channel, op)
    yield FAILURES.of(len(sent.failed), channel)
    yield RETRIES.of(sum(bool(one.error) for one in tried), channel)
    yield CHANNEL_UP.of(up, channel)
    for entry, at in sent.taken:
        yield DELIVERY_TIME.of((at - entry.owed_at).total_seconds(), channel)
        if first_page(entry) and entry.key in due:
            yield PAGE_DELAY.of((at - due[entry.key]).total_seconds())


def first_page(delivery: OutboxEntry) -> bool:
    """Whether this is what tells the first person that a promise is broken."""
    return delivery.channel == "pager" and FIRST_PAGE.fullmatch(delivery.step) is not None
