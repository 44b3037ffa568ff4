"""A PostgreSQL connection made from an Airflow connection, with bounded waits. Knows no table."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import structlog

from oncall.adapters.airflow_connections import extra_of, look_up_in_airflow
from oncall.adapters.postgres.refusals import first_line
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
# A machine that is gone says no goodbye. (Over a socket file they mean nothing.)
NOTICE_GONE: Mapping[str, Any] = {
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}

# As PostgreSQL repeats a word, in its languages.
_QUOTES = '"{}"', "»{}«", "«{}»", "«\u00a0{}\u00a0»"

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
                f"has an extra that libpq does not know{_named(odd[0])}; take it out, or write its right name"
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
        write = "" if ";" in str(error) else '; write an object such as {"sslmode": "require"} there'
        raise Unreadable(f"connection {conn_id!r} {error}{write}") from error
    except Exception as error:
        raise Unreadable(f"connection {conn_id!r} cannot be used: {first_line(error)}") from error
    make = cast("Callable[[], Connection]", Hook(connection=connection).get_conn)
    written = (connection.host, connection.port, connection.login, connection.password, connection.schema)
    # Or in the wrong field, which libpq or the server repeats.
    repeated = [connection.login, connection.schema, *map(str, extra.values())]
    hidden += [connection.host] if connection.host.startswith("@") else []
    hidden += [quotes.format(field) for field in repeated if field for quotes in _QUOTES]
    secrets = [connection.password, *hidden] if connection.password else hidden
    return ByAirflow(json.dumps([*written, connection.extra]), make, secrets)


def _named(extra: str) -> str:
    """Its name, where it is one: a URI whose password holds a ? has half of it for an extra."""
    return f": {extra}" if re.fullmatch(r"[a-z]+([_ ]+[a-z]+)*", extra) else ""


def _is_host(written: str) -> bool:
    """A name, an address (IPv6 has more colons than one) or the folder of a socket."""
    return bool(re.match("/[^/]|@", written)) or not (
        re.search(r"[@/?=;\s]", written) or written.count(":") == 1
    )


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
    if "," not in host:
        return {**NOTICE_GONE, **said, **OURS, "connect_timeout": CONNECT_SECONDS}
    # Of several servers, after a failover, the first that answers may be a standby, which takes no row.
    return {"target_session_attrs": "primary", **NOTICE_GONE, **said, **OURS, "connect_timeout": 2}


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
