"""What time it is for everything that watches: agreed on by several clocks, and steady in between."""

from __future__ import annotations

import datetime as dt
import json
import socket
import time
from collections.abc import Callable, Mapping

import structlog

from oncall.core.clocks import OWN, Agreed, agreed_time
from oncall.core.errors import OncallError
from oncall.core.incidents.incident import Plan
from oncall.core.incidents.wording import Scene
from oncall.core.notices.channel_notices import clock_right, clock_wrong
from oncall.usecases.notes import mapping, noted, say_once
from oncall.usecases.ports import Store

log = structlog.get_logger(__name__)

ODD_CLOCKS = "odd_clocks"  # under which the store keeps the clocks that are wrong: name → seconds ahead


def utc_now() -> dt.datetime:
    """This host's own clock, in UTC."""
    return dt.datetime.now(dt.UTC)


class SteadyClock:
    """Goes on from an instant by the machine's monotonic clock: whatever is done to the wall clock meanwhile."""

    def __init__(self, at: dt.datetime) -> None:
        self.set(at)

    def set(self, at: dt.datetime) -> None:
        """Let it say `at` from now on."""
        self._begun = (at, time.monotonic())

    def __call__(self) -> dt.datetime:
        at, since = self._begun
        return at + dt.timedelta(seconds=time.monotonic() - since)


def read_clocks(others: Mapping[str, Callable[[], dt.datetime]]) -> Agreed:
    """Ask each clock that can be read. A clock that answers late is read as it was half-way."""
    began, own = time.monotonic(), utc_now()
    shown: dict[str, dt.datetime] = {}
    for name, read in others.items():
        asked = time.monotonic()
        try:
            at = read()
        except OncallError as error:
            log.info("oncall.clock_unread", clock=name, reason=str(error))
            continue
        half_way = (asked + time.monotonic()) / 2
        shown[name] = at - dt.timedelta(seconds=half_way - began)
    agreed = agreed_time(own, shown)
    return Agreed(agreed.at + dt.timedelta(seconds=time.monotonic() - began), agreed.odd)


def noted_clocks(text: str | None) -> dict[str, int]:
    """The clocks that were found wrong: by how many seconds they are ahead (negative: behind)."""
    return noted(ODD_CLOCKS, text, lambda said: {str(k): int(v) for k, v in mapping(said).items()}, {})


def note_clocks(store: Store, scene: Scene, agreed: Agreed, read: Mapping[str, object]) -> None:
    """Say once of each clock that it is wrong, and when it is right again. `read`: the clocks that were asked."""
    mine = {name: (f"host {socket.gethostname()}" if name == OWN else name) for name in (OWN, *read)}
    odd = {mine[name]: round(ahead.total_seconds()) for name, ahead in agreed.odd.items()}

    def change(text: str) -> tuple[str, Plan]:
        known = noted_clocks(text)
        new = {name: ahead for name, ahead in odd.items() if name not in known}
        right = [name for name in mine.values() if name in known and name not in odd]
        owed = [clock_wrong(scene, name, ahead) for name, ahead in new.items()]
        owed += [clock_right(scene, name) for name in right]
        kept = {name: ahead for name, ahead in known.items() if name not in right}
        return json.dumps({**kept, **new}) if owed else text, Plan(owed=tuple(owed))

    say_once(store, scene, ODD_CLOCKS, change)
