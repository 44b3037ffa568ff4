"""A database server that refuses a connection, in its own words and language: the page says what to do about it."""

from __future__ import annotations

import re
import socketserver
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from oncall.adapters.postgres.database import connect_by
from oncall.adapters.postgres.lasting_connections import LastingConnection
from oncall.adapters.postgres.refusals import first_line
from oncall.core.errors import Unreadable
from tests.adapters.company_network import sign

EXPIRED = (
    "a password that has expired (`valid until`) is refused as a wrong one is: if it is that, set it anew"
)
CA = "write the path of its CA's certificate, as it is on this host, into the extra sslrootcert"


@contextmanager
def refusing(words: str, tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """A server that asks for a password and then refuses in these words; yields its port."""

    class Refuse(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            first = self._message()
            if struct.unpack("!i", first[:4])[0] == 80877103:  # may we speak TLS?
                self.request.sendall(b"S" if tls else b"N")
                if tls:
                    try:
                        self.request = tls.wrap_socket(self.request, server_side=True)
                    except OSError:
                        return
                if not self._message():
                    return
            self.request.sendall(b"R" + struct.pack("!ii", 8, 3))
            self.request.recv(1000)
            fields = b"SFATAL\0VFATAL\0C28P01\0M" + words.encode() + b"\0\0"
            self.request.sendall(b"E" + struct.pack("!i", 4 + len(fields)) + fields)

        def _message(self) -> bytes:
            length = self.request.recv(4)
            return self.request.recv(struct.unpack("!i", length)[0] - 4) if length else b""

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Refuse) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def told(connect: Callable[..., str], port: int, **extra: Any) -> str:
    """Why the warehouse cannot be read."""
    written = {"conn_type": "postgres", "host": "127.0.0.1", "port": port, "login": "reader", "schema": "db"}
    connect("db", **written, extra=extra)
    with (
        pytest.raises(Unreadable) as refused,
        LastingConnection(connect_by("db"), "warehouse").cursor() as cursor,
    ):
        cursor.execute("select 1")
    assert "\n" not in str(refused.value)
    return str(refused.value)


@pytest.mark.parametrize(
    ("words", "advised"),
    [
        ('password authentication failed for user "reader"', True),
        ("Passwort-Authentifizierung für Benutzer »reader« fehlgeschlagen", True),
        ("ユーザー'reader'のパスワード認証に失敗しました", True),
        ('database "db" does not exist', False),
        ('too many connections for role "reader"', False),
        ('role "reader" is not permitted to log in', False),
        ("the database system is starting up", False),
    ],
)
def test_a_password_may_have_expired_and_the_server_does_not_say_so(
    connect: Callable[..., str], words: str, advised: bool
) -> None:
    """PostgreSQL tells nobody from outside; whichever language it says the rest in."""
    with refusing(words) as port:
        said = told(connect, port)
    # Of the connection nothing is repeated: a password may stand in any field.
    kept = re.sub(r"""["»](reader|db)["«]""", "***", words)
    assert f"FATAL:  {kept}" in said
    assert said.endswith(f"; {EXPIRED}") is advised
    assert said.count(EXPIRED) == advised


@pytest.mark.parametrize("mode", ["require", "verify-full"])
def test_a_server_without_tls_is_named(connect: Callable[..., str], mode: str) -> None:
    """Never spoken to in clear, where the connection asks for TLS."""
    with refusing("never asked") as port:
        said = told(connect, port, sslmode=mode)
    assert said.endswith("; switch TLS on there, or write another sslmode into the extra")


def test_a_certificate_that_nobody_here_knows_is_named(connect: Callable[..., str], tmp_path: Path) -> None:
    """Of a CA that is not trusted, or not there, and of another host; a right one is spoken to."""
    (tmp_path / "other").mkdir()
    ca, other = sign(tmp_path), sign(tmp_path / "other")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(tmp_path / "server.pem")
    with refusing("no", tls) as port:
        assert CA in told(connect, port, sslmode="verify-full", sslrootcert=str(other))
        assert told(connect, port, sslmode="verify-full", sslrootcert="/nowhere").endswith(f"; {CA}")
        assert "FATAL:  no" in told(connect, port, sslmode="verify-full", sslrootcert=str(ca))


def test_a_certificate_may_have_expired_and_libpq_does_not_say_so() -> None:
    """It says the same of a CA that is another one."""
    said = first_line(psycopg.OperationalError("SSL error: certificate verify failed"))
    assert said.endswith(f"; {CA}; where that stands there, have the server's certificate renewed")


@pytest.mark.parametrize(
    ("words", "extra", "write"),
    [
        ("SSL required", {}, 'write {"sslmode": "require"} into the extra'),
        (
            "unsupported startup parameter: options",
            {},
            "take options out of the extra, or let the pooler ignore it",
        ),
        ("invalid command-line argument for server process: search_path=x", {}, 'as "-c name=value"'),
        ('database "d" does not exist', {}, "write the database's name into the field schema"),
        (
            "never asked",
            {"sslmode": "required"},
            "write disable, allow, prefer, require, verify-ca or verify-full",
        ),
        ("never asked", {"target_session_attrs": "master"}, "write any or read-write, or leave it out"),
    ],
)
def test_what_a_server_refuses_is_said_with_what_to_write(
    connect: Callable[..., str], words: str, extra: dict[str, str], write: str
) -> None:
    """And nobody is told that a password may have expired, when it is something else."""
    with refusing(words) as port:
        said = told(connect, port, **extra)
    assert write in said.rpartition("; ")[2]
    assert EXPIRED not in said


ENTRY = "have an entry in the server's pg_hba.conf made for this host, user and database"
OR_TLS = 'or write {"sslmode": "require"} into the extra, where there is one for encrypted connections alone'


@pytest.mark.parametrize(
    ("mode", "advice"),
    [
        (None, ENTRY),
        ("prefer", ENTRY),
        ("disable", f"{ENTRY}; {OR_TLS}"),
        ("allow", f"{ENTRY}; {OR_TLS}"),
    ],
)
@pytest.mark.parametrize(
    "words",
    [
        'no pg_hba.conf entry for host "10.0.0.7", user "x", database "y", no encryption',
        'no pg_hba.conf entry for host "10.0.0.7", user "x", database "y", SSL off',
        "kein pg_hba.conf-Eintrag für Host »10.0.0.7«, Benutzer »x«, Datenbank »y«, keine Verschlüsselung",
    ],
)
def test_a_server_that_knows_no_such_host_user_or_database_is_asked_for_an_entry(
    connect: Callable[..., str], words: str, mode: str | None, advice: str
) -> None:
    """That it was not encrypted is said of the last try: TLS was tried before, unless the connection says otherwise."""
    with refusing(words) as port:
        said = told(connect, port, **({"sslmode": mode} if mode else {}))
    assert said.endswith(f"; {advice}")
    assert said.count(ENTRY) == 1


def test_a_host_that_got_lost_is_asked_for(
    connect: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of a URI whose password has an @ and a / in it, between which there is no host."""
    monkeypatch.setenv("AIRFLOW_CONN_DB", "postgres://reader:s3@/cret@db.example.com/db")
    with pytest.raises(Unreadable) as refused:
        LastingConnection(connect_by("db"), "warehouse").cursor().__enter__()
    assert "% of the password as a code" in str(refused.value)
    assert "cret" not in str(refused.value)


def test_an_extra_that_is_none_is_said_with_what_to_write(connect: Callable[..., str]) -> None:
    """It comes from a form for text."""
    for written in ("sslmode=require", "{'sslmode': 'require'}", '"{}"'):
        connect("db", conn_type="postgres", host="127.0.0.1", extra=written)
        with pytest.raises(
            Unreadable, match=r'is no JSON.*; write an object such as \{"sslmode": "require"\} there$'
        ):
            connect_by("db")


def test_a_connection_without_its_password_says_so(connect: Callable[..., str]) -> None:
    """It came out of a form or an environment with nothing in it."""
    with refusing("never asked") as port:
        connect("db", conn_type="postgres", host="127.0.0.1", port=port, login="reader", password=None)
        with pytest.raises(Unreadable, match=r"; write the role's password into the connection$"):
            LastingConnection(connect_by("db"), "warehouse").cursor().__enter__()


@pytest.mark.parametrize("greeting", [b"\x4a\0\0\0\x0a8.0.33\0", b"HTTP/1.1 400 Bad Request\r\n\r\n"])
def test_another_kind_of_server_is_named(connect: Callable[..., str], greeting: bytes) -> None:
    """MySQL, a web server."""

    class Greet(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.sendall(greeting)
            self.request.recv(1000)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Greet) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        assert told(connect, server.server_address[1]).endswith(
            "; write the host and port of a PostgreSQL server"
        )
        server.shutdown()


@pytest.mark.parametrize("field", ["host", "login", "password", "schema", "extra"])
def test_a_field_ends_nowhere_in_the_middle(connect: Callable[..., str], field: str) -> None:
    """Behind a NUL libpq reads nothing more: neither which port, nor that TLS is asked for."""
    written: Any = {"application_name": "a\0b"} if field == "extra" else "a\0b"
    connect("db", **{"conn_type": "postgres", "host": "127.0.0.1", "password": "p", field: written})
    refused = "has a NUL character in a field" if field in ("password", "extra") else "that nobody sees"
    with pytest.raises(Unreadable, match=rf"^connection 'db' .*{refused}"):
        connect_by("db")
