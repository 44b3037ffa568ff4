"""What several runbooks cannot say at once is an error of `check`, and the last good ones stay in force."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from oncall.config import oncall_config
from oncall.config.include_files import read_folder
from tests.include_folder import ROSTER, RUNBOOK, write_include

AT = dt.datetime(2026, 11, 27, tzinfo=dt.UTC)
OWNERS = "{primary_owner: ANN, secondary_owner: BEN}"


def two(folder: Path, *changes: tuple[str, str]) -> Path:
    """The pipelines sales_etl and costs_etl, the second one's runbook with these changes."""
    write_include(folder, ROSTER + f"  costs_etl: {OWNERS}\n")
    text = RUNBOOK.replace("sales", "costs").replace("Sales", "Costs")
    for before, after in changes:
        assert before in text
        text = text.replace(before, after)
    (folder / "runbooks" / "costs_etl.md").write_text(text)
    return folder


def test_two_pipelines_do_not_claim_one_report(tmp_path: Path) -> None:
    """The copied runbook whose report was forgotten: each would be judged by the other's publication."""
    good = read_folder(two(tmp_path / "good")).texts
    folder = two(tmp_path / "copied", ("investor.daily_costs", "investor.daily_sales"))
    assert [str(problem) for problem in oncall_config.check(folder)] == [
        f"runbooks/{mine}.md: report: found investor.daily_sales, which is the report of {other} too; "
        "write the report that this pipeline alone publishes"
        for mine, other in (("costs_etl", "sales_etl"), ("sales_etl", "costs_etl"))
    ]
    config = oncall_config.in_force(read_folder(folder), good, AT).config
    assert config is not None
    assert config.pipelines["costs_etl"].report == "investor.daily_costs", "as it was"


@pytest.mark.parametrize("profit_waits_for", ["base.profit", "base.growth"])
def test_no_pipeline_waits_for_itself(tmp_path: Path, profit_waits_for: str) -> None:
    """Nor for one that waits for it: neither would ever start."""
    write_include(tmp_path, ROSTER.replace("sales_etl", "profit_etl") + f"  growth_etl: {OWNERS}\n", None)
    (tmp_path / "sql" / "sales_etl").rename(tmp_path / "sql" / "profit_etl")
    for name, waits_for in (("profit", profit_waits_for), ("growth", "base.profit")):
        text = RUNBOOK.replace("sales", name).replace("base.profit", waits_for)
        (tmp_path / "runbooks" / f"{name}_etl.md").write_text(text)
    said = [str(problem) for problem in oncall_config.check(tmp_path)]
    if profit_waits_for == "base.profit":
        (problem,) = said
        assert "profit_etl.md: upstream: found base.profit, which this pipeline publishes itself" in problem
    else:
        assert len(said) == 2
        assert "found base.growth, which waits for base.profit in its turn" in said[0] + said[1]


def test_a_run_that_usually_takes_a_day_is_refused(tmp_path: Path) -> None:
    """Its promise would be at risk from one due time to the next."""
    runbook = RUNBOOK.replace("title:", "usually: 700h\ntitle:")
    (problem,) = oncall_config.check(write_include(tmp_path, runbook=runbook))
    assert "usually: found '700h'; write a duration under a day" in str(problem)


@pytest.mark.parametrize(
    ("written", "offset"), [("UTC+7", "+07:00"), ("GMT-3", "-03:00"), ("7", "+07:00"), ("+0530", "+05:30")]
)
def test_an_offset_written_otherwise_is_told_as_it_should_be(
    tmp_path: Path, written: str, offset: str
) -> None:
    (problem,) = oncall_config.check(write_include(tmp_path, ROSTER.replace('"+07:00"', f'"{written}"')))
    assert f"timezone: found '{written}'; write a fixed offset such as \"{offset}\"" in str(problem)


@pytest.mark.parametrize(
    "name", ["\u202eevig si siht", "\u200b", "a\u2066b", "\u3164", "\u2800", "A\u00adnn", "\u061c"]
)
def test_a_name_that_cannot_be_seen_or_turns_its_words_is_refused(tmp_path: Path, name: str) -> None:
    """What a page says must read as it was written."""
    (problem,) = oncall_config.check(write_include(tmp_path, ROSTER.replace("name: Ann", f'name: "{name}"')))
    assert "people.ANN.name" in str(problem)
    assert "without control characters" in str(problem)


@pytest.mark.parametrize(
    "name",
    [
        "Ange\u0301",
        "\U0001f469\u200d\U0001f4bb",
        "\u0646\u200c\u0647",
        "\u05d0\u05e0",
        "\u2764\ufe0f",
        "007",
        "yes",
    ],
)
def test_a_name_may_be_of_any_writing(tmp_path: Path, name: str) -> None:
    """With what joins its letters."""
    assert oncall_config.check(write_include(tmp_path, ROSTER.replace("name: Ann", f'name: "{name}"'))) == []


def test_a_blank_that_no_editor_shows_after_a_key_is_a_blank(tmp_path: Path) -> None:
    """As it is after a value: two such names are one."""
    text = ROSTER.replace("  ANN:", "  ANN\u00a0:").replace("manager: BOSS", "manager: BOSS\u2003")
    assert oncall_config.check(write_include(tmp_path, text)) == []


def test_an_account_may_pass_from_one_person_to_another(tmp_path: Path) -> None:
    """Renamed in the roster, they never take turns together."""
    later = "  - {starts: 2026-01-05, weeks: [[ANA, BEN], [BEN, ANA]]}\nleave:"
    text = ROSTER.replace("leave:", later).replace(
        "  BEN:", "  ANA: {opsgenie: ann@example.com, slack: U0ANN}\n  BEN:"
    )
    assert oncall_config.check(write_include(tmp_path, text)) == []
