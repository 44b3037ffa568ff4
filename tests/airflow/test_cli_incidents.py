"""`python -m oncall incidents`, `ack` and `why` on a real site: what they tell, and what comes of it."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest

from oncall.airflow.composition import Wiring
from oncall.airflow.run_once import evaluate_once
from oncall.cli.main import main
from oncall.core.incidents.incident_words import NONE_ACKNOWLEDGED
from oncall.usecases.notes import TICK
from tests.airflow.conftest_site import ZONE, Site
from tests.airflow.watching import soon

PAST = "2026-01-05"
DAY = (dt.datetime.now(ZONE) - dt.timedelta(minutes=1)).date() - dt.timedelta(days=1)
KEY = f"growth_etl:{DAY}"


def watcher_looked(ago_s: float = 0.0) -> None:
    """As the watcher in a triggerer notes it."""
    Wiring().store().set_note(TICK, (dt.datetime.now(dt.UTC) - dt.timedelta(seconds=ago_s)).isoformat())


@pytest.fixture
def broken(site: Site) -> Site:
    """Growth was due a minute ago, its upstream is not there, and somebody was paged."""
    site.promise(soon(-60).time().replace(second=0), dt.time(0, 0))
    # A store that never saw a look watches from its first one on: that was yesterday.
    evaluate_once(dt.datetime.now(dt.UTC) - dt.timedelta(days=1))
    evaluate_once()
    watcher_looked()
    return site


def answer(site: Site, capsys: pytest.CaptureFixture[str], *args: str, code: int = 0) -> Any:
    capsys.readouterr()
    assert main([*args, "--include", str(site.include), "--json"]) == code
    return json.loads(capsys.readouterr().out)


def test_an_incident_is_listed_acknowledged_and_explained(
    broken: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the keys of the API; the far side hears of the acknowledgement at once."""
    [incident] = [one for one in answer(broken, capsys, "incidents") if one["key"] == KEY]
    assert (incident["open"], incident["acknowledged_by"], incident["dag_id"]) == (True, "", "growth_etl")
    why = answer(broken, capsys, "why", "growth_etl")
    assert (why["verdict"], why["report_date"]) == ("broken", str(DAY))
    assert why["cause_words"] == incident["cause_words"], "one evaluation, one cause"

    assert main(["why", "growth_etl", "--include", str(broken.include)]) == 0
    said = capsys.readouterr().out
    for part in (
        "report of",
        why["cause_words"].capitalize(),
        "master.sessions",
        f"Incident {KEY}: ",
        "Runbook: http",
    ):
        assert part in said
    assert main(["incidents", "--include", str(broken.include)]) == 0
    assert "oncall ack KEY" in capsys.readouterr().out

    [done] = answer(broken, capsys, "ack", "growth_etl", "--by", "DE-003")
    assert (done["key"], done["done"]) == (KEY, True)
    assert [alert.acknowledged for alert in broken.inbox.alerts()] == [True]
    [incident] = [one for one in answer(broken, capsys, "incidents") if one["key"] == KEY]
    assert incident["acknowledged_by"] == "DE-003"
    [again] = answer(broken, capsys, "ack", KEY, code=2)
    assert "DE-003 has acknowledged it already" in again["words"]


def test_a_user_of_a_container_who_has_no_name_acknowledges_too(
    broken: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """OpenShift gives each container a number of its own: `ack` and `release` ended in a traceback."""
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("os.getuid", lambda: 1_000_660_000)
    [done] = answer(broken, capsys, "ack", "growth_etl")
    assert done["done"]
    [incident] = [one for one in answer(broken, capsys, "incidents") if one["key"] == KEY]
    assert incident["acknowledged_by"] == "uid 1000660000"


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (
            ["ack", "unit_profit_experiments"],
            "unit_profit_experiments is no open incident",
        ),  # promised to nobody
        (["why", "growth"], "growth is no pipeline; write one of "),
    ],
)
def test_a_name_that_is_none_is_told(
    site: Site, capsys: pytest.CaptureFixture[str], args: list[str], said: str
) -> None:
    """On standard error, with exit code 2."""
    evaluate_once()
    assert main([*args, "--include", str(site.include)]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("day", ["9999-12-31", "2500-01-01", "1999-12-31", "0001-01-01", "infinity"])
def test_a_day_of_which_there_is_no_report_is_refused(day: str, capsys: pytest.CaptureFixture[str]) -> None:
    """It was explained: "cannot tell: it could not be judged: OverflowError", and at the end of time as published."""
    for args in (["why", "growth_etl", "--date", day], ["breaches", day], ["release", "growth_etl", day]):
        with pytest.raises(SystemExit):
            main(args)
        assert (
            f"found '{day}'; write a report date such as 2026-11-20, from 2000-01-01 to 20"
            in capsys.readouterr().err
        )


def test_a_day_of_the_past_is_explained(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    """One that the page shows no more; without a promise too."""
    evaluate_once()
    watcher_looked()
    for pipeline in ("profit_etl", "unit_profit_experiments"):
        why = answer(site, capsys, "why", pipeline, "--date", PAST)
        assert (why["dag_id"], why["report_date"]) == (pipeline, PAST)


@pytest.mark.parametrize("form", [(), ("--json",)], ids=["words", "JSON"])
@pytest.mark.parametrize("args", [("incidents",), ("why", "growth_etl", "--date", PAST)], ids=lambda a: a[0])
def test_an_answer_says_that_the_watcher_does_not_look(
    site: Site, capsys: pytest.CaptureFixture[str], args: tuple[str, ...], form: tuple[str, ...]
) -> None:
    """In the words of the page, beside the answer and by the exit code: nobody may read that all is well."""
    evaluate_once()
    asked = [*args, "--include", str(site.include), *form]
    for told in ("The watcher has never looked", "The watcher has not looked since"):
        assert main(asked) == 1
        said = capsys.readouterr()
        assert f"oncall {args[0]}: {told}" in said.err
        assert (
            "First: is sla_watch unpaused, and does a triggerer run that waiting tasks do not fill?"
            in said.err
        )
        assert said.out
        watcher_looked(ago_s=90)
    watcher_looked()
    assert main(asked) == 0
    assert "watcher" not in capsys.readouterr().err


def test_databases_that_are_away_are_told_and_nothing_is_claimed(
    site: Site, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No "nothing is open" from somebody who cannot see."""
    for name in ("WAREHOUSE", "ONCALL_DB"):
        monkeypatch.setenv(f"AIRFLOW_CONN_{name}", "postgres://u:s3cr3t-of-ours@127.0.0.1:1/d")
    for form in ((), ("--json",)):
        assert main(["incidents", "--include", str(site.include), *form]) == 1
        said = capsys.readouterr()
        assert said.out == ""
    assert "oncall incidents: cannot be read now: oncall_db" in said.err
    assert main(["why", "growth_etl", "--include", str(site.include)]) == 1
    assert "Cannot see whether it is published" in capsys.readouterr().out
    assert main(["ack", KEY, "--include", str(site.include)]) == 1
    refused = capsys.readouterr().err
    assert f"oncall ack: {NONE_ACKNOWLEDGED}" in refused
    assert "none is open" not in refused
    assert "s3cr3t" not in said.err
