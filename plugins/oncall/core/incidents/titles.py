"""The one line that wakes somebody: what, since when, why; most telling first, nothing twice. Pure functions of facts.

A title is as long as a lock screen and Opsgenie show it (`MOST_TITLE` characters, kept by Message). Where the names of
several reports leave no room for the cause, their number stands for them: the facts below name each.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from oncall.core.incidents.wording import DRILL_MARK, counted, subject
from oncall.core.message import MOST_TITLE
from oncall.core.promises.evaluation import PromiseStatus
from oncall.core.promises.why import CAUSE_WORDS, Why

MOST_NAMES = 2  # tables that a title names; further ones are counted
# Where there is no room for all of a title, what says least goes first, and whole: the facts below have it.
SPARED: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), instead)
    for pattern, instead in (
        (r"; waiting on [^;]*$", ""),
        (r", usually \d+ \w+(?: \d+ \w+)*", ""),
        (r"(?<=\bnever started): whether the DAG is paused is not known$", ""),
        (r"(\bruns? (?:was|were) open) at [\d:]+", r"\1"),
        (r" \((?:[^()]|\([^()]*\))*\)$", ""),
        (r"\b(retrying \S+) since [\d:]+: ", r"\1: "),
        (r"\brunning in \S+ since [^,]*, expected ", "running, expected "),
        (r"\bin (\S+) since [^,]*, blocked by ", r"in \1, blocked by "),
        (r"(\bheld: \S+ found .*), expected .*$", r"\1"),
        (r"(\bheld: \S+ found \S+) in \S+$", r"\1"),
        (r"\bstuck since ([\d:]+), nothing heard after \S+", r"nothing heard since \1"),
        (r"\b(unreachable|cannot be read) since [^,;]*$", r"\1"),
        (r"(\bCannot see if .* published) \(due [^()]*\): ", r"\1: "),
        (r"\bCannot see if (.*) (?:is|are) published: ", r"Cannot see \1: "),
    )
)
# "master.orders, master.refunds (partial) and 3 more": then the first and how many more, then how many.
_TABLES = re.compile(
    r"(\w+\.\w+(?: \(partial\))?)(?:, \w+\.\w+(?: \(partial\))?)?(?: and (\d+) more)?(?![\w.])"
)


def _how_many(found: re.Match[str]) -> int:
    return 1 + ("," in found[0]) + int(found[2] or 0)


_FEWER_TABLES: tuple[Callable[[re.Match[str]], str], ...] = (
    lambda found: f"{found[1]} and {more} more" if (more := _how_many(found) - 1) else found[0],
    lambda found: f"{count} tables" if (count := _how_many(found)) > 1 else found[0],
)
_SINCE = re.compile(r": late since [^,]*, "), ": late, "
_ASKED = re.compile(r"(?<=\bnever started): [^:]*\?$"), ""
_BLOCKED_BY = re.compile(r"\bin (\S+), blocked by (?=pid \d)"), r"in \1 by "


def titled(members: Sequence[PromiseStatus], words: Callable[[str], str], lead: str = "") -> str:
    """`words` about these reports: with their names, or their number where the names leave no room; `lead` first."""
    room = MOST_TITLE - len(DRILL_MARK) if members[0].drill else MOST_TITLE
    title = lead + words(subject(members))
    if len(members) > 1 and len(title) > room:
        title = lead + words(counted(members))
    # Whoever is called next has to read why before since when.
    spared = [*SPARED, *([_SINCE] if lead else []), _BLOCKED_BY, _ASKED]
    for pattern, instead in spared:
        if len(title) > room:
            title = pattern.sub(instead, title)
    for fewer in _FEWER_TABLES:
        if len(title) > room:
            title = _TABLES.sub(fewer, title)
    return title


def late_title(members: Sequence[PromiseStatus], due: str, lead: str = "") -> str:
    """Of a broken promise. `due`: the time since which it is late; `lead`: what is told before it."""
    why = members[0].why
    if why is not None and members[0].verdict == "unknown":
        are = "are" if len(members) > 1 else "is"
        return titled(
            members, lambda about: f"Cannot see if {about} {are} published (due {due}): {why.detail}", lead
        )
    reason = re.sub(r" failed at [^:]*\d\d:\d\d: ", " failed: ", reason_of(members))
    return titled(members, lambda about: f"{about}: late since {due}, {reason}", lead)


def reason_of(members: Sequence[PromiseStatus]) -> str:
    """Why, as it is true of all of them; of several reasons, that of the first with its name."""
    whys = [member.why for member in members if member.why]
    first, *others = dict.fromkeys([short(why) for why in whys] or [short(None)])
    if not others:
        return first
    without_tables = {
        why.cause if why.cause == "upstream_late" else short(replace(why, waits_on=())) for why in whys
    }
    if len(without_tables) == 1:
        tables = tuple(dict.fromkeys(table for why in whys for table in why.waits_on))
        return short(replace(whys[0], waits_on=tables if all(why.waits_on for why in whys) else ()))
    errors = {re.sub(r"\d+", "#", why.error) for why in whys if why.cause in ("running", "failed")}
    if len(errors) == 1 and all(why.error for why in whys):
        word = "retrying" if all(why.cause == "running" for why in whys) else "failed"
        return f"{word}: {whys[0].error}"
    return f"{members[0].pipeline.title} {first}"


def short(why: Why | None) -> str:
    """The cause in the fewest words that tell it, the error without its class: "transform failed at 02:40: boom"."""
    if why is None:
        return "the cause is not known"
    brief = why.brief or f"{CAUSE_WORDS[why.cause]}: {why.detail}"
    told = f"{brief}: {why.error}" if why.error else brief
    if not why.waits_on:
        return told
    return f"{told}{'' if why.cause == 'upstream_late' else '; waiting'} on {names(why.waits_on)}"


def names(tables: Sequence[str]) -> str:
    """A few by name, and how many more: "master.orders, master.refunds and 3 more"."""
    more = len(tables) - MOST_NAMES
    return ", ".join(tables[:MOST_NAMES]) + (f" and {more} more" if more > 0 else "")
