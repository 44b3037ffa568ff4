"""The sync of the rota as Airflow runs it: makes Opsgenie's schedules as the rota says, and reports what differs."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Sequence

from airflow.sdk.exceptions import AirflowSkipException

from oncall.adapters.opsgenie.schedules import NoSchedules, OpsgenieSchedules
from oncall.airflow.composition import Wiring
from oncall.airflow.run_once import send_once
from oncall.config.oncall_config import OncallConfig
from oncall.core.errors import DeliveryFailed, Rejected
from oncall.core.incidents.incident import Plan
from oncall.core.incidents.wording import Links, Scene
from oncall.core.notices.channel_notices import schedules_agree, schedules_drift
from oncall.usecases.ports import Store
from oncall.usecases.sync_schedules import Schedules, drift, sync
from oncall.usecases.timekeeping import utc_now

SAID = "schedules_drift"  # the digest of the differences that were said, "" when there is none


def sync_and_compare(*, last_try: bool = True) -> str:
    """One sync, then a comparison whose outcome is said in Slack when it is another one than before.

    Returns what was done in a line. Skips where there is no schedule API to talk to, saying what to add; raises
    DeliveryFailed when Opsgenie did not take it, after saying so when it never will or this was the `last_try`.
    """
    wiring = Wiring()
    wiring.store().install()
    services = wiring.services()
    try:
        schedules = OpsgenieSchedules.from_connection()
        return synced(services.config, schedules, services.store, wiring.links, utc_now(), last_try=last_try)
    except NoSchedules as error:
        raise AirflowSkipException(str(error)) from None
    finally:
        send_once(wiring, services)


def synced(
    config: OncallConfig,
    schedules: Schedules,
    store: Store,
    links: Links,
    at: dt.datetime,
    *,
    last_try: bool = True,
) -> str:
    """Sync and compare each team; what differs is owed to the chat once. Sends nothing to it itself.

    What fails for one team stops no other; the first failure is raised when all were tried.
    """
    calls = 0
    differences: dict[str, None] = {}  # several teams may fail for one reason
    failures: list[DeliveryFailed] = []
    for team in config.by_team().values():
        try:
            done = sync(team.roster, schedules, at)
            differences |= dict.fromkeys(drift(team.roster, schedules, at))
            calls += sum(each.create + len(each.put) + len(each.delete) for each in done)
        except NoSchedules:
            raise
        except DeliveryFailed as error:
            failures.append(error)
            differences[f"The sync failed: {error}"] = None
    if last_try or all(isinstance(failure, Rejected) for failure in failures):
        _say(store, Scene(config.roster, links, at), list(differences))
    if failures:
        raise failures[0]
    return f"{calls} changes; {len(differences)} differences left"


def _say(store: Store, scene: Scene, differences: Sequence[str]) -> None:
    """A notice when the differences are others than those said last, and when they are gone."""
    digest = hashlib.sha256("\n".join(differences).encode()).hexdigest()[:12] if differences else ""
    said = store.get_note(SAID) or ""
    if digest == said:
        return
    when = f"{scene.at:%Y%m%d%H%M}"  # what was gone and comes back is said again
    owed = (
        schedules_drift(scene, differences, f"{digest}:{when}")
        if digest
        else schedules_agree(scene, f"{said}:{when}")
    )
    with store.decision_lock() as decision:
        decision.record(Plan(owed=(owed,)), scene.at)
    store.set_note(SAID, digest)
