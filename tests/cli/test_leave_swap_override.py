"""`python -m oncall leave`, `swap` and `override` on a copy of the shipped roster."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import pty
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from oncall.cli.main import main
from oncall.config import oncall_config
from oncall.core.rota.on_call import rota, who_is_on_call
from oncall.core.rota.rotation import week_beginning

SHIPPED = Path(__file__).parents[2] / "include"


@pytest.fixture
def include(tmp_path: Path) -> Path:
    return Path(shutil.copytree(SHIPPED, tmp_path / "include"))


@pytest.fixture
def monday(include: Path) -> dt.date:
    """The next Monday, three weeks ahead or more, of a week that DE-001 / DE-002 have."""
    roster = oncall_config.load(include).roster
    start = roster.day_starts(week_beginning(roster, dt.datetime.now(dt.UTC))) + dt.timedelta(weeks=3)
    week = next(
        shift for shift in rota(roster, start, start + dt.timedelta(weeks=8)) if shift.primary == "DE-001"
    )
    return week.start.date()


def day(monday: dt.date, days: int) -> str:
    return (monday + dt.timedelta(days=days)).isoformat()


def pair(include: Path, monday: dt.date, days: int = 0) -> tuple[str | None, str | None]:
    roster = oncall_config.load(include).roster
    shift = who_is_on_call(roster, roster.day_starts(monday + dt.timedelta(days=days)))
    return shift.primary, shift.secondary


def run(include: Path, *args: str) -> int:
    return main([*args, "--include", str(include)])


def answer(capsys: pytest.CaptureFixture[str], include: Path, *args: str, code: int = 0) -> Any:
    assert run(include, *args, "--json") == code
    return json.loads(capsys.readouterr().out)


def test_leave_is_written_and_shown(
    include: Path, monday: dt.date, capsys: pytest.CaptureFixture[str]
) -> None:
    """DE-002 steps up, earns 7 days and a comp week two cycles later; the file has one more line."""
    before = (include / "roster.yaml").read_text()
    said = answer(capsys, include, "leave", "DE-001", day(monday, 0), day(monday, 6), "--reason", "holiday")
    assert said["outcome"] == "written"
    assert said["rota"][0]["before"]["primary"] == "DE-001"
    assert said["rota"][0]["after"] == {
        "primary": "DE-002",
        "secondary": "DE-003",
        "reason": "cover",
        "covering_for": "DE-001",
    }
    assert [(each["after"]["person"], each["after"]["days"]) for each in said["credits"]] == [("DE-002", 7)]
    [comp] = said["comp_weeks"]
    assert comp["after"]["week"] == said["rota"][0]["week"] + 9
    assert {"DE-001", "DE-002"} <= set(said["affected"])
    entry = f"{{person: DE-001, from: {day(monday, 0)}, until: {day(monday, 6)}, reason: holiday}}"
    assert (include / "roster.yaml").read_text() == before.replace("leave: []", f"leave:\n  - {entry}")
    assert oncall_config.check(include) == []


def test_leave_in_words(include: Path, monday: dt.date, capsys: pytest.CaptureFixture[str]) -> None:
    """Before and after side by side, then who is affected and what is earned."""
    assert run(include, "leave", "DE-001", day(monday, 0), day(monday, 6), "--dry-run") == 0
    said = capsys.readouterr().out
    assert said.startswith(f"DE-001 is away from Mon {monday} 09:00 until Mon {day(monday, 7)} 09:00.\n")
    assert "DE-001 / DE-002  DE-002 / DE-003  standing in for DE-001, on leave" in said
    assert "- DE-002 earns 7 credit days in rota week" in said
    assert "- DE-002 rests in rota week" in said
    assert said.endswith("Nothing is written: a dry run.\n")
    assert (include / "roster.yaml").read_text() == (SHIPPED / "roster.yaml").read_text()


@pytest.mark.parametrize(
    "command",
    [
        ["leave", "DE-001", "0", "6"],
        ["swap", "DE-001", "DE-003", "0"],
        ["override", "--from", "0", "--until", "2", "--primary", "DE-004"],
    ],
)
def test_twice_is_once(
    include: Path, monday: dt.date, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    """The second time it says that it is so already, and changes nothing."""
    args = [day(monday, int(arg)) if arg.isdigit() else arg for arg in command]
    assert answer(capsys, include, *args)["outcome"] == "written"
    before = (include / "roster.yaml").read_text()
    assert answer(capsys, include, *args)["outcome"] == "already"
    assert run(include, *args) == 0
    assert capsys.readouterr().out.startswith("It is so already, nothing is changed: ")
    assert (include / "roster.yaml").read_text() == before


def test_days_within_leave_are_leave_already(
    include: Path, monday: dt.date, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is added."""
    assert run(include, "leave", "DE-001", day(monday, 0), day(monday, 6)) == 0
    capsys.readouterr()
    said = answer(capsys, include, "leave", "DE-001", day(monday, 2), day(monday, 3))
    assert said["outcome"] == "already"


def test_a_swap_for_a_week_and_for_days(include: Path, monday: dt.date) -> None:
    """Without --until it ends with the shift; both seats are exchanged when both hold one."""
    assert run(include, "swap", "DE-001", "DE-003", day(monday, 2)) == 0
    pairs = [pair(include, monday, days) for days in (1, 2, 6, 7)]
    expected = [("DE-001", "DE-002"), ("DE-003", "DE-002"), ("DE-003", "DE-002"), ("DE-002", "DE-003")]
    assert pairs == expected
    assert run(include, "swap", "DE-002", "DE-001", day(monday, 0), "--until", day(monday, 1)) == 0
    assert pair(include, monday, 1) == ("DE-002", "DE-001")


def test_a_swap_with_somebody_who_holds_no_seat_says_who_takes_whose(
    include: Path, monday: dt.date, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever is named first: it said that they hold each other's seats."""
    for pair_of in (("DE-001", "DE-003"), ("DE-003", "DE-001")):
        assert run(include, "swap", *pair_of, day(monday, 2), "--dry-run") == 0
        assert capsys.readouterr().out.startswith("DE-003 holds the seat of DE-001 from ")
    assert run(include, "swap", "DE-001", "DE-002", day(monday, 2), "--dry-run") == 0
    assert capsys.readouterr().out.startswith("DE-001 and DE-002 hold each other's seats from ")


def test_an_override_for_some_hours(include: Path, monday: dt.date) -> None:
    """The seat it does not name stays."""
    start, until = f"{day(monday, 0)} 20:00", f"{day(monday, 1)} 08:00"
    assert run(include, "override", "--from", start, "--until", until, "--secondary", "DE-004") == 0
    roster = oncall_config.load(include).roster
    night = roster.day_starts(monday) + dt.timedelta(hours=12)
    assert (who_is_on_call(roster, night).primary, who_is_on_call(roster, night).secondary) == (
        "DE-001",
        "DE-004",
    )


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["leave", "DE-01", "0", "6"], "DE-01 is unknown; write one of DE-001,"),
        (["leave", "DE-001", "6", "0"], "is before FROM"),
        (["leave", "DE-001", "soon", "0"], "FROM 'soon' is no date"),
        (["swap", "DE-001", "DE-001", "0"], "DE-001 cannot swap with themselves"),
        (["swap", "DE-003", "DE-004", "0"], "neither DE-003 nor DE-004 is on call"),
        (["override", "--from", "0", "--until", "6"], "name a --primary, a --secondary, or both"),
        (
            ["override", "--from", "0", "--until", "6", "--primary", "DE-001", "--secondary", "DE-001"],
            "DE-001 cannot hold both seats",
        ),
    ],
)
def test_wrong_wishes_are_told(
    include: Path, monday: dt.date, capsys: pytest.CaptureFixture[str], args: list[str], said: str
) -> None:
    """On standard error with exit code 2; the file stays."""
    assert run(include, *(day(monday, int(arg)) if arg.isdigit() else arg for arg in args)) == 2
    assert said in capsys.readouterr().err
    assert (include / "roster.yaml").read_text() == (SHIPPED / "roster.yaml").read_text()


def test_two_overrides_of_one_seat_are_refused(
    include: Path, monday: dt.date, capsys: pytest.CaptureFixture[str]
) -> None:
    """The roster would be wrong; the line of the other one is named."""
    assert (
        run(include, "override", "--from", day(monday, 0), "--until", day(monday, 3), "--primary", "DE-004")
        == 0
    )
    before = (include / "roster.yaml").read_text()
    assert (
        run(include, "override", "--from", day(monday, 3), "--until", day(monday, 6), "--primary", "DE-003")
        == 2
    )
    assert "the primary overridden twice at one time" in capsys.readouterr().err
    assert (include / "roster.yaml").read_text() == before


def test_leave_that_leaves_nobody_asks_first(
    include: Path, monday: dt.date, capsys: pytest.CaptureFixture[str]
) -> None:
    """It says that the manager takes over; with --yes it is written."""
    for person in ("DE-001", "DE-002", "DE-003"):
        assert run(include, "leave", person, day(monday, 0), day(monday, 6)) == 0
    last = ("leave", "DE-004", day(monday, 0), day(monday, 6))
    capsys.readouterr()
    said = answer(capsys, include, *last, code=2)
    assert said["outcome"] == "not written"
    assert "the manager, DE-MANAGER, takes over as primary" in said["asks"][0]
    assert pair(include, monday) == ("DE-004", "DE-MANAGER")
    assert run(include, *last, "--yes") == 0
    assert pair(include, monday) == ("DE-MANAGER", None)


def test_the_past_stays_unless_asked(include: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What begins before the present shift needs --past; the present shift itself may change."""
    roster = oncall_config.load(include).roster
    shift = week_beginning(roster, dt.datetime.now(dt.UTC))
    past = ("leave", "DE-001", day(shift, -1), day(shift, 6))
    assert run(include, *past) == 2
    assert "begins before the present shift" in capsys.readouterr().err
    assert run(include, *past, "--past") == 0
    assert run(include, "leave", "DE-002", day(shift, 0), day(shift, 6)) == 0
    assert len(oncall_config.load(include).roster.leave) == 2


def test_a_roster_written_in_an_odd_way_is_left_to_its_author(
    include: Path, monday: dt.date, capsys: pytest.CaptureFixture[str]
) -> None:
    """A list that is an alias of another one cannot be added to alone."""
    path = include / "roster.yaml"
    entry = "{person: DE-001, from: 2026-03-02, until: 2026-03-08}"
    text = path.read_text().replace("leave: []", f"leave: &away\n  - &one {entry}\n  - *one")
    path.write_text(text)
    assert run(include, "leave", "DE-002", day(monday, 0), day(monday, 6)) == 2
    assert "edit it by hand" in capsys.readouterr().err
    assert path.read_text() == text


def test_a_problem_beside_the_rota_does_not_hinder(include: Path, monday: dt.date) -> None:
    """A missing contact of somebody else was there before, and is no reason to refuse leave."""
    path = include / "roster.yaml"
    path.write_text(path.read_text().replace(", slack: U0DE004", ""))
    assert run(include, "leave", "DE-001", day(monday, 0), day(monday, 6)) == 0


def test_leave_is_listed(include: Path, monday: dt.date, capsys: pytest.CaptureFixture[str]) -> None:
    """What is and what comes, of all or of one; what was only when asked for."""
    assert run(include, "leave") == 0
    assert capsys.readouterr().out == "No leave now or ahead.\n"
    assert run(include, "leave", "DE-001", day(monday, 0), day(monday, 6), "--reason", "holiday") == 0
    assert run(include, "leave", "DE-002", "2026-03-02", "2026-03-08", "--past") == 0
    capsys.readouterr()
    entry = {
        "person": "DE-001",
        "start": f"{monday}T09:00:00+07:00",
        "end": f"{day(monday, 7)}T09:00:00+07:00",
        "reason": "holiday",
    }
    assert answer(capsys, include, "leave") == answer(capsys, include, "leave", "DE-001") == [entry]
    assert answer(capsys, include, "leave", "DE-003") == []
    assert [listed["person"] for listed in answer(capsys, include, "leave", "--past")] == ["DE-002", "DE-001"]
    assert run(include, "leave") == 0
    assert "DE-001" in capsys.readouterr().out


def test_leave_is_taken_out_again(include: Path, monday: dt.date, capsys: pytest.CaptureFixture[str]) -> None:
    """The roster is what it was before, and what that does to the rota is shown."""
    text = (include / "roster.yaml").read_text()
    assert run(include, "leave", "DE-001", day(monday, 0), day(monday, 6)) == 0
    capsys.readouterr()
    said = answer(capsys, include, "leave", "--remove", "DE-001", day(monday, 0), day(monday, 6))
    assert (said["outcome"], said["rota"][0]["after"]["primary"]) == ("written", "DE-001")
    assert (include / "roster.yaml").read_text() == text


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["leave", "--remove"], "whose leave?"),
        (["leave", "--remove", "DE-002"], "DE-002 has no leave"),
        (["leave", "--remove", "DE-001"], "has more than one leave; name one of:\n  from Mon"),
        (["leave", "--remove", "DE-001", "1"], "has no such leave; name one of:"),
        (["leave", "DE-001", "0"], "UNTIL is missing"),
    ],
)
def test_leave_that_is_not_there_cannot_be_taken_out(
    include: Path, monday: dt.date, capsys: pytest.CaptureFixture[str], args: list[str], said: str
) -> None:
    """What there is is listed; the file stays."""
    for first, last in ((0, 6), (14, 20)):
        assert run(include, "leave", "DE-001", day(monday, first), day(monday, last)) == 0
    text = (include / "roster.yaml").read_text()
    assert run(include, *(day(monday, int(arg)) if arg.isdigit() else arg for arg in args)) == 2
    assert said in capsys.readouterr().err
    assert (include / "roster.yaml").read_text() == text


@pytest.mark.parametrize(("typed", "code", "written"), [("y\n", 0, True), ("\n", 2, False), ("", 2, False)])
def test_at_a_terminal_it_asks_before_it_writes(
    include: Path, monday: dt.date, typed: str, code: int, written: bool
) -> None:
    """What would change is shown first; only a yes writes. --yes does not ask."""
    at = (include, "leave", "DE-001", day(monday, 0), day(monday, 6))
    shown, ended = at_terminal(*at, typed=typed)
    assert "Affected: " in shown.partition("[y/N]")[0]
    assert ended == code
    assert bool(oncall_config.load(include).roster.leave) == written
    assert at_terminal(*at, "--yes", typed="")[1] == 0


def at_terminal(include: Path, *args: str, typed: str) -> tuple[str, int]:
    """Run the command at a terminal on which somebody types; what is on the screen then, and the exit code."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "oncall", *args, "--include", str(include)]
    env = {**os.environ, "PYTHONPATH": str(SHIPPED.parent / "plugins")}
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=env) as running:
        os.close(theirs)
        os.write(ours, typed.encode() or b"\x04")
        shown = b""
        with contextlib.suppress(OSError):  # Linux: the other side is closed
            while part := os.read(ours, 4096):
                shown += part
    os.close(ours)
    return shown.decode().replace("\r\n", "\n"), running.returncode
