"""The world as the warehouse shows it: publications, upstream loads, failed checks. Reads only; judges nothing."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from oncall.adapters.postgres import Connect, Cursor, Link
from oncall.core.facts import Facts, FailedCheck, Load, Publication
from oncall.core.promise import Pipeline
from oncall.ports import Which

# `master.loads` may name a table with or without its schema; DESIGN names it with.
_LATEST_LOADS = """
    select 'master.' || regexp_replace(table_name, '^master\\.', '') as name, business_day,
           max(loaded_at) as loaded_at,
           (array_agg(row_count order by loaded_at desc))[1] as row_count
    from master.loads where business_day between %(first)s and %(last)s
    group by 1, 2
"""
_LOADS = f"""
    with latest as ({_LATEST_LOADS}),
    wanted as (select * from unnest(%(tables)s::text[], %(days)s::date[]) as w (name, business_day))
    select w.name, w.business_day, l.loaded_at, l.row_count, usual.rows, w.business_day + usual.arrival
    from wanted w
    left join latest l using (name, business_day)
    left join lateral (
        select percentile_cont(0.5) within group (order by seven.row_count) as rows,
               percentile_cont(0.5) within group (order by seven.loaded_at - (seven.business_day::timestamp
                   at time zone 'UTC')) as arrival
        from (select * from latest e where e.name = w.name and e.business_day < w.business_day
              order by e.business_day desc limit 7) seven) usual on true
"""
_STALE = f"""
    with latest as ({_LATEST_LOADS})
    select p.report, p.report_date from investor.publications p
    join unnest(%(reports)s::text[], %(tables)s::text[]) as upstream (report, name) using (report)
    join latest l on l.name = upstream.name and l.business_day = p.report_date
    where p.report_date >= %(first)s and l.loaded_at > coalesce(p.read_at, p.published_at)
    group by 1, 2 order by 2, 1
"""
_WANTED = "(select * from unnest(%(reports)s::text[], %(days)s::date[]))"
LOOK_BACK = dt.timedelta(days=40)  # far enough for 7 earlier loads of a table that skips some days

Pair = tuple[str, dt.date]  # an upstream table and a business day


class Warehouse:
    """Implements `World`. Not for use by two threads at once."""

    def __init__(self, connect: Connect) -> None:
        self._link = Link(connect, "warehouse")

    def read(self, wanted: Sequence[tuple[Pipeline, dt.date]]) -> Mapping[Which, Facts]:
        if not wanted:
            return {}
        with self._link.cursor() as cursor:
            published = _publications(cursor, wanted)
            checks = _failed_checks(cursor, wanted)
            loads = _loads(cursor, sorted({(table, day) for p, day in wanted for table in _tables(p)}))
        facts = {}
        for pipeline, date in wanted:
            made, read_at = published.get((pipeline.report, date), (None, None))
            mine = tuple(loads[table, date] for table in _tables(pipeline))
            newer = (load for load in mine if read_at and load.loaded_at and load.loaded_at > read_at)
            facts[pipeline.dag_id, date] = Facts(
                publication=made,
                loads=mine,
                failed_checks=tuple(checks.get((pipeline.report, date), ())),
                changed_since=tuple(newer),
            )
        return facts

    def loads(self, tables: Sequence[str], day: dt.date) -> list[Load]:
        """The latest load of each table for one business day."""
        found = self.loads_of([(table, day) for table in tables])
        return [found[table, day] for table in tables]

    def loads_of(self, pairs: Sequence[Pair]) -> dict[Pair, Load]:
        """The same for any tables and days, in one query."""
        with self._link.cursor() as cursor:
            return _loads(cursor, pairs)

    def stale(self, pipelines: Sequence[Pipeline], since: dt.date) -> Sequence[Which]:
        pairs = [(p.report, table) for p in pipelines for table in _tables(p)]
        dag_of = {p.report: p.dag_id for p in pipelines}
        with self._link.cursor() as cursor:
            cursor.execute(
                _STALE,
                {
                    "first": since,
                    "last": dt.date.max,
                    "reports": [report for report, _ in pairs],
                    "tables": [table for _, table in pairs],
                },
            )
            return [(dag_of[report], date) for report, date in cursor.fetchall()]


def _tables(pipeline: Pipeline) -> list[str]:
    """The upstream tables that another team loads (base models are published by our own pipelines)."""
    return [name for name in pipeline.upstream if name.startswith("master.")]


def _keys(wanted: Iterable[tuple[Pipeline, dt.date]]) -> dict[str, Any]:
    """The parameters of _WANTED."""
    pairs = sorted({(pipeline.report, date) for pipeline, date in wanted})
    return {"reports": [report for report, _ in pairs], "days": [day for _, day in pairs]}


def _publications(
    cursor: Cursor, wanted: Sequence[tuple[Pipeline, dt.date]]
) -> dict[tuple[str, dt.date], tuple[Publication, dt.datetime]]:
    cursor.execute(
        "select report, report_date, coalesce(first_published_at, published_at), published_at, run_id, rows,"
        " coalesce(read_at, published_at) from investor.publications"
        f" where (report, report_date) in {_WANTED}",
        _keys(wanted),
    )
    return {
        (report, date): (Publication(first, at, run_id, rows), read_at)
        for report, date, first, at, run_id, rows, read_at in cursor.fetchall()
    }


def _failed_checks(
    cursor: Cursor, wanted: Sequence[tuple[Pipeline, dt.date]]
) -> dict[tuple[str, dt.date], list[FailedCheck]]:
    """The failed checks of the newest run that checked, unless it published after all."""
    cursor.execute(
        f"""
        select c.report, c.report_date, c.name, c.expected, c.found from investor.checks c
        left join investor.publications p on p.report = c.report and p.report_date = c.report_date
        where (c.report, c.report_date) in {_WANTED} and not c.passed
          and (p.published_at is null or c.checked_at > p.published_at)
          and c.run_id = (select n.run_id from investor.checks n where n.report = c.report
                          and n.report_date = c.report_date order by n.checked_at desc limit 1)
        order by c.checked_at, c.name
        """,
        _keys(wanted),
    )
    found: dict[tuple[str, dt.date], list[FailedCheck]] = {}
    for report, date, *check in cursor.fetchall():
        found.setdefault((report, date), []).append(FailedCheck(*check))
    return found


def _loads(cursor: Cursor, pairs: Sequence[Pair]) -> dict[Pair, Load]:
    if not pairs:
        return {}
    days = [day for _, day in pairs]
    names: dict[str, Any] = {"tables": [table for table, _ in pairs], "days": days}
    cursor.execute(_LOADS, {**names, "first": min(days) - LOOK_BACK, "last": max(days)})
    return {
        (name, day): Load(
            name, loaded_at, rows, median, expected.replace(tzinfo=dt.UTC) if expected else None
        )
        for name, day, loaded_at, rows, median, expected in cursor.fetchall()
    }
