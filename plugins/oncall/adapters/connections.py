"""Reads an Airflow connection into the address and key of a far side and notices when it changes; calls nobody."""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeVar
from urllib.parse import urlsplit

from oncall.core.errors import DeliveryFailed, Rejected

T = TypeVar("T")

CONNECT_S = 2
ANSWER_S = 4


@dataclass(frozen=True)
class Access:
    """How to reach a far side. `url` has a scheme and no slash at its end; `answer_s`: seconds for one read."""

    conn_id: str
    url: str
    key: str = field(repr=False)
    answer_s: int = ANSWER_S
    extra: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def total_s(self) -> int:
        """Seconds that a whole call may take."""
        return CONNECT_S + self.answer_s

    @property
    def proxy(self) -> str | None:
        return self.extra.get("proxy") or None

    @property
    def loopback(self) -> bool:
        return _is_loopback(urlsplit(self.url).hostname or "")

    def address(self, name: str, usual: str) -> str:
        """A web address as the extra `name` gives it, or else the usual one; "" for what no browser opens."""
        written = str(self.extra.get(name) or usual)
        return written if written.startswith(("https://", "http://")) else ""

    def hide(self, text: str) -> str:
        """Text of the far side without our key, in case it repeats it."""
        return text.replace(self.key, "***")


class Connected(Generic[T]):
    """A client built from an Airflow connection on first use, and again when the connection has changed.

    The connection is looked up at most once in `look_again_s` seconds. When it cannot be looked up (Airflow's
    database is down) the last one stays in use: a page must not wait for it.
    """

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
        self._address = address
        self._default_url = default_url
        self._look_again_s = look_again_s
        self._held: tuple[Access, T] | None = None
        self._looked_at = 0.0

    def use(self) -> tuple[Access, T]:
        """The access and its client. Raises Rejected when the connection is missing or wrongly written."""
        held = self._held
        if held and time.monotonic() - self._looked_at < self._look_again_s:
            return held
        try:
            connection = self._look_up(self._conn_id)
        except DeliveryFailed:
            if held is None:
                raise
            self._looked_at = time.monotonic()
            return held
        access = self._read(connection)
        if held is None or held[0] != access:
            held = (access, self._build(access))
        self._held, self._looked_at = held, time.monotonic()
        return held

    def _read(self, connection: Any) -> Access:
        extra = connection.extra_dejson or {}
        if not connection.password:
            raise Rejected(f"connection {self._conn_id!r} has no password: write the API key or token there")
        written = extra.get("base_url") if self._address == "base_url" else _host(connection)
        return Access(
            conn_id=self._conn_id,
            url=self._url(str(written or self._default_url), bool(extra.get("allow_http"))),
            key=connection.password.strip(),
            answer_s=self._answer_s(extra.get("timeout", ANSWER_S)),
            extra=extra,
        )

    def _url(self, written: str, allow_http: bool) -> str:
        url = (written if "://" in written else f"https://{written}").rstrip("/")
        example = f"write for example {self._default_url}"
        try:
            parts = urlsplit(url)
            host, _ = parts.hostname, parts.port
        except ValueError:
            host = None
        if not host or parts.scheme not in {"http", "https"} or " " in url:
            raise Rejected(
                f"connection {self._conn_id!r}: {self._address} {written!r} is no address; {example}"
            )
        if parts.scheme == "http" and not allow_http and not _is_loopback(host):
            raise Rejected(
                f"connection {self._conn_id!r}: {written!r} would send the key unencrypted; write https://, "
                'or the extra {"allow_http": true} inside a closed network'
            )
        return url

    def _answer_s(self, written: Any) -> int:
        try:
            return max(1, int(written))
        except (TypeError, ValueError):
            raise Rejected(
                f"connection {self._conn_id!r}: extra timeout {written!r} is no number; write whole seconds"
            ) from None


def look_up_in_airflow(conn_id: str) -> Any:
    """Airflow's connection. Raises Rejected when it is not defined, DeliveryFailed when it cannot be read now."""
    from airflow.sdk import BaseHook
    from airflow.sdk.exceptions import AirflowNotFoundException

    try:
        return BaseHook.get_connection(conn_id)
    except AirflowNotFoundException:
        raise Rejected(
            f"connection {conn_id!r} is not defined: add it in Admin → Connections, "
            f"or as AIRFLOW_CONN_{conn_id.upper()}"
        ) from None
    except Exception as error:  # whatever Airflow raises here, no message can be sent now
        raise DeliveryFailed(
            f"connection {conn_id!r} cannot be read: {type(error).__name__}: {error}"
        ) from error


def _host(connection: Any) -> str:
    host = connection.host or ""
    return f"{host}:{connection.port}" if host and connection.port and "://" not in host else host


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
