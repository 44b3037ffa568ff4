"""The people of the roster: ids, contacts, and whether everybody who can be paged can be reached."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from oncall.config.near_names import suggestion
from oncall.config.yaml_fields import Field, Fields
from oncall.core.plain_text import shortened
from oncall.core.rota.roster import Person, Rotation

_WRITE_PEOPLE = "a mapping such as {DE-001: {name: …, opsgenie: …, slack: …}}"
MOST_PEOPLE = 1_000
_CONTACTS = (("opsgenie", "the Opsgenie username (an e-mail address)"), ("slack", "the Slack member id"))


def read_people(field: Field) -> tuple[dict[str, Person], Fields]:
    """`{id: {name, opsgenie, slack, specialties}}`, and where each stands; all but the id may be missing here."""
    entries = field.fields(_WRITE_PEOPLE)
    if not entries.by_name and field.found in ("nothing", "a mapping"):
        field.complain(_WRITE_PEOPLE, found="nobody")
    if len(entries.by_name) > MOST_PEOPLE:
        field.complain(f"at most {MOST_PEOPLE} people", found=f"{len(entries.by_name)} people")
    written: dict[str, str] = {}
    for person_id, entry in entries.by_name.items():
        if person_id.casefold() in ("null", "~"):
            entry.complain("an id that does not read as nothing in YAML", found=person_id)
        known = written.setdefault(person_id.casefold(), person_id)
        if known != person_id:
            entry.complain("an id that differs by more than capitals", found=f"{known} once more")
    people = {person_id: _read_person(person_id, entry) for person_id, entry in entries.by_name.items()}
    for person_id, person in people.items():
        # Alerts, threads and the page know people by their names: of two who share one they name the wrong one.
        name = " ".join(person.name.casefold().split())
        whose = written.setdefault(name, person_id)
        if whose.casefold() != person_id.casefold():
            entry, is_id = entries.by_name[person_id], whose.casefold() == name
            place = Field(entry.source, f"{entry.key}.name", entry.line, None)
            write = f"a name that is nobody else's: it is the {'id' if is_id else 'name'} of {whose}"
            place.complain(write, repr(shortened(person.name)))
    return people, entries


def _read_person(person_id: str, field: Field) -> Person:
    fields = field.fields(
        "a mapping such as {name: …, opsgenie: …, slack: …}", ("name", "opsgenie", "slack", "specialties")
    )
    name = fields["name"].optional_text("the person's name")
    opsgenie = fields["opsgenie"].optional_text("the Opsgenie username (an e-mail address)")
    slack = fields["slack"].optional_text("the Slack member id, such as U0DE001")
    if opsgenie and not re.fullmatch(r"[^\s@<>,;:]+@[^\W_][\w-]*([.][\w-]+)+", opsgenie):
        fields["opsgenie"].complain("the Opsgenie username (an e-mail address)")
    elif opsgenie and not opsgenie.isascii():  # one that looks like an e-mail address is nobody's
        fields["opsgenie"].complain("the Opsgenie username in plain letters, a to z", ascii(opsgenie))
    if slack and not re.fullmatch(r"[UW][A-Z0-9]+", slack, re.ASCII):
        fields["slack"].complain("the Slack member id, such as U0DE001 (not the display name)")
    specialties = (
        entry.text("a specialty") for entry in fields["specialties"].items("a list of specialties")
    )
    return Person(person_id, name or person_id, opsgenie, slack, tuple(filter(None, specialties)))


def read_person_id(field: Field, people: Mapping[str, Person]) -> str | None:
    """The id of one of `people`; None, with a complaint, otherwise."""
    return field.one_of(people, "one of the people")


def check_reachable(
    entries: Fields,
    people: Mapping[str, Person],
    rotation: Sequence[Rotation],
    manager: str | None,
    others: Iterable[str],
) -> None:
    """Complain of people on call who lack an Opsgenie username or a Slack member id, or share one in a rotation, or the
    manager with somebody of the newest one: an account may pass from one person to another."""
    turns = [{person for row in entry.weeks for person in row} for entry in rotation] or [set()]
    if manager is not None and manager in people:
        turns[-1].add(manager)
    for person_id in sorted(set(others).union(*turns) & set(people)):
        with_them = sorted(set().union(*(each for each in turns if person_id in each)) - {person_id})
        for channel, words in _CONTACTS:
            account, entry = getattr(people[person_id], channel), entries[person_id]
            place = Field(entry.source, f"{entry.key}.{channel}", entry.line, None)
            if account is None:
                if not entry.source.tells_of(entry.key) and not entry.source.tells_of(place.key):
                    place.complain(f"{words}: {person_id} can be on call")
                continue
            # What was copied from the line above wakes somebody else, and the next step nobody.
            for other in (each for each in with_them if each < person_id):
                if (getattr(people[other], channel) or "").casefold() == account.casefold():
                    write = f"{person_id}'s own: {other}, who is on call beside them, has this one"
                    place.complain(write, repr(shortened(account)))


def read_manager(field: Field, people: Mapping[str, Person]) -> str | None:
    """The manager's id, also when (with a complaint) it is none of the people."""
    manager = field.text("the manager's id, such as DE-MANAGER")
    if manager and manager not in people:
        field.complain(
            f"{manager!r} under people too, with opsgenie and slack; or {suggestion(manager, people, 'one of')}"
        )
    return manager
