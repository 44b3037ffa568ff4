"""Alerts that are open at the far side and that the store knows nothing of: somebody paged from memory and died, or
`oncall_db` came back older. What is found is written down as if it had been sent from here, to those and at the time
that it shows, and so it is acknowledged and closed with the rest."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterable
from dataclasses import replace

import structlog

from oncall.config.oncall_config import OncallConfig
from oncall.core.incidents.incident import Incident
from oncall.core.incidents.opening import new_incident
from oncall.core.incidents.page_step import round_and_seat
from oncall.core.message import Message, Recipient
from oncall.core.promises.evaluation import PromiseStatus
from oncall.core.rota.roster import Roster
from oncall.usecases.channel_ports import AlertState, Pager
from oncall.usecases.ports import OutboxEntry, Snapshot, Store

log = structlog.get_logger(__name__)

EARLY = ("warning", "last-chance", "failed-1")
DUE_WITHIN = dt.timedelta(hours=12)
MOST_REPORTS = 10  # that are asked about, those nearest to their due time: about six questions each
ASKED_FOR_S = 20.0  # a pager that is slow has other things to answer


def find_lost_alerts(
    config: OncallConfig, pager: Pager, store: Store, statuses: Iterable[PromiseStatus], at: dt.datetime
) -> None:
    """Ask once for the first alerts of what was due lately, or soon is. Raises what the pager and the store raise."""
    if not pager.capabilities.reads_alerts:
        return
    near = sorted(
        (abs(status.due - at), number, status)
        for number, status in enumerate(statuses)
        if status.pipeline.dag_id in config.pipelines  # else it was removed since that look
        if status.due
        and not status.drill
        and status.verdict != "waiting"
        and abs(status.due - at) < DUE_WITHIN
    )
    asked = [one for _, _, one in near[:MOST_REPORTS]]
    with store.decision_lock() as decision:
        told = decision.told([(one.pipeline.dag_id, one.report_date) for one in asked])
    until = time.monotonic() + ASKED_FOR_S
    for status in asked:
        if time.monotonic() > until:
            return
        known = [(i, said) for i, said in told if i.promise_key == status.promise_key]
        if known and (not known[-1][0].open or known[-1][0].leader):
            continue  # it is over, or another one speaks for it
        # A new one counts as told of its cause: its thread has told of that.
        incident = known[-1][0] if known else new_incident(status, at).told(status.why)
        aliases = {entry.alias for _, said in known for entry in said}
        roster = config.roster_of(status.pipeline.dag_id)
        lost = [
            _entry(incident, step, state, roster, at)
            for step in (*EARLY, *(f"page-{n}-{step.page}" for n, step in enumerate(roster.escalation, 1)))
            if (alias := f"{incident.key}:{step}") not in aliases
            and (state := pager.alert_state(alias))
            and state.open
        ]
        if lost:
            log.warning("oncall.lost_alerts", incident=incident.key, steps=[entry.step for entry in lost])
            store.merge(Snapshot((_begun(incident, lost),), tuple(lost)))


def _entry(incident: Incident, step: str, state: AlertState, roster: Roster, at: dt.datetime) -> OutboxEntry:
    """A page that was taken, of which no more is known than its alert shows."""
    people = tuple(_recipient(username, roster) for username in state.responders or ())
    message = Message(incident.key, step, f"{step} of {incident.key}", recipients=people)
    when = min(state.created_at or at, at)
    return OutboxEntry(
        0, incident.key, step, "pager", "page", message.alias, "", message, "done", 1, "", when, done_at=when
    )


def _recipient(username: str, roster: Roster) -> Recipient:
    known = (roster.recipient(each) for each in roster.people)
    mine = (each for each in known if (each.opsgenie or "").casefold() == username.casefold())
    return next(mine, Recipient(username, opsgenie=username))


def _begun(incident: Incident, found: Iterable[OutboxEntry]) -> Incident:
    """Its escalation began when the first of the pages that were found woke somebody."""
    pages = [entry for entry in found if round_and_seat(entry.step)]
    first = min(pages, key=lambda entry: entry.owed_at, default=None)
    if first is None or incident.escalation_round:
        return incident
    return replace(incident, paged_at=first.owed_at)
