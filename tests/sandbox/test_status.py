"""`make status`: what is open and whether the watcher looks, also while a database is closed."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from oncall.adapters.memory_store import MemoryStore
from oncall.config.oncall_config import OncallConfig, load
from oncall.core.errors import Unreadable
from oncall.core.incidents.incident import Incident
from oncall.core.promises.attainment import FirstPublished
from oncall.usecases import current_config
from oncall.usecases.current_config import config_in_force
from oncall.usecases.history import IncidentRecord, SystemHealth
from sandbox.stack.environment import REPOSITORY
from sandbox.stack.status import broken, dead, in_force, incidents, promises, watching
from tests.include_folder import write_include

AT = dt.datetime(2026, 11, 27, 0, tzinfo=dt.UTC)  # seven in the morning
OPEN = Incident(
    key="profit_etl:2026-11-26",
    dag_id="profit_etl",
    report_date=dt.date(2026, 11, 26),
    opened_at=AT,
    due=AT,
    verdict="broken",
    paged_at=AT,
)


@pytest.fixture(scope="module")
def config() -> OncallConfig:
    return load(REPOSITORY / "include")


def test_a_broken_roster_hides_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The watcher goes by the last good files, and so does what is told of people, promises and incidents."""
    monkeypatch.setattr(current_config, "_folders", {})
    include, store = write_include(tmp_path), MemoryStore()
    assert in_force(store, include)[1] == ()
    config_in_force(store, include)  # as the watcher does
    (include / "roster.yaml").write_text("timezone: [")
    current_config._folders.clear()
    config, problems = in_force(store, include)
    assert config is not None
    assert "ANN" in config.roster.people
    assert broken(problems, known=True) == "1 problem; the last good files stay in force:"
    current_config._folders.clear()
    nobody, problems = in_force(MemoryStore(), include)
    assert nobody is None
    assert broken(problems, known=False).endswith("no good files are known:")


def closed(*_: object) -> Any:
    raise Unreadable("warehouse: connection refused")


def test_a_closed_database_is_told_and_the_rest_goes_on(config: OncallConfig) -> None:
    """Each part for itself, without a traceback."""
    shut: Any = SimpleNamespace(published=closed, records=closed, system_health=closed)
    assert list(promises(shut, config, AT)) == [("Promises", "cannot be told: warehouse: connection refused")]
    [(label, text)] = incidents(shut, config, AT)
    assert (label, "cannot be told" in text) == ("Incidents", True)


def test_each_promise_is_told_by_what_was_published(config: OncallConfig) -> None:
    """Kept, late or not published, of the report that was due last and of the next one."""
    at = {
        "investor.daily_profit": {dt.date(2026, 11, 26): FirstPublished(AT - dt.timedelta(hours=3))},
        "investor.daily_engagement": {dt.date(2026, 11, 26): FirstPublished(AT - dt.timedelta(hours=1))},
        "investor.daily_growth": {dt.date(2026, 11, 25): FirstPublished(AT)},
    }
    published: Any = SimpleNamespace(published=lambda reports, since: at)
    assert [text for _, text in promises(published, config, AT)] == [
        "Profit ETL of 2026-11-26: kept, published 27 November 04:00, due 05:00",
        "Profit ETL of 2026-11-27: not published yet, due 28 November 05:00",
        "Engagement ETL of 2026-11-26: late, published 27 November 06:00, due 05:00",
        "Engagement ETL of 2026-11-27: not published yet, due 28 November 05:00",
        "Growth ETL of 2026-11-26: not published, due 27 November 05:00",
        "Growth ETL of 2026-11-27: not published yet, due 28 November 05:00",
    ]


def test_what_is_open_is_listed(config: OncallConfig) -> None:
    """With its key and how it stands; what is over is not."""
    over = replace(OPEN, key="growth_etl:2026-11-25", resolved_at=AT)
    records = [IncidentRecord(one) for one in (OPEN, over)]
    history: Any = SimpleNamespace(system_health=lambda: SystemHealth(AT), records=lambda *_: records)
    told = dict(incidents(history, config, AT))
    assert told["Open"].startswith("profit_etl:2026-11-26: Paged at 07:00")
    history.records = lambda *_: []
    assert dict(incidents(history, config, AT))["Open"] == "no incident"


@pytest.mark.parametrize(
    ("seconds", "said"), [(None, "has never looked"), (7, "looked 7 s ago"), (61, "DOES NOT LOOK: looked ")]
)
def test_whether_the_watcher_looks(seconds: int | None, said: str) -> None:
    """By its own note of when it looked last."""
    tick = None if seconds is None else AT - dt.timedelta(seconds=seconds)
    assert watching(tick, AT).startswith(said)


def test_what_does_not_run_is_told_with_the_way_to_start_it() -> None:
    """While `make up` fills the past, it starts the scheduler itself at the end."""
    assert list(dead([], coming_up=False)) == list(dead([], coming_up=True)) == []
    assert list(dead(["triggerer"], coming_up=False)) == [
        ("Not running", "triggerer; start it with: make up")
    ]
    ((label, said),) = dead(["scheduler"], coming_up=True)
    assert (label, said.partition(";")[0]) == ("Not yet", "scheduler")
    assert "start it with" not in said
