"""Everything the page shows, as JSON, behind the same auth; and a page that documents it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, get_args

from fastapi import APIRouter, HTTPException, Query, Request, Response
from fastapi.responses import HTMLResponse
from fastapi.routing import APIRoute
from pydantic import BaseModel
from pydantic_core import to_json

from oncall.core.rota.on_call import rota
from oncall.core.rota.roster import Roster
from oncall.web.auth import Reader
from oncall.web.permissions import InSight, sight, sight_of_incident
from oncall.web.rendering import addresses, render
from oncall.web.response_cache import shared
from oncall.web.routes import reports
from oncall.web.routes.pages import WEEKS_AHEAD, WEEKS_BACK
from oncall.web.snapshot import source
from oncall.web.teams import OfTeam
from oncall.web.views import models, rota_models
from oncall.web.views.banners import banners
from oncall.web.views.home import Home, home
from oncall.web.views.incidents import incident, incidents
from oncall.web.views.on_call import asked_instant, now, on_call
from oncall.web.views.on_call_load import ledger_view, loads
from oncall.web.views.pipelines import pipelines
from oncall.web.views.promises import cards, others, upstream
from oncall.web.views.restatements import RestatementView, restatements
from oncall.web.views.rota_bars import calendar
from oncall.web.views.rota_weeks import weeks

LONGEST = dt.timedelta(days=731)

router = APIRouter(prefix="/api")
MOMENT = "A date (its handoff hour) or a time, ISO 8601"
Moment = Annotated[str, Query(max_length=40, description=MOMENT)]


@router.get("/now")
def on_call_now(seen: OfTeam) -> rota_models.Now:
    """Who is on call now, and who takes over next."""
    return now(seen.config.roster, seen.at)


@router.get("/who")
def who(seen: OfTeam, at: Moment) -> rota_models.OnCall:
    """Who is on call at an instant."""
    roster = seen.config.roster
    return on_call(roster, _moment(roster, at))


@router.get("/restatements")
def all_restatements(seen: InSight) -> list[RestatementView]:
    """Published numbers that a re-publication of the last 28 days changed, the newest first."""
    return list(restatements(seen))


@router.get("/promises")
def promises(request: Request, seen: InSight) -> list[models.PromiseCard]:
    """Each promise: today's report, the next one, the last 60 days, attainment."""
    return list(cards(seen, addresses(request)))


@router.get("/other-reports")
def other_reports(request: Request, seen: InSight) -> list[models.PromiseView]:
    """What else needs a look: older reports that are missing, failed runs, drills."""
    return list(others(seen, addresses(request)))


@router.get("/upstream")
def upstream_tables(seen: InSight) -> list[models.TableView]:
    """The upstream tables' freshness."""
    return list(upstream(seen))


@router.get("/incidents", response_model=list[models.IncidentView])
def all_incidents(request: Request, seen: InSight) -> Response:
    """Open incidents, then those of the last 90 days, with their timelines."""
    return shared(request, seen, lambda: _json(incidents(seen, addresses(request))))


@router.get("/incidents/{key}")
def one_incident(request: Request, user: Reader, key: str) -> models.IncidentView:
    """One incident with its timeline, in its own team's zone."""
    seen, record = sight_of_incident(request, user, key)
    return incident(seen, record, addresses(request))


@router.get("/rota")
def shifts(
    seen: OfTeam, start: Annotated[str, Query(alias="from", max_length=40, description=MOMENT)], until: Moment
) -> list[rota_models.ShiftView]:
    """The shifts that tile the time between two instants (at most two years)."""
    roster = seen.config.roster
    first, last = _moment(roster, start), _moment(roster, until)
    if last - first > LONGEST:
        raise HTTPException(422, "At most two years at once")
    return [rota_models.ShiftView.model_validate(shift) for shift in rota(roster, first, last)]


@router.get("/weeks")
def week_by_week(seen: OfTeam) -> list[rota_models.WeekView]:
    """The past 8 and the coming 12 weeks, and why each is as it is."""
    return list(weeks(seen.config.roster, seen.at, WEEKS_BACK, WEEKS_AHEAD))


@router.get("/calendar")
def bars(seen: OfTeam) -> rota_models.Calendar:
    """The same weeks as bars, a row per person."""
    return calendar(seen.config.roster, seen.at, WEEKS_BACK, WEEKS_AHEAD)


@router.get("/load")
def load_per_person(seen: OfTeam) -> list[rota_models.LoadView]:
    """How on-call weighs on each person over the same weeks."""
    return list(loads(seen.config.roster, seen.records, seen.at, WEEKS_BACK, WEEKS_AHEAD))


@router.get("/ledger")
def ledger(seen: OfTeam) -> rota_models.LedgerView:
    """Credit days, comp weeks and days in lieu earned until now."""
    return ledger_view(seen.config.roster, seen.at)


@router.get("/pipelines")
def all_pipelines(request: Request, seen: InSight) -> list[models.PipelineView]:
    """Owners, purpose, promise, upstream and downstream of each pipeline."""
    return list(pipelines(seen.config, addresses(request)))


@router.get("/troubles")
def troubles(seen: InSight) -> list[models.Banner]:
    """What is broken in the on-call system itself: watcher, channels, files, databases."""
    return list(banners(seen))


@router.get("/home", response_model=Home)
def panel(request: Request, user: Reader) -> Response:
    """What the panel on Airflow's Home shows, of all teams."""
    seen = source(request).read()
    visible = sight(user, seen)
    return shared(request, visible, lambda: _json(home(seen, visible, addresses(request))))


@dataclass(frozen=True)
class DocumentedRoute:
    """One way to ask, for the documentation."""

    path: str
    summary: str
    query: tuple[tuple[str, str], ...]
    model: str
    many: bool


@router.get("", response_class=HTMLResponse)
def documentation(request: Request, seen: OfTeam) -> HTMLResponse:
    """What can be asked, and what every field of the answers means."""
    told = [*router.routes, *reports.router.routes]
    routes = [route for route in told if isinstance(route, APIRoute) and route.response_model]
    answers = [_answer(route) for route in routes]
    return render(request, "api.html", tab="", seen=seen, answers=answers, models=_described(routes))


def _answer(route: APIRoute) -> DocumentedRoute:
    inner = get_args(route.response_model)
    model = inner[0] if inner else route.response_model
    query = tuple((param.alias, param.field_info.description or "") for param in route.dependant.query_params)
    return DocumentedRoute(route.path, route.description, query, model.__name__, bool(inner))


def _described(routes: list[APIRoute]) -> dict[str, tuple[str, list[tuple[str, str, str]]]]:
    """Each model's words and fields (name, type, description), by its name, those inside others too."""
    found: dict[str, tuple[str, list[tuple[str, str, str]]]] = {}
    for route in routes:
        inner = get_args(route.response_model)
        model: type[BaseModel] = inner[0] if inner else route.response_model
        schema = model.model_json_schema(mode="serialization")
        for name, definition in {model.__name__: schema, **schema.get("$defs", {})}.items():
            fields = [
                (key, _type(spec), spec.get("description", ""))
                for key, spec in definition["properties"].items()
            ]
            found[name] = (definition.get("description", ""), fields)
    return dict(sorted(found.items()))


def _type(spec: dict[str, Any]) -> str:
    if "$ref" in spec:
        return str(spec["$ref"]).rpartition("/")[2]
    if "anyOf" in spec:
        return " or ".join(_type(each) for each in spec["anyOf"])
    if spec.get("type") == "array":
        return f"list of {_type(spec['items'])}"
    return str(spec.get("format") or spec.get("type") or "text")


def _json(told: Home | Sequence[BaseModel]) -> Response:
    """As FastAPI would tell it, without checking anew what was a model already."""
    return Response(to_json(told), media_type="application/json")


def _moment(roster: Roster, text: str) -> dt.datetime:
    try:
        return asked_instant(roster, text)
    except ValueError as error:
        raise HTTPException(422, str(error)) from None
