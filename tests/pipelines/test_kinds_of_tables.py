"""What upstream calls a table may be a view, have partitions or columns of its own, or hide rows from our role."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from oncall.config.oncall_config import load
from pipelines.report_run import Held
from pipelines.stale_days import StalePublications
from tests.pipelines.master_by_hand import DAY
from tests.pipelines.model_runs import REPORTS, report_run, run_all
from tests.pipelines.test_contract import change

CONFIG = load(Path(__file__).resolve().parents[2] / "include")
AWAY = "alter table master.orders rename to kept; "
ALL_VIEWS = """
    do $$ declare of_table text; begin
        for of_table in select tablename from pg_tables where schemaname = 'master' loop
            execute format('alter table master.%1$I rename to %2$I', of_table, of_table || '_kept');
            execute format('create view master.%1$I as select * from master.%2$I', of_table, of_table || '_kept');
        end loop;
    end $$
"""


@pytest.mark.parametrize(
    "kind",
    [
        ALL_VIEWS,
        AWAY + "create materialized view master.orders as select * from master.kept",
        AWAY + "create table master.orders (like master.kept) partition by range (ordered_at);"
        " create table master.some_orders partition of master.orders default;"
        " insert into master.orders select * from master.kept",
        "alter table master.order_lines add total numeric generated always as (quantity * unit_price) stored",
        "create domain money_of_all as numeric; create domain money_of_ours as money_of_all;"
        " alter table master.order_lines alter unit_price type money_of_ours",
    ],
    ids=["views", "materialized view", "partitions", "generated column", "domain"],
)
def test_whatever_upstream_calls_a_table_is_read_as_one(shop: Any, kind: str) -> None:
    """All five reports are published, and a row that is written later makes its day stale."""
    change(shop, kind)
    for dag_id in REPORTS:
        run_all(shop, report_run(dag_id, DAY))
    found = StalePublications(shop, CONFIG)
    assert found.find() == []
    change(
        shop,
        "update master.order_lines set discount = 2, updated_at = clock_timestamp() where order_id = 101",
    )
    assert [(day.pipeline.dag_id, day.report_date) for day in found.find()][:1] == [("profit_etl", DAY)]


@pytest.mark.parametrize(
    ("policy", "found"),
    [
        (
            "create policy half on master.orders using (mod(order_id, 2) = 0)",
            r"lines_have_orders: expected 0 order lines of unknown orders; found 2(.|\n)*orders_are_in_sight: expected"
            r" no row that row-level security hides from our role: .*; found 1 in master.orders, such as policy half,"
            r" .*mod\(order_id, .*= 0",
        ),
        *(
            (policy, r"orders_are_in_sight: expected no row that .*; found none in master.orders")
            for policy in ("", "create policy theirs on master.orders to postgres using (true)")
        ),
        ("create policy whole on master.orders using (true)", ""),
    ],
    ids=["some", "all", "all but of others", "none"],
)
def test_rows_that_row_level_security_hides_hold_the_report(shop: Any, policy: str, found: str) -> None:
    """Named as such: half the orders, whose lines are of orders that nobody sees, or all of them."""
    with as_reader(shop) as reader:
        change(shop, f"alter table master.orders enable row level security; {policy}")
        with pytest.raises(Held, match=found) if found else nullcontext():
            run_all(reader, report_run("profit_etl", DAY))


@contextmanager
def as_reader(shop: Any) -> Iterator[Any]:
    """A connection of a role that owns nothing and may read all of upstream's tables."""
    said = shop.get_dsn_parameters()
    role = f"reader_of_{said['dbname']}"
    change(shop, f"create role {role} login")
    for schema in ("master", "base", "investor", "experiments"):
        change(
            shop,
            f"grant usage, create on schema {schema} to {role}; grant all on all tables in schema {schema} to {role}",
        )
    with closing(psycopg2.connect(host=said["host"], dbname=said["dbname"], user=role)) as reader:
        yield reader
        reader.rollback()
    change(shop, f"drop owned by {role}; drop role {role}")


RIGHTS = "revoke all on master.orders from ROLE; grant select ({}) on master.orders to ROLE"


@pytest.mark.parametrize(
    ("taken", "found"),
    [
        (RIGHTS.format("order_id, customer_id, ordered_at, status, currency, updated_at"), {}),
        (
            RIGHTS.format("order_id, customer_id, ordered_at, currency"),
            {
                "orders_may_be_read": "the right to read status, updated_at: grant select on master.orders to ROLE"
            },
        ),
        (
            "revoke all on master.refunds from ROLE",
            {
                "refunds_may_be_read": "the right to read refund_id, order_id, line_no, amount, refunded_at,"
                " currency, updated_at: grant select on master.refunds to ROLE"
            },
        ),
        (
            "revoke all on master.loads from ROLE",
            {
                "loads_may_be_read": "the right to read table_name, business_day, loaded_at, row_count:"
                " grant select on master.loads to ROLE"
            },
        ),
    ],
    ids=["each column", "some columns", "a table", "the loads"],
)
def test_what_our_role_may_not_read_holds_the_report(shop: Any, taken: str, found: dict[str, str]) -> None:
    """With the columns, and the grant that is missing; a right to each column of the contract is enough."""
    with as_reader(shop) as reader:
        role = reader.get_dsn_parameters()["user"]
        change(shop, "alter table master.orders add note text")
        change(shop, taken.replace("ROLE", role))
        with pytest.raises(Held) if found else nullcontext() as held:
            run_all(reader, report_run("profit_etl", DAY))
    said = {check.name: check.expected.replace(role, "ROLE") for check in held.value.failed} if held else {}
    assert said == found


@pytest.mark.parametrize(
    ("table", "read_by"),
    [
        ("refunds", {"profit_etl", "unit_profit_experiments"}),
        ("customers", {*REPORTS}),
        ("loads", {*REPORTS}),
        ("sessions", {"engagement_etl", "growth_etl"}),
        ("experiment_assignments", {"unit_profit_experiments", "daily_growth_experiments"}),
    ],
)
def test_whatever_a_report_reads_and_may_not_holds_it_with_the_grant(
    shop: Any, table: str, read_by: set[str]
) -> None:
    """Also a table that it only asks for days which nobody has made yet; one that reads none of it is published."""
    with as_reader(shop) as reader:
        for dag_id in REPORTS:
            run_all(shop, report_run(dag_id, DAY))
        role = reader.get_dsn_parameters()["user"]
        change(shop, f"revoke all on master.{table} from {role}")
        for dag_id in REPORTS:
            grant = f"grant select on master.{table} to {role}"
            with pytest.raises(Held, match=grant) if dag_id in read_by else nullcontext():
                run_all(reader, report_run(dag_id, DAY))


@pytest.mark.parametrize(
    ("view", "found"),
    [
        (
            "create view master.orders as select * from master.kept; grant select on master.orders to public;"
            " create role OWNER; grant create, usage on schema master to OWNER;"
            " alter view master.orders owner to OWNER",
            "also behind a view; found permission denied for table kept",
        ),
        (
            "create materialized view master.orders as table master.kept with no data;"
            " grant select on master.orders to public",
            "that have been filled; found materialized view .orders. has not been populated",
        ),
    ],
    ids=["of an owner without rights", "never filled"],
)
def test_a_view_that_cannot_be_read_holds_the_report(shop: Any, view: str, found: str) -> None:
    """In the database's words."""
    owner = f"owner_of_{shop.get_dsn_parameters()['dbname']}"
    with as_reader(shop) as reader:
        change(shop, AWAY + view.replace("OWNER", owner))
        with pytest.raises(Held, match=found):
            run_all(reader, report_run("profit_etl", DAY))
    if "OWNER" in view:
        change(shop, f"drop owned by {owner} cascade; drop role {owner}")


def test_a_table_of_ours_that_takes_no_rows_is_a_failure(shop: Any) -> None:
    """No data is to blame, and nobody upstream can mend it."""
    change(
        shop,
        "alter table base.growth rename to growth_moved;"
        " create view base.growth as select distinct * from base.growth_moved",
    )
    with pytest.raises(psycopg2.errors.ObjectNotInPrerequisiteState, match='from view "growth"'):
        run_all(shop, report_run("growth_etl", DAY))


@pytest.mark.parametrize(
    ("taken", "why"),
    [
        ("drop table master.refunds cascade", "profit_etl .*relation "),
        (
            AWAY + "create materialized view master.orders as table master.kept with no data",
            "profit_etl .*has not been",
        ),
        ("drop table master.experiment_assignments", ".*_experiments .*relation "),
    ],
    ids=["gone", "never filled", "gone, of experiments"],
)
def test_a_table_that_cannot_be_read_hides_no_stale_day_of_another(shop: Any, taken: str, why: str) -> None:
    """The others are searched and run again; whose rows nobody could look for is said, with the database's words."""
    for dag_id in REPORTS:
        run_all(shop, report_run(dag_id, DAY))
    change(
        shop, "update master.sessions set duration_s = 7, updated_at = clock_timestamp() where session_id = 1"
    )
    change(shop, taken)
    found = StalePublications(shop, CONFIG)
    assert {day.pipeline.dag_id for day in found.find()} >= {"engagement_etl", "growth_etl"}
    assert any(
        re.match(why, line.replace(" was not searched for late rows:", "")) for line in found.unsearched_words
    )
    done = {rerun.day.pipeline.dag_id: rerun.held for rerun in found.rerun("again")}
    assert done["engagement_etl"] == done["growth_etl"] == ""


def test_what_is_written_after_the_contract_was_asked_makes_the_day_stale(shop: Any) -> None:
    """Also when the models have read it: nobody has asked whether it keeps its contract."""
    written = (
        "update master.order_lines set discount = 2, updated_at = clock_timestamp() where order_id = 101"
    )

    class Meanwhile(psycopg2.extensions.cursor):
        def execute(self, statement: Any, values: Any = None) -> None:
            if "insert into base.readings" in str(statement):
                with closing(psycopg2.connect(shop.dsn)) as upstream:
                    change(upstream, written)
            super().execute(statement, values)

    shop.cursor_factory = Meanwhile
    run_all(shop, report_run("profit_etl"))
    assert [(day.pipeline.dag_id, day.report_date) for day in StalePublications(shop, CONFIG).find()] == [
        ("profit_etl", DAY)
    ]


def test_a_stale_day_that_cannot_be_computed_stands_in_no_others_way(shop: Any) -> None:
    """Profit's orders are refused by the database in words that say nothing of data; engagement is run again."""
    for dag_id in REPORTS:
        run_all(shop, report_run(dag_id, DAY))
    late = "updated_at = clock_timestamp() where"
    change(shop, f"update master.order_lines set discount = 2, {late} order_id = 101")
    change(shop, f"update master.sessions set duration_s = 7, {late} session_id = 1")
    found = StalePublications(shop, CONFIG)
    assert {"profit_etl", "engagement_etl"} <= {day.pipeline.dag_id for day in found.find()}
    change(shop, AWAY + "create materialized view master.orders as table master.kept with no data")
    done = {rerun.day.pipeline.dag_id: rerun.held for rerun in found.rerun("again")}
    assert "has not been populated" in done["profit_etl"]
    assert done["engagement_etl"] == ""
