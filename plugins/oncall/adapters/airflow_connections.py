"""Airflow's connections, and in words why one cannot be used as it is written; knows no far side and no database."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from typing import Any

from oncall.core.errors import DeliveryFailed, LockedOut
from oncall.core.plain_text import UNSPEAKABLE

FIELDS = ("conn_type", "description", "host", "login", "password", "schema", "port", "extra")
_JSON = '{"conn_type": "…", "host": "…", "login": "…", "password": "…", "extra": {…}}'
VARIABLE = "AIRFLOW_CONN_"  # before the name of a connection, in capitals
_SHOWN = 60  # characters of a name that nobody knows


class NotDefined(LockedOut):
    """Nobody wrote the connection anywhere."""


def look_up_in_airflow(conn_id: str) -> Any:
    """Airflow's connection.

    Raises NotDefined without one, LockedOut for one that Airflow cannot read, DeliveryFailed when it cannot tell now.
    """
    from airflow.sdk import BaseHook
    from airflow.sdk.exceptions import AirflowNotFoundException

    variable = f"{VARIABLE}{conn_id.upper()}"
    written = os.environ.get(variable, "").strip()
    try:
        connection = BaseHook.get_connection(conn_id)
    except AirflowNotFoundException:
        if written:  # Airflow says nothing of what it cannot read there, and looks elsewhere
            raise LockedOut(f"{variable} is no connection: {_trouble(written)}") from None
        _complain_of_backends(conn_id)
        raise NotDefined(
            f"connection {conn_id!r} is not defined, or Airflow cannot read it: add it in Admin → Connections,"
            f" or as {variable}; if it stands there, write its password anew: the Fernet key may be another"
        ) from None
    # Whatever Airflow raises here, no message can be sent now; a backend that calls a program may exit.
    except (Exception, SystemExit) as error:
        raise DeliveryFailed(
            f"connection {conn_id!r} cannot be read: {type(error).__name__}: {error}"
        ) from error
    # Of any other text Airflow makes a connection with nothing in it.
    named = connection.host or connection.login or connection.password
    if written and not (named or written.startswith("{") or _is_uri(written)):
        raise LockedOut(f"{variable} is no connection: {_trouble(written)}")
    if not (written or named or getattr(connection, "conn_type", "")):
        raise LockedOut(
            f"connection {conn_id!r} has no type, host, login and password, as where a secrets backend holds neither"
            f" JSON nor a URI; write {_JSON}"
        )
    for field in ("host", "login", "schema", "password"):
        said = getattr(connection, field, None)
        if not isinstance(said, str | None):
            raise LockedOut(
                f"connection {conn_id!r} has a {type(said).__name__} in its {field}; write a text there, in quotes"
            )
        # as a page or a chat gives it to the clipboard
        if field != "password" and UNSPEAKABLE.search((said or "").strip()):
            raise LockedOut(
                f"connection {conn_id!r} has a character in its {field} that nobody sees; write it anew"
            )
    return connection


def _complain_of_backends(conn_id: str) -> None:
    """Raise what a secrets backend raises: Airflow keeps that to itself, and says that there is no such connection.

    In a task or trigger Airflow's own database is asked by the API server, which keeps it to itself as well.
    """
    from airflow.sdk.execution_time.supervisor import ensure_secrets_backend_loaded

    for backend in ensure_secrets_backend_loaded():
        found = None
        try:
            found = backend.get_connection(conn_id=conn_id)
            if found:
                found.get_uri()
        except (Exception, SystemExit) as error:
            if type(error).__name__ == "InvalidToken":
                raise LockedOut(
                    f"connection {conn_id!r} was written under another Fernet key: write its password and extra"
                    " anew, or put that key behind the new one in [core] fernet_key"
                ) from None
            name = type(backend).__name__
            if isinstance(error, IndexError):  # Airflow looks at the first letter of what is written
                raise LockedOut(
                    f"connection {conn_id!r} is but a blank in {name}; write {_JSON} there"
                ) from None
            if found and not hasattr(found, "get_uri"):
                raise LockedOut(
                    f"connection {conn_id!r} is a {type(found).__name__} in the secrets backend {name}; let it give"
                    " a Connection, or write it there as the backend's handbook says"
                ) from None
            if found:
                raise LockedOut(
                    f"connection {conn_id!r} has an extra that Airflow cannot read; write a JSON object there"
                ) from None
            said = " ".join(str(getattr(error, "orig", error)).split())
            if name == "MetastoreBackend":
                name = (
                    f"it is not in {VARIABLE}{conn_id.upper()}, and Airflow's own database cannot be asked (in a shell:"
                    " are Airflow's settings there?)"
                )
            raise DeliveryFailed(
                f"connection {conn_id!r} cannot be read: {name}: {type(error).__name__}: {said}"
            ) from error


def extra_of(connection: Any) -> Mapping[str, Any]:
    """The connection's extra; empty when there is none. Raises ValueError, saying so, when it is no JSON object.

    Airflow takes an extra that is no JSON for none: a proxy or a certificate that is written there would be forgotten.
    """
    written = getattr(connection, "extra", None)
    if isinstance(written, str) and written.strip():
        try:
            json.loads(written)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"has an extra that is no JSON{_place(error)}") from None
    extra = connection.extra_dejson or {}  # "null" is nothing as well
    if not isinstance(extra, Mapping):
        raise ValueError("has an extra that is no JSON object")
    if nested := {"extra", "__extra__"} & {*extra}:
        raise ValueError(f"has the extra {nested.pop()!r} within its extra; write what is in it one level up")
    return extra


def _is_uri(written: str) -> bool:
    return re.match(r"[A-Za-z][\w+.-]*://", written) is not None


def _trouble(written: str) -> str:
    """What is wrong with a connection in a variable; its values are not repeated."""
    if _is_uri(written):
        return (
            "a URI that Airflow cannot read; in user, password and extra write every / : @ # ? and % as a code "
            f"(%2F %3A %40 %23 %3F %25), the port as a number, or all of it as JSON: {_JSON}"
        )
    if written[0] in "\"'`\ufeff":  # as a shell takes off, and nobody else
        return f"it begins with {written[0]!a}; write it without, as JSON ({_JSON}) or as a URI"
    if not written.startswith("{"):
        return f"neither JSON nor a URI; write {_JSON}"
    try:
        fields = json.loads(written)
    except (ValueError, RecursionError) as error:
        return f"its JSON cannot be read{_place(error)}; write {_JSON}"
    if unknown := sorted(set(fields) - {*FIELDS}):
        named = ", ".join(unknown)[:_SHOWN]
        return f"it has the field {named}; a connection has {', '.join(FIELDS)}, and all else stands in extra"
    return "a field has the wrong type; port is a number, extra an object, and every other field a text in quotes"


def _place(error: Exception) -> str:
    return f" (line {error.lineno}, column {error.colno})" if isinstance(error, json.JSONDecodeError) else ""
