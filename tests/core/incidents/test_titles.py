"""The one line that wakes somebody: cause × phase → the exact sentence, and what holds for every sentence."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oncall.core.incidents.titles import late_title, names, reason_of, short, titled
from oncall.core.incidents.wording import DRILL_MARK, Composer
from oncall.core.message import MOST_TITLE, Message, one_line
from oncall.core.promises.evaluation import PromiseStatus
from oncall.core.promises.facts import FailedCheck
from oncall.core.promises.why import Cause, Why
from tests.core.scenes import (
    CHECK,
    ENGAGEMENT,
    FAILED,
    GROWTH,
    PROFIT,
    TRANSFORMS,
    WAITED,
    a_dag,
    a_load,
    a_report,
    a_scene,
    a_task,
    an_incident,
    at,
    usually,
)

ADMIN = "OperationalError: terminating connection due to administrator command"
UNKNOWN = (
    "0 sessions of unknown customers",
    "1 in master.sessions.customer_id, such as session_id 7 (1); all of them:"
    " python -m oncall breaches 2026-11-22 --check sessions_have_customers",
)


def of(*dag_ids: str, why: Why | None = None) -> tuple[PromiseStatus, ...]:
    verdict: Any = "unknown" if why is not None and why.cause == "unknown" else "broken"
    return tuple(replace(a_report("05:00", dag_id), why=why, verdict=verdict) for dag_id in dag_ids)


def test_a_report_that_is_known_to_be_missing_is_late_though_nobody_can_tell_why() -> None:
    """Only what cannot be seen is not said to be late."""
    one = replace(of(GROWTH, why=Why("unknown", "oncall_db unreachable (refused)"))[0], verdict="broken")
    told = "Growth ETL, 22 Nov: late since 05:00, cannot tell: oncall_db unreachable (refused)"
    assert one_line(late_title((one,), "05:00")) == told


ENOUGH = replace(CHECK, name="sum")
LATE, PART = a_load(), a_load("master.orders", "02:00", 100)
BY_HAND = "marked as failed by B"
PID = "pid 7 (etl, alter table, since 03:20)"
BEGAN, RAN = a_task("(run)", "running", "02:00"), {"run": a_task("(run)", "success", "02:00", "03:40")}


def a_check(name: str, expected: str, found: str) -> dict[str, Any]:
    return {"failed_checks": (FailedCheck(name, expected, found),), "tasks": (WAITED, FAILED)}


def failing(error: str, task_id: str = "transform", ended: str = "02:40") -> dict[str, Any]:
    return {"tasks": (WAITED, a_task(task_id, "failed", "02:10", ended, error))}


def retrying(error: str, began: str = "04:20", **facts: Any) -> dict[str, Any]:
    return {"tasks": (WAITED, a_task("transform", "up_for_retry", "04:10", began, error)), **facts}


LONG: dict[str, Any] = {"usual": usually({"transform": 1500.0}, {"transform": 720.0}, {"transform": 3600.0})}


@pytest.mark.parametrize(
    ("facts", "words", "on"),
    [
        ({"loads": (LATE,)}, "waiting on master.sessions", "master.sessions"),
        ({"loads": (PART, LATE)}, "waiting on master.orders (partial), master.sessions",
         "master.orders, master.sessions"),
        ({"loads": tuple(a_load(f"master.t{n}") for n in range(4))}, "waiting on master.t0, master.t1 and 2 more",
         "master.t0, master.t1, master.t2, master.t3"),
        (
            {"loads": (LATE,), "tasks": (a_task("wait_for_upstream", "failed", "02:00", "03:00", "timed out"),)},
            "run gave up waiting on master.sessions", "master.sessions",
        ),
        ({"tasks": (TRANSFORMS,)}, "stuck in transform since 03:12", "Airflow"),
        (
            {"tasks": (a_task("transform", "running", "04:55"),), **LONG},
            "running in transform since 04:55, usually 12 min, expected 05:20", "Airflow",
        ),
        (
            {"tasks": (TRANSFORMS,), "blocked_by": PID, **LONG},
            f"stuck in transform since 03:12, usually 12 min, blocked by {PID}", "lock of pid 7 ",
        ),
        (
            {"tasks": (TRANSFORMS,), "blocked_by": "pid 7 (etl (nightly))"},
            "stuck in transform since 03:12, blocked by pid 7 (etl (nightly))", "lock of pid 7 ",
        ),
        (failing(ADMIN), "transform failed at 02:40: terminating connection due to administrator command",
         f"error: {ADMIN}"),
        (failing("master.orders: 10 rows"), "transform failed at 02:40: master.orders: 10 rows",
         "error: master.orders: # rows"),
        (failing("KeyError: 'x'"), "transform failed at 02:40: KeyError: 'x'", "error: KeyError: 'x'"),
        (failing(""), "transform failed at 02:40", ""),
        # Whatever words an error is made of, they are no cause.
        (failing("x; master.y has not arrived, blocked by z"),
         "transform failed at 02:40: x; master.y has not arrived, blocked by z",
         "error: x; master.y has not arrived, blocked by z"),
        (failing(BY_HAND), "transform was marked as failed by B at 02:40", ""),
        ({"run": a_task("(run)", "failed", "02:00", "02:40")}, "the run failed at 02:40", ""),
        ({"run": a_task("(run)", "failed", "02:00", "02:40", "timed out")}, "the run failed at 02:40: timed out",
         "error: timed out"),
        (
            {"run": a_task("(run)", "failed", "02:00", "02:40", BY_HAND), "loads": (PART, LATE)},
            "the run was marked as failed by B at 02:40; waiting on master.orders (partial), master.sessions", "",
        ),
        (a_check("identity", "0", "3"), "held: identity found 3, expected 0", ""),
        (
            {"failed_checks": (CHECK, ENOUGH), "tasks": (WAITED, FAILED)},
            "held by 2 checks, first identity: found 3, expected 0", "",
        ),
        (
            a_check("lines_are_unique", "0 order lines that come twice", "17, " * 20),
            "held: lines_are_unique found 17, 17, 17, 17, 17, 17, 17…, expected 0 order lines that come twice", "",
        ),
        (a_check("key", "0", "1 in master.orders.status, such as order_id\n7"),
         "held: key found 1 in master.orders, expected 0", "rows of master.orders"),
        (a_check("key", "0", "f" * 40), f"held: key found {'f' * 29}…, expected 0", ""),
        (
            a_check("sessions_have_customers", *UNKNOWN),
            "held: sessions_have_customers found 1 in master.sessions, expected 0 sessions of unknown…",
            "rows of master.sessions",
        ),
        (
            a_check(
                "sessions_are_as_many_as_loaded", "as many as loaded",
                "1 in master.loads.row_count, such as table_name sessions, business_day 2026-11-29 (15973 rows,"
                " but 0 of that day in master.sessions)",
            ),
            "held: sessions_are_as_many_as_loaded found 15973 rows, but 0 of that day…, expected as many as loaded",
            "rows of master.loads",
        ),
        (a_check("there", "a table", "no table master.orders"),
         "held: there found no table master.orders, expected a table", "rows of master.orders"),
        ({"dag": a_dag(paused=True)}, "DAG paused", "paused"),
        (
            {"dag": a_dag(import_error="SyntaxError: bad syntax (x.py, line 3)")},
            "DAG import error: bad syntax (x.py, line 3)", "import error: SyntaxError: bad syntax (x.py, line 3)",
        ),
        (
            {"dag": a_dag(paused=True, import_error="SyntaxError: bad")}, "DAG paused, import error: bad",
            "import error: SyntaxError: bad",
        ),
        ({"dag": a_dag(missing=True)}, "no DAG growth_etl in Airflow", "DAG files gone"),
        ({"dag": a_dag(paused=True, missing=True)}, "DAG paused, its file gone or broken", "DAG files gone"),
        (
            {"dag": a_dag(paused=True), "loads": (LATE, PART)},
            "DAG paused; waiting on master.sessions, master.orders (partial)", "paused",
        ),
        (RAN, "run green at 03:40, nothing published", ""),
        (
            {"run": a_task("(run)", "success", "02:00", "03:40", BY_HAND.replace("failed", "success"))},
            "run marked as success by B at 03:40, nothing published", "",
        ),
        ({"tasks": (WAITED, a_task("publish", ended="04:01"))}, "run green at 04:01, nothing published", ""),
        ({**RAN, "unreadable": ("a row is odd",)}, "run green at 03:40, nothing published", ""),
        ({"run": a_task("(run)", "deleted", "02:00", "04:00")}, "its run was deleted (seen at 04:00)", ""),
        (
            {"tasks": (WAITED, a_task("transform", "queued", "04:40"))},
            "stuck, transform cleared, no start since 04:40", "Airflow",
        ),
        (
            {"tasks": (WAITED, a_task("transform", "queued", "04:55"))},
            "running: transform was cleared and is about to start again, since 04:55", "Airflow",
        ),
        (
            {"tasks": (WAITED, a_task("transform", "queued", "03:58")), "dag": a_dag(paused=True)},
            "stuck, transform cleared, no start since 03:58, DAG paused", "paused",
        ),
        ({"run": BEGAN}, "stuck, no task heard of since 02:00", "Airflow"),
        ({"run": BEGAN, "dag": a_dag(paused=True)}, "stuck, no task heard of since 02:00, DAG paused", "paused"),
        ({"run": a_task("(run)", "running", "04:55")}, "running since 04:55, first task to start", "Airflow"),
        ({"tasks": (WAITED,)}, "stuck since 02:10, nothing heard after wait_for_upstream", "Airflow"),
        ({"tasks": (WAITED,), "dag": a_dag(paused=True)}, "stuck since 02:10, DAG paused", "paused"),
        (
            {"tasks": (a_task("check", ended="04:55"),)}, "running, check ended at 04:55, next task to start",
            "Airflow",
        ),
        (retrying(ADMIN, **LONG), "retrying transform since 04:20: terminating connection due to administrator command",
         f"error: {ADMIN}"),
        (retrying(ADMIN), "stuck retrying transform since 04:20: terminating connection due to administrator command",
         f"error: {ADMIN}"),
        (retrying("its process died, or never began", **LONG),
         "retrying transform since 04:20: its process died, or never began", "error: its process died, or never began"),
        (retrying("", **LONG), "retrying transform since 04:20, usually 12 min", "Airflow"),
        (retrying(ADMIN, blocked_by=PID), f"stuck retrying transform since 04:20, blocked by {PID}",
         "lock of pid 7 "),
        ({}, "never started: whether the DAG is paused is not known", "Airflow"),
        ({"dag": a_dag()}, "never started: no schedule: what starts it?", "Airflow"),
        ({"dag": a_dag(running=1)}, "never started: a run was open at 04:00", "Airflow"),
        ({"dag": a_dag(running=3)}, "never started: 3 runs were open at 04:00", "Airflow"),
        ({"dag": a_dag(), "schedule": "0 2 * * *"}, "never started: has it another schedule in Airflow?", "Airflow"),
        (
            {"dag": replace(a_dag(), seen_at=at("02:00")), "schedule": "0 2 * * *"},
            "never started: is the scheduler running?", "Airflow",
        ),
        ({"unreadable": ("warehouse: connection refused",)},
         "cannot tell: warehouse unreachable (connection refused)", "unseen"),
    ],
)  # fmt: skip
def test_a_cause_in_the_fewest_words(facts: dict[str, Any], words: str, on: str) -> None:
    """No class of an error, no "task", nothing twice; and what others may rest on too."""
    why = a_report("05:00", **facts).why
    assert why is not None
    assert short(why) == words
    assert ", ".join(why.rests_on) == on


def test_the_cause_that_a_version_before_has_noted_is_told_in_its_own_words() -> None:
    """No fewer words of it are known."""
    assert (
        short(Why("upstream_late", "master.x has not arrived"))
        == "waiting on upstream: master.x has not arrived"
    )
    assert short(Why("failed", "task x failed at 02:40")) == "failed: task x failed at 02:40"


@pytest.mark.parametrize(
    ("dag_ids", "why", "title"),
    [
        ([GROWTH], a_report("05:00", **failing(ADMIN)).why,
         "Growth ETL, 22 Nov: late since 05:00, transform failed: terminating connection due to administrator…"),
        ([GROWTH], a_report("05:00", loads=(LATE,)).why,
         "Growth ETL, 22 Nov: late since 05:00, waiting on master.sessions"),
        ([GROWTH], Why("unknown", "warehouse: connection refused"),
         "Cannot see if Growth ETL, 22 Nov is published (due 05:00): warehouse: connection refused"),
        ([GROWTH, PROFIT], Why("unknown", "warehouse: refused"),
         "Cannot see if 2 reports of 22 Nov are published (due 05:00): warehouse: refused"),
        ([GROWTH, PROFIT, ENGAGEMENT], Why("unknown", "warehouse unreachable since 04:58 (no answer (pid 7), again)"),
         "Cannot see if 3 reports of 22 Nov are published (due 05:00): warehouse unreachable since 04:58"),
        ([GROWTH, PROFIT, ENGAGEMENT], Why("unknown", "warehouse: connection refused"),
         "Cannot see if 3 reports of 22 Nov are published (due 05:00): warehouse: connection refused"),
        ([GROWTH, ENGAGEMENT], a_report("05:00", loads=(LATE,)).why,
         "2 reports of 22 Nov (Growth ETL, Engagement ETL): late since 05:00, waiting on master.sessions"),
        ([GROWTH, PROFIT, ENGAGEMENT], a_report("05:00", loads=(LATE,)).why,
         "3 reports of 22 Nov: late since 05:00, waiting on master.sessions"),
        ([GROWTH], None, "Growth ETL, 22 Nov: late since 05:00, the cause is not known"),
    ],
)  # fmt: skip
def test_a_broken_promise_in_one_line(dag_ids: list[str], why: Why | None, title: str) -> None:
    """What, since when, why; what cannot be seen is never said to be late."""
    assert one_line(late_title(of(*dag_ids, why=why), "05:00")) == title


def test_names_give_way_to_their_number_only_where_they_must() -> None:
    """And what stands before them never does."""
    two = of(GROWTH, ENGAGEMENT)
    assert (
        titled(two, lambda about: f"{about} waits")
        == "2 reports of 22 Nov (Growth ETL, Engagement ETL) waits"
    )
    assert titled(two, lambda about: f"{about} waits", "x" * 60) == "x" * 60 + "2 reports of 22 Nov waits"
    assert (names(["a"]), names(["a", "b"]), names(["a", "b", "c"])) == ("a", "a, b", "a, b and 1 more")


def test_a_long_title_ends_after_a_word() -> None:
    """And says that something is missing; a word without an end is cut within."""
    assert one_line("  late \n since 05:00 ") == "late since 05:00"
    assert one_line("word " * 30) == "word " * 19 + "word…"
    assert one_line("x" * 101) == "x" * 99 + "…"
    assert one_line(f"{'x' * 97}…, expected 0") == "x" * 97 + "…"
    assert one_line("x" * 100) == "x" * 100


WHYS = st.builds(
    Why,
    st.sampled_from(get_args(Cause)),
    st.text(max_size=200),
    st.just(()),
    st.text(max_size=200),
    st.text(max_size=200),
    st.lists(st.text(min_size=1, max_size=40), max_size=4).map(tuple),
)


@given(
    WHYS | st.none(),
    st.lists(st.sampled_from([GROWTH, PROFIT, ENGAGEMENT]), min_size=1, max_size=3, unique=True),
    st.booleans(),
)
def test_every_title_is_one_line_that_a_lock_screen_shows(
    why: Why | None, dag_ids: list[str], drill: bool
) -> None:
    """At most 100 characters, beginning with what it is about, whatever a driver or a person wrote into the cause."""
    members = of(*dag_ids, why=why)
    composer = Composer(a_scene("05:00"), an_incident(drill="x" if drill else ""), members)
    made = composer.message("page-1-primary", late_title(members, "05:00"), priority="P1").title
    assert 0 < len(made) <= MOST_TITLE
    assert len(made.splitlines()) == 1
    about = members[0].pipeline.title if len(members) == 1 else f"{len(members)} reports of 22 Nov"
    assert about in made
    assert made.startswith("[DRILL] ") is drill
    assert ("late since" in made) is not (
        why is not None and why.cause == "unknown" and "late since" not in why.detail
    )


def test_whoever_writes_a_message_its_title_fits() -> None:
    """A notice of a channel, a note by hand: one place keeps the length."""
    assert len(Message("k", "s", "refused " * 40).title) <= MOST_TITLE


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        ({"tasks": (a_task("transform", "running", "04:40"),), **LONG}, "late since 05:00, running, expected 05:05"),
        (
            {"tasks": (TRANSFORMS,), "usual": usually({}, {"transform": 720.0})},
            "late, stuck in transform since 03:12",
        ),
        (
            {"tasks": (TRANSFORMS,), "blocked_by": "pid 311 (alter table, since 03:20)", **LONG},
            "late, stuck in transform, blocked by pid 311",
        ),
        (
            {"tasks": (a_task("wait_for_upstream", "running"),), "blocked_by": "pid 31144 (x)"},
            "late, stuck in wait_for_upstream by pid 31144",
        ),
        (a_check("sessions_have_customers", *UNKNOWN), "late, held: sessions_have_customers found 1"),
        ({"dag": a_dag(paused=True)}, "late since 05:00, DAG paused"),
        ({}, "late since 05:00, never started"),
        (
            {"dag": replace(a_dag(), seen_at=at("02:00")), "schedule": "0 2 * * *"},
            "late, never started: is the scheduler running?",
        ),
        ({"dag": a_dag(), "schedule": "0 2 * * *"}, "late, never started"),
        ({"dag": a_dag(running=2)}, "late, never started: 2 runs were open"),
    ],
)  # fmt: skip
def test_what_says_least_makes_room_whole(facts: dict[str, Any], told: str) -> None:
    """An escalation has little room: nothing of its cause is cut off in the middle."""
    one = replace(a_report("05:00", **facts), verdict="broken")
    title = late_title((one,), "05:00", "ESCALATED, DE-003 silent 15 min: ")
    assert title == f"ESCALATED, DE-003 silent 15 min: Growth ETL, 22 Nov: {told}"
    assert one_line(title) == title


MANY = ("master.marketing_spend", "master.order_lines", *(f"master.t{n}" for n in range(6)))


@pytest.mark.parametrize(
    ("lead", "told"),
    [
        ("", "late since 05:00, waiting on master.marketing_spend and 7 more"),
        ("DE-003 has it: ", "late, waiting on master.marketing_spend and 7 more"),
        ("ESCALATED, DE-003 silent 15 min: ", "late, waiting on 8 tables"),
        ("ESCALATED, DE-MANAGER not reached so far: ", "late, waiting on 8 tables"),
    ],
)
def test_where_many_tables_leave_no_room_fewer_are_named_and_all_are_counted(lead: str, told: str) -> None:
    """A number is never cut off what it counts."""
    why = a_report("05:00", loads=tuple(map(a_load, MANY))).why
    title = late_title(of(GROWTH, ENGAGEMENT, PROFIT, why=why), "05:00", lead)
    assert title == f"{lead}3 reports of 22 Nov: {told}"
    assert one_line(title) == title


def test_a_title_that_is_too_long_all_the_same_ends_before_a_number_that_it_would_cut_off() -> None:
    """Not in "a, b and 6…"."""
    assert one_line(f"{'x' * 83} a, b and 61 more tables") == f"{'x' * 83} a, b…"
    assert one_line(f"{'x' * 88} a, b and more tables") == f"{'x' * 88} a, b…"


def test_of_several_reports_a_title_tells_the_reason_that_all_have() -> None:
    """All tables that any of them waits for; else that of the first, with its name."""
    orders, sessions = a_load("master.orders", "02:00", 100), a_load()
    waits = [
        a_report("05:00", dag_id, loads=loads)
        for dag_id, loads in ((PROFIT, (orders,)), (GROWTH, (sessions, orders)))
    ]
    assert reason_of(waits) == "waiting on master.orders (partial), master.sessions"
    stuck = a_report("05:00", ENGAGEMENT, tasks=(TRANSFORMS,))
    asked = "whether the DAG is paused is not known"
    never = [replace(late, why=Why("not_started", "", (), f"never started: {asked}")) for late in waits]
    behind = [replace(each, why=replace(each.why, waits_on=("master.orders",))) for each in never if each.why]
    assert reason_of([behind[0], never[1]]) == f"never started: {asked}"
    assert reason_of([behind[0], *behind]) == f"never started: {asked}; waiting on master.orders"
    assert reason_of([stuck, replace(stuck, due=at("06:00"))]) == "stuck in transform since 03:12"
    full = 'DiskFull: could not extend file "base/{}/18592": No space left on device'
    tries = [
        a_report("05:10", dag_id, **retrying(full.format(n), f"05:0{n}", **LONG))
        for n, dag_id in enumerate((PROFIT, GROWTH))
    ]
    failed = a_report("05:10", ENGAGEMENT, **failing(full, ended="05:02"))
    assert reason_of(tries) == "retrying: No space left on device"
    quota = a_report(
        "05:10", **failing('could not extend file "base/1/2": Disk quota exceeded', ended="05:05")
    )
    assert short(quota.why) == "transform failed at 05:05: Disk quota exceeded"
    assert reason_of([*tries, failed]) == "failed: No space left on device"
    assert reason_of([failed, quota]) == "Engagement ETL transform failed at 05:02: No space left on device"
    assert (
        reason_of([tries[0], stuck]) == "Profit ETL retrying transform since 05:00: No space left on device"
    )
    numbered = [
        a_report("05:10", dag_id, **failing(f"ValueError: row {n} is odd"))
        for n, dag_id in enumerate((PROFIT, GROWTH))
    ]
    assert reason_of(numbered) == "failed: row 0 is odd"
    over = a_task("wait_for_upstream", "failed", "02:00", "03:00", "timed out")
    gave_up = a_report("05:10", PROFIT, loads=(orders,), tasks=(over,))
    assert reason_of([gave_up, *waits]) == "run gave up waiting on master.orders (partial), master.sessions"
    assert reason_of([stuck, *waits]) == "Engagement ETL stuck in transform since 03:12"
    assert reason_of([stuck, *of(PROFIT)]) == "stuck in transform since 03:12"  # of which nothing is known
    assert reason_of(of(PROFIT)) == "the cause is not known"


def test_what_cannot_be_seen_is_told_whole_in_little_room() -> None:
    """Rather without a time than cut off before it."""
    gone = "warehouse unreachable since 04:58 (Connection refused)"
    about = replace(of("engagement_etl", why=Why("unknown", gone))[0], verdict="unknown")
    told = "Cannot see if Engagement ETL, 22 Nov is published (due 05:00): warehouse unreachable"
    assert late_title((about,), "05:00") == f"{told} since 04:58"
    drill = late_title((replace(about, drill="a"),), "05:00")
    assert drill == told
    assert one_line(DRILL_MARK + drill) == DRILL_MARK + drill


def test_a_drills_mark_has_its_room() -> None:
    """What it says is not cut off for it."""
    lock = "pid 27274 (postgres)"
    one = a_report("05:00", ENGAGEMENT, drill="a", tasks=(TRANSFORMS,), blocked_by=lock)
    title = late_title((one,), "05:00")
    assert title.endswith("stuck in transform, blocked by pid 27274")
    assert one_line(DRILL_MARK + title) == DRILL_MARK + title


def test_whoever_is_called_next_reads_why_nothing_can_be_seen() -> None:
    """Half of a sentence told that it cannot be seen, and not why. What is cut is when it was due, then "if … is"."""
    why = Why("unknown", "warehouse unreachable since 05:18 (server closed the connection unexpectedly)")
    three = [replace(each, verdict="unknown") for each in of(PROFIT, ENGAGEMENT, GROWTH, why=why)]
    lead, growth = "ESCALATED, DE-004 silent 15 min: ", three[2:]
    assert late_title(growth, "05:00", lead) == f"{lead}Cannot see Growth ETL, 22 Nov: warehouse unreachable"
    assert late_title(three, "05:00", lead) == f"{lead}Cannot see 3 reports of 22 Nov: warehouse unreachable"
    not_reached = "ESCALATED, DE-4 not reached: "
    told = f"{not_reached}Cannot see if Growth ETL, 22 Nov is published: warehouse unreachable"
    assert late_title(growth, "05:00", not_reached) == told
