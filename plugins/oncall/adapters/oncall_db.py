"""The store in PostgreSQL (`oncall_db`): incidents, the outbox, what tasks said of themselves. No rules in here."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from oncall.adapters.postgres import Connect, Cursor, Link, columns, rows_of
from oncall.core.decide import Said
from oncall.core.incident import Channel, Incident, Owed, Plan
from oncall.core.message import Message, Recipient
from oncall.ports import Delivery, Drill, Posted, Remembered, Snapshot, Which
from oncall.tables import bring_up

SCHEMA = Path(__file__).with_name("oncall_db.sql")
LOCK = 0x0C_A11  # the advisory lock under which one look decides at a time
KEEP_RESOLVED = dt.timedelta(days=2)
KEEP_DRILLS = dt.timedelta(days=1)

_INCIDENT = [f.name for f in dataclasses.fields(Incident)]
_SETS = ", ".join(f'"{name}" = excluded."{name}"' for name in _INCIDENT)
_COLUMNS = ", ".join(f'"{name}"' for name in _INCIDENT)
_KNOWN = f"""
    select {_COLUMNS}{{more}} from oncall.incidents i
    where resolved_at is null or resolved_at > now() - %(keep)s
       or (dag_id, report_date) in (select dag_id, report_date::date from {rows_of("of", "dag_id", "report_date")})
    order by opened_at, key
"""
_TOLD = """, array(select array[d.channel, d.step, case when d.op = 'page' then d.alias else '' end]
               from oncall.deliveries d where d.key = i.key and d.state <> 'cancelled')"""
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
    channel_id, ts, error"""


class OncallDb:
    """Implements `Store`. Not for use by two threads at once: make one per thread from the same `connect`."""

    def __init__(self, connect: Connect) -> None:
        self._link = Link(connect, "oncall_db")

    def install(self) -> None:
        """Make the tables as this version needs them, keeping what is in them."""
        with self._link.transaction() as cursor:
            bring_up(cursor, "oncall.memory", SCHEMA.read_text(encoding="utf-8"))

    def remembered(self, at: dt.datetime, names: Sequence[str]) -> Remembered:
        with self._link.cursor() as cursor:
            cursor.execute(_REMEMBERED, {"names": list(names), "since": at - KEEP_DRILLS})
            ((notes, still_open, drills),) = cursor.fetchall()
        return Remembered(
            notes or {},
            tuple((dag_id, dt.date.fromisoformat(date)) for dag_id, date in still_open or ()),
            tuple(_drill(row) for row in drills or ()),
        )

    @contextmanager
    def deciding(self) -> Iterator[PostgresDesk]:
        with self._link.transaction() as cursor:
            cursor.execute("select pg_advisory_xact_lock(%s)", (LOCK,))
            yield PostgresDesk(cursor)

    def claim(self, channel: Channel, at: dt.datetime, lease: dt.timedelta) -> Delivery | None:
        with self._link.cursor() as cursor:
            cursor.execute(
                f"""
                update oncall.deliveries set lease_until = %(until)s, attempts = attempts + 1
                where id = (
                    select d.id from oncall.deliveries d
                    where d.channel = %(channel)s and d.state in ('owed', 'accepted') and d.next_at <= %(at)s
                      and (d.lease_until is null or d.lease_until <= %(at)s)
                      and not exists (  -- a thread is told in order, and begins with one message only
                        select 1 from oncall.deliveries earlier
                        where d.channel = 'chat' and earlier.channel = 'chat' and earlier.key = d.key
                          and earlier.id < d.id and earlier.state in ('owed', 'accepted'))
                    order by d.urgency, d.id
                    limit 1 for update skip locked)
                returning {_DELIVERY}
                """,
                {"channel": channel, "at": at, "until": at + lease},
            )
            row = cursor.fetchone()
        return _delivery(row) if row else None

    def accepted(self, delivery: Delivery, request_id: str, again_at: dt.datetime) -> None:
        self._settle(delivery, state="accepted", request_id=request_id, next_at=again_at)

    def done(self, delivery: Delivery, at: dt.datetime, posted: Posted | None = None) -> None:
        where = {"channel_id": posted.channel_id, "ts": posted.ts} if posted else {}
        self._settle(delivery, state="done", done_at=at, error="", **where)

    def failed(self, delivery: Delivery, reason: str, again_at: dt.datetime) -> None:
        self._settle(delivery, state="owed", request_id="", error=reason[:500], next_at=again_at)

    def _settle(self, delivery: Delivery, **values: Any) -> None:
        sets = ", ".join(f"{name} = %({name})s" for name in values)
        with self._link.cursor() as cursor:
            cursor.execute(
                f"update oncall.deliveries set {sets}, lease_until = null where id = %(id)s and state <> 'cancelled'",
                {**values, "id": delivery.id},
            )

    def waiting(self) -> int:
        with self._link.cursor() as cursor:
            cursor.execute("select count(*) from oncall.deliveries where state in ('owed', 'accepted')")
            row = cursor.fetchone()
        return int(row[0]) if row else 0

    def failing(self, channel: Channel) -> bool:
        with self._link.cursor() as cursor:
            cursor.execute(
                "select exists (select from oncall.deliveries where channel = %s and state in ('owed', 'accepted')"
                " and error <> '')",
                (channel,),
            )
            return cursor.fetchone() == (True,)

    def thread(self, key: str) -> Posted | None:
        with self._link.cursor() as cursor:
            cursor.execute(
                "select channel_id, ts from oncall.deliveries where key = %s and channel = 'chat' and op = 'post'"
                " and ts <> '' order by id limit 1",
                (key,),
            )
            row = cursor.fetchone()
        return Posted(*row) if row else None

    def recall(self, name: str) -> str | None:
        with self._link.cursor() as cursor:
            cursor.execute("select value from oncall.memory where name = %s", (name,))
            row = cursor.fetchone()
        return row[0] if row else None

    def remember(self, name: str, value: str) -> None:
        with self._link.cursor() as cursor:
            cursor.execute(
                "insert into oncall.memory (name, value) values (%s, %s) on conflict (name) do update"
                " set value = excluded.value, changed_at = now()",
                (name, value),
            )

    def start_drill(self, drill: Drill) -> None:
        with self._link.cursor() as cursor:
            cursor.execute(
                "insert into oncall.drills (name, dag_id, report_date, warn_at, due_at, started_by)"
                " values (%s, %s, %s, %s, %s, %s)",
                dataclasses.astuple(drill),
            )

    def snapshot(self) -> Snapshot:
        with self.deciding() as desk:
            incidents = desk.incidents()
            said = desk.said([incident.key for incident in incidents])
        return Snapshot(tuple(incidents), tuple(each for some in said.values() for each in some))

    def restore(self, snapshot: Snapshot) -> None:
        """Take in what was decided and sent while this store could not be reached."""
        with self.deciding() as desk:
            desk.record(Plan(incidents=snapshot.incidents), dt.datetime.now(dt.UTC))
            for each in snapshot.deliveries:
                desk.take_in(each)


class PostgresDesk:
    """Implements `Desk` inside the transaction that holds the lock."""

    def __init__(self, cursor: Cursor) -> None:
        self._cursor = cursor

    def incidents(self, of: Collection[Which] = ()) -> list[Incident]:
        return [_incident(row) for row in self._known(of)]

    def told(self, of: Collection[Which] = ()) -> list[tuple[Incident, Said]]:
        return [
            (_incident(row), {(channel, step): alias for channel, step, alias in told})
            for *row, told in self._known(of, _TOLD)
        ]

    def _known(self, of: Collection[Which], more: str = "") -> list[tuple[Any, ...]]:
        asked = columns(dag_id=(dag_id for dag_id, _ in of), report_date=(date for _, date in of))
        self._cursor.execute(_KNOWN.format(more=more), {"keep": KEEP_RESOLVED, "of": asked})
        return self._cursor.fetchall()

    def said(self, keys: Sequence[str]) -> Mapping[str, list[Delivery]]:
        self._cursor.execute(
            f"select {_DELIVERY} from oncall.deliveries where key = any(%s) order by id", (list(keys),)
        )
        said: dict[str, list[Delivery]] = {key: [] for key in keys}
        for delivery in map(_delivery, self._cursor.fetchall()):
            said[delivery.key].append(delivery)
        return said

    def record(self, plan: Plan, at: dt.datetime) -> None:
        self._save(plan.incidents)
        if plan.cancelled:
            self._cursor.execute(
                "update oncall.deliveries set state = 'cancelled' where key = any(%s) and op in ('page', 'note')"
                " and state = 'owed' and attempts = 0",
                (list(plan.cancelled),),
            )
        self._owe(plan.owed, at)
        if plan.events:
            rows = [(event.key, event.at, event.what) for event in plan.events]
            self._cursor.executemany("insert into oncall.events (key, at, what) values (%s, %s, %s)", rows)

    def take_in(self, delivery: Delivery) -> None:
        """A delivery as another store has it; one that is done there is done here too."""
        owed = Owed(*(getattr(delivery, f.name) for f in dataclasses.fields(Owed)))
        self._owe([owed], delivery.owed_at)
        if delivery.state in ("done", "cancelled"):
            posted = delivery.posted or Posted("", "")
            self._cursor.execute(
                "update oncall.deliveries set state = %s, done_at = %s, channel_id = %s, ts = %s"
                " where key = %s and step = %s and channel = %s and state in ('owed', 'accepted')",
                (delivery.state, delivery.done_at, posted.channel_id, posted.ts,
                 delivery.key, delivery.step, delivery.channel),
            )  # fmt: skip

    def _save(self, incidents: Sequence[Incident]) -> None:
        if incidents:
            self._cursor.executemany(
                f"insert into oncall.incidents ({_COLUMNS}) values ({', '.join(f'%({n})s' for n in _INCIDENT)})"
                f" on conflict (key) do update set {_SETS}",
                [{name: _plain(getattr(each, name)) for name in _INCIDENT} for each in incidents],
            )

    def _owe(self, owed: Sequence[Owed], at: dt.datetime) -> None:
        if owed:
            self._cursor.executemany(
                'insert into oncall.deliveries (key, step, channel, op, alias, "user", message, urgency, owed_at,'
                " next_at) values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s) on conflict (key, step, channel) do nothing",
                [
                    (each.key, each.step, each.channel, each.op, each.alias, each.user,
                     json.dumps(dataclasses.asdict(each.message)), urgency(each), at, at)
                    for each in owed
                ],
            )  # fmt: skip


def urgency(owed: Owed) -> int:
    """Smaller goes first: pages before closes and notes, P1 before P3. Threads keep their own order."""
    if owed.channel == "chat":
        return int(owed.message.priority[1:])
    return int(owed.message.priority[1:]) if owed.op == "page" else 9


def message_from(stored: Mapping[str, Any]) -> Message:
    """The message that `dataclasses.asdict` and JSON took apart."""
    fields = dict(stored)
    fields["recipients"] = tuple(Recipient(**each) for each in fields["recipients"])
    for name in ("facts", "links"):
        fields[name] = tuple((label, value) for label, value in fields[name])
    fields["tags"] = tuple(fields["tags"])
    return Message(**fields)


def _drill(row: Sequence[str]) -> Drill:
    name, dag_id, date, warn_at, due_at, started_by = row
    instants = dt.datetime.fromisoformat(warn_at), dt.datetime.fromisoformat(due_at)
    return Drill(name, dag_id, dt.date.fromisoformat(date), *instants, started_by)


def _delivery(row: tuple[Any, ...]) -> Delivery:
    *plain, channel_id, ts, error = row
    plain[7] = message_from(plain[7])
    plain += [Posted(channel_id, ts) if ts else None, error]
    return Delivery(*plain)


def _incident(row: Sequence[Any]) -> Incident:
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in zip(_INCIDENT, row, strict=True)
    }
    return Incident(**values)


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
