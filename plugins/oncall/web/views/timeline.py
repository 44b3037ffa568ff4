"""What happened in an incident: a row for each event, with what each channel was told of it. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence

from oncall.core.incidents.incident import Event
from oncall.core.incidents.incident_words import (
    CHANNELS,
    delivery_mark,
    delivery_result,
    delivery_words,
    event_sentence,
)
from oncall.usecases.history import DeliveryRecord, IncidentRecord
from oncall.web import external_links
from oncall.web.snapshot import PageSnapshot
from oncall.web.views.models import DeliveryView, Line, Mark

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
        Line(at=event.at, what=_sentence(event, told), deliveries=_views(seen, told), marks=_marks(told))
        for number, event in enumerate(record.events)
        for told in (of_event.get(number, []),)
    ]
    for (at, _), deliveries in alone.items():
        views = _views(seen, deliveries)
        what = deliveries[0].title or views[0].what
        lines.append(Line(at=at, what=what, deliveries=views, marks=_marks(deliveries)))
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
    return tuple(
        _view(delivery, external_links.alert_of(seen, delivery)) for delivery in _ordered(deliveries)
    )


def _ordered(deliveries: Iterable[DeliveryRecord]) -> list[DeliveryRecord]:
    """Opsgenie first."""
    return sorted(deliveries, key=lambda delivery: delivery.channel != "pager")


def _marks(deliveries: Iterable[DeliveryRecord]) -> tuple[Mark, ...]:
    """Of several messages that fared alike how many they are, and how long the slowest took."""
    alike: dict[tuple[str, str, bool], list[DeliveryRecord]] = {}
    for each in _ordered(deliveries):
        alike.setdefault((_channel(each), each.state, bool(each.error)), []).append(each)
    return tuple(
        Mark(state=state, words=delivery_mark(channel, len(some), result[0]))
        for (channel, state, _), some in alike.items()
        for result in (delivery_result(state, max(map(_took, some), key=_known), 1, some[0].error),)
    )


def _known(took: dt.timedelta | None) -> tuple[bool, dt.timedelta]:
    return took is None, took or dt.timedelta()


def _took(told: DeliveryRecord) -> dt.timedelta | None:
    return told.done_at - told.owed_at if told.done_at else None


def _channel(told: DeliveryRecord) -> str:
    return f"{CHANNELS.get(told.channel, told.channel)} {told.room}".rstrip()


def _view(told: DeliveryRecord, link: str | None) -> DeliveryView:
    mark, result = delivery_result(told.state, _took(told), told.attempts, told.error)
    return DeliveryView(
        channel=_channel(told),
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
