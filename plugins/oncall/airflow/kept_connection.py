"""A database connection as it is written in Airflow now and, until that works, as it was when it worked last."""

from __future__ import annotations

import time

from oncall.adapters.postgres.database import Connect, Connection, connect_by
from oncall.core.errors import DeliveryFailed, LockedOut, Unreadable
from oncall.core.redaction import redacted

TRY_AGAIN_S = 60.0  # what was written anew and does not work


class KeptConnection:
    """A `Connect` that any thread may call. `before`: the same, from an earlier reading.

    `trouble`: why it cannot be used as it is written now, while the one before goes on; "" when it can, None when
    nobody knows yet, or nothing goes on.
    """

    def __init__(self, conn_id: str, before: KeptConnection | None = None) -> None:
        kept: Connect | None = (before._before or before._now) if before else None
        self._now: Connect | None = None
        self._try_at = 0.0
        self.trouble: str | None = None
        self._reason = ""
        try:
            self._now = connect_by(conn_id)
        except Unreadable as error:
            self._reason = redacted(str(error))
            told = error.__cause__
            if kept is not None and (not isinstance(told, DeliveryFailed) or isinstance(told, LockedOut)):
                self.trouble = self._reason  # else Airflow cannot tell now how it is written
        self._before: Connect | None = kept if kept != self._now else None

    def is_written_as(self, other: KeptConnection) -> bool:
        return self._now is not None and (self._now, self._before) == (other._now, other._before)

    def __call__(self) -> Connection:
        """Raises Unreadable, or what connecting raises."""
        kept = self._before
        if self._now is None:
            if kept is None:
                raise Unreadable(self._reason)
            return kept()
        if kept is not None and time.monotonic() < self._try_at:
            return kept()
        try:
            connection = self._now()
        except Exception as error:
            if kept is None:
                raise
            self._try_at = time.monotonic() + TRY_AGAIN_S
            try:
                connection = kept()
            except Exception:  # noqa: BLE001 - what is written now is what is to be mended
                raise error from None
            self.trouble = redacted(str(error))
            return connection
        self.trouble, self._before = "", None
        return connection
