-- Schema `master`: what the Software Engineer Team loads, day by day. Safe to run again and again.
-- Business days are UTC+7: day D holds the instants from D 00:00+07 to D+1 00:00+07. `updated_at` is when the row was
-- last written here; `currency` may be lacking: what money is in stands in the contract. Every time column has an index,
-- so that reading one business day is an index range; the lines of an order are found by its id. No foreign keys are
-- declared: tables arrive one by one, in any order, late.

create schema if not exists master;

create table if not exists master.customers (
    customer_id bigint primary key,
    signed_up_at timestamptz not null,
    country text not null,
    acquisition_channel text not null,
    updated_at timestamptz not null
);
create index if not exists customers_signed_up_at on master.customers (signed_up_at);

create table if not exists master.products (
    product_id bigint primary key,
    category text not null,
    unit_cost numeric(14, 2) not null,
    updated_at timestamptz not null,
    currency text not null default 'USD'
);

create table if not exists master.orders (
    order_id bigint primary key,
    customer_id bigint not null,
    ordered_at timestamptz not null,
    status text not null,
    updated_at timestamptz not null,
    currency text not null default 'USD'
);
create index if not exists orders_ordered_at on master.orders (ordered_at);
-- Few: what was cancelled on a day is found by when its row was written last.
create index if not exists orders_cancelled on master.orders (updated_at) where status = 'cancelled';

-- `discount` is money off the whole line: revenue = quantity * unit_price - discount.
create table if not exists master.order_lines (
    order_id bigint not null,
    line_no integer not null,
    product_id bigint not null,
    quantity integer not null,
    unit_price numeric(14, 2) not null,
    discount numeric(14, 2) not null,
    updated_at timestamptz not null,
    currency text not null default 'USD',
    primary key (order_id, line_no)
);

create table if not exists master.refunds (
    refund_id bigint primary key,
    order_id bigint not null,
    line_no integer not null,
    amount numeric(14, 2) not null,
    refunded_at timestamptz not null,
    updated_at timestamptz not null,
    currency text not null default 'USD'
);
create index if not exists refunds_refunded_at on master.refunds (refunded_at);
create index if not exists refunds_order_line on master.refunds (order_id, line_no);

create table if not exists master.marketing_spend (
    day date not null,
    channel text not null,
    amount numeric(14, 2) not null,
    updated_at timestamptz not null,
    currency text not null default 'USD',
    primary key (day, channel)
);

create table if not exists master.touches (
    touch_id bigint primary key,
    customer_id bigint not null,
    touched_at timestamptz not null,
    channel text not null,
    updated_at timestamptz not null
);
create index if not exists touches_touched_at on master.touches (touched_at);
create index if not exists touches_customer_touched_at on master.touches (customer_id, touched_at);

create table if not exists master.sessions (
    session_id bigint primary key,
    customer_id bigint not null,
    started_at timestamptz not null,
    duration_s integer not null,
    feature text not null,
    updated_at timestamptz not null
);
create index if not exists sessions_started_at on master.sessions (started_at);
create index if not exists sessions_customer_started_at on master.sessions (customer_id, started_at);

create table if not exists master.experiment_assignments (
    experiment text not null,
    customer_id bigint not null,
    variant text not null,
    assigned_at timestamptz not null,
    updated_at timestamptz not null,
    primary key (experiment, customer_id)
);
create index if not exists experiment_assignments_assigned_at on master.experiment_assignments (assigned_at);

-- Rows lie in the order in which they were written: what was written since yesterday is found by next to no index.
create index if not exists orders_updated_at on master.orders using brin (updated_at) with (pages_per_range = 16);
create index if not exists order_lines_updated_at on master.order_lines using brin (updated_at) with (pages_per_range = 16);
create index if not exists refunds_updated_at on master.refunds using brin (updated_at) with (pages_per_range = 16);
create index if not exists touches_updated_at on master.touches using brin (updated_at) with (pages_per_range = 16);
create index if not exists sessions_updated_at on master.sessions using brin (updated_at) with (pages_per_range = 16);
create index if not exists experiment_assignments_updated_at
on master.experiment_assignments using brin (updated_at) with (pages_per_range = 16);

-- One row per finished load. A table-day may be loaded again: the latest `loaded_at` counts. `table_name` is bare
-- (`orders`); `row_count` is the number of rows the table then holds for that business day (for products, which
-- have no day: all of them).
create table if not exists master.loads (
    table_name text not null,
    business_day date not null,
    loaded_at timestamptz not null,
    row_count bigint not null
);
create index if not exists loads_table_day on master.loads (table_name, business_day, loaded_at);
