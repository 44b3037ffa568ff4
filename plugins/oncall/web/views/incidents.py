"""Incidents with their timeline, as the page shows them. Pure: records in, models out."""

from __future__ import annotations

from urllib.parse import quote

from oncall.core.incidents.incident import RESOLVED_BY_HAND, Incident
from oncall.core.incidents.wording import Links as Addresses
from oncall.core.promises.evaluation import CAUSE_WORDS
from oncall.core.time_format import TimeFormat, day, span
from oncall.usecases.history import IncidentRecord
from oncall.web import external_links
from oncall.web.external_links import run_of
from oncall.web.snapshot import PageSnapshot
from oncall.web.views.models import IncidentView, Line, Links
from oncall.web.views.timeline import timeline

# How an incident ended for which no report came: by the configuration.
ENDED = {"moved": "Due at another time since", "removed": "Not watched any more since"}


def incidents(seen: PageSnapshot, addresses: Addresses) -> tuple[IncidentView, ...]:
    """Every incident that was read, open ones first, with what happened."""
    return tuple(incident(seen, record, addresses) for record in seen.records)


def listed(seen: PageSnapshot, addresses: Addresses) -> tuple[IncidentView, ...]:
    """The same without what happened, for a list."""
    return tuple(_view(seen, record, addresses) for record in seen.records)


def open_incidents(seen: PageSnapshot, addresses: Addresses) -> tuple[IncidentView, ...]:
    """Of those in the list the ones in which somebody still has to do something."""
    return tuple(_view(seen, record, addresses) for record in seen.records if record.incident.open)


def incident(seen: PageSnapshot, record: IncidentRecord, addresses: Addresses) -> IncidentView:
    """One incident, with what happened."""
    return _view(seen, record, addresses, timeline(seen, record))


def _view(
    seen: PageSnapshot, record: IncidentRecord, addresses: Addresses, lines: tuple[Line, ...] = ()
) -> IncidentView:
    one = record.incident
    pipeline = seen.config.pipelines.get(one.dag_id)
    return IncidentView(
        key=one.key,
        dag_id=one.dag_id,
        title=f"{pipeline.title if pipeline else one.dag_id}, {day(one.report_date)}",
        report_date=one.report_date,
        opened_at=one.opened_at,
        due=one.due,
        open=one.open,
        verdict=one.verdict,
        status=status(one, TimeFormat(seen.at, seen.config.roster.tz)),
        cause_words=CAUSE_WORDS.get(one.cause, ""),
        detail=one.detail,
        drill=one.drill,
        leader=one.leader,
        paged_at=one.paged_at,
        acknowledged_at=one.acknowledged_at if one.acknowledged else None,
        acknowledged_by=one.acknowledged_by,
        resolved_at=one.resolved_at,
        late_seconds=one.late_s,
        links=Links(
            run=_run(seen, one, addresses),
            runbook=addresses.runbook(one.dag_id, one.cause),
            incident=f"{addresses.oncall()}incidents/{one.key}",
            alert=external_links.alert(seen, record),
            thread=external_links.thread(seen, record),
        ),
        timeline=lines,
    )


def status(one: Incident, say: TimeFormat) -> str:
    """How the incident stands, in one sentence."""
    if one.resolved_at is not None and one.verdict == RESOLVED_BY_HAND:
        return f"Resolved by hand {say.clock(one.resolved_at)}, unpublished"
    if one.resolved_at is not None and one.verdict in ENDED:
        return f"{ENDED[one.verdict]} {say.clock(one.resolved_at)}"
    if one.resolved_at is not None:
        late = f", {span(one.late_s)} late" if one.late_s else ""
        return f"Resolved {say.clock(one.resolved_at)}{late}"
    if one.leader:
        return "Another incident speaks for it"
    if one.acknowledged and one.acknowledged_at is not None:
        return f"Acknowledged by {one.acknowledged_by or 'somebody'} at {say.clock(one.acknowledged_at)}"
    if one.paged_at is not None:
        return f"Paged at {say.clock(one.paged_at)}, nobody has acknowledged"
    return "Warned, nobody paged yet"


def _run(seen: PageSnapshot, one: Incident, addresses: Addresses) -> str:
    """The run that works on it, or worked on it last; all the DAG's runs where none is known any more."""
    mine = (
        s
        for s in seen.statuses_of.get(one.dag_id, ())
        if (s.report_date, s.drill) == (one.report_date, one.drill)
    )
    status = next(mine, None)
    return run_of(status, addresses) if status else f"{addresses.base_url}/dags/{quote(one.dag_id)}/runs"
