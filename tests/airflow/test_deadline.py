"""The promise as Airflow's own deadline: made for tonight's run, and for no other."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from airflow.serialization.decoders import decode_deadline_alert
from airflow.serialization.encoders import encode_deadline_alert

from oncall.airflow.deadline import PromiseDue, promise_deadline, promise_missed
from oncall.core.promises.promise import Promise

PROMISE = Promise(dt.time(5), dt.time(3, 30))
UTC7 = dt.timezone(dt.timedelta(hours=7))
TWO_AT_NIGHT = dt.datetime(2026, 11, 22, 19, tzinfo=dt.UTC)  # 02:00 +07 on the 23rd


def a_run(**said: Any) -> Any:
    run = {"run_type": "scheduled", "run_id": "scheduled__1", "partition_key": "2026-11-22", "conf": {}}
    return SimpleNamespace(**{**run, "run_after": TWO_AT_NIGHT, **said})


def test_tonights_run_is_due_at_five_in_the_rosters_zone() -> None:
    """05:00 +07 on the day after the report date is 22:00Z on the report date."""
    due = PromiseDue.of(PROMISE, UTC7).due_of(a_run(), TWO_AT_NIGHT)
    assert due == dt.datetime(2026, 11, 22, 22, tzinfo=dt.UTC)


def test_an_iana_zone_is_kept_by_name() -> None:
    """Over a change of clocks the due instant stays at five on the wall."""
    reference = PromiseDue.of(PROMISE, ZoneInfo("Europe/Berlin"))
    assert reference.zone == "Europe/Berlin"
    march = dt.datetime(2026, 3, 28, tzinfo=dt.UTC)
    assert reference.due_of(a_run(partition_key="2026-03-28"), march) == dt.datetime(
        2026, 3, 29, 3, tzinfo=dt.UTC
    )


@pytest.mark.parametrize(
    ("run", "at"),
    [
        (a_run(run_type="backfill"), TWO_AT_NIGHT),
        (a_run(run_id="drill__1"), TWO_AT_NIGHT),
        (a_run(partition_key="2026-11-01"), TWO_AT_NIGHT),
        (a_run(run_type="manual"), TWO_AT_NIGHT + dt.timedelta(hours=10)),
    ],
    ids=["backfill", "drill", "a day long past", "a manual run at noon"],
)
def test_no_deadline_for(run: Any, at: dt.datetime) -> None:
    """Backfills, drills, past days and a manual run at noon have no promise to keep."""
    assert PromiseDue.of(PROMISE, UTC7).due_of(run, at) is None


def test_fridays_report_of_a_working_week_is_due_on_monday() -> None:
    """And no run of a weekend has a deadline, also once Airflow has written the reference down and read it."""
    reference = PromiseDue.of(replace(PROMISE, weekdays=frozenset(range(5))), UTC7)
    reference = PromiseDue.deserialize_reference(reference.serialize_reference())
    friday = a_run(partition_key="2026-11-20")
    assert reference.due_of(friday, TWO_AT_NIGHT) == dt.datetime(2026, 11, 22, 22, tzinfo=dt.UTC)
    assert reference.due_of(a_run(partition_key="2026-11-22"), TWO_AT_NIGHT) is None


def test_a_manual_run_for_tonight_has_the_deadline() -> None:
    """Whoever starts tonight's report by hand keeps the same promise."""
    run = a_run(run_type="manual", partition_key=None, conf={"report_date": "2026-11-22"})
    assert PromiseDue.of(PROMISE, UTC7).due_of(run, TWO_AT_NIGHT) is not None


def test_the_deadline_survives_airflows_serialisation(monkeypatch: pytest.MonkeyPatch) -> None:
    """The scheduler reads back the same due time, zone and callback."""
    monkeypatch.setattr(
        "airflow.serialization.helpers.find_registered_custom_deadline_reference", lambda _: PromiseDue
    )
    alert = decode_deadline_alert(encode_deadline_alert(promise_deadline(PROMISE, UTC7)))
    assert alert.reference.inner_ref == PromiseDue("05:00:00", "", 25200)
    assert alert.callback.path == f"{promise_missed.__module__}.promise_missed"


def test_a_reference_that_cannot_tell_makes_no_deadline_and_raises_nothing() -> None:
    """To raise would cost every run its deadline silently."""

    class Broken:
        def scalar(self, _: object) -> None:
            raise RuntimeError("no database")

    assert PromiseDue()._evaluate_with(session=Broken(), dag_id="growth_etl", run_id="x") is None
