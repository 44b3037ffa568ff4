"""How a delivery ends, and what each end changes of it: the same for every store. Knows neither rows nor memory."""

from __future__ import annotations

import datetime as dt
from abc import ABC, abstractmethod

from oncall.usecases.channel_ports import Posted
from oncall.usecases.ports import OutboxEntry

_KEPT = 500  # characters of a reason
_AT_ONCE = dt.timedelta()


class Settling(ABC):
    """The part of `Store` in which deliveries end."""

    @abstractmethod
    def _settle(self, delivery: OutboxEntry, wait: dt.timedelta, **values: object) -> None:
        """Change these fields of an entry that is neither done nor cancelled; after `wait` it may be claimed again."""

    def accepted(self, delivery: OutboxEntry, request_id: str, at: dt.datetime, wait: dt.timedelta) -> None:
        """Implements `Store`."""
        self._settle(
            delivery, wait, state="accepted", request_id=request_id, maybe_taken=True, requested_at=at,
            pending_since=delivery.pending_since or at,
        )  # fmt: skip

    def done(
        self, delivery: OutboxEntry, at: dt.datetime, posted: Posted | None = None, unreached: str = ""
    ) -> None:
        """Implements `Store`."""
        self._settle(
            delivery, _AT_ONCE, state="done", done_at=at, posted=posted, error="", unreached=unreached,
            alias=delivery.alias,
        )  # fmt: skip

    def failed(
        self, delivery: OutboxEntry, reason: str, wait: dt.timedelta, *, uncertain: bool, unreached: str = ""
    ) -> None:
        """Implements `Store`."""
        self._settle(
            delivery, wait, state="owed", request_id=delivery.request_id, error=reason[:_KEPT],
            unreached=unreached[:_KEPT], maybe_taken=uncertain or delivery.maybe_taken,
            pending_since=delivery.pending_since,
        )  # fmt: skip

    def withdraw(self, delivery: OutboxEntry, why: str) -> None:
        """Implements `Store`."""
        self._settle(
            delivery, _AT_ONCE, state="cancelled", error=why[:_KEPT], maybe_taken=delivery.maybe_taken
        )
