"""Entries added to the roster's text: everything else stays to the byte."""

from __future__ import annotations

import datetime as dt
import difflib
import stat
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from oncall.cli.roster_edit import read_text, replace_text, with_entries, without_leave
from oncall.config.roster_file import read_roster
from oncall.core.rota.roster import Leave, Override, Roster

SHIPPED = Path(__file__).parents[2] / "include" / "roster.yaml"
TEXT = SHIPPED.read_text()
ENTRY = "{person: DE-001, from: 2026-12-21, until: 2026-12-27}"


def roster_of(text: str) -> Roster:
    roster = read_roster(text.removeprefix("\ufeff")).roster
    assert roster is not None
    return roster


def at(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.timezone(dt.timedelta(hours=7)))


LEAVE = Leave("DE-001", at("2026-12-21T09:00"), at("2026-12-28T09:00"))


def added(before: str, after: str) -> list[str]:
    """The lines of a diff without context."""
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=0)
    return [line for line in lines if line[:3] not in ("---", "+++") and line[:2] != "@@"]


def test_the_shipped_empty_lists_become_lists() -> None:
    """Only `leave: []` and `overrides: []` change, comments and all else stay."""
    override = Override(at("2027-01-04T20:00"), at("2027-01-06T09:00"), "DE-003", "DE-002", "Tết: swap")
    text = with_entries(TEXT, roster_of(TEXT), (LEAVE,), (override,))
    assert added(TEXT, text) == [
        "-leave: []",
        "+leave:",
        f"+  - {ENTRY}",
        "-overrides: []",
        "+overrides:",
        '+  - {from: "2027-01-04 20:00", until: "2027-01-06 09:00", primary: DE-003, secondary: DE-002,'
        ' reason: "Tết: swap"}',
    ]
    again = roster_of(text)
    assert (again.leave, again.overrides) == ((LEAVE,), (override,))


@pytest.mark.parametrize(
    ("written", "becomes"),
    [
        ("leave: [] # none yet\n", f"leave: # none yet\n  - {ENTRY}\n"),
        ("leave:\n", f"leave:\n  - {ENTRY}\n"),
        ("leave: null # why\n", f"leave: # why\n  - {ENTRY}\n"),
        ("leave:\n- {A} # c\n\n# next\n", f"leave:\n- {{A}} # c\n- {ENTRY}\n\n# next\n"),
        ("leave:\n    # first\n    - {A}\n", f"leave:\n    # first\n    - {{A}}\n    - {ENTRY}\n"),
        ("leave: [{A}]\n", f"leave: [{{A}}, {ENTRY}]\n"),
        ("leave: [\n  {A},\n]\n", f"leave: [\n  {{A}}, {ENTRY},\n]\n"),
        ("", None),
    ],
)
def test_every_way_a_list_is_written(written: str, becomes: str | None) -> None:
    """Block, flow, empty, null and missing; the comments stay where they were."""
    entry = "{person: DE-002, from: 2026-03-02, until: 2026-03-08}"
    before = TEXT.replace("leave: []\n", written.replace("{A}", entry))
    after = with_entries(before, roster_of(before), (LEAVE,))
    if becomes is None:
        assert after == f"{before}\nleave:\n  - {ENTRY}\n"
    else:
        assert after == TEXT.replace("leave: []\n", becomes.replace("{A}", entry))
    assert roster_of(after).leave[-1] == LEAVE


def test_a_block_entry_of_many_lines_is_not_split() -> None:
    """The new entry stands below the last line of the entry before, above the comment that follows."""
    entry = "leave:\n  - person: DE-002\n    from: 2026-03-02\n    until: 2026-03-08\n"
    entry += "    reason: >-\n      at\n      sea\n"
    before = TEXT.replace("leave: []\n", entry)
    after = with_entries(before, roster_of(before), (LEAVE,))
    assert added(before, after) == [f"+  - {ENTRY}"]
    assert f"      sea\n  - {ENTRY}\n\n# Beats everything" in after


def test_line_ends_and_byte_order_mark_stay() -> None:
    """A file from Windows stays one."""
    before = "\ufeff" + TEXT.replace("\n", "\r\n")
    after = with_entries(before, roster_of(before), (LEAVE,))
    assert after == before.replace("leave: []", f"leave:\r\n  - {ENTRY}")


@pytest.mark.parametrize(
    "reason", ["no", "a: b", "# x", 'say "hi"', "two  blanks", "null", "{}", "1", "Tết – biển"]
)
def test_any_reason_comes_back_as_it_was_given(reason: str) -> None:
    """What YAML would read otherwise is quoted."""
    leave = Leave(LEAVE.person, LEAVE.start, LEAVE.end, reason)
    assert roster_of(with_entries(TEXT, roster_of(TEXT), (leave,))).leave == (leave,)


def test_an_hour_that_the_clock_shows_twice_keeps_its_offset() -> None:
    """In Berlin 02:30 on 25 October 2026 comes twice; the second is written with its offset."""
    text = TEXT.replace('"+07:00"', "Europe/Berlin")
    roster = roster_of(text)
    zone = ZoneInfo("Europe/Berlin")
    start = dt.datetime(2026, 10, 25, 1, 30, tzinfo=dt.UTC).astimezone(zone)
    override = Override(start, start + dt.timedelta(days=1), "DE-003")
    after = with_entries(text, roster, overrides=(override,))
    assert 'from: "2026-10-25 02:30+01:00", until: "2026-10-26 02:30"' in after
    assert roster_of(after).overrides == (override,)


def test_the_file_is_replaced_at_one_stroke_with_its_mode(tmp_path: Path) -> None:
    """No temporary file stays, a link stays a link, the mode is kept."""
    real = tmp_path / "real.yaml"
    real.write_text("a")
    real.chmod(0o640)
    link = tmp_path / "roster.yaml"
    link.symlink_to(real)
    replace_text(link, "a", "b")
    assert (read_text(link), link.is_symlink()) == ("b", True)
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    assert sorted(path.name for path in tmp_path.iterdir()) == ["real.yaml", "roster.yaml"]


def test_somebody_elses_change_meanwhile_is_not_lost(tmp_path: Path) -> None:
    """The file is not what the change was made for: it stays."""
    path = tmp_path / "roster.yaml"
    path.write_text("theirs")
    with pytest.raises(OSError, match="changed by somebody else"):
        replace_text(path, "a", "b")
    assert [read_text(each) for each in tmp_path.iterdir()] == ["theirs"]


OTHER = "{person: DE-002, from: 2026-12-28, until: 2027-01-03}"
BLOCK = "person: DE-002\n    from: 2026-12-28\n    until: 2027-01-03"


@pytest.mark.parametrize(
    ("written", "number", "becomes"),
    [
        (f"leave:\n  - {ENTRY}\n", 0, "leave: []\n"),
        (
            f"leave: # who is away\n  # first\n  - {ENTRY} # a note\n",
            0,
            "leave: [] # who is away\n  # first\n",
        ),
        (f"leave:\n  - {ENTRY}\n  - {OTHER}\n", 0, f"leave:\n  - {OTHER}\n"),
        (f"leave:\n  - {ENTRY}\n\n  # theirs\n  - {BLOCK}\n", 1, f"leave:\n  - {ENTRY}\n\n  # theirs\n"),
        (f"leave:\n  - {BLOCK}\n  - {ENTRY}\n", 0, f"leave:\n  - {ENTRY}\n"),
        (f"leave: [{ENTRY}, {OTHER}] # both\n", 0, f"leave: [{OTHER}] # both\n"),
        (f"leave: [{ENTRY}, {OTHER}]\n", 1, f"leave: [{ENTRY}]\n"),
        (f"leave: [{ENTRY}]\n", 0, "leave: []\n"),
        (f"leave:\r\n- {ENTRY}\r\n", 0, "leave: []\r\n"),
    ],
)
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_an_entry_is_taken_out_and_the_rest_stays(written: str, number: int, becomes: str, mark: str) -> None:
    """In each way in which a list is written, with its comments."""
    before, after = (mark + TEXT.replace("leave: []\n", text) for text in (written, becomes))
    text = without_leave(before, number)
    assert text == after
    kept = list(roster_of(before).leave)
    del kept[number]
    assert roster_of(text).leave == tuple(kept)
