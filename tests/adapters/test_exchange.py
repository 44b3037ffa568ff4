"""Whatever a far side does, a call is over in time, reads little, goes nowhere else, and fails in our words."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import selectors
import socket
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oncall.adapters.http import addresses, calls, exchange
from oncall.adapters.opsgenie.pager import Opsgenie
from oncall.adapters.slack.chat import Slack
from oncall.core.errors import DeliveryFailed, OncallError, Unreadable
from oncall.core.message import Message, Recipient
from oncall.usecases.channel_ports import Posted
from sandbox.inbox.testing import RunningInbox, running_inbox
from tests.adapters.scripted import KEY, Answer, Connect, FarSide
from tests.exploring import examples

MESSAGE = Message(
    "growth_etl:2026-01-05", "page-1-primary", "Late", recipients=(Recipient("DE-003", "de-003@x"),)
)
LONG_AGO = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)


@contextlib.contextmanager
def dead(address: tuple[str, int]) -> Iterator[str]:
    """Takes no connection and refuses none: nobody answers there, and nobody says so."""
    with contextlib.ExitStack() as open_ones:
        server = open_ones.enter_context(socket.socket())
        server.bind(address)
        server.listen(0)
        for _ in range(4):  # then its queue is full
            waiting = open_ones.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(address)
        yield address[0]


@pytest.fixture(scope="module")
def inbox() -> Iterator[RunningInbox]:
    with running_inbox() as inbox:
        inbox.settings(processing_delay=0)
        yield inbox


@pytest.fixture
def opsgenie(inbox: RunningInbox, connect: Connect) -> Iterator[Opsgenie]:
    pager = Opsgenie.from_connection(connect("ops", host=inbox.opsgenie_host, password=inbox.opsgenie_key))
    pager.prepare()
    yield pager
    inbox.heal()


@pytest.fixture
def slack(inbox: RunningInbox, connect: Connect) -> Iterator[Slack]:
    extra = {"base_url": inbox.slack_base_url}
    chat = Slack.from_connection(connect("chat", password=inbox.slack_token, extra=extra))
    chat.prepare()
    yield chat
    inbox.heal()


def questions(opsgenie: Opsgenie, slack: Slack) -> dict[str, Callable[[], object]]:
    """Every question that the use case asks of a far side."""
    return {
        "page": lambda: opsgenie.page(MESSAGE),
        "close": lambda: opsgenie.close("a", "x"),
        "acknowledge": lambda: opsgenie.acknowledge("a", "x", "DE-003"),
        "note": lambda: opsgenie.note("a", "x"),
        "request_state": lambda: opsgenie.request_state("r"),
        "alert_state": lambda: opsgenie.alert_state("a"),
        "ping": lambda: opsgenie.ping("investor-sla-watch"),
        "post": lambda: slack.post(MESSAGE, "#de-oncall"),
        "update": lambda: slack.update(MESSAGE, Posted("C0INBOX001", "1.000001")),
        "set_group": lambda: slack.set_group("S0DEONCALL", ["U0DE001"]),
        "find": lambda: slack.find("k", "s", "#de-oncall", LONG_AGO, "1.000001"),
    }


QUESTIONS = (
    "page", "close", "acknowledge", "note", "request_state", "alert_state", "ping",
    "post", "update", "set_group", "find",
)  # fmt: skip


def fails(ask: Callable[[], object]) -> OncallError:
    with pytest.raises((DeliveryFailed, Unreadable)) as caught:
        ask()
    return caught.value


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize(
    "kind", ["answer", "garbled", "endless", "gzip_bomb", "cut", "redirect", "refuse", "lose_answer"]
)
def test_an_odd_answer_is_a_failure_in_our_words(
    kind: str, question: str, inbox: RunningInbox, opsgenie: Opsgenie, slack: Slack
) -> None:
    """A list for an object, bytes that are no text, 300 MB, a connection reset: never a library's exception."""
    inbox.fail("*", "*", kind, body=[1], location=f"{inbox.url}/elsewhere")
    started = time.monotonic()
    fails(questions(opsgenie, slack)[question])
    assert time.monotonic() - started < calls.CALL_S + 1
    assert not [call for call in inbox.calls() if "elsewhere" in call.path]


@pytest.mark.parametrize("kind", ["endless", "gzip_bomb"])
def test_no_more_than_a_megabyte_is_kept(
    kind: str, inbox: RunningInbox, opsgenie: Opsgenie, slack: Slack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it comes or unpacked."""
    inbox.fail("*", "*", kind)
    tracemalloc.start()
    fails(lambda: opsgenie.page(MESSAGE))
    fails(lambda: slack.post(MESSAGE, "#de-oncall"))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 20 * exchange.MAX_ANSWER_BYTES  # the inbox's own pieces are in it


@pytest.fixture
def shortly(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same bounds, sooner."""
    monkeypatch.setattr(calls, "CALL_S", 1.5)
    monkeypatch.setattr(exchange, "CONNECT_S", 0.5)


@contextlib.contextmanager
def raw_server(serve: Callable[[socket.socket, threading.Event], None]) -> Iterator[str]:
    """A server that is no HTTP server: it does with each connection what it likes."""
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def accept() -> None:
            while not over.is_set():
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                threading.Thread(target=run, args=(connection,), daemon=True).start()

        def run(connection: socket.socket) -> None:
            with connection, contextlib.suppress(OSError):
                serve(connection, over)

        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        over.set()


def drip_headers(connection: socket.socket, over: threading.Event) -> None:
    connection.recv(65_536)
    connection.sendall(b"HTTP/1.1 202 Accepted\r\nX-Long: ")
    while not over.wait(0.05):
        connection.sendall(b"x")


def say_nothing(connection: socket.socket, over: threading.Event) -> None:
    over.wait(30)


def never_read(connection: socket.socket, over: threading.Event) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1_024)
    over.wait(30)


def another_protocol(connection: socket.socket, over: threading.Event) -> None:
    connection.sendall(b"220 mail.example.com ESMTP\r\n")
    over.wait(30)


@pytest.mark.parametrize(
    "others",
    [
        ("127.0.0.2",),
        tuple(f"127.0.0.{n}" for n in range(2, 8)),
        ("127.0.0.2", "::1"),  # there nobody listens
        ("127.0.0.9", "127.0.0.1"),
    ],
)
def test_a_name_is_reached_by_the_address_that_answers(
    connect: Connect, inbox: RunningInbox, others: Sequence[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A network that swallows packets to the others, as to a name's IPv6 addresses: each try ended at the first."""
    resolve = socket.getaddrinfo
    port = urlsplit(inbox.opsgenie_host).port or 0

    def resolved(host: Any, *asked: Any, **more: Any) -> Any:
        hosts = (*others, "127.0.0.1") if host in ("opsgenie.test", b"opsgenie.test") else (host,)
        return [each for one in hosts for each in resolve(one, *asked, **more)]

    monkeypatch.setattr(socket, "getaddrinfo", resolved)
    host = inbox.opsgenie_host.replace("127.0.0.1", "opsgenie.test")
    with contextlib.ExitStack() as open_ones:
        for address in others:
            if address not in ("::1", "127.0.0.9", "127.0.0.1"):
                open_ones.enter_context(dead((address, port)))
        pager = Opsgenie.from_connection(
            connect("ops", host=host, password=inbox.opsgenie_key, extra={"allow_http": True})
        )
        assert pager.page(MESSAGE)


def test_an_address_that_takes_a_connection_and_says_nothing_comes_after_the_others(
    connect: Connect, inbox: RunningInbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where a network loses large packets on their way: it answered first each time, and nobody was ever paged."""
    resolve = socket.getaddrinfo
    port = urlsplit(inbox.opsgenie_host).port or 0

    def resolved(host: Any, *asked: Any, **more: Any) -> Any:
        hosts = ("127.0.0.2", "127.0.0.3", "127.0.0.1") if host == "opsgenie.test" else (host,)
        return [each for one in hosts for each in resolve(one, *asked, **more)]

    monkeypatch.setattr(socket, "getaddrinfo", resolved)
    extra = {"allow_http": True, "timeout": 2}
    host = inbox.opsgenie_host.replace("127.0.0.1", "opsgenie.test")
    pager = Opsgenie.from_connection(connect("ops", host=host, password=inbox.opsgenie_key, extra=extra))
    with socket.create_server(("127.0.0.2", port)), socket.create_server(("127.0.0.3", port)):
        for _ in range(2):
            with pytest.raises(DeliveryFailed, match=r"no full answer|timed out"):
                pager.page(MESSAGE)
            for lane in threading.enumerate():
                if lane.name == "call to Opsgenie":
                    lane.join(5)
        for _ in range(3):
            assert pager.page(MESSAGE)


@pytest.mark.parametrize("slow_s", [1.1, 2.5])
def test_of_addresses_that_are_all_slow_each_has_the_whole_time(
    connect: Connect, inbox: RunningInbox, slow_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A share of it for each would have no page leave where one address alone was reached."""
    resolve = socket.getaddrinfo

    class Slowly(selectors.DefaultSelector):
        """What is on its way is there after `slow_s`."""

        began = 0.0

        def select(self, timeout: float | None = None) -> Any:
            self.began = self.began or time.monotonic()
            left = self.began + slow_s - time.monotonic()
            if timeout is not None and timeout < left:
                time.sleep(timeout)
                return []
            time.sleep(max(left, 0))
            return super().select(timeout)

    def resolved(host: Any, *asked: Any, **more: Any) -> Any:
        return (
            resolve("127.0.0.1" if host in ("opsgenie.test", b"opsgenie.test") else host, *asked, **more) * 3
        )

    monkeypatch.setattr(socket, "getaddrinfo", resolved)
    host = inbox.opsgenie_host.replace("127.0.0.1", "opsgenie.test")
    pager = Opsgenie.from_connection(
        connect("ops", host=host, password=inbox.opsgenie_key, extra={"allow_http": True})
    )
    monkeypatch.setattr(
        addresses,
        "selectors",
        SimpleNamespace(DefaultSelector=Slowly, EVENT_WRITE=selectors.EVENT_WRITE),
    )
    assert pager.page(MESSAGE)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (socket.gaierror(-2, "Name or service not known"), "Name or service not known"),
        ([], "opsgenie.test has no address"),
    ],
)
def test_a_name_that_leads_nowhere_is_said(
    connect: Connect, found: Any, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the resolver says, or that there is nothing."""

    def resolved(*_: Any, **__: Any) -> Any:
        if isinstance(found, OSError):
            raise found
        return found

    pager = Opsgenie.from_connection(
        connect("ops", host="http://opsgenie.test:1", password=KEY, extra={"allow_http": True})
    )
    monkeypatch.setattr(socket, "getaddrinfo", resolved)
    with pytest.raises(DeliveryFailed, match=f"cannot connect: .*{said}"):
        pager.page(MESSAGE)


@pytest.mark.parametrize("serve", [drip_headers, say_nothing, never_read, another_protocol])
@pytest.mark.parametrize("question", ["page", "ping", "post"])
def test_it_is_over_in_time_and_leaves_no_thread_behind(
    serve: Any, question: str, connect: Connect, shortly: None
) -> None:
    """Also where the time-out of each read is never reached; what hangs is hung up on."""
    with raw_server(serve) as url:
        opsgenie = Opsgenie.from_connection(connect("ops", host=url))
        slack = Slack.from_connection(connect("chat", extra={"base_url": f"{url}/api/"}))
        opsgenie.prepare()
        slack.prepare()
        started = time.monotonic()
        fails(questions(opsgenie, slack)[question])
        assert time.monotonic() - started < 4
        until = time.monotonic() + 5
        while hanging := [one for one in threading.enumerate() if one.name.startswith("call to")]:
            assert time.monotonic() < until, hanging
            time.sleep(0.02)


def very_many_headers(connection: socket.socket, over: threading.Event) -> None:
    connection.recv(65_536)
    headers = "".join(f"X{number}: y\r\n" for number in range(7_000))
    body = '{"requestId": "r"}'
    connection.sendall(
        f"HTTP/1.1 202 Accepted\r\nContent-Length: {len(body)}\r\n{headers}\r\n{body}".encode()
    )


def test_headers_without_end_take_no_time(connect: Connect) -> None:
    """Nor does an attempt that was given up go on taking it from the next one."""
    with raw_server(very_many_headers) as url:
        opsgenie = Opsgenie.from_connection(connect("ops", host=url))
        opsgenie.prepare()
        began = time.process_time()
        assert opsgenie.page(MESSAGE) == "r"
        assert time.process_time() - began < 1.5


@pytest.mark.parametrize("how", ["drip", "hang"])
def test_many_requests_share_the_time_of_one_question(
    how: str, inbox: RunningInbox, slack: Slack, shortly: None
) -> None:
    """A search goes over pages and threads: all of it ends when the question's time is up."""
    inbox.fail("slack", "read", "slow", delay=0.6)
    started = time.monotonic()
    inbox.fail("slack", "read", how, delay=0.2)
    fails(lambda: [slack.find("k", "s", "#de-oncall", LONG_AGO, "1.000001") for _ in range(3)])
    assert time.monotonic() - started < 4


def test_a_refusal_whose_words_never_end_is_a_refusal(
    inbox: RunningInbox, opsgenie: Opsgenie, shortly: None
) -> None:
    """The status is known: 429 was not taken, however its body drips."""
    inbox.fail("opsgenie", "create", "drip", status=429, delay=0.2)
    error = fails(lambda: opsgenie.page(MESSAGE))
    assert isinstance(error, DeliveryFailed)
    assert not error.uncertain


def test_a_receipt_whose_words_never_end_is_a_receipt(
    inbox: RunningInbox, opsgenie: Opsgenie, shortly: None
) -> None:
    """The status is known: nobody else is called for a page that was taken, however its body drips."""
    inbox.fail("opsgenie", "create", "drip", status=202, delay=0.2)
    assert opsgenie.page(MESSAGE) == ""


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_takes_the_key_elsewhere(status: int, far_side: FarSide, connect: Connect) -> None:
    """Neither SDK follows it; nothing was taken, and it may be tried again."""
    far_side.always = Answer("", status, {"Location": f"{far_side.url}/stolen"})
    opsgenie = Opsgenie.from_connection(connect("ops", host=far_side.url))
    slack = Slack.from_connection(connect("chat", extra={"base_url": f"{far_side.url}/api/"}))
    for ask in (lambda: opsgenie.page(MESSAGE), lambda: slack.post(MESSAGE, "#de-oncall")):
        error = fails(ask)
        assert (type(error), getattr(error, "uncertain", None)) == (DeliveryFailed, False)
        assert "redirect to 127.0.0.1" in str(error)
    far_side.always = Answer("", status, {"Location": "/elsewhere"})
    assert "a redirect to another path" in str(fails(lambda: opsgenie.page(MESSAGE)))
    far_side.always = Answer("", status, {"Location": "http://[::1"})
    assert not getattr(fails(lambda: opsgenie.page(MESSAGE)), "uncertain", True)
    del far_side.requests[2:]
    assert [request.path for request in far_side.requests] == ["/v2/alerts", "/api/chat.postMessage"]


@pytest.mark.parametrize("status", [300, 304, 307])
def test_an_answer_that_leads_nowhere_is_no_redirect(
    status: int, far_side: FarSide, connect: Connect
) -> None:
    """A cache answers that nothing has changed: the page was not taken, and that is what is said."""
    far_side.always = Answer("", status)
    error = fails(lambda: Opsgenie.from_connection(connect("ops", host=far_side.url)).page(MESSAGE))
    assert isinstance(error, DeliveryFailed)
    assert not error.uncertain
    assert f"{status}: no answer of the far side's own" in str(error)
    assert "redirect" not in str(error)


@pytest.mark.parametrize("before", ["", "x" * 490], ids=["short", "cut within it"])
@pytest.mark.parametrize("status", [302, 400, 403, 404, 407, 408, 422, 429, 500])
def test_no_answer_tells_our_key(status: int, before: str, far_side: FarSide, connect: Connect) -> None:
    """Whatever repeats it: a far side, a proxy that shows what it was sent, an address to go to."""
    said = {"message": f"{before}{KEY}", "error": f"{before[:80]}{KEY}", "errors": [KEY], "needed": KEY}
    far_side.always = Answer(said, status, {"Location": f"http://{KEY}.example.com/"})
    opsgenie = Opsgenie.from_connection(connect("ops", host=far_side.url))
    slack = Slack.from_connection(connect("chat", extra={"base_url": f"{far_side.url}/api/"}))
    for question, ask in questions(opsgenie, slack).items():
        # of what is not there nothing is said
        if status != 404 or question not in ("alert_state", "request_state"):
            assert KEY[:8] not in str(fails(ask))


NAMES = (
    "ok", "error", "data", "requestId", "message", "messages", "metadata", "event_payload", "ts", "channel", "channels",
    "id", "name", "responders", "type", "user", "username", "status", "success", "isSuccess", "acknowledged", "owner",
    "report", "errors", "response_metadata", "next_cursor", "enabled", "key", "step",
)  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=6),
    max_leaves=25,
)


@settings(
    max_examples=examples(50), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    question=st.sampled_from(QUESTIONS),
    status=st.sampled_from([200, 200, 200, 202, 400, 403, 404, 422, 429, 500]),
    body=JSON,
)
def test_no_json_is_too_odd(
    question: str, status: int, body: Any, far_side: FarSide, connect: Connect
) -> None:
    """Nulls, strings for booleans, lists for objects, in any depth and with any status: an answer, or our error."""
    opsgenie = Opsgenie.from_connection(connect("ops", host=far_side.url))
    slack = Slack.from_connection(connect("chat", extra={"base_url": f"{far_side.url}/api/"}))
    far_side.always = Answer(json.dumps(body), status)
    said = ""
    try:
        questions(opsgenie, slack)[question]()
    except (DeliveryFailed, Unreadable) as error:
        said = str(error)
    assert "cannot be understood" not in said


@pytest.mark.parametrize("body", ["[" * 100_000, "", "null", '"x"', "1", "{", '{"a": NaN', "\ufeff{}"])
def test_no_text_is_too_odd(body: str, far_side: FarSide, connect: Connect) -> None:
    """Nesting without end, nothing at all, a byte order mark."""
    opsgenie = Opsgenie.from_connection(connect("ops", host=far_side.url))
    far_side.always = Answer(body, 200)
    error = fails(lambda: opsgenie.page(MESSAGE))
    assert isinstance(error, DeliveryFailed)
    assert error.uncertain


def test_what_no_database_keeps_is_not_handed_on(far_side: FarSide, connect: Connect) -> None:
    """NUL and halves of letters, in ids as in refusals: what was taken could not be written down."""
    odd = "\\u0000a\\ud800" + "z" * 200_000
    opsgenie = Opsgenie.from_connection(connect("ops", host=far_side.url))
    slack = Slack.from_connection(connect("chat", extra={"base_url": f"{far_side.url}/api/"}))
    far_side.always = Answer(f'{{"ok": true, "requestId": "{odd}", "channel": "{odd}", "ts": "{odd}"}}')
    posted = slack.post(MESSAGE, "#de-oncall")
    far_side.script = [Answer(f'{{"message": "{odd}", "error": "{odd}"}}', 400)] * 2
    refused = [
        str(fails(lambda: opsgenie.close("a", "x"))),
        str(fails(lambda: slack.update(MESSAGE, posted))),
    ]
    for kept in (opsgenie.page(MESSAGE), posted.channel_id, posted.ts, *refused):
        assert "\x00" not in kept
        assert len(kept.encode()) < 5_000


def test_what_a_far_side_says_is_cut(far_side: FarSide, connect: Connect) -> None:
    """An error of half a megabyte is not written into a notice."""
    far_side.always = Answer({"message": "bad " * 100_000, "error": "bad " * 100_000}, 400)
    opsgenie = Opsgenie.from_connection(connect("ops", host=far_side.url))
    slack = Slack.from_connection(connect("chat", extra={"base_url": f"{far_side.url}/api/"}))
    for ask in (lambda: opsgenie.page(MESSAGE), lambda: slack.post(MESSAGE, "#de-oncall")):
        assert len(str(fails(ask))) < 1_000
