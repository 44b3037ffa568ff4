"""The words of every alert and notice. Read each as if it woke you: what, why, what to do, who, where."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from oncall.core.incidents.incident import Incident
from oncall.core.message import Message, Recipient
from oncall.core.promises.evaluation import CAUSE_WORDS, PromiseStatus, Why, current_task
from oncall.core.promises.first_step import first_step
from oncall.core.rota.on_call import who_is_on_call
from oncall.core.rota.roster import Roster
from oncall.core.runbook import led_by
from oncall.core.time_format import TimeFormat, day

DRILL_MARK = "[DRILL] "


@dataclass(frozen=True)
class Links:
    """Where things are to be seen. `base_url`: Airflow's, without a slash at the end."""

    base_url: str

    def run(self, status: PromiseStatus) -> str:
        task = current_task(status.facts)
        dag = f"{self.base_url}/dags/{quote(status.pipeline.dag_id)}"
        return f"{dag}/runs/{quote(task.run_id, safe='')}" if task and task.run_id else dag

    def runbook(self, dag_id: str, section: str = "") -> str:
        """The section stands in the query, which survives signing in, and as the anchor, which scrolls."""
        there = f"?section={section}#{section.replace('_', '-')}" if section else ""
        return f"{self.base_url}/oncall/runbooks/{quote(dag_id)}{there}"

    def incident(self, key: str) -> str:
        """Its page, at the forms that act on it."""
        return f"{self.base_url}/oncall/incidents/{quote(key, safe=':')}#actions"

    def oncall(self) -> str:
        return f"{self.base_url}/oncall/"


@dataclass(frozen=True)
class Scene:
    """Everything a message is made from: who is on call now, where links point, and the instant."""

    roster: Roster
    links: Links
    at: dt.datetime

    def clock(self, at: dt.datetime | None) -> str:
        """Wall clock in the roster's zone, with the day when it is another one."""
        return TimeFormat(self.at, self.roster.tz).clock(at)


def subject(members: Sequence[PromiseStatus]) -> str:
    """Which reports this is about: "Growth ETL, 22 Nov" or "3 reports of 22 Nov (Profit ETL, …)"."""
    if len(members) == 1:
        return f"{members[0].pipeline.title}, {day(members[0].report_date)}"
    return f"{counted(members)} ({', '.join(member.pipeline.title for member in members)})"


def counted(members: Sequence[PromiseStatus]) -> str:
    """How many: "3 reports of 22 Nov"."""
    return f"{len(members)} reports of {day(members[0].report_date)}"


def because(why: Why | None) -> str:
    return f"{CAUSE_WORDS[why.cause]}: {why.detail}" if why else ""


def compose(
    scene: Scene,
    incident: Incident,
    step: str,
    title: str,
    members: Sequence[PromiseStatus],
    *,
    priority: str,
    lines: Sequence[str] = (),
    recipients: Sequence[Recipient] = (),
    section: str = "",
) -> Message:
    """One message about these members; `section` is the key of the runbook's section to carry."""
    lead = members[0]
    mark = DRILL_MARK if incident.drill else ""
    told = "\n".join((title, *lines))
    if any(member.pipeline.title not in told for member in members[1:]):
        lines = (f"Reports: {', '.join(member.pipeline.title for member in members)}.", *lines)
    if incident.drill:
        lines = ("This is a drill. Nothing is wrong.", *lines)
    return Message(
        key=incident.key,
        step=step,
        title=mark + title,
        summary="\n".join(lines),
        facts=tuple(_facts(scene, members)),
        steps=_steps(lead, section),
        links=tuple(_links(scene, incident, members, section)),
        priority=priority,
        recipients=tuple(recipients),
        tags=tuple(_tags(incident, members)),
        channel=scene.roster.slack_channel,
    )


def _steps(lead: PromiseStatus, section: str) -> str:
    """Of the runbook; what comes first is told as it is known now, where this section is for the cause."""
    if not section:
        return ""
    why = lead.why if lead.why and lead.why.cause == section else None
    do = first_step(lead.pipeline, why.cause, why.detail) if why else ""
    return led_by(lead.pipeline.runbook.section(section), do)


def _facts(scene: Scene, members: Sequence[PromiseStatus]) -> list[tuple[str, str]]:
    lead = members[0]
    facts = [("Report", ", ".join(f"{m.pipeline.report} for {m.report_date.isoformat()}" for m in members))]
    if lead.due:
        facts.append(("Due", f"{lead.due.astimezone(scene.roster.tz):%Y-%m-%d %H:%M %Z}".strip()))
    for member in members:
        if member.why:
            label = "Cause" if len(members) == 1 else f"Cause, {member.pipeline.title}"
            facts.append((label, because(member.why)))
    if len(members) > 1 and len({fact for label, fact in facts if label.startswith("Cause")}) == 1:
        said = next(fact for label, fact in facts if label.startswith("Cause"))
        facts = [*(fact for fact in facts if not fact[0].startswith("Cause")), ("Cause", said)]
    for member in members:
        owners = f"{member.pipeline.primary_owner}, then {member.pipeline.secondary_owner}"
        facts.append(("Owners to ask" if len(members) == 1 else f"Owners, {member.pipeline.title}", owners))
    shift = who_is_on_call(scene.roster, scene.at)
    facts.append(
        ("On call", f"{shift.primary}, then {shift.secondary or 'nobody'}, then {scene.roster.manager}")
    )
    if lead.why and lead.why.cause == "upstream_late":
        owner = lead.pipeline.upstream_owner
        facts.append(("Upstream owner", f"{owner.team} ({owner.slack})"))
    facts.append(("Waits for it", ", ".join(dict.fromkeys(m.pipeline.downstream_owner for m in members))))
    return facts


def _links(
    scene: Scene, incident: Incident, members: Sequence[PromiseStatus], section: str
) -> list[tuple[str, str]]:
    """The first one is the one to tap: where the incident is acknowledged."""
    links = [("Incident", scene.links.incident(incident.key))]
    for member in members:
        name = f" {member.pipeline.title}" if len(members) > 1 else ""
        links.append((f"Runbook{name}", scene.links.runbook(member.pipeline.dag_id, section)))
        links.append((f"Run{name}", scene.links.run(member)))
    task = current_task(members[0].facts)
    if task and task.log_url and task.state == "failed":
        links.append(("Log", task.log_url))
    return links


def _tags(incident: Incident, members: Sequence[PromiseStatus]) -> list[str]:
    why = members[0].why
    tags = ["oncall", *(member.pipeline.dag_id for member in members)]
    if why:
        tags.append(why.cause)
    return [*tags, "DRILL"] if incident.drill else tags
