"""The rota as calendar entries that a calendar can follow: stable UIDs, rising sequences, cancellations. Pure."""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

from icalendar import Calendar, Event

from oncall.core.rota.on_call import rota
from oncall.core.rota.roster import Roster
from oncall.core.rota.rota_week import Shift
from oncall.core.rota.rotation import week_beginning
from oncall.core.rota.shift_words import named, why
from oncall.core.wall_time import utc
from oncall.usecases.notes import instant, noted

TEAM = "team"
WEEKS_BACK, WEEKS_AHEAD = 8, 26
FORGET_AFTER = dt.timedelta(weeks=9)  # a cancelled entry is told until everybody has long heard it


@dataclass(frozen=True)
class Entry:
    """One entry as it was said last. Instants are ISO 8601 in UTC; `said_at` is when it last changed."""

    uid: str
    start: str
    end: str
    summary: str
    description: str
    sequence: int = 0
    cancelled: bool = False
    said_at: str = ""


def entries(roster: Roster, who: str, at: dt.datetime) -> tuple[Entry, ...]:
    """The shifts of one person, or of the team, from 8 weeks back to 26 weeks ahead."""
    begins = week_beginning(roster, at)
    start = roster.day_starts(begins - dt.timedelta(weeks=WEEKS_BACK))
    end = roster.day_starts(begins + dt.timedelta(weeks=WEEKS_AHEAD))
    shifts = [shift for shift in rota(roster, start, end) if shift.primary]
    mine = [shift for shift in shifts if who == TEAM or who in (shift.primary, shift.secondary)]
    count: Counter[str] = Counter()
    found = []
    for shift in mine:
        seat = TEAM if who == TEAM else "primary" if who == shift.primary else "secondary"
        slot = f"{week_beginning(roster, shift.start)}-{seat}"
        found.append(_entry(roster, shift, who, seat, f"{slot}-{count[slot]}"))
        count[slot] += 1
    return tuple(found)


def _entry(roster: Roster, shift: Shift, who: str, seat: str, slot: str) -> Entry:
    pair = f"{named(roster, shift.primary)}, then {named(roster, shift.secondary)}"
    summary = f"On call: {pair}" if seat == TEAM else f"On call: {seat}"
    of = f"{roster.team}." if roster.team else ""  # another team may have somebody of the same name
    return Entry(
        uid=f"{slot}-{who}@{of}oncall",
        start=utc(shift.start).isoformat(),
        end=utc(shift.end).isoformat(),
        summary=summary,
        description=f"{pair}, then {named(roster, roster.manager)}. {why(roster, shift)}",
    )


def revised(before: str, now: Sequence[Entry], at: dt.datetime) -> str:
    """What is said now, given what was said before, as JSON: changed entries get the next sequence number.

    An entry that is gone is cancelled, unless it had ended: the past does not change, it only falls out of view.
    """
    stamp = utc(at).isoformat()
    known = {one.uid: one for one in said(before)}
    lines = []
    for entry in now:
        old = known.pop(entry.uid, None)
        if old is None:
            lines.append(replace(entry, said_at=stamp))
        elif replace(entry, sequence=old.sequence, said_at=old.said_at) == old:
            lines.append(old)
        else:
            lines.append(replace(entry, sequence=old.sequence + 1, said_at=stamp))
    for old in known.values():
        if old.cancelled:
            if dt.datetime.fromisoformat(old.said_at) + FORGET_AFTER > utc(at):
                lines.append(old)
        elif dt.datetime.fromisoformat(old.end) > utc(at):
            lines.append(replace(old, cancelled=True, sequence=old.sequence + 1, said_at=stamp))
    return json.dumps([asdict(one) for one in lines])


def said(stored: str) -> tuple[Entry, ...]:
    """What `revised` wrote; nothing of what another version, or a hand, has made of it."""

    def read(text: str) -> tuple[Entry, ...]:
        found = tuple(Entry(**one) for one in json.loads(text))
        for entry in found:
            for at in (entry.start, entry.end, entry.said_at):
                instant(at)
            if not isinstance(entry.sequence, int):
                raise TypeError(entry.sequence)
        return found

    return noted("feed", stored, read, ())


def rendered(lines: Sequence[Entry], name: str) -> bytes:
    """An iCalendar file (RFC 5545)."""
    calendar = Calendar()
    calendar.add("prodid", "-//On-call//rota//EN")
    calendar.add("version", "2.0")
    calendar.add("method", "PUBLISH")
    calendar.add("x-wr-calname", name)
    calendar.add("refresh-interval;value=duration", "PT1H")
    for entry in lines:
        event = Event()
        event.add("uid", entry.uid)
        event.add("sequence", entry.sequence)
        event.add("status", "CANCELLED" if entry.cancelled else "CONFIRMED")
        event.add("dtstamp", dt.datetime.fromisoformat(entry.said_at))
        event.add("last-modified", dt.datetime.fromisoformat(entry.said_at))
        event.add("dtstart", dt.datetime.fromisoformat(entry.start))
        event.add("dtend", dt.datetime.fromisoformat(entry.end))
        event.add("summary", entry.summary)
        event.add("description", entry.description)
        event.add("transp", "TRANSPARENT")
        calendar.add_component(event)
    return bytes(calendar.to_ical())
