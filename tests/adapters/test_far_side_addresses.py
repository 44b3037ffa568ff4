"""Where a person sees an alert or a thread: told by the connection, usual for the vendors' own hosts."""

from __future__ import annotations

import pytest

from oncall.adapters.http.connections import Access
from oncall.adapters.opsgenie.pager import Opsgenie
from oncall.adapters.slack.chat import THREAD_URL, Slack
from tests.adapters.scripted import Connect

JSM = "https://api.atlassian.com/jsm/ops/integration"


@pytest.mark.parametrize(
    ("host", "web"),
    [("", "https://app.opsgenie.com/"), ("api.opsgenie.com", "https://app.opsgenie.com/"),
     ("api.eu.opsgenie.com:443", "https://app.eu.opsgenie.com/"),
     ("https://api.eu.opsgenie.com", "https://app.eu.opsgenie.com/")],
)  # fmt: skip
def test_opsgenie_shows_an_alert_by_its_alias(connect: Connect, host: str, web: str) -> None:
    """US and EU have a page each, which searches."""
    found = Opsgenie.from_connection(connect(host=host)).alert_url
    assert found.startswith(web)
    assert "{alias}" in found


def test_where_nobody_knows_there_is_no_address(connect: Connect) -> None:
    """Jira Service Management has a page per site; without a connection, or with nonsense in it, there is none."""
    assert Opsgenie.from_connection(connect(host=JSM)).alert_url == ""
    assert Opsgenie.from_connection("nobody_wrote_it").alert_url == ""
    assert Slack.from_connection("nobody_wrote_it").thread_url == ""
    script = {"alert_url": "javascript:alert(1)//{alias}", "thread_url": "javascript:alert(1)"}
    assert Opsgenie.from_connection(connect(extra=script)).alert_url == ""
    assert Slack.from_connection(connect(extra=script)).thread_url == ""


def test_the_connection_may_tell(connect: Connect) -> None:
    """An extra names another page: a site of JSM, a workspace, an inbox."""
    mine = "https://acme.example.com/alerts?query={alias}"
    assert Opsgenie.from_connection(connect(host=JSM, extra={"alert_url": mine})).alert_url == mine
    mine = "https://acme.slack.example.com/{channel}/{ts}"
    assert Slack.from_connection(connect(extra={"thread_url": mine})).thread_url == mine
    assert Slack.from_connection(connect()).thread_url == THREAD_URL


@pytest.mark.parametrize(
    ("field", "extra", "called"),
    [
        ("", {"host": "https://api.eu.opsgenie.com"}, "https://api.eu.opsgenie.com"),
        ("", {"host": "api.eu.opsgenie.com/v2"}, "https://api.eu.opsgenie.com"),
        ("api.opsgenie.com", {"host": "https://api.eu.opsgenie.com"}, "https://api.opsgenie.com"),
        ("", {"host": None}, "https://api.opsgenie.com"),
        ("", {"host": " "}, "https://api.opsgenie.com"),
    ],
)
def test_the_host_may_stand_among_the_extras(
    connect: Connect, field: str, extra: dict[str, object], called: str
) -> None:
    """As it does in a URI with a path; passed over, a key of the EU was sent to the US."""
    assert access(Opsgenie.from_connection(connect(host=field, extra=extra))).url == called


@pytest.mark.parametrize(
    ("written", "called"),
    [
        ("https://slack.com", "https://slack.com/api"),
        ("https://SLACK.com/", "https://slack.com/api"),
        ("slack.com", "https://slack.com/api"),
        ("https://acme.slack.com", "https://acme.slack.com/api"),
        ("https://slack-gov.com/", "https://slack-gov.com/api"),
        ("https://slack.com/api/", "https://slack.com/api"),
        ("https://notslack.com", "https://notslack.com"),
        ("https://slack.com.example.com", "https://slack.com.example.com"),
        ("https://relay.example.com", "https://relay.example.com"),
    ],
)
def test_slack_is_called_where_its_api_stands(connect: Connect, written: str, called: str) -> None:
    """Beside it stand pages for people, which answer a call with one of them."""
    assert access(Slack.from_connection(connect(extra={"base_url": written}))).url == called


def access(far_side: Opsgenie | Slack) -> Access:
    found = far_side._reached()
    assert found is not None
    return found
