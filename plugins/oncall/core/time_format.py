"""How instants, days and lengths of time are written, on the page, in messages and on the command line."""

from __future__ import annotations

import datetime as dt

from oncall.core.wall_time import utc

# Not strftime: that speaks the server's language, and takes as long as all the rest.
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

SHORT_S = 120  # below that a length of time is told in seconds


class TimeFormat:
    """Times as seen from the instant `at` in one zone."""

    def __init__(self, at: dt.datetime, tz: dt.tzinfo) -> None:
        self.at, self.tz = at, tz
        self._today = at.astimezone(tz).date()

    def clock(self, at: dt.datetime | None) -> str:
        """05:00, with the day when it is not today."""
        if at is None:
            return "–"
        there = utc(at).astimezone(self.tz)
        clock = f"{there.hour:02}:{there.minute:02}"
        return clock if there.date() == self._today else f"{weekday(there)} {clock}"

    def when(self, at: dt.datetime | None) -> str:
        """The same within a sentence: "at 05:00", "on Fri 20 Nov at 02:30"."""
        day_, _, clock = self.clock(at).rpartition(" ")
        return f"on {day_} at {clock}" if day_ else f"at {clock}"

    def moment(self, at: dt.datetime | None) -> str:
        """Mon 23 Nov 05:00, always with the day, and with the year when it is another."""
        if at is None:
            return "–"
        there = utc(at).astimezone(self.tz)
        year = f" {there.year}" if there.year != self._today.year else ""
        return f"{weekday(there)}{year} {there.hour:02}:{there.minute:02}"

    def seconds(self, at: dt.datetime | None) -> str:
        """05:00:00, with the day when it is not today."""
        return "–" if at is None else f"{self.clock(at)}:{at.astimezone(self.tz):%S}"

    def away(self, at: dt.datetime) -> str:
        """in 2 h 05 min, or 3 min ago."""
        return f"in {between(self.at, at)}" if at >= self.at else f"{between(at, self.at)} ago"

    def in_airflow(self, at: dt.datetime | None) -> str:
        """What a wall-clock time of ours is in Airflow's own pages and logs ("" where both are the same)."""
        here = utc(at or self.at).astimezone(self.tz)
        there = here.astimezone(dt.UTC)
        if here.utcoffset() == dt.timedelta():
            return ""
        day = {0: "", -1: ", the day before", 1: ", the day after"}[(there.date() - here.date()).days]
        return (
            f"Airflow shows UTC: {here.hour:02}:{here.minute:02} here is"
            f" {there.hour:02}:{there.minute:02} there{day}"
        )

    @property
    def zone(self) -> str:
        """UTC+07:00, or the zone's name."""
        name = getattr(self.tz, "key", None) or self.at.astimezone(self.tz).strftime("%Z")
        return f"UTC{name}" if name[:1] in "+-" else name


def day(date: dt.date) -> str:
    """23 Nov."""
    return f"{date.day} {_MONTHS[date.month - 1]}"


def weekday(date: dt.date) -> str:
    """Mon 23 Nov."""
    return f"{WEEKDAYS[date.weekday()]} {day(date)}"


def days(start: dt.date, end: dt.date) -> str:
    """23 – 29 Nov, both included."""
    if start == end:
        return day(start)
    if (start.year, start.month) == (end.year, end.month):
        return f"{start.day} – {day(end)}"
    return f"{day(start)} – {day(end)}"


def span(seconds: float) -> str:
    """A length of time, in one form everywhere: "42 s", "26 min", "1 h 05 min", "3 days 4 h".

    Cut, as a clock is: what is due at 05:00 and published at 05:41 is 41 min late until 05:42. What is a part of a
    second is one: "0 s late" is in time.
    """
    if seconds < SHORT_S:
        return f"{max(int(seconds), int(seconds > 0))} s"
    minutes = int(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 48 * 60:
        return f"{minutes // 60} h {minutes % 60:02d} min"
    whole, hours = divmod(minutes // 60, 24)
    return f"{whole} days" + (f" {hours} h" if hours else "")


def between(start: dt.datetime, end: dt.datetime) -> str:
    """How long it is from one instant to a later one, as a reader counts it from the clock times of both."""
    seconds = (end - start).total_seconds()
    if seconds < SHORT_S:
        return span(seconds)
    return span((end.timestamp() // 60 - start.timestamp() // 60) * 60)


def clock(at: dt.datetime | None, tz: dt.tzinfo) -> str:
    """Its time of the day there."""
    return at.astimezone(tz).strftime("%H:%M") if at else "an unknown time"
