-- The warehouse's own tables. Safe to run again and again, which happens whenever this text has changed; never drops
-- anything. A change to a table that is there: `alter table … add column if not exists … default …` after the statement
-- that creates it.
--
--   base         what the pipelines compute: base models, and the draft of each report
--   investor     what investors see, and the row that says it is complete (`publications`)
--   experiments  what the experiments' readers see
--
-- Money is numeric. A report's money is in cents; a base model keeps 10 decimals, because a third of a cent belongs
-- to somebody. `report_date` is the business day the data is about, in the roster's time zone.
-- Base models have no primary key on purpose: a key that comes twice is for the checks to find (the report is *held*
-- and says why), not for the transform to fail on.

create schema if not exists base;
create schema if not exists investor;
create schema if not exists experiments;

-- The business day of an instant; null of one that nobody means: there are years for which `at time zone` raises an error.
create or replace function base.day_of(instant timestamptz, zone text) returns date
language sql immutable as $$
    select case
        when instant between timestamptz '0001-01-01 00:00+00' and timestamptz '9999-01-01 00:00+00'
            then (instant at time zone zone)::date
    end
$$;

-- Reports -----------------------------------------------------------------------------------------------------------

-- `orders` are those sold on the day; `cancelled_orders` were sold on an earlier day and cancelled on this one.
-- `currency`: what the row's money is in.
create table if not exists investor.daily_profit (
    report_date date primary key,
    orders bigint not null,
    revenue numeric(18, 2) not null,
    cost numeric(18, 2) not null,
    refunds numeric(18, 2) not null,
    marketing numeric(18, 2) not null,
    profit numeric(18, 2) not null,
    cancelled_orders bigint not null default 0,
    currency text
);

create table if not exists investor.daily_profit_by_channel (
    report_date date not null,
    channel text not null,
    revenue numeric(18, 2) not null,
    cost numeric(18, 2) not null,
    refunds numeric(18, 2) not null,
    marketing numeric(18, 2) not null,
    profit numeric(18, 2) not null,
    currency text,
    primary key (report_date, channel)
);

-- Ratios have 10 decimals, and are null where there is nothing to divide by.
create table if not exists investor.daily_engagement (
    report_date date primary key,
    active_1d bigint not null,
    active_7d bigint not null,
    active_28d bigint not null,
    stickiness numeric(18, 10),
    sessions bigint not null,
    seconds bigint not null,
    sessions_per_active numeric(18, 10),
    seconds_per_active numeric(18, 10)
);

create table if not exists investor.daily_engagement_by_channel (
    report_date date not null,
    channel text not null,
    active_1d bigint not null,
    active_7d bigint not null,
    active_28d bigint not null,
    stickiness numeric(18, 10),
    sessions bigint not null,
    seconds bigint not null,
    sessions_per_active numeric(18, 10),
    seconds_per_active numeric(18, 10),
    primary key (report_date, channel)
);

create table if not exists investor.daily_growth (
    report_date date primary key,
    active bigint not null,
    new bigint not null,
    retained bigint not null,
    resurrected bigint not null,
    churned bigint not null,
    quick_ratio numeric(18, 10)
);

create table if not exists investor.daily_growth_by_channel (
    report_date date not null,
    channel text not null,
    active bigint not null,
    new bigint not null,
    retained bigint not null,
    resurrected bigint not null,
    churned bigint not null,
    quick_ratio numeric(18, 10),
    primary key (report_date, channel)
);

-- A row for each week or month that is over; `report_date` is its last day.
create table if not exists investor.weekly_growth (
    report_date date primary key,
    first_day date not null,
    active bigint not null,
    new bigint not null,
    retained bigint not null,
    resurrected bigint not null,
    churned bigint not null,
    quick_ratio numeric(18, 10)
);

create table if not exists investor.monthly_growth (like investor.weekly_growth including all);

-- A row for each month that is over and each month of sign-up until then. `cohort`: the month of sign-up, as 2026-11.
create table if not exists investor.signup_cohorts (
    report_date date not null,
    cohort text not null,
    months integer not null,
    customers bigint not null,
    active bigint not null,
    retained_share numeric(18, 10) not null,
    primary key (report_date, cohort)
);

-- `switched`: those whose variant has changed since a day was published with it, left out of every other number. What is
-- `adjusted` takes into account what the customers earned before (CUPED); a `cs` holds however often one looks. Nobody is in
-- a variant that has no mean.
create table if not exists experiments.unit_profit (
    report_date date not null,
    experiment text not null,
    variant text not null,
    n bigint not null,
    mean_profit numeric,
    variance numeric,
    diff_from_control numeric,
    ci_low numeric,
    ci_high numeric,
    switched bigint not null default 0,
    expected_n numeric,
    sample_ratio_p numeric,
    cs_low numeric,
    cs_high numeric,
    adjusted_mean numeric,
    adjusted_variance numeric,
    adjusted_diff numeric,
    adjusted_ci_low numeric,
    adjusted_ci_high numeric,
    adjusted_cs_low numeric,
    adjusted_cs_high numeric,
    currency text, -- as in investor.daily_profit
    primary key (report_date, experiment, variant)
);

create table if not exists experiments.daily_growth (
    report_date date not null,
    experiment text not null,
    variant text not null,
    active bigint not null,
    new bigint not null,
    retained bigint not null,
    resurrected bigint not null,
    churned bigint not null,
    quick_ratio numeric(18, 10),
    n bigint,
    switched bigint not null default 0,
    expected_n numeric,
    sample_ratio_p numeric,
    primary key (report_date, experiment, variant)
);

-- The lines of a profit statement, made of the published numbers alone: a restated day is restated here by itself.
-- Ratios are null on a day without net revenue to divide by.
create or replace view investor.profit_statement as
select
    day.report_date,
    day.revenue,
    day.refunds,
    day.revenue - day.refunds as net_revenue,
    day.cost,
    day.revenue - day.refunds - day.cost as gross_profit,
    day.marketing,
    day.profit as contribution,
    round((day.revenue - day.refunds - day.cost) / nullif(greatest(day.revenue - day.refunds, 0), 0), 10) as gross_margin,
    round(day.profit / nullif(greatest(day.revenue - day.refunds, 0), 0), 10) as contribution_margin,
    day.currency
from investor.daily_profit as day;

-- What the columns mean, for whoever looks at them with a client; docs/METRICS.md has more, and examples.
do $$
declare
    told record;
begin
    for told in
        select published.name as table_name, means.column_name, means.words
        from (
            values
                ('daily_profit', 'report_date', 'Business day, in the roster''s zone'),
                ('daily_profit', 'channel', 'Who has the order''s credit: a touch''s or the acquisition channel, or unattributed'),
                ('daily_profit', 'orders', 'Orders of the day that were not cancelled on it'),
                ('daily_profit', 'cancelled_orders', 'Orders of earlier days that were cancelled on this day'),
                ('daily_profit', 'revenue', 'Quantity * unit price - discount of the lines sold on the day, less what '
                    'cancellations of earlier orders take back (net of their refunds)'),
                ('daily_profit', 'cost', 'Quantity * unit cost, as of the order''s day, less that of cancelled orders; a refund '
                    'brings no cost back'),
                ('daily_profit', 'refunds', 'Amounts refunded on the day, whenever the order was'),
                ('daily_profit', 'marketing', 'Spend of the day'),
                ('daily_profit', 'profit', 'revenue - cost - refunds - marketing'),
                ('daily_profit', 'currency', 'What the money of the row is in; two currencies are never added'),
                ('profit_statement', 'report_date', 'Business day, in the roster''s zone'),
                ('profit_statement', 'revenue', 'As in investor.daily_profit'),
                ('profit_statement', 'refunds', 'As in investor.daily_profit'),
                ('profit_statement', 'net_revenue', 'revenue - refunds'),
                ('profit_statement', 'cost', 'As in investor.daily_profit; that of goods returned is in it'),
                ('profit_statement', 'gross_profit', 'net_revenue - cost'),
                ('profit_statement', 'marketing', 'As in investor.daily_profit'),
                ('profit_statement', 'contribution', 'gross_profit - marketing: what investor.daily_profit calls profit'),
                ('profit_statement', 'gross_margin', 'gross_profit / net_revenue; null without net revenue'),
                ('profit_statement', 'currency', 'As in investor.daily_profit'),
                ('profit_statement', 'contribution_margin', 'contribution / net_revenue; null without net revenue'),
                ('daily_engagement', 'report_date', 'Business day, in the roster''s zone'),
                ('daily_engagement', 'channel', 'The customer''s acquisition channel'),
                ('daily_engagement', 'active_1d', 'Customers with a session on the day'),
                ('daily_engagement', 'active_7d', 'Customers with a session on one of the 7 days that end with it'),
                ('daily_engagement', 'active_28d', 'Customers with a session on one of the 28 days that end with it'),
                ('daily_engagement', 'stickiness', 'active_1d / active_28d'),
                ('daily_engagement', 'sessions', 'Sessions that started on the day'),
                ('daily_engagement', 'seconds', 'Duration of those sessions'),
                ('daily_engagement', 'sessions_per_active', 'sessions / active_1d'),
                ('daily_engagement', 'seconds_per_active', 'seconds / active_1d'),
                ('daily_growth', 'report_date', 'Business day, in the roster''s zone'),
                ('daily_growth', 'channel', 'The customer''s acquisition channel'),
                ('daily_growth', 'experiment', 'The experiment'),
                ('daily_growth', 'variant', 'The variant that the customer was assigned'),
                ('daily_growth', 'active', 'Customers with a session on the day: new + retained + resurrected'),
                ('daily_growth', 'new', 'Active for the first time ever'),
                ('daily_growth', 'retained', 'Active on the day before too'),
                ('daily_growth', 'resurrected', 'Active earlier, not on the day before'),
                ('daily_growth', 'churned', 'Active on the day before, not on this day'),
                ('daily_growth', 'quick_ratio', '(new + resurrected) / churned; null without churn'),
                ('weekly_growth', 'report_date', 'The week''s Sunday, in the roster''s zone'),
                ('weekly_growth', 'first_day', 'The week''s Monday'),
                ('monthly_growth', 'report_date', 'The month''s last business day, in the roster''s zone'),
                ('monthly_growth', 'first_day', 'The month''s first day'),
                ('period_growth', 'active', 'Customers with a session in the period: new + retained + resurrected'),
                ('period_growth', 'new', 'Active for the first time ever'),
                ('period_growth', 'retained', 'Active in the period before too'),
                ('period_growth', 'resurrected', 'Active earlier, not in the period before'),
                ('period_growth', 'churned', 'Active in the period before, not in this one'),
                ('period_growth', 'quick_ratio', '(new + resurrected) / churned; null without churn'),
                ('signup_cohorts', 'report_date', 'Last day of the month of activity, in the roster''s zone'),
                ('signup_cohorts', 'cohort', 'Month in which the customers signed up, as YYYY-MM'),
                ('signup_cohorts', 'months', 'Calendar months from the month of sign-up to that of activity'),
                ('signup_cohorts', 'customers', 'Customers who signed up in that month'),
                ('signup_cohorts', 'active', 'Those of them with a session in the month that ends with report_date'),
                ('signup_cohorts', 'retained_share', 'active / customers'),
                ('unit_profit', 'report_date', 'Business day up to which profit counts, in the roster''s zone'),
                ('unit_profit', 'experiment', 'The experiment'),
                ('unit_profit', 'variant', 'The variant that the customer was assigned'),
                ('unit_profit', 'n', 'Customers assigned by the end of the day, without those who switched'),
                ('unit_profit', 'mean_profit', 'Mean profit per customer from the day of assignment to the report date'),
                ('unit_profit', 'variance', 'Sample variance (n - 1) of the same'),
                ('unit_profit', 'diff_from_control', 'Mean less the mean of the control that the contract names'),
                ('unit_profit', 'ci_low', 'Lower end of Welch''s 95 percent interval of the difference, for one look'),
                ('unit_profit', 'ci_high', 'Upper end of the same'),
                ('unit_profit', 'cs_low', 'Lower end of a 95 percent confidence sequence of the difference: it holds on all '
                    'days at once'),
                ('unit_profit', 'cs_high', 'Upper end of the same'),
                ('unit_profit', 'adjusted_mean', 'Mean profit adjusted by the profit of the 28 days before the assignment (CUPED)'),
                ('unit_profit', 'adjusted_variance', 'Sample variance (n - 1) of the adjusted profit'),
                ('unit_profit', 'adjusted_diff', 'Adjusted mean less that of the control'),
                ('unit_profit', 'adjusted_ci_low', 'As ci_low, of the adjusted difference'),
                ('unit_profit', 'adjusted_ci_high', 'As ci_high, of the adjusted difference'),
                ('unit_profit', 'adjusted_cs_low', 'As cs_low, of the adjusted difference'),
                ('unit_profit', 'adjusted_cs_high', 'As cs_high, of the adjusted difference'),
                ('unit_profit', 'currency', 'What the money of the row is in'),
                ('daily_growth', 'n', 'Customers assigned by the end of the day, without those who switched'),
                ('unit_profit', 'switched', 'Customers of the variant who were in another one on a published day: left out'),
                ('daily_growth', 'switched', 'Customers of the variant who were in another one on a published day: left out'),
                ('unit_profit', 'expected_n', 'What n would be by the shares that the contract plans'),
                ('daily_growth', 'expected_n', 'What n would be by the shares that the contract plans'),
                ('unit_profit', 'sample_ratio_p', 'p of the experiment''s n against expected_n, valid however often one looks'),
                ('daily_growth', 'sample_ratio_p', 'p of the experiment''s n against expected_n, valid however often one looks')
        ) as means (report, column_name, words)
        inner join (
            values
                ('daily_profit', 'investor.daily_profit'),
                ('daily_profit', 'investor.daily_profit_by_channel'),
                ('profit_statement', 'investor.profit_statement'),
                ('daily_engagement', 'investor.daily_engagement'),
                ('daily_engagement', 'investor.daily_engagement_by_channel'),
                ('daily_growth', 'investor.daily_growth'),
                ('daily_growth', 'investor.daily_growth_by_channel'),
                ('daily_growth', 'experiments.daily_growth'),
                ('weekly_growth', 'investor.weekly_growth'),
                ('period_growth', 'investor.weekly_growth'),
                ('monthly_growth', 'investor.monthly_growth'),
                ('period_growth', 'investor.monthly_growth'),
                ('signup_cohorts', 'investor.signup_cohorts'),
                ('unit_profit', 'experiments.unit_profit')
        ) as published (report, name) on published.report = means.report
        inner join pg_attribute as there
            on there.attrelid = published.name::regclass and there.attname = means.column_name
    loop
        execute format('comment on column %s.%I is %L', told.table_name, told.column_name, told.words);
    end loop;
    for told in
        values
            ('investor.daily_profit', 'Profit, a row a day'),
            ('investor.daily_profit_by_channel', 'Profit, a row a day and channel; adds up to the day to the cent'),
            ('investor.daily_engagement', 'Active customers and sessions, a row a day'),
            ('investor.daily_engagement_by_channel', 'The same, a row a day and acquisition channel'),
            ('investor.daily_growth', 'Growth accounting of active customers, a row a day'),
            ('investor.daily_growth_by_channel', 'The same, a row a day and acquisition channel'),
            ('investor.weekly_growth', 'Growth accounting of active customers, a row for each ISO week that is over'),
            ('investor.monthly_growth', 'Growth accounting of active customers, a row for each calendar month that is over'),
            ('investor.signup_cohorts', 'How many of those who signed up in a month are active in a later one'),
            ('experiments.unit_profit', 'Profit per assigned customer since assignment, a row a day, experiment and variant'),
            ('experiments.daily_growth', 'Growth accounting of assigned customers, a row a day, experiment and variant')
    loop
        execute format('comment on table %s is %L', told.column1, told.column2);
    end loop;
    comment on view investor.profit_statement is 'The lines of a profit statement, a row a day; no number of its own';
exception when others then
    raise notice 'the columns of the reports keep the comments of whoever owns them: %', sqlerrm;
end
$$;

-- What is known of a report ------------------------------------------------------------------------------------------

-- One row per report and day: it is complete and visible. Written in the transaction that writes the report's rows.
-- A re-run moves `published_at` (what is stale is judged by it) and keeps `first_published_at` (whether the promise
-- was kept is judged by that one). `upstream`: for each upstream table the load that was there when it was read,
-- `{"master.orders": {"loaded_at": "…", "row_count": 5012}}`, nulls when there was none; `read_at` is that instant.
-- `digest` is what the rows add up to, `changed_at` when that last became something else: what was made of them before is
-- stale. `due_at`: by the promise as it was then, since another one does not change what became of the day.
create table if not exists investor.publications (
    report text not null,
    report_date date not null,
    published_at timestamptz not null,
    run_id text not null,
    rows bigint not null,
    upstream jsonb not null default '{}',
    first_published_at timestamptz, -- judges the promise; published_at where it is null
    read_at timestamptz, -- what came upstream after this makes the report stale
    digest text,
    changed_at timestamptz, -- published_at where it is null
    due_at timestamptz, -- null: as is promised now
    primary key (report, report_date)
);
create index if not exists publications_report_date on investor.publications (report_date);

-- One row for each published number that a re-publication changed. `report` is the published table, `row_key` the
-- channel, or experiment/variant, where it has a row for each; null: there was no such row, or is none any more.
create table if not exists investor.restatements (
    report text not null,
    report_date date not null,
    column_name text not null,
    old_value text,
    new_value text,
    reason text not null,
    run_id text not null,
    restated_at timestamptz not null,
    row_key text not null default '',
    currency text -- what the row's money is in; null where the report has none
);
create index if not exists restatements_restated_at on investor.restatements (restated_at);

-- Rows of upstream that were written after a published day had read them: the day is stale while `changed_at` is
-- later than its `read_at`. Days that depend on a stale one are not here; stale.sql knows them.
create table if not exists investor.late_rows (
    report text not null,
    report_date date not null,
    table_name text not null,
    changed_at timestamptz not null,
    primary key (report, report_date, table_name)
);

-- Up to when upstream's rows were looked through for late ones.
create table if not exists base.late_rows_sought (
    report text primary key,
    sought_at timestamptz not null
);

-- What every run checked before it published, or why it did not.
create table if not exists investor.checks (
    report text not null,
    report_date date not null,
    run_id text not null,
    name text not null,
    expected text not null,
    found text not null,
    passed boolean not null,
    checked_at timestamptz not null,
    primary key (report, report_date, run_id, name)
);

-- The upstream loads a transform found: they become `publications.upstream` when the report is published. `passed`: the
-- checks have passed the draft that was made of them (unknown of drafts that are older than this column).
create table if not exists base.readings (
    report text not null,
    report_date date not null,
    read_at timestamptz not null,
    upstream jsonb not null,
    primary key (report, report_date)
);
alter table base.readings add column if not exists passed boolean;
-- The draft before this one was never published: its checks have held it, or its run has died.
alter table base.readings add column if not exists held boolean not null default false;

-- Published days, and whether their base models and parts are those that were published: a run since then has made them
-- anew and is at it; or its checks, or those of one before it, have held it, or it has died by now (`is_held`).
create or replace view base.published_days as
select
    publication.report,
    publication.report_date,
    beside.as_published,
    not beside.as_published and (
        (reading.held and not reading.passed)
        or reading.read_at < clock_timestamp() - interval '1 hour'
        or exists (
            select
            from investor.checks as failed
            where
                failed.report = reading.report
                and failed.report_date = reading.report_date
                and not failed.passed
                and failed.checked_at >= reading.read_at
        )
    ) as is_held
from investor.publications as publication
left join base.readings as reading
    on
        reading.report = regexp_replace(publication.report, '^base\.', 'investor.daily_')
        and reading.report_date = publication.report_date
cross join lateral (
    select coalesce(reading.passed, true) and coalesce(reading.read_at = publication.read_at, true) as as_published
) as beside;

-- What a day was made of: of its orders those of each hour, country and so on, which are all there on any day. `kind`:
-- 'rows' (amount rows of all), 'typical', 'price' and 'least' (amount ÷ of_all is what one of so many rows is, as a rule),
-- 'money'.
create table if not exists base.day_parts (
    report text not null,
    report_date date not null,
    measure text not null,
    part text not null,
    kind text not null,
    amount numeric not null,
    of_all numeric not null,
    rows bigint not null,
    primary key (report, report_date, measure, part)
);

-- Numbers that were far from usual, and of which a person has said that they are true: the report may be published with
-- them, or with ones close to them.
create table if not exists investor.releases (
    report text not null,
    report_date date not null,
    name text not null,
    amount numeric not null,
    note text not null,
    released_by text not null,
    released_at timestamptz not null,
    primary key (report, report_date, name)
);

-- What these mean, for whoever looks at them with a client. (The comment on investor.publications says which text of this
-- file has made it.)
do $$
declare
    told record;
begin
    for told in
        values
            ('publications', 'report', 'The report, or the base model, that is complete and visible for the day'),
            ('publications', 'report_date', 'Business day, in the roster''s zone'),
            ('publications', 'published_at', 'When it was published last'),
            ('publications', 'run_id', 'The run that did'),
            ('publications', 'rows', 'How many rows the day has'),
            ('publications', 'upstream', 'The load of each upstream table that was read; nulls where there was none'),
            ('publications', 'first_published_at', 'When it was published first: judges the promise'),
            ('publications', 'read_at', 'When upstream was read: what comes after it makes the day stale'),
            ('publications', 'digest', 'What the rows add up to'),
            ('publications', 'changed_at', 'When digest became another one: what was made of the day before is stale'),
            ('publications', 'due_at', 'When it was due by the promise as it was then; null: as is promised now'),
            ('restatements', '', 'Published numbers that a re-publication has changed, a row for each'),
            ('restatements', 'report', 'The published table whose number changed'),
            ('restatements', 'report_date', 'Business day of the number, in the roster''s zone'),
            ('restatements', 'column_name', 'The number'),
            ('restatements', 'old_value', 'What was published before; null: no such row'),
            ('restatements', 'new_value', 'What is published since; null: the row is gone'),
            ('restatements', 'reason', 'Which tables had changed upstream, or: run again'),
            ('restatements', 'run_id', 'The run that changed it'),
            ('restatements', 'restated_at', 'When'),
            ('restatements', 'row_key', 'The channel, or experiment/variant, where the table has a row for each'),
            ('restatements', 'currency', 'What the row''s money is in; null where the report has none'),
            ('late_rows', '', 'Published days for which upstream has written rows since they were read'),
            ('late_rows', 'report', 'The report whose day it is'),
            ('late_rows', 'report_date', 'The day, stale while changed_at is later than its publication''s read_at'),
            ('late_rows', 'table_name', 'The upstream table that has such rows'),
            ('late_rows', 'changed_at', 'When the newest of them was written'),
            ('checks', '', 'What each run has checked before it published, or why it has not'),
            ('checks', 'report', 'The report that was checked'),
            ('checks', 'report_date', 'Its business day'),
            ('checks', 'run_id', 'The run that checked'),
            ('checks', 'name', 'The check'),
            ('checks', 'expected', 'What it expects, in words'),
            ('checks', 'found', 'What it found: how many, where, an example'),
            ('checks', 'passed', 'False: it has held the report'),
            ('checks', 'checked_at', 'When'),
            ('releases', '', 'Numbers far from usual of which a person has said that they are true'),
            ('releases', 'report', 'The report that was held'),
            ('releases', 'report_date', 'Its business day'),
            ('releases', 'name', 'The check whose number is true, or the upstream table whose load is'),
            ('releases', 'amount', 'The number: one within 5 percent of it passes too'),
            ('releases', 'note', 'Why, in the words of whoever released it'),
            ('releases', 'released_by', 'Who said that it is true'),
            ('releases', 'released_at', 'When')
    loop
        if told.column2 = '' then
            execute format('comment on table investor.%I is %L', told.column1, told.column3);
        else
            execute format('comment on column investor.%I.%I is %L', told.column1, told.column2, told.column3);
        end if;
    end loop;
exception when others then
    raise notice 'the tables of the reports keep the comments of whoever owns them: %', sqlerrm;
end
$$;

-- What a look asks for of `master.loads`, whoever loads however often. It is upstream's: where it is not ours to change, a
-- look reads it from end to end.
do $$
begin
    if not exists (
        select from pg_index
        where indrelid = to_regclass('master.loads')
        and pg_get_indexdef(indexrelid, 1, true) = 'table_name' and pg_get_indexdef(indexrelid, 2, true) = 'business_day'
    ) then
        perform set_config('lock_timeout', '2s', true);
        create index loads_table_day on master.loads (table_name, business_day, loaded_at);
    end if;
    perform set_config('lock_timeout', '0', true);
exception when others then
    raise notice 'master.loads gets no index of ours: %', sqlerrm;
end
$$;

-- What several pipelines ask ------------------------------------------------------------------------------------------
-- (Those that read `master.loads` in PL/pgSQL: it need not be there yet when they are made.)

-- From when on upstream's rows are looked through for late ones: since the last time, and the day before it, for what is
-- committed late bears an earlier time.
create or replace function base.late_since(of_report text, since timestamptz) returns timestamptz
language sql stable as $$
    select coalesce(
        since,
        (select max(sought.sought_at) - interval '1 day' from base.late_rows_sought as sought where sought.report = of_report),
        clock_timestamp() - interval '7 days'
    )
$$;

-- The day of the first assignment to any experiment; null where it cannot be read: then its reports are held, and what is
-- stale of the others is known all the same.
create or replace function base.first_assigned(zone text) returns date
language plpgsql stable as $$
begin
    return (select base.day_of(min(assigned.assigned_at), zone) from master.experiment_assignments as assigned);
exception
    when others then return null;
end
$$;

-- Whether upstream says that a table has no row of the day: its last load is there and is empty. Null: no load is there.
create or replace function base.said_to_be_empty(of_table text, of_day date) returns boolean
language plpgsql stable as $$
begin
    return (
        select coalesce(load.row_count, 0) = 0
        from master.loads as load
        where load.table_name in (of_table, 'master.' || of_table) and load.business_day = of_day
        order by load.loaded_at desc
        limit 1
    );
end
$$;

-- The published days of the four weeks before and after a day that is published itself; of one that is not there are none.
create or replace function base.known_near(of_base text, of_day date) returns setof date
language sql stable as $$
    select known.report_date
    from investor.publications as known
    where
        known.report = of_base
        and known.report_date between of_day - 28 and of_day + 28
        and exists (
            select from investor.publications as own where own.report = of_base and own.report_date = of_day
        )
$$;

-- Of these days those of which nobody knows that all of the table's rows are there: neither published nor loaded. What is
-- before the first report nobody can know.
create or replace function base.unknown_days(of_report text, of_table text, first_day date, last_day date) returns setof date
language plpgsql stable as $$
begin
    return query
    select hole.day::date
    from generate_series(first_day::timestamp, last_day::timestamp, interval '1 day') as hole (day)
    where
        not exists (
            select from investor.publications as publication
            where publication.report = of_report and publication.report_date = hole.day::date
        )
        and not exists (
            select from master.loads as load
            where load.table_name in (of_table, 'master.' || of_table) and load.business_day = hole.day::date
        )
        and exists (
            select from investor.publications as earlier
            where
                earlier.report = of_report
                and earlier.report_date < hole.day::date
                and earlier.report_date >= hole.day::date - 366
        );
end
$$;

-- Of the last published days of a report, and of all since the day before an instant, those of which upstream has fewer
-- rows in one of these tables now than the day was counted with: some were deleted, or are of another day, since all of
-- these days were read. Not when all older ones are short too: then upstream has put old rows away. Each table is read once.
create or replace function base.shrunk_days(of_report text, zone text, tables text[], since timestamptz)
returns table (table_name text, day date, changed_at timestamptz)
language plpgsql stable as $$
declare
    source record;
begin
    for source in
        select known.*, min(part.report_date) as first_day, max(part.report_date) as last_day
        from (
            values
                ('orders', 'orders as row', 'row.ordered_at', 'orders_by_status'),
                (
                    'order_lines',
                    'orders as row inner join master.order_lines using (order_id)',
                    'row.ordered_at',
                    'lines_by_line_no'
                ),
                ('refunds', 'refunds as row', 'row.refunded_at', 'refunds'),
                ('marketing_spend', 'marketing_spend as row', 'row.day::timestamp at time zone $5', 'spend_by_channel'),
                ('touches', 'touches as row', 'row.touched_at', 'touches'),
                ('sessions', 'sessions as row', 'row.started_at', 'sessions_by_hour')
        ) as known (name, there, at, measure)
        inner join base.day_parts as part on part.report = of_report and part.measure = known.measure
        inner join (
            select
                publication.report_date,
                row_number() over (order by publication.report_date desc) as nth
            from investor.publications as publication
            where publication.report = of_report and publication.report_date <= current_date + 1
        ) as lately on lately.report_date = part.report_date
        where known.name = any(tables) and (lately.nth <= 8 or lately.report_date >= base.day_of(since, zone) - 1)
        group by known.name, known.there, known.at, known.measure
    loop
        return query execute format($query$
            with counted as (
                select part.report_date, sum(part.rows) as rows
                from base.day_parts as part
                where part.report = $1 and part.measure = $2 and part.report_date between $3 and $4
                group by part.report_date
            ),

            found as (
                select there.day, count(*) as rows
                from (select (%3$s at time zone $5)::date as day from master.%2$s
                      where %3$s >= $3::timestamp at time zone $5 and %3$s < ($4 + 1)::timestamp at time zone $5) as there
                group by there.day
            ),

            beside as (
                select
                    counted.report_date,
                    coalesce(found.rows, 0) < counted.rows as short,
                    bool_or(coalesce(found.rows, 0) >= counted.rows) over (order by counted.report_date) as whole_before,
                    max(coalesce(publication.read_at, publication.published_at)) over () as read_last
                from counted
                inner join investor.publications as publication
                    on publication.report = $1 and publication.report_date = counted.report_date
                left join found on found.day = counted.report_date
            )

            select %1$L::text, report_date, read_last + interval '1 microsecond' from beside where short and whole_before
        $query$, source.name, source.there, source.at)
        using of_report, source.measure, source.first_day, source.last_day, zone;
    end loop;
end
$$;

-- Base models --------------------------------------------------------------------------------------------------------

-- Per order line. A line sold on `report_date` carries revenue and cost; a line refunded on it carries the refund,
-- also when it was sold earlier (`sold` is false then). `cancelled`: the line was sold on an earlier day and its order
-- cancelled on this one; revenue and cost are negative. `acquisition_channel`: as it was on the day of the order, where no
-- touch takes the order's credit.
create table if not exists base.profit (
    report_date date not null,
    order_id bigint not null,
    line_no integer not null,
    customer_id bigint not null,
    sold boolean not null,
    revenue numeric,
    cost numeric,
    refunds numeric,
    marketing numeric,
    profit numeric,
    cancelled boolean not null default false,
    acquisition_channel text
);
create index if not exists profit_report_date on base.profit (report_date, order_id, line_no);
create index if not exists profit_customer on base.profit (customer_id, report_date);
create index if not exists profit_order on base.profit (order_id);

-- The refunds that a day's lines carry, and of which order they were.
create table if not exists base.refunds_read (
    report_date date not null,
    refund_id bigint not null
);
alter table base.refunds_read add column if not exists order_id bigint;
create index if not exists refunds_read_report_date on base.refunds_read (report_date);
create index if not exists refunds_read_refund on base.refunds_read (refund_id);

-- The same money per order line and credited channel: adds up to base.profit exactly.
create table if not exists base.profit_credit (
    report_date date not null,
    channel text not null,
    order_id bigint not null,
    line_no integer not null,
    customer_id bigint not null,
    sold boolean not null,
    revenue numeric,
    cost numeric,
    refunds numeric,
    marketing numeric
);
create index if not exists profit_credit_report_date on base.profit_credit (report_date, channel);

-- On which day an order counts as cancelled, for those that `report_date` has to know of: its own orders, those cancelled
-- on it, those refunded on it. Once said it stands, also when upstream writes the order's row again.
create table if not exists base.cancellations (
    report_date date not null,
    order_id bigint not null,
    ordered_on date not null,
    cancelled_on date not null
);
create index if not exists cancellations_report_date on base.cancellations (report_date);
create index if not exists cancellations_order on base.cancellations (order_id);
create index if not exists cancellations_cancelled_on on base.cancellations (cancelled_on);

-- What the products that were sold on the day cost then, and what was paid for them.
create table if not exists base.product_costs (
    report_date date not null,
    product_id bigint not null,
    unit_cost numeric not null,
    unit_price numeric -- the average, gifts aside
);
-- Those of a draft stand beside the published ones until it is published: a run that is held takes nothing from these.
alter table base.product_costs add column if not exists published boolean not null default true;
alter table base.product_costs add column if not exists lowest_price numeric; -- of a line, gifts aside
alter table base.product_costs add column if not exists highest_price numeric;
create index if not exists product_costs_product on base.product_costs (product_id, report_date);
-- By the whole key in both: of a day that the planner has not counted yet it takes either, and half of one is all the day.
do $$
begin
    drop index if exists base.product_costs_report_date;
exception when others then
    raise notice 'base.product_costs keeps an index that its owner may drop: %', sqlerrm;
end
$$;
create index if not exists product_costs_day on base.product_costs (report_date, product_id);

-- The day's spend per channel, and whether there was credited revenue to allot it to.
create table if not exists base.marketing (
    report_date date not null,
    channel text not null,
    amount numeric not null,
    credited_revenue numeric not null,
    allotted boolean not null
);
create index if not exists marketing_report_date on base.marketing (report_date);

-- Per customer and day with a session. `features`: the distinct ones used, in order. `channel`: the acquisition one.
create table if not exists base.engagement (
    report_date date not null,
    customer_id bigint not null,
    channel text not null,
    sessions bigint not null,
    seconds bigint not null,
    features text[] not null
);
create index if not exists engagement_customer on base.engagement (report_date, customer_id);

-- Per customer active on the day or on the day before; `status`: new, retained, resurrected or churned.
create table if not exists base.growth (
    report_date date not null,
    customer_id bigint not null,
    channel text not null,
    status text not null
);
create index if not exists growth_customer on base.growth (report_date, customer_id);
-- A session that comes late: on which later day its customer was new, and is not any more.
create index if not exists growth_new on base.growth (customer_id, report_date) where status = 'new';

-- Whose acquisition channel a run of a published day has taken from upstream: until it is published nothing keeps it, for it
-- may be what the day is held for.
alter table base.profit add column if not exists channel_is_new boolean not null default false;
alter table base.engagement add column if not exists channel_is_new boolean not null default false;
alter table base.growth add column if not exists channel_is_new boolean not null default false;

-- Per assigned customer: profit from the day of assignment to the report date, both included. `pre_profit`: of the 28 days
-- before the assignment. `days`: how many since it, that day and the report date included.
create table if not exists base.unit_profit (
    report_date date not null,
    experiment text not null,
    variant text not null,
    customer_id bigint not null,
    profit numeric not null,
    pre_profit numeric not null default 0,
    days integer not null default 0,
    switched boolean not null default false
);
create index if not exists unit_profit_customer on base.unit_profit (report_date, customer_id);

-- Per assigned customer: the status of base.growth, or inactive.
create table if not exists base.experiment_growth (
    report_date date not null,
    experiment text not null,
    variant text not null,
    customer_id bigint not null,
    status text not null,
    switched boolean not null default false
);
create index if not exists experiment_growth_customer on base.experiment_growth (report_date, customer_id);

-- In which variants of an experiment a customer was when a day was published: of those in more than one nothing counts.
create table if not exists base.variants_published (
    experiment text not null,
    customer_id bigint not null,
    variant text not null,
    primary key (experiment, customer_id, variant)
);

-- What these mean, for whoever looks at them with a client: a column is the same thing in each table.
do $$
declare
    told record;
begin
    for told in
        values
            ('late_rows_sought', 'Up to when upstream''s rows were looked through for late ones, by report'),
            ('readings', 'Which upstream loads the draft of a report''s day was made of'),
            ('day_parts', 'What a day was made of: its orders of each hour, country and so on'),
            ('profit', 'Money of each order line, on the day it was sold, and on those of its refunds and its cancellation'),
            ('refunds_read', 'The refunds that the lines of base.profit carry'),
            ('profit_credit', 'The same money by credited channel; adds up to base.profit exactly'),
            ('cancellations', 'On which day an order counts as cancelled; once said it stands'),
            ('product_costs', 'What the products that were sold on the day cost then, and what was paid for them'),
            ('marketing', 'The spend on a channel, and whether lines were sold to allot it to'),
            ('engagement', 'Customers with a session on the day'),
            ('growth', 'Customers who were active on the day or on the day before'),
            ('unit_profit', 'Profit of each assigned customer since the assignment'),
            ('experiment_growth', 'What base.growth says of each assigned customer'),
            ('variants_published', 'In which variants a customer was when a day was published: in more than one, nothing counts')
    loop
        execute format('comment on table base.%I is %L', told.column1, told.column2);
    end loop;
    for told in
        select there.attrelid::regclass as table_name, means.column_name, means.words
        from (
            values
                ('report', 'The report that it is about'),
                ('report_date', 'Business day, in the roster''s zone'),
                ('sought_at', 'Up to when'),
                ('read_at', 'When upstream was read'),
                ('upstream', 'The load of each upstream table that was there then'),
                ('passed', 'Whether the checks have passed the draft that was made of them'),
                ('held', 'The draft before this one was never published: it was held, or its run has died'),
                ('measure', 'What is counted, and by what it is parted'),
                ('part', 'The part: an hour, a country'),
                ('kind', 'rows: amount rows of all; money: so much spent; otherwise amount / of_all is what one of rows is'),
                ('amount', 'How much of it there was'),
                ('of_all', 'How much of all parts, or what amount is divided by'),
                ('rows', 'How many rows it was'),
                ('order_id', 'As in master.orders'),
                ('line_no', 'As in master.order_lines'),
                ('customer_id', 'As in master.customers'),
                ('product_id', 'As in master.products'),
                ('refund_id', 'As in master.refunds'),
                ('sold', 'The line was sold on the day'),
                ('cancelled', 'It was sold earlier, and its order was cancelled on the day: revenue and cost are taken back'),
                ('revenue', 'Quantity * unit price - discount; negative where it is taken back'),
                ('cost', 'Quantity * unit cost, as of the day of the order; negative where it is taken back'),
                ('refunds', 'Refunded on the day'),
                ('marketing', 'Spend that was allotted to the line'),
                ('profit', 'revenue - cost - refunds - marketing'),
                ('acquisition_channel', 'The customer''s on the day of the order, where no touch has the credit'),
                ('channel', 'Who has the credit or was paid; of customers, through whom they came, as of then'),
                ('channel_is_new', 'A run that is not published has taken the channel from upstream: nothing keeps it'),
                ('ordered_on', 'Business day of the order'),
                ('cancelled_on', 'Business day of its cancellation'),
                ('unit_cost', 'What a piece cost on the day'),
                ('unit_price', 'What was paid for a piece, on the average, gifts aside'),
                ('credited_revenue', 'Revenue of the lines sold on the day that the channel has the credit for'),
                ('allotted', 'There was such revenue; otherwise the spend is unattributed'),
                ('sessions', 'How many started on the day'),
                ('seconds', 'How long they were together'),
                ('features', 'The distinct ones used, in order'),
                ('status', 'new, retained, resurrected or churned; of who is assigned, inactive too'),
                ('experiment', 'The experiment'),
                ('variant', 'The variant that the customer was assigned'),
                ('pre_profit', 'Profit of the 28 days before the assignment'),
                ('days', 'Since the assignment, that day and the report date included'),
                ('switched', 'Was in another variant on a published day: counts nowhere'),
                ('published', 'The report has it; otherwise it is of a draft'),
                ('lowest_price', 'What was paid for a piece on the cheapest line, gifts aside'),
                ('highest_price', 'What was paid for a piece on the dearest line'),
                ('as_published', 'The base model and the parts of the day are those that were published'),
                ('is_held', 'They are not: a run since then has made them anew, and is held or has died')
        ) as means (column_name, words)
        inner join pg_attribute as there on there.attname = means.column_name
        inner join pg_class as named on named.oid = there.attrelid
        where named.relnamespace = 'base'::regnamespace and named.relkind in ('r', 'v') and named.relname not like '%\_draft'
    loop
        execute format('comment on column %s.%I is %L', told.table_name, told.column_name, told.words);
    end loop;
    comment on view base.published_days is 'Published days, and whether their base models are those that were published';
exception when others then
    raise notice 'the base models keep the comments of whoever owns them: %', sqlerrm;
end
$$;

-- Drafts: what the checks look at is, byte for byte, what will be published.
create table if not exists base.daily_profit_draft (like investor.daily_profit including all);
create table if not exists base.daily_profit_by_channel_draft (like investor.daily_profit_by_channel including all);
create table if not exists base.daily_engagement_draft (like investor.daily_engagement including all);
create table if not exists base.daily_engagement_by_channel_draft (
    like investor.daily_engagement_by_channel including all
);
create table if not exists base.daily_growth_draft (like investor.daily_growth including all);
create table if not exists base.daily_growth_by_channel_draft (like investor.daily_growth_by_channel including all);
create table if not exists base.weekly_growth_draft (like investor.weekly_growth including all);
create table if not exists base.monthly_growth_draft (like investor.monthly_growth including all);
create table if not exists base.signup_cohorts_draft (like investor.signup_cohorts including all);
create table if not exists base.unit_profit_draft (like experiments.unit_profit including all);
create table if not exists base.experiment_growth_draft (like experiments.daily_growth including all);

-- Restatements ---------------------------------------------------------------------------------------------------------

-- Write down each number of the day's rows in `published` that the rows in `draft` will change; none where the report
-- has not been published for that day. `key_columns`: what tells the day's rows apart; `because`: '' for what is known of
-- late rows.
create or replace function investor.note_restatements(
    of_report text, published regclass, draft regclass, key_columns text[], of_day date, because text,
    by_run text, at timestamptz
) returns bigint
language plpgsql as $$
declare
    noted bigint;
    read_then timestamptz;
begin
    select coalesce(publication.read_at, publication.published_at) into read_then
    from investor.publications as publication
    where publication.report = of_report and publication.report_date = of_day;
    if not found then
        return 0;
    end if;
    if because = '' then
        select coalesce(string_agg(late.table_name || ' changed', ', ' order by late.table_name), 'run again')
        into because
        from investor.late_rows as late
        where late.report = of_report and late.report_date = of_day and late.changed_at > read_then;
    end if;
    execute format(
        $statement$
        insert into investor.restatements (
            report, report_date, column_name, old_value, new_value, reason, run_id, restated_at, row_key, currency
        )
        select
            $1, $2, cell.name, cell.old_value, cell.new_value, $3, $4, $5, array_to_string(coalesce(old.key, new.key), '/'),
            coalesce(new.cells ->> 'currency', old.cells ->> 'currency')
        from (select array[%1$s]::text[] as key, to_jsonb(t) as cells from %2$s as t where t.report_date = $2) as old
        full join (select array[%1$s]::text[] as key, to_jsonb(t) as cells from %3$s as t where t.report_date = $2) as new
            on new.key = old.key
        cross join lateral (
            select coalesce(was.key, now.key) as name, was.value as old_value, now.value as new_value
            from jsonb_each_text(coalesce(old.cells, '{}')) as was
            full join jsonb_each_text(coalesce(new.cells, '{}')) as now on now.key = was.key
        ) as cell
        where cell.old_value is distinct from cell.new_value and cell.name <> all ($6)
        $statement$,
        (select string_agg(format('t.%I', name), ', ' order by nth) from unnest(key_columns) with ordinality as part (name, nth)),
        published, draft
    ) using published::text, of_day, because, by_run, coalesce(at, clock_timestamp()), key_columns || 'report_date'::text;
    get diagnostics noted = row_count;
    return noted;
end
$$;

-- Replace the day's rows in `published` by those in `draft`, after writing down what that changes of a published day.
create or replace function investor.publish_draft(
    of_report text, published regclass, draft regclass, key_columns text[], of_day date, because text, by_run text,
    at timestamptz
) returns void
language plpgsql as $$
declare
    names text;
begin
    perform investor.note_restatements(of_report, published, draft, key_columns, of_day, because, by_run, at);
    select string_agg(quote_ident(attname), ', ' order by attnum) into names
    from pg_attribute
    where attrelid = draft and attnum > 0 and not attisdropped and attgenerated = '' and attidentity <> 'a';
    execute format('delete from %s where report_date = $1', published) using of_day;
    execute format('insert into %1$s (%2$s) select %2$s from %3$s where report_date = $1', published, names, draft)
    using of_day;
end
$$;

-- Student's t ---------------------------------------------------------------------------------------------------------

-- log Γ(x) for x > 0 by Lanczos' approximation (g = 7, 9 terms), about 1e-14: PostgreSQL has lgamma only since 18.
create or replace function experiments.log_gamma(x double precision) returns double precision
language plpgsql immutable strict as $$
declare
    terms constant double precision [] := array[
        676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059, 12.507343278686905,
        -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7
    ];
    total double precision := 0.99999999999980993;
begin
    if x < 0.5 then
        return ln(pi() / sin(pi() * x)) - experiments.log_gamma(1 - x);
    end if;
    for i in 1..8 loop
        total := total + terms[i] / (x - 1 + i);
    end loop;
    return 0.5 * ln(2 * pi()) + (x - 0.5) * ln(x + 6.5) - (x + 6.5) + ln(total);
end
$$;

-- The share of Student's t distribution above t >= 0, for df > 0 (it need not be whole). It is half the regularised
-- incomplete beta function I(df / (df + t²); df / 2, 1 / 2), here by its continued fraction (Lentz).
create or replace function experiments.student_t_tail(t double precision, df double precision)
returns double precision
language plpgsql immutable strict as $$
declare
    x constant double precision := df / (df + t * t);
    -- Where the fraction converges slowly, the mirrored one is quick: I(x; a, b) = 1 - I(1 - x; b, a).
    mirrored constant boolean := x > (df / 2 + 1) / (df / 2 + 2.5);
    a constant double precision := case when mirrored then 0.5 else df / 2 end;
    b constant double precision := case when mirrored then df / 2 else 0.5 end;
    z constant double precision := case when mirrored then t * t / (df + t * t) else x end;
    tiny constant double precision := 1e-300;
    c double precision := 1;
    d double precision;
    fraction double precision;
    step double precision;
    part double precision;
begin
    if t = 0 then
        return 0.5;
    end if;
    d := 1 - (a + b) * z / (a + 1);
    d := 1 / (case when abs(d) < tiny then tiny else d end);
    fraction := d;
    for m in 1..10000 loop
        part := m * (b - m) * z / ((a + 2 * m - 1) * (a + 2 * m));
        d := 1 + part * d;
        d := 1 / (case when abs(d) < tiny then tiny else d end);
        c := 1 + part / c;
        c := case when abs(c) < tiny then tiny else c end;
        fraction := fraction * d * c;
        part := -(a + m) * (a + b + m) * z / ((a + 2 * m) * (a + 2 * m + 1));
        d := 1 + part * d;
        d := 1 / (case when abs(d) < tiny then tiny else d end);
        c := 1 + part / c;
        c := case when abs(c) < tiny then tiny else c end;
        step := d * c;
        fraction := fraction * step;
        exit when abs(step - 1) < 1e-15;
    end loop;
    part := exp(
        experiments.log_gamma(a + b) - experiments.log_gamma(a) - experiments.log_gamma(b)
        + a * ln(z) + b * ln(1 - z)
    ) * fraction / a;
    return case when mirrored then 1 - part else part end / 2;
end
$$;

-- The quantile of Student's t distribution, for 0.5 <= p < 1 and df > 0 (it need not be whole): relative error below
-- 1e-9. Bisection: the tail falls as t rises, and 200 halvings are past the last bit.
create or replace function experiments.student_t_quantile(p double precision, df double precision)
returns double precision
language plpgsql immutable strict as $$
declare
    low double precision := 0;
    high double precision := 1;
    middle double precision;
begin
    while experiments.student_t_tail(high, df) > 1 - p loop
        low := high;
        high := high * 2;
    end loop;
    for i in 1..200 loop
        middle := (low + high) / 2;
        exit when middle <= low or middle >= high;
        if experiments.student_t_tail(middle, df) > 1 - p then
            low := middle;
        else
            high := middle;
        end if;
    end loop;
    return (low + high) / 2;
end
$$;

-- Differences -----------------------------------------------------------------------------------------------------------

-- How many standard errors to each side a 95 percent confidence sequence reaches at `customer_days`: Waudby-Smith, Arbour,
-- Sinha, Kennedy and Ramdas, Time-uniform central limit theory and asymptotic confidence sequences (2024), theorem 2.2,
-- with rho² = 0.00082: it is the narrowest, 3.04 standard errors, at 10,000 customer-days.
create or replace function experiments.anytime_z(customer_days numeric) returns numeric
language sql immutable strict as $$
    select sqrt((1 + 1 / (customer_days * 0.00082)) * ln((1 + customer_days * 0.00082) / 0.05 ^ 2))
$$;

-- The difference of two means with Welch's 95 percent interval, for one look, and the confidence sequence, for any number of
-- them. An interval needs 2 customers in both; the sequence is never the narrower one.
create or replace function experiments.difference(
    mean numeric, variance numeric, n bigint,
    control_mean numeric, control_variance numeric, control_n bigint,
    customer_days numeric
) returns table (diff numeric, ci_low numeric, ci_high numeric, cs_low numeric, cs_high numeric)
language sql immutable as $$
    select
        round(found.diff, 10),
        round(found.diff - found.fixed * found.error, 10),
        round(found.diff + found.fixed * found.error, 10),
        round(found.diff - greatest(found.fixed, found.anytime) * found.error, 10),
        round(found.diff + greatest(found.fixed, found.anytime) * found.error, 10)
    from (
        select
            mean - control_mean as diff,
            -- Customers who all brought the same say nothing of the next one: no interval.
            sqrt(nullif(error.own + error.other, 0)) as error,
            -- Welch–Satterthwaite
            experiments.student_t_quantile(0.975, (
                (error.own + error.other) ^ 2
                / nullif(error.own ^ 2 / (n - 1) + error.other ^ 2 / (control_n - 1), 0)
            )::double precision)::numeric as fixed,
            experiments.anytime_z(customer_days) as anytime
        -- Squared standard errors of the means.
        from (
            select round(variance, 10) / nullif(n, 0) as own, round(control_variance, 10) / nullif(control_n, 0) as other
        ) as error
    ) as found
$$;

-- Sample ratio ----------------------------------------------------------------------------------------------------------

-- p of so many customers in each variant against the planned shares, valid however often one looks: Lindon and Malek,
-- Anytime-valid inference for multinomial count data (NeurIPS 2022). It is 1 / the Bayes factor of a Dirichlet-multinomial
-- around the shares against the shares themselves, which is more than 1 / p with probability p at most, on all days together.
-- The mean over four concentrations sees a large difference among few as well as a small one among many.
create or replace function experiments.sample_ratio_p(counts bigint [], shares numeric []) returns double precision
language plpgsql immutable strict as $$
declare
    concentrations constant double precision [] := array[10, 100, 1000, 10000];
    evidence double precision [] := '{}'; -- log Bayes factors
    customers constant double precision := (select sum(one.n) from unnest(counts) as one (n));
    whole constant double precision := (select sum(one.share) from unnest(shares) as one (share));
    concentration double precision;
    share double precision;
    found double precision;
begin
    foreach concentration in array concentrations loop
        found := experiments.log_gamma(concentration) - experiments.log_gamma(concentration + customers);
        for i in 1..cardinality(counts) loop
            share := shares[i] / whole;
            if share = 0 and counts[i] > 0 then
                return 0;
            elsif counts[i] > 0 then
                found := found + experiments.log_gamma(concentration * share + counts[i])
                    - experiments.log_gamma(concentration * share) - counts[i] * ln(share);
            end if;
        end loop;
        evidence := evidence || found;
    end loop;
    select max(one.log) into found from unnest(evidence) as one (log);
    found := found + ln((select avg(exp(greatest(one.log - found, -700))) from unnest(evidence) as one (log)));
    return exp(-least(greatest(found, 0), 700));
end
$$;

-- Each variant of the experiments that somebody is in, planned ones without anybody too, beside what was planned of it.
-- `planned`: experiment, control, variant, share (nulls: the shares are equal); `counted`: experiment, variant, n.
create or replace function experiments.sample_ratios(planned jsonb, counted jsonb, default_control text)
returns table (experiment text, variant text, control text, n bigint, expected_n numeric, sample_ratio_p numeric)
language sql immutable as $$
    with plan as (
        select plan.*
        from jsonb_to_recordset(planned) as plan (experiment text, control text, variant text, share numeric)
    ),

    seen as (
        select seen.* from jsonb_to_recordset(counted) as seen (experiment text, variant text, n bigint)
    ),

    variants as (
        select
            coalesce(seen.experiment, shared.experiment) as experiment,
            coalesce(seen.variant, shared.variant) as variant,
            coalesce(seen.n, 0) as n,
            -- Not planned, where others are: nobody should be in it.
            coalesce(shared.share, (not exists (
                select from plan where plan.experiment = seen.experiment and plan.variant is not null
            ))::int) as share
        from seen
        full join (
            select plan.*
            from plan
            where plan.variant is not null and exists (select from seen where seen.experiment = plan.experiment)
        ) as shared on shared.experiment = seen.experiment and shared.variant = seen.variant
    ),

    experiments as (
        select
            variants.experiment,
            coalesce(
                (select min(plan.control) from plan where plan.experiment = variants.experiment), default_control
            ) as control,
            sum(variants.n) / sum(variants.share) as customers_a_share,
            experiments.sample_ratio_p(
                array_agg(variants.n order by variants.variant), array_agg(variants.share::numeric order by variants.variant)
            ) as p
        from variants
        group by variants.experiment
    )

    select
        variants.experiment,
        variants.variant,
        experiments.control,
        variants.n,
        round(experiments.customers_a_share * variants.share, 10),
        round(experiments.p::numeric, 10)
    from variants
    inner join experiments on experiments.experiment = variants.experiment
$$;
