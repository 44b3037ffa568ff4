"""The one line that wakes somebody: what, since when, why; most telling first, nothing twice. Pure functions of facts.

A title is as long as a lock screen and Opsgenie show it (`MOST_TITLE` characters, kept by Message). Where the names of
several reports leave no room for the cause, their number stands for them: the facts below name each.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from oncall.core.incidents.wording import counted, subject
from oncall.core.message import MOST_TITLE, one_line
from oncall.core.promises.evaluation import CAUSE_WORDS, PromiseStatus, Why

MOST_NAMES = 2  # tables that a title names; further ones are counted
MOST_FOUND = 30  # characters of what a check found or expected; the message's facts have all of it
_CHECK = re.compile(r"check (?P<name>\S+): expected (?P<expected>.*), found (?P<found>.*)", re.DOTALL)
SHORTENED: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), instead)
    for pattern, instead in (
        (r"^task (?=\S+ (?:failed|was) )", ""),
        # The class of an error says less than its words: "OperationalError: terminating connection due to …".
        (r"( failed at [^:]*\d\d:\d\d: )[A-Z]\w*: (?=\S)", r"\1"),
        (r"^no task of this report date has started(?:, and |, though the DAG is not paused: |: )", ""),
        (r"^the DAG file has an import error: (?:[A-Z]\w*: (?=\S))?", "import error, "),
        (r" \(as of [^()]*\)$", ""),
    )
)


def titled(members: Sequence[PromiseStatus], words: Callable[[str], str], lead: str = "") -> str:
    """`words` about these reports: with their names, or their number where the names leave no room; `lead` first."""
    title = lead + words(subject(members))
    if len(members) > 1 and len(title) > MOST_TITLE:
        title = lead + words(counted(members))
    return title


def late_title(members: Sequence[PromiseStatus], due: str, lead: str = "") -> str:
    """Of a broken promise. `due`: the time since which it is late; `lead`: what is told before it."""
    why = members[0].why
    if why is not None and members[0].verdict == "unknown":
        are = "are" if len(members) > 1 else "is"
        return titled(
            members, lambda about: f"Cannot see if {about} {are} published (due {due}): {why.detail}", lead
        )
    reason = re.sub(r" failed at [^:]*\d\d:\d\d: ", " failed: ", short(why))
    return titled(members, lambda about: f"{about}: late since {due}, {reason}", lead)


def short(why: Why | None) -> str:
    """The cause in the fewest words that tell it, the error without its class: "transform failed at 02:40: boom"."""
    if why is None:
        return "the cause is not known"
    detail, word = why.detail, CAUSE_WORDS.get(why.cause, why.cause)
    for pattern, instead in SHORTENED:
        detail = pattern.sub(instead, detail)
    if why.cause == "upstream_late" and why.names:
        return f"waiting on {names(why.names)}"
    if why.cause == "held":
        return _held(detail, why.names)
    if why.cause == "failed" or detail.startswith(word):
        return detail
    if why.cause in ("stuck", "running") and detail.startswith("in "):
        return f"{word} {detail}"
    return f"{word}: {detail}"


def _held(detail: str, checks: Sequence[str]) -> str:
    """The check, what it found and what it expected, in this order: what is cut off a title is its end."""
    told = _CHECK.fullmatch(detail)
    if told is None:
        return f"held by {detail}"
    found, expected = (one_line(told[part], MOST_FOUND) for part in ("found", "expected"))
    numbers = f"found {found}, expected {expected}"
    by = f"by {len(checks)} checks, first " if len(checks) > 1 else ""
    return f"held {by}{told['name']}: {numbers}" if by else f"held: {told['name']} {numbers}"


def names(tables: Sequence[str]) -> str:
    """A few by name, and how many more: "master.orders, master.refunds and 3 more"."""
    more = len(tables) - MOST_NAMES
    return ", ".join(tables[:MOST_NAMES]) + (f" and {more} more" if more > 0 else "")
