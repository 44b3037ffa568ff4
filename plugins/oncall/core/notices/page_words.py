"""What the page says of the on-call system itself: what is broken (a title, a sentence a line), its links. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence

from oncall.core.incidents.incident_words import CHANNELS
from oncall.core.time_format import TimeFormat, span

MOST_PROBLEMS = 20
Told = tuple[str, tuple[str, ...]]

_LOOKS = "Is the DAG sla_watch unpaused, and does a triggerer run?"
CONNECTION = "connection "  # before the name of one that was edited wrongly
CONNECTION_STAYS = "Until it is mended the watcher goes on with the one before, which a restart forgets."
_WARNINGS = {
    "acknowledgements": (
        "Acknowledgements in Opsgenie are not heard",
        "Acknowledge here: only that stops the escalation.",
    ),
    "history": (
        "Slack cannot be asked what it has",
        "A message whose answer was lost may appear there twice.",
    ),
}


def watcher_gone(tick: dt.datetime | None, say: TimeFormat) -> Told:
    """`tick`: when it looked last (None: it never did)."""
    if tick is None:
        return "The watcher has never looked", (f"Pages may be up to 5 minutes late. {_LOOKS}",)
    title = f"The watcher has not looked since {say.seconds(tick)} ({say.away(tick)})"
    return title, (f"A broken promise may page late. {_LOOKS}",)


def channel_gone(name: str, since: dt.datetime | None, reason: str, say: TimeFormat) -> Told:
    return f"{CHANNELS.get(name, name)} cannot be reached{_since(since, say)}", (reason,) if reason else ()


def heartbeat_refused(name: str, since: dt.datetime | None, reason: str, say: TimeFormat) -> Told:
    title = f"Opsgenie does not take the heartbeat {name}{_since(since, say)}"
    return title, (reason, "Nobody is paged if all of Airflow is gone.")


def does_not_work(name: str, since: dt.datetime | None, reason: str, say: TimeFormat) -> Told:
    """`name`: a part that only warns, "connection …", or whose clock it is."""
    if name.startswith(CONNECTION):
        return f"The {name} cannot be used as it is written now", (reason, CONNECTION_STAYS)
    clock = (f"The clock of {name} is wrong", "The others agree, and pages go by them.")
    title, line = _WARNINGS.get(name, clock)
    return f"{title}{_since(since, say)}", (reason, line)


def clocks_apart(ahead_s: float) -> str:
    return f"It is {span(abs(ahead_s))} {'ahead of' if ahead_s > 0 else 'behind'} the others."


def nothing_done(error: object) -> str:
    return f"Nothing was done: {error}. Acknowledge or close the alert in Opsgenie instead."


def files_broken(problems: Sequence[object], *, some_hidden: bool) -> Told:
    """`some_hidden`: the reader may not see every pipeline, and a problem names the file of one."""
    count = len(problems)
    title = f"The on-call files have {count} problem{'s' * (count != 1)}; the last good ones stay in force"
    if some_hidden:
        return title, ("A user who may read all the pipelines sees which.",)
    lines = tuple(map(str, problems[:MOST_PROBLEMS]))
    more = (f"and {count - MOST_PROBLEMS} more: python -m oncall check",) if count > MOST_PROBLEMS else ()
    return title, (*lines, *more)


def source_unread(reason: str) -> Told:
    """`reason`: "warehouse: connection refused"."""
    name, _, why = reason.partition(":")
    return f"{name} cannot be read", (why.strip(),) if why else ()


def feed_link(
    by: str, at: dt.datetime, used_at: dt.datetime | None, until: dt.datetime, say: TimeFormat
) -> str:
    """Of a link that needs no sign-in: who made it when, when it was used last, until when it opens anything."""
    used = f"last used {say.moment(used_at)}" if used_at else "never used"
    ends = "expired" if until <= say.at else "expires"
    return f"made by {by}, {say.moment(at)}; {used}; {ends} {say.moment(until)}"


def team_parameter(teams: Mapping[str, str]) -> str:
    """`teams`: what each is called, by its name ("": the roster at the top), the one that is shown unasked first."""
    own = ", ".join(name for name in teams if name)
    return (
        f"names a team with a roster of its own ({own}), an empty one the roster at the top ({teams['']}); without it"
        f" the answers are of {next(iter(teams.values()))}. An incident is its own team's."
    )


def _since(at: dt.datetime | None, say: TimeFormat) -> str:
    return f" since {say.clock(at)}" if at else ""
