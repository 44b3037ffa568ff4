"""Slack's methods that say something: chat.postMessage, chat.update, and a group's members; no HTTP, no token."""

from __future__ import annotations

import math
import re
from typing import Any

from sandbox.inbox import slack_blocks
from sandbox.inbox.limits import length
from sandbox.inbox.records import Channel, SlackMessage
from sandbox.inbox.slack_error import Arguments, RateLimited, SlackError
from sandbox.inbox.store import Store

BOT = {"user": "U0INBOXBOT", "bot_id": "B0INBOXBOT", "team": "T0INBOX", "app_id": "A0INBOX"}
TS = re.compile(r"\d{9,10}\.\d{6}")
TEXT_POSTED, TEXT_UPDATED = 40_000, 4_000  # a longer post is cut with a warning, a longer update refused


def channel_by_id(store: Store, channel: str) -> Channel:
    if channel not in store.channels:
        raise SlackError("channel_not_found")
    return store.channels[channel]


def _channel_by_name_or_id(store: Store, channel: str) -> Channel:
    named = (known for known in store.channels.values() if known.name == channel.lstrip("#"))
    return store.channels.get(channel) or next(named, None) or channel_by_id(store, channel)


def _open(channel: Channel) -> Channel:
    """The channel, when something may be said in it."""
    if channel.archived:
        raise SlackError("is_archived")
    if not channel.member:
        raise SlackError("not_in_channel")
    return channel


def next_ts(store: Store) -> str:
    """The time as Slack's message id: unique, and later than every ts before it."""
    last = max((message.ts for message in store.messages.values()), default="0.000000", key=_micros)
    return _as_ts(max(int(store.now() * 1_000_000), _micros(last) + 1))


def _micros(ts: str) -> int:
    seconds, _, micros = ts.partition(".")
    return int(seconds) * 1_000_000 + int(micros)


def _as_ts(micros: int) -> str:
    return f"{micros // 1_000_000}.{micros % 1_000_000:06d}"


def post(store: Store, given: Arguments) -> dict[str, Any]:
    """chat.postMessage: to a channel's name or id, in a thread when its root exists (else in the channel itself)."""
    channel = _open(_channel_by_name_or_id(store, given.text("channel", required=True)))
    content, warnings = _content(given)
    thread_ts = _thread(store, channel, given.text("thread_ts"))
    _check_rate(store, channel)
    message = SlackMessage(
        channel=channel.id,
        channel_name=channel.name,
        ts=next_ts(store),
        user=BOT["user"],
        thread_ts=thread_ts,
        metadata=_metadata(given),
        **content,
    )
    store.save(message)
    return {"channel": channel.id, "ts": message.ts, "message": shown(store, message), "warnings": warnings}


def update(store: Store, given: Arguments) -> dict[str, Any]:
    """chat.update: by the channel's id (not its name) and the ts; what is not given stays as it was."""
    channel = _open(channel_by_id(store, given.text("channel", required=True)))
    message = store.messages.get(f"{channel.id}:{given.text('ts', required=True)}")
    if message is None:
        raise SlackError("message_not_found")
    if message.user != BOT["user"]:
        raise SlackError("cant_update_message")
    if length(given.text("text")) > TEXT_UPDATED:
        raise SlackError("msg_too_long")
    content, warnings = _content(given)
    metadata = _metadata(given)
    message.edits.append(message.text)
    if given.get("text") is not None:
        message.text = content["text"]
    if given.get("blocks") is not None:
        message.blocks = content["blocks"]
    if given.get("metadata") is not None:
        message.metadata = metadata
    message.edited_ts = _as_ts(int(store.now() * 1_000_000))
    store.save(message)
    return {
        "channel": channel.id,
        "ts": message.ts,
        "text": message.text,
        "message": shown(store, message),
        "warnings": warnings,
    }


def _content(given: Arguments) -> tuple[dict[str, Any], list[str]]:
    """Text and blocks, checked; and what Slack warns of."""
    text = given.text("text")
    blocks = _blocks(given)
    if not text and not blocks:
        raise SlackError("no_text")
    if wrong := slack_blocks.complaints(blocks):
        raise SlackError("invalid_blocks", *wrong)
    if slack_blocks.text_in(blocks) > slack_blocks.ALL_TEXT:
        raise SlackError("msg_blocks_too_long")
    warnings = [] if text else ["missing_text_in_message"]
    if len(text) > TEXT_POSTED:
        text, warnings = text[:TEXT_POSTED], ["message_truncated"]
    return {"text": text, "blocks": blocks}, warnings


def _blocks(given: Arguments) -> list[dict[str, Any]]:
    value = given.get("blocks")
    if value in (None, ""):
        return []
    if not isinstance(value, list):
        raise SlackError("invalid_blocks_format")
    return value


def _metadata(given: Arguments) -> dict[str, Any]:
    value = given.get("metadata")
    if value in (None, "", {}):
        return {}
    good = (
        isinstance(value, dict)
        and isinstance(value.get("event_type"), str)
        and isinstance(value.get("event_payload"), dict)
    )
    if not good:
        raise SlackError("invalid_metadata_format")
    return dict(value)


def _thread(store: Store, channel: Channel, thread_ts: str) -> str | None:
    """The thread to stand in. A reply to a message that is not there lands in the channel itself, without a word."""
    if not thread_ts:
        return None
    if not TS.fullmatch(thread_ts):
        raise SlackError("invalid_thread_ts")
    root = store.messages.get(f"{channel.id}:{thread_ts}")
    return thread_ts if root is not None and root.thread_ts is None else None


def _check_rate(store: Store, channel: Channel) -> None:
    """One message in so many seconds, when the settings ask for that."""
    pace = store.settings.slack_seconds_per_message
    last = max(
        (float(message.ts) for message in store.messages.values() if message.channel == channel.id),
        default=0.0,
    )
    left = last + pace - store.now()
    if pace > 0 and left > 0:
        raise RateLimited(max(1, math.ceil(left)))


def shown(store: Store, message: SlackMessage, *, with_metadata: bool = True) -> dict[str, Any]:
    """The message as Slack's API shows it; a root tells of its replies."""
    mine = message.user == BOT["user"]
    content: dict[str, Any] = {
        "type": "message",
        "user": message.user,
        "ts": message.ts,
        "text": message.text,
    }
    content |= {name: BOT[name] for name in ("bot_id", "team", "app_id")} if mine else {"team": BOT["team"]}
    if message.blocks:
        content["blocks"] = message.blocks
    if message.edited_ts:
        content["edited"] = {"user": message.user, "ts": message.edited_ts}
    if message.metadata and with_metadata:
        content["metadata"] = message.metadata
    replies = [
        m for m in store.messages.values() if m.channel == message.channel and m.thread_ts == message.ts
    ]
    if message.thread_ts or replies:
        content["thread_ts"] = message.thread_ts or message.ts
    if replies:
        content |= {
            "reply_count": len(replies),
            "reply_users": list(dict.fromkeys(reply.user for reply in replies)),
            "latest_reply": replies[-1].ts,
        }
    return content


def set_group(store: Store, given: Arguments) -> dict[str, Any]:
    """usergroups.users.update: `users` is a comma-separated text or a list, and replaces all members."""
    group = store.usergroups.get(given.text("usergroup", required=True))
    if group is None:
        raise SlackError("no_such_subteam")
    users = given.get("users")
    members = users if isinstance(users, list) else [user.strip() for user in given.text("users").split(",")]
    members = [user for user in members if user]
    if not members:
        raise SlackError("no_users_provided")
    if not all(re.fullmatch(r"[UW][A-Z0-9]+", user) for user in members):
        raise SlackError("invalid_users")
    group.users = members
    store.save(group)
    return {"usergroup": {"id": group.id, "handle": group.handle, "users": group.users}}


METHODS = {"chat.postMessage": post, "chat.update": update, "usergroups.users.update": set_group}
