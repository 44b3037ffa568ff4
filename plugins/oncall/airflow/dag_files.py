"""The on-call system's own DAG files: that one does not import is told in the chat, and its end.

Airflow starts no run of such a DAG: nobody would hear of a handoff that is not told, or of `sla_watch`.
"""

from __future__ import annotations

import datetime as dt
from contextlib import suppress

from oncall.airflow.composition import Services
from oncall.core.incidents.incident import Plan
from oncall.core.incidents.wording import Scene
from oncall.core.notices.channel_notices import dag_files_broken, dag_files_mended
from oncall.usecases.channel_health import DAG_FILES, note_trouble
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


def _parsed_every() -> dt.timedelta:
    from airflow.configuration import conf
    from airflow.exceptions import AirflowConfigException

    seconds = USUAL_INTERVAL_S
    with suppress(AirflowConfigException):  # what is no number is the DAG processor's trouble
        seconds = conf.getfloat("dag_processor", "min_file_process_interval", fallback=seconds)
    return dt.timedelta(seconds=min(max(0.0, seconds), LONGEST_INTERVAL_S))
