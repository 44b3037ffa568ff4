"""The drill's parts on a real PostgreSQL: what it borrows it gives back, and it tells each thing once."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest

from oncall.config.oncall_config import load
from oncall.core.incidents.incident import Event, Incident, Plan
from oncall.core.incidents.wording import Links
from oncall.usecases.history import DeliveryRecord, IncidentRecord
from oncall.usecases.ports import Drill
from pipelines import runner
from pipelines.stale_days import StalePublications
from sandbox.drill.blind import BlindWatcher
from sandbox.drill.day import DAG_ID, REPORT, Warehouse
from sandbox.drill.drill_run import clean_up
from sandbox.drill.drill_store import DrillStore
from sandbox.drill.inbox import Received
from sandbox.drill.narrator import Narrator
from sandbox.drill.runner import play, require_watched
from sandbox.drill.scenarios import SCENARIOS
from sandbox.drill.summary import Instants, summary
from sandbox.inbox.records import Alert, SlackMessage
from sandbox.master_data.business_day import first_id
from sandbox.master_data.loading import Loader, create_schema
from sandbox.stack.environment import REPOSITORY
from sandbox.stack.postgres import SandboxError, Server
from sandbox.stack.stack import Stack

FIRST = dt.date(2026, 11, 20)
FREE = dt.date(2026, 10, 30)  # before the warehouse's first month
NOON = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)
KEY = f"drill-x:{DAG_ID}:2026-11-19"
PAGE = "page-1-primary"
TABLES = ("master.sessions", "master.customers", "master.loads", "base.engagement", "investor.publications")
GROWS = ("master.sessions", "master.loads", "investor.publications")


@pytest.fixture
def warehouse_dsn(fresh_database: str) -> str:
    """A warehouse with its tables and one small day."""
    with closing(psycopg2.connect(fresh_database)) as connection:
        create_schema(connection)
        with connection, connection.cursor() as cursor:
            cursor.execute((REPOSITORY / "include/sql/warehouse.sql").read_text())
        Loader(connection, 0.01).load(FIRST, ["customers", "sessions"])
    return fresh_database


@pytest.fixture
def oncall_dsn(postgres: Server) -> Iterator[str]:
    dsn = postgres.ensure_database("drill_oncall")
    DrillStore(dsn).store.install()
    yield dsn
    postgres.drop_database("drill_oncall")


def _counts(dsn: str) -> dict[str, int]:
    with closing(psycopg2.connect(dsn)) as connection, connection.cursor() as cursor:
        counts = {}
        for table in TABLES:
            cursor.execute(f"select count(*) from {table}")
            (counts[table],) = cursor.fetchone() or (0,)
        return counts


def test_the_borrowed_day_is_before_the_first_and_is_given_back(warehouse_dsn: str) -> None:
    """Master data, report and publication of the drill go; everything else stays."""
    before = _counts(warehouse_dsn)
    warehouse = Warehouse(warehouse_dsn)
    day = warehouse.free_day()
    assert day == FREE
    warehouse.deliver_customers(day)
    warehouse.deliver_sessions(day)
    warehouse.spoil(day)
    with closing(psycopg2.connect(warehouse_dsn)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(
            "insert into investor.publications (report, report_date, first_published_at, published_at, run_id, rows)"
            " values (%s, %s, now(), now(), 'drill__x__1', 1)",
            (REPORT, day),
        )
        cursor.execute("select count(*) from master.sessions where customer_id = 1")
        assert cursor.fetchone() == (1,)
    assert warehouse.published_at(day) is not None
    assert all(_counts(warehouse_dsn)[table] > before[table] for table in GROWS)
    warehouse.take_away(day)
    assert _counts(warehouse_dsn) == before
    assert warehouse.free_day() == day


def test_a_drill_makes_no_real_day_stale(warehouse_dsn: str) -> None:
    """Nor while it lasts: whoever looks at the page, or runs stale days again, finds what upstream really changed."""
    config, days = load(REPOSITORY / "include"), [FREE + dt.timedelta(days=2 + n) for n in range(40)]
    warehouse = Warehouse(warehouse_dsn)
    with closing(psycopg2.connect(warehouse_dsn)) as connection:
        runner.install(connection)
        stale = StalePublications(connection, config)
        with connection, connection.cursor() as cursor:
            for report in (
                "base.engagement",
                REPORT,
                "base.growth",
                "investor.daily_growth",
                "investor.daily_profit",
            ):
                cursor.executemany(
                    "insert into investor.publications (report, report_date, first_published_at, published_at, read_at,"
                    " run_id, rows) values (%s, %s, now(), now(), now(), 'history', 1)",
                    [(report, day) for day in days],
                )
            cursor.execute(
                "insert into base.growth (report_date, customer_id, channel, status)"
                " select %s, customer_id, 'organic', 'new' from master.customers",
                (days[3],),
            )
        assert stale.find() == []
        warehouse.deliver_customers(FREE)
        warehouse.deliver_sessions(FREE)
        warehouse.spoil(FREE)
        with connection, connection.cursor() as cursor:
            cursor.execute("select count(*) from master.sessions where session_id < %s", (first_id(FIRST),))
            assert (cursor.fetchone() or (0,))[0] > 0
        assert stale.find() == []


def test_the_watcher_of_a_drill_ends_no_incident_of_others(oncall_dsn: str) -> None:
    """It knows one pipeline; what is open of another is not closed as removed from the configuration."""
    drill_store, day = DrillStore(oncall_dsn), FIRST - dt.timedelta(days=1)
    others = Incident("growth_etl:2026-11-20", "growth_etl", FIRST, NOON, NOON)
    same = Incident(f"{DAG_ID}:2026-11-20", DAG_ID, FIRST, NOON, NOON)
    with drill_store.store.decision_lock() as decision:
        decision.record(Plan((others, same)), NOON)
    drill = Drill("x", DAG_ID, day, NOON, NOON)
    watcher = BlindWatcher(load(REPOSITORY / "include"), drill_store.connect, Links("http://airflow"), drill)
    watcher.look(NOON + dt.timedelta(seconds=1))
    with drill_store.store.decision_lock() as decision:
        still_open = {incident.key for incident in decision.incidents() if incident.open}
    assert still_open >= {others.key, same.key}


def test_an_empty_warehouse_cannot_be_drilled_in(warehouse_dsn: str) -> None:
    """The message says what loads it."""
    with closing(psycopg2.connect(warehouse_dsn)) as connection, connection, connection.cursor() as cursor:
        cursor.execute("delete from master.loads")
    with pytest.raises(SandboxError, match="make up"):
        Warehouse(warehouse_dsn).free_day()


def test_only_a_run_of_the_same_date_is_in_the_way(warehouse_dsn: str) -> None:
    """And its connection can be broken off while it waits."""
    from threading import Thread

    warehouse, day = Warehouse(warehouse_dsn), FIRST
    lock = "select pg_advisory_xact_lock(hashtext(%s::text), %s::date - date '2000-01-01')"
    ended: list[str] = []

    def transform() -> None:
        with closing(psycopg2.connect(warehouse_dsn)) as connection, connection.cursor() as cursor:
            try:
                cursor.execute(lock, (REPORT, FIRST))
            except psycopg2.OperationalError as error:
                ended.append(str(error))

    holder = warehouse.stand_in_the_way(day)
    with closing(psycopg2.connect(warehouse_dsn)) as connection, connection.cursor() as cursor:
        cursor.execute("set lock_timeout = '2s'")
        cursor.execute(lock, (REPORT, FIRST + dt.timedelta(days=1)))
    waiting = Thread(target=transform, daemon=True)
    waiting.start()
    while waiting.is_alive():
        warehouse.break_off_waiting(holder)
        waiting.join(0.05)
    assert ended
    holder.close()


def test_one_drill_at_a_time(oncall_dsn: str) -> None:
    """The second says so; a drill whose process is gone is in nobody's way."""
    drill_store = DrillStore(oncall_dsn)
    with (
        drill_store.turn(),
        pytest.raises(SandboxError, match="going on already"),
        DrillStore(oncall_dsn).turn(),
    ):
        pass
    with drill_store.turn():
        pass


def test_what_a_broken_off_drill_left_is_cleaned_up(oncall_dsn: str, warehouse_dsn: str) -> None:
    """Its incident is resolved, nobody judges it again, its day and its tasks are gone."""
    drill_store, warehouse = DrillStore(oncall_dsn), Warehouse(warehouse_dsn)
    before = _counts(warehouse_dsn)
    day = warehouse.free_day()
    drill_store.borrow(day)
    warehouse.deliver_customers(day)
    now = dt.datetime.now(dt.UTC)
    drill_store.start(Drill("x", DAG_ID, day, now, now))
    opened = Incident(KEY, DAG_ID, day, now, due=now, drill="x", paged_at=now)
    with drill_store.store.decision_lock() as decision:
        decision.record(Plan((opened,)), now)
    config, down = load(REPOSITORY / "include"), Stack(Path("/nowhere"), airflow_port=1)
    assert [incident.key for incident in clean_up(down, drill_store, warehouse, config)] == [KEY]
    assert (
        drill_store.still_open(),
        list(drill_store.store.evaluation_inputs(now, ()).drills),
        drill_store.borrowed(),
    ) == (
        [],
        [],
        None,
    )
    assert _counts(warehouse_dsn) == before
    assert clean_up(down, drill_store, warehouse, config) == []


def test_a_stack_that_is_not_up_is_said_plainly(tmp_path: Path) -> None:
    """Nothing is started and nothing is written."""
    with pytest.raises(SandboxError, match="make up"):
        play(Stack(tmp_path, airflow_port=1, inbox_port=1), "stuck", print)
    assert list(tmp_path.iterdir()) == []


def test_a_watcher_that_does_not_look_is_said_plainly(oncall_dsn: str) -> None:
    """A drill without a watcher would only time out."""
    drill_store = DrillStore(oncall_dsn)
    with pytest.raises(SandboxError, match="has never looked"):
        require_watched(drill_store)
    drill_store.store.set_note("tick", NOON.replace(year=2025).isoformat())
    with pytest.raises(SandboxError, match="last looked at 12:00:00Z"):
        require_watched(drill_store)
    drill_store.store.set_note("tick", dt.datetime.now(dt.UTC).isoformat())
    require_watched(drill_store)


def _alert(**fields: object) -> Alert:
    at = NOON.timestamp() + 0.4
    plain = {"face": "opsgenie", "id": "1", "alias": f"{KEY}:{PAGE}", "message": "late"}
    times = {"created_at": at, "last_occurred_at": at, "updated_at": at, "closed_at": at + 33}
    return Alert(**plain, **times, responders=[{"username": "de-003@example.com"}], **fields)  # type: ignore[arg-type]


def _message(seconds: float, text: str, **fields: object) -> SlackMessage:
    ts = f"{NOON.timestamp() + seconds:.6f}"
    return SlackMessage("C1", "de-oncall", ts, text, "U0", **fields)  # type: ignore[arg-type]


def test_everything_is_told_once_in_the_order_it_happened() -> None:
    """A message that was edited is told as it was said first."""
    said: list[str] = []
    narrator = Narrator(dt.timezone(dt.timedelta(hours=7)), said.append)
    incident = Incident(KEY, DAG_ID, FIRST, NOON)
    record = IncidentRecord(incident, (Event(KEY, NOON, "paged DE-003"),))
    received = Received((_alert(priority="P1"),), (_message(0.2, "now resolved", edits=["it is late"]),))
    for _ in range(2):
        narrator.tell(record, [], received)
    assert said == [
        "19:00:00  On-call   paged DE-003",
        "19:00:00  Slack     #de-oncall: it is late",
        "19:00:00  Opsgenie  P1 to de-003@example.com: late",
        "19:00:33  Opsgenie  closed P1: late",
    ]


def test_the_summary_says_how_long_each_part_took() -> None:
    """From the instants of both sides; the headline's edit does not count as the thread's last word."""
    second = dt.timedelta(seconds=1)
    incident = Incident(
        KEY, DAG_ID, FIRST, NOON, due=NOON, paged_at=NOON, acknowledged_at=NOON + 9 * second,
        resolved_at=NOON + 32 * second, late_s=30.0,
    )  # fmt: skip
    told = tuple(
        DeliveryRecord("chat", step, "post", "", (), "done", 1, NOON, ts=f"{NOON.timestamp() + after:.6f}")
        for step, after in ((PAGE, 0.2), ("resolved", 32.5))
    )
    received = Received((_alert(),), (_message(0.2, ""), _message(32.5, "")))
    known = Instants(NOON, NOON + 6 * second, NOON + 30 * second)
    assert dict(summary(IncidentRecord(incident, (), told), received, known)) == {
        "noticed": "0.0 s after it was due",
        "in Opsgenie": "0.4 s after it was due",
        "in Slack": "0.2 s after it was due",
        "acknowledged": "heard 3.0 s after the tap",
        "resolved": "2.0 s after the report was there",
        "alert closed": "3.4 s after the report was there",
        "thread told": "2.5 s after the report was there",
        "the report": "30 s late",
        "alerts": "1, all closed; one thread of 2 messages",
    }


@pytest.mark.stack
@pytest.mark.timeout(400)
def test_the_drill_from_warning_to_resolution(stack: Stack) -> None:
    """On real processes: the whole story is told, and nothing is left behind."""
    dsn = stack.server().uri("warehouse")
    with closing(psycopg2.connect(dsn)) as connection:
        Loader(connection).load(
            dt.datetime.now(dt.UTC).date() - dt.timedelta(days=3), ["customers", "sessions"]
        )
    before, said = _counts(dsn), list[str]()
    drill_store = DrillStore(stack.server().uri("oncall"))
    while True:
        try:
            play(stack, "upstream-late", said.append)
        except SandboxError as error:
            if "the watcher" not in str(error):
                raise
            continue  # a stack that has just come up has not looked yet
        break
    story = "\n".join(said)
    for part in ("warned: master.sessions", "P3 to", "P1 to", "acknowledged P1", "Resolved:", "closed P1"):
        assert part in story
    assert _counts(dsn) == before
    assert (drill_store.still_open(), drill_store.borrowed()) == ([], None)


def test_the_makefile_names_every_scenario() -> None:
    """`make help` is where people look."""
    line = next(x for x in (REPOSITORY / "Makefile").read_text().splitlines() if x.startswith("drill:"))
    assert all(name in line for name in SCENARIOS if name != "upstream-late")
