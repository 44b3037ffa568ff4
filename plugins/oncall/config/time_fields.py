"""Dates, times, zones and durations as the roster writes them. Knows rule 2; refuses to know leave from overrides."""

from __future__ import annotations

import datetime as dt
import re
from zoneinfo import ZoneInfo

from oncall.config import dates
from oncall.config.yaml_fields import Field
from oncall.core.rota.roster import Handoff
from oncall.core.wall_time import at_wall, in_zone

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
NO_MOMENT = "no date (2026-03-02) and no time (2026-03-02T05:00) from 1970 to 9990"
# Not what only this machine has (its own zone, and those with leap seconds).
# Nor what most people read the other way round: Etc/GMT+7 is seven hours *behind* UTC.
_ZONE = r"(?!localtime|posix|right/|Factory|Etc/GMT[+-][1-9])[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*"
LONGEST_WAIT = dt.timedelta(days=30)

Stretch = tuple[dt.datetime, dt.datetime]  # [start, end)


def read_zone(field: Field) -> dt.tzinfo | None:
    """A fixed offset such as "+07:00" or an IANA name such as Europe/Berlin, as the standard library has it."""
    written = field.node.value if field.node else ""
    short = re.fullmatch(r"\s*(?:UTC|GMT)?([+-]?)(\d{1,2}):?(\d\d)?\s*", str(written), re.ASCII)
    known = short and int(short[2]) <= 14 and int(short[3] or 0) < 60
    example = f"{short[1] or '+'}{int(short[2]):02}:{short[3] or '00'}" if short and known else "+07:00"
    if turned := re.fullmatch(r"\s*Etc/GMT([+-])(\d{1,2})\s*", str(written), re.ASCII):
        meant, read = (f"{sign}{int(turned[2]):02}:00" for sign in ("-+" if turned[1] == "+" else "+-"))
        return field.parsed(
            _zone, f'the offset itself: "{meant}" is what this name means, "{read}" what it reads as'
        )
    return field.parsed(_zone, f'a fixed offset such as "{example}" or an IANA zone such as Asia/Bangkok')


def _zone(text: str) -> dt.tzinfo:
    offset = re.fullmatch(r"([+-])(\d\d):([0-5]\d)", text, re.ASCII)
    if offset and int(offset[2]) <= 14:
        seconds = int(offset[2]) * 3600 + int(offset[3]) * 60
        return dt.timezone(dt.timedelta(seconds=seconds if offset[1] == "+" else -seconds))
    if not re.fullmatch(_ZONE, text, re.ASCII):
        raise ValueError(text)
    try:
        zone = ZoneInfo(text)
        for day in (dates.FIRST, dates.LAST):
            at_wall(day, dt.time(9), zone)
    except Exception as error:  # a folder, a file that is no zone, a name too long: each raises another error
        raise ValueError(text) from error
    return zone


def read_handoff(field: Field) -> Handoff:
    """Weekday and time of the handoff; Monday 09:00 where nothing (valid) is written."""
    usual = Handoff()
    fields = field.fields('a mapping such as {day: monday, at: "09:00"}', ("day", "at"))
    day = None if fields["day"].missing else fields["day"].one_of(WEEKDAYS, "one of")
    at = None if fields["at"].missing else fields["at"].time()
    return Handoff(WEEKDAYS.index(day) if day else usual.weekday, at or usual.at)


def read_stretch(start: Field, end: Field, handoff: Handoff, tz: dt.tzinfo) -> Stretch | None:
    """[start, end) as instants of `tz`; None, with a complaint, when it is unreadable or empty.

    A date is its on-call day (rule 2): as a start the day's handoff hour, as an end the next day's, so that both
    days are included. A date-time stands as it is; without an offset it is wall clock of `tz`.
    """
    first = start.parsed(lambda text: moment(text, handoff, tz), dates.WRITE_MOMENT)
    last = end.parsed(lambda text: moment(text, handoff, tz, included=True), dates.WRITE_MOMENT)
    if first is None or last is None:
        return None
    if last <= first:
        end.complain(f"an end after {start.key.rpartition('.')[2]} ({start.found})")
        return None
    return first, last


def moment(text: str, handoff: Handoff, tz: dt.tzinfo, *, included: bool = False) -> dt.datetime:
    """The instant a person wrote: a date is its handoff hour, a date-time without offset is wall clock of `tz`.

    `included`: it is the end of a stretch, and a date in its place is the last day of it. Raises ValueError when the
    text is neither, or outside 1970 to 9990.
    """
    written = dates.date_or_time(text)
    if isinstance(written, dt.datetime):
        return in_zone(written, tz) if written.tzinfo else at_wall(written.date(), written.time(), tz)
    return at_wall(written + dt.timedelta(days=included), handoff.at, tz)


def read_duration(field: Field) -> dt.timedelta | None:
    """A duration such as 0m, 90s, 15m, 1h or 1h30m, under 30 days."""
    return field.parsed(_duration, "a duration under 30 days such as 0m, 15m or 1h30m")


def _duration(text: str) -> dt.timedelta:
    parts = re.fullmatch(r"(?:(\d{1,7})h)?(?:(\d{1,7})m)?(?:(\d{1,7})s)?", text, re.ASCII)
    if not parts:
        raise ValueError(text)
    hours, minutes, seconds = (int(part or 0) for part in parts.groups())
    duration = dt.timedelta(hours=hours, minutes=minutes, seconds=seconds)
    if duration >= LONGEST_WAIT:
        raise ValueError(text)
    return duration
