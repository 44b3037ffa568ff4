"""Finds runbooks that contradict each other. Knows their pipelines; refuses to know rosters and files."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from oncall.core.errors import Problem
from oncall.core.promises.promise import Pipeline


def base_of(dag_id: str) -> str:
    """The base model that is published with a pipeline's report: `base.profit` of `profit_etl`."""
    return f"base.{dag_id.removesuffix('_etl')}"


def contradictions(pipelines: Iterable[Pipeline]) -> Iterator[Problem]:
    """Reports that two pipelines would publish, and base models that wait for each other."""
    by_report: defaultdict[str, list[str]] = defaultdict(list)
    by_base: dict[str, Pipeline] = {}
    for pipeline in pipelines:
        by_report[pipeline.report].append(pipeline.dag_id)
        by_base[base_of(pipeline.dag_id)] = pipeline
    for report, dag_ids in by_report.items():
        for dag_id in dag_ids if report and len(dag_ids) > 1 else ():
            others = ", ".join(other for other in dag_ids if other != dag_id)
            write = "the report that this pipeline alone publishes"
            yield _problem(dag_id, "report", f"{report}, which is the report of {others} too", write)
    for pipeline in by_base.values():
        for table in pipeline.upstream:
            if table in by_base and _leads_to(pipeline, by_base[table], by_base):
                found = f"{table}, which waits for {base_of(pipeline.dag_id)} in its turn"
                if by_base[table] is pipeline:
                    found = f"{table}, which this pipeline publishes itself"
                yield _problem(
                    pipeline.dag_id, "upstream", found, "the tables that are there before it starts"
                )


def _leads_to(sought: Pipeline, start: Pipeline, by_base: Mapping[str, Pipeline]) -> bool:
    """Whether `start` waits, directly or not, for what `sought` publishes, or is it."""
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        pipeline = waiting.pop()
        if pipeline is sought:
            return True
        if pipeline.dag_id not in seen:
            seen.add(pipeline.dag_id)
            waiting += [by_base[table] for table in pipeline.upstream if table in by_base]
    return False


def _problem(dag_id: str, key: str, found: str, write: str) -> Problem:
    return Problem(f"runbooks/{dag_id}.md", key, found, write)
