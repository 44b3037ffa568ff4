"""What other processes do beside the stack: `python chaos_beside.py <function> <arguments>`, one function a process."""

from __future__ import annotations

import asyncio
import datetime as dt
import sys
import time


def look_at(*instants: str) -> None:
    """A worker's looks as if it were these instants, one after the other."""
    from oncall.airflow.run_once import evaluate_once

    for instant in instants:
        evaluate_once(dt.datetime.fromisoformat(instant))


def look_all_the_time() -> None:
    """A worker that looks every two seconds."""
    from oncall.airflow.run_once import evaluate_once

    while True:
        evaluate_once()
        time.sleep(2)


def watch() -> None:
    """Another watcher."""
    from oncall.airflow.watcher import SlaWatch

    async def forever() -> None:
        async for _ in SlaWatch().run():
            pass

    asyncio.run(forever())


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
