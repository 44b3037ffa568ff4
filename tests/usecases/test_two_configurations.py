"""A release while a report is late: for a while two hosts look with two configurations, and pipelines come and go."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from oncall.config.oncall_config import OncallConfig
from oncall.core.errors import Problem
from oncall.core.promises.promise import Promise
from oncall.usecases import watch_record
from oncall.usecases.current_config import BROKEN, say_configuration
from oncall.usecases.ports import Drill, EvaluationInputs
from tests.usecases.conftest_night import DAY, Night, a_setup, at

KEY = f"growth_etl:{DAY}"
TICK = dt.timedelta(seconds=7)


@pytest.fixture
def broken(night: Night) -> Night:
    night.world.missing("growth_etl")
    return night


def without_growth(config: OncallConfig) -> OncallConfig:
    rest = {name: each for name, each in config.pipelines.items() if name != "growth_etl"}
    return replace(config, pipelines=rest)


def due_at_seven(config: OncallConfig) -> OncallConfig:
    later = replace(config.pipelines["growth_etl"], promise=Promise(dt.time(7), dt.time(3, 30)))
    return replace(config, pipelines={**config.pipelines, "growth_etl": later})


def renamed(config: OncallConfig) -> OncallConfig:
    growth = replace(config.pipelines["growth_etl"], dag_id="growth_of_users")
    return replace(config, pipelines={**without_growth(config).pipelines, "growth_of_users": growth})


OTHER = pytest.mark.parametrize("other", [without_growth, due_at_seven])
Hosts = dict[str, OncallConfig]
Change = Callable[[OncallConfig], OncallConfig]


@pytest.fixture
def looks_by_turns(broken: Night, monkeypatch: pytest.MonkeyPatch) -> Callable[[Hosts, str, str], None]:
    """Each host by its own configuration, every few seconds another one."""

    def look(hosts: Hosts, start: str, end: str) -> None:
        now, number = at(start), 0
        while now < at(end):
            host, broken.config = list(hosts.items())[number % len(hosts)]
            monkeypatch.setattr(watch_record, "HOST", host)
            broken.look(now.time().isoformat())
            now, number = now + TICK, number + 1

    return look


def is_ringing(night: Night) -> bool:
    return any(alert.open for alert in night.pager.alerts.values())


def woken(night: Night) -> list[str]:
    return [page.recipients[0].name for page in night.pager.paged if page.priority == "P1"]


@pytest.mark.parametrize("other", [without_growth, due_at_seven, renamed])
def test_two_hosts_with_two_configurations_page_once(
    broken: Night, looks_by_turns: Any, other: Change
) -> None:
    """One of them ended what the other one opened anew: the primary was paged at every look of the release."""
    ours = broken.config
    broken.world.missing("growth_of_users")
    looks_by_turns({"old": ours, "new": ours}, "05:00", "05:00:10")
    looks_by_turns({"new": other(ours), "old": ours}, "05:00:14", "05:16")
    assert woken(broken) == ["DE-003", "DE-004"]
    assert len(broken.chat.threads) == 1


@OTHER
def test_two_processes_of_one_host_that_read_two_folders_page_once(
    broken: Night, monkeypatch: pytest.MonkeyPatch, other: Change
) -> None:
    """One was restarted with the new release, the other not yet."""
    configs = {"/releases/41/include": broken.config, "/releases/42/include": other(broken.config)}
    now = at("05:00")
    for number in range(140):
        folder = list(configs)[number % 2]
        monkeypatch.setenv("ONCALL_INCLUDE_DIR", folder)
        broken.config = configs[folder]
        broken.look(now.time().isoformat())
        now += TICK
    assert woken(broken) == ["DE-003", "DE-004"]


@OTHER
@pytest.mark.parametrize("both", [True, False], ids=["the other has it too", "the other looks no more"])
def test_what_no_host_promises_any_more_ends(
    broken: Night, looks_by_turns: Any, other: Change, both: bool
) -> None:
    """As soon as each that looks has the new configuration; and nobody is called meanwhile."""
    ours = broken.config
    theirs = other(ours)
    looks_by_turns({"old": ours, "new": ours}, "05:00", "05:00:10")
    looks_by_turns({"new": theirs, "old": ours}, "05:00:14", "05:10")
    assert is_ringing(broken)
    looks_by_turns(
        {"new": theirs, **({"old": theirs} if both else {})}, "05:10", "05:10:28" if both else "05:18"
    )
    assert woken(broken) == ["DE-003"]
    assert not is_ringing(broken)
    assert [post.step for post, _ in broken.chat.posts][1:] in (["removed"], ["moved"])


@OTHER
def test_on_one_host_it_ends_at_the_next_look(broken: Night, looks_by_turns: Any, other: Change) -> None:
    """Nobody else can open it anew."""
    looks_by_turns({"one": broken.config}, "05:00", "05:03")
    looks_by_turns({"one": other(broken.config)}, "05:03", "05:03:05")
    assert not is_ringing(broken)
    assert woken(broken) == ["DE-003"]


def test_a_pipeline_that_is_new_at_ten_was_not_late_at_five(broken: Night) -> None:
    """The next morning it is."""
    broken.config = without_growth(a_setup())
    for clock in ("05:00", "09:59"):
        broken.look(clock)
    broken.config = a_setup()
    for clock in ("10:00", "10:00:15", "12:00"):
        broken.look(clock)
    assert woken(broken) == []
    assert broken.chat.posts == []
    broken.world.facts["growth_etl", DAY + dt.timedelta(days=1)] = broken.world.facts["growth_etl", DAY]
    broken.look("05:00", DAY + dt.timedelta(days=2))
    assert woken(broken) == ["DE-004"]


def test_a_pipeline_that_went_by_a_slip_and_is_back_is_judged_as_ever(broken: Night) -> None:
    """It was promised before: what fell due meanwhile is paged."""
    broken.look("04:00")
    broken.config = without_growth(a_setup())
    broken.look("05:00")
    broken.config = a_setup()
    broken.look("05:05")
    assert woken(broken) == ["DE-003"]


@pytest.mark.parametrize("acknowledged", [False, True])
def test_a_dag_that_is_renamed_goes_on_under_its_new_name(broken: Night, acknowledged: bool) -> None:
    """Its report is the one that was promised: nobody is called again for it, and it ends with the report."""
    broken.look("05:00")
    if acknowledged:
        broken.acknowledge(f"{KEY}:page-1-primary", "de-003@example.com")
        broken.look("05:01")
    broken.config = renamed(broken.config)
    broken.world.missing("growth_of_users")
    for clock in ("05:05", "05:10", "05:20"):
        broken.look(clock)
    assert woken(broken) == ["DE-003"] + ["DE-004"] * (not acknowledged)
    broken.world.publish("growth_of_users", at("05:21"))
    broken.look("05:21:15")
    assert not is_ringing(broken)
    assert len(broken.chat.threads) == 1


def test_a_drill_of_a_new_pipeline_makes_it_late_for_nobody(
    broken: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is about the same report of the same day; the real one was due before it was promised."""
    broken.config = without_growth(a_setup())
    broken.look("09:59")
    broken.config = a_setup()
    drill = Drill("mine", "growth_etl", DAY, at("10:01"), at("10:02"))
    broken.look("10:00")
    before = broken.store.evaluation_inputs

    def with_drill(when: dt.datetime, names: Sequence[str]) -> EvaluationInputs:
        return replace(before(when, names), drills=[drill])

    monkeypatch.setattr(broken.store, "evaluation_inputs", with_drill)
    for clock in ("10:02", "10:02:15", "10:03"):
        broken.look(clock)
    assert [page.key for page in broken.pager.paged] == [f"drill-mine:{KEY}"]


OF_A, OF_B = ((Problem("roster.yaml", "people", found, "something else"),) for found in "ab")
# Seconds after ten, the host, its problems; and what is said of it.
READS: list[tuple[str, list[tuple[int, str, tuple[Problem, ...]]], list[str]]] = [
    ("one host", [(0, "a", OF_A), (15, "a", OF_A), (30, "a", ())], ["broken", "mended"]),
    (
        "a slip after another",
        [(0, "a", OF_A), (15, "a", OF_B), (30, "a", ())],
        ["broken", "broken", "mended"],
    ),
    ("one of two hosts", [(n * 15, "ab"[n % 2], (OF_A, ())[n % 2]) for n in range(80)], ["broken"]),
    ("both alike", [(n * 15, "ab"[n % 2], OF_A) for n in range(80)], ["broken"]),
    (
        "two in two ways",
        [(n * 15, "ab"[n % 2], (OF_A, OF_B)[n % 2]) for n in range(80)],
        ["broken", "broken"],
    ),
    ("mended on one", [(0, "a", OF_A), (5, "b", OF_A), (60, "a", ()), (65, "b", OF_A)], ["broken"]),
    (
        "mended on both",
        [(0, "a", OF_A), (5, "b", OF_A), (60, "a", ()), (65, "b", ()), (80, "a", ())],
        ["broken", "mended"],
    ),
    (
        "one that is gone",
        [(0, "a", OF_A), (5, "b", ()), (400, "b", ()), (430, "b", ())],
        ["broken", "mended"],
    ),
]


@pytest.mark.parametrize(("reads", "said"), [row[1:] for row in READS], ids=[row[0] for row in READS])
def test_files_that_are_broken_on_one_host_alone_are_told_once(
    night: Night,
    monkeypatch: pytest.MonkeyPatch,
    reads: list[tuple[int, str, tuple[Problem, ...]]],
    said: list[str],
) -> None:
    """Each look of the other one said that all was in order again, and the next one that it was broken."""
    night.store.set_note(BROKEN, "0123456789ab")  # as it was written before hosts were told apart
    for seconds, host, problems in reads:
        night.now = at("10:00") + dt.timedelta(seconds=seconds)
        monkeypatch.setattr(watch_record, "HOST", host)
        say_configuration(night.store, night.dispatch().scene(night.now), problems)
        night.dispatch().posts()
    assert [post.step.partition(":")[0] for post, _ in night.chat.posts] == said
