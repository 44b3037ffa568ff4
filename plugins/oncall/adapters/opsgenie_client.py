"""The provider's hook and the vendor's SDK, made safe to wake people with; knows nothing of what is said.

What is mended (all seen on opsgenie-sdk 2.1.5): one key shared by every configuration of the process, retries of
20 seconds that ignore Retry-After, models that raise on an answer they do not expect after the alert was taken, and
a decoder that hides the status of an error whose body is not JSON.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Any

from airflow.providers.opsgenie.hooks.opsgenie import OpsgenieAlertHook
from airflow.sdk import BaseHook
from opsgenie_sdk import AlertApi, ApiClient, ApiException, Configuration, HeartbeatApi
from opsgenie_sdk.exceptions import OpenApiException, build_exception
from tenacity import RetryError
from urllib3 import exceptions as urllib3_errors

from oncall.adapters.calls import seconds_to_wait
from oncall.adapters.connections import Access
from oncall.core.errors import DeliveryFailed, LockedOut, Rejected


class PlainClient(ApiClient):
    """Gives answers as they were sent (dicts), and every status from 300 on as an exception that carries it."""

    def request(self, *args: Any, **kwargs: Any) -> Any:
        response = super().request(*args, **kwargs)
        if response.status >= 300:
            raise build_exception(response)
        return response

    def deserialize(self, response: Any, response_type: str) -> Any:
        return json.loads(response.data)


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
        configuration.proxy = access.proxy
        configuration.retry_enabled = False  # the outbox sends again, and must know at once
        logging.getLogger("opsgenie_sdk").setLevel(logging.WARNING)  # at DEBUG it prints whole answers
        client = PlainClient(configuration)
        self.alert_api_instance = AlertApi(client)
        self.heartbeat_api_instance = HeartbeatApi(client)


def status_of(error: BaseException) -> int | None:
    """The HTTP status an SDK error carries; None when there was no answer."""
    return getattr(_unwrapped(error), "status", None) or None


def failure(error: BaseException, access: Access) -> DeliveryFailed:
    """The SDK's error in our words: may it be tried again, when, and may the far side have taken it."""
    error = _unwrapped(error)
    at = f"connection {access.conn_id!r}, {access.url}"
    match error:
        case OpenApiException() if status_of(error):
            return _answered(error, access, at)
        case ApiException():  # the SDK's wrapping of a failed TLS handshake
            return DeliveryFailed(f"{at}: {error.reason}")
        case urllib3_errors.ConnectTimeoutError() | urllib3_errors.ProxyError():
            return DeliveryFailed(f"{at}: cannot connect: {error}")
        case urllib3_errors.LocationValueError():
            return LockedOut(f"{at}: {error}; mend the connection's host")
        case json.JSONDecodeError():
            return DeliveryFailed(
                f"{at}: the answer is not JSON; is the connection's host right?", uncertain=True
            )
        case _:
            words = access.hide(f"{type(error).__name__}: {error}")
            return DeliveryFailed(f"{at}: {words}", uncertain=True)


def _answered(error: Any, access: Access, at: str) -> DeliveryFailed:
    reason = f"{at}: {error.status}: {access.hide(_words(error))}"
    if error.status == 429:
        return DeliveryFailed(reason, retry_after=seconds_to_wait(error.headers))
    if error.status == 408 or error.status >= 500:
        return DeliveryFailed(reason, retry_after=seconds_to_wait(error.headers), uncertain=True)
    if error.status in {401, 403} or "Key format" in reason:  # a malformed key is a 422
        return LockedOut(f"{reason}; write the key of an API integration into the connection's password")
    if error.status == 404:
        reason += "; is the connection's host right?"
    return Rejected(reason)


def _words(error: Any) -> str:
    """What the far side said: its message and the fields it complains about, else the status' meaning."""
    try:
        body = json.loads(error.body)
    except (TypeError, ValueError):
        body = None
    if not isinstance(body, Mapping) or not body.get("message"):
        return str(error.reason)
    details = body.get("errors")
    return f"{body['message']} {json.dumps(details)}" if details else str(body["message"])


def _unwrapped(error: BaseException) -> BaseException:
    if isinstance(error, RetryError):
        return error.last_attempt.exception() or error
    return error
