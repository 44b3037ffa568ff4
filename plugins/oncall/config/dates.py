"""The one reader of dates and times that people write: in the roster, on the command line, in a page's address."""

from __future__ import annotations

import datetime as dt
import re

FIRST, LAST = dt.date(1970, 1, 1), dt.date(9990, 12, 31)  # beyond, clocks and calendars of libraries break
WRITE_DATE = "a date such as 2026-03-02, from 1970 to 9990"
WRITE_MOMENT = 'a date such as 2026-03-02 or a time such as "2026-03-02 09:00", from 1970 to 9990'

_DATE = re.compile(r"\d{4}-\d\d-\d\d|\d{8}|\d{4}-?W\d\d-?\d", re.ASCII)
_TIME = re.compile(
    r"(?P<date>\d{4}-\d\d-\d\d|\d{8})[Tt ](?P<clock>\d\d(:?\d\d(:?\d\d([.,]\d{1,6})?)?)?)"
    r"(?P<zone>[Zz]|[+-]\d\d(:?\d\d)?)?",
    re.ASCII,
)


def date_or_time(text: str) -> dt.date | dt.datetime:
    """A date (each of its ISO forms: 2026-03-02, 20260302, 2026-W10-1) or a date-time, with or without an offset.

    A date is never read as its midnight. Raises ValueError for everything else, and outside 1970 to 9990.
    """
    text = text.strip()
    if _DATE.fullmatch(text):
        return _in_range(dt.date.fromisoformat(text))
    found = _TIME.fullmatch(text)
    if found is None:
        raise ValueError(f"{text[:60]!r} is no date and no time")
    day = _in_range(dt.date.fromisoformat(found["date"]))
    clock = dt.time.fromisoformat(found["clock"] + (found["zone"] or "").upper())
    return dt.datetime.combine(day, clock)


def date(text: str) -> dt.date:
    """A date alone. Raises ValueError."""
    found = date_or_time(text)
    if isinstance(found, dt.datetime):
        raise ValueError(f"{text[:60]!r} is a time")
    return found


def _in_range(day: dt.date) -> dt.date:
    if not FIRST <= day <= LAST:
        raise ValueError(f"{day} is not from 1970 to 9990")
    return day
