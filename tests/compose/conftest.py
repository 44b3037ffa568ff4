"""Slack's client for the inbox."""

from __future__ import annotations

import pytest
from slack_sdk import WebClient

from sandbox.inbox.testing import RunningInbox


@pytest.fixture
def slack(inbox: RunningInbox) -> WebClient:
    """Slack's own client without any retrying."""
    return WebClient(token=inbox.slack_token, base_url=inbox.slack_base_url, retry_handlers=[], timeout=5)
