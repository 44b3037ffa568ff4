"""The master data of any business day, as columns of the tables of schema `master`; refuses to know of databases.

Pure: the same seed, day and scale give the same rows, whichever days were generated before. Only `updated_at` is
not here: it is when a row is written.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sandbox.master_data.business_day import SECONDS, first_id, randomness, starts_at
from sandbox.master_data.population import CHANNELS, COUNTRIES, EXPERIMENTS, signups, times_of_day
from sandbox.master_data.sales import CATEGORIES, products, refunds, sales
from sandbox.master_data.traffic import FEATURES, marketing_spend, sessions, touches

Kind = Literal["int", "cents", "time", "text"]
Column = NDArray[Any]
Columns = Mapping[str, tuple[Kind, Column]]


@dataclass(frozen=True)
class Universe:
    """Which world is generated. `since`: the first day of its orders; older ones are never refunded."""

    seed: int = 7
    scale: float = 1.0
    since: dt.date | None = None


@dataclass(frozen=True)
class Rows:
    """One table's rows of one day: equally long columns in the table's order, each with its kind.

    `int` as it stands, `cents` integer cents, `time` epoch seconds, `text` strings.
    """

    table: str
    names: tuple[str, ...]
    kinds: tuple[Kind, ...]
    columns: tuple[Column, ...]

    def __len__(self) -> int:
        return len(self.columns[0])

    def first(self, share: float) -> Rows:
        """The first `share` (0 … 1) of the rows, as when a load breaks off."""
        kept = round(len(self) * share)
        return Rows(self.table, self.names, self.kinds, tuple(column[:kept] for column in self.columns))

    def as_text(self, updated_at: dt.datetime, rows_at_once: int = 50_000) -> Iterator[str]:
        """The rows as PostgreSQL's COPY text, `updated_at` last, in pieces that fit into memory at any scale."""
        line = "\t".join("%de-2" if kind == "cents" else "%s" for kind in self.kinds)
        line += f"\t{updated_at.isoformat()}\n"  # 1234e-2 is 12.34 to a numeric column: cents stay exact
        for start in range(0, len(self), rows_at_once):
            piece = [column[start : start + rows_at_once] for column in self.columns]
            cells = (_cells(column, kind) for column, kind in zip(piece, self.kinds, strict=True))
            yield "".join(map(line.__mod__, zip(*cells, strict=True)))


def rows(table: str, day: dt.date, universe: Universe) -> Rows:
    """The rows of `table` that belong to business day `day` (products: all of them). KeyError: no such table."""
    columns = _TABLES[table](day, universe)
    kinds, values = zip(*columns.values(), strict=True)
    return Rows(table, tuple(columns), kinds, values)


def _cells(column: Column, kind: Kind) -> list[Any]:
    if kind == "time":
        return list(np.datetime_as_string(column.astype("datetime64[s]"), timezone="UTC").tolist())
    return list(column.tolist())


def _columns(drawn: object, **columns: Kind | tuple[Kind, Column]) -> Columns:
    """Each column with its kind: what was drawn under its name, unless it says otherwise."""
    return {
        name: (given, getattr(drawn, name)) if isinstance(given, str) else given
        for name, given in columns.items()
    }


def _customers(day: dt.date, universe: Universe) -> Columns:
    people = signups(day, universe.seed, universe.scale)
    return _columns(
        people,
        customer_id="int",
        signed_up_at="time",
        country=("text", np.array(COUNTRIES)[people.country]),
        acquisition_channel=("text", np.array(CHANNELS)[people.channel]),
    )


def _products(_day: dt.date, universe: Universe) -> Columns:
    offer = products(universe.seed)
    category: Column = np.array(CATEGORIES)[offer.category]
    return _columns(offer, product_id="int", category=("text", category), unit_cost="cents")


def _orders(day: dt.date, universe: Universe) -> Columns:
    sold = sales(day, universe.seed, universe.scale)
    status = np.where(sold.cancelled, "cancelled", "completed")
    return _columns(sold, order_id="int", customer_id="int", ordered_at="time", status=("text", status))


def _order_lines(day: dt.date, universe: Universe) -> Columns:
    sold = sales(day, universe.seed, universe.scale)
    return _columns(
        sold,
        order_id=("int", sold.order_id[sold.order_of_line]),
        line_no="int",
        product_id="int",
        quantity="int",
        unit_price="cents",
        discount="cents",
    )


def _refunds(day: dt.date, universe: Universe) -> Columns:
    returned = refunds(day, universe.seed, universe.scale, universe.since)
    count = len(returned.order_id)
    dice = randomness(universe.seed, day, "refund times")
    return _columns(
        returned,
        refund_id=("int", first_id(day) + np.arange(count)),
        order_id="int",
        line_no="int",
        amount="cents",
        refunded_at=("time", starts_at(day) + times_of_day(dice, np.zeros(count, np.int64))),
    )


def _marketing_spend(day: dt.date, universe: Universe) -> Columns:
    spend = marketing_spend(day, universe.seed, universe.scale)
    return {
        "day": ("text", np.full(len(spend), day.isoformat())),
        "channel": ("text", np.array(list(spend))),
        "amount": ("cents", np.array(list(spend.values()))),
    }


def _touches(day: dt.date, universe: Universe) -> Columns:
    reached = touches(day, universe.seed, universe.scale)
    channel: Column = np.array(CHANNELS)[reached.channel]
    return _columns(reached, touch_id="int", customer_id="int", touched_at="time", channel=("text", channel))


def _sessions(day: dt.date, universe: Universe) -> Columns:
    used = sessions(day, universe.seed, universe.scale)
    feature: Column = np.array(FEATURES)[used.feature]
    return _columns(
        used, session_id="int", customer_id="int", started_at="time", duration_s="int", feature=("text", feature)
    )  # fmt: skip


def _experiment_assignments(day: dt.date, universe: Universe) -> Columns:
    """Everybody enters both experiments a second after signing up, at the latest in the day's last one."""
    people = signups(day, universe.seed, universe.scale)
    variants = {"checkout_bundles": people.bundles, "streak_reminders": people.streak}
    moment = np.minimum(people.signed_up_at + 1, starts_at(day) + SECONDS - 1)
    names = [np.array(EXPERIMENTS[name])[code] for name, code in variants.items()]
    return {
        "experiment": ("text", np.repeat(list(variants), len(people))),
        "customer_id": ("int", np.tile(people.customer_id, len(variants))),
        "variant": ("text", np.concatenate(names)),
        "assigned_at": ("time", np.tile(moment, len(variants))),
    }


_TABLES: Mapping[str, Callable[[dt.date, Universe], Columns]] = {
    "customers": _customers,
    "products": _products,
    "orders": _orders,
    "order_lines": _order_lines,
    "refunds": _refunds,
    "marketing_spend": _marketing_spend,
    "touches": _touches,
    "sessions": _sessions,
    "experiment_assignments": _experiment_assignments,
}
TABLES = tuple(_TABLES)
