"""Sending what is owed, once. A delivery is done only when the far side has truly taken it."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable

import structlog

from oncall.core.errors import DeliveryFailed, OncallError, Rejected
from oncall.core.incident import Channel
from oncall.ports import Chat, Delivery, Pager, Posted, Store

log = structlog.get_logger(__name__)

LEASE = dt.timedelta(seconds=45)  # longer than any one call may take
PATIENCE_S = 4.0  # how long to wait at once for the pager to carry out a request
RETRY_S = (2, 5, 10, 20, 30)

Clock = Callable[[], dt.datetime]


def send_pages(store: Store, pager: Pager, now: Clock) -> str:
    """Send all that is owed to the pager. Returns "" or why the channel seems to be down."""
    asked: list[tuple[Delivery, str]] = []
    trouble = ""
    while not trouble and (delivery := store.claim("pager", now(), LEASE)):
        try:
            request_id = delivery.request_id or _ask(pager, delivery)
        except OncallError as error:
            trouble = _failed(store, delivery, error, now)
            continue
        if request_id:
            store.accepted(delivery, request_id, now() + LEASE)
            asked.append((delivery, request_id))
        else:
            store.done(delivery, now())
    return _await(store, pager, asked, now) or trouble


def send_posts(store: Store, chat: Chat, channel: str, now: Clock) -> str:
    """Post all that is owed to the chat. Returns "" or why the channel seems to be down."""
    trouble = ""
    while not trouble and (delivery := store.claim("chat", now(), LEASE)):
        try:
            store.done(delivery, now(), _post(store, chat, channel, delivery))
        except OncallError as error:
            trouble = _failed(store, delivery, error, now)
    return trouble


def _ask(pager: Pager, delivery: Delivery) -> str:
    """Ask the pager for one action; "" when it turns out to be done already."""
    again = delivery.attempts > 1 and pager.capabilities.reads_alerts
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


def _await(store: Store, pager: Pager, asked: list[tuple[Delivery, str]], now: Clock) -> str:
    """Wait a little for the requests to be carried out; what still pends is asked again at a later look."""
    until = time.monotonic() + PATIENCE_S
    pause = 0.1
    trouble = ""
    while asked:
        pending = []
        for delivery, request_id in asked:
            try:
                state, words = pager.request_state(request_id)
            except DeliveryFailed as error:
                state, words = "pending", str(error)
                trouble = words
            if state == "done" or (state == "failed" and delivery.op != "page"):
                store.done(delivery, now())  # to close what is closed or gone is as good as done
            elif state == "failed":
                trouble = _failed(store, delivery, DeliveryFailed(f"taken, then failed: {words}"), now)
            else:
                pending.append((delivery, request_id))
        asked = pending
        if not asked or trouble or time.monotonic() > until:
            break
        time.sleep(pause)
        pause = min(pause * 1.5, 0.5)
    for delivery, request_id in asked:
        store.accepted(delivery, request_id, now() + dt.timedelta(seconds=1))
    return trouble


def _post(store: Store, chat: Chat, channel: str, delivery: Delivery) -> Posted | None:
    thread = store.thread(delivery.key)
    if delivery.op == "update":
        if thread is not None:
            chat.update(delivery.message, thread)
        return None
    where = thread.channel_id if thread else channel
    root = thread.ts if thread else None
    if delivery.attempts > 1:
        found = chat.find(delivery.key, delivery.step, where, delivery.owed_at, root)
        if found is not None:
            return found
    return chat.post(delivery.message, where, root)


def _failed(store: Store, delivery: Delivery, error: OncallError, now: Clock) -> str:
    """Note the failure and when to try again. Returns the reason unless only this one message was refused."""
    wait: float = RETRY_S[min(delivery.attempts, len(RETRY_S)) - 1]
    if isinstance(error, DeliveryFailed) and error.retry_after is not None:
        wait = max(1.0, min(error.retry_after, 120.0))
    if isinstance(error, Rejected):
        wait = 60.0
    store.failed(delivery, str(error), now() + dt.timedelta(seconds=wait))
    log.warning(
        "oncall.delivery_failed", key=delivery.key, step=delivery.step, channel=delivery.channel,
        attempts=delivery.attempts, reason=str(error), again_in_s=wait,
    )  # fmt: skip
    return "" if isinstance(error, Rejected) else str(error)


def other(channel: Channel) -> Channel:
    return "chat" if channel == "pager" else "pager"
