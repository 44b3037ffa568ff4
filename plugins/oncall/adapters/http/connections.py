"""Reads an Airflow connection into the address and key of a far side and notices when it changes; calls nobody."""

from __future__ import annotations

import ipaddress
import json
import math
import re
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeVar
from urllib.parse import urlsplit

from oncall.adapters.airflow_connections import extra_of, look_up_in_airflow
from oncall.adapters.http.calls import CALL_S, Lanes
from oncall.core.check_result import CheckResult
from oncall.core.errors import DeliveryFailed, LockedOut, OncallError
from oncall.core.plain_text import UNSPEAKABLE
from oncall.core.redaction import redacted, without

T = TypeVar("T")

# How Airflow's own form, and people, write that there is nothing.
_NOTHING = {"", "null", "none"}
_TRUE, _FALSE = {"true", "1", "yes", "on"}, {"false", "0", "no", "off"}
_SHORTEST_S = 1.0
LOOK_UP_S = 2.0  # how long a message waits for a connection to be looked up again
# Opsgenie's region, as people write it in the place of its address.
EU_URL, _EU = "https://api.eu.opsgenie.com", re.compile(r"eu|europe|eu[-_ ]?\w+(-\d)?", re.IGNORECASE)
# What stands in no address; and what a key of Opsgenie or a token of Slack looks like.
_ODD = re.compile(r"""[\s\x00-\x1f\x7f?#"'<>\\^`{|}]""")
_KEY = re.compile(r"[0-9a-f]{8}(-[0-9a-z]{4,5}){3}-|xox[a-z]-|xapp-", re.IGNORECASE)


@dataclass(frozen=True)
class Access:
    """How to reach a far side. `url` has a scheme and no slash at its end; `call_s`: seconds that one call may take.

    `proxy`: "" when the connection names none.
    """

    conn_id: str
    url: str
    key: str = field(repr=False)
    call_s: float = CALL_S
    proxy: str = field(default="", repr=False)
    extra: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def at(self) -> str:
        """The connection and the address, as every error begins."""
        return f"connection {self.conn_id!r}, {self.url}"

    def address(self, name: str, usual: str) -> str:
        """A web address as the extra `name` gives it, or else the usual one; "" for what no browser opens."""
        written = self.extra.get(name)
        written = written.strip() if isinstance(written, str) else ""
        written = usual if written.lower() in _NOTHING else written
        # Everybody who reads the page sees it: none with a password in it.
        shown = written.startswith(("https://", "http://")) and redacted(written) == written
        return written if shown else ""

    def hide(self, text: str) -> str:
        """Text of the far side without our key, in case it repeats it; as JSON writes it, too."""
        return without(text, (self.key, json.dumps(self.key)[1:-1]))


class Connected(Generic[T]):
    """A client built from an Airflow connection on first use, and again when the connection has changed.

    The connection is looked up at most once in `look_again_s` seconds. When it cannot be looked up (Airflow's
    database is down, a secrets backend hangs), or not be used as it is written now, the last one stays in use: a page
    must not wait for it.

    `trouble`: why it cannot be used as it is written now; "" when it can, None when none ever could.
    """

    trouble: str | None = None

    def __init__(
        self,
        conn_id: str,
        build: Callable[[Access], T],
        *,
        address: Literal["host", "base_url"],
        default_url: str,
        look_again_s: float = 60.0,
        look_up: Callable[[str], Any] | None = None,
    ) -> None:
        """`look_up`: where connections come from, when not from Airflow."""
        self._conn_id = conn_id
        self._look_up = look_up or look_up_in_airflow
        self._build = build
        self._probe: Callable[[Access, T], object] | None = None
        self._address = address
        self._default_url = default_url
        self._look_again_s = look_again_s
        self._held: tuple[Access, T] | None = None
        self._lane = Lanes("Airflow", 1)
        self._looked_at = 0.0

    def probed_by(self, probe: Callable[[Access, T], object]) -> Connected[T]:
        """The same, which tries a changed connection so: it raises an OncallError where the far side refuses it."""
        self._probe = probe
        return self

    def use(self) -> tuple[Access, T]:
        """The access and its client. Raises LockedOut when the connection is missing or wrongly written, and none
        was in use before."""
        held = self._held
        if held is None:
            return self._look_again(None)
        if time.monotonic() - self._looked_at >= self._look_again_s:
            with suppress(DeliveryFailed, TimeoutError):
                self._lane.start(lambda: self._look_again(held), 0).result(LOOK_UP_S)
        return self._held or held

    def _look_again(self, held: tuple[Access, T] | None) -> tuple[Access, T]:
        try:
            held, self.trouble = self._made_anew(held), ""
        except OncallError as error:
            if held is None:
                raise
            if isinstance(error, LockedOut):  # else nobody can tell now: Airflow, or the far side
                self.trouble = str(error)
        self._held, self._looked_at = held, time.monotonic()
        return held

    def _made_anew(self, held: tuple[Access, T] | None) -> tuple[Access, T]:
        try:
            access = self._read(self._look_up(self._conn_id))
            if held and held[0] == access:
                return held
            client = self._build(access)
        except OncallError:
            raise
        except Exception as error:  # noqa: BLE001 - a library's, whose text may hold the key
            raise self._wrong(
                f"cannot be used ({type(error).__name__})", "write it anew, or install what it needs"
            ) from None
        if held and self._probe:
            try:
                self._probe(access, client)
            except OncallError as error:
                # A far side that is out of order says nothing of what is written; at another address there may be none.
                if access.url == held[0].url and not isinstance(error, LockedOut):
                    raise
                raise LockedOut(str(error)) from None
        return access, client

    def _read(self, connection: Any) -> Access:
        try:
            extra = _named_as_now(extra_of(connection))
        except ValueError as error:
            raise self._wrong(str(error), 'write for example {"timeout": 5}') from None
        # In a URI an address that has a path stands among the extras.
        field = _text(connection.host) if self._address == "host" else ""
        written = field or self._extra_text(extra, self._address) or self._of_region(extra)
        port = connection.port if field else None
        return Access(
            conn_id=self._conn_id,
            url=self._url(written or self._default_url, port, self._flag(extra, "allow_http")),
            key=self._key(_text(connection.password)),
            call_s=self._seconds(extra, "timeout"),
            proxy=self._extra_text(extra, "proxy"),
            extra=extra,
        )

    def _of_region(self, extra: Mapping[str, Any]) -> str:
        """The address of the region in which the account is, where the connection names no other; "" for the usual."""
        region = extra.get("region") if self._address == "host" else None
        return EU_URL if isinstance(region, str) and _EU.fullmatch(region.strip()) else ""

    def _key(self, written: str) -> str:
        if not written:
            raise self._wrong("has no password", "write the API key or token there")
        if not re.fullmatch(r"[!#-&(-~]+", written):
            raise self._wrong(
                "has a password with a space or a letter that no key has", "write the key alone"
            )
        return written

    def _url(self, written: str, port: int | None, allow_http: bool) -> str:
        url = (written if "://" in written else f"https://{written}").rstrip("/")
        if self._address == "host":
            url = re.sub(r"(?i)/v2(/alerts)?$", "", url)
        else:  # Slack's own pages stand beside its API
            url = re.sub(r"(?i)^(https://([\w-]+[.])?slack(-gov)?[.]com)$", r"\1/api", url)
        example = f"write for example {EU_URL if _EU.fullmatch(written) else self._default_url}"
        # Nothing that is written is repeated: it may be a password or a key in the wrong field.
        if "@" in written:
            raise self._wrong(f"has a user or a password in its {self._address}", example)
        if redacted(written) != written or _KEY.search(url.partition("://")[2].partition("/")[0]):
            raise self._wrong(
                f"has what looks like a key in its {self._address}", f"{example}, and the key as password"
            )
        if UNSPEAKABLE.search(url):
            raise self._wrong(f"has a character in its {self._address} that nobody sees", "write it anew")
        try:
            parts = urlsplit(url)
            parts = parts._replace(netloc=re.sub(r"[.](?=:\d+$|$)", "", parts.netloc.lower()))
            host = parts.hostname or ""
            if parts.port is None and port:
                parts = parts._replace(netloc=f"{parts.netloc}:{port}")
            if parts.scheme == "https":
                parts = parts._replace(netloc=parts.netloc.removesuffix(":443"))
            may_lack_dot = "://" in written or parts.port is not None  # raises for what is no port
        except ValueError:
            host, may_lack_dot = "", False
        if (
            not is_host(host, may_lack_dot=may_lack_dot)
            or parts.scheme not in {"http", "https"}
            or parts.netloc.endswith(":")
            or _ODD.search(url)
        ):
            odd = "" if written.isascii() else ": it has a letter that none has"
            shown = f" with the port {port!r}" if isinstance(port, int) else ""
            raise self._wrong(f"has a {self._address} that is no address{shown}{odd}", example)
        if parts.scheme == "http" and not allow_http and not is_loopback(host):
            raise self._wrong(
                f"has http:// in its {self._address}, which would send the key unencrypted",
                'write https://, or the extra {"allow_http": true} inside a closed network',
            )
        return parts.geturl()

    def _extra_text(self, extra: Mapping[str, Any], name: str) -> str:
        written = extra.get(name)
        if written is not None and not isinstance(written, str):
            raise self._wrong(f"has an extra {name} that is no text", "write an address, or leave it out")
        return _text(written)

    def _flag(self, extra: Mapping[str, Any], name: str) -> bool:
        written = str(extra.get(name)).strip().lower()
        if written not in _NOTHING | _TRUE | _FALSE:
            raise self._wrong(
                f"has an extra {name} that is neither true nor false",
                "write true or false",
            )
        return written in _TRUE

    def _seconds(self, extra: Mapping[str, Any], name: str) -> float:
        written = extra.get(name)
        if str(written).strip().lower() in _NOTHING:
            return CALL_S
        try:
            seconds = math.nan if isinstance(written, bool) else float(written)  # type: ignore[arg-type]
        except OverflowError:  # a whole number without end
            seconds = math.inf
        except (TypeError, ValueError):
            seconds = math.nan
        if math.isnan(seconds):
            raise self._wrong(
                f"has an extra {name} that is no number",
                f"write seconds, for example 2.5, at most {CALL_S:g}",
            )
        return min(max(_SHORTEST_S, seconds), CALL_S)

    def _wrong(self, what: str, write: str) -> LockedOut:
        return LockedOut(f"connection {self._conn_id!r} {what}; {write}")


class FarSide(Generic[T]):
    """What a pager and a chat have in common: the connection behind them. Thread-safe."""

    def __init__(self, connected: Connected[T]) -> None:
        self._connected = connected

    def prepare(self) -> None:
        """Read the Airflow connection now, in this thread. Raises DeliveryFailed when it cannot be used."""
        self._connected.use()

    @property
    def trouble(self) -> str | None:
        """Why the connection cannot be used as it is written now; "" when it can, None when none ever could."""
        return self._connected.trouble

    def _reached(self) -> Access | None:
        """How to reach it; None when the connection cannot be used. Never raises."""
        with suppress(DeliveryFailed):
            return self._connected.use()[0]
        return None


def _named_as_now(extra: Mapping[str, Any]) -> Mapping[str, Any]:
    """The extras without the beginning that the forms of Airflow 2 gave to each name (extra__slack__timeout)."""
    named = {re.sub(r"^extra__[a-z0-9]+__(?=.)", "", str(name)): value for name, value in extra.items()}
    return {**named, **{name: value for name, value in extra.items() if name in named}}


def _text(written: object) -> str:
    """What a field says; "" for the ways in which a form says nothing."""
    text = written.strip() if isinstance(written, str) else ""
    return "" if text.lower() in _NOTHING else text


def is_host(name: str, *, may_lack_dot: bool) -> bool:
    """Whether it is an address, or a name in plain letters: one with letters that only look like them is another's.

    `may_lack_dot`: "eu" is no host, "https://inbox" may be one of a closed network.
    """
    labels = name.split(".")
    is_name = len(name) < 254 and all(re.fullmatch(r"(?!-)[a-z0-9_-]{1,63}(?<!-)", label) for label in labels)
    if is_name and not re.fullmatch(r"\d+|0x[0-9a-f]+|https?", labels[-1]):  # https//api.opsgenie.com
        # A password may have a dot as well; no domain of the net ends in a digit.
        domain = len(labels) > 1 and re.fullmatch(r"[a-z]{2,}|xn--[a-z0-9-]+", labels[-1])
        return may_lack_dot or bool(domain) or is_loopback(name)
    with suppress(ValueError):
        return bool(ipaddress.ip_address(name))
    return False


def is_loopback(host: str) -> bool:
    """Whether the name or address is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def say_where_links_lead(checked: CheckResult, written: str) -> None:
    """Whether the links of alerts, which begin with Airflow's address as it is written, lead a phone anywhere."""
    key = "[api] base_url"
    try:
        parts = urlsplit(written)
        host = parts.hostname if parts.scheme in ("http", "https") else None
    except ValueError:
        host = None
    if not host or "@" in written or re.search(r"\s", written):
        write = "the address of Airflow's page, such as https://airflow.example.com: all links of alerts begin with it"
        checked.wrong("airflow.cfg or AIRFLOW__API__BASE_URL", key, repr(redacted(written)), write)
    elif is_loopback(host):
        checked.unasked.append(
            f"{key}: {written}, and so a link of an alert leads to its reader's own machine; on a server write the"
            " address of Airflow's page there"
        )
    else:
        checked.good.append(f"{key}: the links of alerts begin with {written}")
