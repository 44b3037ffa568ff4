"""The use case: read the world, judge the promises, decide what each incident needs, write it down.

`evaluate` decides and records; `outbox` sends what is owed; `acknowledge` learns who has acknowledged. They may
run in any process, any number of times, at once: the store makes every step reach every channel once.
"""

from __future__ import annotations

import datetime as dt
import gc
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain

import structlog

from oncall.config.oncall_config import OncallConfig
from oncall.core.errors import trace
from oncall.core.incidents.context import IncidentContext
from oncall.core.incidents.decide import as_last_known, by_promise, decide
from oncall.core.incidents.incident import Incident, Plan, Said
from oncall.core.incidents.plan import next_instant
from oncall.core.incidents.resolve import removed
from oncall.core.incidents.wording import Links, Scene
from oncall.core.notices.channel_notices import undecided
from oncall.core.promises.evaluation import PromiseStatus
from oncall.core.promises.promise import PromiseKey, due_at, last_due, warn_at
from oncall.usecases.few_rows import FEW_ROWS, say_few_rows
from oncall.usecases.ports import EvaluationInputs, Store, TaskRunReader, WarehouseReader
from oncall.usecases.promise_statuses import (
    BLIND,
    LOOKING,
    PUBLISHED,
    Known,
    PromiseReader,
    candidates,
    publications_text,
)
from oncall.usecases.watch_record import HOSTS, PROMISED, SINCE, WatchRecord, fell_due_unseen, watch_record

log = structlog.get_logger(__name__)

NOTES = (SINCE, PROMISED, HOSTS, PUBLISHED, BLIND, LOOKING, FEW_ROWS)
CLOCKS_AGREE = dt.timedelta(seconds=4)  # … so far, between two hosts


@dataclass(frozen=True)
class Evaluation:
    """What one look saw. `next_at`: the instant the next look must not miss."""

    statuses: tuple[PromiseStatus, ...]
    cases: tuple[IncidentContext, ...]
    next_at: dt.datetime | None
    at: dt.datetime

    @cached_property
    def by_promise(self) -> Mapping[PromiseKey, PromiseStatus]:
        return {one.promise_key: one for one in self.statuses}


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without Python's search for garbage: all that a look makes lives to its end, and to go through it costs more than
    to make it (10,000 promises: 0.8 s of 1.8)."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


@_uncollected()
def evaluate(
    config: OncallConfig,
    world: WarehouseReader,
    runs: TaskRunReader,
    store: Store,
    links: Links,
    at: dt.datetime,
) -> Evaluation:
    """Read, judge, decide, record. Raises Unreadable only when the store itself cannot be reached.

    Looks are made side by side, and one that began earlier may come to decide later: on what it read before, as of an
    instant before. Once a later look has decided, it decides nothing any more.
    """
    began = time.monotonic()
    before = store.evaluation_inputs(at, NOTES)
    watch = watch_record(config, world, store, before, at)
    unsettled = [*before.open, *fell_due_unseen(config, watch.looked_at, at)]
    wanted = candidates(config, at, before.drills, unsettled)
    known = replace(Known.of(before, at), looking_since=watch.looking_since)
    statuses = PromiseReader(config, world, runs, at, known).statuses(wanted, stale=True)
    _remember_seen(store, before, known, statuses, at)
    with store.decision_lock() as decision:
        now = at + dt.timedelta(seconds=time.monotonic() - began)
        told = decision.told([(status.pipeline.dag_id, status.report_date) for status in statuses])
        statuses = as_last_known(statuses, [incident for incident, _ in told])
        decided = _decide(config, statuses, told, links, at, watch)
        plan = Plan() if overtaken((incident for incident, _ in told), at, now) else decided.plan
        decision.record(plan, at)
    for event in plan.events:
        log.info("oncall.event", incident=event.key, what=event.what)
    try:
        say_few_rows(store, config, links, statuses, at)
    except Exception as error:  # noqa: BLE001 - what was decided is recorded: no notice of numbers may stop its pages
        log.error("oncall.few_rows_not_said", traceback=trace(error))
    # not as a set: to hash an instant costs ten times as much as to compare it
    known_ahead = (i for one in statuses for i in (one.warn, one.last_chance, one.due) if i)
    next_at = min((i for i in chain(known_ahead, decided.instants) if i > at), default=None)
    return Evaluation(tuple(statuses), decided.cases, next_at, at)


@dataclass(frozen=True)
class Decided:
    """What one look decided for all teams. `instants`: when its cases need the next look."""

    plan: Plan
    cases: tuple[IncidentContext, ...]
    instants: tuple[dt.datetime, ...]


def _decide(
    config: OncallConfig,
    statuses: Sequence[PromiseStatus],
    told: Sequence[tuple[Incident, Said]],
    links: Links,
    at: dt.datetime,
    watch: WatchRecord,
) -> Decided:
    """Decide for each team by its own roster: a cause that two teams share is said to each."""
    known = {incident.key: incident for incident, _ in told}
    said = dict(zip(known, (entries for _, entries in told), strict=True))
    named = {incident.key: _under_its_name(config, incident) for incident in known.values()}
    earlier = by_promise(list(named.values()))
    of_team: defaultdict[str, list[PromiseStatus]] = defaultdict(list)
    for one in statuses:
        if watch.judges(one, earlier.get(one.promise_key, ())):
            of_team[one.pipeline.team].append(one)
    plans = [Plan(tuple(incident for incident in named.values() if incident != known[incident.key]))]
    cases: list[IncidentContext] = []
    instants: list[dt.datetime] = []
    for team, mine in of_team.items():
        scene = Scene(config.teams.get(team, config.roster), links, at)
        plan, open_cases = _contained(mine, earlier, said, scene, watch.since)
        plans.append(plan)
        cases += open_cases
        instants += [instant for case in open_cases if (instant := next_instant(case, scene))]
    nowhere = Scene(config.roster, links, at)
    plans += [
        removed(incident, entries, nowhere, said.get(incident.leader, ()))
        for incident, entries in told
        if watch.settled and _is_orphan(config, named[incident.key])
    ]
    whole = Plan.of(plans)
    news = tuple(
        replace(incident, seen_at=at) for incident in whole.incidents if known.get(incident.key) != incident
    )
    return Decided(replace(whole, incidents=news), tuple(cases), tuple(instants))


def overtaken(incidents: Iterable[Incident], at: dt.datetime, now: dt.datetime) -> bool:
    """Whether a look as of a later instant than `at` has decided something by `now`.

    What was written by a clock that is ahead lies after `now`: no such clock keeps a look from deciding.
    """
    return any(one.seen_at and at < one.seen_at <= now + CLOCKS_AGREE for one in incidents)


def _contained(
    mine: Sequence[PromiseStatus],
    earlier: Mapping[PromiseKey, Sequence[Incident]],
    said: Mapping[str, Said],
    scene: Scene,
    since: dt.datetime,
) -> tuple[Plan, tuple[IncidentContext, ...]]:
    """What a team's promises need. One that the rules fail on stops no other, and somebody is told of it."""
    try:
        return decide(mine, earlier, said, scene, since)
    except Exception as error:  # noqa: BLE001 - whose fault it is is found below
        log.error("oncall.not_decided", team=scene.roster.team, traceback=trace(error))
    good: list[PromiseStatus] = []
    faults: list[Plan] = []
    for status in mine:
        try:
            decide([status], earlier, said, scene, since)
        except Exception as error:  # noqa: BLE001 - logged above; this finds out whose it is
            faults.append(undecided(status, scene, error))
        else:
            good.append(status)
    plan, cases = decide(good, earlier, said, scene, since)
    return Plan.of([plan, *faults]), cases


def _under_its_name(config: OncallConfig, incident: Incident) -> Incident:
    """The same, by the name that the DAG has now: what is promised is its report."""
    if not incident.report or not _is_orphan(config, incident):
        return incident
    names = (dag_id for dag_id, pipeline in config.pipelines.items() if pipeline.report == incident.report)
    return replace(incident, dag_id=next(names, incident.dag_id))


def _is_orphan(config: OncallConfig, incident: Incident) -> bool:
    """Whether nothing in the configuration will ever say that it is over."""
    return incident.open and incident.dag_id not in config.pipelines


def _remember_seen(
    store: Store, before: EvaluationInputs, known: Known, statuses: Sequence[PromiseStatus], at: dt.datetime
) -> None:
    unread = [one for one in statuses if one.facts.blind_since]
    if bool(unread) != bool(before.notes.get(BLIND)):
        store.set_note(BLIND, at.isoformat() if unread else "")
    if any(one.facts.blind for one in unread):
        return
    seen = {
        (one.pipeline.dag_id, one.report_date): made
        for one in statuses
        if one.pipeline.promise and (made := one.facts.publication)
    }
    if seen != known.published:
        store.set_note(PUBLISHED, publications_text(seen))


def due_instants(config: OncallConfig, at: dt.datetime) -> list[dt.datetime]:
    """The warning and due instants of every promise within the next day (to wake up for, whatever else fails)."""
    instants = []
    for pipeline in config.pipelines.values():
        if pipeline.promise:
            tz = config.roster_of(pipeline.dag_id).tz
            date = pipeline.promise.due_day(last_due(pipeline.promise, at, tz))
            instants += [f(pipeline.promise, date, tz) for f in (warn_at, due_at)]
    return [i for i in instants if i > at]
