"""The reports of past days, as if Airflow had run every night: the same SQL in the same order, over a plain connection.

python -m sandbox.master_data.published_history
    every loaded day that lacks them (of the experiments the last EXPERIMENT_DAYS)
python -m sandbox.master_data.published_history --from 2026-09-24 --until 2026-11-20
    these days, both included
python -m sandbox.master_data.published_history --promised --from 2026-11-19
    without the experiments, which ask for all the days before them
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import zlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from itertools import product
from typing import Any, NamedTuple

import psycopg2

from oncall.config.oncall_config import OncallConfig, include_dir, load
from oncall.core.promises.promise import Pipeline, last_due
from pipelines import publication, runner
from pipelines.report_run import Held, ReportRun
from sandbox.master_data.business_day import day_number
from sandbox.master_data.generator import TABLES

# What depends on what stays together; the two lines run beside each other.
LINES = (
    ("profit_etl", "unit_profit_experiments"),
    ("engagement_etl", "growth_etl", "daily_growth_experiments"),
)
STARTED_BY = {"unit_profit_experiments": "profit_etl", "daily_growth_experiments": "growth_etl"}
# Nights that went wrong: every how many days, on which of them, and when the report came after all.
LATE = {"growth_etl": (29, 11, dt.time(5, 42)), "profit_etl": (47, 30, dt.time(5, 7))}
NEVER = (1, 1, dt.time())
COUNT_PERIODS = ("growth_etl",)
# The experiments keep a row per assigned customer and day: more of their past costs more than it shows.
EXPERIMENT_DAYS = 3
READS_AFTER, READS_FOR = dt.timedelta(minutes=5), dt.timedelta(minutes=1)


def published_at(dag_id: str, day: dt.date, zone: dt.tzinfo, *, newest: bool = False) -> dt.datetime:
    """When the report of `day` came out that night: 02:20–04:40; an experiment's some minutes after its base model.

    The newest night went well: a new stack should not begin with a late report.
    """
    dice = zlib.crc32(f"{dag_id} {day}".encode())
    if dag_id in STARTED_BY:
        return published_at(STARTED_BY[dag_id], day, zone, newest=newest) + dt.timedelta(minutes=2 + dice % 8)
    every, on, late = LATE.get(dag_id, NEVER)
    usual = dt.datetime.combine(day + dt.timedelta(days=1), dt.time(2, 20), tzinfo=zone)
    if day_number(day) % every == on and not newest:
        return dt.datetime.combine(usual.date(), late, tzinfo=zone)
    return usual + dt.timedelta(minutes=dice % 140)


def run(
    pipeline: Pipeline, day: dt.date, read_at: dt.datetime, at: dt.datetime, zone: dt.tzinfo, connection: Any
) -> None:
    """One night's run of one pipeline, published at `at`. Raises Held as the night would have been held."""
    upstream, promise = pipeline.upstream, pipeline.promise
    night = ReportRun(
        pipeline.dag_id, pipeline.report, day, zone, f"history__{day}", upstream, read_at, promise=promise
    )
    runner.transform(connection, night)
    runner.check(connection, night)
    publication.publish(connection, replace(night, at=at))


def fill(
    connect: Callable[[], Any],
    first: dt.date | None,
    last: dt.date | None,
    now: dt.datetime,
    *,
    promised: bool = False,
) -> tuple[int, list[Held]]:
    """Publish what is missing of the days asked for; how many publications there are more, and what was held.

    In any order: that later days are there already changes no number. Leaves out a day whose night is not over at `now`
    and, if `promised`, the experiments, which nobody is promised. Raises ConfigError when `include/` cannot be read.
    """
    config = load(include_dir())
    with closing(connect()) as connection:
        runner.install(connection)
        days = _loaded(connection, first, last)

    def one_line(line: Sequence[str]) -> Line:
        dag_ids = [dag_id for dag_id in line if not (promised and dag_id in STARTED_BY)]
        nights = [Night(config, dag_id, now) for dag_id in dag_ids if dag_id in config.pipelines]
        with closing(connect()) as connection:
            (filled := Line(connection, nights)).fill(days)
            return filled

    with ThreadPoolExecutor(len(LINES)) as pool:
        results = list(pool.map(one_line, LINES))
    return sum(len(filled.made) for filled in results), [why for filled in results for why in filled.held]


class LoadedDay(NamedTuple):
    """A day of which every table has come; `at`: when the last one had."""

    day: dt.date
    at: dt.datetime


class Night:
    """One pipeline's nights as they look at the instant `now`: in which zone, and since which day all went well."""

    def __init__(self, config: OncallConfig, dag_id: str, now: dt.datetime) -> None:
        self.pipeline, self.zone, self._now = config.pipelines[dag_id], config.roster_of(dag_id).tz, now
        base = config.pipelines.get(STARTED_BY.get(dag_id, dag_id))
        promise = base.promise if base else None
        self._newest = last_due(promise, now, self.zone) if promise else dt.date.max

    def published_at(self, day: dt.date, loaded_at: dt.datetime) -> dt.datetime | None:
        """When this night's report of `day` came out; None while that is to come.

        Never before upstream had all of it: east of the upstream team's zone, and when a laptop slept, that is later
        than on a good night.
        """
        dag_id = self.pipeline.dag_id
        night = published_at(dag_id, day, self.zone, newest=day >= self._newest)
        if night > self._now:
            return None
        after = READS_AFTER * (2 if dag_id in STARTED_BY else 1)
        return min(max(night, loaded_at + after), self._now)


class Line:
    """Pipelines of which one starts the other, over one connection: what was `made`, and what was `held`."""

    def __init__(self, connection: Any, nights: Sequence[Night]) -> None:
        self._connection = connection
        self._promised = [night for night in nights if night.pipeline.dag_id not in STARTED_BY]
        self._following = [night for night in nights if night.pipeline.dag_id in STARTED_BY]
        self.made: set[tuple[Night, dt.date]] = set()
        self.held: list[Held] = []

    def fill(self, days: Sequence[LoadedDay]) -> None:
        """The promised reports from the newest day back, so that a page which is open meanwhile shows no gap.

        Then what adds up the days before: the ends of weeks and months once more, and the experiments.
        """
        for number, loaded in enumerate(reversed(days)):
            for night in self._promised:
                self._publish(night, loaded)
            if number % 7 == 0:
                _analyze(self._connection)
                titles = ", ".join(night.pipeline.title for night in self._promised)
                print(f"{titles}: published {loaded.day}", flush=True)
        for night, loaded in product(self._promised, days):
            older = any((night, before.day) in self.made for before in days if before.day < loaded.day)
            if older and night.pipeline.dag_id in COUNT_PERIODS and _ends_a_period(loaded.day):
                self._publish(night, loaded, again=True)
        for night, loaded in product(self._following, days[-EXPERIMENT_DAYS:]):
            self._publish(night, loaded)

    def _publish(self, night: Night, loaded: LoadedDay, *, again: bool = False) -> None:
        at = night.published_at(loaded.day, loaded.at)
        if at is None or (not again and _is_published(self._connection, night.pipeline.report, loaded.day)):
            return
        try:
            read_at = max(loaded.at, at - READS_FOR)
            run(night.pipeline, loaded.day, read_at, at, night.zone, self._connection)
            self.made.add((night, loaded.day))
        except Held as why:
            self.held.append(why)


def _ends_a_period(day: dt.date) -> bool:
    """Whether it is the last one of a week or of a month."""
    return day.isoweekday() == 7 or (day + dt.timedelta(days=1)).day == 1


def _loaded(connection: Any, first: dt.date | None, last: dt.date | None) -> list[LoadedDay]:
    """The days of which every table has come, and when the last one had."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select business_day, max(loaded_at) from master.loads"
            " where business_day between coalesce(%s, '-infinity'::date) and coalesce(%s, 'infinity'::date)"
            " group by business_day having count(distinct table_name) >= %s order by business_day",
            (first, last, len(TABLES)),
        )
        days = [LoadedDay(day, at) for day, at in cursor.fetchall()]
    connection.rollback()
    return days


def _is_published(connection: Any, report: str, day: dt.date) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "select count(*) from investor.publications where report = %s and report_date = %s", (report, day)
        )
        (count,) = cursor.fetchone()
    connection.rollback()
    return bool(count)


def _analyze(connection: Any) -> None:
    """Statistics for tables that are growing faster than autovacuum looks."""
    with connection.cursor() as cursor:
        cursor.execute(
            "analyze base.profit, base.profit_credit, base.engagement, base.growth, base.unit_profit"
        )
    connection.commit()


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line; says how much was published, and what was held and why."""
    parser = argparse.ArgumentParser(
        prog="python -m sandbox.master_data.published_history", description=__doc__
    )
    parser.add_argument(
        "--dsn", default=os.environ.get("WAREHOUSE_DSN"), help="the warehouse, postgresql://…"
    )
    parser.add_argument("--from", dest="first", type=dt.date.fromisoformat, metavar="DATE")
    parser.add_argument("--until", dest="last", type=dt.date.fromisoformat, metavar="DATE", help="included")
    parser.add_argument("--promised", action="store_true", help="without the experiments")
    asked = parser.parse_args(arguments)
    if not asked.dsn:
        parser.error("which warehouse? write --dsn postgresql://… or set WAREHOUSE_DSN")
    now = dt.datetime.now(dt.UTC)
    done, held = fill(
        lambda: psycopg2.connect(asked.dsn), asked.first, asked.last, now, promised=asked.promised
    )
    print(f"published {done} reports")
    for why in held:
        print(why)


if __name__ == "__main__":
    main()
