"""Tells once on the other channel that a channel does not work, and once that it works again."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Collection, Iterable
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
CHANNEL = "channel:{}"  # under which the store keeps that the pager, or the chat, fails
DAG_FILES = "dag_files"  # that a DAG of the on-call system does not import
DAG_IDS = "dag_ids"  # that several files define a DAG of one id
UNCHECKED = "history_unread"  # why the chat could not be asked what it has, "" when it could


def note_health(store: Store, scene: Scene, channel: Channel, sent: Sent) -> bool:
    """Say on the other channel, once, that this one fails, and when it is back. Returns whether it works.

    What is wrong with one person or one message is no outage.
    """
    outage = "" if sent.taken else sent.outage
    seen = outage or ("" if sent.answered else None)
    if channel == "chat" and seen is not None and (store.get_note(UNCHECKED) or "") != sent.unchecked:
        store.set_note(UNCHECKED, sent.unchecked)
    patience = AT_ONCE if sent.locked_out else BUSY if sent.busy else BLIP
    return note_trouble(
        store, scene, CHANNEL.format(channel), seen, _notice(scene, channel, outage, outage=True), patience
    )


def note_refusals(store: Store, scene: Scene, sent: Sent, names: Collection[str]) -> bool:
    """The same of one team's channel in the chat (by these names), told to that team: what it refuses nobody reads."""
    trouble = next((sent.refused_in[name] for name in names if name in sent.refused_in), "")
    works = any(entry.message.channel in names for entry, _ in sent.taken)
    seen = trouble or ("" if works else None)
    return note_trouble(
        store, scene, refusals_of(scene.roster), seen, _notice(scene, "chat", trouble, outage=False)
    )


def _notice(scene: Scene, channel: Channel, trouble: str, *, outage: bool) -> Callable[[dt.datetime], Plan]:
    """What the other channel is told, given since when this one fails, or has failed."""

    def say(since: dt.datetime) -> Plan:
        if not trouble:
            return channel_back(scene, channel, since)
        return Plan(owed=(channel_down(scene, channel, since, trouble, outage=outage),))

    return say


def refusals_of(roster: Roster) -> str:
    """The name under which the store keeps what a team's channel refuses."""
    return f"{CHANNEL.format('chat')}:{roster.slack_channel}"


def health_notes(rosters: Iterable[Roster]) -> tuple[str, ...]:
    """The names of all that is noted here."""
    return (HEARING, UNCHECKED, *map(CHANNEL.format, ("pager", "chat")), *map(refusals_of, rosters))


def note_hearing(store: Store, scene: Scene, trouble: OncallError | None) -> None:
    """Say in the chat, once, that acknowledgements are not heard, and when they are again."""
    why = "" if trouble is None else str(trouble)

    def say(since: dt.datetime) -> Plan:
        said = acknowledgements_unheard(scene, since, why) if why else acknowledgements_heard(scene, since)
        return Plan(owed=(said,))

    note_trouble(store, scene, HEARING, why, say, AT_ONCE if isinstance(trouble, NotAllowed) else UNHEARD_FOR)


def note_trouble(
    store: Store, scene: Scene, name: str, trouble: str | None, say: Callable[[dt.datetime], Plan],
    patience: dt.timedelta = BLIP,
) -> bool:  # fmt: skip
    """Note why something fails, and `say` so once: when that lasts longer than `patience`, and when it works again.

    `trouble`: why it fails; "" when it works, None when nothing was seen of it. Returns whether it works, as seen.
    """

    def change(text: str) -> tuple[str, Plan]:
        if trouble is None:
            return text, Plan()
        known: dict[str, Any] = noted(name, text, notes.state, {})
        since = dt.datetime.fromisoformat(known["since"]) if known else scene.at
        if not trouble:
            return "", say(since) if known and known["said"] else Plan()
        said = known.get("said", False)
        now = not said and scene.at - since >= patience
        state = {"since": since.isoformat(), "said": said or now, "reason": trouble}
        return json.dumps(state), say(since) if now else Plan()

    return not say_once(store, scene, name, change)
