"""The words of every alert and notice. Read each as if it woke you: what, why, what to do, who, where."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import quote, urlencode

from oncall.core.incidents.incident import Incident
from oncall.core.message import Message, Recipient
from oncall.core.promises import words
from oncall.core.promises.do_first import do_first
from oncall.core.promises.evaluation import PromiseStatus, current_task
from oncall.core.promises.why import CAUSE_WORDS, Why
from oncall.core.rota.on_call import who_is_on_call
from oncall.core.rota.roster import Roster
from oncall.core.rota.rota_week import Shift
from oncall.core.rota.shift_words import named, to_ask
from oncall.core.runbook import led_by
from oncall.core.time_format import TimeFormat, day

DRILL_MARK = "[DRILL] "


@dataclass(frozen=True)
class Links:
    """Where things are to be seen. `base_url`: Airflow's, without a slash at the end."""

    base_url: str

    def run(self, status: PromiseStatus) -> str:
        task = current_task(status.facts) or status.facts.run
        dag = self.dag(status.pipeline.dag_id)
        return f"{dag}/runs/{quote(task.run_id, safe='')}" if task and task.run_id else dag

    def runbook(self, dag_id: str, section: str = "", report_date: dt.date | None = None) -> str:
        """The section stands in the query, which survives signing in, and as the anchor, which scrolls.

        `report_date`: what its queries are about (None: the report that is waited for).
        """
        asked = {"section": section, "date": report_date.isoformat() if report_date else ""}
        query = urlencode({name: value for name, value in asked.items() if value})
        there = f"{query and '?'}{query}" + (f"#{section.replace('_', '-')}" if section else "")
        return f"{self.base_url}/oncall/runbooks/{quote(dag_id)}{there}"

    def dag(self, dag_id: str) -> str:
        """A DAG in Airflow, with the button that triggers it."""
        return f"{self.base_url}/dags/{quote(dag_id)}"

    def incident(self, key: str) -> str:
        """Its page, at the forms that act on it."""
        return f"{self.base_url}/oncall/incidents/{quote(key, safe=':')}#actions"

    def report(self, report: str) -> str:
        """Its published days: the numbers, and which are held, late, restated or stale."""
        return f"{self.base_url}/oncall/reports/{quote(report)}"

    def oncall(self) -> str:
        return f"{self.base_url}/oncall/"


@dataclass(frozen=True)
class Scene:
    """Everything a message is made from: who is on call now, where links point, and the instant."""

    roster: Roster
    links: Links
    at: dt.datetime

    @cached_property
    def shift(self) -> Shift:
        return who_is_on_call(self.roster, self.at)

    def clock(self, at: dt.datetime | None) -> str:
        """Wall clock in the roster's zone, with the day when it is another one."""
        return TimeFormat(self.at, self.roster.tz).clock(at)

    def when(self, at: dt.datetime | None) -> str:
        """The same within a sentence: "at 05:00"."""
        return TimeFormat(self.at, self.roster.tz).when(at)


def subject(members: Sequence[PromiseStatus]) -> str:
    """Which reports this is about: "Growth ETL, 22 Nov" or "3 reports of 22 Nov (Profit ETL, …)"."""
    if len(members) == 1:
        return f"{members[0].pipeline.title}, {day(members[0].report_date)}"
    return f"{counted(members)} ({', '.join(titles(members))})"


def counted(members: Sequence[PromiseStatus]) -> str:
    """How many: "3 reports of 22 Nov", "9 reports of 22 Nov to 24 Nov"."""
    days = dict.fromkeys(day(date) for date in sorted({member.report_date for member in members}))
    first, *_, last = (*days, *days)
    return f"{len(members)} reports of {first}" + (f" to {last}" if first != last else "")


def titles(members: Sequence[PromiseStatus]) -> list[str]:
    """Each report by its title, with its day where they are of several."""
    several = len({member.report_date for member in members}) > 1
    return [m.pipeline.title + (f" {day(m.report_date)}" if several else "") for m in members]


def _report_of(member: PromiseStatus) -> str:
    return f"{member.pipeline.report} for {member.report_date.isoformat()}"


def is_about(message: Message, member: PromiseStatus) -> bool:
    """Whether a message that was written before tells of this report: by name, or as one of those that it only counts.
    One whose words were lost may tell of any."""
    named = dict(message.facts).get("Report", "")
    return not named or named.endswith(" more") or _report_of(member) in named.split(", ")


def first_due(members: Sequence[PromiseStatus]) -> dt.datetime | None:
    """Since when the first of them is late."""
    return min((member.due for member in members if member.due), default=None)


def because(why: Why | None) -> str:
    return words.because(CAUSE_WORDS[why.cause], why.detail) if why else ""


@dataclass(frozen=True)
class Composer:
    """Writes the messages of one incident, about these members, and so many more: the first one leads."""

    scene: Scene
    incident: Incident
    members: Sequence[PromiseStatus]
    more: int = 0

    def message(
        self,
        step: str,
        title: str,
        lines: Iterable[str] = (),
        *,
        priority: str = "P3",
        recipients: Sequence[Recipient] = (),
        section: str = "",
    ) -> Message:
        """`section` is the key of the runbook's section to carry."""
        told = [title, *lines]
        summary = told[1:]
        if any(name not in "\n".join(told) for name in titles(self.members)[1:]):
            summary.insert(0, f"Reports: {', '.join(titles(self.members))}{self._and_more()}.")
        if self.incident.drill and recipients:  # whoever is called; to the others the title says it
            summary.insert(0, "This is a drill. Nothing is wrong.")
        return Message(
            key=self.incident.key,
            step=step,
            title=(DRILL_MARK if self.incident.drill else "") + title,
            summary="\n".join(summary),
            facts=tuple(self._facts()),
            steps=self._steps(section),
            links=tuple(self._links(section)),
            priority=priority,
            recipients=tuple(recipients),
            tags=tuple(self._tags()),
            channel=self.scene.roster.slack_channel,
        )

    def _steps(self, section: str) -> str:
        """Of the runbook; what comes first is told as it is known now, where this section is for the cause."""
        if not section:
            return ""
        lead = self.members[0]
        why = lead.why if lead.why and lead.why.cause == section else None
        if why is None:
            return led_by(lead.pipeline.runbook.section(section), "")
        whys = [(member.pipeline.dag_id, member.why) for member in self.members]
        alike = [dag_id for dag_id, its in whys if its and (its.cause, its.names) == (why.cause, why.names)]
        do = do_first(lead.pipeline, why, alike=list(dict.fromkeys(alike)))
        return led_by(lead.pipeline.runbook.section(section), do)

    def _facts(self) -> list[tuple[str, str]]:
        scene, members, lead = self.scene, self.members, self.members[0]
        reports = ", ".join(map(_report_of, members))
        facts = [("Report", reports + self._and_more())]
        if due := first_due(members):
            facts.append(("Due", f"{due.astimezone(scene.roster.tz):%Y-%m-%d %H:%M %Z}".strip()))
        for name, member in zip(titles(members), members, strict=True):
            if member.why:
                label = "Cause" if len(members) == 1 else f"Cause, {name}"
                facts.append((label, because(member.why)))
        if len(members) > 1 and len({fact for label, fact in facts if label.startswith("Cause")}) == 1:
            said = next(fact for label, fact in facts if label.startswith("Cause"))
            facts = [*(fact for fact in facts if not fact[0].startswith("Cause")), ("Cause", said)]
        for member in {member.pipeline.dag_id: member for member in members}.values():
            pair = (member.pipeline.primary_owner, member.pipeline.secondary_owner)
            owners = ", then ".join(to_ask(scene.roster, owner, scene.at) for owner in pair)
            facts.append(
                ("Owners to ask" if len(members) == 1 else f"Owners, {member.pipeline.title}", owners)
            )
        seats = (scene.shift.primary, scene.shift.secondary, scene.roster.manager)
        facts.append(("On call", self._in_order(*seats)))
        if lead.why and lead.why.cause == "upstream_late":
            owner = lead.pipeline.upstream_owner
            facts.append(("Upstream owner", f"{owner.team} ({owner.slack})"))
        small = {load.table: load for member in members for load in member.facts.loads if load.is_small}
        facts += [("Few rows", f"{table}: {words.small_words(load)}") for table, load in small.items()]
        facts.append(("Waits for it", ", ".join(dict.fromkeys(m.pipeline.downstream_owner for m in members))))
        return facts

    def _and_more(self) -> str:
        return f" and {self.more} more" if self.more else ""

    def _in_order(self, *people: str | None) -> str:
        return ", then ".join(named(self.scene.roster, person) for person in people)

    def _links(self, section: str) -> list[tuple[str, str]]:
        """The first one is the one to tap: where the incident is acknowledged."""
        to = self.scene.links
        links = [("Incident", to.incident(self.incident.key))]
        for title, member in zip(titles(self.members), self.members, strict=True):
            name = f" {title}" if len(self.members) > 1 else ""
            links.append((f"Runbook{name}", to.runbook(member.pipeline.dag_id, section, member.report_date)))
            links.append((f"Run{name}", to.run(member)))
        task = current_task(self.members[0].facts)
        if task and task.failure_log:
            links.append(("Log", task.failure_log))
        return links

    def _tags(self) -> list[str]:
        why = self.members[0].why
        tags = ["oncall", *dict.fromkeys(member.pipeline.dag_id for member in self.members)]
        if why:
            tags.append(why.cause)
        return [*tags, "DRILL"] if self.incident.drill else tags
