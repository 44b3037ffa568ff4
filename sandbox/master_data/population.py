"""The sandbox's customers: who signs up on a day, and who comes back; refuses to know what they buy.

The population is stationary. Everybody is forgotten WINDOW days after signing up, so that any day can be
generated alone, in any year, from the cohorts of the WINDOW days that end with it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from sandbox.master_data.business_day import SECONDS, day_number, demand, first_id, randomness, starts_at

WINDOW = 120
SIGNUPS_A_DAY = 600
COUNTRIES = ("VN", "TH", "ID", "PH", "MY", "SG")
CHANNELS = ("paid_search", "social", "organic", "referral", "email", "affiliate", "display")
EXPERIMENTS: Mapping[str, tuple[str, ...]] = {
    "checkout_bundles": ("control", "bundles"),
    "streak_reminders": ("control", "streak", "streak_and_reminders"),
}
LIFETIME_DAYS = np.array([38.0, 46.0, 54.0])  # by variant of streak_reminders: what the treatments are worth

_COUNTRY_ODDS = (0.38, 0.2, 0.18, 0.12, 0.07, 0.05)
_CHANNEL_ODDS = (0.28, 0.24, 0.22, 0.1, 0.06, 0.06, 0.04)
_WEEKS = 18  # as many as WINDOW needs


@dataclass(frozen=True)
class People:
    """Customers as equally long columns. Codes index the tuples above; `signed_up_at` is epoch seconds."""

    customer_id: NDArray[np.int64]
    signed_up_at: NDArray[np.int64]
    country: NDArray[np.int8]
    channel: NDArray[np.int8]
    bundles: NDArray[np.int8]
    streak: NDArray[np.int8]
    appetite: NDArray[np.float32]  # the chance of a visit on a day of an engaged week
    lifetime: NDArray[np.int16]  # days until they are gone for good
    engaged_weeks: NDArray[np.int32]  # bit n: engaged in the n-th week after signing up
    shy: NDArray[np.bool_]  # no marketing ever reaches them

    def __len__(self) -> int:
        return len(self.customer_id)

    def where(self, chosen: NDArray[np.bool_]) -> People:
        """Those for whom `chosen` is true."""
        return People(*(getattr(self, column.name)[chosen] for column in fields(self)))


@lru_cache(maxsize=WINDOW + 16)
def signups(day: dt.date, seed: int, scale: float) -> People:
    """Everybody who signs up on `day`, in the order of signing up."""
    dice = randomness(seed, day, "signups")
    count = max(1, round(SIGNUPS_A_DAY * scale * demand(day) * dice.uniform(0.94, 1.06)))
    bundles = dice.integers(0, len(EXPERIMENTS["checkout_bundles"]), count, dtype=np.int8)
    streak = dice.integers(0, len(EXPERIMENTS["streak_reminders"]), count, dtype=np.int8)
    engaged = dice.random((count, _WEEKS)) < 0.72
    engaged[:, 0] = True
    return People(
        customer_id=first_id(day) + np.arange(count),
        signed_up_at=starts_at(day) + np.sort(times_of_day(dice, np.zeros(count, np.int64))),
        country=dice.choice(len(COUNTRIES), count, p=_COUNTRY_ODDS).astype(np.int8),
        channel=dice.choice(len(CHANNELS), count, p=_CHANNEL_ODDS).astype(np.int8),
        bundles=bundles,
        streak=streak,
        appetite=dice.beta(2, 3, count).astype(np.float32),
        lifetime=np.minimum(dice.exponential(LIFETIME_DAYS[streak]), WINDOW).astype(np.int16),
        engaged_weeks=(engaged @ (1 << np.arange(_WEEKS))).astype(np.int32),
        shy=dice.random(count) < 0.12,
    )


@lru_cache(maxsize=2)
def visitors(day: dt.date, seed: int, scale: float) -> People:
    """The customers who use the product on `day`: all who sign up that day and those who come back."""
    return _joined([_who_come(day, age, seed, scale) for age in range(WINDOW)])


def earliest_moment(people: People, day: dt.date) -> NDArray[np.int64]:
    """The second of `day` from which each of them can do something: nobody acts before signing up."""
    return np.maximum(people.signed_up_at - starts_at(day), 0)


def times_of_day(dice: np.random.Generator, earliest: NDArray[np.int64]) -> NDArray[np.int64]:
    """Seconds of the day, from `earliest` to midnight, with a peak in the evening."""
    share = dice.triangular(0, 0.83, 1, len(earliest))
    return earliest + (share * (SECONDS - 1 - earliest)).astype(np.int64)


def _who_come(day: dt.date, age: int, seed: int, scale: float) -> People:
    cohort = signups(day - dt.timedelta(days=age), seed, scale)
    if age == 0:
        return cohort
    dice = randomness(seed, day, "visits", day_number(day) - age)
    chance = cohort.appetite * np.float32(demand(day))
    engaged = (cohort.engaged_weeks >> (age // 7)) & 1 == 1
    return cohort.where((cohort.lifetime >= age) & engaged & (dice.random(len(cohort)) < chance))


def _joined(groups: list[People]) -> People:
    return People(*(np.concatenate([getattr(g, c.name) for g in groups]) for c in fields(People)))
