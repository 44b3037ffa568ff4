"""Who is on call, said for people. Pure: the roster and an instant in, models out."""

from __future__ import annotations

import datetime as dt

from oncall.core.rota import shift_words
from oncall.core.rota.on_call import next_handoff, who_is_on_call
from oncall.core.rota.roster import Roster
from oncall.core.wall_time import in_zone
from oncall.web.views.rota_models import Contact, Now, OnCall


def now(roster: Roster, at: dt.datetime) -> Now:
    """The pair now, and the pair from the next handoff on."""
    handoff = next_handoff(roster, at)
    return Now(current=on_call(roster, at), next_handoff=handoff, next=on_call(roster, handoff))


def on_call(roster: Roster, at: dt.datetime) -> OnCall:
    """The answer to "who is on call at …"."""
    shift = who_is_on_call(roster, at)
    return OnCall(
        at=in_zone(at, roster.tz),
        since=shift.start,
        until=shift.end,
        week=shift.week,
        primary=contact(roster, shift.primary) if shift.primary else None,
        secondary=contact(roster, shift.secondary) if shift.secondary else None,
        manager=contact(roster, roster.manager),
        reason=shift.reason,
        covering_for=shift.covering_for,
        why=shift_words.why(roster, shift),
    )


def contact(roster: Roster, person_id: str) -> Contact:
    """How to reach a person; of an unknown id the id alone."""
    person = roster.people.get(person_id)
    return Contact.model_validate(person) if person else Contact(id=person_id, name=person_id)
