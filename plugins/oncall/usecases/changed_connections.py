"""Tells once that an Airflow connection cannot be used as it is written now, and once that it can be again."""

from __future__ import annotations

import json
from collections.abc import Mapping

from oncall.core.incidents.incident import Plan
from oncall.core.incidents.wording import Scene
from oncall.core.notices.channel_notices import connection_mended, connection_wrong
from oncall.usecases.notes import mapping, noted, say_once
from oncall.usecases.ports import Store

WRONG = "wrong_connections"  # under which the store keeps them: name → why


def noted_connections(text: str | None) -> dict[str, str]:
    """The connections that were found wrong, and why."""
    return noted(WRONG, text, lambda said: {str(k): str(v) for k, v in mapping(said).items()}, {})


def note_connections(store: Store, scene: Scene, troubles: Mapping[str, str | None]) -> None:
    """Say once of each connection that it is wrong, and when it is mended. `troubles`: "" of one that works as it is
    written, None of one of which that is not known. Raises Unreadable."""
    wrong = {name: reason for name, reason in troubles.items() if reason}

    def change(text: str) -> tuple[str, Plan]:
        known = noted_connections(text)
        mended = [name for name in known if troubles.get(name) == ""]
        owed = [connection_wrong(scene, name, reason) for name, reason in wrong.items() if name not in known]
        owed += [connection_mended(scene, name) for name in mended]
        kept = {name: reason for name, reason in {**known, **wrong}.items() if name not in mended}
        return text if kept == known else json.dumps(kept), Plan(owed=tuple(owed))

    say_once(store, scene, WRONG, change)
