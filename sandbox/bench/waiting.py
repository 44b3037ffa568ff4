"""How many queries waiting sensors cost the warehouse: one, and twenty at once in one triggerer."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Sequence
from contextlib import closing

import psycopg2

from oncall.adapters.postgres import connect_to
from oncall.adapters.warehouse import Pair, Warehouse
from oncall.core.facts import Load
from sandbox.bench.figures import Figure, Sample, Section
from sandbox.loading import create_schema
from sandbox.postgres import Server

TABLES = ["master.sessions", "master.customers"]
FIRST_DAY = dt.date(2026, 11, 1)
MANY = 20
POKE_S = 1.0  # a tenth of what the sensors use, so that a few seconds tell as much as minutes
MEASURED_S = 15.0


class Counted(Warehouse):
    """A warehouse that counts how often it is asked."""

    asked = 0

    def loads_of(self, pairs: Sequence[Pair]) -> dict[Pair, Load]:
        self.asked += 1
        return super().loads_of(pairs)


def measure(server: Server) -> Section:
    """Queries a minute once all wait, each for a day of its own and out of step with the others."""
    uri = server.ensure_database("waiting")
    with closing(psycopg2.connect(uri)) as connection:
        create_schema(connection)
    one, many = (asyncio.run(_queries_a_minute(uri, count)) for count in (1, MANY))
    how = (
        f"Sensors in one triggerer wait for tables that do not arrive, {MEASURED_S:.0f} s long, with a poll a second"
        " (Airflow's run with one every 10 s)."
    )
    figure = Figure(
        Sample(f"{MANY} waiting sensors", (many,), "queries/min"),
        Sample("1 waiting sensor", (one,), "queries/min"),
    )
    return Section("Waiting for upstream", how, (figure,))


async def _queries_a_minute(uri: str, count: int) -> float:
    from oncall.glue import sensors  # imports Airflow

    warehouse = Counted(connect_to(uri))
    sensors._POLL = sensors._Poll()  # each count is a new triggerer
    sensors._POLL._warehouse = warehouse

    async def wait(number: int) -> None:
        await asyncio.sleep(POKE_S * number / count)
        day = FIRST_DAY + dt.timedelta(days=number)
        async for _ in sensors.UpstreamFresh(TABLES, day.isoformat(), None, POKE_S).run():
            raise AssertionError("nothing was loaded")

    waiting = [asyncio.create_task(wait(number)) for number in range(count)]
    await asyncio.sleep(2 * POKE_S)  # a sensor that begins to wait asks at once
    before = warehouse.asked
    await asyncio.sleep(MEASURED_S)
    asked = warehouse.asked - before
    for task in waiting:
        task.cancel()
    ended = await asyncio.gather(*waiting, return_exceptions=True)
    for end in ended:
        if not isinstance(end, asyncio.CancelledError) and isinstance(end, BaseException):
            raise end
    return asked * 60 / MEASURED_S
