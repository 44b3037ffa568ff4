"""The words of a test page: a real page for one person, marked DRILL, about nothing. Pure: no clock, no I/O."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from oncall.core.incidents.context import post
from oncall.core.incidents.incident import Notification, Plan
from oncall.core.incidents.wording import Scene
from oncall.core.message import Message, Recipient
from oncall.core.promises.promise import Pipeline
from oncall.core.promises.why import CAUSE_WORDS
from oncall.core.rota.roster import Seat
from oncall.core.rota.shift_words import named, seated
from oncall.core.time_format import span

PAGE = "test-page"
NOTHING = "This is a drill. Nothing is wrong."
TAP = "Please acknowledge it: that is the whole drill. It closes by itself."


@dataclass(frozen=True)
class TestPageTimes:
    """Seconds since a test page was owed; None for what has not happened. `trouble`: what a far side said against it.

    `accepted`: the pager gave a receipt; `processed`: it truly has the alert; `posted`: the chat shows it;
    `acknowledged`: `by` has it, when somebody waited for that. `alias`: by which the pager knows it.
    """

    accepted: float | None = None
    processed: float | None = None
    posted: float | None = None
    acknowledged: float | None = None
    by: str = ""
    trouble: str = ""
    alias: str = ""


def drill_page(
    scene: Scene, pipeline: Pipeline, cause: str, seat: Seat, person: Recipient, priority: str
) -> Message:
    """As a broken promise of this cause would page: the same steps, owners and links, and a mark."""
    owners = (pipeline.primary_owner, pipeline.secondary_owner)
    return Message(
        key=f"drill-page:{scene.at:%Y%m%dT%H%M%S}:{pipeline.dag_id}",
        step=PAGE,
        title=f"[DRILL] {pipeline.title}: test page as if {CAUSE_WORDS[cause]}, for {seated(person.name, seat)}",
        summary=f"{NOTHING}\n{TAP}",
        facts=(
            ("Report", pipeline.report),
            ("Cause", f"{CAUSE_WORDS[cause]} (as if)"),
            ("Owners to ask", ", then ".join(named(scene.roster, owner) for owner in owners)),
            ("Waits for it", pipeline.downstream_owner),
        ),
        steps=pipeline.runbook.section(cause),
        links=(
            ("Runbook", scene.links.runbook(pipeline.dag_id, cause)),
            ("On-call page", scene.links.oncall()),
        ),
        priority=priority,
        recipients=(person,),
        tags=("oncall", pipeline.dag_id, cause, "DRILL"),
    )


def over(message: Message, took: TestPageTimes, waited_s: float) -> Plan:
    """Close the alert, and tell in the thread how long each part took. A page that has not gone out stays unsent."""
    lines, alias = tuple(report(message, took, waited_s)), took.alias or message.alias
    said = Message(message.key, "test-over", f"[DRILL] Test page over: {lines[0]}", "\n".join(lines[1:]))
    return Plan(
        owed=(
            Notification(message.key, f"close:{alias}", "pager", "close", said, alias),
            post(said),
        ),
        cancelled=(message.key,),
    )


def report(message: Message, took: TestPageTimes, waited_s: float) -> Iterator[str]:
    """How it went, most important first: was the person reached, and how long did each part take."""
    name = message.recipients[0].name
    if took.acknowledged is not None:
        yield f"{took.by or name} acknowledged after {span(took.acknowledged)}"
    elif took.processed is None:
        yield f"it did NOT reach {name}: {took.trouble or 'the pager has not taken it'}"
    elif waited_s:
        yield f"{name} did not acknowledge within {span(waited_s)}"
    else:
        yield f"the pager has it for {name}"
    yield f"pager: accepted after {_seconds(took.accepted)}, processed after {_seconds(took.processed)}"
    yield f"chat: posted after {_seconds(took.posted)}"
    if took.trouble and took.processed is not None:
        yield took.trouble


def _seconds(took: float | None) -> str:
    return "…, not yet" if took is None else f"{took:.1f} s"
