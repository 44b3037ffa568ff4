"""A table that was warned about has come: who hears so, and what it does for the reports that waited."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate

from oncall.core.incidents.context import IncidentContext, event, post
from oncall.core.incidents.incident import Plan
from oncall.core.incidents.titles import names, reason_of, short, titled
from oncall.core.incidents.wording import Scene
from oncall.core.promises.cause import gave_up
from oncall.core.promises.evaluation import PromiseStatus
from oncall.core.promises.facts import Load
from oncall.core.promises.run_cause import WAIT
from oncall.core.promises.why import Why

ARRIVED = "arrived:"  # and the tables
LONGEST_STEP = 800  # characters of tables by which a post is known


def arrived(context: IncidentContext, scene: Scene) -> Plan | None:
    """What was warned about has come: said once, however many tables have come since the last look.

    Where the report is there too by now, its resolution tells of both.
    """
    came = arrivals(context)
    waited = waited_for(came, context.missing)
    if not waited:
        return None
    tables = [load.table for load in came]
    title = arrival_title(f"{came_words(came, scene)}; ", waited)
    message = context.notice(scene, ARRIVED + ",".join(tables), title)
    return Plan(owed=(post(message),), events=event(context, scene, f"arrived: {', '.join(tables)}"))


def arrivals(context: IncidentContext) -> list[Load]:
    """The tables that were warned about and have come, and nobody has heard so."""
    if any(member.facts.blind for member in context.members):
        return []
    told = (step for channel, step in context.said if channel == "chat" and step.startswith(ARRIVED))
    heard = {table for step in told for table in step.removeprefix(ARRIVED).split(",")}
    there = come(context.incident.warned, context.members)
    return told_at_once([load for load in there if load.table not in heard])


def told_at_once(loads: Sequence[Load]) -> list[Load]:
    """As many as one post tells of: it is known by their names, as far as they are read. The next tells of the rest."""
    ends = accumulate(len(load.table) + 1 for load in loads)
    return [load for load, end in zip(loads, ends, strict=True) if end <= LONGEST_STEP]


def come(warned: Iterable[str], members: Iterable[PromiseStatus]) -> Iterator[Load]:
    """Of these tables each that has come."""
    loads = {load.table: load for member in members for load in member.facts.loads}
    return (loads[name] for name in warned if name in loads and loads[name].state == "fresh")


def waited_for(came: Iterable[Load], members: Iterable[PromiseStatus]) -> list[PromiseStatus]:
    """Those that are missing and read one of these tables: what is told with them may rest on something else."""
    tables = {load.table for load in came}
    return [one for one in members if not one.done and any(load.table in tables for load in one.facts.loads)]


def came_words(came: Sequence[Load], scene: Scene) -> str:
    """ "master.orders has arrived (04:10)"; of several the clock of the last."""
    last = max(load.loaded_at for load in came if load.loaded_at)
    have = "has" if len(came) == 1 else "have"
    return f"{names([load.table for load in came])} {have} arrived ({scene.clock(last)})"


def arrival_title(came: str, missing: Sequence[PromiseStatus]) -> str:
    """What an arrival does for the reports that waited: nothing while another table is late, nor by itself where a run
    has given up waiting. `came`: that it has come."""
    waiting = [member for member in missing if member.facts.late_loads]
    if waiting:
        late = names(list(dict.fromkeys(load.table for m in waiting for load in m.facts.late_loads)))
        wait = "waits" if len(waiting) == 1 else "wait"
        return titled(waiting, lambda about: f"{about} still {wait} for {late}", came)
    ended = [member for member in missing if gave_up(member.facts)]
    if runs := runs_since_then(missing):
        are = "is" if len(missing) == 1 else "are"
        return titled(missing, lambda about: f"{about} {are} {runs}", came)
    still = [member for member in missing if member.why and stands_still(member.why)]
    if not ended and still:
        return titled(still, lambda about: f"{about}: {reason_of(still)}", came)
    if not ended:
        return titled(missing, lambda about: f"{about} can go on", came)
    have = "has" if len(ended) == 1 else "have"
    return titled(ended, lambda about: f"{about} {have} to be started again", came)


def stands_still(why: Why) -> bool:
    """For a reason that is known, and that no arrival ends."""
    return why.cause in ("failed", "held", "stuck") or (why.cause == "not_started" and why.kind != "")


def runs_since_then(missing: Sequence[PromiseStatus]) -> str:
    """How all of them run by now, beyond their wait for what has come: told with the arrival, as one. "" where not."""
    whys = [member.why for member in missing if member.why]
    beyond = all(why.cause == "running" and why.names != (WAIT,) for why in whys)
    reasons = {short(why) for why in whys}
    return reasons.pop() if beyond and len(reasons) == 1 else ""
