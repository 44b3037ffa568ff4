"""The inbox for tests: served in a thread on a free port, asked and told over HTTP like any other inbox."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from sandbox.inbox.app import inbox_app
from sandbox.inbox.records import Alert, Call, SlackMessage
from sandbox.inbox.store import Keys


class RunningInbox:
    """A running inbox: where its faces are, what it has received, and how to make it fail."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.opsgenie_host = f"{url}/opsgenie"
        self.jsm_host = f"{url}/jsm/ops/integration"
        self.slack_base_url = f"{url}/api/"
        keys = Keys()
        self.opsgenie_key, self.opsgenie_account_key = keys.opsgenie, keys.opsgenie_account
        self.jsm_key, self.slack_token = keys.jsm, keys.slack
        # For bare calls too: making a client is slow, so there is one.
        self.http = httpx.Client(timeout=10, trust_env=False)

    def state(self) -> dict[str, Any]:
        """Everything at once, as JSON."""
        state: dict[str, Any] = self.http.get(f"{self.url}/_control/state").raise_for_status().json()
        return state

    def alerts(self, **fields: Any) -> list[Alert]:
        """The alerts, oldest first, whose fields have these values: `alerts(alias=…, face="jsm")`."""
        alerts = [Alert(**alert) for alert in self.state()["alerts"]]
        return [alert for alert in alerts if _has(alert, fields)]

    def messages(self, **fields: Any) -> list[SlackMessage]:
        """The Slack messages, oldest first: `messages(channel_name="de-oncall", thread_ts=None)`."""
        messages = [SlackMessage(**message) for message in self.state()["messages"]]
        return [message for message in messages if _has(message, fields)]

    def calls(self, **fields: Any) -> list[Call]:
        """The HTTP calls to the faces, oldest first: `calls(face="slack", operation="chat.postMessage")`."""
        calls = [Call(**call) for call in self.state()["calls"]]
        return [call for call in calls if _has(call, fields)]

    def fail(self, face: str, operation: str = "*", kind: str = "status", **how: Any) -> str:
        """Make calls go wrong (see `faults.Fault`): `fail("opsgenie", "create", status=500, count=2)`. Its id."""
        return str(self.tell("faults", face=face, operation=operation, kind=kind, **how)["id"])

    def heal(self) -> None:
        """End all faults; hanging calls are dropped."""
        self.http.delete(f"{self.url}/_control/faults").raise_for_status()

    def clear(self) -> None:
        """Forget everything: what was received, faults, settings, the clock's advance."""
        self.tell("clear")

    def settings(self, **settings: Any) -> None:
        """Turn `store.Settings`: `settings(processing_delay=0)`."""
        self.tell("settings", **settings)

    def advance(self, seconds: float) -> None:
        """Move the inbox's clock ahead: requests are processed, heartbeats lapse."""
        self.tell("clock", seconds=seconds)

    def acknowledge(self, alert: Alert | str, user: str = "person@example.com") -> None:
        """As a person does in Opsgenie's app."""
        self.tell(f"alerts/{alert if isinstance(alert, str) else alert.id}/acknowledge", user=user)

    def unacknowledge(self, alert: Alert | str, user: str = "person@example.com") -> None:
        """A person takes the acknowledgement back."""
        self.tell(f"alerts/{alert if isinstance(alert, str) else alert.id}/unacknowledge", user=user)

    def close_alert(self, alert: Alert | str, user: str = "person@example.com") -> None:
        """A person closes it in the app; as "System" a policy does."""
        self.tell(f"alerts/{alert if isinstance(alert, str) else alert.id}/close", user=user)

    def rename_user(self, old: str, new: str) -> None:
        """From now on the person has another username, and nobody has the old one."""
        self.tell("users/rename", old=old, new=new)

    def delete_message(self, message: SlackMessage) -> None:
        """A person deletes it in Slack."""
        self.tell("slack/messages/delete", channel=message.channel, ts=message.ts)

    def tell(self, what: str, **wish: Any) -> dict[str, Any]:
        """POST to a control path (see `control`); raises when it is refused."""
        answer: dict[str, Any] = (
            self.http.post(f"{self.url}/_control/{what}", json=wish).raise_for_status().json()
        )
        return answer

    def close(self) -> None:
        self.http.close()


def _has(record: object, fields: dict[str, Any]) -> bool:
    return all(getattr(record, name) == value for name, value in fields.items())


@contextmanager
def running_inbox(journal: Path | None = None) -> Iterator[RunningInbox]:
    """Serve an inbox on a free port of 127.0.0.1 for the length of the block."""
    config = uvicorn.Config(
        inbox_app(journal),
        host="127.0.0.1",
        port=0,
        http="h11",
        lifespan="off",
        log_level="warning",
        proxy_headers=False,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, name="inbox", daemon=True)
    thread.start()
    while not server.started:
        if not thread.is_alive():
            raise RuntimeError("the inbox did not start")
        thread.join(0.005)
    inbox = RunningInbox(f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}")
    try:
        yield inbox
    finally:
        inbox.close()
        server.should_exit = server.force_exit = True
        thread.join(10)
