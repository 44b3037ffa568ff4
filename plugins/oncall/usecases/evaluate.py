"""The use case: read the world, judge the promises, decide what each incident needs, write it down.

`evaluate` decides and records; `delivery` sends what is owed; `acknowledgements` learns who has acknowledged. They may
run in any process, any number of times, at once: the store makes every step reach every channel once.
"""

from __future__ import annotations

import datetime as dt
import gc
import json
import time
import traceback
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Generic, TypeVar

import structlog

from oncall.config.oncall_config import OncallConfig
from oncall.core.errors import Unreadable
from oncall.core.incidents.context import IncidentContext
from oncall.core.incidents.grouping import Said, by_promise, decide
from oncall.core.incidents.incident import Incident, Plan
from oncall.core.incidents.plan import next_instant
from oncall.core.incidents.resolve import removed
from oncall.core.incidents.wording import Links, Scene
from oncall.core.notices.channel_notices import undecided
from oncall.core.promises.evaluation import PromiseStatus, Why, evaluate_promise
from oncall.core.promises.facts import Facts, Publication, TypicalDurations
from oncall.core.promises.promise import Pipeline, Promise, due_at, last_due, warn_at
from oncall.core.wall_time import utc
from oncall.usecases.notes import instant, noted
from oncall.usecases.ports import (
    DecisionTransaction,
    Drill,
    EvaluationInputs,
    ReportKey,
    Store,
    TaskRunReader,
    TaskRuns,
    WarehouseReader,
)

log = structlog.get_logger(__name__)
T = TypeVar("T")

NOTHING: Mapping[ReportKey, Facts] = {}
FAILURES_SINCE = dt.timedelta(hours=24)
HISTORY_DAYS = 28
PUBLISHED = "published"  # the name under which the store keeps the publications last seen
SINCE = "watching_since"  # … and since when somebody watches
BLIND = "blind_since"  # … and since when the warehouse cannot be read ("": it can)
NOTES = (SINCE, PUBLISHED, BLIND)
CLOCKS_AGREE = dt.timedelta(seconds=1)  # … so far, between two hosts
LOOK_BACK = dt.timedelta(hours=6)  # what fell due before anybody here remembers watching
PAST_DAYS = 7  # a report that was published on one of these days has been watched before


@dataclass(frozen=True)
class Candidate:
    """A report and day to judge; a drill brings its own instants."""

    pipeline: Pipeline
    report_date: dt.date
    drill: Drill | None = None


@dataclass(frozen=True)
class Evaluation:
    """What one look saw. `next_at`: the instant the next look must not miss."""

    statuses: tuple[PromiseStatus, ...]
    cases: tuple[IncidentContext, ...]
    next_at: dt.datetime | None
    at: dt.datetime

    @cached_property
    def by_promise(self) -> Mapping[tuple[str, object, str], PromiseStatus]:
        """What was seen, by DAG id, report date and drill."""
        return {(one.pipeline.dag_id, one.report_date, one.drill): one for one in self.statuses}


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
    since = _watching_since(config, world, store, before, at)
    wanted = candidates(config, at, before.drills, before.open)
    known = Known.of(before, at)
    statuses = evaluate_promises(config, world, runs, wanted, at, known=known, stale=True)
    _remember_seen(store, before, known, statuses, at)
    with store.decision_lock() as decision:
        now = at + dt.timedelta(seconds=time.monotonic() - began)
        decided = _decide(config, statuses, decision, links, at, since, now)
        decision.record(decided.plan, at)
    for event in decided.plan.events:
        log.info("oncall.event", incident=event.key, what=event.what)
    instants = {i for one in statuses for i in (one.warn, one.last_chance, one.due) if i}
    instants |= set(decided.instants)
    next_at = min((i for i in instants if i > at), default=None)
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
    decision: DecisionTransaction,
    links: Links,
    at: dt.datetime,
    since: dt.datetime,
    now: dt.datetime,
) -> Decided:
    """Decide for each team by its own roster: a cause that two teams share is said to each. `now`: the moment of it."""
    told = decision.told({(one.pipeline.dag_id, one.report_date) for one in statuses})
    known = {incident.key: incident for incident, _ in told}
    said = dict(zip(known, (entries for _, entries in told), strict=True))
    earlier = by_promise(list(known.values()))
    of_team: defaultdict[str, list[PromiseStatus]] = defaultdict(list)
    for one in statuses:
        of_team[one.pipeline.team].append(one)
    plans: list[Plan] = []
    cases: list[IncidentContext] = []
    instants: list[dt.datetime] = []
    for team, mine in of_team.items():
        scene = Scene(config.teams.get(team, config.roster), links, at)
        plan, open_cases = _contained(mine, earlier, said, scene, since)
        plans.append(plan)
        cases += open_cases
        instants += [instant for case in open_cases if (instant := next_instant(case, scene))]
    nowhere = Scene(config.roster, links, at)
    plans += [
        removed(incident, entries, nowhere) for incident, entries in told if _is_orphan(config, incident)
    ]
    whole = Plan.of(plans)
    news = tuple(
        replace(incident, seen_at=at) for incident in whole.incidents if known.get(incident.key) != incident
    )
    plan = Plan() if overtaken(known.values(), at, now) else replace(whole, incidents=news)
    return Decided(plan, tuple(cases), tuple(instants))


def overtaken(incidents: Iterable[Incident], at: dt.datetime, now: dt.datetime) -> bool:
    """Whether a look as of a later instant than `at` has decided something by `now`.

    What was written by a clock that is ahead lies after `now`: no such clock keeps a look from deciding.
    """
    return any(one.seen_at and at < one.seen_at <= now + CLOCKS_AGREE for one in incidents)


def _contained(
    mine: Sequence[PromiseStatus],
    earlier: Mapping[tuple[str, dt.date, str], Sequence[Incident]],
    said: Mapping[str, Said],
    scene: Scene,
    since: dt.datetime,
) -> tuple[Plan, tuple[IncidentContext, ...]]:
    """What a team's promises need. One that the rules fail on stops no other, and somebody is told of it."""
    try:
        return decide(mine, earlier, said, scene, since)
    except Exception:  # noqa: BLE001 - whose fault it is is found below
        # As plain text: structlog's own way shows every local variable, which takes seconds, within the lock.
        log.error("oncall.not_decided", team=scene.roster.team, traceback=traceback.format_exc())
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


def _is_orphan(config: OncallConfig, incident: Incident) -> bool:
    """Nothing in the configuration will ever say that it is over."""
    return incident.open and incident.dag_id not in config.pipelines


def candidates(
    config: OncallConfig, at: dt.datetime, drills: Sequence[Drill], open_ones: Sequence[ReportKey]
) -> list[Candidate]:
    """Every report and day worth judging whatever is found: last due, next due, whatever is open, and drills."""
    wanted = [
        Candidate(config.pipelines[drill.dag_id], drill.report_date, drill)
        for drill in drills
        if drill.dag_id in config.pipelines
    ]
    latest = Memo(last_due)
    promised: list[ReportKey] = []
    for pipeline in config.pipelines.values():
        if pipeline.promise:
            last = latest(pipeline.promise, at, config.roster_of(pipeline.dag_id).tz)
            promised += [(pipeline.dag_id, date) for date in (last, pipeline.promise.due_day(last))]
    drilled = {(drill.dag_id, drill.report_date) for drill in drills}
    others = [which for which in open_ones if which not in drilled]
    return wanted + [
        Candidate(config.pipelines[each], date)
        for each, date in dict.fromkeys((*promised, *others))
        if each in config.pipelines
    ]


def evaluate_promises(
    config: OncallConfig,
    world: WarehouseReader,
    runs: TaskRunReader,
    wanted: Sequence[Candidate],
    at: dt.datetime,
    known: Known | None = None,
    *,
    stale: bool = False,
) -> list[PromiseStatus]:
    """Judge each wanted report, whatever failed lately and (`stale`) what is stale, on what can be read now.

    What cannot be read is said, never guessed. `known`: what was seen before. While the warehouse cannot be read that
    still counts: a report that was there at five is not broken because the warehouse goes away at ten.
    """
    known, at = known or Known(), at.astimezone(dt.UTC)  # as all instants it is compared with
    told, deaf = _read("oncall_db", lambda: _told(config, runs, wanted, at), TasksRead())
    wanted = _with(config, wanted, told.ran.tasks)
    facts, blind = _read("warehouse", lambda: _facts(config, world, wanted, at, stale=stale), NOTHING)
    instants_of = Memo(_due_and_warn)

    def status_of(candidate: Candidate, read: Facts) -> PromiseStatus:
        pipeline, drill = candidate.pipeline, candidate.drill
        which, promise = (pipeline.dag_id, candidate.report_date), pipeline.promise
        tz = config.roster_of(which[0]).tz
        seen = read.with_runs(
            tasks=told.ran.tasks.get(which, ()),
            run=told.ran.runs.get(which),
            failed_before=told.ran.failed_before.get(which, ()),
            dag=told.ran.dags.get(which[0]),
            usual=told.usual.get(which[0], read.usual),
            unreadable=(*blind, *read.unreadable, *deaf),
        )
        if drill:
            instants: tuple[dt.datetime | None, ...] = (drill.due_at, drill.warn_at)
        else:
            covered = promise if promise and promise.covers(which[1]) else None
            instants = instants_of(covered, which[1], tz) if covered else (None, None)
        name = drill.name if drill else ""
        return evaluate_promise(candidate.pipeline, which[1], seen, at, tz, *instants, drill=name)

    def unseen(which: ReportKey) -> Facts:
        since = known.blind_since if blind else None
        return Facts(publication=known.published.get(which), blind=bool(blind), blind_since=since)

    def contained(candidate: Candidate) -> PromiseStatus:
        which = candidate.pipeline.dag_id, candidate.report_date
        try:
            return status_of(candidate, facts.get(which) or unseen(which))
        except Exception as error:  # noqa: BLE001 - told of this one alone
            # As plain text: structlog's own way shows every local variable, which takes seconds.
            why = traceback.format_exc()
            log.error("oncall.cannot_judge", pipeline=which[0], report_date=str(which[1]), traceback=why)
            return status_unknown(candidate, error, config.roster_of(which[0]).tz, at)

    return [contained(each) for each in _with(config, wanted, facts)]


def status_unknown(candidate: Candidate, error: Exception, tz: dt.tzinfo, at: dt.datetime) -> PromiseStatus:
    """What is left to say of a promise that could not be judged: the others are not to suffer for it."""
    reason = f"it could not be judged: {type(error).__name__}: {error}"
    drill: tuple[dt.datetime | None, dt.datetime | None, str] = (None, None, "")
    if candidate.drill:
        drill = (candidate.drill.due_at, candidate.drill.warn_at, candidate.drill.name)
    facts = Facts(unreadable=(reason,), blind=True)
    try:
        return evaluate_promise(
            candidate.pipeline, candidate.report_date, facts, at, tz, *drill[:2], drill=drill[2]
        )
    except Exception:  # noqa: BLE001 - a day that has no due instant: there is nothing to be late for
        why = Why("unknown", reason, (reason,))
        return PromiseStatus(
            candidate.pipeline, candidate.report_date, "waiting", why, None, None, facts, drill=drill[2]
        )


def _with(config: OncallConfig, wanted: Sequence[Candidate], found: Iterable[ReportKey]) -> list[Candidate]:
    """The wanted ones and those that were found besides, by day and as the pipelines stand; drills last."""
    asked = {(each.pipeline.dag_id, each.report_date) for each in wanted}
    more = [
        Candidate(config.pipelines[dag_id], date)
        for dag_id, date in found
        if dag_id in config.pipelines and (dag_id, date) not in asked
    ]
    order = {dag_id: number for number, dag_id in enumerate(config.pipelines)}
    return sorted(
        (*wanted, *more), key=lambda w: (w.drill is not None, w.report_date, order[w.pipeline.dag_id])
    )


class Memo(Generic[T]):
    """A reckoning with a promise, an instant or a date, and a zone: done once for all promises that are alike."""

    def __init__(self, reckon: Callable[[Promise, Any, dt.tzinfo], T]) -> None:
        self._reckon = reckon
        self._known: dict[tuple[Promise, Any, dt.tzinfo], T] = {}

    def __call__(self, promise: Promise, when: Any, tz: dt.tzinfo) -> T:
        key = (promise, when, tz)
        if key not in self._known:
            self._known[key] = self._reckon(promise, when, tz)
        return self._known[key]


def _due_and_warn(promise: Promise, date: dt.date, tz: dt.tzinfo) -> tuple[dt.datetime, dt.datetime]:
    """In UTC: to compare an instant with one of pendulum's costs a hundred times as much, and a look does it often."""
    return utc(due_at(promise, date, tz)), utc(warn_at(promise, date, tz))


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
    past, blind = _read("warehouse", lambda: world.read(_past_days(config, at)), NOTHING)
    if blind:
        return at - LOOK_BACK  # and asked again at the next look
    since = at - LOOK_BACK if any(facts.publication for facts in past.values()) else at
    store.set_note(SINCE, since.isoformat())
    return since


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


@dataclass(frozen=True)
class Known:
    """What earlier looks saw: the publications that were there when the warehouse was last read, and since when it
    cannot be, if it cannot be now (None: nobody knows)."""

    published: Mapping[ReportKey, Publication] = field(default_factory=dict)
    blind_since: dt.datetime | None = None

    @classmethod
    def of(cls, before: EvaluationInputs, at: dt.datetime | None = None) -> Known:
        """From the notes `PUBLISHED` and `BLIND`. `at`: a look that would be the first to find it unreadable."""
        published: dict[ReportKey, Publication] = noted(
            PUBLISHED, before.notes.get(PUBLISHED), _publications, {}
        )
        return cls(published, noted(BLIND, before.notes.get(BLIND), instant, None) or at)


def _publications(text: str) -> dict[ReportKey, Publication]:
    return {
        (dag_id, dt.date.fromisoformat(date)): Publication(instant(first), instant(last), run_id, rows)
        for dag_id, date, first, last, run_id, rows in json.loads(text)
    }


def _remember_seen(
    store: Store, before: EvaluationInputs, known: Known, statuses: Sequence[PromiseStatus], at: dt.datetime
) -> None:
    blind = any(one.facts.blind_since for one in statuses)
    if blind != bool(before.notes.get(BLIND)):
        store.set_note(BLIND, at.isoformat() if blind else "")
    if blind:
        return
    seen = {
        (one.pipeline.dag_id, one.report_date): made
        for one in statuses
        if one.pipeline.promise and (made := one.facts.publication)
    }
    if seen != known.published:
        rows = [
            (dag_id, date.isoformat(), made.first_at.isoformat(), made.at.isoformat(), made.run_id, made.rows)
            for (dag_id, date), made in seen.items()
        ]
        store.set_note(PUBLISHED, json.dumps(rows))


@dataclass(frozen=True)
class TasksRead:
    """What the tasks said of themselves, for one look."""

    ran: TaskRuns = field(default_factory=TaskRuns)
    usual: Mapping[str, TypicalDurations] = field(default_factory=dict)


def _told(
    config: OncallConfig, runs: TaskRunReader, wanted: Sequence[Candidate], at: dt.datetime
) -> TasksRead:
    whiches = [(each.pipeline.dag_id, each.report_date) for each in wanted]
    ran = runs.read(whiches, at - FAILURES_SINCE)
    # Four weeks of very many runs may take longer than a look waits: they are worth knowing, not worth blindness.
    none: Mapping[str, TypicalDurations] = {}
    usual, _ = _read("usual durations", lambda: runs.usual(_history(config, at)), none)
    return TasksRead(ran, usual)


def _facts(
    config: OncallConfig, world: WarehouseReader, wanted: Sequence[Candidate], at: dt.datetime, *, stale: bool
) -> Mapping[ReportKey, Facts]:
    asked = [(each.pipeline, each.report_date) for each in wanted]
    if not stale:
        return world.read(asked)
    promised = [pipeline for pipeline in config.pipelines.values() if pipeline.promise]
    return world.read(asked, promised, _history(config, at))


def _history(config: OncallConfig, at: dt.datetime) -> dt.date:
    """The first day that is still looked back to."""
    return at.astimezone(config.roster.tz).date() - dt.timedelta(days=HISTORY_DAYS)


def _read(source: str, read: Callable[[], T], otherwise: T) -> tuple[T, tuple[str, ...]]:
    """What was read and no trouble, or `otherwise` and what went wrong."""
    try:
        return read(), ()
    except Unreadable as error:
        return otherwise, (str(error),)
    except Exception as error:  # noqa: BLE001 - a fault of our own pages like any other blindness
        log.error("oncall.cannot_read", source=source, traceback=traceback.format_exc())
        return otherwise, (f"{source}: {type(error).__name__}: {error}",)


def due_instants(config: OncallConfig, at: dt.datetime) -> list[dt.datetime]:
    """The warning and due instants of every promise within the next day (to wake up for, whatever else fails)."""
    instants = []
    for pipeline in config.pipelines.values():
        if pipeline.promise:
            tz = config.roster_of(pipeline.dag_id).tz
            date = pipeline.promise.due_day(last_due(pipeline.promise, at, tz))
            instants += [f(pipeline.promise, date, tz) for f in (warn_at, due_at)]
    return [i for i in instants if i > at]
