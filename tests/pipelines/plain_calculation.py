"""The five models again, in plain Python with exact fractions, written from their description and not from the SQL."""

from __future__ import annotations

import datetime as dt
import math
from collections import defaultdict
from collections.abc import Iterable
from fractions import Fraction
from typing import Any

from tests.pipelines.master_by_hand import ZONE, rows

Money = dict[str, Fraction]
WEEK = dt.timedelta(days=7)
ITEMS = ("revenue", "cost", "refunds", "marketing")


def day_of(at: dt.datetime) -> dt.date:
    return at.astimezone(ZONE).date()


class Master:
    """All of schema `master`, in memory."""

    def __init__(self, connection: Any) -> None:
        def table(name: str) -> list[dict[str, Any]]:
            return rows(connection, f"select * from master.{name}")

        self.loads = table("loads")
        self.customers = table("customers")
        self.acquired = {c["customer_id"]: c["acquisition_channel"] for c in self.customers}
        self.signed_up = {c["customer_id"]: day_of(c["signed_up_at"]) for c in self.customers}
        self.products = table("products")
        self.unit_cost = {p["product_id"]: Fraction(p["unit_cost"]) for p in self.products}
        self.orders = {o["order_id"]: o for o in table("orders")}
        self.lines = [{**line, "quantity": int(line["quantity"])} for line in table("order_lines")]
        self.refunds = table("refunds")
        self.spend = table("marketing_spend")
        self.sessions = table("sessions")
        self.assignments = table("experiment_assignments")
        self.touches: dict[int, list[dict[str, Any]]] = defaultdict(list)
        for touch in table("touches"):
            self.touches[touch["customer_id"]].append(touch)
        self.active: dict[dt.date, set[int]] = defaultdict(set)
        for session in self.sessions:
            self.active[day_of(session["started_at"])].add(session["customer_id"])

    def cost(self, _day: dt.date, product: int) -> Fraction:
        """What a product cost on a day: here always what it costs now."""
        return self.unit_cost[product]

    def cancelled_on(self, order: dict[str, Any]) -> dt.date | None:
        """The day on which a cancelled order's row was written last; None for one that is not cancelled.

        The day's first load comes after midnight and belongs to the day that it closes; an order that came cancelled
        with the first load of its own day never counted.
        """
        if order["status"] != "cancelled":
            return None

        def closed(day: dt.date) -> bool:
            """Whether the order's row was there in this form when the day's first load had come."""
            first = [
                x["loaded_at"] for x in self.loads if x["table_name"] == "orders" and x["business_day"] == day
            ]
            return bool(first) and order["updated_at"] <= min(first)

        own, written = day_of(order["ordered_at"]), day_of(order["updated_at"])
        if closed(own):
            return own
        before = written - dt.timedelta(days=1)
        return max(own, before if closed(before) else written)

    def counts(self, order: dict[str, Any], on: dt.date) -> bool:
        """Whether an order was sold and not yet cancelled before the end of its day, nor before `on`."""
        end = self.cancelled_on(order)
        return end is None or (end > day_of(order["ordered_at"]) and end >= on)

    def in_another_currency(self, day: dt.date, currency: str) -> list[dict[str, Any]]:
        """The rows of the day's money that are in another currency than the report: it must be held for them.

        Of orders of the day and those refunded or cancelled on it, with the lines of both, the products there are.
        """
        refunds = [refund for refund in self.refunds if day_of(refund["refunded_at"]) == day]
        today = {
            order["order_id"]
            for order in self.orders.values()
            if day_of(order["ordered_at"]) == day or self.cancelled_on(order) == day
        }
        named = {(refund["order_id"], refund["line_no"]) for refund in refunds}
        orders = today | {order for order, _ in named}
        return [
            row
            for row in (
                *(order for number, order in self.orders.items() if number in orders),
                *(
                    line
                    for line in self.lines
                    if line["order_id"] in today or (line["order_id"], line["line_no"]) in named
                ),
                *refunds,
                *self.products,
                *(spend for spend in self.spend if spend["day"] == day),
            )
            if row.get("currency", currency) != currency
        ]

    def credited(self, order: dict[str, Any]) -> list[str]:
        """The channels that share an order's credit."""
        end = order["ordered_at"]
        seen = {
            t["channel"] for t in self.touches[order["customer_id"]] if end - WEEK <= t["touched_at"] < end
        }
        return sorted(seen) or [self.acquired[order["customer_id"]]]

    # One calculation from top to bottom, to be read beside the rules.
    def profit(self, day: dt.date) -> tuple[int, Money, dict[str, Money], dict[int, Fraction]]:  # noqa: C901
        """Orders, the day's money, the channels' money and the customers' profit, all unrounded."""
        channels: dict[str, Money] = defaultdict(
            lambda: dict.fromkeys(("revenue", "cost", "refunds", "marketing"), Fraction())
        )
        per_customer: dict[int, Fraction] = defaultdict(Fraction)
        revenue_of: dict[str, dict[int, Fraction]] = defaultdict(lambda: defaultdict(Fraction))
        sold = set()

        def share(order: dict[str, Any], item: str, amount: Fraction) -> None:
            credited = self.credited(order)
            for channel in credited:
                channels[channel][item] += amount / len(credited)
                if item == "revenue" and day_of(order["ordered_at"]) == day:
                    revenue_of[channel][order["customer_id"]] += amount / len(credited)
            per_customer[order["customer_id"]] += amount if item == "revenue" else -amount

        for line in self.lines:
            order = self.orders.get(line["order_id"])
            if order is None or not self.counts(order, day_of(order["ordered_at"])):
                continue
            ordered_on = day_of(order["ordered_at"])
            revenue = line["quantity"] * Fraction(line["unit_price"]) - Fraction(line["discount"])
            if ordered_on == day:
                sold.add(order["order_id"])
                share(order, "revenue", revenue)
                share(order, "cost", line["quantity"] * self.cost(day, line["product_id"]))
            elif self.cancelled_on(order) == day:
                given_back = sum(
                    (
                        Fraction(refund["amount"])
                        for refund in self.refunds
                        if (refund["order_id"], refund["line_no"]) == (line["order_id"], line["line_no"])
                        and day_of(refund["refunded_at"]) <= day
                    ),
                    Fraction(),
                )
                share(order, "revenue", given_back - revenue)
                share(order, "cost", -line["quantity"] * self.cost(ordered_on, line["product_id"]))
        for refund in self.refunds:
            order = self.orders[refund["order_id"]]
            if self.counts(order, day) and day_of(refund["refunded_at"]) == day:
                share(order, "refunds", Fraction(refund["amount"]))
        for spend in self.spend:
            if spend["day"] != day:
                continue
            amount, channel = Fraction(spend["amount"]), spend["channel"]
            revenue = sum(revenue_of[channel].values(), Fraction())
            if revenue > 0:
                channels[channel]["marketing"] += amount
                for customer, part in revenue_of[channel].items():
                    per_customer[customer] -= amount * part / revenue
            elif amount:
                channels["unattributed"]["marketing"] += amount
        whole = {
            item: sum((c[item] for c in channels.values()), Fraction())
            for item in ("revenue", "cost", "refunds", "marketing")
        }
        return len(sold), whole, dict(channels), per_customer

    def engagement(self, day: dt.date, channel: str | None = None) -> dict[str, Any]:
        """The day's engagement of everybody, or of those acquired by a channel."""

        def active(days: int) -> set[int]:
            window = (self.active[day - dt.timedelta(days=n)] for n in range(days))
            return {c for c in set().union(*window) if channel in (None, self.acquired[c])}

        today = [
            s
            for s in self.sessions
            if day_of(s["started_at"]) == day and channel in (None, self.acquired[s["customer_id"]])
        ]
        seconds = sum(s["duration_s"] for s in today)
        daily, seven, many = (len(active(days)) for days in (1, 7, 28))
        return {
            "active_1d": daily,
            "active_7d": seven,
            "active_28d": many,
            "stickiness": daily / many if many else None,
            "sessions": len(today),
            "seconds": seconds,
            "sessions_per_active": len(today) / daily if daily else None,
            "seconds_per_active": seconds / daily if daily else None,
        }

    def growth(self, day: dt.date, of: Iterable[int] | None = None) -> dict[str, Any]:
        """The day's growth accounting of everybody, or of some customers."""
        among = set(self.acquired) if of is None else set(of)
        today, yesterday = (self.active[day - dt.timedelta(days=n)] & among for n in (0, 1))
        ever = set().union(*(who for when, who in self.active.items() if when < day)) & among
        new, churned = today - ever, yesterday - today
        resurrected = (today & ever) - yesterday
        return {
            "active": len(today),
            "new": len(new),
            "retained": len(today & yesterday),
            "resurrected": len(resurrected),
            "churned": len(churned),
            "quick_ratio": (len(new) + len(resurrected)) / len(churned) if churned else None,
        }

    def growth_of(self, first: dt.date, last: dt.date, before: dt.date) -> dict[str, Any]:
        """Growth accounting of the days from `first` to `last`, against those from `before` on until then."""

        def active(since: dt.date, until: dt.date) -> set[int]:
            return set().union(*(who for day, who in self.active.items() if since <= day < until))

        now, then = active(first, last + dt.timedelta(days=1)), active(before, first)
        ever = active(dt.date.min, first)
        new, resurrected, churned = now - ever, (now & ever) - then, then - now
        return {
            "active": len(now),
            "new": len(new),
            "retained": len(now & then),
            "resurrected": len(resurrected),
            "churned": len(churned),
            "quick_ratio": Fraction(len(new) + len(resurrected), len(churned)) if churned else None,
        }

    def cohorts(self, last: dt.date) -> dict[str, tuple[int, int, int]]:
        """Month of sign-up → months since, customers, those active in the month that ends with `last`."""
        found: dict[str, list[int]] = defaultdict(lambda: [0, 0])
        for customer, signed_up in self.signed_up.items():
            if signed_up <= last:
                seen = [day for day, who in self.active.items() if customer in who]
                cohort = found[f"{signed_up:%Y-%m}"]
                cohort[0] += 1
                cohort[1] += any(last.replace(day=1) <= day <= last for day in seen)
        month = last.year * 12 + last.month
        return {
            cohort: (month - int(cohort[:4]) * 12 - int(cohort[5:]), customers, active)
            for cohort, (customers, active) in found.items()
        }

    def variants(self, day: dt.date) -> dict[tuple[str, str], dict[int, dt.date]]:
        """Experiment and variant → the customers assigned by the end of `day`, with the day of it."""
        found: dict[tuple[str, str], dict[int, dt.date]] = defaultdict(dict)
        for a in self.assignments:
            if day_of(a["assigned_at"]) <= day:
                found[a["experiment"], a["variant"]][a["customer_id"]] = day_of(a["assigned_at"])
        return found


def welch(a: list[float], b: list[float]) -> tuple[float, float, float]:
    """The difference of means (a − b) and its 95 % interval."""
    (mean_a, error_a), (mean_b, error_b) = ((mean(x), variance(x) / len(x)) for x in (a, b))
    df = (error_a + error_b) ** 2 / (error_a**2 / (len(a) - 1) + error_b**2 / (len(b) - 1))
    half = t_quantile(df) * math.sqrt(error_a + error_b)
    return mean_a - mean_b, mean_a - mean_b - half, mean_a - mean_b + half


def mean(values: list[float]) -> float:
    return math.fsum(values) / len(values)


def variance(values: list[float]) -> float:
    middle = mean(values)
    return math.fsum((value - middle) ** 2 for value in values) / (len(values) - 1)


def t_quantile(df: float, p: float = 0.975) -> float:
    """Student's t quantile: the density is integrated by Simpson's rule, after t = sqrt(df) tan θ."""
    constant = math.exp(math.lgamma((df + 1) / 2) - math.lgamma(df / 2)) / math.sqrt(math.pi)

    def below(t: float, steps: int = 4000) -> float:
        width = math.atan(t / math.sqrt(df)) / steps
        weights = (1 if n in (0, steps) else 4 if n % 2 else 2 for n in range(steps + 1))
        return 0.5 + constant * width / 3 * math.fsum(
            weight * math.cos(n * width) ** (df - 1) for n, weight in enumerate(weights)
        )

    low, high = 0.0, 20.0
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if below(middle) < p else (low, middle)
    return (low + high) / 2
