"""One incident and what it is about, and how a thing is said of it. Decides nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from oncall.core.incidents.incident import Channel, Event, Incident, Notification, NotificationStatus, Op
from oncall.core.incidents.wording import Composer, Scene
from oncall.core.message import Message, Recipient
from oncall.core.promises.evaluation import PromiseStatus
from oncall.core.time_format import span

MOST_TOLD = 20  # reports that one message names: a backfill may fail on each day of some years


@dataclass(frozen=True)
class IncidentContext:
    """One incident that speaks (a leader) with all the promises it speaks for, and what became of all it ever owed.

    `evaluated`: the members were judged on facts just read; otherwise they are what the incident's row says of them.
    `told_now`: this very look tells why, in a message of its own. `woken_lately`: somebody has just been woken for
    another day of this pipeline, or for another report by this error. `joining`: those that it speaks for from this
    look on. `put_back`: the configuration had ended it, and is as it was again from this look on.
    """

    incident: Incident
    members: tuple[PromiseStatus, ...]
    entries: tuple[NotificationStatus, ...] = ()
    evaluated: bool = True
    told_now: bool = False
    woken_lately: bool = False
    joining: tuple[PromiseStatus, ...] = ()
    put_back: bool = False

    @cached_property
    def said(self) -> frozenset[tuple[str, str]]:
        """`(channel, step)` of everything that was sent or still is to be."""
        return frozenset((entry.channel, entry.step) for entry in self.entries if entry.alive)

    def is_news(self, owed: Notification) -> bool:
        """Whether it has to be written down: for the first time, or because it was refused for somebody else."""
        entries = (e for e in self.entries if (e.channel, e.step) == (owed.channel, owed.step) and e.alive)
        known, to = next(entries, None), owed.message.recipients
        return known is None or bool(known.refused and to and not known.calls(to[0]))

    @cached_property
    def aliases(self) -> tuple[str, ...]:
        """The alerts that are, or may become, open at the far side."""
        closed = closed_by_us(self.entries)
        pages = (entry for entry in self.entries if entry.op == "page" and entry.alias not in closed)
        return tuple(entry.alias for entry in pages if entry.alive or entry.alerting)

    @cached_property
    def silenced(self) -> frozenset[str]:
        """The alerts that we acknowledge at the far side ourselves: for what somebody did elsewhere."""
        return frozenset(entry.alias for entry in self.entries if entry.op == "acknowledge" and entry.alive)

    @cached_property
    def missing(self) -> tuple[PromiseStatus, ...]:
        """What gets on by itself comes last: the first one is spoken of."""
        missing = [member for member in self.members if not member.done]
        return tuple(sorted(missing, key=lambda member: member.why is None or member.why.cause == "running"))

    @cached_property
    def broken(self) -> tuple[PromiseStatus, ...]:
        return tuple(member for member in self.missing if member.overdue)

    @property
    def lead(self) -> PromiseStatus | None:
        """The first that is missing: its cause is the one that is spoken of."""
        return self.missing[0] if self.missing else None

    @property
    def spoken(self) -> bool:
        return bool(self.said)

    def another(self, step: str) -> str:
        """This step; the second time it is said, and after that, with its number."""
        before = sum(said.partition("#")[0] == step for _, said in self.said)
        return f"{step}#{before + 1}" if before else step

    def about(self, *members: PromiseStatus) -> IncidentContext:
        """The same incident, to speak of these promises alone."""
        return replace(self, members=members)

    def notice(
        self, scene: Scene, step: str, title: str, lines: Iterable[str] = (), *, section: str = ""
    ) -> Message:
        """A message that calls nobody, about what is missing, or about everything once it is all there."""
        return self._composer(scene).message(step, title, lines, section=section)

    def alert(
        self,
        scene: Scene,
        step: str,
        title: str,
        lines: Iterable[str],
        *,
        priority: str,
        to: Sequence[Recipient],
    ) -> Message:
        """A message for these people (if there are any: with the runbook's steps for the cause)."""
        composer = self._composer(scene)
        why = composer.members[0].why
        cause = why.cause if why and to else ""
        return composer.message(step, title, lines, priority=priority, recipients=to, section=cause)

    def _composer(self, scene: Scene) -> Composer:
        members = self.missing or self.members
        return Composer(scene, self.incident, members[:MOST_TOLD], len(members[MOST_TOLD:]))


def closed_by_us(entries: Iterable[NotificationStatus]) -> frozenset[str]:
    """The alerts that ended before their incident did: it goes on, and what becomes of them is nobody's act."""
    return frozenset(entry.alias for entry in entries if entry.op == "close" and entry.alive)


def seat_holder(scene: Scene, seat: str) -> Recipient | None:
    """Who holds the seat at this instant, by this roster."""
    return next(iter(on_call(scene, seat)), None)


def on_call(scene: Scene, seat: str) -> tuple[Recipient, ...]:
    shift = scene.shift
    person = {"primary": shift.primary, "secondary": shift.secondary, "manager": scene.roster.manager}[seat]
    return scene.roster.recipients(person)


def person_named(scene: Scene, username: str) -> tuple[Recipient, ...]:
    """Whom the roster knows by this id, name or username at the pager."""
    people = ((known_by, scene.roster.recipient(known_by)) for known_by in scene.roster.people)
    return tuple(
        each
        for known_by, each in people
        if username.casefold() in (name.casefold() for name in (known_by, each.name, each.opsgenie) if name)
    )


def name_of(scene: Scene, username: str) -> str:
    """Whom the team knows by this username; "somebody" where the far side did not tell who."""
    return next((each.name for each in person_named(scene, username)), username) or "somebody"


def post(message: Message, op: Op = "post") -> Notification:
    return Notification(message.key, message.step, "chat", op, message)


def page_and_post(message: Message) -> tuple[Notification, ...]:
    channels: tuple[tuple[Channel, Op], ...] = (("pager", "page"), ("chat", "post"))
    return tuple(
        Notification(message.key, message.step, channel, op, message, message.alias if op == "page" else "")
        for channel, op in channels
    )


def post_and_headline(message: Message) -> tuple[Notification, ...]:
    """What is said in the thread, and at its head."""
    return post(message), Notification(message.key, f"headline:{message.step}", "chat", "update", message)


def ends_with(message: Message, aliases: Iterable[str]) -> tuple[Notification, ...]:
    """What ends an incident: its thread and its headline say so, and its alerts are closed."""
    closes = (
        Notification(message.key, f"close:{alias}", "pager", "close", message, alias) for alias in aliases
    )
    return (*post_and_headline(message), *closes)


def event(context: IncidentContext, scene: Scene, what: str) -> tuple[Event, ...]:
    return (Event(context.incident.key, scene.at, what),)


def how_late(member: PromiseStatus) -> str:
    return f"{span(member.late_by.total_seconds())} late" if member.late_by else "in time"
