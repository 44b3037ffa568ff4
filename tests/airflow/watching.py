"""A watcher that runs until something is seen, and what the inbox has seen of it."""

from __future__ import annotations

import asyncio
import datetime as dt
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from oncall.airflow.watcher import SlaWatch
from sandbox.inbox.records import Alert, SlackMessage

ZONE = dt.timezone(dt.timedelta(hours=7))
KEY_OF_PAGE = "page-1-primary"


def soon(seconds: float) -> dt.datetime:
    """A whole second of today's wall clock, a little ahead."""
    at = dt.datetime.now(ZONE) + dt.timedelta(seconds=seconds)
    if at.date() != dt.datetime.now(ZONE).date():
        pytest.skip("midnight is too near for a due time of today")
    return at.replace(microsecond=0)


async def watch(until: Callable[[], bool], seconds: float) -> None:
    """Run the watcher as the triggerer does until the condition holds, at most so long."""

    async def forever() -> None:
        async for _ in SlaWatch(tick_s=1.0).run():
            pass

    running = asyncio.create_task(forever())
    deadline = time.monotonic() + seconds
    while not await asyncio.to_thread(until) and time.monotonic() < deadline:
        await asyncio.sleep(0.1)
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


def pages(site: Any) -> list[Alert]:
    return [alert for alert in site.inbox.alerts() if alert.alias.endswith(KEY_OF_PAGE)]


def threads(site: Any) -> list[SlackMessage]:
    """What stands in our own channel by itself; the upstream team hears of it in theirs."""
    return [m for m in site.inbox.messages(thread_ts=None) if m.channel_name == "de-oncall"]
