"""Why a report is not published, in one plain sentence. Pure: facts and the instant in, a cause out."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from dataclasses import replace

from oncall.core.promises.facts import Facts, Load, Task
from oncall.core.promises.promise import Pipeline
from oncall.core.promises.run_cause import PAUSED, STARTS_WITHIN, WAIT, bare, ended, failed, held, unfinished
from oncall.core.promises.unseen import unseen
from oncall.core.promises.why import Kind, Why
from oncall.core.redaction import redacted
from oncall.core.time_format import clock, day

SCHEDULER = "scheduler"  # what may keep several pipelines from starting
SHOWN_WITHIN = dt.timedelta(seconds=20)  # how far a copy of the warehouse may lag behind

NOT_STARTED = "no task of this report date has started"
NEVER = "never started"


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
        detail = "; ".join((stopped.detail, *_late(overdue, tz)))
        return replace(stopped, detail=detail, waits_on=tuple(map(_shown, overdue)))
    if late:
        why = _waiting(facts, late, tz)
        runs = facts.tasks or facts.run or facts.unreadable or starts is None or at < starts
        return (
            why if runs else replace(why, detail=f"{why.detail}; no run has started yet", kind="no run yet")
        )
    if facts.held_by:
        return held(facts)
    if facts.failure and facts.failed_now:
        return failed(facts.failure, tz)
    if facts.over:
        return ended(facts.over, facts, tz)
    if facts.tasks or facts.run:
        return unfinished(facts, at, tz, pipeline)
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
    detail, shown = "; ".join(said), tuple(map(_shown, late))
    why = Why("upstream_late", detail, tables, "waiting", waits_on=shown, rests_on=tables)
    if end := gave_up(facts):
        detail = f"{detail}; the run gave up waiting at {clock(end.ended_at, tz)}"
        return replace(why, detail=detail, brief="run gave up waiting", kind="gave up")
    return why


def _stopped_by_hand(facts: Facts, tz: dt.tzinfo) -> Why | None:
    """A person ended the run: whatever it waited for, it waits for no more."""
    over = facts.over
    if over and facts.gone:
        seen = clock(over.ended_at, tz)
        brief = f"its run was deleted (seen at {seen})"
        return Why(
            "not_started", f"{brief} and no other one has started", brief=brief, rests_on=(), kind="deleted"
        )
    marked = [task for task in facts.failed_now if task.marked]
    if marked:
        return failed(marked[-1], tz)
    return ended(over, facts, tz) if over and over.marked else None


def cannot_come(facts: Facts, tz: dt.tzinfo, pipeline: Pipeline) -> Why | None:
    """No run has started, and what Airflow said of the DAG is why none will."""
    dag = facts.dag
    if facts.tasks or facts.run or facts.unreadable or dag is None:
        return None
    obstacles, brief, on = ([PAUSED], "DAG paused", "paused") if dag.paused else ([], "", "")
    kind: Kind = "paused"
    if dag.import_error:
        obstacles.append(f"the DAG file has an import error: {dag.import_error}")
        brief = f"{brief}, import error" if brief else "DAG import error"
        on = f"import error: {redacted(dag.import_error)}"
        kind = "paused, import error" if dag.paused else "import error"
    elif dag.missing:
        obstacles.append(f"Airflow has no DAG {pipeline.dag_id}: its file is gone or broken")
        brief = f"{brief}, its file gone or broken" if brief else f"no DAG {pipeline.dag_id} in Airflow"
        on = "DAG files gone"
        kind = "paused, its DAG gone" if dag.paused else "DAG gone"
    if not obstacles:
        return None
    # A deploy that broke what several files import is one cause; that one of them is paused too is not.
    shared = (", and ".join([*obstacles[:-1], dag.import_error]),) if dag.import_error else ()
    detail = f"{', and '.join(obstacles)} (as of {clock(dag.seen_at, tz)})"
    return Why("not_started", detail, shared, brief, bare(dag.import_error), rests_on=(on,), kind=kind)


def is_overdue(facts: Facts, at: dt.datetime, starts: dt.datetime | None) -> bool:
    """By its own schedule a run should have started, and none has."""
    if facts.tasks or facts.run or facts.unreadable or starts is None:
        return False
    return at >= starts + STARTS_WITHIN and not comes_up(facts, at)


def comes_up(facts: Facts, at: dt.datetime) -> bool:
    """Nobody looked until just now, and maybe nothing ran: a scheduler that comes up has read no DAG yet, and starts
    now what it should have started before."""
    return facts.looking_since is not None and at < facts.looking_since + STARTS_WITHIN


def _not_started(facts: Facts, tz: dt.tzinfo, pipeline: Pipeline, starts: dt.datetime | None) -> Why:
    """`names` is (SCHEDULER,) when nothing about this one DAG explains it: then the cause may be shared."""
    dag = facts.dag
    if dag is None:
        asked = "whether the DAG is paused is not known"
        return Why("not_started", f"{NOT_STARTED}; {asked}", (SCHEDULER,), f"{NEVER}: {asked}")
    if dag.running:
        runs = "a run" if dag.running == 1 else f"{dag.running} runs"
        were = f"{'was' if dag.running == 1 else 'were'} open at {clock(dag.seen_at, tz)}"
        detail = f"{NOT_STARTED}: {runs} of the DAG {were}"
        return Why("not_started", detail, brief=f"{NEVER}: {runs} {were}", kind="other runs")
    before = "though the DAG is not paused"
    kind: Kind
    if pipeline.schedule is None:
        kind, asked, before = "no schedule", "no schedule: what starts it?", "and its runbook names"
    elif starts is not None and dag.seen_at >= starts + STARTS_WITHIN:
        # what saw it is a run, and only a scheduler starts one
        kind, asked = "another schedule", "has it another schedule in Airflow?"
        before += f" and the scheduler ran at {clock(dag.seen_at, tz)}:"
    else:
        kind, asked, before = "no scheduler", "is the scheduler running?", f"{before}:"
    detail = f"{NOT_STARTED}, {before} {asked}"
    return Why("not_started", detail, (SCHEDULER,), f"{NEVER}: {asked}", kind=kind)


def _shown(load: Load) -> str:
    return f"{load.table} (partial)" if load.state == "partial" else load.table


def _late(loads: Iterable[Load], tz: dt.tzinfo) -> Iterator[str]:
    return (late_words(load, tz) for load in loads)


def late_words(load: Load, tz: dt.tzinfo) -> str:
    """Say of one late or partial table what is wrong and since when."""
    if load.state == "partial":
        since = clock(load.loaded_at, tz)
        return f"{load.table} is partial since {since}: {load.counts_words}"
    since = f", usually there by {clock(load.expected_at, tz)}" if load.expected_at else ""
    called = f" (a row of master.loads calls it {load.misnamed!r}: correct it)" if load.misnamed else ""
    if load.no_day:
        written, meant = load.no_day
        write = f"if it is that of {day(meant)}, write it as {meant}"
        called = f" (a row of master.loads has {written!r} for its day: {write})"
    return f"{load.table} has not arrived{since}{called}"
