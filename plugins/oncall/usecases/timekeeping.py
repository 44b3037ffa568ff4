"""What time it is for everything that watches: agreed on by several clocks, and steady in between."""

from __future__ import annotations

import datetime as dt
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import replace

import structlog

from oncall.core.clocks import OWN, Agreed, agreed_time
from oncall.core.errors import OncallError
from oncall.core.incidents.incident import Plan
from oncall.core.incidents.wording import Scene
from oncall.core.notices.channel_notices import clock_right, clock_wrong
from oncall.usecases.notes import ByHost, by_host, dumped, noted, say_once
from oncall.usecases.ports import Store

log = structlog.get_logger(__name__)

ODD_CLOCKS = (
    "wrong_clocks"  # the clocks that are wrong in the store: seconds ahead, and seen so in which hour
)
FORGOTTEN_AFTER = dt.timedelta(days=1)


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


def read_clocks(
    others: Mapping[str, Callable[[], dt.datetime]], before: Callable[[], dt.datetime] | None = None
) -> Agreed:
    """Ask each clock that can be read. A clock that answers late is read as it was half-way.

    `before`: goes on from what was agreed on last.
    """
    began, own = time.monotonic(), utc_now()
    expected = before() if before else None
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
    agreed = agreed_time(own, shown, expected)
    return replace(agreed, at=agreed.at + dt.timedelta(seconds=time.monotonic() - began))


def noted_clocks(text: str | None, at: dt.datetime) -> dict[str, int]:
    """The clocks that are known to be wrong: by how many seconds they are ahead (negative: behind)."""
    return {name: int(ahead) for name, (ahead, _) in _known(text, at).items()}


def note_clocks(store: Store, scene: Scene, agreed: Agreed) -> None:
    """Say once of each clock that it is wrong, and when it is right again."""
    odd = {_spoken(name): round(ahead.total_seconds()) for name, ahead in agreed.odd.items()}
    hour = scene.at.replace(minute=0, second=0, microsecond=0)

    def change(text: str) -> tuple[str, Plan]:
        known = _known(text, scene.at)
        right = sorted(known.keys() & {*map(_spoken, agreed.right)})
        owed = [clock_wrong(scene, name, ahead) for name, ahead in odd.items() if name not in known]
        owed += [clock_right(scene, name) for name in right]
        kept = {name: said for name, said in known.items() if name not in right}
        seen = {name: (kept[name][0] if name in kept else str(ahead), hour) for name, ahead in odd.items()}
        return dumped({**kept, **seen}), Plan(owed=tuple(owed))

    say_once(store, scene, ODD_CLOCKS, change)


def _spoken(name: str) -> str:
    return f"host {socket.gethostname()}" if name == OWN else name


def _read(text: str) -> ByHost:
    """Raises ValueError for seconds that are no number."""
    return {name: (str(int(ahead)), at) for name, (ahead, at) in by_host(text).items()}


def _known(text: str | None, at: dt.datetime) -> ByHost:
    """A host may be gone for good, as a pod is: it does not tell of its clock again."""
    nobody: ByHost = {}
    said = noted(ODD_CLOCKS, text, _read, nobody)
    return {name: known for name, known in said.items() if abs(at - known[1]) < FORGOTTEN_AFTER}
