"""The one composition root: Airflow's connections and `include/` in, a working on-call system out."""

from __future__ import annotations

import datetime as dt
import hashlib
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import structlog

from oncall import config
from oncall.adapters.oncall_db import OncallDb
from oncall.adapters.opsgenie import Opsgenie
from oncall.adapters.postgres import Connect, connect_by
from oncall.adapters.slack import Slack
from oncall.adapters.task_log import TaskLog
from oncall.adapters.warehouse import Warehouse
from oncall.config import Setup
from oncall.core.errors import ConfigError, OncallError, Problem, Unreadable
from oncall.core.incident import Plan
from oncall.core.notice import configuration_broken, configuration_mended
from oncall.core.wording import Links, Scene
from oncall.delivery import send_pages, send_posts
from oncall.paging import Look, hear, look
from oncall.ports import Store

log = structlog.get_logger(__name__)

LAST_GOOD = "configuration"  # the name under which the store keeps the last good configuration
BROKEN = "configuration_broken"  # the digest of the problems that were said, "" when all is in order
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
    def channel(self) -> str:
        return self.setup.roster.slack_channel


class Wiring:
    """Reads the connections once (in the caller's thread) and makes an `Outside` for each thread that needs one."""

    def __init__(self) -> None:
        self._warehouse = _tolerant("warehouse")
        self._oncall_db = _tolerant("oncall_db")
        self.links = Links(_base_url())
        self._pager = Opsgenie.from_connection()
        self._chat = Slack.from_connection()

    def outside(self) -> Outside:
        """Raises ConfigError when the files are broken and no last good configuration is known anywhere."""
        store = OncallDb(self._oncall_db)
        setup, problems = current_setup(store)
        return Outside(
            setup, problems, Warehouse(self._warehouse), TaskLog(self._oncall_db), store,
            self._pager, self._chat, self.links,
        )  # fmt: skip

    def task_log(self) -> TaskLog:
        return TaskLog(self._oncall_db)

    def store(self) -> OncallDb:
        return OncallDb(self._oncall_db)


_last_good: dict[Path, Setup] = {}
_read: dict[Path, tuple[str, Setup | tuple[Problem, ...]]] = {}


def current_setup(store: Store) -> tuple[Setup, tuple[Problem, ...]]:
    """The configuration in force, and the problems of the files on disk (rule 10: a bad file silences nobody)."""
    folder = config.include_dir()
    try:
        setup = _load(folder)
    except ConfigError as error:
        return _fallback(folder, store, error), error.problems
    if _last_good.get(folder) != setup:
        _last_good[folder] = setup
        _quietly(lambda: store.remember(f"{LAST_GOOD}:{folder}", config.dump(setup)))
    return setup, ()


def _load(folder: Path) -> Setup:
    """`config.load`, read again only when a file has changed."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    stamps = "\n".join(f"{path} {path.stat().st_mtime_ns} {path.stat().st_size}" for path in files)
    stamp = hashlib.sha256(stamps.encode()).hexdigest()
    if _read.get(folder, ("", ()))[0] != stamp:
        try:
            _read[folder] = (stamp, config.load(folder))
        except ConfigError as error:
            _read[folder] = (stamp, error.problems)
    found = _read[folder][1]
    if isinstance(found, Setup):
        return found
    raise ConfigError(found)


def _fallback(folder: Path, store: Store, error: ConfigError) -> Setup:
    if folder in _last_good:
        return _last_good[folder]
    try:
        kept = store.recall(f"{LAST_GOOD}:{folder}")
    except Unreadable:
        kept = None
    if kept is None:
        raise error
    _last_good[folder] = config.parse(kept)
    return _last_good[folder]


def say_configuration(outside: Outside, at: dt.datetime) -> None:
    """A notice when the files break and when they are mended, once each."""
    scene = Scene(outside.setup.roster, outside.links, at)
    said = outside.store.recall(BROKEN) or ""
    digest = hashlib.sha256("\n".join(map(str, outside.problems)).encode()).hexdigest()[:12]
    digest = digest if outside.problems else ""
    if digest == said:
        return
    owed = (
        configuration_broken(scene, outside.problems, f"{digest}:{at:%Y%m%d%H%M}")
        if digest
        else configuration_mended(scene, f"{said}:{at:%Y%m%d%H%M}")
    )
    with outside.store.deciding() as desk:
        desk.record(Plan(owed=(owed,)), at)
    outside.store.remember(BROKEN, digest)


def look_once(at: dt.datetime | None = None) -> Look:
    """One look from a task, a callback or the command line: decide, then send on both channels side by side."""
    wiring = Wiring()
    outside = wiring.outside()
    outside.store.install()
    now = at or now_utc()
    _quietly(lambda: hear(outside.setup, outside.pager, outside.store, outside.links, now))
    seen = look(outside.setup, outside.world, outside.runs, outside.store, outside.links, now)
    _quietly(lambda: say_configuration(outside, now))
    send_once(wiring, outside.channel)
    return seen


def send_once(wiring: Wiring, channel: str) -> None:
    """Send what is owed on both channels, each in its own thread: a dead one does not delay the other."""
    senders = [
        threading.Thread(target=_quietly, args=(lambda: send_pages(wiring.store(), wiring._pager, now_utc),)),
        threading.Thread(
            target=_quietly, args=(lambda: send_posts(wiring.store(), wiring._chat, channel, now_utc),)
        ),
    ]
    for sender in senders:
        sender.daemon = True
        sender.start()
    for sender in senders:
        sender.join(ONE_SHOT_S)


def now_utc() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def _quietly(act: Callable[[], object]) -> None:
    try:
        act()
    except OncallError as error:
        log.warning("oncall.trouble", reason=str(error))


def _tolerant(conn_id: str) -> Connect:
    """A missing or unreadable connection is a source that cannot be read, not a crash."""
    try:
        return connect_by(conn_id)
    except Exception as error:  # Airflow raises what it likes here, and the pager must live
        reason = f"connection {conn_id!r} cannot be used: {type(error).__name__}: {error}"

        def cannot() -> None:
            raise Unreadable(reason)

        return cannot  # type: ignore[return-value]


def _base_url() -> str:
    from airflow.configuration import conf

    return str(conf.get("api", "base_url", fallback="http://localhost:8080")).rstrip("/")
