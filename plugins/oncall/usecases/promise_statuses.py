"""Judges promises on what can be read as of an instant. What cannot be read is said, never guessed. Writes nothing."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, TypeVar

import structlog

from oncall.config.oncall_config import OncallConfig
from oncall.core.errors import Unreadable, trace
from oncall.core.promises.cause import SHOWN_WITHIN
from oncall.core.promises.evaluation import DueTimes, PromiseStatus, evaluate_promise
from oncall.core.promises.facts import Facts, Publication, TypicalDurations
from oncall.core.promises.promise import Pipeline, due_at, last_due, starts_at, warn_at
from oncall.core.promises.why import Why
from oncall.core.promises.words import not_judged
from oncall.core.wall_time import utc
from oncall.usecases.notes import instant, noted, stretch
from oncall.usecases.ports import Drill, EvaluationInputs, ReportKey, TaskRunReader, TaskRuns, WarehouseReader

log = structlog.get_logger(__name__)
T = TypeVar("T")

NOTHING: Mapping[ReportKey, Facts] = {}
FAILURES_SINCE = dt.timedelta(hours=24)
HISTORY_DAYS = 28
PUBLISHED = "published"  # the name under which the store keeps the publications last seen
LOOKING = "looking_since"  # … since when somebody has looked again and again, and when that was last
BLIND = "blind_since"  # … and since when a database cannot be read ("": both can)


@dataclass(frozen=True)
class Candidate:
    """A report and day to judge; a drill brings its own instants. `promised`: those of the promise, where known."""

    pipeline: Pipeline
    report_date: dt.date
    drill: Drill | None = None
    promised: DueTimes | None = None

    @property
    def report(self) -> ReportKey:
        return self.pipeline.dag_id, self.report_date

    def times(self, tz: dt.tzinfo) -> DueTimes:
        """The times that the drill sets; otherwise those of the promise."""
        if self.drill:
            return DueTimes(self.drill.due_at, self.drill.warn_at, self.drill.name)
        return self.promised or promised_times(self.pipeline, self.report_date, tz)


def candidates(
    config: OncallConfig, at: dt.datetime, drills: Sequence[Drill], open_ones: Sequence[ReportKey]
) -> list[Candidate]:
    """Every report and day worth judging whatever is found: last due, next due, whatever is open, and drills."""
    wanted = [
        Candidate(config.pipelines[drill.dag_id], drill.report_date, drill)
        for drill in drills
        if drill.dag_id in config.pipelines
    ]
    done = {candidate.report for candidate in wanted}
    for promise, tz, pipelines in config.promised:
        last = last_due(promise, at, tz)
        for date in (last, promise.due_day(last)):
            times = promised_times(pipelines[0], date, tz)
            wanted += [Candidate(pipeline, date, None, times) for pipeline in pipelines]
    done |= {candidate.report for candidate in wanted}
    others = [report for report in dict.fromkeys(open_ones) if report not in done]
    return wanted + [
        Candidate(config.pipelines[dag_id], date) for dag_id, date in others if dag_id in config.pipelines
    ]


def promised_times(pipeline: Pipeline, date: dt.date, tz: dt.tzinfo) -> DueTimes:
    """In UTC: to compare an instant with one of pendulum's costs a hundred times as much, and a look does it often."""
    promise, starts = pipeline.promise, starts_at(pipeline.schedule, date, tz)
    if promise is None or not promise.covers(date):
        return DueTimes(starts=starts)
    return DueTimes(utc(due_at(promise, date, tz)), utc(warn_at(promise, date, tz)), starts=starts)


@dataclass(frozen=True)
class Known:
    """What earlier looks saw: the publications that were there when the warehouse was last read, and since when a
    database cannot be, if it cannot be now (None: nobody knows); and since when somebody has looked again and again."""

    published: Mapping[ReportKey, Publication] = field(default_factory=dict)
    blind_since: dt.datetime | None = None
    looking_since: dt.datetime | None = None

    @classmethod
    def of(cls, before: EvaluationInputs, at: dt.datetime | None = None) -> Known:
        """From the notes of these names. `at`: a look that would be the first to find it unreadable."""
        published: dict[ReportKey, Publication] = noted(
            PUBLISHED, before.notes.get(PUBLISHED), _publications, {}
        )
        looking = noted(LOOKING, before.notes.get(LOOKING), stretch, None)
        return cls(
            published,
            noted(BLIND, before.notes.get(BLIND), instant, None) or at,
            looking[0] if looking else None,
        )


@lru_cache(maxsize=2)  # every look asks again, and it changes when a report is published
def _publications(text: str) -> dict[ReportKey, Publication]:
    noted = json.loads(text)
    return {
        (dag_id, dt.date.fromisoformat(date)): Publication(
            instant(first), instant(last), run_id, rows, instant(due) if due else None
        )
        for dag_id, date, first, last, run_id, rows, due in noted
    }


def publications_text(seen: Mapping[ReportKey, Publication]) -> str:
    """The note from which `Known` reads them."""
    rows = [
        (dag_id, str(date), str(made.first_at), str(made.at), made.run_id, made.rows, str(made.due or ""))
        for (dag_id, date), made in seen.items()
    ]
    return json.dumps(rows)


@dataclass(frozen=True)
class TasksRead:
    """What the tasks said of themselves, for one look."""

    ran: TaskRuns = field(default_factory=TaskRuns)
    usual: Mapping[str, TypicalDurations] = field(default_factory=dict)

    def added_to(
        self, facts: Facts, report: ReportKey, unreadable: Sequence[str], looking_since: dt.datetime | None
    ) -> Facts:
        """The facts of this report, with what its tasks said and with all that cannot be read."""
        return facts.with_runs(
            tasks=self.ran.tasks.get(report, ()),
            run=self.ran.runs.get(report),
            failed_before=self.ran.failed_before.get(report, ()),
            dag=self.ran.dags.get(report[0]),
            usual=self.usual.get(report[0], facts.usual),
            unreadable=unreadable,
            looking_since=looking_since,
        )


@dataclass(frozen=True)
class PromiseReader:
    """Reads and judges as of `at`.

    `known`: what was seen before. While the warehouse cannot be read that still counts: a report that was there at five
    is not broken because the warehouse goes away at ten.
    """

    config: OncallConfig
    world: WarehouseReader
    runs: TaskRunReader
    at: dt.datetime
    known: Known = field(default_factory=Known)

    def statuses(self, wanted: Sequence[Candidate], *, stale: bool = False) -> list[PromiseStatus]:
        """Of each wanted report, of whatever failed lately and (`stale`) of what is stale: in a look of many."""
        published = self.known.published if stale else {}
        tasks, deaf = read_or("oncall_db", lambda: self._tasks(wanted, published), TasksRead())
        failed = self._with(wanted, tasks.ran.tasks)
        found, blind = read_or("warehouse", lambda: self._facts(failed, stale=stale), NOTHING)
        if any(report in published and not read.publication for report, read in found.items()):  # withdrawn
            published = {}
            tasks, deaf = read_or("oncall_db", lambda: self._tasks(wanted, published), TasksRead())
        ran = {*tasks.ran.tasks, *tasks.ran.failed_before}
        at = self.at.astimezone(dt.UTC)  # as all instants that it is compared with

        def status_of(candidate: Candidate) -> PromiseStatus:
            report, tz = candidate.report, self.config.roster_of(candidate.pipeline.dag_id).tz
            facts = self._lagging(report, found.get(report)) or self._unseen(report, blind=bool(blind))
            if deaf or report not in published or report in ran:  # else its publication says it all
                unreadable = (*blind, *facts.unreadable, *deaf)
                facts = facts.with_runs(blind_since=self.known.blind_since) if deaf else facts
                facts = tasks.added_to(facts, report, unreadable, self.known.looking_since)
            return evaluate_promise(
                candidate.pipeline, candidate.report_date, facts, at, tz, candidate.times(tz)
            )

        return [
            self._contained(candidate, status_of) for candidate in self._in_order(self._with(failed, found))
        ]

    def _contained(
        self, candidate: Candidate, status_of: Callable[[Candidate], PromiseStatus]
    ) -> PromiseStatus:
        """Judge it; where that fails, only this one is unknown."""
        try:
            return status_of(candidate)
        except Exception as error:  # noqa: BLE001 - told of this one alone
            dag_id, date = candidate.report
            log.error("oncall.cannot_judge", pipeline=dag_id, report_date=str(date), traceback=trace(error))
            return status_unknown(candidate, error, self.config.roster_of(dag_id).tz, self.at)

    def _lagging(self, report: ReportKey, read: Facts | None) -> Facts | None:
        """What was read; with a publication that was seen a moment ago, where a copy that lags shows none yet."""
        made = self.known.published.get(report)
        if read is None or read.publication or made is None or self.at - made.at >= SHOWN_WITHIN:
            return read
        return replace(read, publication=made)

    def _unseen(self, report: ReportKey, *, blind: bool) -> Facts:
        """What is left to go by of a report that the warehouse says nothing of."""
        since = self.known.blind_since if blind else None
        return Facts(publication=self.known.published.get(report), blind=blind, blind_since=since)

    def _with(self, wanted: Sequence[Candidate], found: Iterable[ReportKey]) -> list[Candidate]:
        """The candidates, and the reports that were found besides."""
        asked, pipelines = {candidate.report for candidate in wanted}, self.config.pipelines
        return [
            *wanted,
            *(
                Candidate(pipelines[each[0]], each[1])
                for each in found
                if each not in asked and each[0] in pipelines
            ),
        ]

    def _in_order(self, some: Sequence[Candidate]) -> list[Candidate]:
        """By day and as the pipelines stand; drills last."""
        order = {dag_id: number for number, dag_id in enumerate(self.config.pipelines)}
        return sorted(some, key=lambda w: (w.drill is not None, w.report_date, order[w.pipeline.dag_id]))

    def _tasks(self, wanted: Sequence[Candidate], published: Mapping[ReportKey, Publication]) -> TasksRead:
        """`published`: as last seen. What has gone on since is all that is still asked about these."""
        asked = {
            candidate.report: made.at if (made := published.get(candidate.report)) else None
            for candidate in wanted
        }
        ran = self.runs.read(asked, self.at - FAILURES_SINCE)
        # Four weeks of very many runs may take longer than a look waits: they are worth knowing, not worth blindness.
        none: Mapping[str, TypicalDurations] = {}
        usual, _ = read_or("usual durations", lambda: self.runs.usual(self._history()), none)
        return TasksRead(ran, usual)

    def _facts(self, wanted: Sequence[Candidate], *, stale: bool) -> Mapping[ReportKey, Facts]:
        asked = [(candidate.pipeline, candidate.report_date) for candidate in wanted]
        if not stale:
            return self.world.read(asked)
        promised = [pipeline for pipeline in self.config.pipelines.values() if pipeline.promise]
        return self.world.read(asked, promised, self._history())

    def _history(self) -> dt.date:
        """The first day of the history that a look reads."""
        return self.at.astimezone(self.config.roster.tz).date() - dt.timedelta(days=HISTORY_DAYS)


@dataclass(frozen=True)
class NoAnswer:
    """Reads of the warehouse and of tasks while `why` it cannot be done is known: nobody waits for it again."""

    why: str

    def read(self, *_: object) -> Any:
        raise Unreadable(self.why)

    def usual(self, _: dt.date) -> Mapping[str, TypicalDurations]:
        return {}


def status_unknown(candidate: Candidate, error: Exception, tz: dt.tzinfo, at: dt.datetime) -> PromiseStatus:
    """What is left to say of a promise that could not be judged: the others are not to suffer for it."""
    reason = not_judged(error)
    facts = Facts(unreadable=(reason,), blind=True)
    pipeline, date = candidate.pipeline, candidate.report_date
    try:
        return evaluate_promise(pipeline, date, facts, at.astimezone(dt.UTC), tz, candidate.times(tz))
    except Exception:  # noqa: BLE001 - a day that has no due instant: there is nothing to be late for
        why = Why("unknown", reason, (reason,))
        drill = candidate.drill.name if candidate.drill else ""
        return PromiseStatus(pipeline, date, "waiting", why, None, None, facts, drill=drill)


def read_or(source: str, read: Callable[[], T], otherwise: T) -> tuple[T, tuple[str, ...]]:
    """What was read and no trouble, or `otherwise` and what went wrong."""
    try:
        return read(), ()
    except Unreadable as error:
        return otherwise, (str(error),)
    except Exception as error:  # noqa: BLE001 - a fault of our own pages like any other blindness
        log.error("oncall.cannot_read", source=source, traceback=trace(error))
        return otherwise, (f"{source}: {type(error).__name__}: {error}",)
