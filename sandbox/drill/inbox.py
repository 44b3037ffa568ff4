"""What the inbox holds of one drill: the alerts and the thread, as a person would find them; and a person's tap."""

from __future__ import annotations

from dataclasses import dataclass

import httpx

from sandbox.inbox.records import Alert, SlackMessage
from sandbox.stack.airflow_api import ask


@dataclass(frozen=True)
class Received:
    """Alerts and messages of one incident, oldest first."""

    alerts: tuple[Alert, ...] = ()
    messages: tuple[SlackMessage, ...] = ()

    @property
    def page(self) -> Alert | None:
        """The first page for the broken promise; warnings are none."""
        return next((alert for alert in self.alerts if step_of(alert).startswith("page-")), None)


@dataclass(frozen=True)
class Inbox:
    """The running inbox at `url`. Raises httpx.HTTPError when it does not answer."""

    url: str

    def received(self, key: str) -> Received:
        state = ask("GET", f"{self.url}/_control/state").json()
        alerts = (Alert(**alert) for alert in state["alerts"])
        messages = (SlackMessage(**message) for message in state["messages"])
        return Received(
            tuple(alert for alert in alerts if alert.alias.startswith(f"{key}:")),
            tuple(message for message in messages if _payload(message).get("key") == key),
        )

    def acknowledge(self, alert: Alert) -> None:
        """As the person whose phone rings does in Opsgenie's app; nothing is left to do where somebody was quicker."""
        user = alert.recipients[0] if alert.recipients else "person@example.com"
        try:
            ask("POST", f"{self.url}/_control/alerts/{alert.id}/acknowledge", json={"user": user})
        except httpx.HTTPStatusError as error:
            if error.response.status_code != httpx.codes.CONFLICT:
                raise


def step_of(alert: Alert) -> str:
    """Which step of its incident this alert is."""
    return alert.alias.rpartition(":")[2]


def _payload(message: SlackMessage) -> dict[str, str]:
    payload: dict[str, str] = (message.metadata or {}).get("event_payload") or {}
    return payload
