"""Why a pair is on call, in words: the one description for pages, messages and the command line. Knows one shift."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence

from oncall.core.rota.roster import Roster
from oncall.core.rota.rota_week import Shift
from oncall.core.time_format import TimeFormat


def named(roster: Roster, person_id: str | None) -> str:
    """The name to show; "nobody" for an empty seat."""
    return roster.recipient(person_id).name if person_id else "nobody"


def to_ask(roster: Roster, person_id: str, at: dt.datetime) -> str:
    """The name of somebody who may be asked at this instant, and that they are on leave: "DE-004 (on leave)"."""
    away = any(leave.person == person_id and leave.start <= at < leave.end for leave in roster.leave)
    return f"{named(roster, person_id)}{' (on leave)' if away else ''}"


def named_with_id(roster: Roster, person_id: str) -> str:
    """The person's name, with the id where it is another word."""
    person = roster.people.get(person_id)
    return person_id if person is None or person.name == person_id else f"{person.name} ({person_id})"


def seated(name: str, seat: str) -> str:
    """The name with the seat, where the name does not tell it: "DE-003 (primary)", "DE manager"."""
    return name if seat in name.lower() else f"{name} ({seat})"


def pair(primary: str, secondary: str) -> str:
    """Two names, or "nobody" where one is empty."""
    return f"{primary or 'nobody'}, then {secondary or 'nobody'}"


def why(roster: Roster, shift: Shift) -> str:
    """Why this pair and not another, in one sentence."""
    if shift.week is None:
        return f"There is {shift.reason}."
    return f"Week {shift.week} of the rotation{unless_by_rotation(roster, shift)}."


def unless_by_rotation(roster: Roster, shift: Shift) -> str:
    """Behind a comma why it is this pair; "" where the rotation says so."""
    words = f", {reason_in_words(shift, named(roster, shift.covering_for))}"
    return words if shift.reason != "rotation" else ""


def until(end: dt.datetime, why: str, say: TimeFormat) -> str:
    """Until when a pair is on call, and why it is this one."""
    return f"Until {say.moment(end)} ({say.away(end)}). {why}"


def answer(at: dt.datetime, seats: Sequence[str], why: str, say: TimeFormat) -> str:
    """Who is on call at an instant. `seats`: who is paged, the first one first."""
    return f"{say.moment(at)}: {', then '.join(seats) or 'nobody'}. {why}"


def who_is_paged(
    roster: Roster, shift: Shift, following: Shift, handoff: dt.datetime, say: TimeFormat
) -> Iterator[str]:
    """Who is paged first, why, until when, who after them, and who takes over. `handoff`: the next one."""
    if shift.primary is None:
        yield f"Nobody is on call: there is {shift.reason}."
        return
    yield f"{named_with_id(roster, shift.primary)} is on call until {say.moment(shift.end)} ({say.zone})."
    yield why(roster, shift)
    after = [named_with_id(roster, shift.secondary)] if shift.secondary else []
    if roster.manager not in (shift.primary, shift.secondary):
        manager = named_with_id(roster, roster.manager)
        after.append(manager if "manager" in manager.lower() else f"the manager, {manager}")
    yield f"Paged after them: {', then '.join(after) or 'nobody'}."
    seats = [named_with_id(roster, person) for person in (following.primary, following.secondary) if person]
    yield f"From {say.moment(shift.end)} on: {', then '.join(seats)}."
    if handoff != shift.end:
        yield f"The next handoff is on {say.moment(handoff)}."


def reason_in_words(shift: Shift, covering_for: str = "") -> str:
    """A part of a sentence: "standing in for DE-001, on leave"; of a time before the rota what its reason says.

    `covering_for`: the name to show of whom the pair stands in for ("": the id).
    """
    away = covering_for or shift.covering_for
    return {
        "rotation": "by rotation",
        "cover": f"standing in for {away}, on leave",
        "comp": f"{away} has a comp week",
        "override": "by an override",
    }.get(shift.reason, shift.reason)
