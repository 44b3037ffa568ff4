"""What a store knew at the last look and knows no more: it came back older, or somebody emptied one of its tables."""

from __future__ import annotations

import datetime as dt

from oncall.core.incidents.incident import Incident, State, incident_of
from oncall.usecases.ports import Snapshot

SHOWN = dt.timedelta(days=1)  # after its end; a store shows an incident that is over for two


def lost_rows(seen: Snapshot, there: Snapshot, at: dt.datetime) -> Snapshot:
    """Of what was `seen` in a store, all that it knows less of as it is `there` now: nothing is deleted from it."""
    incidents = {incident.key: incident for incident in there.incidents}
    states = {(entry.key, entry.step, entry.channel): entry.state for entry in there.deliveries}
    over = {i.key for i in seen.incidents if i.resolved_at and at - i.resolved_at > SHOWN}
    return Snapshot(
        tuple(i for i in seen.incidents if i.key not in over and _is_older(incidents.get(i.key), i)),
        tuple(
            entry
            for entry in seen.deliveries
            if incident_of(entry.key) not in over
            and _is_undone(states.get((entry.key, entry.step, entry.channel)), entry.state)
        ),
        {name: value for name, value in seen.notes.items() if name not in there.notes},
    )


def _is_older(there: Incident | None, seen: Incident) -> bool:
    """An acknowledgement may have been taken back; one that was lost is heard of again."""
    if there is None or there.escalation_round < seen.escalation_round:
        return True
    return (seen.paged and not there.paged) or (there.open and not seen.open)


def _is_undone(there: State | None, seen: State) -> bool:
    """Whatever else becomes of an entry, it stays there, and is never undone."""
    return there is None or (seen == "done" and there != "done")
