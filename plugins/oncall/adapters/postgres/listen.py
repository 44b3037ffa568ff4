"""Hears PostgreSQL's NOTIFY in an asyncio loop: sooner than the next poll would."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress

import structlog

from oncall.adapters.postgres.database import Connect, Connection

log = structlog.get_logger(__name__)

AGAIN_S = 60.0  # between two tries to listen


class Notifications:
    """Listens on one channel for as long as somebody waits. Who waits must ask now and then all the same.

    Nothing here is an error: a pooler that forgets who listens, a server that nobody notifies, a connection that
    breaks. Then every wait takes its time. Not for use by two event loops.
    """

    def __init__(self, connect: Connect, channel: str) -> None:
        self._connect, self._channel = connect, channel
        self._connection: Connection | None = None
        self._socket = -1
        self._heard = asyncio.Event()
        self._tried_at = 0.0

    async def wait(self, seconds: float) -> None:
        """Until something is heard that was said since the last wait, `seconds` at most."""
        if self._connection is None and time.monotonic() - self._tried_at > AGAIN_S:
            self._tried_at = time.monotonic()
            await self._listen()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._heard.wait(), seconds)
        self._heard.clear()

    def close(self) -> None:
        """Listen no more, until the next wait."""
        connection, self._connection, self._tried_at = self._connection, None, 0.0
        if connection is not None:
            asyncio.get_running_loop().remove_reader(self._socket)
            connection.close()

    async def _listen(self) -> None:
        try:
            self._connection = await asyncio.to_thread(self._connected)
        except Exception as error:  # noqa: BLE001 - whoever waits asks instead
            log.info("oncall.not_listening", channel=self._channel, reason=str(error).partition("\n")[0])
        else:
            self._socket = self._connection.fileno()  # kept: a connection that breaks cannot tell it any more
            asyncio.get_running_loop().add_reader(self._socket, self._readable)

    def _connected(self) -> Connection:
        connection = self._connect()
        if connection.pooled:
            connection.close()
            raise NotImplementedError("behind a pooler nobody is heard")
        connection.execute(f"listen {self._channel}")
        return connection

    def _readable(self) -> None:
        """Something has come: what was said, or the end of the connection."""
        import psycopg

        assert self._connection is not None
        server = self._connection.pgconn
        try:
            server.consume_input()
        except psycopg.Error:
            self.close()
            self._tried_at = time.monotonic()
            return
        while server.notifies():
            self._heard.set()
