"""What the pipelines' tasks said of themselves, in `oncall_db`: written by their callbacks, read by every look."""

from __future__ import annotations

import datetime as dt
import time
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import asdict

import structlog

from oncall.adapters.postgres.database import Connect
from oncall.adapters.postgres.lasting_connections import LastingConnection
from oncall.adapters.postgres.sql_values import MOST_DAYS, SANE_DAY, columns, rows_of, sane
from oncall.core.errors import Unreadable
from oncall.core.promises.facts import DRILL_RUNS, MARKED, RUN, Dag, Task, TypicalDurations
from oncall.usecases.ports import ReportKey, RunSaid, TaskRuns

log = structlog.get_logger(__name__)

STILL_BROKEN = dt.timedelta(minutes=10)  # a file that does not import is told of again at every parse
MOST_TASKS = 500  # of a report and day: whatever failed, and the newest
ENOUGH_DAYS = 7  # with a shorter history nothing is called usual
# A question that is cut off costs the look its whole time-out, and the answer changes once a day.
ASK_USUAL_AGAIN_S = 600.0

# Whatever stands in a row, reading it raises nothing: texts are cut, instants beyond all reckoning (infinity) are the
# beginning of their day, and a day that no report is about is left out.
_TASK = f"""
    coalesce(left(task_id, 250), '') as task_id, coalesce(left(state, 20), '') as state,
    {sane("started_at", "report_date")} as started_at,
    case when ended_at is not null then {sane("ended_at", "report_date")} end as ended_at,
    coalesce(left(run_id, 250), '') as run_id, coalesce(left(error, 1000), '') as error,
    coalesce(left(log_url, 1000), '') as log_url
"""

# Of each report and day the tasks of the newest run that was not deleted, and what failed in earlier ones (only a
# publication mends that); a row without a day is what Airflow said of the DAG itself. Of what is published that is
# nothing while all is as it was then.
_READ = f"""
    with wanted as (
        select one.dag_id, one.report_date::date
        from {rows_of("wanted", "dag_id", "report_date", "published_at")}
        where published_at is null or exists (
            select from oncall.tasks t where t.dag_id = one.dag_id and t.report_date = one.report_date::date
            and (t.task_id <> '{RUN}' and (t.ended_at is null or t.started_at > one.published_at::timestamptz)
                 or t.ended_at > one.published_at::timestamptz and t.state = 'failed'))
        union
        (select distinct t.dag_id, t.report_date from oncall.tasks t
         where t.state = 'failed' and t.ended_at between %(since)s and %(since)s + interval '2 days' and t.{SANE_DAY}
           and not starts_with(t.run_id, '{DRILL_RUNS}')
           and not exists (select 1 from oncall.tasks n where n.dag_id = t.dag_id
                           and n.report_date = t.report_date and n.started_at > t.ended_at
                           and n.task_id = t.task_id and n.state <> 'failed')
         order by t.report_date desc limit {MOST_DAYS}))
    select t.dag_id, t.report_date, t.task_id, t.state, t.started_at, t.ended_at, t.run_id, t.error, t.log_url,
           t.run_id = t.newest, null::boolean, null::boolean, null::int
    from wanted w
    join lateral (
        select *, first_value(run_id) over (order by gone, started_at desc) as newest
        from (select *, coalesce(max(ended_at) filter (where state = 'deleted') over run
                                 >= max(started_at) over run, false) as gone,
                     bool_or(state = 'failed' and task_id <> '{RUN}') over run as blames_a_task
              from (select dag_id, report_date, {_TASK} from oncall.tasks t
                    where t.dag_id = w.dag_id and t.report_date = w.report_date and t.{SANE_DAY}
                    order by t.state = 'failed' desc, t.started_at desc limit {MOST_TASKS}) t
              window run as (partition by run_id)) t) t
      on t.run_id = t.newest or (
        t.state = 'failed' and not t.gone and not (t.task_id = '{RUN}' and t.blames_a_task))
    union all
    select dag_id, null, '', '', {sane("seen_at", "date '2000-01-01'")}, null, '',
           case when import_error_at between now() - %(still)s and now() + interval '1 day'
                then left(import_error, 1000) else '' end, '', null,
           paused, missing, running
    from oncall.dags
    order by 5, 6 nulls last
"""


class UsualKept:
    """The usual durations that were read last (None: never), of the days from `since` on; outlives a TaskLog."""

    def __init__(self) -> None:
        self.since = dt.date.min
        self.durations: Mapping[str, TypicalDurations] | None = None
        self.ask_at = 0.0  # by the monotonic clock: not before


class TaskLog:
    """Implements `TaskRunReader`, and the writing side. Not for use by two threads at once."""

    def __init__(self, connect: Connect, usual: UsualKept | None = None) -> None:
        self._db = LastingConnection(connect, "oncall_db")
        self._usual = usual or UsualKept()

    def write(self, report: ReportKey, task: Task, *, try_number: int = 1, overrules: bool = False) -> None:
        """Note how a task of this report stands. A new try starts its clock anew.

        A task that somebody marked has ended, whatever its process says of that try in its last seconds: that it has
        begun, is done, is killed and tried again. Only Airflow's own answer `overrules` what a person set, or another
        person's mark.
        """
        self._db.ask(
            """
            insert into oncall.tasks as t
                (dag_id, run_id, task_id, report_date, state, try_number, started_at, ended_at, error, log_url)
            values (%(dag_id)s, %(run_id)s, %(task_id)s, %(report_date)s, %(state)s, %(try_number)s,
                    %(started_at)s, %(ended_at)s, %(error)s, %(log_url)s)
            on conflict (dag_id, run_id, task_id) do update set
                state = excluded.state, error = excluded.error,
                log_url = coalesce(nullif(excluded.log_url, ''), t.log_url),  -- who tells for a dead process knows none
                ended_at = excluded.ended_at, report_date = excluded.report_date,
                try_number = greatest(t.try_number, excluded.try_number),
                started_at = case when excluded.state = 'queued' or excluded.state = 'running'
                                   and (t.try_number <> excluded.try_number or t.ended_at is not null
                                        or t.state = 'queued')
                                  then excluded.started_at else t.started_at end
            where not (t.ended_at is not null and starts_with(t.error, %(marked)s) and t.task_id <> %(run)s
                       and not %(overrules)s and not starts_with(excluded.error, %(marked)s)
                       and excluded.try_number <= t.try_number)
            """,
            {
                **asdict(task),
                "dag_id": report[0],
                "report_date": report[1],
                "try_number": try_number,
                "marked": MARKED,
                "run": RUN,
                "overrules": overrules,
                "error": task.error[:1000],
            },
        )

    def read(self, wanted: Mapping[ReportKey, dt.datetime | None], failed_since: dt.datetime) -> TaskRuns:
        """An import error counts while the DAG processor keeps telling of it."""
        dag_ids, dates = zip(*wanted, strict=True) if wanted else ((), ())
        values = {
            "wanted": columns(dag_id=dag_ids, report_date=dates, published_at=wanted.values()),
            "since": failed_since,
            "still": STILL_BROKEN,
        }
        tasks: defaultdict[ReportKey, list[Task]] = defaultdict(list)
        before: defaultdict[ReportKey, list[Task]] = defaultdict(list)
        runs: dict[ReportKey, Task] = {}
        dags: dict[str, Dag] = {}
        with self._db.cursor() as cursor:
            cursor.execute(_READ, values)
            for dag_id, date, *one in cursor.fetchall():
                report, task, (newest, paused, missing, running) = (dag_id, date), Task(*one[:7]), one[7:]
                if date is None:
                    dags[dag_id] = Dag(task.started_at, paused, missing, task.error, running)
                elif not newest:
                    before[report].append(task)
                elif task.task_id == RUN:
                    runs[report] = task
                    tasks[report] += []
                else:
                    tasks[report].append(task)
        return TaskRuns(_tuples(tasks), dags, runs, _tuples(before))

    def usual(self, since: dt.date) -> Mapping[str, TypicalDurations]:
        """Per DAG, of the report dates from `since` on: p90 of the seconds still to go, median and p90 of a task's own.

        What was set by hand took no time of its own: it does not count.

        Asked once for each `since`: four weeks change slowly, and every look wants them. While they cannot be read,
        the last ones count, and nobody is asked for a while. Raises Unreadable when there are none.
        """
        kept = self._usual
        if kept.since != since and time.monotonic() >= kept.ask_at:
            try:
                kept.durations, kept.since = self._read_usual(since), since
            except Unreadable as error:
                kept.ask_at = time.monotonic() + ASK_USUAL_AGAIN_S
                log.warning("oncall.usual_unread", reason=str(error), asked_again_in_s=ASK_USUAL_AGAIN_S)
        if kept.durations is None:
            raise Unreadable(f"usual durations: not read, asked again within {ASK_USUAL_AGAIN_S:.0f} s")
        return kept.durations

    def _read_usual(self, since: dt.date) -> Mapping[str, TypicalDurations]:
        with self._db.cursor() as cursor:
            cursor.execute(
                f"""
                with done as (
                    select dag_id, run_id, max(ended_at) as ended_at from oncall.tasks
                    where report_date >= %s and {SANE_DAY} and task_id = 'publish' and state = 'success' and error = ''
                      and not starts_with(run_id, '{DRILL_RUNS}')
                    group by dag_id, run_id)
                select t.dag_id, t.task_id, count(*),
                    percentile_cont(0.9) within group (order by extract(epoch from done.ended_at - t.started_at)),
                    percentile_cont(0.5) within group (order by extract(epoch from t.ended_at - t.started_at)),
                    percentile_cont(0.9) within group (order by extract(epoch from t.ended_at - t.started_at))
                from oncall.tasks t join done using (dag_id, run_id)
                where t.started_at > '2000-01-01' and t.ended_at < '2200-01-01' and done.ended_at < '2200-01-01'
                  and t.state = 'success' and t.error = '' and t.task_id not in ('wait_for_upstream', %s)
                group by t.dag_id, t.task_id
                """,
                (since, RUN),
            )
            usual: dict[str, TypicalDurations] = {}
            for dag_id, task_id, days, remaining, duration, longest in cursor.fetchall():
                if days >= ENOUGH_DAYS:
                    of_dag = usual.setdefault(dag_id, TypicalDurations({}, {}, {}))
                    of_dag.remaining[task_id] = float(remaining)
                    of_dag.duration[task_id] = float(duration)
                    of_dag.longest[task_id] = float(longest)
            return usual

    def lately(self, since: dt.datetime) -> list[RunSaid]:
        """What the tasks of each run said that started since then, newest run first."""
        found = self._db.ask(
            f"select dag_id, run_id, report_date, {_TASK} from oncall.tasks"
            f" where started_at >= %s and {SANE_DAY} order by started_at desc limit 20000",
            (since,),
        )
        runs: dict[tuple[str, str], RunSaid] = {}
        for dag_id, run_id, date, *one in found:
            run = runs.setdefault((dag_id, run_id), RunSaid(dag_id, run_id, date, {}))
            run.said[one[0]] = Task(*one)
        return list(runs.values())

    def see_dag(self, dag_id: str, dag: Dag) -> None:
        """Note what Airflow says of a DAG."""
        self._db.ask(
            "insert into oncall.dags (dag_id, seen_at, paused, missing, running) values (%s, %s, %s, %s, %s)"
            " on conflict (dag_id) do update set seen_at = excluded.seen_at, paused = excluded.paused,"
            " missing = excluded.missing, running = excluded.running",
            (dag_id, dag.seen_at, dag.paused, dag.missing, dag.running),
        )

    def note_import_error(self, dag_id: str, error: str, at: dt.datetime) -> None:
        """Note that the DAG's file did not import just now."""
        self._db.ask(
            "insert into oncall.dags (dag_id, seen_at, import_error, import_error_at) values (%s, %s, %s, %s)"
            " on conflict (dag_id) do update set import_error = excluded.import_error,"
            " import_error_at = excluded.import_error_at, seen_at = excluded.seen_at",
            (dag_id, at, error[:300], at),
        )

    def import_errors(self, dag_ids: Collection[str], since: dt.datetime) -> dict[str, str]:
        """Of these DAGs those whose file did not import since then, and why. Raises Unreadable."""
        found = self._db.ask(
            "select dag_id, left(import_error, 300) from oncall.dags where dag_id = any(%s) and import_error <> ''"
            " and import_error_at between %s and now() + interval '1 day' order by dag_id",
            ([*dag_ids], since),
        )
        return {str(dag_id): str(error) for dag_id, error in found}


def _tuples(found: Mapping[ReportKey, list[Task]]) -> dict[ReportKey, tuple[Task, ...]]:
    return {which: tuple(some) for which, some in found.items()}
