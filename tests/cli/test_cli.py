"""`python -m oncall`: what it answers, in which shape, and how it fails."""

from __future__ import annotations

import argparse
import datetime as dt
import json
import logging
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import oncall
from oncall.cli import open_incidents, rota_questions
from oncall.cli.command import Command, show_json, show_table, tell, warn
from oncall.cli.main import COMMANDS, main
from oncall.core.promises.evaluation import PromiseStatus, evaluate_promise
from oncall.core.promises.facts import Facts, Publication, Task
from tests.include_folder import ROSTER, write_include
from tests.web.example_page import TZ, morning


@pytest.fixture
def include(tmp_path: Path) -> Path:
    """A good include folder: ANN and BEN take turns, ANN is away in week 3, Monday 12 January."""
    return write_include(tmp_path / "include")


@pytest.fixture
def in_march_2026(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever year it is: of a time in another one the year is told."""
    monkeypatch.setattr(rota_questions, "now", lambda roster: dt.datetime(2026, 3, 1, tzinfo=roster.tz))


def answer(capsys: pytest.CaptureFixture[str], include: Path, *args: str) -> Any:
    """The JSON answer of a command that succeeds."""
    assert main([*args, "--include", str(include), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ("2026-01-05T08:59:59", ("2026-01-05T08:59:59+07:00", 1, "ANN", "BEN", "BOSS", "rotation")),
        ("2026-01-05T02:00:00Z", ("2026-01-05T09:00:00+07:00", 2, "BEN", "ANN", "BOSS", "rotation")),
        ("2026-01-12", ("2026-01-12T09:00:00+07:00", 3, "BEN", "BOSS", "BOSS", "cover")),
        ("2026-02-03 00:00", ("2026-02-03T00:00:00+07:00", 6, "BOSS", "ANN", "BOSS", "override")),
    ],
)
def test_who(
    include: Path, capsys: pytest.CaptureFixture[str], at: str, expected: tuple[str | int, ...]
) -> None:
    """A time without zone is the roster's, a date is its handoff hour."""
    keys = ("at", "week", "primary", "secondary", "manager", "reason")
    assert answer(capsys, include, "who", "--at", at) == dict(zip(keys, expected, strict=True))


@pytest.mark.parametrize("at", ["20260112", "2026-W03-1"])
def test_a_date_is_its_handoff_hour_in_each_of_its_forms(
    include: Path, capsys: pytest.CaptureFixture[str], at: str
) -> None:
    """Not its midnight, when the one before is still on call."""
    assert answer(capsys, include, "who", "--at", at)["at"] == "2026-01-12T09:00:00+07:00"


def test_the_last_day_of_leave_is_included_in_each_of_its_forms(
    include: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command writes what it read."""
    assert main(["leave", "BEN", "20270111", "2027-W02-7", "--past", "--include", str(include), "--yes"]) == 0
    assert "{person: BEN, from: 2027-01-11, until: 2027-01-17}" in (include / "roster.yaml").read_text()


def test_who_without_at_is_now(include: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Somebody is on call now."""
    assert answer(capsys, include, "who")["primary"] in ("ANN", "BEN")


def test_who_before_the_rota_says_so(include: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No primary, no week, and the reason."""
    said = answer(capsys, include, "who", "--at", "2025-12-29T08:59")
    assert (said["week"], said["primary"], said["secondary"]) == (None, None, None)
    assert said["reason"] == "no rota before 2025-12-29T09:00:00+07:00"


def test_rota(include: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """From handoff hour to handoff hour, the last date excluded."""
    shifts = answer(capsys, include, "rota", "--from", "2026-01-11", "--until", "2026-01-19")
    assert shifts == [
        {
            "start": "2026-01-11T09:00:00+07:00",
            "end": "2026-01-12T09:00:00+07:00",
            "week": 2,
            "primary": "BEN",
            "secondary": "ANN",
            "reason": "rotation",
            "covering_for": None,
        },
        {
            "start": "2026-01-12T09:00:00+07:00",
            "end": "2026-01-19T09:00:00+07:00",
            "week": 3,
            "primary": "BEN",
            "secondary": "BOSS",
            "reason": "cover",
            "covering_for": "ANN",
        },
    ]


def test_ledger(include: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """BEN covered ANN in week 3 of a cycle of two weeks, and rests in week 8; ANN never has a free day for New Year."""
    assert answer(capsys, include, "ledger", "--until", "2026-01-19") == {
        "credits": [{"person": "BEN", "week": 3, "days": 7, "covering_for": "ANN"}],
        "comp_weeks": [
            {
                "person": "BEN",
                "week": 8,
                "start": "2026-02-16T09:00:00+07:00",
                "repaid_by": "ANN",
                "earned_week": 3,
            }
        ],
        "in_lieu": [{"person": "ANN", "date": None, "for": "2026-01-01"}],
    }


@pytest.mark.usefixtures("in_march_2026")
def test_who_in_words(include: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Who is paged first, why and until when, who after them, and who takes over."""
    assert main(["who", "--at", "2026-01-13", "--include", str(include)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "At Tue 13 Jan 09:00 (UTC+07:00):",
        "Ben (BEN) is on call until Mon 19 Jan 09:00 (UTC+07:00).",
        "Week 3 of the rotation, standing in for Ann, on leave.",
        "Paged after them: The Boss (BOSS).",
        "From Mon 19 Jan 09:00 on: Ben (BEN), then Ann (ANN).",
    ]
    assert main(["who", "--at", "2025-12-01", "--include", str(include)]) == 0
    assert "Nobody is on call: there is no rota before" in capsys.readouterr().out


def test_the_rota_of_the_next_weeks_unasked(include: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """From the handoff of the present week on, eight weeks that tile the time."""
    shifts = answer(capsys, include, "rota")
    start, end = (dt.datetime.fromisoformat(at) for at in (shifts[0]["start"], shifts[-1]["end"]))
    assert end - start == dt.timedelta(weeks=8)
    assert start <= dt.datetime.now(dt.UTC) < start + dt.timedelta(weeks=1)
    assert answer(capsys, include, "rota", "--from", "2026-01-05")[-1]["end"] == "2026-03-02T09:00:00+07:00"


def test_alone_it_says_what_it_can_do(capsys: pytest.CaptureFixture[str]) -> None:
    """Every command with its summary, and the exit code of wrong arguments."""
    assert main([]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    for command in COMMANDS:
        assert command.name in said.err


def test_it_tells_its_version(capsys: pytest.CaptureFixture[str]) -> None:
    """The one of the package, which the page and its health tell too."""
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"oncall {oncall.__version__}\n"


def test_no_name_commands_the_terminal(
    include: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run's id or a task's error may be anybody's: nothing of it colours, erases or turns around what is shown."""

    def odd(_: argparse.Namespace) -> int:
        tell("run \x1b[2Jx\u202ey, owner Ana\u00efs\tNguy\u1ec5n")
        show_table([["a\x9b31m", 1]])
        warn("\x07warning")
        return 0

    monkeypatch.setattr("oncall.cli.main.COMMANDS", (Command("odd", "Odd.", lambda _: None, odd),))
    assert main(["odd"]) == 0
    said = capsys.readouterr()
    assert said.out == "run \ufffd[2Jx\ufffdy, owner Ana\u00efs\tNguy\u1ec5n\na\ufffd31m  1\n"
    assert said.err.endswith("\ufffdwarning\n")


def test_only_the_answer_is_on_standard_output(
    include: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever a library prints meanwhile, Airflow for one, is on standard error."""

    def loud(_: argparse.Namespace) -> int:
        print("Skipping masking for a secret as it's too short")
        show_json({"good": True})
        return 0

    monkeypatch.setattr("oncall.cli.main.COMMANDS", (Command("loud", "Loud.", lambda _: None, loud),))
    assert main(["loud", "--json"]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out) == {"good": True}
    assert "Skipping masking" in said.err


def test_what_airflow_says_of_its_masker_is_not_said(
    include: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It warns of each short field of a connection; an error of it is told."""
    masker = logging.getLogger("airflow.sdk._shared.secrets_masker.secrets_masker")
    # Whatever a test before this one has made of Airflow's logging.
    monkeypatch.setattr(masker, "propagate", False)
    monkeypatch.setattr(masker, "disabled", False)
    said = logging.StreamHandler()
    masker.addHandler(said)
    try:
        assert main(["check", "--include", str(include)]) == 0
        masker.warning("Skipping masking for a secret as it's too short")
        masker.error("boom")
    finally:
        masker.removeHandler(said)
    assert capsys.readouterr().err == "boom\n"


def test_check(include: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing to say of a good folder; every problem of a bad one, and exit code 1."""
    assert answer(capsys, include, "check") == []
    assert main(["check", "--include", str(include)]) == 0
    assert capsys.readouterr().out == f"{include}: all good\n"
    (include / "roster.yaml").write_text(ROSTER.replace("page: manager", "page: boss"))
    assert main(["check", "--include", str(include), "--json"]) == 1
    write = "one of primary, secondary, manager"
    expected = {"file": "roster.yaml:19", "key": "escalation[2].page", "found": "'boss'", "write": write}
    assert json.loads(capsys.readouterr().out) == [expected]
    assert main(["check", "--include", str(include)]) == 1
    assert capsys.readouterr().out == f"roster.yaml:19: escalation[2].page: found 'boss'; write {write}\n"


@pytest.mark.usefixtures("in_march_2026")
def test_tables_for_people(include: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without --json the answers are tables; what is empty is a dash."""
    assert main(["rota", "--from", "2026-01-05", "--until", "2026-01-19", "--include", str(include)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["from", "until", "rota", "week", "primary", "secondary", "why"]
    assert "Mon 5 Jan 09:00   Mon 12 Jan 09:00  2          BEN      ANN        by rotation" in lines[1]
    assert "BEN      BOSS       standing in for ANN, on leave" in lines[2]
    assert main(["ledger", "--until", "2026-01-12", "--include", str(include)]) == 0
    assert capsys.readouterr().out.splitlines()[:2] == ["Credits", "none"]


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (
            ["who", "--at", "9999-12-31"],
            "--at '9999-12-31' is no date (2026-03-02) and no time (2026-03-02T05:00) from 1970",
        ),
        (["who", "--at", "9999-12-31T23:59:59-14:00"], "from 1970 to 9990"),
        (["who", "--at", "0001-01-01"], "from 1970 to 9990"),
        (["who", "--at", "2026-W49"], "is no date"),
        (["who", "--at", "1e9"], "is no date"),
        (["who", "--at", "x" * 10_000], "is no date"),
        (["rota", "--from", "9990-12-01", "--until", "9999-12-31"], "--until '9999-12-31' is no date"),
        (["ledger", "--until", "9999-12-31"], "--until '9999-12-31' is no date"),
        (["leave", "ANN", "2026-12-21", "9999-12-31"], "UNTIL '9999-12-31' is no date"),
        (["swap", "ANN", "BEN", "9999-12-31"], "FROM '9999-12-31' is no date"),
        (
            ["override", "--from", "2026-12-21", "--until", "9999-12-31", "--primary", "ANN"],
            "--until '9999-12-31' is no",
        ),
        (["ledger", "--until", "9990-01-01"], "--until 9990-01-01 is more than 100 years ahead; write "),
        (
            ["rota", "--from", "2026-01-05", "--until", "9990-01-01"],
            "more than 100 years ahead; write 2126-01-05 or",
        ),
        (["who", "--at", "noon"], "oncall who: --at 'noon' is no date (2026-03-02) and no time"),
        (
            ["rota", "--from", "2026-02-30", "--until", "2026-03-01"],
            "oncall rota: --from '2026-02-30' is no date",
        ),
        (
            ["rota", "--from", "2026-03-01", "--until", "2026-03-01"],
            "--until 2026-03-01 is not after --from 2026-03-01",
        ),
    ],
)
def test_wrong_arguments_are_told(
    include: Path, capsys: pytest.CaptureFixture[str], args: list[str], said: str
) -> None:
    """On standard error, with exit code 2."""
    assert main([*args, "--include", str(include)]) == 2
    assert said in capsys.readouterr().err


def test_the_last_days_there_are_have_a_rota(include: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A hundred years after them there is no date any more."""
    shifts = answer(capsys, include, "rota", "--from", "9990-12-01", "--until", "9990-12-31")
    assert [shift["primary"] for shift in shifts]


def test_a_roster_that_leaves_doubt_is_refused_and_one_that_does_not_answers(
    include: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its problems are on standard error either way."""
    (include / "roster.yaml").write_text(ROSTER.replace("person: ANN", "person: EVE"))
    assert main(["who", "--include", str(include)]) == 1
    said = capsys.readouterr()
    assert (said.out, "leave[0].person: found 'EVE'" in said.err) == ("", True)
    (include / "roster.yaml").write_text(ROSTER.replace(", slack: U0BEN", ""))
    assert answer(capsys, include, "who", "--at", "2026-01-05")["primary"] == "BEN"


def test_it_runs_as_a_module_without_airflow(include: Path) -> None:
    """`python -m oncall` with `plugins` on the path imports no Airflow."""
    plugins = Path(__file__).parents[2] / "plugins"
    code = "import sys, oncall.cli.main; oncall.cli.main.main(); sys.exit('airflow' in sys.modules)"
    for start in (["-m", "oncall"], ["-c", code]):
        command = [sys.executable, *start, "who", "--at", "2026-01-05", "--include", str(include)]
        done = subprocess.run(
            command, env={"PYTHONPATH": str(plugins)}, capture_output=True, text=True, check=True
        )
        assert "Ben (BEN) is on call until" in done.stdout


def test_an_unknown_option_is_told_with_what_its_command_takes(capsys: pytest.CaptureFixture[str]) -> None:
    """Not with the list of all commands."""
    with pytest.raises(SystemExit):
        main(["check", "--connection", "--loud"])
    said = capsys.readouterr().err
    assert "usage: oncall check" in said
    assert "unrecognized arguments: --loud" in said


@pytest.mark.parametrize(
    ("streams", "code", "said"),
    [
        (">&-", 0, ""),
        ("<&- >&- 2>&-", 0, ""),
        (">/dev/full", 1, "the answer cannot be written: No space left"),
    ],
)
def test_whoever_closed_the_streams_reads_no_traceback(
    include: Path, streams: str, code: int, said: str
) -> None:
    """A daemon, a cron job, a disk that is full."""
    command = f"{sys.executable} -m oncall who --include {include} {streams}"
    env = {"PYTHONPATH": str(Path(__file__).parents[2] / "plugins")}
    done = subprocess.run(["sh", "-c", command], env=env, capture_output=True, text=True, check=False)
    assert (done.returncode, "Traceback" in done.stderr) == (code, False)
    assert said in done.stderr


def test_why_tells_of_the_report_that_is_late_before_one_that_was_run_again() -> None:
    """Asked without a day: an older report still stands, and a later run of it has failed."""
    seen = morning()
    late, ahead = seen.statuses_of["growth_etl"]
    pipeline, day = late.pipeline, late.report_date - dt.timedelta(days=1)
    made = Publication(seen.at - dt.timedelta(hours=26), seen.at - dt.timedelta(hours=26), "night", 1)
    failed = Task("transform", "failed", seen.at - dt.timedelta(hours=1), seen.at, "again", "boom")
    again = evaluate_promise(pipeline, day, Facts(publication=made, tasks=(failed,)), seen.at, TZ)
    assert (again.verdict, again.done) == ("kept", False)
    assert asked_without_a_day(again, late, ahead) == late
    assert asked_without_a_day(again, ahead) == again
    assert asked_without_a_day(ahead) == ahead


def asked_without_a_day(*known: PromiseStatus) -> PromiseStatus:
    return open_incidents._status(replace(morning(), statuses=known), known[0].pipeline, None)
