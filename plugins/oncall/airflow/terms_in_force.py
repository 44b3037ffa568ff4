"""A pipeline's terms as its tasks go by them: where a file is broken, as it was when it could be read."""

from __future__ import annotations

from dataclasses import replace

from oncall.airflow.composition import Wiring
from oncall.airflow.dag_settings import Terms, of_pendulum, terms_of
from oncall.core.errors import ConfigError
from oncall.usecases.current_config import config_in_force


def terms_in_force(dag_id: str) -> Terms:
    """Its terms. A run by a runbook that does not tell its upstream would wait for nothing, and publish what is there;
    one by a roster that does not tell its zone would cut the day elsewhere.

    What was never good counts as it can be read, as it does for the watcher: a misspelt table is not waited for.
    Raises ConfigError where that tells no pipeline at all.
    """
    terms = terms_of(dag_id)
    if terms.sure:
        return terms
    config, _ = config_in_force(Wiring().store())
    pipeline = config.pipelines.get(dag_id)
    if pipeline is None:
        raise ConfigError(terms.problems)
    zone = of_pendulum(config.roster_of(dag_id).tz)
    return replace(terms, zone=zone, upstream=pipeline.upstream, promise=pipeline.promise)
