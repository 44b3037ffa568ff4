"""What the page shows of the rota, as data: who is on call, the weeks, the calendar, the ledger. Holds no rules."""

from __future__ import annotations

import datetime as dt

from pydantic import Field

from oncall.core.rota.shift_words import pair
from oncall.web.views.models import Model


class Contact(Model):
    """A person and how to reach them."""

    id: str = Field(description="The person's id in the roster")
    name: str = Field(description="The name to show")
    opsgenie: str | None = Field(default=None, description="Opsgenie username (an e-mail address)")
    slack: str | None = Field(default=None, description="Slack member id")
    specialties: tuple[str, ...] = Field(default=(), description="What the person knows best")


class OnCall(Model):
    """Who is on call over one stretch of time with one pair."""

    at: dt.datetime = Field(description="The instant asked about")
    since: dt.datetime = Field(description="When this pair began")
    until: dt.datetime = Field(description="When this pair ends (not included)")
    week: int | None = Field(description="Week of the rotation; null before the rota begins")
    primary: Contact | None = Field(description="Woken first; null before the rota begins")
    secondary: Contact | None = Field(description="Woken second; null when there is nobody")
    manager: Contact = Field(description="Woken last")
    reason: str = Field(description="rotation, cover, comp, override, or why there is no rota")
    covering_for: str | None = Field(default=None, description="Whom the pair stands in for")
    why: str = Field(description="The reason in one sentence")

    @property
    def pair(self) -> str:
        return pair(*(who.name if who else "" for who in (self.primary, self.secondary)))

    @property
    def seats(self) -> list[str]:
        """Who is paged, the first one first; empty before the rota begins."""
        known = (self.primary, self.secondary, self.manager) if self.primary else ()
        return list(dict.fromkeys(who.name for who in known if who))


class Now(Model):
    """Who is on call now and who takes over next."""

    current: OnCall = Field(description="The pair on call now")
    next_handoff: dt.datetime = Field(description="The next weekly handoff")
    next: OnCall = Field(description="The pair after that handoff")


class ShiftView(Model):
    """A stretch of a week with one pair."""

    start: dt.datetime = Field(description="From")
    end: dt.datetime = Field(description="Until (not included)")
    week: int | None = Field(description="Week of the rotation")
    primary: str | None = Field(description="Woken first")
    secondary: str | None = Field(description="Woken second")
    reason: str = Field(description="rotation, cover, comp or override")
    covering_for: str | None = Field(default=None, description="Whom the pair stands in for")


class WeekView(Model):
    """One week of the rota and why it is so."""

    week: int = Field(description="Week of the rotation")
    start: dt.datetime = Field(description="Handoff that begins it")
    end: dt.datetime = Field(description="Handoff that ends it")
    current: bool = Field(description="Whether it is now")
    past: bool = Field(description="Whether it is over")
    shifts: tuple[ShiftView, ...] = Field(description="What tiles the week")
    marks: tuple[str, ...] = Field(default=(), description="cover, comp, override, leave, holiday, in lieu")
    why: tuple[str, ...] = Field(description="Why the week is as it is, in sentences")


class Bar(Model):
    """A stretch of the calendar, placed as shares of its window."""

    kind: str = Field(
        description="primary, secondary (with cover, comp or override), leave, comp, lieu or holiday"
    )
    left: float = Field(description="Where it begins, in percent of the window")
    width: float = Field(description="How long it is, in percent of the window")
    words: str = Field(description="What it says")


class PersonRow(Model):
    """One person's row of the calendar."""

    person: str = Field(description="The person's id")
    name: str = Field(description="The name to show")
    bars: tuple[Bar, ...] = Field(description="What is in the row; later ones lie on earlier ones")


class Tick(Model):
    """One week of the calendar's head."""

    begins: dt.date = Field(description="The date of the handoff")
    words: str = Field(description="The date as people say it")
    current: bool = Field(description="Whether it is now")


class Calendar(Model):
    """The rota as bars over weeks."""

    start: dt.datetime = Field(description="The window begins")
    end: dt.datetime = Field(description="The window ends (not included)")
    now: float = Field(description="Where now is, in percent of the window")
    ticks: tuple[Tick, ...] = Field(description="The weeks")
    holidays: tuple[Bar, ...] = Field(description="Public holidays, over all rows")
    rows: tuple[PersonRow, ...] = Field(description="One for each person who takes turns")


class LoadView(Model):
    """How much of the window a person is on call."""

    person: str = Field(description="The person's id")
    primary_weeks: float = Field(description="Weeks as primary")
    fair_primary_weeks: float = Field(description="The same of each who takes turns; 0 for the others")
    secondary_weeks: float = Field(description="Weeks as secondary")
    fair_secondary_weeks: float = Field(description="The same of each who takes turns; 0 for the others")
    share: float = Field(description="Share of all time on call in either seat, in percent")
    weekend_days: float = Field(description="Saturdays and Sundays as primary")
    holidays: float = Field(description="Public holidays as primary")
    nights_paged: int = Field(
        description="Nights (22:00 to 07:00) of the last 90 days with a page; without drills"
    )


class CreditView(Model):
    """Credit days earned in one week by standing in as primary."""

    person: str = Field(description="Who stood in")
    week: int = Field(description="Week of the rotation")
    start: dt.datetime = Field(description="The handoff that begins that week")
    days: int = Field(description="Credit days")
    covering_for: str = Field(description="For whom")


class CompWeekView(Model):
    """A week of rest for having covered at least four days of one shift."""

    person: str = Field(description="Who rests")
    week: int = Field(description="In which week of the rotation")
    start: dt.datetime = Field(description="The handoff that begins that week")
    repaid_by: str = Field(description="Who heads the order instead")
    earned_week: int = Field(description="The week it was earned in")
    state: str = Field(description="owed, now or taken")


class InLieuView(Model):
    """A day off for having been primary on a public holiday."""

    person: str = Field(description="Who has the day off")
    date: dt.date | None = Field(description="The day off; null when no free day was found within a year")
    holiday: dt.date = Field(alias="for", description="The public holiday")
    name: str = Field(description="Its name")
    state: str = Field(description="owed or taken")


class LedgerView(Model):
    """What was earned by being on call until now."""

    credits: tuple[CreditView, ...] = Field(description="Credit days")
    comp_weeks: tuple[CompWeekView, ...] = Field(description="Comp weeks")
    in_lieu: tuple[InLieuView, ...] = Field(description="Days in lieu")
