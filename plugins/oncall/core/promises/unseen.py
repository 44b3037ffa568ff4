"""What cannot be seen of a report, since when, and why: a cause of its own, and no news while it is a hiccup. Pure."""

from __future__ import annotations

import datetime as dt
import re

from oncall.core.promises.facts import Facts
from oncall.core.promises.why import UNSEEN, Why
from oncall.core.time_format import clock

# What libpq says before the reason: to whom it spoke is in the connection.
_CONNECTING = re.compile(
    r"^(?:connection failed: )?connection to server .*? failed: (?:FATAL: +)?(?=\S)", re.DOTALL
)
_REFUSED = re.compile(
    r"permission denied|does not exist|password|invalid input|out of range|[A-Za-z]+Error: "
)
# A source that cannot be read for less than two looks is nothing to tell of, whatever is paged for.
HICCUP = dt.timedelta(seconds=25)


def unseen(facts: Facts, tz: dt.tzinfo) -> Why:
    """What cannot be read, since when where that is known, and why."""
    said = "; ".join(dict.fromkeys(unreadable(reason, facts, tz) for reason in facts.unreadable))
    return Why("unknown", said or "the warehouse cannot be read", facts.unreadable, rests_on=(UNSEEN,))


def is_hiccup(why: Why | None, facts: Facts, at: dt.datetime) -> bool:
    """It cannot be told why for a moment only, as far as is known."""
    since = facts.blind_since
    return why is not None and why.cause == "unknown" and since is not None and at - since < HICCUP


def unreadable(reason: str, facts: Facts, tz: dt.tzinfo) -> str:
    """One of the reasons as said to people: "warehouse unreachable since 04:58 (connection refused)"."""
    name, colon, why = reason.partition(": ")
    if not colon or " " in name:
        return reason
    since = f" since {clock(facts.blind_since, tz)}" if facts.blind_since and name == "warehouse" else ""
    why = " ".join(_CONNECTING.sub("", why).split())
    word = "cannot be read" if _REFUSED.search(why) else "unreachable"
    return f"{name} {word}{since} ({why})"
