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
from oncall.core.promises.cause import Cause, Why
from oncall.core.promises.evaluation import PromiseStatus
from tests.core.scenes import ENGAGEMENT, GROWTH, PROFIT, a_report, a_scene, an_incident

ADMIN = "OperationalError: terminating connection due to administrator command"
UNKNOWN = (
    "expected 0 sessions of unknown customers, found 1 in master.sessions.customer_id, such as session_id 7 (1); all of"
    " them: python -m oncall breaches 2026-11-22 --check sessions_have_customers"
)
NO_TASK = "no task of this report date has started"


def of(*dag_ids: str, why: Why | None = None) -> tuple[PromiseStatus, ...]:
    verdict: Any = "unknown" if why is not None and why.cause == "unknown" else "broken"
    return tuple(replace(a_report("05:00", dag_id), why=why, verdict=verdict) for dag_id in dag_ids)


def test_a_report_that_is_known_to_be_missing_is_late_though_nobody_can_tell_why() -> None:
    """Only what cannot be seen is not said to be late."""
    one = replace(of(GROWTH, why=Why("unknown", "oncall_db unreachable (refused)"))[0], verdict="broken")
    told = "Growth ETL, 22 Nov: late since 05:00, cannot tell: oncall_db unreachable (refused)"
    assert one_line(late_title((one,), "05:00")) == told


@pytest.mark.parametrize(
    ("cause", "detail", "tables", "words"),
    [
        ("upstream_late", "master.orders has not arrived", ("master.orders",), "waiting on master.orders"),
        ("upstream_late", "it is not known which", (), "waiting on upstream: it is not known which"),
        ("upstream_late", "…", ("a", "b", "c", "d"), "waiting on a, b and 2 more"),
        ("stuck", "in transform since 03:12, usually 6 min", (), "stuck in transform since 03:12, usually 6 min"),
        ("stuck", "nothing has started since 03:12", (), "stuck: nothing has started since 03:12"),
        (
            "failed", f"task transform failed at 02:40: {ADMIN}", (),
            "transform failed at 02:40: terminating connection due to administrator command",
        ),
        ("failed", "task x failed at 02:40: master.orders: no rows", (), "x failed at 02:40: master.orders: no rows"),
        ("failed", "task transform failed at 02:40", (), "transform failed at 02:40"),
        ("failed", "task x was marked as failed by B at 02:40", (), "x was marked as failed by B at 02:40"),
        ("failed", "the run failed at 02:40", (), "the run failed at 02:40"),
        ("held", "check identity: expected 0, found 3", ("identity",), "held: identity found 3, expected 0"),
        ("held", "check a: expected 0, found 3", ("a", "b", "c"), "held by 3 checks, first a: found 3, expected 0"),
        (
            "held", f"check lines_are_unique: expected 0 order lines that come twice, found {'17, ' * 20}", (),
            "held: lines_are_unique found 17, 17, 17, 17, 17, 17, 17…, expected 0 order lines that come twice",
        ),
        ("held", f"check key: expected 0, found {'f' * 40}", (), f"held: key found {'f' * 29}…, expected 0"),
        (
            "held", f"check sessions_have_customers: {UNKNOWN}", (),
            "held: sessions_have_customers found 1 in master.sessions, expected 0 sessions of unknown…",
        ),
        (
            "held",
            "check sessions_are_as_many_as_loaded: expected as many as loaded, found 1 in master.loads.row_count,"
            " such as table_name sessions, business_day 2026-11-29 (15973 rows,"
            " but 0 of that day in master.sessions)", (),
            "held: sessions_are_as_many_as_loaded found 15973 rows, but 0 of that day…, expected as many as loaded",
        ),
        ("held", "a person holds it", (), "held by a person holds it"),
        ("not_started", "the DAG is paused (as of 04:00)", (), "DAG paused"),
        (
            "not_started", "the DAG file has an import error: SyntaxError: bad syntax (x.py, line 3) (as of 04:00)", (),
            "DAG import error, bad syntax (x.py, line 3)",
        ),
        (
            "not_started", "the DAG is paused, and the DAG file has an import error: SyntaxError: bad", (),
            "DAG paused, import error, bad",
        ),
        (
            "not_started", "the DAG is paused, and Airflow has no DAG a_etl: its file is gone or broken", (),
            "DAG paused, its file gone or broken",
        ),
        (
            "not_started",
            "the DAG is paused (as of 04:00); master.sessions has not arrived, usually there by 02:00;"
            " master.orders is partial since 02:00: 100 rows, usually 1,000", (),
            "DAG paused; waiting on master.sessions, master.orders (partial)",
        ),
        (
            "failed", "transform failed at 02:40: a; b; master.x has not arrived", (),
            "transform failed at 02:40: a; b; waiting on master.x",
        ),
        (
            "failed", "the run ended as a success at 04:50 but the publication is not there", (),
            "run green at 04:50, nothing published",
        ),
        (
            "failed", "the run was marked as success by B at 04:50 but the publication is not there", (),
            "run marked as success by B at 04:50, nothing published",
        ),
        (
            "stuck", "transform was cleared and has not started again since 04:40", (),
            "stuck, transform cleared, no start since 04:40",
        ),
        ("not_started", f"{NO_TASK}, and no schedule: what does?", (), "never started: no schedule: what does?"),
        ("not_started", f"{NO_TASK}, though the DAG is not paused: is it up?", (), "never started: is it up?"),
        (
            "not_started", f"{NO_TASK}, though the DAG is not paused and the scheduler ran at 04:55: is it up?", (),
            "never started: is it up?",
        ),
        ("not_started", f"{NO_TASK}; it is not known", (), "never started: it is not known"),
        (
            "not_started", "Airflow has no DAG a_etl: its file is gone or broken (as of 04:00)", (),
            "no DAG a_etl in Airflow",
        ),
        (
            "not_started", "its run was deleted (seen at 04:00) and no other one has started", (),
            "its run was deleted (seen at 04:00)",
        ),
        ("stuck", "no task has started since its run began at 02:00", (), "stuck, no task started since 02:00"),
        (
            "stuck", "no task has started since its run began at 02:00: the DAG is paused (as of 02:05)", (),
            "stuck, no task started since 02:00, DAG paused",
        ),
        (
            "stuck", "nothing has started since check ended at 03:12: the DAG is paused (as of 03:15)", (),
            "stuck since 03:12, DAG paused",
        ),
        (
            "stuck", "check was cleared and has not started again since 03:12: the DAG is paused (as of 03:15)", (),
            "stuck, check cleared, no start since 03:12, DAG paused",
        ),
        ("stuck", "nothing has started since check ended at 03:12", (), "stuck since 03:12, nothing follows check"),
        (
            "running", "its run began at 02:00, the first task is to start", (),
            "running since 02:00, first task to start",
        ),
        (
            "running", "check ended at 03:12, the next task is to start", (),
            "running, check ended at 03:12, next task to start",
        ),
        (
            "running", "retrying transform since 04:20, usually 12 min (its process died, or never began)", (),
            "retrying transform since 04:20: its process died, or never began",
        ),
        (
            "stuck", "retrying transform since 04:20, usually 12 min (OperationalError: deadlock detected)", (),
            "stuck retrying transform since 04:20: deadlock detected",
        ),
        (
            "stuck", "retrying transform since 04:20, usually 12 min, blocked by pid 7 (etl)", (),
            "stuck retrying transform since 04:20, usually 12 min, blocked by pid 7 (etl)",
        ),
        (
            "stuck", "retrying transform since 04:20, blocked by pid 7 (etl) (OperationalError: deadlock detected)", (),
            "stuck retrying transform since 04:20, blocked by pid 7 (etl) (OperationalError: deadlock detected)",
        ),
        (
            "running", "retrying transform since 04:20 (OperationalError: deadlock detected)", (),
            "retrying transform since 04:20: deadlock detected",
        ),
        (
            "held", "check identity: expected 0, found 3; and 1 more check", ("identity", "sum"),
            "held by 2 checks, first identity: found 3, expected 0",
        ),
        ("failed", "task x failed at 02:40: KeyError: 'x'", (), "x failed at 02:40: KeyError: 'x'"),
        (
            "failed", "the run finished green at 04:01 (marked as success by B) but the publication is not there", (),
            "run green at 04:01, nothing published",
        ),
        ("upstream_late", "a is partial since 01:20: 2 rows, usually 9; b has not arrived", ("a", "b"),
         "waiting on a (partial), b"),
        ("upstream_late", "a has not arrived; the run gave up waiting at 03:00", ("a",), "run gave up waiting on a"),
        ("not_started", f"{NO_TASK}: 3 others are (as of 04:00)", (), "never started: 3 others are"),
        ("unknown", "warehouse: connection refused", (), "cannot tell: warehouse: connection refused"),
    ],
)  # fmt: skip
def test_a_cause_in_the_fewest_words(cause: Any, detail: str, tables: tuple[str, ...], words: str) -> None:
    """No class of an error, no "task", nothing twice."""
    assert short(Why(cause, detail, tables)) == words


@pytest.mark.parametrize(
    ("dag_ids", "why", "title"),
    [
        ([GROWTH], Why("failed", f"task transform failed at 02:40: {ADMIN}"),
         "Growth ETL, 22 Nov: late since 05:00, transform failed: terminating connection due to administrator…"),
        ([GROWTH], Why("upstream_late", "…", ("master.sessions",)),
         "Growth ETL, 22 Nov: late since 05:00, waiting on master.sessions"),
        ([GROWTH], Why("unknown", "warehouse: connection refused"),
         "Cannot see if Growth ETL, 22 Nov is published (due 05:00): warehouse: connection refused"),
        ([GROWTH, PROFIT, ENGAGEMENT], Why("unknown", "warehouse unreachable since 04:58 (no answer (pid 7), again)"),
         "Cannot see if 3 reports of 22 Nov are published (due 05:00): warehouse unreachable since 04:58"),
        ([GROWTH, PROFIT, ENGAGEMENT], Why("unknown", "warehouse: connection refused"),
         "Cannot see if 3 reports of 22 Nov are published (due 05:00): warehouse: connection refused"),
        ([GROWTH, ENGAGEMENT], Why("upstream_late", "…", ("master.sessions",)),
         "2 reports of 22 Nov (Growth ETL, Engagement ETL): late since 05:00, waiting on master.sessions"),
        ([GROWTH, PROFIT, ENGAGEMENT], Why("upstream_late", "…", ("master.sessions",)),
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
    ("cause", "detail", "told"),
    [
        (
            "running", "in transform since 05:10, usually 12 min, expected 05:35",
            "late since 05:00, running, expected 05:35",
        ),
        ("stuck", "in transform since 05:10, usually 12 min", "late, stuck in transform since 05:10"),
        (
            "stuck", "in transform since 05:10, usually 12 min, blocked by pid 311 (alter table, since 03:20)",
            "late, stuck in transform, blocked by pid 311",
        ),
        (
            "stuck", "in wait_for_upstream since 05:10, blocked by pid 31144 (x)",
            "late, stuck in wait_for_upstream by pid 31144",
        ),
        ("held", f"check sessions_have_customers: {UNKNOWN}", "late, held: sessions_have_customers found 1"),
        ("not_started", "the DAG is paused (as of 04:00)", "late since 05:00, DAG paused"),
        ("not_started", f"{NO_TASK}; whether the DAG is paused is not known", "late since 05:00, never started"),
        (
            "not_started", f"{NO_TASK}, though the DAG is not paused: is the scheduler running?",
            "late, never started: is the scheduler running?",
        ),
        (
            "not_started",
            f"{NO_TASK}, though the DAG is not paused and the scheduler ran at 04:00:"
            " has it another schedule in Airflow?",
            "late, never started",
        ),
        (
            "not_started", f"{NO_TASK}: 2 runs of the DAG were open at 01:51",
            "late, never started: 2 runs were open",
        ),
    ],
)  # fmt: skip
def test_what_says_least_makes_room_whole(cause: Any, detail: str, told: str) -> None:
    """An escalation has little room: nothing of its cause is cut off in the middle."""
    title = late_title(of(GROWTH, why=Why(cause, detail)), "05:00", "ESCALATED, DE-003 silent 15 min: ")
    assert title == f"ESCALATED, DE-003 silent 15 min: Growth ETL, 22 Nov: {told}"
    assert one_line(title) == title


LATE = ("master.marketing_spend", "master.order_lines", *(f"master.t{n}" for n in range(6)))


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
    why = Why("upstream_late", "they have not arrived", LATE)
    title = late_title(of(GROWTH, ENGAGEMENT, PROFIT, why=why), "05:00", lead)
    assert title == f"{lead}3 reports of 22 Nov: {told}"
    assert one_line(title) == title


def test_a_title_that_is_too_long_all_the_same_ends_before_a_number_that_it_would_cut_off() -> None:
    """Not in "a, b and 6…"."""
    assert one_line(f"{'x' * 83} a, b and 61 more tables") == f"{'x' * 83} a, b…"
    assert one_line(f"{'x' * 88} a, b and more tables") == f"{'x' * 88} a, b…"


def test_of_several_reports_a_title_tells_the_reason_that_all_have() -> None:
    """All tables that any of them waits for; else that of the first, with its name."""
    orders, both = ("master.orders",), ("master.sessions", "master.orders")
    waits = [
        of(dag_id, why=Why("upstream_late", "late", names))[0]
        for dag_id, names in ((PROFIT, orders), (GROWTH, both))
    ]
    assert reason_of(waits) == "waiting on master.orders, master.sessions"
    [stuck] = of(ENGAGEMENT, why=Why("stuck", "in transform since 03:12"))
    assert (
        reason_of([stuck, replace(stuck, report_date=stuck.report_date)]) == "stuck in transform since 03:12"
    )
    full = 'could not extend file "base/{}/18592": No space left on device'
    tries = [
        of(dag_id, why=Why("running", f"retrying transform since 05:0{n} (DiskFull: {full.format(n)})"))[0]
        for n, dag_id in enumerate((PROFIT, GROWTH))
    ]
    [failed] = of(ENGAGEMENT, why=Why("failed", f"task check failed at 05:02: DiskFull: {full}"))
    assert reason_of(tries) == "retrying: No space left on device"
    quota = Why("failed", 'transform failed at 05:05: could not extend file "base/1/2": Disk quota exceeded')
    assert short(quota) == "transform failed at 05:05: Disk quota exceeded"
    assert reason_of([*tries, failed]) == "failed: No space left on device"
    assert (
        reason_of([tries[0], stuck]) == "Profit ETL retrying transform since 05:00: No space left on device"
    )
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
    why = Why("stuck", "in transform since 21:12, blocked by pid 27274 (postgres)")
    one = replace(of("engagement_etl", why=why)[0], drill="a")
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
