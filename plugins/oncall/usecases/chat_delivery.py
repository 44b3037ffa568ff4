"""What one round says in the chat: each message in its incident's thread, and only where it does not stand already.

To read is a courtesy: where the history cannot be read it is said rather twice than never.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace

from oncall.core.errors import Gone, LockedOut, OncallError, Rejected, Unreadable
from oncall.core.message import Message
from oncall.usecases.channel_ports import Chat, Posted
from oncall.usecases.ports import OutboxEntry, Store

BEFORE = dt.timedelta(minutes=15)  # how much earlier somebody without this store may have said it
THREADS_GO_BACK = dt.timedelta(hours=12)  # an incident that is paged may have been warned of so long before
READS = 3  # tries for which the chat's history is asked before it is rather said twice than never
CHANNEL_ID = "channel_id"  # under which the store keeps a channel's id
THREAD = "thread"  # … and where an incident's thread goes on after its first one was lost


class HeldTooLong(Exception):
    """The message was held for so long that another process may be sending it: it is left to that one."""


@dataclass
class ChatDelivery:
    """One chat for one round. `channel`: for what names none. `unchecked`: why its history could not be asked."""

    store: Store
    chat: Chat
    channel: str
    check_before_send: bool = False
    monotonic: Callable[[], float] = time.monotonic
    unchecked: str = ""

    def post(self, delivery: OutboxEntry, message: Message, until: float) -> Posted | None:
        """Say it; returns where it stands (None where that is not known, and for a change of the first message).

        `until`: the monotonic second after which it is not begun any more. Raises HeldTooLong then.
        """
        channel = message.channel or self.channel
        thread = self._thread(delivery.key, channel)
        if delivery.op == "update":
            first = self.store.said_at(delivery.key, thread) if thread else None
            if thread is not None:
                self.chat.update(first.ended_by(message) if first else message, thread)
            return None
        known = self.store.get_note(f"{CHANNEL_ID}:{channel}")
        if delivery.maybe_taken or self.check_before_send:
            found, thread = self._look_for(delivery, channel, thread)
            if found is not None:
                return found
        if self.monotonic() > until:
            raise HeldTooLong
        try:
            posted = self.chat.post(
                message, thread.channel_id if thread else channel, thread.ts if thread else None
            )
        except Rejected as error:
            # Nothing may be known yet of a channel that the roster names since the incident began.
            elsewhere = thread and thread.channel_id != known
            if isinstance(error, LockedOut) or not (elsewhere or (thread and isinstance(error, Gone))):
                raise
            # Its thread is gone, or in a channel of old: a new one begins.
            posted = replace(self.chat.post(message, channel), unthreaded=True)
        # it is said; what is said later only stands less well together where it cannot be found
        if not posted.ts:
            with suppress(OncallError):
                return self.find(delivery)
            return None
        if posted.channel_id != known:  # the chat's history is asked by id, and only an answer tells it
            self.store.set_note(f"{CHANNEL_ID}:{channel}", posted.channel_id)
        return posted

    def _look_for(
        self, delivery: OutboxEntry, channel: str, thread: Posted | None
    ) -> tuple[Posted | None, Posted | None]:
        """Where it stands already; otherwise the thread that it belongs in."""
        found = self.find(delivery)
        if found is None and thread is None:
            thread = self._begun_elsewhere(delivery, channel)
            # the channel's history does not show what is said in there
            found = self.find(delivery) if thread else None
        return found, thread

    def find(self, delivery: OutboxEntry) -> Posted | None:
        """Where it stands already. One answer that fails is enough for this round, but for what was tried before."""
        tried = delivery.maybe_taken and delivery.attempts <= READS
        if self.unchecked and not tried:
            return None
        channel = delivery.message.channel or self.channel
        thread = self._thread(delivery.key, channel)
        where = thread.channel_id if thread else self.store.get_note(f"{CHANNEL_ID}:{channel}")
        root = thread.ts if thread else None
        try:
            return self.chat.find(
                delivery.key, delivery.step, where or channel, delivery.owed_at - BEFORE, root
            )
        except OncallError as error:
            if tried and not isinstance(error, Rejected | Unreadable):
                raise
            self.unchecked = str(error)
            return None

    def _begun_elsewhere(self, delivery: OutboxEntry, channel: str) -> Posted | None:
        """Where the incident's thread begins although this store knows of none: whoever began it had another one."""
        if self.unchecked:
            return None
        where = self.store.get_note(f"{CHANNEL_ID}:{channel}") or channel
        with suppress(OncallError):  # a courtesy
            begun = self.chat.find(delivery.key, "", where, delivery.owed_at - THREADS_GO_BACK)
            if begun is not None:
                self.store.set_note(f"{THREAD}:{delivery.key}", f"{begun.channel_id} {begun.ts}")
            return begun
        return None

    def _thread(self, key: str, channel: str) -> Posted | None:
        """Where the incident's thread begins, or goes on after that was lost; in this channel where none is noted."""
        channel_id, _, ts = (self.store.get_note(f"{THREAD}:{key}") or "").partition(" ")
        thread = Posted(channel_id, ts) if ts else self.store.thread(key)
        if thread is None or (thread.channel_id and not thread.channel_id.startswith("#")):
            return thread
        known = self.store.get_note(f"{CHANNEL_ID}:{thread.channel_id or channel}")
        return replace(thread, channel_id=known or thread.channel_id or channel)
