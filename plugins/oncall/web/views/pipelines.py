"""The pipelines: owners, purpose, promise. Pure: the configuration in, models out."""

from __future__ import annotations

from urllib.parse import quote

from oncall.config.oncall_config import OncallConfig
from oncall.core.incidents.wording import Links
from oncall.core.promises.promise import Pipeline
from oncall.core.promises.words import due_days
from oncall.web.views.models import LinksView, PipelineView


def pipelines(config: OncallConfig, addresses: Links) -> tuple[PipelineView, ...]:
    """Those with a promise first, each group in the order of their names."""
    ordered = sorted(config.pipelines.values(), key=lambda each: (each.promise is None, each.dag_id))
    return tuple(_pipeline(each, addresses) for each in ordered)


def _pipeline(pipeline: Pipeline, addresses: Links) -> PipelineView:
    return PipelineView.of(
        pipeline,
        upstream_owner=pipeline.upstream_owner.team,
        upstream_slack=pipeline.upstream_owner.slack,
        promise=f"{due_days(pipeline.promise)} by {pipeline.promise.due:%H:%M}" if pipeline.promise else None,
        links=LinksView(
            run=f"{addresses.base_url}/dags/{quote(pipeline.dag_id)}",
            runbook=addresses.runbook(pipeline.dag_id),
        ),
    )
