"""A PostgreSQL connection made from an Airflow connection, with bounded waits. Knows no table."""

from __future__ import annotations

import json
import re
import select
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import structlog

from oncall.adapters.airflow_connections import extra_of, look_up_in_airflow
from oncall.core.errors import OncallError, Unreadable

if TYPE_CHECKING:
    import psycopg  # at run time with the first connection: a DAG file is parsed without one, and often

    from oncall.adapters.postgres.session import Session

log = structlog.get_logger(__name__)

CONNECT_SECONDS = 3
OURS: Mapping[str, Any] = {
    "autocommit": True,
    "client_encoding": "UTF8",
    "prepare_threshold": None,  # behind a pooler a prepared statement is another client's
}
# A machine that is gone says no goodbye: also who only listens must notice. (Over a socket file they mean nothing.)
NOTICE_GONE: Mapping[str, Any] = {
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}

Connection: TypeAlias = "Session"
Cursor: TypeAlias = "psycopg.Cursor[tuple[Any, ...]]"
Connect: TypeAlias = "Callable[[], Connection]"


@dataclass(frozen=True)
class ByAirflow:
    """A `Connect`, as an Airflow connection is written: two of them are equal where that is the same."""

    written: str = field(repr=False)
    make: Callable[[], Connection] = field(compare=False, repr=False)
    secrets: Sequence[str] = field(compare=False, repr=False)

    def __call__(self) -> Connection:
        return _open(self.make, self.secrets)


def work_by(conn_id: str) -> Any:
    """A connection for a pipeline's work: in transactions, whose statements take their time. Raises Unreadable."""
    from oncall.adapters.postgres.session import WORKING

    by = connect_by(conn_id)
    try:
        connection = _open(by.make, by.secrets, WORKING)
    except Exception as error:
        raise Unreadable(f"{conn_id}: {first_line(error)}") from error
    connection.left_s, connection.autocommit = None, False
    return connection


def connect_to(dsn: str) -> Connect:
    """The same as `connect_by` for a plain DSN (the command line, tests)."""

    def make() -> Connection:
        from psycopg.conninfo import conninfo_to_dict

        from oncall.adapters.postgres.session import Session

        given = conninfo_to_dict(dsn)
        return Session.connect(dsn, **_arguments(given, str(given.get("host") or "")))

    return lambda: _open(make, re.findall(r"(?<=password=)[^&\s]+|(?<=:)[^:/@\s]+(?=@)", dsn))


def connect_by(conn_id: str) -> ByAirflow:
    """Read the Airflow connection now (in the caller's thread); the result opens connections from any thread.

    Goes through the provider's PostgresHook, so that every extra of the connection (sslmode, iam, …) counts. Raises
    Unreadable when Airflow cannot tell the connection.
    """
    from airflow.providers.postgres.hooks.postgres import PostgresHook

    class Hook(PostgresHook):  # the provider's, for its way with tokens of the clouds
        def _create_connection(self, conn_args: dict[str, Any]) -> Connection:
            from oncall.adapters.postgres.session import Session

            given = {name: value for name, value in conn_args.items() if value not in (None, "")}
            return Session.connect(**given, prepare_threshold=None)

    try:
        connection = look_up_in_airflow(conn_id)
        for name in ("host", "login", "schema"):  # as they come out of a file or a clipboard
            setattr(connection, name, (getattr(connection, name) or "").strip())
        # IPv6, as a URI writes it
        connection.host = re.sub(r"^\[([0-9a-fA-F:.]+)\]$", r"\1", connection.host)
        connection.password = (connection.password or "").strip("\r\n")
        if not all(map(_is_host, connection.host.split(","))):
            # Not repeated: it may hold a password.
            raise ValueError(
                "has more in its host than a host; write user, password, port and database into their own fields"
            )
        extra = {
            name: said
            for name, value in extra_of(connection).items()
            if (said := _said(value)) not in (None, "")
        }
        if odd := sorted({*extra} - _known_to_libpq() - Hook.ignored_extra_options - {*OURS}):
            raise ValueError(
                f"has the extra {odd[0][:60]!r}, which libpq does not know; take it out, or write its right name"
            )
        fields = connection.host, connection.login, connection.password, connection.schema, *extra.values()
        if any("\0" in str(field) for field in fields):
            raise ValueError("has a NUL character in a field, at which libpq stops reading; write it anew")
        connection.extra = json.dumps(_arguments(extra, connection.host))
        hidden = [
            str(value) for name, value in extra.items() if re.search("pass|secret|token", name) and value
        ]
    except OncallError as error:
        raise Unreadable(str(error)) from error
    except ValueError as error:
        raise Unreadable(f"connection {conn_id!r} {error}") from error
    except Exception as error:
        raise Unreadable(f"connection {conn_id!r} cannot be used: {first_line(error)}") from error
    make = cast("Callable[[], Connection]", Hook(connection=connection).get_conn)
    secrets = [*hidden, connection.password] if connection.password else hidden
    written = (connection.host, connection.port, connection.login, connection.password, connection.schema)
    return ByAirflow(json.dumps([*written, connection.extra]), make, secrets)


def _is_host(written: str) -> bool:
    """A name, an address (IPv6 has more colons than one) or the folder of a socket."""
    return written.startswith(("/", "@")) or not (re.search(r"[@/?=;\s]", written) or written.count(":") == 1)


def _known_to_libpq() -> set[str]:
    from psycopg.pq import Conninfo

    return {option.keyword.decode() for option in Conninfo.get_defaults()}


def _said(value: Any) -> Any:
    """What an extra says: `true` and `false` also as a text, as a URI has to write them. libpq knows only 1 and 0."""
    value = value.strip() if isinstance(value, str) else value
    truth = {"true": True, "false": False}.get(value.lower(), value) if isinstance(value, str) else value
    return int(truth) if isinstance(truth, bool) else truth


def _arguments(given: Mapping[str, Any], host: str) -> dict[str, Any]:
    """What to connect with: what is given, but for what we rely on. An empty value means the default."""
    said = {name: value for name, value in given.items() if value not in (None, "") and name != "cursor"}
    seconds = CONNECT_SECONDS if "," not in host else 2  # for each of several servers
    return {**NOTICE_GONE, **said, **OURS, "connect_timeout": seconds}


def _open(
    make: Callable[[], Connection], secrets: Iterable[str], settings: Mapping[str, str] | None = None
) -> Connection:
    """Make a connection and begin its session, within CONNECT_SECONDS.

    In a thread of its own: who resolves a name or asks a cloud for a token heeds no time-out of ours.
    """
    from psycopg import OperationalError

    from oncall.adapters.postgres.session import ASKING

    made: Future[Connection] = Future()

    def connect() -> None:
        try:
            connection = make()
            try:
                connection.begin(settings or ASKING)
            except BaseException:
                connection.close()
                raise
        except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
            if made.set_running_or_notify_cancel():
                made.set_exception(error)
        else:
            if made.set_running_or_notify_cancel():
                made.set_result(connection)
            else:
                connection.close()

    threading.Thread(target=connect, daemon=True, name="oncall-connect").start()
    try:
        return made.result(CONNECT_SECONDS)
    except TimeoutError:
        if not made.cancel():
            return made.result()
        raise OperationalError(f"no connection within {CONNECT_SECONDS} s") from None
    except Exception as error:  # noqa: BLE001 - a provider raises what it likes
        raise OperationalError(first_line(error, secrets)) from None


def columns(**values: Iterable[object]) -> str:
    """JSON for `rows_of`: each element of an array costs psycopg a microsecond, and a look has tens of thousands."""
    return _written(tuple(values), tuple(map(tuple, values.values())))


@lru_cache(maxsize=16)  # every look asks for the same
def _written(names: tuple[str, ...], values: tuple[tuple[object, ...], ...]) -> str:
    return json.dumps(dict(zip(names, values, strict=True)), default=str)


def rows_of(parameter: str, *names: str) -> str:
    """What to select from, to have the `columns` bound to the parameter as rows of text."""
    columns = (f"jsonb_array_elements_text(%({parameter})s::jsonb -> '{name}')" for name in names)
    return f"rows from ({', '.join(columns)}) as one ({', '.join(names)})"


def sane(instant: str, day: str) -> str:
    """SQL for the instant; where nobody can mean it (infinity, the year 5000) the midnight at which the day begins."""
    within = f"{instant} between '2000-01-01' and '2200-01-01'"
    return f"case when {within} then {instant} else {day}::timestamp at time zone 'UTC' end"


class Link:
    """One lazily opened connection, opened anew after an error. Use one per thread."""

    def __init__(self, connect: Connect, name: str) -> None:
        self._connect, self._name = connect, name
        self._connection: Connection | None = None

    @contextmanager
    def cursor(self) -> Iterator[Cursor]:
        """A cursor whose statements stand each alone: one round trip where a transaction takes three.

        Raises Unreadable, naming the connection, whatever goes wrong with asking or with what was answered.
        """
        with self._connected() as connection, _cursor(connection, connection.pooled) as cursor:
            yield cursor

    @contextmanager
    def transaction(self) -> Iterator[Cursor]:
        """A cursor whose statements are all done or none. Raises Unreadable likewise."""
        with self._connected() as connection, _cursor(connection, True) as cursor:
            yield cursor

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        try:
            if self._connection is None or _gone(self._connection):
                self._connection = self._connect()
            self._connection.be_patient()
            yield self._connection
        except OncallError:
            raise
        except Exception as error:
            self.close()
            if not _is_of_psycopg(error):
                # As plain text: structlog's own way shows every local variable, which takes seconds.
                log.error("oncall.cannot_read", source=self._name, traceback=traceback.format_exc())
            raise Unreadable(f"{self._name}: {first_line(error)}") from error

    def close(self) -> None:
        """Close the connection; the next use opens another."""
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
        """As `Link.cursor`."""
        with self._link() as link, link.cursor() as cursor:
            yield cursor

    @contextmanager
    def transaction(self) -> Iterator[Cursor]:
        """As `Link.transaction`."""
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


@contextmanager
def _cursor(connection: Connection, in_transaction: bool) -> Iterator[Cursor]:
    with connection.transaction() if in_transaction else nullcontext(), connection.cursor() as cursor:
        yield cursor


def _is_of_psycopg(error: Exception) -> bool:
    import psycopg

    return isinstance(error, psycopg.Error)


SECRETS = re.compile(r"(:)\S*(?=@)|\b((?:password|passwd|secret|token)\s*[=:]\s*)\S+", re.IGNORECASE)


# What libpq or a pooler says, and what to do about it.
_ADVICE = (
    ("statement pooling mode", "let PgBouncer pool transactions (pool_mode = transaction)"),
    ("does not support SSL", "switch TLS on there, or write another sslmode into the extra"),
    (
        r"certificate verify failed|self-signed|no SSL error reported|root certificate file",
        "write the path of its CA's certificate, as it is on this host, into the extra sslrootcert",
    ),
    ("does not match host name", "write the name for which the certificate was made into the host"),
    ("response to SSL negotiation", "write the host and port of a PostgreSQL server"),
    ("no password supplied", "write the role's password into the connection"),
)
# The server's own words may be in any language; these say that it is not the password.
_NOT_THE_PASSWORD = re.compile(
    r"\b(database|connections|permitted|starting up|shutting down|recovery|session)\b"
)
_MAY_HAVE_EXPIRED = (
    "a password that has expired (`valid until`) is refused as a wrong one is: if it is that, set it anew"
)


def _advice(error: Exception) -> str:
    """What to do about a connection that was refused, where that is known; with what a server does not say."""
    said = str(error)
    advice = next((advice for pattern, advice in _ADVICE if re.search(pattern, said)), "")
    tried = getattr(error, "pgconn", None)
    if tried and tried.used_password and not (advice or _NOT_THE_PASSWORD.search(said)):
        advice = _MAY_HAVE_EXPIRED
    return f"; {advice}" if advice and advice not in said else ""


def first_line(error: Exception, secrets: Iterable[str] = ()) -> str:
    """What went wrong, without the connection string that a driver may append and without what is secret."""
    text = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
    for secret in secrets:
        text = text.replace(secret, "***")
    return SECRETS.sub(lambda found: f"{found[1] or found[2]}***", text)[:500] + _advice(error)
