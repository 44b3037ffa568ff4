"""What the team that loads the upstream tables hears in its own channel: what is late, and that it has come. Pure.

That channel is a thread of its own on the outbox, apart from the incident's: whatever is wrong with it (the bot was
never invited, it is archived) delays nothing that the on-call team has to read.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence

from oncall.core.incidents.arrivals import arrival_title, came_words, come
from oncall.core.incidents.context import IncidentContext, post
from oncall.core.incidents.incident import OTHERS, Incident, Notification, Plan
from oncall.core.incidents.titles import names, titled
from oncall.core.incidents.warnings import due_words, late_or_partial
from oncall.core.incidents.wording import Scene
from oncall.core.message import Message
from oncall.core.promises.cause import late_words
from oncall.core.promises.evaluation import PromiseStatus
from oncall.core.promises.promise import Team
from oncall.core.rota.shift_words import named
from oncall.core.time_format import TimeFormat

LATE, ARRIVED = "upstream-late", "upstream-arrived:"


def tell_upstream(context: IncidentContext, scene: Scene) -> Plan | None:
    """From the warning time on, once: which table holds back which reports; and for each such table that it came.

    A drill is nobody else's affair.
    """
    if context.incident.drill or any(member.facts.blind for member in context.members):
        return None
    owed: list[Notification] = []
    for team in dict.fromkeys(member.pipeline.upstream_owner for member in context.members):
        if not team.slack or team.slack == scene.roster.slack_channel:
            continue
        message = late_message(context, scene, team)
        owed += [post(said) for said in (message, *_arrivals(context, scene, team)) if said]
    return Plan(owed=tuple(owed)) if owed else None


def late_message(context: IncidentContext, scene: Scene, team: Team) -> Message | None:
    """The sentence as it is true now; None when this team has nothing to bring."""
    needs = needs_of(context.missing) if context.needs is None else context.needs
    mine = (member for member in context.missing if _waits_for(member, team, scene))
    loads = {load.table: load for member in mine for load in member.facts.late_loads if load.table in needs}
    needed = {id(one): one for table in loads for one in needs[table] if one.pipeline.upstream_owner == team}
    waiting = sorted(
        (one for one in needed.values() if _waits_for(one, team, scene)), key=lambda one: one.due or scene.at
    )
    if not waiting:
        return None
    late = f"{names(tuple(loads))} {late_or_partial(loads.values())}"
    title = titled(waiting, lambda about: f"{late}: holds back {about}{due_words(waiting[0], scene)}")
    primary = named(scene.roster, scene.shift.primary)
    comes = "it" if any(load.state == "late" for load in loads.values()) else "the rest"
    zone = TimeFormat(scene.at, scene.roster.tz).zone
    lines = [
        *(f"{late_words(load, scene.roster.tz)}." for load in loads.values()),
        f"Needed for {', '.join(f'{m.pipeline.title} ({m.pipeline.report})' for m in needed.values())}.",
        f"When will {comes} come? Please answer here."
        f" On call for the reports: {primary} ({scene.roster.slack_channel}).",
        f"All times are {zone}.",
    ]
    return _message(context, team, LATE, title, lines)


def needs_of(statuses: Iterable[PromiseStatus]) -> dict[str, list[PromiseStatus]]:
    """By late table every promise that needs it."""
    needs: dict[str, list[PromiseStatus]] = {}
    for one in statuses:
        for load in one.facts.late_loads if not one.done else ():
            needs.setdefault(load.table, []).append(one)
    return needs


def who_tells(
    live: Sequence[tuple[PromiseStatus, Incident]], statuses: Sequence[PromiseStatus], scene: Scene
) -> Mapping[str, Mapping[str, Sequence[PromiseStatus]]]:
    """By the incident that speaks: of which late tables it tells, one incident a table and day, and who needs them.

    Of those whose warning time has come: the one that has warned of the table, then the oldest. So it stays the same.
    """
    late = [
        (table not in incident.warned, incident.opened_at, incident.leader or incident.key, status, table)
        for status, incident in live
        if not status.drill and _waits_for(status, status.pipeline.upstream_owner, scene)
        for table in (load.table for load in status.facts.late_loads)
    ]
    days: dict[dt.date, list[PromiseStatus]] = {status.report_date: [] for *_, status, _ in late}
    for status in statuses:
        if status.report_date in days and not status.drill:
            days[status.report_date].append(status)
    needs = {day: needs_of(promises) for day, promises in days.items()}
    telling: dict[tuple[dt.date, str, str], str] = {}
    for *_, key, status, table in sorted(late, key=lambda each: each[:3]):
        telling.setdefault((status.report_date, status.pipeline.upstream_owner.slack, table), key)
    found: dict[str, dict[str, Sequence[PromiseStatus]]] = {}
    for (day, _, table), key in telling.items():
        found.setdefault(key, {})[table] = needs[day][table]
    return found


def _waits_for(member: PromiseStatus, team: Team, scene: Scene) -> bool:
    late = member.why is not None and member.why.cause == "upstream_late" and bool(member.facts.late_loads)
    warned_of = member.warn is not None and scene.at >= member.warn
    return late and warned_of and member.pipeline.upstream_owner == team


def _arrivals(context: IncidentContext, scene: Scene, team: Team) -> Iterator[Message]:
    """Of what was warned about; where the team was never told that it was late, this is withdrawn when it is sent."""
    theirs = [member for member in context.members if member.pipeline.upstream_owner == team]
    for load in come(context.incident.warned, theirs):
        came = came_words([load], scene)
        title = arrival_title(f"{came}: ", context.missing) if context.missing else came
        yield _message(context, team, f"{ARRIVED}{load.table}", title, ())


def _message(context: IncidentContext, team: Team, step: str, title: str, lines: Sequence[str]) -> Message:
    key = f"{context.incident.key}{OTHERS}{team.slack}"
    return Message(key, step, title, "\n".join(lines), priority="P4", tags=("oncall",), channel=team.slack)
