"""Does harm to whoever is connected to a database, again and again: freezes or kills the backends; knows no fault."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from contextlib import closing, suppress

import psycopg2

OURS = "chaos"  # the application_name of the chaos run itself, which is spared
_BACKENDS = """
select pid from pg_stat_activity
where datname = %s and backend_type = 'client backend' and state is not null and application_name <> %s
"""
_LOCK_ALL = """
do $$
declare of regclass;
begin
    for of in
        select oid::regclass from pg_class where relkind in ('r', 'p') and relnamespace::regnamespace::text
            not in ('pg_catalog', 'information_schema', 'pg_toast')
    loop
        execute format('lock table %s in access exclusive mode', of);
    end loop;
end $$
"""


def lock_all(uri: str) -> psycopg2.extensions.connection:
    """Hold every table of the database until the connection is closed. Raises psycopg2.Error after 5 s."""
    connection = psycopg2.connect(uri, application_name=OURS, options="-c lock_timeout=5000")
    with connection.cursor() as cursor:
        cursor.execute(_LOCK_ALL)
    return connection


class Harm(threading.Thread):
    """Until `end`: `act` on every backend of the database that others are connected to, every `every_s` seconds."""

    def __init__(self, uri: str, database: str, act: Callable[[int], None], every_s: float) -> None:
        super().__init__(name=f"harm to {database}", daemon=True)
        self._uri, self._database, self._act, self._every_s = uri, database, act, every_s
        self._over = threading.Event()
        self._harmed: set[int] = set()

    def run(self) -> None:
        with closing(psycopg2.connect(self._uri, application_name=OURS)) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                while True:
                    cursor.execute(_BACKENDS, (self._database, OURS))
                    for (pid,) in cursor.fetchall():
                        self._harmed.add(pid)
                        with suppress(ProcessLookupError):
                            self._act(pid)
                    if self._over.wait(self._every_s):
                        return

    def end(self) -> None:
        """Whoever was frozen goes on."""
        self._over.set()
        self.join(10)
        for pid in self._harmed:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def freeze(pid: int) -> None:
    """As if its disk hung: the connection stands, and nothing comes back."""
    os.kill(pid, signal.SIGSTOP)


def kill(pid: int) -> None:
    """As `pg_terminate_backend` does."""
    os.kill(pid, signal.SIGTERM)
