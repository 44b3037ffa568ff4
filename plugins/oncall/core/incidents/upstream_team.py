"""What the team that loads the upstream tables hears in its own channel: what is late, and that it has come. Pure.

That channel is a thread of its own on the outbox, apart from the incident's: whatever is wrong with it (the bot was
never invited, it is archived) delays nothing that the on-call team has to read.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

from oncall.core.incidents.arrivals import arrival_title, came_words, come, told_at_once, waited_for
from oncall.core.incidents.context import post
from oncall.core.incidents.incident import OTHERS, Incident, Notification, NotificationStatus, Plan
from oncall.core.incidents.titles import names, titled
from oncall.core.incidents.warnings import due_words, late_or_partial
from oncall.core.incidents.wording import Scene
from oncall.core.message import Message
from oncall.core.promises.cause import late_words
from oncall.core.promises.evaluation import PromiseStatus
from oncall.core.promises.facts import Load
from oncall.core.rota.shift_words import named
from oncall.core.time_format import TimeFormat

LATE, ARRIVED = "upstream-late", "upstream-arrived"  # and their channel, and the tables

Room = tuple[dt.date, str]  # a report date, and the channel of the team that loads its tables


def tell_upstream(
    live: Sequence[tuple[PromiseStatus, Incident]],
    earlier: Iterable[Incident],
    said: Mapping[str, Sequence[NotificationStatus]],
    statuses: Sequence[PromiseStatus],
    scene: Scene,
) -> Plan:
    """From the warning time on: which tables hold back which reports, and which of them have come, each told once.

    All that is news in one look is one post, in one thread a day: that of whichever incident has begun it, also when
    that one is over. A drill is nobody else's affair.
    """
    threads: dict[Room, str] = {}
    told: defaultdict[tuple[str, Room], dict[str, None]] = defaultdict(dict)
    for incident in earlier:
        for entry in said.get(incident.key, ()):
            if entry.alive and entry.step.startswith((LATE, ARRIVED)):
                what, slack, tables = told_of(entry.step)
                threads.setdefault((incident.report_date, slack), incident.key)
                told[what, (incident.report_date, slack)].update(dict.fromkeys(tables))
    for status, incident in sorted(live, key=lambda each: (each[1].opened_at, each[1].key)):
        slack = status.pipeline.upstream_owner.slack
        if slack and slack != scene.roster.slack_channel and _waits(status, scene):
            threads.setdefault((status.report_date, slack), incident.leader or incident.key)
    owed: list[Notification] = []
    for room, key in threads.items():
        mine = of_room(statuses, *room)
        if any(status.facts.blind for status in mine):
            continue
        late, came = told[LATE, room], told[ARRIVED, room]
        news = told_at_once([load for load in _late_now(mine, scene) if load.table not in late])
        here = told_at_once([load for load in come(late, mine) if load.table not in came])
        asked = late_message(key, room[1], [load.table for load in news], mine, scene)
        messages = (asked, _arrived(key, room[1], here, mine, scene))
        owed += [post(message) for message in messages if message]
    return Plan(owed=tuple(owed))


def told_of(step: str) -> tuple[str, str, tuple[str, ...]]:
    """What a step says of which tables, in which channel."""
    what, slack, tables = (*step.split(":", 2), "", "")[:3]
    return what, slack, tuple(filter(None, tables.split(",")))


def of_room(statuses: Iterable[PromiseStatus], day: dt.date, slack: str) -> list[PromiseStatus]:
    """What is promised of this day from tables of the team that has this channel."""
    return [
        status
        for status in statuses
        if status.report_date == day and status.pipeline.upstream_owner.slack == slack and not status.drill
    ]


def late_message(
    key: str, slack: str, tables: Collection[str], mine: Sequence[PromiseStatus], scene: Scene
) -> Message | None:
    """The sentence about these tables as it is true now; None when none of them is late."""
    needed = sorted(
        (one for one in mine if not one.done and any(load.table in tables for load in one.facts.late_loads)),
        key=lambda one: one.due or scene.at,
    )
    waiting = [one for one in needed if _waits(one, scene)]
    loads = {x.table: x for one in waiting for x in one.facts.late_loads if x.table in tables}
    if not loads:
        return None
    late = f"{names(tuple(loads))} {late_or_partial(loads.values())}"
    title = titled(waiting, lambda about: f"{late}: holds back {about}{due_words(waiting[0], scene)}")
    primary = named(scene.roster, scene.shift.primary)
    comes = "it" if any(load.state == "late" for load in loads.values()) else "the rest"
    zone = TimeFormat(scene.at, scene.roster.tz).zone
    lines = [
        *(f"{late_words(load, scene.roster.tz)}." for load in loads.values()),
        f"Needed for {', '.join(f'{m.pipeline.title} ({m.pipeline.report})' for m in needed)}.",
        f"When will {comes} come? Please answer here."
        f" On call for the reports: {primary} ({scene.roster.slack_channel}).",
        f"All times are {zone}.",
    ]
    return _message(key, slack, f"{LATE}:{slack}:{','.join(loads)}", title, lines)


def _arrived(
    key: str, slack: str, came: Sequence[Load], mine: Sequence[PromiseStatus], scene: Scene
) -> Message | None:
    """What has come of that which they were told of, and what they still have to bring."""
    if not came:
        return None
    tables, words = [load.table for load in came], came_words(came, scene)
    waited = waited_for(came, mine)
    title = arrival_title(f"{words}: ", waited) if waited else words
    still = [load.table for load in _late_now(mine, scene) if load.table not in title]
    lines = [f"Still late: {names(still)}."] if still else []
    return _message(key, slack, f"{ARRIVED}:{slack}:{','.join(tables)}", title, lines)


def _late_now(mine: Iterable[PromiseStatus], scene: Scene) -> Collection[Load]:
    return {load.table: load for one in mine if _waits(one, scene) for load in one.facts.late_loads}.values()


def _waits(one: PromiseStatus, scene: Scene) -> bool:
    late = one.why is not None and one.why.cause == "upstream_late" and not one.drill
    return late and one.warn is not None and scene.at >= one.warn


def _message(key: str, slack: str, step: str, title: str, lines: Sequence[str]) -> Message:
    return Message(
        f"{key}{OTHERS}{slack}", step, title, "\n".join(lines), priority="P4", tags=("oncall",), channel=slack
    )
