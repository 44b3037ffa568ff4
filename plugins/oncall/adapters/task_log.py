"""What the pipelines' tasks said of themselves, in `oncall_db`: written by their callbacks, read by every look."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Mapping, Sequence

from oncall.adapters.postgres import Connect, Link, columns, rows_of
from oncall.core.facts import Dag, Task, TaskState, Usual
from oncall.ports import Ran, Which

STILL_BROKEN = dt.timedelta(minutes=10)  # a file that does not import is told of again at every parse
ENOUGH_DAYS = 7  # with a shorter history nothing is called usual

# The tasks of the newest run of each report and day; a row without a day is what Airflow said of the DAG itself.
_READ = f"""
    with wanted as (
        select dag_id, report_date::date from {rows_of("wanted", "dag_id", "report_date")}
        union
        select t.dag_id, t.report_date from oncall.tasks t
        where t.state = 'failed' and t.ended_at >= %(since)s and not starts_with(t.run_id, 'drill__')
          and not exists (select 1 from oncall.tasks n where n.dag_id = t.dag_id
                          and n.report_date = t.report_date and n.started_at > t.ended_at
                          and n.task_id = t.task_id and n.state <> 'failed'))
    select t.dag_id, t.report_date, t.task_id, t.state, t.started_at, t.ended_at, t.run_id, t.error, t.log_url,
           null::boolean, null::boolean, null::int
    from wanted w
    join lateral (select *, first_value(run_id) over (order by started_at desc) as newest from oncall.tasks t
                  where t.dag_id = w.dag_id and t.report_date = w.report_date) t on t.run_id = t.newest
    union all
    select dag_id, null, '', '', seen_at, null, '',
           case when import_error_at > now() - %(still)s then import_error else '' end, '', paused, missing, running
    from oncall.dags
    order by 5, 6 nulls last
"""


class TaskLog:
    """Implements `Runs`, and the writing side. Not for use by two threads at once."""

    def __init__(self, connect: Connect) -> None:
        self._link = Link(connect, "oncall_db")
        self._usual: tuple[dt.date, Mapping[str, Usual]] | None = None

    def write(
        self,
        dag_id: str,
        run_id: str,
        report_date: dt.date,
        task_id: str,
        state: TaskState,
        at: dt.datetime,
        *,
        try_number: int = 1,
        error: str = "",
        log_url: str = "",
    ) -> None:
        """Note that a task is in this state since `at`. A new try starts its clock anew."""
        with self._link.cursor() as cursor:
            cursor.execute(
                """
                insert into oncall.tasks as t
                    (dag_id, run_id, task_id, report_date, state, try_number, started_at, ended_at, error, log_url)
                values (%(dag_id)s, %(run_id)s, %(task_id)s, %(report_date)s, %(state)s, %(try_number)s, %(at)s,
                        %(ended_at)s, %(error)s, %(log_url)s)
                on conflict (dag_id, run_id, task_id) do update set
                    state = excluded.state, error = excluded.error, log_url = excluded.log_url,
                    ended_at = excluded.ended_at, try_number = excluded.try_number, report_date = excluded.report_date,
                    started_at = case when excluded.state = 'running'
                                       and (t.try_number <> excluded.try_number or t.ended_at is not null)
                                      then excluded.started_at else t.started_at end
                """,
                {
                    "dag_id": dag_id,
                    "run_id": run_id,
                    "task_id": task_id,
                    "report_date": report_date,
                    "state": state,
                    "try_number": try_number,
                    "at": at,
                    "ended_at": None if state == "running" else at,
                    "error": error[:1000],
                    "log_url": log_url,
                },
            )

    def read(self, wanted: Sequence[Which], failed_since: dt.datetime) -> Ran:
        """An import error counts while the DAG processor keeps telling of it."""
        values = {
            "wanted": columns(
                dag_id=(dag_id for dag_id, _ in wanted), report_date=(date for _, date in wanted)
            ),
            "since": failed_since,
            "still": STILL_BROKEN,
        }
        tasks: defaultdict[Which, list[Task]] = defaultdict(list)
        dags: dict[str, Dag] = {}
        with self._link.cursor() as cursor:
            cursor.execute(_READ, values)
            for dag_id, date, *one in cursor.fetchall():
                if date is None:
                    _, _, seen_at, _, _, error, _, paused, missing, running = one
                    dags[dag_id] = Dag(seen_at, paused, missing, error, running)
                else:
                    tasks[dag_id, date].append(Task(*one[:7]))
        return Ran({which: tuple(some) for which, some in tasks.items()}, dags)

    def usual(self, since: dt.date) -> Mapping[str, Usual]:
        """Per DAG, of the report dates from `since` on: p90 of the seconds still to go, median of a task's own.

        Asked once for each `since`: four weeks change slowly, and every look wants them.
        """
        if self._usual is None or self._usual[0] != since:
            self._usual = (since, self._read_usual(since))
        return self._usual[1]

    def _read_usual(self, since: dt.date) -> Mapping[str, Usual]:
        with self._link.cursor() as cursor:
            cursor.execute(
                """
                with done as (
                    select dag_id, run_id, max(ended_at) as ended_at from oncall.tasks
                    where report_date >= %s and task_id = 'publish' and state = 'success'
                      and not starts_with(run_id, 'drill__')
                    group by dag_id, run_id)
                select t.dag_id, t.task_id, count(*),
                    percentile_cont(0.9) within group (order by extract(epoch from done.ended_at - t.started_at)),
                    percentile_cont(0.5) within group (order by extract(epoch from t.ended_at - t.started_at))
                from oncall.tasks t join done using (dag_id, run_id)
                where t.state = 'success' and t.task_id <> 'wait_for_upstream' group by t.dag_id, t.task_id
                """,
                (since,),
            )
            usual: dict[str, Usual] = {}
            for dag_id, task_id, days, remaining, duration in cursor.fetchall():
                if days >= ENOUGH_DAYS:
                    of_dag = usual.setdefault(dag_id, Usual({}, {}))
                    of_dag.remaining[task_id] = float(remaining)
                    of_dag.duration[task_id] = float(duration)
            return usual

    def see_dag(self, dag_id: str, dag: Dag) -> None:
        """Note what Airflow says of a DAG."""
        with self._link.cursor() as cursor:
            cursor.execute(
                "insert into oncall.dags (dag_id, seen_at, paused, missing, running) values (%s, %s, %s, %s, %s)"
                " on conflict (dag_id) do update set seen_at = excluded.seen_at, paused = excluded.paused,"
                " missing = excluded.missing, running = excluded.running",
                (dag_id, dag.seen_at, dag.paused, dag.missing, dag.running),
            )

    def note_import_error(self, dag_id: str, error: str, at: dt.datetime) -> None:
        """Note that the DAG's file did not import just now."""
        with self._link.cursor() as cursor:
            cursor.execute(
                "insert into oncall.dags (dag_id, seen_at, import_error, import_error_at) values (%s, %s, %s, %s)"
                " on conflict (dag_id) do update set import_error = excluded.import_error,"
                " import_error_at = excluded.import_error_at, seen_at = excluded.seen_at",
                (dag_id, at, error[:300], at),
            )
