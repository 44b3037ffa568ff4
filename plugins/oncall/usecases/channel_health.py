"""Whether a channel works, said once on the other one when it does not, and when it does again."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

from oncall.core.errors import NotAllowed, OncallError
from oncall.core.incidents.incident import Channel, Notification, Plan
from oncall.core.incidents.wording import Scene
from oncall.core.notices.channel_notices import (
    acknowledgements_heard,
    acknowledgements_unheard,
    channel_back,
    channel_down,
)
from oncall.usecases import notes
from oncall.usecases.delivery_round import Sent
from oncall.usecases.notes import noted
from oncall.usecases.ports import DecisionTransaction, Store

BLIP = dt.timedelta(seconds=10)  # a channel that fails shorter than this is not spoken of
UNHEARD_FOR = dt.timedelta(minutes=2)
HEARING = "acknowledgements"
UNCHECKED = "history_unread"  # why the chat could not be asked what it has, "" when it could


def note_health(store: Store, scene: Scene, channel: Channel, sent: Sent) -> bool:
    """Say on the other channel, once, that this one fails, and when it is back. Returns whether it works.

    What is wrong with one person or one message is no outage. In the chat it is told of all the same: a message that
    its channel refuses is read by nobody.
    """
    outage = "" if sent.taken else sent.outage
    trouble = outage or (sent.refused if channel == "chat" else "")
    if not trouble and not sent.answered:
        return not store.get_note(f"channel:{channel}")
    with store.decision_lock() as decision:  # two who notice at once say it once
        works = _note_health(store, decision, scene, channel, sent, trouble)
    if channel == "chat" and (store.get_note(UNCHECKED) or "") != sent.unchecked:
        store.set_note(UNCHECKED, sent.unchecked)
    return works


def _note_health(
    store: Store, decision: DecisionTransaction, scene: Scene, channel: Channel, sent: Sent, trouble: str
) -> bool:
    name = f"channel:{channel}"
    before = store.get_note(name) or ""
    state: dict[str, Any] = noted(name, before, notes.state, {})
    plan = Plan()
    if trouble:
        state = {"since": scene.at.isoformat(), "said": False, **state, "reason": trouble}
        since = dt.datetime.fromisoformat(state["since"])
        if not state["said"] and (sent.locked_out or scene.at - since >= BLIP):
            plan = Plan(owed=(channel_down(scene, channel, since, trouble, outage=trouble == sent.outage),))
            state["said"] = True
    elif state:
        if state["said"]:
            plan = channel_back(scene, channel, dt.datetime.fromisoformat(state["since"]))
        state = {}
    if plan != Plan():
        decision.record(plan, scene.at)
    now_noted = json.dumps(state) if state else ""
    if now_noted != before:
        store.set_note(name, now_noted)
    return not state


def note_hearing(store: Store, scene: Scene, trouble: OncallError | None) -> None:
    """Say in the chat, once, that acknowledgements are not heard, and when they are again."""
    if trouble is None and not store.get_note(HEARING):
        return
    with store.decision_lock() as decision:
        state: dict[str, Any] = noted(HEARING, store.get_note(HEARING), notes.state, {})
        owed: tuple[Notification, ...] = ()
        if trouble is None:
            if state and state["said"]:
                owed = (acknowledgements_heard(scene, dt.datetime.fromisoformat(state["since"])),)
            state = {}
        else:
            state = {"since": scene.at.isoformat(), "said": False, **state, "reason": str(trouble)}
            since = dt.datetime.fromisoformat(state["since"])
            if not state["said"] and (isinstance(trouble, NotAllowed) or scene.at - since >= UNHEARD_FOR):
                owed = (acknowledgements_unheard(scene, since, str(trouble)),)
                state["said"] = True
        decision.record(Plan(owed=owed), scene.at)
        store.set_note(HEARING, json.dumps(state) if state else "")
