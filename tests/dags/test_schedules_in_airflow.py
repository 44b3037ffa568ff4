"""The DAG that syncs the rota into Opsgenie."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.master_data.business_day import ZONE
from tests.dags.conftest import timetable_of

if TYPE_CHECKING:
    from tests.dags.conftest import Parse


def test_it_runs_each_morning_in_the_rosters_zone_and_says_what_it_is(parse: Parse) -> None:
    """08:30, before the handoff; one task, serialisable, documented."""
    from airflow.serialization.serialized_objects import DagSerialization

    dag = parse().dags["oncall_schedules"]
    assert timetable_of(dag).expression == "30 8 * * *"
    assert timetable_of(dag).timezone.utcoffset(None) == ZONE.utcoffset(None)
    assert [task.task_id for task in dag.tasks] == ["sync"]
    assert "opsgenie_api" in (dag.doc_md or "")
    assert DagSerialization.to_dict(dag)["dag"]["timetable"]["__type"].endswith("CronTriggerTimetable")
