"""What the panel on Airflow's Home shows, of all teams in one answer. Pure: what was seen in, a model out."""

from __future__ import annotations

from pydantic import Field

from oncall.core.incidents.wording import Links
from oncall.web.snapshot import PageSnapshot
from oncall.web.teams import by_team, of_team, unasked
from oncall.web.views.banners import banners
from oncall.web.views.incidents import open_incidents
from oncall.web.views.models import Banner, IncidentView, Model, PromiseView
from oncall.web.views.on_call import on_call
from oncall.web.views.promises import due_next
from oncall.web.views.rota_models import OnCall

MOST_PROMISES = 12
_WORST_FIRST = ("broken", "unknown", "at_risk", "late", "waiting", "kept")


class HomePromise(Model):
    """A promise in one line."""

    today: PromiseView = Field(description="The report due today, or the newest that is known")
    next: PromiseView | None = Field(default=None, description="The report due after it")


class Home(Model):
    """What stands on Airflow's Home."""

    team: str = Field(description="Whose people are on call; empty where there is one roster for all")
    on_call: OnCall = Field(description="Who is on call now, by the roster that is shown unasked")
    promises: tuple[HomePromise, ...] = Field(
        description=f"Of all teams, at most {MOST_PROMISES}, the worst first"
    )
    more_promises: int = Field(description="How many promises were left out for length")
    open_incidents: tuple[IncidentView, ...] = Field(description="Of all teams, those that follow others too")
    troubles: tuple[Banner, ...] = Field(description="What is broken in the on-call system itself")


def home(seen: PageSnapshot, visible: PageSnapshot, addresses: Links) -> Home:
    """`visible` is what the reader may see of `seen`; who is on call and what is broken are everybody's."""
    mine, teams = of_team(seen, unasked(seen.config)), list(by_team(visible).values())
    promises = [HomePromise(today=two[0], next=two[1]) for team in teams for two in due_next(team, addresses)]
    if len(promises) > MOST_PROMISES:
        promises.sort(key=lambda one: _WORST_FIRST.index(one.today.verdict))
    return Home(
        team=mine.teams.get(mine.config.roster.team, ""),
        on_call=on_call(mine.config.roster, seen.at),
        promises=tuple(promises[:MOST_PROMISES]),
        more_promises=len(promises[MOST_PROMISES:]),
        open_incidents=tuple(one for team in teams for one in open_incidents(team, addresses)),
        troubles=banners(of_team(visible, unasked(seen.config))),
    )
