"""What a person who was woken needs beside the incident: what comes next, whom to ask, the steps. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from oncall.config.oncall_config import OncallConfig
from oncall.core.incidents.coming_words import NOT_LOOKING, what_comes_next
from oncall.core.incidents.context import IncidentContext
from oncall.core.incidents.escalation import Call
from oncall.core.incidents.forecast import next_to_page
from oncall.core.incidents.resolve import RUN_AGAIN
from oncall.core.incidents.upstream_team import LATE
from oncall.core.incidents.wording import Links, Scene
from oncall.core.promises.do_first import do_first
from oncall.core.promises.promise import Pipeline
from oncall.core.rota.shift_words import to_ask
from oncall.core.runbook import SECTIONS, for_day, led_by
from oncall.usecases.history import IncidentRecord
from oncall.usecases.recorded_context import status_from_row
from oncall.web import external_links
from oncall.web.snapshot import PageSnapshot
from oncall.web.views.banners import nobody_looks
from oncall.web.views.incidents import cause_now, judged_now, why_now
from oncall.web.views.on_call import contact, on_call
from oncall.web.views.rota_models import OnCall
from oncall.web.views.run_again import RunAgain, run_again
from oncall.web.views.runbooks import section_html, section_of


@dataclass(frozen=True)
class Ask:
    """Somebody to ask. `slack`: where Slack opens at them (None: not known)."""

    role: str
    name: str
    slack: str | None = None
    reach: str = ""
    mail: str | None = None


@dataclass(frozen=True)
class IncidentPage:
    """`next`: whom the button pages (None: nobody is left). `then`: who was on call when it was noticed or paged."""

    coming: tuple[str, ...]
    next: Call | None
    ask: tuple[Ask, ...]
    then: OnCall
    steps: Markup
    section: str
    run_again: RunAgain | None


def incident_page(seen: PageSnapshot, record: IncidentRecord, addresses: Links) -> IncidentPage:
    incident, config = record.incident, seen.config
    pipeline = config.pipelines.get(incident.dag_id)
    scene = Scene(config.roster, addresses, seen.at)
    context = _context(config, record) if pipeline else None
    cause = "after" if incident.verdict == "stale" else cause_now(seen, incident)[0]
    section = section_of(pipeline.runbook, cause) if pipeline else ""
    return IncidentPage(
        coming=tuple(_coming(seen, context, scene)) if context and incident.open else (),
        next=next_to_page(context, scene) if context and incident.open else None,
        ask=tuple(_ask(seen, pipeline, scene)) if pipeline else (),
        then=on_call(config.roster, incident.paged_at or incident.opened_at),
        steps=section_html(_steps(seen, record, pipeline, section)) if pipeline and section else Markup(""),
        section=SECTIONS.get(section, ""),
        run_again=_run_again(seen, record, pipeline) if pipeline and incident.open else None,
    )


def _coming(seen: PageSnapshot, context: IncidentContext, scene: Scene) -> list[str]:
    coming = what_comes_next(context, scene)
    waited_for = not context.incident.acknowledged and next_to_page(context, scene) and nobody_looks(seen)
    return [NOT_LOOKING, *coming] if waited_for else coming


def _context(config: OncallConfig, record: IncidentRecord) -> IncidentContext:
    entries = tuple(told.as_status for told in record.told)
    return IncidentContext(
        record.incident, (status_from_row(config, record.incident),), entries, evaluated=False
    )


def _steps(seen: PageSnapshot, record: IncidentRecord, pipeline: Pipeline, section: str) -> str:
    """As its alert tells them: what comes first is told as it is known now, and the queries are about its report."""
    why = why_now(seen, record.incident) if record.incident.open else None
    do = do_first(pipeline, why, _upstream_told(seen, record, pipeline)) if why else ""
    if record.incident.verdict == "stale":
        do = RUN_AGAIN
    return for_day(led_by(pipeline.runbook.section(section), do), record.incident.report_date)


def _upstream_told(seen: PageSnapshot, record: IncidentRecord, pipeline: Pipeline) -> str:
    """When the team that loads its tables was told of a late one, by whichever incident tells; "" when it was not."""
    mine = record.incident
    tells = (mine.key, mine.leader)
    others = (
        told
        for other in (record, *seen.records)
        if other.incident.report_date == mine.report_date and not mine.drill
        for told in other.others
        if other.incident.key in tells or any(name in told.title for name in mine.names)
    )
    room = pipeline.upstream_owner.slack
    at = next((told.done_at for told in others if (told.step, told.room) == (LATE, room)), None)
    return seen.say.clock(at) if at else ""


def _ask(seen: PageSnapshot, pipeline: Pipeline, scene: Scene) -> list[Ask]:
    """The pipeline's owners, then the team that loads what it reads."""
    owners = {"Owner": pipeline.primary_owner, "Second owner": pipeline.secondary_owner}
    people = [_person(role, person, scene) for role, person in owners.items()]
    team = pipeline.upstream_owner
    return [*people, Ask("Upstream", team.team, external_links.channel(seen, team.slack), team.slack)]


def _person(role: str, person: str, scene: Scene) -> Ask:
    who = contact(scene.roster, person)
    return Ask(
        role, to_ask(scene.roster, person, scene.at), external_links.slack(who.slack), mail=who.opsgenie
    )


def _run_again(seen: PageSnapshot, record: IncidentRecord, pipeline: Pipeline) -> RunAgain | None:
    """None for a drill: its report is not the day's."""
    incident = record.incident
    return None if incident.drill else run_again(pipeline, incident.report_date, judged_now(seen, incident))
