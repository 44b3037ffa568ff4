"""How long the api-server takes for each view of the page, two years of it, and what its pollers cost others."""

from __future__ import annotations

import http.client
import multiprocessing
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Event
from pathlib import Path
from urllib.parse import urlsplit

from sandbox.bench import page_history
from sandbox.bench.figures import Figure, Sample, Section, number
from sandbox.stack.postgres import SandboxError
from sandbox.stack.scratch import free_port
from sandbox.stack.stack import Stack

TIMES = 100
FIRST_TIMES = 15
SHARED_S = 2.2  # readers within two seconds share one reading
TASKS = page_history.DAGS * page_history.RUNS_EACH * page_history.TASKS_EACH
CLIENTS = 5
VERSION = "/api/v2/version"
VIEWS = {
    "overview": "/oncall/",
    "incidents": "/oncall/incidents",
    "one incident": "/oncall/incidents/{key}",
    "rota": "/oncall/rota",
    "runbook": f"/oncall/runbooks/{page_history.STUCK}",
    "links": "/oncall/links",
    "JSON for Home": "/oncall/api/home",
    "JSON of all incidents": "/oncall/api/incidents",
}


def measure(folder: Path) -> tuple[Section, ...]:
    """Milliseconds from the request to the end of the answer, on one machine, against a real api-server."""
    with _api_server(folder) as stack:
        key = page_history.fill(stack.server())
        client = Client(stack.airflow_url, stack.api().token)
        views = {name: path.format(key=key) for name, path in VIEWS.items()}
        return _views(client, views), _polled(client)


class Client:
    """One browser: a connection that stays open, and Airflow's cookie."""

    def __init__(self, url: str, token: str) -> None:
        self.url, self.token = url, token
        self._headers = {"Cookie": f"_token={token}", "Accept": "text/html"}
        self._connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)

    def took(self, path: str) -> float:
        """Milliseconds. Raises SandboxError for anything but 200."""
        began = time.perf_counter()
        self._connection.request("GET", path, headers=self._headers)
        answer = self._connection.getresponse()
        answer.read()
        if answer.status != 200:
            raise SandboxError(f"GET {path} was answered {answer.status}")
        return (time.perf_counter() - began) * 1000

    def sample(self, name: str, path: str) -> Sample:
        """After three that do not count."""
        for _ in range(3):
            self.took(path)
        return Sample(name, tuple(self.took(path) for _ in range(TIMES)), "ms")


def _views(client: Client, views: dict[str, str]) -> Section:
    version = client.sample(f"GET {VERSION}", VERSION)
    samples = [client.sample(name, path) for name, path in views.items()]
    first = []
    for _ in range(FIRST_TIMES):
        time.sleep(SHARED_S)
        first.append(client.took(views["overview"]))
    samples.append(Sample("overview, first reader in a while", tuple(first), "ms"))
    within = ", ".join(f"{one.name} {number(one.p95)} ms" for one in samples)
    how = (
        f"One browser, {TIMES} times each, one after the other, against Airflow's api-server (one worker) with"
        f" {page_history.DAGS} DAGs and {TASKS:,} task instances, and {page_history.DAYS} days of publications, with an"
        " incident of each promise every second night. Readers within two seconds share one reading of the databases;"
        f" the last line is {FIRST_TIMES} times who comes after them. 95 of 100 answers were within: {within}."
    )
    return Section("The page", how, tuple(Figure(one, version) for one in samples))


def _polled(client: Client) -> Section:
    idle = client.sample(f"GET {VERSION}, nobody else", VERSION)
    with _pollers(client, VIEWS["overview"]) as answers:
        busy = client.sample(f"GET {VERSION}, {CLIENTS} poll the overview", VERSION)
    with _pollers(client, VERSION) as baseline:
        among = client.sample(f"GET {VERSION}, {CLIENTS} poll {VERSION} itself", VERSION)
    how = (
        f"Airflow's smallest answer while {CLIENTS} browsers ask without a pause, all of them for the overview"
        f" ({answers():,.0f} answers a second), then all for {VERSION} itself ({baseline():,.0f} a second)."
    )
    return Section("The page, polled", how, (Figure(busy, idle), Figure(among, idle)))


@contextmanager
def _pollers(client: Client, path: str) -> Iterator[Callable[[], float]]:
    """CLIENTS browsers in a process of their own; yields what tells their answers per second, afterwards."""
    context = multiprocessing.get_context("spawn")
    stop, ours = context.Event(), context.Queue()  # type: Event, Queue[float]
    process = context.Process(target=_poll, args=(client.url, client.token, path, stop, ours), daemon=True)
    process.start()
    ours.get()  # they have begun
    rate: list[float] = []
    try:
        yield lambda: rate[0]
    finally:
        stop.set()
        rate.append(ours.get())
        process.join()


def _poll(url: str, token: str, path: str, stop: Event, told: Queue[float]) -> None:
    counts = [0] * CLIENTS

    def one(number: int) -> None:
        client = Client(url, token)
        while not stop.is_set():
            client.took(path)
            counts[number] += 1

    threads = [threading.Thread(target=one, args=(number,)) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    began = time.monotonic()
    time.sleep(1)
    told.put(0.0)
    for thread in threads:
        thread.join()
    told.put(sum(counts) / (time.monotonic() - began))


@contextmanager
def _api_server(folder: Path) -> Iterator[Stack]:
    """Airflow's database and its api-server, and nothing else of Airflow."""
    stack = Stack(folder, airflow_port=free_port(), inbox_port=free_port())
    try:
        stack.remember()
        stack.prepare()
        stack.migrate()
        stack.start("api-server")
        until = time.monotonic() + 120
        while not stack.api().health():
            if time.monotonic() > until:
                raise SandboxError(
                    f"the api-server does not answer; its log: {stack.component('api-server').log}"
                )
            time.sleep(0.5)
        yield stack
    finally:
        stack.stop()
