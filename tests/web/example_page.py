"""An example of everything the page can show: the shipped include/ folder at a chosen instant, and a source of it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

from oncall.config.oncall_config import OncallConfig, load
from oncall.core.errors import Problem
from oncall.core.incidents.incident import Event, Incident
from oncall.core.promises.attainment import FirstPublished
from oncall.core.promises.evaluation import evaluate_promise
from oncall.core.promises.facts import Facts, FailedCheck, Load, Publication, Task, TypicalDurations
from oncall.core.rota.roster import Leave, Override, Person, Roster, Rotation
from oncall.usecases.history import DeliveryRecord, FeedLink, IncidentRecord, SystemHealth
from oncall.usecases.manual_actions import Outcome
from oncall.web.snapshot import PageSnapshot
from tests.web.example_reports import ExampleReports

INCLUDE = Path(__file__).resolve().parents[2] / "include"
TZ = dt.timezone(dt.timedelta(hours=7))
BERLIN = ZoneInfo("Europe/Berlin")
DAY = dt.date(2026, 11, 22)  # the report date; due on Monday 23 November at 05:00


def at(clock: str, day: dt.date = DAY + dt.timedelta(days=1)) -> dt.datetime:
    """A wall-clock time of the due day (or another) in UTC+7."""
    return dt.datetime.combine(day, dt.time.fromisoformat(clock), tzinfo=TZ)


@dataclass
class Links:
    """Implements `Feeds`: keys are numbers."""

    made: dict[str, FeedLink] = field(default_factory=dict)
    said: dict[str, str] = field(default_factory=dict)

    def make(self, what: str, by: str, at: dt.datetime) -> str:
        key = f"key-{len(self.made) + 1}"
        self.made[key] = FeedLink(f"id-{key}", what, by, at, at + dt.timedelta(days=365))
        return key

    def find(self, key: str, at: dt.datetime) -> str | None:
        return self.made[key].what if key in self.made else None

    def all(self) -> list[FeedLink]:
        return list(self.made.values())

    def revoke(self, link_id: str) -> bool:
        return self.made.pop(link_id.removeprefix("id-"), None) is not None

    def revise(self, what: str, change: Callable[[str], str]) -> str:
        self.said[what] = change(self.said.get(what, ""))
        return self.said[what]


@dataclass
class Example:
    """Implements `Source`: shows what it is told to show."""

    seen: PageSnapshot
    reads: int = 0
    acts: list[tuple[str, ...]] = field(default_factory=list)
    refuses: str = ""
    links: Links = field(default_factory=lambda: Links())
    beat: SystemHealth | Exception = field(default_factory=SystemHealth)
    told: ExampleReports = field(default_factory=ExampleReports)

    def read(self) -> PageSnapshot:
        self.reads += 1
        return self.seen

    def acknowledge(self, key: str, by: str, dag_ids: Collection[str]) -> Outcome:
        return self._act("acknowledge", key, by, *sorted(dag_ids))

    def resolve(self, key: str, by: str, note: str, dag_ids: Collection[str]) -> Outcome:
        return self._act("resolve", key, by, note, *sorted(dag_ids))

    def page(self, key: str, by: str, person: str, dag_ids: Collection[str]) -> Outcome:
        return self._act("page", key, by, person, *sorted(dag_ids))

    def run_again(self, dag_id: str, report_date: dt.date, by: str) -> Outcome:
        return self._act("run", f"{dag_id}:{report_date}", by)

    def feeds(self) -> Links:
        return self.links

    def reports(self) -> ExampleReports:
        return self.told

    def system_health(self) -> SystemHealth:
        if isinstance(self.beat, Exception):
            raise self.beat
        return self.beat

    def _act(self, *what: str) -> Outcome:
        self.acts.append(what)
        return Outcome(not self.refuses, self.refuses or "Done.")


@cache
def config() -> OncallConfig:
    """The shipped roster with some leave, an override and its consequences."""
    shipped = load(INCLUDE)
    start = shipped.roster.day_starts
    leave = (
        Leave("DE-004", start(dt.date(2026, 11, 23)), start(dt.date(2026, 11, 30)), "holiday"),
        Leave("DE-001", start(dt.date(2026, 12, 8)), start(dt.date(2026, 12, 10)), "dentist"),
    )
    override = Override(
        start(dt.date(2026, 12, 24)), start(dt.date(2026, 12, 26)), primary="DE-003", reason="swap"
    )
    return OncallConfig(
        replace(shipped.roster, leave=leave, overrides=(override,)), shipped.pipelines, shipped.texts
    )


def morning() -> PageSnapshot:
    """05:12: profit is there, engagement waits for a table, growth is stuck; Slack is down, the watcher lives."""
    now = at("05:12")
    pipelines = config().pipelines
    usual = TypicalDurations({"transform": 1500.0}, {"transform": 720.0, "wait_for_upstream": 60.0})
    loads = tuple(
        Load(name, at("01:10"), 48211, 47900.0, at("01:05")) for name in pipelines["profit_etl"].upstream
    )
    made = Publication(at("02:31"), at("02:31"), "scheduled__1", 1)
    facts = {
        "profit_etl": Facts(publication=made, loads=loads, usual=usual),
        "engagement_etl": Facts(
            loads=(
                Load("master.sessions", None, None, 180_000.0, at("01:20")),
                Load("master.customers", at("00:58"), 21_000, 52_000.0, at("01:00")),
            ),
            tasks=(Task("wait_for_upstream", "running", at("02:00"), run_id="scheduled__2"),),
            usual=usual,
        ),
        "growth_etl": Facts(
            loads=(Load("master.sessions", None, None, 180_000.0, at("01:20")),),
            tasks=(
                Task("wait_for_upstream", "success", at("02:00"), at("02:01"), "scheduled__3"),
                Task("transform", "running", at("03:12"), run_id="scheduled__3"),
            ),
            usual=usual,
        ),
    }  # fmt: skip
    statuses = [evaluate_promise(pipelines[dag], DAY, seen, now, TZ) for dag, seen in facts.items()]
    after = DAY + dt.timedelta(days=1)
    statuses += [evaluate_promise(pipelines[dag], after, Facts(), now, TZ) for dag in facts]
    held = Facts(failed_checks=(FailedCheck("channels_add_up_to_the_day", "0.00", "12.40"),))
    statuses.append(evaluate_promise(pipelines["unit_profit_experiments"], DAY, held, now, TZ))
    return PageSnapshot(
        at=now,
        config=config(),
        statuses=tuple(statuses),
        records=(_broken(), _followed(), _resolved()),
        published={pipelines[dag].report: _published(pipelines[dag].report) for dag in facts},
        tick=now - dt.timedelta(seconds=9),
    )


def two_teams() -> PageSnapshot:
    """The same morning, but the growth pipelines are another team's: in Berlin, with a DE-001 of its own."""
    seen = morning()
    people = {name: Person(name, f"{name} of Berlin") for name in ("DE-001", "DE-002", "BOSS")}
    roster = Roster(
        BERLIN, "BOSS", people, (Rotation(dt.date(2025, 12, 29), (("DE-001", "DE-002"), ("DE-002", "DE-001"))),),
        slack_channel="#growth", opsgenie_team="growth-team", team="growth",
    )  # fmt: skip
    theirs = {
        name: replace(one, team="growth" if "growth" in name else "", primary_owner="DE-002")
        for name, one in seen.config.pipelines.items()
    }
    config = OncallConfig(seen.config.roster, theirs, teams={"growth": roster})
    statuses = [
        evaluate_promise(
            pipeline := theirs[status.pipeline.dag_id],
            status.report_date,
            status.facts,
            seen.at,
            config.roster_of(pipeline.dag_id).tz,
        )
        for status in seen.statuses
    ]
    return replace(seen, config=config, statuses=tuple(statuses))


def calm() -> PageSnapshot:
    """14:00 of the same day: everything was published in time, nothing is open."""
    now = at("14:00")
    promised = [p for p in config().pipelines.values() if p.promise]
    made = Publication(at("02:31"), at("02:31"), "scheduled__1", 1)
    statuses = [evaluate_promise(p, DAY, Facts(publication=made), now, TZ) for p in promised]
    statuses += [evaluate_promise(p, DAY + dt.timedelta(days=1), Facts(), now, TZ) for p in promised]
    published = {p.report: {**_published(p.report), DAY: FirstPublished(made.first_at)} for p in promised}
    return PageSnapshot(
        now, config(), statuses=tuple(statuses), records=(_resolved(),), published=published, tick=now
    )


def states() -> dict[str, PageSnapshot]:
    """What the page can be about, from a calm day to a night in which nobody looks any more."""
    seen = morning()
    growth, engagement, *rest = seen.records
    free = replace(
        engagement, incident=replace(engagement.incident, acknowledged_at=None, acknowledged_by="")
    )
    profit = replace(
        growth,
        incident=replace(growth.incident, key="profit_etl:2026-11-22", dag_id="profit_etl"),
    )
    promised = [p for p in config().pipelines.values() if p.promise]
    three = [evaluate_promise(p, DAY, _facts_of(seen, p.dag_id), seen.at, TZ) for p in promised]
    broken = replace(seen, statuses=tuple(three), records=(growth, free, profit, *rest))
    taken = tuple(
        replace(one, incident=replace(one.incident, acknowledged_at=at("05:04"), acknowledged_by="DE-003"))
        for one in broken.records[:3]
    )
    early = at("04:10")
    risky = [evaluate_promise(one.pipeline, one.report_date, one.facts, early, TZ) for one in seen.statuses]
    warned = replace(growth, incident=replace(growth.incident, paged_at=None, verdict="at_risk"), told=())
    problems = tuple(
        Problem(f"roster.yaml:{n}", "people", "DE-009", "one of the people") for n in range(3, 15)
    )
    second = replace(
        growth.told[0], step="page-2-secondary", title=f"ESCALATED, DE-003 silent 15 min: {growth.told[0].title}",
        people=("DE-004",), owed_at=at("05:15"), done_at=at("05:15:01"),
    )  # fmt: skip
    # As many marks on one event as there are after a night with several alerts.
    notes = tuple(replace(second, step=f"note:{n}", op="note") for n in range(3))
    event = Event(growth.incident.key, at("05:15"), "paged DE-004 (secondary)")
    escalated = replace(growth, events=(*growth.events, event), told=(*growth.told, second, *notes))
    return {
        "well": calm(),
        "broken": _one_broken(seen, growth, rest),
        "escalated": replace(seen, at=at("05:20"), tick=at("05:20"), records=(escalated, engagement, *rest)),
        "cannot-see": _cannot_see(seen, growth, rest),
        "watcher-gone": replace(seen, tick=seen.at - dt.timedelta(minutes=9)),
        "at-risk": replace(seen, at=early, tick=early, statuses=tuple(risky), records=(warned, *rest)),
        "three-broken": broken,
        "acknowledged": replace(broken, records=(*taken, *rest)),
        "broken-roster": replace(seen, problems=problems),
        "empty": PageSnapshot(seen.at, config(), tick=seen.tick),
    }


def _one_broken(seen: PageSnapshot, growth: IncidentRecord, rest: Sequence[IncidentRecord]) -> PageSnapshot:
    """Growth alone; the other two were in time."""
    made = Publication(at("02:31"), at("02:31"), "scheduled__1", 1)
    statuses = [
        status if "growth" in status.pipeline.dag_id else evaluate_promise(
            status.pipeline, status.report_date, replace(status.facts, publication=made, failed_checks=()), seen.at, TZ
        )
        for status in seen.statuses
        if status.report_date == DAY and status.pipeline.promise
    ]  # fmt: skip
    return replace(seen, statuses=tuple(statuses), records=(growth, *rest))


def _cannot_see(seen: PageSnapshot, growth: IncidentRecord, rest: Sequence[IncidentRecord]) -> PageSnapshot:
    """The warehouse is away since 04:58: profit was seen published, of the others nothing is known."""
    reason = 'warehouse: connection to server at "db", port 5432 failed: Connection refused'
    statuses = [
        evaluate_promise(
            status.pipeline, status.report_date,
            Facts(publication=status.facts.publication, unreadable=(reason,), blind=True, blind_since=at("04:58")),
            seen.at, TZ,
        )
        for status in seen.statuses
        if status.pipeline.promise
    ]  # fmt: skip
    why = next(one.why for one in statuses if one.pipeline.dag_id == "growth_etl" and one.why)
    blind = replace(growth.incident, verdict="unknown", cause="unknown", detail=why.detail)
    record = replace(growth, incident=blind)
    return replace(
        seen, statuses=tuple(statuses), records=(record, *rest), published={}, unreadable=(reason,)
    )


def _facts_of(seen: PageSnapshot, dag_id: str) -> Facts:
    return replace(seen.statuses_of[dag_id][0].facts, publication=None)


def _published(report: str) -> dict[dt.date, FirstPublished]:
    """Three months of mornings, with a late and a missing one here and there."""
    made = {}
    for ago in range(1, 92):
        day = DAY - dt.timedelta(days=ago)
        clock = "05:42" if (ago + len(report)) % 23 == 0 else "02:31"
        if (ago + len(report)) % 37:
            made[day] = FirstPublished(at(clock, day + dt.timedelta(days=1)))
    if "profit" in report:
        made[DAY] = FirstPublished(at("02:31"))
    return made


def _broken() -> IncidentRecord:
    incident = Incident(
        key="growth_etl:2026-11-22", dag_id="growth_etl", report_date=DAY, opened_at=at("03:30"), due=at("05:00"),
        verdict="broken", cause="stuck", detail="in transform since 03:12, usually 12 min", names=("transform",),
        paged_at=at("05:00"),
    )  # fmt: skip
    title = "Growth ETL, 22 Nov: late since 05:00, stuck in transform since 03:12"
    return IncidentRecord(
        incident,
        (Event(incident.key, at("03:30"), "warned: in transform since 03:12"),
         Event(incident.key, at("05:00"), "paged DE-003 (primary)")),
        (DeliveryRecord("pager", "page-1-primary", "page", title, ("DE-003",), "done", 1, at("05:00"), at("05:00:01"),
              alias="growth_etl:2026-11-22:page-1-primary"),
         DeliveryRecord("chat", "page-1-primary", "post", title, ("DE-003",), "owed", 3, at("05:00"),
              error="slack_api_default: timed out after 6 s")),
    )  # fmt: skip


def _followed() -> IncidentRecord:
    incident = Incident(
        key="engagement_etl:2026-11-22", dag_id="engagement_etl", report_date=DAY, opened_at=at("03:30"),
        due=at("05:00"), verdict="broken", cause="upstream_late",
        detail="master.sessions has not arrived, usually there by 01:20", names=("master.sessions",),
        paged_at=at("05:00"), acknowledged_at=at("05:04"), acknowledged_by="DE-003",
    )  # fmt: skip
    return IncidentRecord(incident, (Event(incident.key, at("05:04"), "acknowledged by DE-003"),), ())


def _resolved() -> IncidentRecord:
    day = DAY - dt.timedelta(days=6)
    due = at("05:00", day + dt.timedelta(days=1))
    incident = Incident(
        key=f"profit_etl:{day}", dag_id="profit_etl", report_date=day, opened_at=due, due=due, verdict="late",
        cause="failed", detail="task transform failed at 02:12: division by zero", paged_at=due,
        acknowledged_at=due + dt.timedelta(minutes=3), acknowledged_by="DE-002",
        resolved_at=due + dt.timedelta(minutes=42), late_s=2520.0,
    )  # fmt: skip
    told = DeliveryRecord(
        "pager",
        "page-1-primary",
        "page",
        "Profit ETL, 16 Nov: not published",
        ("DE-002",),
        "done",
        1,
        due,
        due,
    )
    return IncidentRecord(incident, (Event(incident.key, due, "paged DE-002 (primary)"),), (told,))
