"""A password or key in another field of its connection is not repeated by anybody, whatever it looks like."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from oncall.adapters.opsgenie.pager import Opsgenie
from oncall.adapters.postgres.database import connect_by
from oncall.adapters.postgres.lasting_connections import LastingConnection
from oncall.adapters.postgres.refusals import first_line
from oncall.adapters.slack.chat import Slack
from oncall.core.errors import LockedOut, Unreadable
from oncall.core.message import Message
from sandbox.stack.postgres import Server
from tests.adapters.scripted import Answer, FarSide

Write = Callable[..., str]
SECRET = "Hunter2"
AS_WRITTEN = [
    SECRET, SECRET.lower(), f"oncall:{SECRET}", f"{SECRET}!", f"https://oncall:{SECRET}", f"//{SECRET}", f"{SECRET}.9",
    f"{SECRET} {SECRET}", f"key={SECRET}", f"http://{SECRET}", f"{SECRET}\u200b", f"ключ{SECRET}", f"https://{SECRET}:x",
    f"@{SECRET}", f"a.b.c/{SECRET}?",
]  # fmt: skip


def not_told(said: BaseException) -> None:
    assert SECRET.lower() not in str(said).lower()


@pytest.mark.parametrize("written", AS_WRITTEN)
@pytest.mark.parametrize("place", ["host", "timeout", "allow_http", "proxy", "login", "schema"])
def test_opsgenie_is_refused_a_key_in_another_field_without_repeating_it(
    place: str, written: str, connect: Write
) -> None:
    """Login and schema are not read: then there is no password."""
    if place == "proxy" and written == f"http://{SECRET}":
        pytest.skip("a proxy may be called so")
    fields: dict[str, Any] = {"password": None} if place in ("login", "schema") else {}
    fields |= {place: written} if place in ("host", "login", "schema") else {"extra": {place: written}}
    pager = Opsgenie.from_connection(connect("ops", conn_type="opsgenie", **fields))
    with pytest.raises(LockedOut) as refused:
        pager.prepare()
    not_told(refused.value)


@pytest.mark.parametrize("written", AS_WRITTEN)
@pytest.mark.parametrize("place", ["base_url", "timeout", "allow_http", "proxy"])
def test_slack_is_refused_a_token_in_another_field_without_repeating_it(
    place: str, written: str, connect: Write
) -> None:
    """Each of the extras that is read."""
    if place == "proxy" and written == f"http://{SECRET}":
        pytest.skip("a proxy may be called so")
    chat = Slack.from_connection(connect("chat", conn_type="slack", extra={place: written}))
    with pytest.raises(LockedOut) as refused:
        chat.prepare()
    not_told(refused.value)


EXTRAS = [
    "sslmode", "sslrootcert", "target_session_attrs", "service", "hostaddr", "keepalives_idle", "options", SECRET,
    f"p@{SECRET}",
]  # fmt: skip


@pytest.mark.parametrize(
    ("place", "written"),
    [*((place, written) for place in ("host", "login", "schema") for written in AS_WRITTEN),
     *((place, written) for place in EXTRAS for written in (SECRET, f"oncall:{SECRET}"))],
)  # fmt: skip
def test_a_database_refuses_a_password_in_another_field_without_repeating_it(
    place: str, written: str, postgres: Server, connect: Write
) -> None:
    """Neither what we say of it nor what libpq or the server says repeats it."""
    fields: dict[str, Any] = {"host": str(postgres.socket_dir), "login": "postgres", "schema": "postgres"}
    if place in fields:
        fields[place] = written
    else:
        fields |= {"extra": {place: written}, "host": "127.0.0.1", "port": 1}
    conn_id = connect("db", conn_type="postgres", password=None, **fields)
    with pytest.raises(Unreadable) as refused:
        LastingConnection(connect_by(conn_id), "warehouse").ask("select 1")
    not_told(refused.value)


def test_what_a_server_says_can_be_read_whatever_the_password(connect: Write) -> None:
    """With the password e it was `conn***ction to s***rv***r`."""
    conn_id = connect(
        "db", conn_type="postgres", host="127.0.0.1", port=1, password="e", login="etl", schema="x"
    )
    with pytest.raises(Unreadable, match=r"connection to server at .* failed: Connection refused"):
        LastingConnection(connect_by(conn_id), "warehouse").ask("select 1")


def test_an_answer_can_be_read_whatever_the_key(far_side: FarSide, connect: Write) -> None:
    """A stand-in takes any; with the key `ok` its own `ok` was hidden, and each message said again."""
    far_side.always = Answer({"ok": True, "channel": "C1", "ts": "1.2", "message": {"text": "x"}})
    extra = {"base_url": f"{far_side.url}/api"}
    chat = Slack.from_connection(connect("chat", conn_type="slack", password="ok", extra=extra))
    message = Message("growth_etl:2026-01-05", "page-1-primary", "Late")
    assert chat.post(message, "#de-oncall").ts == "1.2"


def test_the_word_that_a_server_repeats_in_another_language_is_no_password_either(
    postgres: Server, connect: Write
) -> None:
    """German, French, Spanish."""
    for words in (f"Rolle »{SECRET}«", f"le rôle «\u00a0{SECRET}\u00a0»", f"el rol «{SECRET}»"):
        by = connect_by(connect("db", conn_type="postgres", host=str(postgres.socket_dir), login=SECRET))
        assert first_line(RuntimeError(words), by.secrets).endswith(" ***")
