"""What the page says of the on-call system itself, facts → exact sentence."""

from __future__ import annotations

import datetime as dt

import pytest

from oncall.core.notices import page_words
from oncall.core.time_format import TimeFormat
from tests.core.scenes import TZ, at

SAY = TimeFormat(at("05:26"), TZ)
GONE = "connection refused"


@pytest.mark.parametrize(
    ("tick", "title"),
    [
        (None, "The watcher has never looked"),
        (at("05:24"), "The watcher has not looked since 05:24:00 (2 min ago)"),
        (at("23:00", -1), "The watcher has not looked since Sun 22 Nov 23:00:00 (6 h 26 min ago)"),
    ],
)
def test_the_watcher_is_gone(tick: dt.datetime | None, title: str) -> None:
    assert page_words.watcher_gone(tick, SAY) == (
        title,
        (
            "Meanwhile the DAG sla_watch looks every 5 minutes, unless it is paused."
            " First: is sla_watch unpaused, and does a triggerer run that waiting tasks do not fill?",
        ),
    )


def test_neither_the_watcher_nor_sla_watch_looks() -> None:
    """Then it is not said that the one of them does what the other does not."""
    assert page_words.watcher_gone(at("05:24"), SAY, sla_watch_looks=False)[1] == (
        "Nor does the DAG sla_watch: meanwhile only tasks of the pipelines look, each as it ends."
        " First: is sla_watch unpaused, and do scheduler and triggerer run?",
    )


CHECK = "First: python -m oncall check --connections names what to mend."
WAREHOUSE = (
    "A report that was seen published stays so; each other one is paged when it is due. Its runbook says more,"
    " under Cannot tell."
)
BROKEN = [
    (
        page_words.channel_gone("pager", at("04:58"), GONE, SAY), "Opsgenie cannot be reached since 04:58",
        (
            "Slack tells each page, and it is sent until Opsgenie takes it. Call the people on call yourself.", CHECK,
            GONE,
        ),
    ),
    (
        page_words.channel_gone("chat", None, "", SAY), "Slack cannot be reached", ("Opsgenie still pages.", CHECK),
    ),
    (
        page_words.heartbeat_refused("sla", at("04:58"), GONE, SAY),
        "Opsgenie does not take the heartbeat sla since 04:58",
        (f"Pages go out; nobody is paged if all of Airflow is gone. {CHECK}", GONE),
    ),
    (
        page_words.does_not_work("acknowledgements", at("04:58"), GONE, SAY),
        "Acknowledgements in Opsgenie are not heard since 04:58",
        (f"Acknowledge here: only that stops the escalation. {CHECK}", GONE),
    ),
    (
        page_words.does_not_work("history", None, GONE, SAY), "Slack cannot be asked what it has",
        (f"A message whose answer was lost may appear there twice. {CHECK}", GONE),
    ),
    (
        page_words.does_not_work("incidents", None, page_words.rows_spoilt(2), SAY),
        "An open incident in oncall_db does not tell of what it is",
        (
            "It is passed over: nobody is called for it. Each late report has an incident of its own."
            " First: mend or delete the row.",
            "oncall.incidents has 2 open rows without a key, a dag_id, a report_date or an opened_at.",
        ),
    ),
    (
        page_words.does_not_work("sla_watch", at("03:58"), page_words.WATCHER_PAGES, SAY),
        "The DAG sla_watch has not looked since 03:58",
        (
            "It does not import, or Airflow starts nothing (no scheduler, executor or free slot): then tonight's"
            " reports do not start either. Or its run cannot reach oncall_db. First: what does Airflow say of its"
            " file, and of its last run?",
            "The watcher looks, and pages as ever.",
        ),
    ),
    (
        page_words.does_not_work("dag_files", at("03:58"), "oncall_handoff: NameError: x", SAY),
        "A DAG of the on-call system does not import since 03:58",
        (
            "Until it does Airflow starts no run of it."
            " First: mend its file; Airflow's home page shows the whole error.",
            "oncall_handoff: NameError: x",
        ),
    ),
    (
        page_words.does_not_work("dag_ids", at("03:58"), "profit_etl: old.py and profit_etl.py", SAY),
        "A DAG is defined by several files since 03:58",
        (
            "Airflow runs whichever it has read last: a run may be of the old one."
            " Remove all but one, or name the others in .airflowignore.",
            "profit_etl: old.py and profit_etl.py",
        ),
    ),
    (
        page_words.does_not_work("connection opsgenie_default", None, "no host", SAY),
        "The connection opsgenie_default cannot be used as it is written now",
        (
            "Until it is mended the watcher goes on with the one before, which a restart forgets. " + CHECK,
            "no host",
        ),
    ),
    (
        page_words.does_not_work("warehouse", None, page_words.clocks_apart(-60), SAY),
        "The clock of warehouse is wrong",
        (
            "The others agree, and pages go by them. First: let its host set the clock (NTP).",
            "It is 60 s behind the others.",
        ),
    ),
    (
        page_words.source_unread("warehouse: refused: no", at("04:58"), SAY),
        "The warehouse cannot be read since 04:58",
        (WAREHOUSE, CHECK, "refused: no"),
    ),
    (page_words.source_unread("warehouse", None, SAY), "The warehouse cannot be read", (WAREHOUSE, CHECK)),
    (
        page_words.source_unread("connection 'oncall_db' is not defined: add it", None, SAY),
        "oncall_db cannot be read",
        (
            "The watcher pages from its memory. Acknowledge in Opsgenie: here it cannot be noted.", CHECK,
            "connection 'oncall_db' is not defined: add it",
        ),
    ),
    (
        page_words.files_broken(["a"], some_hidden=False),
        "The on-call files have 1 problem; the last good ones stay in force",
        ("First: mend what stands here; python -m oncall check says when it is good.", "a"),
    ),
    (
        page_words.files_broken(["a", "b"], some_hidden=True),
        "The on-call files have 2 problems; the last good ones stay in force",
        ("A user who may read all the pipelines sees which.",),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("told", "title", "lines"), BROKEN)
def test_what_is_broken(told: page_words.Told, title: str, lines: tuple[str, ...]) -> None:
    assert told == (title, lines)


def test_of_many_problems_the_rest_is_counted() -> None:
    _, lines = page_words.files_broken(range(page_words.MOST_PROBLEMS + 1), some_hidden=False)
    assert lines[-1] == "and 1 more: python -m oncall check"


@pytest.mark.parametrize(
    ("used_at", "until", "line"),
    [
        (None, at("05:00", 9), "made by anna, Mon 23 Nov 04:00; never used; expires Wed 2 Dec 05:00"),
        (
            at("05:00"), at("05:26"),
            "made by anna, Mon 23 Nov 04:00; last used Mon 23 Nov 05:00; expired Mon 23 Nov 05:26",
        ),
    ],
)  # fmt: skip
def test_a_link_that_needs_no_sign_in(used_at: dt.datetime | None, until: dt.datetime, line: str) -> None:
    assert page_words.feed_link("anna", at("04:00"), used_at, until, SAY) == line


def test_other_answers() -> None:
    assert page_words.clocks_apart(120) == "It is 2 min ahead of the others."
    assert page_words.nothing_done("gone") == (
        "Nothing was done: gone. Acknowledge or close the alert in Opsgenie instead."
    )
    assert page_words.team_parameter({"": "Data", "growth": "Growth"}) == (
        "names a team with a roster of its own (growth), an empty one the roster at the top (Data); without it"
        " the answers are of Data. An incident is its own team's."
    )
