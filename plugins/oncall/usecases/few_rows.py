"""Say once of each load that it is unusually small: nothing waits for it, and nobody is woken."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Sequence

from oncall.config.oncall_config import OncallConfig
from oncall.core.incidents.incident import Plan
from oncall.core.incidents.wording import Links, Scene
from oncall.core.notices.channel_notices import few_rows
from oncall.core.promises.evaluation import PromiseStatus
from oncall.core.promises.facts import Load
from oncall.core.promises.promise import Team
from oncall.usecases.notes import say_once
from oncall.usecases.ports import Store

FEW_ROWS = "few-rows"
_MOST_NOTED = 500  # the newest of all teams


def say_few_rows(
    store: Store, config: OncallConfig, links: Links, statuses: Sequence[PromiseStatus], at: dt.datetime
) -> None:
    """Tell each team of its own: from the warning time on, or once a report has read it. Before that more may come.

    Raises Unreadable.
    """
    of_team: defaultdict[str, list[PromiseStatus]] = defaultdict(list)
    for status in statuses:
        read = status.facts.publication or (status.warn and at >= status.warn)
        if read and not status.drill and any(load.is_unusually_small for load in status.facts.loads):
            of_team[status.pipeline.team].append(status)
    for team, hit in of_team.items():
        _say(store, Scene(config.teams.get(team, config.roster), links, at), hit)


def _say(store: Store, scene: Scene, hit: Sequence[PromiseStatus]) -> None:
    few: defaultdict[dt.date, dict[str, Load]] = defaultdict(dict)
    owners: defaultdict[dt.date, dict[Team, None]] = defaultdict(dict)
    for status in hit:
        few[status.report_date] |= {
            load.table: load for load in status.facts.loads if load.is_unusually_small
        }
        owners[status.report_date][status.pipeline.upstream_owner] = None

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
