"""Opsgenie's schedules: who is on call at an instant, from rotations and overrides; knows no HTTP.

Rotations and overrides are kept in the API's own shape, with dates in ISO 8601.
"""

from __future__ import annotations

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sandbox.inbox.records import Schedule
from sandbox.inbox.store import Store

TURN = {"hourly": dt.timedelta(hours=1), "daily": dt.timedelta(days=1), "weekly": dt.timedelta(weeks=1)}
PARTICIPANTS = ("user", "team", "escalation", "none")


def find_schedule(store: Store, identifier: str, identifier_type: str = "id") -> Schedule | None:
    """By id or by name."""
    by_name = identifier_type == "name"
    schedules = store.schedules.values()
    return next((s for s in schedules if identifier == (s.name if by_name else s.id)), None)


def on_call(schedule: Schedule, at: dt.datetime) -> list[str]:
    """The names on call at the instant, over all rotations: all of them would be notified together."""
    if not schedule.enabled:
        return []
    overrides = [
        o for o in schedule.overrides.values() if instant(o["startDate"]) <= at < instant(o["endDate"])
    ]
    names = [_name(o["user"]) for o in overrides if not o.get("rotations")]
    if not names:
        for rotation in schedule.rotations:
            replaced = [_name(o["user"]) for o in overrides if _overrides(o, rotation)]
            names += replaced or _turn(schedule, rotation, at)
    return list(dict.fromkeys(names))


def _overrides(override: dict[str, Any], rotation: dict[str, Any]) -> bool:
    named = override.get("rotations") or []
    return any(r.get("id") == rotation["id"] or r.get("name") == rotation["name"] for r in named)


def _turn(schedule: Schedule, rotation: dict[str, Any], at: dt.datetime) -> list[str]:
    """Whose turn it is in the rotation; turns are counted on the schedule's wall clock."""
    start, end = instant(rotation["startDate"]), rotation.get("endDate")
    if at < start or (end and at >= instant(end)):
        return []
    zone = ZoneInfo(schedule.timezone)
    passed = at.astimezone(zone).replace(tzinfo=None) - start.astimezone(zone).replace(tzinfo=None)
    turn = passed // (TURN[rotation["type"]] * int(rotation.get("length") or 1))
    participant = rotation["participants"][turn % len(rotation["participants"])]
    return [] if participant["type"] == "none" else [_name(participant)]


def _name(participant: dict[str, str]) -> str:
    return participant.get("username") or participant.get("name") or participant.get("id") or "?"


def instant(text: str) -> dt.datetime:
    """An ISO 8601 date-time; without an offset it is UTC. Raises ValueError."""
    at = dt.datetime.fromisoformat(text)
    return at if at.tzinfo else at.replace(tzinfo=dt.UTC)


def to_half_hour(text: str) -> str:
    """A rotation's date with its minutes moved to the nearest 0 or 30, as the original does without a word."""
    at = instant(text)
    hour = at.replace(minute=0, second=0, microsecond=0)
    return (hour + dt.timedelta(minutes=30 * round((at - hour) / dt.timedelta(minutes=30)))).isoformat()


def schedule_complaints(wish: dict[str, Any], *, new: bool) -> dict[str, str]:
    """What is wrong with a schedule's create or update payload, by field."""
    wrong: dict[str, str] = {}
    if new and not wish.get("name"):
        wrong["name"] = "Name can not be empty."
    try:
        ZoneInfo(wish.get("timezone") or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        wrong["timezone"] = f"[{wish['timezone']}] is not a valid timezone"
    for place, rotation in enumerate(wish.get("rotations") or []):
        found = _rotation_complaints(rotation)
        wrong.update({f"rotations[{place}].{field}": words for field, words in found.items()})
    return wrong


def _rotation_complaints(wish: dict[str, Any]) -> dict[str, str]:
    wrong = {
        field: f"{field} should be provided"
        for field in ("type", "startDate", "participants")
        if not wish.get(field)
    }
    if wish.get("type") and wish["type"] not in TURN:
        wrong["type"] = f"should be one of [ {', '.join(TURN)} ]"
    for place, participant in enumerate(wish.get("participants") or []):
        wrong.update(_participant(f"participants[{place}]", participant, PARTICIPANTS))
    wrong.update(_dates(wish))
    return wrong


def override_complaints(wish: dict[str, Any]) -> dict[str, str]:
    wrong = {
        field: f"{field} should be provided"
        for field in ("user", "startDate", "endDate")
        if not wish.get(field)
    }
    if wish.get("user"):
        wrong.update(_participant("user", wish["user"], ("user", "team", "escalation")))
    wrong.update(_dates(wish))
    if not wrong and instant(wish["startDate"]) >= instant(wish["endDate"]):
        wrong["endDate"] = "should be after startDate"
    return wrong


def _participant(field: str, value: Any, kinds: tuple[str, ...]) -> dict[str, str]:
    if not isinstance(value, dict) or value.get("type") not in kinds:
        return {f"{field}.type": f"should be one of [ {', '.join(kinds)} ]"}
    names = ("id", "username") if value["type"] == "user" else ("id", "name")
    if value["type"] != "none" and not any(value.get(name) for name in names):
        return {field: f"{names[0]} or {names[1]} should be provided"}
    return {}


def _dates(wish: dict[str, Any]) -> dict[str, str]:
    wrong = {}
    for field in ("startDate", "endDate"):
        try:
            instant(wish.get(field) or "2000-01-01")
        except (ValueError, TypeError):
            wrong[field] = "should be an ISO 8601 date-time"
    return wrong
