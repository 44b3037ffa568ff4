"""The instants that people write in an address: read as the roster and the command line read them."""

from __future__ import annotations

import datetime as dt

from oncall.config.time_fields import NO_MOMENT, moment
from oncall.config.yaml_fields import shortened
from oncall.core.rota.roster import Roster

FARTHEST = dt.timedelta(days=36_525)


def instant(roster: Roster, text: str) -> dt.datetime:
    """A date is its handoff hour, a time without offset the roster's. Raises ValueError, in words for whoever asks."""
    try:
        at: dt.datetime = moment(text, roster.handoff, roster.tz)
    except ValueError:
        raise ValueError(f"{shortened(text)!r} is {NO_MOMENT}") from None
    if at > dt.datetime.now(dt.UTC) + FARTHEST:
        # Every week until then would have to be resolved, while others wait.
        raise ValueError(f"{shortened(text)!r} is more than a hundred years ahead")
    return at
