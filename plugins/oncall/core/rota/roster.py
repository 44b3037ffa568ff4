"""The roster: who there is, who takes turns, who is away. Holds what the file says; refuses to say who is on call."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from oncall.core.message import Recipient
from oncall.core.wall_time import at_wall

Seat = Literal["primary", "secondary", "manager"]


@dataclass(frozen=True)
class Person:
    """`opsgenie` is a username (e-mail), `slack` a member id; None where the file gives none."""

    id: str
    name: str
    opsgenie: str | None = None
    slack: str | None = None
    specialties: tuple[str, ...] = ()


@dataclass(frozen=True)
class Handoff:
    """When one shift ends and the next begins: a weekday (0 is Monday) and a wall-clock time."""

    weekday: int = 0
    at: dt.time = dt.time(9)


@dataclass(frozen=True)
class Rotation:
    """Rows of (primary, secondary), one a week from the date `starts` on (a handoff day), repeating."""

    starts: dt.date
    weeks: tuple[tuple[str, str], ...]

    @cached_property
    def orders(self) -> tuple[tuple[str, ...], ...]:
        """For each row: its primary, its secondary, then the people of the following rows as they appear (rule 3)."""
        return tuple(
            tuple(dict.fromkeys(person for row in self.weeks[first:] + self.weeks[:first] for person in row))
            for first in range(len(self.weeks))
        )


@dataclass(frozen=True)
class Leave:
    """A person is away in [start, end)."""

    person: str
    start: dt.datetime
    end: dt.datetime
    reason: str = ""


@dataclass(frozen=True)
class Override:
    """In [start, end) the named people hold the seats; a seat that is None is left as it is."""

    start: dt.datetime
    end: dt.datetime
    primary: str | None = None
    secondary: str | None = None
    reason: str = ""


@dataclass(frozen=True)
class EscalationStep:
    """Page whoever holds the seat `page`, `after` the incident was paged first."""

    after: dt.timedelta
    page: Seat


@dataclass(frozen=True)
class Roster:
    """The whole of one `roster.yaml`. `team`: the name of its folder below `teams/`, "" for the one at the top.

    `people` maps a person's id to the person; every id elsewhere is one of them. `rotation` holds at least one
    entry. `public_holidays` maps a date to its name. Two overrides of one seat at one time are never in here.
    """

    tz: dt.tzinfo
    manager: str
    people: Mapping[str, Person]
    rotation: tuple[Rotation, ...]
    handoff: Handoff = Handoff()
    leave: tuple[Leave, ...] = ()
    overrides: tuple[Override, ...] = ()
    public_holidays: Mapping[dt.date, str] = field(default_factory=dict)
    escalation: tuple[EscalationStep, ...] = ()
    slack_channel: str = ""
    slack_usergroup: str | None = None
    opsgenie_team: str = ""
    opsgenie_heartbeat: str = ""
    team: str = ""

    def day_starts(self, day: dt.date) -> dt.datetime:
        """When the on-call day `day` begins: its handoff hour (rule 2)."""
        return at_wall(day, self.handoff.at, self.tz)

    @cached_property
    def starts(self) -> dt.datetime:
        """The first `starts`: from here on somebody is always on call."""
        return self.day_starts(self.entries[0].starts)

    @cached_property
    def entries(self) -> tuple[Rotation, ...]:
        """The entries of the rotation as they come into force."""
        return tuple(sorted(self.rotation, key=lambda entry: entry.starts))

    @cached_property
    def turns(self) -> frozenset[str]:
        """Whoever takes turns, in whichever entry."""
        return frozenset(person for entry in self.rotation for row in entry.weeks for person in row)

    def recipient(self, person_id: str) -> Recipient:
        """How the far sides know a person; somebody the roster does not know has only a name."""
        person = self.people.get(person_id)
        if person is None:
            return Recipient(name=person_id)
        return Recipient(person.name, person.opsgenie, person.slack, person.id)

    def recipients(self, *person_ids: str | None) -> tuple[Recipient, ...]:
        """The same of several people; nobody for an empty seat."""
        return tuple(self.recipient(each) for each in person_ids if each)
