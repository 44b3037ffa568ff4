"""Slack's SDK, made safe to tell people with; knows nothing of what is said.

What is mended (all seen on slack_sdk 3.47): redirects that are followed to another host with the token, time-outs per
read, answers without an end, proxies of the environment for this very machine, and whole requests in the log at DEBUG.
The provider's hook is not used: it reads the connection a second time, by stricter rules than its own form writes it.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit
from urllib.request import Request

from slack_sdk import WebClient

from oncall.adapters.http.calls import seconds_to_wait
from oncall.adapters.http.connections import Access
from oncall.adapters.http.exchange import Exchange
from oncall.adapters.slack.errors import failure

_JSON = "application/json"


class SafeClient(WebClient):
    """Sends through an Exchange; whatever is not `ok: true` is an error in our words."""

    def __init__(self, access: Access) -> None:
        # outside the tree of loggers
        silent = logging.Logger("slack_sdk of oncall", level=logging.CRITICAL + 1)
        super().__init__(token=access.key, base_url=f"{access.url}/", retry_handlers=[], logger=silent)
        self._access = access
        self._exchange = Exchange(access, "Slack")

    def _perform_urllib_http_request_internal(self, url: str, req: Request) -> dict[str, Any]:
        """One of the SDK's own steps: everything it sends comes through here."""
        headers: Mapping[str, str] = dict(req.header_items())
        body = req.data if isinstance(req.data, bytes) else None
        if body and headers.get("Content-type", "").startswith(_JSON):
            # A lone surrogate is no text that a far side can take.
            body = json.dumps(json.loads(body), ensure_ascii=False).encode("utf-8", "replace")
            headers = {name: value for name, value in headers.items() if name.lower() != "content-length"}
        answer = self._exchange.send(req.get_method(), url, headers, body)
        if answer.status >= 300 or answer.data.get("ok") is not True:
            method = urlsplit(url).path.rpartition("/")[2]
            raise failure(method, answer.data, answer.status, seconds_to_wait(answer.headers), self._access)
        # The SDK takes no other status for a success; a proxy that changes something on the way makes 203 of it.
        return {"status": 200, "headers": answer.headers, "body": json.dumps(answer.data)}
