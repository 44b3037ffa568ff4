"""Say once of each load that it is unusually small: nothing waits for it, and nobody is woken."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Sequence

from oncall.core.incidents.incident import Plan
from oncall.core.incidents.wording import Scene
from oncall.core.notices.channel_notices import few_rows
from oncall.core.promises.evaluation import PromiseStatus
from oncall.core.promises.facts import Load
from oncall.core.promises.promise import Team
from oncall.usecases.notes import say_once
from oncall.usecases.ports import Store

FEW_ROWS = "few-rows"
_MOST_NOTED = 500  # the newest of all teams


def say_few_rows(store: Store, scene: Scene, statuses: Sequence[PromiseStatus]) -> None:
    """Of one team's promises: from the warning time on, or once a report has read it. Before that more may come."""
    few: defaultdict[dt.date, dict[str, Load]] = defaultdict(dict)
    owners: defaultdict[dt.date, dict[Team, None]] = defaultdict(dict)
    for status in statuses:
        if status.drill or not (status.facts.publication or (status.warn and scene.at >= status.warn)):
            continue
        for load in status.facts.loads:
            if load.is_unusually_small:
                few[status.report_date][load.table] = load
                owners[status.report_date][status.pipeline.upstream_owner] = None
    if not few:
        return

    def change(text: str) -> tuple[str, Plan]:
        known, owed = set(text.split()), []
        for day, loads in sorted(few.items()):
            names = {f"{day}:{name}:{scene.roster.team}": name for name in loads}
            if new := names.keys() - known:
                told = {name: loads[name] for key, name in sorted(names.items()) if key in new}
                owed.append(few_rows(scene, day, told, list(owners[day])))
                known |= new
        return " ".join(sorted(known)[-_MOST_NOTED:]) if owed else text, Plan(owed=tuple(owed))

    say_once(store, scene, FEW_ROWS, change)
