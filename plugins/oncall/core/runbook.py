"""A runbook: the text a woken person reads, cut so that an alert can carry exactly the steps that fit."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

# The sections every runbook has, in order. Keys are what code says, values what the heading says.
SECTIONS: Mapping[str, str] = {
    "is_it_real": "Is it real",
    "impact": "Impact",
    "upstream_late": "Upstream late",
    "running": "Running",
    "stuck": "Stuck",
    "failed": "Failed",
    "not_started": "Never started",
    "held": "Held by a check",
    "unknown": "Cannot tell",
    "escalate": "Escalate",
    "after": "After",
}

# A runbook may lack these: then another section says what to do.
INSTEAD: Mapping[str, str] = {"running": "stuck"}

_LEADS_SOMEWHERE = re.compile(r"(?i)(?:https?://|mailto:)[^\s\x00-\x1f\x7f]+\Z")


def may_link(address: str) -> bool:
    """Whether an address may become a link: `javascript:` and `data:` run something, Slack's `!channel` rings all."""
    return _LEADS_SOMEWHERE.match(address) is not None


def led_by(section: str, do: str) -> str:
    """A section that begins with what is known to come first now, in the place of its own first paragraph's words."""
    if not do:
        return section
    head, _, rest = section.partition("\n\n")
    return f"**Do:** {do}\n\n{rest if head.startswith('**Do:**') else section}"


# How a runbook's queries and commands say the days they are about, where nobody has named one; how many days before
# the report's day. A day that was set in the session goes before, as the runbook's head says.
_AGO: tuple[tuple[str, str, int], ...] = (
    ("::date, current_date - 1)", "::date, date '{day}')", 0),
    ("$(TZ=ICT-7 date -d yesterday +%F)", "{day}", 0),
    ('$(TZ=ICT-7 date -d "2 days ago" +%F)', "{day}", 1),
    (" DATE ", " {day} ", 0),
)


def for_day(markdown: str, report_date: dt.date) -> str:
    """The queries and commands about this report date: of an incident "yesterday" may be another day.

    On a Monday it is Sunday, where the report of a working day is read; a drill has a date of its own.
    """
    for said, meant, before in _AGO:
        day = report_date - dt.timedelta(days=before)
        markdown = markdown.replace(said, meant.format(day=day.isoformat()))
    return markdown


@dataclass(frozen=True)
class Runbook:
    """`body` is the whole markdown without the head; `sections` maps a key of SECTIONS to its markdown."""

    body: str
    sections: Mapping[str, str] = field(default_factory=dict)

    def section(self, key: str) -> str:
        """The markdown of one section ("" when the runbook lacks it); of *Running* else that of *Stuck*."""
        return self.sections.get(key, "") or self.sections.get(INSTEAD.get(key, ""), "")
