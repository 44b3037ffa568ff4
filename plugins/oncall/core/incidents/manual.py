"""What a person may do to an incident by hand, and what each channel hears of it. Pure; the instant is in the scene."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from oncall.core.incidents.context import ends_with, page_and_post
from oncall.core.incidents.incident import RESOLVED_BY_HAND, Event, Incident, Plan
from oncall.core.incidents.page_step import BY_HAND
from oncall.core.incidents.titles import short, titled
from oncall.core.incidents.wording import Composer, Scene, subject
from oncall.core.message import Recipient
from oncall.core.promises.evaluation import PromiseStatus
from oncall.core.rota.shift_words import seated


@dataclass(frozen=True)
class Hand:
    """Who acts on which incident. `members` are the promises it speaks for, `followers` their incidents.

    `aliases` are the alerts that may be open on the far side.
    """

    by: str
    incident: Incident
    members: tuple[PromiseStatus, ...]
    followers: tuple[Incident, ...] = ()
    aliases: tuple[str, ...] = ()


def resolve(hand: Hand, scene: Scene, note: str) -> Plan:
    """Somebody says that it is over: alerts are closed, nobody is paged for it any more, the thread hears why.

    It stays over until the report is published; only a promise that breaks after this pages all the same.
    """
    gone = {"resolved_at": scene.at, "verdict": RESOLVED_BY_HAND}
    done = replace(hand.incident, **gone)  # type: ignore[arg-type]
    title = f"Resolved by {hand.by}: {subject(hand.members)}"
    rest = "Nobody is paged for it any more."
    if any(one.due and one.due > scene.at for one in hand.members):
        rest = "It is not due yet: should it be missing then, that pages all the same."
    lines = [f"Note: {note}", f"The report is not published. {rest}"]
    message = Composer(scene, done, hand.members).message("resolved-by-hand", title, lines)
    others = tuple(replace(one, **gone) for one in hand.followers)  # type: ignore[arg-type]
    said = f"resolved by {hand.by}: {note}"
    return Plan((done, *others), ends_with(message, hand.aliases), _events((done, *others), scene, said))


def page(hand: Hand, scene: Scene, person: Recipient, seat: str, number: int) -> Plan:
    """Somebody wants help now: page one more person, whatever the escalation says."""
    why = hand.members[0].why
    reason = f", {short(why)}" if why else ""
    title = titled(hand.members, lambda about: f"{hand.by} asks for you now: {about}{reason}")
    lines = [f"{hand.by} pages the {seat} by hand."]
    message = Composer(scene, hand.incident, hand.members).message(
        f"{BY_HAND}-{number}-{seat}", title, lines,
        priority="P1", recipients=(person,), section=why.cause if why else "",
    )  # fmt: skip
    event = _events((hand.incident,), scene, f"paged {seated(person.name, seat)} by hand, by {hand.by}")
    return Plan((hand.incident,), page_and_post(message), event)


def _events(incidents: Sequence[Incident], scene: Scene, what: str) -> tuple[Event, ...]:
    return tuple(Event(incident.key, scene.at, what) for incident in incidents)
