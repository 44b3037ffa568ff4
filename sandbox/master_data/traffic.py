"""How the sandbox's customers are reached and what they use: touches, marketing spend, sessions; no money earned here.

Spend is in cents.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sandbox.master_data.business_day import demand, first_id, randomness, starts_at
from sandbox.master_data.population import CHANNELS, earliest_moment, times_of_day, visitors

FEATURES = ("browse", "search", "checkout", "wishlist", "reviews", "rewards", "support")

# A day's spend at scale 1. Nothing is ever sold through the podcast: a spend that no revenue can carry.
DAILY_SPEND: Mapping[str, int] = {
    "paid_search": 1_300_000,
    "social": 1_000_000,
    "display": 280_000,
    "affiliate": 230_000,
    "email": 55_000,
}
PODCAST_SPEND = 180_000

_FEATURE_ODDS = (0.34, 0.22, 0.16, 0.1, 0.07, 0.07, 0.04)
_TOUCH_ODDS = (0.3, 0.25, 0.06, 0.03, 0.22, 0.08, 0.06)  # by channel, in the order of CHANNELS
_OPENING_S = 1800  # the touch that wins a customer comes at most half an hour before they sign up

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Touches:
    """Touches by time; `channel` indexes CHANNELS, times are epoch seconds."""

    touch_id: Ints
    customer_id: Ints
    touched_at: Ints
    channel: Ints


@dataclass(frozen=True)
class Sessions:
    """Sessions by time; `feature` indexes FEATURES, durations are seconds."""

    session_id: Ints
    customer_id: Ints
    started_at: Ints
    duration_s: Ints
    feature: Ints


def touches(day: dt.date, seed: int, scale: float) -> Touches:
    """The day's touches: the one that won each new customer, and those that brought visitors back."""
    people = visitors(day, seed, scale)
    dice = randomness(seed, day, "touches")
    new = people.signed_up_at >= starts_at(day)
    again = np.where(people.shy | new, 0, dice.choice(3, len(people), p=(0.5, 0.38, 0.12)))
    who = np.repeat(np.arange(len(people)), np.where(new & ~people.shy, 1, again))
    first = new[who]
    before = earliest_moment(people, day)[who] - dice.integers(60, _OPENING_S, len(who))
    # rather before the evening's orders
    returning = times_of_day(dice, np.zeros(len(who), np.int64)) * 2 // 3
    moment = np.where(first, np.maximum(before, 0), returning)
    channel = np.where(first, people.channel[who], dice.choice(len(CHANNELS), len(who), p=_TOUCH_ODDS))
    order = np.argsort(moment, kind="stable")
    return Touches(
        touch_id=first_id(day) + np.arange(len(who)),
        customer_id=people.customer_id[who][order],
        touched_at=starts_at(day) + moment[order],
        channel=channel[order].astype(np.int64),
    )


def sessions(day: dt.date, seed: int, scale: float) -> Sessions:
    """The day's sessions: at least one of every visitor."""
    people = visitors(day, seed, scale)
    dice = randomness(seed, day, "sessions")
    who = np.repeat(np.arange(len(people)), 1 + dice.poisson(0.7, len(people)))
    moment = times_of_day(dice, earliest_moment(people, day)[who])
    order = np.argsort(moment, kind="stable")
    return Sessions(
        session_id=first_id(day) + np.arange(len(who)),
        customer_id=people.customer_id[who][order],
        started_at=starts_at(day) + moment[order],
        duration_s=np.clip(dice.lognormal(5.3, 0.9, len(who)), 5, 4 * 3600).astype(np.int64),
        feature=dice.choice(len(FEATURES), len(who), p=_FEATURE_ODDS),
    )


def marketing_spend(day: dt.date, seed: int, scale: float) -> dict[str, int]:
    """Channel → cents spent that day. On about one day in six there is a podcast too."""
    dice = randomness(seed, day, "spend")
    spend = {
        channel: round(usual * scale * demand(day) * dice.uniform(0.85, 1.15))
        for channel, usual in DAILY_SPEND.items()
    }
    if dice.random() < 1 / 6:
        spend["podcast"] = round(PODCAST_SPEND * scale)
    return spend
