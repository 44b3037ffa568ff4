"""What the store remembers of the watching itself: since when, since when without a gap, of which promises, by whom."""

from __future__ import annotations

import datetime as dt
import json
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from oncall.config import oncall_config
from oncall.config.oncall_config import OncallConfig
from oncall.core.incidents.incident import Incident
from oncall.core.promises.evaluation import PromiseStatus
from oncall.core.promises.promise import Pipeline, due_at, last_due
from oncall.usecases.notes import ByHost, by_host, dumped, instant, mapping, noted, stretch
from oncall.usecases.ports import EvaluationInputs, ReportKey, Store, WarehouseReader
from oncall.usecases.promise_statuses import LOOKING, NOTHING, read_or

SINCE = "watching_since"  # the name under which the store keeps since when somebody watches
PROMISED = "promised_since"  # … and since when each report is promised ("": as long as anybody watches)
HOSTS = "promises_by_host"  # … and which promises each host goes by, and when it looked last
HOST = platform.node()
# Who looks at all looks within this: `sla_watch` alone does every five minutes.
WATCHED_WITHIN = dt.timedelta(minutes=7)
NOTED_AGAIN = dt.timedelta(minutes=1)  # how often it is noted that somebody looks still
LOOK_BACK = dt.timedelta(hours=6)  # what fell due before anybody here remembers watching
A_LONG_GAP = dt.timedelta(hours=12)  # two due instants of a promise do not lie within it
PAST_DAYS = 7  # a report that was published on one of these days has been watched before


@dataclass(frozen=True)
class WatchRecord:
    """`since`: when the first look ever was; `looking_since`: when the first one was after the last gap; `looked_at`:
    when the last one was before this.

    `promised_since`: by report, for those that came later than the first look. `settled`: every host that looks goes by
    the same promises.
    """

    since: dt.datetime
    looking_since: dt.datetime
    looked_at: dt.datetime
    promised_since: Mapping[str, str]
    settled: bool

    def judges(self, status: PromiseStatus, known: Sequence[Incident]) -> bool:
        """Whether it is this look's to decide on, with the incidents there have been of it.

        A pipeline that is new at ten was not late at five. And in a release two hosts look with two configurations:
        what one of them ended, as no promise or not due yet, the other would open anew, and page, at every look.
        """
        since = self.promised_since.get(status.pipeline.report)
        if since and not known and not status.drill and status.due and status.due < instant(since):
            return False
        return self.settled or not any(_is_moved(status, incident) for incident in known)


def watch_record(
    config: OncallConfig, world: WarehouseReader, store: Store, before: EvaluationInputs, at: dt.datetime
) -> WatchRecord:
    """Read it from the notes, and note what this look adds."""
    return WatchRecord(
        _watching_since(config, world, store, before, at),
        *_looking_since(store, before, at),
        _promised_since(config, store, before, at),
        _is_settled(config, store, before, at),
    )


def _is_moved(status: PromiseStatus, incident: Incident) -> bool:
    """Whether somebody was paged for it and it is not late by this configuration."""
    moved = incident.open and incident.paged and incident.due != status.due
    return moved and not status.overdue and not status.done


def _watching_since(
    config: OncallConfig, world: WarehouseReader, store: Store, before: EvaluationInputs, at: dt.datetime
) -> dt.datetime:
    """Since when somebody watches: noted at the first look ever.

    A store that knows nothing may be new, or may have lost what it knew. Where reports were published before it is the
    latter, and what fell due in the last hours is told anew.
    """
    since = noted(SINCE, before.notes.get(SINCE), instant, None)
    if since is not None and since <= at:
        return since
    past, blind = read_or("warehouse", lambda: world.read(_past_days(config, at)), NOTHING)
    if blind:
        return at - LOOK_BACK  # and asked again at the next look
    since = at - LOOK_BACK if any(facts.publication for facts in past.values()) else at
    store.set_note(SINCE, since.isoformat())
    return since


def _looking_since(
    store: Store, before: EvaluationInputs, at: dt.datetime
) -> tuple[dt.datetime, dt.datetime]:
    """Since when somebody has looked without a gap, and when the last look was. Noted once a minute."""
    since, last = noted(LOOKING, before.notes.get(LOOKING), stretch, (at, at - WATCHED_WITHIN))
    since = min(since, at) if abs(at - last) < WATCHED_WITHIN else at
    if abs(at - last) >= NOTED_AGAIN:
        store.set_note(LOOKING, f"{since.isoformat()} {at.isoformat()}")
    return since, min(last, at)


def _promised_since(
    config: OncallConfig, store: Store, before: EvaluationInputs, at: dt.datetime
) -> Mapping[str, str]:
    """Since when each report is promised: of those that came later than the first look ever. What is not promised any
    more stays noted, since another host may still promise it."""
    none: Mapping[str, str] = {}
    known = noted(PROMISED, before.notes.get(PROMISED), _instants, none)
    reports = {pipeline.report for pipeline in config.pipelines.values() if pipeline.promise}
    if new := reports - known.keys():
        known = {**known, **dict.fromkeys(sorted(new), at.isoformat() if known else "")}
        store.set_note(PROMISED, json.dumps(known))
    return known


@lru_cache(maxsize=2)  # every look asks again, and it changes with the configuration
def _instants(text: str) -> Mapping[str, str]:
    return {name: value and instant(value).isoformat() for name, value in mapping(text).items()}


def who_looks() -> str:
    """This host, and where it reads its files: in a release the processes of one host may go by two folders."""
    return f"{HOST} {oncall_config.include_dir()}"


def _is_settled(config: OncallConfig, store: Store, before: EvaluationInputs, at: dt.datetime) -> bool:
    """Whether each other host that has looked lately went by the same promises."""
    lately = seen_lately(HOSTS, before.notes.get(HOSTS), at)
    mine, here = config.promises_digest, who_looks()
    digest, last = lately.pop(here, ("", at))
    if digest != mine or abs(at - last) >= NOTED_AGAIN:
        store.set_note(HOSTS, dumped({**lately, here: (mine, at)}))
    return all(digest == mine for digest, _ in lately.values())


def seen_lately(name: str, text: str | None, at: dt.datetime) -> dict[str, tuple[str, dt.datetime]]:
    """Of a note by host, what was said by those that look still."""
    nobody: ByHost = {}
    hosts = noted(name, text, by_host, nobody)
    return {host: said for host, said in hosts.items() if abs(at - said[1]) < WATCHED_WITHIN}


def fell_due_unseen(config: OncallConfig, since: dt.datetime, at: dt.datetime) -> Iterator[ReportKey]:
    """What fell due while nobody looked, but for the last of each promise, which every look judges."""
    for promise, tz, pipelines in config.promised if at - since >= A_LONG_GAP else ():
        date = last_due(promise, at, tz)
        for _ in range(PAST_DAYS):
            date = last_due(promise, due_at(promise, date, tz) - dt.timedelta(seconds=1), tz)
            if due_at(promise, date, tz) <= since:
                break
            yield from ((pipeline.dag_id, date) for pipeline in pipelines)


def _past_days(config: OncallConfig, at: dt.datetime) -> list[tuple[Pipeline, dt.date]]:
    last = {
        pipeline.dag_id: last_due(pipeline.promise, at, config.roster_of(pipeline.dag_id).tz)
        for pipeline in config.pipelines.values()
        if pipeline.promise
    }
    return [
        (config.pipelines[dag_id], date - dt.timedelta(days=days))
        for dag_id, date in last.items()
        for days in range(1, PAST_DAYS + 1)
    ]
