"""Incidents with their timeline, as the page shows them. Pure: records in, models out."""

from __future__ import annotations

from urllib.parse import quote

from oncall.core.incidents.incident import Incident
from oncall.core.incidents.status_words import cause_then_and_now, status
from oncall.core.incidents.wording import Links as Addresses
from oncall.core.promises.evaluation import PromiseStatus
from oncall.core.time_format import TimeFormat, day
from oncall.usecases.history import IncidentRecord
from oncall.web import external_links
from oncall.web.external_links import run_of
from oncall.web.snapshot import PageSnapshot
from oncall.web.views.models import IncidentView, Line, Links
from oncall.web.views.timeline import timeline


def incidents(seen: PageSnapshot, addresses: Addresses) -> tuple[IncidentView, ...]:
    """Every incident that was read, open ones first, with what happened."""
    return tuple(incident(seen, record, addresses) for record in seen.records)


def listed(seen: PageSnapshot, addresses: Addresses) -> tuple[IncidentView, ...]:
    """The same without what happened, for a list."""
    return tuple(_view(seen, record, addresses) for record in seen.records)


def open_incidents(seen: PageSnapshot, addresses: Addresses) -> tuple[IncidentView, ...]:
    """Of those in the list the ones in which somebody still has to do something."""
    return tuple(_view(seen, record, addresses) for record in seen.records if record.incident.open)


def none_open(seen: PageSnapshot) -> str:
    """What stands in the place of the open incidents where there is none to show."""
    if any(reason.startswith("oncall_db") for reason in seen.unreadable):
        return "Open incidents cannot be read now."
    return "No open incidents."


def incident(seen: PageSnapshot, record: IncidentRecord, addresses: Addresses) -> IncidentView:
    """One incident, with what happened."""
    return _view(seen, record, addresses, timeline(seen, record))


def _view(
    seen: PageSnapshot, record: IncidentRecord, addresses: Addresses, lines: tuple[Line, ...] = ()
) -> IncidentView:
    one = record.incident
    judged = judged_now(seen, one) if one.open else None
    verdict = judged.verdict if judged else one.verdict
    cause, detail = cause_now(seen, one)
    pipeline = seen.config.pipelines.get(one.dag_id)
    return IncidentView(
        key=one.key,
        dag_id=one.dag_id,
        title=f"{pipeline.title if pipeline else one.dag_id}, {day(one.report_date)}",
        report_date=one.report_date,
        opened_at=one.opened_at,
        due=one.due,
        open=one.open,
        verdict=verdict,
        status=status(
            one, [told.as_status for told in record.told], TimeFormat(seen.at, seen.config.roster.tz)
        ),
        cause_words=cause_then_and_now(one.first_cause if one.open else "", cause),
        detail=detail,
        drill=one.drill,
        leader=one.leader,
        paged_at=one.paged_at,
        acknowledged_at=one.acknowledged_at if one.acknowledged else None,
        acknowledged_by=one.acknowledged_by,
        resolved_at=one.resolved_at,
        late_seconds=one.late_s,
        links=Links(
            run=_run(seen, one, addresses),
            runbook=addresses.runbook(one.dag_id, cause),
            incident=f"{addresses.oncall()}incidents/{one.key}",
            alert=external_links.alert(seen, record),
            thread=external_links.thread(seen, record),
        ),
        timeline=lines,
    )


def _run(seen: PageSnapshot, one: Incident, addresses: Addresses) -> str:
    """The run that works on it, or worked on it last; all the DAG's runs where none is known any more."""
    status = judged_now(seen, one)
    return run_of(status, addresses) if status else f"{addresses.base_url}/dags/{quote(one.dag_id)}/runs"


def cause_now(seen: PageSnapshot, one: Incident) -> tuple[str, str]:
    """Its cause and detail: of one that is open as this look found them, wherever they stand on the page."""
    if not one.open:
        return one.filed_as
    judged = judged_now(seen, one)
    if judged is None:
        return one.cause, one.detail
    return (judged.why.cause, judged.why.detail) if judged.why else ("", "")


def judged_now(seen: PageSnapshot, one: Incident) -> PromiseStatus | None:
    """What this look found of the promise that an incident is about; None where it did not look."""
    mine = seen.statuses_of.get(one.dag_id, ())
    return next((s for s in mine if (s.report_date, s.drill) == (one.report_date, one.drill)), None)
