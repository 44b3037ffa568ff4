"""What was restated: a section of the first page, and JSON; of the pipelines that the reader may see."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

from fastapi.testclient import TestClient

from oncall.core.data.restatement import Restatement
from oncall.web.permissions import limited
from oncall.web.views.restatements import restatements
from tests.web.example_page import Example, morning

AT = dt.datetime(2026, 11, 22, 3, tzinfo=dt.UTC)
ONE = Restatement(
    "investor.daily_profit",
    dt.date(2026, 11, 20),
    "refunds",
    "0.00",
    "6.00",
    "master.refunds changed",
    "second",
    AT,
    currency="USD",
)
TWO = replace(ONE, report="investor.daily_profit_by_channel", key="email", old=None)


def restated(example: Example) -> None:
    example.seen = replace(morning(), restated=(TWO, ONE))


def test_the_page_tells_what_was_restated_and_why(viewer: TestClient, example: Example) -> None:
    """Before and after, the reason, and where the rest is; without one there is no such section."""
    assert "Restated in the last 28 days" not in viewer.get("/oncall/").text
    restated(example)
    text = viewer.get("/oncall/").text
    assert "refunds 0.00 → 6.00, 1 number by channel or variant, in USD" in text
    assert "master.refunds changed" in text
    assert "/oncall/api/restatements" in text


def test_the_api_gives_each_number(viewer: TestClient, example: Example) -> None:
    """As text, to the cent; null for a row that was not there. The documentation names it."""
    restated(example)
    (found,) = viewer.get("/oncall/api/restatements").json()
    assert (found["dag_id"], found["report_date"], found["reason"]) == (
        "profit_etl",
        "2026-11-20",
        "master.refunds changed",
    )
    assert found["numbers"] == [
        {
            "table": ONE.report,
            "key": "",
            "column": "refunds",
            "old": "0.00",
            "new": "6.00",
            "currency": "USD",
        },
        {
            "table": TWO.report,
            "key": "email",
            "column": "refunds",
            "old": None,
            "new": "6.00",
            "currency": "USD",
        },
    ]
    assert "/api/restatements" in viewer.get("/oncall/api").text


def test_nobody_sees_those_of_a_pipeline_that_is_not_theirs() -> None:
    """They go with their pipeline."""
    seen = replace(morning(), restated=(ONE,))
    assert len(restatements(seen)) == 1
    assert restatements(limited(seen, frozenset({"growth_etl"}))) == []


def test_it_is_for_those_who_signed_in(client: TestClient) -> None:
    """As the rest of the page."""
    assert client.get("/oncall/api/restatements").status_code == 401
