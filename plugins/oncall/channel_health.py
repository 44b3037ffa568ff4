"""Whether a channel works, said once on the other one when it does not, and when it does again."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

from oncall import notes
from oncall.core.errors import NotAllowed, OncallError
from oncall.core.incident import Channel, Owed, Plan
from oncall.core.notice import acknowledgements_heard, acknowledgements_unheard, channel_back, channel_down
from oncall.core.wording import Scene
from oncall.delivery import Sent
from oncall.notes import noted
from oncall.ports import Desk, Store

BLIP = dt.timedelta(seconds=10)  # a channel that fails shorter than this is not spoken of
UNHEARD_FOR = dt.timedelta(minutes=2)
HEARING = "acknowledgements"
UNCHECKED = "history_unread"  # why the chat could not be asked what it has, "" when it could


def note_health(store: Store, scene: Scene, channel: Channel, sent: Sent) -> bool:
    """Say on the other channel, once, that this one fails, and when it is back. Returns whether it works.

    What is wrong with one person or one message is no outage. In the chat it is told of all the same: a message that
    its channel refuses is read by nobody.
    """
    trouble = sent.outage or (sent.refused if channel == "chat" else "")
    if not trouble and not sent.answered:
        return not store.recall(f"channel:{channel}")
    with store.deciding() as desk:  # two who notice at once say it once
        works = _note_health(store, desk, scene, channel, sent, trouble)
    if channel == "chat" and (store.recall(UNCHECKED) or "") != sent.unchecked:
        store.remember(UNCHECKED, sent.unchecked)
    return works


def _note_health(store: Store, desk: Desk, scene: Scene, channel: Channel, sent: Sent, trouble: str) -> bool:
    name = f"channel:{channel}"
    before = store.recall(name) or ""
    state: dict[str, Any] = noted(name, before, notes.state, {})
    plan = Plan()
    if trouble:
        state = {"since": scene.at.isoformat(), "said": False, **state, "reason": trouble}
        since = dt.datetime.fromisoformat(state["since"])
        if not state["said"] and (sent.locked_out or scene.at - since >= BLIP):
            plan = Plan(owed=(channel_down(scene, channel, since, trouble, outage=bool(sent.outage)),))
            state["said"] = True
    elif state:
        if state["said"]:
            plan = channel_back(scene, channel, dt.datetime.fromisoformat(state["since"]))
        state = {}
    if plan != Plan():
        desk.record(plan, scene.at)
    now_noted = json.dumps(state) if state else ""
    if now_noted != before:
        store.remember(name, now_noted)
    return not state


def note_hearing(store: Store, scene: Scene, trouble: OncallError | None) -> None:
    """Say in the chat, once, that acknowledgements are not heard, and when they are again."""
    if trouble is None and not store.recall(HEARING):
        return
    with store.deciding() as desk:
        state: dict[str, Any] = noted(HEARING, store.recall(HEARING), notes.state, {})
        owed: tuple[Owed, ...] = ()
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
        desk.record(Plan(owed=owed), scene.at)
        store.remember(HEARING, json.dumps(state) if state else "")
