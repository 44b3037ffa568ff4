"""What is said of a connection that nothing can use."""

from __future__ import annotations

import pytest

from oncall.adapters.opsgenie.pager import Opsgenie
from oncall.adapters.postgres.database import connect_by
from oncall.adapters.slack.chat import Slack
from oncall.core.errors import LockedOut, Unreadable


def locked_out_words(conn_id: str) -> list[str]:
    """By Opsgenie, by Slack and by a database."""
    told = []
    for use in (Opsgenie.from_connection(conn_id).prepare, Slack.from_connection(conn_id).prepare):
        with pytest.raises(LockedOut) as refused:
            use()
        told.append(str(refused.value))
    with pytest.raises(Unreadable) as unreadable:
        connect_by(conn_id)
    return [*told, str(unreadable.value)]
