"""The whole page as one model: everything that was seen, ready to be shown. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from oncall.core.incidents.wording import Links
from oncall.core.promises.words import first_line, no_card
from oncall.web.snapshot import PageSnapshot
from oncall.web.views.banners import banners
from oncall.web.views.incidents import none_open, open_incidents
from oncall.web.views.models import Banner, IncidentView, PipelineView, PromiseCard, PromiseView, TableView
from oncall.web.views.on_call import now
from oncall.web.views.pipelines import pipelines
from oncall.web.views.promises import cards, due_today, others, upstream
from oncall.web.views.restatements import RestatementView, restatements
from oncall.web.views.rota_models import Now, WeekView
from oncall.web.views.rota_weeks import weeks

WEEKS_AHEAD = 8


@dataclass(frozen=True)
class Overview:
    """What stands on the first page. `verdict`: its first line and how bad that is (ok, warn, bad, none).

    `none_open` stands where the open incidents would, `no_card` where the promises would, `no_table` where their
    upstream tables would.
    """

    banners: tuple[Banner, ...]
    now: Now
    promises: tuple[PromiseCard, ...]
    others: tuple[PromiseView, ...]
    open_incidents: tuple[IncidentView, ...]
    upstream: tuple[TableView, ...]
    weeks: tuple[WeekView, ...]
    pipelines: tuple[PipelineView, ...]
    restated: tuple[RestatementView, ...] = ()
    hidden: int = 0
    verdict: tuple[str, str] = ("", "none")
    none_open: str = ""
    no_card: str = ""
    no_table: str = ""


def overview(seen: PageSnapshot, addresses: Links) -> Overview:
    roster = seen.config.roster
    return Overview(
        banners=banners(seen),
        now=now(roster, seen.at),
        promises=cards(seen, addresses),
        others=others(seen, addresses),
        open_incidents=open_incidents(seen, addresses),
        upstream=upstream(seen),
        weeks=weeks(roster, seen.at, 0, WEEKS_AHEAD),
        pipelines=pipelines(seen.config, addresses),
        restated=tuple(restatements(seen)),
        hidden=seen.hidden,
        verdict=_verdict(seen),
        none_open=none_open(seen),
        no_card=no_card(promised=_promises(seen), hidden=seen.hidden),
        no_table=no_card(promised=_reads_tables(seen), hidden=seen.hidden),
    )


def _promises(seen: PageSnapshot) -> bool:
    return any(pipeline.promise for pipeline in seen.config.pipelines.values())


def _reads_tables(seen: PageSnapshot) -> bool:
    return any(pipeline.promise and pipeline.upstream for pipeline in seen.config.pipelines.values())


def _verdict(seen: PageSnapshot) -> tuple[str, str]:
    """Whether the reports due today are there, in one line, and how bad that is (ok, warn, bad, none)."""
    today = tuple(due_today(seen))
    if today:
        # Of a report that the reader may not see nothing is said, and so not what investors have.
        return first_line(today, seen.say, investors=not seen.config.roster.team and not seen.hidden)
    if seen.hidden:
        return "Who is on call; the reports are not yours to see", "none"
    if not _promises(seen):
        return "Who is on call; no promises yet", "none"
    if seen.statuses:
        return "No report is due today", "none"
    return "Cannot see whether the reports are published", "warn"
