"""Sending what is owed, once. A delivery is done only when the far side has truly taken it."""

from __future__ import annotations

import datetime as dt
import json
import time
from collections.abc import Callable
from contextvars import copy_context
from dataclasses import dataclass
from functools import wraps
from typing import Any, ParamSpec

import structlog
from structlog.contextvars import bind_contextvars

from oncall.core.errors import DeliveryFailed, LockedOut, OncallError, Rejected
from oncall.core.incident import Channel, Owed, Plan
from oncall.core.notice import channel_back, channel_down
from oncall.core.wording import Scene
from oncall.ports import Chat, Delivery, Desk, Pager, Posted, Store

log = structlog.get_logger(__name__)

LEASE = dt.timedelta(seconds=20)  # longer than the calls of one delivery may take
PATIENCE_S = 4.0  # how long to wait at once for the pager to carry out a request
RETRY_S = (2, 4, 8, 15)
BLIP = dt.timedelta(seconds=10)  # a channel that fails shorter than this is not spoken of
BEFORE = dt.timedelta(minutes=15)  # how much earlier somebody without this store may have said it
CHANNEL_ID = "channel_id"  # under which the store keeps a channel's id
LOST = dt.timedelta(minutes=2)  # a request that pends for so long is made anew

Clock = Callable[[], dt.datetime]
P = ParamSpec("P")


@dataclass(frozen=True)
class Sent:
    """How a round of sending went: what the far side has taken, and when, and each try that it did not take.

    `trouble`: why the far side does not take what is owed ("" when all is well); `locked_out`: it takes nothing
    before somebody mends the connection.
    """

    taken: tuple[tuple[Delivery, dt.datetime], ...] = ()
    failed: tuple[Delivery, ...] = ()
    trouble: str = ""
    locked_out: bool = False


def _round(act: Callable[P, Sent]) -> Callable[P, Sent]:
    """What is bound to the log inside ends with the round, however it ends."""

    @wraps(act)
    def run(*args: P.args, **kwargs: P.kwargs) -> Sent:
        return copy_context().run(act, *args, **kwargs)

    return run


@_round
def send_pages(store: Store, pager: Pager, now: Clock, *, look_first: bool = False) -> Sent:
    """Send all that is owed to the pager; stops at the first sign that it cannot be reached.

    `look_first`: ask the far side before a first try too, because the watcher may have paged from memory while the
    store was down.
    """
    asked: list[tuple[Delivery, str]] = []
    taken, failed, trouble, stop, locked_out = [], [], "", False, False
    while not stop and (delivery := store.claim("pager", now(), LEASE)):
        _log_about(delivery)
        try:
            request_id = delivery.request_id or _ask(pager, delivery, look_first)
        except OncallError as error:
            trouble, stop = _failed(store, delivery, error, now)
            locked_out = isinstance(error, LockedOut)
            failed.append(delivery)
            continue
        if request_id:
            store.accepted(delivery, request_id, now() + LEASE)
            asked.append((delivery, request_id))
        else:
            taken.append(_taken(store, delivery, now))
    carried = _await(store, pager, asked, now)
    return Sent((*taken, *carried.taken), (*failed, *carried.failed), carried.trouble or trouble, locked_out)


@_round
def send_posts(store: Store, chat: Chat, channel: str, now: Clock, *, look_first: bool = False) -> Sent:
    """Post all that is owed to the chat; stops at the first sign that it cannot be reached.

    `channel`: for what names none.
    """
    taken, failed, trouble, stop, locked_out = [], [], "", False, False
    while not stop and (delivery := store.claim("chat", now(), LEASE)):
        _log_about(delivery)
        try:
            taken.append(_taken(store, delivery, now, _post(store, chat, channel, delivery, look_first)))
        except OncallError as error:
            trouble, stop = _failed(store, delivery, error, now)
            locked_out = isinstance(error, LockedOut)
            failed.append(delivery)
    return Sent(tuple(taken), tuple(failed), trouble, locked_out)


def note_health(store: Store, scene: Scene, channel: Channel, sent: Sent) -> bool:
    """Say on the other channel, once, that this one fails, and when it is back. Returns whether it works."""
    with store.deciding() as desk:  # two who notice at once say it once
        return _note_health(store, desk, scene, channel, sent)


def _note_health(store: Store, desk: Desk, scene: Scene, channel: Channel, sent: Sent) -> bool:
    noted = store.recall(f"channel:{channel}") or ""
    state: dict[str, Any] = json.loads(noted) if noted else {}
    owed: tuple[Owed, ...] = ()
    if sent.trouble:
        state = {"since": scene.at.isoformat(), "said": False, **state, "reason": sent.trouble}
        since = dt.datetime.fromisoformat(state["since"])
        if not state["said"] and (sent.locked_out or scene.at - since >= BLIP):
            owed = (channel_down(scene, channel, since, sent.trouble),)
            state["said"] = True
    elif (
        state and sent.taken and not store.failing(channel)
    ):  # others may be taken: another person, another channel
        if state["said"]:
            owed = (channel_back(scene, channel, dt.datetime.fromisoformat(state["since"])),)
        state = {}
    if owed:
        desk.record(Plan(owed=owed), scene.at)
    now_noted = json.dumps(state) if state else ""
    if now_noted != noted:
        store.remember(f"channel:{channel}", now_noted)
    return not state


def _ask(pager: Pager, delivery: Delivery, look_first: bool) -> str:
    """Ask the pager for one action; "" when it turns out to be done already."""
    again = (delivery.attempts > 1 or look_first) and pager.capabilities.reads_alerts
    if delivery.op == "page":
        if again and pager.alert_state(delivery.alias) is not None:
            return ""  # the answer was lost, the alert was not
        return pager.page(delivery.message)
    words = "\n".join(part for part in (delivery.message.title, delivery.message.summary) if part)
    if delivery.op == "close":
        return pager.close(delivery.alias, words)
    if delivery.op == "acknowledge":
        return pager.acknowledge(delivery.alias, words, delivery.user)
    return pager.note(delivery.alias, words)


def _await(store: Store, pager: Pager, asked: list[tuple[Delivery, str]], now: Clock) -> Sent:
    """Wait a little for the requests to be carried out; what still pends is asked again at a later look."""
    until, pause = time.monotonic() + PATIENCE_S, 0.1
    taken, failed, trouble = [], [], ""
    while asked and not trouble:
        pending = []
        for delivery, request_id in asked:
            _log_about(delivery)
            try:
                state, words = pager.request_state(request_id)
            except OncallError as error:
                state, words, trouble = "pending", "", str(error)
            if state == "done" or (state == "failed" and delivery.op != "page"):
                taken.append(
                    _taken(store, delivery, now)
                )  # to close what is closed or gone is as good as done
            elif state == "failed" or (now() - delivery.owed_at > LOST and state == "pending"):
                trouble, _ = _failed(store, delivery, DeliveryFailed(f"taken, then failed: {words}"), now)
                failed.append(delivery)
            else:
                pending.append((delivery, request_id))
        asked = pending
        if time.monotonic() > until:
            break
        if asked:
            time.sleep(pause)
            pause = min(pause * 1.5, 0.5)
    for delivery, request_id in asked:
        store.accepted(delivery, request_id, now() + dt.timedelta(seconds=1))
    return Sent(tuple(taken), tuple(failed), trouble)


def _post(store: Store, chat: Chat, channel: str, delivery: Delivery, look_first: bool) -> Posted | None:
    thread = store.thread(delivery.key)
    if delivery.op == "update":
        if thread is not None:
            chat.update(delivery.message, thread)
        return None
    channel = delivery.message.channel or channel
    where = thread.channel_id if thread else channel
    root = thread.ts if thread else None
    known = thread.channel_id if thread else store.recall(f"{CHANNEL_ID}:{channel}")
    if delivery.attempts > 1 or (look_first and known):
        found = chat.find(delivery.key, delivery.step, known or where, delivery.owed_at - BEFORE, root)
        if found is not None:
            return found
    posted = chat.post(delivery.message, where, root)
    if posted.channel_id != known:  # the chat's history is asked by id, and only an answer tells it
        store.remember(f"{CHANNEL_ID}:{channel}", posted.channel_id)
    return posted


def _taken(
    store: Store, delivery: Delivery, now: Clock, posted: Posted | None = None
) -> tuple[Delivery, dt.datetime]:
    at = now()
    store.done(delivery, at, posted)
    after_s = round((at - delivery.owed_at).total_seconds(), 3)
    log.info("oncall.delivered", attempts=delivery.attempts, after_s=after_s)
    return delivery, at


def _log_about(delivery: Delivery) -> None:
    """Until the next one, every line of this round names the incident and the step, those of the libraries too."""
    bind_contextvars(incident=delivery.key, step=delivery.step, channel=delivery.channel, op=delivery.op)


def _failed(store: Store, delivery: Delivery, error: OncallError, now: Clock) -> tuple[str, bool]:
    """Note the failure and when to try again. Returns the reason, and whether the others would fail as well."""
    wait: float = RETRY_S[min(delivery.attempts, len(RETRY_S)) - 1]
    if isinstance(error, DeliveryFailed) and error.retry_after is not None:
        wait = max(1.0, min(error.retry_after, 120.0))
    if isinstance(error, Rejected):
        wait = 30.0  # somebody may mend the connection
    store.failed(delivery, str(error), now() + dt.timedelta(seconds=wait))
    log.warning("oncall.delivery_failed", attempts=delivery.attempts, reason=str(error), again_in_s=wait)
    return str(error), isinstance(error, LockedOut) or not isinstance(error, Rejected)
