"""A PostgreSQL connection made from an Airflow connection, with bounded waits. Knows no table."""

from __future__ import annotations

import json
import select
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from oncall.core.errors import Unreadable

if TYPE_CHECKING:
    import psycopg  # at run time with the first connection: a DAG file is parsed without one, and often

CONNECT_SECONDS = 3
STATEMENT_MS = 5_000
IDLE_MS = 10_000  # a process that is frozen within a transaction must not keep its locks from the others
OPTIONS = f"-c statement_timeout={STATEMENT_MS} -c idle_in_transaction_session_timeout={IDLE_MS}"

Connection: TypeAlias = "psycopg.Connection[tuple[Any, ...]]"
Cursor: TypeAlias = "psycopg.Cursor[tuple[Any, ...]]"
Connect: TypeAlias = "Callable[[], Connection]"


def connect_by(conn_id: str) -> Connect:
    """Read the Airflow connection now (in the caller's thread); the result opens connections from any thread.

    Goes through the provider's PostgresHook, so that every extra of the connection (sslmode, …) counts.
    """
    from airflow.providers.postgres.hooks.postgres import PostgresHook
    from airflow.sdk import BaseHook

    connection = BaseHook.get_connection(conn_id)
    connection.extra = json.dumps({"connect_timeout": CONNECT_SECONDS, **connection.extra_dejson})
    hook = PostgresHook(connection=connection, options=OPTIONS)
    return cast(Connect, hook.get_conn)


def connect_to(dsn: str) -> Connect:
    """The same for a plain DSN (the command line, tests)."""
    import psycopg

    return lambda: psycopg.connect(dsn, connect_timeout=CONNECT_SECONDS, options=OPTIONS)


def columns(**values: Iterable[object]) -> str:
    """JSON for `rows_of`: each element of an array costs psycopg a microsecond, and a look has tens of thousands."""
    return json.dumps({name: list(column) for name, column in values.items()}, default=str)


def rows_of(parameter: str, *names: str) -> str:
    """What to select from, to have the `columns` bound to the parameter as rows of text."""
    columns = (f"jsonb_array_elements_text(%({parameter})s::jsonb -> '{name}')" for name in names)
    return f"rows from ({', '.join(columns)}) as one ({', '.join(names)})"


class Link:
    """One lazily opened connection, opened anew after an error. Use one per thread."""

    def __init__(self, connect: Connect, name: str) -> None:
        self._connect, self._name = connect, name
        self._connection: Connection | None = None

    @contextmanager
    def cursor(self) -> Iterator[Cursor]:
        """A cursor whose statements stand each alone: one round trip where a transaction takes three.

        Raises Unreadable, naming the connection, when PostgreSQL cannot answer.
        """
        with self._connected() as connection, connection.cursor() as cursor:
            yield cursor

    @contextmanager
    def transaction(self) -> Iterator[Cursor]:
        """A cursor whose statements are all done or none. Raises Unreadable likewise."""
        with self._connected() as connection, connection.transaction(), connection.cursor() as cursor:
            yield cursor

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        import psycopg

        try:
            if self._connection is None or _gone(self._connection):
                self._connection = self._connect()
                if not self._connection.autocommit:  # it may be another Link's too, and in a transaction
                    self._connection.autocommit = True
            yield self._connection
        except psycopg.Error as error:
            self.close()
            raise Unreadable(f"{self._name}: {_first_line(error)}") from error

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class ManyLinks:
    """The same for any number of threads: a Link for each that asks at the time, of which a few stay open."""

    KEPT = 2

    def __init__(self, connect: Connect, name: str) -> None:
        self._connect, self._name = connect, name
        self._idle: list[Link] = []

    @contextmanager
    def cursor(self) -> Iterator[Cursor]:
        with self._link() as link, link.cursor() as cursor:
            yield cursor

    @contextmanager
    def transaction(self) -> Iterator[Cursor]:
        with self._link() as link, link.transaction() as cursor:
            yield cursor

    @contextmanager
    def _link(self) -> Iterator[Link]:
        try:
            link = self._idle.pop()
        except IndexError:
            link = Link(self._connect, self._name)
        try:
            yield link
        finally:
            if len(self._idle) < self.KEPT:
                self._idle.append(link)
            else:
                link.close()

    def __del__(self) -> None:
        while self._idle:
            self._idle.pop().close()


class OneConnection:
    """A `Connect` that gives several Links of one thread the same connection, as long as that is open."""

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
        if self._connection is not None:
            self._connection.close()


def _gone(connection: Connection) -> bool:
    """Whether it is closed. A server that speaks unasked says goodbye: it restarts, and nobody has listened yet."""
    if not connection.closed:
        asked = select.poll()
        asked.register(connection.fileno(), select.POLLIN)
        if asked.poll(0):
            connection.close()
    return connection.closed


def _first_line(error: Exception) -> str:
    """What PostgreSQL said, without the connection string that the driver may append."""
    text = str(error).strip().splitlines()
    return text[0] if text else type(error).__name__
