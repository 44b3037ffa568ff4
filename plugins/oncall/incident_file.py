"""An incident's record made a case for the rules: what it is about, by the newest facts or else by its own row."""

from __future__ import annotations

from oncall.config import Setup
from oncall.core.case import Case
from oncall.core.facts import Facts
from oncall.core.incident import Incident
from oncall.core.verdict import CAUSE_WORDS, Judged, Why
from oncall.paging import Look
from oncall.ports import File

OVER = ("kept", "late")


def case_of(setup: Setup, file: File, seen: Look | None = None) -> Case:
    """`seen`: a look whose facts are used unless the row has been written since. Its pipeline has to be configured."""
    incident = file.incident
    mine = [one for one in (incident, *file.followers) if one.dag_id in setup.pipelines]
    if seen is not None and (incident.seen_at is None or incident.seen_at <= seen.at):
        judged = [seen.by_promise.get((one.dag_id, one.report_date, one.drill)) for one in mine]
        if all(judged):
            return Case(incident, tuple(each for each in judged if each), file.entries)
    members = tuple(judged_by_row(setup, one) for one in mine if one.verdict not in OVER or len(mine) == 1)
    return Case(incident, members, file.entries, evaluated=False)


def judged_by_row(setup: Setup, incident: Incident) -> Judged:
    """What the last look said of it: enough to write a message."""
    why = None
    if incident.cause in CAUSE_WORDS:
        why = Why(incident.cause, incident.detail, incident.names)  # type: ignore[arg-type]
    verdict = incident.verdict if incident.verdict in ("waiting", "at_risk", "broken") else "broken"
    pipeline = setup.pipelines[incident.dag_id]
    return Judged(
        pipeline, incident.report_date, verdict, why, incident.due, None, Facts(), drill=incident.drill  # type: ignore[arg-type]
    )  # fmt: skip
