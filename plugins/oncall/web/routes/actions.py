"""What a person can do to an incident: forms that are posted, checked, recorded under the Airflow user's name, sent."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote

from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from fastapi import APIRouter, Form, HTTPException, Request, Response
from fastapi.responses import RedirectResponse

from oncall.usecases.manual_actions import NOT_ALL_YOURS, Outcome
from oncall.web.auth import FromThisPage, Reader, may_act, may_trigger, readable
from oncall.web.permissions import InSight, may_take, sight_of, sight_of_incident, together
from oncall.web.rendering import addresses, kept
from oncall.web.routes.pages import incident_page, incidents_page, runbook_page
from oncall.web.snapshot import source
from oncall.web.views.run_again import repaired_by_a_run

MOST_AT_ONCE = 100
NOT_YOURS_TO_RUN = "Running a day again needs the right to trigger its DAG in Airflow"
NOT_YOURS = "You may look, not act: that needs the right to change the pipeline's runs"

Note = Annotated[str, Form(max_length=1000)]

router = APIRouter(dependencies=[FromThisPage])


@router.post("/incidents/{key}/acknowledge")
def acknowledge(request: Request, user: Reader, key: str) -> Response:
    """Somebody has it: escalation stops, in Opsgenie and in the thread too."""
    done = source(request).acknowledge(key, user.get_name(), _allowed(request, user, key))
    return _answer(request, user, key, "acknowledge", done)


@router.post("/incidents/{key}/resolve")
def resolve(request: Request, user: Reader, key: str, note: Note = "") -> Response:
    """Somebody says that it is over, and why."""
    mine = _allowed(request, user, key)
    return _answer(request, user, key, "resolve", source(request).resolve(key, user.get_name(), note, mine))


@router.post("/incidents/{key}/page")
def page(
    request: Request, user: Reader, key: str, person: Annotated[str, Form(max_length=200)] = ""
) -> Response:
    """Page the next one on the escalation now. `person`: whom the button named, so that nobody else is woken by it."""
    mine = _allowed(request, user, key)
    return _answer(request, user, key, "page", source(request).page(key, user.get_name(), person, mine))


@router.post("/incidents/{key}/run")
def run(request: Request, user: Reader, key: str) -> Response:
    """Run the incident's day again, for whoever may trigger its DAG in Airflow."""
    seen, record = sight_of_incident(request, user, key)
    incident = record.incident
    if incident.dag_id not in seen.config.pipelines:
        raise HTTPException(404, f"{incident.dag_id} is no pipeline of this team any more")
    if not may_trigger(user, incident.dag_id):
        raise HTTPException(403, NOT_YOURS_TO_RUN)
    if incident.drill:
        raise HTTPException(404, "A drill has no day of its own to run again")
    done = source(request).run_again(incident.dag_id, incident.report_date, user.get_name())
    return _answer(request, user, key, "run", done)


@router.post("/runbooks/{dag_id}/run")
def run_by_runbook(
    request: Request, user: Reader, dag_id: str, report_date: Annotated[str, Form(max_length=20)]
) -> Response:
    """Run the day again that the runbook says to run; no other one, should it have changed since it was read."""
    seen = sight_of(request, user, dag_id)
    pipeline = seen.config.pipelines.get(dag_id)
    if pipeline is None:
        raise HTTPException(404, "There is no such runbook")
    if not may_trigger(user, dag_id):
        raise HTTPException(403, NOT_YOURS_TO_RUN)
    wanted = repaired_by_a_run(seen, pipeline)
    if wanted is None or wanted.report_date.isoformat() != report_date:
        outcome = Outcome(False, "As things stand now, no run of that day is needed: nothing was started.")
    else:
        outcome = source(request).run_again(dag_id, wanted.report_date, user.get_name())
    if not outcome.done:
        return runbook_page(request, seen, pipeline, may_run=True, refused=outcome.words)
    return RedirectResponse(f"{addresses(request).oncall()}runbooks/{quote(dag_id)}?done=run", 303)


@router.post("/acknowledge")
def acknowledge_all(
    request: Request, user: Reader, seen: InSight, key: Annotated[list[str], Form(max_length=MOST_AT_ONCE)]
) -> Response:
    """Take several incidents at once; nothing is done unless this person may act on all of them."""
    allowed = {one: _allowed(request, user, one) for one in key}
    outcomes = {one: source(request).acknowledge(one, user.get_name(), mine) for one, mine in allowed.items()}
    refused = [f"{one}: {outcome.words}" for one, outcome in outcomes.items() if not outcome.done]
    if refused:
        return incidents_page(request, seen, may_take(user, seen), refused=" ".join(refused))
    team = kept(seen)
    return RedirectResponse(
        f"{addresses(request).oncall()}incidents{f'{team}&' if team else '?'}done=acknowledge", 303
    )


def _allowed(request: Request, user: BaseUser, key: str) -> frozenset[str]:
    """The DAGs of every incident that this would change, all of which this person may change.

    Raises 404 for a key that is none, or not for this reader; 403 for who may not act on one of them.
    """
    seen = source(request).read()
    dag_id = next((part for part in key.split(":")[:2] if part in seen.config.pipelines), None)
    if dag_id is None or not readable(user, [dag_id]):
        raise HTTPException(404, "There is no such incident")
    dag_ids = together(seen, key) | {dag_id}
    if not all(may_act(user, one) for one in dag_ids):
        raise HTTPException(403, NOT_ALL_YOURS if may_act(user, dag_id) else NOT_YOURS)
    return dag_ids


def _answer(request: Request, user: BaseUser, key: str, action: str, outcome: Outcome) -> Response:
    """Lead back to the incident; what could not be done is said there at once."""
    if not outcome.done:
        return incident_page(request, user, key, refused=outcome.words)
    back = f"{addresses(request).oncall()}incidents/{quote(key, safe=':')}?done={action}"
    return RedirectResponse(back, 303)
