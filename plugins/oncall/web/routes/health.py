"""Whether anybody watches: for load balancers and monitors outside, which cannot sign in. Tells nothing of anybody."""

from __future__ import annotations

import datetime as dt
from typing import Literal

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from oncall import __version__
from oncall.core.errors import Unreadable
from oncall.usecases.history import WATCHER_SILENT_AFTER, SystemHealth
from oncall.web.snapshot import Source

router = APIRouter()


class Outbox(BaseModel):
    """What is written down to be sent."""

    owed: int = Field(description="Deliveries that no far side has taken")
    oldest_seconds: int = Field(description="Since when the oldest of them is owed")


class Health(BaseModel):
    """Numbers and words of this list only: everybody may read it."""

    watcher: Literal["healthy", "stale", "never", "unknown"]
    seconds_since_tick: int | None = None
    roster: Literal["valid", "invalid", "unknown"] = "unknown"
    outbox: Outbox | None = None
    version: str = __version__


@router.get("/health")
def health(request: Request) -> JSONResponse:
    """200 while the watcher looks; 503 when it has not looked for a minute, never has, or nobody can tell."""
    source: Source = request.app.state.source
    try:
        said = health_of(source.system_health(), dt.datetime.now(dt.UTC))
    except Unreadable:
        said = Health(watcher="unknown")
    return JSONResponse(said.model_dump(), 200 if said.watcher == "healthy" else 503)


def health_of(health: SystemHealth, at: dt.datetime) -> Health:
    """The system's health in the words of the answer."""
    age = at - health.tick if health.tick else None
    return Health(
        watcher="never" if age is None else "stale" if age > WATCHER_SILENT_AFTER else "healthy",
        seconds_since_tick=None if age is None else _whole(age),
        roster="unknown" if health.files_valid is None else "valid" if health.files_valid else "invalid",
        outbox=Outbox(
            owed=health.owed, oldest_seconds=_whole(at - health.owed_since) if health.owed_since else 0
        ),
    )


def _whole(span: dt.timedelta) -> int:
    """Whole seconds; two clocks may differ a little, and no age is negative."""
    return max(0, int(span.total_seconds()))
