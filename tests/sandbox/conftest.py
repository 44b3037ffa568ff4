"""The sandbox's tests share one running inbox, emptied before each test, and the real clients of its faces."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import opsgenie_sdk
import pytest
from slack_sdk import WebClient

from sandbox.inbox.testing import RunningInbox


@pytest.fixture
def alert_api(inbox: RunningInbox) -> opsgenie_sdk.AlertApi:
    """Opsgenie's own client, against the Opsgenie face, with one retry instead of its 20 seconds of them."""
    return opsgenie_sdk.AlertApi(
        opsgenie_sdk.ApiClient(sdk_configuration(inbox.opsgenie_host, inbox.opsgenie_key))
    )


@pytest.fixture
def heartbeat_api(inbox: RunningInbox) -> opsgenie_sdk.HeartbeatApi:
    configuration = sdk_configuration(inbox.opsgenie_host, inbox.opsgenie_key)
    return opsgenie_sdk.HeartbeatApi(opsgenie_sdk.ApiClient(configuration))


def sdk_configuration(host: str, key: str) -> opsgenie_sdk.Configuration:
    configuration = opsgenie_sdk.Configuration()
    configuration.api_key = {"Authorization": key}  # a new dict: the class shares one among all objects
    configuration.host = host
    configuration.retry_count = 1
    return configuration


@pytest.fixture
def slack(inbox: RunningInbox) -> WebClient:
    """Slack's own client without any retrying."""
    return WebClient(token=inbox.slack_token, base_url=inbox.slack_base_url, retry_handlers=[], timeout=5)


@pytest.fixture
def genie(inbox: RunningInbox) -> Callable[..., httpx.Response]:
    """A bare call to the Opsgenie face: `genie("POST", "/v2/alerts", {…})`."""

    def call(method: str, path: str, body: Any = None, *, key: str = "", host: str = "") -> httpx.Response:
        headers = {"Authorization": f"GenieKey {key or inbox.opsgenie_key}"}
        return inbox.http.request(method, (host or inbox.opsgenie_host) + path, json=body, headers=headers)

    return call
