"""What happened in an incident: a row for each event, with what each channel was told of it. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence

from oncall.core.incidents.incident import Event
from oncall.core.incidents.incident_words import CHANNELS, delivery_result, delivery_words, event_sentence
from oncall.usecases.history import DeliveryRecord, IncidentRecord
from oncall.web import external_links
from oncall.web.snapshot import PageSnapshot
from oncall.web.views.models import DeliveryView, Line

# What follows from an event is written down with it, or by the next look.
SOON = dt.timedelta(seconds=60)
# Deliveries that only bring the far side up to date: they tell nothing new, and belong to what happened before.
_UPKEEP = ("update", "note", "close", "acknowledge")


def timeline(seen: PageSnapshot, record: IncidentRecord) -> tuple[Line, ...]:
    """Oldest first. A delivery that belongs to no event is a row of its own, with what the other channel got of it."""
    of_event: dict[int, list[DeliveryRecord]] = {}
    alone: dict[tuple[dt.datetime, str], list[DeliveryRecord]] = {}
    for delivery in (*record.told, *record.others):
        event = _event_of(delivery, record.events)
        if event is None:
            alone.setdefault((delivery.owed_at, delivery.title or delivery.step), []).append(delivery)
        else:
            of_event.setdefault(event, []).append(delivery)
    lines = [
        Line(at=event.at, what=_sentence(event, told), deliveries=_views(seen, told))
        for number, event in enumerate(record.events)
        for told in (of_event.get(number, []),)
    ]
    for (at, _), deliveries in alone.items():
        views = _views(seen, deliveries)
        lines.append(Line(at=at, what=deliveries[0].title or views[0].what, deliveries=views))
    return tuple(sorted(lines, key=lambda line: line.at))


def _event_of(delivery: DeliveryRecord, events: Sequence[Event]) -> int | None:
    """The number of the event that this was sent for: of the same instant, the one that names whom it is for, or the
    seat of its step (`page-2-secondary`) when somebody else held it by the time it was sent."""
    same = [number for number, event in enumerate(events) if event.at == delivery.owed_at]
    named = [n for n in same if any(f" {name} " in f"{events[n].what} " for name in delivery.people)]
    seat = delivery.step.rpartition("-")[2]
    seated = [n for n in same if events[n].what.rstrip(")").endswith(seat)]
    if same:
        return (named or seated or same)[0]
    if delivery.op not in _UPKEEP:
        return None
    before = [n for n, event in enumerate(events) if event.at <= delivery.owed_at <= event.at + SOON]
    return before[-1] if before else None


def _views(seen: PageSnapshot, deliveries: Iterable[DeliveryRecord]) -> tuple[DeliveryView, ...]:
    """Opsgenie first."""
    ordered = sorted(deliveries, key=lambda delivery: delivery.channel != "pager")
    return tuple(_view(delivery, external_links.alert_of(seen, delivery)) for delivery in ordered)


def _view(told: DeliveryRecord, link: str | None) -> DeliveryView:
    took = told.done_at - told.owed_at if told.done_at else None
    mark, result = delivery_result(told.state, took, told.attempts, told.error)
    return DeliveryView(
        channel=f"{CHANNELS.get(told.channel, told.channel)} {told.room}".rstrip(),
        what=delivery_words(told.op, told.channel, told.people, told.title),
        state=told.state,
        mark=mark,
        result=result,
        link=link,
    )


def _sentence(event: Event, told: Iterable[DeliveryRecord]) -> str:
    others = {
        name
        for one in told
        if event.what.startswith("paged ") and one.op == "page" and one.state == "done"
        for name in one.people
        if f" {name} " not in f"{event.what} "
    }
    return event_sentence(event.what, others)
