-- Days of base.profit that count and that no run has made yet (a new warehouse, a gap): they are made first.
select 'profit_etl' as dag_id, day.day::date as report_date
from
    generate_series(
        (
            select base.day_of(min(assigned.assigned_at), %(zone)s)::timestamp
            from master.experiment_assignments as assigned
        ),
        %(report_date)s::date::timestamp - interval '1 day',
        interval '1 day'
    ) as day (day)
where
    not exists (select from base.profit as line where line.report_date = day.day::date)
    and not exists (
        select
        from investor.publications as publication
        where publication.report = 'base.profit' and publication.report_date = day.day::date
    )
    and (
        exists (
            select
            from master.orders as ordered
            where
                ordered.ordered_at >= day.day at time zone %(zone)s
                and ordered.ordered_at < (day.day + interval '1 day') at time zone %(zone)s
        )
        or exists (
            select
            from master.orders as ordered
            where
                ordered.status = 'cancelled'
                and ordered.updated_at >= day.day at time zone %(zone)s
                and ordered.updated_at < (day.day + interval '2 days') at time zone %(zone)s
        )
        or exists (
            select
            from master.refunds as refund
            where
                refund.refunded_at >= day.day at time zone %(zone)s
                and refund.refunded_at < (day.day + interval '1 day') at time zone %(zone)s
        )
    )
order by day.day;
