"""What time it is, when clocks disagree. Pure: readings in, an instant and the odd clocks out.

A wrong clock wakes people before the due instant, or keeps silent after it. Three clocks are at hand at every look:
this host's, and those of the two databases. What two of them agree on is taken; where no two agree, the one that is as
it was agreed on before (a database is away), and else this host's.

Those that agree may still be half a minute apart, and another host, which asks the same databases, must not find itself
before what this one has decided: so the databases' time is taken, and this host's own where that is as good.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import combinations

AGREE = dt.timedelta(seconds=30)
AS_GOOD = dt.timedelta(seconds=2)  # an answer of a database may be on its way for longer than that
OWN = "this host"


@dataclass(frozen=True)
class Agreed:
    """The instant (UTC), by how much each odd clock is ahead of it (negative: behind), by its name, and the right ones.

    Of one that could not be read, or that nobody could tell from a wrong one, neither is known. `by_two`: two agreed.
    """

    at: dt.datetime
    odd: Mapping[str, dt.timedelta]
    right: Collection[str] = ()
    by_two: bool = False


def agreed_time(
    own: dt.datetime, others: Mapping[str, dt.datetime], before: dt.datetime | None = None
) -> Agreed:
    """`others`: the clocks that could be read, by name, all read at the same moment as `own`. `before`: what time it is
    then by what was agreed on before, where anything was."""
    clocks = {OWN: own, **others}
    pairs = [pair for pair in combinations(clocks, 2) if abs(clocks[pair[0]] - clocks[pair[1]]) <= AGREE]
    trusted = {name for pair in pairs for name in pair}
    if not pairs and before is not None:
        trusted = {name for name, shown in clocks.items() if abs(shown - before) <= AGREE}
    theirs = sorted(shown for name, shown in others.items() if name in trusted)
    at = own
    if theirs:
        between = max(theirs[0], min(own, theirs[-1])) if OWN in trusted else theirs[0]
        at = own if abs(own - between) <= AS_GOOD else between
    odd = {name: shown - at for name, shown in clocks.items() if trusted and name not in trusted}
    return Agreed(at, odd, frozenset(trusted), bool(pairs))
