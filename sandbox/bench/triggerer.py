"""One triggerer in a process of its own: what its sensors and the watcher cost there.

    python -m sandbox.bench.triggerer URI     waits for what the warehouse of this URI does not have; prints JSON

It loads what it needs when it needs it: what is loaded before Airflow's own is not counted as memory that is ours.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import gc
import json
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import psutil

DAY = dt.date(2026, 11, 22)
LATE = "sessions"
OTHERS = ("customers", "products", "orders", "order_lines", "refunds", "touches")
MANY = 1_000
SETTLED_S = 4.0
MEASURED_S = 15.0
RELEASES = 10
WATCHED_S = 20.0  # the watcher has looked twice by then

_ARRIVES = (
    "insert into master.loads (table_name, business_day, loaded_at, row_count) values (%s, %s, now(), 10000)"
)
_GONE = "delete from master.loads where table_name = %s and business_day = %s"


async def _measured(uri: str) -> dict[str, Any]:
    import airflow.jobs.triggerer_job_runner  # noqa: F401 - an idle triggerer has loaded it
    import psycopg

    idle_mb = _own_mb()
    found: dict[str, Any] = {str(count): await _waiting(uri, count) for count in (1, MANY)}
    with psycopg.connect(uri, autocommit=True) as connection:
        connection.execute("alter table master.loads disable trigger say_loaded")
    found["polled"] = (await _waiting(uri, MANY))["released"]
    watching_mb = await _watching(uri)
    return {**found, "idle_mb": idle_mb, "watching_mb": watching_mb}


async def _waiting(uri: str, count: int) -> dict[str, list[float]]:
    """CPU (% of a core), queries per poll, and seconds to the release of the last, with so many sensors."""
    import psycopg

    from pipelines import upstream_trigger
    from pipelines.upstream_sensor import POKE_S

    upstream_trigger._POLL = poll = upstream_trigger._Poll()  # each count is a new triggerer
    asked, read = 0, poll._read

    def counted() -> Any:
        nonlocal asked
        asked += 1
        return read()

    poll._read = counted  # type: ignore[method-assign]
    tasks = _begin(count)
    await asyncio.sleep(SETTLED_S)
    before, cpu, began = asked, time.process_time(), time.monotonic()
    await asyncio.sleep(MEASURED_S)
    took = time.monotonic() - began
    busy, queries = time.process_time() - cpu, asked - before
    released = []
    with psycopg.connect(uri, autocommit=True) as connection:
        for _ in range(RELEASES):
            await asyncio.sleep(SETTLED_S * 0.3)  # somewhere between two polls
            connection.execute(_ARRIVES, (LATE, DAY))
            written = time.monotonic()
            await asyncio.wait_for(asyncio.gather(*tasks), 60)
            released.append(time.monotonic() - written)
            connection.execute(_GONE, (LATE, DAY))
            tasks = _begin(count)
    await _end(tasks)
    return {"cpu": [100 * busy / took], "queries": [queries / (took / POKE_S)], "released": released}


def _begin(count: int) -> list[asyncio.Task[None]]:
    """Sensors that wait for the late table, each for another one beside it that is there."""
    from pipelines.upstream_sensor import POKE_S
    from pipelines.upstream_trigger import UpstreamFresh

    async def wait(number: int) -> None:
        tables = [f"master.{LATE}", f"master.{OTHERS[number % len(OTHERS)]}"]
        async for event in UpstreamFresh(tables, DAY.isoformat(), None, POKE_S).run():
            assert event.payload["fresh"]
            return

    return [asyncio.create_task(wait(number)) for number in range(count)]


async def _watching(uri: str) -> float:
    """MB of this process once the watcher has looked, beside a thousand sensors."""
    import psycopg

    from oncall.airflow.watcher import SlaWatch
    from pipelines import upstream_trigger

    upstream_trigger._POLL = upstream_trigger._Poll()
    tasks = _begin(MANY)

    async def watch() -> None:
        async for _ in SlaWatch().run():
            pass

    tasks.append(asyncio.create_task(watch()))
    await asyncio.sleep(WATCHED_S)
    found = _own_mb()
    await _end(tasks)
    with psycopg.connect(uri.replace("/waiting?", "/waiting_oncall?")) as connection:
        ticked = connection.execute("select 1 from oncall.memory where name = 'tick'").fetchone()
    assert ticked, "the watcher has not looked"
    return found


async def _end(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    for task in tasks:
        with suppress(asyncio.CancelledError):
            await task


def _own_mb() -> float:
    gc.collect()
    return float(psutil.Process().memory_full_info().uss) / 1e6


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_measured(sys.argv[1]))))
