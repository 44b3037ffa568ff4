"""Sends numbers where Airflow sends its own: StatsD, Datadog or OpenTelemetry, by `[metrics]` of its configuration."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from types import ModuleType

import structlog

from oncall.usecases.ports import Reading

log = structlog.get_logger(__name__)


class AirflowMetrics:
    """Implements `Metrics`. Cheap when Airflow has no metrics configured: then its own backend drops them."""

    def tell(self, readings: Iterable[Reading]) -> None:
        try:
            for reading in readings:
                _tell(reading)
        except Exception as error:  # noqa: BLE001 - whatever a metrics backend raises, the pager must live
            log.warning("oncall.metrics_not_told", reason=f"{type(error).__name__}: {error}")


def _tell(reading: Reading) -> None:
    name, tags = reading.name, dict(reading.tags)
    if tags and not _carries_tags():
        name, tags = ".".join((name, *(_plain(value) for value in tags.values()))), {}
    stats = _stats()
    if reading.kind == "count":
        stats.incr(name, int(reading.value), tags=tags)
    elif reading.kind == "gauge":
        stats.gauge(name, reading.value, tags=tags)
    else:
        stats.timing(name, reading.value * 1000, tags=tags)  # all of its backends take milliseconds


@cache
def _stats() -> ModuleType:
    """The stats of Airflow's SDK: the only ones that are the same in a task, the triggerer and the api-server.

    A task's process sets them up when it starts, every other one when it imports the SDK's serde (Airflow 3.3.2).
    To set them up a second time would lose what a task has not sent yet.
    """
    from airflow.sdk import serde  # noqa: F401
    from airflow.sdk.observability import stats

    return stats


@cache
def _carries_tags() -> bool:
    """Plain StatsD has no tags, and would take one gauge for another: there a tag's value becomes part of the name."""
    from airflow.sdk.configuration import conf

    if conf.getboolean("metrics", "statsd_datadog_enabled"):
        return bool(conf.getboolean("metrics", "statsd_datadog_metrics_tags", fallback=True))
    if conf.getboolean("metrics", "statsd_on"):
        return bool(conf.getboolean("metrics", "statsd_influxdb_enabled", fallback=False))
    return True


def _plain(value: str) -> str:
    """One part of a dotted name."""
    from airflow.sdk.observability.stats import normalize_name_for_stats

    return str(normalize_name_for_stats(value, log_warning=False)).replace(".", "__")
