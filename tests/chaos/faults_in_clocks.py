"""Clocks at their edges, and clocks that are wrong: nobody is woken before due, and nobody sleeps over it."""

from __future__ import annotations

import datetime as dt

from tests.chaos import chaos_beside
from tests.chaos.chaos_fault import fault
from tests.chaos.chaos_ground import DAG_ID, Ground, Promised
from tests.chaos.chaos_outcome import Outcome
from tests.chaos.faults_in_people import mail, row

WRONG_S = 600


def look(ground: Ground, *instants: dt.datetime) -> None:
    """A worker looks as if it were these instants, one after the other; nobody else does."""
    process = ground.beside(chaos_beside.look_at, *(at.isoformat() for at in instants))
    assert process.wait(120) == 0, "the look failed; see logs/others.log"


def promised_in_the_past(ground: Ground, due: dt.datetime) -> Promised:
    """A promise that somebody began to watch a minute before it was due."""
    promised = ground.promise_at(due)
    since = (due - dt.timedelta(minutes=1)).isoformat()
    ground.sql(
        "oncall",
        "insert into oncall.memory (name, value) values ('watching_since', %s)"
        " on conflict (name) do update set value = excluded.value",
        since,
    )
    return promised


@fault("clock just before and after midnight UTC", group="clocks", airflow=False)
def midnight_utc(ground: Ground) -> Outcome:
    midnight = dt.datetime.now(dt.UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    promised = promised_in_the_past(ground, midnight.astimezone(ground.zone))
    # A look's clock goes on: so long before that a busy machine has ended it by then.
    look(ground, midnight - dt.timedelta(seconds=20))
    ground.nothing_said(promised)
    began = dt.datetime.now(dt.UTC)
    look(ground, midnight, midnight + dt.timedelta(seconds=1))
    seen = ground.paged(promised, since=began)
    day = midnight.date() - dt.timedelta(
        days=1
    )  # 07:00 in UTC+7 of the same date: the report is the day before's
    woken = [alert.alias for alert in ground.far.alerts() if alert.priority == "P1"]
    assert woken == [f"{DAG_ID}:{day}:page-1-primary"]
    return Outcome(f"due 00:00:00Z; at 23:59:40Z no page, at 00:00:00Z {seen.seen}")


@fault("clock just before and after Monday 09:00", group="clocks", airflow=False)
def monday_nine(ground: Ground) -> Outcome:
    now = dt.datetime.now(ground.zone)
    monday = (now - dt.timedelta(days=now.weekday())).replace(hour=9, minute=0, second=0, microsecond=0)
    nine = monday if monday < now else monday - dt.timedelta(days=7)
    # So long before the handoff that a busy machine has sent the page by then: later, it would go to the new primary.
    before_nine = nine - dt.timedelta(seconds=20)
    promised = promised_in_the_past(ground, before_nine)
    (before, _), (after, _) = row(before_nine), row(nine)
    look(ground, before_nine, nine)
    seen = ground.paged(promised, to=mail(before))
    # By an escalation of the new week's, or (the page of the old one was taken after nine) as a further one of the old.
    ground.wait_for("the new primary", lambda: len(ground.far.of(promised.key, priority="P1")) > 1, 30)
    called = [alert.recipients for alert in ground.far.of(promised.key, priority="P1")]
    assert called == [[mail(before)], [mail(after)]], f"paged {called}"
    return Outcome(f"08:59:40 {seen.seen}; 09:00:00 P1 to {mail(after)}")


NOT_EARLY = "nobody before due; then P1 to the primary"


def not_before_due(ground: Ground, promised: Promised) -> Outcome:
    ground.until(promised.due, before_s=1)
    ground.nothing_said(promised)
    return ground.paged(promised)


@fault("the watcher's clock 10 minutes ahead", group="clocks", heard=NOT_EARLY)
def watcher_ahead(ground: Ground) -> Outcome:
    ground.wrong_clock("triggerer", WRONG_S)
    return not_before_due(ground, ground.promise(30, on_the_minute=True))


@fault("the watcher's clock 10 minutes behind", group="clocks", heard=NOT_EARLY)
def watcher_behind(ground: Ground) -> Outcome:
    ground.wrong_clock("triggerer", -WRONG_S)
    return not_before_due(ground, ground.promise(30, on_the_minute=True))


@fault("a worker's clock 10 minutes ahead", group="clocks", heard=NOT_EARLY)
def worker_ahead(ground: Ground) -> Outcome:
    worker = ground.beside(chaos_beside.look_all_the_time, clock_s=WRONG_S)
    seen = not_before_due(ground, ground.promise(30))
    assert worker.poll() is None, "the worker did not look; see logs/others.log"
    return seen
