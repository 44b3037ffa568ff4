"""One HTTP request to a far side and its answer, bounded in time and in size, whatever the far side does.

Both SDKs and the bare calls send through here, so that these laws hold for all of them: a request is over in CALL_S;
at most MAX_ANSWER_BYTES are read, packed or not; no redirect is followed, as the key would go along; and it is known
whether the request was sent, which decides whether the far side may have taken it.
"""

from __future__ import annotations

import http
import json
import socket
import ssl
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import wait
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpx

from oncall.adapters.http.addresses import AnyAddress
from oncall.adapters.http.answers import AnswerTooLong
from oncall.adapters.http.calls import CONNECT_S, Lanes, seconds_left, seconds_to_wait
from oncall.adapters.http.connections import Access
from oncall.adapters.http.proxy_and_certificates import name_of, proxy_for, trusted
from oncall.core.errors import DeliveryFailed, LockedOut

MAX_ANSWER_BYTES = 1_000_000
# No page to sign in on has these, whatever else it says.
TAKEN = (http.HTTPStatus.CREATED, http.HTTPStatus.ACCEPTED)
_LONGER = f"the answer is longer than {MAX_ANSWER_BYTES:,} bytes"
_WORDS = 500  # characters of what a far side says
# OpenSSL's numbers of what no CA can mend: not valid yet, or any more; made for another name or address.
_CLOCK, _NAME = (
    "is this machine's clock right? Else it has to be renewed there",
    "is the connection's address right?",
)
_MEND_CERTIFICATE = {9: _CLOCK, 10: _CLOCK, 62: _NAME, 64: _NAME}
_UNPACKED = {"", "identity"}
_PACKED = {"gzip", "x-gzip", "deflate"}


@dataclass(frozen=True)
class Answer:
    """What a far side answered: a 2xx with a JSON object, or a 4xx. `data`: empty when the body is no JSON object.

    `headers`: names in small letters.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)

    @property
    def words(self) -> str:
        """What the far side said of an error, and the fields it complains about; else what the status means."""
        said, errors = self.data.get("message") or self.data.get("error"), self.data.get("errors")
        if not said and not errors:
            return next(
                (known.phrase for known in http.HTTPStatus if known == self.status), "no reason given"
            )
        words = f"{said or ''} {json.dumps(errors) if errors else ''}"
        return " ".join(words[:_WORDS].split())


class Exchange:
    """Sends requests to one far side. Thread-safe; each request has a connection of its own.

    A connection that was left idle may be dead without anybody knowing, and then costs a page all of its time.
    """

    def __init__(self, access: Access, far_side: str) -> None:
        """Raises LockedOut when the proxy or the certificates that were named cannot be used."""
        self._access = access
        self._lanes = Lanes(far_side)
        self._proxy = proxy_for(access.url, access.proxy, access.at)
        secure = access.url.startswith("https:") or (self._proxy and self._proxy.url.scheme == "https")
        context = trusted() if secure else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if self._proxy and self._proxy.url.scheme == "https":
            self._proxy.ssl_context = context
        try:
            self._transport = httpx.HTTPTransport(
                verify=context,
                proxy=self._proxy,
                limits=httpx.Limits(max_connections=None, max_keepalive_connections=0),
                retries=1,  # of connecting alone: what was sent is never sent again here
            )
            self._transport._pool._network_backend = self._addresses = AnyAddress()
        except ImportError as error:  # SOCKS needs a further package
            raise LockedOut(f"{self._access.at}: the proxy cannot be used: {error}") from None

    def send(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None = None) -> Answer:
        """The answer, a 2xx or a 4xx. Raises DeliveryFailed for everything else that may happen."""
        left = min(seconds_left(), self._access.call_s)
        ends, connect_s = time.monotonic() + left, min(CONNECT_S, left)
        attempt = _Attempt(connect_s, left)
        request = httpx.Request(
            method, url, headers={**headers, "Accept-Encoding": "identity"}, content=body,
            extensions=attempt.extensions,
        )  # fmt: skip
        future = self._lanes.start(lambda: self._exchange(request, attempt), connect_s)
        wait([future], connect_s)
        if not future.done() and not attempt.sent and not attempt.give_up():
            raise DeliveryFailed(f"{self._access.at}: cannot connect{self._through()} in {connect_s:g} s")
        wait([future], ends - time.monotonic())
        if future.done():
            return self._accepted(future.result())
        sent = attempt.give_up()
        # What came of it is known, only its words are not.
        if attempt.status >= 300 or attempt.status in TAKEN:
            return self._accepted(Answer(attempt.status, attempt.headers))
        raise DeliveryFailed(f"{self._access.at}: no full answer in {left:g} s", uncertain=sent)

    def _exchange(self, request: httpx.Request, attempt: _Attempt) -> Answer:
        """Runs in a lane of its own."""
        try:
            response = self._transport.handle_request(request)
        except Exception as error:  # noqa: BLE001 - no exception of a library leaves an adapter
            self._addresses.silent[attempt.address] = time.monotonic()
            raise self._unanswered(error, attempt.sent) from None
        try:
            attempt.headers = dict(response.headers.items())  # by its keys it would take their square
            attempt.status = response.status_code
            data, trouble = _read(response, self._access.hide)
        finally:
            with suppress(Exception):  # it may be closed already
                response.close()
        if trouble and response.status_code < 300 and response.status_code not in TAKEN:
            kind = AnswerTooLong if trouble == _LONGER else DeliveryFailed
            raise kind(f"{self._access.at}: {trouble}; is the address right?", uncertain=True)
        return Answer(response.status_code, attempt.headers, data)

    def _accepted(self, answer: Answer) -> Answer:
        """What means the same for every far side becomes an error here."""
        reason = f"{self._access.at}: {answer.status}: {answer.words}"
        wait_s = seconds_to_wait(answer.headers)
        match answer.status:
            case 407:
                raise DeliveryFailed(f"{self._access.at}: the proxy refused{self._through()}: {answer.words}")
            case 429:
                raise DeliveryFailed(reason, retry_after=wait_s or 0.0)
            case 408:
                raise DeliveryFailed(reason, retry_after=wait_s, uncertain=True)
            case status if status >= 500:
                raise DeliveryFailed(reason, retry_after=wait_s, uncertain=True)
            case status if 300 <= status < 400 or status < 200:
                location = self._access.hide(answer.headers.get("location", ""))
                how = (
                    f"a redirect to {_host_of(location)}, which is not followed: the key would go along."
                    if location
                    else "no answer of the far side's own: something on the way has given it."
                )
                raise DeliveryFailed(
                    f"{self._access.at}: {status}: {how} Is the address right, or does a proxy ask for a sign-in?"
                )
        return answer

    def _unanswered(self, error: Exception, sent: bool) -> DeliveryFailed:
        words = str(error) or type(error).__name__
        if refused := _caused_by(error, ssl.SSLCertVerificationError):
            mend = _MEND_CERTIFICATE.get(
                getattr(refused, "verify_code", 0), "name the file with your company's CA in SSL_CERT_FILE"
            )
            words = f"its certificate is refused: {getattr(refused, 'verify_message', refused)}; {mend}"
        elif isinstance(error, httpx.ProxyError):
            words = f"the proxy refused{self._through()}: {error}"
        elif not sent:
            words = f"cannot connect{self._through()}: {words}"
        else:
            words = f"{type(error).__name__}: {words}"
        return DeliveryFailed(f"{self._access.at}: {self._access.hide(words)}", uncertain=sent)

    def _through(self) -> str:
        return f" through the proxy {name_of(self._proxy)}" if self._proxy else ""


class _Attempt:
    """One request on its way: whether it was sent, how far its answer is, and how to stop it from another thread."""

    def __init__(self, connect_s: float, left_s: float) -> None:
        timeouts = {"connect": connect_s, "read": left_s, "write": left_s, "pool": connect_s}
        self.extensions: dict[str, Any] = {"timeout": timeouts, "trace": self._on}
        self.sent = False
        self.address: Any = None
        self.status = 0
        self.headers: dict[str, str] = {}
        self._lock = threading.Lock()
        self._given_up = False
        self._socket: socket.socket | None = None

    def give_up(self) -> bool:
        """Stop it, and say whether it had been sent."""
        with self._lock:
            self._given_up = True
            with suppress(Exception):  # there is none yet, or it is closed already
                if self._socket is not None:
                    self._socket.shutdown(socket.SHUT_RDWR)
            return self.sent

    def _on(self, event: str, about: Mapping[str, Any]) -> None:
        """httpcore's `trace`: called as the request gets on."""
        with self._lock:
            if self._given_up:
                raise TimeoutError("given up")
            if event.endswith((".connect_tcp.complete", ".start_tls.complete")):
                self._socket = about["return_value"].get_extra_info("socket")
                with suppress(OSError):  # it is gone already
                    self.address = about["return_value"].get_extra_info("server_addr")
            elif event.endswith(".send_request_headers.started"):
                self.sent = about["request"].method != b"CONNECT"


def _read(response: httpx.Response, hide: Callable[[str], str]) -> tuple[Mapping[str, Any], str]:
    """The JSON object in the body, or why there is none. `hide` takes our key out before anything is made of it."""
    assert isinstance(response.stream, httpx.SyncByteStream)
    try:
        body = _unpacked(response.headers.get("content-encoding", "").strip().lower(), response.stream)
        data = json.loads(hide(_text(body)))
    except (ValueError, RecursionError) as error:
        return {}, f"the answer is not JSON ({type(error).__name__})"
    except _TooLong:
        return {}, _LONGER
    except Exception as error:  # noqa: BLE001 - cut off in the middle, in one of many ways
        return {}, f"the answer broke off: {type(error).__name__}: {error}"
    return (data, "") if isinstance(data, dict) else ({}, "the answer is no JSON object")


def _text(body: bytes) -> str:
    """Whatever its letters are written in: that it was taken is said in plain ones."""
    try:
        return body.decode(json.detect_encoding(body), "surrogatepass")
    except UnicodeDecodeError:
        return body.decode("latin-1")


def _host_of(location: str) -> str:
    try:
        return urlsplit(location).hostname or "another path"
    except ValueError:
        return "what is no address"


class _TooLong(Exception):
    pass


def _unpacked(encoding: str, pieces: Iterable[bytes]) -> bytes:
    """The whole body. Raises _TooLong when it is longer than may be read, before or after it is unpacked."""
    body = b""
    for piece in pieces:
        body += piece
        if len(body) > MAX_ANSWER_BYTES:
            raise _TooLong
    if encoding in _UNPACKED:
        return body
    if encoding not in _PACKED:
        raise ValueError(encoding)
    try:
        unpacking = zlib.decompressobj(zlib.MAX_WBITS | 32)
        body = unpacking.decompress(body, MAX_ANSWER_BYTES)
    except zlib.error as error:
        raise ValueError(encoding) from error
    if unpacking.unconsumed_tail:
        raise _TooLong
    return body


def _caused_by(error: BaseException | None, kind: type[BaseException]) -> BaseException | None:
    while error is not None and not isinstance(error, kind):
        error = error.__cause__ or error.__context__
    return error
