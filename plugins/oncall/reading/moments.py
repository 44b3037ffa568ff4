"""Dates, times, zones and durations as the roster writes them. Knows rule 2; refuses to know leave from overrides."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable

import pendulum
from pendulum.tz.exceptions import InvalidTimezone

from oncall.core.roster import Handoff
from oncall.core.wall import at_wall, in_zone
from oncall.reading.document import Field

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_WRITE_MOMENT = 'a date such as 2026-03-02 or a time such as "2026-03-02 09:00"'


def read_zone(field: Field) -> dt.tzinfo | None:
    """A fixed offset such as "+07:00" or an IANA name such as Europe/Berlin, as a pendulum zone."""
    write = 'a fixed offset such as "+07:00" or an IANA zone such as Asia/Bangkok'
    text = field.text(write)
    if text is None:
        return None
    offset = re.fullmatch(r"([+-])(\d\d):([0-5]\d)", text)
    if offset and int(offset[2]) <= 14:
        seconds = int(offset[2]) * 3600 + int(offset[3]) * 60
        return pendulum.FixedTimezone(seconds if offset[1] == "+" else -seconds)
    try:
        return pendulum.timezone(text)
    except (InvalidTimezone, ValueError):
        field.complain(write)
        return None


def read_handoff(field: Field) -> Handoff:
    """Weekday and time of the handoff; Monday 09:00 where nothing (valid) is written."""
    usual = Handoff()
    fields = field.fields('a mapping such as {day: monday, at: "09:00"}', ("day", "at"))
    day = None if fields["day"].missing else fields["day"].one_of(WEEKDAYS, "one of")
    at = None if fields["at"].missing else fields["at"].time()
    return Handoff(WEEKDAYS.index(day) if day else usual.weekday, at or usual.at)


def read_stretch(
    start: Field, end: Field, handoff: Handoff, tz: dt.tzinfo
) -> tuple[pendulum.DateTime, pendulum.DateTime] | None:
    """[start, end) as instants of `tz`; None, with a complaint, when it is unreadable or empty.

    A date is its on-call day (rule 2): as a start the day's handoff hour, as an end the next day's, so that both
    days are included. A date-time stands as it is; without an offset it is wall clock of `tz`.
    """
    first = _read_moment(start, handoff, tz, lambda day: day)
    last = _read_moment(end, handoff, tz, lambda day: day + dt.timedelta(days=1))
    if first is None or last is None:
        return None
    if last <= first:
        end.complain(f"an end after {start.key.rpartition('.')[2]} ({start.found})")
        return None
    return first, last


def moment(text: str, handoff: Handoff, tz: dt.tzinfo) -> pendulum.DateTime:
    """The instant a person wrote: a date is its handoff hour, a date-time without offset is wall clock of `tz`.

    Raises ValueError when the text is neither.
    """
    if re.fullmatch(r"\d{4}-\d\d-\d\d", text):
        return at_wall(dt.date.fromisoformat(text), handoff.at, tz)
    at = dt.datetime.fromisoformat(text)
    return in_zone(at, tz) if at.tzinfo else at_wall(at.date(), at.time(), tz)


def _read_moment(
    field: Field, handoff: Handoff, tz: dt.tzinfo, which_day: Callable[[dt.date], dt.date]
) -> pendulum.DateTime | None:
    text = field.text(_WRITE_MOMENT)
    if text is None:
        return None
    try:
        if re.fullmatch(r"\d{4}-\d\d-\d\d", text):
            return at_wall(which_day(dt.date.fromisoformat(text)), handoff.at, tz)
        return moment(text, handoff, tz)
    except ValueError:
        field.complain(_WRITE_MOMENT)
        return None


def read_duration(field: Field) -> dt.timedelta | None:
    """A duration such as 0m, 90s, 15m, 1h or 1h30m."""
    write = "a duration such as 0m, 15m or 1h30m"
    text = field.text(write)
    if text is None:
        return None
    parts = re.fullmatch(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?", text)
    if not parts:
        field.complain(write)
        return None
    hours, minutes, seconds = (int(part or 0) for part in parts.groups())
    return dt.timedelta(hours=hours, minutes=minutes, seconds=seconds)
