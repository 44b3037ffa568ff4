"""The store in PostgreSQL (`oncall_db`): incidents, the outbox, what tasks said of themselves. No rules in here."""

from __future__ import annotations

import datetime as dt
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import structlog

from oncall.adapters.postgres.database import Connect, Cursor
from oncall.adapters.postgres.decision import SWALLOWED, PostgresDecision, read_file
from oncall.adapters.postgres.lasting_connections import LastingConnection
from oncall.adapters.postgres.migrate import bring_up
from oncall.adapters.postgres.outbox_rows import DELIVERY, delivery_of, dumped, message_of
from oncall.adapters.postgres.sql_values import MOST_DAYS, SANE_DAY
from oncall.adapters.settling import Settling
from oncall.core.errors import Unreadable
from oncall.core.incidents.incident import Channel
from oncall.core.message import Message
from oncall.usecases.channel_ports import Posted
from oncall.usecases.ports import (
    NOTHING_AT_ALL,
    Drill,
    EvaluationInputs,
    IncidentFile,
    Lane,
    OutboxEntry,
    Snapshot,
)

log = structlog.get_logger(__name__)

SCHEMA = Path(__file__).with_name("oncall_db.sql")
LOCKED_FOR = dt.timedelta(seconds=10)  # what another session holds for so long is not waited for
CLAIMS_WITHIN_S = 0.5  # a sender holds a row for the length of one statement
LOCK = 0x0C_A11  # the advisory lock under which one look decides at a time
KEEP_DRILLS = dt.timedelta(days=1)

# Days and instants that nobody can mean are left out, and so is a note that nobody wrote (they are short).
_REMEMBERED = f"""
    select (select jsonb_object_agg(name, value) from oncall.memory
            where name = any(%(names)s) and octet_length(value) < 4000000),
           (select jsonb_agg(jsonb_build_array(dag_id, report_date)) from (
                select dag_id, report_date from oncall.incidents
                where resolved_at is null and drill = '' and {SANE_DAY}
                order by report_date desc, opened_at desc limit {MOST_DAYS}) as newest),
           (select jsonb_agg(jsonb_build_array(left(name, 250), dag_id, report_date, warn_at, due_at)
                              order by started_at)
            from oncall.drills where started_at > %(since)s and {SANE_DAY}
            and warn_at between '2000-01-01' and '2200-01-01' and due_at between '2000-01-01' and '2200-01-01')
"""
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
    set lease_until = free.now + %(lease)s, attempts = least(coalesce(attempts, 0), 1000000) + 1, maybe_taken = true
    from free where d.id = free.id
    returning {re.sub(r"maybe_taken", "free.maybe_taken", re.sub(r"^id", "d.id", DELIVERY))}
"""
# Of what has been due for a while, and is nobody's, the rows that cannot be claimed, and whether another session holds
# them. (What is claimed is written to: a trigger may swallow that.)
_LOCKED = """
    with due as (
        select id from oncall.deliveries
        where channel = %(channel)s and state in ('owed', 'accepted')
          and next_at <= coalesce(%(now)s::timestamptz, clock_timestamp()) - %(patience)s
          and (lease_until is null or lease_until <= coalesce(%(now)s::timestamptz, clock_timestamp()))),
    free as (select d.id from oncall.deliveries d join due using (id) for update of d skip locked),
    written as (
        update oncall.deliveries d set attempts = d.attempts from free where d.id = free.id returning d.id)
    select id, id not in (select id from free) from due where id not in (select id from written)
"""
_IN = "coalesce(%(now)s::timestamptz, clock_timestamp()) + %(wait)s"  # when it is tried again, by this server's clock


class OncallDb(Settling):
    """Implements `Store`. Not for use by two threads at once: make one per thread from the same `connect`."""

    def __init__(self, connect: Connect, now: Callable[[], dt.datetime] | None = None) -> None:
        """`now`: another clock than the server's, for tests."""
        self._db = LastingConnection(connect, "oncall_db")
        self._now = now

    def install(self) -> None:
        """Make the tables as this version needs them, keeping what is in them."""
        with self._db.transaction() as cursor:
            bring_up(cursor, "oncall.memory", SCHEMA.read_text(encoding="utf-8"))

    def evaluation_inputs(self, at: dt.datetime, names: Sequence[str]) -> EvaluationInputs:
        """Implements `Store`, in one query."""
        asked = {"names": list(names), "since": at - KEEP_DRILLS}
        ((notes, still_open, drills),) = self._db.ask(_REMEMBERED, asked)
        return EvaluationInputs(
            notes or {},
            tuple((dag_id, dt.date.fromisoformat(date)) for dag_id, date in still_open or ()),
            tuple(_drill(row) for row in drills or ()),
        )

    @contextmanager
    def decision_lock(self) -> Iterator[PostgresDecision]:
        """Implements `Store`: an advisory lock of the transaction."""
        with self._db.transaction() as cursor:
            cursor.execute("select pg_advisory_xact_lock(%s)", (LOCK,))
            yield PostgresDecision(cursor, self._time())

    def clock(self) -> dt.datetime:
        """The database server's clock, in UTC. Raises Unreadable."""
        ((now,),) = self._db.ask("select clock_timestamp()")
        return self._now() if self._now else now

    def file(self, key: str) -> IncidentFile | None:
        with self._db.cursor() as cursor:
            return read_file(cursor, key)

    def claim(self, channel: Channel, lane: Lane, lease: dt.timedelta) -> OutboxEntry | None:
        """Implements `Store`: `for update skip locked`, with a lease by the server's clock."""
        with self._db.cursor() as cursor:
            if lane == NOTHING_AT_ALL:
                self._refuse_locked(cursor, channel)
            cursor.execute(_CLAIM, {"channel": channel, "lease": lease, **lane._asdict(), **self._time()})
            row = cursor.fetchone()
        return delivery_of(row) if row else None

    def _refuse_locked(self, cursor: Cursor, channel: Channel) -> None:
        """Raises Unreadable when what is to be sent cannot be claimed: another session holds it, longer than a sender
        that claims it does, or nothing can be written there."""
        values = {"channel": channel, "patience": LOCKED_FOR, **self._time()}
        locked = set(cursor.execute(_LOCKED, values).fetchall())
        if locked:
            time.sleep(CLAIMS_WITHIN_S)
            locked &= set(cursor.execute(_LOCKED, values).fetchall())
        if any(not held for _, held in locked):
            raise Unreadable(f"oncall_db: {SWALLOWED.format(table='oncall.deliveries')}")
        if locked:
            raise Unreadable(
                f"oncall_db: another session holds {len(locked)} rows of oncall.deliveries that are to be sent; end its"
                " transaction (pg_stat_activity: idle in transaction)"
            )

    def bound(self, delivery: OutboxEntry, message: Message) -> None:
        """Implements `Store`: keeps the message as it is about to be sent."""
        values = dumped(message), delivery.id
        self._db.ask("update oncall.deliveries set message = %s where id = %s", values)

    def _time(self) -> dict[str, Any]:
        return {"now": self._now() if self._now else None}

    def _settle(self, delivery: OutboxEntry, wait: dt.timedelta, **values: Any) -> None:
        """Implements `Settling`: due again by the server's clock; keeps also where the thread begins."""
        if posted := values.pop("posted", None):
            values |= {"channel_id": posted.channel_id, "ts": posted.ts}
        sets = ", ".join(f"{name} = %({name})s" for name in values)
        self._db.ask(
            f"update oncall.deliveries set {sets}, next_at = {_IN}, lease_until = null"
            " where id = %(id)s and state in ('owed', 'accepted')",
            {**values, "id": delivery.id, "wait": wait, **self._time()},
        )

    def waiting(self) -> int:
        """Implements `Store`."""
        counted = "select count(*) from oncall.deliveries where state in ('owed', 'accepted')"
        return int(self._db.ask(counted)[0][0])

    def thread(self, key: str) -> Posted | None:
        """Implements `Store`."""
        found = self._db.ask(
            "select channel_id, ts from oncall.deliveries where key = %s and channel = 'chat' and op = 'post'"
            # as `Posted.order`
            " and ts <> '' order by length(split_part(ts, '.', 1)), ts, id limit 1",
            (key,),
        )
        return Posted(*found[0]) if found else None

    def said_at(self, key: str, posted: Posted) -> Message | None:
        found = self._db.ask(
            "select message, step from oncall.deliveries where key = %s and channel = 'chat' and ts = %s limit 1",
            (key, posted.ts),
        )
        return message_of(found[0][0], key, found[0][1]) if found else None

    def get_note(self, name: str) -> str | None:
        """Implements `Store`."""
        found = self._db.ask("select value from oncall.memory where name = %s", (name,))
        return found[0][0] if found else None

    def set_note(self, name: str, value: str) -> None:
        """Implements `Store`."""
        self._db.ask(
            "insert into oncall.memory (name, value) values (%s, %s) on conflict (name) do update"
            " set value = excluded.value, changed_at = now()",
            (name, value),
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


def _drill(row: Sequence[str]) -> Drill:
    name, dag_id, date, warn_at, due_at = row
    instants = dt.datetime.fromisoformat(warn_at), dt.datetime.fromisoformat(due_at)
    return Drill(name, dag_id, dt.date.fromisoformat(date), *instants)
