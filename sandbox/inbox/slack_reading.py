"""Slack's methods that tell something: history, replies, channels, groups, who am I; no HTTP, no token."""

from __future__ import annotations

from typing import Any

from sandbox.inbox.records import Channel, SlackMessage
from sandbox.inbox.slack_error import Arguments, SlackError
from sandbox.inbox.slack_posting import BOT, channel_by_id, shown
from sandbox.inbox.store import Store

MOST_A_PAGE = 999


def history(store: Store, given: Arguments) -> dict[str, Any]:
    """conversations.history: what stands in the channel itself (no replies), newest first, `limit` a page."""
    channel = channel_by_id(store, given.text("channel", required=True))
    standing = [
        message
        for message in store.messages.values()
        if message.channel == channel.id and message.thread_ts is None and _within(message.ts, given)
    ]
    return _page(store, given, sorted(standing, key=lambda message: float(message.ts), reverse=True))


def replies(store: Store, given: Arguments) -> dict[str, Any]:
    """conversations.replies: the root and its replies, oldest first; asked for a reply, only that one."""
    channel = channel_by_id(store, given.text("channel", required=True))
    asked = store.messages.get(f"{channel.id}:{given.text('ts', required=True)}")
    if asked is None:
        raise SlackError("thread_not_found")
    if asked.thread_ts is not None:
        return _page(store, given, [asked])
    thread = [
        message
        for message in store.messages.values()
        if message.channel == channel.id and message.thread_ts == asked.ts and _within(message.ts, given)
    ]
    return _page(store, given, [asked, *sorted(thread, key=lambda message: float(message.ts))])


def _within(ts: str, given: Arguments) -> bool:
    """Between `oldest` and `latest`, which count themselves only when `inclusive`."""
    oldest, latest, inclusive = given.get("oldest"), given.get("latest"), given.flag("inclusive")
    try:
        low = float(oldest) if oldest else 0.0
        high = float(latest) if latest else float("inf")
    except (TypeError, ValueError):
        raise SlackError("invalid_ts_latest" if latest else "invalid_ts_oldest") from None
    at = float(ts)
    return low <= at <= high if inclusive else low < at < high


def _page(store: Store, given: Arguments, messages: list[SlackMessage]) -> dict[str, Any]:
    limit = max(1, min(given.number("limit", 100), MOST_A_PAGE))
    cursor = given.text("cursor")
    start = 0
    if cursor:
        place = cursor.removeprefix("next:")
        if not place.isdigit():
            raise SlackError("invalid_cursor")
        start = int(place)
    page, more = messages[start : start + limit], len(messages) > start + limit
    with_metadata = given.flag("include_all_metadata")
    content: dict[str, Any] = {
        "messages": [shown(store, message, with_metadata=with_metadata) for message in page],
        "has_more": more,
    }
    if more:
        content["response_metadata"] = {"next_cursor": f"next:{start + limit}"}
    return content


def who_am_i(store: Store, given: Arguments) -> dict[str, Any]:
    return {
        "url": "https://inbox.slack.com/",
        "team": "Inbox",
        "user": "oncall",
        "team_id": BOT["team"],
        "user_id": BOT["user"],
        "bot_id": BOT["bot_id"],
        "is_enterprise_install": False,
    }


def _channel(channel: Channel) -> dict[str, Any]:
    return {
        "id": channel.id,
        "name": channel.name,
        "name_normalized": channel.name,
        "is_channel": True,
        "is_archived": channel.archived,
        "is_private": False,
        "is_member": channel.member,
    }


def channels(store: Store, given: Arguments) -> dict[str, Any]:
    return {
        "channels": [_channel(channel) for channel in store.channels.values()],
        "response_metadata": {"next_cursor": ""},
    }


def group_members(store: Store, given: Arguments) -> dict[str, Any]:
    group = store.usergroups.get(given.text("usergroup", required=True))
    if group is None:
        raise SlackError("no_such_subteam")
    return {"users": group.users}


def user_info(store: Store, given: Arguments) -> dict[str, Any]:
    user = given.text("user", required=True)
    if user in store.settings.unknown_users:
        raise SlackError("user_not_found")
    return {
        "user": {"id": user, "team_id": BOT["team"], "name": user.lower(), "deleted": False, "is_bot": False}
    }


METHODS = {
    "users.info": user_info,
    "conversations.history": history,
    "conversations.replies": replies,
    "conversations.list": channels,
    "auth.test": who_am_i,
    "usergroups.users.list": group_members,
}
