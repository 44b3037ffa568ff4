"""The one composition root: Airflow's connections and `include/` in, a working on-call system out."""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import dataclass
from functools import partial
from typing import NoReturn

import structlog

from oncall.adapters.opsgenie.pager import Opsgenie
from oncall.adapters.postgres.database import Connect, OneConnection, connect_by
from oncall.adapters.postgres.feeds import Feeds
from oncall.adapters.postgres.history import History, PublicationHistory
from oncall.adapters.postgres.oncall_db import OncallDb
from oncall.adapters.postgres.task_log import TaskLog
from oncall.adapters.postgres.warehouse import Warehouse
from oncall.adapters.slack.chat import Slack
from oncall.airflow.metrics import AirflowMetrics
from oncall.config.oncall_config import OncallConfig
from oncall.config.quiet_days import volume_in_force
from oncall.core.errors import OncallError, Problem, Unreadable
from oncall.core.incidents.wording import Links
from oncall.usecases.current_config import current_setup, say_configuration
from oncall.usecases.dispatch import Dispatch
from oncall.usecases.evaluate import Evaluation, evaluate
from oncall.usecases.history import WATCHER_SILENT_AFTER
from oncall.usecases.metrics import TICK_AGE, of_look, of_snapshot
from oncall.usecases.notes import instant, noted
from oncall.usecases.outbox import Clock, Sent
from oncall.usecases.ports import LANES, Metrics, OutboxEntry, Store
from oncall.usecases.timekeeping import SteadyClock, note_clocks, read_clocks, utc_now

log = structlog.get_logger(__name__)

TICK = "tick"  # under which the store keeps when the watcher last looked
HAND_OVER_S = 20.0  # a little more than the watcher's tick
MORE_CALLS = 5  # looks at once, one after the other, because somebody cannot be reached
ONE_SHOT_S = 25.0  # how long a look from a task or a callback waits for both channels


@dataclass(frozen=True)
class Services:
    """Everything outside, ready to use by one thread. `problems`: what is wrong with the files on disk now."""

    config: OncallConfig
    problems: tuple[Problem, ...]
    world: Warehouse
    runs: TaskLog
    store: OncallDb
    pager: Opsgenie
    chat: Slack
    links: Links

    @property
    def clocks(self) -> Mapping[str, Callable[[], dt.datetime]]:
        """The clocks besides this host's own, by name."""
        return {"oncall_db": self.store.clock, "warehouse": self.world.clock}

    def agreed_now(self) -> dt.datetime:
        """What the clocks agree on, for what a person does now."""
        return read_clocks(self.clocks).at


class Wiring:
    """Reads the connections once (in the caller's thread) and makes an `Services` for each thread that needs one.

    `before`: an older wiring whose connections stay in use where they cannot be read now.
    """

    def __init__(self, before: Wiring | None = None) -> None:
        self._warehouse: Connect = _tolerant("warehouse", before._warehouse if before else None)
        self._oncall_db: Connect = _tolerant("oncall_db", before._oncall_db if before else None)
        self._feeds: Feeds | None = None
        self.links = Links(base_url())
        self.metrics: Metrics = before.metrics if before else AirflowMetrics()
        self.pager: Opsgenie = before.pager if before else Opsgenie.from_connection()
        self.chat: Slack = before.chat if before else Slack.from_connection()

    def of_one_thread(self) -> Wiring:
        """The same for one thread that looks again and again: what it makes shares one connection to each database."""
        mine = copy(self)
        mine._warehouse, mine._oncall_db = OneConnection(self._warehouse), OneConnection(self._oncall_db)
        return mine

    def renew(self, newer: Wiring) -> None:
        """Of one thread: what was made already connects as the newer wiring does from now on."""
        for mine, new in ((self._warehouse, newer._warehouse), (self._oncall_db, newer._oncall_db)):
            if isinstance(mine, OneConnection):
                mine.renew(new)

    def services(self) -> Services:
        """Raises ConfigError when the files are broken and no last good configuration is known anywhere."""
        config, problems = current_setup(self.store())
        return Services(
            config, problems, self.world(), self.task_log(), self.store(), self.pager, self.chat, self.links
        )

    def world(self) -> Warehouse:
        return Warehouse(self._warehouse, volume_in_force)

    def task_log(self) -> TaskLog:
        return TaskLog(self._oncall_db)

    def store(self) -> OncallDb:
        return OncallDb(self._oncall_db)

    def dispatch(
        self,
        config: OncallConfig,
        store: Store,
        now: Clock,
        seen: Evaluation | None = None,
        *,
        check_before_send: bool = False,
        journal: list[OutboxEntry] | None = None,
    ) -> Dispatch:
        """For one thread. `seen`: this process's last look."""
        kept = [] if journal is None else journal
        return Dispatch(
            config, store, self.pager, self.chat, self.links, self.metrics, now, seen, check_before_send, kept
        )

    def history(self) -> History:
        return History(self._oncall_db)

    def feeds(self) -> Feeds:
        """The same for all threads, as long as this wiring lasts."""
        self._feeds = self._feeds or Feeds(self._oncall_db)
        return self._feeds

    def publications(self) -> PublicationHistory:
        return PublicationHistory(self._warehouse)


def evaluate_once(
    at: dt.datetime | None = None, *, wait_for_leases_s: float = 0, check_before_send: bool = False
) -> Evaluation:
    """One look from a task, a callback or the command line: decide, then send on both channels side by side.

    `at`: another instant than the one that the clocks agree on. `wait_for_leases_s`: how long to stay while something
    is still owed: the process that claimed it may be dead, and another can send it only after the lease.
    `check_before_send`: another process should have noticed before, so ask the far sides whether it was sent already
    (the watcher may have paged from memory while the store was down).
    """
    wiring = Wiring()
    wiring.store().install()
    services = wiring.services()
    clocks = services.clocks
    agreed = read_clocks(clocks)
    now = SteadyClock(at or agreed.at)
    dispatch = wiring.dispatch(services.config, services.store, now)
    quietly(dispatch.acknowledgements)
    seen = evaluate(services.config, services.world, services.runs, services.store, services.links, now())
    quietly(lambda: say_configuration(services.store, dispatch.scene(now()), services.problems))
    quietly(lambda: note_clocks(services.store, dispatch.scene(now()), agreed, clocks))
    quietly(lambda: _tell(wiring.metrics, services, seen, now()))
    until, more_calls = time.monotonic() + wait_for_leases_s, MORE_CALLS
    while True:
        unreached = send_once(wiring, services.config, now, seen=seen, check_before_send=check_before_send)
        if unreached and more_calls:  # the next one is called at once
            more_calls -= 1
            seen = evaluate(
                services.config, services.world, services.runs, services.store, services.links, now()
            )
        elif time.monotonic() < until and services.store.waiting():
            time.sleep(2)
        else:
            return seen


def send_once(
    wiring: Wiring,
    config: OncallConfig,
    now: Clock = utc_now,
    patience_s: float = ONE_SHOT_S,
    *,
    seen: Evaluation | None = None,
    check_before_send: bool = False,
) -> bool:
    """Send what is owed on all lanes side by side: a dead channel does not delay the other, nor a note a page.

    Returns when all are done, or after `patience_s` seconds for each; what is unsent then is sent by the next look.
    True: somebody on the escalation cannot be reached, so look again at once.
    """
    for connected in (wiring.pager, wiring.chat):
        quietly(connected.prepare)  # reads its Airflow connection here: a plain thread may not ask Airflow
    unreached: list[bool] = []

    def one(send: Callable[[Dispatch], Sent]) -> None:
        dispatch = wiring.dispatch(config, wiring.store(), now, seen, check_before_send=check_before_send)
        quietly(lambda: unreached.append(send(dispatch).unreached))

    acts = [_posts, *(partial(Dispatch.pages, lane=lane) for lane in LANES)]
    senders = [threading.Thread(target=one, args=(act,), daemon=True) for act in acts]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join(patience_s)
    return any(unreached)


def _posts(dispatch: Dispatch) -> Sent:
    if dispatch.check_before_send and dispatch.store.waiting() and not dispatch.can_check():
        _let_the_watcher_hand_over(dispatch.store)
    return dispatch.posts()


def _tell(metrics: Metrics, services: Services, seen: Evaluation, at: dt.datetime) -> None:
    """The numbers of a look from elsewhere than the watcher, and how long ago the watcher looked."""
    metrics.tell(of_look(seen, roster_valid=not services.problems, store_readable=True))
    metrics.tell(of_snapshot(services.store.snapshot(), at))
    if tick := noted(TICK, services.store.get_note(TICK), instant, None):
        metrics.tell([TICK_AGE.of((at - tick).total_seconds())])


def _let_the_watcher_hand_over(store: Store) -> None:
    """Wait until the watcher has looked with the store again: it may have posted from memory meanwhile.

    Not for long, and not at all for a watcher that is dead.
    """
    began, until = now_utc(), time.monotonic() + HAND_OVER_S
    while time.monotonic() < until:
        tick = noted(TICK, store.get_note(TICK), instant, None)
        if tick is None or tick > began or began - tick > WATCHER_SILENT_AFTER:
            return
        time.sleep(0.5)


def now_utc() -> dt.datetime:
    """This host's own clock: for what nobody is woken by."""
    return utc_now()


def quietly(act: Callable[[], object]) -> None:
    try:
        act()
    except OncallError as error:
        log.warning("oncall.trouble", reason=str(error))


def _tolerant(conn_id: str, before: Connect | None) -> Connect:
    """A missing or unreadable connection is a source that cannot be read, not a crash."""
    try:
        return connect_by(conn_id)
    except Unreadable as error:
        if before is not None:
            return before
        reason = str(error)

        def cannot() -> NoReturn:
            raise Unreadable(reason)

        return cannot


def base_url() -> str:
    from airflow.configuration import conf

    return str(conf.get("api", "base_url", fallback="http://localhost:8080")).rstrip("/")
