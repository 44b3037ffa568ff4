"""A pipeline's terms as its tasks go by them: where a file is broken, as it was when it could be read."""

from __future__ import annotations

from dataclasses import replace

from oncall.airflow.composition import Wiring
from oncall.airflow.dag_settings import Terms, of_pendulum, terms_of
from oncall.config.include_files import RUNBOOKS
from oncall.config.runbook_file import read_runbook
from oncall.core.errors import ConfigError
from oncall.usecases.current_config import config_in_force


def terms_in_force(dag_id: str) -> Terms:
    """Its terms. A run by a runbook that does not tell its upstream would wait for nothing, and publish what is there;
    one by a roster that does not tell its zone would cut the day elsewhere.

    Raises ConfigError where neither file was ever good enough to tell the two: nobody is asked to guess, and the task
    that fails is told with what to write.
    """
    terms = terms_of(dag_id)
    if terms.sure:
        return terms
    config, _ = config_in_force(Wiring().store())
    pipeline = config.pipelines.get(dag_id)
    read = read_runbook(dag_id, config.texts.get(f"{RUNBOOKS}/{dag_id}.md", ""))
    if in_doubt := read.problems_under("upstream", "team"):
        raise ConfigError(in_doubt)
    # a team whose roster nobody can read is not the one at the top
    if pipeline is None or read.pipeline is None or pipeline.team != read.pipeline.team:
        raise ConfigError(terms.problems)
    zone = of_pendulum(config.roster_of(dag_id).tz)
    return replace(terms, zone=zone, upstream=pipeline.upstream, promise=pipeline.promise)
