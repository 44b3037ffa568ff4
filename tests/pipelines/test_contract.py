"""The contract with upstream: what breaks it holds the day before it is computed, with table, column, count, key."""

# ruff: noqa: E501 - tables: a line is a case

from __future__ import annotations

import datetime as dt
import json
import os
import re
import shutil
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import psycopg2
import pytest

from oncall.adapters.postgres import warehouse as warehouse_module
from oncall.adapters.postgres.database import connect_to
from oncall.adapters.postgres.warehouse import Warehouse
from oncall.cli.main import main
from oncall.config import oncall_config
from oncall.core.errors import OncallError
from pipelines import contract_check, runner
from pipelines.report_run import Held
from pipelines.sql_files import REPOSITORY_SQL as SQL
from tests.pipelines.contract_cases import BROKEN, COPY, ENGAGEMENT, GROWTH, ORDINARY, PROFIT, UNIT_PROFIT
from tests.pipelines.master_by_hand import DAY, add, at, rows
from tests.pipelines.model_runs import REPORTS, Run, report_run, run_all

NEXT = DAY + dt.timedelta(days=1)


def failed(connection: Any, dag_id: str, day: dt.date = DAY) -> dict[str, str]:
    """What holds the pipeline's day: the found of each failed check, by name; nothing when it is published."""
    try:
        run_all(connection, report_run(dag_id, day))
    except Held as held:
        return {check.name: check.found for check in held.failed}
    return {}


@pytest.fixture
def include(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the include folder, which runs read."""
    shutil.copytree(SQL.parent, tmp_path / "include")
    monkeypatch.setenv("ONCALL_INCLUDE_DIR", str(tmp_path / "include"))
    return tmp_path / "include"


def change(connection: Any, statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)
    connection.commit()


@pytest.mark.parametrize(("broken", "dag_id", "check", "found"), BROKEN, ids=lambda value: str(value)[:60])
def test_what_breaks_the_contract_holds_the_report(
    good_day: Any, broken: str, dag_id: str, check: str, found: str
) -> None:
    """Before anything is computed, with table, column, how many rows, and the key of one."""
    change(good_day, broken)
    held = failed(good_day, dag_id)
    assert found in held.get(check, ""), held
    written = rows(
        good_day, "select name, found, passed from investor.checks where report = %s", REPORTS[dag_id]
    )
    assert {row["name"]: row["found"] for row in written} == held
    assert not any(row["passed"] for row in written)
    assert rows(good_day, "select * from base.readings") == []


@pytest.mark.parametrize("ordinary", ORDINARY, ids=lambda value: str(value)[:60])
def test_what_is_only_unusual_is_published(good_day: Any, ordinary: str) -> None:
    """No clean day is held, in any of the pipelines."""
    change(good_day, ordinary)
    assert {dag_id: failed(good_day, dag_id) for dag_id in REPORTS} == {dag_id: {} for dag_id in REPORTS}


@pytest.mark.parametrize("dag_id", ["daily_growth_experiments", "unit_profit_experiments"])
def test_an_old_customer_who_comes_twice_is_no_error_of_the_database(shop: Any, dag_id: str) -> None:
    """Assigned and signed up long before the day: the contract asks only of the day, and the customer is known."""
    for needed in (PROFIT, GROWTH):
        run_all(shop, report_run(needed))
    change(shop, "update master.experiment_assignments set assigned_at = assigned_at - interval '9 days'")
    change(shop, "update master.customers set signed_up_at = signed_up_at - interval '20 days'")
    change(shop, COPY.format("customers", "customer_id = 2"))
    assert "assignments_have_customers" not in failed(shop, dag_id)


def test_an_old_touch_without_a_channel_is_no_error_of_the_database(shop: Any) -> None:
    """Of an order that is refunded today: its touches are older than what the contract asks of."""
    for channel in ("null", "'Email '"):
        change(shop, f"update master.touches set touched_at = '2026-11-12', channel = {channel}")
        found = failed(shop, PROFIT)
        assert found == {
            "channels_are_well_written": "1, such as " + ("''" if channel == "null" else channel)
        }


@pytest.mark.parametrize(
    ("dag_id", "broken", "found"),
    [
        # One customer who was there two thousand times, for a day each time.
        (ENGAGEMENT, "insert into master.sessions select n, 2, started_at, 86400, feature, updated_at from master.sessions, generate_series(10, 2010) n where session_id = 2; delete from master.sessions where session_id = 1", "numeric field overflow"),
        # More lines at the most that a line may be than a report's number has room for.
        (PROFIT, "insert into master.order_lines select 101, n, 1, 1000, 1000000000, 0, updated_at, 'USD' from master.orders, generate_series(2, 10002) n where order_id = 101; analyze master.order_lines", "numeric field overflow"),
    ],
    ids=["seconds", "revenue"],
)  # fmt: skip
def test_what_cannot_be_computed_is_held_in_words(
    good_day: Any, dag_id: str, broken: str, found: str
) -> None:
    """However absurd, each row for itself is possible: what is wrong and where is said, not raised."""
    change(good_day, broken)
    held = failed(good_day, dag_id)["data_can_be_computed"]
    assert found in held
    assert "must round to an absolute value less than" in held
    assert f"in {dag_id}/15_draft.sql" in held


@pytest.mark.parametrize(
    ("dag_id", "changed", "expected", "found"),
    [
        (UNIT_PROFIT, 'alter table base.profit rename column report_date to "Day"', "tables and columns as the SQL reads them", "unit_profit_experiments/05_needs.sql"),
        (PROFIT, "alter table investor.daily_profit add column boss text not null", "numbers and dates that fit their columns", "profit_etl/30_publish.sql"),
        (PROFIT, "alter table investor.daily_profit add check (profit > 1000000)", "numbers and dates that fit their columns", "profit_etl/30_publish.sql"),
        (GROWTH, "alter table investor.daily_growth drop column churned cascade", "tables and columns as the SQL reads them", 'column "churned"'),
        (PROFIT, "create function f() returns trigger language plpgsql as $$ begin raise E'closed for\\naudit'; end $$; create trigger t before insert on investor.publications for each row execute function f()", "no objection from a trigger", "closed for audit (PL/pgSQL function f() line 1 at RAISE)"),
        (PROFIT, 'alter table master.touches alter channel type text collate "C"; alter table master.customers alter acquisition_channel type text collate "ucs_basic"', "texts whose collations go together", "profit_etl/10_base.sql"),
        (PROFIT, "alter table master.products rename to kept; create view master.products as select product_id, category, (select cost from (values (1.0), (2.0)) as two (cost)) as unit_cost, updated_at, currency from master.kept", "one row where one is asked for", "more than one row"),
    ],
    ids=lambda value: str(value)[:40],
)  # fmt: skip
def test_what_the_tables_do_not_take_is_held_in_words(
    shop: Any, dag_id: str, changed: str, expected: str, found: str
) -> None:
    """Somebody has changed a table by hand, upstream's or the report's own: no error of the database is raised."""
    for needed in (PROFIT, GROWTH) if dag_id == UNIT_PROFIT else ():
        run_all(shop, report_run(needed))
    change(shop, changed)
    said = failed(shop, dag_id)["data_can_be_computed"]
    assert found in said
    # Neither numbers that are not published, nor our code.
    assert not re.search("Failing row|insert into|select ", said)
    (written,) = rows(
        shop, "select expected from investor.checks where not passed and name = 'data_can_be_computed'"
    )
    assert written["expected"] == expected


@pytest.mark.parametrize("table", ["daily_growth", "daily_growth_by_channel"])
def test_a_report_whose_rows_are_swallowed_is_not_published(shop: Any, table: str) -> None:
    """A rule of somebody's lets nothing in: its publication would say that the report is there, and be believed."""
    change(shop, f"create rule nothing as on insert to investor.{table} do instead nothing")
    assert failed(shop, GROWTH) == {"table_is_the_draft": "0 rows"}
    assert rows(shop, "select report from investor.publications where report = 'investor.daily_growth'") == []
    (written,) = rows(
        shop, "select expected from investor.checks where name = 'table_is_the_draft' and not passed"
    )
    assert written["expected"] in (f"{n} rows in investor.{table}, as drafted" for n in (1, 2))


def test_sql_is_read_as_check_reads_it(shop: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a mark of Windows at its head and its line ends; a pipe in a file's place is named and not waited for."""
    shutil.copytree(SQL, tmp_path / "sql")
    monkeypatch.setenv("ONCALL_INCLUDE_DIR", str(tmp_path))
    (tmp_path / "roster.yaml").write_text("")
    for file in (tmp_path / "sql").rglob("*.sql"):
        file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes().replace(b"\n", b"\r\n"))
    assert failed(shop, GROWTH) == {}
    drafted = tmp_path / "sql/growth_etl/15_draft.sql"
    drafted.unlink()
    os.mkfifo(drafted)
    with pytest.raises(OncallError, match="something that is no file; write the file"):
        run_all(shop, report_run(GROWTH))


def noted(connection: Any, table: str, day: dt.date, at: dt.datetime) -> None:
    """A load of the table, finished at that instant; the rows are not counted."""
    add_load = "insert into master.loads (table_name, business_day, loaded_at) values (%s, %s, %s)"
    with connection.cursor() as cursor:
        cursor.execute(add_load, (table, day, at))
    connection.commit()


@pytest.mark.parametrize("written", ["with the load", "in the shop"])
@pytest.mark.parametrize("next_day", ["loaded", "only its lines", "only its lines, and no load is noted"])
def test_half_of_the_orders_missing_is_held(shop: Any, next_day: str, written: str) -> None:
    """Whether every other one is missing, the first half or the last: their lines give them away.

    However much of the next day is there by then, and whatever upstream takes for the time of writing.
    """
    for day, first in ((DAY, 200), (NEXT, 300)):
        load = at("01:06", day + dt.timedelta(days=1))
        stamp = load if written == "with the load" else at("13:00", day)
        for number in range(first, first + 60):
            if next_day == "loaded" or day == DAY:
                add(shop, "orders", {"order_id": number, "ordered_at": at("13:00", day), "updated_at": stamp})
            add(shop, "order_lines", {"order_id": number, "unit_price": "10.00", "updated_at": stamp})
        if "no load" not in next_day:
            noted(shop, "order_lines", day, load)
    counted = "30" if next_day != "only its lines, and no load is noted" else "90"
    if counted == "30":
        assert failed(shop, PROFIT) == {}
    for missing in ("order_id % 2 = 0", "order_id < 230", "order_id > 229"):
        change(
            shop,
            f"create table kept as select * from master.orders where order_id between 200 and 259 and {missing}",
        )
        change(shop, f"delete from master.orders where order_id between 200 and 259 and {missing}")
        held = failed(shop, PROFIT)
        assert held["lines_have_orders"].startswith(f"{counted} in master.order_lines.order_id"), (
            missing,
            held,
        )
        if next_day == "loaded" and written == "in the shop":
            assert failed(shop, PROFIT, NEXT) == {}, missing
        change(shop, "insert into master.orders select * from kept; drop table kept")


def test_a_run_that_was_held_is_published_once_upstream_is_right(shop: Any, run: Run) -> None:
    """Also by the very same run, tried again: what it found the first time does not hold it any more."""
    change(shop, "update master.orders set status = 'fraud' where order_id = 101")
    assert list(failed(shop, PROFIT)) == ["orders_status_is_accepted"]
    change(shop, "update master.orders set status = 'paid' where order_id = 101")
    assert failed(shop, PROFIT) == {}
    assert rows(shop, "select * from investor.checks where not passed") == []


@pytest.mark.parametrize("driver", [psycopg, psycopg2])
def test_a_rule_without_an_end_holds_its_report(
    shop: Any, driver: Any, include: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By name, in bounded time; what is asked after it has all the time it needs."""
    monkeypatch.setattr(contract_check, "ANSWER_WITHIN_S", 1.0)
    contract = include / "contracts/master.odcs.yaml"
    text = contract.read_text(encoding="utf-8")
    contract.write_text(
        text.replace("where line.discount >", "where pg_sleep(60) is null or line.discount >")
    )
    began = time.monotonic()
    with closing(driver.connect(shop.dsn)) as connection:
        found = failed(connection, PROFIT)
    assert time.monotonic() - began < 20
    assert list(found) == ["data_can_be_computed"]
    assert (
        "master.order_lines, of its own rules discounts_are_within_the_line" in found["data_can_be_computed"]
    )
    contract.write_text(text)
    assert failed(shop, PROFIT) == {}


def test_a_number_is_one_of_those_accepted_however_it_is_written(shop: Any, include: Path) -> None:
    """1.50 is 1.5; two of a row of which one is not are told."""
    contract = include / "contracts/master.odcs.yaml"
    text = contract.read_text(encoding="utf-8")
    prices = {
        str(row["unit_price"]).rstrip("0") for row in rows(shop, "select unit_price from master.order_lines")
    }
    one_of = "quality: [{metric: invalidValues, arguments: {validValues: [%s]}, mustBe: 0}]"
    was = "{name: unit_price, logicalType: number, required: true, logicalTypeOptions: {minimum: 0, maximum: 1000000000}}"
    for values, held in ((", ".join(sorted(prices)), []), ("7.125", ["lines_unit_price_is_accepted"])):
        now = was.replace("logicalTypeOptions: {minimum: 0, maximum: 1000000000}", one_of % values)
        contract.write_text(text.replace(was, now, 1))
        assert list(failed(shop, PROFIT)) == held


def test_the_other_driver_finds_the_same(shop: Any) -> None:
    """psycopg 3 binds on the server."""
    change(shop, "update master.orders set status = '100%s' where order_id = 101")
    first = failed(shop, PROFIT)
    with closing(psycopg.connect(shop.dsn)) as other:
        assert failed(other, PROFIT) == first
    assert "('100%s')" in first["orders_status_is_accepted"]


def test_a_breach_says_how_to_list_all_of_them(shop: Any) -> None:
    """The command stands in the message."""
    change(shop, "update master.order_lines set discount = null")
    found = failed(shop, PROFIT)["lines_discount_is_there"]
    assert found.endswith("all of them: python -m oncall breaches 2026-11-20 --check lines_discount_is_there")
    change(shop, "update master.order_lines set discount = 0 where (order_id, line_no) <> (101, 1)")
    assert "all of them" not in failed(shop, PROFIT)["lines_discount_is_there"]


def test_a_warehouse_that_enforces_keys_is_not_asked_for_them(warehouse: Any) -> None:
    """What its own primary keys and not nulls see to costs nothing."""
    from oncall.config.data_contracts import REPOSITORY, load_data_contracts
    from pipelines.contract_check import _statements

    contracts = load_data_contracts(REPOSITORY.parent)
    with warehouse.cursor() as cursor:
        statements, lacking, _ = _statements(cursor, contracts, contracts.tables)
    warehouse.rollback()
    assert not lacking
    for statement in statements:
        names = [rule.name for rule in statement.rules]
        assert not [name for name in names if name.endswith(("_are_unique", "_is_there"))], names


def test_a_range_is_told_by_what_lies_outside_it(warehouse: Any) -> None:
    """Instants are before or after, numbers below or above."""
    from oncall.config.data_contracts import REPOSITORY, load_data_contracts
    from pipelines.contract_check import _statements

    contracts = load_data_contracts(REPOSITORY.parent)
    with warehouse.cursor() as cursor:
        statements, _, _ = _statements(cursor, contracts, contracts.tables)
    warehouse.rollback()
    told = {rule.name: rule.expected for statement in statements for rule in statement.rules}
    assert told["refunds_amount_is_in_range"] == "0 refunds whose amount is below 0 or above 1000000000"
    assert (
        told["refunds_refunded_at_is_in_range"]
        == "0 refunds whose refunded_at is before 1990-01-01T00:00:00Z"
    )


def test_whatever_a_run_waits_for_is_seen_also_while_it_checks_upstreams_rows(
    warehouse: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A session that has forgotten to let go of one of upstream's tables, and before the run has its own lock."""
    pipeline = oncall_config.load(oncall_config.include_dir()).pipelines[ENGAGEMENT]
    seen = Warehouse(connect_to(warehouse.dsn))
    monkeypatch.setattr(warehouse_module, "BLOCKED_FOR", dt.timedelta())
    with closing(psycopg2.connect(warehouse.dsn)) as holds:
        holds.cursor().execute("lock table master.sessions in access exclusive mode")
        running = threading.Thread(
            target=runner.transform, args=[warehouse, report_run(ENGAGEMENT)], daemon=True
        )
        running.start()
        found = ""
        until = time.monotonic() + 30
        while not found and time.monotonic() < until:
            found = seen.read([(pipeline, DAY)])[ENGAGEMENT, DAY].blocked_by
        assert found == f"pid {holds.info.backend_pid} (postgres)"
        holds.rollback()
        running.join(30)


def test_nothing_is_left_of_a_held_run(shop: Any) -> None:
    """The base model is as it was before."""
    run_all(shop, report_run(PROFIT))
    before = rows(shop, "select * from base.profit order by order_id, line_no")
    change(shop, "update master.orders set status = 'fraud' where order_id = 101")
    with pytest.raises(Held, match="orders_status_is_accepted: expected 0 orders whose status is not one of"):
        runner.transform(shop, report_run(PROFIT))
    assert rows(shop, "select * from base.profit order by order_id, line_no") == before


def test_the_command_lists_every_row_that_breaks_the_contract(
    shop: Any, known_to_airflow: None, capsys: pytest.CaptureFixture[str]
) -> None:
    """By check, by report, or all; what no report reads is not looked for."""
    assert main(["breaches", str(DAY)]) == 0
    assert f"nothing breaks the contracts on {DAY}" in capsys.readouterr().out
    change(shop, "update master.order_lines set discount = null where order_id = 102")
    change(shop, "update master.sessions set feature = '' where session_id = 1")
    assert main(["breaches", str(DAY), "--check", "lines_discount_is_there"]) == 1
    out = capsys.readouterr().out
    assert (
        "lines_discount_is_there: expected 0 order lines without discount; master.order_lines: 2 found" in out
    )
    assert "  order_id 102, line_no 1 (null)\n  order_id 102, line_no 2 (null)\n" in out
    assert main(["breaches", str(DAY), "--report", "growth_etl", "--json"]) == 1
    (found,) = json.loads(capsys.readouterr().out)
    assert (found["name"], found["rows"]) == ("sessions_feature_is_well_written", ["session_id 1 ('')"])
    assert main(["breaches", str(DAY), "--report", "nothing"]) == 2
    assert "no report nothing; write one of investor.daily_profit" in capsys.readouterr().err
