"""The files of an include folder as files: whatever lies there, reading raises nothing and waits for nobody."""

from __future__ import annotations

import datetime as dt
import os
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from oncall.config import oncall_config
from oncall.config.include_files import read_folder, runbooks, stamp, teams
from oncall.config.load_volume import volume_in
from tests.include_folder import ROSTER, RUNBOOK, write_include


def replaced(path: Path, put: Callable[[Path], object]) -> None:
    path.unlink()
    put(path)


def unreadable(path: Path) -> None:
    path.write_text(ROSTER)
    path.chmod(0)


def a_hole(path: Path) -> None:
    path.touch()
    os.truncate(path, 2**30)


ODD: dict[str, tuple[Callable[[Path], object], str]] = {
    "a folder": (Path.mkdir, "something that is no file"),
    "a pipe": (os.mkfifo, "something that is no file"),
    "a socket": (lambda path: socket.socket(socket.AF_UNIX).bind(str(path)), "No such device"),
    "a link to nothing": (lambda path: path.symlink_to("nowhere"), "No such file or directory"),
    "a link in a circle": (lambda path: path.symlink_to(path.name), "a link that leads in a circle"),
    "a link to a device": (lambda path: path.symlink_to("/dev/zero"), "a link that leads out of the include folder"),
    "a link to a secret": (lambda path: path.symlink_to("/etc/passwd"), "a link that leads out of the include folder"),
    "ten megabytes": (lambda path: path.write_bytes(b"# " + b"x" * 10_000_000), "00 kB"),
    "a hole of a gigabyte": (a_hole, "00 kB"),
    "no UTF-8": (lambda path: path.write_bytes(b"title: \xe9"), "byte 0xe9 in line 1, which is not UTF-8"),
    "UTF-16": (lambda path: path.write_text(ROSTER, "utf-16"), "UTF-16, which is not UTF-8"),
    "NUL": (lambda path: path.write_bytes(b"a: b\n\x00"), "the control character U+0000 in line 2"),
    "an escape": (lambda path: path.write_bytes(b"a: \x1b[31mb"), "the control character U+001B in line 1"),
}  # fmt: skip


@pytest.mark.parametrize("filler", ["-", "a", "|", "# ", "  - x\n", "[a](", "a1", "--x-", "pass"])
def test_the_longest_runbook_is_read_in_seconds(tmp_path: Path, filler: str) -> None:
    """Whatever it is made of: it is read again at each parse of each DAG file. A longer one is refused."""
    folder = write_include(tmp_path / "include")
    book = folder / "runbooks/sales_etl.md"
    text = book.read_text(encoding="utf-8")
    book.write_text(text + filler * ((99_000 - len(text.encode())) // len(filler)), encoding="utf-8")
    began = time.process_time()
    assert oncall_config.check(folder) == []
    assert time.process_time() - began < 3
    book.write_text(text + filler * (100_000 // len(filler)), encoding="utf-8")
    assert "more than 100 kB" in str(oncall_config.check(folder)[0])


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("name", ["roster.yaml", "runbooks/sales_etl.md", "sql/sales_etl/publish.sql"])
def test_an_odd_file_is_a_problem_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, odd: str, name: str
) -> None:
    """It is told what it is; the file's last good version stays in force, and every other file counts."""
    folder = write_include(tmp_path / "include")
    monkeypatch.chdir(folder / Path(name).parent)  # a socket's path must be short
    put, said = ODD[odd]
    replaced(folder / name, lambda path: put(Path(path.name)))
    began = time.process_time()
    (problem,) = oncall_config.check(folder)
    assert time.process_time() - began < 6
    if (name, odd) != ("sql/sales_etl/publish.sql", "a folder"):  # … which is a folder without SQL
        assert problem.file == name
        assert said in problem.found
    good = {"roster.yaml": ROSTER, "runbooks/sales_etl.md": RUNBOOK}
    found = oncall_config.in_force(read_folder(folder), good, dt.datetime.now(dt.UTC))
    assert found.config is not None
    assert list(found.config.pipelines) == ["sales_etl"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_that_may_not_be_read_is_a_problem(tmp_path: Path) -> None:
    """Whoever deployed it forgot the rights."""
    folder = write_include(tmp_path / "include")
    unreadable(folder / "roster.yaml")
    assert [problem.found for problem in oncall_config.check(folder)] == ["Permission denied"]


@pytest.mark.parametrize("name", ["my team!", "a\nb", "-x", "x" * 200, "ü"])
def test_a_team_s_folder_must_be_a_name(tmp_path: Path, name: str) -> None:
    """A DAG is named after it, and a key; what cannot be is told, and is no team."""
    folder = write_include(tmp_path / "include")
    (folder / "teams" / name).mkdir(parents=True)
    (folder / "teams" / name / "roster.yaml").write_text(ROSTER)
    (problem,) = oncall_config.check(folder)
    assert problem.found == "a name that no team can have"
    assert problem.file.isprintable()
    assert teams(folder) == []


@pytest.mark.parametrize(
    "name", ["a b.md", "a\nb.md", ".#lock.md", "ü.md", os.fsdecode(b"\xff.md"), "x" * 200 + ".md"]
)
def test_a_runbook_must_be_named_like_a_dag(tmp_path: Path, name: str) -> None:
    """The same for runbooks; a name is shown as any terminal takes it."""
    folder = write_include(tmp_path / "include")
    (folder / "runbooks" / name).write_text(RUNBOOK)
    found = oncall_config.check(folder)
    assert [problem.found for problem in found] == ["a name that is no id of a DAG"] * (name != ".#lock.md")
    assert all(str(problem).encode() and problem.file.isprintable() for problem in found)
    assert runbooks(folder) == ["sales_etl"]


@pytest.mark.parametrize(
    "name", ["10_base copy.sql", "10_base (1).sql", "10-base.sql", "10_base.SQL", "1_base.sql", "80_more.sql"]
)
def test_sql_that_is_numbered_otherwise_than_a_step_is_told(tmp_path: Path, name: str) -> None:
    """It would run beside the one that it is a copy of, or never: a check of that name checked nothing."""
    folder = write_include(tmp_path / "include")
    for right in ("10_base.sql", "20_checks.sql", "31_periods.sql", "publish.sql"):
        (folder / "sql/sales_etl" / right).write_text("select 1")
    assert oncall_config.check(folder) == []
    (folder / "sql/sales_etl" / name).write_text("select 1")
    (problem,) = oncall_config.check(folder)
    assert (problem.file, problem.found) == (f"sql/sales_etl/{name}", "a name that is no step's")


@pytest.mark.parametrize(
    ("text", "found", "write"),
    [
        ("select 1;\nselect %(report_dat)s", "the parameter %(report_dat), which no run binds", "one of report,"),
        ("begin;\nselect 1;\ncommit;", "'begin;'", "a run has its own transaction"),
        ("select 1;\n  COMMIT WORK ;", "'COMMIT WORK ;'", "a run has its own transaction"),
        ("select 1;\nstart  transaction", "'start  transaction'", "a run has its own transaction"),
        ("\\set day 2026-11-22\nselect 1", r"'\\set'", "knows no command of psql's"),
    ],
)  # fmt: skip
def test_what_psql_takes_and_a_run_does_not_is_told_before_the_night(
    tmp_path: Path, text: str, found: str, write: str
) -> None:
    """`check` said that all is good, and at night the run failed, or published outside of its transaction."""
    folder = write_include(tmp_path / "include")
    for name in ("10_base.sql", "20_checks.sql"):
        (folder / "sql/sales_etl" / name).write_text(
            "-- commit;\n/*\nrollback;\n*/ select %(report_date)s, '%%(x)s'"
        )
    (folder / "sql/sales_etl/by_hand.sql").write_text(text)  # for a DAG of somebody's own
    (folder / "sql/sales_etl/30_publish.sql").write_text("do $$ begin perform 1; end $$;")
    assert oncall_config.check(folder) == []
    (folder / "sql/sales_etl/30_publish.sql").write_text(text)
    (problem,) = oncall_config.check(folder)
    line = 1 if text.startswith(("begin", "\\")) else 2
    assert (problem.file, problem.found) == (f"sql/sales_etl/30_publish.sql:{line}", found)
    assert write in problem.write


@pytest.mark.parametrize("gone", ["10_base.sql", "20_checks.sql", "30_publish.sql"])
def test_a_step_without_which_a_run_fails_is_told_before_the_night(tmp_path: Path, gone: str) -> None:
    """What is in the folder of its kind counts."""
    folder = write_include(tmp_path / "include")
    for name in {"10_base.sql", "20_checks.sql", "30_publish.sql"} - {gone}:
        (folder / "sql/sales_etl" / name).write_text("select 1")
    (problem,) = oncall_config.check(folder)
    assert (problem.file, problem.found) == ("sql/sales_etl/", f"no step {gone[:2]}_….sql")
    (folder / "sql/etl").mkdir()
    (folder / "sql/etl" / gone).write_text("select 1")
    assert oncall_config.check(folder) == []


def test_what_an_editor_keeps_beside_sql_is_no_sql(tmp_path: Path) -> None:
    """Emacs' lock is a link to nowhere, a Mac's shadow is no text: while somebody edited, the page was red."""
    folder = write_include(tmp_path / "include")
    (folder / "sql/sales_etl/.#publish.sql").symlink_to("me@host.123")
    (folder / "sql/sales_etl/._publish.sql").write_bytes(b"\0\5\x16\7")
    for name in ("#publish.sql#", "publish.sql~", "publish.sql.orig", ".publish.sql.swp"):
        (folder / "sql/sales_etl" / name).write_bytes(b"\xff")
    assert oncall_config.check(folder) == []


@pytest.mark.parametrize("name", ["runbooks", "teams", "sql"])
def test_a_file_in_the_place_of_a_folder_is_told(tmp_path: Path, name: str) -> None:
    """And is no reason to fall; of what the folder would hold it cannot be said that it is gone."""
    (tmp_path / "roster.yaml").write_text(ROSTER)
    (tmp_path / name).write_text("a file")
    gone = {"pipelines.sales_etl"} if name != "runbooks" else set()
    assert {problem.key for problem in oncall_config.check(tmp_path)} == {"(folder)", *gone}
    assert stamp(tmp_path)


def test_links_within_the_folder_are_followed(tmp_path: Path) -> None:
    """As Kubernetes mounts a ConfigMap: each file is a link into a folder that is a link."""
    write_include(tmp_path / "include/..2026_11_27")
    (tmp_path / "include/..data").symlink_to("..2026_11_27")
    for name in ("roster.yaml", "runbooks", "sql"):
        (tmp_path / "include" / name).symlink_to(f"..data/{name}")
    assert oncall_config.check(tmp_path / "include") == []
    before = stamp(tmp_path / "include")
    runbook = tmp_path / "include/..2026_11_27/runbooks/sales_etl.md"
    runbook.write_text(RUNBOOK.replace("05:00", "06:00"))
    assert stamp(tmp_path / "include") != before


@pytest.mark.parametrize(
    "odd", ["a pipe", "a link to nothing", "a link to a device", "ten megabytes", "no UTF-8"]
)
@pytest.mark.parametrize("name", ["contracts/odd.yaml", "roster.yaml"])
def test_an_odd_file_keeps_no_look_waiting(tmp_path: Path, odd: str, name: str) -> None:
    """Every look asks the contracts and the holidays how many rows a load must have: it is told the usual."""
    folder = write_include(tmp_path / "include")
    (folder / "contracts").mkdir()
    (folder / name).unlink(missing_ok=True)
    ODD[odd][0](folder / name)
    assert 0 < volume_in(folder).share("master.orders", dt.date(2026, 11, 27)) <= 1
    assert name in {problem.file for problem in oncall_config.check(folder)}
