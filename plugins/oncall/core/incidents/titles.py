"""The one line that wakes somebody: what, since when, why; most telling first, nothing twice. Pure functions of facts.

A title is as long as a lock screen and Opsgenie show it (`MOST_TITLE` characters, kept by Message). Where the names of
several reports leave no room for the cause, their number stands for them: the facts below name each.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from oncall.core.incidents.wording import DRILL_MARK, counted, subject
from oncall.core.message import MOST_TITLE, one_line
from oncall.core.promises.cause import CAUSE_WORDS, GAVE_UP, Why
from oncall.core.promises.evaluation import PromiseStatus

MOST_NAMES = 2  # tables that a title names; further ones are counted
MOST_FOUND = 30  # characters of what a check found or expected; the message's facts have all of it
_PARTIAL = re.compile(r"(\S+) is partial since ")
_CHECK = re.compile(
    r"check (?P<name>\S+): expected (?P<expected>.*), found (?P<found>.*?)(?:; and \d+ more checks?)?",
    re.DOTALL,
)
SHORTENED: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), instead)
    for pattern, instead in (
        (r"^task (?=\S+ (?:failed|was) )", ""),
        # The class of an error says less than its words: "OperationalError: terminating connection due to …".
        # Not where they are one quoted name, as of a KeyError.
        (r"( failed at [^:]*\d\d:\d\d: )(?:\w+\.)*[A-Z]\w*: (?=[A-Za-z]|\S* )", r"\1"),
        (r" \(as of [^()]*\)$", ""),
        (r'\bcould not \w+ file "[^"]*": (?=No space left|Disk quota)', ""),
        (
            r"^no task of this report date has started"
            r"(?:; |, and |, though the DAG is not paused(?: and the scheduler ran at [\d:]+)?: |: )",
            "never started: ",
        ),
        (r"^(never started: \S+ runs?) of the DAG", r"\1"),
        (r"^(never started: )its runbook names (no schedule)\b", r"\1\2"),
        (r"\bthe DAG file has an import error: (?:[A-Z]\w*: (?=\S))?", "DAG import error, "),
        (r"^Airflow has no (DAG \S+): its file is gone or broken$", r"no \1 in Airflow"),
        (r"^(the DAG is paused, and )Airflow has no DAG \S+: (its file) is (gone or broken)$", r"\1\2 \3"),
        (r"^the DAG is paused, and (?:DAG )?", "DAG paused, "),
        (r"^the DAG is paused$", "DAG paused"),
        (
            r"^its run was deleted \(seen at ([^()]*)\) and no other one has started$",
            r"its run was deleted (seen at \1)",
        ),
        (
            r"^the run finished green at .*?(\d\d:\d\d)(?: \([^()]*\))? but the publication is not there$",
            r"run green at \1, nothing published",
        ),
        (
            r"^the run ended as a success at (\S+) but the publication is not there$",
            r"run green at \1, nothing published",
        ),
        (
            r"^the run was (marked as success by .*) but the publication is not there$",
            r"run \1, nothing published",
        ),
        (r"^nothing has started since \S+ ended at (\S+): the DAG is paused$", r"stuck since \1, DAG paused"),
        (
            r"^no task has started since its run began at (\S+): the DAG is paused$",
            r"stuck, no task started since \1, DAG paused",
        ),
        (
            r"^(\S+) was cleared and has not started again since (\S+): the DAG is paused$",
            r"stuck, \1 cleared, no start since \2, DAG paused",
        ),
        (
            r"^(\S+) was cleared and has not started again since (\S+)$",
            r"stuck, \1 cleared, no start since \2",
        ),
        (r"^no task has started since its run began at (.*)$", r"stuck, no task started since \1"),
        (r"^nothing has started since (\S+) ended at (.*)$", r"stuck since \2, nothing follows \1"),
        (r"^its run began at (.*), the first task is to start$", r"running since \1, first task to start"),
        (r"^(\S+ ended at .*), the next task is to start$", r"running, \1, next task to start"),
        (
            r"^(retrying \S+ since [\d:]+)(?:, (?!blocked)[^(),]*)* \((?:[A-Z]\w*: (?=[A-Za-z]|\S* ))?(.*)\)$",
            r"\1: \2",
        ),
    )
)


# What is late beside a run that never came, or that somebody ended: its tables, and in part or not.
_ALSO_LATE = re.compile(r"; (\S+) (?:has not arrived|is (partial) since [\d:]+: )[^;]*")


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
# A try of a task, and its error.
_TRY = re.compile(r"(retrying )?\S+ (?:since|failed at) [^:]*\d\d:\d\d: (.*)")
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
    if all(why.cause == "upstream_late" for why in whys):
        tables = tuple(dict.fromkeys(table for why in whys for table in why.names))
        return short(replace(whys[0], detail="; ".join(why.detail for why in whys), names=tables))
    tries = [_TRY.fullmatch(told) for told in (first, *others)]
    errors = {re.sub(r"\d+", "#", a_try[2]) for a_try in tries if a_try}
    if all(tries) and len(errors) == 1 and tries[0]:
        return f"{'retrying' if all(a_try and a_try[1] for a_try in tries) else 'failed'}: {tries[0][2]}"
    return f"{members[0].pipeline.title} {first}"


def short(why: Why | None) -> str:
    """The cause in the fewest words that tell it, the error without its class: "transform failed at 02:40: boom"."""
    if why is None:
        return "the cause is not known"
    if why.cause in ("not_started", "failed") and (late := _ALSO_LATE.findall(why.detail)):
        tables = names([f"{table} ({part})" if part else table for table, part in late])
        return f"{short(replace(why, detail=_ALSO_LATE.sub('', why.detail)))}; waiting on {tables}"
    detail, word = why.detail, CAUSE_WORDS.get(why.cause, why.cause)
    for pattern, instead in SHORTENED:
        detail = pattern.sub(instead, detail)
    if why.cause == "upstream_late" and why.names:
        return _waiting_on(why)
    if why.cause == "held":
        return _held(detail, why.names)
    if why.cause in ("failed", "not_started") or detail.startswith(word):
        return detail
    if why.cause == "running" and detail.startswith("retrying "):
        return detail
    if why.cause in ("stuck", "running") and detail.startswith(("in ", "retrying ")):
        return f"{word} {detail}"
    return f"{word}: {detail}"


def _waiting_on(why: Why) -> str:
    """Which tables, whether they came in part, and whether the run still waits for them."""
    partial = _PARTIAL.findall(why.detail)
    shown = names([f"{name} (partial)" if name in partial else name for name in why.names])
    return f"run gave up waiting on {shown}" if GAVE_UP in why.detail else f"waiting on {shown}"


def _held(detail: str, checks: Sequence[str]) -> str:
    """The check, what it found and what it expected, in this order: what is cut off a title is its end."""
    told = _CHECK.fullmatch(detail)
    if told is None:
        return f"held by {detail}"
    # "1 in master.loads.row_count, such as … (9 rows, but 0 of that day in master.orders)": that is what was found.
    named = re.sub(
        r"^1 in master\.loads\.row_count, [^(]*\(([^()]*)\).*", r"\1", told["found"], flags=re.DOTALL
    )
    # "1 in master.sessions.customer_id, such as session_id 7": the table is enough.
    named = re.sub(r"^(\S+ in \w+\.\w+)\.\w+, such as .*", r"\1", named, flags=re.DOTALL)
    found, expected = one_line(named, MOST_FOUND), one_line(told["expected"], MOST_FOUND)
    numbers = f"found {found}, expected {expected}"
    by = f"by {len(checks)} checks, first " if len(checks) > 1 else ""
    return f"held {by}{told['name']}: {numbers}" if by else f"held: {told['name']} {numbers}"


def names(tables: Sequence[str]) -> str:
    """A few by name, and how many more: "master.orders, master.refunds and 3 more"."""
    more = len(tables) - MOST_NAMES
    return ", ".join(tables[:MOST_NAMES]) + (f" and {more} more" if more > 0 else "")
