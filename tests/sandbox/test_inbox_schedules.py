"""The schedule part of the Opsgenie face, as a sync of the rota would use it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from sandbox.inbox.schedules import to_half_hour
from sandbox.inbox.testing import RunningInbox

Account = Callable[..., httpx.Response]
PEOPLE = [{"type": "user", "username": f"de-00{n}@example.com"} for n in (1, 2, 3, 4)]
WEEKLY = {"name": "weeks", "type": "weekly", "startDate": "2025-12-29T09:00:00+07:00", "participants": PEOPLE}
PRIMARY: dict[str, Any] = {"name": "primary", "timezone": "Asia/Bangkok", "rotations": [WEEKLY]}
BY_NAME = "scheduleIdentifierType=name"


@pytest.fixture
def account(inbox: RunningInbox, genie: Account) -> Account:
    """A call with the account key."""

    def call(method: str, path: str, body: Any = None) -> httpx.Response:
        return genie(method, path, body, key=inbox.opsgenie_account_key)

    return call


def on_call(account: Account, at: str) -> list[str]:
    answer = account(
        "GET", f"/v2/schedules/primary/on-calls?{BY_NAME}&flat=true&date={at.replace('+', '%2B')}"
    )
    names: list[str] = answer.json()["data"]["onCallRecipients"]
    return names


def override(person: int, **fields: Any) -> dict[str, Any]:
    dates = {"startDate": "2026-01-05T09:00:00+07:00", "endDate": "2026-01-07T09:00:00+07:00"}
    return {"user": PEOPLE[person - 1], **dates, **fields}


def test_an_integration_key_may_not_touch_schedules(genie: Account) -> None:
    """403: schedules are configuration."""
    assert genie("GET", "/v2/schedules/primary?identifierType=name").status_code == 403
    assert genie("POST", "/v2/schedules", PRIMARY).status_code == 403


@pytest.mark.parametrize(
    ("at", "person"),
    [
        ("2025-12-29T08:59:59+07:00", None),
        ("2025-12-29T09:00:00+07:00", 1),
        ("2026-01-05T08:59:59+07:00", 1),
        ("2026-01-05T09:00:00+07:00", 2),
        ("2026-01-26T09:00:00+07:00", 1),
    ],
)
def test_a_weekly_rotation_hands_over_at_its_start(account: Account, at: str, person: int | None) -> None:
    """Half-open weeks from startDate on; before it nobody."""
    assert account("POST", "/v2/schedules", PRIMARY).status_code == 201
    assert on_call(account, at) == ([f"de-00{person}@example.com"] if person else [])


def test_an_override_is_the_same_one_by_its_alias(account: Account) -> None:
    """It is replaced by another one of its alias, holds for its exact times and goes when it is deleted."""
    account("POST", "/v2/schedules", PRIMARY)
    path = f"/v2/schedules/primary/overrides?{BY_NAME}"
    swap = f"/v2/schedules/primary/overrides/swap?{BY_NAME}"
    assert account("PUT", swap, override(3)).status_code == 201
    assert account("PUT", swap, override(3)).status_code == 200
    assert on_call(account, "2026-01-05T08:59:00+07:00") == ["de-001@example.com"]
    assert on_call(account, "2026-01-05T09:00:00+07:00") == ["de-003@example.com"]
    account("PUT", swap, override(4, rotations=[{"name": "weeks"}]))
    assert on_call(account, "2026-01-06T09:00:00+07:00") == ["de-004@example.com"]
    assert on_call(account, "2026-01-07T09:00:00+07:00") == ["de-002@example.com"]
    assert len(account("GET", path).json()["data"]) == 1
    assert account("DELETE", swap).status_code == 200
    assert account("DELETE", swap).status_code == 404
    assert on_call(account, "2026-01-06T09:00:00+07:00") == ["de-002@example.com"]


def test_a_schedule_can_be_changed(account: Account) -> None:
    """By name or id; a second schedule of the same name is refused."""
    schedule_id = account("POST", "/v2/schedules", PRIMARY).json()["data"]["id"]
    assert account("POST", "/v2/schedules", PRIMARY).status_code == 409
    changed = {"description": "d", "rotations": [WEEKLY | {"participants": PEOPLE[:1]}]}
    assert account("PATCH", "/v2/schedules/primary?identifierType=name", changed).status_code == 200
    shown = account("GET", f"/v2/schedules/{schedule_id}").json()["data"]
    assert (shown["description"], shown["timezone"]) == ("d", "Asia/Bangkok")
    assert on_call(account, "2026-01-12T09:00:00+07:00") == ["de-001@example.com"]


@pytest.mark.parametrize(
    ("wish", "field"),
    [
        (PRIMARY | {"name": ""}, "name"),
        (PRIMARY | {"timezone": "+07:00"}, "timezone"),
        (PRIMARY | {"rotations": [WEEKLY | {"type": "monthly"}]}, "rotations[0].type"),
        (
            PRIMARY | {"rotations": [WEEKLY | {"participants": [{"type": "user"}]}]},
            "rotations[0].participants[0]",
        ),
        (PRIMARY | {"rotations": [WEEKLY | {"startDate": "monday"}]}, "rotations[0].startDate"),
    ],
)
def test_a_bad_schedule_is_refused(account: Account, wish: dict[str, Any], field: str) -> None:
    """422 with the field's name."""
    answer = account("POST", "/v2/schedules", wish)
    assert answer.status_code == 422
    assert field in answer.json()["errors"]


def test_an_override_must_name_somebody_and_end_after_it_starts(account: Account) -> None:
    """422 otherwise."""
    account("POST", "/v2/schedules", PRIMARY)
    path = f"/v2/schedules/primary/overrides/swap?{BY_NAME}"
    for wrong in (
        override(1) | {"user": {}},
        override(1, endDate="2026-01-01T00:00:00Z"),
        override(1, startDate=""),
    ):
        assert account("PUT", path, wrong).status_code == 422


@pytest.mark.parametrize(
    ("given", "kept"), [("09:10", "09:00"), ("09:20", "09:30"), ("09:30", "09:30"), ("09:50", "10:00")]
)
def test_a_rotation_starts_at_the_nearest_half_hour(given: str, kept: str) -> None:
    """As the original moves it, without a word."""
    assert to_half_hour(f"2026-01-05T{given}:00+07:00") == f"2026-01-05T{kept}:00+07:00"


def test_an_alert_to_a_schedule_says_whom_it_woke(
    inbox: RunningInbox, account: Account, genie: Account
) -> None:
    """The timeline names the person behind the schedule."""
    always = WEEKLY | {"participants": PEOPLE[:1], "startDate": "2020-01-06T09:00:00+07:00"}
    account("POST", "/v2/schedules", PRIMARY | {"rotations": [always]})
    genie("POST", "/v2/alerts", {"message": "m", "responders": [{"type": "schedule", "name": "primary"}]})
    assert inbox.alerts()[0].timeline[-1].text == "Notified primary (de-001@example.com)"
