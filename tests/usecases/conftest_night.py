"""A night in a box: a world to set, a clock to turn, a pager and a chat that keep what they were told."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import pytest

from oncall.adapters.memory_store import MemoryStore
from oncall.adapters.postgres.database import connect_to
from oncall.adapters.postgres.oncall_db import OncallDb
from oncall.config.oncall_config import OncallConfig
from oncall.core.errors import DeliveryFailed, Unreadable
from oncall.core.incidents.wording import Links
from oncall.core.message import Message
from oncall.core.promises.facts import Dag, Facts, Load, Publication, Task, TypicalDurations
from oncall.core.promises.promise import Pipeline, Promise, Team
from oncall.core.rota.roster import EscalationStep, Person, Roster, Rotation
from oncall.core.runbook import SECTIONS, Runbook
from oncall.usecases.channel_ports import AlertState, PagerCapabilities, Posted, RequestOutcome
from oncall.usecases.delivery_round import Sent
from oncall.usecases.dispatch import Dispatch
from oncall.usecases.evaluate import Evaluation, evaluate
from oncall.usecases.manual_actions import ManualActions
from oncall.usecases.ports import Reading, ReportKey, Store, TaskRuns

OURS = "#de-oncall"
TZ = dt.timezone(dt.timedelta(hours=7))
DAY = dt.date(2026, 11, 22)  # the report date: due on Monday 23 November at 05:00


def at(clock: str, day: dt.date = DAY + dt.timedelta(days=1)) -> dt.datetime:
    """A wall-clock time of the due day (or another) in UTC+7."""
    return dt.datetime.combine(day, dt.time.fromisoformat(clock), tzinfo=TZ)


def a_pipeline(dag_id: str, upstream: Sequence[str], *, promised: bool = True) -> Pipeline:
    name = dag_id.removesuffix("_etl")
    return Pipeline(
        dag_id=dag_id,
        title=f"{name.title()} ETL",
        purpose="",
        report=f"investor.daily_{name}",
        schedule=None,
        upstream=tuple(upstream),
        upstream_owner=Team("Software Engineer Team", "#swe-master-data"),
        downstream_owner="Investor Dashboard",
        primary_owner="DE-001",
        secondary_owner="DE-002",
        promise=Promise(dt.time(5), dt.time(3, 30)) if promised else None,
        runbook=Runbook("", {key: f"steps for {key} of {dag_id}" for key in SECTIONS}),
    )


def a_setup() -> OncallConfig:
    people = {
        name: Person(name, name, f"{name.lower()}@example.com", f"U0{name.replace('-', '')}")
        for name in ("DE-001", "DE-002", "DE-003", "DE-004", "DE-MANAGER")
    }
    rotation = Rotation(
        dt.date(2025, 12, 29),
        (("DE-001", "DE-002"), ("DE-002", "DE-003"), ("DE-003", "DE-004"), ("DE-004", "DE-001")),
    )
    minutes = ((0, "primary"), (15, "secondary"), (30, "manager"))
    roster = Roster(
        tz=TZ,
        manager="DE-MANAGER",
        people=people,
        rotation=(rotation,),
        escalation=tuple(EscalationStep(dt.timedelta(minutes=m), seat) for m, seat in minutes),  # type: ignore[arg-type]
        slack_channel="#de-oncall",
        opsgenie_heartbeat="investor-sla-watch",
    )
    pipelines = (
        a_pipeline("profit_etl", ["master.orders"]),
        a_pipeline("engagement_etl", ["master.sessions", "master.customers"]),
        a_pipeline("growth_etl", ["master.sessions", "master.customers"]),
        a_pipeline("unit_profit_experiments", [], promised=False),
    )
    return OncallConfig(roster, {p.dag_id: p for p in pipelines})


@dataclass
class FakeWorld:
    """Facts by report and day; everything not set is published in time."""

    facts: dict[ReportKey, Facts] = field(default_factory=dict)
    down: str = ""
    stale_ones: list[ReportKey] = field(default_factory=list)

    def read(
        self,
        wanted: Sequence[tuple[Pipeline, dt.date]],
        published: Sequence[Pipeline] = (),
        since: dt.date | None = None,
    ) -> Mapping[ReportKey, Facts]:
        if self.down:
            raise Unreadable(self.down)
        early = at("02:30")
        made = Facts(publication=Publication(early, early, "scheduled", 1))
        asked = [*((p.dag_id, day) for p, day in wanted), *(self.stale_ones if published else ())]
        return {which: self.facts.get(which, made) for which in asked}

    def missing(self, dag_id: str, *loads: Load) -> None:
        self.facts[dag_id, DAY] = Facts(loads=loads)

    def publish(self, dag_id: str, when: dt.datetime) -> None:
        self.facts[dag_id, DAY] = Facts(publication=Publication(when, when, "scheduled", 1))


@dataclass
class FakeRuns:
    of: dict[ReportKey, tuple[Task, ...]] = field(default_factory=dict)
    usually: dict[str, TypicalDurations] = field(default_factory=dict)
    seen: dict[str, Dag] = field(default_factory=dict)

    def read(self, wanted: Mapping[ReportKey, dt.datetime | None], failed_since: dt.datetime) -> TaskRuns:
        failed = [which for which, tasks in self.of.items() if any(t.state == "failed" for t in tasks)]
        told = [which for which, made in wanted.items() if made is None or self._goes_on(which, made)]
        return TaskRuns({which: self.of.get(which, ()) for which in (*told, *failed)}, self.seen)

    def _goes_on(self, which: ReportKey, since: dt.datetime) -> bool:
        return any(task.ended_at is None or task.started_at > since for task in self.of.get(which, ()))

    def usual(self, since: dt.date) -> Mapping[str, TypicalDurations]:
        return self.usually

    def import_errors(self, dag_ids: Collection[str], since: dt.datetime) -> dict[str, str]:
        return {dag_id: dag.import_error for dag_id, dag in self.seen.items() if dag_id in dag_ids}


@dataclass
class FakePager:
    """An Opsgenie that keeps alerts by alias; `fail` makes the next calls fail."""

    alerts: dict[str, AlertState] = field(default_factory=dict)
    paged: list[Message] = field(default_factory=list)
    told: list[tuple[str, str]] = field(default_factory=list)
    fail: list[DeliveryFailed] = field(default_factory=list)
    reads: bool = True

    @property
    def capabilities(self) -> PagerCapabilities:
        return PagerCapabilities("fake", self.reads, True)

    def page(self, message: Message) -> str:
        error = self.fail.pop(0) if self.fail else None
        if error is None or error.uncertain:
            known = self.alerts.get(message.alias)
            assert known is None or known.open, f"{message.alias} was paged twice"
            if known is None:  # an alias that is open takes no double
                self.alerts[message.alias] = AlertState(open=True, acknowledged=False)
                self.paged.append(message)
        if error:
            raise error
        return f"request-{len(self.told)}"

    def close(self, alias: str, note: str) -> str:
        self.told.append(("close", alias))
        if alias in self.alerts:
            self.alerts[alias] = replace(self.alerts[alias], open=False)
        return "request"

    def acknowledge(self, alias: str, note: str, user: str) -> str:
        self.told.append(("acknowledge", alias))
        if alias in self.alerts:
            self.alerts[alias] = replace(self.alerts[alias], acknowledged=True, owner=user)
        return "request"

    def note(self, alias: str, note: str) -> str:
        self.told.append(("note", alias))
        return "request"

    def request_state(self, request_id: str) -> RequestOutcome:
        return RequestOutcome("done")

    def alert_state(self, alias: str) -> AlertState | None:
        return self.alerts.get(alias)

    def ping(self, heartbeat: str) -> None:
        self.told.append(("ping", heartbeat))


@dataclass
class FakeChat:
    """A Slack channel: (message, thread ts or None) in the order they were posted.

    `deleted`: messages (by ts) that somebody has deleted. As in Slack, a reply to one stands in the channel itself.
    """

    posts: list[tuple[Message, str | None]] = field(default_factory=list)
    updates: list[Message] = field(default_factory=list)
    elsewhere: list[tuple[Message, str | None]] = field(
        default_factory=list
    )  # what other teams' channels show
    elsewhere_fails: Exception | None = None
    fail: list[DeliveryFailed] = field(default_factory=list)
    deleted: set[str] = field(default_factory=set)

    def post(self, message: Message, channel: str, thread_ts: str | None = None) -> Posted:
        error = self.fail.pop(0) if self.fail else None
        unthreaded = thread_ts in self.deleted
        thread_ts = None if unthreaded else thread_ts
        if message.channel not in ("", OURS):
            return self._post_elsewhere(message, channel, thread_ts)
        if error is None or error.uncertain:
            self.posts.append((message, thread_ts))
        if error:
            raise error
        return Posted("C1", f"{len(self.posts)}.0", unthreaded)

    def _post_elsewhere(self, message: Message, channel: str, thread_ts: str | None) -> Posted:
        if self.elsewhere_fails:
            raise self.elsewhere_fails
        self.elsewhere.append((message, thread_ts))
        return Posted("C2", f"elsewhere {len(self.elsewhere)}")

    def find(
        self, key: str, step: str, channel: str, oldest: dt.datetime, thread_ts: str | None = None
    ) -> Posted | None:
        for number, (message, stands_in) in enumerate(self.posts, 1):
            shown = (
                stands_in is None or stands_in == thread_ts
            )  # the history leaves out what is said in threads
            if shown and message.key == key and (step == message.step or (not step and stands_in is None)):
                return Posted("C1", f"{number}.0", bool(thread_ts) and stands_in != thread_ts)
        return None

    def update(self, message: Message, posted: Posted) -> None:
        self.updates.append(message)

    @property
    def threads(self) -> list[Message]:
        return [message for message, thread in self.posts if thread is None]


@dataclass
class FakeMetrics:
    readings: list[Reading] = field(default_factory=list)

    def tell(self, readings: Iterable[Reading]) -> None:
        self.readings += readings


@dataclass
class Night:
    """The whole system around the fakes. `now` is what every clock shows."""

    store: Store = field(default_factory=MemoryStore)
    now: dt.datetime = field(default_factory=lambda: at("01:00"))
    seen: Evaluation | None = None
    config: OncallConfig = field(default_factory=a_setup)
    world: FakeWorld = field(default_factory=FakeWorld)
    runs: FakeRuns = field(default_factory=FakeRuns)
    pager: FakePager = field(default_factory=FakePager)
    chat: FakeChat = field(default_factory=FakeChat)
    links: Links = field(default_factory=lambda: Links("http://airflow.test"))
    metrics: FakeMetrics = field(default_factory=lambda: FakeMetrics())

    def look(self, clock: str, day: dt.date = DAY + dt.timedelta(days=1)) -> Evaluation:
        """Look, decide and send at this wall-clock time; then learn who acknowledged."""
        self.now = at(clock, day)
        self.dispatch().acknowledgements()
        seen = self.only_look()
        self.send(clock, day)
        return seen

    def looks(self, start: str, end: str, seconds: int = 30) -> None:
        """Look every so many seconds, from the one wall-clock time to the other: half as often as the watcher does."""
        now = at(start)
        while now <= at(end):
            self.look(now.time().isoformat())
            now += dt.timedelta(seconds=seconds)

    def only_look(self) -> Evaluation:
        self.seen = evaluate(self.config, self.world, self.runs, self.store, self.links, self.now)
        return self.seen

    def send(self, clock: str, day: dt.date = DAY + dt.timedelta(days=1)) -> tuple[Sent, Sent]:
        """One round on each channel; whoever cannot be reached is seen by a look at once, as the watcher does."""
        self.now = at(clock, day)
        pages = self.dispatch().pages()
        if pages.unreached:
            self.only_look()
            self.dispatch().pages()
        return pages, self.dispatch().posts()

    def by_hand(self, by: str, when: dt.datetime, dag_ids: Collection[str] | None = None) -> ManualActions:
        """What this person may do on the On-call page at this instant."""
        return ManualActions(self.config, self.store, self.links, by, when, dag_ids)

    def dispatch(self) -> Dispatch:
        return Dispatch(
            self.config,
            self.store,
            self.pager,
            self.chat,
            self.links,
            self.metrics,
            lambda: self.now,
            self.seen,
        )

    def acknowledge(self, alias: str, by: str) -> None:
        self.pager.alerts[alias] = replace(self.pager.alerts[alias], acknowledged=True, owner=by)

    @property
    def steps(self) -> list[str]:
        return [message.step for message in self.pager.paged]


@pytest.fixture
def night_in_memory() -> Night:
    """A night that has been watched since 01:00."""
    night = Night()
    night.store = MemoryStore(now=lambda: night.now)
    night.store.set_note("watching_since", at("01:00").isoformat())
    return night


@pytest.fixture(params=["memory", "postgres"])
def night(request: pytest.FixtureRequest, night_in_memory: Night) -> Night:
    """A night that has been watched since 01:00, once on each store."""
    night = night_in_memory
    if request.param == "postgres":
        night.store = OncallDb(connect_to(request.getfixturevalue("oncall_database")), now=lambda: night.now)
        night.store.set_note("watching_since", at("01:00").isoformat())
    return night
