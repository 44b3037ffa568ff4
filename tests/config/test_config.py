"""Reading `include/`: what good files become, and what is said of every bad one."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterable
from pathlib import Path

import pytest

from oncall.airflow.dag_settings import FALLBACK_SCHEDULE, terms_of
from oncall.config import oncall_config
from oncall.config.include_files import read_folder
from oncall.core.errors import ConfigError
from oncall.core.message import Recipient
from oncall.core.promises.promise import Promise, Team
from oncall.core.rota.roster import EscalationStep, Handoff, Leave, Override, Rotation
from tests.include_folder import HEAD, ROSTER, RUNBOOK, write_include


def utc(*parts: int) -> dt.datetime:
    return dt.datetime(*parts, tzinfo=dt.UTC)  # type: ignore[misc, arg-type]


def problems_of(tmp_path: Path, roster: str = ROSTER, runbook: str | None = RUNBOOK) -> list[str]:
    """What `check` says of a folder, each as "file: key: found …; write …"."""
    return [
        str(problem) for problem in oncall_config.check(write_include(tmp_path / "include", roster, runbook))
    ]


# Good files


def test_a_good_folder_becomes_frozen_objects(tmp_path: Path) -> None:
    """Every key of the roster arrives, times as instants of the roster's zone."""
    roster = oncall_config.load(write_include(tmp_path / "include")).roster
    assert roster.tz.utcoffset(None) == dt.timedelta(hours=7)
    assert (roster.handoff, roster.manager) == (Handoff(0, dt.time(9)), "BOSS")
    assert roster.people["ANN"].specialties == ("profit",)
    assert roster.rotation == (Rotation(dt.date(2025, 12, 29), (("ANN", "BEN"), ("BEN", "ANN"))),)
    assert roster.leave == (
        Leave(
            "ANN",
            utc(2026, 1, 12, 2),
            utc(2026, 1, 19, 2),
            "holiday",
        ),
    )
    assert roster.overrides == (
        Override(
            utc(2026, 2, 2, 2),
            utc(2026, 2, 4, 2),
            "BOSS",
            None,
            "swap",
        ),
    )
    assert roster.escalation[2] == EscalationStep(dt.timedelta(minutes=90), "manager")
    assert (roster.slack_channel, roster.slack_usergroup) == ("#alerts", "S0GROUP")
    assert (roster.opsgenie_team, roster.opsgenie_heartbeat) == ("data", "beat")
    assert roster.recipient("BEN") == Recipient("Ben", "ben@example.com", "U0BEN")
    assert roster.recipient("gone") == Recipient("gone")


def test_public_holidays_are_the_countrys_and_the_companys(tmp_path: Path) -> None:
    """In English where the package can; other days are none."""
    holidays = oncall_config.load(write_include(tmp_path / "include")).roster.public_holidays
    assert holidays[dt.date(2026, 4, 30)] == "Liberation Day/Reunification Day"
    assert holidays[dt.date(2026, 12, 31)] == "Company day"
    assert dt.date(2026, 4, 29) not in holidays


def test_a_pipeline_is_the_head_of_its_runbook_and_its_owners(tmp_path: Path) -> None:
    """The sections can be asked for one by one."""
    pipeline = oncall_config.load(write_include(tmp_path / "include")).pipelines["sales_etl"]
    assert (pipeline.title, pipeline.report, pipeline.schedule) == (
        "Sales ETL",
        "investor.daily_sales",
        "0 2 * * *",
    )
    assert (pipeline.primary_owner, pipeline.secondary_owner) == ("ANN", "BEN")
    assert pipeline.promise == Promise(dt.time(5), dt.time(3, 30, 30))
    assert pipeline.upstream == ("master.orders", "base.profit")
    assert pipeline.upstream_owner == Team("Software Engineer Team", "#swe")
    assert pipeline.runbook.section("stuck") == "1. Do what Stuck says."
    assert pipeline.runbook.body.startswith("# Sales ETL")


def with_a_team(tmp_path: Path, *, head: str = "team: growth\n") -> Path:
    """The folder, and a second pipeline that a team with a roster of its own answers for."""
    folder = write_include(tmp_path / "include")
    (folder / "teams" / "growth").mkdir(parents=True)
    theirs = (
        ROSTER.replace("sales_etl", "visits_etl").replace("ANN", "CHI").replace("+07:00", "Europe/Berlin")
    )
    (folder / "teams" / "growth" / "roster.yaml").write_text(theirs)
    visits = RUNBOOK.replace("sales_etl", "visits_etl").replace("daily_sales", "daily_visits")
    visits = visits.replace("---\n\n", f"{head}---\n\n", 1)
    (folder / "runbooks" / "visits_etl.md").write_text(visits)
    return folder


def test_a_team_has_a_roster_of_its_own(tmp_path: Path) -> None:
    """The runbook's head names the team, its folder has the roster; both teams' people and zones are told apart."""
    config = oncall_config.load(with_a_team(tmp_path))
    assert config.roster_of("sales_etl") is config.roster
    assert config.roster_of("visits_etl") is config.teams["growth"]
    assert str(config.teams["growth"].tz) == "Europe/Berlin"
    assert config.pipelines["visits_etl"].primary_owner == "CHI"
    assert {team: list(part.pipelines) for team, part in config.by_team().items()} == {
        "": ["sales_etl"],
        "growth": ["visits_etl"],
    }
    assert "CHI" in oncall_config.load_roster(tmp_path / "include", "growth")[0].people


def test_a_runbook_of_another_team_than_its_roster_says_is_told(tmp_path: Path) -> None:
    """The roster of one team names a pipeline whose runbook names no team: both places are told."""
    found = [str(problem) for problem in oncall_config.check(with_a_team(tmp_path, head=""))]
    assert len(found) == 2
    assert "pipelines.visits_etl: found a pipeline whose runbook says no team" in found[1]
    assert found[1].startswith("teams/growth/roster.yaml:")
    assert "its owners in roster.yaml" in found[1]
    assert found[0].startswith(
        "runbooks/visits_etl.md: pipeline: found a runbook that the roster names no owners for"
    )


def test_a_team_without_a_roster_is_told(tmp_path: Path) -> None:
    """The file that is missing is named, and the teams there are."""
    found = [str(problem) for problem in oncall_config.check(with_a_team(tmp_path, head="team: grwth\n"))]
    assert found[0].startswith(
        "runbooks/visits_etl.md: team: found 'grwth'; write a team that has a roster (growth)"
    )
    assert "teams/grwth/roster.yaml" in found[0]
    with pytest.raises(ConfigError, match="no such file"):
        oncall_config.load_roster(tmp_path / "include", "grwth")


def test_a_heading_inside_a_code_fence_is_no_section(tmp_path: Path) -> None:
    """A shell comment with two signs stays in the section it stands in."""
    runbook = RUNBOOK.replace("1. Do what Stuck says.", "```sh\n## Failed\nls\n```")
    pipeline = oncall_config.load(write_include(tmp_path / "include", runbook=runbook)).pipelines["sales_etl"]
    assert "## Failed" in pipeline.runbook.section("stuck")


def test_a_secret_in_a_runbook_is_read_by_nobody(tmp_path: Path) -> None:
    """Neither in an alert nor on a page nor in Airflow's docs; the steps around it, and every section, stay."""
    step = (
        "1. Do what Stuck says: `psql postgresql://etl:hunter2hunter2@db/x`, then `vault login`, password:\n"
    )
    runbook = RUNBOOK.replace("1. Do what Stuck says.", step)
    folder = write_include(tmp_path / "include", runbook=runbook)
    assert oncall_config.check(folder) == []
    read = oncall_config.load(folder).pipelines["sales_etl"].runbook
    assert "hunter2hunter2" not in str(read)
    assert "Do what Stuck says: `psql postgresql://etl:***@db/x`, then" in read.section("stuck")
    assert "Do what Failed says." in read.body


def test_code_and_a_heading_may_be_written_as_markdown_allows(tmp_path: Path) -> None:
    """Code of three marks in one line begins no block; blanks in a heading are one blank."""
    runbook = RUNBOOK.replace("1. Do what Stuck says.", "```ls``` says more.").replace(
        "## Never started", "##  Never\u00a0 started"
    )
    assert oncall_config.check(write_include(tmp_path / "include", runbook=runbook)) == []


def test_a_pipeline_without_promise_and_schedule_is_good(tmp_path: Path) -> None:
    """The experiments have no promise, and may start on data."""
    runbook = "\n".join(
        line for line in RUNBOOK.splitlines() if not line.startswith(("promise:", "schedule:"))
    )
    pipeline = oncall_config.load(write_include(tmp_path / "include", runbook=runbook)).pipelines["sales_etl"]
    assert (pipeline.promise, pipeline.schedule) == (None, None)


@pytest.mark.parametrize(
    ("written", "read", "weekdays"),
    [
        ("@daily", "0 0 * * *", range(7)),
        ("00 02 * * MON-SUN", "0 2 * * *", range(7)),
        ("0 2 */1 1-12 0-6", "0 2 * * *", range(7)),
        ("0 2 ? * *", "0 2 * * *", range(7)),
        ("30 2 * * MON-FRI", "30 2 * * 1,2,3,4,5", range(5)),
        ("0 2 * * 2-6", "0 2 * * 2,3,4,5,6", range(1, 6)),
        ("0 2 * * 7", "0 2 * * 0", [6]),
        ("@weekly", "0 0 * * 0", [6]),
    ],
)
def test_a_schedule_of_once_a_day_is_read_in_each_of_its_spellings(
    tmp_path: Path, written: str, read: str, weekdays: Iterable[int]
) -> None:
    """And the promise holds on the days on which it runs."""
    runbook = RUNBOOK.replace('"0 2 * * *"', f'"{written}"')
    pipeline = oncall_config.load(write_include(tmp_path / "include", runbook=runbook)).pipelines["sales_etl"]
    assert pipeline.schedule == read
    assert pipeline.promise
    assert pipeline.promise.weekdays == frozenset(weekdays)


@pytest.mark.parametrize(
    ("written", "read"),
    [("0 */6 * * *", "0 */6 * * *"), ("@hourly", "0 * * * *"), ("0 2 1 * *", "0 2 1 * *")],
)
def test_without_a_promise_any_schedule_is_good(tmp_path: Path, written: str, read: str) -> None:
    """What is due at no time may run as often as it likes."""
    without = "\n".join(line for line in RUNBOOK.splitlines() if not line.startswith("promise:"))
    runbook = without.replace('"0 2 * * *"', f'"{written}"')
    config = oncall_config.load(write_include(tmp_path / "include", runbook=runbook))
    assert config.pipelines["sales_etl"].schedule == read


@pytest.mark.parametrize(
    ("zone", "offset"),
    [("-03:30", -3.5), ("Asia/Bangkok", 7), ("UTC", 0), ("Europe/Berlin", 1)],
)
def test_a_zone_is_an_offset_or_an_iana_name(tmp_path: Path, zone: str, offset: float) -> None:
    """The handoff is at nine in that zone."""
    roster = oncall_config.load(write_include(tmp_path / "include", ROSTER.replace("+07:00", zone))).roster
    assert roster.starts.utcoffset() == dt.timedelta(hours=offset)


@pytest.mark.parametrize(
    ("times", "start", "end"),
    [
        ("from: 2026-01-12, until: 2026-01-12", (12, 2, 0), (13, 2, 0)),
        ('from: "2026-01-12 13:30", until: 2026-01-12', (12, 6, 30), (13, 2, 0)),
        ("from: 2026-01-12, until: 2026-01-12T17:00", (12, 2, 0), (12, 10, 0)),
        ("from: 2026-01-12T00:00:00Z, until: 2026-01-12T12:00:00+02:00", (12, 0, 0), (12, 10, 0)),
    ],
)
def test_a_date_is_its_on_call_day_and_a_time_stands_as_it_is(
    tmp_path: Path, times: str, start: tuple[int, int, int], end: tuple[int, int, int]
) -> None:
    """Rule 2, with and without quotes and offsets; expected as day, hour and minute in UTC."""
    text = ROSTER.replace("from: 2026-01-12, until: 2026-01-18", times)
    (leave,) = oncall_config.load(write_include(tmp_path / "include", text)).roster.leave
    assert (leave.start, leave.end) == tuple(utc(2026, 1, *at) for at in (start, end))


def test_the_include_folder_can_be_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """By `ONCALL_INCLUDE_DIR`, else it stands beside `plugins`."""
    monkeypatch.delenv("ONCALL_INCLUDE_DIR", raising=False)
    assert oncall_config.include_dir() == Path(oncall_config.__file__).parents[3] / "include"
    monkeypatch.setenv("ONCALL_INCLUDE_DIR", str(tmp_path))
    assert oncall_config.include_dir() == tmp_path
    monkeypatch.setenv("ONCALL_INCLUDE_DIR", " ~/include\n")  # as an env file has it
    assert oncall_config.include_dir() == Path.home() / "include"


def test_a_home_that_nobody_has_is_a_folder_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container whose user is a mere number: no DAG file parsed, and no look was made."""
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 1_000_660_000)
    for named in ("~/include", "~nobody-at-all/include"):
        monkeypatch.setenv("ONCALL_INCLUDE_DIR", named)
        problems = [str(problem) for problem in oncall_config.check(oncall_config.include_dir())]
        assert problems[0].startswith(
            "roster.yaml: (file): found No such file or directory; write the file /"
        )
        assert problems[0].endswith(f"/{named}/roster.yaml")
    assert terms_of("growth_etl").schedule == FALLBACK_SCHEDULE


# Bad rosters


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (('"+07:00"', '"+7"'), "roster.yaml:1: timezone: found '+7'; write a fixed offset such as"),
        (("day: monday", "day: moonday"), "roster.yaml:2: handoff.day: found 'moonday'; write one of monday"),
        (('at: "09:00"', 'at: "9 h"'), "roster.yaml:2: handoff.at: found '9 h'; write a time of day"),
        (("manager: BOSS\n", ""), "roster.yaml:1: manager: found nothing; write the manager's id"),
        (
            ("manager: BOSS", "manager: BOS"),
            "roster.yaml:3: manager: found 'BOS'; write 'BOS' under people too",
        ),
        (("leave:\n", "leaves:\n"), "roster.yaml:11: leaves: found an unknown key; write one of"),
        (("name: Ann", "nam: Ann"), "roster.yaml:5: people.ANN.nam: found an unknown key; write one of name"),
        ((", slack: U0BEN", ""), "roster.yaml:6: people.BEN.slack: found nothing; write the Slack member id"),
        (("opsgenie: boss@example.com, ", ""), "roster.yaml:7: people.BOSS.opsgenie: found nothing; write"),
        (
            ("boss@example.com", "boss"),
            "roster.yaml:7: people.BOSS.opsgenie: found 'boss'; write the Opsgenie username",
        ),
        (("U0ANN", '"@ann"'), "roster.yaml:5: people.ANN.slack: found '@ann'; write the Slack member id"),
        (
            ("2025-12-29", "2025-12-30"),
            "roster.yaml:9: rotation[0].starts: found 2025-12-30, a Tuesday; write a Monday",
        ),
        (
            ("starts: 2025-12-29", "starts: soon"),
            "roster.yaml:9: rotation[0].starts: found 'soon'; write a date such as",
        ),
        (
            ("[BEN, ANN]]", "[BEN, ANNE]]"),
            "rotation[0].weeks[1][1]: found 'ANNE'; write one of the people ANN, BEN, BOSS",
        ),
        (
            ("[BEN, ANN]]", "[BEN]]"),
            "roster.yaml:10: rotation[0].weeks[1]: found 1 of them; write a row of two people",
        ),
        (("[BEN, ANN]]", "[BEN, BEN]]"), "rotation[0].weeks[1]: found BEN twice; write two different people"),
        # It was passed over: from then on each week was another pair's.
        (("[BEN, ANN]]", "null, [BEN, ANN]]"), "rotation[0].weeks[1]: found nothing; write a row"),
        (
            ("[[ANN, BEN], [BEN, ANN]]", "[]"),
            "roster.yaml:10: rotation[0].weeks: found no row; write at least one row",
        ),
        (
            ("person: ANN,", "person: AN,"),
            "roster.yaml:12: leave[0].person: found 'AN'; write one of the people",
        ),
        (
            ("until: 2026-01-18", "until: 2026-01-11"),
            "roster.yaml:12: leave[0].until: found '2026-01-11'; write an end after",
        ),
        (
            ("until: 2026-01-18", "until: 2026-02-30"),
            "roster.yaml:12: leave[0].until: found '2026-02-30'; write a date",
        ),
        (("until: 2026-01-18, ", ""), "roster.yaml:12: leave[0].until: found nothing; write a date"),
        (
            ("primary: BOSS, reason", "reason"),
            "roster.yaml:14: overrides[0]: found neither seat; write a primary",
        ),
        (
            ("primary: BOSS", "primary: BOSS, secondary: BOSS"),
            "overrides[0]: found BOSS in both seats; write two",
        ),
        (
            ("country: VN", "country: XX"),
            "roster.yaml:15: public_holidays.country: found 'XX'; write an ISO 3166",
        ),
        (
            ("country: VN", "country: DE, subdivision: XX"),
            "public_holidays.subdivision: found 'XX'; write one of BB",
        ),
        (("date: 2026-12-31", "date: xmas"), "public_holidays.extra[0].date: found 'xmas'; write a date"),
        (("after: 15m", "after: 0m"), "roster.yaml:18: escalation[1].after: found '0m'; write a time later"),
        (
            ("after: 0m", "after: 5m"),
            "roster.yaml:17: escalation[0].after: found '5m'; write 0m: the first step",
        ),
        (
            ("after: 15m", "after: soon"),
            "roster.yaml:18: escalation[1].after: found 'soon'; write a duration",
        ),
        (
            ("page: manager", "page: boss"),
            "roster.yaml:19: escalation[2].page: found 'boss'; write one of primary",
        ),
        (
            ('channel: "#alerts", ', ""),
            "roster.yaml:20: slack.channel: found nothing; write the Slack channel",
        ),
        (
            (", heartbeat: beat", ""),
            "roster.yaml:21: opsgenie.heartbeat: found nothing; write the Opsgenie heartbeat",
        ),
        (
            ("primary_owner: ANN", "primary_owner: EVE"),
            "roster.yaml:23: pipelines.sales_etl.primary_owner: found 'EVE'",
        ),
        (
            ("manager: BOSS", "manager: BOSS\nmanager: ANN"),
            "roster.yaml:4: manager: found the same key again; write",
        ),
        (
            ("2025-12-29", "2999-12-30"),
            "rotation: found 2999-12-30 as the first day of all; write an entry that has begun",
        ),
        (
            (
                "[ANN, BEN], [BEN, ANN]]",
                "[ANN, BEN], [BEN, ANN]]\n  - {starts: 2025-12-29, weeks: [[ANN, BEN]]}",
            ),
            "rotation[1].starts: found '2025-12-29'; write a date that no other entry",
        ),
        (
            ("rotation:\n  - starts: 2025-12-29\n    weeks: [[ANN, BEN], [BEN, ANN]]", "rotation: []"),
            "roster.yaml:8: rotation: found nobody who takes turns; write a list such as",
        ),
        (("#alerts", "#on call"), "roster.yaml:20: slack.channel: found '#on call'; write the Slack channel"),
        (("#alerts", "@ann"), "roster.yaml:20: slack.channel: found '@ann'; write the Slack channel"),
        (
            ("ann@example.com", "ann@example.com's"),
            """opsgenie: found "ann@example.com's"; write the Opsgenie username""",
        ),
        (
            ("name: Ann", "name: “Ann”"),
            "found '“Ann”'; write the person's name, without the quotes of a word processor",
        ),
        (("#alerts", "#alerts/"), "slack.channel: found '#alerts/'; write the Slack channel"),
        (("#alerts", "<#C0123|alerts>"), "slack.channel: found '<#C0123|alerts>'; write the Slack channel"),
        (
            ("#alerts", "archives/C0123ABC"),
            "slack.channel: found 'archives/C0123ABC'; write the Slack channel",
        ),
        (
            ("#alerts", "#Alerts"),
            "slack.channel: found '#Alerts'; write #alerts: no channel of Slack has capitals",
        ),
        (("#alerts", "#GENERAL"), "found '#GENERAL'; write #general: no channel of Slack has capitals"),
        (("#alerts", "GENERAL"), "found 'GENERAL'; write general: no channel of Slack has capitals"),
        (("#alerts", "UPSTREAM"), "found 'UPSTREAM'; write upstream: no channel of Slack has capitals"),
        (("#alerts", "＃alerts"), "slack.channel: found '＃alerts'; write #alerts, as a keyboard types it"),
        (
            ("#alerts", "#ａｌｅｒｔｓ"),
            "slack.channel: found '#ａｌｅｒｔｓ'; write #alerts, as a keyboard types it",
        ),
        (("#alerts", "#alerts→de"), "slack.channel: found '#alerts→de'; write the Slack channel"),
        (("#alerts", "#alerts🔥"), "slack.channel: found '#alerts🔥'; write the Slack channel"),
        (("#alerts", "#data—alerts"), "slack.channel: found '#data—alerts'; write the Slack channel"),
        (("#alerts", "#" + "a" * 81), "write the Slack channel"),
        (
            ("heartbeat: beat", "heartbeat: a/b"),
            "opsgenie.heartbeat: found 'a/b'; write the heartbeat's name alone",
        ),
        (
            ("heartbeat: beat", "heartbeat: .."),
            "opsgenie.heartbeat: found '..'; write the heartbeat's name alone",
        ),
        (
            ("heartbeat: beat", "heartbeat: 'beat?x=1'"),
            "heartbeat: found 'beat?x=1'; write the heartbeat's name",
        ),
        (
            ("heartbeat: beat", "heartbeat: beat%20one"),
            "heartbeat: found 'beat%20one'; write the heartbeat's name",
        ),
        (
            ("heartbeat: beat", "heartbeat: https://api.opsgenie.com/v2/heartbeats/beat/ping"),
            "write the heartbeat's name alone",
        ),
        (
            ("usergroup: S0GROUP", 'usergroup: "@oncall"'),
            "slack.usergroup: found '@oncall'; write the id of the on-call",
        ),
        (
            ("ann@example.com", "ann @example.com"),
            "people.ANN.opsgenie: found 'ann @example.com'; write the Opsgenie",
        ),
        (
            ("name: Ben", "name: ann"),
            "people.BEN.name: found 'ann'; write a name that is nobody else's: it is the id of ANN",
        ),
        (
            (
                "name: Ann, opsgenie: ann@example.com, slack: U0ANN, specialties: [profit]}\n  BEN: {name: Ben",
                "name: Kim Lee, opsgenie: ann@example.com, slack: U0ANN}\n  BEN: {name: kim  lee",
            ),
            "people.BEN.name: found 'kim  lee'; write a name that is nobody else's: it is the name of ANN",
        ),
        (("+07:00", "Asia"), "roster.yaml:1: timezone: found 'Asia'; write a fixed offset such as"),
        (
            ("+07:00", "Etc/GMT+7"),
            'write the offset itself: "-07:00" is what this name means, "+07:00" what it',
        ),
        (
            ("+07:00", "Etc/GMT-11"),
            'write the offset itself: "+11:00" is what this name means, "-11:00" what',
        ),
        (("+07:00", "+99:00"), "roster.yaml:1: timezone: found '+99:00'; write a fixed offset"),
        (
            ("ben@example.com", "Ann@example.com"),
            "roster.yaml:6: people.BEN.opsgenie: found 'Ann@example.com'; write BEN's own: ANN, who is",
        ),
        (
            ("U0BEN", "U0ANN"),
            "roster.yaml:6: people.BEN.slack: found 'U0ANN'; write BEN's own: ANN, who is on call",
        ),
        # The last step of the escalation would wake whom the first one did not.
        (
            ("boss@example.com", "ben@example.com"),
            "roster.yaml:7: people.BOSS.opsgenie: found 'ben@example.com'; write BOSS's own: BEN, who is on call",
        ),
        (
            ("page: secondary", "page: primary"),
            "escalation[1].page: found 'primary'; write a seat that no step before it pages: nobody is called",
        ),
        (
            ("ann@example.com", "\u0430nn@example.com"),
            "people.ANN.opsgenie: found '\\u0430nn@example.com'; write the Opsgenie username in plain letters, a to z",
        ),
        (
            ("manager: BOSS", "manager: B\u041eSS"),
            "(did you mean BOSS? They differ by CYRILLIC CAPITAL LETTER O)",
        ),
        (("person: ANN,", "person: AN\u200dN,"), "(did you mean ANN? They differ by ZERO WIDTH JOINER)"),
        (
            ("  ANN: {", "  A\u00adNN: {"),
            "found a key that is no name: 'A\\xadNN'; write a name of 1 to 60 characters",
        ),
        (
            ("  ANN: {", "  ANN\ufe0f: {"),
            "found a key that is no name: 'ANN\\ufe0f'; write a name of 1 to 60",
        ),
        (
            ("#alerts", "#al\u200certs"),
            "slack.channel: found '#al\\u200certs'; write the Slack channel for alerts",
        ),
        (("+07:00", "+24:00"), "timezone: found '+24:00'; write a fixed offset such as \"+07:00\""),
        (("+07:00", "localtime"), "roster.yaml:1: timezone: found 'localtime'; write a fixed offset"),
        (
            ("+07:00", "right/Europe/Berlin"),
            "roster.yaml:1: timezone: found 'right/Europe/Berlin'; write a fixed",
        ),
        (("+07:00", "../etc/passwd"), "roster.yaml:1: timezone: found '../etc/passwd'; write a fixed offset"),
        (
            ("until: 2026-01-18", "until: 9999-12-31"),
            "leave[0].until: found '9999-12-31'; write a date such as",
        ),
        (("from: 2026-01-12", "from: 1969-12-31"), "leave[0].from: found '1969-12-31'; write a date such as"),
        (("until: 2026-01-18", "until: 2026-W03"), "leave[0].until: found '2026-W03'; write a date such as"),
        (
            ("until: 2026-01-18", "until: 2026-01-18-09:00"),
            "leave[0].until: found '2026-01-18-09:00'; write a date",
        ),
        (
            ("after: 15m", "after: 99999999999999h"),
            "escalation[1].after: found '99999999999999h'; write a duration",
        ),
        (("after: 15m", "after: 720h"), "escalation[1].after: found '720h'; write a duration under 30 days"),
        (
            ("name: Ann", "name: !!python/object:os.system Ann"),
            "found the tag !!python/object:os.system; write the value without it",
        ),
        (("name: Ann", "name: *x"), "roster.yaml:5: (file): found *x, which is not known here"),
        (("  ANN: {", "  <<: {"), "roster.yaml:5: people.<<: found a merge key; write each key itself"),
        (
            ("name: Ann", 'name: "A\\0nn"'),
            "roster.yaml:5: people.ANN.name: found 'A\\x00nn'; write the person's name, without",
        ),
        (
            ("reason: swap", f"reason: {'x' * 2000}"),
            "overrides[0].reason: found 2000 characters; write a reason in words, in at",
        ),
        (("timezone:", "timezone: ["), "roster.yaml:1: (file): found a [ without its ], or"),
        ((ROSTER, ""), "roster.yaml: (file): found nothing; write the keys timezone"),
        ((ROSTER, "- a list"), "roster.yaml:1: (file): found a list; write a mapping"),
    ],
)
def test_each_problem_names_file_line_key_and_what_to_write(
    tmp_path: Path, change: tuple[str, str], expected: str
) -> None:
    """One change breaks the good roster; one of the problems says exactly that."""
    assert change[0] in ROSTER
    said = problems_of(tmp_path, ROSTER.replace(*change, 1))
    assert any(expected in problem for problem in said), said


SECRET = "hunter2hunter2hunter2"
URL = f"https://user:{SECRET}@opsgenie.example.com/a/very/long/path/that/is/cut/somewhere"


@pytest.mark.parametrize(
    "secret", [URL, f"postgresql://etl:{SECRET * 5}@db/x", f"xoxb-1234-{SECRET}", f"token={SECRET}"]
)
@pytest.mark.parametrize(
    ("was", "now"),
    [
        ("heartbeat: beat", "heartbeat: '{}'"),
        ("heartbeat: beat", "heartbeat: beat, '{}': x"),
        ("team: data", "team: '{}'"),
        ('channel: "#alerts"', "channel: '{}'"),
        ("opsgenie: ann@example.com", "opsgenie: '{}'"),
        ("manager: BOSS", "manager: '{}'"),
        ("manager: BOSS", "manager: '{}"),
        ('timezone: "+07:00"', "timezone: '{}'"),
        ("until: 2026-01-18", "until: '{}'"),
        ("after: 15m", "after: '{}'"),
        ("page: secondary", "page: '{}'"),
        ("country: VN", "country: '{}'"),
        ("ANN: {name", "'{}': {name"),
        ("report: investor.daily_sales", "report: '{}'"),
        ("report: investor.daily_sales", "host: '{}'"),
        ("downstream_owner: Investor", "downstream_owner: '{}' #"),
        ('schedule: "0 2 * * *"', "schedule: '{}'"),
        ("master.orders", "'{}'"),
        ('due: "05:00"', "due: '{}'"),
        ('slack: "#swe"', "slack: '{}'"),
    ],
)  # fmt: skip
def test_a_secret_in_a_wrong_field_is_refused_and_not_repeated(
    tmp_path: Path, was: str, now: str, secret: str
) -> None:
    """Roster and runbook heads are read by many: what is a password there is said to be one, and where it belongs."""
    assert was in ROSTER + RUNBOOK
    roster, runbook = (text.replace(was, now.replace("{}", secret), 1) for text in (ROSTER, RUNBOOK))
    problems = problems_of(tmp_path, roster, runbook)
    assert problems
    assert "hunter2" not in "\n".join(problems)


@pytest.mark.parametrize("channel", ["C0123456789", "G0123ABC", "CABCDEFGH", "#alerts", "alerts-of-data"])
def test_a_channel_is_a_name_or_an_id(tmp_path: Path, channel: str) -> None:
    """Of Slack's older ids some have no digit."""
    assert problems_of(tmp_path, ROSTER.replace('"#alerts"', f'"{channel}"')) == []


def test_a_misspelt_key_is_told_what_was_probably_meant(tmp_path: Path) -> None:
    """The suggestion is the nearest known key."""
    said = problems_of(tmp_path, ROSTER.replace("heartbeat:", "hartbeat:"))
    assert said[0].endswith("write one of team, heartbeat (did you mean heartbeat?)")


def test_two_overrides_of_one_seat_at_one_time_are_an_error(tmp_path: Path) -> None:
    """Touching ends are fine; one person in both seats is not."""
    first = '  - {from: "2026-02-02 09:00", until: "2026-02-04 09:00", primary: BOSS, reason: swap}\n'

    def with_second(folder: str, times: str) -> list[str]:
        return problems_of(tmp_path / folder, ROSTER.replace(first, f"{first}  - {{{times}}}\n"))

    same = with_second("same", 'from: "2026-02-04 08:59", until: 2026-02-04, primary: ANN')
    assert same == [
        "roster.yaml:15: overrides[1]: found the primary overridden twice at one time; "
        "write times that do not overlap with overrides[0] in line 14"
    ]
    assert (
        "one person in both seats"
        in with_second("cross", "from: 2026-02-03, until: 2026-02-03, secondary: BOSS")[0]
    )
    assert with_second("touching", 'from: "2026-02-04 09:00", until: 2026-02-04, primary: ANN') == []
    assert with_second("other", "from: 2026-02-03, until: 2026-02-03, secondary: ANN") == []


# Bad runbooks and SQL


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            ("pipeline: sales_etl", "pipeline: sales"),
            "runbooks/sales_etl.md:2: pipeline: found 'sales'; write sales_etl",
        ),
        (
            ("title: Sales ETL\n", ""),
            "runbooks/sales_etl.md:2: title: found nothing; write the pipeline's title",
        ),
        (
            ("report: investor.daily_sales", "report: sales"),
            "runbooks/sales_etl.md:5: report: found 'sales'; write a table",
        ),
        *(
            (
                ("investor.daily_sales", table),
                f"report: found '{table}'; write the table that this pipeline publishes",
            )
            for table in (
                "master.orders",
                "base.profit",
                "oncall.incidents",
                "pg_catalog.pg_class",
                "investor.publications",
                "investor.checks",
            )
        ),
        (
            ('"0 2 * * *"', '"0 25 * * *"'),
            "runbooks/sales_etl.md:8: schedule: found '0 25 * * *'; write a cron",
        ),
        (
            ('"0 2 * * *"', '"0 2 * * * *"'),
            "schedule: found '0 2 * * * *'; write a cron expression of five fields",
        ),
        (
            ('"0 2 * * *"', '"0 2 * * 5#1"'),
            "schedule: found '0 2 * * 5#1', which leaves out days other than by their weekday; write a time every day",
        ),
        (('"0 2 * * *"', '"@monthly"'), "schedule: found '@monthly', which leaves out days"),
        (('"0 2 * * *"', '"@hourly"'), "schedule: found '@hourly', which is more than once a day"),
        (('"0 2 * * *"', '"@never"'), "schedule: found '@never'; write a cron expression"),
        (('"0 2 * * *"', '"0 2 1 * *"'), "schedule: found '0 2 1 * *', which leaves out days"),
        (
            ('"0 2 * * *"', '"0 6 * * *"'),
            "schedule: found '0 6 * * *', which is not before the promise's due time 05:00",
        ),
        (
            ('"0 2 * * *"', '"0 5 * * *"'),
            "schedule: found '0 5 * * *', which is not before the promise's due time",
        ),
        (('"0 2 * * *"', '"0 */6 * * *"'), "schedule: found '0 */6 * * *', which is more than once a day"),
        (
            (HEAD[HEAD.index("schedule") :], HEAD[HEAD.index("promise") :].replace(", base.profit", "")),
            "schedule: found nothing; write a time every day, or on some weekdays, before 05:00, when the report is"
            ' due, such as "0 2 * * *"; if something else starts it, the time by which it does',
        ),
        (
            ("upstream: [", "usually: 3h\nupstream: ["),
            "usually: found '3h', from 02:00 on; write what ends before 05:00, when the report is due",
        ),
        (
            ('"0 2 * * *"', '"0 2 31 2 *"'),
            "schedule: found '0 2 31 2 *', which never comes; write a cron expression",
        ),
        (('"0 2 * * *"', '"R 2 * * *"'), "schedule: found 'R 2 * * *'; write a cron expression"),
        (
            ("master.orders,", "shop.orders,"),
            "runbooks/sales_etl.md:10: upstream[0]: found 'shop.orders'; write one of master.customers",
        ),
        (
            ("base.profit", "base.sales"),
            "runbooks/sales_etl.md:10: upstream[1]: found 'base.sales'; write one of master.customers",
        ),
        (
            ('due: "05:00"', 'due: "5 am"'),
            "runbooks/sales_etl.md:9: promise.due: found '5 am'; write a time of day",
        ),
        (
            (', warn_upstream_at: "03:30:30"', ""),
            "runbooks/sales_etl.md:9: promise.warn_upstream_at: found nothing",
        ),
        (
            ('due: "05:00", warn_upstream_at: "03:30:30"', 'due: "00:30", warn_upstream_at: "23:00"'),
            "promise.warn_upstream_at: found '23:00'; write a time before 00:30, when the report is due",
        ),
        (
            ("master.orders", "master.order"),
            "upstream[0]: found 'master.order'; write one of master.customers",
        ),
        (("master.orders", "orders"), "runbooks/sales_etl.md:10: upstream[0]: found 'orders'; write a table"),
        (
            ("[master.orders, base.profit]", "[]"),
            "or none where it is a DAG of yours that waits for none of them",
        ),
        (
            ("[master.orders, base.profit]", "nothing"),
            "runbooks/sales_etl.md:10: upstream: found 'nothing'; write a list",
        ),
        ((', slack: "#swe"', ""), "runbooks/sales_etl.md:6: upstream_owner.slack: found nothing; write"),
        (("purpose:", "propose:"), "runbooks/sales_etl.md:4: propose: found an unknown key"),
        (
            (f"---\n{HEAD}---\n", ""),
            "runbooks/sales_etl.md:1: (head): found no head; write the pipeline's contract",
        ),
        (
            ("1. Do what Stuck says.", "```sql\nselect 1"),
            "## Stuck: found a block of code that begins with ``` and never ends; write a line of ``` below it",
        ),
        (("## Stuck", "## STUCK"), "write a section with the heading '## Stuck' (in place of '## STUCK'?)"),
        (
            ("purpose:", "usually: soon\npurpose:"),
            "runbooks/sales_etl.md:4: usually: found 'soon'; write a duration",
        ),
        (("title: Sales", "title: [Sales"), "runbooks/sales_etl.md:3: (file): found a [ without its ]"),
        (
            ("## Stuck", "## Stucked"),
            "## Stuck: found no such section; write a section with the heading '## Stuck' (in place",
        ),
        (
            ("## Stuck", "## Failed"),
            "runbooks/sales_etl.md: ## Failed: found the same section again; write each section once",
        ),
        (
            ("1. Do what Stuck says.\n", ""),
            "runbooks/sales_etl.md: ## Stuck: found an empty section; write the steps",
        ),
    ],
)
def test_each_problem_of_a_runbook_is_told(tmp_path: Path, change: tuple[str, str], expected: str) -> None:
    """One change breaks the good runbook; one of the problems says exactly that."""
    assert change[0] in RUNBOOK
    said = problems_of(tmp_path, runbook=RUNBOOK.replace(*change, 1))
    assert any(expected in problem for problem in said), said


def test_a_runbook_without_running_is_good_and_lends_stuck(tmp_path: Path) -> None:
    """One from before that cause was told apart still says what to do."""
    text = RUNBOOK.replace("## Running\n\n1. Do what Running says.\n", "", 1)
    assert text != RUNBOOK
    folder = write_include(tmp_path / "include", runbook=text)
    assert (
        oncall_config.load(folder).pipelines["sales_etl"].runbook.section("running")
        == "1. Do what Stuck says."
    )


def test_a_dag_of_somebodys_may_wait_for_no_table(tmp_path: Path) -> None:
    """It says so in a word; with a table in its place, that table would be told as what it waits for."""
    folder = write_include(
        tmp_path / "include", runbook=RUNBOOK.replace("[master.orders, base.profit]", "none", 1)
    )
    assert oncall_config.load(folder).pipelines["sales_etl"].upstream == ()


@pytest.mark.parametrize(
    ("line", "minutes"), [("", 30), ("usually: 0m\n", 0), ("usually: 45m\n", 45), ("usually: 1h30m\n", 90)]
)
def test_how_long_a_run_takes_can_be_configured(tmp_path: Path, line: str, minutes: int) -> None:
    """Until there is a history to tell; half an hour where nothing is written."""
    folder = write_include(tmp_path / "include", runbook=RUNBOOK.replace("purpose:", f"{line}purpose:", 1))
    assert oncall_config.load(folder).pipelines["sales_etl"].usually == dt.timedelta(minutes=minutes)


def test_pipelines_and_runbooks_must_match(tmp_path: Path) -> None:
    """A pipeline without runbook and a runbook without owners are both told."""
    said = problems_of(tmp_path, ROSTER.replace("sales_etl:", "sale_etl:"))
    assert said == [
        "roster.yaml:23: pipelines.sale_etl: found a pipeline without a runbook; "
        "write the runbook runbooks/sale_etl.md, or no such pipeline",
        "runbooks/sales_etl.md: pipeline: found a runbook that the roster names no owners for; "
        "write its owners in roster.yaml: pipelines: {sales_etl: {primary_owner: …, secondary_owner: …}}",
    ]


def test_sql_must_be_there_and_say_something(tmp_path: Path) -> None:
    """An empty folder, a blank file, and a file that is not UTF-8."""
    folder = write_include(tmp_path / "include")
    (folder / "sql" / "none").mkdir()
    (folder / "sql" / "sales_etl" / "blank.sql").write_text(" \n")
    (folder / "sql" / "sales_etl" / "latin.sql").write_bytes("-- größe".encode("latin-1"))
    (folder / "sql" / "sales_etl" / "percent.sql").write_text(
        "select %(report_date)s::date\nwhere status like 'a%%' or status like 'b%'"
    )
    assert [str(problem) for problem in oncall_config.check(folder)] == [
        "sql/none/: (folder): found no .sql file; write the pipeline's SQL, or no folder",
        "sql/sales_etl/blank.sql: (file): found nothing; write a SQL statement, or no file",
        "sql/sales_etl/latin.sql: (file): found byte 0xf6 in line 1, which is not UTF-8; write the file in UTF-8",
        "sql/sales_etl/percent.sql:2: (file): found a single %; write %% for a percent sign, or a parameter such as"
        " %(report_date)s",
    ]


def test_files_that_cannot_be_read_are_problems_too(tmp_path: Path) -> None:
    """No folder at all, and a runbook that is not UTF-8: the pipeline still has one."""
    (missing,) = oncall_config.check(tmp_path / "nowhere")
    assert (missing.file, missing.found) == ("roster.yaml", "No such file or directory")
    folder = write_include(tmp_path / "include")
    (folder / "runbooks" / "sales_etl.md").write_bytes(b"\xff")
    assert [problem.file for problem in oncall_config.check(folder)] == ["runbooks/sales_etl.md"]


def test_of_a_thousand_problems_the_first_hundred_are_told(tmp_path: Path) -> None:
    """And how many there are besides."""
    wrong = "".join(f"  - {{person: P{n}, from: 2026-03-02, until: 2026-03-03}}\n" for n in range(1_000))
    said = problems_of(tmp_path, ROSTER.replace("leave:\n", f"leave:\n{wrong}"))
    assert len(said) == 101
    assert said[-1] == "(all files): (more): found 900 more problems; write what these ask for first"


@pytest.mark.parametrize("written", ["20260112", "2026-W03-1", "2026W031"])
def test_every_form_of_a_date_is_the_date(tmp_path: Path, written: str) -> None:
    """Never its midnight, at which the person would still be on call."""
    text = ROSTER.replace("from: 2026-01-12", f"from: {written}").replace(
        "until: 2026-01-18", f"until: {written}"
    )
    (leave,) = oncall_config.load(write_include(tmp_path / "include", text)).roster.leave
    assert (leave.start, leave.end) == (
        utc(2026, 1, 12, 2),
        utc(2026, 1, 13, 2),
    )


def test_a_schedule_that_fails_its_promise_does_not_take_it_away(tmp_path: Path) -> None:
    """It is told; what is promised is watched as it is written."""
    folder = write_include(tmp_path / "include", runbook=RUNBOOK.replace('"0 2 * * *"', '"0 6 * * *"'))
    found = oncall_config.in_force(read_folder(folder), {}, dt.datetime.now(dt.UTC))
    assert len(found.problems) == 1
    assert found.config is not None
    assert found.config.pipelines["sales_etl"].schedule == "0 6 * * *"


def test_every_problem_of_every_file_is_told_at_once(tmp_path: Path) -> None:
    """Roster, runbook and SQL are all wrong; the error carries all of it."""
    roster = (
        ROSTER.replace("day: monday", "day: x")
        .replace("person: ANN", "person: EVE")
        .replace("page: manager", "page: x")
    )
    folder = write_include(tmp_path / "include", roster, RUNBOOK.replace("## After", "## Later"))
    (folder / "sql" / "none").mkdir()
    with pytest.raises(ConfigError) as caught:
        oncall_config.load(folder)
    keys = {problem.key for problem in caught.value.problems}
    assert keys == {"handoff.day", "leave[0].person", "escalation[2].page", "## After", "(folder)"}
    assert tuple(oncall_config.check(folder)) == caught.value.problems
    assert len(str(caught.value).splitlines()) == len(caught.value.problems)


def test_the_roster_alone_is_told_while_nothing_touches_who_is_on_call(tmp_path: Path) -> None:
    """A missing contact or runbook is said beside; an unknown person in the leave is not."""
    folder = write_include(tmp_path / "beside", ROSTER.replace(", slack: U0BEN", ""), runbook=None)
    roster, problems = oncall_config.load_roster(folder)
    assert ([problem.key for problem in problems], roster.manager) == (["people.BEN.slack"], "BOSS")
    with pytest.raises(ConfigError):
        oncall_config.load_roster(
            write_include(tmp_path / "rota", ROSTER.replace("person: ANN", "person: EVE"))
        )
