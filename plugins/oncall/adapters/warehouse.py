"""The world as the warehouse shows it: publications, upstream loads, failed checks. Reads only; judges nothing."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from oncall.adapters.postgres import Connect, Link, columns, rows_of
from oncall.core.expectation import WINDOW_DAYS, Expectation, expect
from oncall.core.facts import DEFAULT_SHARE, PARTIAL_SHARE, Facts, FailedCheck, Load, Publication
from oncall.core.promise import Pipeline
from oncall.ports import Which

# `master.loads` may name a table with or without its schema; DESIGN names it with.
_LATEST = """
    latest as (
        select 'master.' || regexp_replace(table_name, '^master\\.', '') as name, business_day,
               max(loaded_at) as loaded_at,
               (array_agg(row_count order by loaded_at desc))[1] as row_count
        from master.loads where business_day between %(first)s and %(last)s
        group by 1, 2)
"""
# Of the tables and days of `needed`: the latest load, when the last seven before it came, and the row counts of all
# within LOOK_BACK as "days ago:rows", the newest first.
_LOADS = """
    earlier as (
        select n.name, n.business_day, n.business_day - e.business_day as ago, e.row_count,
               e.loaded_at - (e.business_day::timestamp at time zone 'UTC') as took,
               row_number() over (partition by n.name, n.business_day order by e.business_day desc) as back
        from needed n join latest e on e.name = n.name and e.business_day < n.business_day),
    usual as (
        select name, business_day,
               percentile_cont(0.5) within group (order by took) filter (where back <= 7) as took,
               string_agg(ago || ':' || row_count, ' ' order by ago)
               filter (where ago <= %(look_back)s) as counts
        from earlier group by name, business_day),
    loads as (
        select n.name, n.business_day, l.loaded_at, (n.business_day + u.took) at time zone 'UTC' as expected_at,
               l.row_count, u.counts
        from needed n left join latest l using (name, business_day) left join usual u using (name, business_day))
"""
_WAITED_FOR = f"""
    with {_LATEST},
    needed as (select distinct * from unnest(%(tables)s::text[], %(days)s::date[]) as pair (name, business_day)),
    {_LOADS}
    select name, business_day, loaded_at, row_count, counts, expected_at from loads
"""
# One statement for all that a look asks: rows of three kinds, in columns that they share.
_LATE_ROWS = """
        union
        (select distinct on (l.report) l.report, l.report_date  -- the oldest: that is where to begin, and is told once
        from investor.late_rows l
        join upstream u on u.report = l.report and u.published
        join investor.publications p on p.report = l.report and p.report_date = l.report_date
        where l.report_date >= %(since)s and l.changed_at > coalesce(p.read_at, p.published_at)
        order by l.report, l.report_date)
"""
_WHICH_LATE_ROWS = """
    union all
    select 'late', l.report, l.report_date, l.changed_at, null, null, null, null, l.table_name, null, null
    from wanted w join investor.late_rows l on l.report = w.report and l.report_date = w.business_day
    join investor.publications p on p.report = l.report and p.report_date = l.report_date
    where l.changed_at > coalesce(p.read_at, p.published_at)
"""
_READ = f"""
    with {_LATEST},
    upstream as (
        select report, name, published::boolean from {rows_of("upstream", "report", "name", "published")}),
    first_read as (
        select report_date as business_day, min(coalesce(read_at, published_at)) as at
        from investor.publications where report_date >= %(since)s group by report_date),
    newer as (  -- few: what is there before anybody reads it can make nothing stale
        select l.* from latest l join first_read f using (business_day) where l.loaded_at > f.at),
    reloaded as (
        select p.report, p.report_date as business_day
        from newer l join upstream u using (name)
        join investor.publications p on p.report = u.report and p.report_date = l.business_day
        where u.published and l.loaded_at > coalesce(p.read_at, p.published_at)
        {{late_rows}}),
    wanted as (
        select report, business_day::date from {rows_of("wanted", "report", "business_day")}
        union select * from reloaded),
    needed as (select distinct u.name, w.business_day from wanted w join upstream u using (report)),
    {_LOADS}
    select 'load', name, business_day, loaded_at, expected_at, null::timestamptz, row_count, counts,
           null::text, null::text, null::text
    from loads
    union all
    select 'publication', p.report, p.report_date, coalesce(p.first_published_at, p.published_at), p.published_at,
           coalesce(p.read_at, p.published_at), p.rows, null, p.run_id, null, null
    from wanted w
    cross join lateral (  -- with `limit`, looked up one by one: however many days there are
        select * from investor.publications p
        where p.report = w.report and p.report_date = w.business_day limit 1) p
    union all
    -- The failed checks of the newest run that checked, unless it published after all.
    (select 'check', c.report, c.report_date, c.checked_at, null, null, null, null, c.name, c.expected, c.found
    from wanted w join investor.checks c on c.report = w.report and c.report_date = w.business_day
    left join investor.publications p on p.report = c.report and p.report_date = c.report_date
    where not c.passed and (p.published_at is null or c.checked_at > p.published_at)
      and c.run_id = (select n.run_id from investor.checks n where n.report = c.report
                      and n.report_date = c.report_date order by n.checked_at desc limit 1)
    order by c.checked_at, c.name)
    {{which_late_rows}}
"""
_READ_BEFORE = _READ.format(late_rows="", which_late_rows="")  # a warehouse that no run has brought up yet
_READ = _READ.format(late_rows=_LATE_ROWS, which_late_rows=_WHICH_LATE_ROWS)
# What they say is kept as it was on a published day: a new load of them makes none stale.
KEPT = frozenset({"master.customers", "master.products"})
LOOK_BACK = dt.timedelta(days=WINDOW_DAYS)  # far enough for 7 earlier loads of a table that skips some days

Pair = tuple[str, dt.date]  # an upstream table or a report, and a business day
# The share of the rows expected that a load of a table must have on a day, as its contract and the calendar say.
Volume = Callable[[str, dt.date], float]


class Warehouse:
    """Implements `World`. Not for use by two threads at once."""

    def __init__(self, connect: Connect, volume: Volume = lambda _table, _day: DEFAULT_SHARE) -> None:
        self._link = Link(connect, "warehouse")
        self._volume = volume
        self._knows_late_rows = False

    def read(
        self,
        wanted: Sequence[tuple[Pipeline, dt.date]],
        published: Sequence[Pipeline] = (),
        since: dt.date | None = None,
    ) -> Mapping[Which, Facts]:
        if not wanted and not published:
            return {}
        pipelines = {pipeline.report: pipeline for pipeline in (*published, *(each for each, _ in wanted))}
        pairs = {(pipeline.report, date): None for pipeline, date in wanted}
        with self._link.cursor() as cursor:
            asked = _asked(pipelines, list(pairs), {each.report for each in published}, since)
            cursor.execute(_READ if self._has_late_rows(cursor) else _READ_BEFORE, asked)
            found = _Found.of(cursor.fetchall(), self._volume)
        reports = pairs | dict.fromkeys(found.publications)
        return {
            (pipelines[report].dag_id, date): found.facts(pipelines[report], date) for report, date in reports
        }

    def _has_late_rows(self, cursor: Any) -> bool:
        if not self._knows_late_rows:
            cursor.execute("select to_regclass('investor.late_rows') is not null")
            (self._knows_late_rows,) = cursor.fetchone()
        return self._knows_late_rows

    def loads(self, tables: Sequence[str], day: dt.date) -> list[Load]:
        """The latest load of each table for one business day."""
        found = self.loads_of([(table, day) for table in tables])
        return [found[table, day] for table in tables]

    def loads_of(self, pairs: Sequence[Pair]) -> dict[Pair, Load]:
        """The same for any tables and days, in one query."""
        if not pairs:
            return {}
        days = [day for _, day in pairs]
        values = {"tables": [table for table, _ in pairs], "days": days}
        with self._link.cursor() as cursor:
            bounds = {"first": min(days) - LOOK_BACK, "last": max(days), "look_back": LOOK_BACK.days}
            cursor.execute(_WAITED_FOR, values | bounds)
            return {(row[0], row[1]): _load(self._volume, *row) for row in cursor.fetchall()}


@dataclass(frozen=True)
class _Found:
    """What one reading found: loads by table and day, the rest by report and day."""

    loads: Mapping[Pair, Load]
    publications: Mapping[Pair, tuple[Publication, dt.datetime]]
    checks: Mapping[Pair, Sequence[FailedCheck]]
    late: Mapping[Pair, Sequence[Load]]

    @classmethod
    def of(cls, rows: Sequence[tuple[Any, ...]], volume: Volume) -> _Found:
        loads: dict[Pair, Load] = {}
        publications: dict[Pair, tuple[Publication, dt.datetime]] = {}
        checks: defaultdict[Pair, list[FailedCheck]] = defaultdict(list)
        late: defaultdict[Pair, list[Load]] = defaultdict(list)
        for kind, name, day, first, second, third, count, counts, *words in rows:
            if kind == "load":
                loads[name, day] = _load(volume, name, day, first, count, counts, second)
            elif kind == "publication":
                publications[name, day] = Publication(first, second, words[0], count), third
            elif kind == "late":
                late[name, day].append(Load(words[0], first))
            else:
                checks[name, day].append(FailedCheck(*words))
        return cls(loads, publications, checks, late)

    def facts(self, pipeline: Pipeline, date: dt.date) -> Facts:
        made, read_at = self.publications.get((pipeline.report, date), (None, None))
        mine = tuple(self.loads[table, date] for table in _loaded(pipeline.upstream))
        newer = {
            load.table: load
            for load in (*self.late.get((pipeline.report, date), ()), *mine)
            if read_at and load.loaded_at and load.loaded_at > read_at and load.table not in KEPT
        }
        checks = tuple(self.checks.get((pipeline.report, date), ()))
        return Facts(made, mine, checks, changed_since=tuple(newer.values()))


def _load(
    volume: Volume,
    name: str,
    day: dt.date,
    loaded_at: dt.datetime | None,
    rows: int | None,
    counts: str | None,
    expected_at: dt.datetime | None,
) -> Load:
    """A load beside what its table's days so far make expected of it."""
    expected = _expected(counts or "")
    if expected is None:
        return Load(name, loaded_at, rows, None, expected_at)
    share = volume(name, day) if expected.knows_weekday else min(PARTIAL_SHARE, volume(name, day))
    return Load(name, loaded_at, rows, expected.amount, expected_at, expected.spread, share)


@lru_cache(maxsize=4096)  # every look asks again, and it changes once a day
def _expected(counts: str) -> Expectation | None:
    """From "days ago:rows days ago:rows …"."""
    pairs = (one.split(":") for one in counts.split())
    return expect([(int(ago), float(rows)) for ago, rows in pairs])


@lru_cache(maxsize=1024)
def _loaded(upstream: tuple[str, ...]) -> tuple[str, ...]:
    """The tables that another team loads (base models are published by our own pipelines)."""
    return tuple(name for name in upstream if name.startswith("master."))


def _asked(
    pipelines: Mapping[str, Pipeline],
    wanted: Sequence[Pair],
    published: Collection[str],
    since: dt.date | None,
) -> dict[str, Any]:
    """The parameters of _READ; `pipelines` by report."""
    upstream = [
        (report, table) for report, pipeline in pipelines.items() for table in _loaded(pipeline.upstream)
    ]
    days = [day for _, day in wanted]
    return {
        "upstream": columns(
            report=(report for report, _ in upstream),
            name=(table for _, table in upstream),
            published=(report in published and table not in KEPT for report, table in upstream),
        ),
        "wanted": columns(report=(report for report, _ in wanted), business_day=days),
        "since": since or dt.date.max,
        "first": min([*days, *([since] if since else [])]) - LOOK_BACK,
        "last": dt.date.max if published else max(days),
        "look_back": LOOK_BACK.days,
    }
