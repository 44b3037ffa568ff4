"""A watcher for one drill alone that cannot read the warehouse, beside the stack's own one, which can.

A warehouse that is truly gone would break every promise at once, for real. So the drill looks for itself, by the
same rules and into the same outbox, and the stack sends and hears.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

from oncall.adapters.postgres.database import Connect, connect_to
from oncall.adapters.postgres.decision import PostgresDecision
from oncall.adapters.postgres.oncall_db import OncallDb
from oncall.adapters.postgres.task_log import TaskLog
from oncall.adapters.postgres.warehouse import Warehouse
from oncall.config.oncall_config import OncallConfig
from oncall.core.incidents.incident import Incident, NotificationStatus
from oncall.core.incidents.wording import Links
from oncall.usecases.evaluate import evaluate
from oncall.usecases.ports import Drill, EvaluationInputs, ReportKey, TaskRuns

NOBODY_LISTENS = "postgresql://127.0.0.1:1/warehouse"


class BlindWatcher:
    """Looks at one drill and at nothing else, blindly until `see_again`."""

    def __init__(self, config: OncallConfig, connect: Connect, links: Links, drill: Drill) -> None:
        pipeline = replace(config.pipelines[drill.dag_id], promise=None)  # the drill brings its own instants
        self._setup = replace(config, pipelines={drill.dag_id: pipeline})
        self._store, self._runs = _OfOneDrill(connect, drill), _RunsOfNobody(connect)
        self._links = links
        self._world = Warehouse(connect_to(NOBODY_LISTENS))

    def look(self, at: dt.datetime) -> None:
        evaluate(self._setup, self._world, self._runs, self._store, self._links, at)

    def see_again(self, warehouse: Connect) -> None:
        self._world = Warehouse(warehouse)


class _OfOneDrill(OncallDb):
    """The store as if there were this drill only."""

    def __init__(self, connect: Connect, drill: Drill) -> None:
        super().__init__(connect)
        self._drill = drill

    def evaluation_inputs(self, at: dt.datetime, names: Sequence[str]) -> EvaluationInputs:
        return replace(super().evaluation_inputs(at, names), open=(), drills=(self._drill,))

    @contextmanager
    def decision_lock(self) -> Iterator[_OfOneDrillDecided]:
        with super().decision_lock() as decision:
            yield _OfOneDrillDecided(decision, self._drill.name)


class _OfOneDrillDecided(PostgresDecision):
    """What was decided of it: an incident of others has no promise here, and would be closed as removed."""

    def __init__(self, decision: PostgresDecision, drill: str) -> None:
        self.__dict__.update(vars(decision))
        self._drill = drill

    def told(self, of: Collection[ReportKey] = ()) -> list[tuple[Incident, tuple[NotificationStatus, ...]]]:
        return [
            (incident, entries) for incident, entries in super().told(of) if incident.drill == self._drill
        ]


class _RunsOfNobody(TaskLog):
    """Runs of which none has failed: another day's failure is not this drill's to tell."""

    def read(self, wanted: Mapping[ReportKey, dt.datetime | None], failed_since: dt.datetime) -> TaskRuns:
        return super().read(wanted, dt.datetime.max.replace(tzinfo=dt.UTC))
