"""Waits for upstream master data without holding a worker slot, and lets the on-call system warn in time."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowFailException

from oncall.airflow.dag_settings import Terms
from oncall.airflow.report_date import NoReportDate, report_date
from oncall.core.errors import Unreadable
from oncall.core.promises.cause import late_words
from oncall.core.promises.promise import warn_at

# Whatever reads a database is imported by the task that does: DAG files are parsed all the time.
POKE_S = 1.0  # for all who wait in one triggerer it is one query, of a few milliseconds


class UpstreamFreshSensor(BaseOperator):
    """Succeeds once every upstream table of the DAG's contract is fresh for the run's report date.

    Waits in the triggerer. At the promise's `warn_upstream_at` it wakes for a moment to have the warning said (the
    same one that the watcher says: it reaches people once), then waits on.
    """

    def __init__(self, *, poke_s: float = POKE_S, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.poke_s = poke_s

    def execute(self, context: Any) -> None:
        """Ask once, then wait in the triggerer."""
        from oncall.adapters.postgres.database import connect_by
        from oncall.adapters.postgres.warehouse import Warehouse
        from oncall.airflow.terms_in_force import terms_in_force
        from oncall.config.load_volume import volume_in_force

        terms = terms_in_force(self.dag_id)
        try:
            date = report_date(context, terms.zone)
        except NoReportDate as wrong:
            raise AirflowFailException(str(wrong)) from None
        tables = [name for name in terms.upstream if name.startswith("master.")]
        warehouse = Warehouse(connect_by("warehouse"), volume_in_force)
        try:
            late = [load for load in warehouse.loads(tables, date) if load.state != "fresh"]
        except (
            Unreadable
        ) as error:  # so it may be for an hour: the watcher tells of it, and no retry lasts as long
            self.log.warning("Waiting also for the warehouse: %s", error)
        else:
            if not late:
                return
            for load in late:
                self.log.info("Waiting: %s", late_words(load, terms.zone))
        self._wait(tables, date, self._warns_at(date, terms))

    def _warns_at(self, date: dt.date, terms: Terms) -> dt.datetime | None:
        warn = warn_at(terms.promise, date, terms.zone) if terms.promise else None
        return warn if warn and warn > dt.datetime.now(dt.UTC) else None

    def _wait(self, tables: Sequence[str], date: dt.date, wake_at: dt.datetime | None) -> None:
        from pipelines.upstream_trigger import UpstreamFresh

        self.defer(
            trigger=UpstreamFresh(list(tables), date.isoformat(), wake_at, self.poke_s),
            method_name="resume",
            kwargs={"tables": list(tables), "date": date.isoformat()},
        )

    def resume(self, context: Any, event: dict[str, Any], tables: list[str], date: str) -> None:
        """Either all is there, or it is time to warn."""
        if event["fresh"]:
            self.log.info("Upstream is fresh for %s: %s", date, event["words"])
            return
        self.log.warning("Upstream is late for %s: %s", date, event["words"])
        try:
            from oncall.airflow.run_once import evaluate_once

            evaluate_once(check_before_send=True)
        except Exception:
            self.log.exception("The warning could not be said from here; the watcher says it too")
        self._wait(tables, dt.date.fromisoformat(date), None)
