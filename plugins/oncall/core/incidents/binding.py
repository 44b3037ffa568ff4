"""What is owed, decided at the moment it is sent: whether it is still wanted, whom it is for, and in which words.

An entry of the outbox says which incident, step and channel. It may have waited, for a far side, a lease, a database:
what is true and who is on call is asked again at each try, never remembered from when it was owed. Pure.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import takewhile

from oncall.core.incidents.context import IncidentContext, on_call, seat_holder
from oncall.core.incidents.escalation import Standing, is_call_of, is_of_round, standing
from oncall.core.incidents.escalation_words import page_message
from oncall.core.incidents.failures import has_failed
from oncall.core.incidents.incident import Incident, NotificationStatus, incident_of
from oncall.core.incidents.incident_words import is_not_taken
from oncall.core.incidents.page_step import round_and_seat
from oncall.core.incidents.upstream_team import ARRIVED, late_message, of_room, told_of
from oncall.core.incidents.warnings import early_message, failure_message, page_tells
from oncall.core.incidents.wording import Scene, is_about
from oncall.core.message import Message
from oncall.core.promises.evaluation import PromiseStatus

SOON = dt.timedelta(seconds=2)
# Chat messages that are history once the incident is over: its resolution says all that is left to say.
NEWS = ("warning", "last-chance", "failed-", "page-", "reminder-", "cause-", "unreached:", "handover-")


@dataclass(frozen=True)
class Send:
    """`nobody_woken`: this is a page, and no earlier one has woken anybody.

    `ask_first`: the incident's other alerts. Somebody may have taken one a moment ago: then nobody else is to be woken.
    `before`: the pages of whoever was called earlier and that are not taken, in order. Should one be taken now, it is
    their turn.
    `only_look`: it is not its turn, but it may have been taken.
    """

    message: Message
    nobody_woken: bool = False
    ask_first: tuple[str, ...] = ()
    before: tuple[Message, ...] = ()
    only_look: bool = False


@dataclass(frozen=True)
class Later:
    """Something else has to end first."""

    wait: dt.timedelta = SOON


@dataclass(frozen=True)
class Withdraw:
    """It is not wanted any more."""

    why: str


Bound = Send | Later | Withdraw


def bind(entry: NotificationStatus, stored: Message, context: IncidentContext | None, scene: Scene) -> Bound:
    """What to do with an entry now. `stored`: its words when it was owed; `context`: its incident as it is now.

    What belongs to no incident (a notice, a drill's page) goes as it was written.
    """
    if context is None:
        return Send(stored)
    if entry.op in ("close", "acknowledge", "note"):
        return _about_an_alert(entry, stored, context)
    if not context.incident.open and entry.step.startswith(NEWS):
        return Withdraw("the incident is over")
    if entry.step in ("warning", "last-chance"):
        return _early(entry, stored, context, scene)
    if found := round_and_seat(entry.step):
        return _page(entry, stored, context, scene, *found)
    if entry.step.startswith("reminder-"):
        return _reminder(entry, stored, context.incident)
    if entry.step.startswith("failed-"):
        return _failure(entry, stored, context, scene)
    return Send(stored)


def bind_for_others(
    entry: NotificationStatus, stored: Message, day: dt.date, statuses: Sequence[PromiseStatus], scene: Scene,
    *, told: bool,
) -> Bound:  # fmt: skip
    """The same of what another team's channel hears of a day. `told`: its thread has begun; `statuses`: of this look,
    none where nothing is known."""
    what, slack, tables = told_of(entry.step)
    if what == ARRIVED:
        return Send(stored) if told else Withdraw("they were not told that it was late")
    if not statuses or not tables:
        return Send(stored)
    message = late_message(incident_of(stored.key), slack, tables, of_room(statuses, day, slack), scene)
    return Send(replace(message, step=entry.step)) if message else Withdraw("it is not late any more")


def _early(entry: NotificationStatus, stored: Message, context: IncidentContext, scene: Scene) -> Bound:
    """What was said before due is not said after it, and not when it has passed."""
    if not any(member.verdict == "at_risk" for member in context.missing):
        return Withdraw("it is not at risk any more")
    if not context.evaluated:
        to = stored.recipients and (on_call(scene, "primary") or stored.recipients)
        return Send(replace(stored, recipients=to))
    message = early_message(context, scene, entry.step)
    return Send(message) if message else Withdraw("it is not so any more")


def _about_an_alert(entry: NotificationStatus, stored: Message, context: IncidentContext) -> Bound:
    """To close, acknowledge or annotate an alert, it has to be there first."""
    if entry.op == "note" and not context.incident.open:
        return Withdraw("the incident is over")
    if entry.op == "close" and context.incident.open and not context.incident.leader:
        return Withdraw("the incident goes on")
    page = next((each for each in context.entries if each.op == "page" and each.alias == entry.alias), None)
    if page is None or page.state == "done":
        return Send(stored)
    if page.state in ("owed", "accepted"):
        return Later()
    return Send(stored) if page.maybe_taken else Withdraw("its alert was never sent")


def _failure(entry: NotificationStatus, stored: Message, context: IncidentContext, scene: Scene) -> Bound:
    """A failure that nobody was told of yet goes to whoever is on call now."""
    taken = context.incident.acknowledged_at
    if context.incident.acknowledged and taken and entry.owed_at and taken >= entry.owed_at:
        return Withdraw("somebody has acknowledged the incident")
    its = [member for member in context.missing if is_about(stored, member)]
    if not context.evaluated or any(member.facts.blind for member in its):
        return Send(replace(stored, recipients=on_call(scene, "primary") or stored.recipients))
    near = (one for one in its if has_failed(one) and page_tells(context, one, scene))
    if any(one.due and scene.at < one.due for one in near):
        return Later()  # its due time may still be moved
    message = failure_message(context.about(*its), scene, entry.step)
    return Send(message) if message else Withdraw("it does not stand any more, or its page tells of it")


def _reminder(entry: NotificationStatus, stored: Message, incident: Incident) -> Bound:
    """Who has it is asked in the words of the newest hour alone."""
    if not incident.acknowledged:
        return Withdraw("the acknowledgement was taken back")
    this_round, number = entry.step.split("-")[1:]
    if (int(this_round), int(number)) < (incident.escalation_round, incident.reminders):
        return Withdraw("they are asked again by now")
    return Send(stored)


def _page(
    entry: NotificationStatus,
    stored: Message,
    context: IncidentContext,
    scene: Scene,
    this_round: int,
    seat: str,
) -> Bound:
    if this_round != context.incident.escalation_round:
        return Withdraw("the escalation has begun anew")
    if context.incident.acknowledged:
        return Withdraw("somebody has acknowledged the incident")
    if not context.broken:
        return Withdraw("the promise is not broken any more")
    if entry.channel == "chat":
        return _page_in_chat(entry, stored, context, scene, seat)
    person = seat_holder(scene, seat)
    if person is None or not person.opsgenie:
        return Withdraw(f"nobody who can be paged holds the seat of the {seat}")
    if entry.person and not entry.calls(person) and entry.alerting:
        return Withdraw(f"it may have reached {entry.person}, and {person.name} is on call now")
    others = (e for e in context.entries if e.step != entry.step and is_of_round(e, context.incident))
    if any(is_call_of(each, person, scene) and each.alive for each in others):
        return Withdraw(f"{person.name} was called already")
    now, wanted = _turn(entry, context, scene, seat)
    if entry.maybe_taken or wanted:
        message = page_message(context, scene, entry.step, person)
        return Send(
            _with_links_of(stored, message, context),
            nobody_woken=not now.woken,
            ask_first=() if entry.step.startswith("page-1-") else _open_alerts(context),
            before=tuple(page_message(context, scene, call.step, call.person) for call in now.not_taken),
            only_look=not wanted,
        )
    return Later(max(SOON, min(now.next_at - scene.at, dt.timedelta(minutes=1))) if now.next_at else SOON)


def _turn(
    entry: NotificationStatus, context: IncidentContext, scene: Scene, seat: str
) -> tuple[Standing, bool]:
    """How far the round has come but for this step, and whether it is its turn."""
    rest = tuple(each for each in context.entries if each.step != entry.step)
    now = standing(replace(context, entries=rest), scene)
    return now, any(call.seat == seat for call in now.calls)


def _open_alerts(context: IncidentContext) -> tuple[str, ...]:
    """Those that were taken by the far side, and that nobody has acknowledged as far as is known."""
    taken = (each.alias for each in context.entries if each.op == "page" and each.state == "done")
    return tuple(alias for alias in taken if alias not in context.incident.acked)


def _with_links_of(stored: Message, message: Message, context: IncidentContext) -> Message:
    """An incident's row knows no run: whoever owed the message did, and where its log is."""
    if context.evaluated:
        return message
    seen = {name: url for name, url in stored.links if name == "Log" or name.partition(" ")[0] == "Run"}
    return replace(message, links=tuple({**dict(message.links), **seen}.items()))


def _page_in_chat(
    entry: NotificationStatus, stored: Message, context: IncidentContext, scene: Scene, seat: str
) -> Bound:
    """The thread says whom the page went to, or goes to now."""
    pages = (each for each in context.entries if each.channel == "pager" and each.step == entry.step)
    page = next(pages, None)
    if page is not None and not page.alive:
        return Withdraw("its page was not sent")
    begun = context.incident.paged_at
    if page is not None and page.state == "owed" and begun is not None and scene.at < begun:
        return Later()  # this host's clock is behind
    if page is not None and page.state == "owed" and not _turn(page, context, scene, seat)[1]:
        return Withdraw("its page is not sent yet: an earlier one was taken meanwhile")
    earlier = takewhile(lambda each: each.step != entry.step, context.entries)
    if page is not None and page.state == "owed" and any(is_not_taken(each.unreached) for each in earlier):
        return Withdraw("its page is not taken yet: in an outage nobody is called in another one's place")
    person = seat_holder(scene, seat)
    if page is not None and page.alerting and page.person:
        people = map(scene.roster.recipient, scene.roster.people)
        person = next((each for each in people if page.was_for(each)), person)
    if person is None:
        return Withdraw("nobody holds the seat")
    message = page_message(context, scene, entry.step, person)
    return Send(_with_links_of(stored, message, context))
