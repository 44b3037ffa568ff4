"""Where the far sides show what they were told: an incident's alert, its thread. Pure: asks nobody."""

from __future__ import annotations

from urllib.parse import quote

from oncall.usecases.history import DeliveryRecord, IncidentRecord
from oncall.web.snapshot import PageSnapshot


def alert(seen: PageSnapshot, record: IncidentRecord) -> str | None:
    """The newest alert of the incident, or of the one that speaks for it; None when there is none to look at."""
    every = (alert_of(seen, told) for told in reversed(_speaking(seen, record).told))
    return next(filter(None, every), None)


def alert_of(seen: PageSnapshot, told: DeliveryRecord) -> str | None:
    """The alert that one page made; None for what made none, and where nobody knows the far side's web address."""
    if told.op != "page" or told.state not in ("accepted", "done") or not seen.alert_url:
        return None
    return seen.alert_url.replace("{alias}", quote(told.alias, safe=""))


def thread(seen: PageSnapshot, record: IncidentRecord) -> str | None:
    """Where the thread of the incident, or of the one that speaks for it, begins; None before its first message."""
    posted = (told for told in _speaking(seen, record).told if told.channel == "chat" and told.ts)
    first = next(posted, None)
    if first is None or not seen.thread_url:
        return None
    return seen.thread_url.replace("{channel}", quote(first.channel_id)).replace("{ts}", quote(first.ts))


def _speaking(seen: PageSnapshot, record: IncidentRecord) -> IncidentRecord:
    leader = record.incident.leader
    if not leader:
        return record
    return next((other for other in seen.records if other.incident.key == leader), record)
