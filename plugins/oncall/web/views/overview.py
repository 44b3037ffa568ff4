"""The whole page as one model: everything that was seen, ready to be shown. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from oncall.core.incidents.wording import Links as Addresses
from oncall.web.snapshot import PageSnapshot
from oncall.web.views.banners import banners
from oncall.web.views.incidents import open_incidents
from oncall.web.views.models import Banner, IncidentView, PipelineView, PromiseCard, PromiseView, TableView
from oncall.web.views.on_call import now
from oncall.web.views.pipelines import pipelines
from oncall.web.views.promises import cards, others, upstream
from oncall.web.views.restatements import RestatementView, restatements
from oncall.web.views.rota_models import Now, WeekView
from oncall.web.views.rota_weeks import weeks

WEEKS_AHEAD = 8


@dataclass(frozen=True)
class Overview:
    """What stands on the first page."""

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
    team: str = ""

    @property
    def verdict(self) -> tuple[str, str]:
        """Whether the reports are there, in one line, and how bad that is (ok, warn, bad, none).

        Those of the roster at the top are for investors; whom another team's are for, nobody told us.
        """
        today = [card.today for card in self.promises if card.today]
        if not today and self.hidden:
            return "Who is on call; the reports are not yours to see", "none"
        if not today:
            return "Whether the reports are there cannot be told", "warn"
        missing = [one.title for one in today if one.verdict == "broken"]
        if missing:
            count = f"{len(missing)} of {len(today)} reports"
            said = (
                f"{count} {'is' if len(missing) == 1 else 'are'} missing"
                if self.team
                else f"Investors are missing {count}"
            )
            return f"{said}: {_names(missing)}", "bad"
        risky = [one.title for one in today if one.verdict == "at_risk"]
        if risky:
            return f"{_names(risky)} {'is' if len(risky) == 1 else 'are'} at risk", "warn"
        waiting = [one for one in today if one.verdict == "waiting"]
        if waiting:
            return (
                f"{len(today) - len(waiting)} of {len(today)} reports are out, the rest is on track",
                "none",
            )
        late = [one.title for one in today if one.verdict == "late"]
        said = (
            f"All {len(today)} reports are there" if self.team else f"Investors have all {len(today)} reports"
        )
        return (f"{said}; {_names(late)} came late" if late else f"{said}, in time"), "ok"


def overview(seen: PageSnapshot, addresses: Addresses) -> Overview:
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
        team=roster.team,
    )


def _names(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
