"""Nothing in the rules is about three: hundreds of promises of many teams, a thousand with EXPLORE=5, go through a
night, with faults."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from zoneinfo import ZoneInfo

import pytest

from oncall.adapters.postgres.database import connect_to
from oncall.adapters.postgres.oncall_db import OncallDb
from oncall.config import oncall_config
from oncall.config.oncall_config import OncallConfig
from oncall.core.errors import DeliveryFailed
from oncall.core.incidents.wording import Links
from oncall.core.message import Message
from oncall.core.promises.facts import Facts, Load, Publication, Task
from oncall.core.promises.promise import Pipeline
from oncall.core.promises.run_cause import WAIT
from oncall.usecases.channel_ports import Posted
from oncall.usecases.dispatch import Dispatch
from oncall.usecases.evaluate import Evaluation, evaluate
from oncall.usecases.ports import ReportKey, Store, TaskRuns
from sandbox.stack.postgres import Server
from tests.exploring import examples
from tests.include_folder import BODY
from tests.usecases.conftest_night import FakeChat, FakeMetrics, FakePager, FakeRuns

pytestmark = pytest.mark.timeout(600)  # an evening of a thousand takes a minute, more beside others
TEAMS, EACH = min(50, examples(10)), 20
MONDAY = dt.date(2026, 11, 23)  # the hand over is at 09:00: dues before it and after it
DAY = MONDAY - dt.timedelta(days=1)
ZONES = ("Asia/Bangkok", "Europe/Berlin", "America/New_York")
DUES = ("05:00", "08:50", "09:30")
ROWS = ((0, 1), (1, 2), (2, 3), (3, 0))  # of the four people of each team
FIRST_MONDAY = dt.date(2025, 12, 29)
MINUTE = dt.timedelta(minutes=1)
FIRST = dt.datetime(2026, 11, 20, tzinfo=dt.UTC)  # watched since
NOW = [FIRST]  # what every clock shows
SHARED = "master.sessions"


@dataclass(frozen=True)
class Fate:
    """What becomes of one promise: its due instant, when it is published (None: never), why it is not.

    It is stuck, before a lock of its own, or waits for a table: `waits_for`, or one of its own.
    """

    team: int
    due: dt.datetime
    published: dt.datetime | None
    waits_for: str = ""
    stuck: bool = False

    @property
    def broken(self) -> bool:
        return self.published is None or self.published > self.due


def team_name(team: int) -> str:
    return f"team-{team:02}"


def zone(team: int) -> ZoneInfo:
    return ZoneInfo(ZONES[team % len(ZONES)])


def mail(team: int, person: str) -> str:
    return f"{person.lower()}@{team_name(team)}.example"


def away(team: int) -> bool:
    """In every third team the primary of the ending week is on leave in this night."""
    return team % 3 == 0


def pair(team: int, at: dt.datetime) -> tuple[str, str]:
    """Primary and secondary, from the rows and the calendar alone."""
    local = at.astimezone(zone(team))
    week = ((local - dt.timedelta(hours=9)).date() - FIRST_MONDAY).days // 7
    first, second = ROWS[week % len(ROWS)]
    absent = ROWS[((MONDAY - FIRST_MONDAY).days // 7 - 1) % len(ROWS)][0] if away(team) else None
    present = [
        f"P{person}" for person in (*dict.fromkeys((first, second, (second + 1) % 4)),) if person != absent
    ]
    return present[0], present[1]


def roster(team: int, dags: Sequence[str]) -> str:
    people = "".join(
        f"  {who}: {{name: {who}, opsgenie: {mail(team, who)}, slack: U{team:02}{who}}}\n"
        for who in ("P0", "P1", "P2", "P3", "BOSS")
    )
    rows = ", ".join(f"[P{first}, P{second}]" for first, second in ROWS)
    absent = ROWS[((MONDAY - FIRST_MONDAY).days // 7 - 1) % len(ROWS)][0]
    leave = f"  - {{person: P{absent}, from: {DAY}, until: {MONDAY}}}\n" if away(team) else ""
    owners = "".join(f"  {dag}: {{primary_owner: P0, secondary_owner: P1}}\n" for dag in dags)
    return f"""\
timezone: {zone(team).key}
handoff: {{day: monday, at: "09:00"}}
manager: BOSS
people:
{people}rotation:
  - starts: {FIRST_MONDAY}
    weeks: [{rows}]
leave: {"" if leave else "[]"}
{leave}escalation: [{{after: 0m, page: primary}}, {{after: 15m, page: secondary}}, {{after: 30m, page: manager}}]
slack: {{channel: "#{team_name(team)}"}}
opsgenie: {{team: {team_name(team)}, heartbeat: watch}}
pipelines:{"" if dags else " {}"}
{owners}"""


def runbook(dag: str, team: int, due: str) -> str:
    return f"""\
---
pipeline: {dag}
title: {dag}
purpose: A report
report: investor.{dag}
upstream_owner: {{team: Upstream, slack: "#upstream"}}
downstream_owner: Dashboard
schedule: "0 2 * * *"
promise: {{due: "{due}", warn_upstream_at: "{due}"}}
upstream: [{SHARED}]
team: {team_name(team)}
---

{BODY}"""


def fates() -> dict[str, Fate]:
    """Most are published in time, some late, some never; in every fifth team five wait for one and the same table."""
    chance, drawn = random.Random(23), {}
    for team in range(TEAMS):
        for number in range(EACH):
            together = team % 5 == 0 and number < 5
            clock = dt.time.fromisoformat(DUES[0] if together else chance.choice(DUES))
            due = dt.datetime.combine(MONDAY, clock, tzinfo=zone(team)).astimezone(dt.UTC)
            late = chance.choice((-40, -40, -40, -40, -40, -40, 7, 22, 45, None))
            made = None if late is None else due + late * MINUTE
            if together:
                made = due + 22 * MINUTE
            stuck = not together and chance.random() < 0.5
            fate = Fate(team, due, made, SHARED if together else "", stuck)
            drawn[f"t{team:02}_p{number:02}"] = fate
    return drawn


@dataclass
class Worlds:
    """The warehouse as it is at the instant `now`."""

    fates: Mapping[str, Fate]
    now: dt.datetime = FIRST

    def read(
        self,
        wanted: Sequence[tuple[Pipeline, dt.date]],
        published: Sequence[Pipeline] = (),
        since: dt.date | None = None,
    ) -> Mapping[ReportKey, Facts]:
        return {(pipeline.dag_id, date): self._facts(pipeline.dag_id, date) for pipeline, date in wanted}

    def _facts(self, dag: str, date: dt.date) -> Facts:
        fate = self.fates[dag]
        early = dt.datetime.combine(date, dt.time(), dt.UTC)
        if date < DAY:
            return Facts(publication=Publication(early, early, "scheduled", 1))
        if date == DAY and fate.published and fate.published <= self.now:
            return Facts(publication=Publication(fate.published, fate.published, "scheduled", 1))
        if fate.stuck:
            return Facts(blocked_by=f"the lock of {dag}")
        return Facts(loads=(Load(fate.waits_for or f"master.of_{dag}", None, None, None, None),))


class TaskRunReader(FakeRuns):
    """Some have a task that runs and runs; the others wait for their upstream."""

    world: Worlds

    def read(self, wanted: Mapping[ReportKey, dt.datetime | None], failed_since: dt.datetime) -> TaskRuns:
        fates = self.world.fates
        return TaskRuns(
            {
                (dag, date): (
                    Task("transform" if fates[dag].stuck else WAIT, "running", fates[dag].due - 60 * MINUTE),
                )
                for dag, date in wanted
                if date == DAY
            }
        )


@dataclass
class Channels(FakeChat):
    """Remembers where each was posted."""

    where: list[tuple[str, str]] = field(default_factory=list)

    def post(self, message: Message, channel: str, thread_ts: str | None = None) -> Posted:
        self.where.append((message.key, channel))
        return super().post(replace(message, channel=""), channel, thread_ts)  # each team's is ours here


@dataclass
class Evening:
    """A fast clock: it jumps from each instant that must not be missed to the next."""

    config: OncallConfig
    store: Store
    fates: Mapping[str, Fate]
    pager: FakePager = field(default_factory=FakePager)
    chat: Channels = field(default_factory=Channels)
    links: Links = field(default_factory=lambda: Links("http://airflow.test"))
    seen: Evaluation | None = None

    def pass_by(self) -> None:
        chance = random.Random(5)
        world, runs, links = Worlds(self.fates), TaskRunReader(), self.links
        runs.world = world
        for at in self._instants():
            world.now = at
            for _ in range(2 if chance.random() < 0.2 else 1):  # somebody else looks as well
                self.seen = evaluate(self.config, world, runs, self.store, links, at)
            for channel in (self.pager, self.chat):
                if chance.random() < 0.3:
                    channel.fail.append(DeliveryFailed("no answer", uncertain=chance.random() < 0.5))
            if chance.random() < 0.9:  # else whoever looked dies before it sends, and another one does
                self._send(at)
            self._send(at + MINUTE)
        for minutes in (1, 5):
            self._send(world.now + minutes * MINUTE)

    def _instants(self) -> Iterator[dt.datetime]:
        """Warnings, dues, steps of the escalation, and looks in between that see what was published."""
        dues = {fate.due for fate in self.fates.values()}
        offsets = (0, 8, 15, 23, 30, 46)
        yield from sorted({due + minutes * MINUTE for due in dues for minutes in offsets})

    def _send(self, at: dt.datetime) -> None:
        """Twice, the second time past the wait after a failure."""
        for now in (at, at + dt.timedelta(seconds=20)):
            NOW[0] = dt.datetime.fromtimestamp(now.timestamp(), dt.UTC)
            dispatch = Dispatch(
                self.config, self.store, self.pager, self.chat, self.links, FakeMetrics(), lambda: NOW[0], self.seen
            )  # fmt: skip
            dispatch.pages()
            dispatch.posts()


@pytest.fixture(scope="module")
def evening(tmp_path_factory: pytest.TempPathFactory, postgres: Server) -> Evening:
    """A roster for each team, a runbook for each promise, the outbox in PostgreSQL; the night has passed."""
    folder = tmp_path_factory.mktemp("thousand") / "include"
    (folder / "runbooks").mkdir(parents=True)
    (folder / "roster.yaml").write_text(roster(TEAMS, ()))
    drawn = fates()
    for team in range(TEAMS):
        mine = {dag: fate for dag, fate in drawn.items() if fate.team == team}
        (folder / "teams" / team_name(team)).mkdir(parents=True)
        (folder / "teams" / team_name(team) / "roster.yaml").write_text(roster(team, list(mine)))
        for dag, fate in mine.items():
            due = f"{fate.due.astimezone(zone(team)):%H:%M}"
            (folder / "runbooks" / f"{dag}.md").write_text(runbook(dag, team, due))
    store = OncallDb(connect_to(postgres.ensure_database("thousand")), now=lambda: NOW[0])
    store.install()
    store.set_note("watching_since", FIRST.isoformat())
    evening = Evening(oncall_config.load(folder), store, drawn)
    evening.pass_by()
    return evening


def _steps(evening: Evening, step: str) -> dict[str, Message]:
    """The alerts of this step, by pipeline."""
    return {one.key.split(":")[0]: one for one in evening.pager.paged if one.step == step}


def test_every_broken_promise_is_paged_for_and_no_other(evening: Evening) -> None:
    """Who waits for one table with others of the team is named in one page; everybody else has a page alone."""
    broken = {dag for dag, fate in evening.fates.items() if fate.broken}
    spoken_for = {dag for dag in broken if evening.fates[dag].waits_for and not dag.endswith("_p00")}
    assert len(broken) > TEAMS * EACH / 4
    assert set(_steps(evening, "page-1-primary")) == broken - spoken_for
    for dag in broken - spoken_for:
        page = _steps(evening, "page-1-primary")[dag]
        assert ("5 reports" in page.title) == bool(evening.fates[dag].waits_for), page.title


def test_each_page_is_at_the_person_who_is_on_call(evening: Evening) -> None:
    """By the rows and the calendar: before 09:00 the old pair, after it the new one, nobody who is away."""
    for dag, page in _steps(evening, "page-1-primary").items():
        fate = evening.fates[dag]
        assert [person.opsgenie for person in page.recipients] == [
            mail(fate.team, pair(fate.team, fate.due)[0])
        ]
    for dag, page in _steps(evening, "page-2-secondary").items():
        fate = evening.fates[dag]
        at = fate.due + 15 * MINUTE
        assert fate.published is None or fate.published > at
        assert [person.opsgenie for person in page.recipients] == [mail(fate.team, pair(fate.team, at)[1])]
    for dag, page in _steps(evening, "page-3-manager").items():
        assert [person.opsgenie for person in page.recipients] == [mail(evening.fates[dag].team, "BOSS")]


def test_nothing_is_missed_nothing_is_said_twice(evening: Evening) -> None:
    """Answers that were lost, senders that died, two who looked at once: each step once, and nothing is owed."""
    aliases = [page.alias for page in evening.pager.paged]
    assert len(aliases) == len(set(aliases))
    said = [(message.key, message.step) for message, _ in evening.chat.posts]
    assert len(said) == len(set(said))
    assert evening.store.waiting() == 0


def test_each_team_reads_of_its_own_reports_alone(evening: Evening) -> None:
    """Every thread stands in the channel of the team whose report it is about."""
    for key, channel in evening.chat.where:
        fate = evening.fates[key.split(":")[0]]
        theirs = key.endswith("@#upstream")  # what the upstream team is told, in a channel of its own
        # C1: a reply in the team's thread.
        assert theirs or channel in (f"#{team_name(fate.team)}", "C1"), (key, channel)


def test_what_is_published_is_closed(evening: Evening) -> None:
    """Open in the end: the alerts of those that never came."""
    never = {dag for dag, fate in evening.fates.items() if fate.published is None}
    still = {alias.split(":")[0] for alias, state in evening.pager.alerts.items() if state.open}
    assert still == never
