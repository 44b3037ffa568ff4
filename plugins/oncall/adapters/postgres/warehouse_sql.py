"""What the warehouse is asked, as SQL. What is read is bounded: by days and names, and by an index where there is one.

Whatever stands in a row, reading it does not raise: texts are cut, and an instant beyond all reckoning (infinity, the
year 5000) is the midnight at which its day begins, which makes nothing late and nothing stale.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from oncall.adapters.postgres.column_types import Types, day, has_days, instant, number, types_of, word
from oncall.adapters.postgres.publication_rows import are_instants, publications, without_a_day
from oncall.adapters.postgres.sql_values import rows_of, sane

# Of each name and day asked for the latest load, in two ways: a small table, or one without an index, is read from
# end to end once; of one with a million rows each load is looked up. `master.loads` names tables bare or with schema.
SHAPE = f"""
    select coalesce(pg_relation_size(to_regclass('master.loads')), 0) > 16777216 and exists (
        select from pg_index where indrelid = to_regclass('master.loads') and indisvalid and indpred is null
        and array[pg_get_indexdef(indexrelid, 1, true), pg_get_indexdef(indexrelid, 2, true)]
            @> array['table_name', 'business_day']),
        to_regclass('investor.late_rows') is not null,  -- else no run has brought this warehouse up yet
        coalesce(has_table_privilege(to_regclass('investor.releases'), 'select'), false),
        pg_is_in_recovery(),
        {types_of("to_regclass('master.loads')")}
"""


@dataclass(frozen=True)
class Shape:
    """How a warehouse is to be asked for loads; `loads`: the types of their columns, {} where nobody knows.

    `standby`: it is a copy, which shows what is written some time later.
    """

    indexed: bool
    late_rows: bool
    releases: bool
    standby: bool
    loads: Types

    @property
    def master(self) -> str:
        """The loads, whatever types upstream has chosen for its columns; who does not count has no `row_count`."""
        types = self.loads
        return f"""(select {word(types, "table_name")} as table_name, {day(types, "business_day")} as business_day,
            {instant(types, "loaded_at")} as loaded_at, {number(types, "row_count")} as row_count from master.loads)"""


# Nobody can have counted less than nothing, or more than there is.
_NUMBER = "'^[-+]?[0-9]{1,18}([.][0-9]*)?(e[+]?[01]?[0-9])?$'"
_COLUMNS = f"""
    name, business_day::date as business_day, {sane("loaded_at::timestamptz", "business_day::date")} as loaded_at,
    case when row_count::text ~ {_NUMBER} then case when row_count::text::numeric between -9e18 and 9e18
         then greatest(row_count::text::numeric, 0)::bigint end end as row_count
"""


def _latest(shape: Shape) -> str:
    """Of each name and day asked for the latest load."""
    return _looked_up(shape) if shape.indexed else _scanned(shape)


def _scanned(shape: Shape) -> str:
    return f"""
    newest as (
        select table_name, business_day, max(loaded_at) as loaded_at from {shape.master} l
        where table_name = any(%(names)s::text[] || %(bare)s::text[]) and business_day = any(%(days)s::date[])
        group by table_name, business_day),
    latest as (
        select distinct on (name, business_day) {_COLUMNS} from (
            select 'master.' || regexp_replace(table_name, '^master\\.', '') as name, business_day, loaded_at,
                   max(row_count) as row_count
            from newest join {shape.master} l using (table_name, business_day, loaded_at)
            group by table_name, business_day, loaded_at) as either
        order by name, business_day, either.loaded_at desc)
    """


def _looked_up(shape: Shape) -> str:
    by_name, by_bare = (
        f"""(select loaded_at, row_count from {shape.master} l
            where table_name = asked.{name} and business_day = day.business_day and loaded_at is not null
            order by loaded_at desc limit 1)"""
        for name in ("name", "bare")
    )
    return f"""
    latest as (
        select {_COLUMNS} from unnest(%(names)s::text[], %(bare)s::text[]) as asked (name, bare)
        cross join unnest(%(days)s::date[]) as day (business_day)
        cross join lateral (
            select * from ({by_name} union all {by_bare}) as either order by loaded_at desc limit 1) as load)
    """


# Of the tables and days of `needed`: the latest load, when the last seven before it came, and the row counts of all
# within LOOK_BACK as "days ago:rows", the newest first: of a load of which a person has said that it is true, none.
def _loads(shape: Shape) -> str:
    counts = f"case when {_IS_RELEASED} then null else u.counts end" if shape.releases else "u.counts"
    return f"""
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
               l.row_count, {counts} as counts
        from needed n left join latest l using (name, business_day) left join usual u using (name, business_day))
    """


# It may change by 5 percent, as a released number may. And of two days of the week before that were released, the first
# goes on being true while each load since is like it: a shop that closes for some days is asked about twice. One alone
# may be a holiday, and nothing at all a load gone wrong. Of releases there are few.
_IS_RELEASED = """exists (
            select from investor.releases r where r.name = n.name and (
                r.report_date = n.business_day and abs(r.amount - l.row_count) <= 0.05 * r.amount
                or r.report_date between n.business_day - 7 and n.business_day - 2 and r.amount > 0 and exists (
                    select from investor.releases second where second.name = n.name
                    and second.report_date between r.report_date + 1 and n.business_day - 1)
                and not exists (
                    select from latest e
                    where e.name = n.name and e.business_day between r.report_date and n.business_day
                    and e.row_count not between r.amount / 1.5 and r.amount * 1.5)))"""


def waited_for(shape: Shape) -> str:
    """The loads of any tables and days."""
    return f"""
    with {_latest(shape)},
    needed as (select distinct * from unnest(%(table)s::text[], %(day)s::date[]) as pair (name, business_day)),
    {_loads(shape)}
    select name, business_day, loaded_at, row_count, counts, expected_at from loads
    """


_WANTED = f"select report, business_day::date from {rows_of('wanted', 'report', 'business_day')}"


# Whether a publication's instant can be one of its day: the rest of a good one's rows tells nothing.
_CAN_BE = "p.published_at between p.report_date - 1 and greatest(current_date, p.report_date + 2) + 8"
_TEXT_CAN_BE = r"""(
        p.published_at ~ '^\d{4}-(?:0[1-9]|1[0-2])-(?:[0-2]\d|3[01])[ T](?:[01]\d|2[0-3]):[0-5]\d'
            '(?::[0-5]\d(?:[.]\d+)?)?(?:Z|[+-][\d:]+)?$'
        and p.published_at collate "C"
            between (p.report_date - 1)::text and (greatest(current_date, p.report_date + 2) + 8)::text)"""


def _published(of: str, told: Literal["text", "timestamptz"], types: Types | None) -> str:
    """The newest publication of each day that can be one of it, or else the newest, with its instants as `told`.

    A join: by the index where there is one, else in two readings of the table, which costs each row one comparison.
    """
    kind: Literal["text", "timestamptz"] = "timestamptz" if are_instants(types) else told
    rows = publications(kind, types)
    first_at, published_at, read_at = (
        f"p.{name}::text" if told == "text" else sane(f"p.{name}", "p.report_date")
        for name in ("first_at", "published_at", "read_at")
    )
    return f"""
    select 'publication', p.report, p.report_date, {first_at}, {published_at}, {read_at}, p.rows, null, p.run_id,
           p.due_at::text, null
    from (
        select distinct on (p.report, p.report_date) p.report, p.report_date, p.published_at, p.read_at, p.rows,
               p.run_id, p.due_at, coalesce(case when day.can_be then day.first_at end, p.published_at) as first_at
        from (
            select distinct on (report, report_date) * from (
                select p.report, p.report_date, {_TEXT_CAN_BE if kind == "text" else _CAN_BE} as can_be,
                       max(p.published_at) as published_at,
                       min(p.first_at) filter (where p.first_at > '2000-01-01') as first_at
                from {of} w join {rows} p on p.report = w.report and p.report_date = w.business_day
                group by 1, 2, 3) as either
            order by report, report_date, can_be desc) as day
        join {rows} p using (report, report_date, published_at)
        order by p.report, p.report_date) p
    """


def published(types: Types | None) -> str:
    """The publications of what is wanted, and the rows about its reports that name no day.

    Their instants are text, for `instant_of`; the last column is what time it is.
    """
    return f"""
    with wanted as ({_WANTED})
    select p.*, clock_timestamp() from ({_published("wanted", "text", types)}) as p
    union all
    select 'no day', o.report, null, null, null, null, 0, null, o.said, null, null, clock_timestamp()
    from ({without_a_day(types)}) as o (report, said) where o.report in (select report from wanted)
    """


_LATE_ROWS = """
        union
        (select distinct on (l.report) l.report, l.report_date  -- the oldest: that is where to begin, and is told once
        from investor.late_rows l
        join upstream u on u.report = l.report and u.published
        join publication p on p.report = l.report and p.report_date = l.report_date
        where l.report_date between %(since)s and '2200-01-01' and l.changed_at > p.read_at
        order by l.report, l.report_date)
"""
_WHICH_LATE_ROWS = f"""
    union all
    select 'late', l.report, l.report_date, {sane("l.changed_at", "l.report_date")}, null, null, null, null,
           left(l.table_name, 250), null, null
    from wanted w join investor.late_rows l on l.report = w.report and l.report_date = w.business_day
    join publication p on p.report = l.report and p.report_date = l.report_date
    where l.changed_at > p.read_at
"""


def upstream(shape: Shape, types: Types | None) -> str:
    """The loads of what is wanted and of what is stale, and the publications of the latter."""
    return f"""
    with {_latest(shape)},
    upstream as (
        select report, name, published::boolean from {rows_of("upstream", "report", "name", "published")}),
    publication as not materialized (select * from {publications("timestamptz", types)} p),
    first_read as (
        select report_date as business_day, min(read_at) as at
        from publication where report_date >= %(since)s group by report_date),
    newer as (  -- few: what is there before anybody reads it can make nothing stale
        select l.* from latest l join first_read f using (business_day) where l.loaded_at > f.at),
    reloaded as (
        select p.report, p.report_date as business_day
        from newer l join upstream u using (name)
        join publication p on p.report = u.report and p.report_date = l.business_day
        where u.published and l.loaded_at > p.read_at
        {_LATE_ROWS if shape.late_rows else ""}),
    wanted as ({_WANTED} union select * from reloaded),
    needed as (select distinct u.name, w.business_day from wanted w join upstream u using (report)),
    {_loads(shape)}
    select 'load', name, business_day, loaded_at, expected_at, null::timestamptz, row_count, counts,
           null::text, null::text, null::text
    from loads
    union all {_published("reloaded", "timestamptz", types)}
    {_WHICH_LATE_ROWS if shape.late_rows else ""}
    """


# Whether a standby has more to show than it shows, or is cut off from where it got that, and has shown nothing new for
# so long. Of one that never was connected to its primary (it reads an archive) that cannot be told.
BEHIND = """
    select true from pg_last_wal_receive_lsn() as received (lsn)
    where clock_timestamp() - pg_last_xact_replay_timestamp() > %(may_be)s and received.lsn is not null
      and (received.lsn <> pg_last_wal_replay_lsn() or not exists (select from pg_stat_wal_receiver))
"""


# Before which lock the runs of these reports and days have stood for a while, and whose it is. A run marks its
# transactions by an advisory lock of its report and day, and computes and publishes under another, one run at a time
# (pipelines/report_run.py); what it waits for besides may be any lock.
BLOCKED = f"""
    with wanted as ({_WANTED})
    select w.report, w.business_day, blocker.pid, coalesce(left(a.usename, 60), '')
    from wanted w
    join pg_locks l on l.locktype = 'advisory' and l.objsubid = 2
        and l.database = (select oid from pg_database where datname = current_database())
        and l.classid::bigint in (
            hashtext(w.report)::bigint & 4294967295, hashtext('at work: ' || w.report)::bigint & 4294967295)
        and l.objid::bigint = (w.business_day - date '2000-01-01')::bigint & 4294967295
    join pg_locks waits on waits.pid = l.pid and not waits.granted
        and waits.waitstart < clock_timestamp() - %(blocked_for)s
    cross join lateral unnest(pg_blocking_pids(l.pid)) as blocker (pid)
    left join pg_stat_activity a on a.pid = blocker.pid
    -- First whoever waits for nobody: the others stand in the same queue.
    order by 1, 2, exists (select from pg_locks b where b.pid = blocker.pid and not b.granted), 3 limit 1000
"""


_IS_SMALL = "coalesce((select pg_relation_size(to_regclass('{}')) < 16 * 1024 * 1024), false)"


def unknown_names(shape: Shape, types: Types | None) -> str:
    """What the rows of these days call a report or a table that nobody here knows. A large table is not searched."""
    return f"""
    select distinct 'report', left(report, 200), report_date from {publications("text", types)} p
    where {_IS_SMALL.format("investor.publications")}
      and report_date = any(%(days)s::date[]) and not report = any(%(known)s::text[])
    union all
    select distinct 'load', left(table_name, 200), business_day from {shape.master} l
    where {_IS_SMALL.format("master.loads")}
      and business_day = any(%(days)s::date[]) and not table_name = any(%(known)s::text[])
    limit 10000
    """


def loads_without_a_day(shape: Shape) -> str:
    """Of the last two days the tables of loads that name no day, what they have in its place, and when they came."""
    types = shape.loads
    if has_days(types, "business_day"):
        return "select null::text, null::text, null::timestamptz where false"
    return f"""
    select distinct {word(types, "table_name")}, left(business_day::text, 60), {instant(types, "loaded_at")}
    from master.loads
    where {_IS_SMALL.format("master.loads")} and {word(types, "table_name")} = any(%(known)s::text[])
      and {instant(types, "loaded_at")} - clock_timestamp() between interval '-2 days' and interval '1 day'
      and {day(types, "business_day")} is null and business_day is not null
    order by 3 limit 1000
    """


# The failed checks of the newest run that checked, unless it published after all.
def checks(types: Types | None) -> str:
    """The failed checks of what is wanted."""
    return f"""
    with wanted as ({_WANTED})
    select 'check', c.report, c.report_date, {sane("c.checked_at", "c.report_date")}, null, null, null,
           left(c.run_id, 250),
           left(c.name, 250), left(c.expected, 500), left(c.found, 500)
    from wanted w join investor.checks c on c.report = w.report and c.report_date = w.business_day
    left join {publications("timestamptz", types)} p
        on p.report = c.report and p.report_date = c.report_date
    where not c.passed and (p.published_at is null or c.checked_at > p.published_at)
      and c.run_id = (select n.run_id from investor.checks n where n.report = c.report
                      and n.report_date = c.report_date order by n.checked_at desc limit 1)
    order by c.checked_at, c.name limit 10000
    """
