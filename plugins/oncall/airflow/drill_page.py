"""Sends a test page through the whole chain (outbox, pager, chat) and measures it. The words are in `core.notices`."""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import structlog

from oncall.airflow.composition import Services, Wiring
from oncall.airflow.run_once import send_once
from oncall.core.errors import OncallError
from oncall.core.incidents.context import page_and_post, seat_holder
from oncall.core.incidents.incident import Plan
from oncall.core.incidents.wording import Scene
from oncall.core.message import Message
from oncall.core.notices.drill_page import TestPageTimes, drill_page, over, report
from oncall.usecases.ports import OutboxEntry
from oncall.usecases.timekeeping import utc_now

log = structlog.get_logger(__name__)

TAKEN_WITHIN_S = 60.0
GLANCE_S = 0.25
ASK_S = 3.0


class NotReached(OncallError):
    """A test page did not reach the person; the message says how far it came."""


def run_drill(params: Mapping[str, Any], asked: Mapping[str, Any] | None = None) -> list[str]:
    """A marked test page as the form of the DAG `oncall_drill` asks for it; how it went. Raises NotReached.

    `asked`: what the form sent, which Airflow may be told to pass over: somebody else would be woken by it.
    """
    if passed_over := [name for name, said in (asked or {}).items() if params.get(name, said) != said]:
        raise NotReached(
            f"Airflow passes over what the form says of {', '.join(passed_over)}; set dag_run_conf_overrides_params ="
            " True in [core], as it is by default"
        )
    wiring = Wiring()
    wiring.store().install()
    services = wiring.services()
    pipeline, seat = services.config.pipelines.get(params["pipeline"]), params["who"]
    if pipeline is None:
        raise NotReached(
            f"{params['pipeline']} has no runbook that can be read: `python -m oncall check` tells what is wrong"
        )
    scene = Scene(services.config.roster_of(pipeline.dag_id), services.links, utc_now())
    person = seat_holder(scene, seat)
    if person is None or not person.opsgenie:
        raise NotReached(
            f"the {seat} cannot be paged: {person.name if person else 'nobody'} has no Opsgenie name"
        )
    message = drill_page(scene, pipeline, params["cause"], seat, person, params["priority"])
    return send_test_page(wiring, services, message, float(params["wait_minutes"]) * 60)


def send_test_page(wiring: Wiring, services: Services, message: Message, wait_s: float) -> list[str]:
    """Send a test page, wait up to `wait_s` seconds for the tap, close it, and say in its thread how it went.

    Where the pager does not show its alerts, nobody waits. Raises NotReached when the pager never took it.
    """
    owed_at = utc_now()
    with services.store.decision_lock() as decision:
        decision.record(Plan(owed=page_and_post(message)), owed_at)
    took = _taken(wiring, services, message, owed_at)
    waited = wait_s if took.processed is not None and services.pager.capabilities.reads_alerts else 0.0
    if waited:
        took = _tapped(services, message, took, owed_at, waited)
    with services.store.decision_lock() as decision:
        decision.record(over(message, took, waited), utc_now())
    send_once(wiring, services)
    lines = list(report(message, took, waited))
    for line in lines:
        log.info("oncall.test_page", incident=message.key, step=message.step, said=line)
    if took.processed is None:
        raise NotReached("; ".join(lines))
    return lines


def _taken(wiring: Wiring, services: Services, message: Message, owed_at: dt.datetime) -> TestPageTimes:
    """Send it, and watch the outbox until both channels have it: the watcher may send it first."""
    for channel in (wiring.pager, wiring.chat):
        channel.prepare()  # reads its Airflow connection here: the sender's thread may not ask Airflow
    apart = replace(
        services, store=wiring.store()
    )  # two threads on one connection end each other's transactions
    sender = threading.Thread(target=send_once, args=(wiring, apart), daemon=True)
    sender.start()
    took, until = TestPageTimes(), time.monotonic() + TAKEN_WITHIN_S
    while True:
        with services.store.decision_lock() as decision:
            said = decision.said([message.key])[message.key]
        took = _as_seen(took, [one for one in said if one.step == message.step], owed_at)
        told = took.processed is not None or any(one.unreached for one in said)
        if (told and took.posted is not None) or time.monotonic() > until:
            return took
        time.sleep(GLANCE_S)


def _as_seen(took: TestPageTimes, said: Sequence[OutboxEntry], owed_at: dt.datetime) -> TestPageTimes:
    for entry in said:
        after = ((entry.done_at or utc_now()) - owed_at).total_seconds()
        done, pages = entry.state == "done", entry.channel == "pager"
        if done and not pages and took.posted is None:
            took = replace(took, posted=after)
        if pages and (done or entry.state == "accepted") and took.accepted is None:
            took = replace(took, accepted=after)
        if done and pages and not entry.unreached and took.processed is None:
            took = replace(took, processed=after, alias=entry.alias)
    errors = (one.error for one in said if one.error and one.state != "done")
    return replace(took, trouble="; ".join((*errors, *filter(None, (one.unreached for one in said)))))


def _tapped(
    services: Services, message: Message, took: TestPageTimes, owed_at: dt.datetime, wait_s: float
) -> TestPageTimes:
    """Ask the pager until the person has acknowledged, or closed it."""
    until = time.monotonic() + wait_s
    while time.monotonic() < until:
        try:
            state = services.pager.alert_state(took.alias or message.alias)
        except OncallError as error:
            state, took = None, replace(took, trouble=str(error))
        if state is not None and (state.acknowledged or not state.open):
            return replace(
                took, acknowledged=(utc_now() - owed_at).total_seconds(), by=state.owner, trouble=""
            )
        time.sleep(min(ASK_S, max(0.1, until - time.monotonic())))
    return took
