"""Whether `sla_watch` looks too: its runs need a scheduler, an executor, a free slot and a DAG that imports, as
tonight's reports do. What keeps them away is told hours before a report is missed.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

from oncall.core.incidents.incident import Plan
from oncall.core.incidents.wording import Scene
from oncall.core.notices.channel_notices import sla_watch_missed, sla_watch_runs
from oncall.usecases.notes import instant, noted, say_once, stretch
from oncall.usecases.ports import Store
from oncall.usecases.promise_statuses import LOOKING

LOOKED = "sla_watch_looked"  # under which the store keeps when it looked last
MISSED = "sla_watch_missed"  # … and since when it does not, where that was said
MISSED_AFTER = dt.timedelta(minutes=20)  # it comes every five, and a busy Airflow may be late with some


def note_other_look(store: Store, at: dt.datetime) -> None:
    """`sla_watch` has looked. Raises Unreadable."""
    store.set_note(LOOKED, at.isoformat())


def say_other_look(store: Store, scene: Scene, notes: Mapping[str, str]) -> None:
    """Say once that it does not look, and once that it does again. `notes`: as they are now; raises Unreadable.

    Nothing is said of the time in which the watcher did not look either: all of Airflow was away then, or `oncall_db`.
    Nor of a new installation, in which it is yet to look.
    """
    looked = noted(LOOKED, notes.get(LOOKED), instant, None)
    looking = noted(LOOKING, notes.get(LOOKING), stretch, None)
    if looked is None or looking is None:
        return
    missed = scene.at - max(looked, looking[0]) > MISSED_AFTER

    def change(text: str) -> tuple[str, Plan]:
        since = noted(MISSED, text, instant, None)
        if since is None:
            return (
                (looked.isoformat(), Plan(owed=(sla_watch_missed(scene, looked),)))
                if missed
                else ("", Plan())
            )
        return ("", Plan(owed=(sla_watch_runs(scene, since),))) if looked > since else (text, Plan())

    say_once(store, scene, MISSED, change)
