"""Whatever stands in the store's notes and in what was last known, a look still pages."""

from __future__ import annotations

import pytest
from conftest_night import Night
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oncall.channel_health import HEARING
from oncall.core.errors import DeliveryFailed
from oncall.notes import instant, noted, state
from oncall.paging import PUBLISHED, SINCE
from oncall.timekeeping import ODD_CLOCKS, noted_clocks

ODD = st.sampled_from(
    ["null", "[]", "{}", "7", "9999-12-31", "infinity", '{"since": 7}', '[["growth_etl"]]', "\x00", "[" * 900]
)
NAMES = (SINCE, PUBLISHED, HEARING, ODD_CLOCKS, "channel:pager", "channel:chat", "history_unread")


@given(values=st.lists(ODD | st.text(max_size=40), min_size=len(NAMES), max_size=len(NAMES)))
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
def test_odd_notes_silence_nobody(values: list[str]) -> None:
    """They are read as if nothing had been noted; the primary is paged, and a failing channel is told of."""
    night = Night()
    night.store.now = lambda: night.now  # type: ignore[attr-defined]
    for name, value in zip(NAMES, values, strict=True):
        night.store.remember(name, value)
    night.world.missing("growth_etl")
    night.chat.fail = [DeliveryFailed("connection refused")]
    night.look("05:00")
    night.look("05:00:15")
    assert night.steps == ["page-1-primary"]


def test_watching_since_the_future_is_no_watching(night: Night) -> None:
    """A note of next year would make every promise of this year history."""
    night.store.remember(SINCE, "2027-11-23T05:00:00+07:00")
    night.world.missing("growth_etl")
    night.look("05:00")
    assert night.steps == ["page-1-primary"]


@pytest.mark.parametrize(
    "text", ["2026-11-23T05:00:00", "9999-12-31T00:00:00+00:00", "soon", "0001-01-01T00:00:00Z"]
)
def test_what_is_no_instant_is_refused(text: str) -> None:
    """Without a zone, or in a year that nobody means."""
    with pytest.raises(ValueError):
        instant(text)
    assert noted("tick", text, instant, None) is None


def test_what_fails_is_read_as_it_was_noted() -> None:
    """And nothing else is."""
    good = '{"since": "2026-11-23T05:00:00+07:00", "said": true, "reason": "403", "more": 1}'
    assert state(good) == {"since": "2026-11-23T05:00:00+07:00", "said": True, "reason": "403"}
    assert noted("channel:pager", '{"said": true}', state, {}) == {}
    assert noted_clocks('{"warehouse": 600}') == {"warehouse": 600}
    assert noted_clocks('{"warehouse": "far"}') == {}
