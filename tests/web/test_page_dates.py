"""Whatever is written as an instant in an address: an answer, or 422 with words that say what to write."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from fastapi.testclient import TestClient

WRONG = [
    *("9999-12-31", "9999-12-31T23:59:59-14:00", "9991-01-01", "0001-01-01", "1969-12-31", "2026-W49", "2026-02-30"),
    *("", " ", "now", "1e9", "-1", "2026-03-02T25:00", "2026-03-02T05:00 07:00", "2026-03-02-09:00"),
    *("2026-03-02T05:00+99:00", "٢٠٢٦-٠٣-٠٢", "2026-03-02\x00", "2026-03-02\n<script>"),
    *("{{7*7}}", "9" * 40, "9990-12-31"),
]  # fmt: skip


@pytest.mark.parametrize("text", WRONG)
@pytest.mark.parametrize(
    "path", ["who?at={}", "rota?from={}&until=2026-12-07", "rota?from=2026-11-23&until={}"]
)
def test_what_is_no_instant_is_422(admin: TestClient, path: str, text: str) -> None:
    """In JSON, with the text as it was found."""
    answer = admin.get(f"/oncall/api/{path.format(quote(text))}")
    assert answer.status_code == 422
    said = answer.json()["detail"]
    assert "1970 to 9990" in said or "hundred years" in said


@pytest.mark.parametrize("text", ["9999-12-31", "2026-W49", "now", "9990-12-31", "<b>"])
def test_the_page_says_it_too(admin: TestClient, text: str) -> None:
    """Beside the rota, with what to write; asked twice it is the same."""
    for _ in range(2):
        answer = admin.get(f"/oncall/rota?at={quote(text)}", headers={"accept": "text/html"})
        assert answer.status_code == 422
        assert "1970 to 9990" in answer.text or "hundred years" in answer.text
        assert "<b>" not in answer.text


@pytest.mark.parametrize("text", ["20261207", "2026-W50-1", "2026-12-07", "2026-12-07T09:00:00+07:00"])
def test_every_form_of_a_date_is_its_handoff_hour(admin: TestClient, text: str) -> None:
    """Not its midnight."""
    answer = admin.get(f"/oncall/api/who?at={quote(text)}")
    assert (answer.status_code, answer.json()["at"]) == (200, "2026-12-07T09:00:00+07:00")


@pytest.mark.parametrize("text", ["1970-01-01", "2100-01-01T00:00:00.5+14:00"])
def test_the_ends_of_time_have_an_answer(admin: TestClient, text: str) -> None:
    """Before the rota begins and long after."""
    assert admin.get(f"/oncall/api/who?at={quote(text)}").status_code == 200
