"""The one composition root: Airflow's connections and `include/` in, a working on-call system out."""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass
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
from oncall.core.incident import Channel
from oncall.core.wording import Links, Scene
from oncall.current_config import current_setup, say_configuration
from oncall.delivery import CHANNEL_ID, Sent, note_health, send_pages, send_posts
from oncall.glue.metrics import AirflowMetrics
from oncall.measures import TICK_AGE, first_page, of_look, of_sending, of_snapshot
from oncall.paging import Look, hear, look
from oncall.ports import Metrics, Store

log = structlog.get_logger(__name__)

TICK = "tick"  # under which the store keeps when the watcher last looked
LONG_AGO = "2000-01-01T00:00:00+00:00"
HAND_OVER_S = 20.0  # a little more than the watcher's tick
DEAD = dt.timedelta(seconds=60)
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
        return Warehouse(self._warehouse)

    def task_log(self) -> TaskLog:
        return TaskLog(self._oncall_db)

    def store(self) -> OncallDb:
        return OncallDb(self._oncall_db)

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

    `linger_s`: how long to stay while something is still owed. Whoever had claimed it may be dead, and only after
    its lease can somebody else send it. `look_first`: somebody else should have noticed before, so ask the far sides
    whether it was said already (the watcher may have paged from memory while the store was down).
    """
    wiring = Wiring()
    wiring.store().install()
    outside = wiring.outside()
    now = at or now_utc()
    quietly(lambda: hear(outside.setup, outside.pager, outside.store, outside.links, now))
    seen = look(outside.setup, outside.world, outside.runs, outside.store, outside.links, now)
    scene = Scene(outside.setup.roster, outside.links, now)
    quietly(lambda: say_configuration(outside.store, scene, outside.problems))
    quietly(lambda: _tell(wiring.metrics, outside, seen, now))
    until = time.monotonic() + linger_s
    send_once(wiring, outside.setup, look_first=look_first)
    while time.monotonic() < until and outside.store.waiting():
        time.sleep(2)
        send_once(wiring, outside.setup, look_first=look_first)
    return seen


def send_once(
    wiring: Wiring, setup: Setup, patience_s: float = ONE_SHOT_S, *, look_first: bool = False
) -> None:
    """Send what is owed on both channels, each in its own thread: a dead one does not delay the other.

    Returns when both are done, or after `patience_s` seconds for each; what is unsent then is sent by the next look.
    """
    for connected in (wiring.pager, wiring.chat):
        quietly(connected.prepare)  # reads its Airflow connection here: a plain thread may not ask Airflow
    senders = [
        threading.Thread(
            target=quietly,
            args=(lambda: send("pager", wiring, wiring.store(), setup, look_first=look_first),),
            daemon=True,
        ),
        threading.Thread(
            target=quietly,
            args=(lambda: send("chat", wiring, wiring.store(), setup, look_first=look_first),),
            daemon=True,
        ),
    ]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join(patience_s)


def send(channel: Channel, wiring: Wiring, store: Store, setup: Setup, *, look_first: bool) -> None:
    """Send what is owed on one channel, and note how it does."""
    if channel == "pager":
        sent = send_pages(store, wiring.pager, now_utc, look_first=look_first)
    else:
        if look_first and store.waiting() and not _can_look(store, setup):
            _let_the_watcher_hand_over(store)
        sent = send_posts(store, wiring.chat, setup.roster.slack_channel, now_utc, look_first=look_first)
    up = note_health(store, Scene(setup.roster, wiring.links, now_utc()), channel, sent)
    wiring.metrics.tell(of_sending(channel, sent, up, _due(store, sent)))


def _due(store: Store, sent: Sent) -> dict[str, dt.datetime]:
    """When the promises were due whose first page has just been taken."""
    if not any(first_page(delivery) for delivery, _ in sent.taken):
        return {}
    with store.deciding() as desk:
        return {incident.key: incident.due for incident in desk.incidents() if incident.due}


def _tell(metrics: Metrics, outside: Outside, seen: Look, at: dt.datetime) -> None:
    """The numbers of a look from elsewhere than the watcher, and how long ago the watcher looked."""
    metrics.tell(of_look(seen, roster_valid=not outside.problems, store_readable=True))
    metrics.tell(of_snapshot(outside.store.snapshot(), at))
    if tick := outside.store.recall(TICK):
        metrics.tell([TICK_AGE.of((at - dt.datetime.fromisoformat(tick)).total_seconds())])


def _can_look(store: Store, setup: Setup) -> bool:
    """Whether the channels' history can be asked: their ids are known from earlier posts."""
    return all(store.recall(f"{CHANNEL_ID}:{channel}") is not None for channel in setup.channels)


def _let_the_watcher_hand_over(store: Store) -> None:
    """Wait until the watcher has looked with the store again: it may have posted from memory meanwhile.

    Not for long, and not at all for a watcher that is dead.
    """
    began, until = now_utc(), time.monotonic() + HAND_OVER_S
    while time.monotonic() < until:
        tick = dt.datetime.fromisoformat(store.recall(TICK) or LONG_AGO)
        if tick > began or began - tick > DEAD:
            return
        time.sleep(0.5)


def now_utc() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


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
