"""What upstream calls a table may be a view, have partitions or columns of its own, or hide rows from our role."""

from __future__ import annotations

from contextlib import closing, nullcontext
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
        "create domain money_of_ours as numeric(12, 2);"
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
    said = shop.get_dsn_parameters()
    role = f"reader_of_{said['dbname']}"
    change(shop, f"create role {role} login")
    for schema in ("master", "base", "investor", "experiments"):
        change(
            shop,
            f"grant usage, create on schema {schema} to {role}; grant all on all tables in schema {schema} to {role}",
        )
    change(shop, f"alter table master.orders enable row level security; {policy}")
    with (
        closing(psycopg2.connect(host=said["host"], dbname=said["dbname"], user=role)) as reader,
        pytest.raises(Held, match=found) if found else nullcontext(),
    ):
        run_all(reader, report_run("profit_etl", DAY))
    change(shop, f"drop owned by {role}; drop role {role}")
