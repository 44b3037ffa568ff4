"""How long each part of a drill took, from the instants that both sides wrote down."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

from oncall.core.time_format import span
from oncall.usecases.history import IncidentRecord
from sandbox.drill.inbox import Received, step_of


@dataclass(frozen=True)
class Instants:
    """`acknowledged_at`: when the person tapped; `good_at`: when the report was there and to be seen."""

    due: dt.datetime
    acknowledged_at: dt.datetime
    good_at: dt.datetime


def summary(record: IncidentRecord, received: Received, known: Instants) -> Iterator[tuple[str, str]]:
    """(part, how long), in the order of the drill. Only of a drill that has come to its end."""
    incident, page = record.incident, received.page
    assert incident.paged_at
    assert incident.acknowledged_at
    assert incident.resolved_at
    assert page
    yield "noticed", f"{_between(known.due, incident.paged_at)} after it was due"
    yield "in Opsgenie", f"{_between(known.due, _at(page.created_at))} after it was due"
    yield "in Slack", f"{_between(known.due, posted_at(record, step_of(page)))} after it was due"
    yield "acknowledged", f"heard {_between(known.acknowledged_at, incident.acknowledged_at)} after the tap"
    yield "resolved", f"{_between(known.good_at, incident.resolved_at)} after the report was there"
    if page.closed_at:
        yield "alert closed", f"{_between(known.good_at, _at(page.closed_at))} after the report was there"
    yield (
        "thread told",
        f"{_between(known.good_at, posted_at(record, 'resolved'))} after the report was there",
    )
    yield (
        "the report",
        f"{span(incident.late_s)} late" if incident.late_s else "in time, though nobody could see it",
    )
    yield "alerts", f"{len(received.alerts)}, all closed; one thread of {len(received.messages)} messages"


def posted_at(record: IncidentRecord | None, step: str) -> dt.datetime | None:
    """When Slack took the message of this step; None before that."""
    told = record.told if record else ()
    return next((_at(float(t.ts)) for t in told if t.channel == "chat" and t.step == step and t.ts), None)


def _between(start: dt.datetime, end: dt.datetime | None) -> str:
    return f"{max(0.0, (end - start).total_seconds()):.1f} s" if end else "?"


def _at(epoch: float) -> dt.datetime:
    return dt.datetime.fromtimestamp(epoch, dt.UTC)
