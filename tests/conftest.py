"""What the tests of every folder share: a real PostgreSQL and a real stack per session, a new database per test."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from sandbox.stack.postgres import Server, start
from tests.exploring import EXPLORE
from tests.spare_databases import SpareDatabases

if TYPE_CHECKING:
    from sandbox.inbox.testing import RunningInbox
    from sandbox.stack.stack import Stack

# How long an example takes says how busy the machine is, not whether a law holds. A red build is to tell of a change:
# the examples are the same each time, unless somebody goes looking for new ones (EXPLORE=1).
settings.register_profile("project", deadline=None, derandomize=EXPLORE == 0)
settings.register_profile("few", settings.get_profile("project"), max_examples=10)  # for `make coverage`
settings.load_profile("project")

# Importing Airflow writes its configuration: not into the home of whoever runs the tests, nor where another does.
# A worker's stands in that of whoever began it, with whom it goes, also when the worker is killed.
BEGUN_BY = os.environ.get("AIRFLOW_HOME") if "PYTEST_XDIST_WORKER" in os.environ else None
os.environ["AIRFLOW_HOME"] = tempfile.mkdtemp(prefix="oncall-airflow-", dir=BEGUN_BY)
atexit.register(shutil.rmtree, os.environ["AIRFLOW_HOME"], ignore_errors=True)

MEMORY = Path("/dev/shm")  # Linux's file system in memory
ROOMY = 4 * 2**30  # bytes; four workers' servers together took 1.2 GB at most
# Half a minute and more each, with few tests.
LONGEST = {
    "test_a_thousand_promises", "test_clean_days", "test_corrections", "test_corrections_by_hand", "test_day_parts",
    "test_growth_periods", "test_laws_in_scenes", "test_laws_of_paging", "test_metrics_sent",
    "test_nights_against_inbox", "test_nights_of_policies", "test_odd_store",
    "test_one_persons_page", "test_page_fab", "test_postgres_hangs", "test_roster_fuzz", "test_two_configurations",
    "test_watcher", "test_watcher_and_its_databases", "test_watcher_when_a_look_hangs",
    "test_watcher_when_a_server_hangs", "test_work_per_row",
}  # fmt: skip


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """With `--dist loadgroup`, as sandbox/test.sh has it, a stack whose parts die is one worker's, and a browser's and
    the other stacks' tests are another's: each waits most of its time. With `loadfile` a file that takes long is begun
    early, however few tests it has: at the end everybody waited for it."""
    files = Counter(item.path for item in items)
    items.sort(key=lambda item: (item.path.stem not in LONGEST, -files[item.path]))
    for item in items:
        group = "faults" if item.path.is_relative_to(Path(__file__).with_name("chaos")) else "others"
        item.add_marker(pytest.mark.xdist_group(group))


@contextmanager
def open_folder() -> Iterator[Path]:
    """A folder for a PostgreSQL, gone afterwards; in memory where there is much: databases come and go by the hundred.

    Not pytest's own temporary folder: its path grows too long for a socket, and each session of pytest closes it to
    others, while as root the server runs as another user.
    """
    roomy = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free >= ROOMY
    folder = Path(tempfile.mkdtemp(prefix="oncall-", dir=MEMORY if roomy else None))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """A running PostgreSQL; each xdist worker starts its own (about a second)."""
    with open_folder() as folder:
        server = start(folder / "data")
        try:
            yield server
        finally:
            server.stop()


@pytest.fixture
def fresh_database(postgres: Server) -> Iterator[str]:
    """The DSN of a new, empty database, dropped after the test: `postgresql://postgres@/name?host=/dir`."""
    name = f"test_{uuid.uuid4().hex}"
    try:
        yield postgres.ensure_database(name)
    finally:
        postgres.drop_database(name)


@pytest.fixture(scope="session")
def oncall_databases(postgres: Server) -> SpareDatabases:
    """Databases with an empty schema `oncall`."""
    from oncall.adapters.postgres.database import connect_to
    from oncall.adapters.postgres.oncall_db import OncallDb

    OncallDb(connect_to(postgres.ensure_database("oncall_installed"))).install()
    return SpareDatabases(postgres, "oncall_installed")


@pytest.fixture
def oncall_database(oncall_databases: SpareDatabases) -> Iterator[str]:
    """The DSN of a database with an empty schema `oncall`, as good as new, for this test alone."""
    with oncall_databases.one() as dsn:
        yield dsn


@pytest.fixture(scope="session")
def one_inbox() -> Iterator[RunningInbox]:
    from sandbox.inbox.testing import running_inbox

    with running_inbox() as inbox:
        yield inbox


@pytest.fixture
def inbox(one_inbox: RunningInbox) -> RunningInbox:
    """The far sides' stand-in: empty, and it processes at once."""
    one_inbox.clear()
    one_inbox.settings(processing_delay=0)
    return one_inbox


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """A running stack of real processes on free ports. Whoever kills a component starts it again."""
    from sandbox.stack.scratch import scratch_stack  # only for those who ask: most tests need none of it

    with open_folder() as folder, scratch_stack(folder / "run") as running:
        yield running
