"""What the page says of the on-call system itself, and of its links. Pure.

Of what is broken: a title that says what and since when; what that means and what still works; what to do first; and
last what the far side said, in its own words.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence

from oncall.core.incidents.incident_words import CHANNELS
from oncall.core.time_format import TimeFormat, span

MOST_PROBLEMS = 20
Told = tuple[str, tuple[str, ...]]
_CHAT = CHANNELS["chat"]

LOOKS = (
    "Meanwhile the DAG sla_watch looks every 5 minutes, unless it is paused."
    " First: is sla_watch unpaused, and does a triggerer run that waiting tasks do not fill?"
)
_NOBODY_LOOKS = (
    "Nor does the DAG sla_watch: meanwhile only tasks of the pipelines look, each as it ends."
    " First: is sla_watch unpaused, and do scheduler and triggerer run?"
)
# Why sla_watch does not look, as far as anybody can tell who hears nothing of it.
NO_LOOK_OF_SLA_WATCH = (
    "It does not import, or Airflow starts nothing (no scheduler, executor or free slot): then tonight's reports do not"
    " start either. Or its run cannot reach oncall_db."
)
NOT_STARTED = "Until it does Airflow starts no run of it."
ONE_OF_TWO = (
    "Airflow runs whichever it has read last: a run may be of the old one."
    " Remove all but one, or name the others in .airflowignore."
)
WATCHER_PAGES = "The watcher looks, and pages as ever."
_CHECK = "First: python -m oncall check --connections names what to mend."
_WITHOUT = {
    "pager": f"{_CHAT} tells each page, and it is sent until Opsgenie takes it. Call the people on call yourself.",
    "chat": "Opsgenie still pages.",
}
_UNREAD = {
    "warehouse": (
        "A report that was seen published stays so; each other one is paged when it is due. Its runbook says more,"
        " under Cannot tell."
    ),
    "oncall_db": "The watcher pages from its memory. Acknowledge in Opsgenie: here it cannot be noted.",
}
CONNECTION = "connection "  # before the name of one that was edited wrongly
CONNECTION_STAYS = "Until it is mended the watcher goes on with the one before, which a restart forgets."
_WARNINGS = {
    "acknowledgements": (
        "Acknowledgements in Opsgenie are not heard",
        f"Acknowledge here: only that stops the escalation. {_CHECK}",
    ),
    "history": (
        f"{_CHAT} cannot be asked what it has",
        f"A message whose answer was lost may appear there twice. {_CHECK}",
    ),
    "sla_watch": (
        "The DAG sla_watch has not looked",
        f"{NO_LOOK_OF_SLA_WATCH} First: what does Airflow say of its file, and of its last run?",
    ),
    "dag_files": (
        "A DAG of the on-call system does not import",
        f"{NOT_STARTED} First: mend its file; Airflow's home page shows the whole error.",
    ),
    "dag_ids": ("A DAG is defined by several files", ONE_OF_TWO),
    "incidents": (
        "An open incident in oncall_db does not tell of what it is",
        "It is passed over: nobody is called for it. Each late report has an incident of its own."
        " First: mend or delete the row.",
    ),
}


def watcher_gone(tick: dt.datetime | None, say: TimeFormat, *, sla_watch_looks: bool = True) -> Told:
    """`tick`: when it looked last (None: it never did)."""
    lines = (LOOKS if sla_watch_looks else _NOBODY_LOOKS,)
    if tick is None:
        return "The watcher has never looked", lines
    return f"The watcher has not looked since {say.seconds(tick)} ({say.away(tick)})", lines


def channel_gone(name: str, since: dt.datetime | None, reason: str, say: TimeFormat) -> Told:
    title = f"{CHANNELS.get(name, name)} cannot be reached{_since(since, say)}"
    return title, _lines(_WITHOUT.get(name, ""), _CHECK, reason)


def heartbeat_refused(name: str, since: dt.datetime | None, reason: str, say: TimeFormat) -> Told:
    title = f"Opsgenie does not take the heartbeat {name}{_since(since, say)}"
    return title, _lines(f"Pages go out; nobody is paged if all of Airflow is gone. {_CHECK}", reason)


def does_not_work(name: str, since: dt.datetime | None, reason: str, say: TimeFormat) -> Told:
    """`name`: a part that only warns, "connection …", or whose clock it is."""
    if name.startswith(CONNECTION):
        return f"The {name} cannot be used as it is written now", _lines(
            f"{CONNECTION_STAYS} {_CHECK}", reason
        )
    clock = (
        f"The clock of {name} is wrong",
        "The others agree, and pages go by them. First: let its host set the clock (NTP).",
    )
    title, line = _WARNINGS.get(name, clock)
    return f"{title}{_since(since, say)}", _lines(line, reason)


def clocks_apart(ahead_s: float) -> str:
    return f"It is {span(abs(ahead_s))} {'ahead of' if ahead_s > 0 else 'behind'} the others."


def rows_spoilt(count: int) -> str:
    return (
        f"oncall.incidents has {count} open row{'s' * (count != 1)} without a key, a dag_id, a report_date or an"
        " opened_at."
    )


def nothing_done(error: object) -> str:
    return f"Nothing was done: {error}. Acknowledge or close the alert in Opsgenie instead."


def files_broken(problems: Sequence[object], *, some_hidden: bool) -> Told:
    """`some_hidden`: the reader may not see every pipeline, and a problem names the file of one."""
    count = len(problems)
    title = f"The on-call files have {count} problem{'s' * (count != 1)}; the last good ones stay in force"
    if some_hidden:
        return title, ("A user who may read all the pipelines sees which.",)
    do = "First: mend what stands here; python -m oncall check says when it is good."
    lines = (do, *map(str, problems[:MOST_PROBLEMS]))
    more = (f"and {count - MOST_PROBLEMS} more: python -m oncall check",) if count > MOST_PROBLEMS else ()
    return title, (*lines, *more)


def source_unread(reason: str, since: dt.datetime | None, say: TimeFormat) -> Told:
    """`reason`: "warehouse: connection refused", or what is wrong with its connection."""
    said = reason.partition(":")[0]
    name = next((source for source in _UNREAD if source in said), said)
    why = reason.removeprefix(name).removeprefix(":").strip()
    the = "The " if name == "warehouse" else ""
    return f"{the}{name} cannot be read{_since(since, say)}", _lines(_UNREAD.get(name, ""), _CHECK, why)


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


def _lines(*told: str) -> tuple[str, ...]:
    return tuple(line for line in told if line)


def _since(at: dt.datetime | None, say: TimeFormat) -> str:
    return f" since {say.clock(at)}" if at else ""
