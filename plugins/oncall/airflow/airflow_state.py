"""What Airflow itself says of the pipelines' DAGs, asked from a worker or heard in the DAG processor."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import structlog
from airflow.listeners import hookimpl
from airflow.sdk.exceptions import AirflowRuntimeError

from oncall.airflow.composition import Wiring
from oncall.airflow.dag_files import ON_CALL_DAGS
from oncall.airflow.dag_settings import watched_dags
from oncall.airflow.manual_state_listener import apart, ask, quietly
from oncall.airflow.masking import masked
from oncall.core.promises.facts import Dag
from oncall.usecases.timekeeping import utc_now

log = structlog.get_logger(__name__)

NO_SUCH_DAG = 404
GIT_S = 3.0
_COMMIT = re.compile(r"[0-9a-f]{7,64}")
_ERROR = re.compile(r"^(?:\w+\.)*([A-Z]\w*(?:: .*)?)$", re.MULTILINE)  # a class, and what it says on its line


def see_dags(dag_ids: list[str], ti: Any) -> dict[str, Dag]:
    """Ask Airflow, through the running task, of each DAG and its runs; note the answers for the watcher."""
    task_log = Wiring().task_log()
    asked = {dag_id: _see(dag_id, ti) for dag_id in dag_ids}
    seen = {dag_id: dag for dag_id, dag in asked.items() if dag is not None}
    for dag_id, dag in seen.items():
        task_log.see_dag(dag_id, dag)
    ask(task_log, dag_ids, ti, utc_now())
    return seen


def _see(dag_id: str, ti: Any) -> Dag | None:
    """What Airflow says of a DAG; None where it did not answer, or answered what cannot be read: the others go on."""
    at = utc_now()
    try:
        dag = ti.get_dag(dag_id)
        running = ti.get_dr_count(dag_id=dag_id, states=["running", "queued"])
        return Dag(at, paused=dag.is_paused, missing=_gone(dag, ti), running=running)
    except Exception as error:  # noqa: BLE001 - one DAG that cannot be seen stops no other
        detail = error.error.detail if isinstance(error, AirflowRuntimeError) else None
        if (detail or {}).get("status_code") == NO_SUCH_DAG:
            return Dag(at, missing=True)
        log.warning("oncall.dag_not_seen", dag_id=dag_id, reason=masked(str(error)))
        return None


def _gone(dag: Any, ti: Any) -> bool:
    """Airflow goes on knowing a DAG whose file is gone; the file itself does not lie.

    Only the bundle that this task itself was read from is surely here, in one version. Airflow read the DAG from that
    one, or, where its file is gone, from one before: of others nothing is known. A DAG of a zip archive has the archive
    in its path as if it were a folder.
    """
    mine = getattr(ti, "bundle_instance", None)
    if mine is None or not dag.relative_fileloc or dag.bundle_name != mine.name:
        return False
    if dag.bundle_version != mine.version and not _came_before(dag.bundle_version, mine):
        return False
    folder = Path(mine.path)
    file = folder / dag.relative_fileloc
    return folder.is_dir() and not any(each.is_file() for each in (file, *file.parents))


def _came_before(version: str | None, mine: Any) -> bool:
    """Whether the history of a bundle from Git says so; False where it cannot be asked."""
    history, now = getattr(mine, "bare_repo_path", None), mine.version
    if not history or not (version and now and _COMMIT.fullmatch(version) and _COMMIT.fullmatch(now)):
        return False
    # The folder may be another user's, which Git would refuse.
    ask = ["git", "-c", "safe.directory=*", "-C", str(history), "merge-base", "--is-ancestor", version, now]
    try:
        return subprocess.run(ask, capture_output=True, timeout=GIT_S, check=False).returncode == 0
    except (OSError, subprocess.SubprocessError):
        return False


def note_import_error(filename: str, stacktrace: str) -> None:
    """A DAG file does not import: note the error, without its advice, for the DAGs in it that are watched, or ours."""
    told = masked(stacktrace)
    lines = (
        _ERROR.findall(told) or [line.strip() for line in told.splitlines() if line.strip()] or ["unknown"]
    )
    said = lines[-1]
    for dag_id in _dags_in(filename):
        Wiring().task_log().note_import_error(dag_id, said, utc_now())


def _dags_in(filename: str) -> list[str]:
    """The watched DAGs, and our own, that Airflow has read from a file before; one that it never read stands in the
    file of its name.

    Somebody's old copy of a DAG, in a folder beside it, says nothing of the DAG.
    """
    from airflow.models.dag import DagModel  # in the DAG processor alone
    from airflow.utils.session import create_session
    from sqlalchemy import select

    watched = [*watched_dags(), *ON_CALL_DAGS]
    with create_session() as session:
        known = select(DagModel.dag_id, DagModel.fileloc).where(DagModel.dag_id.in_(watched))
        files = {dag_id: file for dag_id, file in session.execute(known) if file}
    return [
        dag_id
        for dag_id in watched
        if (
            Path(files[dag_id]).is_relative_to(filename) if dag_id in files else Path(filename).stem == dag_id
        )
    ]


class ImportErrorListener:
    """Airflow's listener: the DAG processor tells of every file that does not import, each time it tries."""

    @hookimpl(tryfirst=True)
    def on_new_dag_import_error(self, filename: str, stacktrace: str) -> None:
        quietly(lambda: apart(lambda: note_import_error(filename, stacktrace)), "import_error")

    on_existing_dag_import_error = on_new_dag_import_error
