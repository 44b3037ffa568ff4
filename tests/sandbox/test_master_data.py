"""The generator: deterministic, any day alone, keys that hold, figures that look like a shop's."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.master_data import generator, population, sales, traffic
from sandbox.master_data.business_day import SECONDS, day_of_id, demand, first_id, starts_at
from sandbox.master_data.generator import TABLES, Rows, Universe, rows

DAY = dt.date(2026, 11, 20)
SMALL = Universe(seed=7, scale=0.05)
WRITTEN = dt.datetime(2026, 11, 21, 1, tzinfo=dt.UTC)


def forget() -> None:
    """Make the generator as new: nothing generated before."""
    for cached in (
        population.signups,
        population.visitors,
        sales.sales,
        sales.refunds_of_orders,
        sales.products,
    ):
        cached.cache_clear()


def text(table: str, day: dt.date, universe: Universe) -> str:
    return "".join(rows(table, day, universe).as_text(WRITTEN))


def column(data: Rows, name: str) -> np.ndarray:
    return data.columns[data.names.index(name)]


@pytest.mark.parametrize("table", TABLES)
def test_a_day_alone_equals_the_day_in_a_sequence(table: str) -> None:
    """Whatever was generated before, a day has the same rows."""
    forget()
    in_sequence = [text(table, DAY + dt.timedelta(days=n), SMALL) for n in range(-3, 1)][-1]
    forget()
    assert text(table, DAY, SMALL) == in_sequence


@pytest.mark.parametrize("table", TABLES)
def test_another_seed_is_another_world(table: str) -> None:
    """Seeds decide every table, products included."""
    assert text(table, DAY, SMALL) != text(table, DAY, Universe(seed=8, scale=0.05))


@settings(max_examples=25, deadline=None)
@given(
    st.dates(dt.date(2000, 1, 1), dt.date(2100, 1, 1)), st.integers(0, 2**31), st.sampled_from([0.01, 0.02])
)
def test_every_row_belongs_to_its_day_and_keys_are_unique(day: dt.date, seed: int, scale: float) -> None:
    """In any year, with any seed: ids and times lie within the business day, and no key comes twice."""
    universe = Universe(seed, scale)
    for table, key in (
        ("customers", "customer_id"),
        ("orders", "order_id"),
        ("refunds", "refund_id"),
        ("touches", "touch_id"),
        ("sessions", "session_id"),
    ):
        data = rows(table, day, universe)
        keys = column(data, key)
        assert len(np.unique(keys)) == len(keys)
        assert all(first_id(day) <= keys)
        assert all(keys < first_id(day) + 10_000_000)
        for kind, values in zip(data.kinds, data.columns, strict=True):
            if kind == "time":
                assert all(starts_at(day) <= values)
                assert all(values < starts_at(day) + SECONDS)
    lines = rows("order_lines", day, universe)
    pairs = set(zip(column(lines, "order_id").tolist(), column(lines, "line_no").tolist(), strict=True))
    assert len(pairs) == len(lines)


@pytest.mark.parametrize("table", ["orders", "sessions", "touches"])
def test_nobody_acts_before_signing_up(table: str) -> None:
    """Every customer of a day exists, and signed up before (a touch may open the door on the same day)."""
    data = rows(table, DAY, SMALL)
    signed_up: dict[int, int] = {}
    for age in range(population.WINDOW):
        people = population.signups(DAY - dt.timedelta(days=age), SMALL.seed, SMALL.scale)
        signed_up |= dict(zip(people.customer_id.tolist(), people.signed_up_at.tolist(), strict=True))
    moments = next(c for k, c in zip(data.kinds, data.columns, strict=True) if k == "time")
    for customer, moment in zip(column(data, "customer_id").tolist(), moments.tolist(), strict=True):
        assert signed_up[customer] <= (starts_at(DAY) + SECONDS if table == "touches" else moment)


def test_lines_and_refunds_point_at_something() -> None:
    """Each order has lines 1, 2, … of known products; a refund is for a line that was sold, at most its revenue."""
    sold = sales.sales(DAY, 7, 1.0)
    assert set(sold.order_of_line.tolist()) == set(range(len(sold.order_id)))
    assert set(sold.product_id.tolist()) <= set(sales.products(7).product_id.tolist())
    revenue = dict(
        zip(
            zip(sold.order_id[sold.order_of_line].tolist(), sold.line_no.tolist(), strict=True),
            (sold.quantity * sold.unit_price - sold.discount).tolist(),
            strict=True,
        )
    )
    cancelled = set(sold.order_id[sold.cancelled].tolist())
    returned = sales.refunds_of_orders(DAY, 7, 1.0)
    for order, line, amount in zip(
        returned.order_id.tolist(), returned.line_no.tolist(), returned.amount.tolist(), strict=True
    ):
        assert 0 < amount <= revenue[order, line]
        assert order not in cancelled
    assert returned.delay.min() >= 1
    assert returned.delay.max() <= sales.REFUND_WITHIN_DAYS


def test_every_refund_comes_on_exactly_one_day() -> None:
    """The refunds of one day's orders, spread over the days after, add up to all of them."""
    days = [DAY + dt.timedelta(days=n) for n in range(1, sales.REFUND_WITHIN_DAYS + 1)]
    seen = [i for day in days for i in sales.refunds(day, 7, 0.05).order_id if day_of_id(int(i)) == DAY]
    assert sorted(seen) == sorted(sales.refunds_of_orders(DAY, 7, 0.05).order_id)


def test_orders_older_than_the_history_are_never_refunded() -> None:
    """With `since`, a refund always finds its order in the warehouse."""
    since = DAY - dt.timedelta(days=2)
    old = rows("refunds", DAY, Universe(7, 1.0, since=since))
    assert len(old) > 0
    assert all(column(old, "order_id") >= first_id(since))
    assert len(rows("refunds", DAY, Universe(7, 1.0, since=DAY))) == 0


def test_an_ordinary_day_looks_like_a_shop() -> None:
    """About 5,000 orders of 1 to 4 lines, 4 % cancelled, 3 % of lines refunded, thousands of visitors, a profit."""
    sold = sales.sales(DAY, 7, 1.0)
    lines = np.bincount(sold.order_of_line)
    assert 4_000 < len(sold.order_id) < 6_500
    assert set(lines) == {1, 2, 3, 4}
    assert 0.03 < sold.cancelled.mean() < 0.05
    assert 0.025 < len(sales.refunds_of_orders(DAY, 7, 1.0).amount) / len(sold.line_no) < 0.035
    assert 6_000 < len(population.visitors(DAY, 7, 1.0)) < 12_000
    cost = sales.products(7).unit_cost[sold.product_id - 1] * sold.quantity
    margin = (sold.quantity * sold.unit_price - sold.discount - cost).sum()
    assert margin > sum(traffic.marketing_spend(DAY, 7, 1.0).values()) > 0


def test_customers_come_back_after_a_pause() -> None:
    """Of a day's visitors some were here the day before, some earlier but not then, and some are new."""
    today = set(population.visitors(DAY, 7, 1.0).customer_id.tolist())
    yesterday = set(population.visitors(DAY - dt.timedelta(days=1), 7, 1.0).customer_id.tolist())
    new = {customer for customer in today if day_of_id(customer) == DAY}
    assert min(len(today & yesterday), len(today - yesterday - new), len(yesterday - today)) > 1_000
    assert len(new) > 400


def test_weekdays_seasons_and_paydays_matter() -> None:
    """Demand is 1 on average over a year, higher on a Saturday, in December and after payday."""
    year = [demand(dt.date(2026, 1, 1) + dt.timedelta(days=n)) for n in range(364)]
    assert sum(year) / len(year) == pytest.approx(1, abs=0.02)
    assert demand(dt.date(2026, 11, 21)) > demand(dt.date(2026, 11, 16))
    assert demand(dt.date(2026, 12, 15)) > demand(dt.date(2026, 6, 16))
    assert demand(dt.date(2026, 11, 25)) > demand(dt.date(2026, 11, 18))


def test_no_ordinary_day_looks_thin() -> None:
    """Over a year no day has half the usual sign-ups or orders, or less: a good load is never called partial."""
    usual = [demand(dt.date(2026, 1, 1) + dt.timedelta(days=n)) for n in range(365)]
    orders = [d * d for d in usual]  # more visitors, and more orders a visitor
    for counts in (usual, orders):
        assert all(counts[n] > 0.55 * float(np.median(counts[n - 7 : n])) for n in range(7, 365))


def test_some_spend_brings_nothing_and_some_customers_are_never_reached() -> None:
    """A podcast is paid for now and then without a touch; about one buyer in five has no touch in a week."""
    days = [DAY - dt.timedelta(days=n) for n in range(60)]
    assert 3 < sum("podcast" in traffic.marketing_spend(day, 7, 1.0) for day in days) < 25
    assert "podcast" not in population.CHANNELS
    reached: set[int] = set()
    for day in days[:7]:
        reached |= set(traffic.touches(day, 7, 0.2).customer_id.tolist())
    buyers = sales.sales(DAY, 7, 0.2).customer_id.tolist()
    assert 0.1 < sum(buyer not in reached for buyer in buyers) / len(buyers) < 0.4


def test_the_experiments_work() -> None:
    """Bundles sell more per visitor; the streak's treatments keep customers longer, the second one more."""
    lines = np.zeros(2)
    visitors = np.zeros(2)
    for n in range(20):
        day = DAY - dt.timedelta(days=n)
        people, sold = population.visitors(day, 7, 1.0), sales.sales(day, 7, 1.0)
        variant = dict(zip(people.customer_id.tolist(), people.bundles.tolist(), strict=True))
        visitors += np.bincount(people.bundles, minlength=2)
        lines += np.bincount([variant[c] for c in sold.customer_id[sold.order_of_line].tolist()], minlength=2)
    control, bundles = lines / visitors
    assert 1.05 < bundles / control < 1.3
    streaks = np.concatenate(
        [population.signups(DAY - dt.timedelta(days=n), 7, 1.0).streak for n in range(90)]
    )
    lives = np.concatenate(
        [population.signups(DAY - dt.timedelta(days=n), 7, 1.0).lifetime for n in range(90)]
    )
    means = [lives[streaks == variant].mean() for variant in range(3)]
    assert means[0] * 1.05 < means[1] < means[2] / 1.05


def test_everybody_is_assigned_to_one_variant_of_each_experiment() -> None:
    """One row per new customer and experiment, on the day of signing up, with every variant in use."""
    data = rows("experiment_assignments", DAY, SMALL)
    pairs = list(zip(column(data, "experiment").tolist(), column(data, "customer_id").tolist(), strict=True))
    assert len(set(pairs)) == len(pairs) == 2 * len(rows("customers", DAY, SMALL))
    variants = set(zip(column(data, "experiment").tolist(), column(data, "variant").tolist(), strict=True))
    assert variants == {(name, v) for name, all_of in population.EXPERIMENTS.items() for v in all_of}


def test_a_partial_load_is_the_beginning_of_the_whole() -> None:
    """What arrives of a load that broke off are its first rows."""
    whole = rows("orders", DAY, SMALL)
    part = whole.first(0.3)
    assert len(part) == round(0.3 * len(whole))
    assert "".join(whole.as_text(WRITTEN)).startswith("".join(part.as_text(WRITTEN)))


def test_text_comes_in_pieces_of_bounded_size() -> None:
    """However large the day, no piece holds more rows than asked; together they are the whole."""
    whole = rows("sessions", DAY, SMALL)
    pieces = list(whole.as_text(WRITTEN, rows_at_once=100))
    assert max(piece.count("\n") for piece in pieces) == 100
    assert "".join(pieces) == "".join(whole.as_text(WRITTEN))


def test_what_is_remembered_between_days_is_bounded() -> None:
    """A long history keeps the cohorts that may still visit and two days of sales, whatever its length."""
    for n in range(20):
        for table in TABLES:
            rows(table, DAY + dt.timedelta(days=n), Universe(7, 0.01))
    assert sales.sales.cache_info().currsize <= 2
    assert population.visitors.cache_info().currsize <= 2
    assert population.signups.cache_info().currsize <= population.WINDOW + 16
    assert sales.refunds_of_orders.cache_info().currsize <= sales.REFUND_WITHIN_DAYS + 2


def test_an_unknown_table_is_an_error() -> None:
    """Nobody gets an empty table by misspelling its name."""
    with pytest.raises(KeyError):
        generator.rows("order", DAY, SMALL)
