"""The handoff, wired: reads the ended week, sets the Slack user group, says the note, tries the new primary's phone."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import replace

import structlog

from oncall.airflow.composition import Services, Wiring
from oncall.airflow.drill_page import send_test_page
from oncall.airflow.run_once import send_once
from oncall.core.data.restatement import republications
from oncall.core.errors import DeliveryFailed, Rejected, Unreadable
from oncall.core.incidents.context import post
from oncall.core.incidents.incident import Plan
from oncall.core.incidents.status_words import woke
from oncall.core.incidents.wording import Scene
from oncall.core.message import Message
from oncall.core.notices.handoff_note import Paged, PastWeek, group_trouble, last_week, note, reach_page
from oncall.core.promises.attainment import Day, days
from oncall.core.promises.promise import last_due
from oncall.core.rota.on_call import who_is_on_call
from oncall.core.rota.roster import Roster
from oncall.core.rota.rotation import week_beginning
from oncall.core.time_format import day
from oncall.usecases.history import IncidentRecord
from oncall.usecases.notes import instant, noted
from oncall.usecases.timekeeping import utc_now
from oncall.usecases.watch_record import SINCE

log = structlog.get_logger(__name__)

TAP_WITHIN_S = 600.0
MOST_INCIDENTS = 500
EARLIER = dt.timedelta(weeks=2)  # an incident opened so long before the week may have paged in it
KNOWN_SINCE = dt.timedelta(days=60)  # a report published in this time before was promised already
DATES = 9  # report dates to look at for the seven or eight that fell due in a week


def hand_over(team: str = "", at: dt.datetime | None = None, *, last_try: bool = True) -> str:
    """Say the note of a team's last handoff, once, and set the user group; what was done, in words. Safe to run again.

    A handoff from before anybody watched is left alone: a new installation has nothing to hand over. Raises
    DeliveryFailed when the group was not set and may be another time; on the `last_try` that is said below the note,
    and what Slack refuses for good is said at once.
    """
    wiring = Wiring()
    wiring.store().install()
    services, now = _outside(wiring, team), at or utc_now()
    boundary = last_handoff(services, now)
    if boundary is None:
        return "nothing to hand over: nobody watched before the last handoff"
    scene = Scene(services.config.roster, services.links, now)
    title = _say_note(wiring, services, scene, boundary)
    try:
        _set_group(services, wiring.services().config.rosters, now)
    except DeliveryFailed as error:
        if last_try or isinstance(error, Rejected):
            _say(wiring, services, group_trouble(scene, boundary, str(error)), now)
        if not isinstance(error, Rejected):
            raise
    return title


def _say_note(wiring: Wiring, services: Services, scene: Scene, boundary: dt.datetime) -> str:
    """The head of the handoff's thread; its title."""
    message = note(scene, boundary, _past_week(wiring, services, boundary))
    _say(wiring, services, message, scene.at)
    return message.title


def _say(wiring: Wiring, services: Services, message: Message, at: dt.datetime) -> None:
    """Post it once, however often this is called."""
    with services.store.decision_lock() as decision:
        decision.record(Plan(owed=(post(message),)), at)
    send_once(wiring, services)


def try_primary(team: str = "", wait_s: float = TAP_WITHIN_S) -> list[str]:
    """A test page to a team's new primary, once for each handoff; how it went.

    Raises NotReached when the pager did not take it: then it may be tried again.
    """
    wiring = Wiring()
    wiring.store().install()
    services, now = _outside(wiring, team), utc_now()
    boundary = last_handoff(services, now)
    scene = Scene(services.config.roster, services.links, now)
    message = reach_page(scene, boundary) if boundary else None
    if boundary is None or message is None:
        return ["nobody to try: no handoff to speak of, or the new primary has no Opsgenie name"]
    with services.store.decision_lock() as decision:
        tried = [one for one in decision.said([message.key])[message.key] if one.op == "page"]
    if any(one.state in ("done", "accepted") for one in tried):
        return ["the new primary was tried already"]
    _say_note(wiring, services, scene, boundary)
    again = reach_page(scene, boundary, len(tried) + 1)
    return send_test_page(wiring, services, again or message, wait_s)


def _outside(wiring: Wiring, team: str) -> Services:
    """What is outside, with the roster and the pipelines of one team alone."""
    services = wiring.services()
    return replace(services, config=services.config.by_team()[team])


def last_handoff(services: Services, at: dt.datetime) -> dt.datetime | None:
    """The last handoff at or before `at`, unless it was before anybody watched or before the rota begins."""
    roster = services.config.roster
    since = services.store.get_note(SINCE)
    if at < roster.starts or since is None:
        return None
    boundary = roster.day_starts(week_beginning(roster, at))
    return boundary if boundary >= noted(SINCE, since, instant, roster.starts) else None


def _set_group(services: Services, rosters: Sequence[Roster], at: dt.datetime) -> None:
    """The Slack user group becomes whoever is on call now, for each team that names it. Raises DeliveryFailed."""
    group = services.config.roster.slack_usergroup
    if not group:
        return
    shifts = [(roster, who_is_on_call(roster, at)) for roster in rosters if roster.slack_usergroup == group]
    people = [one for roster, shift in shifts for one in roster.recipients(shift.primary, shift.secondary)]
    members = list(dict.fromkeys(person.slack for person in people if person.slack))
    if not members:
        raise Rejected("nobody on call has a Slack id in roster.yaml")
    try:
        services.chat.set_group(group, members)
    except DeliveryFailed as error:
        log.warning("oncall.usergroup_not_set", reason=str(error))
        raise


def _past_week(wiring: Wiring, services: Services, boundary: dt.datetime) -> PastWeek:
    """What the store and the warehouse say of it. A warehouse that cannot be read is said in the note."""
    began = last_week(services.config.roster, boundary)
    records = wiring.history().records(began - EARLIER, MOST_INCIDENTS)
    mine = [record for record in records if record.incident.dag_id in services.config.pipelines]
    real = [record for record in mine if not record.incident.drill]
    promises: dict[str, tuple[Day, ...]] | None = None
    restated: tuple[str, ...] = ()
    trouble: tuple[str, ...] = ()
    try:
        promises = _promises(wiring, services, began, boundary)
        restated = tuple(_restated(wiring, services, began, boundary))
    except Unreadable as error:
        trouble = (str(error),)
    return PastWeek(
        incidents=tuple(r.incident for r in real if r.incident.open),
        promises=promises,
        pages=tuple(_pages(real, began, boundary)),
        restated=restated,
        trouble=trouble,
        titles={pipeline.dag_id: pipeline.title for pipeline in services.config.pipelines.values()},
    )


def _restated(wiring: Wiring, services: Services, began: dt.datetime, boundary: dt.datetime) -> Iterator[str]:
    """The days that were published again in the week with other numbers: of what is promised first."""
    mine = {pipeline.report: pipeline for pipeline in services.config.pipelines.values()}
    again = [one for one in republications(wiring.publications().restated(began)) if one.report in mine]
    for one in sorted(again, key=lambda one: mine[one.report].promise is None):
        if one.at < boundary:
            yield f"{mine[one.report].title} of {day(one.report_date)}: {one.words} ({one.reason})"


def _promises(
    wiring: Wiring, services: Services, began: dt.datetime, boundary: dt.datetime
) -> dict[str, tuple[Day, ...]]:
    """By report title, the report dates that fell due in the week, as they stood at its end."""
    pipelines = [pipeline for pipeline in services.config.pipelines.values() if pipeline.promise]
    published = wiring.publications().published(
        [pipeline.report for pipeline in pipelines], (began - KNOWN_SINCE).date()
    )
    week, tz = {}, services.config.roster.tz
    for pipeline in pipelines:
        assert pipeline.promise is not None
        last = last_due(pipeline.promise, boundary, tz)
        seen = days(pipeline.promise, published[pipeline.report], last, DATES, boundary, tz)
        week[pipeline.title] = tuple(each for each in seen if began <= each.due < boundary)
    return week


def _pages(records: Sequence[IncidentRecord], began: dt.datetime, boundary: dt.datetime) -> Iterator[Paged]:
    """Alerts that woke somebody in the week, oldest first."""
    woken = [told for record in records for told in record.told if woke(told.as_status)]
    for told in sorted(woken, key=lambda each: each.done_at or each.owed_at):
        if told.done_at and began <= told.done_at < boundary:
            yield Paged(told.done_at, told.people)
