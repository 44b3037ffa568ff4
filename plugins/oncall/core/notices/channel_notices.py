"""Notices about the on-call system itself: a channel that fails, a configuration that is broken, a heartbeat."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import replace

from oncall.core import time_format
from oncall.core.errors import Problem
from oncall.core.incidents.context import on_call, page_and_post, post
from oncall.core.incidents.incident import Channel, Notification, Plan
from oncall.core.incidents.incident_words import CHANNELS
from oncall.core.incidents.wording import Scene
from oncall.core.message import Message
from oncall.core.notices.page_words import (
    CONNECTION_STAYS,
    LOOKS,
    NO_LOOK_OF_SLA_WATCH,
    NOT_STARTED,
    ONE_OF_TWO,
    WATCHER_PAGES,
)
from oncall.core.promises.evaluation import PromiseStatus
from oncall.core.promises.facts import Load
from oncall.core.promises.promise import Team
from oncall.core.promises.words import small_words
from oncall.core.time_format import between, span

NAMES: dict[Channel, str] = {"pager": f"The pager ({CHANNELS['pager']})", "chat": CHANNELS["chat"]}
PRIORITIES = {"down": "P2", "back": "P5"}
MOST_PROBLEMS = 20
HEARING, STORE = "acknowledgements", "store"


def channel_down(
    scene: Scene, channel: Channel, since: dt.datetime, reason: str, *, outage: bool = True
) -> Notification:
    """Say on the other channel that this one fails: for everything (`outage`), or for some message."""
    still = "Until then nobody is woken: watch this channel." if channel == "pager" else "Pages still go out."
    title = f"{NAMES[channel]} cannot be reached since {scene.clock(since)}"
    if not outage:
        title = f"{NAMES[channel]} refuses a message since {scene.clock(since)}"
    return _about_channel(scene, channel, since, "down", title, [reason, still])


def channel_back(scene: Scene, channel: Channel, since: dt.datetime) -> Plan:
    """It works again, told where it was told that it fails, or was to be; an alert about it is closed."""
    gone = between(since, scene.at)
    title = f"{NAMES[channel]} can be reached again after {gone}"
    back = _about_channel(
        scene, channel, since, "back", title, ["The messages that were owed are being sent."]
    )
    if channel == "pager":
        return Plan(owed=(back,), cancelled=(back.key,))
    alias = replace(back.message, step="down").alias
    close = replace(back, step=f"close:{alias}", op="close", alias=alias)
    return Plan(owed=(close,), cancelled=(back.key,))


def acknowledgements_unheard(scene: Scene, since: dt.datetime, reason: str) -> Notification:
    """Nobody hears that somebody has it: the escalation goes on."""
    title = f"Acknowledgements in Opsgenie are not heard since {scene.clock(since)}"
    lines = [reason, "Until this is mended acknowledge on the On-call page: only that stops the escalation."]
    return _chat(scene, HEARING, f"unheard:{since.isoformat()}", title, lines)


def acknowledgements_heard(scene: Scene, since: dt.datetime) -> Notification:
    title = "Acknowledgements in Opsgenie are heard again"
    return _chat(scene, HEARING, f"heard:{since.isoformat()}", title, [])


def others_untold(scene: Scene, message: Message, reason: str) -> Notification:
    """Another team's channel refuses what they have to know: somebody has to tell them. Once a day of each channel."""
    title = f"{message.channel} could not be told by us, tell them yourself: {reason}"
    lines = [f"What they were to read: {message.title}", reason]
    return _chat(scene, "others", f"untold:{message.channel}", title, lines)


def undecided(status: PromiseStatus, scene: Scene, error: Exception) -> Plan:
    """The rules fail on one report: whoever is on call has to look at it themselves. Once a day, of each report."""
    broken = status.overdue
    state = "It is not known to be published." if broken else "It is not due yet, or known to be published."
    message = Message(
        key=f"undecided:{status.pipeline.dag_id}:{status.report_date.isoformat()}",
        step="undecided",
        title=f"Cannot tell what {status.pipeline.title} of {status.report_date} needs: look at it yourself",
        summary=f"The on-call system failed on it: {type(error).__name__}: {error}\n{state}",
        links=(
            ("On-call page", scene.links.oncall()),
            ("Runbook", scene.links.runbook(status.pipeline.dag_id)),
        ),
        priority="P1" if broken else "P3",
        recipients=on_call(scene, "primary"),
        tags=("oncall", status.pipeline.dag_id),
        channel=scene.roster.slack_channel,
    )
    return Plan(owed=page_and_post(message))


def store_unusable(scene: Scene, since: dt.datetime, reason: str) -> Notification:
    """oncall_db is not to be worked with for so long that nobody takes it for a restart."""
    title = f"oncall_db cannot be used since {scene.clock(since)}"
    lines = [
        reason,
        "Pages go out from the watcher's memory.",
        "Until this is mended acknowledge in Opsgenie: the On-call page hears nobody.",
    ]
    return _chat(scene, STORE, f"unusable:{since.isoformat(timespec='hours')}", title, lines)


def store_usable(scene: Scene, since: dt.datetime) -> Notification:
    title = f"oncall_db can be used again after {between(since, scene.at)}"
    return _chat(scene, STORE, f"usable:{since.isoformat(timespec='hours')}", title, [])


def sla_watch_missed(scene: Scene, since: dt.datetime) -> Notification:
    """Airflow starts no run of it any more, and may start none of the reports' either. Told by the watcher."""
    title = f"The DAG sla_watch has not looked since {scene.clock(since)}"
    lines = [f"It is to look every five minutes. {NO_LOOK_OF_SLA_WATCH}", WATCHER_PAGES]
    return _chat(scene, "sla_watch", f"missed:{since.isoformat()}", title, lines)


def sla_watch_runs(scene: Scene, since: dt.datetime) -> Notification:
    """`since`: when it was missed first."""
    return _chat(scene, "sla_watch", f"runs:{since.isoformat()}", "The DAG sla_watch looks again", [])


def watcher_missed(scene: Scene, since: dt.datetime | None) -> Notification:
    """Nobody looks by the second. `since`: when it looked last (None: it never did)."""
    title = (
        f"The watcher has not looked since {scene.clock(since)}" if since else "The watcher has never looked"
    )
    return _chat(scene, "watcher", f"missed:{since.isoformat() if since else 'never'}", title, [LOOKS])


def watcher_looks(scene: Scene, since: dt.datetime) -> Notification:
    """`since`: when it was missed first."""
    return _chat(scene, "watcher", f"looks:{since.isoformat()}", "The watcher looks again", [])


def dag_files_broken(scene: Scene, since: dt.datetime, told: str) -> Notification:
    """DAGs of the on-call system itself do not import. `told`: which, and why."""
    title = f"A DAG of the on-call system does not import since {scene.clock(since)}"
    return _chat(scene, "dag-files", f"broken:{since.isoformat()}", title, [told, NOT_STARTED])


def dag_ids_twice(scene: Scene, since: dt.datetime, told: str) -> Notification:
    """Several files define one DAG. `told`: which DAGs, and which files."""
    title = f"A DAG is defined by several files since {scene.clock(since)}"
    return _chat(scene, "dag-ids", f"twice:{since.isoformat()}", title, [told, ONE_OF_TWO])


def dag_ids_once(scene: Scene, since: dt.datetime) -> Notification:
    """`since`: when two were seen first."""
    title = "Each DAG is defined by one file again"
    return _chat(scene, "dag-ids", f"once:{since.isoformat()}", title, [])


def dag_files_mended(scene: Scene, since: dt.datetime) -> Notification:
    """`since`: when one was seen first that does not import."""
    title = "The DAGs of the on-call system import again"
    return _chat(scene, "dag-files", f"mended:{since.isoformat()}", title, [])


def clock_wrong(scene: Scene, name: str, ahead_s: int) -> Notification:
    """A clock that the others do not agree with; it decides nothing."""
    where = "ahead" if ahead_s > 0 else "behind"
    title = f"The clock of {name} is {span(abs(ahead_s))} {where}"
    lines = [
        "The other clocks agree, and pages go by them. Set it right (NTP): logs and schedules follow it."
    ]
    return _chat(scene, "clocks", f"wrong:{name}:{scene.at.isoformat()}", title, lines)


def clock_right(scene: Scene, name: str) -> Notification:
    return _chat(
        scene, "clocks", f"right:{name}:{scene.at.isoformat()}", f"The clock of {name} is right again", []
    )


def connection_wrong(scene: Scene, name: str, reason: str) -> Notification:
    """An Airflow connection was changed, and the one before goes on in its place."""
    title = f"The connection {name} cannot be used as it is written now"
    lines = [reason, CONNECTION_STAYS]
    return _chat(scene, f"connection-{name}", f"wrong:{scene.at.isoformat()}", title, lines)


def connection_mended(scene: Scene, name: str) -> Notification:
    title = f"The connection {name} can be used as it is written again"
    return _chat(scene, f"connection-{name}", f"mended:{scene.at.isoformat()}", title, [])


def configuration_broken(scene: Scene, problems: Sequence[Problem], digest: str) -> Notification:
    title = f"The on-call configuration is broken: {len(problems)} problem{'s' * (len(problems) != 1)}"
    stays = "Of each file that is wrong the last good version stays in force; the others count as they stand."
    lines = [stays, *(f"• {problem}" for problem in problems[:MOST_PROBLEMS])]
    return _chat(scene, "configuration", f"broken:{digest}", title, lines)


def configuration_mended(scene: Scene, digest: str) -> Notification:
    return _chat(
        scene, "configuration", f"mended:{digest}", "The on-call configuration is in order again", []
    )


def few_rows(scene: Scene, day: dt.date, loads: Mapping[str, Load], teams: Sequence[Team]) -> Notification:
    """Loads that are smaller than chance makes them on most days, and not so small that anything waits for them."""
    about = next(iter(loads)) if len(loads) == 1 else f"{len(loads)} tables"
    title = f"Unusually few rows of {about}, {time_format.day(day)}"
    tables = [f"• {name}: {small_words(load)}" for name, load in loads.items()]
    ask = " or ".join(f"{team.team} ({team.slack})" for team in teams)
    lines = [*tables, f"Nothing waits for the rest, if there is one. Whether there is, {ask} can tell."]
    message = _chat(scene, f"few-rows-{day.isoformat()}", f"few:{','.join(loads)}", title, lines).message
    return post(replace(message, channel=scene.roster.slack_channel))


def heartbeat_refused(scene: Scene, heartbeat: str, since: dt.datetime, reason: str) -> Notification:
    """Opsgenie does not take this heartbeat. It is the only watch that survives Airflow."""
    title = f"Opsgenie does not take the heartbeat {heartbeat}"
    lines = [reason, "Until then nobody is paged if all of Airflow is gone."]
    return _chat(scene, "heartbeat", f"refused:{heartbeat}:{since.isoformat()}", title, lines)


def heartbeat_back(scene: Scene, heartbeat: str, since: dt.datetime) -> Notification:
    """… and takes it again. `since`: when it was refused first."""
    title = f"Opsgenie takes the heartbeat {heartbeat} again"
    return _chat(scene, "heartbeat", f"back:{heartbeat}:{since.isoformat()}", title, [])


def schedules_drift(scene: Scene, differences: Sequence[str], digest: str) -> Notification:
    """Opsgenie's schedules would notify others than the rota says. Pages are not concerned: they name people."""
    count = f"{len(differences)} difference{'s' * (len(differences) != 1)}"
    title = f"Opsgenie's schedules are not as the rota says: {count}"
    lines = [f"• {difference}" for difference in differences[:MOST_PROBLEMS]]
    return _chat(scene, "schedules", f"drift:{digest}", title, lines)


def schedules_agree(scene: Scene, digest: str) -> Notification:
    return _chat(scene, "schedules", f"agree:{digest}", "Opsgenie's schedules are as the rota says again", [])


def _about_channel(
    scene: Scene, channel: Channel, since: dt.datetime, step: str, title: str, lines: Sequence[str]
) -> Notification:
    """One key for each time it fails: that it is back is told where it was told that it failed."""
    message = Message(
        key=f"channel-{channel}:{since.isoformat()}{scene.roster.team and f':{scene.roster.team}'}",
        step=step,
        title=title,
        summary="\n".join(lines),
        links=(("On-call page", scene.links.oncall()),),
        priority=PRIORITIES[step],
        recipients=on_call(scene, "primary"),
        tags=("oncall", "channel"),
    )
    if channel == "chat":
        return Notification(message.key, step, "pager", "page", message, message.alias)
    return post(message)


def _chat(scene: Scene, key: str, step: str, title: str, lines: Sequence[str]) -> Notification:
    """A thread a day: later notices must not hide in the thread of the first one ever."""
    key = f"{key}:{scene.at.astimezone(scene.roster.tz).date().isoformat()}"
    links = (("On-call page", scene.links.oncall()),)
    return post(Message(key, step, title, "\n".join(lines), links=links))
