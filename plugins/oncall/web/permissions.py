"""What one reader may see of everything that was read: their pipelines, by Airflow's own auth manager.

Who is on call, the rota and what is broken in the on-call system are for everybody who may open the page.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Annotated

from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from fastapi import Depends, HTTPException, Request

from oncall.core.promises.promise import Pipeline
from oncall.usecases.history import DeliveryRecord, IncidentRecord
from oncall.web.auth import Reader, may_act, readable
from oncall.web.snapshot import HIDDEN, PageSnapshot, Trouble, source
from oncall.web.teams import OfTeam, of_team, team_of, unasked


def sight(user: Reader, seen: OfTeam) -> PageSnapshot:
    """One look, without the pipelines whose DAGs this reader may not read."""
    return limited(seen, readable(user, seen.config.pipelines))


InSight = Annotated[PageSnapshot, Depends(sight)]


def sight_of(request: Request, user: BaseUser, dag_id: str) -> PageSnapshot:
    """The same for the team that answers for a pipeline, whatever team the address names. A hidden pipeline is none."""
    whole = source(request).read()
    known = readable(user, [dag_id]) if dag_id in whole.config.pipelines else ()
    team = team_of(whole.config, dag_id) if known else unasked(whole.config)
    return sight(user, of_team(whole, team))


def sight_of_incident(request: Request, user: BaseUser, key: str) -> tuple[PageSnapshot, IncidentRecord]:
    """The same for an incident's team. Raises 404 where there is no such incident, or the reader may not see it."""
    known = (record.incident for record in source(request).read().records)
    seen = sight_of(request, user, next((one.dag_id for one in known if one.key == key), ""))
    record = next((record for record in seen.records if record.incident.key == key), None)
    if record is None:
        raise HTTPException(404, f"There is no incident {key} of the last 90 days")
    return seen, record


def together(seen: PageSnapshot, key: str) -> frozenset[str]:
    """The DAGs of all the open incidents that are told together with this one, its own among them."""
    known = {record.incident.key: record.incident for record in seen.records if record.incident.open}
    speaker = known[key].leader if key in known and known[key].leader in known else key
    return frozenset(one.dag_id for one in known.values() if speaker in (one.key, one.leader))


def may_take(user: BaseUser, seen: PageSnapshot) -> frozenset[str]:
    """The keys of the open incidents that nobody has acknowledged and this reader may, those that speak for others."""
    whole = seen.whole or seen
    speakers = {HIDDEN, *(record.incident.key for record in whole.records if record.incident.open)}
    mine = (record.incident for record in seen.records if record.incident.open)
    free = [one.key for one in mine if not one.acknowledged and one.leader not in speakers]
    about = {key: together(whole, key) for key in free}
    allowed = {dag_id for dag_id in frozenset().union(*about.values()) if may_act(user, dag_id)}
    return frozenset(key for key, dag_ids in about.items() if dag_ids <= allowed)


def limited(seen: PageSnapshot, dag_ids: frozenset[str]) -> PageSnapshot:
    """The same look with the pipelines of these DAGs only; it counts the others and names none of them.

    Readers who may see the same share one.
    """
    hidden = len(seen.config.pipelines.keys() - dag_ids)
    if not hidden:
        return seen
    kept: dict[frozenset[str], PageSnapshot] = vars(seen).setdefault("_limited", {})
    return kept.get(dag_ids) or kept.setdefault(dag_ids, _limited(seen, dag_ids, hidden))


def without_hidden_names(seen: PageSnapshot) -> Callable[[str], str]:
    """A function that removes the hidden pipelines' names from a text that was read elsewhere."""
    if not seen.hidden:
        return lambda text: text
    return _unnamed((seen.whole or seen).config.pipelines, seen.config.pipelines)


def _limited(seen: PageSnapshot, dag_ids: frozenset[str], hidden: int) -> PageSnapshot:
    pipelines = {name: one for name, one in seen.config.pipelines.items() if name in dag_ids}
    reports = {pipeline.report for pipeline in pipelines.values()}
    unnamed = _unnamed((seen.whole or seen).config.pipelines, dag_ids)
    shown = {record.incident.key for record in seen.records if record.incident.dag_id in dag_ids}
    return replace(
        seen,
        config=replace(seen.config, pipelines=pipelines),
        statuses=tuple(one for one in seen.statuses if one.pipeline.dag_id in dag_ids),
        records=tuple(
            _unnamed_record(record, shown, unnamed) for record in seen.records if record.incident.key in shown
        ),
        published={report: made for report, made in seen.published.items() if report in reports},
        restated=tuple(replace(one, reason=unnamed(one.reason)) for one in seen.restated),
        channels=tuple(Trouble(one.name, one.since, unnamed(one.reason)) for one in seen.channels),
        unreadable=tuple(map(unnamed, seen.unreadable)),
        hidden=hidden,
        whole=seen.whole or seen,
    )


def _unnamed(pipelines: Mapping[str, Pipeline], dag_ids: Iterable[str]) -> Callable[[str], str]:
    """A function that removes the names of all other pipelines from a text: one message may be about several."""
    shown = {name for dag_id in dag_ids if dag_id in pipelines for name in _names(pipelines[dag_id])}
    every = {name for pipeline in pipelines.values() for name in _names(pipeline)}
    # The longest first: the name of one may be a part of the name of another. A report has tables of longer names.
    names = "|".join(re.escape(name) for name in sorted(every, key=len, reverse=True))
    words = re.compile(rf"(?<!\w)({names})(?:_\w+)?(?!\w)")
    return lambda text: words.sub(lambda found: found[0] if found[1] in shown else "another pipeline", text)


def _names(pipeline: Pipeline) -> tuple[str, ...]:
    return pipeline.dag_id, pipeline.title, pipeline.report


def _unnamed_record(record: IncidentRecord, shown: set[str], unnamed: Callable[[str], str]) -> IncidentRecord:
    incident = record.incident
    leader = HIDDEN if incident.leader and incident.leader not in shown else incident.leader
    return replace(
        record,
        incident=replace(incident, detail=unnamed(incident.detail), leader=leader),
        events=tuple(replace(event, what=unnamed(event.what)) for event in record.events),
        told=_unnamed_told(record.told, unnamed),
        others=_unnamed_told(record.others, unnamed),
    )


def _unnamed_told(
    told: Iterable[DeliveryRecord], unnamed: Callable[[str], str]
) -> tuple[DeliveryRecord, ...]:
    return tuple(replace(one, title=unnamed(one.title), error=unnamed(one.error)) for one in told)
