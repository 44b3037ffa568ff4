"""The Reports view on a real warehouse: what is read of it, how much, what holds a day, and the release of one."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest

from oncall.adapters.postgres import report_numbers
from oncall.adapters.postgres.database import connect_to
from oncall.adapters.postgres.report_numbers import MAX_COLUMNS, PublishedReports
from oncall.airflow.page_reports import PageReports
from oncall.config.oncall_config import load
from oncall.core.data.usual_range import SPREADS, usual_ranges
from oncall.core.errors import OncallError, Unreadable
from oncall.usecases.report_numbers import ReportNumbers
from pipelines import publication
from pipelines.report_desk import WarehouseDesk
from pipelines.report_run import Held
from pipelines.sql_files import REPOSITORY_SQL
from tests.pipelines.master_by_hand import DAY, rows
from tests.pipelines.model_runs import GENERATED_DAYS, REPORTS, Run, report_run
from tests.pipelines.test_usual_numbers import draft, past, unusual

PROFIT = "investor.daily_profit"
CONFIG = load(REPOSITORY_SQL.parent)


def dsn(connection: Any) -> str:
    given = connection.get_dsn_parameters()
    return f"postgresql://postgres@/{given['dbname']}?host={given['host']}"


def published(connection: Any, report: str = PROFIT, until: dt.date = DAY, days: int = 123) -> ReportNumbers:
    reader = PublishedReports(connect_to(dsn(connection)))
    return reader.read(report, until - dt.timedelta(days=days), until)


def sql(connection: Any, statement: str, *values: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, values or None)
    connection.commit()


@pytest.mark.parametrize("report", REPORTS.values())
def test_what_is_shown_is_what_is_published(generated: Any, report: str) -> None:
    """Every row and number of every report, to the last digit; every day's publication."""
    found = published(generated, report, GENERATED_DAYS[-1], 30)
    stored = rows(generated, f"select * from {report} order by report_date, 2, 3")
    assert [one.report_date for one in found.rows] == [one["report_date"] for one in stored]
    key = found.key_columns
    assert key == (("experiment", "variant") if report.startswith("experiments.") else ())
    for shown, row in zip(
        sorted(found.rows, key=lambda one: (one.report_date, one.key)),
        sorted(stored, key=lambda row: (row["report_date"], tuple(row[name] for name in key))),
        strict=True,
    ):
        assert shown.key == tuple(row[name] for name in key)
        assert shown.numbers == {
            name: None if row[name] is None else str(row[name]) for name in found.columns
        }
    assert sorted(found.published) == GENERATED_DAYS
    assert not found.held


def test_a_day_before_or_after_the_window_is_not_read(generated: Any) -> None:
    """Both ends are included."""
    first, last = GENERATED_DAYS[2], GENERATED_DAYS[4]
    found = PublishedReports(connect_to(dsn(generated))).read(PROFIT, first, last)
    assert [one.report_date for one in found.rows] == GENERATED_DAYS[2:5] == sorted(found.published)


def test_only_numbers_and_keys_of_the_report_are_read(warehouse: Any) -> None:
    """Whatever else somebody adds to the table is nobody's business; nor is a table that is no report."""
    sql(
        warehouse,
        "alter table investor.daily_profit add column customer_email text, add column payload jsonb",
    )
    past(warehouse, days=3)
    sql(warehouse, "update investor.daily_profit set customer_email = 'a@example.com', payload = '{}'")
    found = published(warehouse)
    assert found.columns == (
        "orders", "revenue", "cost", "refunds", "marketing", "profit", "cancelled_orders",
    )  # fmt: skip
    assert "example.com" not in str(found)
    assert published(warehouse, "master.customers") == ReportNumbers()
    assert published(warehouse, "investor.nothing") == ReportNumbers()


@pytest.mark.parametrize(
    "report", ["", "a.b.c.d", "investor.daily_profit; drop table x", '"', "%s", "pg_class"]
)
def test_no_name_is_a_statement(warehouse: Any, report: str) -> None:
    """It is a name of nothing, or cannot be read."""
    try:
        found = published(warehouse, report)
    except Unreadable:
        return
    assert not found.rows
    assert published(warehouse).columns


def test_odd_names_of_columns_are_read(warehouse: Any) -> None:
    """Quotes, percent signs and blanks are part of a name."""
    names = ['"a ""b"""', '"50 %"', '"%(report)s"', '"Größe"']
    columns = ", ".join(f"{name} numeric" for name in names)
    sql(warehouse, f"create table investor.odd (report_date date, {columns}, primary key (report_date))")
    sql(warehouse, "insert into investor.odd values (%s, 1, 2, 3, 4)", DAY)
    (found,) = published(warehouse, "investor.odd").rows
    assert found.numbers == {'a "b"': "1", "50 %": "2", "%(report)s": "3", "Größe": "4"}


def test_whatever_number_stands_there_is_read(warehouse: Any) -> None:
    """NaN, infinity, thousands of digits, a date without end."""
    sql(
        warehouse,
        "create table investor.wild (report_date date, a numeric, b double precision, c real, d money, e numeric)",
    )
    for n, (exact, near) in enumerate(
        [("NaN", "NaN"), ("Infinity", "-Infinity"), ("1e1000", "1e300"), (None, None)]
    ):
        sql(
            warehouse, "insert into investor.wild values (%s, %s, %s, %s, '5', %s)",
            DAY - dt.timedelta(days=n), exact, near, "NaN", f"0.{'3' * 500}",
        )  # fmt: skip
    sql(warehouse, "insert into investor.wild values ('infinity', 1), ('-infinity', 1)")
    nothing, huge, endless, none = published(warehouse, "investor.wild").rows
    assert [one.numbers["a"] for one in (nothing, huge, endless, none)] == [
        None, "1.00000000000000e+1000", "Infinity", "NaN",
    ]  # fmt: skip
    assert endless.numbers["b"] == "-Infinity"
    assert none.numbers["e"] == "3.33333333333333e-01"


def test_of_very_many_rows_the_newest_days_are_read(warehouse: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bounded, and said."""
    monkeypatch.setattr(report_numbers, "MAX_ROWS", 5)
    past(warehouse, days=9)
    found = published(warehouse)
    assert found.cut
    assert [one.report_date for one in found.rows] == [
        DAY - dt.timedelta(days=ago) for ago in (5, 4, 3, 2, 1)
    ]
    columns = ", ".join(f"c{n} int" for n in range(MAX_COLUMNS * 2))
    sql(warehouse, f"create table investor.wide (report_date date, {columns})")
    assert len(published(warehouse, "investor.wide").columns) < MAX_COLUMNS


def test_a_held_day_says_what_its_newest_run_found(shop: Any, run: Run) -> None:
    """Until it is published; what an earlier run found is history."""
    sql(shop, "update master.order_lines set discount = null where order_id = 102")
    with pytest.raises(Held):
        run("profit_etl", run_id="first")
    (check,) = published(shop).held[DAY]
    assert check.name == "lines_discount_is_there"
    assert "such as order_id 102, line_no 1" in check.found
    sql(shop, "update master.order_lines set discount = 0, quantity = null where order_id = 102")
    with pytest.raises(Held):
        run("profit_etl", run_id="second")
    assert [check.name for check in published(shop).held[DAY]] == ["lines_quantity_is_there"]
    sql(shop, "update master.order_lines set quantity = 1 where order_id = 102")
    run("profit_etl", run_id="third")
    found = published(shop)
    assert not found.held
    assert list(found.published) == [DAY]


def test_restated_days_are_counted_and_stale_ones_named(shop: Any, run: Run, known_to_airflow: None) -> None:
    """The same days as `python -m oncall stale` lists."""
    run("profit_etl")
    assert WarehouseDesk().stale(CONFIG) == {}
    sql(
        shop,
        "update master.order_lines set unit_price = 11, updated_at = clock_timestamp() where order_id = 101",
    )
    publication.note_late_rows(shop, report_run("profit_etl", upstream=("master.order_lines",)))
    ((which, why),) = WarehouseDesk().stale(CONFIG).items()
    assert which == (PROFIT, DAY)
    assert why.startswith("master.order_lines changed ")
    run("profit_etl", run_id="again")
    assert WarehouseDesk().stale(CONFIG) == {}
    count = rows(shop, "select count(*) as n from investor.restatements where report_date = '2026-11-20'")[0][
        "n"
    ]
    assert count > 1
    assert PublishedReports(connect_to(dsn(shop))).read(PROFIT, DAY, dt.date(2100, 1, 1)).restated == {
        DAY: count
    }


def test_the_rows_that_break_a_contract_are_listed(shop: Any, known_to_airflow: None) -> None:
    """With their keys, as `python -m oncall breaches` lists them."""
    assert WarehouseDesk().broken_rules(CONFIG, "profit_etl", DAY) == []
    sql(shop, "update master.order_lines set discount = null where order_id = 102")
    (rule,) = WarehouseDesk().broken_rules(CONFIG, "profit_etl", DAY)
    assert (rule.name, rule.table, len(rule.keys)) == ("lines_discount_is_there", "master.order_lines", 2)
    assert rule.keys[0].startswith("order_id 102, line_no 1")


def page_reports(connection: Any) -> PageReports:
    reader = PublishedReports(connect_to(dsn(connection)))
    return PageReports(lambda: reader, WarehouseDesk())


def test_a_release_on_the_page_is_that_of_the_command(warehouse: Any, known_to_airflow: None) -> None:
    """Recorded with the user's name and the note; the next run publishes; the page knows at once."""
    past(warehouse)
    draft(warehouse, revenue=32603)
    assert list(unusual(warehouse)) == ["revenue_is_usual"]
    reports = page_reports(warehouse)
    window = (PROFIT, DAY - dt.timedelta(days=60), DAY)
    assert "revenue_is_usual" in [check.name for check in reports.numbers(*window).held[DAY]]
    outcome = reports.release(CONFIG, "profit_etl", DAY, "anna", "a thousand chairs")
    assert outcome.done
    assert rows(warehouse, "select name, note, released_by from investor.releases") == [
        {"name": "revenue", "note": "a thousand chairs", "released_by": "anna"}
    ]
    (release,) = reports.numbers(*window).released
    assert (release.report_date, release.name, release.amount, release.by) == (
        DAY,
        "revenue",
        "32603",
        "anna",
    )
    assert unusual(warehouse) == {}


@pytest.mark.parametrize(("note", "words"), [("", "a note of a few words"), ("x" * 1001, "at most 1000")])
def test_a_release_without_a_proper_note_is_refused(
    warehouse: Any, known_to_airflow: None, note: str, words: str
) -> None:
    """And nothing is written; nor for a day on which nothing is unusual."""
    past(warehouse)
    draft(warehouse, revenue=32603)
    reports = page_reports(warehouse)
    outcome = reports.release(CONFIG, "profit_etl", DAY, "anna", note)
    assert (outcome.done, words in outcome.words) == (False, True)
    outcome = reports.release(CONFIG, "growth_etl", DAY, "anna", "why not")
    assert (outcome.done, "nothing to release" in outcome.words) == (False, True)
    assert rows(warehouse, "select * from investor.releases") == []


def test_the_range_that_is_drawn_is_the_one_that_holds(warehouse: Any) -> None:
    """What the check expects, and its spread, are the middle and the half of the band."""
    past(warehouse)
    draft(warehouse, revenue=32603)
    expected, _ = unusual(warehouse)["revenue_is_usual"]
    found = {one.report_date: one.numbers for one in published(warehouse).rows}
    revenue = {date: float(numbers["revenue"] or 0) for date, numbers in found.items()}
    units = {date: revenue[date] / float(numbers["orders"] or 1) for date, numbers in found.items()}
    (there,) = usual_ranges([DAY], revenue, units)
    assert there is not None
    spread = (there.high - there.expected) / SPREADS
    assert expected == f"about {there.expected:,.0f} on a Friday, give or take {spread:,.0f}"


def test_readers_are_told_the_same_for_some_seconds(warehouse: Any) -> None:
    """Also that it cannot be read: whoever is down is not asked again at once."""
    past(warehouse, days=2)
    asked: list[str] = []

    def counted(reader: Any) -> Callable[[], Any]:
        def make() -> Any:
            asked.append("asked")
            return reader

        return make

    shared = PageReports(counted(PublishedReports(connect_to(dsn(warehouse)))), None)
    window = (PROFIT, DAY - dt.timedelta(days=9), DAY)
    assert shared.numbers(*window) is shared.numbers(*window)
    assert len(asked) == 1
    gone = PageReports(counted(PublishedReports(connect_to("postgresql://x:secret@127.0.0.1:1/w"))), None)
    for _ in range(3):
        with pytest.raises(Unreadable, match=r"^warehouse: ") as caught:
            gone.numbers(*window)
        assert "secret" not in str(caught.value)
    assert len(asked) == 2
    with pytest.raises(Unreadable):
        shared.stale(CONFIG)


def test_a_warehouse_of_before_can_be_read(warehouse: Any) -> None:
    """The page is newer than the warehouse's tables until the first report is run."""
    past(warehouse, days=2)
    sql(
        warehouse,
        "drop table investor.releases, investor.restatements, investor.checks, investor.publications cascade",
    )
    found = published(warehouse)
    assert len(found.rows) == 2
    assert (found.held, found.restated, found.released, found.published) == ({}, {}, (), {})


def test_the_desk_says_what_it_cannot_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of ours whatever goes wrong, within seconds."""
    monkeypatch.setenv(
        "AIRFLOW_CONN_WAREHOUSE",
        '{"conn_type": "postgres", "host": "127.0.0.1", "port": 1, "password": "hunter2"}',
    )
    with pytest.raises(OncallError) as caught:
        WarehouseDesk().stale(CONFIG)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "broken",
    ["alter table investor.late_rows drop column changed_at", "drop table investor.publications cascade"],
)
def test_a_warehouse_of_another_shape_is_said(warehouse: Any, known_to_airflow: None, broken: str) -> None:
    """What the desk cannot make sense of is no error of the page's."""
    sql(warehouse, broken)
    with pytest.raises(Unreadable, match="warehouse: "):
        WarehouseDesk().stale(CONFIG)


def test_a_file_that_cannot_be_read_is_said(
    warehouse: Any, known_to_airflow: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    """One that is not there is the product's."""
    (tmp_path / "sql").mkdir()
    (tmp_path / "sql/stale.sql").write_bytes(b"\xff")
    monkeypatch.setenv("ONCALL_INCLUDE_DIR", str(tmp_path))
    with pytest.raises(OncallError):
        WarehouseDesk().stale(CONFIG)


def test_a_lock_on_a_table_is_not_waited_for_without_end(
    warehouse: Any, known_to_airflow: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever is asked answers, though somebody has locked what is to be read."""
    import psycopg2

    monkeypatch.setattr("pipelines.report_desk.ANSWER_WITHIN_S", 0.5)
    with closing(psycopg2.connect(warehouse.dsn)) as other, other.cursor() as cursor:
        cursor.execute("lock table investor.publications in access exclusive mode")
        with pytest.raises(OncallError, match="warehouse: "):
            WarehouseDesk().stale(CONFIG)
