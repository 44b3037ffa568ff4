"""Two years behind a stack's databases, for the page to be measured on: written in bulk, as SQL. Measures nothing."""

from __future__ import annotations

import datetime as dt
from typing import Any

import psycopg

from oncall.adapters.postgres.database import connect_to
from oncall.adapters.postgres.oncall_db import OncallDb
from oncall.config.oncall_config import load
from sandbox.master_data.business_day import ZONE
from sandbox.master_data.generator import TABLES
from sandbox.stack.environment import REPOSITORY
from sandbox.stack.postgres import Server

DAYS = 730
DAGS, RUNS_EACH, TASKS_EACH = 61, 394, 2  # 24,034 runs, 48,068 task instances
STUCK = "growth_etl"  # has published nothing this morning

_DAYS = "generate_series(%(last)s::date - %(days)s + 1, %(last)s::date, interval '1 day') as day"
_AT = "(day + interval '{}')::timestamp at time zone 'Asia/Bangkok'"
_AIRFLOW = (
    "insert into dag_bundle (name, active) values ('bench', true)",
    """insert into dag (dag_id, is_paused, is_stale, bundle_name, timetable_type, partition_mapper_info,
           max_active_tasks, max_consecutive_failed_dag_runs, has_task_concurrency_limits)
       select dag_id, false, false, 'bench', '', '{}', 16, 0, false from unnest(%(dags)s::text[]) as dag_id""",
    """insert into dag_run (dag_id, run_id, run_type, run_after, logical_date, state, start_date, end_date)
       select dag_id, 'bench__' || n, 'scheduled', at, at, 'success', at, at + interval '9 min'
       from unnest(%(dags)s::text[]) as dag_id, generate_series(1, %(runs)s) as n,
            lateral (select now() - n * interval '1 hour' as at) as started""",
    """insert into task_instance (id, task_id, dag_id, run_id, try_number, pool, pool_slots, state, start_date,
           end_date)
       select gen_random_uuid(), 'task_' || n, dag_id, run_id, 1, 'default_pool', 1, 'success', start_date, end_date
       from dag_run, generate_series(1, %(tasks)s) as n""",
)
_WAREHOUSE = (
    f"""insert into master.loads (table_name, business_day, loaded_at, row_count)
        select name, day::date, {_AT.format("25 hours")}, 10000 from unnest(%(tables)s::text[]) as name, {_DAYS}""",
    f"""insert into investor.publications (report, report_date, published_at, first_published_at, run_id, rows)
        select report, day::date, at, at, 'bench', 1 from unnest(%(reports)s::text[]) as report, {_DAYS},
            lateral (select {_AT.format("27 hours")} as at) as published
        where report <> %(stuck_report)s or day < %(last)s::date""",
)
# Each second night is a bad one for each promise: a warning, a page on both channels, an escalation, the end.
_ONCALL = (
    f"""insert into oncall.incidents (key, dag_id, report_date, opened_at, due, verdict, cause, detail, paged_at,
            acknowledged_at, acknowledged_by, resolved_at, late_s)
        select dag_id || ':' || day::date, dag_id, day::date, {_AT.format("27 hours 30 min")}, due, 'broken', 'stuck',
            'in transform since 03:12, usually 12 min', due, due + interval '7 min', 'DE-001',
            case when day < %(last)s::date then due + interval '42 min' end, 2520
        from unnest(%(promised)s::text[]) as dag_id, {_DAYS},
            lateral (select {_AT.format("29 hours")} as due) as promise
        where (%(last)s::date - day::date) %% 2 = 0 and (dag_id = %(stuck)s or day < %(last)s::date)""",
    """insert into oncall.events (key, at, what)
       select key, opened_at + n * interval '11 min', 'paged DE-00' || n || ' (primary)'
       from oncall.incidents, generate_series(1, 4) as n""",
    """insert into oncall.deliveries (key, step, channel, op, alias, message, state, attempts, owed_at, next_at,
           done_at, channel_id, ts)
       select key, 'page-' || n || '-primary', channel, case channel when 'pager' then 'page' else 'post' end,
           key || ':page-' || n, jsonb_build_object('title', dag_id || ' is not published',
               'steps', repeat('Look. ', 150), 'recipients', jsonb_build_array(jsonb_build_object('name', 'DE-001'))),
           'done', 1, due, due, due + interval '1 s', 'C1', '1.' || n
       from oncall.incidents, generate_series(1, 4) as n, unnest(array['pager', 'chat']) as channel""",
    f"""insert into oncall.tasks (dag_id, run_id, task_id, report_date, state, started_at, ended_at)
        select dag_id, 'bench__' || day::date, 'step_' || n, day::date, 'success',
            {_AT.format("26 hours")} + n * interval '5 min', {_AT.format("26 hours")} + (n + 1) * interval '5 min'
        from unnest(%(dags)s::text[]) as dag_id, generate_series(1, 4) as n, {_DAYS} where day < %(last)s::date""",
    "insert into oncall.memory (name, value) values ('tick', now()::text), ('watching_since', '2020-01-01T00:00:00Z')",
)


def fill(server: Server) -> str:
    """Fill the databases of a stack that was prepared and migrated; the key of the incident that is open."""
    config = load(REPOSITORY / "include")
    last = dt.datetime.now(ZONE).date() - dt.timedelta(days=1)
    promised = [one.dag_id for one in config.pipelines.values() if one.promise]
    values: dict[str, Any] = {
        "last": last, "days": DAYS, "promised": promised, "dags": list(config.pipelines), "tables": list(TABLES),
        "reports": [one.report for one in config.pipelines.values()], "stuck": STUCK,
        "stuck_report": config.pipelines[STUCK].report,
    }  # fmt: skip
    others = [f"other_{number}" for number in range(DAGS - len(config.pipelines))]
    airflow = {"dags": [*config.pipelines, *others], "runs": RUNS_EACH, "tasks": TASKS_EACH}
    OncallDb(connect_to(server.uri("oncall"))).install()
    for database, statements, given in (
        ("airflow", _AIRFLOW, airflow),
        ("warehouse", _WAREHOUSE, values),
        ("oncall", _ONCALL, values),
    ):
        with psycopg.connect(server.uri(database), autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement, given)
            connection.execute("analyze")
    return f"{STUCK}:{last}"
