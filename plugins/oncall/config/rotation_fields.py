"""Who takes turns and who is away: rotation, leave, overrides and escalation of the roster."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping

from oncall.config.people_fields import read_person_id
from oncall.config.time_fields import WEEKDAYS, read_duration, read_stretch
from oncall.config.yaml_fields import Field
from oncall.core.rota.roster import EscalationStep, Handoff, Leave, Override, Person, Rotation, Seat

# Whoever means it for good writes another rotation; mostly it is a year with a slip in it, and one person for ever.
LONGEST_OVERRIDE = dt.timedelta(days=366)
MOST_ROWS = 400  # weeks: more than seven years before they repeat
_SEATS: tuple[Seat, ...] = ("primary", "secondary", "manager")
USUAL_STEPS = tuple(
    EscalationStep(dt.timedelta(minutes=15 * number), seat) for number, seat in enumerate(_SEATS)
)


def read_rotation(field: Field, people: Mapping[str, Person], handoff: Handoff) -> tuple[Rotation, ...]:
    """`[{starts, weeks: [[primary, secondary], …]}]`, in the order of their `starts`."""
    entries = field.items("a list of entries such as {starts: …, weeks: …}")
    if not entries and (field.missing or field.found == "a list"):
        write = "a list such as [{starts: 2025-12-29, weeks: [[DE-001, DE-002], [DE-002, DE-001]]}]"
        field.complain(write, None if field.missing else "nobody who takes turns")
    found: dict[dt.date, Rotation] = {}
    for entry in entries:
        fields = entry.fields("a mapping such as {starts: …, weeks: …}", ("starts", "weeks"))
        starts = fields["starts"].date()
        rows = tuple(row for row in _read_rows(fields["weeks"], people) if row)
        if starts and starts.weekday() != handoff.weekday:
            day = starts - dt.timedelta(days=(starts.weekday() - handoff.weekday) % 7)
            write = f"a {WEEKDAYS[handoff.weekday].capitalize()} (the handoff day) such as {day}"
            fields["starts"].complain(write, found=f"{starts}, a {WEEKDAYS[starts.weekday()].capitalize()}")
        elif starts in found:
            fields["starts"].complain("a date that no other entry of the rotation starts on")
        elif starts and rows:
            found[starts] = Rotation(starts, rows)
    return tuple(found[starts] for starts in sorted(found))


def _read_rows(field: Field, people: Mapping[str, Person]) -> Iterator[tuple[str, str] | None]:
    rows = field.items("a list of rows such as [[DE-001, DE-002], [DE-002, DE-001]]")
    if not rows and (field.missing or field.found == "a list"):
        field.complain("at least one row, such as [[DE-001, DE-002]]", found="no row")
    if len(rows) > MOST_ROWS:
        field.complain(f"at most {MOST_ROWS} rows; they repeat", found=f"{len(rows)} rows")
        return
    for row in rows:
        write = "a row of two people, [primary, secondary]"
        seats = row.items(write)
        if row.missing:
            row.complain(write)
        elif row.found == "a list" and len(seats) != 2:
            row.complain(write, found=f"{len(seats)} of them")
        names = [read_person_id(seat, people) for seat in seats]
        if len(names) == 2 and names[0] and names[1]:
            if names[0] == names[1]:
                row.complain("two different people", found=f"{names[0]} twice")
            yield (names[0], names[1]) if names[0] != names[1] else None


def read_leave(
    field: Field, people: Mapping[str, Person], handoff: Handoff, tz: dt.tzinfo
) -> tuple[Leave, ...]:
    """`[{person, from, until, reason}]`, both days included (rule 2)."""
    found = []
    for entry in field.items("a list of entries such as {person: …, from: …, until: …}"):
        fields = entry.fields(
            "a mapping such as {person: …, from: …, until: …}", ("person", "from", "until", "reason")
        )
        person = read_person_id(fields["person"], people)
        stretch = read_stretch(fields["from"], fields["until"], handoff, tz)
        reason = fields["reason"].optional_text("a reason in words")
        if person and stretch:
            found.append(Leave(person, *stretch, reason or ""))
    return tuple(found)


def read_overrides(
    field: Field, people: Mapping[str, Person], handoff: Handoff, tz: dt.tzinfo
) -> tuple[Override, ...]:
    """`[{from, until, primary, secondary, reason}]`, at least one of the seats."""
    found: list[tuple[Field, Override]] = []
    for entry in field.items("a list of entries such as {from: …, until: …, primary: …}"):
        known = ("from", "until", "primary", "secondary", "reason")
        fields = entry.fields("a mapping such as {from: …, until: …, primary: …}", known)
        stretch = read_stretch(fields["from"], fields["until"], handoff, tz)
        primary, secondary = (
            None if fields[seat].missing else read_person_id(fields[seat], people)
            for seat in ("primary", "secondary")
        )
        reason = fields["reason"].optional_text("a reason in words")
        if fields["primary"].missing and fields["secondary"].missing:
            entry.complain("a primary, a secondary, or both", found="neither seat")
        elif primary and primary == secondary:
            entry.complain("two different people", found=f"{primary} in both seats")
        elif stretch and stretch[1] - stretch[0] > LONGEST_OVERRIDE:
            fields["until"].complain("an end within a year; for good, a new entry of the rotation")
        elif stretch:
            found.append((entry, Override(*stretch, primary, secondary, reason or "")))
    _check_overlaps(found)
    return tuple(override for _, override in found)


def _check_overlaps(found: list[tuple[Field, Override]]) -> None:
    """Each with those before it that have not ended: two at most, or there is a problem to tell of already."""
    open_ones: list[int] = []
    for new in sorted(range(len(found)), key=lambda n: found[n][1].start):
        open_ones = [n for n in open_ones if found[n][1].end > found[new][1].start]
        for other in open_ones:
            if found[new][0].source.is_full:
                return
            _check_overlap(found[min(other, new)], found[max(other, new)])
        open_ones.append(new)


def _check_overlap(earlier: tuple[Field, Override], later: tuple[Field, Override]) -> None:
    (first, override), (second, other) = earlier, later
    write = f"times that do not overlap with {first.key} in line {first.line + first.source.first_line}"
    for seat in ("primary", "secondary"):
        if getattr(override, seat) and getattr(other, seat):
            second.complain(write, found=f"the {seat} overridden twice at one time")
    crossed = ((override.primary, other.secondary), (override.secondary, other.primary))
    if any(person and person == same for person, same in crossed):
        second.complain(write, found="one person in both seats at one time")


def read_escalation(field: Field) -> tuple[EscalationStep, ...]:
    """`[{after, page}]`: the first at 0m, each later than the one before; the usual ones where none can be told."""
    write = "a list such as [{after: 0m, page: primary}, {after: 15m, page: secondary}]"
    steps: list[EscalationStep] = []
    entries = field.items(write)
    if not entries and (field.missing or field.found == "a list"):
        field.complain(write, found="no step")
    for n, entry in enumerate(entries):
        fields = entry.fields("a mapping such as {after: 15m, page: secondary}", ("after", "page"))
        after, page = read_duration(fields["after"]), fields["page"].one_of(_SEATS, "one of")
        if n == 0 and after:
            fields["after"].complain("0m: the first step pages at once")
        elif after is not None and steps and after <= steps[-1].after:
            fields["after"].complain("a time later than the step before it")
        elif page and page in {step.page for step in steps}:
            fields["page"].complain("a seat that no step before it pages: nobody is called a second time")
        elif after is not None and page:
            steps.append(EscalationStep(after, next(seat for seat in _SEATS if seat == page)))
    return tuple(steps) or USUAL_STEPS
