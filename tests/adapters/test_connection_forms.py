"""Connections as people and Airflow's own form write them: what means nothing, what is meant, and what is wrong."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oncall.adapters.airflow_connections import look_up_in_airflow
from oncall.adapters.http import exchange
from oncall.adapters.http.calls import CALL_S
from oncall.adapters.http.connections import EU_URL, Access
from oncall.adapters.http.exchange import Answer as Refusal
from oncall.adapters.http.proxy_and_certificates import trusted
from oncall.adapters.opsgenie.errors import refusal
from oncall.adapters.opsgenie.errors import unreadable as unreadable_answer
from oncall.adapters.opsgenie.pager import Opsgenie
from oncall.adapters.slack.chat import THREAD_URL, Slack
from oncall.core.errors import DeliveryFailed, LockedOut
from oncall.core.message import Message
from tests.adapters.locked_out import locked_out_words
from tests.adapters.scripted import KEY, Answer, Connect, FarSide
from tests.exploring import examples

TRUSTED = cache(trusted)
MESSAGE = Message("growth_etl:2026-01-05", "page-1-primary", "Late")
US = "https://api.opsgenie.com"


@pytest.fixture(autouse=True)
def certificates_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test here is about them, and to read all authorities of the world takes longer than to read a connection."""
    monkeypatch.setattr(exchange, "trusted", TRUSTED)


def opsgenie(connect: Connect, **written: Any) -> Access:
    return Opsgenie.from_connection(connect("ops", conn_type="opsgenie", **written))._connected.use()[0]


def slack(connect: Connect, **written: Any) -> Access:
    return Slack.from_connection(connect("chat", conn_type="slack", **written))._connected.use()[0]


def test_a_slack_connection_made_in_airflows_own_form(connect: Connect) -> None:
    """The form stores null for every field that was left empty."""
    form = {"timeout": None, "base_url": None, "proxy": None}
    access = slack(connect, extra=form)
    assert (access.url, access.call_s, access.proxy) == ("https://slack.com/api", CALL_S, "")
    assert Slack.from_connection("chat").thread_url == THREAD_URL


def test_an_address_that_looks_right_and_is_not(connect: Connect) -> None:
    """As a page or a chat gives it to the clipboard."""
    with pytest.raises(LockedOut, match="a character in its base_url that nobody sees"):
        slack(connect, extra={"base_url": "https://sl\u200back.com/api/"})


@pytest.mark.parametrize("nothing", [None, "", " ", "null", "None", "NULL\n"])
def test_the_ways_of_writing_nothing_all_mean_the_default(nothing: Any, connect: Connect) -> None:
    """In the extra, and in the fields of the form."""
    names = ("timeout", "base_url", "proxy", "thread_url", "alert_url", "channel_ids", "allow_http")
    extra = dict.fromkeys(names, nothing)
    assert slack(connect, extra=extra).url == "https://slack.com/api"
    access = opsgenie(connect, host=nothing, extra=extra)
    assert (access.url, access.call_s, access.proxy) == (US, CALL_S, "")
    assert Opsgenie.from_connection("ops").alert_url.startswith("https://app.opsgenie.com/")


def test_an_extra_named_as_airflow_2_did_is_the_same(connect: Connect) -> None:
    """Its forms wrote `extra__slack__timeout`, with nothing in what was left empty; connections outlive the upgrade."""
    old = {
        "extra__slack__timeout": "2.5",
        "extra__slack__proxy": None,
        "extra__slack__base_url": "https://gate.example",
    }
    access = slack(connect, extra=old)
    assert (access.url, access.call_s, access.proxy) == ("https://gate.example", 2.5, "")
    assert slack(connect, extra={**old, "timeout": 4}).call_s == 4
    assert opsgenie(connect, extra={"extra__opsgenie__timeout": ""}).call_s == CALL_S


@pytest.mark.parametrize("extra", [None, "", "null", "{}", "[]", {}])
def test_an_extra_that_is_not_there(extra: Any, connect: Connect) -> None:
    """However it is stored."""
    assert opsgenie(connect, host=None, extra=extra).url == US
    assert slack(connect, extra=extra).call_s == CALL_S


@pytest.mark.parametrize(
    ("timeout", "seconds"),
    [(2.5, 2.5), ("2.5", 2.5), (" 4 ", 4), (5, 5), ("30", CALL_S), (1e300, CALL_S), (0, 1), (-3, 1), ("inf", CALL_S),
     (10**400, CALL_S)],
)  # fmt: skip
def test_seconds_are_a_number_within_bounds(timeout: Any, seconds: float, connect: Connect) -> None:
    """As text too; never longer than a call may take."""
    assert slack(connect, extra={"timeout": timeout}).call_s == seconds


@pytest.mark.parametrize(
    "host",
    [
        "api.eu.opsgenie.com",
        "https://api.eu.opsgenie.com/",
        " api.eu.opsgenie.com\n",
        "https://api.eu.opsgenie.com/v2/alerts",
        "https://api.eu.opsgenie.com/v2/",
        "https://api.eu.opsgenie.com/V2/Alerts",
        "api.eu.opsgenie.com.",
        "https://api.eu.opsgenie.com./v2",
    ],
)
def test_a_host_with_and_without_what_belongs_to_it(host: str, connect: Connect) -> None:
    """Scheme, slash, blanks around it, and the path of the documentation's examples."""
    assert opsgenie(connect, host=host).url == "https://api.eu.opsgenie.com"


@pytest.mark.parametrize(
    ("host", "port"),
    [
        ("opsgenie.example.com", 8443),
        ("https://opsgenie.example.com", 8443),
        ("HTTPS://OPSGENIE.example.com/", 8443),
        ("https://opsgenie.example.com:8443", None),
        ("https://opsgenie.example.com:8443", 443),
        ("opsgenie.example.com", "8443"),
    ],
)
def test_a_port_of_its_own_field(host: str, port: Any, connect: Connect) -> None:
    """With a scheme before the host too; one that is written in the host comes first."""
    assert opsgenie(connect, host=host, port=port).url == "https://opsgenie.example.com:8443"


def test_a_host_in_capitals_is_the_same_host(connect: Connect) -> None:
    """Its certificate is checked against the same list, its alerts are shown on the same page."""
    assert opsgenie(connect, host="HTTPS://API.EU.Opsgenie.com").url == "https://api.eu.opsgenie.com"
    assert Opsgenie.from_connection("ops").alert_url.startswith("https://app.eu.opsgenie.com/")


@pytest.mark.parametrize("password", [f" {KEY}", f"{KEY}\n", f"\t{KEY}\r\n "])
def test_blanks_around_a_key_are_no_part_of_it(password: str, far_side: FarSide, connect: Connect) -> None:
    """As it comes out of a file or a clipboard."""
    far_side.always = Answer({"ok": True, "channel": "C1", "ts": "1.000001", "requestId": "r"})
    Opsgenie.from_connection(connect("ops", host=far_side.url, password=password)).page(MESSAGE)
    extra = {"base_url": f"{far_side.url}/api"}
    Slack.from_connection(connect("chat", password=password, extra=extra)).post(MESSAGE, "#c")
    sent = [request.headers["Authorization"] for request in far_side.requests]
    assert sent == [f"GenieKey {KEY}", f"Bearer {KEY}"]


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ({"extra": {"timeout": True}}, "extra timeout"),
        ({"extra": {"timeout": [1]}}, "extra timeout"),
        ({"extra": {"timeout": "nan"}}, "extra timeout"),
        ({"extra": {"proxy": 3128}}, "extra proxy"),
        ({"extra": {"proxy": {"https": "x"}}}, "extra proxy"),
        ({"extra": {"allow_http": "perhaps"}}, "extra allow_http"),
        ({"extra": "[1]"}, "extra"),
        ({"host": "https://me:s3cret@api.opsgenie.com"}, "user or a password"),
        ({"host": "me:s3cret@api.opsgenie.com"}, "user or a password"),
        ({"host": "https://api..opsgenie.com"}, "is no address"),
        ({"host": "https://" + "x" * 300}, "is no address"),
        ({"host": "https://api.opsgenie.com?a=1"}, "is no address"),
        ({"host": "https://[::1"}, "is no address"),
        ({"extra": '{"timeout": 5'}, "no JSON (line 1, column 14)"),
        ({"extra": "sslmode=disable"}, "no JSON"),
        ({"extra": json.dumps(json.dumps({"timeout": 5}))}, "no JSON object"),
        ({"host": "https//api.opsgenie.com"}, "is no address"),
        ({"host": None, "password": f"{KEY!r}"}, "write the key alone"),
        ({"host": "https:/api.opsgenie.com"}, "is no address"),
        ({"host": "https:\\\\api.opsgenie.com"}, "is no address"),
        ({"host": '"api.opsgenie.com"'}, "is no address"),
        ({"host": "api.opsgenie.com\x00"}, "a character in its host that nobody sees"),
        ({"host": "api.ops\u200bgenie.com"}, "a character in its host that nobody sees"),
        ({"host": "https://"}, "is no address"),
        (
            {"host": "api.opsgenie.com", "port": 70000},
            "host that is no address with the port 70000;",
        ),
        ({"host": "\u0430pi.opsgenie.com"}, "host that is no address: it has a letter that none has"),
        ({"host": "eu"}, "host that is no address; write for example https://api.eu.opsgenie.com"),
        ({"host": "eu-west-1"}, "host that is no address; write for example https://api.eu.opsgenie.com"),
        ({"host": "us"}, "host that is no address; write for example https://api.opsgenie.com"),
        ({"host": "TODO"}, "is no address"),
        ({"host": "n/a"}, "is no address"),
        ({"host": "-"}, "is no address"),
        ({"host": "api.opsgenie.com;"}, "is no address"),
        ({"host": "api.opsgenie.com%2F"}, "is no address"),
        ({"host": "0x7f000001"}, "is no address"),
        (
            {"host": "https://app.opsgenie.com"},
            "https://app.opsgenie.com, where no alert can be made; write as host",
        ),
        (
            {"host": "acme.app.opsgenie.com/alert"},
            "where no alert can be made; write as host Opsgenie's https://api.",
        ),
        ({"host": "opsgenie.com"}, "where no alert can be made"),
        ({"host": "api.opsgenie.com/v1/json"}, "where no alert can be made"),
        (
            {"host": "https://api.atlassian.com"},
            "Jira Service Management's https://api.atlassian.com/jsm/ops/integration",
        ),
        ({"host": "https://acme.atlassian.net/jira/ops"}, "where no alert can be made"),
        ({"host": "eb243592-faa2-4ba2-a551q-s3cret"}, "looks like a key in its host"),
        ({"host": "https://xoxb-1-s3cret.example"}, "looks like a key in its host"),
        ({"host": "https://api.opsgenie.com?apiKey=s3cret1"}, "looks like a key in its host"),
        ({"password": "two words"}, "password"),
        ({"password": "clé"}, "password"),
        ({"password": " \n"}, "no password"),
    ],
)
def test_what_is_wrong_is_said_with_what_to_write(
    written: dict[str, Any], words: str, connect: Connect
) -> None:
    """Nothing gets through before it is mended; a secret in the wrong field is not repeated."""
    with pytest.raises(LockedOut, match=r"connection 'ops' has .*; write ") as wrong:
        opsgenie(connect, **written)
    assert words in str(wrong.value)
    assert "s3cret" not in str(wrong.value)


@pytest.mark.parametrize(
    "address",
    [
        1,
        None,
        ["https://x"],
        {"a": 1},
        "",
        "javascript:alert(1)",
        " https://x/{alias} ",
        "https://x/{0}/{alias.y}/{",
        "https://me:s3cret@x/{alias}",
    ],
)
def test_an_address_for_people_never_raises(address: Any, connect: Connect) -> None:
    """The page asks for it at every look."""
    extra = {"alert_url": address, "thread_url": address}
    pager, chat = (
        Opsgenie.from_connection(connect("ops", extra=extra)),
        Slack.from_connection(connect("chat", extra=extra)),
    )
    for said in (pager.alert_url, chat.thread_url):
        assert said == "" or said.startswith("https://")
        assert "s3cret" not in said


JSON = {"conn_type": "opsgenie", "password": "s3cret1"}


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("s3cret1", "neither JSON nor a URI"),
        ('"s3cret1"', """it begins with '"'; write it without"""),
        (f"'{json.dumps(JSON)}'", '''it begins with "'"; write it without, as JSON'''),  # docker's --env-file
        (f"\ufeff{json.dumps(JSON)}", r"it begins with '\ufeff'"),
        ('["s3cret1"]', "neither JSON nor a URI"),
        ("jdbc:postgresql:///run?password=s3cret1", "neither JSON nor a URI"),
        ('{"password": "s3cret1"', "its JSON cannot be read (line 1, column 23)"),
        ("{'password': 's3cret1'}", "its JSON cannot be read (line 1, column 2)"),
        (json.dumps({**JSON, "api_key": "s3cret1", "user": 1}), "it has the field api_key, user; a connection has "),
        (json.dumps({**JSON, "port": "s3cret1"}), "port is a number"),
        (json.dumps({**JSON, "password": 5}), "a text in quotes"),
        ("opsgenie://:s3cret1@localhost:port", "a URI that Airflow cannot read"),
        ("opsgenie://:s3cret1#x@localhost", "every / : @ # ? and % as a code"),
        ("opsgenie://:s3cret1@https://api.opsgenie.com", "a URI that Airflow cannot read"),
        ("slack://:s3cret1@/?base_url=http://127.0.0.1/api/", "a URI that Airflow cannot read"),
    ],
)  # fmt: skip
def test_a_variable_that_airflow_cannot_read_is_not_said_to_be_missing(
    written: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Airflow says nothing of it and looks elsewhere; for every kind of connection it is told what to write."""
    monkeypatch.setenv("AIRFLOW_CONN_ODD", written)
    for said in locked_out_words("odd"):
        assert said.startswith("AIRFLOW_CONN_ODD is no connection: ")
        assert words in said
        assert "s3cret1" not in said


def test_a_connection_is_asked_for_as_the_watcher_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the check finds good, the watcher takes: a field too many made Airflow take none of it."""
    monkeypatch.setenv("AIRFLOW_CONN_ODD", json.dumps({**JSON, "username": "x"}))
    with pytest.raises(LockedOut, match="it has the field username"):
        look_up_in_airflow("odd")


def test_without_a_host_a_refused_key_may_be_one_of_the_eu() -> None:
    refused = Refusal(401, {}, {"message": "Could not authenticate"})
    for url, told in ((US, True), ("https://api.eu.opsgenie.com", False)):
        access = Access("ops", url, KEY)
        for error in (refusal(refused, access), unreadable_answer(refused, access)):
            assert "the connection's password" in str(error)
            assert ("https://api.eu.opsgenie.com" in str(error).partition(";")[2]) is told


def test_a_region_is_an_address_where_the_connection_names_none(connect: Connect) -> None:
    """The key of an account in the EU was shown to the other region, which does not know it."""
    for said, url in (("eu", EU_URL), (" EU ", EU_URL), ("us", US), ("", US), (None, US), (7, US)):
        assert opsgenie(connect, host="", extra={"region": said}).url == url
    assert opsgenie(connect, host=US, extra={"region": "eu"}).url == US
    assert slack(connect, extra={"region": "eu"}).url == "https://slack.com/api"


@pytest.mark.parametrize("ids", [1, None, "x", ["C1"], {"#de-oncall": 1}, {"#de-oncall": None}])
def test_channel_ids_of_a_wrong_type_are_none(ids: Any, far_side: FarSide, connect: Connect) -> None:
    """They only save a question."""
    import datetime as dt

    far_side.always = Answer({"ok": True, "messages": [], "channels": []})
    extra = {"base_url": f"{far_side.url}/api", "channel_ids": ids}
    chat = Slack.from_connection(connect("chat", extra=extra))
    assert chat.find("k", "s", "#de-oncall", dt.datetime(2026, 1, 1, tzinfo=dt.UTC)) is None


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=4,
)
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "timeout": ANYTHING, "proxy": ANYTHING, "base_url": ANYTHING, "allow_http": ANYTHING, "alert_url": ANYTHING,
        "thread_url": ANYTHING, "channel_ids": ANYTHING,
    },
)  # fmt: skip


@settings(
    max_examples=examples(20), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(extra=FIELDS, host=st.none() | st.text(max_size=20), password=st.none() | st.text(max_size=8))
def test_no_connection_is_too_odd(extra: Any, host: Any, password: Any, connect: Connect) -> None:
    """Usable, or refused in our words; asking what it can do never raises."""
    written = {"extra": extra, "host": host, "password": password}
    pager = Opsgenie.from_connection(connect("ops", **written))
    chat = Slack.from_connection(connect("chat", **written))
    for channel in (pager, chat):
        try:
            channel.prepare()
        except DeliveryFailed:
            continue
    assert isinstance(pager.capabilities.name, str)
    assert isinstance(pager.alert_url + chat.thread_url, str)
