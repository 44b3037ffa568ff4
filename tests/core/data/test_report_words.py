"""What is said of reports and their days, facts → exact sentence."""

from __future__ import annotations

import datetime as dt

import pytest

from oncall.core.data import report_words as words
from oncall.core.time_format import TimeFormat
from tests.core.scenes import DAY, TZ, at

SAY = TimeFormat(at("05:26"), TZ)
LINES = [
    (words.number_name("net_profit"), "net profit"),
    (words.number_name("orders_come_once"), "odd orders"),
    (words.number_name("master.orders"), "the load of master.orders"),
    (
        words.released("master.orders", "anna", "bank holiday"),
        "The load of master.orders was released by anna: bank holiday",
    ),
    (
        words.thin_release_says(["master.orders"]),
        "You say that the load of master.orders is all there is. Your name and note are kept with it. The run that"
        " waits goes on, and its numbers are looked at all the same.",
    ),
    (
        words.thin_release_says(["master.customers", "master.orders", "master.touches"]),
        "You say that the loads of master.customers, master.orders and master.touches are all there is. Your name and"
        " note are kept with it. The run that waits goes on, and its numbers are looked at all the same.",
    ),
    (words.number_name("orders_are_not_those_of_the_day_before"), "odd orders"),
    (words.number_name("prices_are_in_one_unit"), "odd prices"),
    (words.number_name("assignments_of_button_stay"), "odd assignments of button"),
    (words.parts_usual("orders_by_hour", []), "orders by hour as on the days before"),
    (
        words.parts_usual("spend_by_channel", [("tv", 1250.5, True), ("email", 12.5, False)]),
        "spend by channel as on the days before: tv at least 1,250, email at most 12.50",
    ),
    (words.parts_found([]), "the same parts"),
    (words.parts_found([("tv", 0.0), ("email", 1250.0)]), "tv 0, email 1,250"),
    (words.parts_found([(str(n), 1.0) for n in range(7)]), "0 1, 1 1, 2 1, 3 1, 4 1 and 2 more"),
    (
        words.if_true("investor.x", dt.date(2026, 11, 20)),
        "; if it is true: python -m oncall release investor.x 2026-11-20 --note TEXT",
    ),
    (words.cannot_be_read("The report", "warehouse: gone"), "The report cannot be read now: warehouse: gone"),
    (words.held(published=True), "It stays as it was published. A run of it has found:"),
    (words.held(published=False), "It is not published. A run of it has found:"),
    (words.held_by(["a", "b"]), "held by a, b"),
    (words.published_late(60), "late: 60 s"),
    (words.restated(1), "1 number restated"),
    (words.restated(2), "2 numbers restated"),
    (words.stale("master.refunds changed"), "stale: master.refunds changed"),
    (words.released("net_profit", "anna", "a sale"), "Net profit was released by anna: a sale"),
    (
        words.released("net_profit", "anna", "a sale", "Mon 23 Nov 06:10"),
        "Net profit was released by anna, Mon 23 Nov 06:10: a sale",
    ),
    (words.breaking_rows("master.orders", "paid", []), "master.orders, paid: no row at all"),
    (words.breaking_rows("master.orders", "paid", ["7"]), "master.orders, paid: 7"),
    (
        words.breaking_rows("t", "r", [str(n) for n in range(11)]),
        "t, r: 0; 1; 2; 3; 4; 5; 6; 7; 8; 9 and 1 other",
    ),
    (words.breaking_rows("t", "r", ["k"] * 1000).partition(" and ")[2], "990 or more others"),
    (words.older_held(1), "1 older day is held too; the table of the last section names them."),
    (words.older_held(2), "2 older days are held too; the table of the last section names them."),
    (
        words.release_says(["revenue"], others_too=False),
        "You say that revenue is true. Your name and note are kept with it, and its next run publishes.",
    ),
    (
        words.release_says(["revenue", "net_profit"], others_too=True),
        "You say that revenue and net profit are true. Your name and note are kept with it, and its next run publishes."
        " It releases no row that breaks a contract, and no sum that does not add up.",
    ),
    (
        words.sample_ratio(DAY, "0.4", planned=True),
        "Sun 22 Nov: the split fits the planned shares (p 0.4, valid however often one looks).",
    ),
    (
        words.no_table("investor.x", "etl"),
        "There is no table investor.x with a report_date and numbers in the warehouse yet."
        " The first run of etl makes it.",
    ),
    (words.first_charts(24, 60), "These are the first 24 charts; CSV and JSON have all 60 variants."),
    (words.chart_for_each(3), "It has a chart for each variant of an experiment (3)."),
    (
        words.not_drawn(1),
        "1 published number is not drawn: not a number, endless, or too large. The table has it.",
    ),
    (
        words.not_drawn(2),
        "2 published numbers are not drawn: not a number, endless, or too large. The table has them.",
    ),
    (words.older_restatements(0), "Each number by channel or variant:"),
    (words.older_restatements(1), "1 older one, and each number by channel or variant:"),
    (words.older_restatements(2), "2 older ones, and each number by channel or variant:"),
    (
        words.chart_label("Profit", "1 Nov", "2 Nov"),
        "Profit, 1 Nov to 2 Nov. The table behind it has the same numbers.",
    ),
    (words.currency_taken("VND"), "so its money is taken to be in VND"),
    (words.not_released("no such day"), "Nothing was released: no such day."),
    (words.breaches_command(DAY, "investor.x"), "python -m oncall breaches 2026-11-22 --report investor.x"),
    (
        words.publishes_next("etl", DAY),
        "Its next run publishes. To run it now: airflow dags trigger etl"
        ' --conf "{\\"report_date\\": \\"2026-11-22\\"}"',
    ),
]  # fmt: skip


@pytest.mark.parametrize(("said", "line"), LINES)
def test_a_line_about_a_report(said: str, line: str) -> None:
    assert said == line


def test_shares_that_chance_does_not_make() -> None:
    assert words.sample_ratio(dt.date(2026, 11, 22), "< 0.001", planned=False) == (
        "Sun 22 Nov: the split does not fit the planned shares (p < 0.001, valid however often one looks)."
        " The difference means nothing until somebody knows why."
    )
