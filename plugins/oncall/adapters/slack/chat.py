"""The Chat on Slack's Web API: posts, finds again and updates; decides nothing, only says it."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from oncall.adapters.http.answers import AnswerTooLong, record, records, text
from oncall.adapters.http.calls import bounded
from oncall.adapters.http.connections import Access, Connected, FarSide
from oncall.adapters.slack import blocks
from oncall.adapters.slack.errors import FORM, METADATA, SlackRefused
from oncall.core.message import Message
from oncall.usecases.channel_ports import Posted

if TYPE_CHECKING:
    from slack_sdk import WebClient

DEFAULT_URL = "https://slack.com/api/"
THREAD_URL = "https://slack.com/app_redirect?channel={channel}&message_ts={ts}"

_PAGES = 10
# What is asked for at once, and what instead when that was longer than is read: a message may have 80 kB.
_PER_PAGE = (40, 10, 2)
_CHANNELS_PER_PAGE = (200, 50)
_CHANNEL_ID = re.compile(r"[CGD][A-Z0-9]{2,}")
# Reading the history is a convenience: where it is not allowed, nothing can be found.
_NOT_READABLE = {
    "unknown_method", "missing_scope", "channel_not_found", "not_in_channel", "not_allowed_token_type",
    "method_not_supported_for_channel_type", "thread_not_found", "no_permission", "access_denied",
}  # fmt: skip

Call = Callable[["WebClient"], Any]


class Slack(FarSide["WebClient"]):
    """A Chat. Thread-safe; the connection is read on first use and looked at again once a minute."""

    far_side = "Slack"

    def __init__(self, connected: Connected[WebClient]) -> None:
        super().__init__(connected)
        self._channel_ids: dict[str, str] = {}

    @classmethod
    def from_connection(cls, conn_id: str = "slack_api_default", look_again_s: float = 60.0) -> Slack:
        """The chat behind an Airflow connection: password = bot token.

        Its extra may hold base_url, thread_url, timeout, proxy and channel_ids. `channel_ids`, {"#name": "C…"},
        saves a question where the token may not list channels.
        """
        connected = Connected(
            conn_id, _build, address="base_url", default_url=DEFAULT_URL, look_again_s=look_again_s
        )
        return cls(connected.probed_by(_probe))

    @property
    def thread_url(self) -> str:
        """Where a person sees a message: an address with `{channel}` and `{ts}` in it; "" when not known. Never raises.

        Slack's own opens it in whatever workspace the reader is in; the connection's extra `thread_url` another.
        """
        access = self._reached()
        return access.address("thread_url", THREAD_URL) if access else ""

    @bounded
    def post(self, message: Message, channel: str, thread_ts: str | None = None) -> Posted:
        """Implements `Chat`."""
        answer = self._say(
            message,
            lambda client, said: client.chat_postMessage(
                channel=channel, thread_ts=thread_ts, unfurl_links=False, unfurl_media=False, **said
            ),
            reply=thread_ts is not None,
        )
        said = record(answer.get("message"))
        # Slack does not refuse a reply to a message that is gone: only the answer tells that it became no reply.
        unthreaded = bool(thread_ts and said and not text(said.get("thread_ts")))
        posted = Posted(text(answer.get("channel")) or channel, text(answer.get("ts")), unthreaded)
        if posted.ts:
            self._channel_ids[channel] = posted.channel_id
        return posted

    @bounded
    def update(self, message: Message, posted: Posted) -> None:
        """Implements `Chat`."""
        *_, channel = self._ids(posted.channel_id)  # a message is changed by the channel's id alone
        self._say(message, lambda client, said: client.chat_update(channel=channel, ts=posted.ts, **said))

    @bounded
    def set_group(self, group: str, members: Sequence[str]) -> None:
        """Make these member ids all the members of a user group. Needs the scope `usergroups:write`."""
        self._call(lambda client: client.usergroups_users_update(usergroup=group, users=list(members)))

    @bounded
    def find(
        self, key: str, step: str, channel: str, oldest: dt.datetime, thread_ts: str | None = None
    ) -> Posted | None:
        """The message of this key and step, or None; also None where this token may not read the history."""
        # The channel's history leaves out what was said in threads; only a stand-in may show it there.
        threads = (thread_ts, None) if thread_ts else (None,)
        thread_is_gone = False
        for channel_id in self._ids(channel):
            for thread in threads:
                try:
                    found = self._search((key, step), channel_id, oldest, thread)
                except SlackRefused as refused:
                    if refused.error not in _NOT_READABLE:
                        raise
                    thread_is_gone |= refused.error == "thread_not_found"
                else:
                    return replace(found, unthreaded=thread_is_gone) if found else None
        return None

    def _search(
        self, wanted: tuple[str, str], channel_id: str, oldest: dt.datetime, thread: str | None
    ) -> Posted | None:
        asked: dict[str, Any] = {"channel": channel_id, "oldest": f"{oldest.timestamp():.6f}"}
        asked |= {"inclusive": True, "include_all_metadata": True}
        method = "conversations.history"
        if thread:
            method, asked["ts"] = "conversations.replies", thread
        for page in self._pages(method, asked, _PER_PAGE):
            for said in records(page.get("messages")):
                about = record(record(said.get("metadata")).get("event_payload"))
                mine = about.get("key") == wanted[0] and wanted[1] in ("", about.get("step"))
                if mine and (ts := text(said.get("ts"))):
                    return Posted(channel_id, ts)
        return None

    def _ids(self, channel: str) -> Iterator[str]:
        """The channel as the history wants it: its id where we know one; a name only where nothing better is."""
        if _CHANNEL_ID.fullmatch(channel):
            yield channel
            return
        access, _ = self._connected.use()
        known = self._channel_ids.get(channel) or text(record(access.extra.get("channel_ids")).get(channel))
        yield known or channel
        if not known and (listed := self._listed(channel.removeprefix("#"))):
            yield listed

    def _listed(self, name: str) -> str | None:
        """The id of a channel that this process has never posted to."""
        try:
            for page in self._pages("conversations.list", {"exclude_archived": True}, _CHANNELS_PER_PAGE):
                for found in records(page.get("channels")):
                    if found.get("name") == name:
                        return text(found.get("id")) or None
        except SlackRefused as refused:
            if refused.error not in _NOT_READABLE:
                raise
        return None

    def _pages(
        self, method: str, asked: Mapping[str, Any], sizes: Sequence[int]
    ) -> Iterator[Mapping[str, Any]]:
        cursor = ""
        for _ in range(_PAGES):
            answer = self._page(method, {**asked, "cursor": cursor} if cursor else asked, sizes)
            yield answer
            cursor = text(record(answer.get("response_metadata")).get("next_cursor"))
            if not cursor:
                return

    def _page(self, method: str, asked: Mapping[str, Any], sizes: Sequence[int]) -> Mapping[str, Any]:
        *larger, smallest = sizes
        for limit in larger:
            with suppress(AnswerTooLong):
                return self._call(partial(_get, method, {**asked, "limit": limit}))
        return self._call(partial(_get, method, {**asked, "limit": smallest}))

    def _say(
        self, message: Message, call: Callable[[WebClient, dict[str, Any]], Any], *, reply: bool = False
    ) -> Mapping[str, Any]:
        said = {
            "text": blocks.text(message),
            "blocks": blocks.blocks(message, reply=reply),
            "metadata": blocks.metadata(message),
        }
        while True:
            try:
                return self._call(lambda client: call(client, said))
            except SlackRefused as refused:
                if refused.error in METADATA and "metadata" in said:
                    del said["metadata"]
                elif refused.error in FORM and "blocks" in said:
                    del said["blocks"]
                    said["text"] = blocks.plain_text(message)
                else:
                    raise

    def _call(self, call: Call) -> Mapping[str, Any]:
        _, client = self._connected.use()
        answer: Mapping[str, Any] = call(client).data
        return answer


def _get(method: str, params: dict[str, Any], client: WebClient) -> Any:
    return client.api_call(method, http_verb="GET", params=params)


def _probe(_: Access, client: WebClient) -> None:
    """Raises DeliveryFailed for a token or an address that Slack does not know."""
    client.api_call("auth.test")


def _build(access: Access) -> WebClient:
    from oncall.adapters.slack.client import SafeClient

    return SafeClient(access)
