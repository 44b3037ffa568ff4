"""What the page asks of the world behind it: one reading per request, and the actions. Knows no adapter."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

from fastapi import Request

from oncall.config.oncall_config import OncallConfig
from oncall.core.data.restatement import Restatement
from oncall.core.errors import Problem
from oncall.core.promises.evaluation import PromiseStatus
from oncall.core.time_format import TimeFormat
from oncall.usecases.history import Feeds, IncidentRecord, Published, SystemHealth
from oncall.usecases.manual_actions import Outcome
from oncall.usecases.report_numbers import Reports

SLA_WATCH = "sla_watch"  # among the warnings: it does not look
HIDDEN = "hidden"  # in the place of the key of an incident that the reader may not see


@dataclass(frozen=True)
class Trouble:
    """Something that does not work, since when (None: not known) and why."""

    name: str
    since: dt.datetime | None
    reason: str


@dataclass(frozen=True)
class PageSnapshot:
    """Everything one look was told, at the instant `at`. What could not be read is empty, and `unreadable` says why.

    `problems` are those of the files on disk; `tick` is when the watcher last looked (None: it never did);
    `restated` are the published numbers that were changed in the last weeks;
    `channels` are the channels that fail, `heartbeats` those that Opsgenie does not take; `published` maps a report to
    its publications. `alert_url` and `thread_url` are where the far sides show an alert and a thread, with `{alias}`,
    `{channel}` and `{ts}` in them ("": not known).
    `warnings`: other parts that do not work as they should (acknowledgements, history, the name of a clock).
    `hidden` is how many pipelines were left out because the reader may not see them. `teams`: the teams to choose from
    and what each is called, the one shown unasked first; empty where there is one roster only. `whole`: the look that
    this one is a part of (None: it is whole).
    """

    at: dt.datetime
    config: OncallConfig
    problems: tuple[Problem, ...] = ()
    statuses: tuple[PromiseStatus, ...] = ()
    records: tuple[IncidentRecord, ...] = ()
    published: Mapping[str, Published] = field(default_factory=dict)
    restated: tuple[Restatement, ...] = ()
    tick: dt.datetime | None = None
    channels: tuple[Trouble, ...] = ()
    heartbeats: tuple[Trouble, ...] = ()
    warnings: tuple[Trouble, ...] = ()
    unreadable: tuple[str, ...] = ()
    alert_url: str = ""
    thread_url: str = ""
    hidden: int = 0
    teams: Mapping[str, str] = field(default_factory=dict)
    whole: PageSnapshot | None = field(default=None, repr=False, compare=False)

    @cached_property
    def say(self) -> TimeFormat:
        """How instants are said in it: as of its own, in the zone of its roster."""
        return TimeFormat(self.at, self.config.roster.tz)

    @cached_property
    def statuses_of(self) -> Mapping[str, Sequence[PromiseStatus]]:
        """The statuses of each pipeline, by its DAG's id, in their order."""
        found: defaultdict[str, list[PromiseStatus]] = defaultdict(list)
        for one in self.statuses:
            found[one.pipeline.dag_id].append(one)
        return found


class Source(Protocol):
    """Raises ConfigError when nobody knows any good configuration; everything else is said in `PageSnapshot`."""

    def read(self) -> PageSnapshot:
        """Everything the page shows, as of now or of a moment ago."""
        ...

    def acknowledge(self, key: str, by: str, dag_ids: Collection[str]) -> Outcome:
        """The actions record, send at once, and say what came of it; `by` is the Airflow user's name.

        Only incidents of these DAGs may be changed: whoever is told of together may have changed since it was shown.
        """
        ...

    def resolve(self, key: str, by: str, note: str, dag_ids: Collection[str]) -> Outcome:
        """Resolve the incident by hand; `note` says why it is over."""
        ...

    def page(self, key: str, by: str, person: str, dag_ids: Collection[str]) -> Outcome:
        """Page the next one on the escalation now; refused where that is not `person` any more ("": whoever it is)."""
        ...

    def run_again(self, dag_id: str, report_date: dt.date, by: str) -> Outcome:
        """Start the DAG for this report date, and note it in the incident of that day, if it has one."""
        ...

    def feeds(self) -> Feeds:
        """The links that need no sign-in. Raises Unreadable when they are used."""
        ...

    def reports(self) -> Reports: ...

    def system_health(self) -> SystemHealth:
        """Cheap, however often it is asked. Raises Unreadable."""
        ...


def source(request: Request) -> Source:
    """What stands behind this app."""
    found: Source = request.app.state.source
    return found
