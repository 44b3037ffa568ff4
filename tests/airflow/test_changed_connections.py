"""An Airflow connection that is edited wrongly while all runs: the one before goes on, and it is said once."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable
from typing import Any

import pytest

from oncall.adapters.opsgenie.pager import Opsgenie
from oncall.adapters.slack.chat import Slack
from oncall.airflow import look
from oncall.airflow.composition import Wiring
from oncall.airflow.page_source import PageSource
from oncall.usecases.changed_connections import WRONG, noted_connections
from oncall.web.views.banners import banners
from sandbox.inbox.records import SlackMessage
from tests.airflow.watching import watch

WRONG_EDITS: dict[str, list[dict[str, Any]]] = {
    "warehouse": [
        {"schema": "nowhere"},
        {"host": "a:b@c"},
        {"extra": {"no_such": 1}},
        {"host": "127.0.0.1", "port": 1},
    ],
    "oncall_db": [{"schema": "nowhere"}, {"login": "nobody"}, {"host": "127.0.0.1", "port": 1}],
    "opsgenie_default": [
        {"password": "wrong"},
        {"password": ""},
        {"host": "ftp://x"},
        {"host": "http://127.0.0.1:1"},
    ],
    "slack_api_default": [
        {"password": "xoxb-wrong"},
        {"extra": {"base_url": 7}},
        {"extra": {"timeout": "soon"}},
    ],
}
EDITS = [(name, edit) for name, edits in WRONG_EDITS.items() for edit in edits]


def edited(monkeypatch: pytest.MonkeyPatch, name: str, edit: dict[str, Any]) -> None:
    variable = f"AIRFLOW_CONN_{name.upper()}"
    monkeypatch.setenv(variable, json.dumps({**json.loads(os.environ[variable]), **edit}))


@pytest.mark.parametrize(("name", "edit"), EDITS, ids=lambda part: str(part)[:40])
def test_what_worked_before_goes_on_and_what_is_wrong_is_known(
    site: Any, monkeypatch: pytest.MonkeyPatch, name: str, edit: dict[str, Any]
) -> None:
    """Until it is mended, in whatever field the slip is; nobody is told of what was never in use."""

    def used(wiring: Wiring) -> str | None:
        wiring.store().clock()
        wiring.world().clock()
        for channel in (wiring.pager, wiring.chat):
            channel._connected._look_again_s = 0
            channel.prepare()
        others = {value for other, value in wiring.troubles.items() if other != name}
        assert others == {""}
        return wiring.troubles[name]

    first = Wiring()
    assert used(first) == ""
    good = os.environ[f"AIRFLOW_CONN_{name.upper()}"]
    edited(monkeypatch, name, edit)
    second = Wiring(first)
    assert used(second)
    third = Wiring(second)
    assert used(third)
    monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", good)
    assert used(Wiring(third)) == ""


@pytest.mark.parametrize("kind", [Opsgenie, Slack])
def test_what_is_wrong_from_the_start_is_no_change(kind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever begins with it says what it says of a channel that cannot be reached."""
    monkeypatch.setenv("AIRFLOW_CONN_ODD", json.dumps({"conn_type": "generic", "password": ""}))
    channel = kind.from_connection("odd")
    with pytest.raises(Exception, match="no password"):
        channel.prepare()
    assert channel.trouble is None


def test_a_wrong_edit_is_said_once_and_that_it_is_mended(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """In Slack, and in red on the page for as long as it lasts."""
    monkeypatch.setattr(look, "RENEW_S", 1.0)
    good = os.environ["AIRFLOW_CONN_WAREHOUSE"]
    Wiring().store().install()
    shown: list[str] = []

    def said(words: str) -> list[SlackMessage]:
        return [message for message in site.inbox.messages() if words in message.text]

    def steps() -> Callable[[], bool]:
        looks = iter(range(1000))

        def until() -> bool:
            look = next(looks)
            if look == 20:
                edited(monkeypatch, "warehouse", {"schema": "nowhere"})
            if look > 20 and not shown and said("connection warehouse cannot be used"):
                monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", good)
                shown.extend(banner.title for banner in banners(PageSource().read()))
            return bool(said("connection warehouse can be used"))

        return until

    asyncio.run(watch(steps(), 40))
    assert len(said("connection warehouse cannot be used as it is written now")) == 1
    assert len(said("connection warehouse can be used as it is written again")) == 1
    assert "The connection warehouse cannot be used as it is written now" in shown
    assert noted_connections(Wiring().store().get_note(WRONG)) == {}
