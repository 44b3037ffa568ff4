"""Waiting for upstream in the triggerer: one query for all who wait, awake for the warning, done when all is there."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import os
import re
from contextlib import closing
from types import SimpleNamespace
from typing import Any

import psycopg2
import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import TaskDeferred

from oncall.airflow.composition import Wiring
from oncall.airflow.terms_in_force import terms_in_force
from oncall.core.errors import ConfigError, Unreadable
from oncall.usecases import current_config
from oncall.usecases.current_config import config_in_force
from pipelines import upstream_trigger
from pipelines.upstream_freshness_sensor import UpstreamFreshSensor
from pipelines.upstream_trigger import UpstreamFresh
from sandbox.master_data.loading import Loader, create_schema

TABLES = ["master.sessions", "master.customers"]
ZONE = dt.timezone(dt.timedelta(hours=7))


@pytest.fixture(autouse=True)
def new_poll(monkeypatch: pytest.MonkeyPatch) -> None:
    """A triggerer lives with one warehouse; every test is a new triggerer."""
    monkeypatch.setattr(upstream_trigger, "_POLL", upstream_trigger._Poll())
    monkeypatch.setattr(upstream_trigger, "HEARD_WITHIN_S", 0.0)


def yesterday() -> dt.date:
    return dt.datetime.now(ZONE).date() - dt.timedelta(days=1)


async def first_event(trigger: UpstreamFresh) -> dict[str, Any]:
    async for event in trigger.run():
        return dict(event.payload)
    raise AssertionError("the trigger ended without an event")


def start_waiting() -> None:
    """What a worker does with the sensor."""
    with DAG("growth_etl", schedule=None):
        sensor = UpstreamFreshSensor(task_id="wait_for_upstream")
    now = dt.datetime.now(dt.UTC)
    run = SimpleNamespace(partition_key=yesterday().isoformat(), conf={}, run_after=now, logical_date=None)
    sensor.execute({"dag_run": run})


def test_it_waits_until_the_last_table_is_there(site: Any) -> None:
    """Sessions are missing: nothing happens; once they are loaded the event says so."""

    async def wait_and_load() -> dict[str, Any]:
        waiting = asyncio.create_task(first_event(UpstreamFresh(TABLES, yesterday().isoformat(), None, 0.2)))
        await asyncio.sleep(1)
        assert not waiting.done()
        with psycopg2.connect(site.warehouse) as connection:
            pass
        await asyncio.to_thread(Loader(connection, 0.01).load, yesterday(), ["sessions"])
        return await asyncio.wait_for(waiting, 10)

    event = asyncio.run(wait_and_load())
    assert event["fresh"] is True
    assert upstream_trigger._POLL.waiting == set()


def test_a_warehouse_that_does_not_answer_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four minutes of maintenance at the run's start failed it for good, and it missed its promise."""
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", '{"conn_type": "postgres", "host": "127.0.0.1", "port": 1}')
    with pytest.raises(TaskDeferred) as waits:
        start_waiting()
    assert isinstance(waits.value.trigger, UpstreamFresh)
    assert waits.value.trigger.tables == sorted(TABLES, reverse=True)


def test_a_warehouse_that_nobody_defined_fails_the_task(monkeypatch: pytest.MonkeyPatch) -> None:
    """No wait mends that."""
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", "nonsense")
    with pytest.raises(Unreadable, match="AIRFLOW_CONN_WAREHOUSE is no connection"):
        start_waiting()


BROKEN_SINCE = {
    "no YAML any more": lambda text: text.replace("title:", "title: [", 1),
    "no head": lambda text: text.replace("---", "- -", 1),
    "another table": lambda text: text.replace("master.sessions", "master.session", 1),
    "no list": lambda text: re.sub(r"(?m)^upstream:.*$", "upstream: 7", text),
    "empty": lambda text: "",
}


@pytest.mark.parametrize("how", BROKEN_SINCE)
def test_a_runbook_that_got_broken_is_waited_by_as_it_was(
    site: Any, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """It told no upstream, so the run waited for nothing and published what was there."""
    store = Wiring().store()
    store.install()
    config_in_force(store)
    monkeypatch.setattr(current_config, "_folders", {})  # a worker's process knows nothing of before
    runbook = site.include / "runbooks" / "growth_etl.md"
    good = runbook.read_text()
    runbook.write_text(BROKEN_SINCE[how](good))
    assert runbook.read_text() != good
    with pytest.raises(TaskDeferred) as waits:
        start_waiting()
    assert isinstance(waits.value.trigger, UpstreamFresh)
    assert waits.value.trigger.tables == sorted(TABLES, reverse=True)


def test_a_zone_that_got_broken_cuts_the_day_as_it_did(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """By another zone the report of a day would count other hours."""
    roster = site.include / "roster.yaml"
    roster.write_text(roster.read_text().replace('timezone: "+07:00"', "timezone: Asia/Tokyo"))
    store = Wiring().store()
    store.install()
    config_in_force(store)
    monkeypatch.setattr(current_config, "_folders", {})
    roster.write_text(roster.read_text().replace("Asia/Tokyo", "Asia/Tokio"))
    assert terms_in_force("growth_etl").zone.name == "Asia/Tokyo"


def test_a_runbook_that_was_never_good_starts_nothing(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody knows what it would have to wait for: that is told, and nothing is published."""
    Wiring().store().install()
    runbook = site.include / "runbooks" / "growth_etl.md"
    runbook.write_text(runbook.read_text().replace("title:", "title: [", 1))
    with pytest.raises(ConfigError, match="growth_etl"):
        start_waiting()


NEVER_TOLD = {
    "no list": (
        BROKEN_SINCE["no list"],
        "runbooks/growth_etl.md:[0-9]+: upstream: found '7'; write a list of tables",
    ),
    "another table": (BROKEN_SINCE["another table"], "did you mean master.sessions"),
    "misspelt key": (lambda text: text.replace("upstream:", "upstreams:", 1), "did you mean upstream"),
    "twice": (
        lambda text: text.replace("upstream:", "upstream: [master.orders]\nupstream:", 1),
        "the same key again",
    ),
    "misspelt team": (lambda text: text.replace("title:", "teem: growth\ntitle:", 1), "did you mean team"),
    "no such team": (
        lambda text: text.replace("title:", "team: growth\ntitle:", 1),
        "teams/growth/roster.yaml",
    ),
}


@pytest.mark.parametrize("without", ["", "oncall_db"])
@pytest.mark.parametrize("how", NEVER_TOLD)
def test_a_runbook_that_never_told_what_to_wait_for_fails_the_run(
    site: Any, monkeypatch: pytest.MonkeyPatch, how: str, without: str
) -> None:
    """It was waited for what could be read of it, so the run published what was there. So it was of one that got
    broken while nobody could ask `oncall_db` what it said before."""
    if without:
        refused = '{"conn_type": "postgres", "host": "127.0.0.1", "port": 1}'
        monkeypatch.setenv("AIRFLOW_CONN_ONCALL_DB", refused)
    else:
        Wiring().store().install()
    monkeypatch.setattr(current_config, "_folders", {})
    runbook = site.include / "runbooks" / "growth_etl.md"
    broken, told = NEVER_TOLD[how]
    good = runbook.read_text()
    runbook.write_text(broken(good))
    assert runbook.read_text() != good
    with pytest.raises(ConfigError, match=told):
        start_waiting()


def test_a_promise_that_was_never_told_holds_no_run(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says when to warn, not what to wait for."""
    Wiring().store().install()
    monkeypatch.setattr(current_config, "_folders", {})
    runbook = site.include / "runbooks" / "growth_etl.md"
    runbook.write_text(re.sub(r"(?m)^promise:.*$", "promise: {due: late}", runbook.read_text()))
    with pytest.raises(TaskDeferred) as waits:
        start_waiting()
    assert isinstance(waits.value.trigger, UpstreamFresh)
    assert waits.value.trigger.tables == sorted(TABLES, reverse=True)


def test_a_slip_that_changes_nothing_asks_nobody(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run needs no `oncall_db` for a leave that cannot be read."""
    roster = site.include / "roster.yaml"
    roster.write_text(roster.read_text().replace("manager: DE-MANAGER", "manager: NOBODY"))
    monkeypatch.setenv("AIRFLOW_CONN_ONCALL_DB", '{"conn_type": "postgres", "host": "127.0.0.1", "port": 1}')
    with pytest.raises(TaskDeferred):
        start_waiting()


def test_it_wakes_once_at_the_warning_time_and_names_the_table(site: Any) -> None:
    """Late at the warning time: the event tells the task what to warn of."""
    at = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=1)
    event = asyncio.run(first_event(UpstreamFresh(TABLES, yesterday().isoformat(), at, 5.0)))
    assert event["fresh"] is False
    assert "master.sessions has not arrived" in event["words"]
    assert dt.datetime.now(dt.UTC) >= at


@pytest.mark.parametrize("tables", [["master.customers"], TABLES], ids=["all is there", "time to warn"])
def test_no_task_goes_on_before_the_scheduler_has_heard_that_it_waits(
    site: Any, monkeypatch: pytest.MonkeyPatch, tables: list[str]
) -> None:
    """It took a task that was resumed within its own second for killed: a person was woken, for nothing."""
    monkeypatch.setattr(upstream_trigger, "HEARD_WITHIN_S", 1.5)
    began = dt.datetime.now(dt.UTC)
    asyncio.run(first_event(UpstreamFresh(tables, yesterday().isoformat(), began, 0.1)))
    assert dt.datetime.now(dt.UTC) - began > dt.timedelta(seconds=1.4)


def test_all_who_wait_share_one_query_a_poll(site: Any) -> None:
    """Ten sensors poll as often as one."""
    reads = 0
    read = upstream_trigger._POLL._read

    def counted() -> Any:
        nonlocal reads
        reads += 1
        return read()

    async def ten() -> None:
        upstream_trigger._POLL._read = counted  # type: ignore[method-assign]
        at = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=3)
        day = yesterday().isoformat()
        await asyncio.gather(*(first_event(UpstreamFresh(TABLES, day, at, 1.0)) for _ in range(10)))

    asyncio.run(ten())
    assert 1 <= reads <= 6


def test_a_thousand_are_released_together(site: Any) -> None:
    """All wait for one table; its load row comes, and the next poll wakes them all."""

    async def thousand() -> float:
        waiting = [
            asyncio.create_task(first_event(UpstreamFresh(TABLES, yesterday().isoformat(), None, 0.5)))
            for _ in range(1000)
        ]
        await asyncio.sleep(1)
        with psycopg2.connect(site.warehouse) as connection:
            pass
        await asyncio.to_thread(Loader(connection, 0.01).load, yesterday(), ["sessions"])
        began = asyncio.get_running_loop().time()
        events = await asyncio.wait_for(asyncio.gather(*waiting), 20)
        assert all(event["fresh"] for event in events)
        return asyncio.get_running_loop().time() - began

    assert asyncio.run(thousand()) < 5
    assert upstream_trigger._POLL.waiting == set()


def test_whoever_waits_follows_a_warehouse_that_is_written_anew(
    site: Any, fresh_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one before still answered, and nothing ever came there: a triggerer lives for weeks."""
    monkeypatch.setattr(upstream_trigger, "RENEW_S", 0.5)
    written = os.environ["AIRFLOW_CONN_WAREHOUSE"]
    elsewhere = {**json.loads(written), "schema": fresh_database.partition("?")[0].rpartition("/")[2]}
    with closing(psycopg2.connect(fresh_database)) as connection:
        create_schema(connection)

    async def wait_and_move() -> dict[str, Any]:
        monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(elsewhere))
        trigger = UpstreamFresh(["master.customers"], yesterday().isoformat(), None, 0.2)
        waiting = asyncio.create_task(first_event(trigger))
        await asyncio.sleep(1)
        monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", "nonsense")
        await asyncio.sleep(1)
        assert not waiting.done()
        monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", written)
        return await asyncio.wait_for(waiting, 10)

    assert asyncio.run(wait_and_move())["fresh"] is True


def test_a_fault_of_our_own_fails_the_tasks_that_wait() -> None:
    """Nobody waits for ever for a poll that is dead; who comes later has one of their own."""

    def broken() -> Any:
        raise KeyError("a column that nobody expected")

    async def two() -> None:
        upstream_trigger._POLL._read = broken  # type: ignore[method-assign]
        for _ in range(2):
            with pytest.raises(KeyError):
                await asyncio.wait_for(first_event(UpstreamFresh(TABLES, "2026-11-22", None, 1.0)), 10)

    asyncio.run(two())


def test_a_trigger_survives_its_serialisation() -> None:
    """Another triggerer takes it over with the same words."""
    trigger = UpstreamFresh(TABLES, "2026-11-22", dt.datetime(2026, 11, 22, 20, 30, tzinfo=dt.UTC), 10.0)
    path, said = trigger.serialize()
    assert path == "pipelines.upstream_trigger.UpstreamFresh"
    assert UpstreamFresh(**said).serialize() == (path, said)
