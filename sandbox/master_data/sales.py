"""What the sandbox sells: products, a day's orders with their lines, the refunds and cancellations that follow.

Refuses to know of reach.

Money is in cents.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from sandbox.master_data.business_day import demand, first_id, randomness, starts_at
from sandbox.master_data.population import earliest_moment, times_of_day, visitors

CATEGORIES = ("beauty", "books", "electronics", "grocery", "home", "sports", "toys", "fashion")
REFUND_WITHIN_DAYS = 14
CANCEL_WITHIN_DAYS = 7

_PRODUCTS = 200
_ORDERS_A_VISITOR = 0.55
_CANCELLED = 0.04  # on their own day
_CANCELLED_LATER = 0.012
_REFUNDED_LINES = 0.031

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Products:
    """The assortment; product n stands at index n - 1."""

    product_id: Ints
    category: Ints
    unit_cost: Ints
    list_price: Ints


@dataclass(frozen=True)
class Sales:
    """A day's orders by time, and their lines; `order_of_line` is the index of the line's order."""

    order_id: Ints
    customer_id: Ints
    ordered_at: Ints
    cancelled: NDArray[np.bool_]
    order_of_line: Ints
    line_no: Ints
    product_id: Ints
    quantity: Ints
    unit_price: Ints
    discount: Ints


@dataclass(frozen=True)
class Refunds:
    """Refunds of lines; `delay` is in whole business days after the order's."""

    order_id: Ints
    line_no: Ints
    amount: Ints
    delay: Ints


@lru_cache(maxsize=1)
def products(seed: int) -> Products:
    """The whole assortment: the same on every day."""
    dice = randomness(seed, dt.date(1970, 1, 1), "products")
    cost = np.clip(dice.lognormal(6.6, 0.7, _PRODUCTS), 80, 20_000).astype(np.int64)
    return Products(
        product_id=np.arange(1, _PRODUCTS + 1),
        category=dice.integers(0, len(CATEGORIES), _PRODUCTS),
        unit_cost=cost,
        list_price=(cost * dice.uniform(1.6, 2.6, _PRODUCTS)).astype(np.int64),
    )


@lru_cache(maxsize=2)  # a day, and the day before it for the refunds of the next
def sales(day: dt.date, seed: int, scale: float) -> Sales:
    """The day's orders and lines. Only visitors order, and only after they signed up."""
    people = visitors(day, seed, scale)
    dice = randomness(seed, day, "sales")
    buyer = np.repeat(np.arange(len(people)), dice.poisson(_ORDERS_A_VISITOR * demand(day), len(people)))
    moment = times_of_day(dice, earliest_moment(people, day)[buyer])
    by_time = np.argsort(moment, kind="stable")
    buyer, moment = buyer[by_time], moment[by_time]
    # bundles sell more lines
    luck = dice.random(len(buyer)) ** np.where(people.bundles[buyer] == 1, 0.7, 1.0)
    lines = 1 + (luck > 0.35).astype(np.int64) + (luck > 0.65) + (luck > 0.86)
    order_of_line = np.repeat(np.arange(len(buyer)), lines)
    first_line = np.cumsum(lines) - lines
    return Sales(
        order_id=first_id(day) + np.arange(len(buyer)),
        customer_id=people.customer_id[buyer],
        ordered_at=starts_at(day) + moment,
        cancelled=dice.random(len(buyer)) < _CANCELLED,
        order_of_line=order_of_line,
        line_no=np.arange(len(order_of_line)) - first_line[order_of_line] + 1,
        **_baskets(dice, products(seed), len(order_of_line)),
    )


def refunds(day: dt.date, seed: int, scale: float, since: dt.date | None = None) -> Refunds:
    """What is refunded on `day`, of orders of the REFUND_WITHIN_DAYS days before (none older than `since`)."""
    origins = [day - dt.timedelta(days=delay) for delay in range(REFUND_WITHIN_DAYS, 0, -1)]
    groups = [
        _on(refunds_of_orders(origin, seed, scale), (day - origin).days)
        for origin in origins
        if since is None or origin >= since
    ]
    groups = groups or [Refunds(*(np.zeros(0, np.int64) for _ in range(4)))]
    return Refunds(*map(np.concatenate, zip(*(vars(group).values() for group in groups), strict=True)))


def cancelled_on(day: dt.date, seed: int, scale: float, since: dt.date | None = None) -> Ints:
    """The ids of the orders that are cancelled on `day`, of the CANCEL_WITHIN_DAYS days before (not before `since`)."""
    origins = [day - dt.timedelta(days=delay) for delay in range(CANCEL_WITHIN_DAYS, 0, -1)]
    found = [
        first_id(origin) + np.flatnonzero(cancelled_after(origin, seed, scale) == (day - origin).days)
        for origin in origins
        if since is None or origin >= since
    ]
    return np.concatenate([np.zeros(0, np.int64), *found])


@lru_cache(maxsize=REFUND_WITHIN_DAYS + 2)
def cancelled_after(day: dt.date, seed: int, scale: float) -> Ints:
    """For each order of `day`, after how many business days it is cancelled; 0: never, or on its own day."""
    sold = sales(day, seed, scale)
    dice = randomness(seed, day, "cancellations")
    count = len(sold.order_id)
    chosen = (dice.random(count) < _CANCELLED_LATER) & ~sold.cancelled
    return np.where(chosen, 1 + (CANCEL_WITHIN_DAYS * dice.random(count) ** 2).astype(np.int64), 0)


@lru_cache(maxsize=REFUND_WITHIN_DAYS + 2)
def refunds_of_orders(day: dt.date, seed: int, scale: float) -> Refunds:
    """Every refund that the orders of `day` will ever see: some lines, in full or in part, days later."""
    sold = sales(day, seed, scale)
    dice = randomness(seed, day, "refunds")
    count = len(sold.line_no)
    chosen = (dice.random(count) < _REFUNDED_LINES) & ~sold.cancelled[sold.order_of_line]
    share = np.where(dice.random(count) < 0.6, 1.0, dice.uniform(0.2, 0.8, count))
    revenue = sold.quantity * sold.unit_price - sold.discount
    delay = 1 + (REFUND_WITHIN_DAYS * dice.random(count) ** 2).astype(np.int64)
    end = cancelled_after(day, seed, scale)[sold.order_of_line]
    chosen &= (end == 0) | (delay <= end)  # whoever has cancelled has their money back
    return Refunds(
        order_id=sold.order_id[sold.order_of_line][chosen],
        line_no=sold.line_no[chosen],
        amount=np.maximum(np.rint(revenue * share).astype(np.int64), 1)[chosen],
        delay=delay[chosen],
    )


def _baskets(dice: np.random.Generator, offer: Products, count: int) -> dict[str, Ints]:
    # some sell far better than others
    chosen = (len(offer.product_id) * dice.random(count) ** 2).astype(np.int64)
    luck = dice.random(count)
    quantity = 1 + (luck > 0.8).astype(np.int64) + (luck > 0.95)
    unit_price = offer.list_price[chosen]
    percent = np.where(dice.random(count) < 0.25, dice.choice([5, 10, 15, 20], count), 0)
    return {
        "product_id": offer.product_id[chosen],
        "quantity": quantity,
        "unit_price": unit_price,
        "discount": quantity * unit_price * percent // 100,
    }


def _on(group: Refunds, delay: int) -> Refunds:
    chosen = group.delay == delay
    return Refunds(*(column[chosen] for column in vars(group).values()))
