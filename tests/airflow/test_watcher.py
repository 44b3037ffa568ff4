"""The watcher on real databases and a real inbox: pages to the moment, once, and goes on whatever fails."""

from __future__ import annotations

import asyncio
import datetime as dt
import runpy
import socket
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import pytest

from oncall.airflow import callbacks, look, page_reading, watcher
from oncall.airflow.composition import Wiring
from oncall.airflow.page_reading import PageReading
from oncall.airflow.run_once import evaluate_once
from oncall.core.errors import DeliveryFailed, Unreadable
from oncall.usecases import mutual_watch, timekeeping
from oncall.usecases.dispatch import Dispatch
from oncall.usecases.mutual_watch import SLA_WATCH_LOOKED
from oncall.usecases.promise_statuses import LOOKING
from oncall.usecases.timekeeping import ODD_CLOCKS
from oncall.usecases.watch_record import SINCE
from sandbox.stack.environment import REPOSITORY
from tests.airflow.watching import ZONE, pages, soon, threads, watch


def test_the_page_is_taken_within_a_second_of_the_due_instant(site: Any) -> None:
    """Not before it, and once; the thread has it too; the heartbeat has been told that we live."""
    due = soon(8)
    site.promise(due.timetz().replace(tzinfo=None), (due - dt.timedelta(seconds=3)).time())
    asyncio.run(watch(lambda: bool(pages(site)) and len(site.inbox.messages()) >= 2, 25))
    (page,) = pages(site)
    taken = page.created_at - due.timestamp()
    assert 0 <= taken < 1.0, f"taken {taken:.3f} s after the due instant"
    assert len(threads(site)) == 1
    assert site.inbox.calls(operation="ping")


def test_a_broken_roster_is_told_once_and_the_last_good_one_stays_in_force(site: Any) -> None:
    """The notice names file, key and what to write; the page still finds the right person; mending is said too."""
    due = soon(9)
    site.promise(due.timetz().replace(tzinfo=None), (due - dt.timedelta(seconds=3)).time())
    evaluate_once()
    roster = site.include / "roster.yaml"
    good = roster.read_text()
    roster.write_text(good.replace("manager: DE-MANAGER", "manager: NOBODY"))
    asyncio.run(watch(lambda: bool(pages(site)), 25))
    (notice,) = [m for m in site.inbox.messages(thread_ts=None) if "configuration is broken" in m.text]
    assert "roster.yaml" in str(notice.blocks)
    assert len(pages(site)) == 1
    roster.write_text(good)
    evaluate_once()
    assert any("in order again" in m.text for m in site.inbox.messages())


def test_a_wrong_clock_stays_wrong_while_a_database_is_away(
    site: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With one clock left beside it, nobody tells which is wrong: it paged ten minutes early, and was told as right."""

    def away() -> dt.datetime:
        raise Unreadable("the warehouse is away")

    def off_s() -> float:
        looker.prepare()
        return (looker.clock() - dt.datetime.now(dt.UTC)).total_seconds()

    looker = look.Looker()
    monkeypatch.setattr(timekeeping, "utc_now", lambda: dt.datetime.now(dt.UTC) + dt.timedelta(minutes=10))
    assert off_s() == pytest.approx(0, abs=2)
    known = Wiring().store().get_note(ODD_CLOCKS)
    assert f"host {socket.gethostname()}" in (known or "")
    monkeypatch.setattr(look, "clocks_of", lambda store, _: {"oncall_db": store.clock, "warehouse": away})
    assert off_s() == pytest.approx(0, abs=2)
    assert Wiring().store().get_note(ODD_CLOCKS) == known
    alone = look.Looker()
    alone.prepare()
    alone.prepare()
    assert (alone.clock() - dt.datetime.now(dt.UTC)).total_seconds() == pytest.approx(600, abs=2)
    assert Wiring().store().get_note(ODD_CLOCKS) == known, "who has just begun cannot tell"


def test_the_watcher_tells_that_sla_watch_has_not_looked(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the DAG's task notes, the watcher waits for; whoever else looks once does not stand for it."""
    evaluate_once()
    store = Wiring().store()
    assert store.get_note(SLA_WATCH_LOOKED) is None
    runpy.run_path(str(REPOSITORY / "dags" / "sla_watch.py"))["look"].function()
    assert store.get_note(SLA_WATCH_LOOKED)
    for name in ("SLA_WATCH_SILENT_AFTER", "SLA_WATCH_TOLD_AFTER"):
        monkeypatch.setattr(mutual_watch, name, dt.timedelta(seconds=2))
    monkeypatch.setattr(page_reading, "SLA_WATCH_MISSED_AFTER", dt.timedelta(seconds=4))

    def told() -> bool:
        return any(
            "The DAG sla_watch has not looked since" in message.text for message in site.inbox.messages()
        )

    asyncio.run(watch(told, 25))
    assert told()
    assert [trouble.name for trouble in PageReading(Wiring()).read(dt.datetime.now(ZONE)).warnings] == [
        "sla_watch"
    ]


@pytest.mark.parametrize(
    ("looked_s", "trial", "looks"), [(5, "", False), (300, "", True), (None, "", True), (None, "True", False)]
)
def test_a_task_that_is_done_looks_where_nobody_else_does(
    site: Any, monkeypatch: pytest.MonkeyPatch, looked_s: int | None, trial: str, looks: bool
) -> None:
    """Somebody paused `sla_watch`: there is neither watcher nor DAG, and the night's tasks are all that runs."""
    due = soon(-5)
    site.promise(due.timetz().replace(tzinfo=None), (due - dt.timedelta(seconds=3)).time())
    monkeypatch.setenv("AIRFLOW_TEST_MODE", trial)
    store, now = Wiring().store(), dt.datetime.now(ZONE)
    store.install()
    store.set_note(SINCE, (due - dt.timedelta(hours=5)).isoformat())
    if looked_s is not None:
        looked = now - dt.timedelta(seconds=looked_s)
        store.set_note(LOOKING, f"{looked.isoformat()} {looked.isoformat()}")
    run = SimpleNamespace(partition_key=str(now.date()), conf={}, run_after=now)
    ti = SimpleNamespace(dag_id="profit_etl", run_id="r", task_id="transform", try_number=1, log_url="")
    callbacks.succeeded({"ti": ti, "dag_run": run})
    assert bool(pages(site)) is looks


@pytest.mark.parametrize("callback", [callbacks.succeeded, callbacks.failed])
def test_a_task_that_is_over_looks_no_longer_than_airflow_lets_it(
    site: Any, monkeypatch: pytest.MonkeyPatch, callback: Callable[[Any], None]
) -> None:
    """Its process is ended (`task_success_overtime`), whatever it is about to write down."""
    monkeypatch.setenv("AIRFLOW__CORE__TASK_SUCCESS_OVERTIME", "8")
    due = soon(-5)
    site.promise(due.timetz().replace(tzinfo=None), (due - dt.timedelta(seconds=3)).time())
    store, now = Wiring().store(), dt.datetime.now(ZONE)
    store.install()
    store.set_note(SINCE, (due - dt.timedelta(hours=5)).isoformat())
    site.inbox.fail("*", kind="hang")
    run = SimpleNamespace(partition_key=str(now.date()), conf={}, run_after=now)
    ti = SimpleNamespace(dag_id="profit_etl", run_id="r", task_id="transform", try_number=1, log_url="")
    began = time.monotonic()
    callback({"ti": ti, "dag_run": run})
    assert time.monotonic() - began < 8
    assert store.waiting()
    site.inbox.heal()


def test_looks_from_many_sides_page_once(site: Any) -> None:
    """The watcher, a worker and the native deadline notice in the same second."""
    due = soon(7)
    site.promise(due.timetz().replace(tzinfo=None), (due - dt.timedelta(seconds=3)).time())
    evaluate_once()

    async def all_at_once() -> None:
        wait = (due - dt.datetime.now(ZONE)).total_seconds()

        def at_due() -> None:
            time.sleep(max(0, wait))
            evaluate_once()

        looking = [asyncio.to_thread(at_due) for _ in range(3)]
        await asyncio.gather(
            watch(lambda: bool(pages(site)), 20), watch(lambda: bool(pages(site)), 20), *looking
        )

    asyncio.run(all_at_once())
    evaluate_once()
    assert len(pages(site)) == 1
    assert pages(site)[0].count == 1
    assert len([m for m in site.inbox.messages() if "late since" in m.text]) == 1
    assert len(threads(site)) == 1


def test_alerts_that_nobody_knows_of_are_asked_for_until_the_pager_answers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It fails twice just as a watcher begins; once it has answered it is not asked again."""
    monkeypatch.setattr(watcher, "ACK_POLL_S", 0.01)
    rounds: list[int] = []
    asked: list[int] = []

    class Asking:
        seen = "a look"

        def lost_alerts(self) -> None:
            asked.append(len(rounds))
            if len(asked) < 3:
                raise DeliveryFailed("500")

    class Beginning(watcher.Watch):
        def _dispatch(self, *_: Any) -> Any:
            rounds.append(len(asked))
            return Asking()

    async def until_ten_rounds() -> None:
        hearing = asyncio.create_task(Beginning(15.0).sync_acknowledgements())
        while len(rounds) < 10 and not hearing.done():
            await asyncio.sleep(0.01)
        hearing.cancel()
        with suppress(asyncio.CancelledError):
            await hearing

    asyncio.run(asyncio.wait_for(until_ten_rounds(), 20))
    assert asked == [1, 2, 3]


@pytest.mark.parametrize("turns", range(4))
def test_a_watcher_that_is_stopped_in_the_instant_in_which_a_wait_ends_stops(turns: int) -> None:
    """Python 3.11's `asyncio.wait_for` forgets that it was cancelled then: two watchers would go on side by side."""

    class Still(watcher.Watch):
        async def _send(self, *_: Any) -> None:
            """Nothing is owed."""

        async def sleep(self) -> None:
            while True:
                await self._sleep_until(self.looker.clock() + dt.timedelta(minutes=1))

    async def stopped(event: asyncio.Event, loop: Coroutine[Any, Any, None]) -> bool:
        running = asyncio.create_task(loop)
        for _ in range(5):
            await asyncio.sleep(0)
        event.set()
        for _ in range(turns):  # turns of the loop between what is waited for and whoever waits for it
            await asyncio.sleep(0)
        running.cancel()
        await asyncio.wait([running], timeout=0.5)
        ended = running.done()
        running.cancel()
        return ended

    async def both() -> tuple[bool, bool]:
        watch_ = Still(15.0)
        sends = watch_.send("chat", Dispatch.posts)
        return await stopped(watch_.look_now, watch_.sleep()), await stopped(watch_.owed["chat"], sends)

    assert asyncio.run(both()) == (True, True)
