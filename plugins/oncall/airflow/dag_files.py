"""DAG files: that one of the on-call system's own does not import is told in the chat, that two define one id, and the
end of either.

Airflow starts no run of such a DAG: nobody would hear of a handoff that is not told, or of `sla_watch`.
"""

from __future__ import annotations

import datetime as dt
from contextlib import suppress
from pathlib import Path
from typing import Any

from oncall.adapters.dag_ids import defined_twice
from oncall.airflow.composition import Services, Wiring
from oncall.airflow.dag_settings import watched_dags
from oncall.core.errors import OncallError
from oncall.core.incidents.incident import Plan
from oncall.core.incidents.wording import Scene
from oncall.core.notices.channel_notices import (
    dag_files_broken,
    dag_files_mended,
    dag_ids_once,
    dag_ids_twice,
)
from oncall.usecases.channel_health import DAG_FILES, DAG_IDS, note_trouble
from oncall.usecases.ports import Store

# Each stands in the file of its name.
ON_CALL_DAGS = ("sla_watch", "oncall_handoff", "oncall_schedules", "oncall_drill", "oncall_rerun_stale")
# The DAG processor tells of a broken file at every parse, and of a mended one not at all.
MENDED_AFTER = dt.timedelta(minutes=10)
USUAL_INTERVAL_S, LONGEST_INTERVAL_S = 30.0, 86_400.0


def watch_dag_files(services: Services, store: Store, scene: Scene) -> None:
    """Anybody looks: tell of a file that has been broken for longer than one parse would be remembered. Raises
    Unreadable."""
    after = max(MENDED_AFTER, 3 * _parsed_every())
    errors = services.runs.import_errors(ON_CALL_DAGS, scene.at - after)
    told = "; ".join(f"{dag_id}: {error}" for dag_id, error in errors.items())

    def say(since: dt.datetime) -> Plan:
        return Plan(owed=(dag_files_broken(scene, since, told) if told else dag_files_mended(scene, since),))

    note_trouble(store, scene, DAG_FILES, told, say, after + _parsed_every())


def watch_dag_ids(ti: Any) -> None:
    """Tell in the chat, once, that several files of the running task's bundle define a DAG of ours, and its end.

    Never raises for a folder or a store that cannot be read. A deployment may copy for a moment: only what is there at
    the next look too is told.
    """
    bundle = getattr(ti, "bundle_instance", None)
    if bundle is None:
        return

    def say(since: dt.datetime) -> Plan:
        return Plan(owed=(dag_ids_twice(scene, since, told) if told else dag_ids_once(scene, since),))

    with suppress(OncallError):  # that the store is away is told by the look before
        twice = defined_twice(Path(bundle.path), [*watched_dags(), *ON_CALL_DAGS])
        told = "; ".join(f"{dag_id}: {files}" for dag_id, files in twice.items())
        services = Wiring().services()
        scene = Scene(services.config.roster, services.links, services.agreed_now())
        note_trouble(services.store, scene, DAG_IDS, told, say)


def _parsed_every() -> dt.timedelta:
    from airflow.configuration import conf
    from airflow.exceptions import AirflowConfigException

    seconds = USUAL_INTERVAL_S
    with suppress(AirflowConfigException):  # what is no number is the DAG processor's trouble
        seconds = conf.getfloat("dag_processor", "min_file_process_interval", fallback=seconds)
    return dt.timedelta(seconds=min(max(0.0, seconds), LONGEST_INTERVAL_S))
