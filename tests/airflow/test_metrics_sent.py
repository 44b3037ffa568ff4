"""What Airflow's own metrics send when something looks: received on a real socket, from a process of its own."""

from __future__ import annotations

import datetime as dt
import http.server
import importlib.util
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
ZONE = dt.timezone(dt.timedelta(hours=7))
LOOK = """
from oncall.airflow.composition import Wiring
from oncall.airflow.run_once import evaluate_once
store = Wiring().store()
store.install()
store.set_note("watching_since", "2000-01-01T00:00:00+00:00")
evaluate_once()
"""
# What a look after the due instant tells, by name and tags' values.
TOLD = {
    "oncall.verdict.broken": 1,
    "oncall.verdict.kept": 0,
    "oncall.promise.growth_etl": 4,
    "oncall.roster_valid": 1,
    "oncall.readable.warehouse": 1,
    "oncall.sent.pager.page": 1,
    "oncall.failures.chat": 0,
    "oncall.channel_up.pager": 1,
}


@pytest.fixture
def broken(site: Any) -> Any:
    """Growth was due a minute ago and is not there."""
    now = dt.datetime.now(ZONE)
    due = now.replace(microsecond=0) - dt.timedelta(minutes=1)
    if (due - dt.timedelta(minutes=1)).date() != now.date():
        pytest.skip("midnight is too near for a due time of today")
    site.promise(due.time(), (due - dt.timedelta(minutes=1)).time())
    return site


def looked(folder: Path, settings: Mapping[str, str]) -> str:
    """Look once in a new process of Airflow with these settings; what it logged."""
    environment = {
        **os.environ,
        "AIRFLOW_HOME": str(folder),
        "AIRFLOW__LOGGING__JSON_LOGS": "True",
        **settings,
    }
    environment["PYTHONPATH"] = os.pathsep.join(
        [str(REPOSITORY / "plugins"), os.environ.get("PYTHONPATH", "")]
    )
    done = subprocess.run(
        [sys.executable, "-c", LOOK], env=environment, capture_output=True, text=True, timeout=90
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.skipif(
    importlib.util.find_spec("statsd") is None,
    reason="Airflow's StatsD client is not installed: pip install statsd",
)
def test_plain_statsd_gets_every_number_under_a_name_of_its_own(broken: Any, tmp_path: Path) -> None:
    """Without tags one pipeline's gauge would overwrite another's: their values are parts of the name."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as statsd:
        statsd.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        statsd.bind(("127.0.0.1", 0))
        statsd.settimeout(1)
        port = str(statsd.getsockname()[1])
        looked(
            tmp_path,
            {
                "AIRFLOW__METRICS__STATSD_ON": "True",
                "AIRFLOW__METRICS__STATSD_HOST": "127.0.0.1",
                "AIRFLOW__METRICS__STATSD_PORT": port,
            },
        )
        got = dict(line.split(":", 1) for line in received(statsd))
    for name, value in TOLD.items():
        told, kind = got[f"airflow.{name}"].split("|")
        assert float(told) == value, name
        assert kind == ("c" if name.split(".")[1] in ("sent", "failures") else "g")
    delay, kind = got["airflow.oncall.page_delay"].split("|")
    assert kind == "ms"
    assert 60_000 <= float(delay) < 120_000


def received(statsd: socket.socket) -> Iterator[str]:
    try:
        while True:
            yield from statsd.recv(65_536).decode().splitlines()
    except TimeoutError:
        return


def test_opentelemetry_gets_the_same_numbers_with_tags(broken: Any, tmp_path: Path) -> None:
    """A collector of OTLP over HTTP; the tags are attributes."""
    with collector() as (address, got):
        looked(
            tmp_path,
            {
                "AIRFLOW__METRICS__OTEL_ON": "True",
                "OTEL_EXPORTER_OTLP_ENDPOINT": address,
                "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
            },
        )
    for name, value in TOLD.items():
        assert got[f"airflow.{name}"] == value, name
    assert 60_000 <= got["airflow.oncall.page_delay"] < 120_000


@contextmanager
def collector() -> Iterator[tuple[str, dict[str, float]]]:
    """Its address, and what it was sent: name and attributes' values → number (of a histogram, the sum)."""
    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

    got: dict[str, float] = {}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            request = ExportMetricsServiceRequest()
            request.ParseFromString(self.rfile.read(int(self.headers["Content-Length"])))
            got.update(numbers(request))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", got
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def numbers(request: Any) -> Iterator[tuple[str, float]]:
    scopes = [scope for resource in request.resource_metrics for scope in resource.scope_metrics]
    for metric in (metric for scope in scopes for metric in scope.metrics):
        kind = metric.WhichOneof("data")
        for point in getattr(metric, kind).data_points:
            values = [attribute.value.string_value for attribute in point.attributes]
            number = point.sum if "histogram" in kind else getattr(point, point.WhichOneof("value"))
            yield ".".join([metric.name, *values]), number


def test_without_metrics_the_page_is_sent_and_no_metric_is_spoken_of(broken: Any, tmp_path: Path) -> None:
    """Most installations configure none. Every line of a sending is JSON with incident and step, and has no key."""
    said = looked(tmp_path, {})
    assert "metrics_not_told" not in said
    assert len(broken.inbox.alerts()) == 1
    lines = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    sending = [line for line in lines if line["event"] == "oncall.delivered"]
    assert {line["channel"] for line in sending} == {"pager", "chat"}
    # Just after two, when the run is not missed yet, it is upstream that is late, and its team is told too.
    assert {line["step"].partition(":")[0] for line in sending} - {"upstream-late"} == {"page-1-primary"}
    assert all(line["incident"].startswith("growth_etl:") for line in sending)
    for secret in (broken.inbox.opsgenie_key, broken.inbox.slack_token):
        assert secret not in said
