"""Who acknowledged is learnt from the pager, which is not to be asked without measure."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest
from conftest_night import DAY, Night, a_pipeline, at

from oncall.core.promises.facts import Task
from oncall.usecases.acknowledge import MAX_ALERTS_ASKED
from oncall.usecases.ports import AlertState

MANY = 60


@pytest.fixture
def bad_night(night: Night) -> Night:
    """Sixty pipelines hang, each on its own, and somebody is paged for each."""
    pipelines = {f"p{number}": a_pipeline(f"p{number}", ()) for number in range(MANY)}
    night.config = replace(night.config, pipelines=pipelines)
    for dag_id in pipelines:
        night.world.missing(dag_id)
        night.runs.of[dag_id, DAY] = (Task("transform", "running", at("03:12"), run_id=f"of {dag_id}"),)
    night.look("05:00")
    assert len(night.pager.paged) == MANY
    return night


def test_on_a_bad_night_everybody_is_heard_and_the_pager_not_asked_too_often(
    bad_night: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All tap at once: each round asks for a few, at every instant for others, and within two minutes all are heard."""
    asked: list[str] = []
    state = bad_night.pager.alert_state

    def counted(alias: str) -> AlertState | None:
        asked.append(alias)
        return state(alias)

    monkeypatch.setattr(bad_night.pager, "alert_state", counted)
    for alias in bad_night.pager.alerts:
        bad_night.acknowledge(alias, "de-003@example.com")
    for seconds in range(5, 120, 5):
        before = len(asked)
        now = at("05:00") + dt.timedelta(seconds=seconds)
        bad_night.now = now
        bad_night.dispatch().acknowledgements()
        assert len(asked) - before <= MAX_ALERTS_ASKED
    with bad_night.store.decision_lock() as decision:
        assert all(incident.acknowledged for incident in decision.incidents())
    bad_night.look("05:15")
    assert len(bad_night.pager.paged) == MANY, "nobody else is paged"
