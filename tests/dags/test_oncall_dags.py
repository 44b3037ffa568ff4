"""The DAGs for people: the form of a test page, and the handoff at the roster's time."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from oncall.airflow.dag_factory import due_crons
from oncall.config.oncall_config import include_dir, load
from oncall.core.promises.why import CAUSE_WORDS
from sandbox.master_data.business_day import ZONE
from tests.dags.conftest import timetable_of

if TYPE_CHECKING:
    from airflow.sdk import DAG

    from tests.dags.conftest import Parse


def test_the_drill_has_a_form_and_no_schedule(dags: dict[str, DAG]) -> None:
    """Every pipeline and every cause can be chosen; what is filled in at first can be sent as it is."""
    dag = dags["oncall_drill"]
    assert dag.schedule is None
    schema = {name: dag.params.get_param(name).schema for name in dag.params}
    assert set(schema["pipeline"]["enum"]) == set(load(include_dir()).pipelines)
    assert set(schema["cause"]["enum"]) == set(CAUSE_WORDS) == set(schema["cause"]["values_display"])
    assert schema["who"]["enum"] == ["primary", "secondary", "manager"]
    dag.params.validate()
    assert [task.retries for task in dag.tasks] == [0]


def test_the_handoff_runs_at_the_rosters_handoff(dags: dict[str, DAG]) -> None:
    """Mondays at nine on the roster's clock; only the newest one missed is made up for; the page after the note."""
    dag = dags["oncall_handoff"]
    assert timetable_of(dag).expression == "0 9 * * 1"
    assert timetable_of(dag).timezone.utcoffset(None) == ZONE.utcoffset(None)
    assert not dag.catchup
    assert dag.max_active_runs == 1
    assert [task.task_id for task in dag.topological_sort()] == ["tell", "try_the_new_primary"]


@pytest.mark.parametrize(
    ("handoff", "starts", "cron"),
    [
        ('{day: sunday, at: "18:30"}', "2025-12-28", "30 18 * * 0"),
        ('{day: friday, at: "00:00"}', "2025-12-26", "0 0 * * 5"),
        ('{day: sunday, at: "23:59:30"}', "2025-12-28", "0 0 * * 1"),
    ],
)
def test_another_roster_has_another_handoff(
    another_include: Path, parse: Parse, handoff: str, starts: str, cron: str
) -> None:
    """The schedule follows the file."""
    roster = another_include / "roster.yaml"
    text = roster.read_text().replace('{day: monday, at: "09:00"}', handoff)
    roster.write_text(text.replace("starts: 2025-12-29", f"starts: {starts}"))
    assert timetable_of(parse().dags["oncall_handoff"]).expression == cron


def test_a_worker_looks_when_a_report_is_due_wherever_its_team_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """05:00 in Bangkok; 06:00 in Berlin is 12:00 there in winter and 11:00 in summer."""
    folder = tmp_path / "include"
    shutil.copytree(include_dir(), folder)
    (folder / "teams/growth").mkdir(parents=True)
    theirs = (folder / "roster.yaml").read_text().replace('timezone: "+07:00"', "timezone: Europe/Berlin")
    (folder / "teams/growth/roster.yaml").write_text(theirs)
    runbook = folder / "runbooks/growth_etl.md"
    text = runbook.read_text().replace('due: "05:00"', 'due: "06:00"')
    runbook.write_text(text.replace("pipeline: growth_etl\n", "pipeline: growth_etl\nteam: growth\n"))
    monkeypatch.setenv("ONCALL_INCLUDE_DIR", str(folder))
    assert due_crons() == ["0 11 * * *", "0 12 * * *", "0 5 * * *"]


def test_nobody_has_to_unpause_the_pager(dags: dict[str, DAG]) -> None:
    """Airflow pauses new DAGs unless it is told otherwise; whether a pipeline may begin is its team's to say."""
    begins_unpaused = {dag_id for dag_id, dag in dags.items() if dag.is_paused_upon_creation is False}
    assert begins_unpaused == {dag_id for dag_id in dags if dag_id.startswith(("oncall_", "sla_watch"))}
    assert {dag.is_paused_upon_creation for dag in dags.values()} == {False, None}


def test_no_outage_pauses_the_pager(
    dags: dict[str, DAG], parse: Parse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An Airflow may be told to pause whatever has failed some times running: without `oncall_db` a look fails."""
    monkeypatch.setenv("AIRFLOW__CORE__MAX_CONSECUTIVE_FAILED_DAG_RUNS_PER_DAG", "3")
    found = {dag_id: dag.max_consecutive_failed_dag_runs for dag_id, dag in parse().dags.items()}
    assert found["growth_etl"] == 3
    assert {found[dag_id] for dag_id, dag in dags.items() if "on-call" in dag.tags} == {0}


@pytest.mark.parametrize(
    "dag_id", ["oncall_drill", "oncall_handoff", "oncall_rerun_stale", "oncall_schedules", "sla_watch"]
)
def test_policies(dags: dict[str, DAG], dag_id: str) -> None:
    """Documented, tagged, owned, and Airflow can store it."""
    from airflow.serialization.serialized_objects import DagSerialization

    dag = dags[dag_id]
    assert dag.doc_md
    assert dag.tags == {"on-call"}
    assert {task.owner for task in dag.tasks} == {"data-engineering"}
    assert DagSerialization.to_dict(dag)["dag"]["dag_id"] == dag_id
