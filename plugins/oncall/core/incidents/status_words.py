"""How an incident stands, in one sentence: who was told, when, how loudly, and whether anybody has it. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from oncall.core.incidents.incident import RESOLVED_BY_HAND, Incident, NotificationStatus
from oncall.core.incidents.incident_words import CHANNELS
from oncall.core.promises.why import CAUSE_WORDS
from oncall.core.time_format import TimeFormat, span

# How an incident ended that no report ended: by the configuration, or as it began, with a notice.
ENDED = {
    "moved": "Due at another time since",
    "removed": "Not watched any more since",
    "stale": "Found stale",
}
# What an incident was opened for, once it is something else.
WAS = {
    "upstream_late": "was waiting on upstream",
    "running": "was running",
    "stuck": "was stuck",
    "failed": "had failed",
    "not_started": "had not started",
    "held": "was held back by a check",
    "unknown": "could not be seen",
}
# How loud an alert is, by how its step begins; what is not here is a page of the escalation or a reminder.
_PRIORITIES = (("warning", "P3"), ("last-chance", "P2"), ("failed-", "P2"))


def status(incident: Incident, told: Sequence[NotificationStatus], say: TimeFormat, speaker: str = "") -> str:
    """`told`: what became of all that the incident ever owed; `speaker`: what the incident is called that tells of it
    (by its key where that is not known)."""
    if incident.resolved_at is not None:
        return _ended(incident, say.clock(incident.resolved_at))
    if incident.leader:
        return f"Told and paged together with {speaker or incident.leader}"
    if incident.acknowledged and incident.acknowledged_at is not None:
        by = incident.acknowledged_by or "somebody"
        return f"Acknowledged by {by} {say.when(incident.acknowledged_at)}"
    pages = [entry for entry in told if _reached(entry)]
    if woken := [entry for entry in pages if woke(entry)]:
        return f"Paged {_whom(woken, say)}; {_nobody(incident)}"
    under_way = [entry for entry in told if entry.op == "page" and entry.state in ("owed", "accepted")]
    if under_way:
        return f"Paging {_people(under_way)} now; not confirmed yet"
    if incident.paged_at is not None:
        return f"Paged {say.when(incident.paged_at)}; {_nobody(incident)}"
    if pages:
        return f"Warned {_whom(pages, say)}; nobody was paged yet"
    if any(entry.channel == "chat" and entry.state == "done" for entry in told):
        return f"Said in {CHANNELS['chat']}; nobody was paged yet"
    return "Nobody was told yet"


def _nobody(incident: Incident) -> str:
    """Whoever had it before (a warning, an older shift) has it no more."""
    by = incident.acknowledged_by
    return f"{by} had it before, nobody has acknowledged since" if by else "nobody has acknowledged"


def woke(entry: NotificationStatus) -> bool:
    """Whether it is an alert that the pager took and was to wake somebody: a warning (P3) is no page."""
    return _reached(entry) and priority(entry.step) != "P3"


def _reached(entry: NotificationStatus) -> bool:
    return entry.op == "page" and entry.state == "done" and not entry.unreached


def cause_then_and_now(filed: str, now: str) -> str:
    """ "stuck", or "was waiting on upstream, now stuck" where somebody was first paged for another cause."""
    if filed and now and filed != now:
        return f"{WAS.get(filed, filed)}, now {CAUSE_WORDS.get(now, now)}"
    return CAUSE_WORDS.get(now, now)


def priority(step: str) -> str:
    """Of an alert, by its step."""
    return next((found for begins, found in _PRIORITIES if step.startswith(begins)), "P1")


def _ended(incident: Incident, at: str) -> str:
    if incident.verdict == RESOLVED_BY_HAND:
        return f"Resolved by hand {at}{', unpublished' if incident.paged else ''}"
    if incident.verdict in ENDED:
        return f"{ENDED[incident.verdict]} {at}"
    return f"Resolved {at}, {span(incident.late_s)} late" if incident.late_s else f"Resolved {at}"


def _whom(pages: Sequence[NotificationStatus], say: TimeFormat) -> str:
    """Each person once, with the last alert and in its order: "DE-003 05:00 (P1), DE-004 05:15 (P1)"."""
    last: dict[str, NotificationStatus] = {}
    for entry in pages:
        last.pop(entry.person or "somebody", None)
        last[entry.person or "somebody"] = entry
    return ", ".join(
        f"{person} {say.clock(entry.done_at or entry.owed_at)} ({priority(entry.step)})"
        for person, entry in last.items()
    )


def _people(pages: Sequence[NotificationStatus]) -> str:
    return " and ".join(dict.fromkeys(entry.person or "the person on call" for entry in pages))
