"""An inbox of one's own, and Slack's client for it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from slack_sdk import WebClient

from sandbox.inbox.testing import RunningInbox, running_inbox


@pytest.fixture
def inbox() -> Iterator[RunningInbox]:
    with running_inbox() as inbox:
        yield inbox


@pytest.fixture
def slack(inbox: RunningInbox) -> WebClient:
    """Slack's own client without any retrying."""
    return WebClient(token=inbox.slack_token, base_url=inbox.slack_base_url, retry_handlers=[], timeout=5)
