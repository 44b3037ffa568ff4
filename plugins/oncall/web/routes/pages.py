"""The pages to read. Plain `def`: whatever blocks here must not stall the rest of the api-server."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse

from oncall.core.promises.do_first import do_first
from oncall.core.promises.promise import Pipeline
from oncall.core.promises.words import steps_are_about
from oncall.core.runbook import SECTIONS
from oncall.web.auth import Reader, may_act, may_trigger
from oncall.web.permissions import InSight, may_take, sight_of, sight_of_incident, together
from oncall.web.rendering import addresses, render
from oncall.web.response_cache import shared
from oncall.web.snapshot import HIDDEN, PageSnapshot, source
from oncall.web.teams import OfTeam
from oncall.web.views.banners import banners
from oncall.web.views.incident_page import incident_page as more_of
from oncall.web.views.incidents import incident, listed, none_open, none_past
from oncall.web.views.on_call import asked_instant, now, on_call
from oncall.web.views.on_call_load import UNFAIR, ledger_view, loads
from oncall.web.views.overview import overview
from oncall.web.views.promises import cards, others
from oncall.web.views.rota_bars import calendar
from oncall.web.views.rota_weeks import weeks, weeks_running
from oncall.web.views.run_again import repaired_by_a_run
from oncall.web.views.runbooks import rendered, section_of

WEEKS_BACK, WEEKS_AHEAD = 8, 12

# What an incident's page says after a form has led back to it.
DONE = {
    "acknowledge": "Acknowledged: escalation stops.",
    "resolve": "Resolved: the alerts are being closed.",
    "page": "The next one on the escalation is being paged.",
    "run": "The day is being run again: the run is in Airflow.",
}

Done = Annotated[str, Query(max_length=20)]

router = APIRouter()


@router.get("/", response_class=HTMLResponse)
def home(request: Request, user: Reader, seen: InSight) -> Response:
    """How the promises stand, what is open, who is on call."""
    mine = may_take(user, seen)

    def make() -> HTMLResponse:
        page = overview(seen, addresses(request))
        return render(request, "overview.html", tab="overview", page=page, seen=seen, mine=mine)

    return shared(request, seen, make, mine)


@router.get("/incidents", response_class=HTMLResponse)
def all_incidents(request: Request, user: Reader, seen: InSight, done: Done = "") -> Response:
    """Open incidents, then those of the last 90 days. `done` is what was just done."""
    mine = may_take(user, seen)
    return shared(request, seen, lambda: incidents_page(request, seen, mine, done=DONE.get(done, "")), mine)


def incidents_page(
    request: Request, seen: PageSnapshot, mine: frozenset[str], *, done: str = "", refused: str = ""
) -> HTMLResponse:
    """The list. `mine`: the incidents that the reader may acknowledge; `refused`: why what was asked was not done."""
    views = listed(seen, addresses(request))
    return render(
        request, "incidents.html", tab="incidents", status=_status(refused), seen=seen, banners=banners(seen),
        incidents=views, mine=mine, done=done, refused=refused, none_open=none_open(seen),
        none_past=none_past(seen),
    )  # fmt: skip


@router.get("/incidents/{key}", response_class=HTMLResponse)
def one_incident(request: Request, user: Reader, key: str, done: Done = "") -> HTMLResponse:
    """One incident with its timeline, and what can be done to it. `done` is what was just done."""
    return incident_page(request, user, key, done=DONE.get(done, ""))


def incident_page(
    request: Request, user: BaseUser, key: str, *, done: str = "", refused: str = ""
) -> HTMLResponse:
    seen, record = sight_of_incident(request, user, key)
    links = addresses(request)
    leader, whole = record.incident.leader, source(request).read()
    speaker = next((r for r in seen.records if r.incident.key == leader), None)
    others = together(whole, key) - {record.incident.dag_id}
    return render(
        request, "incident.html", tab="incidents", status=_status(refused), seen=seen, banners=banners(seen),
        one=incident(seen, record, links), speaker=incident(seen, speaker, links) if speaker else None,
        spoken_for=leader == HIDDEN or any(r.incident.key == leader for r in whole.records),
        page=more_of(seen, record, links), may_act=may_act(user, record.incident.dag_id),
        may_run=may_trigger(user, record.incident.dag_id),
        not_all=not all(may_act(user, dag_id) for dag_id in others), now=now(seen.config.roster, seen.at),
        done=done, refused=refused,
    )  # fmt: skip


@router.get("/rota", response_class=HTMLResponse)
def rota(
    request: Request, seen: OfTeam, visible: InSight, at: Annotated[str, Query(max_length=40)] = ""
) -> Response:
    """The weeks that were and will be, and who is on call at any instant."""
    return shared(request, visible, lambda: _rota(request, seen, visible, at))


def _rota(request: Request, seen: PageSnapshot, visible: PageSnapshot, at: str) -> HTMLResponse:
    roster = seen.config.roster
    found = weeks(roster, seen.at, WEEKS_BACK, WEEKS_AHEAD)
    asked, mistake = None, ""
    if at:
        try:
            asked = on_call(roster, asked_instant(roster, at))
        except ValueError as error:
            mistake = f"{error}."
    return render(
        request, "rota.html", status=422 if mistake else 200, tab="rota", seen=seen,
        banners=banners(visible), now=now(roster, seen.at),
        weeks=found, running=weeks_running(roster, found), at=at, asked=asked, mistake=mistake,
        calendar=calendar(roster, seen.at, 0, WEEKS_AHEAD), unfair=UNFAIR,
        loads=loads(roster, seen.records, seen.at, WEEKS_BACK, WEEKS_AHEAD), ledger=ledger_view(roster, seen.at),
    )  # fmt: skip


@router.get("/runbooks/{dag_id}", response_class=HTMLResponse)
def runbook(request: Request, user: Reader, dag_id: str, done: Done = "") -> Response:
    """One runbook, the state of its pipeline on top. A DAG that is no pipeline of ours is told so, kindly.

    `done` is what was just done.
    """
    seen = sight_of(request, user, dag_id)
    pipeline = seen.config.pipelines.get(dag_id)
    if pipeline is None:
        # As a tab of a DAG it is a normal answer: every DAG has the tab.
        status = 200 if "embedded" in request.query_params else 404
        known = list(seen.config.pipelines.values())
        return render(
            request,
            "no_runbook.html",
            tab="",
            status=status,
            seen=seen,
            dag_id=dag_id,
            known=known,
            hidden=seen.hidden,
        )
    may_run = may_trigger(user, dag_id)

    def make() -> HTMLResponse:
        return runbook_page(request, seen, pipeline, may_run=may_run, done=DONE.get(done, ""))

    return shared(request, seen, make, frozenset({"run"} if may_run else ()))


def runbook_page(
    request: Request,
    seen: PageSnapshot,
    pipeline: Pipeline,
    *,
    may_run: bool,
    done: str = "",
    refused: str = "",
) -> HTMLResponse:
    """The runbook; with the button that runs a day again where that is its repair, and the reader may."""
    links, dag_id = addresses(request), pipeline.dag_id
    card = next((c for c in cards(seen, links) if c.today and c.today.dag_id == dag_id), None)
    more = [one for one in others(seen, links) if one.dag_id == dag_id]
    live = [one for one in (card.today if card else None, *more) if one and one.cause]
    about = _asked_date(request) or (live[0].report_date if live else None)
    live.sort(key=lambda one: one.report_date != about)
    causes = [one.cause for one in live]
    asked = [request.query_params.get("section", "").replace("-", "_"), *causes]
    section = next(filter(None, (section_of(pipeline.runbook, one) for one in asked if one)), "")
    due = card.today.due if card and card.today else None
    judged = (one for one in seen.statuses_of.get(dag_id, ()) if one.report_date == about)
    why = next((one.why for one in judged if one.why and one.why.cause == section), None)
    first = do_first(pipeline, why) if why else ""
    return render(
        request, "runbook.html", tab="", status=_status(refused), seen=seen, pipeline=pipeline,
        runbook=rendered(pipeline.runbook, about, section, first), about=steps_are_about(about) if about else "",
        card=card, others=more,
        section=section.replace("_", "-"), section_title=SECTIONS.get(section, ""),
        due=due, now=now(seen.config.roster, seen.at), banners=banners(seen), links=links,
        run_again=repaired_by_a_run(seen, pipeline) if may_run else None, done=done, refused=refused,
    )  # fmt: skip


def _asked_date(request: Request) -> dt.date | None:
    """The report that the link was for: of several that are missing the runbook's queries are about one."""
    try:
        date = dt.date.fromisoformat(request.query_params.get("date", ""))
    except ValueError:
        return None
    return date if 1970 <= date.year <= 9990 else None


def _status(refused: str) -> int:
    """Of the page that a form has led back to."""
    return 409 if refused else 200
