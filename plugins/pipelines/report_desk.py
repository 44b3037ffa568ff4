"""What the On-call page asks of the pipelines: stale days, rows that break a contract, the release of a held report.

Implements the port `ReportDesk`. A person waits for the answer: what takes longer than some seconds is given up.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any

from oncall.adapters.postgres.database import work_by
from oncall.adapters.postgres.refusals import first_line
from oncall.config.oncall_config import OncallConfig
from oncall.core.errors import OncallError, Unreadable
from oncall.usecases.report_numbers import BrokenRule, StaleDays
from pipelines import runner
from pipelines.held_reports import release_report, rows_that_break
from pipelines.stale_days import StalePublications

WAREHOUSE = "warehouse"
ANSWER_WITHIN_S = 8.0


class WarehouseDesk:
    """Implements `ReportDesk` on the Airflow connection `warehouse`; any number of threads may ask."""

    def stale(self, config: OncallConfig) -> StaleDays:
        """As `python -m oncall stale` lists them, without a search for late rows: the pipelines' runs search."""
        with _asking() as connection:
            found = StalePublications(connection, config).known()
        return {(day.pipeline.report, day.report_date): day.because for day in found}

    def broken_rules(self, config: OncallConfig, dag_id: str, date: dt.date) -> Sequence[BrokenRule]:
        with _asking() as connection:
            found = rows_that_break(connection, config, date, dag_id)
        return [
            BrokenRule(breach.name, breach.table, breach.expected, tuple(keys))
            for breach, keys in found.items()
        ]

    def release(self, config: OncallConfig, dag_id: str, date: dt.date, by: str, note: str) -> None:
        with _asking() as connection:
            runner.install(connection)
            release_report(connection, config, dag_id, date, by=by, note=note)


@contextmanager
def _asking() -> Iterator[Any]:
    """A connection for work that is given up after ANSWER_WITHIN_S. Raises OncallError, whatever goes wrong with it."""
    with closing(work_by(WAREHOUSE)) as connection:
        connection.left_s = ANSWER_WITHIN_S
        try:
            if not connection.pooled:  # behind a pooler the setting would be another client's
                connection.execute(f"set statement_timeout = {ANSWER_WITHIN_S * 1000:.0f}")
                connection.commit()
            yield connection
        except OncallError:
            raise
        except Exception as error:
            # A file that is missing, a column of another kind: a person is told what, and sees the rest of the page.
            raise Unreadable(f"{WAREHOUSE}: {first_line(error)}") from error
