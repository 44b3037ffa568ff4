"""The promise as Airflow's own deadline: shown on Home, Browse → Deadlines and the run; its callback looks again."""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict, dataclass
from typing import Any
from zoneinfo import ZoneInfo

import structlog
from airflow.sdk.definitions.callback import AsyncCallback
from airflow.sdk.definitions.deadline import BaseDeadlineReference, DeadlineAlert
from asgiref.sync import sync_to_async

from oncall.airflow.report_date import report_date
from oncall.core.errors import trace
from oncall.core.promises.facts import DRILL_RUNS
from oncall.core.promises.promise import Promise, due_at

log = structlog.get_logger(__name__)


@dataclass
class PromiseDue(BaseDeadlineReference):
    """When the report of this run is due; none for backfills, past days and drills.

    Airflow makes the deadline when it creates the run. `due` is HH:MM[:SS], `offset_s` or `zone` its time zone: a
    fixed offset in seconds, or an IANA name; `weekdays` as in `Promise`.
    Every field has a default because Airflow's plugin loader asks for it.
    """

    due: str = "05:00"
    zone: str = ""
    offset_s: int = 7 * 3600
    weekdays: tuple[int, ...] = tuple(range(7))

    required_kwargs = {"dag_id", "run_id"}  # noqa: RUF012 - Airflow looks for this plain class attribute

    @classmethod
    def of(cls, promise: Promise, tz: dt.tzinfo) -> PromiseDue:
        days = tuple(sorted(promise.weekdays))
        if name := getattr(tz, "key", ""):
            return cls(promise.due.isoformat(), name, 0, days)
        offset = int((tz.utcoffset(None) or dt.timedelta()).total_seconds())
        return cls(promise.due.isoformat(), "", offset, days)

    @property
    def tz(self) -> dt.tzinfo:
        return ZoneInfo(self.zone) if self.zone else dt.timezone(dt.timedelta(seconds=self.offset_s))

    def serialize_reference(self) -> dict[str, Any]:
        return {"reference_type": self.reference_name, **asdict(self), "weekdays": list(self.weekdays)}

    @classmethod
    def deserialize_reference(cls, reference_data: dict[str, Any]) -> PromiseDue:
        due, zone, offset_s = (reference_data[name] for name in ("due", "zone", "offset_s"))
        return cls(str(due), str(zone), int(offset_s), tuple(reference_data["weekdays"]))

    def _evaluate_with(self, *, session: Any, dag_id: str, run_id: str) -> dt.datetime | None:
        """Airflow's question, asked in the scheduler or the api-server. To raise would cost the deadline silently."""
        try:
            from airflow.models.dagrun import DagRun
            from sqlalchemy import select

            run = session.scalar(select(DagRun).where(DagRun.dag_id == dag_id, DagRun.run_id == run_id))
            return self.due_of(run, dt.datetime.now(dt.UTC)) if run is not None else None
        except Exception as error:  # noqa: BLE001 - a run without a deadline is one all the same
            log.error("oncall.deadline_not_made", dag_id=dag_id, run_id=run_id, traceback=trace(error))
            return None

    def due_of(self, run: Any, at: dt.datetime) -> dt.datetime | None:
        """The due instant of a run's report; None when it is past at `at`, a backfill or a drill."""
        if run.run_type == "backfill" or str(run.run_id).startswith(DRILL_RUNS):
            return None
        clock = dt.time.fromisoformat(self.due)
        promise = Promise(clock, clock, frozenset(self.weekdays))
        date = report_date({"dag_run": run}, self.tz)
        due = due_at(promise, date, self.tz)
        return due if promise.covers(date) and due > at else None


async def promise_missed(**_: Any) -> None:
    """Airflow says that a deadline is missed. Believe nothing: read the world and do what it asks for."""
    log.info("oncall.deadline_missed", at=dt.datetime.now(dt.UTC).isoformat())
    from oncall.airflow.run_once import evaluate_once

    await sync_to_async(evaluate_once, thread_sensitive=False)(check_before_send=True)


def promise_deadline(promise: Promise, tz: Any) -> DeadlineAlert:
    """The native deadline of a pipeline's promise."""
    return DeadlineAlert(
        reference=PromiseDue.of(promise, tz),
        interval=dt.timedelta(0),
        callback=AsyncCallback(promise_missed),
        name="Promise",
    )
