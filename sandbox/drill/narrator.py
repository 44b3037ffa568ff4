"""Tells a drill as it happens: one plain line for each thing that On-call, Opsgenie, Slack and Airflow did."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator

from oncall.core.promises.facts import Task
from oncall.core.promises.run_cause import WAIT
from oncall.usecases.history import IncidentRecord
from sandbox.drill.inbox import Received
from sandbox.inbox.records import Alert, SlackMessage

WIDTH = 150

# When, who, what; and what makes it new.
Line = tuple[dt.datetime, str, str]


class Narrator:
    """Prints each thing once, with the clock of `zone`."""

    def __init__(self, zone: dt.tzinfo, out: Callable[[str], None]) -> None:
        self._zone, self._out = zone, out
        self._told: set[Line] = set()

    def say(self, who: str, what: str, at: dt.datetime | None = None) -> None:
        clock = (at or dt.datetime.now(dt.UTC)).astimezone(self._zone).strftime("%H:%M:%S")
        first = what.strip().splitlines()[0] if what.strip() else ""
        self._out(f"{clock}  {who:<9} {first if len(first) <= WIDTH else first[: WIDTH - 1] + '…'}")

    def tell(self, record: IncidentRecord | None, tasks: list[Task], received: Received) -> None:
        """What is new since the last time, in the order it happened."""
        lines = [*_of_tasks(tasks), *_of_alerts(received.alerts), *_of_messages(received.messages)]
        lines += [(event.at, "On-call", event.what) for event in (record.events if record else ())]
        for at, who, what in sorted(lines, key=lambda line: line[0]):
            if (at, who, what) not in self._told:
                self._told.add((at, who, what))
                self.say(who, what, at)

    def plain(self, text: str = "") -> None:
        self._out(text)


def _of_tasks(tasks: list[Task]) -> Iterator[Line]:
    for task in tasks:
        if task.state == "running" and task.task_id != WAIT:
            continue  # over in a moment, or the on-call system will speak of it
        error = f" ({task.error})" if task.error and task.state != "success" else ""
        number = task.run_id.rpartition("__")[2]
        again = f", run {number}" if number != "1" else ""
        yield (
            task.ended_at or task.started_at,
            "Airflow",
            f"{task.task_id}{again}: {task.state}{error}",
        )


def _of_alerts(alerts: tuple[Alert, ...]) -> Iterator[Line]:
    for alert in alerts:
        yield (
            _at(alert.created_at),
            "Opsgenie",
            f"{alert.priority} to {', '.join(alert.recipients)}: {alert.message}",
        )
        if alert.acknowledged_at:
            yield (
                _at(alert.acknowledged_at),
                "Opsgenie",
                f"{alert.owner} acknowledged {alert.priority}: {alert.message}",
            )
        if alert.closed_at:
            yield _at(alert.closed_at), "Opsgenie", f"closed {alert.priority}: {alert.message}"


def _of_messages(messages: tuple[SlackMessage, ...]) -> Iterator[Line]:
    for message in messages:
        where = "in the thread" if message.thread_ts else f"#{message.channel_name}"
        words = message.edits[0] if message.edits else message.text
        yield _at(float(message.ts)), "Slack", f"{where}: {words}"


def _at(epoch: float) -> dt.datetime:
    return dt.datetime.fromtimestamp(epoch, dt.UTC)
