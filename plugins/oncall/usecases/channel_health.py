"""Tells once on the other channel that a channel does not work, and once that it works again."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from oncall.core.errors import NotAllowed, OncallError
from oncall.core.incidents.incident import Channel, Plan
from oncall.core.incidents.wording import Scene
from oncall.core.notices.channel_notices import (
    acknowledgements_heard,
    acknowledgements_unheard,
    channel_back,
    channel_down,
)
from oncall.core.rota.roster import Roster
from oncall.usecases import notes
from oncall.usecases.delivery_round import Sent
from oncall.usecases.notes import noted, say_once
from oncall.usecases.ports import Store

BLIP = dt.timedelta(seconds=10)  # a channel that fails shorter than this is not spoken of
BUSY = dt.timedelta(minutes=2)  # … nor one that asks to wait, shorter than this
UNHEARD_FOR = dt.timedelta(minutes=2)
AT_ONCE = dt.timedelta.min
HEARING = "acknowledgements"
UNCHECKED = "history_unread"  # why the chat could not be asked what it has, "" when it could


@dataclass(frozen=True)
class _Seen:
    """What a round has seen of a channel, noted under this name: why it fails, or that it works (neither: nothing).

    `outage`: for every message; `patience`: what is shorter is not said.
    """

    channel: Channel
    name: str
    trouble: str
    works: bool
    outage: bool = True
    patience: dt.timedelta = BLIP


def note_health(store: Store, scene: Scene, channel: Channel, sent: Sent) -> bool:
    """Say on the other channel, once, that this one fails, and when it is back. Returns whether it works.

    What is wrong with one person or one message is no outage.
    """
    outage = "" if sent.taken else sent.outage
    patience = AT_ONCE if sent.locked_out else BUSY if sent.busy else BLIP
    seen = _Seen(channel, f"channel:{channel}", outage, sent.answered, patience=patience)
    works = _noted(store, scene, seen)
    if (
        channel == "chat"
        and (outage or sent.answered)
        and (store.get_note(UNCHECKED) or "") != sent.unchecked
    ):
        store.set_note(UNCHECKED, sent.unchecked)
    return works


def note_refusals(store: Store, scene: Scene, sent: Sent, names: Collection[str]) -> bool:
    """The same of one team's channel in the chat (by these names), told to that team: what it refuses nobody reads."""
    trouble = next((sent.refused_in[name] for name in names if name in sent.refused_in), "")
    works = any(entry.message.channel in names for entry, _ in sent.taken)
    return _noted(store, scene, _Seen("chat", refusals_of(scene.roster), trouble, works, outage=False))


def refusals_of(roster: Roster) -> str:
    """The name under which the store keeps what a team's channel refuses."""
    return f"channel:chat:{roster.slack_channel}"


def _noted(store: Store, scene: Scene, seen: _Seen) -> bool:
    def change(text: str) -> tuple[str, Plan]:
        if not seen.trouble and not seen.works:
            return text, Plan()
        state, since = _followed(seen.name, text, scene.at, seen.trouble or None, seen.patience)
        if since is None:
            return state, Plan()
        if not seen.trouble:
            return state, channel_back(scene, seen.channel, since)
        down = channel_down(scene, seen.channel, since, seen.trouble, outage=seen.outage)
        return state, Plan(owed=(down,))

    return not say_once(store, scene, seen.name, change)


def _followed(
    name: str, text: str, at: dt.datetime, trouble: str | None, patience: dt.timedelta
) -> tuple[str, dt.datetime | None]:
    """What is noted from now on, and since when it fails, or has failed, if that is to be said now.

    `text`: what is noted; `trouble`: why it fails (None: it works); `patience`: what is shorter is not said.
    """
    known: dict[str, Any] = noted(name, text, notes.state, {})
    if trouble is None:
        return "", dt.datetime.fromisoformat(known["since"]) if known and known["said"] else None
    state = {"since": at.isoformat(), "said": False, **known, "reason": trouble}
    since = dt.datetime.fromisoformat(state["since"])
    if state["said"] or at - since < patience:
        return json.dumps(state), None
    return json.dumps({**state, "said": True}), since


def note_hearing(store: Store, scene: Scene, trouble: OncallError | None) -> None:
    """Say in the chat, once, that acknowledgements are not heard, and when they are again."""
    why = None if trouble is None else str(trouble)
    patience = AT_ONCE if isinstance(trouble, NotAllowed) else UNHEARD_FOR

    def change(text: str) -> tuple[str, Plan]:
        state, since = _followed(HEARING, text, scene.at, why, patience)
        if since is None:
            return state, Plan()
        said = (
            acknowledgements_heard(scene, since)
            if why is None
            else acknowledgements_unheard(scene, since, why)
        )
        return state, Plan(owed=(said,))

    say_once(store, scene, HEARING, change)
