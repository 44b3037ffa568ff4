"""The provider's hook and the vendor's SDK, made safe to wake people with; knows nothing of what is said.

What is mended (all seen on opsgenie-sdk 2.1.5): one key shared by every configuration of the process, retries of
20 seconds that ignore Retry-After, no bounds of time and size, neither the system's certificates nor the environment's
proxy, and models that raise on an answer they do not expect after the alert was taken.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from airflow.providers.opsgenie.hooks.opsgenie import OpsgenieAlertHook
from airflow.sdk import BaseHook
from opsgenie_sdk import AlertApi, ApiClient, Configuration, HeartbeatApi

from oncall.adapters.http.connections import Access
from oncall.adapters.http.exchange import TAKEN, Answer, Exchange
from oncall.adapters.opsgenie.errors import OpsgenieRefused


class PlainClient(ApiClient):
    """Sends through an Exchange, and gives answers as they were sent (dicts); a 4xx is OpsgenieRefused."""

    def __init__(self, configuration: Configuration, exchange: Exchange) -> None:
        super().__init__(configuration)
        self._exchange = exchange

    def request(
        self,
        method: str,
        url: str,
        query_params: Sequence[tuple[str, Any]] | None = None,
        headers: Mapping[str, str] | None = None,
        body: Any = None,
        **_: Any,
    ) -> Any:
        """One of the SDK's own steps: everything it sends comes through here."""
        url = f"{url}?{urlencode(query_params)}" if query_params else url
        # A lone surrogate is no text that a far side can take.
        sent = None if body is None else json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
        answer = self._exchange.send(
            method, url, {"Content-Type": "application/json", **(headers or {})}, sent
        )
        if answer.status >= 400:
            raise OpsgenieRefused(answer)
        return _Response(answer)

    def deserialize(self, response: Any, response_type: str) -> Any:
        """A receipt is one by its status alone: not each far side says in the same place for what it is."""
        taken = {"result": "taken"} if response.status in TAKEN else {}
        return {**taken, **json.loads(response.data)}


class _Response:
    """What the SDK asks of an answer."""

    urllib3_response = None

    def __init__(self, answer: Answer) -> None:
        self.status, self.data, self._headers = answer.status, json.dumps(answer.data), answer.headers

    def getheader(self, name: str, default: str | None = None) -> str | None:
        return self._headers.get(name.lower(), default)

    def getheaders(self) -> Mapping[str, str]:
        return self._headers


class SafeOpsgenieHook(OpsgenieAlertHook):
    """The provider's hook with a configuration of its own.

    Its `__init__` is not called: it writes the key into a dict that all configurations of the process share, so that
    two connections would send each other's keys.
    """

    def __init__(self, access: Access) -> None:
        BaseHook.__init__(self)
        self.conn_id = access.conn_id
        configuration = Configuration()
        configuration.api_key = {"Authorization": access.key}
        configuration.api_key_prefix = {"Authorization": "GenieKey"}
        configuration.host = access.url
        configuration.retry_enabled = False  # the outbox sends again, and must know at once
        client = PlainClient(configuration, Exchange(access, "Opsgenie"))
        self.alert_api_instance = AlertApi(client)
        self.heartbeat_api_instance = HeartbeatApi(client)
