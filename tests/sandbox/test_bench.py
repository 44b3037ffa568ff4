"""The bench's arithmetic: medians, extremes, ratios and how they are told. What it measures, it measures itself."""

from __future__ import annotations

import math
import re

import pytest

from sandbox.bench.duck import translate
from sandbox.bench.figures import Figure, Sample, Section, number, timed
from sandbox.stack.environment import REPOSITORY


def test_a_ratio_compares_the_medians() -> None:
    """One slow try, as a busy machine has it, moves neither median nor ratio."""
    figure = Figure(Sample("page", (0.1, 0.2, 9.0), "s"), Sample("deadline", (2.0, 1.9, 2.1), "s"))
    assert figure.ratio == pytest.approx(0.1)


def test_beside_a_baseline_of_nothing_the_ratio_is_endless() -> None:
    """A clock too coarse for the baseline breaks no run."""
    assert Figure(Sample("look", (1.0,), "ms"), Sample("nothing", (0.0,), "ms")).ratio == math.inf


def test_a_sample_tells_its_median_and_its_extremes() -> None:
    """A single value has no extremes."""
    assert Sample("look", (3.0, 1.0, 2.0), "ms").told == "2 ms (1 to 3)"
    assert Sample("look", (2.5,), "ms").told == "2.5 ms"


def test_of_twenty_values_the_tail_is_told() -> None:
    """One in twenty may be slower than p95."""
    values = tuple(float(value) for value in range(1, 21))
    assert Sample("page", values, "s").told == "10.5 s (1 to 20, p95 19)"
    assert "p95" not in Sample("page", values[:19], "s").told


@pytest.mark.parametrize(
    ("value", "told"),
    [(0.034321, "0.0343"), (2.0, "2"), (99.96, "100"), (123.4, "123"), (1897.2, "1,897"), (math.inf, "inf")],
)
def test_numbers_keep_three_digits_that_count(value: float, told: str) -> None:
    """More would be noise."""
    assert number(value) == told


def test_a_section_is_a_table_with_the_baseline_beside_each_figure() -> None:
    """Every row names what it is compared with."""
    figure = Figure(Sample("20 sensors", (64.0,), "queries/min"), Sample("1 sensor", (60.0,), "queries/min"))
    *head, _, row = Section("Waiting", "How.", (figure,)).lines()
    assert head[:3] == ["## Waiting", "", "How."]
    assert row == "| 20 sensors | 64 queries/min | 1 sensor | 60 queries/min | 1.07 |"


def test_the_first_time_does_not_count() -> None:
    """Connections are opened and files are read once; what is told is the time after that."""
    instants = iter([0.0, 0.002, 1.0, 1.004])  # the clock is read around each time that counts
    calls: list[int] = []
    sample = timed("look", lambda: calls.append(1), 2, lambda: next(instants))
    assert len(calls) == 3
    assert sample.values == pytest.approx((2.0, 4.0))


def test_what_a_with_writes_becomes_statements_of_their_own_for_duckdb() -> None:
    """All rows are made of the tables as they were, then the old ones deleted, then the new ones put in."""
    statement = """
        with gone as (delete from base.t where day = '2026-11-22'::date), -- of that day
        lines as materialized (select x as a, (1 + 2) as b from base.t where exists (select from u)),
        parts as (insert into base.p (a) select lines.a from lines order by a collate "C" returning a)
        insert into base.t (a, b) select parts.a, 1 from parts
    """

    told = [" ".join(text.split()) for text in translate(statement)]

    assert told == [
        "create or replace temp table lines as select x as a, (1 + 2) as b from base.t where exists (select 1 from u)",
        "create or replace temp table parts (a) as select lines.a from lines order by a",
        "create or replace temp table rows_of_all (a, b) as select parts.a, 1 from parts",
        "delete from base.t where day = '2026-11-22'::date",
        "insert into base.p (a) select * from parts",
        "insert into base.t (a, b) select * from rows_of_all",
    ]
    assert list(translate("set local work_mem = '64MB'")) == []


def test_a_statement_of_any_length_is_put_into_duckdbs_words() -> None:
    """Those of a report grow; comments are left out."""
    long = "select 1 -- one" + "\n, 2" * 10_000
    assert [" ".join(text.split()) for text in translate(long)] == ["select 1 " + ", 2 " * 9_999 + ", 2"]


def test_a_draft_is_published_in_duckdb_by_two_statements() -> None:
    """As the function of the warehouse does it, with every one of the shipped pipelines' calls."""
    values = {"report_date": "'2026-11-22'", "report": "'r'", "reason": "''", "run_id": "'x'", "at": "now()"}
    for file in (REPOSITORY / "include/sql").glob("*/3*.sql"):
        for call in re.findall(r"select investor\.publish_draft.*?;", file.read_text(), re.S):
            table, draft = re.findall(r"'((?:investor|experiments|base)\.\w+)'", call)[-2:]
            assert list(translate(call % values)) == [
                f"delete from {table} where report_date = '2026-11-22'::date;"
                f" insert into {table} by name select * from {draft} where report_date = '2026-11-22'::date"
            ]


def test_what_an_experiments_functions_answer_is_asked_of_postgresql_by_duckdb_too() -> None:
    """Rows of a function become rows of a list; a conflict that cannot be is no matter of DuckDB's."""
    (ratios,) = translate(
        "select * from experiments.sample_ratios('[]'::jsonb, (select jsonb_agg(x)), 'control') as ratio"
    )
    assert "unnest(from_json(sample_ratios('[]', (select json_group_array(x)), 'control'), " in ratios
    (difference,) = translate("select 1 cross join lateral experiments.difference(a.mean, b.mean) as plain")
    assert difference.endswith("lateral (select unnest(difference([a.mean, b.mean]::double[]))) as plain")
    assert list(translate("insert into t (a) select 1 on conflict do nothing")) == [
        "insert into t (a) select 1 "
    ]
