"""The one composition root: Airflow's connections and `include/` in, a working on-call system out."""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Callable, Collection, Mapping
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from typing import Generic, TypeVar

from oncall.adapters.opsgenie.pager import Opsgenie as PagerAdapter
from oncall.adapters.postgres.database import Connect
from oncall.adapters.postgres.feeds import Feeds
from oncall.adapters.postgres.history import History, PublicationHistory
from oncall.adapters.postgres.lasting_connections import SharedConnection
from oncall.adapters.postgres.oncall_db import OncallDb
from oncall.adapters.postgres.report_numbers import PublishedReports
from oncall.adapters.postgres.task_log import TaskLog, UsualKept
from oncall.adapters.postgres.warehouse import Warehouse
from oncall.adapters.slack.chat import Slack as ChatAdapter
from oncall.airflow.kept_connection import KeptConnection
from oncall.airflow.metrics import AirflowMetrics
from oncall.config.load_volume import volume_in_force
from oncall.config.oncall_config import OncallConfig
from oncall.core.errors import Problem
from oncall.core.incidents.wording import Links
from oncall.usecases.current_config import config_in_force
from oncall.usecases.delivery_round import Clock
from oncall.usecases.dispatch import Dispatch
from oncall.usecases.evaluate import Evaluation
from oncall.usecases.ports import Metrics, OutboxEntry, Store
from oncall.usecases.timekeeping import read_clocks

T = TypeVar("T")

DATABASES = ("warehouse", "oncall_db")
WIRING_S = 60.0  # how long many threads take Airflow's connections to be what they were


@dataclass(frozen=True)
class Services:
    """Everything outside, ready to use by one thread. `problems`: what is wrong with the files on disk now."""

    config: OncallConfig
    problems: tuple[Problem, ...]
    world: Warehouse
    runs: TaskLog
    store: OncallDb
    pager: PagerAdapter
    chat: ChatAdapter
    links: Links

    @property
    def clocks(self) -> Mapping[str, Callable[[], dt.datetime]]:
        """The clocks besides this host's own, by name."""
        return clocks_of(self.store, self.world)

    def agreed_now(self) -> dt.datetime:
        """What the clocks agree on, for what a person does now."""
        return read_clocks(self.clocks).at


def clocks_of(store: OncallDb, world: Warehouse) -> Mapping[str, Callable[[], dt.datetime]]:
    """The clocks besides this host's own, by name. Each raises Unreadable."""
    return {"oncall_db": store.clock, "warehouse": world.clock}


class Wiring:
    """Reads the connections once (in the caller's thread) and makes `Services` for each thread that needs one.

    `before`: an older wiring whose connections stay in use where they cannot be read now.
    """

    def __init__(self, before: Wiring | None = None) -> None:
        kept: Mapping[str, KeptConnection] = before._databases if before else {}
        self._databases: Mapping[str, KeptConnection] = {
            name: KeptConnection(name, kept.get(name)) for name in DATABASES
        }
        self._warehouse: Connect = self._databases["warehouse"]
        self._oncall_db: Connect = self._databases["oncall_db"]
        self._usual: UsualKept = before._usual if before else UsualKept()
        self.links = Links(base_url())
        self.metrics: Metrics = before.metrics if before else AirflowMetrics()
        self.pager: PagerAdapter = before.pager if before else PagerAdapter.from_connection()
        self.chat: ChatAdapter = before.chat if before else ChatAdapter.from_connection()

    def of_one_thread(self) -> Wiring:
        """The same for one thread that looks again and again: what it makes shares one connection to each database."""
        mine = copy(self)
        mine._warehouse, mine._oncall_db = (
            SharedConnection(self._warehouse),
            SharedConnection(self._oncall_db),
        )
        return mine

    def renew(self, newer: Wiring) -> None:
        """Of one thread: what was made already connects as the newer wiring does from now on."""
        for mine, new in ((self._warehouse, newer._warehouse), (self._oncall_db, newer._oncall_db)):
            if isinstance(mine, SharedConnection):
                mine.renew(new)

    def is_written_as(self, other: Wiring) -> bool:
        """Whether the databases are written in Airflow as they were when that one read them."""
        return all(kept.is_written_as(other._databases[name]) for name, kept in self._databases.items())

    def answers(self, names: Collection[str]) -> bool:
        """Whether these databases can be asked over a connection that is made now."""
        try:
            for name in names:
                self._databases[name]().close()  # making one asks what it needs
        except Exception:  # noqa: BLE001 - a provider raises what it likes
            return False
        return True

    @property
    def troubles(self) -> Mapping[str, str | None]:
        """By connection why it cannot be used as it is written now, while the one before goes on ("": it can; None: not
        known)."""
        databases = {name: kept.trouble for name, kept in self._databases.items()}
        return {**databases, "opsgenie_default": self.pager.trouble, "slack_api_default": self.chat.trouble}

    def services(self, remembers: Store | None = None) -> Services:
        """`remembers`: the store that is asked for the last good configuration, by default oncall_db.

        Raises ConfigError when the files are broken and no last good configuration is known anywhere.
        """
        config, problems = config_in_force(remembers or self.store())
        return Services(
            config, problems, self.world(), self.task_log(), self.store(), self.pager, self.chat, self.links
        )

    def world(self) -> Warehouse:
        """What reads the warehouse."""
        return Warehouse(self._warehouse, volume_in_force)

    def task_log(self) -> TaskLog:
        """What reads and writes what tasks said of themselves."""
        return TaskLog(self._oncall_db, self._usual)

    def store(self) -> OncallDb:
        """Incidents, outbox and notes."""
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
        """What reads the past for people."""
        return History(self._oncall_db)

    @cached_property
    def feeds(self) -> Feeds:
        """The same for all threads, as long as this wiring lasts."""
        return Feeds(self._oncall_db)

    @cached_property
    def published_reports(self) -> PublishedReports:
        """The same for all threads, as long as this wiring lasts."""
        return PublishedReports(self._warehouse)

    def publications(self) -> PublicationHistory:
        """What reads when reports were published."""
        return PublicationHistory(self._warehouse)


def renewed(before: Wiring | None, names: Collection[str] = DATABASES) -> Wiring:
    """The connections as they are written in Airflow now, to where that leads now: a database may have moved behind its
    name. Those in use where these databases are written as before and none can be made anew."""
    wiring = Wiring(before)
    stays = before is not None and wiring.is_written_as(before) and not wiring.answers(names)
    return before if before is not None and stays else wiring


class SharedWiring:
    """The wiring that many threads share. One of them reads Airflow's connections again, and tries them; the others go
    on with those in use meanwhile."""

    def __init__(self, names: Collection[str] = DATABASES) -> None:
        self._names, self._one_connects = names, threading.Lock()
        self._held: tuple[Wiring, float] | None = None

    def now(self) -> Wiring:
        """The connections in use."""
        held = self._held
        if held and (time.monotonic() <= held[1] or not self._one_connects.acquire(blocking=False)):
            return held[0]
        if held is None:
            self._one_connects.acquire()
        try:
            if held is self._held:  # else somebody has read them while this one waited
                self._held = (renewed(held and held[0], self._names), time.monotonic() + WIRING_S)
            assert self._held is not None
            return self._held[0]
        finally:
            self._one_connects.release()


class PerLoop(Generic[T]):
    """What one loop alone asks, over connections of its own, made anew when the wiring is."""

    def __init__(self, make: Callable[[Wiring], T]) -> None:
        self._make = make
        self._made: tuple[Wiring, T] | None = None

    def of(self, wiring: Wiring) -> T:
        if self._made is None or self._made[0] is not wiring:
            self._made = (wiring, self._make(wiring))
        return self._made[1]


def base_url() -> str:
    """Airflow's address for people, without a slash at its end."""
    from airflow.configuration import conf

    return str(conf.get("api", "base_url", fallback="http://localhost:8080")).rstrip("/")
