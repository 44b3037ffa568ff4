"""Why a report is not published, in one plain sentence. Pure: facts and the instant in, a cause out."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

from oncall.core.promises.facts import IF_TRUE, RUN, Facts, Load, Task
from oncall.core.promises.promise import Pipeline
from oncall.core.redaction import redacted
from oncall.core.time_format import span

Cause = Literal["upstream_late", "running", "stuck", "failed", "not_started", "held", "unknown"]

WAIT = "wait_for_upstream"  # the sensor: a run that stands here has only its upstream to blame
SCHEDULER, WORKERS = "scheduler", "workers"  # what may keep several pipelines from starting
OPEN = ("running", "up_for_retry", "queued")
STARTS_WITHIN = dt.timedelta(minutes=10)  # how long a run or a task may take to start
SHOWN_WITHIN = dt.timedelta(seconds=20)  # how far a copy of the warehouse may lag behind
# A task of seconds is not stuck because a worker was slow once.
NEVER_STUCK_WITHIN = dt.timedelta(minutes=1)
# What libpq says before the reason: to whom it spoke is in the connection.
_CONNECTING = re.compile(
    r"^(?:connection failed: )?connection to server .*? failed: (?:FATAL: +)?(?=\S)", re.DOTALL
)
_REFUSED = re.compile(
    r"permission denied|does not exist|password|invalid input|out of range|[A-Za-z]+Error: "
)

# A source that cannot be read for less than two looks is nothing to tell of, whatever is paged for.
HICCUP = dt.timedelta(seconds=25)

GAVE_UP = "the run gave up waiting"
NO_RUN_YET = "no run has started yet"
NOT_STARTED = "no task of this report date has started"
PAUSED = "the DAG is paused"

CAUSE_WORDS: dict[str, str] = {
    "upstream_late": "waiting on upstream",
    "running": "running",
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


def cause_of(
    facts: Facts, at: dt.datetime, tz: dt.tzinfo, pipeline: Pipeline, starts: dt.datetime | None = None
) -> Why:
    """Why an unpublished report is not published, the earliest obstacle first.

    `starts`: when its run starts by its schedule (None: it has none).
    """
    if facts.blind:
        return unseen(facts, tz)
    waits = not facts.tasks or facts.tasks[-1].task_id == WAIT  # what started after a wait before is its past
    late = facts.late_loads if waits else ()
    stopped = _stopped_by_hand(facts, tz) or cannot_come(facts, tz, pipeline)
    if stopped is None and is_overdue(facts, at, starts):
        stopped = _not_started(facts, tz, pipeline, starts)
    if stopped:
        overdue = [load for load in late if load.expected_at is None or at >= load.expected_at]
        return replace(stopped, detail="; ".join((stopped.detail, *_late(overdue, tz))))
    if late:
        why = _waiting(facts, late, tz)
        runs = facts.tasks or facts.run or facts.unreadable or starts is None or at < starts
        return why if runs else replace(why, detail=f"{why.detail}; {NO_RUN_YET}")
    if facts.held_by:
        return held(facts)
    if facts.failure and facts.failed_now:
        return failed(facts.failure, tz)
    if facts.over:
        return _ended(facts.over, facts, tz)
    if facts.tasks or facts.run:
        return _unfinished(facts, at, tz, pipeline)
    if facts.unreadable:
        return unseen(facts, tz)
    return _not_started(facts, tz, pipeline, starts)


def is_about_to_show(facts: Facts, at: dt.datetime) -> bool:
    """Its run has just published: a warehouse that is read from a copy shows it some seconds later."""
    last = facts.tasks[-1] if facts.tasks else None
    if (
        last is None
        or last.marked
        or not last.ended_at
        or (last.task_id, last.state) != ("publish", "success")
    ):
        return False
    return facts.publication is None and not facts.blind and abs(at - last.ended_at) < SHOWN_WITHIN


def gave_up(facts: Facts) -> Task | None:
    """What ended the newest run, or its wait, in failure: no arrival makes it go on."""
    last = facts.tasks[-1] if facts.tasks else None
    failed_wait = last if last and last.task_id == WAIT and last in facts.failed_now else None
    return failed_wait or (facts.over if facts.over and facts.over.state == "failed" else None)


def _waiting(facts: Facts, late: Iterable[Load], tz: dt.tzinfo) -> Why:
    said, tables = list(_late(late, tz)), tuple(load.table for load in late)
    if end := gave_up(facts):
        said.append(f"{GAVE_UP} at {clock(end.ended_at, tz)}")
    return Why("upstream_late", "; ".join(said), tables)


def unseen(facts: Facts, tz: dt.tzinfo) -> Why:
    """What cannot be read, since when where that is known, and why."""
    said = "; ".join(dict.fromkeys(_unreadable(reason, facts, tz) for reason in facts.unreadable))
    return Why("unknown", said or "the warehouse cannot be read", facts.unreadable)


def is_hiccup(why: Why | None, facts: Facts, at: dt.datetime) -> bool:
    """It cannot be told why for a moment only, as far as is known."""
    since = facts.blind_since
    return why is not None and why.cause == "unknown" and since is not None and at - since < HICCUP


def _unreadable(reason: str, facts: Facts, tz: dt.tzinfo) -> str:
    name, colon, why = reason.partition(": ")
    if not colon or " " in name:
        return reason
    since = f" since {clock(facts.blind_since, tz)}" if facts.blind_since and name == "warehouse" else ""
    why = " ".join(_CONNECTING.sub("", why).split())
    word = "cannot be read" if _REFUSED.search(why) else "unreachable"
    return f"{name} {word}{since} ({why})"


def _stopped_by_hand(facts: Facts, tz: dt.tzinfo) -> Why | None:
    """A person ended the run: whatever it waited for, it waits for no more."""
    over = facts.over
    if over and facts.gone:
        seen = clock(over.ended_at, tz)
        return Why("not_started", f"its run was deleted (seen at {seen}) and no other one has started")
    marked = [task for task in facts.failed_now if task.marked]
    if marked:
        return failed(marked[-1], tz)
    return _ended(over, facts, tz) if over and over.marked else None


def cannot_come(facts: Facts, tz: dt.tzinfo, pipeline: Pipeline) -> Why | None:
    """No run has started, and what Airflow said of the DAG is why none will."""
    dag = facts.dag
    if facts.tasks or facts.run or facts.unreadable or dag is None:
        return None
    obstacles = [PAUSED] if dag.paused else []
    if dag.import_error:
        obstacles.append(f"the DAG file has an import error: {dag.import_error}")
    elif dag.missing:
        obstacles.append(f"Airflow has no DAG {pipeline.dag_id}: its file is gone or broken")
    if not obstacles:
        return None
    # A deploy that broke what several files import is one cause; that one of them is paused too is not.
    shared = (", and ".join([*obstacles[:-1], dag.import_error]),) if dag.import_error else ()
    return Why("not_started", f"{', and '.join(obstacles)} (as of {clock(dag.seen_at, tz)})", shared)


def is_overdue(facts: Facts, at: dt.datetime, starts: dt.datetime | None) -> bool:
    """By its own schedule a run should have started, and none has."""
    if facts.tasks or facts.run or facts.unreadable or starts is None:
        return False
    return at >= starts + STARTS_WITHIN and not comes_up(facts, at)


def comes_up(facts: Facts, at: dt.datetime) -> bool:
    """Nobody looked until just now, and maybe nothing ran: a scheduler that comes up has read no DAG yet, and starts
    now what it should have started before."""
    return facts.looking_since is not None and at < facts.looking_since + STARTS_WITHIN


def held(facts: Facts) -> Why:
    """By the first of the checks that failed, and how many more. What releases all of them stands at the end."""
    first, *others = checks = facts.held_by
    more = f"; and {len(others)} more check{'s' * (len(others) != 1)}" if others else ""
    found, release = first.found, ""
    if all(IF_TRUE in check.found for check in checks):
        found, _, release = found.partition(IF_TRUE)
        release = IF_TRUE + release
    detail = f"check {first.name}: expected {first.expected}, found {found}{more}{release}"
    return Why("held", detail, tuple(check.name for check in checks))


def failed(task: Task, tz: dt.tzinfo) -> Why:
    """By itself, or by hand: then its error says by whose."""
    subject = "the run" if task.task_id == RUN else f"task {task.task_id}"
    ended = clock(task.ended_at, tz)
    if task.marked:
        return Why("failed", f"{subject} was {task.error} at {ended}", (task.task_id,))
    error = f": {task.error}" if task.error else ""
    return Why("failed", f"{subject} failed at {ended}{error}", (task.task_id,))


def _ended(over: Task, facts: Facts, tz: dt.tzinfo) -> Why:
    """The run as a whole is over, and there is no publication."""
    if over.state == "failed":
        return failed(over, tz)
    how = f"was {over.error}" if over.marked else "ended as a success"
    return Why("failed", _not_there(f"the run {how} at {clock(over.ended_at, tz)}", facts, tz), (RUN,))


def _not_there(ended: str, facts: Facts, tz: dt.tzinfo) -> str:
    """That the publication is not there although the run ended so, and what stands in its place."""
    odd = (_unreadable(reason, facts, tz) for reason in facts.unreadable)
    return "; ".join((f"{ended} but the publication is not there", *odd))


def _unfinished(facts: Facts, at: dt.datetime, tz: dt.tzinfo, pipeline: Pipeline) -> Why:
    task = open_task(facts)
    if task is None:
        goes_on = facts.tasks and not all(facts.is_past(each.ended_at) for each in facts.tasks)
        return _between_tasks(facts, at, tz) if goes_on else _begun(facts, at, tz)
    if task.state == "queued":
        if paused := _paused(facts, task.since, tz):
            since = clock(task.since, tz)
            return Why("stuck", f"{task.task_id} was cleared and has not started again since {since}{paused}")
        waits = task.since + STARTS_WITHIN <= at
        ended = "has not started again" if waits else "is about to start again"
        detail = f"{task.task_id} was cleared and {ended}{' since' if waits else ', since'}"
        cause: Cause = "stuck" if waits else "running"
        return Why(cause, f"{detail} {clock(task.since, tz)}", (task.task_id,))
    lock = f", blocked by {facts.blocked_by}" if facts.blocked_by else ""
    stuck = bool(lock) or at >= stuck_at(task, facts, pipeline)
    usual = facts.usual.duration.get(task.task_id)
    takes = f", usually {span(usual)}" if usual is not None else ""
    expected = expected_at(facts)
    by = f", expected {clock(expected, tz)}" if expected and not stuck and at < expected else ""
    word = "retrying" if task.state == "up_for_retry" else "in"
    said = f" ({task.error})" if task.error else ""
    detail = f"{word} {task.task_id} since {clock(task.since, tz)}{takes}{by}{lock}{said}"
    return Why("stuck" if stuck else "running", detail, (task.task_id,))


def _paused(facts: Facts, since: dt.datetime, tz: dt.tzinfo) -> str:
    """Why a run whose last step was `since` goes no further, where it was seen after that; "" where it was not."""
    dag = facts.dag
    is_paused = dag is not None and dag.paused and dag.seen_at >= since
    return f": {PAUSED} (as of {clock(dag.seen_at, tz)})" if dag and is_paused else ""


def _begun(facts: Facts, at: dt.datetime, tz: dt.tzinfo) -> Why:
    """The scheduler has started the run, and no task of it was heard of."""
    run = facts.run
    assert run is not None
    began = f"its run began at {clock(run.started_at, tz)}"
    if paused := _paused(facts, run.started_at, tz):
        return Why("stuck", f"no task has started since {began}{paused}")
    if at < run.started_at + STARTS_WITHIN:
        return Why("running", f"{began}, the first task is to start", (RUN,))
    return Why("stuck", f"no task has started since {began}", (WORKERS,))


def _between_tasks(facts: Facts, at: dt.datetime, tz: dt.tzinfo) -> Why:
    """Each task that has started is over."""
    last = facts.tasks[-1]
    ended = clock(last.ended_at, tz)
    if last.task_id == "publish":
        how = f" ({last.error})" if last.marked else ""
        return Why("failed", _not_there(f"the run finished green at {ended}{how}", facts, tz), ("publish",))
    if paused := _paused(facts, last.ended_at or last.started_at, tz):
        return Why("stuck", f"nothing has started since {last.task_id} ended at {ended}{paused}")
    if at < (last.ended_at or last.started_at) + STARTS_WITHIN:
        return Why("running", f"{last.task_id} ended at {ended}, the next task is to start", (last.task_id,))
    return Why("stuck", f"nothing has started since {last.task_id} ended at {ended}", (WORKERS,))


def open_task(facts: Facts) -> Task | None:
    """The task that the newest run stands at; None when each that has started is over."""
    return next((task for task in facts.tasks if task.state in OPEN), None)


def stuck_at(task: Task, facts: Facts, pipeline: Pipeline) -> dt.datetime:
    """From when on a task that is still open does not move: past twice what it takes at most, as a rule."""
    longest = facts.usual.longest.get(task.task_id)
    wait = pipeline.usually if longest is None else dt.timedelta(seconds=2 * longest)
    began = [task.since]
    if task.task_id == WAIT:  # it has something to do only once its tables are there
        began += [load.loaded_at for load in facts.loads if load.loaded_at]
    return max(began) + max(wait, NEVER_STUCK_WITHIN)


def expected_at(facts: Facts) -> dt.datetime | None:
    """When the run that goes on usually has published; None without enough history."""
    task = open_task(facts)
    seconds = facts.usual.remaining.get(task.task_id) if task else None
    return task.since + dt.timedelta(seconds=seconds) if task and seconds is not None else None


def _not_started(facts: Facts, tz: dt.tzinfo, pipeline: Pipeline, starts: dt.datetime | None) -> Why:
    """`names` is (SCHEDULER,) when nothing about this one DAG explains it: then the cause may be shared."""
    dag = facts.dag
    if dag is None:
        return Why("not_started", f"{NOT_STARTED}; whether the DAG is paused is not known", (SCHEDULER,))
    if dag.running:
        seen = clock(dag.seen_at, tz)
        runs = "a run of the DAG was" if dag.running == 1 else f"{dag.running} runs of the DAG were"
        return Why("not_started", f"{NOT_STARTED}: {runs} open at {seen}")
    if pipeline.schedule is None:
        asked = "and its runbook names no schedule: what starts it?"
    elif starts is not None and dag.seen_at >= starts + STARTS_WITHIN:
        # what saw it is a run, and only a scheduler starts one
        ran = f"and the scheduler ran at {clock(dag.seen_at, tz)}"
        asked = f"though the DAG is not paused {ran}: has it another schedule in Airflow?"
    else:
        asked = "though the DAG is not paused: is the scheduler running?"
    return Why("not_started", f"{NOT_STARTED}, {asked}", (SCHEDULER,))


def _late(loads: Iterable[Load], tz: dt.tzinfo) -> Iterator[str]:
    return (late_words(load, tz) for load in loads)


def late_words(load: Load, tz: dt.tzinfo) -> str:
    """Say of one late or partial table what is wrong and since when."""
    if load.state == "partial":
        since = clock(load.loaded_at, tz)
        return f"{load.table} is partial since {since}: {load.counts_words}"
    since = f", usually there by {clock(load.expected_at, tz)}" if load.expected_at else ""
    called = f" (a row of master.loads calls it {load.misnamed!r}: correct it)" if load.misnamed else ""
    return f"{load.table} has not arrived{since}{called}"


def clock(at: dt.datetime | None, tz: dt.tzinfo) -> str:
    return at.astimezone(tz).strftime("%H:%M") if at else "an unknown time"
