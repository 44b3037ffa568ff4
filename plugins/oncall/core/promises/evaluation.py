"""The verdict on a promise at an instant. Pure: facts and the instant in, judgement out."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from oncall.core.promises.cause import cannot_come, cause_of, comes_up, gave_up, is_overdue
from oncall.core.promises.facts import Facts, Task
from oncall.core.promises.promise import Pipeline, PromiseKey, due_at, starts_at, warn_at
from oncall.core.promises.run_cause import OPEN, STARTS_WITHIN, WAIT, failed, held, open_task
from oncall.core.promises.unseen import is_hiccup
from oncall.core.promises.why import Why
from oncall.core.time_format import clock

# unknown: past due, and it cannot be seen whether the report is published.
Verdict = Literal["waiting", "at_risk", "kept", "broken", "late", "unknown"]

# A run that cannot come is told so long before its report is due: who mends a DAG at noon is not disturbed.
KNOWN_EARLY = dt.timedelta(hours=12)


@dataclass(frozen=True)
class PromiseStatus:
    """A promise judged. `due` and `warn` are instants (None: no promise); `late_by` only when late or broken.

    `last_chance`: when a run has to be done with a step to be in time; None once the report is published.
    """

    pipeline: Pipeline
    report_date: dt.date
    verdict: Verdict
    why: Why | None
    due: dt.datetime | None
    warn: dt.datetime | None
    facts: Facts
    late_by: dt.timedelta | None = None
    last_chance: dt.datetime | None = None
    drill: str = ""

    @property
    def promise_key(self) -> PromiseKey:
        return self.pipeline.dag_id, self.report_date, self.drill

    @property
    def done(self) -> bool:
        """Published, and whatever failed since was mended by publishing it anew."""
        return self.facts.publication is not None and self.why is None

    @property
    def overdue(self) -> bool:
        """Past due, and as far as anybody can see not published: somebody is to be woken."""
        return self.verdict in ("broken", "unknown")


@dataclass(frozen=True)
class DueTimes:
    """Instants instead of those of the promise (None: as the promise says). `drill`: the drill that set them.

    `starts`: when its run starts by its schedule (None: as the schedule says).
    """

    due: dt.datetime | None = None
    warn: dt.datetime | None = None
    drill: str = ""
    starts: dt.datetime | None = None


AS_PROMISED = DueTimes()


def evaluate_promise(
    pipeline: Pipeline,
    report_date: dt.date,
    facts: Facts,
    at: dt.datetime,
    tz: dt.tzinfo,
    times: DueTimes = AS_PROMISED,
) -> PromiseStatus:
    """Judge one promise. `times`: a drill's, or the promise's own where they are known already."""
    due, warn, drill = times.due, times.warn, times.drill
    if pipeline.promise is not None and pipeline.promise.covers(report_date):
        due = due or due_at(pipeline.promise, report_date, tz)
        warn = warn or warn_at(pipeline.promise, report_date, tz)
    made = facts.publication
    if made is not None:
        if pipeline.promise is not None and made.due and not drill:
            due = made.due  # another promise since does not change what became of the day
        late = due is not None and made.first_at > due
        by = made.first_at - due if late and due else None
        verdict: Verdict = "late" if late else "kept"
        again = _failed_since(facts, made.at, tz)
        return PromiseStatus(pipeline, report_date, verdict, again, due, warn, facts, by, drill=drill)
    # Nobody schedules a drill, and what has started is not overdue.
    starts = None if drill or facts.tasks else times.starts or starts_at(pipeline.schedule, report_date, tz)
    last = _last_chance(pipeline, facts, due, drill)
    if _is_early(facts, at, (due and due - KNOWN_EARLY, warn, last, starts)):
        return PromiseStatus(pipeline, report_date, "waiting", None, due, warn, facts, None, last, drill)
    why = cause_of(facts, at, tz, pipeline, starts)
    judged = PromiseStatus(pipeline, report_date, "at_risk", why, due, warn, facts, None, last, drill)
    if due is not None and at >= due:
        if facts.blind:
            return replace(judged, verdict="unknown")
        return replace(judged, verdict="broken", late_by=at - due)
    if _at_risk(judged, at, tz, starts):
        return judged
    return PromiseStatus(pipeline, report_date, "waiting", None, due, warn, facts, None, last, drill)


def _is_early(facts: Facts, at: dt.datetime, instants: Iterable[dt.datetime | None]) -> bool:
    """Nothing has happened, and nothing should have: before the first of these instants there is nothing to judge."""
    if facts.tasks or facts.run or facts.failed_checks:
        return False
    return all(instant is None or at < instant for instant in instants)


def _failed_since(facts: Facts, published_at: dt.datetime, tz: dt.tzinfo) -> Why | None:
    """A run after the publication failed for good: the report stands, but somebody wanted it anew.

    That another run has started mends nothing: it is over when that one publishes.
    """
    if not facts.tasks and not facts.failed_before and not facts.run:
        return None
    since = [task for task in facts.failures if task.ended_at and task.ended_at > published_at]
    if not since:
        return None
    if since[-1] in facts.tasks:
        if facts.over and facts.over.state == "success" and not facts.over.marked:
            return None  # its DAG goes on without what has failed
        return held(facts) if facts.held_by else failed(since[-1], tz)
    why, again = failed(since[-1], tz), open_task(facts)
    if again is None:
        return why
    began = clock(facts.tasks[0].started_at, tz)
    return replace(why, detail=f"{why.detail}; another run goes on since {began}")


def _at_risk(status: PromiseStatus, at: dt.datetime, tz: dt.tzinfo, starts: dt.datetime | None) -> bool:
    """Not due yet, and already known to be in danger."""
    facts, why = status.facts, status.why
    assert why is not None
    # Also a wait for what is late, and a run that was ended as a whole while it waited.
    ended = gave_up(facts) or any(task.state == "failed" for task in facts.tasks)
    if why.cause in ("failed", "held") or facts.gone or ended:
        return True
    if status.due is None:
        return False
    # Before its time nobody expects a run, however long it takes.
    to_come = starts is not None and not facts.run and at < starts + STARTS_WITHIN
    if status.last_chance is not None and at >= status.last_chance and not to_come:
        return True
    if why.cause == "stuck" or is_overdue(facts, at, starts):
        return True
    if not status.drill and at >= status.due - KNOWN_EARLY and cannot_come(facts, tz, status.pipeline):
        return not (facts.dag and facts.dag.missing and comes_up(facts, at))
    late = why.cause in ("upstream_late", "unknown") and status.warn is not None and at >= status.warn
    return late and not is_hiccup(why, facts, at)


def _last_chance(pipeline: Pipeline, facts: Facts, due: dt.datetime | None, drill: str) -> dt.datetime | None:
    """Due minus the usual remaining time from the step the run is at, and not before that step is usually over.

    Without enough history a run takes as long as is configured; a drill, whose due time is near, has no such chance.
    """
    if due is None:
        return None
    task, known = open_task(facts), facts.usual.remaining
    if known:
        longest = max(known.values())
        seconds = known.get(task.task_id, longest) if task else longest
    elif drill:
        return None
    else:
        task = next((each for each in facts.tasks if each.task_id != WAIT), None)
        seconds = pipeline.usually.total_seconds()
    last = due.timestamp() - seconds
    if task is not None and task.task_id != WAIT:
        over = task.since.timestamp() + seconds
        last = max(last, over) if over <= due.timestamp() else last
    return dt.datetime.fromtimestamp(last, due.tzinfo)


def current_task(facts: Facts) -> Task | None:
    """The task the run stands at (running, retrying or failed), else the last one that ran."""
    for task in facts.tasks:
        if task.state in (*OPEN, "failed"):
            return task
    return facts.tasks[-1] if facts.tasks else None
