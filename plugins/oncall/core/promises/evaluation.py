"""The verdict on a promise at an instant, and its cause. Pure: facts and the instant in, judgement out."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from typing import Literal

from oncall.core.promises.facts import RUN, Facts, Load, Task
from oncall.core.promises.promise import Pipeline, due_at, warn_at
from oncall.core.redaction import redacted

Verdict = Literal["waiting", "at_risk", "kept", "broken", "late"]
Cause = Literal["upstream_late", "stuck", "failed", "not_started", "held", "unknown"]

WAIT = "wait_for_upstream"  # the sensor: a run that stands here has only its upstream to blame
SCHEDULER = "scheduler"
OPEN = ("running", "up_for_retry", "queued")

CAUSE_WORDS: dict[str, str] = {
    "upstream_late": "waiting on upstream",
    "stuck": "stuck",
    "failed": "failed",
    "not_started": "never started",
    "held": "held back by a check",
    "unknown": "cannot tell",
}


@dataclass(frozen=True)
class Why:
    """A cause, one plain sentence of detail (without secrets), and the names it rests on (tables, task, check)."""

    cause: Cause
    detail: str
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "detail", redacted(self.detail))


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
    def done(self) -> bool:
        """Published, and whatever failed since was mended: published anew, or the task has succeeded."""
        return self.facts.publication is not None and self.why is None


def evaluate_promise(
    pipeline: Pipeline,
    report_date: dt.date,
    facts: Facts,
    at: dt.datetime,
    tz: dt.tzinfo,
    due: dt.datetime | None = None,
    warn: dt.datetime | None = None,
    *,
    drill: str = "",
) -> PromiseStatus:
    """Judge one promise. `due` and `warn` replace the promise's own instants (drills), or spare reckoning them."""
    if pipeline.promise is not None:
        due = due or due_at(pipeline.promise, report_date, tz)
        warn = warn or warn_at(pipeline.promise, report_date, tz)
    made = facts.publication
    if made is not None:
        late = due is not None and made.first_at > due
        by = made.first_at - due if late and due else None
        verdict: Verdict = "late" if late else "kept"
        again = _failed_since(facts, made.at, tz)
        return PromiseStatus(pipeline, report_date, verdict, again, due, warn, facts, by, drill=drill)
    why, last_chance = cause_of(facts, tz, pipeline), _last_chance(facts, due)
    if due is not None and at >= due:
        verdict, by = "broken", at - due
    else:
        verdict, by = ("at_risk" if _at_risk(facts, why, at, warn, last_chance) else "waiting"), None
    told = why if verdict != "waiting" else None
    return PromiseStatus(pipeline, report_date, verdict, told, due, warn, facts, by, last_chance, drill)


def cause_of(facts: Facts, tz: dt.tzinfo, pipeline: Pipeline) -> Why:
    """Why an unpublished report is not published, the earliest obstacle first."""
    if facts.blind:
        return Why("unknown", "; ".join(facts.unreadable), facts.unreadable)
    waits = not facts.tasks or facts.tasks[-1].task_id == WAIT  # what started after a wait before is its past
    late = "; ".join(late_words(load, tz) for load in facts.late_loads) if waits else ""
    stopped = _stopped_by_hand(facts, tz)
    if stopped:
        return replace(stopped, detail=f"{stopped.detail}; {late}") if late else stopped
    if late:
        return Why("upstream_late", late, tuple(load.table for load in facts.late_loads))
    if facts.failed_checks:
        return _held(facts)
    failed = [task for task in facts.tasks if task.state == "failed"]
    if failed:
        return _failed(failed[-1], tz)
    if facts.over:
        return _ended(facts.over, tz)
    if facts.tasks:
        return _unfinished(facts, tz)
    if facts.unreadable:
        return Why("unknown", "; ".join(facts.unreadable), facts.unreadable)
    return _not_started(facts, tz, pipeline)


def _failed_since(facts: Facts, published_at: dt.datetime, tz: dt.tzinfo) -> Why | None:
    """A run after the publication failed for good: the report stands, but somebody wanted it anew."""
    since = [task for task in facts.failures if task.ended_at and task.ended_at > published_at]
    if not since:
        return None
    return _held(facts) if facts.failed_checks and since[-1] in facts.tasks else _failed(since[-1], tz)


def _stopped_by_hand(facts: Facts, tz: dt.tzinfo) -> Why | None:
    """A person ended the run: whatever it waited for, it waits for no more."""
    over = facts.over
    if over and facts.gone:
        seen = _clock(over.ended_at, tz)
        return Why("not_started", f"its run was deleted (seen at {seen}) and no other one has started")
    marked = [task for task in facts.tasks if task.state == "failed" and task.marked]
    if marked:
        return _failed(marked[-1], tz)
    return _ended(over, tz) if over and over.marked else None


def _held(facts: Facts) -> Why:
    check = facts.failed_checks[0]
    return Why(
        "held",
        f"check {check.name}: expected {check.expected}, found {check.found}",
        tuple(each.name for each in facts.failed_checks),
    )


def _failed(task: Task, tz: dt.tzinfo) -> Why:
    """By itself, or by hand: then its error says by whose."""
    what = "the run" if task.task_id == RUN else f"task {task.task_id}"
    ended = _clock(task.ended_at, tz)
    if task.marked:
        return Why("failed", f"{what} was {task.error} at {ended}", (task.task_id,))
    return Why(
        "failed", f"{what} failed at {ended}{f': {task.error}' if task.error else ''}", (task.task_id,)
    )


def _ended(over: Task, tz: dt.tzinfo) -> Why:
    """The run as a whole is over, and there is no publication."""
    if over.state == "failed":
        return _failed(over, tz)
    how = f"was {over.error}" if over.marked else "ended as a success"
    return Why(
        "failed", f"the run {how} at {_clock(over.ended_at, tz)} but the publication is not there", (RUN,)
    )


def _at_risk(
    facts: Facts, why: Why, at: dt.datetime, warn: dt.datetime | None, last_chance: dt.datetime | None
) -> bool:
    if why.cause in ("failed", "held") or facts.gone:
        return True
    if last_chance is not None and at >= last_chance:
        return True
    return why.cause in ("upstream_late", "unknown") and warn is not None and at >= warn


def _last_chance(facts: Facts, due: dt.datetime | None) -> dt.datetime | None:
    """Due minus the usual remaining time from the step the run is at; None without enough history."""
    if due is None or not facts.usual.remaining:
        return None
    at_step = next((task.task_id for task in facts.tasks if task.state in OPEN), None)
    longest = max(facts.usual.remaining.values())
    seconds = facts.usual.remaining.get(at_step, longest) if at_step else longest
    # As `due - timedelta`, which costs six times as much when `due` is one of pendulum's.
    return dt.datetime.fromtimestamp(due.timestamp() - seconds, due.tzinfo)


def _unfinished(facts: Facts, tz: dt.tzinfo) -> Why:
    open_tasks = [task for task in facts.tasks if task.state in OPEN]
    if open_tasks:
        task = open_tasks[0]
        if task.state == "queued":
            since = _clock(task.started_at, tz)
            return Why(
                "stuck",
                f"{task.task_id} was cleared and has not started again since {since}",
                (task.task_id,),
            )
        usual = facts.usual.duration.get(task.task_id)
        takes = f", usually {_span(usual)}" if usual is not None else ""
        word = "retrying" if task.state == "up_for_retry" else "in"
        said = f" ({task.error})" if task.error else ""
        return Why(
            "stuck",
            f"{word} {task.task_id} since {_clock(task.started_at, tz)}{takes}{said}",
            (task.task_id,),
        )
    last = facts.tasks[-1]
    if last.task_id == "publish":
        how = f" ({last.error})" if last.marked else ""
        return Why(
            "failed",
            f"the run finished green at {_clock(last.ended_at, tz)}{how} but the publication is not there",
            ("publish",),
        )
    ended = _clock(last.ended_at, tz)
    return Why("stuck", f"nothing has started since {last.task_id} ended at {ended}", (last.task_id,))


def _not_started(facts: Facts, tz: dt.tzinfo, pipeline: Pipeline) -> Why:
    """`names` is (SCHEDULER,) when nothing about this one DAG explains it: then the cause may be shared."""
    dag = facts.dag
    nothing = "no task of this report date has started"
    if dag is None:
        return Why("not_started", f"{nothing}, and no look at the DAG itself is on record", (SCHEDULER,))
    seen = f" (as of {_clock(dag.seen_at, tz)})"
    if dag.missing:
        return Why("not_started", f"Airflow has no DAG {pipeline.dag_id}: its file is gone or broken{seen}")
    if dag.import_error:
        return Why("not_started", f"the DAG file has an import error: {dag.import_error}{seen}")
    if dag.paused:
        return Why("not_started", f"the DAG is paused{seen}")
    if dag.running:
        return Why("not_started", f"{nothing}: {dag.running} other run(s) of the DAG are still open{seen}")
    return Why(
        "not_started", f"{nothing}, though the DAG is not paused: is the scheduler running?", (SCHEDULER,)
    )


def late_words(load: Load, tz: dt.tzinfo) -> str:
    """Say of one late or partial table what is wrong and since when."""
    if load.state == "partial":
        since = _clock(load.loaded_at, tz)
        counts = f"{load.rows} rows, usually {load.median:.0f}{load.unusual_words}"
        return f"{load.table} is partial since {since}: {counts}"
    since = f", usually there by {_clock(load.expected_at, tz)}" if load.expected_at else ""
    return f"{load.table} has not arrived{since}"


def current_task(facts: Facts) -> Task | None:
    """The task the run stands at (running, retrying or failed), else the last one that ran."""
    for task in facts.tasks:
        if task.state in (*OPEN, "failed"):
            return task
    return facts.tasks[-1] if facts.tasks else None


def _clock(at: dt.datetime | None, tz: dt.tzinfo) -> str:
    return at.astimezone(tz).strftime("%H:%M") if at else "an unknown time"


def _span(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"
