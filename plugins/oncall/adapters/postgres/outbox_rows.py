"""How a notification and its message stand in the outbox's table. Whatever stands there, reading it raises nothing."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import structlog

from oncall.core.incidents.incident import NotificationStatus
from oncall.core.message import Message, Recipient
from oncall.usecases.channel_ports import Posted
from oncall.usecases.ports import OutboxEntry

log = structlog.get_logger(__name__)

# Whom a delivery was for: whom its message names first.
_PERSON = "coalesce(message->'recipients'->0->>'name', '')"
ACCOUNT = "coalesce(message->'recipients'->0->>'opsgenie', '')"
_OWED_AT, _DONE_AT = (  # infinity is no instant in Python
    f"least(greatest({column}, '2000-01-01'), '2200-01-01')" for column in ("owed_at", "done_at")
)
# An alias is a part of the name of each step that is owed to it: one without end would fit into no index.
ENTRY = f"""coalesce(left(step, 1000), ''), channel, op, left(alias, 512), state, {_PERSON}, {_OWED_AT},
    case when done_at is not null then {_DONE_AT} end, maybe_taken, unreached, {ACCOUNT},
    coalesce(message->'recipients'->0->>'id', '')"""
DELIVERY = """id, key, step, channel, op, alias, "user", message, state, attempts, request_id, owed_at, done_at,
    channel_id, ts, error, maybe_taken, unreached, requested_at, pending_since"""


def entry_of(values: Sequence[Any]) -> NotificationStatus:
    *plain, owed_at, done_at, maybe_taken, unreached, account, person_id = values
    owed, done = (dt.datetime.fromisoformat(each) if each else None for each in (owed_at, done_at))
    fields = (*plain, owed, done, maybe_taken, unreached, account, person_id)
    return NotificationStatus(*fields)


# A NUL as JSON writes it, which PostgreSQL keeps none of; not the same letters behind a backslash, as in an error of
# PostgreSQL's own: "\u0000 cannot be converted to text".
_NUL = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")


def dumped(message: Message) -> str:
    return _NUL.sub(r"\1", json.dumps(dataclasses.asdict(message), ensure_ascii=False))


def message_from(stored: Mapping[str, Any]) -> Message:
    """The message that `dataclasses.asdict` and JSON took apart."""
    fields = dict(stored)
    fields["recipients"] = tuple(Recipient(**each) for each in fields["recipients"])
    for name in ("facts", "links"):
        fields[name] = tuple((label, value) for label, value in fields[name])
    fields["tags"] = tuple(fields["tags"])
    return Message(**fields)


def message_of(stored: Any, key: str, step: str) -> Message:
    """The words of a delivery; where they are spoilt, what it is about. A page is worded anew when it is sent."""
    try:
        return message_from(stored)
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        log.error("oncall.message_spoilt", key=key, step=step, reason=f"{type(error).__name__}: {error}")
        return Message(key, step, f"{key}: {step} (the words of this message are lost)")


def delivery_of(row: tuple[Any, ...]) -> OutboxEntry:
    *plain, channel_id, ts, error, maybe_taken, unreached, requested_at, pending_since = row
    plain[7] = message_of(plain[7], key=plain[1], step=plain[2])
    plain += [Posted(channel_id, ts) if ts else None, error]
    return OutboxEntry(*plain, maybe_taken, unreached, requested_at, pending_since)  # type: ignore[call-arg]
