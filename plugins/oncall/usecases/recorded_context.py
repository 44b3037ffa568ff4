"""Makes the context that the rules want of an incident on record, by the newest facts or else by its own row."""

from __future__ import annotations

from oncall.config.oncall_config import OncallConfig
from oncall.core.incidents.context import IncidentContext
from oncall.core.incidents.incident import Incident
from oncall.core.promises.evaluation import PromiseStatus
from oncall.core.promises.facts import Facts
from oncall.usecases.evaluate import Evaluation
from oncall.usecases.ports import IncidentFile


def context_of(config: OncallConfig, file: IncidentFile, seen: Evaluation | None = None) -> IncidentContext:
    """`seen`: a look whose facts are used unless the row has been written since. Its pipeline has to be configured."""
    incident = file.incident
    followers = (one for one in file.followers if one.open or not incident.open)
    mine = [one for one in (incident, *followers) if one.dag_id in config.pipelines]
    if seen is not None and (incident.seen_at is None or incident.seen_at <= seen.at):
        statuses = [seen.by_promise.get(one.promise_key) for one in mine]
        if all(statuses):
            return IncidentContext(incident, tuple(each for each in statuses if each), file.entries)
    # Of several that are published the runs after that have failed: each of them is what it is about.
    missing = [one for one in mine if not one.published] or mine
    members = tuple(status_from_row(config, one) for one in missing)
    return IncidentContext(incident, members, file.entries, evaluated=False)


def status_from_row(config: OncallConfig, incident: Incident) -> PromiseStatus:
    """What the last look said of it: enough to write a message."""
    verdict = (
        incident.verdict if incident.verdict in ("waiting", "at_risk", "broken", "unknown") else "broken"
    )
    pipeline = config.pipelines[incident.dag_id]
    return PromiseStatus(
        pipeline, incident.report_date, verdict, incident.why, incident.due, None, Facts(), drill=incident.drill  # type: ignore[arg-type]
    )  # fmt: skip
