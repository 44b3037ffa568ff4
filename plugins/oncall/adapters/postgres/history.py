"""The past, read from `oncall_db` and the warehouse for people to look at. Reads only; decides nothing."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence

from oncall.adapters.postgres.database import Connect, Cursor
from oncall.adapters.postgres.incident_rows import COLUMNS, incident_of
from oncall.adapters.postgres.lasting_connections import LastingConnection
from oncall.adapters.postgres.outbox_rows import ACCOUNT
from oncall.adapters.postgres.publication_rows import LATEST, TYPES, first_published
from oncall.adapters.postgres.sql_values import SANE_DAY
from oncall.core.data.restatement import Restatement
from oncall.core.incidents.incident import OTHERS, Event
from oncall.usecases.history import DeliveryRecord, IncidentRecord, Published, SystemHealth
from oncall.usecases.notes import TICK, instant, noted

OVER_AFTER = dt.timedelta(days=1)  # after its end an incident is told of no more
_PULSE = """
    select (select left(value, 40) from oncall.memory where name = 'tick'),
           (select left(value, 40) from oncall.memory where name = 'configuration_broken'),
           count(*), min(owed_at)
    from oncall.deliveries where state in ('owed', 'accepted')"""
# Of this type and length whatever somebody has made of the row: one that is odd must not take the page from all.
_TOLD = f"""key, coalesce(left(channel, 40), ''), coalesce(left(step, 1000), ''), coalesce(left(op, 40), ''),
    coalesce(left(message->>'title', 500), ''),
    array(select left(r->>'name', 250) from jsonb_array_elements(
        case when jsonb_typeof(message->'recipients') = 'array' then message->'recipients' else '[]' end) r
        where r->>'name' is not null limit 50),
    coalesce(left(state, 40), ''), coalesce(attempts, 0), coalesce(owed_at, '1970-01-01'), done_at,
    coalesce(left(alias, 512), ''), coalesce(left(channel_id, 250), ''), coalesce(left(ts, 250), ''),
    coalesce(left(error, 500), ''), coalesce(maybe_taken, false), coalesce(left(unreached, 500), ''),
    left({ACCOUNT}, 250)"""

_RESTATED = f"""
    select left(report, 250), report_date, coalesce(left(column_name, 250), ''), left(old_value, 100),
           left(new_value, 100), coalesce(left(reason, 1000), ''), coalesce(left(run_id, 250), ''), restated_at,
           coalesce(left(row_key, 250), ''), left(currency, 20)
    from investor.restatements
    where restated_at between %s and '2200-01-01' and {SANE_DAY} and report is not null
    order by restated_at desc limit 1000"""


# Without one of these it is no incident.
_WHOLE = "key <> '' and dag_id is not null and report_date is not null and opened_at is not null"


class History:
    """What became of incidents. Not for use by two threads at once.

    Remembers the incidents that are over: they do not change any more.
    """

    def __init__(self, connect: Connect) -> None:
        self._db = LastingConnection(connect, "oncall_db")
        # with the version of the incident's row that it was made of
        self._over: dict[str, tuple[str, IncidentRecord]] = {}

    def records(self, since: dt.datetime, limit: int) -> Sequence[IncidentRecord]:
        """Every open incident, and those opened since, newest first; of the open ones those that others are told with,
        then those others, then drills.

        Asks only for what has changed since last time.
        """
        with self._db.cursor() as cursor:
            cursor.execute(
                "select key, xmin::text, resolved_at < now() - %s from oncall.incidents"
                " where resolved_at is null or opened_at >= %s"
                " order by resolved_at is not null, resolved_at is null and coalesce(drill, '') <> '',"
                " resolved_at is null and coalesce(leader, '') <> '',"
                " opened_at desc, key limit %s",
                (OVER_AFTER, since, limit),
            )
            rows = cursor.fetchall()
            known = {
                key: kept[1]
                for key, version, _ in rows
                if (kept := self._over.get(key)) and kept[0] == version
            }
            known |= _records(cursor, [key for key, _, _ in rows if key not in known])
        self._over = {
            key: (version, known[key]) for key, version, is_over in rows if is_over and key in known
        }
        return [known[key] for key, _, _ in rows if key in known]

    def record(self, key: str) -> IncidentRecord | None:
        """The incident of this key with all that happened to it; None for what is no incident."""
        with self._db.cursor() as cursor:
            return _records(cursor, [key]).get(key)

    def spoilt(self) -> int:
        """How many rows of open incidents are none, for they do not tell of what."""
        asked = f"select count(*) from oncall.incidents where resolved_at is null and ({_WHOLE}) is not true"
        return int(self._db.ask(asked)[0][0])

    def system_health(self) -> SystemHealth:
        """Whether the watcher looks, and what is owed; in one query."""
        ((tick, broken, owed, owed_since),) = self._db.ask(_PULSE)
        looked = noted(TICK, tick, instant, None)
        # Nobody notes that good files are good: once the watcher has looked, what it does not say is in order.
        return SystemHealth(looked, not broken if looked else None, owed, owed_since)


class PublicationHistory:
    """When reports were published. Not for use by two threads at once."""

    def __init__(self, connect: Connect) -> None:
        self._db = LastingConnection(connect, "warehouse")

    def published(self, reports: Sequence[str], since: dt.date) -> Mapping[str, Published]:
        """Of each report the days since then that were published, and when first."""
        with self._db.cursor() as cursor:
            ((types,),) = cursor.execute(f"select {TYPES}").fetchall()
            return first_published(cursor, types, reports, since, LATEST.date())

    def restated(self, since: dt.datetime) -> Sequence[Restatement]:
        """The published numbers that were changed since, the newest first, 1,000 at most."""
        with self._db.cursor() as cursor:
            cursor.execute("select to_regclass('investor.restatements') is not null")
            if cursor.fetchone() != (True,):  # a warehouse that no run has brought up yet
                return ()
            cursor.execute(_RESTATED, (since,))
            return [Restatement(*row) for row in cursor.fetchall()]


def _records(cursor: Cursor, keys: Sequence[str]) -> dict[str, IncidentRecord]:
    if not keys:
        return {}
    keys = list(keys)
    cursor.execute(f"select {COLUMNS} from oncall.incidents where key = any(%s) and {_WHOLE}", (keys,))
    incidents = [incident_of(row) for row in cursor.fetchall()]
    events: dict[str, list[Event]] = {key: [] for key in keys}
    told: dict[str, list[DeliveryRecord]] = {key: [] for key in keys}
    cursor.execute(
        "select key, at, coalesce(left(what, 2000), '') from oncall.events where key = any(%s) and at is not null"
        " order by at, id",
        (keys,),
    )
    for row in cursor.fetchall():
        events[row[0]].append(Event(*row))
    others: dict[str, list[DeliveryRecord]] = {key: [] for key in keys}
    cursor.execute(
        f"select {_TOLD} from oncall.deliveries where split_part(key, '{OTHERS}', 1) = any(%s) order by id",
        (keys,),
    )
    for key, channel, step, op, title, people, *rest, account in cursor.fetchall():
        incident_key, _, room = key.partition(OTHERS)
        fields = (channel, step, op, title, tuple(people), *rest, room, account)
        (others if room else told)[incident_key].append(DeliveryRecord(*fields))
    return {
        incident.key: IncidentRecord(
            incident, tuple(events[incident.key]), tuple(told[incident.key]), tuple(others[incident.key])
        )
        for incident in incidents
    }
