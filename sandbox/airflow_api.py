"""The running Airflow's public HTTP API, as much as the sandbox and the tests ask of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import httpx

TIMEOUT_S = 30


@dataclass(frozen=True)
class AirflowApi:
    """`url` without a slash at its end. Every call raises httpx.HTTPError when the api-server refuses or is gone."""

    url: str
    username: str
    password: str

    def health(self) -> dict[str, str]:
        """Airflow's view of its own parts: name → healthy, unhealthy or "" (never seen); {} when it does not answer."""
        try:
            answer = httpx.get(f"{self.url}/api/v2/monitor/health", timeout=5).raise_for_status().json()
        except (httpx.HTTPError, ValueError):
            return {}
        return {part: str(state["status"] or "") for part, state in answer.items() if state is not None}

    @cached_property
    def token(self) -> str:
        """A login of this object's lifetime, for the header `Authorization: Bearer …` or the cookie `_token`."""
        login = {"username": self.username, "password": self.password}
        answer = httpx.post(f"{self.url}/auth/token", json=login, timeout=TIMEOUT_S).raise_for_status()
        return str(answer.json()["access_token"])

    def get(self, path: str, **query: Any) -> Any:
        """The JSON of GET /api/v2/`path`."""
        return self._call("GET", path, params=query)

    def post(self, path: str, body: dict[str, Any]) -> Any:
        """The JSON of POST /api/v2/`path`."""
        return self._call("POST", path, json=body)

    def put(self, path: str) -> None:
        """PUT /api/v2/`path`, whose answer has no body."""
        headers = {"Authorization": f"Bearer {self.token}"}
        httpx.put(f"{self.url}/api/v2/{path}", headers=headers, timeout=TIMEOUT_S).raise_for_status()

    def delete(self, path: str) -> None:
        """DELETE /api/v2/`path`, whose answer has no body."""
        headers = {"Authorization": f"Bearer {self.token}"}
        httpx.delete(f"{self.url}/api/v2/{path}", headers=headers, timeout=TIMEOUT_S).raise_for_status()

    def patch(self, path: str, body: dict[str, Any]) -> Any:
        """The JSON of PATCH /api/v2/`path`."""
        return self._call("PATCH", path, json=body)

    def _call(self, method: str, path: str, **arguments: Any) -> Any:
        headers = {"Authorization": f"Bearer {self.token}"}
        answer = httpx.request(
            method, f"{self.url}/api/v2/{path}", headers=headers, timeout=TIMEOUT_S, **arguments
        )
        return answer.raise_for_status().json()
