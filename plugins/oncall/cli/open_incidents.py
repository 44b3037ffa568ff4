"""The subcommands incidents, ack and why: what the On-call page shows and does, for somebody at a terminal.

They read and act through the same use cases as the page, so both say the same of one instant.
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from oncall.cli.command import (
    Command,
    UsageError,
    by_argument,
    confirm,
    report_date,
    show_json,
    show_table,
    tell,
    user_name,
    warn,
    yes_argument,
)
from oncall.config.near_names import suggestion
from oncall.core.errors import Unreadable
from oncall.core.incidents.incident_words import NONE_ACKNOWLEDGED
from oncall.core.promises.promise import Pipeline, business_day
from oncall.core.promises.words import (
    NAMES_THE_STEP,
    cause_line,
    not_on_record,
    report_line,
    run_lines,
    stands_at,
    tables_line,
)
from oncall.core.time_format import TimeFormat

if TYPE_CHECKING:
    from oncall.airflow.page_source import PageSource
    from oncall.core.promises.evaluation import PromiseStatus
    from oncall.web.snapshot import PageSnapshot
    from oncall.web.views.models import IncidentView, PromiseView


@contextmanager
def _page(args: argparse.Namespace) -> Iterator[PageSource]:
    """The page's source, on the include folder that was asked for."""
    # Only here: the other commands need neither Airflow nor a database.
    from oncall.airflow.page_source import PageSource

    name, before = "ONCALL_INCLUDE_DIR", os.environ.get("ONCALL_INCLUDE_DIR")
    os.environ[name] = str(args.include)
    try:
        yield PageSource()
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


def _seen(page: PageSource, args: argparse.Namespace) -> PageSnapshot:
    """Read everything once; warn of what cannot be read, and that the watcher does not look."""
    from oncall.web.views.banners import nobody_looks, watcher_gone

    seen = page.read()
    for reason in seen.unreadable:
        warn(f"oncall {args.command}: cannot be read now: {reason}")
    if nobody_looks(seen):
        title, lines = watcher_gone(seen)
        warn(f"oncall {args.command}: {'. '.join([title, *lines])}")
    return seen


def _answered(seen: PageSnapshot) -> int:
    """The exit code of an answer: 0 where all of it could be read, and the watcher keeps it true."""
    from oncall.web.views.banners import nobody_looks

    return 1 if seen.unreadable or nobody_looks(seen) else 0


def _views(seen: PageSnapshot, team: str) -> tuple[IncidentView, ...]:
    from oncall.airflow.composition import base_url
    from oncall.core.incidents.wording import Links
    from oncall.web.views.incidents import listed

    mine = {dag_id for dag_id, pipeline in seen.config.pipelines.items() if pipeline.team == team}
    return tuple(view for view in listed(seen, Links(base_url())) if not team or view.dag_id in mine)


def _incidents_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--all", action="store_true", help="those of the last 90 days that are over, too")


def _incidents(args: argparse.Namespace) -> int:
    from oncall.web.views.incidents import unread

    with _page(args) as page:
        seen = _seen(page, args)
    found = [view for view in _views(seen, args.team) if args.all or view.open]
    if not found and unread(seen):
        return 1  # an empty list would claim that nothing is open
    if args.json:
        show_json([view.model_dump(mode="json", exclude={"timeline"}) for view in found])
    elif found:
        say = seen.say
        rows: list[list[Any]] = [
            [
                view.key,
                view.title,
                say.clock(view.due) if view.due else None,
                view.cause_words or None,
                view.status,
            ]
            for view in found
        ]
        show_table(rows, ("key", "report", "due", "cause", "how it stands"))
        if any(view.open and not view.acknowledged_at for view in found):
            tell("\nTake one over: python -m oncall ack KEY")
    else:
        tell("No incident is open." if not args.all else "There was no incident in the last 90 days.")
    return _answered(seen)


def _ack_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "keys", nargs="+", metavar="KEY", help="the incident, as `oncall incidents` names it, or its pipeline"
    )
    by_argument(parser)
    yes_argument(parser)


def _ack(args: argparse.Namespace) -> int:
    from oncall.web.views.incidents import unread

    by = args.by.strip() or user_name()
    with _page(args) as page:
        seen = _seen(page, args)
        views = [view for view in _views(seen, args.team) if view.open]
        if not views and unread(seen):
            warn(f"oncall ack: {NONE_ACKNOWLEDGED}")
            return 1
        wanted = list({view.key: view for view in (_incident(views, key) for key in args.keys)}.values())
        titles = ", ".join(view.title for view in wanted)
        confirm(args, f"Acknowledge {titles} as {by}?", "nothing is acknowledged")
        done = {view.key: page.acknowledge(view.key, by, set(seen.config.pipelines)) for view in wanted}
    if args.json:
        show_json(
            [{"key": key, "done": outcome.done, "words": outcome.words} for key, outcome in done.items()]
        )
    else:
        for key, outcome in done.items():
            (tell if outcome.done else warn)(f"{key}: {outcome.words}")
    return 0 if all(outcome.done for outcome in done.values()) else 2


def _incident(views: Sequence[IncidentView], key: str) -> IncidentView:
    """The open incident that is meant. Raises UsageError where none is, or more than one."""
    found = [view for view in views if view.key == key] or [view for view in views if view.dag_id == key]
    if len(found) == 1:
        return found[0]
    if found:
        raise UsageError(
            f"{key} has several open incidents; write one of {', '.join(view.key for view in found)}"
        )
    keys = [view.key for view in views]
    raise UsageError(
        f"{key} is no open incident; "
        + (f"write {suggestion(key, keys, 'one of')}" if keys else "none is open")
    )


def _why_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("pipeline", metavar="PIPELINE", help="its DAG, such as profit_etl, or its report")
    parser.add_argument(
        "--date",
        type=report_date,
        metavar="DATE",
        help="the report date (default: the one that is waited for)",
    )


def _why(args: argparse.Namespace) -> int:
    from oncall.airflow.composition import base_url
    from oncall.core.incidents.wording import Links
    from oncall.web.views.promises import promise

    with _page(args) as page:
        seen = _seen(page, args)
        pipeline = _pipeline(seen, args.pipeline)
        status = _status(seen, pipeline, args.date)
    if (first := _first_on_record(seen, status)) is not None:
        raise UsageError(not_on_record(status.report_date, first))
    view = promise(seen, status, Links(base_url()))
    if args.json:
        show_json(view.model_dump(mode="json"))
    else:
        for line in _why_words(seen, status, view):
            tell(line)
    return _answered(seen)


def _pipeline(seen: PageSnapshot, name: str) -> Pipeline:
    for pipeline in seen.config.pipelines.values():
        if name in (pipeline.dag_id, pipeline.report, pipeline.title):
            return pipeline
    raise UsageError(
        f"{name} is no pipeline; write {suggestion(name, list(seen.config.pipelines), 'one of')}"
    )


def _status(seen: PageSnapshot, pipeline: Pipeline, date: dt.date | None) -> PromiseStatus:
    """The status of this day, which may be a drill's; of none, of the first report that is late or about to be, else of
    one that is not known to be published, or was run again and failed, else of the next one."""
    every = sorted(seen.statuses_of.get(pipeline.dag_id, ()), key=lambda status: bool(status.drill))
    known = [status for status in every if not status.drill]
    if date is None and known:
        troubled = [status for status in known if status.verdict in ("broken", "unknown", "at_risk")]
        return next((s for s in (*troubled, *known) if not s.done or s.facts.blind), known[-1])
    date = date or business_day(seen.at, seen.config.roster_of(pipeline.dag_id).tz) - dt.timedelta(days=1)
    return next((status for status in every if status.report_date == date), None) or _evaluated(
        seen, pipeline, date
    )


def _first_on_record(seen: PageSnapshot, status: PromiseStatus) -> dt.date | None:
    """The first report that was published, for a day before it; nobody promised it then."""
    first = min(seen.published.get(status.pipeline.report, ()), default=None)
    return first if first and status.verdict == "broken" and status.report_date < first else None


def _evaluated(seen: PageSnapshot, pipeline: Pipeline, date: dt.date) -> PromiseStatus:
    """The status of a day that the page does not show."""
    from oncall.airflow.composition import Wiring
    from oncall.usecases.promise_statuses import BLIND, LOOKING, PUBLISHED, Candidate, Known, PromiseReader

    wiring, known = Wiring(), Known()
    with suppress(Unreadable):  # that is told already
        known = Known.of(wiring.store().evaluation_inputs(seen.at, (PUBLISHED, BLIND, LOOKING)))
    reader = PromiseReader(seen.config, wiring.world(), wiring.task_log(), seen.at, known)
    found = reader.statuses([Candidate(pipeline, date)])
    return next(
        status for status in found if (status.pipeline.dag_id, status.report_date) == (pipeline.dag_id, date)
    )


def _why_words(seen: PageSnapshot, status: PromiseStatus, view: PromiseView) -> Iterator[str]:
    say, loads = TimeFormat(seen.at, seen.config.roster_of(view.dag_id).tz), status.facts.loads
    yield report_line(view.title, view.report_date, view.due, say)
    yield f"{view.headline}."
    if view.cause:
        yield cause_line(view.cause_words, view.detail, published=view.published_at is not None)
    if (step := view.step) and not view.published_at and view.cause not in NAMES_THE_STEP:
        yield f"{stands_at(step.task, step.state, step.since, step.usual_seconds, say)}."
    if loads:
        yield tables_line(loads)
    if status.why or not view.published_at:
        yield from run_lines(status.facts.tasks, say)
    for incident in _views(seen, ""):
        if (incident.dag_id, incident.report_date, incident.drill) == status.promise_key:
            yield f"Incident {incident.key}: {incident.status}."
    yield f"Runbook: {view.links.runbook}"


INCIDENT_COMMANDS = (
    Command("incidents", "The open incidents and how they stand.", _incidents_arguments, _incidents),
    Command("ack", "Acknowledge an incident: its escalation stops.", _ack_arguments, _ack),
    Command("why", "How a pipeline's report stands, and why.", _why_arguments, _why),
)
