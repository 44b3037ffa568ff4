"""What Opsgenie refuses in an alert's payload; knows no HTTP and no store.

Unknown fields are ignored, as in the original. Every function returns field → complaint, empty when all is well.
"""

from __future__ import annotations

from typing import Any

PRIORITIES = ("P1", "P2", "P3", "P4", "P5")
RESPONDER_TYPES = ("team", "user", "escalation", "schedule")
TEXTS = {
    "message": 130,
    "alias": 512,
    "description": 15_000,
    "entity": 512,
    "source": 100,
    "user": 100,
    "note": 25_000,
}
TAGS, TAG = 20, 50
DETAILS = 8_000
RESPONDERS = 50
REQUIRED = {"create": "message", "notes": "note"}  # what an action cannot do without


def length(text: str) -> int:
    """Characters as Java counts them, in UTF-16."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def complaints(action: str, payload: dict[str, Any]) -> dict[str, str]:
    """What is wrong with the payload of `action`, by field."""
    wrong: dict[str, str] = {}
    required = REQUIRED.get(action)
    if required and not payload.get(required):
        wrong[required] = f"{required.capitalize()} can not be empty."
    for field, limit in TEXTS.items():
        wrong.update(_text(field, payload.get(field), limit))
    wrong.update(_tags(payload.get("tags")))
    wrong.update(_details(payload.get("details")))
    if payload.get("priority") is not None and payload["priority"] not in PRIORITIES:
        wrong["priority"] = "should be one of [ P1, P2, P3, P4, P5 ]"
    wrong.update(_responders(payload.get("responders")))
    return wrong


def _text(field: str, value: object, limit: int) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, str):
        return {field: "should be a string"}
    if length(value) > limit:
        return {field: f"length should be between 0 and {limit}, found {length(value)}"}
    return {}


def _tags(value: object) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        return {"tags": "should be a list of strings"}
    if len(value) > TAGS:
        return {"tags": f"size should be between 0 and {TAGS}, found {len(value)}"}
    return {
        f"tags[{place}]": f"length should be between 0 and {TAG}, found {len(item)}"
        for place, item in enumerate(value)
        if length(item) > TAG
    }


def _details(value: object) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
        return {"details": "should be a map of string to string"}
    size = sum(length(name) + length(text) for name, text in value.items())
    return {"details": f"total length should be at most {DETAILS}, found {size}"} if size > DETAILS else {}


def _responders(value: object) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, list):
        return {"responders": "should be a list"}
    if len(value) > RESPONDERS:
        return {"responders": f"size should be between 0 and {RESPONDERS}, found {len(value)}"}
    wrong: dict[str, str] = {}
    for place, responder in enumerate(value):
        wrong.update(_responder(f"responders[{place}]", responder))
    return wrong


def _responder(field: str, value: object) -> dict[str, str]:
    if not isinstance(value, dict):
        return {field: "should be an object"}
    if value.get("type") not in RESPONDER_TYPES:
        return {f"{field}.type": f"should be one of [ {', '.join(RESPONDER_TYPES)} ]"}
    names = ("id", "username") if value["type"] == "user" else ("id", "name")
    if not any(value.get(name) and isinstance(value[name], str) for name in names):
        return {field: f"{names[0]} or {names[1]} should be provided"}
    return {}
