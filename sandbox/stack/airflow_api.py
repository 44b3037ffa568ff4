"""The running Airflow's public HTTP API, as much as the sandbox and the tests ask of it."""

from __future__ import annotations

import datetime as dt
import time
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import httpx

TIMEOUT_S = 30
TRIES = 4  # a laptop under load answers late, and seldom four times in a row
PAUSE_S = 2.0


@dataclass(frozen=True)
class AirflowApi:
    """`url` without a slash at its end. Every call raises httpx.HTTPError when the api-server refuses or is gone.

    What may be asked twice without harm is asked up to TRIES times when no answer comes.
    """

    url: str
    username: str
    password: str

    def health(self) -> dict[str, str]:
        """Airflow's view of its own parts: name → healthy, unhealthy or "" (never seen); {} when it does not answer."""
        try:
            answer = ask("GET", f"{self.url}/api/v2/monitor/health", tries=1, timeout=5).json()
        except (httpx.HTTPError, ValueError):
            return {}
        return {part: str(state["status"] or "") for part, state in answer.items() if state is not None}

    @cached_property
    def token(self) -> str:
        """A login of this object's lifetime, for the header `Authorization: Bearer …` or the cookie `_token`."""
        login = {"username": self.username, "password": self.password}
        return str(ask("POST", f"{self.url}/auth/token", json=login).json()["access_token"])

    def get(self, path: str, **query: Any) -> Any:
        """The JSON of GET /api/v2/`path`."""
        return self._call("GET", path, params=query).json()

    def post(self, path: str, body: dict[str, Any]) -> Any:
        """The JSON of POST /api/v2/`path`. Asked once: a lost answer may have been a yes."""
        return self._call("POST", path, json=body, tries=1).json()

    def put(self, path: str) -> None:
        """PUT /api/v2/`path`, whose answer has no body."""
        self._call("PUT", path)

    def delete(self, path: str) -> None:
        """DELETE /api/v2/`path`, whose answer has no body."""
        headers = {"Authorization": f"Bearer {self.token}"}
        httpx.delete(f"{self.url}/api/v2/{path}", headers=headers, timeout=TIMEOUT_S).raise_for_status()

    def patch(self, path: str, body: dict[str, Any]) -> Any:
        """The JSON of PATCH /api/v2/`path`."""
        return self._call("PATCH", path, json=body).json()

    def run(self, dag_id: str, day: dt.date, run_id: str) -> None:
        """Start a run for a report date under an id of the caller's; a run that has this id already is that run."""
        body = {"dag_run_id": run_id, "logical_date": None, "partition_key": day.isoformat()}
        try:
            self._call("POST", f"dags/{dag_id}/dagRuns", json=body)
        except httpx.HTTPStatusError as error:
            if error.response.status_code != httpx.codes.CONFLICT:
                raise

    def _call(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.token}"}
        return ask(method, f"{self.url}/api/v2/{path}", headers=headers, **arguments)


def ask(
    method: str, url: str, *, tries: int = TRIES, timeout: float = TIMEOUT_S, **arguments: Any
) -> httpx.Response:
    """One request to a part of the stack, repeated while nothing answers. Raises httpx.HTTPError in the end.

    Never through a proxy: the stack is on this machine.
    """
    while True:
        tries -= 1
        try:
            answer = httpx.request(method, url, timeout=timeout, trust_env=False, **arguments)
            return answer.raise_for_status()
        except httpx.TransportError:
            if tries < 1:
                raise
        except httpx.HTTPStatusError as error:
            if tries < 1 or not error.response.is_server_error:
                raise
        time.sleep(PAUSE_S)
