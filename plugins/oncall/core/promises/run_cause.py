"""Why a run that has begun has not published: a check, a failure, or a task that goes on or stands still. Pure."""

from __future__ import annotations

import datetime as dt
import re

from oncall.core.message import one_line
from oncall.core.promises.facts import IF_TRUE, RUN, Facts, Task
from oncall.core.promises.promise import Pipeline
from oncall.core.promises.unseen import unreadable
from oncall.core.promises.why import AIRFLOW, Cause, Kind, Why
from oncall.core.redaction import redacted
from oncall.core.time_format import clock, span

WAIT = "wait_for_upstream"  # the sensor: a run that stands here has only its upstream to blame
WORKERS = "workers"  # what may keep several pipelines from going on
OPEN = ("running", "up_for_retry", "queued")
STARTS_WITHIN = dt.timedelta(minutes=10)  # how long a run or a task may take to start
MOST_FOUND = 30  # characters of what a check found or expected, in a title; the detail has all of it
# A task of seconds is not stuck because a worker was slow once.
NEVER_STUCK_WITHIN = dt.timedelta(minutes=1)
# The class of an error says less than its words: "OperationalError: terminating connection due to …". Not where they
# are one quoted name, as of a KeyError.
_CLASS = re.compile(r"^(?:\w+\.)*[A-Z]\w*: (?=[A-Za-z]|\S* )")
_WHICH_FILE = re.compile(r'^could not \w+ file "[^"]*": (?=No space left|Disk quota)')
_IN_TABLE = re.compile(r"(?:\S+ in|no table) (\w+\.\w+)")
PAUSED = "the DAG is paused"


def held(facts: Facts) -> Why:
    """By the first of the checks that failed, and how many more. What releases all of them stands at the end."""
    first, *others = checks = facts.held_by
    more = f"; and {len(others)} more check{'s' * (len(others) != 1)}" if others else ""
    found, release = first.found, ""
    if all(IF_TRUE in check.found for check in checks):
        found, _, release = found.partition(IF_TRUE)
        release = IF_TRUE + release
    detail = f"check {first.name}: expected {first.expected}, found {found}{more}{release}"
    names = tuple(check.name for check in checks)
    brief = f"held by {len(checks)} checks, first {first.name}:" if others else f"held: {first.name}"
    brief = f"{brief} found {_found(found)}, expected {one_line(first.expected, MOST_FOUND)}"
    table = _IN_TABLE.match(found)
    kind: Kind = (
        "unusual" if release else "upstream's rows" if table and table[1].startswith("master.") else ""
    )
    return Why("held", detail, names, brief, rests_on=(f"rows of {table[1]}",) if table else (), kind=kind)


def _found(found: str) -> str:
    """What a check found, as short as a title has room for.

    Of "1 in master.loads.row_count, such as … (9 rows, but 0 of that day in master.orders)" that is what stands in the
    brackets; of "1 in master.sessions.customer_id, such as session_id 7" the table is enough.
    """
    found = re.sub(r"^1 in master\.loads\.row_count, [^(]*\(([^()]*)\).*", r"\1", found, flags=re.DOTALL)
    found = re.sub(r"^(\S+ in \w+\.\w+)\.\w+, such as .*", r"\1", found, flags=re.DOTALL)
    return one_line(found, MOST_FOUND)


def failed(task: Task, tz: dt.tzinfo) -> Why:
    """By itself, or by hand: then its error says by whose."""
    task_, subject = ("", "the run") if task.task_id == RUN else ("task ", task.task_id)
    ended = clock(task.ended_at, tz)
    if task.marked:
        brief = f"{subject} was {task.error} at {ended}"
        return Why("failed", f"{task_}{brief}", (task.task_id,), brief, rests_on=(), kind="marked")
    brief = f"{subject} failed at {ended}"
    error = f": {task.error}" if task.error else ""
    detail = f"{task_}{brief}{error}"
    return Why("failed", detail, (task.task_id,), brief, bare(task.error), rests_on=_on_error(task.error))


def bare(error: str) -> str:
    """Its own words, without its class and the file that a full disk was met at."""
    return _WHICH_FILE.sub("", _CLASS.sub("", error))


def _on_error(error: str) -> tuple[str, ...]:
    """Errors are the same when they differ in numbers alone: a file's, a process's, an instant's."""
    return ("error: " + re.sub(r"\d+", "#", redacted(error)),) if error else ()


def ended(over: Task, facts: Facts, tz: dt.tzinfo) -> Why:
    """The run as a whole is over, and there is no publication."""
    if over.state == "failed":
        return failed(over, tz)
    how, run = (f"was {over.error}", over.error) if over.marked else ("ended as a success", "green")
    clock_then = clock(over.ended_at, tz)
    brief = f"run {run} at {clock_then}, nothing published"
    detail = _not_there(f"the run {how} at {clock_then}", facts, tz)
    return Why("failed", detail, (RUN,), brief, rests_on=(), kind="green")


def _not_there(ended: str, facts: Facts, tz: dt.tzinfo) -> str:
    """That the publication is not there although the run ended so, and what stands in its place."""
    odd = (unreadable(reason, facts, tz) for reason in facts.unreadable)
    return "; ".join((f"{ended} but the publication is not there", *odd))


def unfinished(facts: Facts, at: dt.datetime, tz: dt.tzinfo, pipeline: Pipeline) -> Why:
    """It goes on, or should: where it stands, and whether it moves."""
    task = open_task(facts)
    if task is None:
        goes_on = facts.tasks and not all(facts.is_past(each.ended_at) for each in facts.tasks)
        return _between_tasks(facts, at, tz) if goes_on else _begun(facts, at, tz)
    if task.state == "queued":
        since, cleared = clock(task.since, tz), f"{task.task_id} was cleared and"
        brief = f"stuck, {task.task_id} cleared, no start since {since}"
        if paused := _paused(facts, task.since, tz):
            detail = f"{cleared} has not started again since {since}{paused}"
            return _paused_on_its_way(detail, brief)
        if task.since + STARTS_WITHIN <= at:
            return Why("stuck", f"{cleared} has not started again since {since}", (task.task_id,), brief)
        return Why("running", f"{cleared} is about to start again, since {since}", (task.task_id,))
    return _open_since(task, facts, at, tz, pipeline)


def _open_since(task: Task, facts: Facts, at: dt.datetime, tz: dt.tzinfo, pipeline: Pipeline) -> Why:
    """It runs, or waits for its next try: within its usual time, or past it."""
    stuck = bool(facts.blocked_by) or at >= stuck_at(task, facts, pipeline)
    usual, expected = facts.usual.duration.get(task.task_id), expected_at(facts)
    takes = f", usually {span(usual)}" if usual is not None else ""
    takes += f", expected {clock(expected, tz)}" if expected and not stuck and at < expected else ""
    retries = task.state == "up_for_retry"
    since = f"{'retrying' if retries else 'in'} {task.task_id} since {clock(task.since, tz)}"
    said = f" ({task.error})" if task.error else ""
    cause: Cause = "stuck" if stuck else "running"
    brief = since if retries and not stuck else f"{cause} {since}"
    kind: Kind = "retrying" if retries and not stuck else ""
    on: tuple[str, ...] = (AIRFLOW,)
    if facts.blocked_by:
        takes += f", blocked by {facts.blocked_by}"
        on, kind = (f"lock of {facts.blocked_by.partition('(')[0]}",), "blocked"
    elif retries and task.error:
        error, on = bare(task.error), _on_error(task.error)
        detail = f"{since}{takes}{said}"
        return Why(cause, detail, (task.task_id,), brief, error, rests_on=on, kind=kind)
    elif task.task_id == WAIT and (came := _tables_came(facts)):
        if at >= max(came, task.since) + NEVER_STUCK_WITHIN:
            kind = "not woken"
        said += f", its tables are there (last load {clock(came, tz)})" if came > task.since else ""
    return Why(cause, f"{since}{takes}{said}", (task.task_id,), f"{brief}{takes}", rests_on=on, kind=kind)


def _paused_on_its_way(detail: str, brief: str) -> Why:
    return Why("stuck", detail, brief=f"{brief}, DAG paused", rests_on=("paused",), kind="paused on its way")


def _paused(facts: Facts, since: dt.datetime, tz: dt.tzinfo) -> str:
    """Why a run whose last step was `since` goes no further, where it was seen after that; "" where it was not."""
    dag = facts.dag
    is_paused = dag is not None and dag.paused and dag.seen_at >= since
    return f": {PAUSED} (as of {clock(dag.seen_at, tz)})" if dag and is_paused else ""


def _begun(facts: Facts, at: dt.datetime, tz: dt.tzinfo) -> Why:
    """The scheduler has started the run, and no task of it was heard of."""
    run = facts.run
    assert run is not None
    began, brief = f"its run began at {(since := clock(run.started_at, tz))}", "stuck, no task heard of since"
    if paused := _paused(facts, run.started_at, tz):
        detail = f"no task was heard of since {began}{paused}"
        return _paused_on_its_way(detail, f"{brief} {since}")
    if at < run.started_at + STARTS_WITHIN:
        brief = f"running since {since}, first task to start"
        return Why("running", f"{began}, the first task is to start", (RUN,), brief, kind="starting")
    detail = f"no task was heard of since {began}"
    return Why("stuck", detail, (WORKERS,), f"{brief} {since}", kind="unheard")


def _between_tasks(facts: Facts, at: dt.datetime, tz: dt.tzinfo) -> Why:
    """Each task that has started is over."""
    last = facts.tasks[-1]
    ended = clock(last.ended_at, tz)
    if last.task_id == "publish":
        how = f" ({last.error})" if last.marked else ""
        detail = _not_there(f"the run finished green at {ended}{how}", facts, tz)
        brief = f"run green at {ended}, nothing published"
        return Why("failed", detail, ("publish",), brief, rests_on=(), kind="green")
    over = f"{last.task_id} ended at {ended}"
    if paused := _paused(facts, last.ended_at or last.started_at, tz):
        return _paused_on_its_way(f"nothing was heard of since {over}{paused}", f"stuck since {ended}")
    if at < (last.ended_at or last.started_at) + STARTS_WITHIN:
        brief = f"running, {over}, next task to start"
        return Why("running", f"{over}, the next task is to start", (last.task_id,), brief, kind="starting")
    brief = f"stuck since {ended}, nothing heard after {last.task_id}"
    return Why("stuck", f"nothing was heard of since {over}", (WORKERS,), brief, kind="unheard")


def open_task(facts: Facts) -> Task | None:
    """The task that the newest run stands at; None when each that has started is over."""
    return next((task for task in facts.tasks if task.state in OPEN), None)


def stuck_at(task: Task, facts: Facts, pipeline: Pipeline) -> dt.datetime:
    """From when on a task that is still open does not move: past twice what it takes at most, as a rule."""
    longest = facts.usual.longest.get(task.task_id)
    wait = pipeline.usually if longest is None else dt.timedelta(seconds=2 * longest)
    began = [task.since]
    if task.task_id == WAIT:  # it has something to do only once its tables are there: to end
        wait = min(wait, STARTS_WITHIN)
        began += [load.loaded_at for load in facts.loads if load.loaded_at]
    return max(began) + max(wait, NEVER_STUCK_WITHIN)


def _tables_came(facts: Facts) -> dt.datetime | None:
    """When the last of them came, or was counted again."""
    return max((load.loaded_at for load in facts.loads if load.loaded_at), default=None)


def expected_at(facts: Facts) -> dt.datetime | None:
    """When the run that goes on usually has published; None without enough history."""
    task = open_task(facts)
    seconds = facts.usual.remaining.get(task.task_id) if task else None
    return task.since + dt.timedelta(seconds=seconds) if task and seconds is not None else None
