"""Opsgenie's schedule API, which its SDK does not have, over plain HTTP; decides nothing.

It takes an account key (Settings → API key management); the integration key that pages is refused there, so there is
a second connection, `opsgenie_api`.
"""

from __future__ import annotations

import datetime as dt
import json
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote, urlencode

from oncall.adapters.airflow_connections import look_up_in_airflow
from oncall.adapters.http.answers import record, records, text
from oncall.adapters.http.calls import bounded
from oncall.adapters.http.connections import Access, Connected
from oncall.adapters.http.exchange import Exchange
from oncall.adapters.opsgenie.errors import schedules_refused
from oncall.adapters.opsgenie.pager import DEFAULT_URL, is_jsm
from oncall.core.errors import DeliveryFailed, Rejected
from oncall.core.rota.opsgenie_schedules import Schedule, ScheduleOverride
from oncall.core.wall_time import utc

CONN_ID = "opsgenie_api"
TRIES = 4
LONGEST_WAIT_S = 60.0
_HOW_TO_ADD = (
    f"The sync of the rota needs its own connection {CONN_ID!r}: host as in 'opsgenie_default', password an API key of "
    "the account (Opsgenie → Settings → API key management, with the right to configure), not of an integration"
)
_NOT_ON_JSM = (
    "Jira Service Management has no schedules behind an integration key: they are under /jsm/ops/api/{cloudId}/v1, "
    "with another login. The rota is not synced there; pages do not need it (docs/OPSGENIE_TO_JSM.md)"
)


class NoSchedules(Rejected):
    """There is no schedule API to talk to: the connection is not defined, or leads to Jira Service Management."""


class OpsgenieSchedules:
    """Implements `Schedules`. `sleep` waits before a call is tried again."""

    far_side = "Opsgenie"

    def __init__(self, connected: Connected[Exchange], sleep: Callable[[float], None] = time.sleep) -> None:
        self._connected = connected
        self._sleep = sleep

    @classmethod
    def from_connection(cls, sleep: Callable[[float], None] = time.sleep) -> OpsgenieSchedules:
        """The schedules behind the connection `opsgenie_api`."""

        def look_up(conn_id: str) -> Any:
            try:
                return look_up_in_airflow(conn_id)
            except Rejected as error:
                raise NoSchedules(f"{error}. {_HOW_TO_ADD}") from None

        connected = Connected(CONN_ID, _build, address="host", default_url=DEFAULT_URL, look_up=look_up)
        return cls(connected, sleep)

    @bounded
    def find(self, name: str) -> Schedule | None:
        """The schedule of this name with its overrides."""
        shown = self._call("GET", _path(name), {"identifierType": "name"})
        if shown is None:
            return None
        listed = records(self._call("GET", _path(name, "overrides"), _BY_NAME))
        return Schedule(bool(record(shown).get("enabled")), tuple(map(_override, listed)))

    def create(self, name: str, description: str, beneath: str, starts: dt.datetime) -> None:
        """A schedule whose only rotation is one user, from `starts` on."""
        rotation = {
            "name": "no override",
            "type": "weekly",
            "startDate": _written(starts),
            "participants": [{"type": "user", "username": beneath}],
        }
        body = {"name": name, "description": description, "timezone": "UTC", "rotations": [rotation]}
        self._call("POST", "/v2/schedules", {}, body)

    def put(self, name: str, override: ScheduleOverride) -> None:
        """Write an override; it replaces the one with its alias."""
        body = {
            "alias": override.alias,
            "user": {"type": "user", "username": override.username},
            "startDate": _written(override.start),
            "endDate": _written(override.end),
        }
        self._call("PUT", _path(name, "overrides", override.alias), _BY_NAME, body)

    def delete(self, name: str, alias: str) -> None:
        """Delete an override; one that is gone already is no failure."""
        self._call("DELETE", _path(name, "overrides", alias), _BY_NAME)

    @bounded
    def on_call(self, name: str, at: dt.datetime) -> tuple[str, ...]:
        """The usernames that Opsgenie says are on call at this instant."""
        query = {**_BY_NAME, "flat": "true", "date": _written(at)}
        told = record(self._call("GET", _path(name, "on-calls"), query)).get("onCallRecipients")
        return tuple(map(text, told)) if isinstance(told, list) else ()

    def _call(self, method: str, path: str, query: Mapping[str, str], body: Any = None) -> Any:
        """The answer's data; None when there is no such thing. Tries again what may be tried again."""
        for attempt in range(1, TRIES + 1):
            try:
                return self._once(method, path, query, body)
            except Rejected:
                raise
            except DeliveryFailed as error:
                # A lost answer to a POST may have created what a second one would be refused for.
                if attempt == TRIES or (error.uncertain and method == "POST"):
                    raise
                wait = error.retry_after if error.retry_after is not None else 2.0**attempt
                self._sleep(min(wait, LONGEST_WAIT_S))
        raise AssertionError("the last attempt returns or raises")

    @bounded
    def _once(self, method: str, path: str, query: Mapping[str, str], body: Any) -> Any:
        access, exchange = self._connected.use()
        headers = {"Authorization": f"GenieKey {access.key}", "Content-Type": "application/json"}
        sent = None if body is None else json.dumps(body).encode()
        url = f"{access.url}{path}?{urlencode(query)}" if query else access.url + path
        answer = exchange.send(method, url, headers, sent)
        if answer.status == 404 and "requestId" in answer.data and method != "POST":
            return None
        if answer.status >= 400:
            raise schedules_refused(answer, access, _HOW_TO_ADD)
        if "requestId" not in answer.data:
            raise Rejected(f"{access.at}: the answer is not Opsgenie's; is the connection's host right?")
        return answer.data.get("data")


_BY_NAME = {"scheduleIdentifierType": "name"}


def _build(access: Access) -> Exchange:
    if is_jsm(access.url):
        raise NoSchedules(_NOT_ON_JSM)
    return Exchange(access, "Opsgenie")


def _override(shown: Mapping[str, Any]) -> ScheduleOverride:
    user = record(shown.get("user"))
    start, end = (utc(dt.datetime.fromisoformat(shown[key])) for key in ("startDate", "endDate"))
    name = user.get("username") or user.get("name") or user.get("id") or "?"
    return ScheduleOverride(str(shown.get("alias", "")), start, end, name, bool(shown.get("rotations")))


def _path(*parts: str) -> str:
    return "/v2/schedules/" + "/".join(quote(part, safe="") for part in parts)


def _written(at: dt.datetime) -> str:
    return f"{utc(at):%Y-%m-%dT%H:%M:%SZ}"
