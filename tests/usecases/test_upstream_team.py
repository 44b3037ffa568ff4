"""What the team that loads the upstream tables hears in its own channel, and that it holds nobody up."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

from oncall.adapters.memory_store import MemoryStore
from oncall.config.runbook_file import MASTER_TABLES
from oncall.core.errors import DeliveryFailed, Rejected
from oncall.core.promises.facts import Load
from tests.usecases.conftest_night import DAY, Night, at

ORDERS = Load("master.orders", None, None, 5000.0, at("00:55"))
SESSIONS = Load("master.sessions", None, None, 900.0, at("00:40"))
THEIRS = "#swe-master-data"


def heard(night: Night) -> list[str]:
    """The titles in the other team's channel, in order."""
    assert {message.channel for message, _ in night.chat.elsewhere} <= {THEIRS}
    return [message.title for message, _ in night.chat.elsewhere]


def test_the_upstream_team_is_told_once_what_is_late_and_what_it_holds_back(night: Night) -> None:
    """From the warning time on: table, since when, reports, due; one message however often one looks."""
    night.world.missing("profit_etl", ORDERS)
    for clock in ("03:29:59", "03:30", "03:30:15", "04:10", "05:00", "05:15"):
        night.look(clock)
    assert heard(night) == ["master.orders late: holds back Profit ETL, 22 Nov, due 05:00 in 1 h 30 min"]
    [(message, thread)] = night.chat.elsewhere
    assert thread is None
    assert message.summary.splitlines() == [
        "master.orders has not arrived, usually there by 00:55.",
        "Needed for Profit ETL (investor.daily_profit).",
        "When will it come? Please answer here. On call for the reports: DE-003 (#de-oncall).",
        "All times are UTC+07:00.",
    ]
    assert (message.recipients, message.steps, message.facts) == ((), "", ())


def test_a_partial_load_is_told_with_its_rows(night: Night) -> None:
    """How many came, and how many usually do."""
    night.world.missing("profit_etl", replace(ORDERS, loaded_at=at("00:50"), rows=2000))
    night.look("03:30")
    [(message, _)] = night.chat.elsewhere
    assert message.title.startswith("master.orders partial: holds back Profit ETL, 22 Nov")
    assert message.summary.startswith("master.orders is partial since 00:50: 2,000 rows, usually 5,000")
    assert "When will the rest come?" in message.summary


def test_a_table_that_two_reports_wait_for_is_told_once(night: Night) -> None:
    """With both of them."""
    for dag_id in ("engagement_etl", "growth_etl"):
        night.world.missing(dag_id, SESSIONS)
    night.look("03:30")
    [(message, _)] = night.chat.elsewhere
    assert "2 reports of 22 Nov" in message.title
    assert (
        "Needed for Engagement ETL (investor.daily_engagement), Growth ETL (investor.daily_growth)."
        in message.summary
    )


def test_a_table_that_two_incidents_wait_for_is_told_once(night: Night) -> None:
    """They are due at different times, so each has its own; the team hears of the table once, with all that need it."""
    pipeline = night.config.pipelines["growth_etl"]
    assert pipeline.promise
    later = replace(pipeline, promise=replace(pipeline.promise, due=dt.time(6)))
    night.config = replace(night.config, pipelines={**night.config.pipelines, "growth_etl": later})
    for dag_id in ("engagement_etl", "growth_etl"):
        night.world.missing(dag_id, SESSIONS)
    for clock in ("03:30", "04:10", "05:00", "06:00"):
        night.look(clock)
    assert [message.step for message in night.pager.paged].count("warning") == 2
    [(message, _)] = night.chat.elsewhere
    assert message.title == ("master.sessions late: holds back 2 reports of 22 Nov, due 05:00 in 1 h 30 min")
    assert (
        "Needed for Engagement ETL (investor.daily_engagement), Growth ETL (investor.daily_growth)."
        in message.summary
    )


def due_at_six(night: Night, dag_id: str) -> None:
    pipeline = night.config.pipelines[dag_id]
    assert pipeline.promise
    later = replace(pipeline, promise=replace(pipeline.promise, due=dt.time(6)))
    night.config = replace(night.config, pipelines={**night.config.pipelines, dag_id: later})


def test_several_tables_of_several_incidents_are_one_post(night: Night) -> None:
    """What is late at one instant is one question, each arrival says what is still missing, and nothing comes twice:
    not when the incident that began the thread is over, nor when the last table has come."""
    due_at_six(night, "growth_etl")
    night.world.missing("profit_etl", ORDERS)
    night.world.missing("growth_etl", SESSIONS)
    for clock in ("03:30", "03:45"):
        night.look(clock)
    (title,) = heard(night)
    assert title.startswith("master.orders, master.sessions late: holds back 2 reports of 22 Nov")
    assert night.chat.elsewhere[0][0].summary.splitlines()[:3] == [
        "master.orders has not arrived, usually there by 00:55.",
        "master.sessions has not arrived, usually there by 00:40.",
        "Needed for Profit ETL (investor.daily_profit), Growth ETL (investor.daily_growth).",
    ]
    night.world.missing("profit_etl", replace(ORDERS, loaded_at=at("04:20"), rows=5000))
    night.look("04:21")
    night.world.publish("profit_etl", at("04:25"))
    for clock in ("04:26", "04:40", "05:00"):
        night.look(clock)
    assert heard(night)[1:] == ["master.orders has arrived (04:20): Profit ETL, 22 Nov can go on"]
    assert night.chat.elsewhere[1][0].summary == "Still late: master.sessions."
    night.world.missing("growth_etl", replace(SESSIONS, loaded_at=at("05:30"), rows=900))
    for clock in ("05:31", "05:32"):
        night.look(clock)
    assert heard(night)[2:] == ["master.sessions has arrived (05:30): Growth ETL, 22 Nov can go on"]
    assert [thread for _, thread in night.chat.elsewhere] == [None, "elsewhere 1", "elsewhere 1"]


def test_a_table_that_turns_late_after_the_post_is_told_too(night: Night) -> None:
    """It came in time and was emptied: until now only the first ones were told of."""
    customers = Load("master.customers", at("00:40"), 900, 900.0, at("00:40"))
    night.world.missing("growth_etl", SESSIONS, customers)
    night.look("03:30")
    night.world.missing("growth_etl", SESSIONS, replace(customers, loaded_at=None, rows=None))
    for clock in ("03:45", "03:46"):
        night.look(clock)
    assert [title.split(":")[0] for title in heard(night)] == [
        "master.sessions late",
        "master.customers late",
    ]


def test_any_number_of_tables_is_asked_for_and_told_of(night: Night) -> None:
    """A post is known by its tables, and the store takes no name of any length."""
    late = [replace(SESSIONS, table=f"master.{number:02}{'x' * 60}") for number in range(25)]
    night.world.missing("growth_etl", *late)
    night.look("03:30")
    night.look("03:30:15")
    night.look("03:30:30")
    night.world.missing("growth_etl", *(replace(load, loaded_at=at("03:40"), rows=900) for load in late))
    for clock in ("03:41", "03:41:15", "03:41:30", "03:42"):
        night.look(clock)
    tables = [m.step.split(":")[2].split(",") for m, _ in night.chat.elsewhere]
    assert [len(some) for some in tables] == [11, 11, 3] * 2
    assert [name for some in tables for name in some] == [load.table for load in late] * 2
    ours = [message.step for message, _ in night.chat.posts if message.step.startswith("arrived:")]
    assert ",".join(ours).replace("arrived:", "").split(",") == [load.table for load in late]


def test_each_team_hears_of_its_own_tables(night: Night) -> None:
    """Two teams' tables hold back two reports of one day."""
    growth = night.config.pipelines["growth_etl"]
    theirs = replace(growth, upstream_owner=replace(growth.upstream_owner, team="Web", slack="#web"))
    night.config = replace(night.config, pipelines={**night.config.pipelines, "growth_etl": theirs})
    night.world.missing("growth_etl", SESSIONS)
    night.world.missing("engagement_etl", SESSIONS)
    night.look("03:30")
    told = {message.channel: message.summary.splitlines()[1] for message, _ in night.chat.elsewhere}
    assert told == {
        "#web": "Needed for Growth ETL (investor.daily_growth).",
        THEIRS: "Needed for Engagement ETL (investor.daily_engagement).",
    }


def test_an_incident_that_may_not_warn_yet_keeps_no_other_from_telling(night: Night) -> None:
    """The older one, at risk before its own warning time, waits for the same table."""
    growth = night.config.pipelines["growth_etl"]
    assert growth.promise
    later = replace(growth, promise=replace(growth.promise, due=dt.time(6), warn_upstream_at=dt.time(4, 30)))
    night.config = replace(night.config, pipelines={**night.config.pipelines, "growth_etl": later})
    for dag_id in ("growth_etl", "engagement_etl"):
        night.world.missing(dag_id, SESSIONS)
    night.look("03:30")
    assert len(heard(night)) == 1
    night.look("04:30")
    assert len(heard(night)) == 1


def test_whoever_goes_on_from_memory_does_not_tell_them_again(night: Night) -> None:
    """The store is away, or comes back empty: what they were told is part of what is remembered."""
    night.world.missing("profit_etl", ORDERS)
    night.look("03:30")
    memory = MemoryStore(now=lambda: night.now)
    memory.merge(night.store.snapshot())
    night.store = memory
    for clock in ("03:30:15", "05:00"):
        night.look(clock)
    assert len(heard(night)) == 1


def test_when_it_has_come_they_are_told_in_the_same_thread(night: Night) -> None:
    """Once."""
    night.world.missing("profit_etl", ORDERS)
    night.look("03:30")
    night.world.missing("profit_etl", replace(ORDERS, loaded_at=at("04:20"), rows=5000))
    for clock in ("04:21", "04:22", "04:40"):
        night.look(clock)
    assert heard(night)[1:] == ["master.orders has arrived (04:20): Profit ETL, 22 Nov can go on"]
    assert night.chat.elsewhere[1][1] == "elsewhere 1"


def test_a_channel_that_refuses_us_delays_nothing_of_ours(night: Night) -> None:
    """The bot was never invited: our thread goes on, no channel counts as down, and we are told to tell them."""
    night.chat.elsewhere_fails = Rejected("Slack: not_in_channel: invite the bot")
    night.world.missing("profit_etl", ORDERS)
    for clock in ("03:30", "03:31", "04:40", "05:00", "05:15"):
        night.look(clock)
    mine = [message.step for message, _ in night.chat.posts]
    assert mine[0] == "warning"
    assert "page-1-primary" in mine
    assert not [m for m in night.pager.paged if m.key.startswith("channel-")]
    [told] = [message for message, _ in night.chat.posts if message.step.startswith("untold:")]
    assert told.title.startswith(
        f"{THEIRS} could not be told by us, tell them yourself: Slack: not_in_channel"
    )
    assert "master.orders late: holds back Profit ETL" in told.summary


def test_a_channel_that_does_not_answer_is_tried_again_and_told_what_is_true_then(night: Night) -> None:
    """What came meanwhile is told by nobody, neither that it was late nor that it is there."""
    night.chat.elsewhere_fails = DeliveryFailed("timed out")
    night.world.missing("profit_etl", ORDERS)
    night.look("03:30")
    assert [message.step for message, _ in night.chat.posts] == ["warning"]
    night.chat.elsewhere_fails = None
    night.look("03:40")
    assert heard(night) == ["master.orders late: holds back Profit ETL, 22 Nov, due 05:00 in 1 h 20 min"]


def test_what_came_before_they_could_be_told_is_not_told(night: Night) -> None:
    """Neither that it was late, nor that it is there."""
    night.chat.elsewhere_fails = DeliveryFailed("timed out")
    night.world.missing("profit_etl", ORDERS)
    night.look("03:30")
    night.chat.elsewhere_fails = None
    night.world.missing("profit_etl", replace(ORDERS, loaded_at=at("03:39"), rows=5000))
    for clock in ("03:40", "03:41", "03:45"):
        night.look(clock)
    assert heard(night) == []


def test_where_their_channel_is_ours_it_is_said_once(night: Night) -> None:
    """The warning in our own thread says it."""
    pipeline = night.config.pipelines["profit_etl"]
    ours = replace(pipeline, upstream_owner=replace(pipeline.upstream_owner, slack="#de-oncall"))
    night.config = replace(night.config, pipelines={**night.config.pipelines, "profit_etl": ours})
    night.world.missing("profit_etl", ORDERS)
    night.look("03:30")
    assert [message.step for message, _ in night.chat.posts] == ["warning"]
    assert DAY.isoformat() in night.chat.posts[0][0].key


def test_a_long_channel_is_told_once_of_all_tables(night: Night) -> None:
    """As long as Slack lets a name be; what was told is read back whole."""
    pipeline = night.config.pipelines["profit_etl"]
    theirs = replace(pipeline.upstream_owner, slack="#" + "x" * 80)
    mine = {**night.config.pipelines, "profit_etl": replace(pipeline, upstream_owner=theirs)}
    night.config = replace(night.config, pipelines=mine)
    night.world.missing("profit_etl", *(replace(ORDERS, table=f"master.{name}") for name in MASTER_TABLES))
    for clock in ("03:30", "03:31", "03:32"):
        night.look(clock)
    assert [message.channel for message, _ in night.chat.elsewhere] == [theirs.slack]
