"""Who is on call, said for people. Pure: the roster and an instant in, models out."""

from __future__ import annotations

import datetime as dt

from oncall.config.time_fields import NO_MOMENT, moment
from oncall.core.plain_text import shortened
from oncall.core.rota import shift_words
from oncall.core.rota.on_call import next_handoff, who_is_on_call
from oncall.core.rota.roster import Roster
from oncall.core.wall_time import in_zone
from oncall.web.views.rota_models import Contact, Now, OnCall

FARTHEST = dt.timedelta(days=36_525)


def asked_instant(roster: Roster, text: str) -> dt.datetime:
    """The instant in an address, read as the command line reads it: a date is its handoff hour, a time without offset
    the roster's. Raises ValueError, in words for whoever asks."""
    try:
        at: dt.datetime = moment(text, roster.handoff, roster.tz)
    except ValueError:
        raise ValueError(f"{shortened(text)!r} is {NO_MOMENT}") from None
    if at > dt.datetime.now(dt.UTC) + FARTHEST:
        # Every week until then would have to be resolved, while others wait.
        raise ValueError(f"{shortened(text)!r} is more than a hundred years ahead")
    return at


def now(roster: Roster, at: dt.datetime) -> Now:
    """The pair now, and the pair from the next handoff on."""
    handoff = next_handoff(roster, at)
    return Now(current=on_call(roster, at), next_handoff=handoff, next=on_call(roster, handoff))


def on_call(roster: Roster, at: dt.datetime) -> OnCall:
    """The answer to "who is on call at …"."""
    shift = who_is_on_call(roster, at)
    return OnCall.of(
        shift,
        at=in_zone(at, roster.tz),
        since=shift.start,
        until=shift.end,
        primary=contact(roster, shift.primary) if shift.primary else None,
        secondary=contact(roster, shift.secondary) if shift.secondary else None,
        manager=contact(roster, roster.manager),
        why=shift_words.why(roster, shift),
    )


def contact(roster: Roster, person_id: str) -> Contact:
    """How to reach a person; of an unknown id the id alone."""
    person = roster.people.get(person_id)
    return Contact.model_validate(person) if person else Contact(id=person_id, name=person_id)
