"""Serves the Reports view in the api-server: many readers share one reading for some seconds; and it releases."""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Callable, Hashable, Sequence
from typing import Any, TypeVar

from oncall.adapters.postgres.report_numbers import PublishedReports
from oncall.config.oncall_config import OncallConfig
from oncall.core.data.report_words import not_released
from oncall.core.errors import OncallError, Unreadable
from oncall.usecases.manual_actions import Outcome
from oncall.usecases.report_numbers import BrokenRule, ReportDesk, ReportNumbers, StaleDays

SHARED_S = 15.0  # a report changes once a day
MOST_KEPT = 200
NO_DESK = "this installation does not tell it here"

T = TypeVar("T")


class PageReports:
    """Implements `Reports`. Many threads may ask at once; one of them reads, the others wait and are told the same."""

    def __init__(self, published: Callable[[], PublishedReports], desk: ReportDesk | None) -> None:
        self._published, self._desk = published, desk
        self._lock = threading.Lock()
        self._known: dict[Hashable, tuple[float, Any]] = {}

    def numbers(self, report: str, since: dt.date, until: dt.date) -> ReportNumbers:
        return self._shared(
            ("numbers", report, since, until), lambda: self._published().read(report, since, until)
        )

    def stale(self, config: OncallConfig) -> StaleDays:
        return self._shared(("stale",), lambda: self._asked().stale(config))

    def broken_rules(self, config: OncallConfig, dag_id: str, date: dt.date) -> Sequence[BrokenRule]:
        return self._shared(
            ("broken rules", dag_id, date), lambda: self._asked().broken_rules(config, dag_id, date)
        )

    def release(self, config: OncallConfig, dag_id: str, date: dt.date, by: str, note: str) -> Outcome:
        try:
            self._asked().release(config, dag_id, date, by, note)
        except OncallError as error:
            return Outcome(False, not_released(error))
        with self._lock:
            self._known.clear()
        return Outcome(True, "Released: the next run publishes it.")

    def _asked(self) -> ReportDesk:
        if self._desk is None:
            raise Unreadable(NO_DESK)
        return self._desk

    def _shared(self, key: Hashable, read: Callable[[], T]) -> T:
        """What was read lately; an error is kept too, since a database that does not answer takes seconds."""
        with self._lock:
            known = self._known.get(key)
            if known is None or time.monotonic() > known[0]:
                answer: object
                try:
                    answer = read()
                except OncallError as error:
                    answer = Unreadable(str(error))
                if len(self._known) >= MOST_KEPT:
                    self._known.clear()
                known = self._known[key] = (time.monotonic() + SHARED_S, answer)
        if isinstance(known[1], Unreadable):
            raise Unreadable(str(known[1]))
        found: T = known[1]
        return found
