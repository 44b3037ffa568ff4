"""The store in PostgreSQL (`oncall_db`): incidents, the outbox, what tasks said of themselves. No rules in here."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import structlog

from oncall.adapters.postgres.database import Connect, Cursor, Link, columns, rows_of
from oncall.adapters.postgres.incident_rows import COLUMNS, UPSERT, incident_of, parameters_of
from oncall.adapters.postgres.migrate import bring_up
from oncall.core.incidents.incident import Channel, Incident, Notification, NotificationStatus, Plan, urgency
from oncall.core.incidents.merging import merged
from oncall.core.message import Message, Recipient
from oncall.usecases.ports import (
    Drill,
    EvaluationInputs,
    IncidentFile,
    Lane,
    OutboxEntry,
    Posted,
    ReportKey,
    Snapshot,
)

log = structlog.get_logger(__name__)

SCHEMA = Path(__file__).with_name("oncall_db.sql")
LOCK = 0x0C_A11  # the advisory lock under which one look decides at a time
KEEP_RESOLVED = dt.timedelta(days=2)
STATES = ("owed", "accepted", "cancelled", "done")  # each knows more of a delivery than those before it
KEEP_DRILLS = dt.timedelta(days=1)

_KNOWN = f"""
    select {COLUMNS}{{more}} from oncall.incidents i
    where resolved_at is null or resolved_at > now() - %(keep)s
       or (dag_id, report_date) in (select dag_id, report_date::date from {rows_of("of", "dag_id", "report_date")})
    order by opened_at, key
"""
# Whom a delivery was for; of one from before there were drills and versions, whom its message names first.
_PERSON = "coalesce(message->'recipients'->0->>'name', '')"
_OWED_AT, _DONE_AT = (  # infinity is no instant in Python
    f"least(greatest({column}, '2000-01-01'), '2200-01-01')" for column in ("owed_at", "done_at")
)
_ENTRY = f"""step, channel, op, alias, state, {_PERSON}, {_OWED_AT}, case when done_at is not null then {_DONE_AT} end,
    maybe_taken, unreached"""
_TOLD = f""", (select jsonb_agg(jsonb_build_array({_ENTRY}) order by id)
               from oncall.deliveries d where d.key = i.key)"""
# Days and instants that nobody can mean are left out, and so is a note that nobody wrote (they are short).
_DAY = "report_date between '2000-01-01' and '2200-01-01'"
_REMEMBERED = f"""
    select (select jsonb_object_agg(name, value) from oncall.memory
            where name = any(%(names)s) and octet_length(value) < 4000000),
           (select jsonb_agg(jsonb_build_array(dag_id, report_date)) from oncall.incidents
            where resolved_at is null and drill = '' and {_DAY}),
           (select jsonb_agg(jsonb_build_array(left(name, 250), dag_id, report_date, warn_at, due_at,
                                               left(started_by, 250)) order by started_at)
            from oncall.drills where started_at > %(since)s and {_DAY}
            and warn_at between '2000-01-01' and '2200-01-01' and due_at between '2000-01-01' and '2200-01-01')
"""
_DELIVERY = """id, key, step, channel, op, alias, "user", message, state, attempts, request_id, owed_at, done_at,
    channel_id, ts, error, maybe_taken, unreached, requested_at, pending_since"""
_CLAIM = f"""
    with time as (select coalesce(%(now)s::timestamptz, clock_timestamp()) as now),
    free as (
        select d.id, d.maybe_taken, time.now from oncall.deliveries d, time
        where d.channel = %(channel)s and d.state in ('owed', 'accepted') and d.next_at <= time.now
          and d.urgency between %(first)s and %(last)s
          and (d.lease_until is null or d.lease_until <= time.now)
          and not exists (  -- a thread is told in order, and begins with one message only
            select 1 from oncall.deliveries earlier
            where d.channel = 'chat' and earlier.channel = 'chat' and earlier.key = d.key
              and earlier.id < d.id and earlier.state in ('owed', 'accepted'))
        order by d.urgency, d.id
        limit 1 for update of d skip locked)
    update oncall.deliveries d
    set lease_until = free.now + %(lease)s, attempts = attempts + 1, maybe_taken = true
    from free where d.id = free.id
    returning {re.sub(r"maybe_taken", "free.maybe_taken", re.sub(r"^id", "d.id", _DELIVERY))}
"""
_IN = "coalesce(%(now)s::timestamptz, clock_timestamp()) + %(wait)s"  # when it is tried again, by this server's clock


class OncallDb:
    """Implements `Store`. Not for use by two threads at once: make one per thread from the same `connect`."""

    def __init__(self, connect: Connect, now: Callable[[], dt.datetime] | None = None) -> None:
        """`now`: another clock than the server's, for tests."""
        self._link = Link(connect, "oncall_db")
        self._now = now

    def install(self) -> None:
        """Make the tables as this version needs them, keeping what is in them."""
        with self._link.transaction() as cursor:
            bring_up(cursor, "oncall.memory", SCHEMA.read_text(encoding="utf-8"))

    def evaluation_inputs(self, at: dt.datetime, names: Sequence[str]) -> EvaluationInputs:
        """Implements `Store`, in one query."""
        with self._link.cursor() as cursor:
            cursor.execute(_REMEMBERED, {"names": list(names), "since": at - KEEP_DRILLS})
            ((notes, still_open, drills),) = cursor.fetchall()
        return EvaluationInputs(
            notes or {},
            tuple((dag_id, dt.date.fromisoformat(date)) for dag_id, date in still_open or ()),
            tuple(_drill(row) for row in drills or ()),
        )

    @contextmanager
    def decision_lock(self) -> Iterator[PostgresDesk]:
        """Implements `Store`: an advisory lock of the transaction."""
        with self._link.transaction() as cursor:
            cursor.execute("select pg_advisory_xact_lock(%s)", (LOCK,))
            yield PostgresDesk(cursor, self._time())

    def clock(self) -> dt.datetime:
        """The database server's clock, in UTC. Raises Unreadable."""
        with self._link.cursor() as cursor:
            cursor.execute("select clock_timestamp()")
            ((now,),) = cursor.fetchall()
        return self._now() if self._now else now

    def file(self, key: str) -> IncidentFile | None:
        with self._link.cursor() as cursor:
            return _file(cursor, key)

    def claim(self, channel: Channel, lane: Lane, lease: dt.timedelta) -> OutboxEntry | None:
        """Implements `Store`: `for update skip locked`, with a lease by the server's clock."""
        with self._link.cursor() as cursor:
            cursor.execute(_CLAIM, {"channel": channel, "lease": lease, **lane._asdict(), **self._time()})
            row = cursor.fetchone()
        return _delivery(row) if row else None

    def bound(self, delivery: OutboxEntry, message: Message) -> None:
        """Implements `Store`: keeps the message as it is about to be sent."""
        with self._link.cursor() as cursor:
            cursor.execute(
                "update oncall.deliveries set message = %s where id = %s", (_dumped(message), delivery.id)
            )

    def accepted(self, delivery: OutboxEntry, request_id: str, at: dt.datetime, wait: dt.timedelta) -> None:
        """Implements `Store`."""
        self._settle(
            delivery, wait, state="accepted", request_id=request_id, maybe_taken=True, requested_at=at,
            pending_since=delivery.pending_since or at,
        )  # fmt: skip

    def done(
        self, delivery: OutboxEntry, at: dt.datetime, posted: Posted | None = None, unreached: str = ""
    ) -> None:
        """Implements `Store`; keeps also where the thread begins."""
        where = {"channel_id": posted.channel_id, "ts": posted.ts} if posted else {}
        self._settle(
            delivery, dt.timedelta(), state="done", done_at=at, error="", unreached=unreached, **where
        )

    def failed(
        self, delivery: OutboxEntry, reason: str, wait: dt.timedelta, *, uncertain: bool, unreached: str = ""
    ) -> None:
        """Implements `Store`: due again after `wait`, by the server's clock."""
        self._settle(
            delivery, wait, state="owed", request_id="", error=reason[:500], unreached=unreached[:500],
            maybe_taken=uncertain or delivery.maybe_taken,
        )  # fmt: skip

    def withdraw(self, delivery: OutboxEntry, why: str) -> None:
        """Implements `Store`: cancelled, unless another process has sent it meanwhile."""
        self._settle(
            delivery, dt.timedelta(), state="cancelled", error=why[:500], maybe_taken=delivery.maybe_taken
        )

    def _time(self) -> dict[str, Any]:
        return {"now": self._now() if self._now else None}

    def _settle(self, delivery: OutboxEntry, wait: dt.timedelta, **values: Any) -> None:
        sets = ", ".join(f"{name} = %({name})s" for name in values)
        with self._link.cursor() as cursor:
            cursor.execute(
                f"update oncall.deliveries set {sets}, next_at = {_IN}, lease_until = null"
                " where id = %(id)s and state in ('owed', 'accepted')",
                {**values, "id": delivery.id, "wait": wait, **self._time()},
            )

    def waiting(self) -> int:
        """Implements `Store`."""
        with self._link.cursor() as cursor:
            cursor.execute("select count(*) from oncall.deliveries where state in ('owed', 'accepted')")
            row = cursor.fetchone()
        return int(row[0]) if row else 0

    def thread(self, key: str) -> Posted | None:
        """Implements `Store`."""
        with self._link.cursor() as cursor:
            cursor.execute(
                "select channel_id, ts from oncall.deliveries where key = %s and channel = 'chat' and op = 'post'"
                " and ts <> '' order by id limit 1",
                (key,),
            )
            row = cursor.fetchone()
        return Posted(*row) if row else None

    def said_at(self, key: str, posted: Posted) -> Message | None:
        with self._link.cursor() as cursor:
            cursor.execute(
                "select message, step from oncall.deliveries where key = %s and channel = 'chat' and ts = %s limit 1",
                (key, posted.ts),
            )
            row = cursor.fetchone()
        return _message(row[0], key, row[1]) if row else None

    def get_note(self, name: str) -> str | None:
        """Implements `Store`."""
        with self._link.cursor() as cursor:
            cursor.execute("select value from oncall.memory where name = %s", (name,))
            row = cursor.fetchone()
        return row[0] if row else None

    def set_note(self, name: str, value: str) -> None:
        """Implements `Store`."""
        with self._link.cursor() as cursor:
            cursor.execute(
                "insert into oncall.memory (name, value) values (%s, %s) on conflict (name) do update"
                " set value = excluded.value, changed_at = now()",
                (name, value),
            )

    def start_drill(self, drill: Drill) -> None:
        """Write a drill down: from the next look on it is judged like a promise."""
        with self._link.cursor() as cursor:
            cursor.execute(
                "insert into oncall.drills (name, dag_id, report_date, warn_at, due_at, started_by)"
                " values (%s, %s, %s, %s, %s, %s)",
                dataclasses.astuple(drill),
            )

    def snapshot(self) -> Snapshot:
        """Implements `Store`: what decisions still need, not the whole past."""
        with self.decision_lock() as decision:
            incidents = decision.incidents()
            said = decision.said([incident.key for incident in incidents])
        return Snapshot(tuple(incidents), tuple(each for some in said.values() for each in some))

    def merge(self, snapshot: Snapshot) -> None:
        """Take in what was decided and sent while this store could not be reached, or is lost to it."""
        with self.decision_lock() as decision:
            decision.merge(snapshot)


class PostgresDesk:
    """Implements `DecisionTransaction` inside the transaction that holds the lock."""

    def __init__(self, cursor: Cursor, time: Mapping[str, Any]) -> None:
        self._cursor = cursor
        self._time = time

    def incidents(self, of: Collection[ReportKey] = ()) -> list[Incident]:
        """Implements `DecisionTransaction`."""
        return [incident_of(row) for row in self._known(of)]

    def told(self, of: Collection[ReportKey] = ()) -> list[tuple[Incident, tuple[NotificationStatus, ...]]]:
        """Implements `DecisionTransaction`."""
        return [
            (incident_of(row), tuple(map(_entry, entries or ()))) for *row, entries in self._known(of, _TOLD)
        ]

    def file(self, key: str) -> IncidentFile | None:
        """Implements `DecisionTransaction`."""
        return _file(self._cursor, key)

    def _known(self, of: Collection[ReportKey], more: str = "") -> list[tuple[Any, ...]]:
        asked = columns(dag_id=(dag_id for dag_id, _ in of), report_date=(date for _, date in of))
        self._cursor.execute(_KNOWN.format(more=more), {"keep": KEEP_RESOLVED, "of": asked})
        return self._cursor.fetchall()

    def said(self, keys: Sequence[str]) -> Mapping[str, list[OutboxEntry]]:
        """Implements `DecisionTransaction`."""
        self._cursor.execute(
            f"select {_DELIVERY} from oncall.deliveries where key = any(%s) order by id", (list(keys),)
        )
        said: dict[str, list[OutboxEntry]] = {key: [] for key in keys}
        for delivery in map(_delivery, self._cursor.fetchall()):
            said[delivery.key].append(delivery)
        return said

    def record(self, plan: Plan, at: dt.datetime) -> None:
        """Implements `DecisionTransaction`."""
        self._save(plan.incidents)
        if plan.cancelled:
            self._cursor.execute(
                "update oncall.deliveries set state = 'cancelled' where key = any(%s) and state = 'owed'"
                " and not maybe_taken",
                (list(plan.cancelled),),
            )
        self._owe(plan.owed, at)
        if plan.events:
            rows = [(event.key, event.at, event.what.replace("\x00", "")) for event in plan.events]
            self._cursor.executemany("insert into oncall.events (key, at, what) values (%s, %s, %s)", rows)

    def merge(self, snapshot: Snapshot) -> None:
        known = {incident.key: incident for incident in self._of_keys([i.key for i in snapshot.incidents])}
        both = [merged(known[i.key], i) if i.key in known else i for i in snapshot.incidents]
        self._save([each for each in both if known.get(each.key) != each])
        for delivery in snapshot.deliveries:
            self._take_in(delivery)
        for name, value in snapshot.notes.items():
            self._cursor.execute(
                "insert into oncall.memory (name, value) values (%s, %s) on conflict (name) do nothing",
                (name, value),
            )

    def _of_keys(self, keys: Sequence[str]) -> list[Incident]:
        self._cursor.execute(f"select {COLUMNS} from oncall.incidents where key = any(%s)", (list(keys),))
        return [incident_of(row) for row in self._cursor.fetchall()]

    def _take_in(self, delivery: OutboxEntry) -> None:
        """A delivery as another store has it; one that is done there is done here too."""
        owed = Notification(*(getattr(delivery, f.name) for f in dataclasses.fields(Notification)))
        self._owe([owed], delivery.owed_at, revive=False)
        posted = delivery.posted or Posted("", "")
        self._cursor.execute(
            "update oncall.deliveries set state = %s, done_at = %s, channel_id = %s, ts = %s, message = %s,"
            " unreached = %s, requested_at = %s, pending_since = %s, request_id = %s, maybe_taken = maybe_taken or %s"
            " where key = %s and step = %s and channel = %s"
            " and array_position(%s, state) < array_position(%s, %s::text)",
            (delivery.state, delivery.done_at, posted.channel_id, posted.ts, _dumped(delivery.message),
             delivery.unreached, delivery.requested_at, delivery.pending_since, delivery.request_id,
             delivery.maybe_taken, delivery.key, delivery.step, delivery.channel, list(STATES), list(STATES),
             delivery.state),
        )  # fmt: skip
        if delivery.maybe_taken:  # known to neither, and perhaps being sent from there just now
            self._cursor.execute(
                "update oncall.deliveries set maybe_taken = true where key = %s and step = %s and channel = %s"
                " and state in ('owed', 'accepted')",
                (delivery.key, delivery.step, delivery.channel),
            )

    def _save(self, incidents: Sequence[Incident]) -> None:
        if incidents:
            self._cursor.executemany(UPSERT, [parameters_of(incident) for incident in incidents])

    def _owe(self, owed: Sequence[Notification], at: dt.datetime, *, revive: bool = True) -> None:
        """`revive`: what was withdrawn is owed again."""
        again = (
            """update set state = 'owed', message = excluded.message, owed_at = excluded.owed_at,
               next_at = excluded.next_at, attempts = 0, request_id = '', error = '', unreached = '',
               lease_until = null, pending_since = null
               where deliveries.state = 'cancelled'"""
            if revive
            else "nothing"
        )
        if owed:
            self._cursor.executemany(
                'insert into oncall.deliveries (key, step, channel, op, alias, "user", message, urgency, owed_at,'
                " next_at) values (%(key)s, %(step)s, %(channel)s, %(op)s, %(alias)s, %(user)s, %(message)s,"
                " %(urgency)s, %(at)s, coalesce(%(now)s::timestamptz, clock_timestamp()))"
                f" on conflict (key, step, channel) do {again}",
                [
                    {
                        **{name: getattr(entry, name) for name in ("key", "step", "channel", "op", "alias", "user")},
                        "message": _dumped(entry.message), "urgency": urgency(entry), "at": at, **self._time,
                    }
                    for entry in owed
                ],
            )  # fmt: skip


def _file(cursor: Cursor, key: str) -> IncidentFile | None:
    cursor.execute(
        f"select {COLUMNS}{_TOLD} from oncall.incidents i where key = %(key)s or leader = %(key)s",
        {"key": key},
    )
    found = [(incident_of(row), entries) for *row, entries in cursor.fetchall()]
    mine = next(((one, entries) for one, entries in found if one.key == key), None)
    if mine is None:
        return None
    followers = tuple(one for one, _ in found if one.leader == key)
    return IncidentFile(mine[0], followers, tuple(map(_entry, mine[1] or ())))


def _entry(values: Sequence[Any]) -> NotificationStatus:
    *plain, owed_at, done_at, maybe_taken, unreached = values
    owed, done = (dt.datetime.fromisoformat(each) if each else None for each in (owed_at, done_at))
    step, channel, op, alias, state, person = plain
    return NotificationStatus(step, channel, op, alias, state, person, owed, done, maybe_taken, unreached)


def _dumped(message: Message) -> str:
    return json.dumps(dataclasses.asdict(message)).replace("\\u0000", "")  # PostgreSQL keeps none


def message_from(stored: Mapping[str, Any]) -> Message:
    """The message that `dataclasses.asdict` and JSON took apart."""
    fields = dict(stored)
    fields["recipients"] = tuple(Recipient(**each) for each in fields["recipients"])
    for name in ("facts", "links"):
        fields[name] = tuple((label, value) for label, value in fields[name])
    fields["tags"] = tuple(fields["tags"])
    return Message(**fields)


def _message(stored: Any, key: str, step: str) -> Message:
    """The words of a delivery; where they are spoilt, what it is about. A page is worded anew when it is sent."""
    try:
        return message_from(stored)
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        log.error("oncall.message_spoilt", key=key, step=step, reason=f"{type(error).__name__}: {error}")
        return Message(key, step, f"{key}: {step} (the words of this message are lost)")


def _drill(row: Sequence[str]) -> Drill:
    name, dag_id, date, warn_at, due_at, started_by = row
    instants = dt.datetime.fromisoformat(warn_at), dt.datetime.fromisoformat(due_at)
    return Drill(name, dag_id, dt.date.fromisoformat(date), *instants, started_by)


def _delivery(row: tuple[Any, ...]) -> OutboxEntry:
    *plain, channel_id, ts, error, maybe_taken, unreached, requested_at, pending_since = row
    plain[7] = _message(plain[7], key=plain[1], step=plain[2])
    plain += [Posted(channel_id, ts) if ts else None, error]
    return OutboxEntry(*plain, maybe_taken, unreached, requested_at, pending_since)  # type: ignore[call-arg]
