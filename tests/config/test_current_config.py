"""Rule 10: a bad file silences nobody. The last good version is kept file by file, wherever the folder has moved to."""

from __future__ import annotations

import datetime as dt
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from oncall.adapters.memory_store import MemoryStore
from oncall.config import oncall_config
from oncall.config.include_files import IncludeFiles
from oncall.core.errors import ConfigError, Problem, Unreadable
from oncall.usecases import current_config
from oncall.usecases.current_config import LAST_GOOD, config_in_force, current_problems
from tests.include_folder import ROSTER, RUNBOOK, write_include

THEIRS = ROSTER.replace("sales_etl", "visits_etl").replace("ANN", "CHI")
VISITS = RUNBOOK.replace("sales_etl", "visits_etl").replace("daily_sales", "daily_visits")
VISITS = VISITS.replace("pipeline: visits_etl\n", "pipeline: visits_etl\nteam: growth\n")


def write_two_teams(folder: Path) -> Path:
    """One pipeline of the roster at the top, one of a team with a roster of its own."""
    write_include(folder)
    (folder / "teams/growth").mkdir(parents=True)
    (folder / "teams/growth/roster.yaml").write_text(THEIRS)
    (folder / "runbooks/visits_etl.md").write_text(VISITS)
    return folder


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The include folder in force: good, of two teams."""
    found = write_two_teams(tmp_path / "include")
    monkeypatch.setenv("ONCALL_INCLUDE_DIR", str(found))
    return found


@pytest.fixture
def restarted(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """A process that has just begun, as often as it is called."""
    restart = current_config._folders.clear
    restart()
    yield restart
    restart()


def change(path: Path, before: str, after: str) -> None:
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))


def test_a_slip_in_one_team_s_roster_freezes_nothing_else(
    folder: Path, restarted: Callable[[], None]
) -> None:
    """Its own last good version stays; a leave of the other team and a due time moved meanwhile count at once."""
    store = MemoryStore()
    config_in_force(store)
    change(folder / "teams/growth/roster.yaml", "timezone:", "timezone: [")
    change(folder / "roster.yaml", "person: ANN", "person: BEN")
    change(folder / "runbooks/visits_etl.md", 'due: "05:00"', 'due: "06:00"')
    for restart in (lambda: None, restarted):
        restart()
        config, problems = config_in_force(store)
        assert {problem.file for problem in problems} == {"teams/growth/roster.yaml:1"}
        assert "CHI" in config.teams["growth"].people
        assert config.roster.leave[0].person == "BEN"
        promise = config.pipelines["visits_etl"].promise
        assert promise is not None
        assert promise.due == dt.time(6)


def test_a_new_folder_with_a_slip_keeps_the_last_good_roster(
    folder: Path, restarted: Callable[[], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A deployment into another folder, in new processes: identity is no path."""
    store = MemoryStore()
    config_in_force(store)
    release = tmp_path / "release-2/include"
    shutil.copytree(folder, release)
    shutil.rmtree(folder)
    change(release / "roster.yaml", "manager: BOSS", "manager: BOS")
    monkeypatch.setenv("ONCALL_INCLUDE_DIR", str(release))
    restarted()
    config, problems = config_in_force(store)
    assert [problem.key for problem in problems] == ["manager"]
    assert config.roster.manager == "BOSS"
    assert set(config.pipelines) == {"sales_etl", "visits_etl"}


def test_a_link_that_is_turned_is_followed(
    folder: Path, restarted: Callable[[], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As git-sync does: the same sizes and ages behind the same path are other files all the same."""
    other = tmp_path / "other"
    shutil.copytree(folder, other)
    change(other / "roster.yaml", "name: Ann", "name: Eve")
    for name in ("roster.yaml", "runbooks/sales_etl.md"):
        for place in (folder, other):
            os.utime(place / name, ns=(10**18, 10**18))
    link = tmp_path / "current"
    link.symlink_to(folder)
    monkeypatch.setenv("ONCALL_INCLUDE_DIR", str(link))
    store = MemoryStore()
    assert config_in_force(store)[0].roster.people["ANN"].name == "Ann"
    (tmp_path / "next").symlink_to(other)
    (tmp_path / "next").rename(link)
    assert config_in_force(store)[0].roster.people["ANN"].name == "Eve"
    assert current_problems() == ()


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda folder: (folder / "runbooks/sales_etl.md").unlink(), "a pipeline without a runbook"),
        (lambda folder: change(folder / "roster.yaml", "  sales_etl: {", "  sale_etl: {"), "names no owners for"),
        (lambda folder: (folder / "teams/growth/roster.yaml").unlink(), "write a team that has a roster"),
        (lambda folder: (folder / "roster.yaml").unlink(), "No such file"),
        (lambda folder: change(folder / "runbooks/sales_etl.md", "## Stuck", "## Struck"), "no such section"),
        (lambda folder: change(folder / "runbooks/visits_etl.md", "growth", "grwth"), "found 'grwth'"),
        (lambda folder: (folder / "roster.yaml").write_bytes(b"\xff\xfe"), "not UTF-8"),
        (lambda folder: change(folder / "roster.yaml", "starts: 2025-12-29", "starts: 2099-12-28"), "first day of all"),
    ],
)  # fmt: skip
def test_a_slip_takes_no_promise_away(
    folder: Path, restarted: Callable[[], None], spoil: Callable[[Path], object], said: str
) -> None:
    """Something of one file is gone by mistake: it is told, and both reports are watched as before."""
    store = MemoryStore()
    before, _ = config_in_force(store)
    spoil(folder)
    for restart in (lambda: None, restarted):
        restart()
        config, problems = config_in_force(store)
        assert any(said in str(problem) for problem in problems), problems
        assert {name: (one.promise, one.primary_owner) for name, one in config.pipelines.items()} == {
            name: (one.promise, one.primary_owner) for name, one in before.pipelines.items()
        }
        assert config.roster.people == before.roster.people
        assert config.roster_of("visits_etl").people.keys() >= {"BEN", "BOSS"}


def test_what_is_taken_away_on_purpose_is_gone(folder: Path, restarted: Callable[[], None]) -> None:
    """Runbook and owners together: no problem, and no promise kept alive."""
    store = MemoryStore()
    config_in_force(store)
    shutil.rmtree(folder / "teams")
    (folder / "runbooks/visits_etl.md").unlink()
    config, problems = config_in_force(store)
    assert (problems, list(config.pipelines), config.teams) == ((), ["sales_etl"], {})
    change(folder / "roster.yaml", "manager: BOSS", "manager: BOS")
    restarted()
    assert list(config_in_force(store)[0].pipelines) == ["sales_etl"]


def test_a_new_installation_with_a_slip_watches_all_the_same(
    folder: Path, restarted: Callable[[], None]
) -> None:
    """Nothing good is known of before: as much counts as can be told, and every problem is said."""
    change(folder / "roster.yaml", ", slack: U0BEN", "")
    change(folder / "runbooks/sales_etl.md", "## Stuck", "## Struck")
    change(folder / "teams/growth/roster.yaml", "timezone:", "timezone: [")
    config, problems = config_in_force(MemoryStore())
    assert len(problems) == 3
    assert set(config.pipelines) == {"sales_etl", "visits_etl"}
    assert config.roster_of("visits_etl") is config.roster
    assert config.by_team().keys() == {""}


def test_without_any_roster_every_problem_is_told(folder: Path, restarted: Callable[[], None]) -> None:
    """Nobody knows who is on call."""
    change(folder / "roster.yaml", "timezone:", "timezone: [")
    change(folder / "runbooks/sales_etl.md", "## Stuck", "## Struck")
    with pytest.raises(ConfigError) as caught:
        config_in_force(MemoryStore())
    assert len(caught.value.problems) == 2


@pytest.mark.parametrize(
    "note", ["", "null", "[1]", '{"roster.yaml": 7}', "no json", '{"roster.yaml": "timezone: ["}']
)
def test_a_note_that_is_none_is_as_if_there_was_none(
    folder: Path, restarted: Callable[[], None], note: str
) -> None:
    """Of another version of this product, or spoilt."""
    store = MemoryStore()
    store.set_note(LAST_GOOD, note)
    change(folder / "teams/growth/roster.yaml", "manager: BOSS", "manager: BOS")
    config, problems = config_in_force(store)
    assert len(problems) == 1
    assert set(config.pipelines) == {"sales_etl", "visits_etl"}


class Down(MemoryStore):
    """A store that cannot be reached."""

    def get_note(self, name: str) -> str | None:
        raise Unreadable("oncall_db: down")

    def set_note(self, name: str, value: str) -> None:
        raise Unreadable("oncall_db: down")


def test_without_its_store_the_process_remembers(folder: Path, restarted: Callable[[], None]) -> None:
    """And notes the last good ones when the store is back."""
    config_in_force(Down())
    change(folder / "roster.yaml", "manager: BOSS", "manager: BOS")
    assert config_in_force(Down())[0].roster.manager == "BOSS"
    store = MemoryStore()
    current_config._folders[oncall_config.include_dir()].note_from = 0.0
    config_in_force(store)
    restarted()
    assert config_in_force(store)[0].roster.manager == "BOSS"


def test_what_the_reader_did_not_foresee_is_a_problem(
    folder: Path, restarted: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault of our own in reading: what was in force stays, and it is told."""
    store = MemoryStore()
    before, _ = config_in_force(store)

    def broken(*_: object) -> None:
        raise ZeroDivisionError("a fault of our own")

    monkeypatch.setattr(oncall_config, "in_force", broken)
    change(folder / "roster.yaml", "name: Ann", "name: Eve")
    config, problems = config_in_force(store)
    assert config == before
    assert problems == (
        Problem(
            "include/", "(folder)", "something new, the reader failed on it: ZeroDivisionError: a fault of our own",
            "it as it was before",
        ),
    )  # fmt: skip


@pytest.mark.parametrize("part", ["roster_file.read_overrides", "runbook_file._sections"])
def test_a_fault_of_our_own_in_one_file_is_a_problem_of_that_file(
    folder: Path, restarted: Callable[[], None], monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    """Whatever the reader raises: the others are read, and its last good version stays."""
    store = MemoryStore()
    before, _ = config_in_force(store)

    def broken(*_: object) -> None:
        raise RecursionError("too deep")

    monkeypatch.setattr(f"oncall.config.{part}", broken)
    name = "roster.yaml" if part.startswith("roster") else "runbooks/sales_etl.md"
    change(folder / name, "Ann" if name == "roster.yaml" else "Sales by day", "Another")
    config, (problem,) = config_in_force(store)
    assert (problem.file, problem.key) == (name, "(file)")
    assert problem.found == "something new, the reader failed on it: RecursionError: too deep"
    assert config == before


@pytest.mark.parametrize(
    ("name", "text", "place"),
    [
        ("contracts/shop.odcs.yaml", "schema: [*nobody]", "contracts/shop.odcs.yaml"),
        ("sql/sales_etl/10_base.sql", "select count(*) from master.refunds", "runbooks/sales_etl.md"),
    ],
)
def test_what_stops_no_page_but_the_next_run_is_told_as_it_is_deployed(
    folder: Path, restarted: Callable[[], None], name: str, text: str, place: str
) -> None:
    """A contract that nobody can read, a table that the SQL reads and no run waits for: not by a failed run at two."""
    store = MemoryStore()
    before, problems = config_in_force(store)
    assert problems == ()
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text(text)
    config, problems = config_in_force(store)
    assert place in {problem.file.partition(":")[0] for problem in problems}
    assert config == before


def test_a_rota_that_has_not_begun_counts_from_its_first_day_on(folder: Path) -> None:
    """Until then the last good one stays in force, and the same files come to something else at that instant."""
    good = {"roster.yaml": ROSTER, "runbooks/sales_etl.md": RUNBOOK}
    later = ROSTER.replace("starts: 2025-12-29", "starts: 2026-12-28")
    files = IncludeFiles({**good, "roster.yaml": later})
    begins = dt.datetime(2026, 12, 28, 2, tzinfo=dt.UTC)
    before = oncall_config.in_force(files, good, begins - dt.timedelta(seconds=1))
    assert (before.until, len(before.problems)) == (begins, 1)
    assert before.config is not None
    assert before.config.roster.rotation[0].starts == dt.date(2025, 12, 29)
    after = oncall_config.in_force(files, good, begins)
    assert (after.until, after.problems) == (None, ())
    assert after.good["roster.yaml"] == later
