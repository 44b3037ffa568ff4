"""The pager over real HTTP: what goes over the wire, and what comes of every bad answer."""

from __future__ import annotations

import datetime as dt
import logging
import socket
import threading
import time
import traceback
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oncall.adapters.http.calls import Lanes, seconds_to_wait
from oncall.adapters.opsgenie.alert import alert, fitting_alias
from oncall.adapters.opsgenie.check import OpsgenieCheck
from oncall.adapters.opsgenie.pager import Opsgenie
from oncall.core.check_result import CheckResult
from oncall.core.errors import (
    DeliveryFailed,
    Gone,
    LockedOut,
    NotAllowed,
    Rejected,
    UnknownPerson,
    Unreadable,
)
from oncall.core.message import Message, Recipient
from tests.adapters.scripted import KEY, Answer, Connect, FarSide, failing

TAKEN = Answer({"result": "Request will be processed", "took": 0.1, "requestId": "r-1"}, status=202)
MESSAGE = Message(
    key="growth_etl:2026-01-05",
    step="broken:primary",
    title="Growth ETL is late",
    summary="Stuck in transform since 03:12.",
    facts=(("Owner", "DE-003"), ("Due", "05:00")),
    steps="**Do:** look at **the run**.\nThen call.\n\n1. Ask the database:\n\n```sql\nselect 1;\n```",
    links=(
        ("Incident", "https://airflow.example.com/incident"),
        ("Runbook", "https://airflow.example.com/runbook"),
    ),
    priority="P1",
    recipients=(Recipient("DE-003", "de-003@example.com", "U0DE003"), Recipient("DE-MANAGER")),
    tags=("promise", "growth_etl"),
)


def pager(far_side: FarSide, connect: Connect, path: str = "", **extra: Any) -> Opsgenie:
    return Opsgenie.from_connection(connect(host=far_side.url + path, extra=extra))


def test_a_page_is_one_create_request_under_the_hosts_path(far_side: FarSide, connect: Connect) -> None:
    """What to do first and where to take it, then why, the steps without code, the facts once; its alias names it."""
    far_side.script = [TAKEN]
    assert pager(far_side, connect, "/opsgenie").page(MESSAGE) == "r-1"
    [request] = far_side.requests
    assert (request.method, request.path) == ("POST", "/opsgenie/v2/alerts")
    assert request.headers["Authorization"] == f"GenieKey {KEY}"
    assert request.body == {
        "message": "Growth ETL is late",
        "alias": "growth_etl:2026-01-05:broken:primary",
        "description": (
            "Do: look at the run.\nIncident: https://airflow.example.com/incident\n• Then call.\n\n"
            "Stuck in transform since 03:12.\n\n"
            "Runbook: https://airflow.example.com/runbook\n\n"
            "Steps\n1. Ask the database: → in the runbook, to copy\n\nOwner: DE-003\nDue: 05:00"
        ),
        "entity": "growth_etl:2026-01-05",
        "source": "airflow-oncall",
        "priority": "P1",
        "tags": ["promise", "growth_etl"],
        "details": {
            "key": "growth_etl:2026-01-05",
            "step": "broken:primary",
        },
        "responders": [{"type": "user", "username": "de-003@example.com"}],
    }


def test_actions_name_the_alert_by_its_quoted_alias(far_side: FarSide, connect: Connect) -> None:
    """An alias with `:` and `/` stays one segment of the path."""
    far_side.always = TAKEN
    opsgenie = pager(far_side, connect)
    opsgenie.close("a:b/c", "It landed.")
    opsgenie.acknowledge("a:b/c", "", "DE-003")
    opsgenie.note("a:b/c", "Seen.")
    assert [(r.path, dict(r.query), r.body) for r in far_side.requests] == [
        (
            "/v2/alerts/a%3Ab%2Fc/close",
            {"identifierType": "alias"},
            {"source": "airflow-oncall", "note": "It landed."},
        ),
        (
            "/v2/alerts/a%3Ab%2Fc/acknowledge",
            {"identifierType": "alias"},
            {"source": "airflow-oncall", "user": "DE-003"},
        ),
        (
            "/v2/alerts/a%3Ab%2Fc/notes",
            {"identifierType": "alias"},
            {"source": "airflow-oncall", "note": "Seen."},
        ),
    ]


@pytest.mark.parametrize("body", ["", "taken", {"took": 0.1}, {"data": {"requestId": "r-1"}}], ids=str)
@pytest.mark.parametrize("status", [201, 202])
def test_a_receipt_is_one_by_its_status(
    body: object, status: int, far_side: FarSide, connect: Connect
) -> None:
    """A page to sign in on has another one. Not believed, it kept the next person from being called."""
    far_side.script = [Answer(body, status)]
    assert pager(far_side, connect).page(MESSAGE) == ""


@pytest.mark.parametrize("letters", ["latin-1", "utf-8-sig", "utf-16"])
def test_a_receipt_in_whatever_letters_is_one(letters: str, far_side: FarSide, connect: Connect) -> None:
    """A page that was taken is not sent again because of an umlaut in the answer."""
    body = '{"result": "Request will be processed", "requestId": "r-1", "in words": "für später"}'
    far_side.script = [Answer(body.encode(letters), 202)]
    assert pager(far_side, connect).page(MESSAGE) == "r-1"


def test_a_request_is_pending_until_it_is_processed(far_side: FarSide, connect: Connect) -> None:
    """202 is a receipt: only the request's own state says whether anybody was woken."""
    not_yet = Answer({"message": "…"}, 404, {"X-Opsgenie-Errortype": "RequestNotProcessed"})
    done = {"data": {"success": True, "isSuccess": True, "status": "Created alert", "alertId": "1"}}
    failed = {"data": {"success": False, "isSuccess": False, "status": "Alert does not exist"}}
    again = {"data": {"success": False, "isSuccess": False, "status": "Alert is already closed"}}
    far_side.script = [not_yet, Answer(done), Answer(failed), Answer(again)]
    opsgenie = pager(far_side, connect)
    assert opsgenie.request_state("r-1")[:2] == ("pending", "")
    assert opsgenie.request_state("r-1")[:2] == ("done", "Created alert")
    assert opsgenie.request_state("r-1")[:2] == ("failed", "Alert does not exist")
    assert opsgenie.request_state("r-1")[:2] == ("done", "Alert is already closed")
    assert far_side.requests[0].path == "/v2/alerts/requests/r-1"


@pytest.mark.parametrize(
    ("shown", "at"),
    [
        ("2026-11-22T22:00:00.123Z", dt.datetime(2026, 11, 22, 22, 0, 0, 123000, dt.UTC)),
        ("2026-11-23T05:00:00+07:00", dt.datetime(2026, 11, 22, 22, tzinfo=dt.UTC)),
        ("2026-11-22T22:00:00", None),
        ("0001-01-01T00:00:00+07:00", None),
        ("not a date", None),
        (17, None),
    ],
)
def test_since_when_an_alert_is_there_is_read_where_it_is_told(
    far_side: FarSide, connect: Connect, shown: object, at: dt.datetime | None
) -> None:
    """In UTC; what is no instant is not known."""
    far_side.script = [Answer({"data": {"id": "1", "status": "closed", "createdAt": shown}})]
    state = pager(far_side, connect).alert_state("a")
    assert state is not None
    assert state.created_at == at


def test_an_alerts_state_is_read_by_alias(far_side: FarSide, connect: Connect) -> None:
    """Open or closed, acknowledged and by whom; None when there is no such alert."""
    shown = {"id": "1", "status": "open", "acknowledged": True, "owner": "de-003@example.com"}
    shown |= {"responders": [{"type": "user", "username": "x"}], "createdAt": "not a date"}
    far_side.script = [Answer({"data": shown}), Answer({"message": "no"}, 404)]
    opsgenie = pager(far_side, connect)
    state = opsgenie.alert_state("a:b")
    assert state is not None
    assert (state.open, state.acknowledged, state.owner) == (True, True, "de-003@example.com")
    assert opsgenie.alert_state("a:b") is None


def test_a_heartbeat_is_pinged_by_name(far_side: FarSide, connect: Connect) -> None:
    """The watcher's sign of life."""
    far_side.script = [Answer({"result": "PONG - Heartbeat received", "took": 0.1, "requestId": "r"}, 202)]
    pager(far_side, connect).ping("investor-sla-watch")
    assert far_side.requests[0].path == "/v2/heartbeats/investor-sla-watch/ping"


@pytest.mark.parametrize(
    "said", [{}, {"ok": True}, {"status": "up"}, {"ok": False, "error": "x"}, {"requestId": None}]
)
def test_somebody_else_s_success_is_no_ping(
    far_side: FarSide, connect: Connect, said: dict[str, object]
) -> None:
    """A proxy or a page of health answers with success too, and nobody would watch over Airflow."""
    far_side.always = Answer(said, 200)
    assert "no receipt" in str(failing(pager(far_side, connect).ping, "investor-sla-watch"))


def test_a_receipt_may_be_a_number(far_side: FarSide, connect: Connect) -> None:
    """Of a far side that speaks the same language: the page was sent anew until the next person was called."""
    far_side.script = [Answer({"requestId": 7}, 200)]
    assert pager(far_side, connect).page(MESSAGE) == "7"


@pytest.mark.parametrize("said", [{}, {"ok": True}, {"data": None}, {"data": "x"}, {"status": "up"}])
def test_the_check_takes_nobody_else_s_success_for_opsgenie_s(
    far_side: FarSide, connect: Connect, said: dict[str, object]
) -> None:
    """It said that key, heartbeat and accounts were good."""
    far_side.always = Answer(said, 200)
    for conn_id in ("opsgenie_default", "opsgenie_api"):
        connect(conn_id, host=far_side.url)
    checked = CheckResult()
    OpsgenieCheck(checked).ask(["beat"], ["ann@example.com"])
    assert not checked.good
    far_side.script = [Answer({"data": []})]
    OpsgenieCheck(checked).ask(["beat"], ["ann@example.com"])
    assert [said.rpartition(": ")[2] for said in checked.good] == ["the key is taken"]
    assert [problem.key for problem in checked.problems] == ["key", "heartbeat beat", "user ann@example.com"]


def test_jira_service_management_says_what_it_cannot_do(far_side: FarSide, connect: Connect) -> None:
    """The host decides: it takes pages, and shows neither alerts nor takes heartbeats."""
    far_side.script = [TAKEN]
    opsgenie = pager(far_side, connect, "/jsm/ops/integration")
    assert opsgenie.capabilities.name == "Jira Service Management"
    assert not opsgenie.capabilities.reads_alerts
    assert not opsgenie.capabilities.heartbeats
    with pytest.raises(Unreadable):
        opsgenie.alert_state("a")
    assert isinstance(failing(opsgenie.ping, "h"), Rejected)
    opsgenie.page(MESSAGE)
    assert [r.path for r in far_side.requests] == ["/jsm/ops/integration/v2/alerts"]


@pytest.mark.parametrize(
    ("host", "url"),
    [
        (None, "https://api.opsgenie.com"),
        ("api.eu.opsgenie.com", "https://api.eu.opsgenie.com"),
        ("https://api.eu.opsgenie.com/", "https://api.eu.opsgenie.com"),
        ("http://127.0.0.1:8025/opsgenie", "http://127.0.0.1:8025/opsgenie"),
    ],
)
def test_the_key_never_goes_out_over_plain_http(host: str | None, url: str, connect: Connect) -> None:
    """A host without a scheme means https."""
    opsgenie = Opsgenie.from_connection(connect(host=host))
    access, hook = opsgenie._connected.use()
    assert access.url == url
    assert hook.get_conn().api_client.configuration.host == url
    assert opsgenie.capabilities.reads_alerts


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ({"host": "http://inbox:8025"}, "unencrypted"),
        ({"host": "ftp://x"}, "is no address"),
        ({"host": "https://"}, "is no address"),
        ({"host": "https://x:port"}, "is no address"),
        ({"host": "https://x", "password": None}, "has no password"),
        ({"host": "https://x", "extra": {"timeout": "soon"}}, "write seconds"),
    ],
)
def test_a_wrong_connection_is_refused_in_its_own_words(
    written: dict[str, Any], words: str, connect: Connect
) -> None:
    """The error names the connection and what to write; asking what it can do raises nothing."""
    opsgenie = Opsgenie.from_connection(connect("mine", **written))
    error = failing(opsgenie.page, MESSAGE)
    assert isinstance(error, Rejected)
    assert "'mine'" in str(error)
    assert words in str(error)
    assert not opsgenie.capabilities.heartbeats


def test_an_unknown_connection_is_named() -> None:
    """The first thing a new installation sees."""
    error = failing(Opsgenie.from_connection("nobody_wrote_this").page, MESSAGE)
    assert isinstance(error, Rejected)
    assert "AIRFLOW_CONN_NOBODY_WROTE_THIS" in str(error)


def test_plain_http_can_be_allowed_inside_a_closed_network(connect: Connect) -> None:
    """A compose network's stand-in has a name and no certificate."""
    written = {"host": "http://inbox:8025", "extra": {"allow_http": True}}
    access, _ = Opsgenie.from_connection(connect(**written))._connected.use()
    assert access.url == "http://inbox:8025"


@pytest.mark.parametrize(
    ("answer", "kind", "uncertain", "retry_after"),
    [
        (Answer({"message": "Too many"}, 429, {"Retry-After": "7"}), DeliveryFailed, False, 7),
        (Answer({"message": "Too many"}, 429), DeliveryFailed, False, 0),
        (Answer({"message": "x"}, 429, {"X-RateLimit-Period-In-Sec": "60"}), DeliveryFailed, False, 60),
        (Answer({"message": "Busy"}, 503, {"Retry-After": "3"}), DeliveryFailed, True, 3),
        (Answer("<html>", 502), DeliveryFailed, True, None),
        (Answer({"message": "Key format is not valid!"}, 422), LockedOut, False, None),
        (Answer({"message": "Could not authenticate"}, 401), LockedOut, False, None),
        (Answer("<html>not here</html>", 404), LockedOut, False, None),
        (Answer("", 302, {"Location": "https://elsewhere"}), DeliveryFailed, False, None),
        (Answer("<html>welcome</html>", 200), DeliveryFailed, True, None),
        (Answer({"took": 0.1}, 200), DeliveryFailed, True, None),
        (Answer(how="drop"), DeliveryFailed, True, None),
    ],
)
def test_every_bad_answer_says_whether_to_try_again(
    answer: Answer,
    kind: type,
    uncertain: bool,
    retry_after: float | None,
    far_side: FarSide,
    connect: Connect,
) -> None:
    """At once, after one request, and whether the page may have been taken."""
    far_side.script = [answer]
    error = failing(pager(far_side, connect).page, MESSAGE)
    assert (type(error), error.uncertain, error.retry_after) == (kind, uncertain, retry_after)
    assert len(far_side.requests) == 1


SHAPES: list[dict[str, Any]] = [
    {"message": "Request body is not processable.", "errors": {"responders[0]": "User does not exist"}},
    {
        "message": "Request body is not processable.",
        "errors": {"responders": "No user with name [DE-003@example.com]"},
    },
    {"message": "User with username [de-003@example.com] does not exist"},
    {"message": "Responder not found"},
    {"errors": [{"code": "INVALID_RESPONDER", "detail": "no user de-003@example.com"}], "timestamp": "…"},
]


@pytest.mark.parametrize("status", [400, 422])
@pytest.mark.parametrize("shape", SHAPES)
def test_a_person_whom_opsgenie_does_not_know_is_named(
    shape: dict[str, Any], status: int, far_side: FarSide, connect: Connect
) -> None:
    """Another person may be taken: it is neither an outage nor the key."""
    far_side.script = [Answer(shape, status)]
    error = failing(pager(far_side, connect).page, MESSAGE)
    assert type(error) is UnknownPerson
    assert "does not know de-003@example.com" in str(error)


@pytest.mark.parametrize(
    "errors",
    [{"message": "length should be between 0 and 130"}, {"details": "too long"}, {"tags": "no"}, [1], "x"],
)
def test_another_complaint_is_of_the_message(errors: Any, far_side: FarSide, connect: Connect) -> None:
    """Nobody's account is to be mended."""
    far_side.script = [Answer({"message": "Request body is not processable.", "errors": errors}, 422)]
    assert type(failing(pager(far_side, connect).page, MESSAGE)) is Rejected


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 413, 418, 422, 425, 451])
@pytest.mark.parametrize("body", ["<html>Access denied</html>", "", {"error": "blocked"}])
def test_what_somebody_else_refuses_is_an_outage(
    body: Any, status: int, far_side: FarSide, connect: Connect
) -> None:
    """A firewall's page on the way says nothing of the message, of a person or of the key: the order holds, and nobody
    is sent to look for a right."""
    opsgenie = pager(far_side, connect)
    far_side.always = Answer(body, status)
    for call, args in ((opsgenie.page, (MESSAGE,)), (opsgenie.close, ("a", "x"))):
        error = failing(call, *args)
        assert (type(error), error.uncertain) == (LockedOut, False)
        assert "Does a proxy refuse what is sent there?" in str(error)
    with pytest.raises(DeliveryFailed):
        opsgenie.alert_state("a")


def test_somebody_without_a_username_cannot_be_paged(far_side: FarSide, connect: Connect) -> None:
    """An alert that notifies nobody is no page; one that is for nobody in particular is fine."""
    nobody = replace(MESSAGE, recipients=(Recipient("DE-009", None, "U0DE009"),))
    error = failing(pager(far_side, connect).page, nobody)
    assert type(error) is UnknownPerson
    assert "DE-009 has no username" in str(error)
    assert far_side.requests == []
    far_side.script = [TAKEN]
    pager(far_side, connect).page(replace(MESSAGE, recipients=()))
    assert "responders" not in far_side.requests[0].body


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (Answer({"message": "Alert with alias [a] does not exist", "requestId": "r"}, 404), Gone),
        (Answer("<html>not here</html>", 404), LockedOut),
        (Answer({"message": "no right", "requestId": "r"}, 403), LockedOut),
        (Answer({"message": "bad note", "requestId": "r"}, 422), Rejected),
        (Answer({"message": "busy"}, 503), DeliveryFailed),
    ],
)
def test_what_is_refused_of_an_alert_that_there_is(
    answer: Answer, kind: type[DeliveryFailed], far_side: FarSide, connect: Connect
) -> None:
    """To close what is gone is done; a wrong host is not."""
    opsgenie = pager(far_side, connect)
    far_side.script = [answer] * 3
    for call in (opsgenie.close, opsgenie.note):
        assert type(failing(call, "a", "x")) is kind
    assert type(failing(opsgenie.acknowledge, "a", "x", "DE-003")) is kind


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (Answer({"message": "no right", "requestId": "r"}, 403), NotAllowed),
        (Answer({"message": "who?", "requestId": "r"}, 401), NotAllowed),
        (Answer("<html>", 404), DeliveryFailed),
        (Answer({"message": "busy"}, 500), DeliveryFailed),
        (Answer({"message": "slow down"}, 429, {"Retry-After": "7"}), DeliveryFailed),
        (Answer({"data": {"status": "closing"}, "requestId": "r"}), DeliveryFailed),
        (Answer({"data": {"status": "open", "acknowledged": "true"}}), DeliveryFailed),
        (Answer({"data": None}), DeliveryFailed),
    ],
)
def test_what_cannot_be_read(answer: Answer, kind: type, far_side: FarSide, connect: Connect) -> None:
    """A missing right is told apart from a far side that is down: it does not pass."""
    far_side.script = [answer]
    with pytest.raises((DeliveryFailed, Unreadable)) as caught:
        pager(far_side, connect).alert_state("a")
    assert type(caught.value) is kind


@pytest.mark.parametrize(
    "data", [None, {}, [], {"isSuccess": "true"}, {"success": None, "status": "Created alert"}]
)
def test_what_became_of_a_request_is_not_guessed(data: Any, far_side: FarSide, connect: Connect) -> None:
    """Neither done nor failed: nobody is woken again because of an answer that makes no sense."""
    far_side.script = [Answer({"data": data, "requestId": "r"})]
    assert type(failing(pager(far_side, connect).request_state, "r")) is DeliveryFailed


def test_the_far_sides_words_are_kept_without_our_key(far_side: FarSide, connect: Connect) -> None:
    """422 says which field; a server that repeats the key does not put it into our logs."""
    far_side.script = [Answer({"message": f"bad {KEY}", "errors": {"message": "too long"}}, 422)]
    error = failing(pager(far_side, connect).page, MESSAGE)
    assert '422: bad *** {"message": "too long"}' in str(error)


def test_a_refused_connection_was_certainly_not_taken(connect: Connect) -> None:
    """Nobody listens: the other channel may speak at once."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        host = f"http://127.0.0.1:{taken.getsockname()[1]}"
        error = failing(Opsgenie.from_connection(connect(host=host)).page, MESSAGE)
    assert (type(error), error.uncertain) == (DeliveryFailed, False)


@pytest.mark.parametrize("how", ["hang", "drip"])
def test_a_call_ends_in_time_whatever_the_server_does(how: Any, far_side: FarSide, connect: Connect) -> None:
    """A time-out per read is not enough: a server that drips bytes would hold the pager for ever."""
    far_side.always = Answer(how=how)
    opsgenie = pager(far_side, connect, timeout=1)
    opsgenie.capabilities  # noqa: B018 - the first look-up imports Airflow
    started = time.monotonic()
    error = failing(opsgenie.page, MESSAGE)
    assert error.uncertain
    assert time.monotonic() - started < 4


def test_calls_that_hang_do_not_pile_up() -> None:
    """When every lane is taken the next call is not sent, and says so."""
    lanes = Lanes("far side", lanes=1)
    release = threading.Event()
    hanging = lanes.start(release.wait, 0.05)
    error = failing(lanes.start, lambda: "sent", 0.05)
    assert not error.uncertain
    release.set()
    assert hanging.result(5)
    assert lanes.start(lambda: "sent", 5).result(5) == "sent"


def test_two_connections_keep_their_own_keys(far_side: FarSide, connect: Connect) -> None:
    """The SDK shares one key among all its configurations; built at once, in any order, ours do not."""
    from opsgenie_sdk import Configuration

    before = dict(Configuration().api_key)
    far_side.always = TAKEN
    pagers = {
        f"key-number-{n}": Opsgenie.from_connection(
            connect(f"c{n}", host=far_side.url, password=f"key-number-{n}")
        )
        for n in range(6)
    }
    next(iter(pagers.values())).page(MESSAGE)
    threads = [
        threading.Thread(target=pager.close, args=(key, "x")) for key, pager in pagers.items() for _ in "12"
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    closed = [r for r in far_side.requests if r.path.endswith("/close")]
    assert len(closed) == 12
    assert all(r.headers["Authorization"] == f"GenieKey {r.path.split('/')[-2]}" for r in closed)
    assert dict(Configuration().api_key) == before


def test_a_changed_connection_is_noticed(far_side: FarSide, connect: Connect) -> None:
    """A new key is used without a restart; an unchanged connection keeps its client."""
    far_side.always = TAKEN
    opsgenie = Opsgenie.from_connection(connect(host=far_side.url), look_again_s=0)
    opsgenie.page(MESSAGE)
    _, before = opsgenie._connected.use()
    opsgenie.page(MESSAGE)
    assert opsgenie._connected.use()[1] is before
    connect(host=far_side.url, password="another-key")
    opsgenie.page(MESSAGE)
    assert far_side.requests[-1].headers["Authorization"] == "GenieKey another-key"


def test_pages_go_on_when_the_connection_can_no_longer_be_read(
    far_side: FarSide, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Airflow's database is down: the last known key still wakes people."""
    far_side.always = TAKEN
    opsgenie = Opsgenie.from_connection(connect("gone_later", host=far_side.url), look_again_s=0)
    opsgenie.page(MESSAGE)
    monkeypatch.delenv("AIRFLOW_CONN_GONE_LATER")
    assert opsgenie.page(MESSAGE) == "r-1"


def test_nothing_logs_the_key(far_side: FarSide, connect: Connect, caplog: pytest.LogCaptureFixture) -> None:
    """Not on success, not on failure, not at DEBUG, not in a traceback."""
    caplog.set_level(logging.DEBUG)
    far_side.script = [TAKEN, Answer({"message": f"bad {KEY}"}, 401), Answer(how="drop"), Answer("x", 500)]
    opsgenie = pager(far_side, connect)
    opsgenie.page(MESSAGE)
    told = ""
    for _ in range(3):
        try:
            opsgenie.page(MESSAGE)
        except DeliveryFailed as error:
            told += "".join(traceback.format_exception(error)) + repr(error)
    assert "401" in told
    assert KEY not in caplog.text
    assert KEY not in told


def test_a_long_message_is_cut_at_its_end() -> None:
    """Links, the first lines and the beginning of the steps survive whatever length the rest has."""
    long = Message(
        key="k",
        step="s",
        title="T" * 500,
        summary="First line.\n" + "s" * 9_000,
        facts=tuple((f"fact {n}", "v" * 900) for n in range(20)),
        steps="Do this first.\n\n" + "step " * 6_000,
        links=(("Run", "https://x/run"), ("Runbook", "https://x/runbook")),
        tags=tuple(f"tag {n} " + "t" * 90 for n in range(30)),
        recipients=tuple(Recipient(f"P{n}", f"p{n}@example.com") for n in range(80)),
    )
    body = alert(long)
    assert len(body["message"]) <= 100
    assert body["message"].endswith("…")
    assert len(body["description"]) <= 15_000
    assert body["description"].startswith("Do: Do this first.\nRun: https://x/run\n\nFirst line.")
    assert "Runbook: https://x/runbook\n\nSteps\nstep step" in body["description"]
    assert sum(len(label) + len(value) for label, value in body["details"].items()) <= 8_000
    assert len(body["tags"]) == 20
    assert max(map(len, body["tags"])) <= 50
    assert len(body["responders"]) == 50


@given(st.text(max_size=700), st.text(max_size=700))
def test_a_long_alias_stays_unique_and_the_same(alias: str, other: str) -> None:
    """Two steps never share an alias, and a repeat is always recognised."""
    assert len(fitting_alias(alias)) <= 512
    assert fitting_alias(alias) == fitting_alias(str(alias))
    assert (fitting_alias(alias) == fitting_alias(other)) == (alias == other)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        (None, None),
        ({"retry-after": "2.5"}, 2.5),
        ({"Retry-After": "Mon, 05 Jan 2026 00:00:00 GMT"}, 0),
        ({"Retry-After": "later"}, None),
        ({"x-ratelimit-period-in-sec": "60"}, 60),
    ],
)
def test_how_long_to_wait(headers: dict[str, str] | None, seconds: float | None) -> None:
    """Seconds, or a date, which may be past; nonsense is no answer."""
    assert seconds_to_wait(headers) == seconds


@pytest.mark.parametrize(
    "busy", [Answer({"message": "Too many"}, 429), Answer({"message": "Busy"}, 503), Answer(how="drop")]
)
def test_a_new_key_is_not_called_wrong_while_nobody_answers(
    far_side: FarSide, connect: Connect, busy: Answer
) -> None:
    """The one before goes on until the far side can say; a key that it refuses is wrong."""
    opsgenie = Opsgenie.from_connection(connect("ops", host=far_side.url, password="before"), look_again_s=0)
    opsgenie.prepare()
    connect("ops", host=far_side.url, password="after")
    far_side.always = busy
    opsgenie.prepare()
    assert opsgenie.trouble == ""
    assert opsgenie._connected.use()[0].key == "before"
    far_side.always = Answer({"message": "no such key", "requestId": "r"}, 401)
    opsgenie.prepare()
    assert opsgenie.trouble
