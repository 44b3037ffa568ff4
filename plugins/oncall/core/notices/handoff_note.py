"""The note at a handoff: what the week was, who comes on, what lies ahead. Pure; reads nothing, sends nothing."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from oncall.core.incidents.context import name_of
from oncall.core.incidents.incident import Incident
from oncall.core.incidents.wording import Scene
from oncall.core.message import Message
from oncall.core.notices.drill_page import NOTHING, PAGE, TAP
from oncall.core.promises.attainment import Day
from oncall.core.promises.why import CAUSE_WORDS
from oncall.core.rota.credit_ledger import ledger
from oncall.core.rota.on_call import rota, who_is_on_call
from oncall.core.rota.outlook import look_out
from oncall.core.rota.roster import Roster
from oncall.core.rota.rota_week import Shift
from oncall.core.rota.shift_words import named, reason_in_words
from oncall.core.rota.week_words import days_away
from oncall.core.time_format import day, days, span
from oncall.core.wall_time import in_zone, night_of, utc

LEAVE_AHEAD = dt.timedelta(weeks=2)
MOST_RESTATED = 5  # days told one by one: the page has them all


@dataclass(frozen=True)
class Paged:
    """One alert that reached somebody's phone: when, and whose."""

    at: dt.datetime
    people: tuple[str, ...]


@dataclass(frozen=True)
class PastWeek:
    """What is on record of the ended week, apart from the roster.

    `incidents`: those open now; `titles`: of their pipelines, by DAG. `promises`: by report title, the report dates
    that fell due in the week. `restated`: the days that were published again with other numbers, in words. `trouble`:
    what could not be read or done, in words.
    """

    incidents: tuple[Incident, ...] = ()
    promises: Mapping[str, Sequence[Day]] | None = None
    pages: tuple[Paged, ...] = ()
    restated: tuple[str, ...] = ()
    trouble: tuple[str, ...] = ()
    titles: Mapping[str, str] = field(default_factory=dict)


def key_of_handoff(roster: Roster, boundary: dt.datetime) -> str:
    """One thread, one note and one test page for each handoff. `boundary` is in the roster's zone."""
    return ":".join(part for part in ("handoff", roster.team, boundary.date().isoformat()) if part)


def last_week(roster: Roster, boundary: dt.datetime) -> dt.datetime:
    """When the shift that ends at this handoff began, never before the first `starts`."""
    return max(roster.day_starts(boundary.date() - dt.timedelta(days=7)), roster.starts)


def note(scene: Scene, boundary: dt.datetime, past: PastWeek) -> Message:
    """The note for Slack: mentions the new pair. The first handoff of a roster has nobody going off."""
    roster = scene.roster
    week = rota(roster, last_week(roster, boundary), boundary)
    now = who_is_on_call(roster, boundary)
    return Message(
        key=key_of_handoff(roster, boundary),
        step="note",
        title=f"Handoff: {_pair(roster, now)} on call until {now.end:%a} {day(now.end.date())} {now.end:%H:%M}",
        summary="\n".join(_summary(scene, boundary, past)),
        facts=(
            ("Goes off", _going_off(roster, week)),
            ("Comes on", _coming_on(roster, now)),
            (
                "Open incidents",
                "; ".join(_incident(scene, each, past.titles) for each in past.incidents) or "none",
            ),
            ("Last week's promises", _promises(past.promises)),
            *_restated(past.restated),
            ("Pages", _pages(roster, past.pages)),
            ("Earned last week", "; ".join(_earned(roster, boundary, week)) or "nothing beyond the shift"),
            ("Leave, next 2 weeks", "; ".join(_leave(roster, boundary)) or "none"),
            ("Look out", "; ".join(look_out(roster, boundary)) or "nothing unusual in the coming 8 weeks"),
        ),
        links=(("On-call page", scene.links.oncall()),),
        priority="P5",
        recipients=roster.recipients(now.primary, now.secondary),
        tags=("oncall", "handoff"),
        channel=roster.slack_channel,
    )


def group_trouble(scene: Scene, boundary: dt.datetime, reason: str) -> Message:
    """Below the note: the Slack user group still has its old members, and what a person does then."""
    roster = scene.roster
    now = scene.shift
    return Message(
        key=key_of_handoff(roster, boundary),
        step="group",
        title=f"The Slack user group {roster.slack_usergroup} still has its old members: {reason}",
        summary=(
            f"It should be {_pair(roster, now)}. Set it in Slack, or mend this and clear `tell` of the handoff's DAG."
        ),
        priority="P4",
        tags=("oncall", "handoff"),
        channel=roster.slack_channel,
    )


def reach_page(scene: Scene, boundary: dt.datetime, number: int = 1) -> Message | None:
    """A quiet test page to the new primary, for the `number`th time; None when they have no Opsgenie name."""
    primary = who_is_on_call(scene.roster, boundary).primary
    person = scene.roster.recipient(primary) if primary else None
    if person is None or not person.opsgenie:
        return None
    return Message(
        key=key_of_handoff(scene.roster, boundary),
        step=PAGE if number == 1 else f"{PAGE}-{number}",
        title=f"[DRILL] {person.name} is on call now: can this reach you?",
        summary=f"{NOTHING}\n{TAP}",
        links=(("On-call page", scene.links.oncall()),),
        priority="P5",
        recipients=(person,),
        tags=("oncall", "handoff", "DRILL"),
        channel=scene.roster.slack_channel,
    )


def _summary(scene: Scene, boundary: dt.datetime, past: PastWeek) -> Iterator[str]:
    if scene.at - boundary > dt.timedelta(minutes=30):
        yield f"Said late: the handoff was {scene.when(boundary)}."
    yield from past.trouble


def _pair(roster: Roster, shift: Shift) -> str:
    primary = named(roster, shift.primary)
    return f"{primary}, then {named(roster, shift.secondary)}" if shift.secondary else f"{primary} alone"


def _going_off(roster: Roster, week: Sequence[Shift]) -> str:
    """The pair at the end of the week, and who else held its seats."""
    if not week:
        return "nobody: the rota begins here"
    last = week[-1]
    others = [p for shift in week for p in (shift.primary, shift.secondary) if p]
    gone = (last.primary, last.secondary)
    others = [named(roster, person) for person in dict.fromkeys(others) if person not in gone]
    return _pair(roster, last) + (f" (earlier in the week also {', '.join(others)})" if others else "")


def _coming_on(roster: Roster, shift: Shift) -> str:
    why = (
        ""
        if shift.reason == "rotation"
        else f" ({reason_in_words(shift, named(roster, shift.covering_for))})"
    )
    return f"{_pair(roster, shift)}{why}"


def _incident(scene: Scene, incident: Incident, titles: Mapping[str, str]) -> str:
    why = f", {CAUSE_WORDS[incident.cause]}" if incident.cause in CAUSE_WORDS else ""
    who = (
        f", {name_of(scene, incident.acknowledged_by)} has it" if incident.acknowledged else ", nobody has it"
    )
    title = titles.get(incident.dag_id, incident.dag_id)
    return f"{title}, {day(incident.report_date)}, since {scene.clock(incident.opened_at)}{why}{who}"


def _promises(promises: Mapping[str, Sequence[Day]] | None) -> str:
    if promises is None:
        return "cannot be read now"
    return "; ".join(f"{title}: {_kept(days)}" for title, days in promises.items()) or "none"


def _kept(days: Sequence[Day]) -> str:
    count = Counter(each.outcome for each in days)
    late = [each.late_by.total_seconds() for each in days if each.late_by]
    if not any(count[outcome] for outcome in ("kept", "late", "broken")):
        return "none was due"
    said = [f"{count['kept']} kept"]
    if late:
        said.append(f"{len(late)} late (by {span(max(late))}{' at most' if len(late) > 1 else ''})")
    if count["broken"]:
        said.append(f"{count['broken']} broken")
    return ", ".join(said)


def _restated(days: Sequence[str]) -> Iterator[tuple[str, str]]:
    if days:
        more = f"; and {len(days) - MOST_RESTATED} more days" if len(days) > MOST_RESTATED else ""
        yield "Restated last week", "; ".join(days[:MOST_RESTATED]) + more


def _pages(roster: Roster, pages: Sequence[Paged]) -> str:
    if not pages:
        return "none"
    whose = Counter(person for page in pages for person in page.people)
    nights = sorted({night for page in pages if (night := night_of(in_zone(page.at, roster.tz)))})
    disturbed = f"{len(nights)} ({', '.join(day(night) for night in nights)})" if nights else "none"
    by_person = ", ".join(f"{person} {count}" for person, count in whose.most_common())
    return f"{len(pages)} ({by_person}); nights disturbed: {disturbed}"


def _earned(roster: Roster, boundary: dt.datetime, week: Sequence[Shift]) -> Iterator[str]:
    if not week:
        return
    book, number, begins = ledger(roster, boundary), week[0].week, week[0].start.date()
    for credit in book.credits:
        if credit.week == number:
            person, away = named(roster, credit.person), named(roster, credit.covering_for)
            yield f"{person} {credit.days} credit day{'s' * (credit.days != 1)} for {away}"
    for comp in book.comp_weeks:
        if comp.earned_week == number:
            yield f"{named(roster, comp.person)} a comp week from {day(comp.begins)} (rota week {comp.week})"
    for lieu in book.in_lieu:
        if lieu.holiday >= begins:
            when = f"off on {day(lieu.date)}" if lieu.date else "a day off, still to be agreed on"
            yield f"{named(roster, lieu.person)} {when} for {lieu.name}"


def _leave(roster: Roster, boundary: dt.datetime) -> Iterator[str]:
    """Both days included, as the roster writes it."""
    for away in sorted(roster.leave, key=lambda each: each.start):
        if utc(away.start) < utc(boundary) + LEAVE_AHEAD and utc(away.end) > utc(boundary):
            yield f"{named(roster, away.person)} {days(*days_away(roster, away))}"
