"""The use case of the sync: Opsgenie's schedules are made as the rota says, then compared with it."""

from __future__ import annotations

import datetime as dt
from typing import Protocol

from oncall.core.errors import Rejected
from oncall.core.rota.opsgenie_schedules import (
    SEATS,
    WEEKS,
    Changes,
    Schedule,
    ScheduleOverride,
    changes,
    schedule_name,
)
from oncall.core.rota.opsgenie_schedules import drift as drift_of
from oncall.core.rota.roster import Roster


class Schedules(Protocol):
    """The far side's schedules, by name. Raises DeliveryFailed or Rejected, and nothing else."""

    def find(self, name: str) -> Schedule | None:
        """The schedule of this name with its overrides; None when there is none."""
        ...

    def create(self, name: str, description: str, beneath: str, starts: dt.datetime) -> None:
        """A schedule whose only rotation, beneath every override, is one user."""
        ...

    def put(self, name: str, override: ScheduleOverride) -> None:
        """Write an override; it replaces the one with its alias."""
        ...

    def delete(self, name: str, alias: str) -> None:
        """Take the override of this alias out; nothing happens when there is none."""
        ...

    def on_call(self, name: str, at: dt.datetime) -> tuple[str, ...]:
        """The usernames that the schedule says are on call at that instant."""
        ...


def plan(roster: Roster, schedules: Schedules, at: dt.datetime, weeks: int = WEEKS) -> tuple[Changes, ...]:
    """What the sync would do; reads, and changes nothing."""
    if not roster.opsgenie_team:
        raise Rejected("the roster names no opsgenie.team, and the schedules are named after it")
    return tuple(
        changes(roster, seat, schedules.find(schedule_name(roster, seat)), at, weeks) for seat in SEATS
    )


def sync(roster: Roster, schedules: Schedules, at: dt.datetime, weeks: int = WEEKS) -> tuple[Changes, ...]:
    """Make the schedules as the rota says; returns what was done. Broken off, the next one goes on from there."""
    planned = plan(roster, schedules, at, weeks)
    for of_seat in planned:
        if of_seat.create:
            beneath = roster.recipient(roster.manager).opsgenie
            if beneath is None:
                raise Rejected(
                    f"{roster.manager} has no Opsgenie username, and is the one beneath every schedule"
                )
            schedules.create(of_seat.schedule, "Written from roster.yaml.", beneath, roster.starts)
        for override in of_seat.put:
            schedules.put(of_seat.schedule, override)
        for alias in of_seat.delete:  # last: between the two, rather both people than nobody
            schedules.delete(of_seat.schedule, alias)
    return planned


def drift(roster: Roster, schedules: Schedules, at: dt.datetime, weeks: int = WEEKS) -> tuple[str, ...]:
    """What the far side would do otherwise than the rota says, a sentence each; empty when they agree."""
    lines: list[str] = []
    for seat in SEATS:
        name = schedule_name(roster, seat)
        found = schedules.find(name)
        on_call = schedules.on_call(name, at) if found else ()
        lines += drift_of(roster, seat, found, on_call, at, weeks)
    return tuple(lines)
