"""Asks Slack once whether token, scopes, channels, group and members are as they must be. Reads only; says nothing."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from functools import partial
from typing import Any
from urllib.parse import urlencode

from oncall.adapters.http.answers import record, records, text
from oncall.adapters.http.calls import bounded, seconds_to_wait
from oncall.adapters.http.connections import Connected
from oncall.adapters.http.exchange import Answer, Exchange
from oncall.adapters.slack.chat import DEFAULT_URL
from oncall.adapters.slack.errors import SlackRefused, failure
from oncall.core.check_result import CheckResult
from oncall.core.errors import DeliveryFailed, OncallError

PLACE = "connection slack_api_default"
MOST_PAGES = 20
_CANNOT_ASK = {"missing_scope", "unknown_method", "not_allowed_token_type", "no_permission"}
_SCOPES = {  # any of these, and what is lost without
    ("chat:write",): "nothing can be said",
    ("channels:history", "groups:history"): "a message whose answer was lost may be said twice",
}


class SlackCheck:
    """What `python -m oncall check --connections` asks of Slack."""

    far_side = "Slack"

    def __init__(self, checked: CheckResult) -> None:
        self.checked = checked
        build = partial(Exchange, far_side=self.far_side)
        self._connected = Connected("slack_api_default", build, address="base_url", default_url=DEFAULT_URL)

    def ask(self, channels: Collection[str], groups: Collection[str], members: Collection[str]) -> None:
        """Ask for the token, its scopes, channels, user groups and members; what was found is in the result."""
        try:
            answer = self._ask("auth.test")
        except OncallError as error:
            self.checked.wrong(
                PLACE, "token", str(error), "a bot token (xoxb-…) as the connection's password"
            )
            return
        self.checked.good.append(
            f"{PLACE}: the token is taken, as {text(answer.data.get('user')) or 'a bot'}"
        )
        needed = (
            {**_SCOPES, ("usergroups:write",): "the handoff cannot set the user group"} if groups else _SCOPES
        )
        self._say_scopes(answer, needed)
        self._ask_channels(channels)
        for group in groups:
            self._report(f"user group {group}", "usergroups.users.list", "usergroup", group)
        for member in members:
            self._report(f"member {member}", "users.info", "user", member)

    def _say_scopes(self, answer: Answer, needed: Mapping[tuple[str, ...], str]) -> None:
        granted = {scope.strip() for scope in answer.headers.get("x-oauth-scopes", "").split(",")} - {""}
        if not granted:
            self.checked.unasked.append(f"{PLACE}: which scopes the token has: the answer does not tell")
            return
        for scopes, loss in needed.items():
            if granted.isdisjoint(scopes):
                self.checked.wrong(PLACE, f"scope {scopes[0]}", f"not granted: {loss}", "the scope into the Slack app,"
                                   " and install it again")  # fmt: skip
            else:
                self.checked.good.append(f"{PLACE}: scope {' or '.join(sorted(granted & {*scopes}))}")

    def _ask_channels(self, channels: Collection[str]) -> None:
        try:
            known = self._channels()
        except SlackRefused as refused:
            if refused.error not in _CANNOT_ASK:
                raise
            self.checked.unasked.append(
                f"{PLACE}: channels {', '.join(channels)}: for that the token needs channels:read"
            )
            return
        except OncallError as error:
            self.checked.wrong(
                PLACE, "channels", str(error), "an address and token by which channels can be listed"
            )
            return
        for channel in channels:
            found = known.get(channel.removeprefix("#"))
            if found is None:
                told = "no such channel among those that the bot sees (of private ones those that it was invited to)"
                write = "the name or id of a channel into roster.yaml"
            elif found.get("is_archived") is True:
                told, write = "archived", "another channel, or unarchive it"
            elif found.get("is_member") is False:
                told, write = "the bot is no member", "in that channel: /invite and the bot's name"
            else:
                self.checked.good.append(f"{PLACE}: channel {channel}")
                continue
            self.checked.wrong(PLACE, f"channel {channel}", told, write)

    def _channels(self) -> dict[str, Mapping[str, Any]]:
        """By name and by id. Private ones only where the token may list them."""
        found: dict[str, Mapping[str, Any]] = {}
        for types in ("public_channel", "private_channel"):
            cursor = ""
            for _ in range(MOST_PAGES):
                try:
                    answer = self._ask("conversations.list", limit="1000", types=types, cursor=cursor)
                except SlackRefused:
                    if types == "private_channel":
                        return found
                    raise
                for channel in records(answer.data.get("channels")):
                    found[text(channel.get("id"))] = found[text(channel.get("name"))] = channel
                cursor = text(record(answer.data.get("response_metadata")).get("next_cursor"))
                if not cursor:
                    break
        return found

    def _report(self, key: str, method: str, argument: str, value: str) -> None:
        try:
            answer = self._ask(method, **{argument: value})
            if record(answer.data.get("user")).get("deleted") is True:
                raise DeliveryFailed("the account is deactivated")
        except SlackRefused as refused:
            if refused.error in _CANNOT_ASK:
                self.checked.unasked.append(f"{PLACE}: {key}: {_needed(str(refused))}")
            else:
                self.checked.wrong(PLACE, key, str(refused), "an id that Slack knows into roster.yaml")
        except OncallError as error:
            self.checked.wrong(PLACE, key, str(error), "an id that Slack knows into roster.yaml")
        else:
            self.checked.good.append(f"{PLACE}: {key}")

    @bounded
    def _ask(self, method: str, /, **arguments: str) -> Answer:
        access, exchange = self._connected.use()
        given = urlencode({name: value for name, value in arguments.items() if value})
        url = f"{access.url}/{method}" + (f"?{given}" if given else "")
        answer = exchange.send("GET", url, {"Authorization": f"Bearer {access.key}"})
        if answer.status >= 300 or answer.data.get("ok") is not True:
            raise failure(method, answer.data, answer.status, seconds_to_wait(answer.headers), access)
        return answer


def _needed(refusal: str) -> str:
    named = re.search(r"needed: ([\w:.,]+)", refusal)
    return f"for that the token needs {named[1]}" if named else "the token may not ask"
