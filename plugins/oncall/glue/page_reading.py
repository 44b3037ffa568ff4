"""One bounded reading of everything that the On-call page shows. Decides nothing; what cannot be read is said."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NoReturn, TypeVar

from oncall.channel_health import HEARING, UNCHECKED
from oncall.config import Setup
from oncall.core.errors import Unreadable
from oncall.core.facts import Usual
from oncall.core.wording import span
from oncall.current_config import current_setup
from oncall.glue.wiring import TICK, Wiring
from oncall.heartbeat import HEARTBEATS, refused
from oncall.notes import instant, noted, state
from oncall.paging import candidates, see
from oncall.past import Published, Record
from oncall.ports import Ran, Remembered, Runs, Which
from oncall.timekeeping import ODD_CLOCKS, noted_clocks
from oncall.web.source import Seen, Trouble

T = TypeVar("T")

HISTORY = dt.timedelta(days=91)
RESTATED = dt.timedelta(days=28)
MOST_INCIDENTS = 200  # of a team, on average
CHANNELS = {name: f"channel:{name}" for name in ("pager", "chat")}  # what is noted of each, "" when it works
NOTES = (TICK, HEARTBEATS, HEARING, UNCHECKED, ODD_CLOCKS, *CHANNELS.values())


class Reading:
    """Reads again and again, one thread at a time; connections stay open, and what is over is remembered."""

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = mine = wiring.of_one_thread()
        self._store, self._history, self._runs = mine.store(), mine.history(), mine.task_log()
        self._world, self._publications = mine.world(), mine.publications()

    def renew(self, wiring: Wiring) -> None:
        """From now on connect as this wiring does."""
        self._wiring.renew(wiring)

    def read(self, at: dt.datetime) -> Seen:
        """Read everything once. A database that cannot be read is asked once, and named in `unreadable`."""
        setup, problems = current_setup(self._store)
        store = _Asked()
        before = store.ask(lambda: self._store.remembered(at, NOTES), Remembered({}, (), ()))
        most = MOST_INCIDENTS * (1 + len(setup.teams))
        records: Sequence[Record] = store.ask(lambda: self._history.records(at - HISTORY, most), ())
        incidents = [record.incident for record in records]
        missing = [(one.dag_id, one.report_date) for one in incidents if one.open and not one.drill]
        wanted = candidates(setup, at, before.drills, missing)
        runs: Runs = _Mute(store.reason) if store.reason else self._runs
        judged = see(setup, self._world, runs, wanted, at)
        blind = next((one.facts.unreadable[0] for one in judged if one.facts.blind), "")
        warehouse = _Asked(blind)
        published: Mapping[str, Published] = warehouse.ask(lambda: self._published(setup, at), {})
        tick = before.notes.get(TICK)
        return Seen(
            at=at,
            setup=setup,
            problems=problems,
            judged=tuple(judged),
            records=tuple(records),
            published=published,
            restated=tuple(warehouse.ask(lambda: self._publications.restated(at - RESTATED), ())),
            tick=noted(TICK, tick, instant, None),
            channels=tuple(
                _trouble(name, said) for name, note in CHANNELS.items() if (said := before.notes.get(note))
            ),
            heartbeats=_heartbeats(setup, before.notes.get(HEARTBEATS, "")),
            warnings=tuple(_warnings(before.notes)),
            unreadable=tuple(reason for reason in (store.reason, warehouse.reason) if reason),
            alert_url=self._wiring.pager.alert_url,
            thread_url=self._wiring.chat.thread_url,
        )

    def _published(self, setup: Setup, at: dt.datetime) -> Mapping[str, Published]:
        reports = [pipeline.report for pipeline in setup.pipelines.values() if pipeline.promise]
        return self._publications.published(reports, at.astimezone(setup.roster.tz).date() - HISTORY)


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


def _heartbeats(setup: Setup, noted: str) -> tuple[Trouble, ...]:
    """Those of this configuration that were refused when they were pinged last."""
    return tuple(
        Trouble(name, since, reason)
        for name, (since, reason) in refused(noted).items()
        if name in setup.heartbeats
    )


def _warnings(notes: Mapping[str, str]) -> Iterator[Trouble]:
    """What else the watcher noted: JSON as its writers keep it, "" or nothing when all is well."""
    if unheard := notes.get(HEARING):
        yield _trouble("acknowledgements", unheard)
    if unchecked := notes.get(UNCHECKED):
        yield Trouble("history", None, unchecked)
    for name, ahead_s in noted_clocks(notes.get(ODD_CLOCKS)).items():
        where = "ahead of" if ahead_s > 0 else "behind"
        yield Trouble(name, None, f"It is {span(abs(ahead_s))} {where} the others.")


def _trouble(channel: str, text: str) -> Trouble:
    """What the watcher noted: JSON with `since` (ISO) and `reason`."""
    said: dict[str, Any] = noted(channel, text, state, {"since": None, "reason": text})
    since = said["since"]
    return Trouble(channel, dt.datetime.fromisoformat(since) if since else None, said["reason"])
