"""What was seen of the world for one report on one day. Only what was read: no judgement, no clock."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

# A load with fewer rows than this share of what is expected is partial where its table's contract says no other one.
DEFAULT_SHARE = 0.75
# So improbable a partial load is, too (a bound of e^-11): of five rows a day, most may well be missing.
IMPROBABLE = 11.0
# So improbable a small one is told of, and not waited for (e^-4: one day in fifty at the most).
UNUSUAL = 4.0
_LEAST_VARIATION = 0.03  # of a day's level, beside what counting makes

# `queued`: it ran before, was cleared, and has not started again. `deleted`: of a run alone.
TaskState = Literal["running", "success", "up_for_retry", "queued", "failed", "skipped", "deleted"]
RUN = "(run)"  # in the place of a task's id: what became of the run as a whole (no task may be called so)
DRILL_RUNS = "drill__"  # how the id of a drill's run begins: no native deadline, no place in the history
MARKED = "marked as "  # how the error begins of what a person set by hand


def rarity(found: float, usual: float, spread: float, group: float = 1.0) -> float:
    """How improbable it is that so few, or so many, are there: minus the logarithm of a bound on it (Chernoff's).

    Rows, or groups of them, are counted (Poisson's distribution), on days whose level varies (a gamma distribution) by
    what counting alone does not make of the spread.
    """
    if found < 0 or usual <= 0:
        return 0.0
    varies = (spread / usual) ** 2
    found, usual = found / group, usual / group
    shape = 1 / max(varies - 1 / usual, _LEAST_VARIATION**2)
    counted = found * math.log(found / usual) if found else 0.0
    return counted - (found + shape) * math.log((found + shape) / (usual + shape))


@dataclass(frozen=True)
class Load:
    """The latest load of one upstream table for one business day; `loaded_at` is None when there is none.

    `rows` is None when whoever loaded it did not count: then it counts as there. `median` is the row count expected
    on such a weekday (None: no earlier load), give or take `spread`, and `share` the part of it below which the load is
    small: partial where that is no chance. `group`: how many rows come at once, at the most, such as an order's lines.
    `expected_at` is when it usually arrives, on this day. `misnamed`: how a row calls it that is not its own;
    `no_day`: what one has in the place of its day, and that day.
    """

    table: str
    loaded_at: dt.datetime | None = None
    rows: int | None = None
    median: float | None = None
    expected_at: dt.datetime | None = None
    spread: float | None = None
    share: float = DEFAULT_SHARE
    group: float = 1.0
    misnamed: str = ""
    no_day: tuple[str, dt.date] | None = None

    @property
    def state(self) -> Literal["fresh", "late", "partial"]:
        if self.loaded_at is None:
            return "late"
        return "partial" if self._is_below_its_share and self.rarity > IMPROBABLE else "fresh"

    @property
    def is_small(self) -> bool:
        """Fewer rows than its share of what is expected, which may be chance: to be said, and not waited for."""
        return self._is_below_its_share and self.state == "fresh"

    @property
    def is_unusually_small(self) -> bool:
        """So few that somebody should ask whether they are all: on most days no chance."""
        return self.is_small and self.rarity > UNUSUAL

    @property
    def _is_below_its_share(self) -> bool:
        return self.rows is not None and self.median is not None and self.rows < self.share * self.median

    @property
    def rarity(self) -> float:
        """How improbable it is that no more rows are there."""
        if self.rows is None or not self.median or self.rows >= self.median:
            return 0.0
        return rarity(self.rows, self.median, self.spread or 0.0, self.group)

    @property
    def counts_words(self) -> str:
        """Its rows beside those expected, and how far below them such a day may well be: not when that is not known."""
        if self.rows is None or not self.median:
            return ""
        counts = f"{self.rows:,} rows, usually {self.median:,.0f}"
        if self.spread is None:
            return counts
        # Counting alone spreads a number by its root, however alike the last days were.
        varies_by = max(self.spread, math.sqrt(self.median * self.group)) / self.median
        return f"{counts} ({self.rows / self.median:.0%}; such a day varies by about {varies_by:.0%})"


@dataclass(frozen=True)
class Publication:
    """The row that says a report is complete and visible. `first_at` judges the promise, `at` the staleness.

    `due`: when it was due as it was published (None: nobody wrote that down).
    """

    first_at: dt.datetime
    at: dt.datetime
    run_id: str
    rows: int
    due: dt.datetime | None = None


# What follows of a check's finding is a command: it releases it, or lists the rows.
IF_TRUE, ALL_OF_THEM = "; if it is true: ", "; all of them: "


@dataclass(frozen=True)
class FailedCheck:
    """A check that withheld the publication: of which run, written down when ("" and None: not known)."""

    name: str
    expected: str
    found: str
    run_id: str = ""
    checked_at: dt.datetime | None = None


@dataclass(frozen=True)
class Task:
    """One task of a run for the report date, as its callbacks recorded it or as Airflow says it is.

    `error` tells also who set a state by hand, whichever state that is.
    """

    task_id: str
    state: TaskState
    started_at: dt.datetime
    ended_at: dt.datetime | None = None
    run_id: str = ""
    error: str = ""
    log_url: str = ""

    @classmethod
    def as_of(
        cls, at: dt.datetime, task_id: str, state: TaskState, run_id: str, *,
        began: dt.datetime | None = None, **words: str,
    ) -> Task:  # fmt: skip
        """A task that is known to be in this state since `at`. `began`: for one that never said so itself."""
        ended = None if state in ("running", "queued") else at
        return cls(task_id, state, began or at, ended, run_id, **words)

    @property
    def since(self) -> dt.datetime:
        """Since when it is in this state, if it is open: a task that is tried again waits since it failed."""
        return self.ended_at or self.started_at if self.state == "up_for_retry" else self.started_at

    @property
    def failure_log(self) -> str:
        """Where its last try tells why that failed; "" of a task whose last try has not, or whose log nobody knows."""
        return self.log_url if self.state in ("failed", "up_for_retry") else ""

    @property
    def marked(self) -> bool:
        """A person set its state by hand."""
        return self.error.startswith(MARKED)


def still_over(run: Task | None, tasks: Iterable[Task]) -> Task | None:
    """What ended a run, unless one of its `tasks` has started since (it was cleared, or is there again)."""
    ended = run.ended_at if run else None
    return run if ended and all(task.started_at <= ended for task in tasks) else None


@dataclass(frozen=True)
class Dag:
    """What Airflow said of the DAG when it was last asked (`seen_at`); None means it could not be told."""

    seen_at: dt.datetime
    paused: bool | None = None
    missing: bool = False
    import_error: str = ""
    running: int | None = None


@dataclass(frozen=True)
class TypicalDurations:
    """Of the last 28 days, by task: p90 seconds still to go from its start, its own median and p90 seconds."""

    remaining: dict[str, float] = field(default_factory=dict)
    duration: dict[str, float] = field(default_factory=dict)
    longest: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Facts:
    """All that was seen for one report and day.

    `unreadable` names each source that could not be read, and why, since `blind_since` (None: not known); `blind` says
    that the warehouse is among them: then a `publication` is one that was seen before. `failed_checks` are those of the
    run that checked last. `blocked_by`: which lock in the warehouse the run waits for ("" for none that is known).
    `changed_since` are the loads newer than the publication. `tasks` are
    those of the newest run, in the order they started, `run` is what became of that run as a whole (None while nobody
    says that it is over), and `failed_before` are failures of earlier runs.
    `looking_since`: when somebody began to look again and again (None: not known).
    """

    publication: Publication | None = None
    loads: tuple[Load, ...] = ()
    failed_checks: tuple[FailedCheck, ...] = ()
    tasks: tuple[Task, ...] = ()
    run: Task | None = None
    failed_before: tuple[Task, ...] = ()
    dag: Dag | None = None
    usual: TypicalDurations = TypicalDurations()
    changed_since: tuple[Load, ...] = ()
    unreadable: tuple[str, ...] = ()
    blind: bool = False
    blind_since: dt.datetime | None = None
    blocked_by: str = ""
    looking_since: dt.datetime | None = None

    @property
    def held_by(self) -> tuple[FailedCheck, ...]:
        """The failed checks that are news: what an older run was held by is history once a newer one has begun."""
        return tuple(check for check in self.failed_checks if not self._is_history(check))

    def _is_history(self, check: FailedCheck) -> bool:
        """Whether the newest run has begun, or gone on, since."""
        at = check.checked_at
        if at is not None and (self.is_past(at) or any(task.started_at > at for task in self.tasks)):
            return True
        others = check.run_id and any(task.run_id and task.run_id != check.run_id for task in self.tasks)
        return bool(others) and (at is None or any(task.ended_at is None for task in self.tasks))

    def is_past(self, at: dt.datetime | None) -> bool:
        """Whether the newest run has begun since then: it was cleared, and what it came to before is history."""
        goes_on = self.run is not None and self.run.state == "running"
        return goes_on and at is not None and self.run is not None and self.run.started_at > at

    def with_runs(self, **more: Any) -> Facts:
        """The same with what the tasks said. As `dataclasses.replace`, which costs ten times as much."""
        facts = object.__new__(Facts)
        vars(facts).update(vars(self), **more)
        return facts

    @property
    def late_loads(self) -> tuple[Load, ...]:
        return tuple(load for load in self.loads if load.state != "fresh")

    @property
    def over(self) -> Task | None:
        """What ended the newest run as a whole; None when a task of it has started since."""
        return still_over(self.run, self.tasks)

    @property
    def gone(self) -> bool:
        """The run of this report date was deleted, and no other has started."""
        return self.over is not None and self.over.state == "deleted"

    @property
    def failed_now(self) -> tuple[Task, ...]:
        """The tasks of the newest run that have failed since it began, the last time."""
        return tuple(
            task for task in self.tasks if task.state == "failed" and not self.is_past(task.ended_at)
        )

    @property
    def failures(self) -> tuple[Task, ...]:
        """Whatever failed for good and stands so: earlier runs first, then the newest one."""
        newest = list(self.failed_now)
        if not newest and self.over and self.over.state == "failed":
            newest = [self.over]
        return (*self.failed_before, *newest)

    @property
    def failure(self) -> Task | None:
        """Of the newest run that has failed what failed first: the rest follows from it, or has the same reason."""
        run = self.failures[-1].run_id if self.failures else None
        of_run = [task for task in self.failures if task.run_id == run]
        return min(of_run, key=lambda task: task.ended_at or task.started_at, default=None)
