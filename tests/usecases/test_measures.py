"""The numbers of a night, as whoever watches the watcher gets them."""

from __future__ import annotations

import datetime as dt
import re

from oncall.core.errors import DeliveryFailed
from oncall.core.promises.evaluation import DueTimes, evaluate_promise
from oncall.core.promises.facts import Facts, Task
from oncall.usecases.evaluate import Evaluation, evaluate
from oncall.usecases.metrics import MEASURES, of_look, of_sending, of_snapshot, of_tick
from oncall.usecases.ports import Reading
from tests.usecases.conftest_night import DAY, TZ, Night, at


def numbers(readings: list[Reading]) -> dict[str, float]:
    """By name and the tags' values: `oncall.sent.pager.page`."""
    return {".".join((one.name, *(value for _, value in one.tags))): one.value for one in readings}


def test_a_look_tells_how_every_promise_stands(night: Night) -> None:
    """Verdicts are counted, and each promise has one code: the worst of its reports."""
    night.world.missing("growth_etl")
    night.runs.of["growth_etl", DAY] = (Task("transform", "running", at("03:12")),)
    told = numbers([*of_look(night.look("05:00"), roster_valid=True, store_readable=True)])
    assert told["oncall.verdict.broken"] == 1
    assert told["oncall.promise.growth_etl"] == 4
    assert told["oncall.promise.profit_etl"] == 1
    assert "oncall.promise.unit_profit_experiments" not in told, "nothing was promised"
    assert told["oncall.readable.warehouse"] == told["oncall.readable.oncall_db"] == 1
    assert told["oncall.roster_valid"] == 1
    night.world.publish("growth_etl", at("05:42"))
    told = numbers([*of_look(night.look("05:43"), roster_valid=False, store_readable=False)])
    assert (told["oncall.verdict.broken"], told["oncall.verdict.late"]) == (0, 1)
    assert told["oncall.promise.growth_etl"] == 3
    assert told["oncall.roster_valid"] == told["oncall.readable.oncall_db"] == 0


def test_a_warehouse_that_cannot_be_read_is_told(night: Night) -> None:
    """Also while no promise is due."""
    night.world.down = "warehouse: connection refused"
    told = numbers([*of_look(night.look("02:00"), roster_valid=True, store_readable=True)])
    assert told["oncall.readable.warehouse"] == 0


def test_a_drill_breaks_no_promise(night: Night) -> None:
    """What is practised shows in no number of promises."""
    growth = night.config.pipelines["growth_etl"]
    drilled = evaluate_promise(
        growth, DAY, Facts(), at("11:06"), TZ, DueTimes(at("11:05"), at("11:00"), "one")
    )
    seen = Evaluation((drilled,), (), None, at("11:06"))
    told = numbers([*of_look(seen, roster_valid=True, store_readable=True)])
    assert drilled.verdict == "broken"
    assert told["oncall.verdict.broken"] == 0
    assert "oncall.promise.growth_etl" not in told


def test_the_first_page_tells_how_long_after_the_due_instant_it_was_taken(night: Night) -> None:
    """From the promise's due time, not from when it was written down; only the first page is measured by it."""
    night.world.missing("growth_etl")
    night.look("04:29")
    night.pager.fail = [DeliveryFailed("timed out")]
    night.look("05:00")
    due = {"growth_etl:2026-11-22": at("05:00")}
    sent = night.send("05:00:04")[0]
    told = numbers([*of_sending("pager", sent, True, due)])
    assert told["oncall.page_delay"] == 4
    assert told["oncall.delivery_duration.pager"] == 4
    assert told["oncall.sent.pager.page"] == 1
    assert (told["oncall.retries.pager"], told["oncall.failures.pager"]) == (1, 0)
    night.look("05:14:59")
    night.look("05:15")
    assert night.steps == ["page-1-primary", "page-2-secondary"]


def test_a_failing_channel_is_told(night: Night) -> None:
    """Each try that was not taken counts, and what waits for it is seen to wait."""
    night.world.missing("growth_etl")
    night.pager.fail = [DeliveryFailed("timed out")]
    evaluate(night.config, night.world, night.runs, night.store, night.links, at("05:00"))
    sent = night.send("05:00")[0]
    told = numbers([*of_sending("pager", sent, False, {})])
    assert (told["oncall.failures.pager"], told["oncall.retries.pager"]) == (1, 0)
    assert (told["oncall.sent.pager.page"], told["oncall.channel_up.pager"]) == (0, 0)
    waiting = numbers([*of_snapshot(night.store.snapshot(), at("05:00:30"))])
    assert waiting["oncall.incidents_open"] == 1
    assert waiting["oncall.outbox_owed"] >= 1
    assert waiting["oncall.outbox_oldest_seconds"] == 30


def test_a_quiet_round_tells_zeros(night: Night) -> None:
    """A series that began with its first failure would show no increase when it matters."""
    sent = night.send("02:00")[0]
    told = numbers([*of_sending("pager", sent, True, {})])
    assert told == {
        "oncall.sent.pager.page": 0,
        "oncall.failures.pager": 0,
        "oncall.retries.pager": 0,
        "oncall.channel_up.pager": 1,
    }
    assert numbers([*of_snapshot(night.store.snapshot(), at("02:00"))])["oncall.outbox_oldest_seconds"] == 0


def test_a_tick_tells_how_stale_the_sight_had_become() -> None:
    """The first look of a watcher has no look before it."""
    assert numbers([*of_tick(None, 0.25)]) == {"oncall.ticks": 1, "oncall.look_duration": 0.25}
    assert numbers([*of_tick(dt.timedelta(seconds=15), 0.25)])["oncall.tick_age_seconds"] == 15


def test_every_measure_is_named_after_airflow_s_manner() -> None:
    """What StatsD, Datadog and OpenTelemetry all take, and no tag that names a person or grows without end."""
    assert len({measure.name for measure in MEASURES}) == len(MEASURES)
    for measure in MEASURES:
        assert re.fullmatch(r"oncall\.[a-z_]+", measure.name)
        assert measure.meaning
        assert set(measure.tags) <= {"state", "pipeline", "database", "channel", "op"}
