"""Where a person sees an alert or a thread: told by the connection, usual for the vendors' own hosts."""

from __future__ import annotations

import pytest

from oncall.adapters.opsgenie.pager import Opsgenie
from oncall.adapters.slack.chat import THREAD_URL, Slack
from tests.adapters.scripted import Connect

JSM = "https://api.atlassian.com/jsm/ops/integration"


@pytest.mark.parametrize(
    ("host", "web"),
    [("", "https://app.opsgenie.com/"), ("api.opsgenie.com", "https://app.opsgenie.com/"),
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
