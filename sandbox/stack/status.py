"""How a stack stands, in the few lines a person reads after `make up`: where to look, who is on call, the promises."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from pathlib import Path

from oncall.adapters.postgres.database import connect_to
from oncall.adapters.postgres.history import History, PublicationHistory
from oncall.adapters.postgres.oncall_db import OncallDb
from oncall.config.oncall_config import OncallConfig, load
from oncall.core.errors import ConfigError, Problem, Unreadable
from oncall.core.incidents.status_words import status as incident_status
from oncall.core.promises.attainment import FirstPublished
from oncall.core.promises.promise import due_at, last_due
from oncall.core.rota.on_call import next_handoff, who_is_on_call
from oncall.core.rota.shift_words import named
from oncall.core.time_format import TimeFormat, span
from oncall.usecases.current_config import config_in_force
from oncall.usecases.history import WATCHER_SILENT_AFTER
from oncall.usecases.ports import Store
from sandbox.stack.environment import LOGINS
from sandbox.stack.stack import Stack

PAGE = "plugin/oncall"
MOST_SHOWN = 100


def login(user: str = "admin") -> str:
    """User and password of one of the laptop's users."""
    return f"{user} / {LOGINS[user]}"


def lines(stack: Stack) -> str:
    """The closing lines, one fact each."""
    return "\n".join(f"  {label:<14}{text}" for label, text in _facts(stack, dt.datetime.now(dt.UTC)))


def _facts(stack: Stack, at: dt.datetime) -> Iterator[tuple[str, str]]:
    components = stack.components()
    running = [component.name for component in components if component.running()]
    coming_up = stack.is_coming_up()
    if not running and not coming_up:
        yield "Running", "nothing; start it with: make up"
        return
    yield "", ""
    yield "Airflow", f"{stack.airflow_url}   user and password: {login()}   (only reads: {login('viewer')})"
    yield "On-call page", f"{stack.airflow_url}/{PAGE}"
    yield "Inbox", f"{stack.inbox_url}   what Opsgenie and Slack were told"
    oncall_db = connect_to(stack.server().uri("oncall"))
    config, problems = in_force(OncallDb(oncall_db), stack.include_dir)
    if problems:
        yield "Roster", "\n".join((broken(problems, known=config is not None), *map(str, problems)))
    if config is not None:
        yield "On call now", _on_call(config, at)
        yield from promises(PublicationHistory(connect_to(stack.server().uri("warehouse"))), config, at)
        yield from incidents(History(oncall_db), config, at)
    yield "Running", ", ".join(["postgres", *running])
    yield from dead(
        [component.name for component in components if component.name not in running], coming_up=coming_up
    )
    yield ("Runbooks", 'in a shell of yours: eval "$(make -s env)"   then psql "$WAREHOUSE_DSN", airflow …')
    yield "Next", "make drill (break a promise) · make status · make logs · make down (the data stays)"


def in_force(store: Store, include: Path) -> tuple[OncallConfig | None, Sequence[Problem]]:
    """The configuration that the watcher goes by, and what is wrong with the files; None where none is known."""
    try:
        return load(include), ()
    except ConfigError:
        try:
            return config_in_force(store, include)
        except ConfigError as error:
            return None, error.problems


def broken(problems: Sequence[Problem], *, known: bool) -> str:
    """What comes of files that are broken."""
    count = f"{len(problems)} problem{'s' * (len(problems) != 1)}"
    return f"{count}; {'the last good files stay in force' if known else 'no good files are known'}:"


def _on_call(config: OncallConfig, at: dt.datetime) -> str:
    shift = who_is_on_call(config.roster, at)
    until = next_handoff(config.roster, at)
    seats = (shift.primary, shift.secondary, config.roster.manager)
    people = [named(config.roster, seat) for seat in seats if seat]
    return f"{', then '.join(people)}; next handoff {until:%A %d %B %H:%M %Z}"


def promises(
    published: PublicationHistory, config: OncallConfig, at: dt.datetime
) -> Iterator[tuple[str, str]]:
    """How each promise stands that was due last, and the next one; that it cannot be told where the warehouse cannot
    be read."""
    promised = [pipeline for pipeline in config.pipelines.values() if pipeline.promise]
    since = at.date() - dt.timedelta(days=3)
    try:
        found = published.published([pipeline.report for pipeline in promised], since)
    except Unreadable as error:
        yield "Promises", f"cannot be told: {error}"
        return
    for pipeline in promised:
        assert pipeline.promise is not None
        tz = config.roster_of(pipeline.dag_id).tz
        last = last_due(pipeline.promise, at, tz)
        for day in (last, pipeline.promise.due_day(last)):
            due = due_at(pipeline.promise, day, tz)
            said = how_it_stands(found[pipeline.report].get(day), due, at)
            yield "Promise", f"{pipeline.title} of {day}: {said}"


def incidents(history: History, config: OncallConfig, at: dt.datetime) -> Iterator[tuple[str, str]]:
    """Whether the watcher looks, and which incidents are open; that it cannot be told where nobody knows."""
    try:
        tick = history.system_health().tick
        records = history.records(at, MOST_SHOWN)
    except Unreadable as error:
        yield "Incidents", f"cannot be told, nor whether the watcher looks: {error}"
        return
    yield "Watcher", watching(tick, at)
    say = TimeFormat(at, config.roster.tz)
    opened = [record for record in records if record.incident.open]
    for record in opened:
        told = [each.as_status for each in record.told]
        yield "Open", f"{record.incident.key}: {incident_status(record.incident, told, say)}"
    if not opened:
        yield "Open", "no incident"


def dead(names: Sequence[str], *, coming_up: bool) -> Iterator[tuple[str, str]]:
    """What should run and does not, and what to do; nothing where all of it runs."""
    if names and coming_up:
        yield (
            "Not yet",
            f"{', '.join(names)}; make up is at work and starts the rest (it says what it waits for)",
        )
    elif names:
        yield "Not running", f"{', '.join(names)}; start it with: make up"


def watching(tick: dt.datetime | None, at: dt.datetime) -> str:
    """Whether the watcher looks, by when it looked last."""
    if tick is None:
        return "has never looked"
    ago = f"looked {span(max(0.0, (at - tick).total_seconds()))} ago"
    return ago if at - tick <= WATCHER_SILENT_AFTER else f"DOES NOT LOOK: {ago}; make logs says why"


def how_it_stands(published: FirstPublished | None, due: dt.datetime, at: dt.datetime) -> str:
    """How a promise stands, in the zone of `due`."""
    if published is None:
        return f"not published{' yet' * (at < due)}, due {due:%d %B %H:%M}"
    due = (published.due or due).astimezone(due.tzinfo)
    came = published.at.astimezone(due.tzinfo)
    return f"{'kept' if came <= due else 'late'}, published {came:%d %B %H:%M}, due {due:%H:%M}"
