"""Opsgenie's two schedules as the rota wants them, and how those that are found differ. Calls nobody.

Everybody in a schedule's rotations is notified together, so each seat has a schedule of its own. The rota is written
as overrides, because they hold for exact times; the rotation beneath, the manager alone, is what remains where
no override reaches: past the weeks that are synced, and if the sync should ever stop.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from oncall.core.rota.on_call import rota, who_is_on_call
from oncall.core.rota.roster import Roster, Seat
from oncall.core.rota.rota_week import Shift
from oncall.core.rota.rotation import week_beginning
from oncall.core.wall_time import in_zone, utc

WEEKS = 12
SEATS: tuple[Seat, ...] = ("primary", "secondary")


@dataclass(frozen=True)
class ScheduleOverride:
    """In [start, end) the user (an Opsgenie username) is on call. `partly`: for some of the rotations only."""

    alias: str
    start: dt.datetime
    end: dt.datetime
    username: str
    partly: bool = False


@dataclass(frozen=True)
class Schedule:
    """A schedule as it is found."""

    enabled: bool
    overrides: tuple[ScheduleOverride, ...] = ()


@dataclass(frozen=True)
class Changes:
    """The fewest calls that make a schedule as it is wanted. `delete` holds aliases."""

    schedule: str
    create: bool
    put: tuple[ScheduleOverride, ...]
    delete: tuple[str, ...]

    def __bool__(self) -> bool:
        return self.create or bool(self.put or self.delete)


def schedule_name(roster: Roster, seat: Seat) -> str:
    """What Opsgenie calls the schedule of a seat."""
    return f"{roster.opsgenie_team}-{seat}"


def window(roster: Roster, at: dt.datetime, weeks: int) -> tuple[dt.datetime, dt.datetime]:
    """The present shift and so many weeks after it: whole shifts, so that a span is the same one every day."""
    begins = max(week_beginning(roster, at), roster.starts.date())
    return roster.day_starts(begins), roster.day_starts(begins + dt.timedelta(weeks=weeks + 1))


def wanted(roster: Roster, seat: Seat, at: dt.datetime, weeks: int) -> tuple[ScheduleOverride, ...]:
    """One override per span of the rota in which one person holds the seat within a week.

    Its alias is made of seat and start, so that another person in the same span is the same override. Where there
    is no secondary the manager has that seat too; somebody without an Opsgenie username is left out, and the
    rotation beneath (the manager) holds.
    """
    found: list[tuple[int | None, ScheduleOverride]] = []
    for shift in rota(roster, *window(roster, at, weeks)):
        username = _username(roster, seat, shift)
        if username is None:
            continue
        start, end = utc(shift.start), utc(shift.end)
        if found:
            week, last = found[-1]
            if (week, last.end, last.username) == (shift.week, start, username):
                found[-1] = (week, replace(last, end=end))
                continue
        alias = f"{_prefix(seat)}{start:%Y%m%dT%H%M%SZ}"
        found.append((shift.week, ScheduleOverride(alias, start, end, username)))
    return tuple(override for _, override in found)


def changes(roster: Roster, seat: Seat, found: Schedule | None, at: dt.datetime, weeks: int) -> Changes:
    """What to do to a found schedule. Overrides of the past and those that people made are left alone."""
    want = wanted(roster, seat, at, weeks)
    have = {override.alias: override for override in found.overrides} if found else {}
    needless = (
        override.alias
        for override in _within(have.values(), *window(roster, at, weeks))
        if override.alias.startswith(_prefix(seat)) and override.alias not in {each.alias for each in want}
    )
    put = (override for override in want if not _same(override, have.get(override.alias)))
    return Changes(schedule_name(roster, seat), found is None, tuple(put), tuple(needless))


def drift(
    roster: Roster, seat: Seat, found: Schedule | None, on_call: Sequence[str], at: dt.datetime, weeks: int
) -> tuple[str, ...]:
    """What Opsgenie would do otherwise than the rota says, a sentence each; the same ones as long as it stays so.

    `on_call`: the usernames that Opsgenie says are on call at `at`.
    """
    name = schedule_name(roster, seat)
    if found is None:
        return (f"The schedule {name} does not exist.",)
    lines = [] if found.enabled else [f"The schedule {name} is disabled: it notifies nobody."]
    missing = changes(roster, seat, found, at, weeks)
    lines += [f"{name} lacks {_said(roster, override)}." for override in missing.put]
    known = {override.alias for override in wanted(roster, seat, at, weeks)}
    lines += [
        f"{name} has an override that is not in the roster: {_said(roster, override)}. "
        "Enter it with `python -m oncall override`, or delete it in Opsgenie."
        for override in _within(found.overrides, *window(roster, at, weeks))
        if override.alias not in known
    ]
    expected = _username(roster, seat, who_is_on_call(roster, at))
    if expected and [each.casefold() for each in on_call] != [expected.casefold()]:
        lines.append(f"{name}: Opsgenie says {' and '.join(on_call) or 'nobody'}, the rota says {expected}.")
    return tuple(lines)


def _prefix(seat: Seat) -> str:
    return f"oncall-{seat}-"


def _username(roster: Roster, seat: Seat, shift: Shift) -> str | None:
    if shift.primary is None:
        return None
    person = shift.primary if seat == "primary" else shift.secondary or roster.manager
    return roster.recipient(person).opsgenie


def _same(override: ScheduleOverride, found: ScheduleOverride | None) -> bool:
    return found is not None and replace(found, username=found.username.casefold()) == replace(
        override, username=override.username.casefold()
    )


def _within(
    overrides: Iterable[ScheduleOverride], start: dt.datetime, end: dt.datetime
) -> Iterator[ScheduleOverride]:
    return (override for override in overrides if override.start < end and start < override.end)


def _said(roster: Roster, override: ScheduleOverride) -> str:
    start, end = (in_zone(at, roster.tz) for at in (override.start, override.end))
    return f"{override.username} from {start:%Y-%m-%d %H:%M} until {end:%Y-%m-%d %H:%M}"
