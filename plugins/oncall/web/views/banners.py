"""What is broken in the on-call system itself, said first and in red. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from oncall.core.time_format import TimeFormat
from oncall.usecases.history import WATCHER_SILENT_AFTER
from oncall.web.snapshot import PageSnapshot
from oncall.web.views.models import Banner
from oncall.web.views.timeline import CHANNELS

MOST_PROBLEMS = 20


def banners(seen: PageSnapshot) -> tuple[Banner, ...]:
    """In the order of what hurts most: nobody watches, nobody can be reached, nobody outside listens, the files, what
    cannot be read."""
    return (
        *_watcher(seen),
        *_channels(seen),
        *_heartbeats(seen),
        *_warnings(seen),
        *_configuration(seen),
        *_sources(seen),
    )


def _watcher(seen: PageSnapshot) -> Iterator[Banner]:
    if any(reason.startswith("oncall_db") for reason in seen.unreadable):
        return  # the tick cannot be read; that is said below
    if seen.tick is None:
        lines = (
            "Pages may be up to 5 minutes late. Is the DAG sla_watch unpaused, and does a triggerer run?",
        )
        yield Banner(kind="watcher", title="The watcher has never looked", lines=lines)
    elif seen.at - seen.tick > WATCHER_SILENT_AFTER:
        say = TimeFormat(seen.at, seen.config.roster.tz)
        title = f"The watcher has not looked since {say.seconds(seen.tick)} ({say.away(seen.tick)})"
        lines = ("A broken promise may page late. Is the DAG sla_watch unpaused, and does a triggerer run?",)
        yield Banner(kind="watcher", title=title, lines=lines)


def _channels(seen: PageSnapshot) -> Iterator[Banner]:
    say = TimeFormat(seen.at, seen.config.roster.tz)
    for trouble in seen.channels:
        since = f" since {say.clock(trouble.since)}" if trouble.since else ""
        name = CHANNELS.get(trouble.name, trouble.name)
        yield Banner(
            kind="channel",
            title=f"{name} cannot be reached{since}",
            lines=(trouble.reason,) if trouble.reason else (),
        )


def _heartbeats(seen: PageSnapshot) -> Iterator[Banner]:
    say = TimeFormat(seen.at, seen.config.roster.tz)
    for trouble in seen.heartbeats:
        since = f" since {say.clock(trouble.since)}" if trouble.since else ""
        title = f"Opsgenie does not take the heartbeat {trouble.name}{since}"
        lines = (trouble.reason, "Nobody is paged if all of Airflow is gone.")
        yield Banner(kind="heartbeat", title=title, lines=lines)


WARNINGS = {
    "acknowledgements": (
        "Acknowledgements in Opsgenie are not heard",
        "Acknowledge here: only that stops the escalation.",
    ),
    "history": (
        "Slack cannot be asked what it has",
        "A message whose answer was lost may appear there twice.",
    ),
}


def _warnings(seen: PageSnapshot) -> Iterator[Banner]:
    say = TimeFormat(seen.at, seen.config.roster.tz)
    for trouble in seen.warnings:
        since = f" since {say.clock(trouble.since)}" if trouble.since else ""
        clock = (f"The clock of {trouble.name} is wrong", "The others agree, and pages go by them.")
        title, line = WARNINGS.get(trouble.name, clock)
        yield Banner(kind="warning", title=f"{title}{since}", lines=(trouble.reason, line))


def _configuration(seen: PageSnapshot) -> Iterator[Banner]:
    if not seen.problems:
        return
    count = len(seen.problems)
    lines = tuple(str(problem) for problem in seen.problems[:MOST_PROBLEMS])
    if count > MOST_PROBLEMS:
        lines = (*lines, f"and {count - MOST_PROBLEMS} more: python -m oncall check")
    if seen.hidden:  # a problem names the file of a pipeline
        lines = ("A user who may read all the pipelines sees which.",)
    title = f"The on-call files have {count} problem{'s' * (count != 1)}; the last good ones stay in force"
    yield Banner(kind="configuration", title=title, lines=lines)


def _sources(seen: PageSnapshot) -> Iterator[Banner]:
    for reason in dict.fromkeys(seen.unreadable):
        name, _, why = reason.partition(":")
        yield Banner(kind="source", title=f"{name} cannot be read", lines=(why.strip(),) if why else ())
