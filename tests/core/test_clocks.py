"""What time it is when clocks disagree."""

from __future__ import annotations

import datetime as dt

import pytest

from oncall.core.clocks import agreed_time
from tests.core.scenes import at

NOON = at("12:00")


def ahead(**seconds: float) -> dict[str, dt.datetime]:
    return {name: NOON + dt.timedelta(seconds=by) for name, by in seconds.items()}


@pytest.mark.parametrize(
    ("others", "shift", "odd"),
    [
        ({}, 0, {}),  # nobody else to ask
        ({"a": 0, "b": 0}, 0, {}),
        ({"a": 30, "b": -30}, 0, {}),  # half a minute is agreement
        ({"a": 30, "b": 3600}, 30, {"b": 3570}),  # the other one that agrees: other hosts ask it too
        ({"a": 30.000001, "b": 0}, 0, {"a": 30.000001}),
        ({"a": 20, "b": 25}, 20, {}),  # this host is behind
        ({"a": -20, "b": -25}, -20, {}),  # … or ahead
        ({"a": -20, "b": 5}, 0, {}),  # it is between them
        ({"a": 2, "b": 2}, 0, {}),  # as good as theirs, and nothing is on its way
        ({"a": -2, "b": -2.5}, 0, {}),
        ({"a": 20}, 20, {}),
        ({"a": 0, "b": 3600}, 0, {"b": 3600}),
        ({"a": -3600, "b": 0}, 0, {"a": -3600}),
        ({"a": 3600, "b": 3600}, 3600, {"this host": -3600}),  # two against one
        ({"a": 3600, "b": 3610}, 3600, {"this host": -3600}),
        ({"a": -3600, "b": -3610}, -3610, {"this host": 3610}),  # no host may be before what this one decides
        ({"a": 3600}, 0, {}),  # one against one: nobody can tell
        ({"a": 3600, "b": -3600}, 0, {}),
    ],
)
def test_what_two_of_three_agree_on_is_taken(
    others: dict[str, float], shift: float, odd: dict[str, float]
) -> None:
    """And the odd one is named, with how far ahead it is."""
    found = agreed_time(NOON, ahead(**others))
    assert found.at == NOON + dt.timedelta(seconds=shift)
    assert {name: by.total_seconds() for name, by in found.odd.items()} == odd


@pytest.mark.parametrize(
    ("others", "before", "shift", "odd"),
    [
        ({"a": 600}, 601, 600, {"this host": -600}),  # a database is away, and this host is known to be wrong
        ({"a": 600}, -1, 0, {"a": 600}),
        ({"a": 600, "b": -600}, -590, -600, {"this host": 600, "a": 1200}),
        ({"a": 600}, 300, 0, {}),  # nobody is as expected
        ({}, 600, 0, {}),  # this host alone: it may have slept
        ({"a": 5, "b": 600}, 600, 5, {"b": 595}),  # two agree now: what was before does not matter
    ],
)
def test_where_no_two_agree_the_one_is_taken_that_is_as_was_agreed_before(
    others: dict[str, float], before: float, shift: float, odd: dict[str, float]
) -> None:
    """A wrong host paged before the due instant while a database was away."""
    found = agreed_time(NOON, ahead(**others), NOON + dt.timedelta(seconds=before))
    assert found.at == NOON + dt.timedelta(seconds=shift)
    assert {name: by.total_seconds() for name, by in found.odd.items()} == odd
    assert found.by_two == ("b" in others and others["a"] == 5)


@pytest.mark.parametrize(
    ("others", "right"),
    [
        ({}, set()),
        ({"a": 3600}, set()),  # nobody can tell
        ({"a": 0}, {"this host", "a"}),
        ({"a": 0, "b": 3600}, {"this host", "a"}),
        ({"a": 3600, "b": 3600}, {"a", "b"}),
    ],
)
def test_a_clock_is_known_to_be_right_by_another_one(others: dict[str, float], right: set[str]) -> None:
    """Of one that was not read nothing is known: it was told as right again."""
    assert {*agreed_time(NOON, ahead(**others)).right} == right


@pytest.mark.parametrize("lag", [-25.0, -10.0, -3.0, 3.0, 10.0, 25.0])
def test_two_hosts_that_ask_the_same_databases_are_as_good_as_together(lag: float) -> None:
    """One of them is ahead or behind, by less than what is called wrong."""
    databases = ahead(a=0, b=0.2)
    here, there = (agreed_time(own, databases).at for own in (NOON, NOON + dt.timedelta(seconds=lag)))
    assert abs(here - there) <= dt.timedelta(seconds=2)
