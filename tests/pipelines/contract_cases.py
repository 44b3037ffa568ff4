"""What upstream may do to the good day of test_contract.py, and what holds which report for it."""

# ruff: noqa: E501 - a table: a line is a case

from __future__ import annotations

# A foreign warehouse: nothing but columns.
BARE = """
do $$ declare one record; begin
    for one in select conrelid::regclass as rel, conname from pg_constraint
        where connamespace = 'master'::regnamespace and contype in ('p', 'u') loop
        execute format('alter table %s drop constraint %I', one.rel, one.conname);
    end loop;
    for one in select c.oid::regclass as rel, a.attname from pg_attribute a join pg_class c on c.oid = a.attrelid
        where c.relnamespace = 'master'::regnamespace and c.relkind = 'r' and a.attnum > 0 and a.attnotnull loop
        execute format('alter table %s alter column %I drop not null', one.rel, one.attname);
    end loop;
end $$;
alter table master.marketing_spend alter column amount type numeric;
alter table master.order_lines alter column unit_price type numeric, alter column discount type numeric;
alter table master.products alter column unit_cost type numeric;
alter table master.refunds alter column amount type numeric;
"""

PROFIT, ENGAGEMENT, GROWTH = "profit_etl", "engagement_etl", "growth_etl"
EXPERIMENTS, UNIT_PROFIT = "daily_growth_experiments", "unit_profit_experiments"
COPY = "insert into master.{0} select * from master.{0} where {1}"

CANCEL_90 = (
    "update master.orders set status = 'cancelled', updated_at = '2026-11-20 15:00+07' where order_id = 90"
)

LOADED = "insert into master.loads values ('{}', '2026-11-20', '2026-11-21 01:00+07', {})"
IN_THE_SHOP = {
    "customers": 1,
    "products": 1,
    "orders": 3,
    "order_lines": 4,
    "refunds": 1,
    "marketing_spend": 2,
    "touches": 1,
    "sessions": 2,
    "experiment_assignments": 2,
}
READ_BY = {"sessions": GROWTH, "experiment_assignments": EXPERIMENTS}

# (what upstream did) → (the report, the check, table and column, how many and the key of one)
BROKEN = [
    # nothing where something must be
    ("update master.order_lines set discount = null where order_id = 102", PROFIT, "lines_discount_is_there", "2 in master.order_lines.discount, such as order_id 102, line_no 1 (null)"),
    ("update master.order_lines set quantity = null where order_id = 101", PROFIT, "lines_quantity_is_there", "1 in master.order_lines.quantity, such as order_id 101"),
    ("update master.order_lines set unit_price = null where order_id = 101", PROFIT, "lines_unit_price_is_there", "1 in master.order_lines.unit_price, such as order_id 101"),
    ("update master.order_lines set product_id = null where order_id = 101", PROFIT, "lines_product_id_is_there", "1 in master.order_lines.product_id, such as order_id 101"),
    ("update master.order_lines set order_id = null where order_id = 102 and line_no = 2", PROFIT, "lines_order_id_is_there", "1 in master.order_lines.order_id, such as order_id null, line_no 2 (null)"),
    ("update master.products set unit_cost = null", PROFIT, "products_unit_cost_is_there", "1 in master.products.unit_cost, such as product_id 1"),
    ("update master.refunds set amount = null", PROFIT, "refunds_amount_is_there", "1 in master.refunds.amount, such as refund_id 1"),
    ("update master.refunds set line_no = null", PROFIT, "refunds_line_no_is_there", "1 in master.refunds.line_no, such as refund_id 1"),
    ("update master.refunds set refunded_at = null", PROFIT, "refunds_refunded_at_is_there", "1 in master.refunds.refunded_at, such as refund_id 1"),
    ("update master.orders set ordered_at = null where order_id = 102", PROFIT, "orders_ordered_at_is_there", "1 in master.orders.ordered_at, such as order_id 102"),
    ("update master.orders set customer_id = null where order_id = 102", PROFIT, "orders_customer_id_is_there", "1 in master.orders.customer_id, such as order_id 102"),
    ("update master.orders set status = null where order_id = 101", PROFIT, "orders_status_is_there", "1 in master.orders.status, such as order_id 101 (null)"),
    ("update master.marketing_spend set channel = null where channel = 'tv'", PROFIT, "spend_channel_is_there", "1 in master.marketing_spend.channel, such as day 2026-11-20"),
    ("update master.marketing_spend set amount = null where channel = 'tv'", PROFIT, "spend_amount_is_there", "1 in master.marketing_spend.amount, such as day 2026-11-20, channel tv"),
    ("update master.marketing_spend set day = null where channel = 'tv'", PROFIT, "spend_day_is_there", "1 in master.marketing_spend.day, such as day null, channel tv (null)"),
    ("update master.touches set channel = null", PROFIT, "touches_channel_is_there", "1 in master.touches.channel, such as touch_id 1"),
    ("update master.touches set touched_at = null", PROFIT, "touches_touched_at_is_there", "1 in master.touches.touched_at, such as touch_id 1"),
    ("update master.customers set acquisition_channel = null where customer_id = 2", PROFIT, "customers_acquisition_channel_is_there", "1 in master.customers.acquisition_channel, such as customer_id 2"),
    ("update master.customers set acquisition_channel = null where customer_id = 2", ENGAGEMENT, "customers_acquisition_channel_is_there", "1 in master.customers.acquisition_channel, such as customer_id 2"),
    ("update master.customers set signed_up_at = null where customer_id = 1", GROWTH, "customers_signed_up_at_is_there", "1 in master.customers.signed_up_at, such as customer_id 1"),
    ("update master.sessions set started_at = null where session_id = 2", GROWTH, "sessions_started_at_is_there", "1 in master.sessions.started_at, such as session_id 2"),
    ("update master.sessions set customer_id = null where session_id = 2", ENGAGEMENT, "sessions_customer_id_is_there", "1 in master.sessions.customer_id, such as session_id 2"),
    ("update master.sessions set feature = null where session_id = 2", ENGAGEMENT, "sessions_feature_is_there", "1 in master.sessions.feature, such as session_id 2"),
    ("update master.experiment_assignments set variant = null where customer_id = 2", EXPERIMENTS, "assignments_variant_is_there", "1 in master.experiment_assignments.variant, such as experiment button, customer_id 2"),
    ("update master.experiment_assignments set assigned_at = null where customer_id = 2", EXPERIMENTS, "assignments_assigned_at_is_there", "1 in master.experiment_assignments.assigned_at, such as experiment button, customer_id 2"),
    # numbers that are none, negative or absurd
    ("update master.marketing_spend set amount = 'NaN' where channel = 'tv'", PROFIT, "spend_amount_is_a_number", "1 in master.marketing_spend.amount, such as day 2026-11-20, channel tv ('NaN')"),
    ("update master.order_lines set unit_price = 'NaN' where order_id = 101", PROFIT, "lines_unit_price_is_a_number", "1 in master.order_lines.unit_price, such as order_id 101, line_no 1 ('NaN')"),
    ("update master.order_lines set discount = '-Infinity' where order_id = 101", PROFIT, "lines_discount_is_a_number", "('-Infinity')"),
    ("update master.products set unit_cost = 'Infinity'", PROFIT, "products_unit_cost_is_a_number", "1 in master.products.unit_cost, such as product_id 1 ('Infinity')"),
    ("update master.refunds set amount = 'NaN'", PROFIT, "refunds_amount_is_a_number", "such as refund_id 1 ('NaN')"),
    ("update master.order_lines set quantity = -2 where order_id = 101", PROFIT, "lines_quantity_is_in_range", "1 in master.order_lines.quantity, such as order_id 101, line_no 1 ('-2')"),
    ("update master.order_lines set quantity = 0 where order_id = 101", PROFIT, "lines_quantity_is_in_range", "('0')"),
    ("update master.order_lines set quantity = 2000000 where order_id = 101", PROFIT, "lines_quantity_is_in_range", "('2000000')"),
    ("update master.order_lines set unit_price = -1, discount = 0 where order_id = 101", PROFIT, "lines_unit_price_is_in_range", "('-1')"),
    ("update master.order_lines set discount = -1 where order_id = 101", PROFIT, "lines_discount_is_in_range", "('-1')"),
    ("update master.order_lines set discount = 20.01 where order_id = 101", PROFIT, "discounts_are_within_the_line", "1 in master.order_lines, such as order_id 101, line_no 1"),
    ("update master.products set unit_cost = -1", PROFIT, "products_unit_cost_is_in_range", "1 in master.products.unit_cost"),
    ("update master.refunds set amount = -4", PROFIT, "refunds_amount_is_in_range", "1 in master.refunds.amount, such as refund_id 1 ('-4')"),
    ("update master.marketing_spend set amount = -1", PROFIT, "spend_amount_is_in_range", "2 in master.marketing_spend.amount"),
    ("update master.sessions set duration_s = -60 where session_id = 2", ENGAGEMENT, "sessions_duration_s_is_in_range", "1 in master.sessions.duration_s, such as session_id 2 ('-60')"),
    ("update master.sessions set duration_s = 900000 where session_id = 2", ENGAGEMENT, "sessions_duration_s_is_in_range", "('900000')"),
    ("update master.orders set status = 'canceled', updated_at = '2026-11-21 00:50+07' where order_id = 90", PROFIT, "orders_status_is_accepted", "1 in master.orders.status, such as order_id 90 ('canceled')"),
    # words that are none, or another spelling
    *(
        (f"update master.orders set status = '{status}' where order_id = 101", PROFIT, "orders_status_is_accepted", f"1 in master.orders.status, such as order_id 101 ('{status}')")
        for status in ("canceled", "CANCELLED", "Cancelled", "pending", "fraud", "", "paid ", "refunded")
    ),
    *(
        (f"update master.touches set channel = '{channel}'", PROFIT, "touches_channel_is_well_written", f"1 in master.touches.channel, such as touch_id 1 ('{channel}')")
        for channel in ("", " ", "Email", "EMAIL", "email ", " email", "e mail", "email\n", "e\u200bmail")
    ),
    ("update master.marketing_spend set channel = 'Email' where channel = 'email'", PROFIT, "spend_channel_is_well_written", "1 in master.marketing_spend.channel, such as day 2026-11-20, channel Email ('Email')"),
    ("update master.customers set acquisition_channel = 'organic ' where customer_id = 2", GROWTH, "customers_acquisition_channel_is_well_written", "1 in master.customers.acquisition_channel, such as customer_id 2 ('organic ')"),
    ("update master.customers set country = ' ' where customer_id = 1", PROFIT, "customers_country_is_well_written", "1 in master.customers.country"),
    ("update master.products set category = ''", PROFIT, "products_category_is_well_written", "1 in master.products.category"),
    ("update master.sessions set feature = 'Browse' where session_id = 1", ENGAGEMENT, "sessions_feature_is_well_written", "('Browse')"),
    ("update master.experiment_assignments set variant = 'control ' where customer_id = 1", EXPERIMENTS, "assignments_variant_is_well_written", "('control ')"),
    ("update master.experiment_assignments set variant = 'Control' where customer_id = 1", EXPERIMENTS, "variants_are_spelt_one_way", "1 in master.experiment_assignments, such as experiment button, customer_id 1"),
    ("update master.experiment_assignments set experiment = '' where customer_id = 1", EXPERIMENTS, "assignments_experiment_is_well_written", "1 in master.experiment_assignments.experiment"),
    ("update master.marketing_spend set channel = 'e-mail' where channel = 'tv'", PROFIT, "spend_channels_are_spelt_one_way", "2 in master.marketing_spend, such as day 2026-11-20, channel e-mail"),
    ("insert into master.touches select 2, customer_id, touched_at - interval '3 days', 'e-mail', updated_at from master.touches", PROFIT, "touch_channels_are_spelt_one_way", "2 in master.touches, such as touch_id 1"),
    # twice
    (COPY.format("orders", "order_id = 101"), PROFIT, "orders_are_unique", "1 in master.orders.order_id, such as order_id 101 (2 times)"),
    (COPY.format("order_lines", "order_id = 101"), PROFIT, "lines_are_unique", "1 in master.order_lines (order_id, line_no), such as order_id 101, line_no 1 (2 times)"),
    (COPY.format("products", "true"), PROFIT, "products_are_unique", "such as product_id 1 (2 times)"),
    (COPY.format("customers", "customer_id = 2"), PROFIT, "customers_are_unique", "such as customer_id 2 (2 times)"),
    (COPY.format("customers", "customer_id = 2"), GROWTH, "customers_are_unique", "1 in master.customers.customer_id, such as customer_id 2 (2 times)"),
    (COPY.format("refunds", "true"), PROFIT, "refunds_are_unique", "1 in master.refunds.refund_id, such as refund_id 1 (2 times)"),
    ("insert into master.refunds select 2, order_id, line_no, amount, refunded_at, updated_at from master.refunds", PROFIT, "refunds_come_once", "such as order_id 90, line_no 1, amount 4.00, refunded_at"),
    (COPY.format("marketing_spend", "channel = 'tv'"), PROFIT, "spend_are_unique", "such as day 2026-11-20, channel tv (2 times)"),
    (COPY.format("touches", "true"), PROFIT, "touches_are_unique", "such as touch_id 1 (2 times)"),
    (COPY.format("sessions", "session_id = 2"), ENGAGEMENT, "sessions_are_unique", "such as session_id 2 (2 times)"),
    ("insert into master.experiment_assignments select experiment, customer_id, 'blue', assigned_at, updated_at from master.experiment_assignments where customer_id = 1", EXPERIMENTS, "assignments_are_unique", "such as experiment button, customer_id 1 (2 times)"),
    ("insert into master.orders select order_id, customer_id, ordered_at - interval '9 days', status, updated_at from master.orders where order_id = 101", PROFIT, "orders_are_unique", "such as order_id 101 (2 times)"),
    # more money than there is, which no report could hold
    ("update master.order_lines set quantity = 100000, unit_price = 1000000000 where order_id = 101", PROFIT, "lines_are_within_reason", "1 in master.order_lines, such as order_id 101, line_no 1"),
    ("update master.order_lines set quantity = 100000 where order_id = 101; update master.products set unit_cost = 1000000000", PROFIT, "lines_are_within_reason", "1 in master.order_lines, such as order_id 101, line_no 1"),
    # one without the other
    ("delete from master.orders where order_id = 101", PROFIT, "lines_have_orders", "1 in master.order_lines.order_id, such as order_id 101, line_no 1 ("),
    ("delete from master.orders where order_id = 102", PROFIT, "lines_have_orders", "2 in master.order_lines.order_id, such as order_id 102, line_no 1 ("),
    ("delete from master.order_lines where order_id = 101", PROFIT, "orders_have_lines", "1 in master.orders.order_id, such as order_id 101"),
    ("update master.orders set customer_id = 404 where order_id = 101", PROFIT, "orders_have_customers", "1 in master.orders.customer_id, such as order_id 101 (404)"),
    ("update master.order_lines set product_id = 404 where order_id = 101", PROFIT, "lines_have_products", "1 in master.order_lines.product_id, such as order_id 101, line_no 1 (404)"),
    ("update master.refunds set order_id = 404", PROFIT, "refunds_have_orders", "1 in master.refunds.order_id, such as refund_id 1 (404)"),
    ("update master.refunds set line_no = 9", PROFIT, "refunds_have_lines", "1 in master.refunds (order_id, line_no), such as refund_id 1 (90, 9)"),
    ("update master.sessions set customer_id = 404 where session_id = 1", GROWTH, "sessions_have_customers", "1 in master.sessions.customer_id, such as session_id 1 (404)"),
    ("update master.experiment_assignments set customer_id = 404 where customer_id = 2", EXPERIMENTS, "assignments_have_customers", "1 in master.experiment_assignments.customer_id, such as experiment button, customer_id 404 (404)"),
    # times that cannot be
    ("update master.orders set ordered_at = '2062-11-20' where order_id = 102", PROFIT, "orders_ordered_at_is_not_in_the_future", "1 in master.orders.ordered_at, such as order_id 102"),
    ("update master.orders set ordered_at = 'infinity' where order_id = 102", PROFIT, "orders_ordered_at_is_not_in_the_future", "('infinity')"),
    ("update master.orders set ordered_at = '1970-01-01' where order_id = 102", PROFIT, "orders_ordered_at_is_in_range", "1 in master.orders.ordered_at, such as order_id 102"),
    ("update master.orders set ordered_at = '0026-11-20' where order_id = 102", PROFIT, "orders_ordered_at_is_in_range", "order_id 102"),
    ("update master.refunds set refunded_at = '2062-11-20'", PROFIT, "refunds_refunded_at_is_not_in_the_future", "such as refund_id 1"),
    ("update master.marketing_spend set day = '2062-11-20' where channel = 'tv'", PROFIT, "spend_day_is_not_in_the_future", "such as day 2062-11-20, channel tv"),
    ("update master.marketing_spend set day = '1970-01-01' where channel = 'tv'", PROFIT, "spend_day_is_in_range", "channel tv"),
    ("update master.touches set touched_at = '2062-11-20'", PROFIT, "touches_touched_at_is_not_in_the_future", "touch_id 1"),
    ("update master.sessions set started_at = '2062-11-20' where session_id = 2", GROWTH, "sessions_started_at_is_not_in_the_future", "session_id 2"),
    ("update master.sessions set started_at = '-infinity' where session_id = 2", ENGAGEMENT, "sessions_started_at_is_in_range", "session_id 2"),
    ("update master.experiment_assignments set assigned_at = '2062-11-20' where customer_id = 2", EXPERIMENTS, "assignments_assigned_at_is_not_in_the_future", "customer_id 2"),
    # money that cannot be
    ("update master.refunds set refunded_at = ordered_at from master.orders where false; update master.orders set ordered_at = '2026-11-20 09:01+07' where order_id = 90", PROFIT, "refunds_follow_their_order", "1 in master.refunds, such as refund_id 1"),
    ("update master.refunds set amount = 19.01", PROFIT, "refunds_are_within_the_line", "1 in master.refunds, such as refund_id 1"),
    ("insert into master.refunds select 7, order_id, line_no, 15.01, refunded_at - interval '1 day', updated_at from master.refunds", PROFIT, "refunds_are_within_the_line", "1 in master.refunds, such as refund_id 1"),
    # what the day's reports read of earlier days: touches, yesterday's sessions, all assignments
    *(
        (f"update master.touches set channel = {channel}, touched_at = touched_at - interval '3 days'", PROFIT, check, f"1 in master.touches.channel, such as touch_id 1 ({channel})")
        for channel, check in (("null", "touches_channel_is_there"), ("''", "touches_channel_is_well_written"), ("'Email '", "touches_channel_is_well_written"), ("'unattributed'", "touches_channel_is_well_written"))
    ),
    ("update master.sessions set customer_id = null, started_at = started_at - interval '1 day' where session_id = 1", GROWTH, "sessions_customer_id_is_there", "1 in master.sessions.customer_id, such as session_id 1 (null)"),
    ("update master.sessions set customer_id = 404, started_at = started_at - interval '1 day' where session_id = 1", GROWTH, "sessions_have_customers", "1 in master.sessions.customer_id, such as session_id 1 (404)"),
    ("insert into master.sessions select session_id, customer_id, started_at - interval '1 day', duration_s, feature, updated_at from master.sessions where session_id = 1", GROWTH, "sessions_are_unique", "such as session_id 1 (2 times)"),
    *(
        (f"update master.experiment_assignments set {column} = null, assigned_at = assigned_at - interval '3 days' where customer_id = 1", dag_id, f"assignments_{column}_is_there", f"1 in master.experiment_assignments.{column}, such as experiment ")
        for column in ("variant", "experiment", "customer_id")
        for dag_id in (EXPERIMENTS, UNIT_PROFIT)
    ),
    ("update master.experiment_assignments set assigned_at = null, updated_at = updated_at - interval '9 days' where customer_id = 1", UNIT_PROFIT, "assignments_assigned_at_is_there", "such as experiment button, customer_id 1 (null)"),
    ("update master.experiment_assignments set variant = 'blue', assigned_at = assigned_at - interval '3 days' where customer_id = 1; update master.experiment_assignments set variant = 'BLUE' where customer_id = 2", EXPERIMENTS, "variants_are_spelt_one_way", "2 in master.experiment_assignments, such as experiment button, customer_id 1"),
    ("update master.experiment_assignments set experiment = 'Button', assigned_at = assigned_at - interval '3 days' where customer_id = 2", UNIT_PROFIT, "experiments_are_spelt_one_way", "2 in master.experiment_assignments, such as experiment Button, customer_id 2"),
    # an order of an earlier day that is cancelled on this one: with its lines and its refunds
    *(
        (f"{CANCEL_90}; delete from master.refunds; update master.order_lines set {column} = {value} where order_id = 90", PROFIT, check, f"1 in master.order_lines.{column}, such as order_id 90, line_no 1")
        for column, value, check in (
            ("discount", "null", "lines_discount_is_there"),
            ("unit_price", "'NaN'", "lines_unit_price_is_a_number"),
            ("discount", "'Infinity'", "lines_discount_is_a_number"),
            ("quantity", "-5", "lines_quantity_is_in_range"),
            ("product_id", "404", "lines_have_products"),
            ("currency", "'EUR'", "lines_currency_is_accepted"),
        )
    ),
    *(
        (f"{CANCEL_90}; update master.refunds set amount = {amount}, refunded_at = refunded_at - interval '1 day'", PROFIT, check, "such as refund_id 1")
        for amount, check in (("null", "refunds_amount_is_there"), ("'NaN'", "refunds_amount_is_a_number"), ("-5", "refunds_amount_is_in_range"), ("50", "refunds_are_within_the_line"))
    ),
    (f"{CANCEL_90}; delete from master.refunds; update master.orders set customer_id = 404 where order_id = 90", PROFIT, "orders_have_customers", "1 in master.orders.customer_id, such as order_id 90 (404)"),
    # written when nobody can have written it: whether it changed later nobody would notice
    *(
        (f"update master.{table} set updated_at = '{when}'", dag_id, f"{table.split('_')[-1]}_updated_at_is_{what}", f" in master.{table}.updated_at, such as ")
        for table, dag_id in (("customers", PROFIT), ("products", PROFIT), ("orders", PROFIT), ("order_lines", PROFIT), ("refunds", PROFIT), ("marketing_spend", PROFIT), ("touches", PROFIT), ("sessions", GROWTH), ("experiment_assignments", EXPERIMENTS))
        for when, what in (("2062-01-01", "not_in_the_future"), ("infinity", "not_in_the_future"), ("1970-01-01", "in_range"))
    ),
    ("update master.orders set status = 'cancelled', updated_at = null where order_id = 90", PROFIT, "orders_updated_at_is_there", "1 in master.orders.updated_at, such as order_id 90 (null)"),
    ("update master.orders set status = 'cancelled', updated_at = '2062-01-01' where order_id = 90", PROFIT, "orders_updated_at_is_not_in_the_future", "1 in master.orders.updated_at, such as order_id 90"),
    # a fraction where there is none, a name that is ours
    ("alter table master.order_lines alter column quantity type numeric; update master.order_lines set quantity = 1.5 where order_id = 101", PROFIT, "lines_quantity_is_whole", "1 in master.order_lines.quantity, such as order_id 101, line_no 1 ('1.5')"),
    ("alter table master.sessions alter column duration_s type float8; update master.sessions set duration_s = 1.5 where session_id = 1", ENGAGEMENT, "sessions_duration_s_is_whole", "1 in master.sessions.duration_s, such as session_id 1 ('1.5')"),
    ("update master.marketing_spend set channel = 'unattributed' where channel = 'tv'", PROFIT, "spend_channel_is_well_written", "1 in master.marketing_spend.channel, such as day 2026-11-20, channel unattributed"),
    ("alter table master.order_lines alter column line_no type bigint; update master.order_lines set line_no = 3000000000 where order_id = 101", PROFIT, "lines_line_no_is_in_range", "1 in master.order_lines.line_no, such as order_id 101, line_no 3000000000"),
    # a warehouse that is not what it was
    ("alter table master.refunds alter column amount type real", PROFIT, "refunds_amount_has_its_type", "none in master.refunds"),
    ("alter table master.order_lines alter column unit_price type float8", PROFIT, "lines_unit_price_has_its_type", "none in master.order_lines"),
    ("alter table master.refunds alter column amount type money using amount::money", PROFIT, "refunds_amount_has_its_type", "none in master.refunds"),
    ("alter table master.order_lines drop column discount", PROFIT, "lines_discount_exists", "none in master.order_lines"),
    ("drop table master.touches", PROFIT, "touches_exist", "no table master.touches"),
    ("alter table master.order_lines alter column discount type text", PROFIT, "lines_discount_has_its_type", "none in master.order_lines"),
    *(
        (f"drop index master.orders_cancelled; alter table master.{table} alter column {column} drop default; alter table master.{table} alter column {column} type {kind}", READ_BY.get(table, PROFIT), f"{table.split('_')[-1]}_{column}_has_its_type", f"none in master.{table}")
        for table, column, kind in (
            ("orders", "ordered_at", "timestamp"), ("orders", "status", "int using 1"), ("orders", "updated_at", "date"), ("orders", "currency", "bytea using currency::bytea"),
            ("marketing_spend", "day", "timestamptz"), ("touches", "channel", "text[] using array[channel]"), ("sessions", "started_at", "timestamp"),
            ("customers", "customer_id", "text"), ("experiment_assignments", "variant", "boolean using true"), ("refunds", "amount", "text"),
        )
    ),
    ("create type state as enum ('paid', 'void'); drop index master.orders_cancelled; alter table master.orders alter column status type state using 'paid'", PROFIT, "orders_status_has_its_type", "none in master.orders"),
    ("alter table master.orders rename to ordered", PROFIT, "orders_exist", "no table master.orders"),
    ("alter table master.orders rename ordered_at to placed_at", PROFIT, "orders_ordered_at_exists", "none in master.orders"),
    *(
        (statement, dag_id, check, f"{'no table' if 'drop' in statement else 'none in'} master.loads")
        for dag_id in (PROFIT, ENGAGEMENT, GROWTH, EXPERIMENTS, UNIT_PROFIT)
        for statement, check in (
            ("drop table master.loads", "loads_exist"),
            ("alter table master.loads rename row_count to rows", "loads_row_count_exists"),
        )
    ),
    ("alter table master.loads rename to load", PROFIT, "loads_exist", "no table master.loads"),
    *(
        (f"alter table master.loads alter column {column} type {kind}", PROFIT, f"loads_{column}_has_its_type", "none in master.loads")
        for column, kind in (("row_count", "text"), ("loaded_at", "timestamp"), ("business_day", "text"), ("table_name", "int using 1"))
    ),
    # a load that says otherwise than the table
    *(
        (LOADED.format(name, said), READ_BY.get(table, PROFIT), f"{table.split('_')[-1]}_are_as_many_as_loaded", f"1 in master.loads.row_count, such as table_name {table}, business_day 2026-11-20 ({said} rows, but {there} of that day in master.{table})")
        for table, there in IN_THE_SHOP.items()
        for name, said in ((table, there + 1), (f"master.{table}", there - 1), (table, 5000))
    ),
    (f"{LOADED.format('orders', 3)}; delete from master.orders where order_id = 103; delete from master.order_lines where order_id = 103", PROFIT, "orders_are_as_many_as_loaded", "(3 rows, but 2 of that day in master.orders)"),
]  # fmt: skip

ORDINARY = [
    "update master.sessions set duration_s = null where session_id = 1",  # still running
    "update master.sessions set duration_s = 0 where session_id = 1",
    "update master.order_lines set unit_price = 0, discount = 0 where order_id = 101",  # a gift
    "update master.products set unit_cost = 0",
    "update master.products set category = 'CHRISTMAS  SEASONAL'",
    "update master.products set category = repeat('Animals & Pet Supplies > ', 9) || 'Cat Food'",
    "update master.refunds set amount = 19.00",  # all that was paid for the line
    "update master.orders set ordered_at = '2026-11-20 00:00+07' where order_id = 101",
    "update master.marketing_spend set amount = 0 where channel = 'tv'",
    "delete from master.marketing_spend",
    "delete from master.refunds",
    "delete from master.touches",
    "update master.touches set customer_id = 404",  # not signed up yet: credits no order
    "insert into master.touches select 2, customer_id, touched_at, 'paid_search', updated_at from master.touches",
    "insert into master.marketing_spend select day + 1, channel, amount, updated_at from master.marketing_spend",
    "delete from master.order_lines where order_id = 103",  # cancelled before it had any
    "update master.orders set updated_at = '2026-11-21 00:50+07'",  # loaded again, as it was
    # Of other days: their own reports are held by them.
    "insert into master.orders select 95, customer_id, ordered_at - interval '1 day', 'odd', '2026-11-20 00:50+07' from master.orders where order_id = 101",
    "update master.order_lines set unit_price = -5, discount = 0 where order_id = 90; delete from master.refunds",
    "insert into master.orders select 50, customer_id, ordered_at - interval '30 days', 'odd', updated_at - interval '9 days'"
    " from master.orders where order_id = 101",
    # a touch that is too old to be credited, a session of the day before yesterday
    "insert into master.touches select 9, customer_id, touched_at - interval '12 days', 'Email', updated_at from master.touches",
    f"{CANCEL_90}; delete from master.refunds",
    "insert into master.orders select 60, null, null, 'odd', updated_at - interval '9 days'"
    " from master.orders where order_id = 101",
]

ORDINARY += [  # loads
    # the last load counts
    "; ".join(
        f"{LOADED.format(table, there + 7).replace('01:00', '00:30')}; {LOADED.format(table, there)}"
        for table, there in IN_THE_SHOP.items()
    ),
    "; ".join(LOADED.format(table, "null") for table in IN_THE_SHOP),
    # what came after the load is no part of it
    LOADED.format("orders", 2).replace("2026-11-21", "2026-11-19"),
    "alter table master.loads alter column row_count type numeric; " + LOADED.format("orders", 3),
]

# What the standard's own tool can find as well: it looks at whole tables, and at columns one by one.
SECOND_OPINION = (
    "update master.order_lines set discount = null where order_id = 102 and line_no = 2",
    "update master.order_lines set quantity = 0 where order_id = 101",
    "update master.order_lines set product_id = 404 where order_id = 102 and line_no = 1",
    "update master.products set unit_cost = -1",
    "update master.products set category = E'to\\u00adys'",
    "update master.order_lines set quantity = 100000, unit_price = 1000000000 where order_id = 103",
    "update master.orders set status = 'fraud' where order_id = 101",
    "update master.orders set customer_id = 404 where order_id = 102",
    "update master.marketing_spend set channel = 'Email' where channel = 'email'",
    "update master.marketing_spend set amount = null where channel = 'tv'",
    "update master.touches set channel = ' '",
    "update master.sessions set duration_s = -1 where session_id = 1",
    "update master.sessions set customer_id = 404 where session_id = 2",
    "update master.refunds set amount = 19.01",
    "update master.customers set acquisition_channel = '' where customer_id = 2",
    "insert into master.touches select * from master.touches",
    *(f"update master.{table} set currency = 'EUR'" for table in ("refunds", "order_lines", "products")),
    "insert into master.experiment_assignments select experiment, customer_id, 'blue', assigned_at, updated_at from master.experiment_assignments where customer_id = 1",
    "update master.experiment_assignments set variant = null where customer_id = 2",
)
