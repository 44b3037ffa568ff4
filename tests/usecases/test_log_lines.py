"""What is logged while something is sent: incident and step on every line, and never a key."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NoReturn

import pytest
from structlog.contextvars import get_contextvars, merge_contextvars
from structlog.testing import capture_logs

from oncall.core.errors import DeliveryFailed, Unreadable
from oncall.usecases.evaluate import evaluate
from tests.usecases.conftest_night import Night, at

PACKAGE = Path(__file__).resolve().parents[2] / "plugins" / "oncall"


def test_every_line_of_a_sending_names_incident_and_step(night: Night) -> None:
    """The line that says it failed, and the one that says it was taken, on both channels."""
    night.world.missing("growth_etl")
    night.pager.fail = [DeliveryFailed("timed out")]
    with capture_logs(processors=[merge_contextvars]) as lines:
        night.look("05:00")
        night.send("05:00:05")
    sending = [line for line in lines if line["event"] in ("oncall.delivered", "oncall.delivery_failed")]
    assert {line["event"] for line in sending} == {"oncall.delivered", "oncall.delivery_failed"}
    assert {(line["channel"], line["op"]) for line in sending} >= {("pager", "page"), ("chat", "post")}
    for line in sending:
        assert line["incident"] == "growth_etl:2026-11-22"
        assert line["step"] == "page-1-primary"
    events = [line for line in lines if line["event"] == "oncall.event"]
    assert events
    assert all(line["incident"] == "growth_etl:2026-11-22" for line in events)


def test_a_round_leaves_nothing_behind(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next line of the same thread is about something else, also when the store goes away in the round."""

    def gone(*_: object) -> NoReturn:
        raise Unreadable("oncall_db: gone")

    night.world.missing("growth_etl")
    evaluate(night.config, night.world, night.runs, night.store, night.links, at("05:00"))
    monkeypatch.setattr(night.store, "done", gone)
    with pytest.raises(Unreadable):
        night.send("05:00")
    assert "incident" not in get_contextvars()


def test_no_secret_of_an_error_that_nobody_foresaw_stands_in_the_log(
    night: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a driver repeats of an address comes with its traceback, whoever logs it."""

    def refuses(*_: object) -> NoReturn:
        raise RuntimeError("no route to postgresql://etl:hunter2hunter2@db/x")

    night.world.missing("growth_etl")
    monkeypatch.setattr(night.pager, "page", refuses)
    with capture_logs(processors=[merge_contextvars]) as lines:
        night.look("05:00")
        night.send("05:00:05")
    assert "no route to postgresql://etl:***@db/x" in str(lines)
    assert "Traceback" in str(lines)
    assert "hunter2" not in str(lines)
    told = re.compile(r"log[.]exception|format_exc[(]|exc_info")
    assert not [str(path) for path in PACKAGE.rglob("*.py") if told.search(path.read_text())]


def test_how_long_a_delivery_took_is_on_its_line(night: Night) -> None:
    """Seconds from owed until taken."""
    night.world.missing("growth_etl")
    night.chat.fail = [DeliveryFailed("timed out")]
    night.look("05:00")
    with capture_logs(processors=[merge_contextvars]) as lines:
        night.send("05:00:30")
    (line,) = [line for line in lines if line["event"] == "oncall.delivered"]
    assert (line["channel"], line["after_s"], line["attempts"]) == ("chat", 30.0, 2)
