"""Learns from the pager who has acknowledged an incident, by any of its alerts, and who has taken it back.

Only a person's act counts, also of one whom the roster does not know. What a policy or an integration of the far side
does by itself stops nobody's call.
"""

from __future__ import annotations

import datetime as dt
import random
import re
import time
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import TypeVar

import structlog

from oncall.config.oncall_config import OncallConfig
from oncall.core.errors import NotAllowed, OncallError, trace
from oncall.core.incidents.acknowledgement import acknowledge, acknowledge_rest, taken_back
from oncall.core.incidents.context import IncidentContext, closed_by_us, person_named
from oncall.core.incidents.incident import Plan
from oncall.core.incidents.wording import Links, Scene
from oncall.usecases.channel_ports import AlertState, Pager
from oncall.usecases.ports import Store
from oncall.usecases.recorded_context import context_of

log = structlog.get_logger(__name__)
T = TypeVar("T")

# In the names of what acts by itself: "System", "Alert API", "Airflow - Slack integration", "Policy: take", "Datadog".
_MACHINE = re.compile(
    r"api\b|\b(system|integration|polic(y|ies)|automation|rule|workflow|webhook|bot|opsgenie|jira|slack(bot)?|airflow|aws|azure"
    r"|cloudwatch|datadog|dynatrace|grafana|icinga|nagios|new relic|pagerduty|prometheus|servicenow|splunk|zabbix)\b",
    re.IGNORECASE,
)
MAX_ALERTS_ASKED = 20  # of the pager at a time, every 5 s
UNHEARD_S = 2.0  # a pager that fails after so long does not answer: no more is asked of it in this round


def sync_acknowledgements(
    config: OncallConfig,
    pager: Pager,
    store: Store,
    links: Links,
    at: dt.datetime,
    keys: Collection[str] = (),
) -> OncallError | None:
    """Ask the pager who has acknowledged the open incidents (only those of `keys`, if any are named).

    Where it cannot tell, escalation goes by time alone; why it cannot is returned. An alert that cannot be read keeps
    no other from being heard.
    """
    if not pager.capabilities.reads_alerts:
        return None
    with store.decision_lock() as decision:
        open_ones = [
            (incident.key, entry.alias, entry.alias in incident.acked)
            for incident, entries in decision.told()
            if incident.open and not incident.leader and incident.dag_id in config.pipelines
            if not keys or incident.key in keys
            for entry in entries
            if entry.op == "page" and entry.state == "done" and entry.alias not in closed_by_us(entries)
        ]
    trouble: OncallError | None = None
    asked_at = time.monotonic()
    for key, alias, acked in _some(open_ones, at):
        try:
            state = _state(pager, alias, acked)
        except OncallError as error:
            log.warning("oncall.acknowledgements_unread", incident=key, alias=alias, reason=str(error))
            if isinstance(error, NotAllowed) or time.monotonic() - asked_at > UNHEARD_S:
                return error
            trouble = error  # it may be this alert's alone: whoever took another one is heard
            continue
        if state is None:
            continue
        with store.decision_lock() as decision:
            file = decision.file(key)
            if file is None or not file.incident.open:
                continue
            scene = Scene(config.roster_of(file.incident.dag_id), links, at)
            try:
                plan = _learnt(context_of(config, file), scene, alias, state)
            except Exception as error:  # noqa: BLE001 - whoever took another one is heard
                log.error("oncall.acknowledgement_not_learnt", incident=key, traceback=trace(error))
                continue
            if plan is not None:
                decision.record(plan, at)
                log.info("oncall.acknowledgement", incident=key, alias=alias, acknowledged=state.acknowledged)
    return trouble


def _state(pager: Pager, alias: str, acked: bool) -> AlertState | None:
    """The alert's state. An acknowledgement is taken back when two answers say so: one may be of a copy that lags."""
    state = pager.alert_state(alias)
    doubtful = acked and state is not None and state.open and not state.acknowledged
    return pager.alert_state(alias) if doubtful else state


def _some(asked: Sequence[T], at: dt.datetime) -> Sequence[T]:
    """All, or on a night when half of everything is broken some: at every instant others. A pager that is asked too
    often answers nobody."""
    chosen = random.Random(at.isoformat())  # noqa: S311 - no secret: by the instant, so that a look can be told again
    return asked if len(asked) <= MAX_ALERTS_ASKED else chosen.sample(asked, MAX_ALERTS_ASKED)


def _learnt(context: IncidentContext, scene: Scene, alias: str, state: AlertState) -> Plan | None:
    """What an alert's state says that was not known; None when nothing.

    Whoever gives back what we acknowledged for somebody else takes nothing from that person, who still has their own.
    """
    incident = context.incident
    if alias in incident.acked:
        if not state.open or state.acknowledged:
            return None
        theirs = set(incident.acked) - context.silenced
        if incident.acknowledged and (alias in theirs or not theirs):
            return taken_back(context, scene, alias)
        return Plan((replace(incident, acked=tuple(each for each in incident.acked if each != alias)),))
    by = _whose_act(state, scene)
    if by is None:
        return None
    in_their_name = by.casefold() == incident.acknowledged_by.casefold()
    if alias in context.silenced and in_their_name:  # by us
        return Plan((replace(incident, acked=tuple(sorted({*incident.acked, alias}))),))
    if incident.acknowledged:
        return acknowledge_rest(context, scene, by, heard_of=alias)
    return acknowledge(context, scene, by, heard_of=alias)


def _whose_act(state: AlertState, scene: Scene) -> str | None:
    """Who took the alert, by acknowledging ("" when it is not told who) or closing it; None when no person did.

    A person's close has a name: one that has none is a policy's.
    """
    if state.acknowledged and is_person(state.owner, scene):
        return state.owner
    if not state.open and state.closed_by and is_person(state.closed_by, scene):
        return state.closed_by
    return None


def is_person(name: str, scene: Scene) -> bool:
    """Whether the pager names a person: by an e-mail address, as the roster does, or by a name that is no machine's.

    Through Opsgenie's API somebody may acknowledge under any display name, or under none.
    """
    return "@" in name or bool(person_named(scene, name)) or not _MACHINE.search(name)
