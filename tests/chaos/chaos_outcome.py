"""What becomes of a fault, and docs/FAULTS.md, group by group; knows neither how it was made nor how it was seen."""

from __future__ import annotations

import datetime as dt
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_HEAD = """\
# Faults

Each fault is made on the real stack (PostgreSQL, scheduler, DAG processor, triggerer, API server as processes that can
be killed), alone, with promises that are due in less than a minute. `make chaos` makes all of them, `make chaos
CHAOS=databases` the ones of a group in about ten minutes, and then writes this group's part of this page anew. What
stands here was asserted on what the far side (the inbox, which stands in for Opsgenie and Slack over HTTP) received:

- *Page after*: from the due instant to the far side taking the first P1, at most 60 s unless it says otherwise. "–":
  no page is wanted. While Opsgenie itself cannot take it, it is measured from the instant at which Opsgenie can again.
- *Doubles*: alerts, Slack messages and threads that say a second time what was said before; none is allowed unless it
  says otherwise.
"""
_GROUP = """\
## {name}

Of {what}. Made on {day}: {cores} cores, Python {python}; {count} in {minutes} minutes.

| Fault | What must be heard | What was seen | Page after | Doubles | Verdict |
| --- | --- | --- | ---: | ---: | --- |
"""


@dataclass(frozen=True)
class Outcome:
    """What was seen of one fault. `page_s`: seconds from due (or from the far side's return) to the page, if any."""

    seen: str
    page_s: float | None = None


@dataclass(frozen=True)
class Row:
    """One line of the table. `trouble`: why the fault is not survived, "" when it is."""

    fault: str
    group: str
    heard: str
    seen: str
    page_s: float | None
    doubles: Sequence[str]
    trouble: str
    took_s: float

    @property
    def verdict(self) -> str:
        return "**not survived**: " + self.trouble if self.trouble else "survived"

    def as_line(self) -> str:
        """For the terminal, as the fault ends."""
        page = "     –" if self.page_s is None else f"{self.page_s:6.1f}"
        verdict = "ok  " if not self.trouble else "FAIL"
        told = f"{self.fault}: {self.trouble or self.seen}"
        return f"{verdict} {page} s  doubles {len(self.doubles)}  [{self.took_s:3.0f} s] {told}"

    def as_markdown(self) -> str:
        page = "–" if self.page_s is None else f"{self.page_s:.1f} s"
        cells = (self.fault, self.heard, self.seen, page, str(len(self.doubles)), self.verdict)
        return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def document(old: str, rows: Sequence[Row], groups: Mapping[str, str]) -> str:
    """docs/FAULTS.md with the parts of the groups that these rows are of written anew; the others stay as they are."""
    parts = {part.partition("\n")[0]: f"## {part}" for part in old.split("\n## ")[1:]}
    for name in {row.group for row in rows}:
        parts[name] = _part(name, groups[name], [row for row in rows if row.group == name])
    return "\n".join([_HEAD, *(parts[name].rstrip("\n") + "\n" for name in groups if name in parts)])


def _part(name: str, what: str, rows: Sequence[Row]) -> str:
    head = _GROUP.format(
        name=name,
        what=what,
        day=dt.datetime.now(dt.UTC).date(),
        cores=os.cpu_count(),
        python=platform.python_version(),
        count=len(rows),
        minutes=round(sum(row.took_s for row in rows) / 60),
    )
    return head + "\n".join(row.as_markdown() for row in rows) + "\n"
