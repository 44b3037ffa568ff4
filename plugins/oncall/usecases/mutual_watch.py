"""The watcher and `sla_watch` look after each other: that one of them does not look is told in the chat, and its end.

The runs of `sla_watch` need a scheduler, an executor, a free slot and a DAG that imports, as tonight's reports do:
their absence is told hours before a report is missed. The watcher needs a triggerer, and an unpaused `sla_watch`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from oncall.core.incidents.incident import Notification, Plan
from oncall.core.incidents.wording import Scene
from oncall.core.notices import channel_notices
from oncall.usecases.channel_health import note_trouble
from oncall.usecases.history import WATCHER_SILENT_AFTER
from oncall.usecases.notes import TICK, instant, noted, stretch
from oncall.usecases.ports import Store
from oncall.usecases.promise_statuses import LOOKING

SLA_WATCH_LOOKED = "sla_watch_looked"  # under which the store keeps when it looked last
SLA_WATCH_AWAY, WATCHER_AWAY = "sla_watch_away", "watcher_away"  # … and that one of them does not look
# `sla_watch` looks every five minutes: told after four looks that were missed.
SLA_WATCH_SILENT_AFTER, SLA_WATCH_TOLD_AFTER = dt.timedelta(minutes=7), dt.timedelta(minutes=13)
SLA_WATCH_MISSED_AFTER = SLA_WATCH_SILENT_AFTER + SLA_WATCH_TOLD_AFTER
NOBODY_AFTER = dt.timedelta(minutes=2)  # a look is noted once a minute
WATCHER_TOLD_AFTER = dt.timedelta(minutes=10)  # longer than a release takes


def sla_watch_looked(store: Store, scene: Scene) -> None:
    """`sla_watch` looks. Raises Unreadable."""
    store.set_note(SLA_WATCH_LOOKED, scene.at.isoformat())


def watch_sla_watch(store: Store, scene: Scene) -> None:
    """The watcher looks: tell whether `sla_watch` does, but for a new installation in which it is yet to look. Raises
    Unreadable."""
    looked = noted(SLA_WATCH_LOOKED, store.get_note(SLA_WATCH_LOOKED), instant, None)
    if looked is not None:
        away = looked.isoformat() if scene.at - looked > SLA_WATCH_SILENT_AFTER else ""
        missed = channel_notices.sla_watch_missed(scene, looked)
        again = channel_notices.sla_watch_runs
        note_trouble(
            store, scene, SLA_WATCH_AWAY, away, _saying(scene, away, missed, again), SLA_WATCH_TOLD_AFTER
        )


def watch_watcher(store: Store, scene: Scene) -> None:
    """Anybody looks: tell whether the watcher does. Raises Unreadable."""
    tick = noted(TICK, store.get_note(TICK), instant, None)
    away = "away" if tick is None or scene.at - tick > WATCHER_SILENT_AFTER else ""
    missed, again = channel_notices.watcher_missed(scene, tick), channel_notices.watcher_looks
    note_trouble(store, scene, WATCHER_AWAY, away, _saying(scene, away, missed, again), WATCHER_TOLD_AFTER)


def nobody_looks(store: Store, at: dt.datetime) -> bool:
    """Whether neither of them has looked lately, nor anybody else. Raises Unreadable."""
    looked = noted(LOOKING, store.get_note(LOOKING), stretch, None)
    return looked is None or at - looked[1] > NOBODY_AFTER


def _saying(
    scene: Scene, away: str, missed: Notification, again: Callable[[Scene, dt.datetime], Notification]
) -> Callable[[dt.datetime], Plan]:
    return lambda since: Plan(owed=(missed if away else again(scene, since),))
