"""Business days of the sandbox in numbers: seconds, ids, randomness per day; refuses to know what happens on them."""

from __future__ import annotations

import datetime as dt
import zlib

import numpy as np

ZONE = dt.timezone(dt.timedelta(hours=7))
SECONDS = 86_400
IDS_PER_DAY = 10_000_000

_EPOCH = dt.date(1970, 1, 1)
_BY_WEEKDAY = (0.94, 0.95, 0.97, 1.00, 1.05, 1.08, 1.01)  # Monday first


def day_number(day: dt.date) -> int:
    """Days since 1970-01-01."""
    return (day - _EPOCH).days


def starts_at(day: dt.date) -> int:
    """The day's first instant, 00:00 UTC+7, in seconds since the epoch."""
    return day_number(day) * SECONDS - 7 * 3600


def first_id(day: dt.date) -> int:
    """The first id of the day. An id carries its day, so that a day's rows are one range of the primary key."""
    return day_number(day) * IDS_PER_DAY


def day_of_id(identifier: int) -> dt.date:
    """The business day on which the row with this id was made."""
    return _EPOCH + dt.timedelta(days=identifier // IDS_PER_DAY)


def randomness(seed: int, day: dt.date, stream: str, *more: int) -> np.random.Generator:
    """The dice of one stream on one day: the same whatever was generated before."""
    return np.random.default_rng([seed, day_number(day), zlib.crc32(stream.encode()), *more])


def demand(day: dt.date) -> float:
    """How busy the day is, 1.0 on average: the week, the year (a peak in December), the days after payday."""
    year = 1 + 0.08 * np.cos(2 * np.pi * (day.timetuple().tm_yday - 350) / 365.25)
    payday = 1.08 if day.day in (25, 26, 27) else 1.0
    return float(_BY_WEEKDAY[day.weekday()] * year * payday)
