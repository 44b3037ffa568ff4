"""One bounded reading of everything that the On-call page shows. Decides nothing; what cannot be read is said."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from oncall.airflow.composition import Wiring
from oncall.config.oncall_config import OncallConfig
from oncall.core.errors import Unreadable
from oncall.core.notices.page_words import clocks_apart, rows_spoilt
from oncall.usecases.changed_connections import WRONG, noted_connections
from oncall.usecases.channel_health import DAG_FILES, DAG_IDS, HEARING, UNCHECKED, refusals_of
from oncall.usecases.current_config import config_in_force
from oncall.usecases.heartbeat import HEARTBEATS, refused
from oncall.usecases.history import IncidentRecord, Published
from oncall.usecases.mutual_watch import SLA_WATCH_LOOKED, SLA_WATCH_MISSED_AFTER
from oncall.usecases.notes import TICK, instant, noted, state
from oncall.usecases.ports import EvaluationInputs, TaskRunReader
from oncall.usecases.promise_statuses import (
    BLIND,
    LOOKING,
    PUBLISHED,
    Known,
    NoAnswer,
    PromiseReader,
    candidates,
)
from oncall.usecases.timekeeping import ODD_CLOCKS, noted_clocks
from oncall.web.snapshot import SLA_WATCH, PageSnapshot, Trouble

T = TypeVar("T")

HISTORY = dt.timedelta(days=91)
RESTATED = dt.timedelta(days=28)
MOST_INCIDENTS = 200  # of a team, on average
WARNED = (HEARING, UNCHECKED, ODD_CLOCKS, WRONG, SLA_WATCH_LOOKED, DAG_FILES, DAG_IDS)
NOTES = (PUBLISHED, BLIND, LOOKING, TICK, HEARTBEATS, *WARNED)


class PageReading:
    """Reads again and again, one thread at a time; connections stay open, and what is over is remembered."""

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = mine = wiring.of_one_thread()
        self._store, self._history, self._runs = mine.store(), mine.history(), mine.task_log()
        self._world, self._publications = mine.world(), mine.publications()

    def renew(self, wiring: Wiring) -> None:
        """From now on connect as this wiring does."""
        self._wiring.renew(wiring)

    def read(self, at: dt.datetime) -> PageSnapshot:
        """Read everything once. A database that cannot be read is asked once, and named in `unreadable`."""
        config, problems = config_in_force(self._store)
        store = _Asked()
        channels = _channels(config)
        names = (*NOTES, *channels)
        before = store.ask(lambda: self._store.evaluation_inputs(at, names), EvaluationInputs({}, (), ()))
        most = MOST_INCIDENTS * (1 + len(config.teams))
        records: Sequence[IncidentRecord] = store.ask(lambda: self._history.records(at - HISTORY, most), ())
        spoilt = store.ask(self._history.spoilt, 0)
        incidents = [record.incident for record in records]
        missing = [(one.dag_id, one.report_date) for one in incidents if one.open and not one.drill]
        wanted = candidates(config, at, before.drills, missing)
        runs: TaskRunReader = NoAnswer(store.reason) if store.reason else self._runs
        statuses = PromiseReader(config, self._world, runs, at, Known.of(before)).statuses(wanted)
        blind = next((one.facts.unreadable[0] for one in statuses if one.facts.blind), "")
        warehouse = _Asked(blind)
        published: Mapping[str, Published] = warehouse.ask(lambda: self._published(config, at), {})
        tick = before.notes.get(TICK)
        return PageSnapshot(
            at=at,
            config=config,
            problems=problems,
            statuses=tuple(statuses),
            records=tuple(records),
            published=published,
            restated=tuple(warehouse.ask(lambda: self._publications.restated(at - RESTATED), ())),
            tick=noted(TICK, tick, instant, None),
            channels=tuple(
                _trouble(name, said) for note, name in channels.items() if (said := before.notes.get(note))
            ),
            heartbeats=_heartbeats(config, before.notes.get(HEARTBEATS)),
            warnings=tuple(_warnings(before.notes, spoilt, at)),
            unreadable=tuple(reason for reason in (store.reason, warehouse.reason) if reason),
            alert_url=self._wiring.pager.alert_url,
            thread_url=self._wiring.chat.thread_url,
        )

    def _published(self, config: OncallConfig, at: dt.datetime) -> Mapping[str, Published]:
        reports = [pipeline.report for pipeline in config.pipelines.values() if pipeline.promise]
        return self._publications.published(reports, at.astimezone(config.roster.tz).date() - HISTORY)


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


def _channels(config: OncallConfig) -> Mapping[str, str]:
    """Under which names it is noted that a channel does not work ("" when it does), and which of the two it is."""
    return {"channel:pager": "pager", "channel:chat": "chat"} | {
        refusals_of(r): "chat" for r in config.rosters
    }


def _heartbeats(config: OncallConfig, text: str | None) -> tuple[Trouble, ...]:
    """Those of this configuration that were refused when they were pinged last."""
    return tuple(
        Trouble(name, since, reason)
        for name, (since, reason) in refused(text).items()
        if name in config.heartbeats
    )


def _warnings(notes: Mapping[str, str], spoilt: int, at: dt.datetime) -> Iterator[Trouble]:
    """What else the watcher noted: JSON as its writers keep it, "" or nothing when all is well; and what it must pass
    over: rows of incidents that are none."""
    if unheard := notes.get(HEARING):
        yield _trouble("acknowledgements", unheard)
    if unchecked := notes.get(UNCHECKED):
        yield Trouble("history", None, unchecked)
    for name, reason in noted_connections(notes.get(WRONG)).items():
        yield Trouble(f"connection {name}", None, reason)
    for name, ahead_s in noted_clocks(notes.get(ODD_CLOCKS), at).items():
        yield Trouble(name, None, clocks_apart(ahead_s))
    looked = noted(SLA_WATCH_LOOKED, notes.get(SLA_WATCH_LOOKED), instant, None)
    if looked and at - looked > SLA_WATCH_MISSED_AFTER:
        yield Trouble(SLA_WATCH, looked, "")
    for name in (DAG_FILES, DAG_IDS):
        files: dict[str, Any] = noted(name, notes.get(name), state, {"said": False})
        if files["said"]:
            yield _trouble(name, notes[name])
    if spoilt:
        yield Trouble("incidents", None, rows_spoilt(spoilt))


def _trouble(channel: str, text: str) -> Trouble:
    """What the watcher noted: JSON with `since` (ISO) and `reason`."""
    said: dict[str, Any] = noted(channel, text, state, {"since": None, "reason": text})
    since = said["since"]
    return Trouble(channel, dt.datetime.fromisoformat(since) if since else None, said["reason"])
