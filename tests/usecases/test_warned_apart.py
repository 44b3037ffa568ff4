"""Reports that were warned of one by one, each for a cause of its own, and are late for the same one."""

from __future__ import annotations

from dataclasses import replace

from oncall.core.promises.facts import Load
from tests.usecases.conftest_night import Night, at

CLOSED = "connection refused"


def warned_apart(night: Night) -> None:
    """Growth and Profit wait for tables of their own; then the warehouse closes."""
    for dag_id, table in (("growth_etl", "master.sessions"), ("profit_etl", "master.orders")):
        night.world.missing(dag_id, Load(table, None))
    night.look("03:30")
    night.world.down = CLOSED
    for clock in ("04:00", "04:01", "04:30"):
        night.look(clock)


def p1s(night: Night) -> list[str]:
    return [page.key.partition(":")[0] for page in night.pager.paged if page.priority == "P1"]


def test_one_closed_warehouse_wakes_somebody_once(night: Night) -> None:
    """The other thread says where it goes on, its alerts are closed, and both end when they are published."""
    warned_apart(night)
    night.look("05:00")
    night.look("05:00:15")
    assert len(p1s(night)) == 1
    assert "2 reports" in night.pager.paged[-1].title
    (joined,) = [message for message, _ in night.chat.posts if message.step == "joined"]
    assert joined.title == "Growth ETL, 22 Nov: told with Profit ETL, 22 Nov from here on"
    assert not any(state.open for alias, state in night.pager.alerts.items() if alias.startswith(joined.key))
    night.world.down = ""
    for dag_id in ("growth_etl", "profit_etl"):
        night.world.publish(dag_id, at("05:10"))
    night.look("05:10:15")
    night.look("05:10:30")
    assert not any(state.open for state in night.pager.alerts.values())
    assert len([message for message, _ in night.chat.posts if message.step == "resolved"]) == 1


def test_a_report_that_somebody_has_does_not_keep_the_other_from_being_told(night: Night) -> None:
    """The last chance of one was acknowledged: that one wakes nobody, and does not speak for the other."""
    warned_apart(night)
    alias = next(
        page.alias for page in night.pager.paged if page.step == "last-chance" and "profit" in page.key
    )
    night.pager.alerts[alias] = replace(
        night.pager.alerts[alias], acknowledged=True, owner="de-003@example.com"
    )
    for clock in ("04:31", "05:00", "05:00:15"):
        night.look(clock)
    assert p1s(night) == ["growth_etl"]
