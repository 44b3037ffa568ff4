"""What the far side has received, and what it must not have received twice; asks the inbox and nobody else."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from sandbox.inbox.records import Alert, Call, SlackMessage
from sandbox.inbox.testing import RunningInbox

FIRST_PAGE = "page-1-primary"
# A create call that a fault kept from becoming an alert.
_NOT_TAKEN = ("process_failed", "process_never", "hang")


class FarSide(RunningInbox):
    """The stack's inbox, with the questions that a fault is judged by. `key` is `<pipeline>:<report date>`."""

    def page(self, key: str, step: str = FIRST_PAGE) -> Alert | None:
        """The first alert of this incident and step."""
        return next((alert for alert in self.of(key) if alert.alias.rpartition(":")[2] == step), None)

    def of(self, key: str, **fields: str) -> list[Alert]:
        """The alerts of this incident, oldest first."""
        return [alert for alert in self.alerts(**fields) if is_of(alert.entity, key)]

    def taken(self, alias: str) -> Call | None:
        """The call by which the far side took this alert: answered 202 (even if the answer was lost), not failed."""
        creates = [
            call
            for call in self.calls(face="opsgenie", operation="create")
            if (call.body or {}).get("alias") == alias and call.fault not in _NOT_TAKEN
        ]
        return next((call for call in creates if call.status == 202), None)

    def said(self, key: str, step: str = "") -> list[SlackMessage]:
        """The messages about this incident (or this kind of notice), oldest first; of this step when one is named."""
        return [
            message
            for message in self.messages()
            if (is_of(about(message)[0], key) or (":" not in key and about(message)[0].startswith(f"{key}:")))
            and (not step or about(message)[1] == step)
        ]

    def saying(self, words: str) -> list[SlackMessage]:
        """The messages with these words, to whomever."""
        return [message for message in self.messages() if words in message.text]

    def doubles(self) -> list[str]:
        """Whatever was said more than once: alerts of one alias, messages of one step, threads of one incident."""
        alerts, messages = self.alerts(face="opsgenie"), self.messages()
        again = _more_than_once([alert.alias for alert in alerts])
        again += [alert.alias for alert in alerts for _ in range(alert.count - 1)]
        # An edited headline carries the step it tells of now; that it stands once is the thread's matter.
        again += _more_than_once([":".join(about(message)) for message in messages if not message.edited_ts])
        again += _more_than_once(
            [f"thread of {about(message)[0]}" for message in messages if not message.thread_ts]
        )
        return again

    def transcript(self) -> str:
        """All that was said, for whoever wants to know why a fault was not survived."""
        alerts = [
            (alert.created_at, f"{alert.priority} {alert.alias} x{alert.count}", alert.message)
            for alert in self.alerts()
        ]
        posts = [
            (
                float(post.ts),
                f"{':'.join(about(post))} in {post.thread_ts or 'no thread'}",
                post.text.partition("\n")[0],
            )
            for post in self.messages()
        ]
        return "\n".join(f"{at:.1f} {what}: {text}" for at, what, text in sorted(alerts + posts))


def is_of(incident: str, key: str) -> bool:
    """Whether it is this incident, or a later one of the same promise and date: the watcher forgets none of them."""
    return re.fullmatch(rf"{re.escape(key)}(:r\d+)?", incident) is not None


def about(message: SlackMessage) -> tuple[str, str]:
    """Incident and step, from the message's metadata."""
    payload = message.metadata.get("event_payload") or {}
    return str(payload.get("key", message.ts)), str(payload.get("step", ""))


def _more_than_once(names: Sequence[str]) -> list[str]:
    return [name for name, count in Counter(names).items() for _ in range(count - 1)]
