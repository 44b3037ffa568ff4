"""A report's numbers beside what is usual: far off is held with the numbers, until somebody says that they are true."""

from __future__ import annotations

import datetime as dt
import random
import shutil
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from oncall.adapters.postgres.database import connect_to
from oncall.adapters.postgres.warehouse import Warehouse
from oncall.adapters.postgres.warehouse_rows import compared
from oncall.cli.main import main
from oncall.config.data_contracts import REPOSITORY
from oncall.config.load_volume import volume_in_force
from oncall.core.errors import OncallError
from oncall.core.promises.facts import Load
from pipelines import runner
from pipelines.report_run import Held
from pipelines.usual_numbers import Release, go_on, numbers_of
from tests.pipelines.master_by_hand import DAY, rows
from tests.pipelines.model_runs import report_run

PROFIT = "profit_etl"


def past(connection: Any, days: int = 42, scale: float = 1.0, growth: float = 1.0) -> None:
    """Published days of a shop with about 60 orders of 36 a day, a third of that on Sundays."""
    with connection.cursor() as cursor:
        for ago in range(1, days + 1):
            day = DAY - dt.timedelta(days=ago)
            dice = random.Random(ago)
            orders = round(
                60 * scale * growth**-ago * (0.33 if day.isoweekday() == 7 else 1) * dice.gauss(1, 0.1)
            )
            revenue = sum(dice.lognormvariate(3.3, 0.7) for _ in range(orders))
            cursor.execute(
                "insert into investor.daily_profit (report_date, orders, revenue, cost, refunds, marketing, profit)"
                " values (%s, %s, %s, %s, %s, %s, 0)",
                (
                    day,
                    orders,
                    revenue,
                    revenue / 2,
                    dice.choice([0, 0, 20, 45, 90]),
                    100 * dice.gauss(1, 0.1),
                ),
            )
    connection.commit()


def draft(connection: Any, **numbers: Any) -> None:
    """The day's draft, as transform leaves it."""
    money = {"orders": 60, "revenue": 2150, "cost": 1075, "refunds": 20, "marketing": 100, **numbers}
    money["profit"] = Decimal(money["revenue"]) - money["cost"] - money["refunds"] - money["marketing"]
    with connection.cursor() as cursor:
        cursor.execute("delete from base.daily_profit_draft")
        cursor.execute(
            f"insert into base.daily_profit_draft (report_date, {', '.join(money)})"
            f" values (%s{', %s' * len(money)})",
            (DAY, *money.values()),
        )
    connection.commit()


def unusual(connection: Any) -> dict[str, tuple[str, str]]:
    """(expected, found) of the numbers that hold the day; what its other checks say is not asked here."""
    try:
        runner.check(connection, report_run(PROFIT))
    except Held as held:
        return {
            check.name: (check.expected, check.found)
            for check in held.failed
            if check.name.endswith("_is_usual")
        }
    return {}


def test_a_price_with_a_slipped_decimal_point_is_held_with_the_numbers(warehouse: Any) -> None:
    """Expected, found, and the command that releases it."""
    past(warehouse)
    draft(warehouse, revenue=32603)
    held = unusual(warehouse)
    assert list(held) == ["revenue_is_usual"]
    expected, found = held["revenue_is_usual"]
    assert expected.startswith("about 2,")
    assert " on a Friday, give or take " in expected
    assert found.startswith("32,603, 1")
    assert " times the usual" in found
    assert found.endswith(
        "if it is true: python -m oncall release investor.daily_profit 2026-11-20 --note TEXT"
    )


@pytest.mark.parametrize(
    ("number", "amount"),
    [
        ("orders", 600),
        ("orders", 6),
        ("cost", 9000),
        ("refunds", 3000),
        ("marketing", 1000),
        ("marketing", 0),
    ],
)
def test_each_number_iscompared(warehouse: Any, number: str, amount: int) -> None:
    """Far too much, and far too little."""
    past(warehouse)
    draft(warehouse, **{number: amount})
    assert list(unusual(warehouse)) == [f"{number}_is_usual"]


@pytest.mark.parametrize(
    "numbers",
    [
        {},
        {"orders": 100, "revenue": 3900, "cost": 1900},
        {"orders": 200, "revenue": 7100, "cost": 3600},
        {"orders": 35, "revenue": 1200, "cost": 600},
        {"refunds": 0},
        {"refunds": 180},
        {"marketing": 220},
    ],
)
def test_a_good_a_bad_and_an_ordinary_day_are_published(warehouse: Any, numbers: dict[str, int]) -> None:
    """Twice as much or half as much is a day like another one."""
    past(warehouse)
    draft(warehouse, **numbers)
    assert unusual(warehouse) == {}


def test_a_young_shop_and_a_growing_one_are_not_held(warehouse: Any) -> None:
    """In the first week nothing is usual; growth of 5 percent a day is what it is."""
    past(warehouse, days=6)
    draft(warehouse, revenue=32603)
    assert unusual(warehouse) == {}
    with warehouse.cursor() as cursor:
        cursor.execute("delete from investor.daily_profit")
    past(warehouse, growth=1.05)
    draft(warehouse)
    assert unusual(warehouse) == {}


def test_a_public_holiday_may_be_quiet(warehouse: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Little is ordinary then; far too much is not."""
    past(warehouse)
    monkeypatch.setattr("pipelines.report_run.public_holidays", lambda _: {DAY: "a holiday"})
    draft(warehouse, orders=8, revenue=280, cost=140)
    assert unusual(warehouse) == {}
    draft(warehouse, revenue=32603)
    assert list(unusual(warehouse)) == ["revenue_is_usual"]


def test_a_release_with_a_note_lets_the_next_run_publish(warehouse: Any) -> None:
    """Recorded with who, when and why; said again it changes nothing; the number may move a little, not a lot."""
    past(warehouse)
    draft(warehouse, revenue=32603, cost=16000)
    run = report_run(PROFIT)
    assert sorted(unusual(warehouse)) == ["cost_is_usual", "revenue_is_usual"]
    first = runner.release(warehouse, run, "DE-001", "a single order of a thousand chairs")
    assert sorted(one.name for one in first) == ["cost", "revenue"]
    assert unusual(warehouse) == {}
    (found,) = rows(
        warehouse,
        "select found from investor.checks where name = 'revenue_is_usual' and passed and run_id = 'test'",
    )
    assert "released by DE-001 at " in found["found"]
    assert found["found"].endswith(": a single order of a thousand chairs")
    again = runner.release(warehouse, run, "DE-002", "me too")
    assert {one.by for one in again} == {"DE-001"}
    assert len(rows(warehouse, "select * from investor.releases")) == 2
    draft(warehouse, revenue=33000, cost=16000)
    assert unusual(warehouse) == {}
    draft(warehouse, revenue=326030, cost=16000)
    assert list(unusual(warehouse)) == ["revenue_is_usual"]


def test_what_was_released_of_two_days_goes_on_being_true_while_the_days_are_alike(warehouse: Any) -> None:
    """A shop that closes to a trickle is asked about twice, until it is another one."""
    past(warehouse)
    sold = "update investor.daily_profit set orders = %s where report_date = %s"
    said = "insert into investor.releases values ('investor.daily_profit', %s, 'orders', 6, 'closed', 'anna', now())"
    first, second = (DAY - dt.timedelta(days=back) for back in (2, 1))
    with warehouse.cursor() as cursor:
        cursor.execute(said, (first,))
        for day in (first, second):
            cursor.execute(sold, (6, day))
    draft(warehouse, orders=5)
    assert list(unusual(warehouse)) == ["orders_is_usual"], "one day may be a holiday"
    with warehouse.cursor() as cursor:
        cursor.execute(said, (second,))
    warehouse.commit()
    assert unusual(warehouse) == {}
    (found,) = rows(warehouse, "select found from investor.checks where name = 'orders_is_usual' and passed")
    assert "released by anna at " in found["found"]
    draft(warehouse, orders=3)
    assert list(unusual(warehouse)) == ["orders_is_usual"]
    with warehouse.cursor() as cursor:
        cursor.execute(sold, (60, second))
    draft(warehouse, orders=5)
    assert list(unusual(warehouse)) == ["orders_is_usual"], "it was open in between"
    with warehouse.cursor() as cursor:
        cursor.execute(sold, (6, second))
        cursor.execute("update investor.releases set report_date = report_date - 6")
    draft(warehouse, orders=5)
    assert list(unusual(warehouse)) == ["orders_is_usual"], "that of the first is more than a week ago"


def test_that_nothing_at_all_is_true_is_asked_each_day() -> None:
    """A zero may be a load gone wrong, however often it was true before."""
    nothing = numbers_of([("revenue", ago, 0.0 if ago < 3 else 1000.0, None) for ago in range(40)])[0]
    words = [(ago, Release("revenue", 0.0, "closed", "anna", dt.datetime.now(dt.UTC))) for ago in (1, 2)]
    assert nothing.is_far_off()
    assert go_on(words, nothing) == []
    trickle = numbers_of([("revenue", ago, 5.0 if ago < 3 else 1000.0, None) for ago in range(40)])[0]
    alike = [(ago, replace(word, amount=5.0)) for ago, word in words]
    assert go_on(alike, trickle) == [alike[1][1]]
    assert go_on(alike[:1], trickle) == []


def test_there_is_nothing_to_release_where_no_number_is_far_off(warehouse: Any) -> None:
    """What breaks a contract is not a matter of opinion."""
    past(warehouse)
    draft(warehouse)
    with pytest.raises(OncallError, match="nothing to release"):
        runner.release(warehouse, report_run(PROFIT), "DE-001", "why not")
    assert rows(warehouse, "select * from investor.releases") == []


def test_the_command_releases_a_thin_load_and_what_waits_goes_on(
    warehouse: Any, known_to_airflow: None, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before anything is computed; said again it stays as it was said first."""
    with warehouse.cursor() as cursor:
        for ago in range(15):
            cursor.execute(
                "insert into master.loads select name, %s, %s, %s from unnest(array['orders', 'touches']) as name",
                (
                    DAY - dt.timedelta(days=ago),
                    dt.datetime(2026, 11, 20, 18, tzinfo=dt.UTC) - dt.timedelta(days=ago),
                    1000 if ago else 400,
                ),
            )
    warehouse.commit()
    given = warehouse.get_dsn_parameters()
    dsn = f"postgresql://postgres@/{given['dbname']}?host={given['host']}"
    loads = Warehouse(connect_to(dsn), volume_in_force)
    asked = ["master.orders", "master.touches"]
    assert [load.state for load in loads.loads(asked, DAY)] == ["partial", "partial"]
    command = ["release", "investor.daily_profit", DAY.isoformat(), "--yes", "--by"]
    assert main([*command, "DE-001", "--note", "a bank holiday"]) == 0
    said = capsys.readouterr().out
    assert "master.orders 400.00: released by DE-001 at " in said
    assert "A run that waits for this load goes on by itself." in said
    assert [load.state for load in loads.loads(asked, DAY)] == ["fresh", "fresh"]
    assert main([*command, "DE-002", "--note", "me too"]) == 0
    found = rows(warehouse, "select name, amount, note, released_by from investor.releases order by name")
    assert [tuple(one.values()) for one in found] == [
        (name, 400, "a bank holiday", "DE-001") for name in asked
    ]
    assert main(["release", "investor.daily_growth", DAY.isoformat(), "--note", "x", "--yes"]) == 2
    assert "no load of it is partial" in capsys.readouterr().err


def test_the_command_releases_with_a_note_and_says_how_to_go_on(
    warehouse: Any, known_to_airflow: None, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who, what and why; without a note, or for a report that nobody knows, nothing is written."""
    past(warehouse)
    draft(warehouse, revenue=32603)
    for wrong in (["investor.profit", "--note", "x"], ["profit_etl", "--note", " "]):
        assert main(["release", wrong[0], str(DAY), *wrong[1:]]) == 2
    assert rows(warehouse, "select * from investor.releases") == []
    capsys.readouterr()
    for report in ("investor.daily_profit", "profit_etl"):
        assert main(["release", report, str(DAY), "--note", "a thousand chairs", "--by", "DE-001"]) == 0
        out = capsys.readouterr().out
        assert out.startswith("revenue 32,603.00: released by DE-001 at ")
        assert "airflow dags trigger profit_etl" in out
    assert unusual(warehouse) == {}
    assert main(["release", "growth_etl", str(DAY), "--note", "x"]) == 2
    assert "nothing to release" in capsys.readouterr().err


AT = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
TET = [dt.date(2026, 2, 14) + dt.timedelta(days=n) for n in range(9)]
SALES = ((dt.date(2026, 3, 6), 5, 2.2), (dt.date(2026, 4, 1), 10, 2.5), (dt.date(2026, 5, 5), 1, 2.8))


def busy(day: dt.date) -> float:
    """The orders of a day: weekends, slow growth, a week of Tết, and sales of a day, five and ten days."""
    share = 1.003 ** (day - dt.date(2026, 1, 1)).days * {6: 1.15, 7: 0.5}.get(day.isoweekday(), 1.0)
    for first, days, times in SALES:
        share *= times if 0 <= (day - first).days < days else 1
    return 400 * share * (0.22 if day in TET else 1)


def thin(orders: int, day: dt.date, loaded: dict[dt.date, int]) -> bool:
    """Whether a load of so many orders is partial after those of the days before."""
    counts = " ".join(f"{(day - date).days}:{rows}" for date, rows in reversed(loaded.items()))
    return compared(Load("master.orders", AT, orders), day, counts, volume_in_force(), ()).state == "partial"


def test_no_season_of_a_hundred_and_fifty_days_is_held(
    warehouse: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a holiday nor a sale, nor the days after them; but a day that lost three quarters is.

    Nor is the load of such a day waited for as partial.
    """
    include = shutil.copytree(REPOSITORY.parent, tmp_path / "include")
    roster = (include / "roster.yaml").read_text(encoding="utf-8")
    extra = ", ".join(f"{{date: {day}, name: Tết}}" for day in TET)
    (include / "roster.yaml").write_text(roster.replace("extra: [", f"extra: [{extra}, "), encoding="utf-8")
    monkeypatch.setenv("ONCALL_INCLUDE_DIR", str(include))
    dice, held = random.Random(7), []
    loaded: dict[dt.date, int] = {}
    days = [dt.date(2026, 1, 1) + dt.timedelta(days=n) for n in range(150)]
    insert = (
        "insert into {} (report_date, orders, revenue, cost, refunds, marketing, profit)"
        " values (%s, %s, %s, %s, %s, %s, 0)"
    )
    with warehouse.cursor() as cursor:
        for day in days:
            orders = round(dice.gauss(busy(day), 1.5 * busy(day) ** 0.5))
            revenue = sum(dice.lognormvariate(3.3, 0.7) for _ in range(orders))
            row = (day, orders, revenue, revenue / 2, revenue / 30, 500)
            cursor.execute(insert.format("base.daily_profit_draft"), row)
            found = list(runner._usual(cursor, report_run(PROFIT, day)))
            held += [(day, check.name, check.found) for check, passed in found if not passed]
            held += [(day, "load", str(orders))] if thin(orders, day, loaded) else []
            loaded[day] = orders
            cursor.execute(insert.format("investor.daily_profit"), row)
        assert held == []
        next_day = days[-1] + dt.timedelta(days=1)
        cursor.execute(insert.format("base.daily_profit_draft"), (next_day, 60, 1500, 750, 50, 500))
        found = list(runner._usual(cursor, report_run(PROFIT, next_day)))
        assert "orders_is_usual" in {check.name for check, passed in found if not passed}
        loaded[next_day] = round(busy(next_day))
        monday = next_day + dt.timedelta(days=1)
        assert thin(round(0.55 * busy(monday)), monday, loaded)
    warehouse.rollback()
