"""Incidents with their timeline, as the page shows them. Pure: records in, models out."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import quote

from oncall.core.incidents.context import name_of
from oncall.core.incidents.incident import Incident
from oncall.core.incidents.incident_words import (
    NO_PAST,
    NO_PAST_IN_SIGHT,
    NO_PAST_READ,
    NONE_OPEN,
    NONE_OPEN_IN_SIGHT,
    NONE_READ,
    is_run_again,
)
from oncall.core.incidents.status_words import cause_then_and_now, status
from oncall.core.incidents.wording import Links, Scene
from oncall.core.promises.evaluation import PromiseStatus
from oncall.core.promises.why import Why
from oncall.core.time_format import day
from oncall.usecases.history import IncidentRecord
from oncall.web import external_links
from oncall.web.external_links import run_of
from oncall.web.snapshot import PageSnapshot
from oncall.web.views.models import IncidentView, Line, LinksView
from oncall.web.views.timeline import timeline


def incidents(seen: PageSnapshot, addresses: Links) -> tuple[IncidentView, ...]:
    """Every incident that was read, open ones first, with what happened."""
    return tuple(incident(seen, record, addresses) for record in _in_order(seen))


def listed(seen: PageSnapshot, addresses: Links) -> tuple[IncidentView, ...]:
    """The same without what happened, for a list."""
    return tuple(_view(seen, record, addresses) for record in _in_order(seen))


def open_incidents(seen: PageSnapshot, addresses: Links) -> tuple[IncidentView, ...]:
    """Of those in the list the ones in which somebody still has to do something."""
    return tuple(_view(seen, record, addresses) for record in _in_order(seen) if record.incident.open)


def _in_order(seen: PageSnapshot) -> list[IncidentRecord]:
    """As they were read, but what is published already stands below what is waited for, and those that are told with
    another one below it.
    """
    opened = [record.incident for record in seen.records if record.incident.open]
    place = {one.key: (_published(seen, one), number) for number, one in enumerate(opened)}
    past = (True, len(place))
    return sorted(
        seen.records,
        key=lambda one: (
            place.get(one.incident.leader, place[one.incident.key]) if one.incident.open else past
        ),
    )


def _published(seen: PageSnapshot, incident: Incident) -> bool:
    judged = judged_now(seen, incident)
    return judged is not None and judged.facts.publication is not None


def none_open(seen: PageSnapshot) -> str:
    """What stands in the place of the open incidents where there is none to show."""
    return NONE_READ if unread(seen) else NONE_OPEN_IN_SIGHT if seen.hidden else NONE_OPEN


def none_past(seen: PageSnapshot) -> str:
    """The same of those that are over."""
    return NO_PAST_READ if unread(seen) else NO_PAST_IN_SIGHT if seen.hidden else NO_PAST


def unread(seen: PageSnapshot) -> bool:
    """Whether incidents could not be read: the database does not answer, or its connection is none."""
    return any("oncall_db" in reason.partition(":")[0] for reason in seen.unreadable)


def incident(seen: PageSnapshot, record: IncidentRecord, addresses: Links) -> IncidentView:
    """One incident, with what happened."""
    return _view(seen, record, addresses, timeline(seen, record))


def _view(
    seen: PageSnapshot, record: IncidentRecord, addresses: Links, lines: tuple[Line, ...] = ()
) -> IncidentView:
    incident = _with_the_name(seen, record.incident, addresses)
    judged = judged_now(seen, incident) if incident.open else None
    verdict = judged.verdict if judged else incident.verdict
    if verdict == "stale" and is_run_again([event.what for event in record.events]):
        verdict = "run_again"
    cause, detail = cause_now(seen, incident)
    return IncidentView.of(
        incident,
        title=_title(seen, incident),
        verdict=verdict,
        status=status(incident, [told.as_status for told in record.told], seen.say, _speaker(seen, incident)),
        cause_words=cause_then_and_now(incident.first_cause if incident.open else "", cause),
        detail=detail,
        acknowledged_at=incident.acknowledged_at if incident.acknowledged else None,
        acknowledged_by=incident.acknowledged_by if incident.acknowledged else "",
        late_seconds=incident.late_s,
        links=LinksView(
            run=_run(seen, incident, addresses),
            log=external_links.log_of(judged),
            runbook=addresses.runbook(incident.dag_id, cause, incident.report_date),
            incident=f"{addresses.oncall()}incidents/{incident.key}",
            alert=external_links.alert(seen, record),
            thread=external_links.thread(seen, record),
        ),
        timeline=lines,
    )


def _title(seen: PageSnapshot, incident: Incident) -> str:
    pipeline = seen.config.pipelines.get(incident.dag_id)
    return f"{pipeline.title if pipeline else incident.dag_id}, {day(incident.report_date)}"


def _speaker(seen: PageSnapshot, incident: Incident) -> str:
    """What the incident is called that tells of this one ("": of none, or nobody has read it)."""
    speakers = (record.incident for record in seen.records if record.incident.key == incident.leader)
    return next((_title(seen, each) for each in speakers), "")


def _with_the_name(seen: PageSnapshot, incident: Incident, addresses: Links) -> Incident:
    """Opsgenie knows whoever acknowledged by an address, the team by a name."""
    scene, by = Scene(seen.config.roster, addresses, seen.at), incident.acknowledged_by
    return replace(incident, acknowledged_by=name_of(scene, by)) if by else incident


def _run(seen: PageSnapshot, incident: Incident, addresses: Links) -> str:
    """The run that works on it, or worked on it last; all the DAG's runs where none is known any more."""
    status = judged_now(seen, incident)
    return run_of(status, addresses) if status else f"{addresses.base_url}/dags/{quote(incident.dag_id)}/runs"


def cause_now(seen: PageSnapshot, incident: Incident) -> tuple[str, str]:
    """Its cause and detail: of one that is open as this look found them, wherever they stand on the page."""
    if not incident.open:
        return incident.filed_as
    why = why_now(seen, incident)
    return (why.cause, why.detail) if why else ("", "")


def why_now(seen: PageSnapshot, incident: Incident) -> Why | None:
    """Why its report is not published, as this look found it, else as the last look of the watcher did."""
    judged = judged_now(seen, incident)
    return judged.why if judged else incident.why


def judged_now(seen: PageSnapshot, incident: Incident) -> PromiseStatus | None:
    """What this look found of the promise that an incident is about; None where it did not look."""
    mine = seen.statuses_of.get(incident.dag_id, ())
    return next((s for s in mine if (s.report_date, s.drill) == (incident.report_date, incident.drill)), None)
