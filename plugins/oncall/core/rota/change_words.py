"""What a change of the rota does to what is earned by it, a sentence for each entry. Pure."""

from __future__ import annotations

from oncall.core.rota.change import Altered
from oncall.core.rota.credit_ledger import CreditDays, InLieu
from oncall.core.rota.rota_week import CompWeek


def away(person: str, start: str, end: str) -> str:
    return f"{person} is away from {start} until {end}"


def not_away(person: str, start: str, end: str) -> str:
    return f"{person} is not away from {start} until {end} after all"


def seats_swapped(person: str, other: str, start: str, end: str) -> str:
    return f"{person} and {other} hold each other's seats from {start} until {end}"


def seat_taken(taker: str, giver: str, start: str, end: str) -> str:
    """Of a swap with somebody who holds none in that time."""
    return f"{taker} holds the seat of {giver} from {start} until {end}"


def already_so(what: str) -> str:
    return f"It is so already, nothing is changed: {what}."


def credit(entry: Altered[CreditDays]) -> str:
    known = entry.after or entry.before
    assert known
    before, after = (each.days if each else 0 for each in (entry.before, entry.after))
    earned = f"{known.person} earns {after} credit day{'s' * (after != 1)}"
    instead = f" instead of {before}" if before else ""
    return f"{earned}{instead} in rota week {known.week} for {known.covering_for}"


def comp_week(entry: Altered[CompWeek]) -> str:
    if entry.after is None:
        assert entry.before
        return f"{entry.before.person} does not rest in rota week {entry.before.week} ({entry.before.begins}) any more"
    after = entry.after
    instead = f", instead of in rota week {entry.before.week}" if entry.before else ""
    stands_in = f"{after.repaid_by} takes the turn"
    return f"{after.person} rests in rota week {after.week} (from {after.begins}; {stands_in}{instead})"


def in_lieu(entry: Altered[InLieu]) -> str:
    known = entry.after or entry.before
    assert known
    before, after = (_day_off(each) if each else "nobody" for each in (entry.before, entry.after))
    return f"in lieu of {known.holiday} ({known.name}): {after} instead of {before}"


def _day_off(entry: InLieu) -> str:
    return f"{entry.person} on {entry.date}" if entry.date else f"{entry.person}, no date yet"
