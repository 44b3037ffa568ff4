"""A cause in words: whole, and in the fewest. A value; what makes it is in cause.py."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from oncall.core.redaction import redacted

Cause = Literal["upstream_late", "running", "stuck", "failed", "not_started", "held", "unknown"]

# What a cause is more closely, where that tells what to do first.
Kind = Literal[
    "", "paused, its DAG gone", "paused, import error", "paused", "DAG gone", "import error", "no scheduler",
    "another schedule", "no schedule", "other runs", "deleted", "green", "marked", "starting", "retrying",
    "paused on its way", "unheard", "not woken", "blocked", "unusual", "upstream's rows", "gave up",
    "no run yet",
]  # fmt: skip
CAUSE_WORDS: dict[str, str] = {
    "upstream_late": "waiting on upstream",
    "running": "running",
    "stuck": "stuck",
    "failed": "failed",
    "not_started": "never started",
    "held": "held back by a check",
    "unknown": "cannot tell",
}
# What a cause may rest on that other reports have in common; a table, an error or a lock is named.
AIRFLOW, UNSEEN = "Airflow", "unseen"


@dataclass(frozen=True)
class Why:
    """A cause, one plain sentence of detail (without secrets), and the names it is about (tables, task, check).

    For a title, the same in the fewest words: `brief` ("transform failed at 02:40"; "" where the detail is as short),
    the innermost `error` without its class, and the tables that it `waits_on`, with a mark at what came in part.
    `rests_on`: what other reports may rest on too, nothing for a cause that is this report's own. What runs, hangs or
    never starts without a reason that is known rests on Airflow, as they all do. `kind`: the cause more closely, by
    which do_first.py knows what to do.
    """

    cause: Cause
    detail: str
    names: tuple[str, ...] = ()
    brief: str = field(default="", compare=False)
    error: str = field(default="", compare=False)
    waits_on: tuple[str, ...] = field(default=(), compare=False)
    rests_on: tuple[str, ...] = field(default=(AIRFLOW,), compare=False)
    kind: Kind = field(default="", compare=False)

    def __post_init__(self) -> None:
        for name in ("detail", "brief", "error"):
            object.__setattr__(self, name, redacted(getattr(self, name)))
