"""Published days whose inputs have changed since: finds them and runs them again, the oldest first. Knows no Airflow.

What is stale is decided by the SQL of the pipelines (`40_…`) and by `stale.sql`; the order is decided here.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from oncall.adapters.postgres.refusals import first_line
from oncall.config.oncall_config import OncallConfig
from oncall.config.runbooks_together import base_of
from oncall.core.data.report_words import if_true, restated
from oncall.core.promises.cause import late_words
from oncall.core.promises.facts import Load
from oncall.core.promises.promise import Pipeline
from pipelines import publication, runner
from pipelines.report_run import Held, ReportRun

log = logging.getLogger(__name__)

ANY_DAY = dt.date(2000, 1, 1)  # a search is about no day
MOST_TRIES = 3  # of one day in one go, while upstream goes on writing
Outcome = tuple[tuple[str, dt.date], str]  # the DAG and report date that were run again, what came of it


@dataclass(frozen=True)
class StaleDay:
    """A published report date that has to be run again, and why. `changed`: upstream tables whose rows came late."""

    pipeline: Pipeline
    report_date: dt.date
    because: str
    changed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Rerun:
    """How one stale day went: `restated` published numbers are other ones now; `held` says why it stays as it was."""

    day: StaleDay
    restated: int = 0
    held: str = ""

    @property
    def came_of_it(self) -> str:
        """What changed by it, or what stands against it."""
        return f"held: {self.held}" if self.held else restated(self.restated)

    @property
    def outcome(self) -> Outcome:
        return (self.day.pipeline.dag_id, self.day.report_date), self.came_of_it

    def __str__(self) -> str:
        return f"{self.day.report_date} {self.day.pipeline.dag_id} ({self.day.because}): {self.came_of_it}"


@dataclass(frozen=True)
class StalePublications:
    """The published days of this warehouse whose inputs have changed since.

    `partial_loads`: those that a run would read; a day that was loaded again in part is not run again.
    """

    connection: Any
    config: OncallConfig
    partial_loads: Callable[[ReportRun], Sequence[Load]] = lambda _: ()
    # By DAG: why the last search could not look for rows that came late.
    unsearched: dict[str, str] = field(default_factory=dict)

    def find(self, since: dt.datetime | None = None) -> list[StaleDay]:
        """What is stale now, in the order in which to run it again: oldest first, base models before their readers.

        Upstream's rows are looked through from `since` on (None: from where the last search stopped). Where a table
        cannot be read, `unsearched` says so, and the other pipelines are searched all the same.
        """
        self.unsearched.clear()
        for pipeline in self._pipelines:
            try:
                publication.note_late_rows(self.connection, self._run(pipeline, ANY_DAY), since)
            except Exception as error:
                if self.connection.closed:  # then nothing can be read
                    raise
                self.unsearched[pipeline.dag_id] = first_line(error)
        return self.known()

    @property
    def unsearched_words(self) -> list[str]:
        """Whose rows that came late nobody has looked for, and why: a line each."""
        return [f"{dag_id} was not searched for late rows: {why}" for dag_id, why in self.unsearched.items()]

    def known(self) -> list[StaleDay]:
        """What is stale by what the last search found, in the same order; writes nothing."""
        by_report = {pipeline.report: pipeline for pipeline in self._pipelines}
        found = [
            StaleDay(by_report[report], date, because, changed)
            for report, date, because, changed in publication.stale(self.connection, self.config.roster.tz)
            if report in by_report
        ]
        return sorted(found, key=lambda day: (day.report_date, self._pipelines.index(day.pipeline)))

    def rerun(
        self,
        run_id: str,
        *,
        reason: str = "",
        since: dt.datetime | None = None,
        at: dt.datetime | None = None,
        tell: Callable[[Rerun], None] = lambda _: None,
    ) -> list[Rerun]:
        """Run every stale day again, oldest first, until none is left; `tell` hears of each as it is done.

        A day that a check withholds stays stale, and so does what comes after it and depends on it: those are left for
        when its cause is mended. `reason` is what the restatements say (empty: what has changed).
        """
        done: list[Rerun] = []
        self.find(since)
        while days := _open(self.known(), done):
            day = days[0]
            run = self._run(day.pipeline, day.report_date, run_id=run_id, reason=reason or day.because, at=at)
            done.append(self._again(day, run))
            tell(done[-1])
        return done

    @cached_property
    def _pipelines(self) -> list[Pipeline]:
        """Those that read another one's base model last."""
        return sorted(
            self.config.pipelines.values(),
            key=lambda each: (any(name.startswith("base.") for name in each.upstream), each.dag_id),
        )

    def _run(self, pipeline: Pipeline, date: dt.date, run_id: str = "", **more: Any) -> ReportRun:
        zone = self.config.roster_of(pipeline.dag_id).tz
        upstream, promise = pipeline.upstream, pipeline.promise
        return ReportRun(
            pipeline.dag_id, pipeline.report, date, zone, run_id, upstream, promise=promise, **more
        )

    def _again(self, day: StaleDay, run: ReportRun) -> Rerun:
        before = publication.restated(self.connection, run)
        try:
            # Of one that has not changed since the day was published with it nobody asks again.
            thin = [load for load in self.partial_loads(run) if load.table in day.changed]
            if thin:
                words = "; ".join(late_words(load, run.zone) for load in thin)
                return Rerun(day, held=words + if_true(run.report, run.report_date))
            runner.run_day(self.connection, run)
        except Held as held:
            return Rerun(day, held=str(held))
        except Exception as error:  # one that cannot be computed stands in no other's way
            if self.connection.closed:
                raise
            return Rerun(day, held=first_line(error))
        return Rerun(day, publication.restated(self.connection, run) - before)


def publish_and_tell(connection: Any, run: ReportRun, by: str | None) -> dict[str, int]:
    """Publish the day's draft; of a day that was published before, tell its incident what that changed.

    `by`: the person who started the run. One that nobody started, and that changed nothing, is not told.
    """
    again, before = publication.is_published(connection, run), publication.restated(connection, run)
    published = publication.publish(connection, run)
    changed = publication.restated(connection, run) - before
    if again and (by or changed):
        done = ((run.dag_id, run.report_date), restated(changed))
        if reason := note_reruns([done], by or "Airflow", run.run_id):
            log.warning("%s", reason)
    return published


def note_reruns(done: Iterable[Outcome], by: str, run_id: str) -> str:
    """Tell each day's incident of it; why that cannot be written, else "": the days were run all the same."""
    from oncall.airflow.composition import Wiring  # only here: nothing else needs `oncall_db`
    from oncall.usecases.manual_actions import note_run
    from oncall.usecases.timekeeping import utc_now

    try:
        store = Wiring().store()
        for report, came_of_it in done:
            note_run(store, report, by, f"run {run_id}", utc_now(), came_of_it)
    except Exception as error:  # noqa: BLE001 - the days were run all the same
        return f"the incidents' timelines do not say so: {error}"
    return ""


def _open(days: Sequence[StaleDay], done: Sequence[Rerun]) -> list[StaleDay]:
    """What is left to do: not what was held, nor what comes after it in the same report or in one that reads it."""
    held = [rerun.day.pipeline for rerun in done if rerun.held]
    tries = Counter((rerun.day.pipeline.dag_id, rerun.day.report_date) for rerun in done)
    return [
        day
        for day in days
        if tries[day.pipeline.dag_id, day.report_date] < MOST_TRIES
        and not any(each == day.pipeline or base_of(each.dag_id) in day.pipeline.upstream for each in held)
    ]
