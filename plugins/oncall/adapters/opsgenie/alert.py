"""How a Message becomes an Opsgenie alert within the far side's limits; sends nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

from oncall.adapters.markdown import cut, length, plain_steps
from oncall.core.message import Message

SOURCE = "airflow-oncall"

# Limits in characters (https://docs.opsgenie.com/docs/alert-api); a longer message is refused, not shortened.
_MESSAGE, _ALIAS, _DESCRIPTION, _ENTITY, _DETAILS = 130, 512, 15_000, 512, 8_000
_TAGS, _TAG, _RESPONDERS = 20, 50, 50
# Ours: no summary is so long that it pushes the links out.
_SUMMARY, _LINKS = 4_000, 5_000


def alert(message: Message) -> dict[str, Any]:
    """The body of a create request, within every limit of the far side."""
    body: dict[str, Any] = {
        "message": cut(message.title or message.key, _MESSAGE),
        "alias": fitting_alias(message.alias),
        "description": description(message),
        "entity": cut(message.key, _ENTITY),
        "source": SOURCE,
        "priority": message.priority,
        "tags": [cut(tag, _TAG) for tag in message.tags[:_TAGS]],
        "details": _details([("key", message.key), ("step", message.step)]),
    }
    users = [person.opsgenie for person in message.recipients if person.opsgenie]
    if users:
        body["responders"] = [{"type": "user", "username": user} for user in users[:_RESPONDERS]]
    return body


def description(message: Message) -> str:
    """Plain text, the most needed first; only the end is cut.

    A lock screen shows its first two lines below the title: what to do first, and where the alert is acknowledged.
    Code is no part of it: in a proportional font it cannot be read, nor copied on a phone. The runbook has it.
    """
    links = _whole((f"{label}: {url}" for label, url in message.links), _LINKS)
    (first, *further), steps = _steps(message.steps)
    head = [f"Do: {first}" if first else "", *links[:1], *(f"• {line}" for line in further)]
    facts = "\n".join(f"{label}: {value}" for label, value in message.facts)
    parts = [
        "\n".join(filter(None, head)),
        cut(message.summary, _SUMMARY),
        "\n".join(links[1:]),
        steps,
        facts,
    ]
    return cut("\n\n".join(part for part in parts if part), _DESCRIPTION)


def _steps(markdown: str) -> tuple[tuple[str, ...], str]:
    first, rest = plain_steps(markdown)
    return first or ("",), rest and f"Steps\n{rest}"


def fitting_alias(alias: str) -> str:
    """The alias in a form that the far side keeps and an address can hold: else it is cut and ends in its hash."""
    if length(alias) <= _ALIAS and alias.isprintable():
        return alias
    digest = hashlib.sha256(alias.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    shown = "".join(character if character.isprintable() else "_" for character in alias)
    return f"{cut(shown, _ALIAS - 17)}-{digest}"


def _details(facts: Iterable[tuple[str, str]]) -> dict[str, str]:
    kept: dict[str, str] = {}
    room = _DETAILS
    for label, value in facts:
        room -= length(label) + length(value)
        if room < 0:
            break
        kept[label] = value
    return kept


def _whole(lines: Iterable[str], limit: int) -> list[str]:
    """The first lines that fit together; half a link leads nowhere."""
    kept: list[str] = []
    for line in lines:
        limit -= length(line) + 1
        if limit >= 0:
            kept.append(line)
    return kept
