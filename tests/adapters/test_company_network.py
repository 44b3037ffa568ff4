"""Out of a company's network: its own CA, its proxy, and words that name what was refused. Real TLS, real CONNECT."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from oncall.adapters.opsgenie.pager import Opsgenie
from oncall.adapters.opsgenie.schedules import OpsgenieSchedules
from oncall.adapters.slack.chat import Slack
from oncall.core.errors import DeliveryFailed, LockedOut
from oncall.core.message import Message
from tests.adapters.company_network import NAME, Proxy, connect_proxy, sign, tls_server
from tests.adapters.scripted import Answer, Connect, FarSide

MESSAGE = Message("growth_etl:2026-01-05", "page-1-primary", "Late")
TAKEN = Answer(
    {"ok": True, "channel": "C1", "ts": "1.000001", "requestId": "r-1", "data": {"enabled": True}}, 200
)
VARIABLES = (
    "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_DIR",
    "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY",
)  # fmt: skip


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("certificates")
    sign(folder)
    return folder


@pytest.fixture
def port(far_side: FarSide, folder: Path) -> Iterator[int]:
    """The far side behind TLS, signed by the company's CA."""
    far_side.always = TAKEN
    with tls_server(far_side, folder) as port:
        yield port


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    with connect_proxy() as proxy:
        yield proxy


SIDES = ("opsgenie", "slack", "schedules")


def say(side: str, connect: Connect, url: str, **extra: Any) -> None:
    """One call to a far side at this address; the SDKs' and the bare one."""
    if side == "opsgenie":
        Opsgenie.from_connection(connect("ops", host=url, extra=extra)).page(MESSAGE)
    elif side == "slack":
        extra |= {"base_url": f"{url}/api/"}
        Slack.from_connection(connect("chat", extra=extra)).post(MESSAGE, "#de-oncall")
    else:
        connect("opsgenie_api", host=url, extra=extra)
        OpsgenieSchedules.from_connection(sleep=lambda _: None).find("x")


def failing(side: str, connect: Connect, url: str, **extra: Any) -> DeliveryFailed:
    with pytest.raises(DeliveryFailed) as caught:
        say(side, connect, url, **extra)
    return caught.value


@pytest.mark.parametrize("side", SIDES)
def test_a_certificate_that_nobody_knows_is_named(side: str, connect: Connect, port: int) -> None:
    """It was certainly not taken, and the words say which variable to set."""
    error = failing(side, connect, f"https://localhost:{port}")
    assert not error.uncertain
    assert "certificate is refused" in str(error)
    assert "SSL_CERT_FILE" in str(error)


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
@pytest.mark.parametrize("side", SIDES)
def test_the_companys_ca_is_trusted(
    side: str, variable: str, connect: Connect, port: int, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Named in any of the usual variables."""
    monkeypatch.setenv(variable, str(folder / "ca.pem"))
    say(side, connect, f"https://localhost:{port}")


def test_a_certificate_for_another_name_is_refused(
    connect: Connect, port: int, proxy: Proxy, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The CA is right, the host is not."""
    monkeypatch.setenv("SSL_CERT_FILE", str(folder / "ca.pem"))
    error = failing("opsgenie", connect, f"https://other.corp.example:{port}", proxy=proxy.url)
    assert "certificate is refused: Hostname mismatch" in str(error)
    assert "is the connection's address right?" in str(error)
    assert "SSL_CERT_FILE" not in str(error)


def test_a_bundle_that_is_not_there_is_named(
    connect: Connect, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OpenSSL would say nothing of it."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere/ca.pem")
    error = failing("slack", connect, f"https://localhost:{port}")
    assert isinstance(error, LockedOut)
    assert "REQUESTS_CA_BUNDLE='/nowhere/ca.pem'" in str(error)


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
@pytest.mark.parametrize("side", SIDES)
def test_the_environments_proxy_is_asked(
    side: str,
    variable: str,
    connect: Connect,
    port: int,
    proxy: Proxy,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In capitals or not; the name is resolved by the proxy, and the certificate is the far side's."""
    monkeypatch.setenv("SSL_CERT_FILE", str(folder / "ca.pem"))
    monkeypatch.setenv(variable, proxy.url)
    say(side, connect, f"https://{NAME}:{port}")
    assert set(proxy.asked) == {f"CONNECT {NAME}:{port}"}


@pytest.mark.parametrize("side", SIDES)
def test_the_connections_own_proxy_goes_first(
    side: str, connect: Connect, port: int, proxy: Proxy, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its user and password."""
    monkeypatch.setenv("SSL_CERT_FILE", str(folder / "ca.pem"))
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    proxy.login = "us@r:p@ss"
    say(side, connect, f"https://{NAME}:{port}", proxy=f"http://us%40r:p%40ss@127.0.0.1:{proxy.port}")
    assert set(proxy.asked) == {f"CONNECT {NAME}:{port}"}


@pytest.mark.parametrize(
    "no_proxy", ["localhost", ".localhost", "*", "example.com, localhost", "localhost:{port}", "127.0.0.0/8"]
)
def test_what_no_proxy_names_goes_straight(
    no_proxy: str, connect: Connect, port: int, proxy: Proxy, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By name, suffix, port or network."""
    monkeypatch.setenv("SSL_CERT_FILE", str(folder / "ca.pem"))
    monkeypatch.setenv("HTTPS_PROXY", proxy.url)
    monkeypatch.setenv("NO_PROXY", no_proxy.format(port=port))
    host = "127.0.0.1" if "127" in no_proxy else "localhost"
    say("opsgenie", connect, f"https://{host}:{port}")
    assert proxy.asked == []


@pytest.mark.parametrize(
    "no_proxy", ["example.com", "host", "alhost", "10.0.0.0/8", "localhost:1", ",", "[", "://"]
)
def test_what_no_proxy_does_not_name_goes_through(
    no_proxy: str, connect: Connect, port: int, proxy: Proxy, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not by the end of a word, and nonsense names nobody."""
    monkeypatch.setenv("SSL_CERT_FILE", str(folder / "ca.pem"))
    monkeypatch.setenv("HTTPS_PROXY", proxy.url)
    monkeypatch.setenv("NO_PROXY", no_proxy)
    say("slack", connect, f"https://localhost:{port}")
    assert proxy.asked == [f"CONNECT localhost:{port}"]


@pytest.mark.parametrize("side", SIDES)
def test_a_proxy_that_wants_a_login_is_named(
    side: str, connect: Connect, port: int, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """407: without the password that it was given."""
    proxy.login = "user:right"
    monkeypatch.setenv("HTTPS_PROXY", f"http://user:s3cret-pw@127.0.0.1:{proxy.port}")
    error = failing(side, connect, f"https://{NAME}:{port}")
    assert not error.uncertain
    assert f"the proxy refused through the proxy 127.0.0.1:{proxy.port}: 407" in str(error)
    assert "s3cret-pw" not in str(error)


@pytest.mark.parametrize("refuses", ["403 Forbidden", "502 Bad Gateway", "200"])
def test_a_proxy_that_does_not_let_us_out(
    refuses: str, connect: Connect, port: int, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was not taken, whatever the proxy says."""
    proxy.refuses = refuses
    monkeypatch.setenv("HTTPS_PROXY", proxy.url)
    error = failing("opsgenie", connect, f"https://{NAME}:{port}")
    assert not error.uncertain
    assert "127.0.0.1" in str(error)


def test_a_proxy_that_is_not_there(connect: Connect, port: int) -> None:
    """Named without its login."""
    error = failing("slack", connect, f"https://{NAME}:{port}", proxy="http://user:s3cret-pw@127.0.0.1:1")
    assert "cannot connect through the proxy 127.0.0.1:1" in str(error)
    assert not error.uncertain
    assert "s3cret-pw" not in str(error)


@pytest.mark.parametrize(
    "written",
    ["http://", "ftp://proxy:3128", "http://user:s3cret-pw@proxy:port", "socks5://s3cret-pw@proxy:1080"],
)
def test_a_proxy_that_is_no_address(written: str, connect: Connect, port: int) -> None:
    """Said without what was written: it may hold a password."""
    error = failing("opsgenie", connect, f"https://{NAME}:{port}", proxy=written)
    assert isinstance(error, LockedOut)
    assert "proxy" in str(error)
    assert "s3cret-pw" not in str(error)


def test_a_proxy_without_a_scheme(
    connect: Connect, port: int, proxy: Proxy, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`proxy:3128`, as many write it."""
    monkeypatch.setenv("SSL_CERT_FILE", str(folder / "ca.pem"))
    monkeypatch.setenv("HTTPS_PROXY", f"127.0.0.1:{proxy.port}")
    say("opsgenie", connect, f"https://{NAME}:{port}")
    assert set(proxy.asked) == {f"CONNECT {NAME}:{port}"}


def test_plain_http_inside_a_closed_network_goes_through_its_proxy(
    connect: Connect, far_side: FarSide, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """HTTP_PROXY; a 407 is the proxy's, not the far side's."""
    far_side.always = TAKEN
    port = far_side.url.rpartition(":")[2]
    monkeypatch.setenv("HTTP_PROXY", proxy.url)
    say("opsgenie", connect, f"http://{NAME}:{port}", allow_http=True)
    assert proxy.asked == [f"POST http://{NAME}:{port}/v2/alerts"]
    proxy.login = "user:right"
    error = failing("opsgenie", connect, f"http://{NAME}:{port}", allow_http=True)
    assert "the proxy refused" in str(error)
    assert not error.uncertain
