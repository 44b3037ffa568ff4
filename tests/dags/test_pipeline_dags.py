"""What every pipeline's DAG must have, and that none of them can be broken by a hand in include/."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from oncall.airflow.dag_settings import UNREAD
from oncall.config.oncall_config import include_dir, load
from sandbox.master_data.business_day import ZONE
from tests.dags.conftest import timetable_of

if TYPE_CHECKING:
    from airflow.sdk import DAG

    from tests.dags.conftest import Parse

INVESTOR = {
    "profit_etl": ("investor.daily_profit", "base.profit"),
    "engagement_etl": ("investor.daily_engagement", "base.engagement"),
    "growth_etl": ("investor.daily_growth", "base.growth"),
}
EXPERIMENTS = {
    "unit_profit_experiments": ("experiments.unit_profit", "base.profit"),
    "daily_growth_experiments": ("experiments.daily_growth", "base.growth"),
}
PIPELINES = [*INVESTOR, *EXPERIMENTS]


def test_every_pipeline_of_the_roster_has_a_dag(dags: dict[str, DAG]) -> None:
    """And the shipped contract names what the DAG publishes."""
    pipelines = load(include_dir()).pipelines
    assert set(pipelines) == set(PIPELINES) <= set(dags)
    for dag_id, (report, _) in (INVESTOR | EXPERIMENTS).items():
        assert pipelines[dag_id].report == report


@pytest.mark.parametrize("dag_id", PIPELINES)
def test_policies(dags: dict[str, DAG], dag_id: str) -> None:
    """Owner, tags, the runbook as documentation, retries, no catch-up, and room beside a stuck run."""
    dag, pipeline = dags[dag_id], load(include_dir()).pipelines[dag_id]
    assert {task.owner for task in dag.tasks} == {pipeline.primary_owner}
    kind = "investor report" if dag_id in INVESTOR else "experiments"
    assert dag.tags == {kind, pipeline.primary_owner, pipeline.secondary_owner}
    assert dag.doc_md == pipeline.runbook.body
    assert dag.description == pipeline.purpose
    assert all((task.retries or 0) >= 1 for task in dag.tasks)
    assert not dag.catchup
    assert (dag.max_active_runs or 0) > 1


@pytest.mark.parametrize("dag_id", PIPELINES)
def test_steps_stand_in_order(dags: dict[str, DAG], dag_id: str) -> None:
    """(wait_for_upstream →) transform → check → publish; only what is scheduled by the clock waits."""
    steps = [task.task_id for task in dags[dag_id].topological_sort()]
    waits = ["wait_for_upstream"] if dag_id in INVESTOR else []
    assert steps == [*waits, "transform", "check", "publish"]
    for before, after in pairwise(steps):
        assert dags[dag_id].get_task(before).downstream_task_ids == {after}


@pytest.mark.parametrize("dag_id", INVESTOR)
def test_investor_dags_run_at_the_runbooks_time_for_the_day_before(dags: dict[str, DAG], dag_id: str) -> None:
    """A cron in the roster's zone, the report date as partition, the base model and the report as outlets."""
    timetable = timetable_of(dags[dag_id])
    assert timetable.expression == "0 2 * * *"
    assert timetable.timezone.utcoffset(None) == ZONE.utcoffset(None)
    assert (timetable.run_offset, timetable.key_format) == (-1, "%Y-%m-%d")
    outlets = [asset.name for asset in dags[dag_id].get_task("publish").outlets]
    assert sorted(outlets) == sorted(INVESTOR[dag_id])


@pytest.mark.parametrize("dag_id", EXPERIMENTS)
def test_experiments_start_when_their_base_model_is_published(dags: dict[str, DAG], dag_id: str) -> None:
    """By the asset, date by date."""
    from airflow.sdk import PartitionedAssetTimetable

    timetable = timetable_of(dags[dag_id])
    assert isinstance(timetable, PartitionedAssetTimetable)
    condition: Any = timetable.asset_condition
    assert condition.name == EXPERIMENTS[dag_id][1]


def test_every_dag_can_be_serialised(dags: dict[str, DAG]) -> None:
    """One that cannot would make all DAGs of its file stale."""
    from airflow.serialization.serialized_objects import DagSerialization

    for dag_id in PIPELINES:
        timetable = DagSerialization.to_dict(dags[dag_id])["dag"]["timetable"]
        assert timetable["__type"].endswith(
            "PartitionTimetable" if dag_id in INVESTOR else "PartitionedAssetTimetable"
        )


def test_another_include_folder_sets_schedule_and_zone(another_include: Path, parse: Parse) -> None:
    """ONCALL_INCLUDE_DIR is asked, so that tests and other teams can have their own contract."""
    runbook, roster = another_include / "runbooks/growth_etl.md", another_include / "roster.yaml"
    runbook.write_text(runbook.read_text().replace('schedule: "0 2 * * *"', 'schedule: "17 3 * * *"'))
    roster.write_text(roster.read_text().replace('timezone: "+07:00"', "timezone: Europe/Berlin"))
    bag = parse()
    assert bag.import_errors == {}
    timetable = timetable_of(bag.dags["growth_etl"])
    assert (timetable.expression, timetable.timezone.name) == ("17 3 * * *", "Europe/Berlin")


def test_a_report_without_a_promise_runs_by_the_clock_too(another_include: Path, parse: Parse) -> None:
    """It has no deadline, and its report's schema as a tag."""
    runbook = another_include / "runbooks/growth_etl.md"
    text = re.sub(r"^promise: .*\n", "", runbook.read_text(), flags=re.MULTILINE)
    runbook.write_text(text.replace("report: investor.daily_growth", "report: crm.daily_growth"))
    bag = parse()
    assert bag.import_errors == {}
    dag = bag.dags["growth_etl"]
    assert timetable_of(dag).expression == "0 2 * * *"
    assert "crm" in dag.tags
    assert not dag.tags & {"investor report", "experiments"}
    assert not dag.deadline


@pytest.mark.parametrize(
    ("file", "good", "broken"),
    [
        ("runbooks/growth_etl.md", "title:", "title: ["),
        ("runbooks/growth_etl.md", "---\npipeline", "pipeline"),
        ("roster.yaml", "manager: DE-MANAGER", "manager: NOBODY"),
        ("roster.yaml", "people:", "people: ["),
        ("roster.yaml", "rotation:", "rotation: []\nrotations:"),
    ],
)
def test_a_slip_elsewhere_moves_no_run(
    another_include: Path, parse: Parse, file: str, good: str, broken: str
) -> None:
    """A file that cannot be read as a whole tells when its DAGs run all the same: by the usual time and zone the night
    would begin hours too early, for another day."""
    runbook, roster = another_include / "runbooks/growth_etl.md", another_include / "roster.yaml"
    runbook.write_text(
        runbook.read_text().replace('schedule: "0 2 * * *"', 'schedule: "17 3 * * *"  # after the load')
    )
    text = roster.read_text().replace('timezone: "+07:00"', "timezone: Europe/Berlin")
    roster.write_text(re.sub(r"(?m)^handoff:.*$", 'handoff:\n  day: friday\n  at: "10:30"', text))
    path = another_include / file
    assert good in path.read_text()
    path.write_text(path.read_text().replace(good, broken, 1))
    bag = parse()
    assert bag.import_errors == {}
    timetable = timetable_of(bag.dags["growth_etl"])
    assert (timetable.expression, timetable.timezone.name) == ("17 3 * * *", "Europe/Berlin")
    handoff = timetable_of(bag.dags["oncall_handoff"])
    assert (handoff.expression, handoff.timezone.name) == ("30 10 * * 5", "Europe/Berlin")
    assert UNREAD in (bag.dags["growth_etl"].doc_md or "")


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("runbooks/profit_etl.md", "---\npipeline: [\n---\n"),
        ("runbooks/profit_etl.md", "no head"),
        ("runbooks/profit_etl.md", None),
        ("roster.yaml", "timezone: Mars/Olympus"),
        ("roster.yaml", "people: {"),
        ("roster.yaml", None),
    ],
)
def test_a_broken_file_never_keeps_a_dag_from_being_imported(
    another_include: Path, parse: Parse, file: str, text: str | None
) -> None:
    """The DAG keeps running with what can be read and what is usual, and its documentation says what is wrong."""
    path = another_include / file
    path.unlink() if text is None else path.write_text(text)
    bag = parse()
    assert bag.import_errors == {}
    dag = bag.dags["profit_etl"]
    assert timetable_of(dag).expression == "0 2 * * *"
    assert timetable_of(dag).timezone.utcoffset(None) == ZONE.utcoffset(None)
    assert f"- {file}" in (dag.doc_md or "")
