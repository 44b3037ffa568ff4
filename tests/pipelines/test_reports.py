"""Running a pipeline's steps: all or nothing, again and again the same, held by a check, and known afterwards."""

from __future__ import annotations

import datetime as dt
import shutil
from contextlib import closing
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import psycopg2
import pytest

from oncall.config.oncall_config import include_dir
from oncall.core.errors import OncallError
from oncall.core.promises.promise import Promise
from pipelines import runner, tasks
from pipelines.publication import publish
from pipelines.report_run import Held, transaction, zone_name
from pipelines.sql_files import CHECK, COMPUTE, ODD, PUBLISH, SqlFiles, sql_dir
from sandbox.master_data.loading import Loader
from tests.pipelines.master_by_hand import DAY, STARTS, add, at, row, rows
from tests.pipelines.model_runs import REPORTS, Run, report_run, run_all

PUBLISHED = (
    "investor.daily_profit",
    "investor.daily_profit_by_channel",
    "investor.daily_engagement",
    "investor.daily_engagement_by_channel",
    "investor.daily_growth",
    "investor.daily_growth_by_channel",
    "experiments.unit_profit",
    "experiments.daily_growth",
    "base.profit",
    "base.engagement",
    "base.growth",
)


def everything(warehouse: Any) -> dict[str, list[str]]:
    """All rows that readers see, in order."""
    return {table: sorted(str(r) for r in rows(warehouse, f"select * from {table}")) for table in PUBLISHED}


def a_sale(warehouse: Any, price: str = "10.00") -> None:
    add(warehouse, "customers", {"customer_id": 1})
    add(warehouse, "products", {"product_id": 1})
    add(warehouse, "orders", {"order_id": 1})
    add(warehouse, "order_lines", {"order_id": 1, "unit_price": price})


def publication(warehouse: Any, report: str = "investor.daily_profit") -> dict[str, Any]:
    return row(
        warehouse, "select * from investor.publications where report = %s and report_date = %s", report, DAY
    )


def test_running_a_day_again_changes_nothing(warehouse: Any, run: Run) -> None:
    """The same upstream gives the same rows, in all five pipelines."""
    for number in range(3):
        Loader(warehouse, 0.02).load(DAY - dt.timedelta(days=number))
    run(*REPORTS)
    before = everything(warehouse)
    assert all(before.values())
    run(*REPORTS)
    assert everything(warehouse) == before


def test_both_postgres_drivers_give_the_same(warehouse: Any, run: Run) -> None:
    """psycopg 2 binds in the client, psycopg 3 (what Airflow's hook gives) on the server."""
    for number in range(2):
        Loader(warehouse, 0.02).load(DAY - dt.timedelta(days=number))
    run(*REPORTS)
    before = everything(warehouse)
    with closing(psycopg.connect(warehouse.dsn)) as other:
        for dag_id in REPORTS:
            run_all(other, report_run(dag_id))
    assert everything(warehouse) == before


def test_a_crash_while_publishing_leaves_the_old_rows(warehouse: Any, run: Run) -> None:
    """The connection is lost between the report's rows and its publication: readers still see the old day, whole."""
    a_sale(warehouse)
    run("profit_etl")
    before, published = everything(warehouse), publication(warehouse)
    with warehouse.cursor() as cursor:
        cursor.execute("update master.order_lines set unit_price = 99")
        cursor.execute(
            "create function die() returns trigger language plpgsql as"
            " $$ begin perform pg_terminate_backend(pg_backend_pid()); return new; end $$;"
            " create trigger die before insert on investor.publications for each row execute function die()"
        )
    warehouse.commit()
    with closing(psycopg2.connect(warehouse.dsn)) as dying:
        runner.transform(dying, report_run("profit_etl"))
        runner.check(dying, report_run("profit_etl"))
        with pytest.raises(psycopg2.Error):
            publish(dying, report_run("profit_etl"))
    after = everything(warehouse)
    assert {t: r for t, r in after.items() if t.startswith("investor")} == {
        t: r for t, r in before.items() if t.startswith("investor")
    }
    assert publication(warehouse) == published


@pytest.mark.parametrize("driver", [psycopg, psycopg2])
def test_a_lost_connection_says_why_it_was_lost(warehouse: Any, driver: Any) -> None:
    """What the server said last is what the thread says of the failed task, not that nothing could be rolled back."""
    with (
        closing(driver.connect(warehouse.dsn)) as dying,
        pytest.raises(driver.OperationalError, match="terminat"),
        transaction(dying) as cursor,
    ):
        cursor.execute("select pg_terminate_backend(pg_backend_pid())")


def test_a_failed_check_withholds_the_report_and_is_written_down(warehouse: Any, run: Run) -> None:
    """The error and investor.checks name the check, what it expected and what it found; the old rows stay."""
    a_sale(warehouse)
    run("profit_etl")
    before = publication(warehouse)
    add(warehouse, "orders", {"order_id": 2, "customer_id": 404})
    add(warehouse, "order_lines", {"order_id": 2, "product_id": 404})
    with pytest.raises(Held) as held:
        run("profit_etl", run_id="second")
    assert {check.name for check in held.value.failed} == {"orders_have_customers", "lines_have_products"}
    assert "lines_have_products: expected 0 order lines of unknown products; found 1" in str(held.value)
    failed = rows(warehouse, "select * from investor.checks where run_id = 'second' and not passed")
    assert {check["name"] for check in failed} == {"orders_have_customers", "lines_have_products"}
    assert publication(warehouse) == before


@pytest.mark.parametrize(
    ("table", "broken", "check"),
    [
        ("orders", {"order_id": 2}, "orders_have_lines"),
        ("refunds", {"refund_id": 1, "order_id": 404, "amount": 1}, "refunds_have_lines"),
        ("refunds", {"refund_id": 1, "order_id": 1, "line_no": 9, "amount": 1}, "refunds_have_lines"),
    ],
)
def test_missing_upstream_rows_hold_profit(
    warehouse: Any, run: Run, table: str, broken: dict[str, Any], check: str
) -> None:
    """Orders whose lines and refunds whose lines have not arrived."""
    a_sale(warehouse)
    add(warehouse, table, broken)
    with pytest.raises(Held, match=f"{check}: expected 0 .*; found 1"):
        run("profit_etl")


def test_an_empty_day_is_held(warehouse: Any, run: Run) -> None:
    """No orders at all is not a day without profit, but a day without data."""
    with pytest.raises(Held, match="not_empty: expected at least 1 order line; found 0"):
        run("profit_etl")


@pytest.mark.parametrize(
    ("tamper", "check"),
    [
        ("insert into base.profit_credit select * from base.profit_credit", "lines_are_unique"),
        ("update base.profit set revenue = revenue + 1", "credit_adds_up_to_lines"),
        ("update base.daily_profit_draft set profit = profit + 0.01", "profit_is_what_is_left"),
        ("update base.daily_profit_by_channel_draft set cost = cost + 0.01", "channels_add_up_to_the_day"),
    ],
)
def test_profit_checks_find_what_does_not_add_up(warehouse: Any, tamper: str, check: str) -> None:
    """Each identity is really looked at: a wrong base model or draft is held."""
    a_sale(warehouse)
    day_run = report_run("profit_etl")
    runner.transform(warehouse, day_run)
    with warehouse.cursor() as cursor:
        cursor.execute(tamper)
    warehouse.commit()
    with pytest.raises(Held, match=check):
        runner.check(warehouse, day_run)


def test_a_report_and_its_base_model_are_published_together(warehouse: Any, run: Run) -> None:
    """Both rows say when, by which run, how many rows, and which upstream load was read."""
    a_sale(warehouse)
    loaded = at("00:50", DAY + dt.timedelta(days=1))
    with warehouse.cursor() as cursor:
        cursor.execute("insert into master.loads values ('orders', %s, %s, 1)", (DAY, loaded))
    warehouse.commit()
    published = run("profit_etl", upstream=("master.orders", "master.refunds"))
    assert published == {"investor.daily_profit": 2, "base.profit": 1}
    report, base = publication(warehouse), publication(warehouse, "base.profit")
    assert (report["rows"], base["rows"], report["run_id"]) == (2, 1, "test")
    assert report["read_at"] <= report["published_at"] == report["first_published_at"]
    orders = report["upstream"]["master.orders"]
    assert (dt.datetime.fromisoformat(orders["loaded_at"]), orders["row_count"]) == (loaded, 1)
    assert report["upstream"]["master.refunds"] == {"loaded_at": None, "row_count": None}


def test_publishing_again_moves_the_publication_and_remembers_the_first(warehouse: Any, run: Run) -> None:
    """Kept or late is judged by the first publication, stale by the latest."""
    a_sale(warehouse)
    first, again = (STARTS + dt.timedelta(days=1, hours=hours) for hours in (3, 9))
    run("profit_etl", at=first)
    run("profit_etl", at=again, run_id="again")
    found = publication(warehouse)
    assert (found["first_published_at"], found["published_at"], found["run_id"]) == (first, again, "again")


def test_a_day_keeps_when_it_was_due(warehouse: Any, run: Run) -> None:
    """Also when it is run again by another promise; days from before that was kept are given theirs."""
    a_sale(warehouse)
    five, six = (Promise(dt.time(hour), dt.time(3, 30)) for hour in (5, 6))
    before = DAY - dt.timedelta(days=1)
    with warehouse.cursor() as cursor:
        cursor.execute(
            "insert into investor.publications (report, report_date, published_at, run_id, rows)"
            " values ('investor.daily_profit', %s, %s, 'old', 1)",
            (before, at("04:10")),
        )
    warehouse.commit()
    run("profit_etl", promise=five)
    run("profit_etl", promise=six, run_id="again")
    said = rows(
        warehouse,
        "select report_date, due_at from investor.publications where report = %s",
        "investor.daily_profit",
    )
    dues = {one["report_date"]: one["due_at"] for one in said}
    assert dues == {before: at("05:00"), DAY: at("05:00", DAY + dt.timedelta(days=1))}


def test_a_drills_day_was_promised_to_nobody(warehouse: Any, run: Run) -> None:
    """No due time is written down for it."""
    a_sale(warehouse)
    run("profit_etl", promise=Promise(dt.time(5), dt.time(3, 30)), run_id="drill__1")
    assert publication(warehouse)["due_at"] is None


def test_a_draft_that_another_run_has_made_since_is_not_published_unchecked(warehouse: Any, run: Run) -> None:
    """Between the check and the publication of one run: by neither, until the checks have passed the newer one too."""
    a_sale(warehouse)
    run("profit_etl")
    before = rows(warehouse, "select * from investor.daily_profit")
    first, second = report_run("profit_etl", run_id="first"), report_run("profit_etl", run_id="second")
    runner.transform(warehouse, first)
    runner.check(warehouse, first)
    with warehouse.cursor() as cursor:
        cursor.execute("update master.order_lines set unit_price = 99")
    warehouse.commit()
    runner.transform(warehouse, second)
    with pytest.raises(OncallError, match="another run has done so since and will publish it"):
        publish(warehouse, first)
    assert rows(warehouse, "select * from investor.daily_profit") == before
    runner.check(warehouse, second)
    publish(warehouse, second)
    publish(warehouse, first)
    assert rows(warehouse, "select * from investor.daily_profit") != before


def test_publishing_what_was_never_transformed_is_refused(warehouse: Any) -> None:
    """No reading, no publication, no rows."""
    with pytest.raises(OncallError, match="was never transformed"):
        publish(warehouse, report_run("profit_etl"))
    assert rows(warehouse, "select * from investor.publications") == []


def test_sql_that_publishes_another_report_is_refused(
    warehouse: Any, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slip in its last statement would leave the run green and the report missing at its due time."""
    shutil.copytree(include_dir(), tmp_path, dirs_exist_ok=True)
    monkeypatch.setenv("ONCALL_INCLUDE_DIR", str(tmp_path))
    file = tmp_path / "sql/profit_etl/30_publish.sql"
    file.write_text(file.read_text().replace("'investor.daily_profit' as name", "'base.profit' as name"))
    a_sale(warehouse)
    with pytest.raises(OncallError, match="profit_etl publishes no investor"):
        run("profit_etl")
    assert rows(warehouse, "select * from investor.publications where published_at is not null") == []


def test_sql_that_would_end_the_runs_transaction_is_not_executed(
    warehouse: Any, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pasted from where it was tried: another run could be at work on the day, and the numbers out before their row."""
    shutil.copytree(include_dir(), tmp_path, dirs_exist_ok=True)
    monkeypatch.setenv("ONCALL_INCLUDE_DIR", str(tmp_path))
    file = tmp_path / "sql/profit_etl/30_publish.sql"
    file.write_text(f"begin;\n{file.read_text()}\ncommit;")
    a_sale(warehouse)
    with pytest.raises(OncallError, match=r"30_publish[.]sql has 'begin;'; take it out"):
        run("profit_etl")
    assert rows(warehouse, "select * from investor.daily_profit") == []


def test_a_folder_of_ones_own_may_lack_sql_that_came_with_a_later_release(
    warehouse: Any, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every run of a team that keeps its include folder elsewhere failed after the upgrade."""
    shutil.copytree(include_dir(), tmp_path, dirs_exist_ok=True)
    monkeypatch.setenv("ONCALL_INCLUDE_DIR", str(tmp_path))
    for file in (tmp_path / "sql").glob("*.sql"):
        file.unlink()
    a_sale(warehouse)
    run("profit_etl")
    assert rows(warehouse, "select report from investor.publications where report = 'investor.daily_profit'")


@pytest.mark.parametrize("dag_id", ["growth", "user_sessions"])
def test_each_file_runs_once_whatever_the_pipeline_is_called(
    dag_id: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last word of a DAG's id is its kind: of "growth" that is its own folder, of "user_sessions" a table's."""
    shutil.copytree(include_dir(), tmp_path, dirs_exist_ok=True)
    monkeypatch.setenv("ONCALL_INCLUDE_DIR", str(tmp_path))
    (tmp_path / "sql/growth_etl").rename(tmp_path / "sql" / dag_id)
    for numbers in (COMPUTE, CHECK, PUBLISH, ODD):
        files = SqlFiles().steps(dag_id, numbers)
        assert files
        assert len(files) == len(set(files))


def test_a_run_keeps_to_the_files_it_has_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is put in force in the middle is the next run's."""
    shutil.copytree(include_dir(), tmp_path, dirs_exist_ok=True)
    monkeypatch.setenv("ONCALL_INCLUDE_DIR", str(tmp_path))
    run, model = report_run("growth_etl"), "growth_etl/10_base.sql"
    before = run.sql.text(model)
    (tmp_path / "sql" / model).write_text("select 'of the next release'", encoding="utf-8")
    assert run.sql.text(model) == before
    assert report_run("growth_etl").sql.text(model) == "select 'of the next release'"


def test_installing_twice_is_harmless(warehouse: Any) -> None:
    """Every transform does it, so that an installation needs nothing but the connection."""
    runner.install(warehouse)
    with warehouse.cursor() as cursor:
        cursor.execute((sql_dir() / "warehouse.sql").read_text(encoding="utf-8"))
    warehouse.commit()


def test_a_release_between_two_tasks_of_a_run_holds_nothing(
    warehouse: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each task finds the tables as its own code reads them, not the first one of a run alone."""
    with warehouse.cursor() as cursor:
        cursor.execute(
            "alter table base.readings drop column passed cascade, drop column held cascade;"
            " comment on table investor.publications is null"
        )
    warehouse.commit()
    monkeypatch.setattr(
        "oncall.adapters.postgres.database.work_by", lambda _: psycopg2.connect(warehouse.dsn)
    )
    with tasks._warehouse() as connection:
        assert rows(connection, "select passed, held from base.readings") == []


@pytest.mark.parametrize(
    ("zone", "name"),
    [
        (dt.timezone(dt.timedelta(hours=7)), "<+07:00>-07:00"),
        (dt.timezone(-dt.timedelta(hours=3, minutes=30)), "<-03:30>+03:30"),
        (ZoneInfo("Asia/Bangkok"), "Asia/Bangkok"),
        (ZoneInfo("Europe/Berlin"), "Europe/Berlin"),
        (dt.UTC, "<+00:00>-00:00"),
    ],
)
def test_postgres_reads_a_zone_as_python_means_it(warehouse: Any, zone: dt.tzinfo, name: str) -> None:
    """A fixed offset is written so that east stays east."""
    assert zone_name(zone) == name
    found = row(warehouse, "select %s at time zone %s as wall", STARTS, name)["wall"]
    assert found == STARTS.astimezone(zone).replace(tzinfo=None)


def test_every_table_and_column_of_ours_says_what_it_means(warehouse: Any) -> None:
    """For whoever looks at them with a client of their own: reports, base models, and what is written down of them."""
    silent = rows(
        warehouse,
        "select c.oid::regclass::text as name, a.attname from pg_class c"
        " join (select attrelid, attnum, attname from pg_attribute where attnum > 0 and not attisdropped"
        "  union all select oid, 0, 'itself' from pg_class) a on a.attrelid = c.oid"
        " where c.relnamespace::regnamespace::text in ('investor', 'experiments', 'base') and c.relkind in ('r', 'v')"
        " and c.relname not like '%%\\_draft'"
        " and case when a.attnum > 0 then col_description(c.oid, a.attnum) else obj_description(c.oid) end is null",
    )
    # Its own comment says which text has made it; here the tests have.
    assert [each for each in silent if tuple(each.values()) != ("investor.publications", "itself")] == []
