-- Published days whose inputs have changed since they were read: those of late rows, and those that depend on a day which
-- is stale or has changed. Engagement counts the 28 days that end with its own; an experiment's profit counts from 28
-- days before the first assignment; growth by week and month is that of its days; a refund and a cancellation follow the
-- order of an earlier day.
with published as materialized (
    select
        publication.report,
        publication.report_date,
        coalesce(publication.read_at, publication.published_at) as read_at,
        coalesce(publication.changed_at, publication.published_at) as changed_at
    from investor.publications as publication
    -- What a drill publishes is taken away again: nobody is to run days for it, nor a day that no report is about.
    where
        not starts_with(publication.run_id, 'drill__')
        and publication.report_date >= '2000-01-01'
        and publication.report_date <= current_date + 366
),

late as materialized (
    select
        late.report,
        late.report_date,
        string_agg(
            concat(late.table_name, ' changed ', to_char(late.changed_at at time zone %(zone)s, 'YYYY-MM-DD HH24:MI')),
            ', ' order by late.table_name
        ) as because,
        array_agg(late.table_name) as tables,
        -- Of customers the cohorts alone are counted.
        bool_or(late.table_name <> 'master.customers') as moves_base
    from investor.late_rows as late
    inner join published using (report, report_date)
    where late.changed_at > published.read_at
    group by late.report, late.report_date
),

-- Base models that are other ones than a later report has read, or are about to be.
moved as materialized (
    select base.report, base.report_date, base.changed_at, late.report is not null as is_late
    from published as base
    left join late
        on
            late.report_date = base.report_date
            and late.moves_base
            and (late.report, base.report) in (
                ('investor.daily_profit', 'base.profit'),
                ('investor.daily_engagement', 'base.engagement'),
                ('investor.daily_growth', 'base.growth')
            )
    where
        starts_with(base.report, 'base.')
        and (
            late.report is not null
            or base.changed_at > (
                select min(reader.read_at)
                from published as reader
                where not starts_with(reader.report, 'base.') and reader.report_date >= base.report_date
            )
        )
),

depends (report, report_date, base, base_date) as (
    select reader.report, reader.report_date, moved.report, moved.report_date
    from published as reader
    inner join moved
        on
            (reader.report, moved.report) in (
                ('investor.daily_engagement', 'base.engagement'),
                ('investor.daily_growth', 'base.growth'),
                ('experiments.unit_profit', 'base.profit'),
                ('experiments.daily_growth', 'base.growth')
            )
            and (moved.is_late or moved.changed_at > reader.read_at)
    where
        case reader.report
            when 'investor.daily_engagement'
                then moved.report_date between reader.report_date - 27 and reader.report_date - 1
            -- A week or a month ends with it. They are made of their days, and but for the cohorts of those of the one before
            -- too: there is none before the first of them is published.
            when 'investor.daily_growth'
                then
                    moved.report_date between reader.report_date - 62 and reader.report_date - 1
                    and exists (
                        select
                        from published as first
                        where
                            first.report = reader.report
                            and first.report_date <= moved.report_date
                            and (
                                (extract(isodow from reader.report_date) = 7 and first.report_date = reader.report_date - 13)
                                or (
                                    extract(day from reader.report_date + 1) = 1
                                    and first.report_date in (
                                        date_trunc('month', reader.report_date)::date,
                                        (date_trunc('month', reader.report_date) - interval '1 month')::date
                                    )
                                )
                            )
                    )
            when 'experiments.daily_growth' then moved.report_date = reader.report_date
            else
                moved.report_date <= reader.report_date
                and least(moved.report_date + 28, reader.report_date) >= (select base.first_assigned(%(zone)s))
        end
    union
    select reader.report, reader.report_date, moved.report, moved.report_date
    from moved
    inner join base.profit as line on line.report_date = moved.report_date and line.sold
    inner join base.profit as later
        on later.order_id = line.order_id and later.report_date > line.report_date and not later.sold
    inner join published as reader
        on reader.report = 'investor.daily_profit' and reader.report_date = later.report_date
    where moved.report = 'base.profit' and (moved.is_late or moved.changed_at > reader.read_at)
)

select
    report,
    report_date,
    coalesce(late.because, concat('depends on ', dependent.base, ' of ', dependent.base_date)) as because,
    coalesce(late.tables, '{}') as changed
from late
full join (
    select depends.report, depends.report_date, min(depends.base) as base, min(depends.base_date) as base_date
    from depends
    group by depends.report, depends.report_date
) as dependent using (report, report_date)
order by report_date, report;
