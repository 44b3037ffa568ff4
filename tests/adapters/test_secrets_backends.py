"""What Airflow keeps to itself of a connection that it cannot read: it says only that there is none."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import BaseHook, Connection
from airflow.sdk.execution_time import supervisor
from airflow.secrets import BaseSecretsBackend
from cryptography.fernet import InvalidToken

from oncall.adapters.airflow_connections import NotDefined, look_up_in_airflow
from oncall.adapters.http.connections import LOOK_UP_S, Connected
from oncall.core.errors import DeliveryFailed, LockedOut
from tests.adapters.locked_out import locked_out_words
from tests.adapters.scripted import KEY

Serve = Callable[[Callable[[], Any]], None]


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Serve:
    """Lets Airflow have one secrets backend, which does this when it is asked for a connection."""

    def backend(answer: Callable[[], Any]) -> None:
        asked = SimpleNamespace(get_connection=lambda conn_id: answer())
        monkeypatch.setattr(supervisor, "ensure_secrets_backend_loaded", lambda: [asked])

    return backend


def failing(error: BaseException) -> Callable[[], Any]:
    def fail() -> Any:
        raise error

    return fail


def test_a_backend_that_is_away_says_nothing_of_what_is_written(serve: Serve) -> None:
    """The connection in use goes on, and nobody is sent to add one that stands there."""
    serve(failing(OSError("the vault is sealed")))
    with pytest.raises(DeliveryFailed, match=r"'db' cannot be read: .*OSError: the vault is sealed") as told:
        look_up_in_airflow("db")
    assert not isinstance(told.value, LockedOut)


def test_a_backend_that_exits_ends_no_process(monkeypatch: pytest.MonkeyPatch, serve: Serve) -> None:
    """As one that calls a program may, where Airflow asks it and where we ask again."""
    serve(failing(SystemExit("vault: not logged in")))
    with pytest.raises(DeliveryFailed, match=r"'db' cannot be read: .*SystemExit: vault: not logged in"):
        look_up_in_airflow("db")
    monkeypatch.setattr(BaseHook, "get_connection", lambda conn_id: failing(SystemExit("vault"))())
    with pytest.raises(DeliveryFailed, match="'db' cannot be read: SystemExit: vault"):
        look_up_in_airflow("db")


@pytest.mark.parametrize(
    "written", ['["a"]', "\x00\x01", "[" * 50_000, "5", '"postgresql://etl:s3cret1@db/x"']
)
def test_a_text_that_is_no_connection(monkeypatch: pytest.MonkeyPatch, written: str) -> None:
    """Airflow makes a connection of it with nothing in it, which would lead to a server of this host's own."""
    made = BaseSecretsBackend().deserialize_connection("odd", written)
    monkeypatch.setattr(BaseHook, "get_connection", lambda conn_id: made)
    told = (
        "'odd' has no type, host, login and password, as where a secrets backend holds neither JSON nor a URI"
    )
    assert all(told in said and "s3cret1" not in said for said in locked_out_words("odd"))


@pytest.mark.parametrize("blank", [" ", "\t\n", "\u00a0"])
def test_a_connection_that_is_a_blank(monkeypatch: pytest.MonkeyPatch, serve: Serve, blank: str) -> None:
    """As `X=${Y:- }` leaves it in the environment, or a vault: it was said to be an IndexError."""
    told = 'connection \'odd\' is but a blank in {}; write {{"conn_type": "…"'
    monkeypatch.setenv("AIRFLOW_CONN_ODD", blank)
    assert all(told.format("EnvironmentVariablesBackend") in said for said in locked_out_words("odd"))
    serve(lambda: BaseSecretsBackend().deserialize_connection("odd", blank))
    assert all(told.format("SimpleNamespace") in said for said in locked_out_words("odd"))


@pytest.mark.parametrize("part", ["password", "extra"])
def test_a_connection_of_another_fernet_key(serve: Serve, part: str) -> None:
    """Airflow reads the password with the connection, and the extra later."""
    late = SimpleNamespace(get_uri=failing(InvalidToken()))
    serve(failing(InvalidToken()) if part == "password" else lambda: late)
    with pytest.raises(LockedOut, match="under another Fernet key: write its password and extra anew"):
        look_up_in_airflow("db")


def test_a_row_with_an_extra_that_is_none(serve: Serve) -> None:
    """As a script may write it into Airflow's table."""
    serve(lambda: SimpleNamespace(get_uri=failing(ValueError("no dictionary"))))
    with pytest.raises(LockedOut, match="has an extra that Airflow cannot read; write a JSON object there"):
        look_up_in_airflow("db")


def test_where_nothing_is_known_both_are_said(serve: Serve) -> None:
    """In a trigger or task the API server has kept it to itself."""
    serve(lambda: None)
    with pytest.raises(NotDefined, match=r"not defined, or Airflow cannot read it: .* the Fernet key may be"):
        look_up_in_airflow("db")


@pytest.mark.parametrize(
    "given", ["postgresql://etl:s3cret1@db/x", {"password": "s3cret1"}, ["s3cret1"], b"s3cret1", 7]
)
def test_a_backend_that_gives_no_connection(serve: Serve, given: Any) -> None:
    """As one that somebody wrote by hand may: a URI's text, or the secret's JSON."""
    serve(lambda: given)
    with pytest.raises(
        LockedOut, match=f"'db' is a {type(given).__name__} in the secrets backend Simple"
    ) as told:
        look_up_in_airflow("db")
    assert "s3cret1" not in str(told.value)


@pytest.mark.parametrize("name", ["extra", "__extra__"])
def test_an_extra_within_the_extra_is_not_forgotten(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """A proxy in it would be."""
    made = Connection(conn_id="odd", host="h.example", password=KEY, extra=json.dumps({name: {"timeout": 5}}))
    monkeypatch.setattr(BaseHook, "get_connection", lambda conn_id: made)
    for said in locked_out_words("odd"):
        assert (
            f"connection 'odd' has the extra {name!r} within its extra; write what is in it one level up"
            in said
        )


@pytest.mark.parametrize("field", ["host", "login", "password", "schema"])
@pytest.mark.parametrize("odd", [5, True, ["s3cret1"], {"s3cret1": 1}, b"s3cret1"])
def test_a_field_that_is_no_text(monkeypatch: pytest.MonkeyPatch, field: str, odd: Any) -> None:
    """Its type is told, for every kind of connection; its value is not."""
    fields = {"host": "db", "login": "etl", "password": "x", "schema": "y", "port": None, "extra": ""}
    connection = SimpleNamespace(**{**fields, field: odd})
    monkeypatch.setattr(BaseHook, "get_connection", lambda conn_id: connection)
    said = f"connection 'odd' has a {type(odd).__name__} in its {field}; write a text there, in quotes"
    assert locked_out_words("odd") == [said] * 3


def test_a_backend_that_hangs_holds_up_no_message() -> None:
    """The connection in use goes on, and is not asked about twice at once."""
    let_go, asked = threading.Event(), list[str]()
    written = SimpleNamespace(host="", port=None, password=KEY, extra="", extra_dejson={})

    def look_up(conn_id: str) -> Any:
        asked.append(conn_id)
        if len(asked) == 2:
            let_go.wait(30)
        return written

    connected = Connected(
        "ops",
        lambda access: access,
        address="host",
        default_url="https://x.example",
        look_again_s=0,
        look_up=look_up,
    )
    first = connected.use()
    began = time.monotonic()
    assert [connected.use() for _ in range(5)] == [first] * 5
    assert time.monotonic() - began < LOOK_UP_S + 1
    assert len(asked) == 2
    written.password = f"{KEY}-2"
    let_go.set()
    while (now := connected.use()) == first:
        assert time.monotonic() - began < 10
    assert now[0].key == f"{KEY}-2"
