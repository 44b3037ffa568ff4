"""Serves the On-call page in the api-server: many readers share one reading for a moment; it carries out actions."""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Callable, Collection
from contextlib import suppress

from oncall.airflow.composition import SharedWiring, Wiring
from oncall.airflow.health import SharedHealth
from oncall.airflow.page_reading import PageReading
from oncall.airflow.page_reports import PageReports
from oncall.airflow.run_again import run_again
from oncall.airflow.run_once import send_once
from oncall.core.errors import Unreadable
from oncall.core.notices.page_words import nothing_done
from oncall.usecases.history import Feeds, SystemHealth
from oncall.usecases.manual_actions import ManualActions, Outcome, note_run
from oncall.usecases.report_numbers import ReportDesk, Reports
from oncall.usecases.timekeeping import utc_now
from oncall.web.snapshot import PageSnapshot

SHARED_S = 2.0  # readers within this time are shown the same
SHARED_IN_TROUBLE_S = 10.0  # a database that does not answer takes seconds to say so: not asked again at once
# How long a person waits for both channels; the watcher sends what is not sent by then.
CHANNELS_WITHIN_S = 5.0


class PageSource:
    """Implements `Source` on Airflow's connections. Many threads may read at once; one of them does the work.

    Whoever acts does not wait for them: a database may hang. `desk`: what the pipelines tell of their reports.
    """

    def __init__(self, desk: ReportDesk | None = None) -> None:
        self._one_reads, self._wiring = threading.Lock(), SharedWiring()
        self._reading: tuple[PageReading, Wiring] | None = None
        self._seen: tuple[PageSnapshot, float, int] | None = None
        self._acts = 0  # a reading that began before the last of them is as of before it
        self._health = SharedHealth()
        self._reports = PageReports(lambda: self._wiring.now().published_reports, desk)

    def read(self) -> PageSnapshot:
        """Implements `Source`: many readers within a moment share one reading."""
        with self._one_reads:
            known = self._seen
            if known is not None and time.monotonic() < known[1] and known[2] == self._acts:
                return known[0]
            acts = self._acts
            seen = self._reader().read(utc_now())
            stays = SHARED_IN_TROUBLE_S if seen.unreadable else SHARED_S
            self._seen = (seen, time.monotonic() + stays, acts)
            return seen

    def _reader(self) -> PageReading:
        wiring = self._wiring.now()
        reading, by = self._reading or (PageReading(wiring), wiring)
        if by is not wiring:
            reading.renew(wiring)
        self._reading = reading, wiring
        return reading

    def acknowledge(self, key: str, by: str, dag_ids: Collection[str]) -> Outcome:
        """Implements `Source`."""
        return self._act(by, dag_ids, lambda manual: manual.acknowledge(key))

    def resolve(self, key: str, by: str, note: str, dag_ids: Collection[str]) -> Outcome:
        """Implements `Source`."""
        return self._act(by, dag_ids, lambda manual: manual.resolve(key, note))

    def page(self, key: str, by: str, person: str, dag_ids: Collection[str]) -> Outcome:
        """Implements `Source`."""
        return self._act(by, dag_ids, lambda manual: manual.page(key, person))

    def run_again(self, dag_id: str, report_date: dt.date, by: str) -> Outcome:
        """Implements `Source`."""
        zone = self.read().config.roster_of(dag_id).tz
        outcome = run_again(dag_id, report_date, by, zone)
        if outcome.done:
            wiring = self._wiring.now()
            self._acts += 1
            with suppress(Unreadable):  # it runs all the same
                services = wiring.services()
                run = f"run {outcome.run_id}"
                note_run(services.store, (dag_id, report_date), by, run, services.agreed_now())
        return outcome

    def feeds(self) -> Feeds:
        """Implements `Source`."""
        return self._wiring.now().feeds

    def reports(self) -> Reports:
        return self._reports

    def system_health(self) -> SystemHealth:
        """Implements `Source`."""
        return self._health.read()

    def _act(self, by: str, dag_ids: Collection[str], act: Callable[[ManualActions], Outcome]) -> Outcome:
        wiring = self._wiring.now()
        services = wiring.services()
        at = services.agreed_now()
        try:
            outcome = act(ManualActions(services.config, services.store, services.links, by, at, dag_ids))
        except Unreadable as error:
            return Outcome(False, nothing_done(error))
        if outcome.done:
            send_once(wiring, services, patience_s=CHANNELS_WITHIN_S)
        self._acts += 1
        return outcome
