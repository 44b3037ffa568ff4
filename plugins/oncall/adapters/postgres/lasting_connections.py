"""Connections that are opened when they are needed, anew after an error, and whose every error is Unreadable."""

from __future__ import annotations

import select
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import structlog

from oncall.adapters.postgres.database import Connect, Connection, Cursor
from oncall.adapters.postgres.refusals import first_line
from oncall.core.errors import OncallError, Unreadable, trace

log = structlog.get_logger(__name__)

# A server up to version 15 that waits for the server of a foreign table heeds no time-out and no goodbye. A question
# every 15 s would soon have taken the last connection from everybody.
MOST_HANGING, ASK_ANEW_S = 3, 300.0


class Asked(ABC):
    """What can be asked one question at a time."""

    @abstractmethod
    def _asking(self, *, in_transaction: bool) -> AbstractContextManager[Cursor]: ...

    def cursor(self) -> AbstractContextManager[Cursor]:
        """A cursor whose statements stand each alone: one round trip where a transaction takes three.

        Raises Unreadable, naming the connection, whatever goes wrong with asking or with what was answered.
        """
        return self._asking(in_transaction=False)

    def transaction(self) -> AbstractContextManager[Cursor]:
        """A cursor whose statements are all done or none. Raises Unreadable likewise."""
        return self._asking(in_transaction=True)

    def ask(self, statement: str, values: Any = None) -> list[tuple[Any, ...]]:
        """The rows of one statement; none of one that has none. Raises Unreadable."""
        with self.cursor() as cursor:
            cursor.execute(statement, values)
            return cursor.fetchall() if cursor.description else []


class LastingConnection(Asked):
    """One lazily opened connection, opened anew after an error. Use one per thread. It is closed with its last user: a
    connection of psycopg's is a circle, which Python does not find before it next searches for garbage."""

    def __init__(self, connect: Connect, name: str) -> None:
        self._connect, self._name = connect, name
        self._connection: Connection | None = None
        self._hanging: list[int] = []  # processes of the server that did not answer in time
        self._hung_at = 0.0

    @contextmanager
    def _asking(self, *, in_transaction: bool) -> Iterator[Cursor]:
        with (
            self._connected() as connection,
            _cursor(connection, in_transaction or connection.pooled) as cursor,
        ):
            yield cursor

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        try:
            if self._connection is None or _gone(self._connection):
                self._connection = self._connect()
                self._refuse_to_hang_more(self._connection)
            self._connection.be_patient()
            yield self._connection
        except OncallError:
            raise
        except Exception as error:
            if self._connection is not None and self._connection.hung_pid:
                self._hanging.append(self._connection.hung_pid)
                self._hung_at = time.monotonic()
            self.close()
            if not _is_of_psycopg(error):
                log.error("oncall.cannot_read", source=self._name, traceback=trace(error))
            raise Unreadable(f"{self._name}: {first_line(error)}") from error

    def _refuse_to_hang_more(self, connection: Connection) -> None:
        """Raises psycopg.OperationalError while the server is still at MOST_HANGING questions that were given up."""
        from psycopg import OperationalError

        if len(self._hanging) < MOST_HANGING or time.monotonic() - self._hung_at > ASK_ANEW_S:
            return
        with _cursor(connection, connection.pooled) as cursor:
            cursor.execute("select pid from pg_stat_activity where pid = any(%s)", (self._hanging,))
            self._hanging = [pid for (pid,) in cursor.fetchall()]
        if len(self._hanging) >= MOST_HANGING:
            pids = ", ".join(map(str, self._hanging))
            raise OperationalError(
                f"no answer in time; the server does not break off what was asked before (pid {pids}), so it is asked"
                f" anew every {ASK_ANEW_S / 60:.0f} min"
            )

    def close(self) -> None:
        """Close the connection; the next use opens another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def __del__(self) -> None:
        if not isinstance(self._connect, SharedConnection):  # that one is others' too
            self.close()


class ConnectionPool(Asked):
    """The same for any number of threads: a connection for each that asks at the time, of which a few stay open."""

    KEPT = 2

    def __init__(self, connect: Connect, name: str) -> None:
        self._connect, self._name = connect, name
        self._idle: list[LastingConnection] = []

    @contextmanager
    def _asking(self, *, in_transaction: bool) -> Iterator[Cursor]:
        with self._taken() as taken, taken._asking(in_transaction=in_transaction) as cursor:
            yield cursor

    @contextmanager
    def _taken(self) -> Iterator[LastingConnection]:
        try:
            taken = self._idle.pop()
        except IndexError:
            taken = LastingConnection(self._connect, self._name)
        try:
            yield taken
        finally:
            if len(self._idle) < self.KEPT:
                self._idle.append(taken)
            else:
                taken.close()

    def __del__(self) -> None:
        while self._idle:
            self._idle.pop().close()


class SharedConnection:
    """A `Connect` that gives all LastingConnections of one thread the same connection, as long as that is open."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._connection: Connection | None = None

    def __call__(self) -> Connection:
        if self._connection is None or _gone(self._connection):
            self._connection = self._connect()
        return self._connection

    def renew(self, connect: Connect) -> None:
        """From now on connections are made so; the open one is closed."""
        self._connect = connect
        self.close()

    def close(self) -> None:
        """Close the connection; the next use opens another."""
        if self._connection is not None:
            self._connection.close()

    def __del__(self) -> None:
        self.close()


def _gone(connection: Connection) -> bool:
    """Whether it is closed. A server that speaks unasked says goodbye: it restarts, and nobody has listened yet."""
    if not connection.closed:
        asked = select.poll()
        asked.register(connection.fileno(), select.POLLIN)
        if asked.poll(0):
            connection.close()
    return connection.closed


@contextmanager
def _cursor(connection: Connection, in_transaction: bool) -> Iterator[Cursor]:
    with connection.transaction() if in_transaction else nullcontext(), connection.cursor() as cursor:
        yield cursor


def _is_of_psycopg(error: Exception) -> bool:
    import psycopg

    return isinstance(error, psycopg.Error)
