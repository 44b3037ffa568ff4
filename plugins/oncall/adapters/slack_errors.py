"""What went wrong in Slack, in our words: may it be tried again, when, and what is to be mended. Calls nobody."""

from __future__ import annotations

import http.client
import socket
import ssl
import urllib.error
from collections.abc import Mapping
from typing import Any

from oncall.adapters.calls import seconds_to_wait
from oncall.adapters.connections import Access
from oncall.core.errors import DeliveryFailed, LockedOut, Rejected

_TRANSIENT = {"fatal_error", "internal_error", "service_unavailable", "request_timeout", "team_added_to_org"}
_RATE_LIMITED = {"ratelimited", "rate_limited"}
_BAD_TOKEN = ("invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired")
_BAD_CHANNEL = ("channel_not_found", "not_in_channel")
_MEND = {
    **dict.fromkeys(_BAD_TOKEN, "put a valid bot token (xoxb-…) into the connection's password"),
    **dict.fromkeys(_BAD_CHANNEL, "write an existing channel into roster.yaml and /invite the bot to it"),
    "is_archived": "unarchive the channel, or write another one into roster.yaml",
    "missing_scope": "give the Slack app the scope it needs and install it again",
}


class Refused(Rejected):
    """Slack answered `ok: false`; `error` is its word for it."""

    def __init__(self, reason: str, error: str) -> None:
        super().__init__(reason)
        self.error = error


class NotLetIn(Refused, LockedOut):
    """Slack refused the token."""


def failure(error: Exception, access: Access) -> DeliveryFailed:
    """The SDK's error in our words: may it be tried again, when, and may Slack have taken it."""
    from slack_sdk.errors import SlackApiError

    at = f"connection {access.conn_id!r}, {access.url}"
    if isinstance(error, SlackApiError):
        return _answered(error.response, access, at)
    words = access.hide(f"{type(error).__name__}: {error}")
    if isinstance(error, urllib.error.URLError):
        never_sent = (ConnectionRefusedError, socket.gaierror, ssl.SSLError, TimeoutError)
        return DeliveryFailed(f"{at}: {words}", uncertain=not isinstance(error.reason, never_sent))
    if isinstance(error, http.client.InvalidURL):
        return LockedOut(f"{at}: {words}; mend the connection's base_url")
    return DeliveryFailed(f"{at}: {words}", uncertain=True)


def _answered(response: Any, access: Access, at: str) -> DeliveryFailed:
    data = response.data if isinstance(response.data, Mapping) else {}
    error = access.hide(str(data.get("error") or "no reason given"))
    reason = f"{at}: {response.status_code}: {error}"
    if response.status_code == 429 or error in _RATE_LIMITED:
        return DeliveryFailed(reason, retry_after=seconds_to_wait(response.headers))
    if response.status_code >= 500 or error in _TRANSIENT:
        return DeliveryFailed(reason, retry_after=seconds_to_wait(response.headers), uncertain=True)
    if error.startswith("Received a response in a non-JSON format") and response.status_code == 200:
        return DeliveryFailed(f"{reason}; is the connection's base_url right?", uncertain=True)
    if mend := _MEND.get(error):
        reason += f"; {mend}"
    if needed := data.get("needed"):
        reason += f" (needed: {needed})"
    return NotLetIn(reason, error) if error in _BAD_TOKEN else Refused(reason, error)
