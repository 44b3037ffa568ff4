"""A PostgreSQL session as this code relies on it, whatever role, database and pooler say. Knows no connection by name.

Bounded on our side: a time-out that the server keeps does not end when the server is frozen. Dates and instants that
Python cannot count with are read as the nearest that it can. Behind a pooler whose next transaction may run on another
server connection nothing is set for a session: each transaction brings its settings.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Self

import psycopg
from psycopg.abc import RV, Buffer, PQGen
from psycopg.adapt import Loader
from psycopg.pq import TransactionStatus
from psycopg.types.string import StrDumper, StrDumperUnknown

from oncall.core.errors import kept

ANSWER_S = 6.0  # for all answers of one operation together; a little more than the server's own time-out
STATEMENT_MS = 5_000
IDLE_MS = 10_000  # a process that is frozen within a transaction must not keep its locks from the others

# What the code reads by, and what it counts on. Four of them PgBouncer keeps for each of its clients.
READING = {
    "client_encoding": "UTF8",
    "datestyle": "ISO, MDY",
    "timezone": "UTC",
    "standard_conforming_strings": "on",
}
RULES = {
    "intervalstyle": "postgres",
    "default_transaction_isolation": "read committed",
    "default_transaction_read_only": "off",
    "lock_timeout": "0",
    "jit": "off",  # compiling costs more than it saves
}
# Of servers of version 14 and 17 on: a role's would end what has other bounds here, or has to take its time.
ENDLESS = ("idle_session_timeout", "transaction_timeout")
# For a question: the answer comes soon or not at all.
ASKING = {
    **RULES,
    "search_path": "pg_catalog",  # every name says its schema
    "statement_timeout": str(STATEMENT_MS),
    "idle_in_transaction_session_timeout": str(IDLE_MS),
    # A commit that waits for a standby that is away heeds no time-out, and holds its rows. What a failover loses of it
    # the watcher gives back.
    "synchronous_commit": "local",
}
# For a pipeline's work, which may take its time. A machine that is gone says no goodbye: the server must notice within
# a minute, not within its usual two hours, for until then it keeps the lock of the report date. One that is frozen
# keeps it for five.
WORKING = {
    **RULES,
    "statement_timeout": "0",
    "idle_in_transaction_session_timeout": "300000",
    "tcp_keepalives_idle": "30",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
}

_OTHER = "pg_backend_pid() <> %(pid)s"
EARLIEST, LATEST = dt.datetime(1970, 1, 1, tzinfo=dt.UTC), dt.datetime(9990, 1, 1, tzinfo=dt.UTC)


class Session(psycopg.Connection[tuple[Any, ...]]):
    """A connection that does not wait for ever. After a wait that was too long it is closed: nobody knows its state."""

    left_s: float | None = ANSWER_S  # of the present operation; None: without end
    pooled = False
    settings: Mapping[str, str] = {}
    hung_pid = 0  # of the server's process that was given up

    def wait(self, gen: PQGen[RV], interval: float = 0.1, timeout: float | None = None) -> RV:
        if self.left_s is None or timeout is not None:
            return super().wait(gen, interval, timeout)
        began, left = time.monotonic(), max(0.0, self.left_s)
        try:
            return super().wait(gen, interval, left)
        except psycopg.OperationalError:
            if time.monotonic() - began < left:
                raise
            self.hung_pid = self.info.backend_pid
            self.pgconn.finish()
            raise psycopg.OperationalError("no answer in time: the server or the way to it hangs") from None
        finally:
            self.left_s = left - (time.monotonic() - began)

    def be_patient(self, seconds: float = ANSWER_S) -> None:
        """Another operation begins, and may wait that long."""
        if self.left_s is not None:
            self.left_s = seconds

    def begin(self, settings: Mapping[str, str]) -> None:
        """Set what the code relies on. Raises psycopg.NotSupportedError for a database that is not UTF-8."""
        self.settings = settings
        for kind, loader in _LOADERS.items():
            self.adapters.register_loader(kind, loader)
        for dumper in (_Text, _Unknown):  # the last one counts where nobody says of which type a text is
            self.adapters.register_dumper(str, dumper)
        with self.cursor() as cursor:
            # Behind a pooler the server's process is another one than the one that answered our greeting.
            cursor.execute(
                f"select {_OTHER}, pg_is_in_recovery(), current_setting('server_encoding'),"
                f" {_set(READING, 'false')}, {_set(settings, _OTHER)}, {_endless(_OTHER)}",
                {"pid": self.info.backend_pid},
            )
            ((pooled, standby, encoding, *_),) = cursor.fetchall()
        if encoding != "UTF8":
            raise psycopg.NotSupportedError(
                f"the database is encoded in {encoding}, which cannot hold every name and message: make it anew with"
                " `create database … encoding 'UTF8' template template0` and copy what is in it"
            )
        self.pooled = pooled
        if pooled:
            self.cursor_factory = _PooledCursor
            # What a transaction begins with, no setting of its own can change.
            self.isolation_level = psycopg.IsolationLevel.READ_COMMITTED
            self.read_only = None if standby else False

    @contextmanager
    def transaction(self, *args: Any, **kwargs: Any) -> Iterator[psycopg.Transaction]:
        """As psycopg's, with the settings behind a pooler too."""
        with super().transaction(*args, **kwargs) as transaction:
            if self.pooled:
                self.execute(self.for_transaction)
            yield transaction

    @property
    def for_transaction(self) -> str:
        """What sets them for the present transaction alone."""
        return f"select {_set({**READING, **self.settings}, 'true')}, {_endless('true')}"


class _PooledCursor(psycopg.Cursor[tuple[Any, ...]]):
    """Behind a pooler, without autocommit: the statement that begins a transaction comes after the settings."""

    def execute(self, *args: Any, **kwargs: Any) -> Self:
        self._settle()
        return super().execute(*args, **kwargs)

    def executemany(self, *args: Any, **kwargs: Any) -> None:
        self._settle()
        super().executemany(*args, **kwargs)

    def _settle(self) -> None:
        session = self.connection
        assert isinstance(session, Session)
        if not session.autocommit and session.info.transaction_status == TransactionStatus.IDLE:
            super().execute(session.for_transaction)


def _set(settings: Mapping[str, str], local: str) -> str:
    """To select: sets each, with the SQL condition `local` for the transaction alone."""
    return ", ".join(f"set_config('{name}', '{value}', {local})" for name, value in settings.items())


def _endless(local: str) -> str:
    """The same for those that are ENDLESS, where the server knows them."""
    known = "case when current_setting('{0}', true) is not null then set_config('{0}', '0', {1}) end"
    return ", ".join(known.format(name, local) for name in ENDLESS)


class _Text(StrDumper):
    """A text as PostgreSQL keeps it, whoever wrote it: one odd letter must not lose what is told with it."""

    def dump(self, obj: str) -> Buffer | None:
        return super().dump(kept(obj))


class _Unknown(StrDumperUnknown):
    def dump(self, obj: str) -> Buffer | None:
        return super().dump(kept(obj))


_TWO, _DASH = b"2-"


class _Nearest(Loader):
    """Dates and instants from 1970 to 9990; what lies beyond (infinity, BC) is the nearest of them."""

    earliest, latest = EARLIEST, LATEST

    def __init__(self, oid: int, context: Any = None) -> None:
        super().__init__(oid, context)
        usual = psycopg.adapters.get_loader(oid, self.format)
        assert usual is not None
        self._load = usual(oid, context).load

    def load(self, data: Buffer) -> Any:
        # of the years 2000 to 2999, as nearly all are: the quick way
        if data[0] == _TWO and data[4] == _DASH:
            return self._load(data)
        try:
            return min(max(self._load(data), self.earliest), self.latest)
        except psycopg.DataError:
            text = bytes(data)
            return self.earliest if text == b"-infinity" or text.endswith(b"BC") else self.latest


class _NearestDate(_Nearest):
    earliest, latest = EARLIEST.date(), LATEST.date()  # type: ignore[assignment]


_LOADERS: Mapping[str, type[Loader]] = {"timestamptz": _Nearest, "date": _NearestDate}
