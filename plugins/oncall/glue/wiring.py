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

from oncall.adapters.feeds import Feeds
from oncall.adapters.history import History, PublicationHistory
from oncall.adapters.oncall_db import OncallDb
from oncall.adapters.opsgenie import Opsgenie
from oncall.adapters.postgres import Connect, OneConnection, connect_by
from oncall.adapters.slack import Slack
from oncall.adapters.task_log import TaskLog
from oncall.adapters.warehouse import Warehouse
from oncall.config import Setup
from oncall.core.errors import OncallError, Problem, Unreadable
from oncall.core.wording import Links
from oncall.current_config import current_setup, say_configuration
from oncall.delivery import Clock, Sent
from oncall.dispatch import Dispatch
from oncall.glue.metrics import AirflowMetrics
from oncall.measures import TICK_AGE, of_look, of_snapshot
from oncall.notes import instant, noted
from oncall.paging import Look, look
from oncall.ports import LANES, Delivery, Metrics, Store
from oncall.quiet_days import volume_in_force
from oncall.timekeeping import SteadyClock, note_clocks, read_clocks, utc_now

log = structlog.get_logger(__name__)

TICK = "tick"  # under which the store keeps when the watcher last looked
HAND_OVER_S = 20.0  # a little more than the watcher's tick
DEAD = dt.timedelta(seconds=60)
MORE_CALLS = 5  # looks at once, one after the other, because somebody cannot be reached
ONE_SHOT_S = 25.0  # how long a look from a task or a callback waits for both channels


@dataclass(frozen=True)
class Outside:
    """Everything outside, ready to use by one thread. `problems`: what is wrong with the files on disk now."""

    setup: Setup
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
    """Reads the connections once (in the caller's thread) and makes an `Outside` for each thread that needs one.

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

    def outside(self) -> Outside:
        """Raises ConfigError when the files are broken and no last good configuration is known anywhere."""
        setup, problems = current_setup(self.store())
        return Outside(
            setup, problems, self.world(), self.task_log(), self.store(), self.pager, self.chat, self.links
        )

    def world(self) -> Warehouse:
        return Warehouse(self._warehouse, volume_in_force)

    def task_log(self) -> TaskLog:
        return TaskLog(self._oncall_db)

    def store(self) -> OncallDb:
        return OncallDb(self._oncall_db)

    def dispatch(
        self,
        setup: Setup,
        store: Store,
        now: Clock,
        seen: Look | None = None,
        *,
        check_first: bool = False,
        journal: list[Delivery] | None = None,
    ) -> Dispatch:
        """For one thread. `seen`: this process's last look."""
        kept = [] if journal is None else journal
        return Dispatch(
            setup, store, self.pager, self.chat, self.links, self.metrics, now, seen, check_first, kept
        )

    def history(self) -> History:
        return History(self._oncall_db)

    def feeds(self) -> Feeds:
        """The same for all threads, as long as this wiring lasts."""
        self._feeds = self._feeds or Feeds(self._oncall_db)
        return self._feeds

    def publications(self) -> PublicationHistory:
        return PublicationHistory(self._warehouse)


def look_once(at: dt.datetime | None = None, *, linger_s: float = 0, look_first: bool = False) -> Look:
    """One look from a task, a callback or the command line: decide, then send on both channels side by side.

    `at`: another instant than the one that the clocks agree on. `linger_s`: how long to stay while something is still
    owed: whoever had claimed it may be dead, and only after its lease can somebody else send it. `look_first`: somebody
    else should have noticed before, so ask the far sides whether it was said already (the watcher may have paged from
    memory while the store was down).
    """
    wiring = Wiring()
    wiring.store().install()
    outside = wiring.outside()
    clocks = outside.clocks
    agreed = read_clocks(clocks)
    now = SteadyClock(at or agreed.at)
    dispatch = wiring.dispatch(outside.setup, outside.store, now)
    quietly(dispatch.acknowledgements)
    seen = look(outside.setup, outside.world, outside.runs, outside.store, outside.links, now())
    quietly(lambda: say_configuration(outside.store, dispatch.scene(now()), outside.problems))
    quietly(lambda: note_clocks(outside.store, dispatch.scene(now()), agreed, clocks))
    quietly(lambda: _tell(wiring.metrics, outside, seen, now()))
    until, more_calls = time.monotonic() + linger_s, MORE_CALLS
    while True:
        unreached = send_once(wiring, outside.setup, now, seen=seen, look_first=look_first)
        if unreached and more_calls:  # the next one is called at once
            more_calls -= 1
            seen = look(outside.setup, outside.world, outside.runs, outside.store, outside.links, now())
        elif time.monotonic() < until and outside.store.waiting():
            time.sleep(2)
        else:
            return seen


def send_once(
    wiring: Wiring,
    setup: Setup,
    now: Clock = utc_now,
    patience_s: float = ONE_SHOT_S,
    *,
    seen: Look | None = None,
    look_first: bool = False,
) -> bool:
    """Send what is owed on all lanes side by side: a dead channel does not delay the other, nor a note a page.

    Returns when all are done, or after `patience_s` seconds for each; what is unsent then is sent by the next look.
    True: somebody on the escalation cannot be reached, so look again at once.
    """
    for connected in (wiring.pager, wiring.chat):
        quietly(connected.prepare)  # reads its Airflow connection here: a plain thread may not ask Airflow
    unreached: list[bool] = []

    def one(send: Callable[[Dispatch], Sent]) -> None:
        dispatch = wiring.dispatch(setup, wiring.store(), now, seen, check_first=look_first)
        quietly(lambda: unreached.append(send(dispatch).unreached))

    acts = [_posts, *(partial(Dispatch.pages, lane=lane) for lane in LANES)]
    senders = [threading.Thread(target=one, args=(act,), daemon=True) for act in acts]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join(patience_s)
    return any(unreached)


def _posts(dispatch: Dispatch) -> Sent:
    if dispatch.check_first and dispatch.store.waiting() and not dispatch.can_check():
        _let_the_watcher_hand_over(dispatch.store)
    return dispatch.posts()


def _tell(metrics: Metrics, outside: Outside, seen: Look, at: dt.datetime) -> None:
    """The numbers of a look from elsewhere than the watcher, and how long ago the watcher looked."""
    metrics.tell(of_look(seen, roster_valid=not outside.problems, store_readable=True))
    metrics.tell(of_snapshot(outside.store.snapshot(), at))
    if tick := noted(TICK, outside.store.recall(TICK), instant, None):
        metrics.tell([TICK_AGE.of((at - tick).total_seconds())])


def _let_the_watcher_hand_over(store: Store) -> None:
    """Wait until the watcher has looked with the store again: it may have posted from memory meanwhile.

    Not for long, and not at all for a watcher that is dead.
    """
    began, until = now_utc(), time.monotonic() + HAND_OVER_S
    while time.monotonic() < until:
        tick = noted(TICK, store.recall(TICK), instant, None)
        if tick is None or tick > began or began - tick > DEAD:
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
