"""The Chat on Slack's Web API: posts, finds again and updates; decides nothing, only says it."""

from __future__ import annotations

import datetime as dt
import logging
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from oncall.adapters import slack_blocks
from oncall.adapters.calls import Calls
from oncall.adapters.connections import Access, Connected
from oncall.adapters.slack_errors import Refused, failure
from oncall.core.errors import DeliveryFailed
from oncall.core.message import Message
from oncall.ports import Posted

if TYPE_CHECKING:
    from slack_sdk import WebClient

DEFAULT_URL = "https://slack.com/api/"
THREAD_URL = "https://slack.com/app_redirect?channel={channel}&message_ts={ts}"

_PAGES = 5
_PER_PAGE = 200
_CHANNEL_ID = re.compile(r"[CGD][A-Z0-9]{2,}")
# The form was refused, not the message: it is said again in a plainer form.
_FORM = {
    "invalid_blocks",
    "invalid_blocks_format",
    "invalid_arguments",
    "msg_blocks_too_long",
    "msg_too_long",
}
# Reading the history is a convenience: where it is not allowed, nothing can be found.
_NOT_READABLE = {
    "unknown_method", "missing_scope", "channel_not_found", "not_in_channel", "not_allowed_token_type",
    "method_not_supported_for_channel_type", "thread_not_found", "no_permission", "access_denied",
}  # fmt: skip

Call = Callable[["WebClient"], Any]


class Slack:
    """A Chat. Thread-safe; the connection is read on first use and looked at again once a minute."""

    def __init__(self, connected: Connected[WebClient]) -> None:
        self._connected = connected
        self._calls = Calls("Slack")
        self._channel_ids: dict[str, str] = {}

    @classmethod
    def from_connection(cls, conn_id: str = "slack_api_default", look_again_s: float = 60.0) -> Slack:
        """The chat behind an Airflow connection: password = bot token.

        Its extra may hold base_url, thread_url, timeout, proxy and channel_ids. `channel_ids`, {"#name": "C…"},
        saves a question where the token may not list channels.
        """
        return cls(
            Connected(conn_id, _build, address="base_url", default_url=DEFAULT_URL, look_again_s=look_again_s)
        )

    def prepare(self) -> None:
        """Read the Airflow connection now, in this thread. Raises DeliveryFailed when it cannot be used."""
        self._connected.use()

    @property
    def thread_url(self) -> str:
        """Where a person sees a message: an address with `{channel}` and `{ts}` in it; "" when not known. Never raises.

        Slack's own opens it in whatever workspace the reader is in; the connection's extra `thread_url` another.
        """
        try:
            access, _ = self._connected.use()
        except DeliveryFailed:
            return ""
        return access.address("thread_url", THREAD_URL)

    def post(self, message: Message, channel: str, thread_ts: str | None = None) -> Posted:
        answer = self._say(
            message,
            lambda client, said: client.chat_postMessage(
                channel=channel, thread_ts=thread_ts, unfurl_links=False, unfurl_media=False, **said
            ),
        )
        posted = Posted(str(answer.get("channel") or channel), str(answer.get("ts") or ""))
        if not posted.ts:
            raise DeliveryFailed("Slack: the answer names no message", uncertain=True)
        self._channel_ids[channel] = posted.channel_id
        return posted

    def update(self, message: Message, posted: Posted) -> None:
        self._say(
            message,
            lambda client, said: client.chat_update(channel=posted.channel_id, ts=posted.ts, **said),
        )

    def set_group(self, group: str, members: Sequence[str]) -> None:
        """Make these member ids all the members of a user group. Needs the scope `usergroups:write`."""
        self._call(lambda client: client.usergroups_users_update(usergroup=group, users=list(members)))

    def find(
        self, key: str, step: str, channel: str, oldest: dt.datetime, thread_ts: str | None = None
    ) -> Posted | None:
        """The message of this key and step, or None; also None where this token may not read the history."""
        # The channel's history leaves out what was said in threads; only a stand-in may show it there.
        threads = (thread_ts, None) if thread_ts else (None,)
        for channel_id in self._ids(channel):
            for thread in threads:
                try:
                    return self._search((key, step), channel_id, oldest, thread)
                except Refused as refused:
                    if refused.error not in _NOT_READABLE:
                        raise
        return None

    def _search(
        self, wanted: tuple[str, str], channel_id: str, oldest: dt.datetime, thread: str | None
    ) -> Posted | None:
        asked: dict[str, Any] = {"channel": channel_id, "oldest": f"{oldest.timestamp():.6f}"}
        asked |= {"limit": _PER_PAGE, "inclusive": True, "include_all_metadata": True}
        method = "conversations.history"
        if thread:
            method, asked["ts"] = "conversations.replies", thread
        for page in self._pages(method, asked):
            for said in page.get("messages") or []:
                about = (said.get("metadata") or {}).get("event_payload") or {}
                if (about.get("key"), about.get("step")) == wanted:
                    return Posted(channel_id, str(said["ts"]))
        return None

    def _ids(self, channel: str) -> Iterator[str]:
        """The channel as the history wants it: its id where we know one; a name only where nothing better is."""
        if _CHANNEL_ID.fullmatch(channel):
            yield channel
            return
        access, _ = self._connected.use()
        known = self._channel_ids.get(channel) or (access.extra.get("channel_ids") or {}).get(channel)
        yield str(known or channel)
        if known is None and (listed := self._listed(channel.removeprefix("#"))):
            yield listed

    def _listed(self, name: str) -> str | None:
        """The id of a channel that this process has never posted to."""
        try:
            for page in self._pages("conversations.list", {"limit": 1_000, "exclude_archived": True}):
                for found in page.get("channels") or []:
                    if found.get("name") == name:
                        return str(found["id"])
        except Refused as refused:
            if refused.error not in _NOT_READABLE:
                raise
        return None

    def _pages(self, method: str, asked: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        cursor = ""
        for _ in range(_PAGES):
            params = {**asked, "cursor": cursor} if cursor else dict(asked)
            answer = self._call(partial(_get, method, params))
            yield answer
            cursor = str((answer.get("response_metadata") or {}).get("next_cursor") or "")
            if not cursor:
                return

    def _say(self, message: Message, call: Callable[[WebClient, dict[str, Any]], Any]) -> Mapping[str, Any]:
        said = {
            "text": slack_blocks.text(message),
            "blocks": slack_blocks.blocks(message),
            "metadata": slack_blocks.metadata(message),
        }
        try:
            return self._call(lambda client: call(client, said))
        except Refused as refused:
            if "metadata" in refused.error:
                del said["metadata"]
            elif refused.error in _FORM:
                del said["blocks"]
                said["text"] = slack_blocks.plain_text(message)
            else:
                raise
        return self._call(lambda client: call(client, said))

    def _call(self, call: Call) -> Mapping[str, Any]:
        access, client = self._connected.use()
        try:
            answer: Mapping[str, Any] = self._calls.run(access.total_s, lambda: call(client).data)
        except DeliveryFailed:
            raise
        except Exception as error:  # noqa: BLE001 - no exception of a library leaves an adapter
            raise failure(error, access) from None  # the SDK's own text may repeat the key
        return answer


def _get(method: str, params: dict[str, Any], client: WebClient) -> Any:
    return client.api_call(method, http_verb="GET", params=params)


def _build(access: Access) -> WebClient:
    from airflow.providers.slack.hooks.slack import SlackHook

    # A logger outside the tree: at DEBUG the SDK prints whole requests, on errors whole answers.
    silent = logging.Logger("slack_sdk of oncall", level=logging.CRITICAL + 1)
    client = SlackHook(
        slack_conn_id=access.conn_id,
        base_url=f"{access.url}/",
        timeout=access.answer_s,
        retry_handlers=[],  # the outbox sends again, and must know at once
        logger=silent,
    ).client
    if access.loopback and not access.proxy:
        client.proxy = None  # the SDK sends even these through HTTPS_PROXY
    return client
