"""One night in few words, for the tests of the incident rules: growth of 22 November, due on Monday the 23rd at five.

A, B, C, D are the people and M is the manager; C is primary before D until Monday at 09:00, then D before A. What the
rules take and give is made and read here alone.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from oncall.core.incidents.context import IncidentContext
from oncall.core.incidents.escalation import escalate
from oncall.core.incidents.incident import Incident, Notification, NotificationStatus, Plan
from oncall.core.incidents.wording import Links, Scene
from oncall.core.promises.evaluation import DueTimes, PromiseStatus, evaluate_promise
from oncall.core.promises.facts import (
    Dag,
    Facts,
    FailedCheck,
    Load,
    Publication,
    Task,
    TaskState,
    TypicalDurations,
)
from oncall.core.promises.promise import Pipeline, Promise, Team
from oncall.core.rota.roster import EscalationStep, Roster
from oncall.core.runbook import SECTIONS, Runbook
from tests.core.rosters import PLUS_SEVEN, team

TZ = PLUS_SEVEN
DAY = dt.date(2026, 11, 22)
GROWTH, PROFIT, ENGAGEMENT = "growth_etl", "profit_etl", "engagement_etl"
KEY = "growth_etl:2026-11-22"
UPSTREAM = {
    GROWTH: ("master.sessions", "master.customers"),
    ENGAGEMENT: ("master.sessions",),
    PROFIT: ("master.orders",),
}


def at(clock: str, days: int = 0) -> dt.datetime:
    """Wall clock of Monday 23 November in UTC+7, or of so many days later."""
    day = DAY + dt.timedelta(days=1 + days)
    return dt.datetime.combine(day, dt.time.fromisoformat(clock), tzinfo=TZ)


# The world.


def a_pipeline(dag_id: str = GROWTH, *, promised: bool = True, **other: Any) -> Pipeline:
    name = dag_id.removesuffix("_etl")
    known: dict[str, Any] = {
        "dag_id": dag_id,
        "title": f"{name.title()} ETL",
        "purpose": "",
        "report": f"investor.daily_{name}",
        "schedule": None,
        "upstream": UPSTREAM.get(dag_id, ()),
        "upstream_owner": Team("Software Engineer Team", "#swe-master-data"),
        "downstream_owner": "Investor Dashboard",
        "primary_owner": "C",
        "secondary_owner": "D",
        "promise": Promise(dt.time(5), dt.time(3, 30)) if promised else None,
        "runbook": Runbook("", {key: f"steps for {key}" for key in SECTIONS}),
    }
    return Pipeline(**{**known, **other})


def a_load(
    table: str = "master.sessions",
    came: str | None = None,
    rows: int | None = 1000,
    median: float | None = 1000.0,
    usually: str | None = "02:00",
) -> Load:
    """A table that came at this time (None: not yet)."""
    if came is None:
        return Load(table, expected_at=at(usually) if usually else None)
    return Load(table, at(came), rows, median, at(usually) if usually else None)


def a_task(
    task_id: str, state: TaskState = "success", began: str = "02:00", ended: str | None = None, error: str = "",
    run: str = "night",
) -> Task:  # fmt: skip
    return Task(task_id, state, at(began), at(ended) if ended else None, run, error)


WAITED = a_task("wait_for_upstream", "success", "02:00", "02:10")
TRANSFORMS = a_task("transform", "running", "03:12")
FAILED = a_task("transform", "failed", "02:10", "02:40", "ValueError: boom")
CHECK = FailedCheck("identity", "0", "3")


def published(first: str, again: str | None = None, run: str = "night") -> Publication:
    """Published at `first`, the last time at `again`."""
    return Publication(at(first), at(again or first), run, 1)


def a_dag(**said: Any) -> Dag:
    """As Airflow said at four."""
    return Dag(at("04:00"), **{"paused": False, "running": 0, **said})


def usually(
    remaining: dict[str, float] | None = None,
    duration: dict[str, float] | None = None,
    longest: dict[str, float] | None = None,
) -> TypicalDurations:
    return TypicalDurations(remaining or {}, duration or {}, longest or {})


def a_report(
    clock: str, dag_id: str = GROWTH, *, days: int = 0, promised: bool = True, drill: str = "",
    schedule: str | None = None, **facts: Any,
) -> PromiseStatus:  # fmt: skip
    """A report judged at this time, on these facts."""
    pipeline = a_pipeline(dag_id, promised=promised, schedule=schedule)
    return evaluate_promise(pipeline, DAY, Facts(**facts), at(clock, days), TZ, DueTimes(drill=drill))


# The people, and where things are.

STEPS = tuple(
    EscalationStep(dt.timedelta(minutes=minutes), seat)  # type: ignore[arg-type]
    for minutes, seat in ((0, "primary"), (15, "secondary"), (30, "manager"))
)


def a_scene(clock: str, days: int = 0, roster: Roster | None = None) -> Scene:
    known = replace(roster or team(), escalation=STEPS, slack_channel="#de-oncall")
    return Scene(known, Links("http://airflow.test"), at(clock, days))


# What the rules take, and what they say.


def an_incident(dag_id: str = GROWTH, **known: Any) -> Incident:
    """Of the report of the 22nd, opened at half past three."""
    drill = known.get("drill", "")
    key = f"{dag_id}:{DAY}"
    about = {"key": f"drill-{drill}:{key}" if drill else key, "dag_id": dag_id, "report_date": DAY}
    return Incident(**{**about, "opened_at": at("03:30"), "due": at("05:00"), **known})


Steps = Mapping[str, Sequence[tuple[str, str]]]  # by incident, what was said of it: (channel, step)


def an_entry(key: str, channel: str, step: str, person: str = "C", **known: Any) -> NotificationStatus:
    """Something that was sent: to the pager an alert for this person."""
    page = channel == "pager"
    about: dict[str, Any] = {"op": "page" if page else "post", "alias": f"{key}:{step}" if page else ""}
    when = {"owed_at": at("05:00"), "done_at": at("05:00")}
    return NotificationStatus(
        **{"step": step, "channel": channel, "state": "done", "person": person, **about, **when, **known}
    )


def evaluation_inputs(said: Steps) -> dict[str, tuple[NotificationStatus, ...]]:
    """What `decide` is told was said before; at four, what was said before it was late."""

    def when(step: str) -> dict[str, Any]:
        return {} if step.startswith("page-") else {"owed_at": at("04:00"), "done_at": at("04:00")}

    return {
        key: tuple(an_entry(key, channel, step, **when(step)) for channel, step in steps)
        for key, steps in said.items()
    }


def a_case(
    *members: PromiseStatus,
    incident: Incident | None = None,
    said: Iterable[tuple[str, str]] = (),
    alerts: Iterable[str] = (),
) -> IncidentContext:
    """An incident that speaks for these, after this was said of it (channel, step) and these steps are open alerts."""
    mine = incident or an_incident(members[0].pipeline.dag_id, drill=members[0].drill)
    where = dict.fromkeys((*said, *(("pager", step) for step in alerts)))
    return IncidentContext(mine, members, tuple(an_entry(mine.key, *each) for each in where))


PAGED = an_incident(paged_at=at("05:00"), verdict="broken")
PRIMARY, SECONDARY = "page-1-primary", "page-2-secondary"
STUCK: dict[str, Any] = {"tasks": (WAITED, TRANSFORMS)}


def a_page(
    step: str = PRIMARY, person: str = "C", taken: str | None = "05:00", **known: Any
) -> NotificationStatus:
    """A page to this person that the pager took at this time (None: not yet)."""
    state = {"state": "done"} if taken else {"state": "owed"}
    done_at = at(taken) if taken else None
    return an_entry(KEY, "pager", step, person, **{**state, "done_at": done_at, **known})


def a_stuck_case(
    clock: str, *entries: NotificationStatus, incident: Incident = PAGED, **facts: Any
) -> IncidentContext:
    """A report that was late at five, stuck in its transform."""
    return IncidentContext(incident, (a_report(clock, **{**STUCK, **facts}),), entries)


@dataclass(frozen=True)
class Said:
    """One thing that a plan says: where, what is done there, and in which words, to whom."""

    channel: str
    op: str
    step: str
    title: str
    text: str
    priority: str
    to: tuple[str, ...]
    steps: str
    alias: str
    about: str
    runbook: str

    @classmethod
    def of(cls, owed: Notification) -> Said:
        """Whatever is owed is about one incident and one step, and an alert is found again by both."""
        message = owed.message
        assert owed.key == message.key
        assert owed.key
        assert owed.step
        assert message.step
        if owed.op in ("page", "post"):
            assert owed.step == message.step
        if owed.op == "page":
            assert owed.alias == message.alias
        people = tuple(person.name for person in message.recipients)
        return cls(
            owed.channel, owed.op, owed.step, message.title, message.summary, message.priority, people,
            message.steps, owed.alias, dict(message.facts).get("Report", ""), dict(message.links).get("Runbook", ""),
        )  # fmt: skip

    @property
    def where(self) -> tuple[str, str]:
        return self.channel, self.op


def said_by(plan: Plan | None) -> list[Said]:
    """In order; nothing is owed twice."""
    said = [Said.of(owed) for owed in plan.owed] if plan else []
    assert len({(one.channel, one.step) for one in said}) == len(said)
    return said


def the_page(plan: Plan | None) -> Said:
    """The one alert of a plan; the chat has to hear the same."""
    said = said_by(plan)
    [page] = [one for one in said if one.where == ("pager", "page")]
    [post] = [one for one in said if one.where == ("chat", "post")]
    assert replace(page, channel="chat", op="post", alias="") == post
    return page


def the_post(plan: Plan | None) -> Said:
    """The one thing that a plan says, in the chat alone."""
    [post] = said_by(plan)
    assert post.where == ("chat", "post")
    return post


def events(plan: Plan | None) -> Sequence[str]:
    """The lines of the timeline, each of an incident and an instant."""
    assert all(event.key and event.at for event in (plan.events if plan else ()))
    return [event.what for event in plan.events] if plan else []


def paged(
    case: IncidentContext, clock: str, roster: Roster | None = None
) -> list[tuple[str, tuple[str, ...]]]:
    """The alerts of this look: step and people."""
    said = said_by(escalate(case, a_scene(clock, roster=roster)))
    return [(one.step, one.to) for one in said if one.where == ("pager", "page")]
