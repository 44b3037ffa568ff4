"""What is said of promises on a card and in the page's first line. Pure functions of judged facts.

Of what cannot be seen nothing is claimed but what was known last; "in time", "late" and "missing" are said of nothing
else than what the facts hold.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Literal

from oncall.core.promises.attainment import Day
from oncall.core.promises.evaluation import PromiseStatus
from oncall.core.promises.facts import Load, Task
from oncall.core.promises.promise import EVERY_DAY, Promise
from oncall.core.promises.run_cause import WAIT
from oncall.core.time_format import WEEKDAYS, TimeFormat, day, span, weekday

Level = Literal["ok", "warn", "bad", "none"]
NAMES_THE_STEP = ("stuck", "running", "failed", "held")  # causes whose detail says where the run stands


def headline(status: PromiseStatus, say: TimeFormat) -> str:
    """The verdict as people say it."""
    if status.facts.publication is not None:
        known = _published(status, say)
        return f"Cannot be seen now; last known: {known}" if status.facts.blind else _sentence(known)
    if status.verdict == "unknown":
        return f"Cannot see{_since(status, say)} whether it is published"
    if status.verdict == "broken":
        late = status.late_by.total_seconds() if status.late_by else 0
        return f"Not published, {span(late)} late" if late >= 1 else "Not published, due now"
    if status.verdict == "at_risk":
        return f"At risk: it cannot be seen{_since(status, say)}" if status.facts.blind else "At risk"
    if status.facts.blind and status.due:
        return f"Not due yet; cannot be seen{_since(status, say)}"
    if status.facts.blind:
        return f"Cannot see{_since(status, say)} whether it is published"
    if status.facts.unreadable:
        return "Not published yet; how far it is cannot be seen"
    if status.due and (tables := _in_part(status)):
        return f"Not due yet; {', '.join(tables)} {'is' if len(tables) == 1 else 'are'} there in part"
    return "On track" if status.due else "Not published yet"


def due_days(promise: Promise) -> str:
    """On which days it is due: "daily", "Mon to Fri", "Mon, Wed"."""
    if promise.weekdays == EVERY_DAY:
        return "daily"
    days = sorted(promise.weekdays)
    if len(days) > 2 and days == list(range(days[0], days[-1] + 1)):
        return f"{WEEKDAYS[days[0]]} to {WEEKDAYS[days[-1]]}"
    return ", ".join(WEEKDAYS[day] for day in days)


def steps_are_about(report_date: dt.date) -> str:
    """What "yesterday" is in the steps of a runbook that is read for a report."""
    return (
        f"The queries and commands below are about the report of {weekday(report_date)}:"
        " where a step says “yesterday”, it means that day."
    )


def cause_line(words: str, detail: str, *, over: bool = False, published: bool = False) -> str:
    """The cause as a line of its own: "Stuck: in transform since 03:12", or "Then: stuck: …" once it is over.

    `published`: the report is there, and what has failed did so after it.
    """
    line = because(words, detail)
    if published and not over:
        return f"Since then: {line}"
    return f"Then: {line}" if over else _sentence(line)


def because(words: str, detail: str) -> str:
    """The same within a sentence; what both say is said once."""
    said = detail.removeprefix("check ") if words.endswith("by a check") else detail
    return f"{words}: {said}" if said else words


def report_line(title: str, report_date: dt.date, due: dt.datetime | None, say: TimeFormat) -> str:
    """Which report, and when it is due."""
    promised = f"due {say.moment(due)} ({say.zone}; {say.away(due)})" if due else "not promised"
    return f"{title}, report of {day(report_date)}, {promised}."


def stands_at(task: str, state: str, since: dt.datetime, usual_s: float | None, say: TimeFormat) -> str:
    """Where a run is: "At step transform (up for retry) since 03:12, usually 6 min"."""
    usual = f", usually {span(usual_s)}" if usual_s else ""
    return f"At step {task} ({state.replace('_', ' ')}) since {say.clock(since)}{usual}"


def run_lines(tasks: Sequence[Task], say: TimeFormat) -> list[str]:
    """The newest run's tasks, as they told of themselves: "  transform: failed 03:12 to 03:20 (ValueError: x)"."""
    lines = [f"Run {tasks[0].run_id}:"] if tasks else []
    for task in tasks:
        ended = f" to {say.clock(task.ended_at)}" if task.ended_at else ""
        why = f" ({task.error})" if task.error else ""
        lines.append(f"  {task.task_id}: {_state(task.state)} {say.clock(task.started_at)}{ended}{why}")
    return lines


def _state(state: str) -> str:
    return {
        "running": "running since",
        "queued": "cleared, not started since",
        "up_for_retry": "to be tried again,",
    }.get(state, state)


def table_words(load: Load, state: str, say: TimeFormat) -> str:
    """How an upstream table stands. `state`: fresh, partial, late, or expected, before it is late."""
    by = say.clock(load.expected_at) if load.expected_at else ""
    if state == "fresh":
        few = f": {small_words(load)}" if load.is_small else ""
        return f"Arrived {say.clock(load.loaded_at)}{few}"
    if state == "partial":
        return f"Partial: {load.counts_words}"
    if state == "expected":
        return f"Expected {by}" if by else "Expected"
    return f"Late, usually there by {by}" if by else "Late"


def small_words(load: Load) -> str:
    """Of a load that may be whole or not: "5 rows, usually 9 (…), which may be all of them"."""
    return f"{load.counts_words}, which may be all of them"


def tables_line(loads: Sequence[Load]) -> str:
    """How many upstream tables are there, which are not, and which came in part."""
    missing = [load.table for load in loads if load.state == "late"]
    partial = [load.table for load in loads if load.state == "partial"]
    there = len(loads) - len(missing) - len(partial)
    if len(loads) == 1:
        said = (
            f"{missing[0]} is not there" if missing else f"{partial[0]} is there in part" if partial else ""
        )
        return f"Upstream: {said or 'the table is there'}."
    if there == len(loads):
        return f"Upstream: {'both' if there == 2 else f'all {there}'} tables are there."
    lists = (("not yet", missing), ("in part", partial))
    rest = "".join(f"; {how}: {', '.join(tables)}" for how, tables in lists if tables)
    return f"Upstream: {there} of {len(loads)} tables {'is' if there == 1 else 'are'} there{rest}."


def day_words(outcome: Day, say: TimeFormat) -> str:
    """How a promise was kept on one day: "Sun 22 Nov: published 05:09, 9 min late". A later day than due is named."""
    made = outcome.published_at
    at = TimeFormat(outcome.due, say.tz).clock(made) if made else ""
    late = span(outcome.late_by.total_seconds()) if outcome.late_by else ""
    words = {
        "kept": f"published {at}, in time",
        "late": f"published {at}, {late} late",
        "broken": "not published",
        "open": "not due yet",
        "none": "nothing on record",
    }[outcome.outcome]
    return f"{weekday(outcome.report_date)}: {words}"


def kept_share(window: int, kept: int, counted: int) -> str:
    """ "30 days: 97 % kept (29 of 30)"; never rounded up to all of them, nor down to none."""
    percent = round(100 * kept / counted)
    if 0 < kept < counted:
        percent = min(max(percent, 1), 99)
    return f"{window} days: {percent} % kept ({kept} of {counted})"


def not_judged(error: Exception) -> str:
    """Why nothing is known of a promise on which the rules fail."""
    return f"it could not be judged: {type(error).__name__}: {error}"


def not_on_record(report_date: dt.date, first: dt.date) -> str:
    return f"nothing is on record of {weekday(report_date)}: the reports looked at begin on {weekday(first)}"


def no_card(*, promised: bool, hidden: int) -> str:
    """In the place of the cards of promises. `promised`: there is one, of which nothing is known."""
    if promised:
        return "They cannot be seen now."
    return "None of the pipelines that you may read." if hidden else "None yet."


def hidden_pipelines(count: int) -> str:
    return f"Shows the pipelines that you may read; {count} more {'is' if count == 1 else 'are'} hidden."


def runbook_line(purpose: str, owner: str, second_owner: str, pair: str) -> str:
    """What a pipeline is for, whom to ask, and who is on call now."""
    return f"{purpose}. Ask {owner}, then {second_owner}. On call: {pair}."


def no_runbook(dag_id: str, *, hidden: int) -> str:
    """`hidden`: how many pipelines the reader may not see, of which it may be one."""
    if hidden:
        return f"There is no runbook of {dag_id} that you may read. These you may:"
    return f"{dag_id} is none of the pipelines that the on-call team answers for. These have a runbook:"


def first_line(today: Sequence[PromiseStatus], say: TimeFormat, *, investors: bool) -> tuple[str, Level]:
    """Whether the reports due today are there, in one line, and how bad that is.

    `investors`: they are for investors; whom another team's are for, nobody told us.
    """
    missing = [one for one in today if one.verdict == "broken"]
    unseen = [one for one in today if one.facts.blind]
    risky = [one for one in today if one.verdict == "at_risk" and not one.facts.blind]
    if missing:
        said = _missing(missing, len(today), investors=investors)
        return f"{said}; {_unseen(unseen, say)}" if unseen else said, "bad"
    if unseen:
        worst: Level = "bad" if any(one.verdict == "unknown" for one in unseen) else "warn"
        return _sentence(_unseen(unseen, say)), worst
    if risky:
        return f"{_titles(risky)} {_are(risky)} at risk", "warn"
    waiting = [one for one in today if one.verdict == "waiting"]
    late = [one for one in today if one.verdict == "late"]
    if waiting:
        doubtful = any(one.facts.unreadable or _in_part(one) for one in waiting)
        rest = "not due yet" if doubtful else "on track"
        said = _waiting(len(today) - len(waiting), len(today), rest)
        return (f"{said}; {_late(late, 0)}", "warn") if late else (said, "none")
    count = f"all {len(today)} reports" if len(today) > 1 else "the report"
    there = f"{count} {_are(today)} there"
    said = f"Investors have {count}" if investors else _sentence(there)
    if late:
        return f"{said}{', ' if len(late) == len(today) else '; '}{_late(late, len(today))}", "warn"
    return f"{said}, in time", "ok"


def _in_part(status: PromiseStatus) -> list[str]:
    """The upstream tables that came in part, of a report whose run has still to read them."""
    tasks = status.facts.tasks
    to_read = not tasks or tasks[-1].task_id == WAIT
    return [load.table for load in status.facts.loads if to_read and load.state == "partial"]


def _published(status: PromiseStatus, say: TimeFormat) -> str:
    made = status.facts.publication
    assert made is not None
    when = say.when(made.first_at)
    if status.late_by:
        return f"published {span(status.late_by.total_seconds())} late, {when}"
    return f"published in time, {when}" if status.due else f"published {when}"


def _since(one: PromiseStatus, say: TimeFormat) -> str:
    return f" since {say.clock(one.facts.blind_since)}" if one.facts.blind_since else ""


def _waiting(out: int, count: int, rest: str) -> str:
    if out:
        return f"{out} of {count} reports {'is' if out == 1 else 'are'} out, the rest is {rest}"
    if count == 1:
        return f"The report is {rest}"
    return f"All {count} reports are on track" if rest == "on track" else "No report is due yet"


def _missing(missing: Sequence[PromiseStatus], count: int, *, investors: bool) -> str:
    of = f"{len(missing)} of {count} reports" if count > 1 else "the report"
    said = f"Investors are missing {of}" if investors else _sentence(f"{of} {_are(missing)} missing")
    return f"{said}: {_titles(missing)}"


def _unseen(unseen: Sequence[PromiseStatus], say: TimeFormat) -> str:
    """With what was known last, as far as it was."""
    said = f"cannot see whether {_titles(unseen)} {_are(unseen)} published"
    made = {one.pipeline.title: one.facts.publication.first_at for one in unseen if one.facts.publication}
    if not made:
        return said
    if len(unseen) == 1:
        return f"{said}; last known: published {say.clock(max(made.values()))}"
    if len(made) == len(unseen):
        return f"{said}; last known: all published, the last {say.clock(max(made.values()))}"
    return f"{said}; last known: " + ", ".join(
        f"{title} published {say.clock(at)}" for title, at in made.items()
    )


def _late(late: Sequence[PromiseStatus], count: int) -> str:
    """ "all 3 late (9 min to 17 min)", of some with their names."""
    by = sorted(one.late_by.total_seconds() for one in late if one.late_by)
    lengths = [span(seconds) for seconds in (by[0], by[-1])] if by else ["", ""]
    if len(late) == 1:
        return f"{lengths[0]} late" if count == 1 else f"{_titles(late)} came {lengths[0]} late"
    apart = f"{_shared_unit(*lengths)}" if lengths[0] != lengths[1] else lengths[0]
    return f"all {count} late ({apart})" if len(late) == count else f"{_titles(late)} came late ({apart})"


def _shared_unit(first: str, last: str) -> str:
    """ "9 to 17 min": the unit once where both have the same one."""
    number, _, unit = first.partition(" ")
    return f"{number} to {last}" if last.partition(" ")[2] == unit else f"{first} to {last}"


def _titles(some: Sequence[PromiseStatus]) -> str:
    names = [one.pipeline.title for one in some]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _are(some: Sequence[PromiseStatus]) -> str:
    return "is" if len(some) == 1 else "are"


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:]


def badge(name: str, newest: dt.date, at: str, *, next_late: bool) -> str:
    """Of a report: of which day the newest one is, and when it was refreshed."""
    return f"{name} · {day(newest)} · refreshed {at}" + (" · next one is late" if next_late else "")
