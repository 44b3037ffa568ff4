"""The store while one look decides: incidents and what is owed for them, inside the transaction that holds the lock."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from oncall.adapters.postgres.database import Cursor
from oncall.adapters.postgres.incident_rows import COLUMNS, UPSERT, incident_of, parameters_of
from oncall.adapters.postgres.outbox_rows import DELIVERY, ENTRY, delivery_of, dumped, entry_of
from oncall.adapters.postgres.sql_values import columns, rows_of
from oncall.core.errors import Unreadable
from oncall.core.incidents.incident import OTHERS, Incident, Notification, NotificationStatus, Plan, urgency
from oncall.core.incidents.merging import merged
from oncall.usecases.channel_ports import Posted
from oncall.usecases.ports import IncidentFile, OutboxEntry, ReportKey, Snapshot

KEEP_RESOLVED = dt.timedelta(days=2)
SWALLOWED = (
    "{table} does not keep what is written into it; look for a trigger, a rule or row-level security on it"
)
STATES = ("owed", "accepted", "cancelled", "done")  # each knows more of a delivery than those before it

_KNOWN = f"""
    select {COLUMNS}{{more}} from oncall.incidents i
    where key <> '' and (resolved_at is null or resolved_at > now() - %(keep)s
       or (dag_id, report_date) in (select dag_id, report_date::date from {rows_of("of", "dag_id", "report_date")}))
    order by opened_at, key
"""
_TOLD = f""", (select jsonb_agg(jsonb_build_array({ENTRY}) order by id)
               from oncall.deliveries d where split_part(d.key, '{OTHERS}', 1) = i.key)"""


class PostgresDecision:
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
            (incident_of(row), tuple(map(entry_of, entries or ())))
            for *row, entries in self._known(of, _TOLD)
        ]

    def file(self, key: str) -> IncidentFile | None:
        """Implements `DecisionTransaction`."""
        return read_file(self._cursor, key)

    def _known(self, of: Collection[ReportKey], more: str = "") -> list[tuple[Any, ...]]:
        dag_ids, dates = zip(*of, strict=True) if of else ((), ())
        values = {"keep": KEEP_RESOLVED, "of": columns(dag_id=dag_ids, report_date=dates)}
        self._cursor.execute(_KNOWN.format(more=more), values)
        return self._cursor.fetchall()

    def said(self, keys: Sequence[str]) -> Mapping[str, list[OutboxEntry]]:
        """Implements `DecisionTransaction`."""
        self._cursor.execute(
            f"select {DELIVERY} from oncall.deliveries"
            f" where key = any(%(keys)s) or split_part(key, '{OTHERS}', 1) = any(%(keys)s) order by id",
            {"keys": list(keys)},
        )
        said: dict[str, list[OutboxEntry]] = {key: [] for key in keys}
        for delivery in map(delivery_of, self._cursor.fetchall()):
            # What other teams are told has a key of its own.
            said.setdefault(delivery.key, []).append(delivery)
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
            rows = [(event.key, event.at, event.what) for event in plan.events]
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
            "update oncall.deliveries set state = %s, alias = %s, done_at = %s, channel_id = %s, ts = %s, message = %s,"
            " unreached = %s, requested_at = %s, pending_since = %s, request_id = %s, maybe_taken = maybe_taken or %s"
            " where key = %s and step = %s and channel = %s"
            " and array_position(%s, state) < array_position(%s, %s::text)",
            (delivery.state, delivery.alias, delivery.done_at, posted.channel_id, posted.ts, dumped(delivery.message),
             delivery.unreached, delivery.requested_at, delivery.pending_since, delivery.request_id,
             delivery.maybe_taken, delivery.key, delivery.step, delivery.channel, list(STATES), list(STATES),
             delivery.state),
        )  # fmt: skip
        if delivery.maybe_taken or delivery.pending_since:
            # known to neither, and perhaps being sent from there just now; tried there for long, perhaps
            self._cursor.execute(
                "update oncall.deliveries set maybe_taken = maybe_taken or %s,"
                " pending_since = least(pending_since, %s::timestamptz)"
                " where key = %s and step = %s and channel = %s and state in ('owed', 'accepted')",
                (delivery.maybe_taken, delivery.pending_since, delivery.key, delivery.step, delivery.channel),
            )

    def _save(self, incidents: Sequence[Incident]) -> None:
        if incidents:
            self._cursor.executemany(UPSERT, [parameters_of(incident) for incident in incidents])
            keys = {incident.key for incident in incidents}
            self._cursor.execute("select count(*) from oncall.incidents where key = any(%s)", (list(keys),))
            self._kept_all("oncall.incidents", len(keys))

    def _kept_all(self, table: str, count: int) -> None:
        """Raise Unreadable when fewer are found of what was just written: nobody would be called for them."""
        ((found,),) = self._cursor.fetchall()
        if found < count:
            raise Unreadable(f"oncall_db: {SWALLOWED.format(table=table)}")

    def _owe(self, owed: Sequence[Notification], at: dt.datetime, *, revive: bool = True) -> None:
        """`revive`: what was withdrawn is owed again, and so is at once what was refused for somebody else."""
        again = (
            """update set state = 'owed', message = excluded.message, owed_at = excluded.owed_at,
               next_at = excluded.next_at, attempts = 0, request_id = '', error = '', unreached = '',
               lease_until = null, pending_since = null
               where deliveries.state = 'cancelled' or (
                   deliveries.state = 'owed' and deliveries.unreached <> '' and not deliveries.maybe_taken
                   and deliveries.message->'recipients' is distinct from excluded.message->'recipients')"""
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
                        "message": dumped(entry.message), "urgency": urgency(entry), "at": at, **self._time,
                    }
                    for entry in owed
                ],
            )  # fmt: skip
            names = {(entry.key, entry.step, entry.channel) for entry in owed}
            keys, steps, channels = zip(*names, strict=True)
            self._cursor.execute(
                f"select count(*) from {rows_of('owed', 'key', 'step', 'channel')}"
                " join oncall.deliveries using (key, step, channel)",
                {"owed": columns(key=keys, step=steps, channel=channels)},
            )
            self._kept_all("oncall.deliveries", len(names))


def read_file(cursor: Cursor, key: str) -> IncidentFile | None:
    cursor.execute(
        f"select {COLUMNS}{_TOLD} from oncall.incidents i where key = %(key)s or leader = %(key)s",
        {"key": key},
    )
    found = [(incident_of(row), entries) for *row, entries in cursor.fetchall()]
    mine = next(((one, entries) for one, entries in found if one.key == key), None)
    if mine is None:
        return None
    followers = tuple(one for one, _ in found if one.leader == key)
    return IncidentFile(mine[0], followers, tuple(map(entry_of, mine[1] or ())))
