"""What time it is, when clocks disagree. Pure: readings in, an instant and the odd clocks out.

A wrong clock wakes people before the due instant, or keeps silent after it. Three clocks are at hand at every look:
this host's, and those of the two databases. What two of them agree on is taken; where no two agree, this host's.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

AGREE = dt.timedelta(seconds=30)
OWN = "this host"


@dataclass(frozen=True)
class Agreed:
    """The instant (UTC), and by how much each odd clock is ahead of it (negative: behind), by its name."""

    at: dt.datetime
    odd: Mapping[str, dt.timedelta]


def agreed_time(own: dt.datetime, others: Mapping[str, dt.datetime]) -> Agreed:
    """`others`: the clocks that could be read, by name, all read at the same moment as `own`."""
    clocks = {OWN: own, **others}
    pairs = [pair for pair in combinations(clocks, 2) if abs(clocks[pair[0]] - clocks[pair[1]]) <= AGREE]
    trusted = {name for pair in pairs for name in pair}
    at = own if not trusted or OWN in trusted else min(clocks[name] for name in trusted)
    odd = {name: shown - at for name, shown in clocks.items() if trusted and name not in trusted}
    return Agreed(at, odd)
