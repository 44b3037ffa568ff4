"""The system's health for programs that poll it without an account: one query for all who ask within a moment."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace

from oncall.airflow.composition import PerLoop, SharedWiring, Wiring
from oncall.core.errors import Unreadable
from oncall.usecases.current_config import current_problems
from oncall.usecases.history import SystemHealth
from oncall.usecases.metrics import TICK_AGE
from oncall.usecases.timekeeping import utc_now

SHARED_S = 2.0
SHARED_IN_TROUBLE_S = 5.0  # a database that does not answer takes seconds to say so
FIRST_S = 5.0  # how long to wait for somebody else's answer when there is none to repeat


class SharedHealth:
    """Many threads may read at once. One asks the database; the others are told what was last known.

    They do not wait in line for a database that hangs: everybody may ask, and the api-server's threads are Airflow's.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._asking = threading.Lock()
        self._last: SystemHealth | Unreadable | None = None
        self._until = 0.0
        self._wiring, self._history = SharedWiring(("oncall_db",)), PerLoop(Wiring.history)

    def read(self) -> SystemHealth:
        """Raises Unreadable."""
        if self._clock() >= self._until and self._asking.acquire(
            timeout=FIRST_S if self._last is None else 0
        ):
            try:
                if self._clock() >= self._until:  # else somebody has asked while this one waited
                    self._ask()
            finally:
                self._asking.release()
        if isinstance(self._last, SystemHealth):
            return self._last
        raise Unreadable(str(self._last or "oncall_db: does not answer"))

    def _ask(self) -> None:
        wiring = self._wiring.now()
        try:
            system_health = self._history.of(wiring).system_health()
            # The watcher's note is as old as its last look: these files may be wrong since.
            valid = system_health.files_valid is not False and not current_problems()
            self._last = system_health = replace(system_health, files_valid=valid)
        except Unreadable as error:
            self._last, self._until = error, self._clock() + SHARED_IN_TROUBLE_S
            return
        self._until = self._clock() + SHARED_S
        if system_health.tick:
            wiring.metrics.tell([TICK_AGE.of((utc_now() - system_health.tick).total_seconds())])
