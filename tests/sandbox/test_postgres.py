"""The laptop's PostgreSQL: really started, found again, stopped."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg2
import pytest

from sandbox.stack import postgres as pg
from sandbox.stack.postgres import SandboxError, Server, start


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """A folder with a short path that other system users can reach."""
    folder = Path(tempfile.mkdtemp(prefix="pg-test-", dir="/tmp"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def ask(dsn: str, question: str) -> object:
    connection = psycopg2.connect(dsn)
    try:
        with connection.cursor() as cursor:
            cursor.execute(question)
            row = cursor.fetchone()
            return row[0] if row else None
    finally:
        connection.close()


def test_it_outlives_the_process_that_started_it_and_is_found_again(short_folder: Path) -> None:
    """`make up` twice is one server with the same data, also in a folder with a blank in its name."""
    folder = short_folder / "a b" / "data"
    program = "import sys; from sandbox.stack.postgres import start; start(sys.argv[1]).ensure_database('warehouse')"
    for _ in range(2):
        subprocess.run(
            [sys.executable, "-c", program, str(folder)], check=True, cwd=Path(pg.__file__).parents[2]
        )
    server = start(folder)
    try:
        assert ask(server.uri("warehouse"), "select current_database()") == "warehouse"
    finally:
        server.stop()
    assert not server.answers()
    server.stop()  # a stopped server stays stopped, without a complaint


def test_a_long_path_gets_a_short_socket_folder(short_folder: Path) -> None:
    """A repository deep in the tree still works: only the socket moves."""
    server = start(short_folder / ("x" * 100) / "data")
    try:
        assert server.socket_dir != server.data_dir
        assert server.answers()
    finally:
        server.stop()
        shutil.rmtree(server.socket_dir)


def test_a_path_too_long_everywhere_says_the_way_out(
    short_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the temporary folder is too deep as well, the error says what to change."""
    deep = short_folder / ("y" * 100)
    deep.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    with pytest.raises(SandboxError, match="TMPDIR=/tmp"):
        start(deep / "data")


def test_a_crash_does_not_block_the_next_start(short_folder: Path) -> None:
    """A pid file left by a crash, whose number is now another program's, is forgotten."""
    folder = short_folder / "data"
    start(folder).stop()
    (folder / "postmaster.pid").write_text(f"{os.getpid()}\n{folder}\n0\n5432\n{folder}\n\n0 0\nready\n")
    server = start(folder)
    try:
        assert server.answers()
    finally:
        server.stop()


def test_a_killed_server_is_started_again(short_folder: Path) -> None:
    """After `kill -9` with somebody connected, the next start recovers, and what was committed is there."""
    folder = short_folder / "data"
    server = start(folder)
    held = psycopg2.connect(server.ensure_database("warehouse"))
    os.kill(int((folder / "postmaster.pid").read_text().splitlines()[0]), signal.SIGKILL)
    again = start(folder)
    try:
        assert ask(again.uri("warehouse"), "select current_database()") == "warehouse"
    finally:
        held.close()
        again.stop()


def test_the_locale_of_the_shell_does_not_matter(short_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shell that has come by ssh often names one that this machine does not have."""
    monkeypatch.setenv("LC_ALL", "xx_XX.UTF-8")
    server = start(short_folder / "data")
    try:
        dsn = server.ensure_database("warehouse")
        assert ask(dsn, "select lower('ÄÖI')") == "äöi"
        assert ask(dsn, "select 'Z' < 'a'")
    finally:
        server.stop()
    assert os.environ["LC_ALL"] == "xx_XX.UTF-8"


def test_one_process_at_a_time_looks_for_the_servers_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a new machine the four processes of the tests each made it: three had a server that could not start."""
    users = tmp_path / "passwd"
    users.touch()
    monkeypatch.setattr(pg, "USERS", users)
    with open(users, encoding="utf-8") as held, ThreadPoolExecutor(1) as thread:
        fcntl.flock(held, fcntl.LOCK_EX)
        found = thread.submit(pg.tools, tmp_path / "data")
        with pytest.raises(TimeoutError):
            found.result(0.3)
        fcntl.flock(held, fcntl.LOCK_UN)
        assert (found.result(30) / "psql").exists()


def test_it_takes_the_connections_of_a_whole_airflow(postgres: Server) -> None:
    """At least 200 clients may connect at once."""
    assert int(str(ask(postgres.uri(), "show max_connections"))) >= 200


def test_a_fresh_database_is_empty_and_utc(fresh_database: str) -> None:
    """Every test that asks for one gets its own, with nothing in it."""
    assert ask(fresh_database, "select count(*) from pg_tables where schemaname = 'public'") == 0
    assert ask(fresh_database, "show timezone") == "UTC"


def test_a_dropped_database_is_gone_even_while_in_use(postgres: Server) -> None:
    """Somebody still connected does not keep a database alive; dropping it again is no error."""
    held = psycopg2.connect(postgres.ensure_database("doomed"))
    postgres.drop_database("doomed")
    postgres.drop_database("doomed")
    held.close()
    assert ask(postgres.uri(), "select count(*) from pg_database where datname = 'doomed'") == 0
