"""The Reports view: charts and the table behind each, what holds a report and its release; CSV, JSON; who may see."""

from __future__ import annotations

import csv
import datetime as dt
import io
import re
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import pytest
from fastapi.testclient import TestClient

from oncall.core.data import report_words
from oncall.core.incidents.incident import Event
from oncall.core.incidents.incident_words import ran_again
from oncall.core.promises.facts import FailedCheck
from oncall.usecases.history import IncidentRecord
from oncall.usecases.report_numbers import DAYS_SHOWN, ReportNumbers, ReportRow
from oncall.web.views.reports import amount_words
from tests.web.example_page import Example, two_teams
from tests.web.example_reports import (
    COHORTS,
    DAY,
    ENGAGEMENT,
    EXPERIMENT_GROWTH,
    GROWTH,
    MONTHLY,
    PROFIT,
    UNIT_PROFIT,
    WEEKLY,
    ExampleReports,
    numbers,
    profit_rows,
    row,
)
from tests.web.per_dag import PerDag

OURS = {"sec-fetch-site": "same-origin", "accept": "text/html"}
PAGE = f"/oncall/reports/{PROFIT}"
API = f"/oncall/api/reports/{PROFIT}"


def rows_of(client: TestClient, report: str = PROFIT) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(client.get(f"/oncall/api/reports/{report}.csv").text)))


@pytest.mark.parametrize("report", [PROFIT, ENGAGEMENT, GROWTH, UNIT_PROFIT, EXPERIMENT_GROWTH])
def test_each_report_has_its_charts_and_a_table_behind_each(viewer: TestClient, report: str) -> None:
    """As many tables as charts; nothing inline that the policy forbids; no script is needed."""
    answer = viewer.get(f"/oncall/reports/{report}")
    assert answer.status_code == 200
    assert answer.text.count('class="plot"') == answer.text.count("The same as a table") > 0
    assert " style=" not in answer.text
    assert "<style" not in answer.text
    assert "style-src 'self'" in answer.headers["content-security-policy"]


def test_profit_is_drawn_with_what_it_is_made_of_beside_what_is_usual(viewer: TestClient) -> None:
    """One chart of all five, one of each, the usual range behind."""
    text = viewer.get(PAGE).text
    assert "Profit with what it is made of" in text
    first = text[text.index('<svg class="plot"') :]
    svg = ET.fromstring(first[: first.index("</svg>") + 6])
    kinds = [one.get("class") for one in svg]
    assert [kind for kind in kinds if kind and kind.startswith("line")] == [
        f"line s{n}" for n in (4, 3, 2, 1, 0)
    ]
    assert kinds.index("band") < kinds.index("line s4")
    assert len([title.text for title in svg.iter("title")]) == DAYS_SHOWN


def test_the_first_page_shows_every_report_and_what_is_the_matter(viewer: TestClient) -> None:
    """The best-known number, and how many days are held, late, stale, restated."""
    text = viewer.get("/oncall/reports").text
    for report in (PROFIT, ENGAGEMENT, GROWTH, UNIT_PROFIT, EXPERIMENT_GROWTH):
        assert f"/oncall/reports/{report}" in text
    for words in ("1 held", "1 not published", "1 late", "1 stale", "2 restated"):
        assert words in text
    assert 'aria-current="page">Reports' in text


def test_days_to_know_of_are_marked_and_said(viewer: TestClient) -> None:
    """On the chart, in its table and in a list."""
    text = viewer.get(PAGE).text
    for kind in ("held", "missing", "late", "stale", "restated", "released"):
        assert f'class="mark {kind}"' in text
    for words in (
        "3 numbers restated",
        "stale: master.refunds changed 2026-11-20 09:10",
        "late: 42 min",
        "Marketing was released by anna: A campaign for the new shop",
    ):
        assert words in text


def test_a_held_report_shows_expected_found_and_the_rows(admin: TestClient, example: Example) -> None:
    """The unusual number, the rows that break a contract, the form beside them."""
    text = admin.get(PAGE).text
    assert "Held: the report of Sun 22 Nov" in text
    for words in (
        "<strong>revenue</strong> is unusual",
        "about 851 on a Sunday, give or take 86",
        "32,603, 38.3 times the usual",
        "order_id=101, line_no=1",
        "47 others",
        "python -m oncall breaches 2026-11-22 --report investor.daily_profit",
        f'action="/oncall/reports/{PROFIT}/2026-11-22/release"',
    ):
        assert words in text
    assert "--note TEXT" not in text
    assert "all of them: python" not in text
    assert ("broken_rules", "profit_etl", DAY) in example.told.asked


def test_the_rows_are_asked_for_only_where_a_contract_may_be_broken(
    admin: TestClient, example: Example
) -> None:
    """Unusual numbers alone have no rows to show."""
    profit = example.told.known[PROFIT]
    unusual = {DAY: [check for check in profit.held[DAY] if check.name.endswith("_is_usual")]}
    example.told.known = {PROFIT: replace(profit, held=unusual)}
    assert "Release with a note" in admin.get(PAGE).text
    assert "broken_rules" not in [asked[0] for asked in example.told.asked]


def test_what_breaks_a_contract_alone_cannot_be_released(admin: TestClient, example: Example) -> None:
    """There is no form, and it is said what to do instead."""
    profit = example.told.known[PROFIT]
    example.told.known = {PROFIT: replace(profit, held={DAY: profit.held[DAY][1:]})}
    text = admin.get(PAGE).text
    assert "<form" not in text
    assert "This cannot be released" in text


@pytest.mark.parametrize(
    "day", ["1764547200", "-86400", "2026-11-22T00:00:00", "infinity", "2026-02-30", "9991-01-01"]
)
def test_what_is_no_day_is_not_released(admin: TestClient, example: Example, day: str) -> None:
    """A number was taken for the day that is so many seconds after 1970."""
    answer = admin.post(f"{PAGE}/{day}/release", headers=OURS, data={"note": "a thousand chairs"})
    assert (answer.status_code, example.told.released) == (422, [])


def test_an_admin_releases_with_a_note_under_their_own_name(admin: TestClient, example: Example) -> None:
    """303 back to the report, which says so."""
    answer = admin.post(
        f"{PAGE}/2026-11-22/release", headers=OURS, data={"note": "a thousand chairs"}, follow_redirects=False
    )
    assert answer.status_code == 303
    assert example.told.released == [("profit_etl", "2026-11-22", "anna", "a thousand chairs")]
    assert answer.headers["location"] == f"{PAGE}?done=released"
    assert (
        "Released: the run that waits for it goes on, or the next one publishes it."
        in admin.get(answer.headers["location"]).text
    )


def test_a_partial_load_that_a_report_waits_for_can_be_released(admin: TestClient) -> None:
    """Beside its numbers. Of a published report no load is asked for."""
    page = f"/oncall/reports/{ENGAGEMENT}"
    text = admin.get(page).text
    assert "Waiting: the report of Sun 22 Nov" in text
    assert "Partial: 21,000 rows, usually 52,000" in text
    assert "You say that the load of master.customers is all there is." in text
    assert f'action="{page}/2026-11-22/release"' in text
    assert "Waiting" not in admin.get(f"/oncall/reports/{PROFIT}").text


def test_a_viewer_sees_the_partial_load_and_does_not_release_it(viewer: TestClient) -> None:
    """What it needs is said."""
    text = viewer.get(f"/oncall/reports/{ENGAGEMENT}").text
    assert "Partial: 21,000 rows, usually 52,000" in text
    assert "You may look, not release" in text
    assert "<form" not in text


def test_what_cannot_be_released_is_said_at_once(admin: TestClient, example: Example) -> None:
    """409 with the reason, on the report's own page."""
    example.told.refuses = "Nothing was released: a release says who and why."
    answer = admin.post(f"{PAGE}/2026-11-22/release", headers=OURS, data={"note": " "})
    assert answer.status_code == 409
    assert "a release says who and why" in answer.text


def test_a_viewer_looks_and_does_not_release(viewer: TestClient, example: Example) -> None:
    """403, and no form; what it needs is said."""
    answer = viewer.post(f"{PAGE}/2026-11-22/release", headers=OURS, data={"note": "x"})
    assert answer.status_code == 403
    assert example.told.released == []
    text = viewer.get(PAGE).text
    assert "<form" not in text
    assert "You may look, not release" in text


@pytest.mark.parametrize(
    "headers", [{}, {"sec-fetch-site": "same-site"}, {"origin": "http://evil.test"}], ids=str
)
def test_another_site_cannot_release(admin: TestClient, example: Example, headers: dict[str, str]) -> None:
    """CSRF."""
    assert admin.post(f"{PAGE}/2026-11-22/release", headers=headers, data={"note": "x"}).status_code == 403
    assert example.told.released == []


def test_nobody_without_a_token_releases(client: TestClient, example: Example) -> None:
    """401."""
    assert client.post(f"{PAGE}/2026-11-22/release", headers=OURS, data={"note": "x"}).status_code == 401
    assert example.told.released == []


def test_a_report_has_the_rights_of_its_dag(admin: TestClient, manager: PerDag, example: Example) -> None:
    """Growth may be read and released, engagement read, profit is as if it were not."""
    for path in (PAGE, API, f"{API}.csv", "/oncall/reports/profit_etl"):
        assert admin.get(path).status_code == 404
    assert admin.post(f"{PAGE}/2026-11-22/release", headers=OURS, data={"note": "x"}).status_code == 404
    listed = admin.get("/oncall/reports").text
    assert PROFIT not in listed
    assert GROWTH in listed
    assert {one["dag_id"] for one in admin.get("/oncall/api/reports").json()} == {
        "growth_etl",
        "engagement_etl",
    }
    held = {DAY: [FailedCheck("active_is_usual", "about 4,000", f"12{report_words.if_true(GROWTH, DAY)}")]}
    known = example.told.known
    example.told.known = {name: replace(known[name], held=held) for name in (GROWTH, ENGAGEMENT)}
    assert "<form" in admin.get(f"/oncall/reports/{GROWTH}").text
    assert "<form" not in admin.get(f"/oncall/reports/{ENGAGEMENT}").text
    for report, status in ((GROWTH, 303), (ENGAGEMENT, 403)):
        path = f"/oncall/reports/{report}/2026-11-22/release"
        answer = admin.post(path, headers=OURS, data={"note": "x"}, follow_redirects=False)
        assert answer.status_code == status
    assert [one[0] for one in example.told.released] == ["growth_etl"]


def test_the_csv_has_the_numbers_as_published(viewer: TestClient, example: Example) -> None:
    """To the cent, the oldest first, no day before the window."""
    found = rows_of(viewer)
    published = [
        one for one in example.told.known[PROFIT].rows if one.report_date > DAY - dt.timedelta(days=60)
    ]
    assert [one["report_date"] for one in found] == [str(one.report_date) for one in published]
    assert found[-1]["revenue"] == published[-1].numbers["revenue"]
    assert list(found[0]) == ["report_date", *example.told.known[PROFIT].columns]
    answer = viewer.get(f"{API}.csv")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert "attachment" in answer.headers["content-disposition"]


def test_money_is_shown_with_its_currency(viewer: TestClient, example: Example) -> None:
    """On the page, in CSV and JSON; two are both named, and a report without one says none."""
    told = example.told.known[PROFIT]
    assert "USD" not in viewer.get(PAGE).text
    money = [replace(one, currency="USD") for one in told.rows]
    example.told.known = {**example.told.known, PROFIT: replace(told, rows=tuple(money))}
    assert ", in USD. For" in viewer.get(PAGE).text
    assert list(rows_of(viewer)[0])[-1] == "currency"
    assert {one["currency"] for one in rows_of(viewer)} == {"USD"}
    assert {one["currency"] for one in viewer.get(API).json()["rows"]} == {"USD"}
    money[-1] = replace(money[-1], currency="=EUR")
    example.told.known = {**example.told.known, PROFIT: replace(told, rows=tuple(money))}
    assert ", in =EUR and USD. For" in viewer.get(PAGE).text
    assert rows_of(viewer)[-1]["currency"] == "'=EUR"


def svg_of(page: str, title: str) -> ET.Element:
    """The plot of the chart of that title."""
    text = page[page.index(f">{title}</h3>") :]
    text = text[text.index('<svg class="plot"') :]
    return ET.fromstring(text[: text.index("</svg>") + 6])


def test_growth_is_shown_by_week_and_by_month_too(viewer: TestClient, example: Example) -> None:
    """A chart of each with its table; a week that is not published yet is a gap; a restated one is marked."""
    weekly = example.told.known[WEEKLY]
    gone = DAY - dt.timedelta(days=14)
    rows = tuple(one for one in weekly.rows if one.report_date != gone)
    example.told.known = {**example.told.known, WEEKLY: replace(weekly, rows=rows)}
    text = viewer.get(f"/oncall/reports/{GROWTH}").text
    weeks, months = svg_of(text, "Growth by week"), svg_of(text, "Growth by month")
    told = [title.text or "" for title in weeks.iter("title")]
    assert len(told) == 24
    assert told[-1].startswith("16 – 22 Nov\nretained 7,570\n")
    assert told[-3].startswith("2 – 8 Nov\nretained –\n")
    assert "2 numbers restated" in text
    said = [title.text or "" for title in months.iter("title")]
    assert (len(said), said[-1].split("\n")[:2]) == (12, ["Oct 2026", "retained 7,240"])
    assert "<th>Week</th>" in text
    assert "<th>Month</th>" in text
    for _, report, since, until in (
        one for one in example.told.asked if one[1:2] and "weekly" in str(one[1])
    ):
        assert (report, until) == (WEEKLY, DAY)
        assert (until - since).days < 600  # type: ignore[operator]


def test_growth_by_week_is_on_no_other_page(viewer: TestClient) -> None:
    """Nor is it a report of its own in the list."""
    assert "Growth by week" not in viewer.get(PAGE).text
    assert WEEKLY not in viewer.get("/oncall/reports").text


def test_the_cohorts_are_a_table_of_months_since_signing_up(viewer: TestClient) -> None:
    """A row a month of sign-up, a column a month since; the newest has only its own month."""
    text = viewer.get(f"/oncall/reports/{GROWTH}").text
    table = text[text.index('id="cohorts"') :]
    found = [
        re.findall(r"<t[hd][^>]*>([^<]*)</t[hd]>", line)
        for line in table[: table.index("</table>")].split("<tr>")[2:]
    ]
    assert [line[0] for line in found] == [f"2026-{month:02}" for month in range(5, 11)]
    assert found[0][:8] == ["2026-05", "2,000", "90.0 %", "45.0 %", "30.0 %", "22.5 %", "18.0 %", "15.0 %"]
    assert found[-1][1:4] == ["2,050", "90.0 %", ""]


def test_weeks_months_and_cohorts_are_csv_and_json_too(viewer: TestClient, manager: PerDag) -> None:
    """As published, with the rights of the growth pipeline; nothing there is a table without rows."""
    assert rows_of(viewer, WEEKLY)[-1]["report_date"] == str(DAY)
    assert rows_of(viewer, COHORTS)[-1]["cohort"] == "2026-10"
    told = viewer.get(f"/oncall/api/reports/{MONTHLY}").json()
    assert (told["report"], told["dag_id"], len(told["rows"])) == (MONTHLY, "growth_etl", 9)
    assert told["rows"][-1]["numbers"]["retained"] == "7240"


def test_whoever_may_not_see_growth_sees_no_week_of_it(viewer: TestClient, manager: PerDag) -> None:
    """404, as if it were not there."""
    manager.read = {"profit_etl"}
    for path in (
        f"/oncall/reports/{WEEKLY}",
        f"/oncall/api/reports/{WEEKLY}",
        f"/oncall/api/reports/{COHORTS}.csv",
    ):
        assert viewer.get(path).status_code == 404


def test_unread_weeks_are_said_and_the_days_are_shown(viewer: TestClient, example: Example) -> None:
    """The daily charts stay; programs get 503."""
    example.told.unreadable = frozenset({MONTHLY})
    text = viewer.get(f"/oncall/reports/{GROWTH}").text
    assert "Weeks, months and cohorts cannot be read now: warehouse: too slow" in text
    assert "Growth accounting" in text
    assert viewer.get(f"/oncall/api/reports/{WEEKLY}").status_code == 503


@pytest.mark.parametrize("table", [WEEKLY, MONTHLY, COHORTS])
@pytest.mark.parametrize("amount", ["NaN", "Infinity", "1.00000000000000e+70", "-3", "0.5", None])
def test_no_number_of_a_week_or_cohort_breaks_the_page(
    viewer: TestClient, example: Example, table: str, amount: str | None
) -> None:
    """Each is told, drawn or not."""
    known = example.told.known[table]
    spoilt = tuple(
        ReportRow(one.report_date, one.key, dict.fromkeys(one.numbers, amount)) for one in known.rows
    )
    example.told.known = {**example.told.known, table: replace(known, rows=spoilt)}
    assert viewer.get(f"/oncall/reports/{GROWTH}").status_code == 200
    assert set(rows_of(viewer, table)[-1].values()) >= {amount or ""}
    example.told.known = {
        **example.told.known,
        table: ReportNumbers(columns=known.columns, key_columns=known.key_columns),
    }
    assert viewer.get(f"/oncall/reports/{GROWTH}").status_code == 200
    assert rows_of(viewer, table) == []


@pytest.mark.parametrize("report", [UNIT_PROFIT, EXPERIMENT_GROWTH])
def test_an_experiment_says_whether_its_customers_are_as_planned(
    viewer: TestClient, example: Example, report: str
) -> None:
    """Of the newest day: in each variant found, planned and switched; a ratio that chance does not make is said."""
    ratio = {"n": "612", "expected_n": "500.0000000000", "switched": "3", "sample_ratio_p": "0.0001230000"}
    known = example.told.known[UNIT_PROFIT]
    example.told.known = {report: known}
    text = viewer.get(f"/oncall/reports/{report}").text
    assert "as planned</span></h2>" in text
    assert "Sun 22 Nov: the split fits the planned shares (p 1, valid however often one looks)." in text
    last = replace(known.rows[-1], numbers={**known.rows[-1].numbers, **ratio})
    others = [
        replace(one, numbers={**one.numbers, "sample_ratio_p": ratio["sample_ratio_p"]})
        for one in known.rows[:-1]
    ]
    example.told.known = {report: replace(known, rows=(*others, last))}
    text = viewer.get(f"/oncall/reports/{report}").text
    assert "not as planned" in text
    assert "the split does not fit the planned shares (p 0.00012, " in text
    assert '<td class="number" data-label="Customers">612</td>' in text
    assert "The difference means nothing until somebody knows why" in text


def test_a_name_that_a_spreadsheet_would_compute_is_harmless(viewer: TestClient, example: Example) -> None:
    """Whatever an experiment is called."""
    evil = '=HYPERLINK("http://evil.test")'
    rows = [row(DAY, evil, "red", n=1, diff_from_control="-1.5", cs_low="-2", cs_high="-1")]
    example.told.known = {UNIT_PROFIT: numbers(rows, "experiment", "variant")}
    (found,) = rows_of(viewer, UNIT_PROFIT)
    assert found["experiment"] == f"'{evil}"
    assert found["diff_from_control"] == "-1.5"
    assert viewer.get(f"/oncall/api/reports/{UNIT_PROFIT}").json()["rows"][0]["key"]["experiment"] == evil


def test_the_json_says_numbers_ranges_and_days(viewer: TestClient) -> None:
    """Numbers as text; which days are held, late, stale or restated; the documentation names it."""
    told = viewer.get(API).json()
    days = {one["report_date"]: one for one in told["days"]}
    assert (told["since"], told["until"], len(days)) == ("2026-09-24", "2026-11-22", DAYS_SHOWN)
    held = days["2026-11-22"]
    assert [check["name"] for check in held["held"]] == ["revenue_is_usual", "lines_discount_required"]
    assert held["usual"]["revenue"]["low"] < held["usual"]["revenue"]["expected"] < 32603
    assert days["2026-11-13"]["late_seconds"] == 42 * 60
    assert days["2026-11-17"]["stale"].startswith("master.refunds changed")
    assert days["2026-11-02"]["restated"] == 3
    assert days["2026-10-23"]["missing"]
    assert all(isinstance(one["numbers"]["revenue"], str) for one in told["rows"])
    assert "/api/reports/{report}" in viewer.get("/oncall/api").text


@pytest.mark.parametrize(
    "amount", ["NaN", "Infinity", "-Infinity", "-1234.50", "1.00000000000000e+70", None, "0"]
)
@pytest.mark.parametrize("report", [PROFIT, ENGAGEMENT, GROWTH, UNIT_PROFIT, EXPERIMENT_GROWTH])
def test_no_number_breaks_a_page(
    viewer: TestClient, example: Example, report: str, amount: str | None
) -> None:
    """Each column once, on the newest day, and on all days: a page, a CSV and JSON that tell it."""
    known = ExampleReports().known[report]
    last = known.rows[-1]
    spoilt = [
        (*known.rows[:-1], ReportRow(last.report_date, last.key, dict.fromkeys(last.numbers, amount))),
        tuple(ReportRow(one.report_date, one.key, dict.fromkeys(one.numbers, amount)) for one in known.rows),
    ]
    for rows in spoilt:
        example.told.known = {report: replace(known, rows=rows)}
        page = viewer.get(f"/oncall/reports/{report}")
        assert page.status_code == 200
        assert viewer.get("/oncall/reports").status_code == 200
        assert viewer.get(f"/oncall/api/reports/{report}").json()["rows"][-1]["numbers"] == dict(
            rows[-1].numbers
        )
        assert set(rows_of(viewer, report)[-1].values()) >= {amount or ""}
        if amount in ("NaN", "Infinity") and report != UNIT_PROFIT:
            assert "not drawn: not a number, endless, or too large" in page.text


@pytest.mark.parametrize(
    ("known", "words"),
    [
        (ReportNumbers(), "There is no table"),
        (ReportNumbers(columns=("profit",)), "Nothing is published of these days"),
        (numbers(profit_rows(1)), "Profit with what it is made of"),
        (
            numbers([one for one in profit_rows() if one.report_date.day != 5]),
            "Profit with what it is made of",
        ),
        (numbers([row(DAY, profit="1.00", somebody="2")]), "Somebody"),
        (numbers([row(DAY, "a", "b", profit="1.00")], "shop", "town"), "a · b · Profit"),
        (replace(numbers(profit_rows(40)), cut=True), "the oldest days are left out"),
    ],
    ids=["no table", "no rows", "one day", "a day missing", "another shape", "another key", "too many rows"],
)
def test_an_odd_report_is_a_page_too(
    viewer: TestClient, example: Example, known: ReportNumbers, words: str
) -> None:
    """What there is, or that there is nothing."""
    example.told.known = {PROFIT: known}
    page = viewer.get(PAGE)
    assert page.status_code == 200
    assert words in page.text
    assert viewer.get(API).status_code == viewer.get(f"{API}.csv").status_code == 200
    assert viewer.get("/oncall/reports").status_code == 200


def test_an_unreadable_warehouse_is_said(viewer: TestClient, example: Example) -> None:
    """A page for people, 503 for programs; without what it may have repeated of a secret."""
    example.told.down = "warehouse: no route to postgresql://oncall:hunter2hunter2@db/warehouse"
    for path in ("/oncall/reports", PAGE):
        page = viewer.get(path)
        assert page.status_code == 200
        assert "cannot be read now: warehouse: no route" in page.text
        assert "hunter2" not in page.text
        assert "There is no table" not in page.text
        assert "not published" not in page.text, "whether it is cannot be seen"
    for path in (API, f"{API}.csv"):
        answer = viewer.get(path)
        assert answer.status_code == 503
        assert "hunter2" not in answer.text


def test_what_can_be_read_is_shown_without_the_rest(admin: TestClient, example: Example) -> None:
    """Numbers without what is stale, and without the rows."""
    example.told.down, example.told.down_of = "warehouse: too slow", frozenset({"stale", "broken_rules"})
    text = admin.get(PAGE).text
    assert "Which days are stale cannot be read now: warehouse: too slow" in text
    assert "Which rows these are cannot be read now: warehouse: too slow" in text
    assert 'class="plot"' in text
    assert admin.get(API).json()["unread"]


def test_only_so_much_is_asked_of_the_warehouse(viewer: TestClient, example: Example) -> None:
    """60 days, and nine weeks before them to say what is usual."""
    viewer.get(PAGE)
    (asked,) = [one for one in example.told.asked if one[0] == "numbers"]
    assert asked == ("numbers", PROFIT, DAY - dt.timedelta(days=123), DAY)


def test_a_team_of_its_own_has_its_own_reports(viewer: TestClient, example: Example) -> None:
    """In its zone, with its name in every address that leads on."""
    example.seen = two_teams()
    assert GROWTH not in viewer.get("/oncall/reports").text
    text = viewer.get("/oncall/reports?team=growth").text
    assert f"/oncall/reports/{GROWTH}?team=growth" in text
    assert "Europe/Berlin" in viewer.get(f"/oncall/reports/{GROWTH}").text


def test_what_is_no_report_is_not_found(admin: TestClient) -> None:
    """Nor is a date that is none."""
    for path in ("/oncall/reports/master.customers", "/oncall/api/reports/pg_catalog.pg_authid.csv"):
        assert admin.get(path).status_code == 404
    assert admin.post(f"{PAGE}/yesterday/release", headers=OURS, data={"note": "x"}).status_code == 422


def test_numbers_are_written_as_people_read_them() -> None:
    """Thousands apart, cents as published, no zeros behind a fraction; a longer one is rounded, not cut."""
    texts = (None, "1234567.50", "-0.40", "0.3333333333", "12.0000000000", "NaN", "1.5e+70", "7")
    long = ("0.2106969206", "-0.6468927841", "1999.99996", "-0.00001", f"{10**40}.00001")
    assert [amount_words(text) for text in long] == ["0.2107", "-0.6469", "2,000", "0", f"{10**40:,}"]
    assert [amount_words(text) for text in texts] == [
        "–",
        "1,234,567.50",
        "-0.40",
        "0.3333",
        "12",
        "NaN",
        "1.5e+70",
        "7",
    ]


def test_the_usual_range_follows_the_weekday(viewer: TestClient) -> None:
    """A Sunday is expected to be quiet."""
    days = viewer.get(API).json()["days"]
    expected = {one["report_date"]: one["usual"]["revenue"]["expected"] for one in days}
    for (_, monday), (sunday, quiet) in pairwise(reversed(list(expected.items()))):
        if dt.date.fromisoformat(sunday).isoweekday() == 7:
            assert quiet < 0.7 * monday


def test_a_week_of_holidays_says_nothing_of_the_days_after_it(viewer: TestClient, example: Example) -> None:
    """As the check that holds a report has it."""
    week = [DAY - dt.timedelta(days=ago) for ago in range(1, 8)]
    ordinary = [one for one in profit_rows() if one.report_date not in week]
    shut = [replace(one, report_date=date) for one, date in zip(ordinary[:7], week, strict=True)]
    shut = [replace(one, numbers={**one.numbers, "revenue": "9.00"}) for one in shut]
    expected = {}
    for name, rows, holidays in (
        ("none", ordinary, ()),
        ("plain", [*ordinary, *shut], ()),
        ("off", [*ordinary, *shut], week),
    ):
        example.told.known = {PROFIT: numbers(rows)}
        roster = replace(example.seen.config.roster, public_holidays=dict.fromkeys(holidays, "Tết"))
        example.seen = replace(example.seen, config=replace(example.seen.config, roster=roster))
        days = {one["report_date"]: one for one in viewer.get(API).json()["days"]}
        expected[name] = days[str(DAY)]["usual"]["revenue"]["expected"]
    assert expected["off"] == expected["none"] != expected["plain"]


def test_of_very_many_variants_the_first_are_drawn(viewer: TestClient, example: Example) -> None:
    """And it is said where the others are."""
    rows = [
        row(DAY, "prices", f"v{n:03}", n=9, diff_from_control="1", cs_low="0", cs_high="2")
        for n in range(200)
    ]
    example.told.known = {UNIT_PROFIT: numbers(rows, "experiment", "variant")}
    text = viewer.get(f"/oncall/reports/{UNIT_PROFIT}").text
    assert text.count('class="plot"') == 24
    assert "CSV and JSON have all 200 variants" in text
    assert len(rows_of(viewer, UNIT_PROFIT)) == 200


def test_names_are_texts(viewer: TestClient, example: Example) -> None:
    """An experiment that somebody called by a tag, a note, a reason: nothing of it is markup."""
    evil = '"><script>alert(1)</script>'
    rows = [row(DAY, evil, evil, n=9, diff_from_control="1", cs_low="0", cs_high="2")]
    known = numbers(rows, "experiment", "variant")
    held = {DAY: [FailedCheck(evil, evil, evil)]}
    example.told.known = {UNIT_PROFIT: replace(known, held=held)}
    example.told.is_stale = {(UNIT_PROFIT, DAY): evil}
    text = viewer.get(f"/oncall/reports/{UNIT_PROFIT}").text
    assert "alert(1)" in text
    assert "<script>alert" not in text


def test_what_holds_a_report_names_no_hidden_one(
    admin: TestClient, manager: PerDag, example: Example
) -> None:
    """Growth's reader is not told of profit, whatever a check says."""
    words = "2026-11-22: Profit ETL (investor.daily_profit) is held"
    held = {DAY: [FailedCheck("needs", words, words)]}
    example.told.known = {GROWTH: replace(example.told.known[GROWTH], held=held)}
    for path in (f"/oncall/reports/{GROWTH}", f"/oncall/api/reports/{GROWTH}"):
        text = admin.get(path).text
        assert "another pipeline" in text
        assert "Profit ETL" not in text
        assert PROFIT not in text


def test_an_incident_and_a_pipeline_lead_to_the_numbers(viewer: TestClient) -> None:
    """Whoever is paged for a held report finds what holds it."""
    assert 'href="/oncall/reports/growth_etl"' in viewer.get("/oncall/incidents/growth_etl:2026-11-22").text
    assert f'href="/oncall/reports/{GROWTH}"' in viewer.get("/oncall/").text
    assert viewer.get("/oncall/reports/growth_etl").status_code == 200


def test_rows_before_the_days_shown_are_nobodys_loss(viewer: TestClient, example: Example) -> None:
    """They would only have said what is usual."""
    example.told.known = {PROFIT: replace(numbers(profit_rows()), cut=True)}
    assert "the oldest days are left out" not in viewer.get(PAGE).text
    assert viewer.get(API).json()["cut"] is False


@pytest.mark.parametrize("promised", [True, False])
def test_a_weekend_is_not_missing_from_a_report_of_working_days(
    viewer: TestClient, example: Example, promised: bool
) -> None:
    """Its pipeline does not run for it; a working day without its report is missing all the same."""
    pipeline = example.seen.config.pipelines["profit_etl"]
    assert pipeline.promise
    promise = replace(pipeline.promise, weekdays=frozenset(range(5))) if promised else None
    pipeline = replace(pipeline, schedule="0 2 * * 1,2,3,4,5", promise=promise)
    pipelines = {**example.seen.config.pipelines, "profit_etl": pipeline}
    example.seen = replace(example.seen, config=replace(example.seen.config, pipelines=pipelines))
    weekdays = [one for one in profit_rows() if one.report_date.weekday() < 5 and one.report_date.day != 5]
    example.told.known = {PROFIT: numbers(weekdays)}
    days = viewer.get(API).json()["days"]
    missing = {day["report_date"] for day in days if day["missing"]}
    assert "2026-11-05" in missing
    assert not [date for date in missing if dt.date.fromisoformat(date).weekday() > 4]


def test_a_day_that_was_found_stale_is_said_to_be_so_and_leads_to_its_numbers(
    viewer: TestClient, example: Example
) -> None:
    """Nothing was resolved when it was told."""
    seen = example.seen
    records = [
        replace(one, incident=replace(one.incident, verdict="stale", late_s=None)) for one in seen.records
    ]
    example.seen = replace(seen, records=tuple(records))
    text = viewer.get("/oncall/incidents/profit_etl:2026-11-16").text
    assert "Found stale Tue 17 Nov 05:42" in text
    assert "Resolved" not in text
    assert 'href="/oncall/reports/profit_etl"' in text
    assert "Steps: After" in text
    assert "run it and each later day that depends on it again, oldest first" in text
    assert 'href="/dags/oncall_rerun_stale" data-airflow' in text
    assert '<span class="badge stale">stale</span>' in text


def _stale(record: IncidentRecord, at: dt.datetime, told: Sequence[str]) -> IncidentRecord:
    incident = replace(record.incident, verdict="stale", late_s=None)
    return replace(record, incident=incident, events=tuple(Event(incident.key, at, what) for what in told))


def test_a_stale_day_that_was_run_again_is_called_stale_no_more(viewer: TestClient, example: Example) -> None:
    """Nor are there steps to do."""
    at = dt.datetime(2026, 11, 17, 5, 50, tzinfo=dt.UTC)
    told = (
        "Stale: Profit ETL, 16 Nov: master.orders changed since",
        ran_again("Ada", "", "3 numbers restated"),
    )
    records = [_stale(record, at, told) for record in example.seen.records]
    example.seen = replace(example.seen, records=tuple(records))
    text = viewer.get("/oncall/incidents/profit_etl:2026-11-16").text
    assert '<span class="badge run_again">run again</span>' in text
    assert "Steps: After" not in text
    assert 'href="/oncall/reports/profit_etl"' in text


def test_how_many_days_are_to_be_run_again_is_counted_over_all_reports(
    viewer: TestClient, example: Example
) -> None:
    """What depends on a stale day is stale too, whichever report it is of."""
    day = next(date for _, date in example.told.is_stale)
    assert "1 day is to be run again, oldest first: python -m oncall stale --rerun" in viewer.get(PAGE).text
    example.told.is_stale = {
        **example.told.is_stale,
        (UNIT_PROFIT, day): "depends on base.profit of 2026-11-11",
    }
    assert "2 days of all reports are to be run again, oldest first" in viewer.get(PAGE).text
