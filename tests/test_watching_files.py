"""The files that watch the watcher name only numbers that the code tells, and say the same of them everywhere."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from oncall.usecases.metrics import CODES, MEASURES, Measure

DEPLOY = Path(__file__).resolve().parents[1] / "deploy"
READ = YAML(typ="safe")
MAPPINGS: list[dict[str, Any]] = READ.load(DEPLOY / "statsd-mappings.yaml")["mappings"]
VALUES: dict[str, Any] = READ.load(DEPLOY / "helm-values.yaml")
GROUP: list[dict[str, Any]] = READ.load(DEPLOY / "alerts.yaml")["groups"][0]["rules"]
RECORDED: dict[str, str] = {rule["record"]: rule["expr"] for rule in GROUP if "record" in rule}
RULES = [rule for rule in GROUP if "alert" in rule]
DASHBOARD: dict[str, Any] = json.loads((DEPLOY / "grafana" / "oncall.json").read_text(encoding="utf-8"))
TARGETS: list[str] = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
ENDING = {"count": "_total", "gauge": ""}


def in_prometheus(measure: Measure, seconds: str = "_seconds") -> str:
    return f"airflow_{measure.name.replace('.', '_')}{seconds if measure.kind == 'seconds' else ENDING[measure.kind]}"


# Every series in Prometheus, and the labels that it has. A duration has another name by way of OpenTelemetry.
SERIES = {
    f"{in_prometheus(measure, seconds)}{part}": {*measure.tags, *(["le"] if part == "_bucket" else [])}
    for measure in MEASURES
    for seconds in ("_seconds", "_milliseconds")
    for part in (("_bucket", "_sum", "_count") if measure.kind == "seconds" else ("",))
}


def named(expression: str) -> set[str]:
    """The series it asks for, also by way of what is recorded."""
    recorded = (name for each in re.findall(r"oncall:[\w:]+", expression) for name in named(RECORDED[each]))
    return {*re.findall(r"airflow_\w+", expression), *recorded}


@pytest.mark.parametrize("expression", [*TARGETS, *(rule["expr"] for rule in GROUP)])
def test_what_is_asked_for_is_told(expression: str) -> None:
    """Each series exists; what it is grouped by or chosen by is one of its labels."""
    assert named(expression)
    assert named(expression) <= SERIES.keys()
    labels = set().union(*(SERIES[name] for name in named(expression)))
    used = {label for group in re.findall(r"by \(([^)]*)\)", expression) for label in group.split(", ")}
    used |= set(re.findall(r"[{,](\w+)=", expression))
    assert used <= labels


def test_every_number_is_shown() -> None:
    """What the code tells stands on the dashboard."""
    shown = {name for expression in TARGETS for name in named(expression)}
    for measure in MEASURES:
        assert any(name.startswith(in_prometheus(measure)) for name in shown), measure.name


def test_the_dashboard_can_be_imported() -> None:
    """Panels with ids of their own that do not overlap, and the data source as a choice."""
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    cells = [
        (x, y)
        for at in (panel["gridPos"] for panel in panels)
        for x in range(at["x"], at["x"] + at["w"])
        for y in range(at["y"], at["y"] + at["h"])
    ]
    assert len(set(cells)) == len(cells)
    assert max(x for x, _ in cells) < 24
    assert DASHBOARD["templating"]["list"][0]["type"] == "datasource"
    assert {panel["datasource"]["uid"] for panel in panels} == {"${datasource}"}


def test_the_codes_of_a_promise_are_told_in_words() -> None:
    """The dashboard's words are the verdicts."""
    (panel,) = [panel for panel in DASHBOARD["panels"] if panel["type"] == "state-timeline"]
    words = panel["fieldConfig"]["defaults"]["mappings"][0]["options"]
    told = {verdict.replace("_", " "): str(code) for verdict, code in CODES.items()}
    assert {mapped["text"]: code for code, mapped in words.items()} == told


@pytest.mark.parametrize("expression", [*TARGETS, *RECORDED.values()])
def test_a_duration_is_found_whichever_way_it_came(expression: str) -> None:
    """StatsD's exporter tells seconds, OpenTelemetry milliseconds."""
    for measure in MEASURES:
        if measure.kind == "seconds" and (
            names := [n for n in named(expression) if n.startswith(f"{in_prometheus(measure)}")]
        ):
            assert {name.replace("_seconds", "_milliseconds") for name in names} <= named(expression)


def test_every_rule_says_what_to_do() -> None:
    """A summary, a sentence or two, a severity, and no alert for a blip."""
    assert len({rule["alert"] for rule in RULES}) == len(RULES)
    for rule in RULES:
        assert rule["labels"]["severity"] in ("page", "warning")
        assert rule["annotations"].keys() == {"summary", "description"}
        assert "for" in rule or "offset" in rule["expr"]


@pytest.mark.parametrize("measure", MEASURES, ids=lambda measure: measure.name)
def test_plain_statsd_s_names_become_these(measure: Measure) -> None:
    """One mapping takes the dotted name and makes labels of the tags' values, in their order."""
    dotted = ".".join(["airflow", measure.name, *(f"a_{tag}" for tag in measure.tags)])
    (mapping,) = [each for each in MAPPINGS if re.fullmatch(_pattern(each["match"]), dotted)]
    assert mapping["name"] == in_prometheus(measure)
    assert mapping.get("labels", {}) == {tag: f"${number}" for number, tag in enumerate(measure.tags, 1)}
    assert (mapping.get("observer_type") == "histogram") is (measure.kind == "seconds")
    if measure.kind == "seconds":
        assert 15 in mapping["histogram_options"]["buckets"], "a rule asks for it"


def _pattern(match: str) -> str:
    return re.escape(match).replace(r"\*", r"([^.]+)")


def test_the_helm_chart_gets_the_same_mappings() -> None:
    """One list, twice: the chart takes it as a value."""
    assert VALUES["statsd"]["extraMappings"] == MAPPINGS


def test_the_helm_values_hold_no_secret_and_run_the_locked_airflow() -> None:
    """Secrets are named, the watcher has a second triggerer, and nobody logs in with a default password."""
    lock = (DEPLOY.parent / "requirements.lock").read_text(encoding="utf-8")
    locked = re.search(r"^apache-airflow==([\d.]+)", lock, re.MULTILINE)
    assert locked is not None
    assert VALUES["airflowVersion"] == VALUES["defaultAirflowTag"] == locked[1]
    assert VALUES["triggerer"]["replicas"] >= 2
    assert VALUES["createUserJob"] == {"enabled": False}
    assert VALUES["postgresql"] == {"enabled": False}
    assert VALUES["config"]["core"]["dags_are_paused_at_creation"] == "False"
    assert not {"fernetKey", "apiSecretKey", "jwtSecret", "webserverSecretKey", "secret"} & VALUES.keys()
    assert VALUES["data"].keys() == {"metadataSecretName"}
