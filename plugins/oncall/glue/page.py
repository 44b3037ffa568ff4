"""What stands behind the On-call page in the api-server: one bounded reading of everything, shared for a moment."""

from __future__ import annotations

import datetime as dt
import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NoReturn, TypeVar

from oncall.core.errors import Unreadable
from oncall.core.facts import Usual
from oncall.glue.pulse import SharedPulse
from oncall.glue.wiring import TICK, Outside, Wiring, now_utc, send_once
from oncall.paging import candidates, see
from oncall.paging_by_hand import Outcome, acknowledged_by_hand, page_now, resolved_by_hand
from oncall.past import Feeds, Published, Pulse, Record
from oncall.ports import Ran, Remembered, Runs, Which
from oncall.web.source import Seen, Trouble

T = TypeVar("T")

SHARED_S = 2.0  # readers within this time are shown the same
SHARED_IN_TROUBLE_S = 10.0  # a database that does not answer takes seconds to say so: not asked again at once
WIRING_S = 60.0  # how long Airflow's connections are taken to be what they were
HISTORY = dt.timedelta(days=91)
MOST_INCIDENTS = 200
CHANNELS = {name: f"channel:{name}" for name in ("pager", "chat")}  # what is noted of each, "" when it works
NOTES = (TICK, *CHANNELS.values())
PATIENCE_S = 5.0  # how long a person waits for both channels; the watcher sends what is not sent by then


class Behind:
    """Implements `Source` on Airflow's connections. Many threads may read at once; one of them does the work."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._wiring: tuple[Wiring, float] | None = None
        self._seen: tuple[Seen, float] | None = None
        self._pulse = SharedPulse()

    def read(self) -> Seen:
        with self._lock:
            if self._seen is not None and time.monotonic() < self._seen[1]:
                return self._seen[0]
            seen = read(self._wired(), now_utc())
            stays = SHARED_IN_TROUBLE_S if seen.unreadable else SHARED_S
            self._seen = (seen, time.monotonic() + stays)
            return seen

    def acknowledge(self, key: str, by: str) -> Outcome:
        return self._act(lambda o, at: acknowledged_by_hand(o.setup, o.store, o.links, key, by, at))

    def resolve(self, key: str, by: str, note: str) -> Outcome:
        return self._act(lambda o, at: resolved_by_hand(o.setup, o.store, o.links, key, by, note, at))

    def page(self, key: str, by: str) -> Outcome:
        return self._act(lambda o, at: page_now(o.setup, o.store, o.links, key, by, at))

    def feeds(self) -> Feeds:
        with self._lock:
            return self._wired().feeds()

    def pulse(self) -> Pulse:
        return self._pulse.read()

    def _act(self, act: Callable[[Outside, dt.datetime], Outcome]) -> Outcome:
        with self._lock:
            wiring = self._wired()
        outside = wiring.outside()
        try:
            outcome = act(outside, now_utc())
        except Unreadable as error:
            return Outcome(
                False, f"Nothing was done: {error}. Acknowledge or close the alert in Opsgenie instead."
            )
        if outcome.done:
            send_once(wiring, outside.setup, PATIENCE_S)
        with self._lock:
            self._seen = None
        return outcome

    def _wired(self) -> Wiring:
        if self._wiring is None or time.monotonic() > self._wiring[1]:
            before = self._wiring[0] if self._wiring else None
            self._wiring = (Wiring(before), time.monotonic() + WIRING_S)
        return self._wiring[0]


def read(wiring: Wiring, at: dt.datetime) -> Seen:
    """Read everything once. A database that cannot be read is asked once, and named in `unreadable`."""
    outside = wiring.outside()
    store = _Asked()
    before = store.ask(lambda: outside.store.remembered(at, NOTES), Remembered({}, (), ()))
    records: Sequence[Record] = store.ask(lambda: wiring.history().records(at - HISTORY, MOST_INCIDENTS), ())
    incidents = [record.incident for record in records]
    missing = [(one.dag_id, one.report_date) for one in incidents if one.open and not one.drill]
    wanted = candidates(outside.setup, at, before.drills, missing)
    runs: Runs = _Mute(store.reason) if store.reason else outside.runs
    judged = see(outside.setup, outside.world, runs, wanted, at)
    blind = next((one.facts.unreadable[0] for one in judged if one.facts.blind), "")
    warehouse = _Asked(blind)
    published: Mapping[str, Published] = warehouse.ask(lambda: _published(wiring, outside, at), {})
    tick = before.notes.get(TICK)
    return Seen(
        at=at,
        setup=outside.setup,
        problems=outside.problems,
        judged=tuple(judged),
        records=tuple(records),
        published=published,
        tick=dt.datetime.fromisoformat(tick) if tick else None,
        channels=tuple(
            _trouble(name, said) for name, note in CHANNELS.items() if (said := before.notes.get(note))
        ),
        unreadable=tuple(reason for reason in (store.reason, warehouse.reason) if reason),
        alert_url=outside.pager.alert_url,
        thread_url=outside.chat.thread_url,
    )


class _Asked:
    """A database that is asked no more once it has failed: each failure costs seconds."""

    def __init__(self, reason: str = "") -> None:
        self.reason = reason

    def ask(self, question: Callable[[], T], otherwise: T) -> T:
        if self.reason:
            return otherwise
        try:
            return question()
        except Unreadable as error:
            self.reason = str(error)
            return otherwise


class _Mute:
    """`Runs` of a database that is known to be down."""

    def __init__(self, reason: str) -> None:
        self._reason = reason

    def _refuse(self) -> NoReturn:
        raise Unreadable(self._reason)

    def read(self, wanted: Sequence[Which], failed_since: dt.datetime) -> Ran:
        self._refuse()

    def usual(self, since: dt.date) -> Mapping[str, Usual]:
        self._refuse()


def _published(wiring: Wiring, outside: Outside, at: dt.datetime) -> Mapping[str, Published]:
    reports = [pipeline.report for pipeline in outside.setup.pipelines.values() if pipeline.promise]
    since = at.astimezone(outside.setup.roster.tz).date() - HISTORY
    return wiring.publications().published(reports, since)


def _trouble(channel: str, noted: str) -> Trouble:
    """What the watcher noted: JSON with `since` (ISO) and `reason`."""
    said = json.loads(noted)
    since = said.get("since")
    return Trouble(channel, dt.datetime.fromisoformat(since) if since else None, str(said.get("reason", "")))
