"""Where things are to be seen: an alert, a thread, a person in Slack, a run in Airflow. Pure: asks nobody."""

from __future__ import annotations

import re
from urllib.parse import quote

from oncall.core.incidents.wording import Links
from oncall.core.promises.evaluation import PromiseStatus, current_task
from oncall.usecases.history import DeliveryRecord, IncidentRecord
from oncall.web.snapshot import PageSnapshot


def alert(seen: PageSnapshot, record: IncidentRecord) -> str | None:
    """The newest alert of the incident, or of the one that speaks for it; None when there is none to look at."""
    every = (alert_of(seen, told) for told in reversed(_speaking(seen, record).told))
    return next(filter(None, every), None)


def alert_of(seen: PageSnapshot, told: DeliveryRecord) -> str | None:
    """The alert that one page made; None for what made none, and where nobody knows the far side's web address."""
    if told.op != "page" or told.state not in ("accepted", "done") or not seen.alert_url:
        return None
    return seen.alert_url.replace("{alias}", quote(told.alias, safe=""))


def thread(seen: PageSnapshot, record: IncidentRecord) -> str | None:
    """Where the thread of the incident, or of the one that speaks for it, begins; None before its first message."""
    posted = (told for told in _speaking(seen, record).told if told.channel == "chat" and told.ts)
    first = next(posted, None)
    if first is None or not seen.thread_url:
        return None
    return seen.thread_url.replace("{channel}", quote(first.channel_id)).replace("{ts}", quote(first.ts))


SLACK = "https://slack.com/app_redirect?channel={id}"
_SLACK_ID = re.compile(r"[UWCGD][A-Z0-9]{5,}")


def slack(member_or_channel: str | None) -> str | None:
    """A person or a channel in Slack's own app; None for what is known by a name only."""
    known = member_or_channel and _SLACK_ID.fullmatch(member_or_channel)
    return SLACK.replace("{id}", known[0]) if known else None


def channel(seen: PageSnapshot, name: str) -> str | None:
    """Other people's channel; of one that the roster knows by its name, Slack tells the id when something is posted."""
    posted = (told.channel_id for record in seen.records for told in record.others if told.room == name)
    return slack(next(filter(None, posted), name))


def run_of(status: PromiseStatus, addresses: Links) -> str:
    """The run that works on a report, or the one that has published it; all the DAG's runs where there is neither."""
    made, dag = status.facts.publication, f"{addresses.base_url}/dags/{quote(status.pipeline.dag_id)}"
    if current_task(status.facts) is None and made is not None and made.run_id:
        return f"{dag}/runs/{quote(made.run_id, safe='')}"
    run = addresses.run(status)
    return f"{dag}/runs" if run == dag else run


def log_of(status: PromiseStatus | None) -> str | None:
    """Why its run failed, in the task's own words; None of a run that has not, or whose log nobody knows."""
    task = current_task(status.facts) if status else None
    return task.failure_log or None if task else None


def _speaking(seen: PageSnapshot, record: IncidentRecord) -> IncidentRecord:
    leader = record.incident.leader
    if not leader:
        return record
    return next((other for other in seen.records if other.incident.key == leader), record)
