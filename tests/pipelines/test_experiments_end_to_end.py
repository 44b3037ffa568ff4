"""What becomes of an experiment whose sample is not the planned one, from upstream's rows to what is published."""

from __future__ import annotations

from typing import Any

import pytest

from pipelines import runner
from pipelines.report_run import Held
from tests.pipelines.master_by_hand import DAY, add, at, row, rows
from tests.pipelines.model_runs import Run, report_run

PROFIT_OF_VARIANTS = "unit_profit_experiments"


def assign(connection: Any, experiment: str, **many: int) -> None:
    """So many customers to each variant, on the report date."""
    there = row(connection, "select count(*) as n from master.customers")["n"]
    serial = 1000
    for variant, count in many.items():
        for _ in range(count):
            serial += 1
            add(connection, "customers", {"customer_id": serial})
            assignment = {"experiment": experiment, "customer_id": serial, "variant": variant}
            add(connection, "experiment_assignments", assignment | {"assigned_at": at("09:00", DAY)})
    assert row(connection, "select count(*) as n from master.customers")["n"] == there + sum(many.values())


def published(connection: Any, experiment: str) -> list[dict[str, Any]]:
    return rows(connection, "select * from experiments.unit_profit where experiment = %s", experiment)


def test_a_wrong_sample_ratio_is_held_and_published_when_somebody_knows_why(shop: Any, run: Run) -> None:
    """30 to 90 where as many were planned in each; whoever looked into it releases the report with a note."""
    assign(shop, "checkout_bundles", control=30, bundles=90)
    run("profit_etl")
    with pytest.raises(
        Held,
        match=r"sample_ratio_of_checkout_bundles_is_usual: expected bundles 60.0, control 60.0, as planned",
    ) as held:
        run(PROFIT_OF_VARIANTS)
    assert "found bundles 90, control 30: p " in str(held.value)
    assert published(shop, "checkout_bundles") == []
    released = runner.release(
        shop, report_run(PROFIT_OF_VARIANTS), "DE-001", "the control's servers were down"
    )
    assert [one.name for one in released] == ["sample_ratio_of_checkout_bundles"]
    run(PROFIT_OF_VARIANTS)
    found = {one["variant"]: one for one in published(shop, "checkout_bundles")}
    assert {name: (one["n"], one["expected_n"]) for name, one in found.items()} == {
        "control": (30, 60), "bundles": (90, 60),
    }  # fmt: skip


def test_the_planned_shares_are_no_trouble(shop: Any, run: Run) -> None:
    """52 to 48 is what chance makes of halves."""
    assign(shop, "checkout_bundles", control=52, bundles=48)
    run("profit_etl", PROFIT_OF_VARIANTS)
    assert len(published(shop, "checkout_bundles")) == 2


def test_an_experiment_without_its_control_has_no_difference(shop: Any, run: Run) -> None:
    """An unplanned one: nobody is in `control`, so nothing is compared, and the report says it."""
    assign(shop, "new_button", red=20, blue=20)
    run("profit_etl", PROFIT_OF_VARIANTS)
    found = published(shop, "new_button")
    assert [(one["diff_from_control"], one["cs_low"], one["adjusted_diff"]) for one in found] == [
        (None,) * 3
    ] * 2
    said = row(shop, "select found from investor.checks where name = 'differences_have_a_control'")
    assert said["found"] == "nobody in the control of new_button: no difference"
