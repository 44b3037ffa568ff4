"""Makes each answer once for all readers of one look, and one answer at a time. Knows no view."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable
from typing import Any

import anyio
from fastapi import Request, Response

from oncall.web.snapshot import PageSnapshot

MOST_KEPT = 100  # the answers of one look, which lives for seconds

# several at once would be no sooner ready, and keep the rest of the api-server waiting
_MAKING = threading.Lock()


def in_turn(line: str) -> Callable[[Request], AsyncIterator[None]]:
    """Readers stand in this line of the app, and not in the threads of the api-server, which are Airflow's too."""

    async def stand(request: Request) -> AsyncIterator[None]:
        turn: anyio.Semaphore = getattr(request.app.state, line)
        async with turn:
            yield

    return stand


def shared(
    request: Request, seen: PageSnapshot, make: Callable[[], Response], may: frozenset[str] = frozenset()
) -> Response:
    """The answer, made once for all who ask for the same address on the same look with the same rights (`may`)."""
    known: dict[Any, tuple[bytes, str | None, int]] = vars(seen.whole or seen).setdefault("_answers", {})
    config = seen.config
    key = (
        request.scope.get("root_path"),
        request.url.path,
        request.url.query,
        config.roster.team,
        may,
        *config.pipelines,
    )
    if key not in known:
        with _MAKING:
            if key not in known:
                made = make()
                if len(known) >= MOST_KEPT:
                    return made
                known[key] = bytes(made.body), made.media_type, made.status_code
    body, media_type, status = known[key]
    return Response(body, status, media_type=media_type)
